"""Functions of one variable with an interval to search: what bounded scalar minimizers are tested on.

The minimizer is the least point of the closed interval. Sources are elementary: every answer below is in closed form,
or a root polished in float64.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array


@dataclass(frozen=True, eq=False)
class ScalarProblem:
    """A function of one number, its interval and its answer there.

    Tags in use: 'unimodal' (on the interval), 'multimodal', 'at_bound', 'far' (interval far from 0 for its width),
    'singular' (zero second derivative at the minimizer), 'nonsmooth', 'flat', 'narrow', 'nan_region', 'inf_region'.
    """

    name: str  # unique in the library
    fun: Callable[[Array], Array]  # () -> (), in the dtype of its argument
    bounds: tuple[float, float]
    x_star: float | None  # None where every point is a minimizer
    fun_star: float
    tags: frozenset[str] = frozenset()


def constant(x: Array) -> Array:
    """2 at every point."""
    return jnp.full((), 2.0, x.dtype)


def narrow_well(x: Array) -> Array:
    """A well of width 1/50 in a plain that falls toward it too gently to matter; least at 0.7."""
    return (x - 0.7) ** 2 / 100.0 - jnp.exp(-jnp.square((x - 0.7) * 50.0))


def nan_below_zero(x: Array) -> Array:
    """x - log x, NaN for x < 0; least at 1."""
    return x - jnp.log(x)


def inf_below_zero(x: Array) -> Array:
    """x - log x, +inf for x <= 0; least at 1."""
    return jnp.where(x > 0.0, x - jnp.log(jnp.where(x > 0.0, x, 1.0)), math.inf)


def two_sines(x: Array) -> Array:
    """sin x + sin(10 x / 3): three minima in the interval."""
    return jnp.sin(x) + jnp.sin(10.0 / 3.0 * x)


def _scalar(
    name: str,
    fun: Callable[[Array], Array],
    bounds: tuple[float, float],
    x_star: float | None,
    fun_star: float,
    tags: str = "",
) -> ScalarProblem:
    return ScalarProblem(name, fun, bounds, x_star, fun_star, frozenset(tags.split()))


CBRT = (1.0 / 6.0) ** (1.0 / 3.0)  # where the derivative 12 x**3 - 2 of the first problem is zero

PROBLEMS = (
    _scalar("quartic", lambda x: 3.0 * x**4 - 2.0 * x + 1.0, (0.0, 1.0), CBRT, 1.0 - 1.5 * CBRT, "unimodal"),
    _scalar("quartic_double_well", lambda x: x**4 - x**2, (-1.0, 0.0), -math.sqrt(0.5), -0.25, "unimodal"),
    _scalar("rising", jnp.exp, (-1.0, 2.0), -1.0, math.exp(-1.0), "unimodal at_bound"),
    _scalar("falling", lambda x: -(x**3) - x, (0.0, 1.5), 1.5, -4.875, "unimodal at_bound"),
    _scalar("square_far_bound", lambda x: (x - 2.0) ** 2, (100.0, 101.0), 100.0, 9604.0, "unimodal at_bound far"),
    _scalar("square_far", lambda x: (x - 1100.25) ** 2, (1100.0, 1101.0), 1100.25, 0.0, "unimodal far"),
    _scalar("square_wide", lambda x: (x - 1.0) ** 2, (-1e6, 2e6), 1.0, 0.0, "unimodal"),
    _scalar("square_tiny", lambda x: (x - 1e-6) ** 2 + 1.0, (0.0, 3e-6), 1e-6, 1.0, "unimodal"),
    _scalar("fourth_power", lambda x: (x - 1.0) ** 4, (-1.0, 4.0), 1.0, 0.0, "unimodal singular"),
    _scalar("kink", lambda x: jnp.abs(x - 0.3), (-1.0, 2.0), 0.3, 0.0, "unimodal nonsmooth"),
    _scalar("constant", constant, (-1.0, 3.0), None, 2.0, "flat"),
    _scalar("nan_below_zero", nan_below_zero, (-1.0, 3.0), 1.0, 1.0, "nan_region"),
    _scalar("inf_below_zero", inf_below_zero, (-1.0, 3.0), 1.0, 1.0, "inf_region"),
    _scalar("narrow_well", narrow_well, (0.0, 1.0), 0.7, -1.0, "unimodal narrow"),
    _scalar("cosine", jnp.cos, (2.0, 5.0), math.pi, -1.0, "unimodal"),
    _scalar("two_sines", two_sines, (2.7, 7.5), 5.145735290256128, -1.8995993491521133, "multimodal"),
)
