"""Maps Problem -> Problem under which an answer must move in a known way: the invariance laws are built on them.

With z the new variable, each returns the problem of the same name plus the transform's, its start, minimizer and
values mapped along. A field that the map cannot keep true becomes None (`published` always: it is the source's).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jax import Array

from .problem import Point, Problem, table


def shifted(problem: Problem, shift: float | Sequence[float]) -> Problem:
    """z = x + shift: g(z) = f(z - shift)."""
    move = np.broadcast_to(np.asarray(shift, float), (problem.n,))

    def inner(z: Array) -> Array:
        return z - table(move, z)

    return _reparametrized(problem, "shifted", inner, lambda x: np.asarray(x) + move)


def scaled_x(problem: Problem, factors: float | Sequence[float]) -> Problem:
    """z = x * factors: g(z) = f(z / factors), for factors that are not zero."""
    factor = np.broadcast_to(np.asarray(factors, float), (problem.n,))
    if not np.all(factor):
        raise ValueError(f"factors must not be zero, got {factors}")

    def inner(z: Array) -> Array:
        return z / table(factor, z)

    return _reparametrized(problem, "scaled_x", inner, lambda x: np.asarray(x) * factor)


def permuted(problem: Problem, order: Sequence[int]) -> Problem:
    """z[i] = x[order[i]]: g(z) = f(x)."""
    if sorted(order) != list(range(problem.n)):
        raise ValueError(f"order must be a permutation of 0 ... {problem.n - 1}, got {tuple(order)}")
    order = np.asarray(order)
    inverse = np.argsort(order)

    def inner(z: Array) -> Array:
        return z[inverse]

    return _reparametrized(problem, "permuted", inner, lambda x: np.asarray(x)[order])


def scaled_fun(problem: Problem, c: float) -> Problem:
    """g = c f for c > 0; the residual takes the factor sqrt(c)."""
    if not c > 0.0:
        raise ValueError(f"c must be positive, for minima to stay minima; got {c}")
    residual = problem.residual
    return replace(
        problem,
        name=f"{problem.name}|scaled_fun",
        fun=lambda x: c * problem.fun(x),
        fun_star=None if problem.fun_star is None else c * problem.fun_star,
        minima=tuple(c * value for value in problem.minima),
        residual=None if residual is None else lambda x: math.sqrt(c) * residual(x),
        published=None,
    )


def offset_fun(problem: Problem, c: float) -> Problem:
    """g = f + c, of either sign, so no longer a sum of squares."""
    return replace(
        problem,
        name=f"{problem.name}|offset_fun",
        fun=lambda x: problem.fun(x) + c,
        fun_star=None if problem.fun_star is None else problem.fun_star + c,
        minima=tuple(value + c for value in problem.minima),
        residual=None,
        published=None,
        tags=problem.tags - {"least_squares"},
    )


def _reparametrized(
    problem: Problem, suffix: str, inner: Callable[[Array], Array], outer: Callable[[Point], np.ndarray]
) -> Problem:
    """g(z) = f(inner(z)) on JAX arrays, points moved by its inverse `outer` on NumPy arrays."""
    residual = problem.residual

    def moved(x: Point) -> Point:
        return tuple(outer(x).tolist())

    return replace(
        problem,
        name=f"{problem.name}|{suffix}",
        fun=lambda z: problem.fun(inner(z)),
        x0=moved(problem.x0),
        x_star=None if problem.x_star is None else moved(problem.x_star),
        residual=None if residual is None else lambda z: residual(inner(z)),
        published=None,
    )
