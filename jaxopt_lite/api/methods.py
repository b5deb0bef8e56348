"""The method tables: what a method is called, what it takes, and where it lives. One row a method."""

import difflib
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxopt_lite.bounded import lbfgsb, tnc
from jaxopt_lite.core.batching import Schedule
from jaxopt_lite.core.options import Option
from jaxopt_lite.core.protocol import Method
from jaxopt_lite.line_search import bfgs, cg, newton_cg
from jaxopt_lite.linear import interior_point, simplex
from jaxopt_lite.lsq import dogbox, lm, trf
from jaxopt_lite.scalar import (
    bisect,
    bounded,
    bracket,
    bracketing,
    brent,
    brentq,
    chandrupatla,
    golden,
    newton,
    ridder,
    secant,
    toms748,
)


class Row(NamedTuple):
    """A method as a front door knows it."""

    name: str  # as SciPy spells it
    build: Callable[[dict[str, Any]], Method]  # from the static options; equal options, the same object
    prepare: Callable[..., Any]  # (options, x0) -> data, inside the program
    options: dict[str, Option]
    tol: tuple[str, ...]  # options that `tol` sets
    takes: frozenset[str]  # of jac, hess, hessp, bounds, bracket, constraints, loss, x0, x1, fprime, fprime2
    maxiter: Callable[[int], int]  # default, from n
    turns_per_refill: int | None = None  # of a batch; None: the machine's default
    most: int | None = None  # lanes on a CPU at most; None: the machine's default

    def schedule(self, options: dict[str, Any]) -> Schedule:
        """How a batch is driven, as far as the options and this row say."""
        turns = options["turns_per_refill"]
        return Schedule(options["lanes"], self.turns_per_refill if turns is None else turns, self.most)


UNLIMITED = (1 << 31) - 1  # iterations; the budget of a fit is its evaluations

_BOXED = functools.partial(
    Row,
    tol=("gtol",),
    takes=frozenset({"jac", "bounds"}),
    maxiter=lambda n: 15_000,
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
)

# A turn's overhead is a large part of its cost: of 1e6 lanes each took 0.29 us by brent in 256 at once, 0.23 in 4,096, and
# 0.41 and 0.33 by bounded.
_WALKING = functools.partial(
    Row,
    most=4096,
    prepare=bracketing.prepare,
    options=bracketing.OPTIONS,
    tol=("xtol",),
    takes=frozenset({"bracket"}),
)
MINIMIZE_SCALAR = (
    _WALKING(name="brent", build=lambda options: brent.BRENT, maxiter=lambda n: 500),
    Row(
        name="bounded",
        build=lambda options: bounded.BOUNDED,
        prepare=bounded.prepare,
        options=bounded.OPTIONS,
        tol=("xatol",),
        takes=frozenset({"bounds"}),
        maxiter=lambda n: 500,
        most=4096,
    ),
    _WALKING(name="golden", build=lambda options: golden.GOLDEN, maxiter=lambda n: 5000),
)


# A turn is some fifteen kernels of a few nanoseconds a lane: in 256 lanes their overhead costs 1.4 times as much in all.
# Seven to twelve turns end most lanes: refills after 6 instead of 8 save a tenth. Both on 1e6 lanes of x**3 - x - p.
_BRACKETED = functools.partial(
    Row,
    most=4096,
    turns_per_refill=6,
    prepare=bracket.prepare,
    options=bracket.OPTIONS,
    tol=("xtol",),
    takes=frozenset({"bracket"}),
    maxiter=lambda n: 100,
)
_OPEN = functools.partial(_BRACKETED, maxiter=lambda n: 50, turns_per_refill=7)  # Newton's mean is 6.1, the last one checks
_DERIVED = functools.partial(_OPEN, prepare=newton.prepare, options=newton.OPTIONS)
ROOT_SCALAR = (
    _BRACKETED(name="bisect", build=lambda options: bisect.BISECT),
    _BRACKETED(name="brentq", build=lambda options: brentq.BRENTQ),
    _BRACKETED(name="brenth", build=lambda options: brentq.BRENTH),
    _BRACKETED(name="ridder", build=lambda options: ridder.RIDDER),
    _BRACKETED(name="toms748", build=toms748.build, options=toms748.OPTIONS),
    _BRACKETED(name="chandrupatla", build=lambda options: chandrupatla.CHANDRUPATLA),
    _DERIVED(name="newton", build=newton.newton, takes=frozenset({"bracket", "x0", "fprime"})),
    _DERIVED(name="halley", build=newton.halley, takes=frozenset({"bracket", "x0", "fprime", "fprime2"})),
    _OPEN(
        name="secant",
        build=lambda options: secant.SECANT,
        prepare=secant.prepare,
        options=secant.OPTIONS,
        takes=frozenset({"x0", "x1"}),
    ),
)


_FIT = functools.partial(
    Row,
    prepare=lm.prepare,
    options=lm.OPTIONS,
    tol=("ftol", "xtol", "gtol"),
    takes=frozenset({"jac", "bounds", "loss"}),
    maxiter=lambda n: UNLIMITED,
    turns_per_refill=2,  # a fit takes some five turns; with refills every 8 turns half of the lanes would wait
)
LEAST_SQUARES = (
    _FIT(name="trf", build=trf.build),
    _FIT(name="dogbox", build=dogbox.build),
    _FIT(name="lm", build=lm.build, options=lm.ACCELERATED, takes=frozenset({"jac"})),
)


LINPROG = (
    Row(
        name="interior-point",
        build=lambda options: interior_point.METHOD,
        prepare=interior_point.prepare,
        options=interior_point.OPTIONS,
        tol=("tol",),
        takes=frozenset({"bounds"}),
        maxiter=lambda size: 200,
        turns_per_refill=2,
    ),
    Row(
        name="simplex",
        build=lambda options: simplex.build(),
        prepare=simplex.prepare,
        options=simplex.OPTIONS,
        tol=("tol",),
        takes=frozenset({"bounds"}),
        maxiter=lambda size: 50 * size + 100,
    ),
)


def find(table: tuple[Row, ...], method: Any, door: str, others: tuple[str, ...] = ()) -> Row:
    """The row of a method by its name, in any case; raises ValueError listing the known ones, and `others` of the door."""
    names = [*(row.name for row in table), *others]
    if isinstance(method, str):
        for row in table:
            if row.name.lower() == method.lower():
                return row
        near = difflib.get_close_matches(method.lower(), [n.lower() for n in names], 1)
        hint = f" Did you mean {names[[n.lower() for n in names].index(near[0])]!r}?" if near else ""
        raise ValueError(f"unknown method {method!r} for {door}.{hint} Known methods: {', '.join(names)}.")
    raise TypeError(f"method is {method!r}; give the name of a method ({', '.join(names)}) or a callable.")
