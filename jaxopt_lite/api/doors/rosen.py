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
    """The gradient of `rosen`.

    Parameters
    ----------
    x : (n,) float
        The point, n >= 2.

    Returns
    -------
    (n,) float
        The gradient at x.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(rosen_der(jnp.array([1.0, 1.0])) + 0.0)
    [0. 0.]
    """
    inner = x[1:] - x[:-1] ** 2
    left = -400.0 * inner * x[:-1] - 2.0 * (1.0 - x[:-1])
    zero = jnp.zeros_like(x[:1])
    return jnp.concatenate([left, zero]) + jnp.concatenate([zero, 200.0 * inner])


def rosen_hess(x: Array) -> Array:
    """The Hessian of `rosen`.

    Parameters
    ----------
    x : (n,) float
        The point, n >= 2.

    Returns
    -------
    (n, n) float
        The Hessian at x.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(rosen_hess(jnp.array([1.0, 1.0])))
    [[ 802. -400.]
     [-400.  200.]]
    """
    diagonal, beside = _bands(x)
    return jnp.diag(diagonal) + jnp.diag(beside, 1) + jnp.diag(beside, -1)


def rosen_hess_prod(x: Array, p: Array) -> Array:
    """The Hessian of `rosen` times a vector, in O(n).

    Parameters
    ----------
    x : (n,) float
        The point, n >= 2.
    p : (n,) float
        The vector.

    Returns
    -------
    (n,) float
        The product at x.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> print(rosen_hess_prod(jnp.array([1.0, 1.0]), jnp.array([1.0, 0.0])))
    [ 802. -400.]
    """
    diagonal, beside = _bands(x)
    zero = jnp.zeros_like(x[:1])
    up, down = jnp.concatenate([beside * p[1:], zero]), jnp.concatenate([zero, beside * p[:-1]])
    return diagonal * p + up + down


def _bands(x: Array) -> tuple[Array, Array]:
    """The diagonal (n,) and the band beside it (n - 1,) of the Hessian."""
    zero = jnp.zeros_like(x[:1])
    left = jnp.concatenate([1200.0 * x[:-1] ** 2 - 400.0 * x[1:] + 2.0, zero])
    return left + jnp.concatenate([zero, jnp.full_like(x[1:], 200.0)]), -400.0 * x[:-1]
