"""The linear model of a residual at a point, in variables without units, and steps from it inside a trust region.

With J the Jacobian and r the residual, the model of the cost is |r + J p|^2 / 2. Let D_j be the square of the scale of
column j, and measure a displacement by y_j = D_j^(1/2) p_j / |r|. Then

    |r + J p|^2 = |r|^2 (1 + 2 c.y + y'A y),   A = D^(-1/2) J'J D^(-1/2),   c = D^(-1/2) J'r / |r|       (1)

where A has a diagonal of at most 1 and c holds the cosines between the residual and the columns of J (times the ratio of
a column to its scale). Nothing in (1) changes when data or parameters change their units, so no constant of a method that
is built on it depends on them.

The step inside |y| <= radius solves (A + mu) y = -c with the mu >= 0 for which it fits. Newton's iteration on
1/radius - 1/|y(mu)| (Hebden 1973; Moré 1978, eq. 5.5) is

    mu <- mu + (|y| - radius) / radius |y|^2 / y'(A + mu)^{-1}y                                  (2)

In a batch all lanes would iterate as often as the slowest. So a turn makes one iteration. It takes y(mu) for the mu that
the turn before left, and cuts y where it is longer than the radius. The next mu follows from (2), between the bounds that
the full step and |c| give. From NIST's starts this took no more evaluations than three iterations a turn (1,124 and 1,154
in all).

Inverses come from Gauss-Jordan elimination, one pass over a small array per column; it is as stable as Cholesky's
factorization for a positive definite matrix (Higham 2002, section 14.4). A lane with n = 5 takes 64 ns for it, where
LAPACK's Cholesky takes 404 ns. The full Gauss-Newton step is taken from the matrix with unit diagonal, which is within a
factor n of the best conditioning that any scaling gives (van der Sluis 1969).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.dense import dot, matvec, norm

ELIMINATED = 24  # up to here elimination, unrolled by columns; beyond, LAPACK's Cholesky
FIRST = 1e-3  # first mu, relative to its upper bound (Moré 1978)
MATTERS = 0.1  # a column matters if |J_j x_j| is at least this share of |r|
FORGET = 64.0  # times eps: a column's square is at least this share of its scale; with less, J'J would lose the column


class Model(NamedTuple):
    """The linear model (1)."""

    A: Array  # (n, n)
    c: Array  # (n,)
    unit: Array  # (n,) p = unit * y

    def reduction(self, y: Array) -> Array:
        """The share of the sum of squares that a displacement takes away: -(2 c.y + y'A y)."""
        return -dot(y, 2.0 * self.c + matvec(self.A, y))


class Step(NamedTuple):
    """A step inside the trust region, and the full one."""

    y: Array  # (n,)
    mu: Array  # () damping for the next turn; 0 after a full step
    offset: Array  # () |c.full|: the relative reduction that the full step promises
    full: Array  # (n,)


def model(normal: Array, scale: Array, size: Array) -> Model:
    """The model from [J'J | J'r] (n, n + 1), D (n,), where 0 counts as 1, and |r|."""
    n = scale.shape[0]
    inverse = 1.0 / jnp.sqrt(jnp.where(scale > 0, scale, 1.0))
    c = inverse * normal[:, n] / jnp.where(size > 0, size, 1.0)
    return Model(normal[:, :n] * inverse[:, None] * inverse[None, :], c, inverse * size)


def products(J: Array, r: Array) -> Array:
    """[J'J | J'r], (n, n + 1), in one product."""
    return matvec(J.T, jnp.concatenate([J, r[:, None]], axis=1))


def effect(normal: Array, x: Array) -> Array:
    """How much the residuals owe to x: the root of the sum of |J_j|^2 x_j^2, which is |J x| of orthogonal columns."""
    return jnp.sqrt(dot(jnp.diagonal(normal), x * x))


def remembered(now: Array, before: Array, x: Array, f: Array) -> Array:
    """The squares of the column scales: the largest that were seen.

    A scale forgets what would make rounding of a column that matters now (see `gauss_newton.py`).
    """
    largest = jnp.maximum(now, before)
    matters = (now > 0) & (now * x * x >= MATTERS**2 * 2.0 * f)
    return jnp.where(matters, jnp.minimum(largest, now / (FORGET * jnp.finfo(now.dtype).eps)), largest)


def full_step(A: Array, c: Array) -> tuple[Array, Array]:
    """-A^{-1} c and A^{-1}; a column that depends on others to rounding takes a finite part."""
    diagonal = jnp.diagonal(A)
    s = 1.0 / jnp.sqrt(jnp.where(diagonal > 0, diagonal, 1.0))
    inverse = invert(A * s[:, None] * s[None, :], 0.0) * s[:, None] * s[None, :]
    return -matvec(inverse, c), inverse


def restricted(A: Array, c: Array, radius: Array, mu: Array) -> Step:
    """The step of the model (A, c) inside |y| <= radius; `mu` is the damping that the turn before left."""
    tiny = jnp.finfo(c.dtype).tiny
    full, inverse = full_step(A, c)
    length = norm(full, 2)
    beyond = length > radius
    low = (length - radius) * length / jnp.maximum(dot(full, matvec(inverse, full)), tiny)
    high = norm(c, 2) / jnp.maximum(radius, tiny)
    within = lambda mu: jnp.clip(mu, low, jnp.maximum(high, low))
    mu = jnp.where(beyond, within(jnp.where(mu > 0, mu, FIRST * high)), 1.0)
    inverse = invert(A, mu)
    y = -matvec(inverse, c)
    size = norm(y, 2)
    newton = mu + (size - radius) / radius * size**2 / jnp.maximum(dot(y, matvec(inverse, y)), tiny)
    y = y * jnp.minimum(1.0, radius / jnp.maximum(size, tiny))
    return Step(jnp.where(beyond, y, full), jnp.where(beyond, within(newton), 0.0), jnp.abs(dot(c, full)), full)


def invert(A: Array, mu: Array | float) -> Array:
    """(A + mu)^{-1} of a positive semidefinite matrix of unit size; a pivot below n eps is rounding, and counts as n eps."""
    n, least = A.shape[0], A.shape[0] * float(jnp.finfo(A.dtype).eps)
    eye = jnp.eye(n, dtype=A.dtype)
    M = A + mu * eye
    if n > ELIMINATED:
        factor = jnp.linalg.cholesky(M + least * eye)
        return jnp.where(jnp.isfinite(factor[-1, -1]), jax.scipy.linalg.cho_solve((factor, True), eye), eye)
    for j in range(n):  # the exchange of variable j, written as one update of rank one: 64 ns, by cases it took 158
        pivot = jnp.maximum(M[j, j], least)
        M = M - (M[:, j] - eye[j])[:, None] * ((M[j] + eye[j]) / pivot)[None, :]
    return M
