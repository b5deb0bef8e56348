"""The barrier problem of inequalities and bounds: a point of it, its distances, its units and its multipliers.

Each row c_i gets a slack s_i between its sides, and x lies between its bounds. With v = (x, s), N = n + m numbers, it is

    min f(x) - mu sum_j [log(v_j - low_j) + log(high_j - v_j)],     h(v) = c(x) - s = 0                (1)

over the finite sides (Byrd, Hribar & Nocedal 1999, (1.2)). An equality is a slack whose sides meet: it does not move, and
neither does a fixed variable. So there is one kind of row, and bounds are never left. The distances to the sides measure a
step d,

    |d|_D = |D^{-1} d|,     D_j^{-2} = e_j + (v_j - low_j)^{-2} + (high_j - v_j)^{-2}                 (2)

with e_j = 1 for x, and 0 for a slack that has a side. In these units a side that is near looks as far as one that is not
(their section 3.2), and what does not move has D_j = 0. The rows have the Jacobian J = [A, -1] D.

The multipliers z of the sides follow Newton's step for (v - low) z = mu, and the like above (Waechter & Biegler 2006, (12)
and (16)): with the step d of v,

    dz = mu / (v - low) - z - z d / (v - low),                                                        (3)

of which z takes as much as leaves it positive, and stays between mu / LOW and mu HIGH over the new distance. The
multipliers y of the rows are those with which the gradient of the Lagrangian is least in the units of (2).

Source: R. H. Byrd, M. E. Hribar, J. Nocedal, An interior point algorithm for large-scale nonlinear programming, SIAM J.
Optim. 9 (1999) 877; A. Waechter, L. T. Biegler, Math. Program. 106 (2006) 25. Changed for batches: equalities and fixed
variables are masks, and J J' (m, m) is inverted in place by m exchange steps, which leave out rows that depend on rows
before them.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import UNROLLED, lengths, matvec, norm

TAU = 0.995  # share of the way to a side that a step may go (Byrd, Hribar & Nocedal, section 3.2)
PUSH = 0.1  # how far from its sides v begins: with 0.01 (Waechter & Biegler, section 3.6) runs take a tenth longer
LOW, HIGH = 10.0, 1e10  # with LOW = HIGH the model takes sides for far that are near, and steps are refused
DEPENDENT = 16.0  # times m eps: a pivot of J J', in rows of length 1, that is no larger is rounding
HIGHEST = lax.Precision.HIGHEST


class Sides(NamedTuple):
    """Where v may be."""

    low: Array  # (N,) -inf: none
    high: Array  # (N,) inf: none
    still: Array  # (N,) bool: both are the same


class Units(NamedTuple):
    """The units of (2) at a point."""

    nearness: Array  # (2, N) one over the distance to the lower and to the upper side, 0 where there is none
    D: Array  # (N,)


class Place(NamedTuple):
    """A point of (1), in the units of (2)."""

    nearness: Array  # (2, N) one over the distance to the lower and to the upper side, 0 where there is none
    D: Array  # (N,)
    J: Array  # (m, N)
    M: Array  # (m, m) J J'
    K: Array  # (m, m) its inverse


def nearness(v: Array, sides: Sides) -> Array:
    """One over the distances of v (N,) to both sides, (2, N): finite, and 0 where there is none."""
    eps = float(jnp.finfo(v.dtype).eps)
    side = jnp.stack([sides.low, sides.high])
    there = jnp.isfinite(side) & ~sides.still[None]
    side = jnp.where(there, side, 0.0)
    far = jnp.maximum(jnp.stack([v - side[0], side[1] - v]), eps * jnp.abs(side) + eps**2)
    return jnp.where(there, 1.0 / far, 0.0)


def logs(near: Array) -> Array:
    """The logarithms of (1), (N,), with their sign: large near a side."""
    return jnp.sum(jnp.where(near > 0, jnp.log(jnp.where(near > 0, near, 1.0)), 0.0), axis=0)


def inside(v: Array, low: Array, high: Array) -> Array:
    """v, or the nearest point at some distance from its sides: PUSH, of a side's size, or of the room between both."""
    size = lambda side: jnp.where(jnp.isfinite(side), PUSH * jnp.maximum(1.0, jnp.abs(side)), 0.0)
    least, most = low + jnp.minimum(size(low), PUSH * (high - low)), high - jnp.minimum(size(high), PUSH * (high - low))
    least, most = jnp.where(low > -jnp.inf, least, low), jnp.where(high < jnp.inf, most, high)
    return jnp.where(low == high, low, jnp.clip(v, least, most))


