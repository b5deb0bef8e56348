"""The record that every test problem is, and the two ways to build one.

A problem is a function, the start that the literature prescribes, and what is known of its answer. The functions are
pure JAX over one point `x` of shape (n,), follow the dtype of `x`, and never lean on dtype or rank promotion. Building
a record runs nothing: tables stay NumPy until a function is traced.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

Point = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Problem:
    """A function to minimize with its start and its known answers; compared and hashed by identity.

    Tags in use: 'mgh', 'classic', 'least_squares' (a residual is given), 'convex', 'singular' (singular Hessian at the
    minimizer), 'badly_scaled', 'nonunique' (`x_star` is one of several minimizers, so judge by value), 'multimodal'
    (local minima that `minima` does not list), 'nonsmooth', 'unbounded' (below), and those of `tests.problems.hard`.
    """

    name: str  # unique in the library; a dimension that can be chosen is its last part
    fun: Callable[[Array], Array]  # (n,) -> (), in the dtype of its argument
    x0: Point  # the standard start
    fun_star: float | None = None  # least value, to float64 accuracy; None where there is none or it is not known
    x_star: Point | None = None  # a minimizer, to float64 accuracy; None where none exists or is not known
    residual: Callable[[Array], Array] | None = None  # (n,) -> (m,), with fun = sum(residual**2)
    minima: Point = ()  # values of the other minima that the literature names, some of them only reached at infinity
    published: str | None = None  # fun_star as its source prints it: right to one unit in its last digit
    source: str = ""  # author, year, number or page
    tags: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Number of variables."""
        return len(self.x0)


def least_squares(
    name: str, residual: Callable[[Array], Array], x0: Point, *, tags: frozenset[str] = frozenset(), **known
) -> Problem:
    """The problem min sum(residual(x)**2); `known` holds the other fields of `Problem`."""

    def fun(x: Array) -> Array:
        return jnp.sum(jnp.square(residual(x)))

    return Problem(name, fun, x0, residual=residual, tags=tags | {"least_squares"}, **known)


def table(values: ArrayLike, x: Array) -> Array:
    """`values` as a constant in the dtype of `x`: what strict promotion asks for."""
    return jnp.asarray(np.asarray(values), x.dtype)


def count(start: int, stop: int, x: Array) -> Array:
    """start, start + 1, ..., stop (included, as in the papers' sums) in the dtype of `x`."""
    return jnp.arange(start, stop + 1, dtype=x.dtype)


def repeat(values: Point, n: int) -> Point:
    """The first `n` numbers of `values` repeated: how the papers write starts in n dimensions."""
    return tuple(float(values[i % len(values)]) for i in range(n))
