"""Linear systems by products, for certificates: nearest points where rows hold, and minimizers along rows.

Both are conjugate gradients on products that are known as functions. They evaluate nothing of the user's, and share nothing
with what methods do: what is computed here judges methods.

*The nearest point* x to `base` with A x + b = 0 is base + A'y. In the form of Craig (Saad 2003, section 8.3.2), with s = A x
+ b computed afresh in each step,

    q = A'p,   a = s's / q'q,   x -= a q,   y -= a p,   s = A x + b,   p <- s + (s's)_new / (s's)_old p.     (1)

*The minimizer* of g'p + p'H p / 2 among p = P p, with P the projection along the rows, by conjugate gradients whose
residuals are projected (Gould, Hribar & Nocedal 2001, algorithm 2.1). It tells of each direction without positive curvature.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import dot, norm

MOST = 2000  # products for a nearest point; and at most 4 (m + 5): rounding delays its end
ENOUGH = 0.75  # power of eps: |s| is small against |A| |x|
ROUNDED = 4.0  # times eps |A| |base|: a smaller s is rounding
DIRECTIONS = 500  # for a minimizer; and at most 4 n
SOLVED = 0.5  # power of eps: of the first residual, the last one
FLAT = 64.0  # times eps: curvature below this part of the largest one is none

Product = Callable[[Array], Array]


class Nearest(NamedTuple):
    """The nearest point at which rows hold."""

    x: Array  # (n,)
    y: Array  # (m,) x = base + A'y
    held: Array  # () bool: do the rows hold?


class _Search(NamedTuple):
    """The nearest point on its way."""

    x: Array  # (n,)
    y: Array  # (m,)
    s: Array  # (m,)
    p: Array  # (m,)
    square: Array  # () s's
    stretch: Array  # () |A|, the largest |A'p| / |p| that was seen
    going: Array  # () bool
    made: Array  # () int32


def nearest(base: Array, b: Array, along: Product, across: Product) -> Nearest:
    """(1), from `along` x -> A x (m,) and `across` w -> A'w (n,)."""
    m, eps = b.shape[0], float(jnp.finfo(base.dtype).eps)
    if m == 0:
        return Nearest(base, b, jnp.ones((), bool))
    least, aim = norm(base, 2), norm(b, 2)

    def small(x: Array, s: Array, stretch: Array) -> Array:
        size = jnp.where(aim > 0, aim, stretch * norm(x, 2))
        return norm(s, 2) <= jnp.maximum(eps**ENOUGH * size, ROUNDED * eps * (stretch * least + aim))

    def one(at: _Search) -> _Search:
        q = across(at.p)
        length = dot(q, q)
        a = jnp.where(length > 0, at.square / jnp.where(length > 0, length, 1.0), 0.0)
        x, y = at.x - a * q, at.y - a * at.p
        s = along(x) + b
        square = dot(s, s)
        stretch = jnp.maximum(at.stretch, jnp.sqrt(length) / norm(at.p, 2))
        p = s + square / jnp.where(at.square > 0, at.square, 1.0) * at.p
        return _Search(x, y, s, p, square, stretch, (length > 0) & ~small(x, s, stretch), at.made + 1)

    s = along(base) + b
    square = dot(s, s)
    start = _Search(base, jnp.zeros_like(b), s, s, square, jnp.zeros_like(square), square > 0, jnp.zeros((), jnp.int32))
    end = lax.while_loop(lambda at: at.going & (at.made < min(MOST, 4 * (m + 5))), one, start)
    return Nearest(end.x, end.y, small(end.x, end.s, end.stretch) | (square == 0))


class Minimizer(NamedTuple):
    """The minimizer of a quadratic along rows, as far as it was found."""

    p: Array  # (n,)
    gain: Array  # () what the quadratic falls by
    solved: Array  # () bool
    flat: Array  # () bool: a slope met no curvature
    saddle: Array  # () bool: negative curvature was met


class _Path(NamedTuple):
    """The minimizer on its way."""

    p: Array  # (n,)
    r: Array  # (n,) the residual along the rows
    d: Array  # (n,) the next direction
    square: Array  # () r'r
    fallen: Array  # () twice what the quadratic has fallen by
    largest: Array  # () |H|, the largest |H d| / |d| that was seen
    flat: Array  # () bool
    saddle: Array  # () bool
    going: Array  # () bool
    made: Array  # () int32


def minimizer(slope: Array, times: Product, project: Product, most: int = DIRECTIONS) -> Minimizer:
    """The p with the least slope'p + p'H p / 2 along the rows; `slope` (n,) is along them, and so is project(v)."""
    eps, n = float(jnp.finfo(slope.dtype).eps), slope.shape[0]
    first = dot(slope, slope)
    enough = eps ** (2 * SOLVED) * first

    def one(at: _Path) -> _Path:
        Hd, length = times(at.d), dot(at.d, at.d)
        curvature = dot(at.d, Hd)
        largest = jnp.maximum(at.largest, norm(Hd, 2) / jnp.sqrt(length))
        least = FLAT * eps * largest * length
        curved = curvature > least
        a = jnp.where(curved, at.square / jnp.where(curved, curvature, 1.0), 0.0)
        r = project(at.r + a * Hd)
        square = dot(r, r)
        d = project(square / jnp.where(at.square > 0, at.square, 1.0) * at.d - r)
        seen = at.flat | ~curved, at.saddle | (curvature < -least), curved & (square > enough)
        return _Path(at.p + a * at.d, r, d, square, at.fallen + a * at.square, largest, *seen, at.made + 1)

    zero, no = jnp.zeros_like(first), jnp.zeros((), bool)
    begin = zero, zero, no, no, first > 0, jnp.zeros((), jnp.int32)
    start = _Path(jnp.zeros_like(slope), slope, -slope, first, *begin)
    end = lax.while_loop(lambda at: at.going & (at.made < min(most, 4 * n)), one, start)
    solved = (end.square <= enough) & ~end.flat
    return Minimizer(end.p, 0.5 * end.fallen, solved, end.flat & ~end.saddle, end.saddle)
