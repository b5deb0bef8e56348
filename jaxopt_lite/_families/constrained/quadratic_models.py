"""Quadratic interpolation of least change: the models of COBYQA, how a point is replaced, and where one is moved.

2n + 1 points carry values of the objective and of the rows. The best of them is the *pole*, and stands first. A model

    Q(u) = Q(pole) + g's + s'H s / 2,     s = u - pole                                                (1)

has the values of all points, and of the many that do so it is the one whose H differs least, in the Frobenius norm, from
that of the model before (Powell 2004). With the edges E_i from the pole, and what the old model leaves of the values, r_i,
the change is H += sum_i lambda_i E_i E_i', and lambda and the change of g solve

    [ K   E ] [ lambda ]   [ r ]
    [ E'  0 ] [   g    ] = [ 0 ],     K_ij = (E_i'E_j)^2 / 2 + sigma E_i'E_j                          (2)

(his (2.7); Ragonneau 2022, section 2.4). The term with sigma is ours: as E'lambda = 0 it changes nothing, and it makes K
positive definite wherever the points determine (2) at all. With r of one point 1 and the rest 0, (2) gives the Lagrange
polynomial l_i of that point, 1 there and 0 at the others. Their values tell whose place a new point may take, and a
point that is moved goes to where the l_i of its place is large: then (2) stays well conditioned.

*Changed for batches*. The matrix of (2) is inverted afresh in each turn, by 3n sweeps (`qp.py`) whose pivots are first all
positive and then all negative: no pivoting, no library. Powell updates the inverse, and watches what rounding makes of it.
Lengths are in units of their geometric mean, rows of K in units of their own, and sigma = 1 / 2 makes a pair of opposite
points orthogonal. All r are made anew from the values, and (2) is applied twice, so that errors do not pile up either.

*Points that are not finite* have no value (F_0 is +inf); in the models they stand as far above the highest value as that is
above the lowest. Lengths are the largest components, as of the radius of the step (`model_step.py`).

Source: M. J. D. Powell, Math. Program. 100 (2004) 183; T. M. Ragonneau, Model-Based Derivative-Free Optimization Methods
and Software, thesis, The Hong Kong Polytechnic University (2022), chapters 2 and 5.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained.by_values import (
    ValuesData,
    inside,
    largest_value,
    pick,
    pole_of,
    sides,
    total_violation,
)
from jaxopt_lite._families.constrained.qp import HIGHEST, largest, sweep
from jaxopt_lite.core.dense import dot, matvec

SIGMA = 0.5  # of (2)
DEPENDENT = 4.0  # times eps: a pivot of (2) below this is none
REFUSED = 0.3  # of the distance at which others are moved: a point without a value is moved where it is farther away
HALFWAY = 0.5  # of its distance: where such a point is moved to, so that it cannot be sent to the same place forever
ROUNDS = 2  # times that (2) is applied
CLIMBS = 2  # times that a moved point looks for a better corner


class Models(NamedTuple):
    """The models of objective and rows about the pole."""

    grad: Array  # (1 + m, n) slopes at the pole
    H: Array  # (1 + m, n, n)

    def at(self, d: Array) -> Array:
        """What they change by along d (n,) from the pole, (1 + m,)."""
        return matvec(self.grad, d) + 0.5 * matvec(matvec(self.H, d), d)


class Points(NamedTuple):
    """The points after a turn, the pole first, and what (2) says of them."""

    V: Array  # (N, n) in units; N is 2n + 1
    F: Array  # (N, 1 + m)
    violated: Array  # (N,) sums of the violations
    away: Array  # (N,) distances from the pole, of refused points more
    E: Array  # (2n, n) edges, in units of their size
    size: Array  # () unit of the edges
    scale: Array  # (2n,) unit of each row of K
    inverse: Array  # (3n, 3n) of (2)


def first(x0: Array, data: ValuesData) -> tuple[Array, Array]:
    """V (N, n) and F (N, 1 + m) about x0: two points along each axis, on both sides where the box has room for that."""
    (n,), m, rho = x0.shape, data.row_lower.shape[0], data.rhobeg
    u, one, two = x0, jnp.full_like(x0, rho), jnp.full_like(x0, -rho)
    if data.unit is not None:
        u = inside(box.project(x0, data) / data.unit, data)
        low, high = sides(data)
        up, down = high - u, u - low
        short, room, side = jnp.minimum(up, down), jnp.maximum(up, down), jnp.where(up >= down, 1.0, -1.0)
        one = side * rho
        two = jnp.where(short < 0.5 * rho, side * jnp.minimum(2 * rho, room), -side * jnp.minimum(short, rho))
    V = jnp.concatenate([u[None], u[None] + jnp.diag(one), u[None] + jnp.diag(two)])
    V = jax.vmap(lambda u: inside(u, data))(V)
    return V, jnp.zeros((2 * n + 1, 1 + m), x0.dtype).at[:, 0].set(jnp.inf)


def swept(T: Array, k: int, sign: float, first: int = 0) -> tuple[Array, Array]:
    """The tableau T with the rows `first` to k swept, and the least pivot times the sign that they all should have."""
    index = jnp.arange(T.shape[0], dtype=jnp.int32)
    least = DEPENDENT * float(jnp.finfo(T.dtype).eps)

    def one(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        T, worst = state
        here = index == i
        pivot = sign * jnp.sum(jnp.where(here, jnp.diagonal(T), 0.0))
        floor = jnp.where(here[:, None] & here[None, :], sign * jnp.maximum(pivot, least), T)
        return sweep(floor, here, jnp.ones((), bool)), jnp.minimum(worst, pivot)

    return lax.fori_loop(first, k, one, (T, jnp.full((), jnp.inf, T.dtype)))


def about(V: Array, F: Array, models: Models, mu: Array, data: ValuesData) -> tuple[Points, Models]:
    """The points with the best one first, the models about it; mu is the weight of the violations."""
    n = V.shape[1]
    violated = total_violation(F, data)
    pole = pole_of(F, violated, mu)
    moved = pick(pole, V) - V[0]
    models = models._replace(grad=models.grad + matvec(models.H, moved))
    V, F, violated = _to_front(pole, V), _to_front(pole, F), _to_front(pole, violated)
    E = V[1:] - V[:1]
    away = jnp.max(jnp.abs(E), axis=1)
    tiny = float(jnp.finfo(E.dtype).tiny) ** 0.25
    size = jnp.exp(jnp.mean(jnp.log(jnp.maximum(away, tiny))))
    E = E / size
    products = jnp.dot(E, E.T, precision=HIGHEST)
    K = products * (0.5 * products + SIGMA)
    own = jnp.diagonal(K)
    scale = jnp.where(own > 0, lax.rsqrt(jnp.where(own > 0, own, 1.0)), 0.0)
    K = jnp.where(jnp.eye(2 * n, dtype=bool), 1.0, K * scale[:, None] * scale[None, :])
    C = E * scale[:, None]
    T = jnp.concatenate([jnp.concatenate([K, C], 1), jnp.concatenate([C.T, jnp.zeros((n, n), E.dtype)], 1)])
    T, _ = swept(T, 2 * n, 1.0)
    T, _ = swept(T, 3 * n, -1.0, first=2 * n)
    away = jnp.concatenate([jnp.zeros(1, E.dtype), away]) * jnp.where(F[:, 0] < jnp.inf, 1.0, 1.0 / REFUSED)
    points = Points(V, F, violated, away, E, size, scale, -T)
    return points, _fitted(points, models)


def _to_front(pole: Array, rows: Array) -> Array:
    """The rows with that of the pole, (N,) bool, and the first one in each other's place."""
    wide = lambda mask: mask if rows.ndim == 1 else mask[:, None]
    front = jnp.arange(rows.shape[0], dtype=jnp.int32) == 0
    return jnp.where(wide(front), pick(pole, rows)[None], jnp.where(wide(pole), rows[:1], rows))


