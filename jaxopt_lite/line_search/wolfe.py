"""A line search that never calls the function: it is told a value and a slope at its trial step and answers what to do.

Along a descent direction d let phi(t) = f(x + t d), with phi(0) = f0 and phi'(0) = s0 < 0. A step is acceptable if it is
low enough and flat enough:

    phi(t) <= f0 + c1 t s0   or   phi(t) <= f0 + noise                                          (1)
    |phi'(t)| <= c2 |s0|                                                                        (2)

The first half of (1) with (2) are the strong Wolfe conditions (Nocedal & Wright 2006, eq. 3.7). Near a minimum the
decrease drowns in the rounding of f, eps |f|, long before the slopes do; there the second half of (1) with (2) is the
approximate Wolfe condition of Hager & Zhang (2005, eq. 27; their upper bound on the slope follows from (2) for c2 <=
1 - 2 c1). This is what lets float32 finish.

An interval [lo, hi] is kept: lo is low enough and still falls steeply; hi is too high, or rises, or is not finite. psi(t)
= phi(t) - f0 - c1 t s0 falls at lo and is above zero or rising at hi, so that an acceptable step lies between (More &
Thuente 1994, theorem 2.1). While there is no hi the step grows along the secant of the slopes; then it is the zero of
the secant between the ends where the slope changes sign there, else a bisection. The slope of an end that was kept counts
half the next time (the Illinois rule of Dowell & Jarratt 1971), so that no end is kept for ever.

Only steps and slopes are remembered, no values: slopes survive rounding, and on the Rosenbrock functions a cubic through
values and slopes saved no evaluation (50.7 a solve against 50.9 at n = 4) for twice the state.

When the interval is as narrow as rounding the search is over: the step lo is taken if it made progress, else it failed.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

GROWTH_LEAST, GROWTH_MOST = 2.0, 10.0  # how the step may grow while no upper end is known
EDGE = 0.1  # an interpolated step stays this fraction of the interval away from its ends
NOISE_POWER = 0.8  # rounding of f is taken as eps^0.8 |f|: 3e-13 |f| in float64, 3e-6 |f| in float32


class Search(NamedTuple):
    """Where a line search stands."""

    step: Array  # () trial step t
    lo: Array  # () lower end: low enough, still falling; 0 until a step was
    s_lo: Array  # () slope there, or half of it
    hi: Array  # () upper end; inf while unknown
    s_hi: Array  # () slope there, or half of it; not positive where the slope says nothing


class Verdict(NamedTuple):
    """What the search answers."""

    accepted: Array  # () bool
    failed: Array  # () bool: no step along this direction does
    search: Search  # how to go on


def noise(fun: Array) -> Array:
    """The change of a value f that its rounding hides: a sum of some hundred terms loses that many times eps |f|."""
    return float(jnp.finfo(fun.dtype).eps) ** NOISE_POWER * jnp.abs(fun)


def start(step: Array, slope: Array) -> Search:
    """A search at its first trial step."""
    zero = jnp.zeros_like(step)
    return Search(step, zero, slope, jnp.full_like(step, jnp.inf), zero)


def judge(s: Search, f0: Array, s0: Array, f: Array, slope: Array, least: Array, c1: Array, c2: Array) -> Verdict:
    """Judge the trial step from its value and slope; an interval narrower than `least` holds no other point."""
    eps = jnp.finfo(f.dtype).eps
    t = s.step
    hidden = noise(f0)
    low = f <= jnp.maximum(f0 + c1 * t * s0, f0 + hidden)
    flat = jnp.abs(slope) <= c2 * jnp.abs(s0)
    to_lo = low & (slope < 0)
    unbracketed = jnp.isinf(s.hi)

    lo = jnp.where(to_lo, t, s.lo)
    hi = jnp.where(to_lo, s.hi, t)
    s_lo = jnp.where(to_lo, slope, jnp.where(unbracketed, s.s_lo, 0.5 * s.s_lo))
    s_hi = jnp.where(to_lo, 0.5 * s.s_hi, jnp.where(low, slope, 0.0))
    width = hi - lo
    exhausted = width <= jnp.maximum(least, 2 * eps * lo)
    last = t <= s.lo  # the lower end itself was asked for again, to be taken as it is
    accepted = (low & flat) | (last & (f < f0 - hidden))
    failed = ~accepted & (last | (exhausted & (lo == 0)))

    turning = slope > s.s_lo
    secant = s.lo + (t - s.lo) * s.s_lo / jnp.where(turning, s.s_lo - slope, -1.0)
    grown = jnp.clip(jnp.where(turning, secant, jnp.inf), GROWTH_LEAST * t, GROWTH_MOST * t)
    rising = s_hi > 0
    fraction = jnp.clip(s_lo / jnp.where(rising, s_lo - s_hi, 1.0), EDGE, 1 - EDGE)
    inside = lo + jnp.where(rising, fraction, 0.5) * jnp.where(jnp.isinf(hi), 1.0, width)
    step = jnp.where(jnp.isinf(hi), grown, inside)
    step = jnp.where(exhausted, lo, step)
    return Verdict(accepted, failed, Search(step, lo, s_lo, hi, s_hi))
