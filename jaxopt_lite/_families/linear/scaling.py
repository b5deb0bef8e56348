"""Ruiz equilibration by powers of two: every row and column of R A C has its largest entry near 1.

Each sweep divides rows and columns by the square root of their largest entry, which converges linearly with factor 1/2
(Ruiz 2001, RAL-TR-2001-034). Rounded to powers of two the scaling is exact: a residual of the scaled program is a residual
of the given program in other units. The scaling depends on A alone, so that a batch with one A computes it once.
"""

import jax.numpy as jnp
from jax import Array, lax

SWEEPS = 8  # they reduce the logarithm of the imbalance by a factor of 2^8


def ruiz(A: Array) -> tuple[Array, Array]:
    """R (m,) and C (n,); 1 for an empty row or column."""
    size = jnp.abs(A)
    m, n = A.shape
    R, C = jnp.ones(m, A.dtype), jnp.ones(n, A.dtype)
    if m == 0:
        return R, C
    for _ in range(SWEEPS):
        scaled = size * R[:, None] * C[None, :]
        R, C = R * _inverse_root(jnp.max(scaled, 1)), C * _inverse_root(jnp.max(scaled, 0))
    return power_of_two(R), power_of_two(C)


def power_of_two(a: Array) -> Array:
    """The power of two nearest to each entry (in the logarithm), exactly; 1 for 0."""
    return exact_power(jnp.log2(jnp.where(a > 0, a, 1.0)))


def exact_power(exponent: Array) -> Array:
    """2^k, k the integer nearest to the exponent, set bit by bit: `exp2` rounds even for small integers. Never subnormal."""
    kind = jnp.finfo(exponent.dtype)
    whole = jnp.clip(jnp.round(exponent), kind.minexp, kind.maxexp - 1)
    biased = whole.astype(jnp.int64 if kind.bits == 64 else jnp.int32) + (1 - kind.minexp)
    return lax.bitcast_convert_type(biased << kind.nmant, exponent.dtype)


def _inverse_root(size: Array) -> Array:
    return 1.0 / jnp.sqrt(jnp.where(size > 0, size, 1.0))
