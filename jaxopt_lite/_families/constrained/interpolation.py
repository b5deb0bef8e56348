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

*Units*. All of it is in u = x / unit. A box that is narrower than 2 rhobeg has a unit in which it is not, so that the first
simplex fits, and every later one. A variable with equal bounds has the unit 1 and no bounds in these units: the simplex has
its edges there too, but every point is evaluated at the bound, and so the models find that nothing depends on it.

*Points that are not finite* have no value (F_0 is +inf). In the models they stand as far above the highest value as that is
above the lowest.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained.ball import Model
from jaxopt_lite._families.constrained.qp import largest
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm

FAR = 2.0  # of the radius: a vertex farther away makes the models doubtful (PRIMA's number)
ACROSS = 0.5  # of the radius: how far a vertex is moved for geometry (PRIMA's)
REFUSED = 0.6  # of the radius: a vertex without a value is moved where it is farther away
HIGHEST = lax.Precision.HIGHEST


def largest_value(dtype: Any) -> float:
    """Beyond this size values have no models."""
    return float(jnp.finfo(dtype).max) ** 0.9


class CobylaData(NamedTuple):
    """Traced numbers of a run."""

    rhobeg: Array  # () the first rho
    tol: Array  # () the last rho
    catol: Array  # () a violation that is no larger is none
    ftol: Array  # () what the certificate lets the exact Newton step promise
    row_lower: Array  # (m,) sides of the rows
    row_upper: Array  # (m,)
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    unit: Array | None  # (n,) the unit of each variable: u = x / unit. None: 1
    flawed: Array  # () bool: sides, bounds or radii that cross


def at(u: Array, data: CobylaData) -> Array:
    """x (n,) at a point in units: in the bounds."""
    return u if data.unit is None else box.project(u * data.unit, data)


def sides(data: CobylaData) -> tuple[Array, Array]:
    """Bounds in units; variables that do not move have none."""
    assert data.lower is not None
    assert data.upper is not None
    assert data.unit is not None
    fixed = data.upper - data.lower < data.unit * data.rhobeg
    return jnp.where(fixed, -jnp.inf, data.lower / data.unit), jnp.where(fixed, jnp.inf, data.upper / data.unit)


def inside(u: Array, data: CobylaData) -> Array:
    return u if data.lower is None else jnp.clip(u, *sides(data))


def first(x0: Array, data: CobylaData) -> tuple[Array, Array, Array]:
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


def pick(which: Array, rows: Array) -> Array:
    """The row that a mask (n + 1,) with one true entry picks."""
    return jnp.sum(jnp.where(which if rows.ndim == 1 else which[:, None], rows, 0.0), axis=0)


def total_violation(F: Array, data: CobylaData) -> Array:
    """The sum of the violations of each vertex, (n + 1,)."""
    return jnp.sum(jax.vmap(lambda c: violations(c, data.row_lower, data.row_upper))(F[:, 1:]), axis=1)


def pole_of(F: Array, violated: Array, mu: Array) -> Array:
    """(n + 1,) bool: the vertex of the least f + mu violation; f is compared from its least value on, not to lose mu."""
    least = jnp.min(F[:, 0])
    return largest(-((F[:, 0] - jnp.where(least < jnp.inf, least, 0.0)) + mu * violated))


def about(V: Array, G: Array, F: Array, mu: Array, data: CobylaData) -> Simplex:
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


def replaced(old: Simplex, slot: Array, u: Array, row: Array, weights: Array, mu: Array, data: CobylaData) -> Simplex:
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


def model(new: Simplex, radius: Array, data: CobylaData) -> Model:
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


def spread(F: Array, data: CobylaData) -> Array:
    """The range of f at the vertices over the least range of a row that is violated at one of them; at least eps."""
    f = jnp.where(F[:, 0] < jnp.inf, F[:, 0], jnp.min(F[:, 0]))
    c = F[:, 1:]
    rises = jnp.max(c, axis=0) - jnp.min(c, axis=0)
    counts = jnp.any(jax.vmap(lambda c: violations(c, data.row_lower, data.row_upper))(c) > 0, axis=0) & (rises > 0)
    least = jnp.min(jnp.where(counts, rises, jnp.inf), initial=jnp.inf)
    ratio = (jnp.max(f) - jnp.min(f)) / least
    return jnp.maximum(jnp.where(ratio < jnp.inf, ratio, 0.0), float(jnp.finfo(f.dtype).eps))


def across(new: Simplex, q: Model, mu: Array, delta: Array, data: CobylaData) -> tuple[Array, Array]:
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
