"""The normal equations of an interior point: the matrix A diag(d) A', its factor, and solves with it.

First the matrix is scaled to unit diagonal, which is within a factor m of the best conditioning that any scaling gives (van
der Sluis 1969). Then a few eps are added to the diagonal, so that rounding leaves the matrix positive definite, even with
dependent or empty rows. The caller refines its solution against the system without this addition (Saunders 1996; Friedlander
& Orban 2012).

Under vmap with one A for all lanes every entry of A diag(d) A' is an inner product of d with a product of two rows of A.
These products are made once a turn, and all lanes' matrices are one large product with them, of the lower triangle alone.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap

HIGHEST = lax.Precision.HIGHEST
INVERTED, LEAF = 32, 5
RIDGE = 8.0  # times m eps: at most what rounding of A diag(d) A' and of its factorization takes from a pivot


class Factor(NamedTuple):
    """A symmetric positive definite matrix S^{-1} N S^{-1}, by the inverse of N, or by its factor L where N is large."""

    kept: Array  # (m, m)
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
    return Factor(inverse(N) if m <= INVERTED else lax.linalg.cholesky(N, symmetrize_input=False), scale)


def solve(F: Factor, r: Array) -> Array:
    """M^{-1} r for r (m,)."""
    r = F.scale * r
    if r.shape[0] <= INVERTED:
        return F.scale * jnp.dot(r, F.kept, precision=HIGHEST)
    half = lax.linalg.triangular_solve(F.kept, r[:, None], left_side=True, lower=True)
    return F.scale * lax.linalg.triangular_solve(F.kept, half, left_side=True, lower=True, transpose_a=True)[:, 0]


def rowwise(x: Array, A: Array) -> Array:
    """A x for x (n,), written so that a vmap over x alone gives one product whose result needs no transpose."""
    return lax.dot_general(x, A, (((0,), (1,)), ((), ())), precision=HIGHEST)


def inverse(M: Array) -> Array:
    """M^{-1} of a positive definite matrix of unit diagonal, by halves; of a small one by Gauss-Jordan elimination.

    A pivot below m eps is rounding, and counts as m eps.
    """
    m = M.shape[0]
    if m <= LEAF:
        eye, least = jnp.eye(m, dtype=M.dtype), m * float(jnp.finfo(M.dtype).eps)
        for j in range(m):
            M = M - (M[:, j] - eye[j])[:, None] * ((M[j] + eye[j]) / jnp.maximum(M[j, j], least))[None, :]
        return M
    times, h = functools.partial(jnp.dot, precision=HIGHEST), m // 2
    first, below = inverse(M[:h, :h]), M[h:, :h]
    W = times(below, first)
    last = inverse(M[h:, h:] - times(W, below.T))
    V = times(last, W)
    return jnp.concatenate([jnp.concatenate([first + times(W.T, V), -V.T], 1), jnp.concatenate([-V, last], 1)])
