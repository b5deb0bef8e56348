"""The chained Rosenbrock family, traceable and in numpy, and its seeded starting points.

    f(x; kappa) = sum_{i < n-1} kappa (x[i+1] - x[i]^2)^2 + (1 - x[i])^2                               (1)

kappa = 100 is the true n-dimensional Rosenbrock function (scipy.optimize.rosen); kappa = 1 is nearly round and kappa
= 1e6 a very narrow valley, so that a kappa drawn per lane gives a batch with a heavy tail of hard lanes. For n >= 4 a
second stationary point lies near (-1, 1, ..., 1); a lane that ends there has converged too, hence answers are judged
by their gradient and not by x. In `BOX` two of the four variables end at their bounds.

The large problem is the extended Rosenbrock function (More, Garbow & Hillstrom 1981, number 21)

    f(x) = sum_i 100 (x[2i+1] - x[2i]^2)^2 + (1 - x[2i])^2                                             (2)

from its standard start with each number moved by up to 1/2: unmoved, all pairs do the same and n counts for nothing.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

ROSENBROCK = 100.0  # kappa of the classical function
SEED = 0
BOX = np.array([-2.0, -2.0, -2.0, -2.0]), np.array([0.375, 2.0, 2.0**-5, 2.0])  # for n = 4; exact in float32


def chain(x: Array, kappa: Array | float) -> Array:
    """Value of (1) at x (n,); traceable in x and kappa."""
    return jnp.sum(kappa * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock(x: Array) -> Array:
    """Value of the classical n-dimensional function at x (n,)."""
    return chain(x, ROSENBROCK)


def chain_value(x: np.ndarray, kappa: Any) -> np.ndarray:
    """Value of (1) in float64 at points x (..., n), kappa (...)."""
    x, k = np.asarray(x, np.float64), np.asarray(kappa, np.float64)[..., None]
    return np.sum(k * (x[..., 1:] - x[..., :-1] ** 2) ** 2 + (1 - x[..., :-1]) ** 2, axis=-1)


def chain_gradient(x: np.ndarray, kappa: Any) -> np.ndarray:
    """Gradient of (1) in float64 at points x (..., n), kappa (...)."""
    x, k = np.asarray(x, np.float64), np.asarray(kappa, np.float64)[..., None]
    valley = x[..., 1:] - x[..., :-1] ** 2
    g = np.zeros_like(x)
    g[..., :-1] = -4 * k * x[..., :-1] * valley - 2 * (1 - x[..., :-1])
    g[..., 1:] += 2 * k * valley
    return g


def chain_rounding(x: np.ndarray, kappa: Any, eps: float) -> np.ndarray:
    """Largest change of a gradient entry of (1) when each x[i] moves by eps |x[i]|: max_i eps (|Hessian| |x|)[i].

    Below it the gradient of a point stored with that eps is rounding, whatever the solver does.
    """
    x, k = np.asarray(x, np.float64), np.asarray(kappa, np.float64)[..., None]
    diagonal = np.zeros_like(x)
    diagonal[..., :-1] = 12 * k * x[..., :-1] ** 2 - 4 * k * x[..., 1:] + 2
    diagonal[..., 1:] += 2 * k
    off = np.abs(4 * k * x[..., :-1])
    size = np.abs(x)
    moved = np.abs(diagonal) * size
    moved[..., :-1] += off * size[..., 1:]
    moved[..., 1:] += off * size[..., :-1]
    return eps * moved.max(axis=-1)


def extended(x: Array) -> Array:
    """Value of (2) at x (n,)."""
    odd, even = x[0::2], x[1::2]
    return jnp.sum(100.0 * (even - odd**2) ** 2 + (1.0 - odd) ** 2)


def extended_gradient(x: np.ndarray) -> np.ndarray:
    """Gradient of (2) in float64 at x (n,)."""
    x = np.asarray(x, np.float64)
    valley = x[1::2] - x[0::2] ** 2
    g = np.empty_like(x)
    g[0::2] = -400 * x[0::2] * valley - 2 * (1 - x[0::2])
    g[1::2] = 200 * valley
    return g


def extended_start(n: int, dtype: str, batch: int = 0) -> np.ndarray:
    """Start number `batch` of (2)."""
    moved = np.random.default_rng([SEED, batch, n]).uniform(-0.5, 0.5, n)
    return (np.tile([-1.2, 1.0], n // 2) + moved).astype(dtype)


def uniform_starts(lanes: int, n: int, dtype: str, batch: int = 0) -> np.ndarray:
    """Batch number `batch` of points uniform in [-2, 2]^n; a smaller batch is the first part of a larger one."""
    return np.random.default_rng([SEED, batch, n]).uniform(-2, 2, (lanes, n)).astype(dtype)


def spread_conditioning(lanes: int, dtype: str, batch: int = 0) -> np.ndarray:
    """kappa = 10^U(0, 6), one a lane, for batch number `batch`."""
    return (10.0 ** np.random.default_rng([SEED, batch]).uniform(0, 6, lanes)).astype(dtype)