def _fitted(points: Points, models: Models) -> Models:
    """The models of least change that have the values of all points, by (2)."""
    F, n = points.F, points.E.shape[1]
    f = F[:, 0]
    known = f < jnp.inf
    top, bottom = jnp.max(jnp.where(known, f, -jnp.inf)), jnp.min(f)
    high = jnp.where(bottom < jnp.inf, top + (top - bottom), 0.0)
    stand_in = jnp.concatenate([high[None], F[0, 1:]])
    values = jnp.where(known[:, None], F, stand_in[None])
    most = largest_value(F.dtype)
    safe = lambda a: jnp.clip(jnp.nan_to_num(a), -most, most)
    D = safe(values[1:] - jnp.where(f[0] < jnp.inf, values[0], 0.0)[None])
    unit = jnp.max(jnp.abs(D), axis=0)
    unit = jnp.where(unit > 0, unit, 1.0)
    D = D / unit[None]
    grad, H = models.grad * points.size / unit[:, None], models.H * points.size**2 / unit[:, None, None]
    for _ in range(ROUNDS):
        bent = jax.vmap(lambda h: jnp.sum(jnp.dot(points.E, h, precision=HIGHEST) * points.E, 1), out_axes=1)(H)
        r = safe(D - jnp.dot(points.E, grad.T, precision=HIGHEST) - 0.5 * bent)
        change = jnp.dot(points.inverse[:, : 2 * n], points.scale[:, None] * r, precision=HIGHEST)  # (3n, 1 + m)
        lam = points.scale[:, None] * change[: 2 * n]
        weighted = lam.T[:, :, None] * points.E[None]  # (1 + m, 2n, n)
        H = safe(H + jnp.einsum("kin,ip->knp", weighted, points.E, precision=HIGHEST))
        grad = safe(grad + change[2 * n :].T)
    H = 0.5 * (H + H.transpose(0, 2, 1))
    return Models(safe(grad * unit[:, None] / points.size), safe(H * unit[:, None, None] / points.size**2))


