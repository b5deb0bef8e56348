"""The composite step of Byrd and Omojokun: first towards the rows, then along them, inside of one radius.

At a point of the barrier problem (`barrier.py`), in the units of its (2), the model is q(d) = g'd + d'W d / 2 on the rows
h + J d. Here g is the gradient of the barrier function, and

    W = D (H + diag(z_low / (v - low) + z_high / (high - v))) D,     H the Hessian of f + y'c in x,     (1)

the primal-dual one, with which a step near a solution is Newton's step for the conditions of optimality (Byrd, Gilbert &
Nocedal 2000, section 3.1). The step d = n + t has two parts.

*The normal part* lowers the rows within 0.8 of the radius: on the dogleg path from 0 by

    p_C = -(|J'h|^2 / |J J'h|^2) J'h     to     p_N = -J'(J J')^{-1} h                                (2)

(Nocedal & Wright 2006, (18.45) and section 4.1). Where the path has to be cut at the sides, Cauchy's point may be better,
and then it is taken.

*The tangential part* keeps what the rows have become, J t = 0, and lowers q(n + t) by conjugate gradients in the null space
of J, by the rules of Steihaug: it ends where the residual is small, at the radius, and along the first direction without
positive curvature at the radius (Lalee, Nocedal & Plantenga 1998, section 2.3; N&W algorithms 16.2 and 7.2). What of the
path lies between the sides is taken as it is; the rest is cut at them. Both parts obey v + d >= low + (1 - TAU)(v - low).

*Rounding.* Near a solution g is large across the rows and tiny along them. What one projection leaves across them, eps |g|,
would be divided by curvatures as small as mu. So the first residual is projected twice (Gould, Hribar & Nocedal 2001).

Source: M. Lalee, J. Nocedal, T. Plantenga, SIAM J. Optim. 8 (1998) 682; R. H. Byrd, J. C. Gilbert, J. Nocedal, Math.
Program. 89 (2000) 149. Changed for batches: both parts are computed in each turn, the tangential one in at most 2 n
products, which need nothing of the user's functions.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.constrained.barrier import TAU, Place, along_rows, multipliers, room, solved
from jaxopt_lite._families.trust_region.radius import on_the_way
from jaxopt_lite.core.dense import dot, matvec, norm

NORMAL = 0.8  # share of the radius for the normal part (Byrd, Hribar & Nocedal 1999, (3.2))
HALF = 0.5  # likewise of TAU (their (3.4))
FORCING = 0.01  # the residual at which the tangential part ends, of its first one; in units of f where that is less, of its
# power 3/2


class Composite(NamedTuple):
    """A step in the units of the point."""

    p: Array  # (N,)
    length: Array  # () |p|
    normal: Array  # () of its normal part
    gain: Array  # () what q falls by
    mends: Array  # () what |h| falls by
    y: Array  # (m,) multipliers of the rows at its end
    products: Array  # () int32: of the tangential part


Times = Callable[[Array], Array]


def composite(at: Place, h: Array, g: Array, times: Times, radius: Array, most: int) -> Composite:
    """The step from a point with rows h (m,), a gradient g (N,), and products with W; `most` of these for one step.

    g and W are in a unit of f in which slopes are neither steep nor flat: squares of tiny ones would underflow.
    """
    normal = _normal(at, h, radius)
    t, products = _tangential(at, times, g + times(normal), normal, radius, most)
    p = normal + t
    bend = times(p)
    mends = norm(h, 2) - norm(h + matvec(at.J, p), 2)
    gain = -(dot(g, p) + 0.5 * dot(p, bend))
    return Composite(p, norm(p, 2), norm(normal, 2), gain, mends, multipliers(at, g + bend), products)


def restored(at: Place, p: Array, h: Array) -> Array:
    """The second-order correction of p (N,): with the rows h at its end, the shortest step that would make them zero."""
    more = -matvec(at.J.T, solved(at, h))
    return p + room(at, p, more, 0.5 * (1.0 + TAU)) * more


def _normal(at: Place, h: Array, radius: Array) -> Array:
    """(2), away from the sides."""
    zero = jnp.zeros_like(at.D)
    if h.shape[0] == 0:
        return zero
    limit = NORMAL * radius
    slope = matvec(at.J.T, h)
    bend = matvec(at.J, slope)
    square, curved = dot(slope, slope), dot(bend, bend)
    size = jnp.sqrt(square)
    far = jnp.minimum(square / jnp.where(curved > 0, curved, 1.0), limit / jnp.where(size > 0, size, 1.0))
    cauchy, newton = -far * slope, -matvec(at.J.T, solved(at, h))
    share = jnp.minimum(on_the_way(cauchy, newton - cauchy, limit), 1.0)
    path = jnp.where(norm(newton, 2) <= limit, newton, cauchy + share * (newton - cauchy))
    path, cauchy = (p * room(at, zero, p, HALF * TAU) for p in (path, cauchy))
    left = lambda p: norm(h + matvec(at.J, p), 2)
    return jnp.where(left(path) <= left(cauchy), path, cauchy)


class _Path(NamedTuple):
    """The tangential part on its way."""

    t: Array  # (N,)
    kept: Array  # (N,) its last point between the sides
    r: Array  # (N,) the residual along the rows
    d: Array  # (N,) the next direction
    square: Array  # () r'r
    going: Array  # () bool
    products: Array  # () int32


def _tangential(at: Place, times: Times, slope: Array, normal: Array, radius: Array, most: int) -> tuple[Array, Array]:
    """The tangential part from the slope (N,) at the end of the normal one, and how many products it took."""
    first = along_rows(at, along_rows(at, slope))
    length = norm(first, 2)
    enough = FORCING * jnp.minimum(1.0, jnp.sqrt(length)) * length

    def one(s: _Path) -> _Path:
        Wd = times(s.d)
        curvature = dot(s.d, Wd)
        curved = curvature > 0
        a, reach = s.square / jnp.where(curved, curvature, 1.0), on_the_way(normal + s.t, s.d, radius)
        leaves = ~curved | (a >= reach)
        a = jnp.where(leaves, reach, a)
        t = s.t + a * s.d
        between = room(at, normal, t, TAU) >= 1.0
        r = along_rows(at, s.r + a * Wd)
        square = dot(r, r)
        d = -r + (square / jnp.where(s.square > 0, s.square, 1.0)) * s.d
        going = ~leaves & (square > enough * enough)
        return _Path(t, jnp.where(between, t, s.kept), r, d, square, going, s.products + 1)

    zero = jnp.zeros_like(slope)
    start = _Path(zero, zero, first, -first, length * length, length > 0, jnp.zeros((), jnp.int32))
    end = lax.while_loop(lambda s: s.going & (s.products < most), one, start)
    rest = end.t - end.kept
    return end.kept + room(at, normal + end.kept, rest, TAU) * rest, end.products
