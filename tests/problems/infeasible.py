"""Constrained problems that no point solves; `least_violation` is the smallest largest violation in the box, by hand.

A hyperbola, for instance: x1 x2 >= 1 asks for x1 + x2 >= 2, and x1 + x2 <= 1 is asked as well. At x1 = x2 = s the violations
are 1 - s^2 and 2 s - 1, which are equal at s = sqrt(3) - 1; both are 2 sqrt(3) - 3 there, and one is larger elsewhere.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from .constrained import Constrained, Rows
from .problem import Point

Each = Callable[..., tuple[Array, ...]] | None


def _infeasible(
    name: str,
    x0: Point,
    least: float,
    *,
    equal: Each = None,
    above: Each = None,
    lower: float | None = None,
    upper: float | None = None,
) -> Constrained:
    """The point nearest to (3, ..., 3) is asked for."""
    stacked: Callable[[Each], Rows | None] = lambda rows: None if rows is None else lambda x: jnp.stack(rows(*x))
    return Constrained(
        name=name,
        fun=lambda x: jnp.sum((x - 3.0) ** 2),
        x0=x0,
        equal=stacked(equal),
        above=stacked(above),
        lower=() if lower is None else (lower,) * len(x0),
        upper=() if upper is None else (upper,) * len(x0),
        least_violation=least,
        tags=frozenset({"infeasible"}),
    )


def _circle(x1: Any, x2: Any) -> Any:
    return x1**2 + x2**2


TIGHT = 2.0 * math.sqrt(3.0) - 3.0

INFEASIBLE = (
    _infeasible("square below -1", (2.0, 1.0), 1.0, above=lambda a, b: (-(a**2) - 1.0,)),
    _infeasible("rows apart", (0.0, 0.0), 0.5, above=lambda a, b: (a + b - 2.0, 1.0 - a - b)),
    _infeasible("discs apart", (0.0, 1.0), 1.25, above=lambda a, b: (1.0 - _circle(a, b), 1.0 - _circle(a - 3.0, b))),
    _infeasible("under a parabola", (3.0, 1.0), 0.5, above=lambda a, b: (b - a**2 - 1.0, -b)),
    _infeasible(
        "sphere around a box",
        (1.0, 0.0, -1.0),
        4.0,
        equal=lambda *x: (sum(v**2 for v in x) - 16.0,),
        lower=-2.0,
        upper=2.0,
    ),
    _infeasible("equations apart", (1.0, 1.0), 1 / 3, equal=lambda a, b: (a + b - 1.0, 2.0 * a + 2.0 * b - 3.0)),
    _infeasible("sum of exponentials", (1.0, 2.0), 1.5, above=lambda a, b: (0.5 - jnp.exp(a) - jnp.exp(b),), lower=0.0),
    _infeasible(
        "hyperbola and line",
        (2.0, 0.5),
        TIGHT,
        above=lambda a, b: (a * b - 1.0, 1.0 - a - b),
        lower=0.0,
    ),
    _infeasible("sine of two", (0.5, 0.0), 1.0, equal=lambda a, b: (jnp.sin(a) - 2.0,)),
    _infeasible("short hypotenuse", (2.0,), 0.5, above=lambda a: (0.5 - jnp.sqrt(1.0 + a**2),)),
    _infeasible("circles apart", (1.0, 2.0), 0.5, equal=lambda a, b: (_circle(a, b) - 1.0, _circle(a, b) - 2.0)),
    _infeasible("budget above limits", (0.5,) * 10, 5.0, equal=lambda *x: (sum(x) - 15.0,), lower=0.0, upper=1.0),
    _infeasible("quartic below zero", (2.0, 2.0), 0.875, above=lambda a, b: (-(a**4) - b**4 - a * b - 1.0,)),
    _infeasible("row without a slope", (1.0, 1.0), 0.5, equal=lambda a, b: (jnp.sin(a) ** 2 + jnp.cos(a) ** 2 - 1.5,)),
)