def first_largest(a: Array) -> Array:
    """(N,) bool: the first of those that are largest but for a root of rounding: what is a tie is one in all programs."""
    close = float(jnp.finfo(a.dtype).eps) ** 0.5
    return largest(jnp.where(a >= (1 - close) * jnp.max(a), 1.0, 0.0).astype(a.dtype))


def afresh(points: Points, models: Models) -> Models:
    """The models of least H that have the values of all points."""
    return _fitted(points, models._replace(H=jnp.zeros_like(models.H)))


def weights(points: Points, u: Array) -> Array:
    """The Lagrange polynomials of all points at u, (N,)."""
    s = (u - points.V[0]) / points.size
    along = matvec(points.E, s)
    values = matvec(points.inverse, jnp.concatenate([points.scale * (0.5 * along * along), s]))
    others = points.scale * values[: points.E.shape[0]]
    return jnp.nan_to_num(jnp.concatenate([1.0 - jnp.sum(others, keepdims=True), others]))


def near(points: Points, rho: Array, delta: Array, accurate: Array) -> Array:
    """() bool: is no point too far from the pole for this radius? From models that proved accurate they may be farther."""
    return jnp.all(points.away <= jnp.maximum(2.0 * delta, jnp.where(accurate, 10.0, 2.0) * rho))


def across(points: Points, rho: Array, delta: Array, data: ValuesData) -> tuple[Array, Array]:
    """The farthest point, (N,) bool, and where it is moved to for geometry, (n,).

    That is where its Lagrange polynomial is largest among the ways to the other points, the slope, and the corners that
    its own slope then points at.
    """
    n = points.E.shape[1]
    moved = first_largest(points.away)
    row = jnp.sum(jnp.where(moved[1:, None], points.inverse[: 2 * n], 0.0), 0) * pick(moved[1:], points.scale)
    lam, g = row[: 2 * n] * points.scale, row[2 * n :]
    H = jnp.dot(points.E.T, lam[:, None] * points.E, precision=HIGHEST)
    far = jnp.max(points.away)
    radius = jnp.maximum(jnp.minimum(0.1 * far, 0.5 * delta), rho)
    radius = jnp.where(pick(moved, points.F[:, 0]) < jnp.inf, radius, HALFWAY * REFUSED * far)
    low, high = jnp.full_like(g, -radius), jnp.full_like(g, radius)
    if data.lower is not None:
        below, above = sides(data)
        low, high = jnp.maximum(low, below - points.V[0]), jnp.minimum(high, above - points.V[0])
    low, high = low / points.size, high / points.size
    reach = radius / points.size
    value = lambda d: dot(g, d) + 0.5 * dot(d, matvec(H, d))
    lines = points.E / jnp.max(jnp.abs(points.E), axis=1, keepdims=True)
    lines = jnp.concatenate([lines, jnp.eye(n, dtype=g.dtype), jnp.sign(g)[None]]) * reach
    tried = jnp.clip(jnp.concatenate([lines, -lines]), low[None], high[None])

    def climb(_: Array, d: Array) -> Array:
        slope = jnp.sign(value(d)) * (g + matvec(H, d))
        corner = jnp.where(slope > 0, high, jnp.where(slope < 0, low, d))
        return jnp.where(jnp.abs(value(corner)) > jnp.abs(value(d)), corner, d)

    d = pick(first_largest(jnp.nan_to_num(jnp.abs(jax.vmap(value)(tried)))), tried)
    d = lax.fori_loop(0, CLIMBS, climb, d)
    return moved, inside(points.V[0] + points.size * d, data)
