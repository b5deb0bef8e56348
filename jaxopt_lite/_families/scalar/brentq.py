"""Brent's root finder: inverse quadratic interpolation (brentq) or hyperbolic extrapolation (brenth), kept in a bracket.

R. P. Brent, Algorithms for Minimization without Derivatives, 1973, chapter 4, procedure `zero`; the hyperbola is that of
J. C. P. Bus and T. J. Dekker, ACM TOMS 1, 1975, algorithm R. There are three points: x, the best one, `pre`, the one
before it, and `blk`, where f has the other sign. With u = pre - x, v = blk - x and the ratios

    s = f(x) / f(pre),   q = f(pre) / f(blk),   r = f(x) / f(blk) = s q                         (1)

the step from x is, of two points (pre = blk), the secant's

     u s / (s - 1)                                                                              (2)

and of three points

    s [v q (q - r) + u (r - 1)] / [(1 - r) (1 - s) (1 - q)]           (brentq)                  (3)
    (s - r) u / [(1 - r) u / v - (1 - s)]                             (brenth)                  (4)

Ratios of values and of distances neither over- nor underflow where the values do not; SciPy's forms of (3) and (4)
multiply divided differences. The step is taken if it is shorter than half of the step before last and stays within three
quarters of the way to blk, else the bracket is halved; no step is shorter than tol / 2. At worst some
log2((b - a) / tol)^2 evaluations are made (Brent, 1973, section 4.2).

Brent's loop has one evaluation in it. Here the loop is cut at that evaluation: a turn takes in f at the point that the turn
before asked for. Where a formula breaks down (0 / 0) its step is NaN. NaN passes no comparison, so the bracket is halved.
"""

import functools
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, in_bracket, outcome, tolerance
from jaxopt_lite.core.protocol import Answer, Method, Query, Told


class BrentState(NamedTuple):
    """Brent's points; `pre` is the best one when the lane has ended."""

    x: Array  # () point asked for
    pre: Array  # () point before it
    f_pre: Array  # () inf before the first evaluation
    blk: Array  # () the other end of the bracket
    f_blk: Array  # ()
    step: Array  # () step before last


def _init(x0: Array, data: BracketData) -> BrentState:
    inf = jnp.full_like(data.a, jnp.inf)
    return BrentState(data.a, data.a, inf, data.a, inf, jnp.zeros_like(data.a))


def _ask(s: BrentState, data: BracketData) -> Query:
    return Query(s.x[None])


def _tell(s: BrentState, query: Query, answer: Answer, data: BracketData, hyperbolic: bool) -> Told:
    fx = answer.fun
    first = jnp.isinf(s.f_pre)
    second = jnp.isinf(s.f_blk) & ~first
    crossed = differ(fx, s.f_pre)
    last = s.x - s.pre
    before_last = jnp.where(crossed, last, s.step)
    blk, f_blk = jnp.where(crossed, s.pre, s.blk), jnp.where(crossed, s.f_pre, s.f_blk)
    back = jnp.abs(f_blk) < jnp.abs(fx)  # the other end is the better one
    pre, f_pre = jnp.where(back, s.x, s.pre), jnp.where(back, fx, s.f_pre)
    x, f_x = jnp.where(back, blk, s.x), jnp.where(back, f_blk, fx)
    blk, f_blk = jnp.where(back, s.x, blk), jnp.where(back, fx, f_blk)

    least = 0.5 * tolerance(x, data)
    to_middle = half(x, blk)
    step = _interpolated(pre - x, blk - x, f_x / f_pre, f_pre / f_blk, pre == blk, hyperbolic)
    room = jnp.minimum(jnp.abs(before_last), 3 * jnp.abs(to_middle) - least)
    good = (jnp.abs(before_last) > least) & (jnp.abs(f_x) < jnp.abs(f_pre)) & (2 * jnp.abs(step) < room)
    step = jnp.where(good, step, to_middle)
    away = jnp.where(jnp.abs(step) > least, step, jnp.copysign(least, to_middle))

    narrow = jnp.abs(to_middle) <= least
    status = outcome(answer, data, first, second & ~crossed, narrow, x)
    new = BrentState(jnp.where(first, data.b, x + away), x, f_x, blk, f_blk, jnp.where(good, last, to_middle))
    return Told(new, status, ~(first | second))


def _interpolated(u: Array, v: Array, s: Array, q: Array, secant: Array, hyperbolic: bool) -> Array:
    """Equation (2), (3) or (4)."""
    r = s * q
    if hyperbolic:
        above, below = (s - r) * u, (1 - r) * (u / v) - (1 - s)
    else:
        above, below = s * (v * q * (q - r) + u * (r - 1)), (1 - r) * (1 - s) * (1 - q)
    return jnp.where(secant, u * s, above) / jnp.where(secant, s - 1, below)


def _report(s: BrentState, data: BracketData) -> dict[str, Array]:
    return {"x": s.pre[None], "fun": s.f_pre}


def _build(name: str, hyperbolic: bool) -> Method:
    tell = functools.partial(_tell, hyperbolic=hyperbolic)
    return in_bracket(name, _init, _ask, tell, _report)


BRENTQ = _build("brentq", False)
BRENTH = _build("brenth", True)
