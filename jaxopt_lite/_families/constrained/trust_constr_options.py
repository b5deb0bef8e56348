"""The options of trust-constr, and the traced numbers that follow from them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained.barrier import Sides
from jaxopt_lite._families.trust_region.radius import RADIUS
from jaxopt_lite.core.options import DIFFERENCES, POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.stopping import objective_tolerance

ROUNDINGS = 10.0  # times eps: a smaller radius moves nothing
PRODUCTS = "products"
NAMES = (None, "NormalEquation", PRODUCTS)  # of factorization_method
MANY = 500  # variables; with more of them nothing of n x n numbers is built

OPTIONS = {
    "gtol": Option(
        None,
        POSITIVE_OR_ZERO,
        "Stop where the model promises no more than gtol of fun, and no row is violated by more. Default 1e-8; 6.4e-6 in "
        "float32.",
    ),
    "xtol": Option(None, POSITIVE_OR_ZERO, "Stop where the radius is no larger. Default 1e-8; 1.2e-6 in float32."),
    "barrier_tol": Option(
        None,
        POSITIVE_OR_ZERO,
        "Stop only where the barrier parameter is no larger. Default gtol, and at most its default times the unit of fun: "
        "what fun changes by over the first radius.",
    ),
    "initial_tr_radius": Option(1.0, RADIUS, "First radius; and the least one after the barrier parameter fell."),
    "initial_constr_penalty": Option(
        None, RADIUS, "First weight of the rows, of each barrier problem. Default the unit of fun (see barrier_tol)."
    ),
    "initial_barrier_parameter": Option(
        None, RADIUS, "First barrier parameter mu. Default a hundredth of the unit of fun (see barrier_tol)."
    ),
    "initial_barrier_tolerance": Option(
        None,
        RADIUS,
        "Tolerance of the first barrier problem, a tenth of the error that it may have; it falls as mu does. Default mu.",
    ),
    "factorization_method": Option(
        None,
        STATIC,
        "How rows are solved (static). 'NormalEquation': by their normal equations, with matrices of n x n, m x n and m x m "
        "numbers. 'products': by conjugate gradients on products of derivatives with vectors, in O(n + m) memory; each "
        "product is an evaluation, so that nfev is some hundred times nit. None: products for more than 500 variables in "
        "`minimize`. Other names of SciPy's raise.",
    ),
    "verbose": Option(0, STATIC, "1: print a summary at the end, as `disp`; 2 or 3: a line an iteration too (static)."),
    "return_all": Option(False, STATIC, "Keep the point of every iteration in `allvecs`; eager calls only."),
} | DIFFERENCES


class BarrierData(NamedTuple):
    """Traced numbers of a run."""

    ftol: Array  # () gtol, under the name that the certificate knows
    xtol: Array  # ()
    radius: Array  # () first
    small: Array  # () the default of gtol
    mu: Array | None  # () first; of this and the next three None: by the first evaluation
    mu_last: Array | None  # () a mu that is no larger is the last one
    inner: Array | None  # () first tolerance of a barrier problem
    nu: Array | None  # () first
    row_lower: Array  # (m,) sides of the rows
    row_upper: Array  # (m,)
    keep: Array  # (m,) bool: no point that violates this row is accepted
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    flawed: Array  # () bool: sides or bounds that cross


def check(options: dict[str, Any]) -> None:
    """Raises ValueError for static options without a meaning."""
    given, verbose = options["factorization_method"], options["verbose"]
    if given not in NAMES:
        raise ValueError(
            f"option 'factorization_method' is given as {given!r}, but rows are solved by their normal equations "
            "or by products; give 'NormalEquation' or 'products', or leave it out."
        )
    if isinstance(verbose, bool) or verbose not in (0, 1, 2, 3):
        raise ValueError(f"option 'verbose' is {verbose!r}; give 0, 1, 2 or 3.")


def by_products(options: dict[str, Any]) -> bool:
    """Are rows and Hessian to be known by products alone?"""
    given, size = options["factorization_method"], options.get("size")
    return given == PRODUCTS or (given is None and size is not None and size > MANY)


def prepare(options: dict[str, Any], x0: Array) -> BarrierData:
    """The data record from options; None takes the default of the dtype."""
    small, eps = 1e-2 * objective_tolerance(x0.dtype), float(jnp.finfo(x0.dtype).eps)
    small = max(small, eps**0.75)
    number = lambda name, default: jnp.asarray(default if options[name] is None else options[name]).astype(x0.dtype)
    lower, upper = box.sides(options.get("bounds"), x0)
    equal, low, high = (jnp.asarray(side).astype(x0.dtype) for side in options["constraints"])
    low, high = jnp.concatenate([equal, low]), jnp.concatenate([equal, high])
    keep = options.get("keep_feasible")
    keep = jnp.zeros(low.shape, bool) if keep is None else jnp.asarray(keep) & (low < high)
    given = lambda name: None if options[name] is None else number(name, None)
    gtol, last = number("gtol", small), given("barrier_tol")
    data = BarrierData(
        ftol=gtol,
        xtol=number("xtol", max(small if eps < 1e-10 else 0.0, ROUNDINGS * eps)),
        radius=number("initial_tr_radius", None),
        small=jnp.asarray(small).astype(x0.dtype),
        mu=given("initial_barrier_parameter"),
        mu_last=None if last is None else jnp.maximum(last, float(jnp.finfo(x0.dtype).tiny)),  # mu is never zero
        inner=given("initial_barrier_tolerance"),
        nu=given("initial_constr_penalty"),
        row_lower=low,
        row_upper=high,
        keep=keep,
        lower=lower,
        upper=upper,
        flawed=jnp.zeros((), bool),
    )
    return data._replace(flawed=box.crossed(data) | ~jnp.all(low <= high))


def sides_of(data: BarrierData, n: int) -> Sides:
    """Where x (n,) and the slacks may be."""
    none = jnp.full(n, jnp.inf, data.ftol.dtype)
    low = jnp.concatenate([-none if data.lower is None else data.lower, data.row_lower])
    high = jnp.concatenate([none if data.upper is None else data.upper, data.row_upper])
    return Sides(low, high, low == high)
