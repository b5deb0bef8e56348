"""What proves that no point is feasible: a weighted sum of the rows is as low as it gets, and still too high.

At x the rows lower <= c <= upper have the gradients A. Let y be weights, positive where the upper side of a row is violated,
negative where the lower one is, and zero for rows that are neither violated nor at their side. Then x is a stationary point
of y'c where A'y is zero on the variables that no bound holds against it. If y'c is convex, too, no point is feasible: each
would make y'c lower. So it is for linear and convex rows, and for quadratic ones where the Hessian of y'c has no negative
curvature; of other rows it is known near x. y are the method's multipliers, scaled to at most 1. A'y counts as zero where

    a move to the bounds, or as long as x, the way from x0, or 1, gains no more than SLIGHT of it; or        (1)
    weights w_i y_i with A'(w y) = 0 still violate, w the projection of ones on what cancels; or             (2)
    it is what the slope of f leaves there, and y'c falls by no more than SLIGHT of the violation.           (3)

Where the weights are prices, x is least for f + y'c: A'y = -grad f, on what is free, and the least point of y'c alone is
elsewhere. (2) finds other weights. Rows that are but nearly dependent have no such w: a long move satisfies them. In (3)
y'c falls to its least point by (v'A'y)^2 / 2 lambda along each direction v of curvature lambda > 0, or as far as in (1)
where that is less. Negative curvature counts as none where it gains as little as (1) along a long move.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import dot, matvec, norm

SLIGHT = 1e-3  # share of a violation that a long move gains, and that is nothing; in float32 its root of eps, 16 times
LEAST = 1.0  # a long move is no shorter: a run that ends where it began, at zero, has no length of its own
DEPENDENT = 4.0  # times eps: a square of a singular value below this part of the largest one is rounding
CANCELLED = 3 / 4  # power of eps: A'(w y) below this share of its own terms is rounding
NOISE = 16.0  # times eps: a violation below this part of its own terms is rounding


class Rows(NamedTuple):
    """What is known of the rows at x; NaN where nothing is."""

    grad: Array  # (n,) of f
    c: Array  # (m,)
    A: Array  # (m, n) Jacobian
    H: Array  # (n, n) Hessian of y'c


def contradicts(x: Array, x0: Array, y: Array, rows: Rows, sides: tuple[Array, Array], data: Any) -> Array:
    """() bool: is y'c least at x, for weights y, and higher than feasible points make it by more than ftol?

    x, x0 (n,), y (m,), sides (m,) each; of `data` the method's ftol, and its bounds if it has any.
    """
    g, c, A, H = rows
    if c.shape[0] == 0:
        return jnp.zeros((), bool)
    lower, upper = sides
    over, under = c - upper, lower - c
    root = float(jnp.finfo(x.dtype).eps) ** 0.5
    near = data.ftol + root * jnp.maximum(jnp.abs(c), 1.0)
    fits = jnp.all(jnp.where(y > 0, over >= -near, jnp.where(y < 0, under >= -near, True)))
    largest = norm(y)
    unit = 1.0 / jnp.where(largest > 0, largest, 1.0)
    y = y * unit
    outside = jnp.where(y > 0, over, jnp.where(y < 0, under, 0.0))
    gain, force = dot(jnp.abs(y), outside), matvec(A.T, y)
    held = jnp.zeros(x.shape, bool)
    if getattr(data, "lower", None) is not None:
        held = ((x <= data.lower) & (force > 0)) | ((x >= data.upper) & (force < 0))
    force, left = jnp.where(held, 0.0, force), jnp.where(held, 0.0, force + unit * g)
    size, slight = jnp.maximum(jnp.maximum(norm(x), norm(x - x0)), LEAST), max(SLIGHT, 16 * root) * gain
    move = jnp.full_like(x, size)
    if getattr(data, "lower", None) is not None:
        room = jnp.where(force > 0, x - data.lower, data.upper - x)
        move = jnp.where(room < jnp.inf, room, size)
    bent = jnp.where(held[:, None] | held[None, :], 0.0, 0.5 * (H + H.T) * unit)
    curved, V = jnp.linalg.eigh(jnp.where(jnp.isfinite(bent), bent, 0.0), symmetrize_input=False)
    convex = -0.5 * curved[0] * size * size <= slight
    along, firm = jnp.abs(matvec(V.T, force)), curved > root * jnp.max(jnp.abs(curved))
    falls = jnp.where(firm, jnp.minimum(0.5 * along / jnp.where(firm, curved, 1.0), jnp.max(move)), jnp.max(move)) * along
    level = (dot(jnp.abs(force), move) <= slight) | ((jnp.sum(falls) <= slight) & (norm(left, 1) * size <= slight))
    unseen = NOISE * float(jnp.finfo(x.dtype).eps) * (jnp.abs(c) + matvec(jnp.abs(A), jnp.abs(x)))
    level |= _cancels(jnp.where(held, 0.0, y[:, None] * A), jnp.abs(y) * outside, jnp.abs(y) * unseen)
    return fits & level & convex & (gain > 0) & (jnp.max(jnp.maximum(over, under)) > data.ftol)


def _cancels(A: Array, violated: Array, unseen: Array) -> Array:
    """(2): do rows of A (m, n) with weights near 1 add up to nothing, and `violated` (m,) to more than `unseen`?"""
    eps = float(jnp.finfo(A.dtype).eps)
    gram = jnp.dot(A, A.T, precision=lax.Precision.HIGHEST)
    square, V = jnp.linalg.eigh(jnp.where(jnp.isfinite(gram), gram, 0.0), symmetrize_input=False)
    free = square <= DEPENDENT * eps * jnp.max(square)
    w = jnp.maximum(matvec(V, jnp.where(free, jnp.sum(V, axis=0), 0.0)), 0.0)
    left = jnp.abs(matvec(A.T, w)) <= eps**CANCELLED * matvec(jnp.abs(A).T, w)
    return jnp.all(left) & (dot(w, violated) > dot(w, unseen)) & (dot(w, violated) > 0)
