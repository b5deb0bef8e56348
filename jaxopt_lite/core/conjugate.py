"""Linear systems by products, for certificates: nearest points where rows hold, and minimizers along rows.

Both are conjugate gradients on products that are known as functions. They evaluate nothing of the user's, and share nothing
with what methods do: what is computed here judges methods.

*The nearest point* x to `base` with A x + b = 0 is base + A'y. In the form of Craig (Saad 2003, section 8.3.2), with s = A x +
b computed afresh in each step,

    q = A'p,   a = s's / q'q,   x -= a q,   y -= a p,   s = A x + b,   p <- s + (s's)_new / (s's)_old p.     (1)

*The minimizer* of g'p + p'H p / 2 among p = P p, with P the projection along the rows, by conjugate gradients whose residuals
are projected (Gould, Hribar & Nocedal 2001, algorithm 2.1). It tells of each direction without positive curvature.
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


def nearest(base: Array, b: Array, along: Product, across: Product) -> Nearest:
    """(1), from `along` x -> A x (m,) and `across` w -> A'w (n,)."""
    m, eps = b.shape[0], float(jnp.finfo(base.dtype).eps)
    if m == 0:
        return Nearest(base, b, jnp.ones((), bool))
    least, aim = norm(base, 2), norm(b, 2)

    def small(x: Array, s: Array, stretch: Array) -> Array:
        size = jnp.where(aim > 0, aim, stretch * norm(x, 2))
        return norm(s, 2) <= jnp.maximum(eps**ENOUGH * size, ROUNDED * eps * (stretch * least + aim))

    def one(at: tuple[Array, ...]) -> tuple[Array, ...]:
        x, y, s, p, square, stretch, _, k = at
        q = across(p)
        length = dot(q, q)
        a = jnp.where(length > 0, square / jnp.where(length > 0, length, 1.0), 0.0)
        x, y = x - a * q, y - a * p
        s = along(x) + b
        new = dot(s, s)
        stretch = jnp.maximum(stretch, jnp.sqrt(length) / norm(p, 2))
        p = s + new / jnp.where(square > 0, square, 1.0) * p
        return x, y, s, p, new, stretch, (length > 0) & ~small(x, s, stretch), k + 1

    s = along(base) + b
    square, zero = dot(s, s), jnp.zeros((), base.dtype)
    start = (base, jnp.zeros_like(b), s, s, square, zero, square > 0, jnp.zeros((), jnp.int32))
    x, y, s, _, _, stretch, _, _ = lax.while_loop(lambda at: at[6] & (at[7] < min(MOST, 4 * (m + 5))), one, start)
    return Nearest(x, y, small(x, s, stretch) | (square == 0))


class Minimizer(NamedTuple):
    """The minimizer of a quadratic along rows, as far as it was found."""

    p: Array  # (n,)
    gain: Array  # () what the quadratic falls by
    solved: Array  # () bool
    flat: Array  # () bool: a slope met no curvature
    saddle: Array  # () bool: negative curvature was met


def minimizer(slope: Array, times: Product, project: Product, most: int = DIRECTIONS) -> Minimizer:
    """The p with the least slope'p + p'H p / 2 along the rows; `slope` (n,) is along them, and so is project(v)."""
    eps, n = float(jnp.finfo(slope.dtype).eps), slope.shape[0]
    first = dot(slope, slope)

    def one(at: tuple[Array, ...]) -> tuple[Array, ...]:
        p, r, d, square, bend, largest, flat, saddle, _, k = at
        Hd, length = times(d), dot(d, d)
        curvature = dot(d, Hd)
        largest = jnp.maximum(largest, norm(Hd, 2) / jnp.sqrt(length))
        curved = curvature > FLAT * eps * largest * length
        a = jnp.where(curved, square / jnp.where(curved, curvature, 1.0), 0.0)
        p, bend = p + a * d, bend + a * square
        r = project(r + a * Hd)
        new = dot(r, r)
        d = project(-r + new / jnp.where(square > 0, square, 1.0) * d)
        saddle |= curvature < -FLAT * eps * largest * length
        return p, r, d, new, bend, largest, flat | ~curved, saddle, curved & (new > eps ** (2 * SOLVED) * first), k + 1

    zero, no = jnp.zeros((), slope.dtype), jnp.zeros((), bool)
    start = (jnp.zeros_like(slope), slope, -slope, first, zero, zero, no, no, first > 0, jnp.zeros((), jnp.int32))
    end = lax.while_loop(lambda at: at[8] & (at[9] < min(most, 4 * n)), one, start)
    p, _, _, square, bend, _, flat, saddle, _, _ = end
    return Minimizer(p, 0.5 * bend, (square <= eps ** (2 * SOLVED) * first) & ~flat, flat & ~saddle, saddle)
