"""The trust-region subproblem with a tridiagonal matrix, to its global minimum.

    minimize  m(h) = gamma h_1 + h'T h / 2   inside  |h| <= radius                                  (1)

Every dense or Krylov model becomes (1) by a change of basis whose first vector is the gradient: Householder's reflections
for a matrix (`exact.py`), Lanczos' process for products (`krylov.py`). A factorization of T then takes n divisions. h is the
minimizer where some lambda >= 0 satisfies (More & Sorensen 1983, lemmas 2.1 and 2.3)

    (T + lambda) h = -gamma e_1,   T + lambda >= 0,   lambda (radius - |h|) = 0                     (2)

Four steps, each of a fixed number of sweeps over T, so that the lanes of a batch do not wait for each other:

*The leftmost eigenvalue* theta, from the left. With the pivots q_i of T - x, their derivatives follow from the recurrence
of the pivots, and s_1 = sum 1/(theta_i - x), s_2 = sum 1/(theta_i - x)^2 from these, without cancellation. Laguerre's step

    x <- x + n / (s_1 + ((n - r) / r (n s_2 - s_1^2))^(1/2))                                        (3)

converges with order three to an eigenvalue of multiplicity r, and for r = 1 never steps over theta (Wilkinson 1965, chapter
7, sections 23 to 28). r is taken from s_1^2 / s_2, which tends to the multiplicity. Where that was too bold, pivots are
negative, and the step with r = 1 is taken instead. So x stays at the left of theta, and T - x has positive pivots.

*lambda*, by Newton's iteration on 1/radius - 1/|h(lambda)| (Hebden 1973; Conn, Gould & Toint 2000, section 7.3.3),

    lambda <- lambda + (|h| - radius) / radius |h|^2 / h'(T + lambda)^{-1}h                          (4)

from lambda = 0, or a hair above -x. There |h| > radius, or next to nothing is to be done; and from the left (4) is
monotone, for |h|^{-1} is concave. So it needs no bracket. Where g has next to no part along the eigenvector of theta, |h|
falls off within a hair of -theta, and then hardly changes: (4) would begin with very short steps. The same step for h
without that part, whose length has its root at the left of the true one, is no less safe. The longer of the two is taken.

*The hard case.* Where |h| < radius and lambda > 0, an eigenvector of theta is added, as far as the boundary. It comes from
two inverse iterations with T - x. Beside the hard case T + lambda is nearly singular, and the length of h rounding; the same
vector mends it.

*Units*: T is divided by its largest row, lengths by the radius. So squares do not overflow.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import Entries, dot, entries, joined, norm, sweep

EIGENVALUE, CLUSTERS = 6, 0.5  # steps (3), and more of them for each row: every cluster of eigenvalues may take some
SECULAR = 10  # steps (4)
ALMOST = 1.01  # a length below that is 1 but for the rounding of T + lambda; it is mended along the eigenvector
AWAY = 0.75  # power of eps: nearer to the pole h would be rounding; what this costs is as small beside |theta|
ASIDE = 1e-3  # share of a fixed vector, for what the gradient does not see
CLOSE = 0.1  # s_1^2 / s_2 is rounded down to a multiplicity; it comes from above


class Solution(NamedTuple):
    """The minimizer of (1)."""

    h: Array  # (n,)
    shift: Array  # () lambda
    leftmost: Array  # () theta, from the left
    gain: Array  # () -m(h)


class Tridiagonal(NamedTuple):
    """T by its entries: the diagonal, and what stands left and right of it, with 0 at the ends."""

    a: Entries
    before: Entries
    after: Entries


def solve(gamma: Array, a: Array, b: Array, radius: Array, most: Array | int = SECULAR) -> Solution:
    """The minimizer of (1) for T with the diagonal a (n,) and b (n,) beside it, of which the last entry is not used.

    `most` is the largest number of steps (4).
    """
    eps = float(jnp.finfo(a.dtype).eps)
    none = jnp.zeros_like(b[:1])
    before, after = jnp.concatenate([none, b[:-1]]), jnp.concatenate([b[:-1], none])
    size = jnp.max(jnp.abs(a) + jnp.abs(before) + jnp.abs(after))
    size = jnp.where(size > 0, size, 1.0)
    a, before, after = a / size, before / size, after / size
    T = Tridiagonal(entries(a), entries(before), entries(after))
    load = jnp.minimum(gamma / size / radius, eps**-2.0)  # beyond, T is rounding
    rhs = entries(jnp.where(jnp.arange(a.shape[0]) == 0, -1.0, 0.0).astype(a.dtype))
    steps = EIGENVALUE + int(CLUSTERS * a.shape[0])
    x = lax.fori_loop(0, steps, lambda _, x: _laguerre(T, x, a.shape[0]), jnp.full((), -1.0 - 64 * eps, a.dtype))
    low = jnp.where(x < 0, eps**AWAY - x, 0.0)

    v = _vector(_factors(T, low), rhs, a.shape[0], a.dtype)
    axis = entries(v)

    def newton(k: Array, shift: Array) -> Array:
        factors = _factors(T, shift)
        h, unit = _solved(factors, rhs)
        rest = _without(h, axis)
        change = _change(factors, h, load * unit, unit)
        bold = _change(factors, rest, load * _length(rest), _length(rest))
        change = jnp.where((low > 0) & (load * unit > 1.0), jnp.maximum(change, bold), change)
        return jnp.where(k < most, jnp.maximum(shift + change, low), shift)

    shift = lax.fori_loop(0, SECULAR, newton, low)
    factors = _factors(T, shift)
    found, unit = _solved(factors, rhs)
    h = load * joined(found)
    h = jnp.where((shift > 0) & ((low > 0) | (load * unit < ALMOST)), _to_boundary(h, v), h)
    h = h / jnp.maximum(jnp.sqrt(dot(h, h)), 1.0)
    bent = a * h + before * jnp.concatenate([none, h[:-1]]) + after * jnp.concatenate([h[1:], none])
    gain = (load * h[0] + 0.5 * dot(h, bent)) * -size * radius * radius
    return Solution(h * radius, shift * size, x * size, gain)


def _laguerre(T: Tridiagonal, x: Array, size: int) -> Array:
    """(3), of the multiplicity that the sums tell where that does not step too far."""
    n, back = float(size), 8.0 * float(jnp.finfo(x.dtype).eps)

    def step(carry: tuple, column: tuple) -> tuple[tuple, None]:
        inverse, u, w, first, second, least = carry  # 1 / q, -q', -q''
        share = column[1] * inverse
        ratio = share * share
        w = ratio * (w + 2.0 * u * u * inverse)
        u = 1.0 + ratio * u
        q = column[0] - x - column[1] * share
        inverse = 1.0 / jnp.where(q > 0, q, 1.0)
        share = u * inverse
        return (inverse, u, w, first + share, second + w * inverse + share * share, jnp.minimum(least, q)), None

    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    (*_, first, second, least), _ = sweep(step, (one, zero, zero, zero, zero, one), (T.a, T.before))
    r = jnp.clip(jnp.floor(first * first / second + CLOSE), 1.0, n)
    spread = jnp.maximum(n * second - first * first, 0.0)
    to = lambda r: x + n / (first + jnp.sqrt((n - r) / r * spread))
    bold = to(r)
    return jnp.where(least > 0, jnp.where(_is_left(T, bold), bold, to(1.0) - back), x - back)


def _is_left(T: Tridiagonal, x: Array) -> Array:
    """() bool: is x at the left of all eigenvalues?"""

    def step(carry: tuple, column: tuple) -> tuple[tuple, None]:
        q, least = carry
        q = column[0] - x - column[1] * column[1] / jnp.where(q > 0, q, 1.0)
        return (q, jnp.minimum(least, q)), None

    one = jnp.ones_like(x)
    return sweep(step, (one, one), (T.a, T.before))[0][1] > 0


class Factors(NamedTuple):
    """T + shift as L D L'."""

    factor: Entries  # below the diagonal of L, the first is 0
    inverse: Entries  # of D
    after: Entries  # above the diagonal of L', the last is 0


