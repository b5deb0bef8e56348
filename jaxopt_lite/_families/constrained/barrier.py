"""The barrier problem of inequalities and bounds, and the composite step of Byrd and Omojokun for it.

Each row c_i gets a slack s_i between its sides, and x lies between its bounds. With v = (x, s) in R^{n+m} the problem is

    min f(x) - mu sum_j [log(v_j - low_j) + log(high_j - v_j)],     h(v) = c(x) - s = 0                (1)

over the finite sides (Byrd, Hribar & Nocedal 1999, (1.2)). An equality is a slack whose sides meet: it does not move, and
neither does a fixed variable. So there is one kind of row. Distances to the sides measure a step,

    |d|_D = |D^{-1} d|,     D_j^{-2} = e_j + (v_j - low_j)^{-2} + (high_j - v_j)^{-2}                 (2)

with e_j = 1 for x, 0 for slacks with a side. In these units a side that is near looks as far as one that is not (their
section 3.2), and a variable that does not move has D_j = 0. All that follows is in the units of (2).

*The model* at v is q(d) = g'd + d'W d / 2 on the rows h + J d, with J = [A, -1], g the gradient of (1), and

    W = Hessian of f + y'c, and on its diagonal z_low / (v - low) + z_high / (high - v)               (3)

where z are multipliers of the sides: the primal-dual Hessian, which makes steps near a solution those of Newton's method
on the conditions of optimality (Byrd, Gilbert & Nocedal 2000, section 3.1).

*The step* d = n + t has two parts. The normal one lowers the rows within 0.8 of the radius: on the dogleg path from 0 by

    p_C = -(|J'h|^2 / |J J'h|^2) J'h     to     p_N = -J'(J J')^{-1} h                                (4)

(Nocedal & Wright 2006, (18.45) and section 4.1). The tangential one keeps what the rows have become, J t = 0, and lowers q
by conjugate gradients in the null space of J, by the rules of Steihaug: it ends where the residual is small, at the radius,
and along the first direction of no positive curvature at the radius (Lalee, Nocedal & Plantenga 1998, section 2.3; N&W
algorithm 16.2). Both parts stay away from the sides, v + d >= low + (1 - TAU)(v - low). Of the tangential path what lies
inside of the sides is taken as it is; the rest is cut.

*Changed for batches*: J J' (m, m) is inverted in place by m exchange steps, which leave out rows that depend on others
before them, and every product with that inverse is refined once by the rows as they are.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.trust_region.radius import on_the_way
from jaxopt_lite.core.dense import UNROLLED, dot, matvec, norm

TAU = 0.995  # share of the way to a side that a step may go (Byrd, Hribar & Nocedal, section 3.2)
NORMAL = 0.8  # share of the radius, and half of TAU, for the normal part
FORCING = 0.01  # the residual at which the tangential part ends, of its first
DEPENDENT = 16.0  # times m eps: a pivot of J J', in rows of length 1, that is no larger is rounding
HIGHEST = lax.Precision.HIGHEST


class Sides(NamedTuple):
    """Where v may be."""

    low: Array  # (N,) -inf: none
    high: Array  # (N,)
    still: Array  # (N,) bool: both sides are the same


class Place(NamedTuple):
    """A point of (1), in the units of (2)."""

    down: Array  # (N,) distance to the lower side, inf: none
    up: Array  # (N,)
    D: Array  # (N,)
    J: Array  # (m, N) of h, times D
    K: Array  # (m, m) the inverse of J J'
    M: Array  # (m, m) J J'


class Composite(NamedTuple):
    """A step."""

    d: Array  # (N,) in the units of v
    length: Array  # () |d|_D
    normal: Array  # () of its normal part
    gain: Array  # () what q falls by
    mends: Array  # () what |h| falls by
    y: Array  # (m,) the multipliers of the rows at its end
    products: Array  # () int32: of the tangential part


def distances(v: Array, sides: Sides) -> tuple[Array, Array]:
    """How far v is from both sides (N,) each, never zero; inf where there is none."""
    eps = float(jnp.finfo(v.dtype).eps)
    least = lambda side: eps * jnp.abs(side) + eps**2
    down, up = jnp.isfinite(sides.low) & ~sides.still, jnp.isfinite(sides.high) & ~sides.still
    low, high = jnp.where(down, sides.low, 0.0), jnp.where(up, sides.high, 0.0)
    return (
        jnp.where(down, jnp.maximum(v - low, least(low)), jnp.inf),
        jnp.where(up, jnp.maximum(high - v, least(high)), jnp.inf),
    )


def logs(v: Array, sides: Sides) -> Array:
    """The logarithms of (1), (N,), with their sign: large near a side."""
    down, up = distances(v, sides)
    log = lambda far: jnp.where(far < jnp.inf, -jnp.log(jnp.where(far < jnp.inf, far, 1.0)), 0.0)
    return log(down) + log(up)


def place(v: Array, A: Array, sides: Sides) -> Place:
    """The units of (2) at v, the rows in them, and the inverse of J J'."""
    m, n = A.shape
    down, up = distances(v, sides)
    sided = (down < jnp.inf) | (up < jnp.inf)
    own = (jnp.arange(n + m) < n) | ~sided
    D = jnp.where(sides.still, 0.0, lax.rsqrt(jnp.where(own, 1.0, 0.0) + (1.0 / down) ** 2 + (1.0 / up) ** 2))
    J = jnp.concatenate([A * D[None, :n], -jnp.diag(D[n:])], 1)
    M = jnp.dot(J, J.T, precision=HIGHEST)
    return Place(down, up, D, J, _inverse(M), M)


