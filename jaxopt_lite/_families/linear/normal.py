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
INVERTED = 32  # up to here products with L^{-1} stand for substitution; M^{-1} itself lost programs with dependent rows
RIDGE = 8.0  # times m eps: at most what rounding of A diag(d) A' and of its factorization takes from a pivot


class Factor(NamedTuple):
    """A symmetric positive definite matrix S^{-1} L L' S^{-1}."""

    kept: Array  # (m, m) L^{-1}, or L where it is large
    scale: Array  # (m,) diagonal of S


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


def factor(K: Array, u: Array, d: Array) -> Factor:
    """Of M = diag(u) K diag(u) + diag(d), for K (m, m) and nonnegative u and d (m,)."""
    m, eps = K.shape[0], float(jnp.finfo(K.dtype).eps)
    diagonal = u * jnp.diagonal(K) * u + d
    scale = 1.0 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    v = u * scale
    N = jnp.where(jnp.eye(m, dtype=bool), 1.0 + RIDGE * m * eps, K * (v[:, None] * v[None, :]))
    L = lax.linalg.cholesky(N, symmetrize_input=False)
    if m > INVERTED:
        return Factor(L, scale)
    return Factor(lax.linalg.triangular_solve(L, jnp.eye(m, dtype=K.dtype), left_side=True, lower=True), scale)


def half(F: Factor, r: Array) -> Array:
    """L^{-1} S r for r (m,); then M^{-1} r is `rest` of it."""
    if r.shape[0] <= INVERTED:
        return rowwise(F.scale * r, F.kept)
    return lax.linalg.triangular_solve(F.kept, (F.scale * r)[:, None], left_side=True, lower=True)[:, 0]


def rest(F: Factor, h: Array) -> Array:
    """S L^{-T} h for h (m,)."""
    if h.shape[0] <= INVERTED:
        return F.scale * jnp.dot(h, F.kept, precision=HIGHEST)
    return F.scale * lax.linalg.triangular_solve(F.kept, h[:, None], left_side=True, lower=True, transpose_a=True)[:, 0]


def solve(F: Factor, r: Array) -> Array:
    """M^{-1} r for r (m,)."""
    return rest(F, half(F, r))


def rowwise(x: Array, A: Array) -> Array:
    """A x for x (n,), written so that a vmap over x alone gives one product whose result needs no transpose."""
    return lax.dot_general(x, A, (((0,), (1,)), ((), ())), precision=HIGHEST)