def _factors(T: Tridiagonal, shift: Array) -> Factors:
    """Of a shift at the left; pivots that are zero are rounding."""
    tiny = float(jnp.finfo(shift.dtype).eps) ** 2

    def down(inverse: Array, column: tuple) -> tuple[Array, tuple]:
        factor = column[1] * inverse
        inverse_next = 1.0 / jnp.maximum(column[0] + shift - column[1] * factor, tiny)
        return inverse_next, (factor, inverse_next, column[2] * inverse_next)

    return Factors(*sweep(down, jnp.ones_like(shift), T)[1])


def _solved(f: Factors, rhs: Entries) -> tuple[Entries, Array]:
    """(T + shift)^{-1} rhs, and its length."""

    def down(y: Array, column: tuple) -> tuple[Array, Array]:
        y = column[1] - column[0] * y
        return y, y

    def up(carry: tuple, column: tuple) -> tuple[tuple, Array]:
        h, square = carry
        h = column[0] * column[1] - column[2] * h
        return (h, square + h * h), h

    zero = jnp.zeros_like(f.inverse[0])
    _, y = sweep(down, zero, (f.factor, rhs))
    (_, square), h = sweep(up, (zero, zero), (f.inverse, y, f.after), reverse=True)
    return h, jnp.sqrt(square)


