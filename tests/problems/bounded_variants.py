"""Problems in a box: the smooth ones of the library with bounds that cut the minimum off, fix variables, or hold the start.

A variant is judged by the conditions of a minimizer in the box (the projected gradient), which need no reference;
`reference` is the value that SciPy's L-BFGS-B reaches at tight tolerances, made when it is asked for.
"""

import functools
from dataclasses import dataclass

import jax
import numpy as np

from . import ALL
from .problem import Problem


@dataclass(frozen=True, eq=False)
class Boxed:
    """A problem in a box, compared and hashed by identity."""

    name: str  # of the problem, and what the box does
    problem: Problem
    lower: np.ndarray  # (n,)
    upper: np.ndarray  # (n,)

    @property
    def x0(self) -> np.ndarray:
        """The problem's start, in the box."""
        return np.clip(np.array(self.problem.x0), self.lower, self.upper)

    def projected_gradient(self, x: np.ndarray) -> float:
        """max |P(x - g) - x| in float64."""
        x = np.asarray(x, np.float64)
        _, grad = value_and_gradient(self.problem)(x)
        return float(np.max(np.abs(np.clip(x - np.asarray(grad), self.lower, self.upper) - x)))

    @property
    def reference(self) -> float:
        """The value that SciPy's L-BFGS-B reaches."""
        return _reference(self)


@functools.cache
def value_and_gradient(problem: Problem):
    """Of its function, compiled."""
    return jax.jit(jax.value_and_grad(problem.fun))


@functools.cache
def _reference(boxed: Boxed) -> float:
    from scipy.optimize import minimize

    def fun(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, grad = value_and_gradient(boxed.problem)(x)
        return float(value), np.asarray(grad)

    options = {"ftol": 0.0, "gtol": 1e-10, "maxiter": 15_000, "maxfun": 15_000}
    bounds = list(zip(boxed.lower, boxed.upper, strict=True))
    return float(minimize(fun, boxed.x0, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun)


def _variants(problem: Problem) -> list[Boxed]:
    x0, n = np.array(problem.x0), problem.n
    none = np.full(n, np.inf)
    made = [("start on a corner", x0, x0 + 2.0 * np.maximum(1.0, np.abs(x0)))]
    if problem.x_star is not None and np.all(np.isfinite(problem.x_star)):
        x_star = np.array(problem.x_star)
        size = 0.1 * np.maximum(1.0, np.abs(x_star))
        upper, lower = none.copy(), -none
        upper[::2], lower[0] = (x_star - size)[::2], (x_star + size)[0]
        below, above = np.minimum(x0, x_star), np.maximum(x0, x_star) + 0.5
        below[-1] = above[-1] = x0[-1]
        made += [("cut off above", -none, upper), ("one cut off below", lower, none), ("last one fixed", below, above)]
    return [Boxed(f"{problem.name}: {what}", problem, low, high) for what, low, high in made]


BOXED: tuple[Boxed, ...] = tuple(boxed for problem in ALL for boxed in _variants(problem))
