"""The methods of `minimize`."""

import functools

from jaxopt_lite._families.bounded import lbfgsb, tnc
from jaxopt_lite._families.constrained import cobyla, slsqp, trust_constr
from jaxopt_lite._families.derivative_free import nelder_mead, powell
from jaxopt_lite._families.line_search import bfgs, cg, newton_cg
from jaxopt_lite._families.trust_region import dogleg, exact, krylov, ncg, radius
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.core.batching import Schedule

_BOXED = functools.partial(
    Row,
    tol=("gtol",),
    takes=frozenset({"jac", "bounds"}),
    maxiter=lambda n: 15_000,
)
_TRUST = functools.partial(
    Row,
    prepare=radius.prepare,
    tol=("gtol",),
    maxiter=lambda n: 200 * n,
)
MINIMIZE = (
    Row(
        name="BFGS",
        build=bfgs.build,
        prepare=bfgs.prepare,
        options=bfgs.OPTIONS,
        tol=("gtol",),
        takes=frozenset({"jac"}),
        maxiter=lambda n: 200 * n,
    ),
    Row(
        name="CG",
        build=cg.build,
        prepare=cg.prepare,
        options=cg.OPTIONS,
        tol=("gtol",),
        takes=frozenset({"jac"}),
        maxiter=lambda n: 200 * n,
    ),
    Row(
        name="Newton-CG",
        build=newton_cg.build,
        prepare=newton_cg.prepare,
        options=newton_cg.OPTIONS,
        tol=("gtol",),
        takes=frozenset({"jac", "hess", "hessp"}),
        maxiter=lambda n: 200 * n,
    ),
    _BOXED(name="L-BFGS-B", build=lbfgsb.build, prepare=lbfgsb.prepare, options=lbfgsb.OPTIONS),
    _BOXED(
        name="TNC",
        build=tnc.build,
        prepare=tnc.prepare,
        options=tnc.OPTIONS,
        takes=frozenset({"jac", "hess", "hessp", "bounds"}),
    ),
    Row(
        name="SLSQP",
        build=slsqp.build,
        prepare=slsqp.prepare,
        options=slsqp.OPTIONS,
        tol=("ftol",),
        takes=frozenset({"jac", "bounds", "constraints", "equalities"}),
        maxiter=lambda n: 100,
        schedule=Schedule(turns_per_refill=1, most=32),  # a turn takes as long as the lane with most changes of basis
    ),
    Row(
        name="trust-constr",
        build=trust_constr.build,
        prepare=trust_constr.prepare,
        options=trust_constr.OPTIONS,
        tol=("gtol",),
        takes=frozenset({"jac", "hess", "hessp", "bounds", "constraints", "equalities", "keep_feasible", "state"}),
        maxiter=lambda n: 1000,
    ),
    Row(
        name="COBYLA",
        build=cobyla.build,
        prepare=cobyla.prepare,
        options=cobyla.OPTIONS,
        tol=("tol",),
        takes=frozenset({"bounds", "constraints", "equalities"}),
        maxiter=lambda n: 1000,
        schedule=Schedule(turns_per_refill=4, most=32),  # a turn takes as long as the lane with most events of its step
    ),
    _TRUST(name="dogleg", build=dogleg.build, options=dogleg.OPTIONS, takes=frozenset({"jac", "hess"})),
    _TRUST(name="trust-ncg", build=ncg.build, options=ncg.OPTIONS, takes=frozenset({"jac", "hess", "hessp"})),
    _TRUST(name="trust-krylov", build=krylov.build, options=krylov.OPTIONS, takes=frozenset({"jac", "hess", "hessp"})),
    _TRUST(name="trust-exact", build=exact.build, options=exact.OPTIONS, takes=frozenset({"jac", "hess"})),
    Row(
        name="Nelder-Mead",
        build=nelder_mead.build,
        prepare=nelder_mead.prepare,
        options=nelder_mead.OPTIONS,
        tol=("xatol", "fatol"),
        takes=frozenset({"bounds"}),
        maxiter=lambda n: 400 * n,
        schedule=Schedule(turns_per_refill=16, most=128),
    ),
    Row(
        name="Powell",
        build=powell.build,
        prepare=powell.prepare,
        options=powell.OPTIONS,
        tol=("xtol", "ftol"),
        takes=frozenset({"bounds"}),
        maxiter=lambda n: 1000 * n,
        schedule=Schedule(turns_per_refill=16),
    ),
)