def slacks(moved: Array, c: Array, fresh: Array, low: Array, high: Array) -> Array:
    """The slacks (m,) of a point with rows c, where the step has `moved` them: those of (1) that are best for this c."""
    rows = Sides(low, high, low == high)
    slack = jnp.where(fresh, inside(c, low, high), jnp.clip(moved, low, high))
    between = (c > low) & (c < high)
    inner = jnp.where(between, c, slack)
    return jnp.where(between & (logs(nearness(inner, rows)) <= logs(nearness(slack, rows))), c, slack)


def holding(v: Array, z: Array, grad: Array, A: Array, H: Array, sides: Sides) -> Array:
    """(2, N) bool: which sides hold: those whose multiplier says more than their distance, each in units of its own.

    A distance is compared with the size of x in the units of the largest force; and, for all forces vanish at a minimum
    that no side holds, it times the curvature is compared with the force of its own side. That is the curvature where the
    other variables follow: along a curved valley it is a small part of the own one.
    """
    n = A.shape[1]
    steep = jnp.concatenate([jnp.ones(n, v.dtype), lengths(A.T)])
    steep = jnp.where(steep > 0, steep, 1.0)
    of = lambda B: jnp.concatenate([jnp.diagonal(B), jnp.sum(A * jnp.dot(A, B, precision=HIGHEST), 1) / steep[n:] ** 2])
    give, own = of(_inverse(H)), jnp.abs(of(H))
    curvature = jnp.where(give > 0, 1.0 / jnp.where(give > 0, give, 1.0), own)
    near = nearness(v, sides)
    far, force = jnp.where(near > 0, 1.0 / jnp.where(near > 0, near, 1.0), jnp.inf) / steep[None], z * steep[None]
    most = jnp.maximum(norm(grad), norm(force.reshape(-1)))
    size = jnp.concatenate([jnp.maximum(jnp.abs(v[:n]), 1.0), jnp.broadcast_to(jnp.maximum(norm(v[:n]), 1.0), A.shape[:1])])
    bends = curvature[None] * jnp.where(near > 0, far, 1.0)
    return (force * size[None] > far * most) & (force > bends) & (near > 0)


def holding_by(v: Array, z: Array, grad: Array, curvature: Array, sides: Sides) -> Array:
    """The same from one curvature () of the Lagrangian, with the slopes of all rows taken for 1."""
    near = nearness(v, sides)
    far = jnp.where(near > 0, 1.0 / jnp.where(near > 0, near, 1.0), jnp.inf)
    most = jnp.maximum(norm(grad), norm(z.reshape(-1)))
    bends = curvature * jnp.where(near > 0, far, 1.0)
    return (z * jnp.maximum(jnp.abs(v), 1.0)[None] > far * most) & (z > bends) & (near > 0)


def at_bounds(x: Array, holds: Array, H: Array, sides: Sides) -> Array:
    """x (n,) at the bounds that hold (2, n); the other variables follow as the curvatures H (n, n) say."""
    n = x.shape[0]
    met = jnp.where(holds[0], sides.low[:n], jnp.where(holds[1], sides.high[:n], x))
    free = ~jnp.any(holds, axis=0) & ~sides.still[:n]
    loose = _inverse(jnp.where(free[:, None] & free[None, :], H, 0.0))
    return jnp.clip(met - jnp.where(free, matvec(loose, matvec(H, met - x)), 0.0), sides.low[:n], sides.high[:n])


def units(v: Array, n: int, sides: Sides) -> Units:
    """The units of (2) at v (N,), of which n are x."""
    near = nearness(v, sides)
    own = (jnp.arange(v.shape[0]) < n) | ~jnp.any(near > 0, axis=0)
    D = jnp.where(sides.still, 0.0, lax.rsqrt(jnp.where(own, 1.0, 0.0).astype(v.dtype) + jnp.sum(near * near, axis=0)))
    return Units(near, D)


