"""The Rosenbrock function and its derivatives, as SciPy ships them."""

import jax.numpy as jnp
from jax import Array


def rosen(x: Array) -> Array:
    """The Rosenbrock function, the sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2.

    Parameters
    ----------
    x : (n,) float
        The point, n >= 2.

    Returns
    -------
    () float
        The value; the minimum is 0 at (1, ..., 1). For n from 4 to 7 there is one other local minimum, near
        (-1, 1, ..., 1).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> float(rosen(jnp.array([1.0, 1.0, 1.0])))
    0.0
    """
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosen_der(x: Array) -> Array:
    """The gradient of `rosen` at x (n,), as (n,)."""
    inner = x[1:] - x[:-1] ** 2
    left = -400.0 * inner * x[:-1] - 2.0 * (1.0 - x[:-1])
    zero = jnp.zeros_like(x[:1])
    return jnp.concatenate([left, zero]) + jnp.concatenate([zero, 200.0 * inner])


def rosen_hess(x: Array) -> Array:
    """The Hessian of `rosen` at x (n,), as (n, n)."""
    zero = jnp.zeros_like(x[:1])
    diagonal = jnp.concatenate([1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, zero])
    diagonal = diagonal + jnp.concatenate([zero, jnp.full_like(x[1:], 200.0)])
    beside = -400.0 * x[:-1]
    return jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)


def rosen_hess_prod(x: Array, p: Array) -> Array:
    """The Hessian of `rosen` at x (n,) times p (n,), as (n,), in O(n)."""
    zero = jnp.zeros_like(x[:1])
    diagonal = jnp.concatenate([1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, zero])
    diagonal = diagonal + jnp.concatenate([zero, jnp.full_like(x[1:], 200.0)])
    beside = -400.0 * x[:-1]
    up, down = jnp.concatenate([beside * p[1:], zero]), jnp.concatenate([zero, beside * p[:-1]])
    return diagonal * p + up + down
