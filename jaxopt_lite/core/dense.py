"""Dense linear algebra on small arrays, the same in every lane and at full precision.

Products run at HIGHEST precision, for an Ampere or later GPU otherwise rounds float32 to TF32. Short inner products are
written as multiply-and-sum, which XLA fuses with its neighbors; a matrix-vector product is left to the library, which is
faster (64 against 79 ns a turn of BFGS at n = 4 on a CPU).
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

SHORT = 64  # longest multiply-and-sum; a longer inner product is rounded less in the library's blocks


def dot(a: Array, b: Array) -> Array:
    """Inner product of two vectors (n,)."""
    if a.shape[0] <= SHORT:
        return jnp.sum(a * b)
    return jnp.dot(a, b, precision=lax.Precision.HIGHEST)


def matvec(A: Array, x: Array) -> Array:
    """A @ x for A (m, n) and x (n,)."""
    return jnp.dot(A, x, precision=lax.Precision.HIGHEST)


def norm(x: Array, order: float = jnp.inf) -> Array:
    """Vector norm of any order; 0 for an empty vector."""
    if x.shape[0] == 0:
        return jnp.zeros((), x.dtype)
    if order == jnp.inf and x.shape[0] > SHORT:
        return jnp.maximum(jnp.max(x), -jnp.min(x))  # XLA on CPU would write |x| to memory first
    if order == jnp.inf:
        return jnp.max(jnp.abs(x))
    if order == -jnp.inf:
        return jnp.min(jnp.abs(x))
    if order == 2:
        return jnp.sqrt(dot(x, x))
    if order == 1:
        return jnp.sum(jnp.abs(x))
    return jnp.sum(jnp.abs(x) ** order) ** (1.0 / order)


def settled(flags: Array, dtype: Any) -> Array:
    """The same flags (k,), but computed once.

    XLA copies an elementwise computation into every kernel that uses its result. Dozens of kernels use these flags, and each
    would judge the whole trial again. A product with the identity is a kernel of its own. Turns of L-BFGS-B then took 88 ns
    for 113 (n = 4, one core), in a box 192 for 276, and of BFGS 75 for 94. `lax.optimization_barrier` did nothing.
    """
    return matvec(jnp.eye(flags.shape[0], dtype=dtype), flags.astype(dtype)) > 0.5


def settled_value(value: Array) -> Array:
    """The same value (), which may be +inf, but computed once: see `settled`."""
    finite = value < jnp.inf
    parts = jnp.stack([jnp.where(finite, value, 0.0), jnp.where(finite, 0.0, 1.0).astype(value.dtype)])
    value, infinite = matvec(jnp.eye(2, dtype=value.dtype), parts)
    return jnp.where(infinite > 0.5, jnp.inf, value)