def place(v: Array, A: Array, sides: Sides) -> Place:
    """The units of (2) at v, the rows in them, and the inverse of J J'."""
    n = A.shape[1]
    near, D = units(v, n, sides)
    J = jnp.concatenate([A * D[None, :n], -jnp.diag(D[n:])], 1)
    M = jnp.dot(J, J.T, precision=HIGHEST)
    return Place(near, D, J, M, _inverse(M))


def solved(at: Place, b: Array) -> Array:
    """(J J')^{-1} b for b (m,), refined once by J J' as it is."""
    y = matvec(at.K, b)
    return y + matvec(at.K, b - matvec(at.M, y))


def along_rows(at: Place, r: Array) -> Array:
    """r (N,) without its part across the rows: J times what is returned is zero."""
    return r - matvec(at.J.T, solved(at, matvec(at.J, r))) if at.J.shape[0] > 0 else r


def multipliers(at: Place, g: Array) -> Array:
    """The y (m,) with which g + J'y is least; g (N,) in the units of (2)."""
    return -solved(at, matvec(at.J, g))


def room(at: Place | Units, start: Array, way: Array, tau: float) -> Array:
    """The largest share () up to 1 of the way that stays away from the sides, from v + start; both in the units of (2)."""
    start, way = (at.D * start)[None] * at.nearness, (at.D * way)[None] * at.nearness  # in distances
    ahead = jnp.stack([tau + start[0], tau - start[1]])
    gone = jnp.stack([-way[0], way[1]])
    share = jnp.where(gone > 0, ahead / jnp.where(gone > 0, gone, 1.0), jnp.inf)
    return jnp.clip(jnp.min(share), 0.0, 1.0)


def moved_multipliers(z: Array, mu: Array, near: Array, d: Array, near_now: Array) -> Array:
    """z (2, N) by (3) after the step d (N,), with what is near before and after it."""
    dz = mu * near - z - z * near * jnp.stack([d, -d])
    share = jnp.min(jnp.where(dz < 0, -TAU * z / jnp.where(dz < 0, dz, 1.0), 1.0))
    center = mu * near_now
    return jnp.clip(z + jnp.clip(share, 0.0, 1.0) * dz, center / LOW, center * HIGH)


def _inverse(M: Array) -> Array:
    """The inverse of M (m, m), which has no negative eigenvalues; zero in rows that depend on rows before them.

    By exchange steps (Beaton's sweep operator: Goodnight, Am. Stat. 33 (1979) 149) on M scaled to unit diagonal.
    """
    m = M.shape[0]
    if m == 0:
        return M
    own = jnp.diagonal(M)
    scale = jnp.where(own > 0, lax.rsqrt(jnp.where(own > 0, own, 1.0)), 0.0)
    least = DEPENDENT * m * float(jnp.finfo(M.dtype).eps)
    index = jnp.arange(m, dtype=jnp.int32)

    def exchange(k: int | Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        T, swept = at
        here = index == k
        column = T[k] if isinstance(k, int) else jnp.sum(jnp.where(here[:, None], T, 0.0), 0)
        pivot = column[k] if isinstance(k, int) else jnp.sum(jnp.where(here, column, 0.0))
        ok = pivot > least
        share = jnp.where(ok, 1.0 / jnp.where(ok, pivot, 1.0), 0.0)
        border = jnp.where(here, -1.0, column) * share
        inner = T - (share * column)[:, None] * column[None, :]
        new = jnp.where(here[:, None], border[None, :], jnp.where(here[None, :], border[:, None], inner))
        return jnp.where(ok, new, T), swept | (here & ok)

    at = (M * scale[:, None] * scale[None, :], jnp.zeros(m, bool))
    if m <= UNROLLED:
        for k in range(m):
            at = exchange(k, at)
    else:
        at = lax.fori_loop(0, m, exchange, at)
    T, swept = at
    scale = jnp.where(swept, scale, 0.0)
    return -T * scale[:, None] * scale[None, :]
