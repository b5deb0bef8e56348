"""Building a problem of the book from its formulas; see the package's docstring."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from tests.problems.constrained import Constrained, Rows
from tests.problems.hock_schittkowski.minimizers import MINIMIZER
from tests.problems.problem import Point, repeat

INF = math.inf
ROOT_2, ROOT_3 = math.sqrt(2.0), math.sqrt(3.0)
Side = Point | float | None


def hs(
    number: int,
    x0: Point,
    published: str,
    fun: Callable[..., Array],
    *,
    equal: Callable[..., tuple[Array, ...]] | None = None,
    above: Callable[..., tuple[Array, ...]] | None = None,
    lower: Side = None,
    upper: Side = None,
    tags: str = "",
) -> Constrained:
    """A problem of the book from functions of x_1, ..., x_n."""
    n = len(x0)
    side = lambda v: () if v is None else tuple(v) if isinstance(v, tuple) else repeat((v,), n)
    fun_star, x_star = MINIMIZER.get(number, (float(published), None))
    return Constrained(
        name=f"hs{number}",
        fun=lambda x: fun(*x),
        x0=tuple(map(float, x0)),
        equal=_rows(equal),
        above=_rows(above),
        lower=side(lower),
        upper=side(upper),
        fun_star=fun_star,
        x_star=x_star,
        published=published,
        tags=frozenset({"hs", *tags.split()}),
    )


def _rows(rows: Callable[..., tuple[Array, ...]] | None) -> Rows | None:
    return None if rows is None else lambda x: jnp.stack(rows(*x))


def banana(x1: Any, x2: Any) -> Any:
    """Rosenbrock's function, the objective of ten of the problems."""
    return 100.0 * (x2 - x1**2) ** 2 + (1.0 - x1) ** 2