def _inverse(M: Array) -> Array:
    """The inverse of M (m, m), which has no negative eigenvalues; zero in rows that depend on rows before them.

    By exchange steps (Beaton's sweep operator: Goodnight 1979) on M scaled to unit diagonal.
    """
    m = M.shape[0]
    if m == 0:
        return M
    own = jnp.diagonal(M)
    scale = jnp.where(own > 0, lax.rsqrt(jnp.where(own > 0, own, 1.0)), 0.0)
    least = DEPENDENT * m * float(jnp.finfo(M.dtype).eps)
    index = jnp.arange(m)

    def exchange(k: int | Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        T, swept = at
        here = index == k
        column = T[k] if isinstance(k, int) else jnp.sum(jnp.where(here[:, None], T, 0.0), 0)
        pivot = jnp.sum(jnp.where(here, column, 0.0))
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


def solved(at: Place, b: Array) -> Array:
    """(J J')^{-1} b, refined once."""
    y = matvec(at.K, b)
    return y + matvec(at.K, b - matvec(at.M, y))


def multipliers(at: Place, g: Array) -> Array:
    """The multipliers of the rows with which g + J'y is least, (m,); g (N,) in the units of (2)."""
    return -solved(at, matvec(at.J, g))


def restored(at: Place, h: Array) -> Array:
    """The shortest step (N,) that makes the rows h + J d zero, cut at the sides; in the units of (2)."""
    p = -matvec(at.J.T, solved(at, h))
    return p * room(at, jnp.zeros_like(p), p, TAU)


def room(at: Place, start: Array, way: Array, tau: float) -> Array:
    """The largest share () up to 1 of the way from start that stays away from the sides; start does."""
    start, way = at.D * start, at.D * way
    ahead = jnp.where(way < 0, tau * at.down + start, tau * at.up - start)
    share = jnp.where(way != 0, ahead / jnp.where(way != 0, jnp.abs(way), 1.0), jnp.inf)
    return jnp.clip(jnp.min(share), 0.0, 1.0)


def composite(at: Place, h: Array, g: Array, H: Array, bent: Array, radius: Array) -> Composite:
    """The step from a point: h (m,), g (N,) in the units of (2), H (n, n) of (3) and its `bent` diagonal (N,) in units of v."""
    n, N = H.shape[0], g.shape[0]

    def times(p: Array) -> Array:
        moved = at.D * p
        return at.D * (jnp.concatenate([matvec(H, moved[:n]), jnp.zeros_like(moved[n:])]) + bent * moved)

    normal = _normal(at, h, radius)
    project = lambda r: r - matvec(at.J.T, solved(at, matvec(at.J, r))) if h.shape[0] > 0 else r
    slope = g + times(normal)
    t, products = _tangential(at, times, project, slope, normal, radius, min(2 * n, N))
    p = normal + t
    bend = times(p)
    return Composite(
        at.D * p,
        norm(p, 2),
        norm(normal, 2),
        -(dot(g, p) + 0.5 * dot(p, bend)),
        norm(h, 2) - norm(h + matvec(at.J, p), 2),
        multipliers(at, g + bend),
        products,
    )


def _normal(at: Place, h: Array, radius: Array) -> Array:
    """(4), the better of the dogleg's point and Cauchy's, both away from the sides."""
    zero = jnp.zeros_like(at.D)
    if h.shape[0] == 0:
        return zero
    limit = NORMAL * radius
    down = matvec(at.J.T, h)
    bend = matvec(at.J, down)
    square, curved = dot(down, down), dot(bend, bend)
    far = square / jnp.where(curved > 0, curved, 1.0)
    size = jnp.sqrt(square)
    cauchy = -jnp.minimum(far, limit / jnp.where(size > 0, size, 1.0)) * down
    newton = -matvec(at.J.T, solved(at, h))
    share = jnp.minimum(on_the_way(cauchy, newton - cauchy, limit), 1.0)
    path = jnp.where(norm(newton, 2) <= limit, newton, cauchy + share * (newton - cauchy))
    short = lambda p: p * room(at, zero, p, NORMAL * TAU)
    path, cauchy = short(path), short(cauchy)
    left = lambda p: norm(h + matvec(at.J, p), 2)
    return jnp.where(left(path) <= left(cauchy), path, cauchy)


def _tangential(at, times, project, slope, normal, radius, most):
    """The tangential part and its products."""
    first = project(project(slope))
    length = norm(first, 2)
    eps = float(jnp.finfo(slope.dtype).eps)
    enough = FORCING * jnp.minimum(1.0, jnp.sqrt(length)) * length

    def one(state):
        t, kept, r, d, rr, going, k = state
        Hd = times(d)
        curvature, dd = dot(d, Hd), dot(d, d)
        curved = curvature > eps * dd * 0.0
        a = rr / jnp.where(curved, curvature, 1.0)
        reach = on_the_way(normal + t, d, radius)
        leaves = ~curved | (a >= reach)
        a = jnp.where(leaves, reach, a)
        new = t + a * d
        inside = room(at, normal, new, TAU) >= 1.0
        r1 = project(r + a * Hd)
        rr1 = dot(r1, r1)
        ended = leaves | (rr1 <= enough * enough)
        d1 = -r1 + (rr1 / jnp.where(rr > 0, rr, 1.0)) * d
        return new, jnp.where(inside, new, kept), r1, d1, rr1, ~ended, k + 1

    zero = jnp.zeros_like(slope)
    start = (zero, zero, first, -first, length * length, length > 0, jnp.zeros((), jnp.int32))
    t, kept, *_, k = lax.while_loop(lambda s: s[5] & (s[6] < most), one, start)
    share = room(at, normal + kept, t - kept, TAU)
    return kept + share * (t - kept), k
