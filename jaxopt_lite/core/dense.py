"""Dense linear algebra on small arrays, the same in every lane and at full precision.

Products run at HIGHEST precision, for an Ampere or later GPU otherwise rounds float32 to TF32. Short inner products are
written as multiply-and-sum, which XLA fuses with its neighbors; a matrix-vector product is left to the library, which is
faster (64 against 79 ns a turn of BFGS at n = 4 on a CPU).

Factorizations go column by column. Up to UNROLLED columns they are written out, so that XLA sees one elementwise program
for all lanes; a call of LAPACK would serve one lane after the other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

SHORT = 64  # longest multiply-and-sum; a longer inner product is rounded less in the library's blocks
UNROLLED = 8  # most columns of a factorization that is written out


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


def lengths(J: Array) -> Array:
    """The lengths (n,) of the columns, even where their squares overflow or underflow."""
    largest = jnp.max(jnp.abs(lax.stop_gradient(J)), axis=0)
    used = largest > 0
    largest = jnp.where(used, largest, 1.0)
    columns = J / largest[None, :]
    return jnp.where(used, largest * jnp.sqrt(jnp.where(used, jnp.sum(columns * columns, axis=0), 1.0)), 0.0)


def somewhere(n: int, dtype: Any) -> Array:
    """A fixed unit vector (n,) without a relation to any problem: what is blind to a subspace looks along it."""
    index = jnp.arange(n, dtype=dtype)
    v = jnp.cos(index * index + 0.7)
    return v / norm(v, 2)


def signs(k: Array, n: int, dtype: Any) -> Array:
    """The k-th of fixed vectors (n,) of 1 and -1: the mean of (A e)_i^2 over them is near sum_j A_ij^2."""
    index = jnp.arange(n, dtype=dtype)
    k = jnp.asarray(k).astype(dtype)
    return jnp.where(jnp.cos(index * index * (0.3 + k) + index + k) > 0, 1.0, -1.0).astype(dtype)


def settled(flags: Array, dtype: Any) -> Array:
    """The same flags (k,), but computed once.

    XLA copies an elementwise computation into every kernel that uses its result. Dozens of kernels use these flags, and each
    would judge the whole trial again. A product with the identity is a kernel of its own. Turns of L-BFGS-B then took 88 ns
    for 113 (n = 4, one core), in a box 192 for 276, and of BFGS 75 for 94. `lax.optimization_barrier` did nothing.
    """
    return matvec(jnp.eye(flags.shape[0], dtype=dtype), flags.astype(dtype)) > 0.5


Entries = Any  # of a vector: a tuple of n numbers () where it is short, else the vector (n,)


def entries(v: Array) -> Entries:
    """A vector (n,) for `sweep`. Of a stacked vector XLA computes each entry again wherever one of them is read."""
    return tuple(v[i] for i in range(v.shape[0])) if v.shape[0] <= UNROLLED else v


def sweep(step: Callable[[Any, tuple], tuple[Any, Any]], carry: Any, columns: tuple, reverse: bool = False) -> tuple:
    """`lax.scan` over the entries of vectors, written out where these are short; what comes out are entries again."""
    if not isinstance(columns[0], tuple):
        return lax.scan(step, carry, columns, reverse=reverse)
    n = len(columns[0])
    outs: list[Any] = [None] * n
    for i in reversed(range(n)) if reverse else range(n):
        carry, outs[i] = step(carry, tuple(column[i] for column in columns))
    return carry, tuple(zip(*outs, strict=True)) if isinstance(outs[0], tuple) else tuple(outs)


def joined(v: Entries) -> Array:
    """The vector (n,) of these entries."""
    return jnp.stack(v) if isinstance(v, tuple) else v


def inner(a: Entries, b: Entries) -> Array:
    """Inner product of two vectors that `sweep` takes."""
    return sum(x * y for x, y in zip(a, b, strict=True)) if isinstance(a, tuple) else dot(a, b)


class LDL(NamedTuple):
    """A symmetric matrix as L D L', by columns, up to its first pivot that is not positive."""

    L: Array  # (n, n) unit lower triangular
    d: Array  # (n,) pivots; 1 from the first on that is not positive
    first: Array  # (n,) one-hot: the first pivot that is not positive; zero where there is none
    positive: Array  # () bool: are all pivots positive, by more than rounding?


def ldl(A: Array) -> LDL:
    """The factors of A (n, n), which is symmetric (Golub & Van Loan 2013, section 4.1.2; without square roots).

    A pivot counts as rounding where it is at most n eps of the diagonal entry that it is left of. For a positive definite
    matrix the errors do not depend on how the variables are scaled (Higham 2002, section 10.1).
    """
    n = A.shape[0]
    index = jnp.arange(n, dtype=jnp.int32)
    least = n * float(jnp.finfo(A.dtype).eps) * jnp.abs(jnp.diagonal(A))

    def column(k: Any, v: Array, first: Array, ended: Array) -> tuple[Array, Array, Array, Array]:
        """Column k of L and its pivot, from what the columns before it leave of A[k]."""
        own, pivot = index == k, v[k]
        bad = ~(pivot > least[k])
        first = jnp.where(bad & ~ended, own.astype(A.dtype), first)
        ended = ended | bad
        safe = jnp.where(ended, 1.0, pivot)
        return jnp.where(ended | (index <= k), 0.0, v / safe), safe, first, ended

    first, ended = jnp.zeros(n, A.dtype), jnp.zeros((), bool)
    if n <= UNROLLED:
        columns: list[Array] = []
        pivots: list[Array] = []
        for k in range(n):
            v = A[k]
            for l, d in zip(columns, pivots, strict=True):
                v = v - l * (l[k] * d)
            l, d, first, ended = column(k, v, first, ended)
            columns.append(l)
            pivots.append(d)
        return LDL(jnp.stack(columns, 1) + jnp.eye(n, dtype=A.dtype), jnp.stack(pivots), first, ~ended)

    def eliminate(k: Any, state: tuple[Array, ...]) -> tuple[Array, ...]:
        L, d, first, ended = state
        l, pivot, first, ended = column(k, A[k] - matvec(L, L[k] * d), first, ended)
        return L.at[:, k].set(l), jnp.where(index == k, pivot, d), first, ended

    L, d, first, ended = lax.fori_loop(0, n, eliminate, (jnp.zeros_like(A), jnp.ones(n, A.dtype), first, ended))
    return LDL(L + jnp.eye(n, dtype=A.dtype), d, first, ~ended)


def ldl_solve(factor: LDL, b: Array) -> Array:
    """A^{-1} b for b (n,) of a positive definite matrix."""
    return unit_upper_solve(factor.L, unit_lower_solve(factor.L, b) / factor.d)


def unit_lower_solve(L: Array, b: Array) -> Array:
    """L^{-1} b for a unit lower triangular matrix."""
    n = b.shape[0]
    if n > UNROLLED:
        return lax.linalg.triangular_solve(L, b[:, None], left_side=True, lower=True, unit_diagonal=True)[:, 0]
    for k in range(n - 1):
        b = b - (L[:, k] - jnp.eye(n, dtype=b.dtype)[k]) * b[k]
    return b


def unit_upper_solve(L: Array, b: Array) -> Array:
    """L^{-T} b for a unit lower triangular matrix."""
    n = b.shape[0]
    if n > UNROLLED:
        return lax.linalg.triangular_solve(L, b[:, None], left_side=True, lower=True, transpose_a=True, unit_diagonal=True)[
            :, 0
        ]
    for k in reversed(range(1, n)):
        b = b - (L[k] - jnp.eye(n, dtype=b.dtype)[k]) * b[k]
    return b
