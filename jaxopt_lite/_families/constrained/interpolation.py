"""Linear interpolation on a simplex: the models of COBYLA, how a vertex is replaced, and where one is moved.

n + 1 vertices V_i carry values F_i of the objective and of the rows. With lambda_i the linear function that is 1 at vertex i
and 0 at the others, and G_i its gradient, the models are

    F(x) ~ sum_i F_i lambda_i(x),     slopes G'F                                                      (1)

(Powell 1994, section 2), about the best vertex, the pole. sum_i lambda_i = 1, and so the G_i sum to zero. The G_i without
that of the pole are the inverse of the edges from it; with it nothing depends on which vertex is the pole. A vertex j that
moves to x changes them all by one product,

    G_j <- G_j / lambda_j(x),     G_i <- G_i - lambda_i(x) G_j                                        (2)

and one Newton step for an inverse, G <- G - (G E' - I) G with the edges E, keeps rounding from piling up. The distance of
vertex i from the face of the others is 1 / |G_i|.

*Points that are not finite* have no value (F_0 is +inf). In the models they stand as far above the highest value as that is
above the lowest.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained.ball import Model
from jaxopt_lite._families.constrained.by_values import (
    ValuesData,
    inside,
    largest_value,
    pick,
    pole_of,
    sides,
    total_violation,
)
from jaxopt_lite._families.constrained.qp import largest
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm

FAR = 2.0  # of the radius: a vertex farther away makes the models doubtful (PRIMA's number)
ACROSS = 0.5  # of the radius: how far a vertex is moved for geometry (PRIMA's)
REFUSED = 0.6  # of the radius: a vertex without a value is moved where it is farther away
HIGHEST = lax.Precision.HIGHEST


def first(x0: Array, data: ValuesData) -> tuple[Array, Array, Array]:
    """V, G and F of the simplex about x0: an edge of rhobeg along each axis, downward where it would leave the box."""
    (n,), m = x0.shape, data.row_lower.shape[0]
    u, side = x0, jnp.ones_like(x0)
    if data.unit is not None:
        u = inside(box.project(x0, data) / data.unit, data)
        side = jnp.where(u + data.rhobeg > sides(data)[1], -1.0, 1.0).astype(x0.dtype)
    along = jnp.diag(side / data.rhobeg)
    V = jnp.concatenate([u[None], u[None] + jnp.diag(side * data.rhobeg)])
    V = jax.vmap(lambda u: inside(u, data))(V)
    G = jnp.concatenate([-jnp.sum(along, axis=0)[None], along])
    return V, G, jnp.zeros((n + 1, 1 + m), x0.dtype).at[:, 0].set(jnp.inf)


class Simplex(NamedTuple):
    """The vertices after a turn, and which of them is the pole."""

    V: Array  # (n + 1, n)
    G: Array  # (n + 1, n)
    F: Array  # (n + 1, 1 + m)
    violated: Array  # (n + 1,) sums of the violations
    pole: Array  # (n + 1,) bool
    u: Array  # (n,) the pole
    away: Array  # (n + 1,) squares of the distances from it, of refused vertices more


def about(V: Array, G: Array, F: Array, mu: Array, data: ValuesData) -> Simplex:
    """The simplex with these vertices, gradients and values; mu is the weight of the violations."""
    violated = total_violation(F, data)
    pole = pole_of(F, violated, mu)
    u = pick(pole, V)
    E = V - u[None]
    away = jnp.sum(E * E, axis=1) * jnp.where(F[:, 0] < jnp.inf, 1.0, (FAR / REFUSED) ** 2)
    return Simplex(V, G, F, violated, pole, u, away)


def near(new: Simplex, radius: Array) -> Array:
    """() bool: is no vertex too far from the pole for this radius?"""
    return jnp.all(new.away <= (FAR * radius) ** 2)


def replaced(old: Simplex, slot: Array, u: Array, row: Array, weights: Array, mu: Array, data: ValuesData) -> Simplex:
    """The simplex with u (n,) and its values (1 + m,) in a slot, (n + 1,) bool, by (2); `weights` are the lambda_i there."""
    at = slot[:, None]
    V, F = jnp.where(at, u[None], old.V), jnp.where(at, row[None], old.F)
    share = pick(slot, weights)
    moves = share != 0
    Gj = pick(slot, old.G) / jnp.where(moves, share, 1.0)
    G = jnp.where(at, Gj[None], old.G - weights[:, None] * Gj[None])
    new = about(V, jnp.where(moves, G, old.G), F, mu, data)
    own = jnp.eye(V.shape[0], dtype=V.dtype)
    error = jnp.dot(new.G, (V - new.u[None]).T, precision=HIGHEST) - (own - jnp.where(new.pole, 1.0, 0.0)[:, None])
    error = jnp.where(new.pole[None, :], 0.0, error)
    return new._replace(G=new.G - jnp.dot(error, new.G, precision=HIGHEST))


def model(new: Simplex, radius: Array, data: ValuesData) -> Model:
    """The models (1) about the pole; a vertex without a value is as far above the highest as that is above the lowest."""
    f, rows = new.F[:, 0], pick(new.pole, new.F)
    known = f < jnp.inf
    top, bottom = jnp.max(jnp.where(known, f, -jnp.inf)), jnp.min(f)
    high = jnp.where(bottom < jnp.inf, top + (top - bottom), 0.0)
    stand_in = jnp.concatenate([high[None], rows[1:]])
    D = jnp.where(known[:, None], new.F, stand_in[None]) - jnp.where(rows < jnp.inf, rows, 0.0)[None]
    most = largest_value(D.dtype)
    slopes = jnp.nan_to_num(jnp.clip(jnp.dot(new.G.T, D, precision=HIGHEST), -most, most))
    around = None
    if data.lower is not None:
        low, high = sides(data)
        around = low - new.u, high - new.u
    return Model(slopes[:, 0], slopes[:, 1:].T, data.row_lower - rows[1:], data.row_upper - rows[1:], around, radius)


def across(new: Simplex, q: Model, mu: Array, delta: Array, data: ValuesData) -> tuple[Array, Array]:
    """The farthest vertex, (n + 1,) bool, and where it is moved for geometry, (n,)."""
    away = jnp.where(new.pole, -1.0, new.away)
    moved = largest(away)
    d = pick(moved, new.G)
    d = d * (ACROSS * delta / jnp.maximum(norm(d, 2), float(jnp.finfo(d.dtype).tiny)))
    merit = lambda d: dot(q.grad, d) + mu * jnp.sum(violations(matvec(q.A, d), q.lower, q.upper))
    up, down = inside(new.u + d, data), inside(new.u - d, data)
    kept_up, kept_down = dot(up - new.u, d), dot(new.u - down, d)
    upward = jnp.where(merit(d) <= merit(-d), kept_up >= 0.5 * kept_down, ~(kept_down >= 0.5 * kept_up))
    return moved, jnp.where(upward, up, down)
