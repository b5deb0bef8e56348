"""A linear program as it is given, and in the form that the methods use: rows and variables both lie between bounds.

    minimize c'x   subject to   A_ub x <= b_ub,  A_eq x = b_eq,  lower <= x <= upper                        (given)
    minimize c'x   subject to   row_lower <= A x <= row_upper,   lower <= x <= upper                        (ranged)

In the second form rows and variables are treated alike, and an inequality without a bound (b_ub = inf) is a row that
constrains nothing. The rows of A_ub come first.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class LinearProgram(NamedTuple):
    """The operands of a linear program; p and q may be 0."""

    c: Array  # (n,)
    A_ub: Array  # (p, n)
    b_ub: Array  # (p,) may be +inf
    A_eq: Array  # (q, n)
    b_eq: Array  # (q,)
    lower: Array  # (n,) may be -inf
    upper: Array  # (n,) may be +inf


class Ranged(NamedTuple):
    """The linear program with m = p + q ranged rows."""

    c: Array  # (n,)
    A: Array  # (m, n)
    row_lower: Array  # (m,) -inf where A_ub's row is
    row_upper: Array  # (m,)
    lower: Array  # (n,)
    upper: Array  # (n,)


def ranged(lp: LinearProgram) -> Ranged:
    """The ranged form; a matrix that stands alone is not copied."""
    p, q = lp.b_ub.shape[0], lp.b_eq.shape[0]
    A = lp.A_eq if p == 0 else lp.A_ub if q == 0 else jnp.concatenate([lp.A_ub, lp.A_eq])
    row_lower = jnp.concatenate([jnp.full_like(lp.b_ub, -jnp.inf), lp.b_eq])
    return Ranged(lp.c, A, row_lower, jnp.concatenate([lp.b_ub, lp.b_eq]), lp.lower, lp.upper)


def parted(a: Array, p: int) -> tuple[Array, Array]:
    """a[:p] and a[p:], which may be empty.

    Where one is empty, no slice is taken: with an empty slice jax 0.10.2 loses the interface of LAPACK calls on CPU.
    """
    none = jnp.zeros((0, *a.shape[1:]), a.dtype)
    return (none, a) if p == 0 else (a, none) if p == a.shape[0] else (a[:p], a[p:])


def is_flawed(lp: Ranged) -> Array:
    """() bool: is there NaN, an infinity in c or A, a lower bound of inf, an upper one of -inf, or lower > upper?"""
    broken = jnp.any(~jnp.isfinite(lp.c)) | jnp.any(~jnp.isfinite(lp.A))
    for low, high in ((lp.row_lower, lp.row_upper), (lp.lower, lp.upper)):
        broken |= jnp.any(~(low <= high)) | jnp.any(low == jnp.inf) | jnp.any(high == -jnp.inf)
    return broken
