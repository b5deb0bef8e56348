"""The methods of `minimize_scalar` and of `root_scalar`: functions of one variable."""

import functools

from jaxopt_lite._families.scalar import (
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
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.core.batching import Schedule

# A turn's overhead is a large part of its cost: of 1e6 lanes each took 0.29 us by brent in 256 at once, 0.23 in 4,096, and
# 0.41 and 0.33 by bounded.
_WIDE = Schedule(most=4096)
_WALKING = functools.partial(
    Row,
    schedule=_WIDE,
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
        schedule=_WIDE,
    ),
    _WALKING(name="golden", build=lambda options: golden.GOLDEN, maxiter=lambda n: 5000),
)


# A turn is some fifteen kernels of a few nanoseconds a lane: in 256 lanes their overhead costs 1.4 times as much in all.
# Seven to twelve turns end most lanes: refills after 6 instead of 8 save a tenth. Both on 1e6 lanes of x**3 - x - p.
_BRACKETED = functools.partial(
    Row,
    schedule=_WIDE._replace(turns_per_refill=6),
    prepare=bracket.prepare,
    options=bracket.OPTIONS,
    takes=frozenset({"bracket"}),
    maxiter=lambda n: 100,
)
_OPEN = functools.partial(
    _BRACKETED,
    maxiter=lambda n: 50,
    schedule=_WIDE._replace(turns_per_refill=7),  # Newton's mean is 6.1, the last one checks
)
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
