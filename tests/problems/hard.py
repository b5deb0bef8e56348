"""Problems that are there to be failed honestly: each has one known wrong way to fail, and its tag names it.

A solver passes by saying what happened: never success where there is no minimizer, never an answer worse than the
start, never a NaN where it had seen a finite point. The tags:

nan_region      finite at the start and at the minimizer; NaN where the first full gradient step lands
inf_region      the same with +inf
nan_everywhere  NaN at every point
nan_start       NaN at the start, finite elsewhere
inf_start       +inf at the start, finite elsewhere
unbounded       falls to -inf
no_minimizer    bounded below, but the infimum is only approached at infinity
flat            the gradient is zero at the start, everywhere or over a wide plateau
discontinuous   a quadratic with a step in it
nonsmooth       convex with a kink at the minimizer

The NaN of `jnp.log` below zero comes with a finite derivative 1/x, and the NaN written by `where` with a zero one: a
stopping test that looks only at the gradient is fooled by both.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from .problem import Point, Problem, table


def log_barrier(x: Array) -> Array:
    """sum 10 x - log x: least at x = 1/10, NaN below 0, where both a gradient and a Newton step go."""
    return jnp.sum(10.0 * x - jnp.log(x))


def nan_half_plane(x: Array) -> Array:
    """(x1 - 1)**2 + x2**2 where x1 >= 0, NaN (with a zero gradient) elsewhere."""
    return jnp.where(x[0] >= 0.0, (x[0] - 1.0) ** 2 + x[1] ** 2, math.nan)


def inf_barrier(x: Array) -> Array:
    """`log_barrier`, but +inf where a coordinate is not positive."""
    inside = x > 0.0
    return jnp.sum(jnp.where(inside, 10.0 * x - jnp.log(jnp.where(inside, x, 1.0)), math.inf))


def exp_overflow(x: Array) -> Array:
    """sum exp(x**2): overflows in both dtypes after one gradient step from (3, 2), where its gradient is NaN too."""
    return jnp.sum(jnp.exp(jnp.square(x)))


def nan_everywhere(x: Array) -> Array:
    """NaN, depending on x so that its gradient is NaN as well."""
    return jnp.sum(x) * math.nan


def linear(x: Array) -> Array:
    """x1 - 2 x2."""
    return x[0] - 2.0 * x[1]


def concave(x: Array) -> Array:
    """-|x|**2."""
    return -jnp.sum(jnp.square(x))


def cubic(x: Array) -> Array:
    """-x1**3 + x2**2: a minimum in every direction but one, the gradient zero at the origin."""
    return -(x[0] ** 3) + x[1] ** 2


def log_pit(x: Array) -> Array:
    """sum log(x**2): -inf at the finite point 0."""
    return jnp.sum(jnp.log(jnp.square(x)))


def exp_tail(x: Array) -> Array:
    """sum exp(-x): the infimum 0 lies at infinity, and every gradient tolerance is met on the way."""
    return jnp.sum(jnp.exp(-x))


def flat_everywhere(x: Array) -> Array:
    """3 at every point."""
    return jnp.full((), 3.0, x.dtype)


def plateau(x: Array) -> Array:
    """1 - exp(-|x|**2): from (30, -30) the gradient underflows to zero, though the minimum is elsewhere."""
    return 1.0 - jnp.exp(-jnp.sum(jnp.square(x)))


def step_between(x: Array) -> Array:
    """|x - 0.3|**2, and 5 more for each coordinate above 1: a step between start and minimizer."""
    return jnp.sum(jnp.square(x - 0.3) + jnp.where(x > 1.0, 5.0, 0.0))


def step_at_minimizer(x: Array) -> Array:
    """|x - 0.25|**2, and 1 more for each coordinate below 1/2: least on the edge, where the gradient is not zero."""
    return jnp.sum(jnp.square(x - 0.25) + jnp.where(x < 0.5, 1.0, 0.0))


def abs_sum(x: Array) -> Array:
    """sum |x|."""
    return jnp.sum(jnp.abs(x))


def abs_max(x: Array) -> Array:
    """max |x - (1, 2)|: the gradient has one nonzero entry, of size one up to the minimizer."""
    return jnp.max(jnp.abs(x - table((1.0, 2.0), x)))


def _hard(
    tag: str,
    fun: Callable[[Array], Array],
    x0: Point,
    fun_star: float | None = None,
    x_star: Point | None = None,
    *,
    name: str = "",
    also: tuple[str, ...] = (),
) -> Problem:
    return Problem(name or fun.__name__, fun, x0, fun_star, x_star, tags=frozenset({"hard", tag, *also}))


LOG_BARRIER_MIN = 2.0 * (1.0 + math.log(10.0))  # of `log_barrier` in two dimensions

PROBLEMS = (
    _hard("nan_region", log_barrier, (1.0, 2.0), LOG_BARRIER_MIN, (0.1, 0.1)),
    _hard("nan_region", nan_half_plane, (3.0, 1.0), 0.0, (1.0, 0.0)),
    _hard("inf_region", inf_barrier, (1.0, 2.0), LOG_BARRIER_MIN, (0.1, 0.1)),
    _hard("inf_region", exp_overflow, (3.0, 2.0), 2.0, (0.0, 0.0)),
    _hard("nan_everywhere", nan_everywhere, (1.0, 1.0)),
    _hard("nan_start", log_barrier, (-1.0, 2.0), LOG_BARRIER_MIN, (0.1, 0.1), name="log_barrier_nan_start"),
    _hard("inf_start", inf_barrier, (-1.0, 2.0), LOG_BARRIER_MIN, (0.1, 0.1), name="inf_barrier_inf_start"),
    _hard("unbounded", linear, (1.0, 1.0)),
    _hard("unbounded", concave, (1.0, -0.5)),
    _hard("unbounded", cubic, (0.5, 1.0)),
    _hard("unbounded", log_pit, (1.0, -2.0)),
    _hard("no_minimizer", exp_tail, (0.0, 1.0), 0.0),
    _hard("flat", flat_everywhere, (1.0, 2.0), 3.0, (1.0, 2.0), also=("nonunique",)),
    _hard("flat", plateau, (30.0, -30.0), 0.0, (0.0, 0.0)),
    _hard("discontinuous", step_between, (3.0, 2.0), 0.0, (0.3, 0.3)),
    _hard("discontinuous", step_at_minimizer, (3.0, 2.0), 0.125, (0.5, 0.5)),
    _hard("nonsmooth", abs_sum, (1.0, -2.0), 0.0, (0.0, 0.0)),
    _hard("nonsmooth", abs_max, (4.0, -1.0), 0.0, (1.0, 2.0)),
)
