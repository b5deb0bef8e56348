"""A line search that never calls the function: it is told a value and a slope at its trial step and answers what to do.

Along a descent direction d let phi(t) = f(x + t d), with phi(0) = f0 and phi'(0) = s0 < 0. A step is acceptable if it is
low enough and flat enough:

    phi(t) <= f0 + c1 t s0,   or   phi(t) <= f0 + noise  where  c1 t |s0| <= noise              (1)
    |phi'(t)| <= c2 |s0|                                                                        (2)

The first half of (1) with (2) are the strong Wolfe conditions (Nocedal & Wright 2006, eq. 3.7). Near a minimum the
decrease drowns in the rounding of f, eps |f|, long before the slopes do; there the second half of (1) with (2) is the
approximate Wolfe condition of Hager & Zhang (2005, eq. 27; their upper bound on the slope follows from (2) for c2 <=
1 - 2 c1). This is what lets float32 finish. Sums of many or of large terms round more than eps |f|, and then values and
slopes contradict each other: phi rises though it falls at both ends. The slopes are believed, and t is low enough, where

    phi'(t) < 0,   |phi'(t)| <= c2 |s0|,   t |s0| <= sqrt(eps) |f0|,   phi(t) <= f0 + sqrt(eps) |f0|   (3)

(Hager & Zhang believe them up to 1e-6 |f0|, whatever the values). Of 48 problems in float32 CG solved 43 with (3) and 38
without, BFGS 47 and 45.

An interval [lo, hi] is kept: lo is low enough and still falls steeply; hi is too high, or rises, or is not finite. psi(t)
= phi(t) - f0 - c1 t s0 falls at lo and is above zero or rising at hi, so that an acceptable step lies between (More &
Thuente 1994, theorem 2.1). The next step is where the secant of the slopes at lo and at the trial step vanishes: kept
inside the interval, away from its ends; two to ten times longer while there is no hi; and the middle where the secant
says nothing (hi too high but falling, or not finite).

Only steps and one slope are remembered, no values: slopes survive rounding, and on the Rosenbrock functions a cubic
through values and slopes saved no more than one evaluation in twenty for twice the state. The state is what a batch pays.

When the interval is as narrow as rounding the search is over: slopes and values contradict each other (rounding, a kink,
a jump, a wrong gradient). The step lo is asked for again and taken if it made progress, which leaves the search spent;
else the search failed.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

GROWTH_LEAST, GROWTH_MOST = 2.0, 10.0  # how the step may grow while no upper end is known
EDGE = 0.3  # an interpolated step stays this fraction of the interval away from its ends; 0.1 took 3 to 6 % more evaluations
NOISE_POWER = 0.8  # rounding of f is taken as eps^0.8 |f|: 3e-13 |f| in float64, 3e-6 |f| in float32


class Search(NamedTuple):
    """Where a line search stands."""

    step: Array  # () trial step t
    lo: Array  # () lower end: low enough, still falling; 0 until a step was
    s_lo: Array  # () slope there
    hi: Array  # () upper end; inf while unknown


class Verdict(NamedTuple):
    """What the search answers."""

    accepted: Array  # () bool
    spent: Array  # () bool: accepted for its progress alone, because the interval is exhausted
    failed: Array  # () bool: no step along this direction does
    search: Search  # how to go on
    low: Array  # () bool: low enough, (1) or (3)


def noise(fun: Array) -> Array:
    """The change of a value f that its rounding hides: a sum of some hundred terms loses that many times eps |f|."""
    return float(jnp.finfo(fun.dtype).eps) ** NOISE_POWER * jnp.abs(fun)


def start(step: Array, slope: Array) -> Search:
    """A search at its first trial step."""
    return Search(step, jnp.zeros_like(step), slope, jnp.full_like(step, jnp.inf))


def judge(
    s: Search, f0: Array, s0: Array, f: Array, slope: Array, least: Array, c1: Array | float, c2: Array | float
) -> Verdict:
    """Judge the trial step from its value and slope; an interval narrower than `least` holds no other point."""
    t = s.step
    hidden = noise(f0)
    wanted = c1 * t * s0
    low = f <= f0 + jnp.where(-wanted <= hidden, hidden, wanted)
    flat = jnp.abs(slope) <= c2 * jnp.abs(s0)
    falling = slope < 0
    wide = float(jnp.finfo(f.dtype).eps) ** 0.5 * jnp.abs(f0)
    low = low | (falling & flat & (-t * s0 <= wide) & (f <= f0 + wide))
    to_lo = low & falling

    lo, hi = jnp.where(to_lo, t, s.lo), jnp.where(to_lo, s.hi, t)
    width = hi - lo
    exhausted = width <= jnp.maximum(least, 2 * jnp.finfo(f.dtype).eps * lo)
    last = t <= s.lo  # the lower end itself was asked for again, to be taken as it is
    spent = last & (f < f0 - hidden)
    accepted = (low & flat) | spent
    failed = ~accepted & (last | (exhausted & (lo == 0)))

    turning = slope > s.s_lo
    secant = s.lo + (t - s.lo) * s.s_lo / jnp.where(turning, s.s_lo - slope, -1.0)
    says_nothing = (slope <= 0) & ~low  # a value that is not finite comes with a slope of zero
    within = jnp.clip(jnp.where(says_nothing | ~turning, 0.5 * (lo + hi), secant), lo + EDGE * width, hi - EDGE * width)
    grown = jnp.clip(jnp.where(turning, secant, jnp.inf), GROWTH_LEAST * t, GROWTH_MOST * t)
    grown = jnp.minimum(grown, jnp.finfo(f.dtype).max)  # an infinite step would count as no upper end
    step = jnp.where(exhausted, lo, jnp.where(jnp.isinf(hi), grown, within))
    return Verdict(accepted, spent, failed, Search(step, lo, jnp.where(to_lo, slope, s.s_lo), hi), low)
