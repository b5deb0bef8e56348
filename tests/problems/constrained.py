"""The record of a constrained test problem, and what can be recomputed about a point of it.

    minimize fun(x)   subject to   equal(x) = 0,   above(x) >= 0,   lower <= x <= upper                          (1)

A point x is a Karush-Kuhn-Tucker point if it is feasible and there are multipliers with

    grad fun(x) = equal'(x)^T y + above'(x)^T z + w_low - w_high,   z, w_low, w_high >= 0, and 0 off the active   (2)

`kkt_residual` finds the multipliers with the least residual of (2), by SciPy's NNLS: it asks nothing of who found x.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .problem import Point

Rows = Callable[[Array], Array]  # (n,) -> (rows,)
ACTIVE = 1e-6  # a row or bound is active if its distance is at most this part of 1 + its slope's size


@dataclass(frozen=True, eq=False)
class Constrained:
    """Problem (1) with its start and its known answer; compared and hashed by identity.

    Tags in use: 'hs' (Hock and Schittkowski), 'linear' (all constraints are), 'bounds' (there are no others), 'singular' (a
    flat minimum, or multipliers that are not unique), 'badly_scaled', 'no_kkt' (there are no multipliers at the minimizer),
    and 'infeasible': no point satisfies the constraints, and there is no answer.
    """

    name: str
    fun: Callable[[Array], Array]  # (n,) -> ()
    x0: Point
    equal: Rows | None = None  # (n,) -> (p,), to be 0
    above: Rows | None = None  # (n,) -> (m,), to be >= 0
    lower: Point = ()  # (n,) or (): none
    upper: Point = ()
    fun_star: float | None = None  # the least value
    x_star: Point | None = None  # a minimizer
    published: str | None = None  # fun_star as its source prints it
    least_violation: float | None = None  # where it is infeasible: no point in the box has a smaller largest violation
    tags: frozenset[str] = frozenset()

    @property
    def n(self) -> int:
        """Number of variables."""
        return len(self.x0)

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (n,), infinite where there are none."""
        return (
            np.array(self.lower) if self.lower else np.full(self.n, -np.inf),
            np.array(self.upper) if self.upper else np.full(self.n, np.inf),
        )

    def constraints(self) -> list[dict[str, Any]]:
        """In the form of SciPy's dictionaries."""
        kinds = (("eq", self.equal), ("ineq", self.above))
        return [{"type": kind, "fun": rows} for kind, rows in kinds if rows is not None]


@functools.cache
def compiled(problem: Constrained) -> Callable[..., Any]:
    """x -> value, gradient, equal, its Jacobian, above, its Jacobian."""
    nothing: Rows = lambda x: jnp.zeros((0,), x.dtype)
    equal, above = problem.equal or nothing, problem.above or nothing
    both = lambda rows, x: (rows(x), jax.jacobian(rows)(x))
    return jax.jit(lambda x: (*jax.value_and_grad(problem.fun)(x), *both(equal, x), *both(above, x)))


def evaluate(problem: Constrained, x: Any) -> tuple[np.ndarray, ...]:
    """What `compiled` returns, as NumPy arrays in float64."""
    return tuple(np.asarray(v) for v in compiled(problem)(jnp.asarray(np.asarray(x, np.float64))))


def violation(problem: Constrained, x: Any) -> float:
    """The largest violation of a constraint or bound at x; inf where one is not finite."""
    _, _, equal, _, above, _ = evaluate(problem, x)
    lower, upper = problem.box
    rows = np.concatenate([np.abs(equal), -above, lower - x, x - upper])
    return float(np.max(rows, initial=0.0)) if np.all(np.isfinite(np.concatenate([equal, above]))) else np.inf


def kkt_residual(problem: Constrained, x: Any, active: float = ACTIVE) -> float:
    """The largest component of the residual of (2) with the best multipliers, relative to the gradient where that is > 1."""
    from scipy.optimize import nnls

    x = np.asarray(x, np.float64)
    _, grad, _, E, above, A = evaluate(problem, x)
    lower, upper = problem.box
    eye = np.eye(problem.n)
    near = above <= active * (1.0 + np.linalg.norm(A, axis=1))
    unit = active * (1.0 + np.abs(x))
    columns = np.concatenate([E, -E, A[near], eye[x - lower <= unit], -eye[upper - x <= unit]])
    if not len(columns):
        return float(np.max(np.abs(grad)) / max(1.0, np.max(np.abs(grad))))
    size = np.linalg.norm(columns, axis=1)
    columns = columns / np.where(size > 0.0, size, 1.0)[:, None]
    scale = max(1.0, float(np.max(np.abs(grad))))
    multipliers, _ = nnls(columns.T, grad / scale, maxiter=100 * columns.size)
    return float(np.max(np.abs(columns.T @ multipliers - grad / scale)))