def _change(f: Factors, h: Entries, length: Array, unit: Array) -> Array:
    """The step (4). `length` is that of h times a number, `unit` that of h."""
    energy = _energy(f, h)
    return jnp.where(energy > 0, (length - 1.0) * (unit * unit / jnp.where(energy > 0, energy, 1.0)), 0.0)


def _length(h: Entries) -> Array:
    """|h|."""
    if isinstance(h, tuple):
        return jnp.sqrt(sum(x * x for x in h))
    return norm(h, 2)


def _without(h: Entries, v: Entries) -> Entries:
    """h without its part along a unit vector."""
    if isinstance(h, tuple):
        along = sum(x * y for x, y in zip(h, v, strict=True))
        return tuple(x - along * y for x, y in zip(h, v, strict=True))
    return h - dot(h, v) * v


def _energy(f: Factors, h: Entries) -> Array:
    """h'(T + shift)^{-1} h."""

    def down(carry: tuple, column: tuple) -> tuple[tuple, None]:
        w, energy = carry
        w = column[1] - column[0] * w
        return (w, energy + w * w * column[2]), None

    zero = jnp.zeros_like(f.inverse[0])
    return sweep(down, (zero, zero), (f.factor, h, f.inverse))[0][1]


def _vector(f: Factors, rhs: Entries, n: int, dtype: jnp.dtype) -> Array:
    """A unit eigenvector of the leftmost eigenvalue, where T + shift is about singular.

    Of several the one that `rhs` has a part along, if any.
    """
    h, length = _solved(f, rhs)
    v = joined(h) / length + ASIDE * (1.0 + 0.5 * jnp.cos(jnp.arange(n, dtype=dtype)))
    for _ in range(2):
        v = joined(_solved(f, entries(v))[0])
        v = v / jnp.max(jnp.abs(v))
        v = v / jnp.sqrt(dot(v, v))
    return v


def _to_boundary(h: Array, v: Array) -> Array:
    """h + t v of length 1 with the smaller |t|."""
    left, along = 1.0 - dot(h, h), dot(h, v)
    square = along * along + left
    root = jnp.sqrt(jnp.maximum(square, 0.0))
    ahead = along + jnp.where(along < 0, -root, root)
    return h + jnp.where((square > 0) & (ahead != 0), left / jnp.where(ahead == 0, 1.0, ahead), 0.0) * v
