"""A program as it is given, and in the form that the methods use: rows and variables both lie between bounds.

    minimize c'x   subject to   A_ub x <= b_ub,  A_eq x = b_eq,  lower <= x <= upper                        (given)
    minimize c'x   subject to   row_lower <= A x <= row_upper,   lower <= x <= upper                        (ranged)

A quadratic program has x'P x / 2 in its objective too, with P symmetric and positive semidefinite.

In the second form rows and variables are treated alike, and an inequality without a bound (b_ub = inf) is a row that
constrains nothing. The rows of A_ub come first.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxopt_lite.core.dense import matvec

CURVED = 64.0  # times n eps of a pivot: a negative curvature that is no larger is rounding


class LinearProgram(NamedTuple):
    """The operands of a linear program; p and q may be 0."""

    c: Array  # (n,)
    A_ub: Array  # (p, n)
    b_ub: Array  # (p,) may be +inf
    A_eq: Array  # (q, n)
    b_eq: Array  # (q,)
    lower: Array  # (n,) may be -inf
    upper: Array  # (n,) may be +inf
    P: Array | None = None  # (n, n) symmetric; None: the program is linear


class Ranged(NamedTuple):
    """The program with m = p + q ranged rows."""

    c: Array  # (n,)
    A: Array  # (m, n)
    row_lower: Array  # (m,) -inf where A_ub's row is
    row_upper: Array  # (m,)
    lower: Array  # (n,)
    upper: Array  # (n,)
    P: Array | None = None  # (n, n)

    def slope(self, x: Array) -> Array:
        """The gradient of the objective at x (n,)."""
        return self.c if self.P is None else self.c + self.P @ x if isinstance(x, np.ndarray) else self.c + matvec(self.P, x)


def ranged(lp: LinearProgram) -> Ranged:
    """The ranged form; a matrix that stands alone is not copied."""
    p, q = lp.b_ub.shape[0], lp.b_eq.shape[0]
    A = lp.A_eq if p == 0 else lp.A_ub if q == 0 else jnp.concatenate([lp.A_ub, lp.A_eq])
    row_lower = jnp.concatenate([jnp.full_like(lp.b_ub, -jnp.inf), lp.b_eq])
    return Ranged(lp.c, A, row_lower, jnp.concatenate([lp.b_ub, lp.b_eq]), lp.lower, lp.upper, lp.P)


def parted(a: Array, p: int) -> tuple[Array, Array]:
    """a[:p] and a[p:], which may be empty.

    Where one is empty, no slice is taken: with an empty slice jax 0.10.2 loses the interface of LAPACK calls on CPU.
    """
    none = jnp.zeros((0, *a.shape[1:]), a.dtype)
    return (none, a) if p == 0 else (a, none) if p == a.shape[0] else (a[:p], a[p:])


def is_flawed(lp: Ranged) -> Array:
    """() bool: is there NaN, an infinity in c or A, a lower bound of inf, an upper one of -inf, or lower > upper?"""
    broken = jnp.any(~jnp.isfinite(lp.c)) | jnp.any(~jnp.isfinite(lp.A))
    if lp.P is not None:
        broken |= ~is_convex(lp.P)
    for low, high in ((lp.row_lower, lp.row_upper), (lp.lower, lp.upper)):
        broken |= jnp.any(~(low <= high)) | jnp.any(low == jnp.inf) | jnp.any(high == -jnp.inf)
    return broken


def is_convex(P: Array) -> Array:
    """() bool: is P finite and positive semidefinite, to rounding? By Cholesky's factor, scaled to unit diagonal."""
    n, eps = P.shape[0], float(jnp.finfo(P.dtype).eps)
    diagonal = jnp.diagonal(P)
    scale = 1.0 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    unit = P * scale[:, None] * scale[None, :] + CURVED * n * eps * jnp.eye(n, dtype=P.dtype)
    alone = jnp.where(diagonal > 0, 0.0, jnp.max(jnp.abs(P), axis=1, initial=0.0))  # a row without a diagonal is a zero row
    return (
        jnp.all(jnp.isfinite(lax.linalg.cholesky(unit, symmetrize_input=False)))
        & jnp.all(alone == 0)
        & jnp.all(diagonal >= 0)
    )
