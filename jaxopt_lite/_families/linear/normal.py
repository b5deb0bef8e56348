"""The normal equations of an interior point: the matrix A diag(d) A', its factor, and solves with it.

First the matrix is scaled to unit diagonal, which is within a factor m of the best conditioning that any scaling gives (van
der Sluis 1969). Then a few eps are added to the diagonal, so that rounding leaves the matrix positive definite, even with
dependent or empty rows. The caller refines its solution against the system without this addition (Saunders 1996; Friedlander
& Orban 2012).

Under vmap with one A for all lanes every entry of A diag(d) A' is an inner product of d with a product of two rows of A.
These products are made once a turn, and all lanes' matrices are one large product with them, of the lower triangle alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap

HIGHEST = lax.Precision.HIGHEST
RIDGE = 8.0  # times m eps: at most what rounding of A diag(d) A' and of its factorization takes from a pivot


class Factor(NamedTuple):
    """The factor of a symmetric positive definite matrix: M = S L L' S."""

    L: Array  # (m, m) lower triangular
    inverse_scale: Array  # (m,) diagonal of S^{-1}


@custom_vmap
def gram(A: Array, d: Array) -> Array:
    """A diag(d) A' for A (m, n) and d (n,)."""
    return jnp.dot(A * d[None, :], A.T, precision=HIGHEST)


@gram.def_vmap
def _(size: int, batched: list[bool], A: Array, d: Array) -> tuple[Array, bool]:
    if batched[0]:
        plain = lambda A, d: jnp.dot(A * d[None, :], A.T, precision=HIGHEST)
        return jax.vmap(plain, (0, 0 if batched[1] else None))(A, d), True
    m = A.shape[0]
    row, column = np.tril_indices(m)
    where = np.zeros((m, m), int)
    where[row, column] = where[column, row] = np.arange(row.size)
    packed = jnp.dot(d, (A[row] * A[column]).T, precision=HIGHEST)
    return packed[:, where.reshape(-1)].reshape(size, m, m), True


def factor(M: Array) -> Factor:
    """Cholesky's factor."""
    m, eps = M.shape[0], float(jnp.finfo(M.dtype).eps)
    diagonal = jnp.diagonal(M)
    scale = 1.0 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    M = M * scale[:, None] * scale[None, :] + (RIDGE * m * eps) * jnp.eye(m, dtype=M.dtype)
    return Factor(lax.linalg.cholesky(M, symmetrize_input=False), scale)


def solve(F: Factor, r: Array) -> Array:
    """M^{-1} r for r (m, k)."""
    half = lax.linalg.triangular_solve(F.L, r * F.inverse_scale[:, None], left_side=True, lower=True)
    return F.inverse_scale[:, None] * lax.linalg.triangular_solve(F.L, half, left_side=True, lower=True, transpose_a=True)
