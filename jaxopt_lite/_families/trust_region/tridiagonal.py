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

*Its start*: with a diagonal E >= 0 that makes the pivots of T + E positive, theta >= -max E (a modified factorization, as of
Gill, Murray & Wright 1981, section 4.4.2.2). Before row k is eliminated with the pivot q, E gets there twice what makes
[[q, b], [b, a_{k+1}]] semidefinite. Where T is positive definite x begins at 0. Gershgorin's circles would begin at the size
of T, and where curvatures lie decades apart the fixed number of steps (3) does not come down from there.

*lambda*, by Newton's iteration on 1/radius - 1/|h(lambda)| (Hebden 1973; Conn, Gould & Toint 2000, section 7.3.3),

    lambda <- lambda + (|h| - radius) / radius |h|^2 / h'(T + lambda)^{-1}h                          (4)

from lambda = 0, or a hair above -x. There |h| > radius, or next to nothing is to be done; and from the left (4) is
monotone, for |h|^{-1} is concave. So it needs no bracket. Where g has next to no part along the eigenvector v of theta, |h|
falls off within a hair of -theta, and then hardly changes: (4) would begin with very short steps. But the part of h along v
alone is as long as the radius at -theta + |gamma v_1| / radius, which is no larger than lambda. (4) starts there.

With the pivots q_j of T + lambda from its last row up, h_1 = -gamma / q_1, and

    c_j = (b_j / q_{j+1})^2,   r_j = 1 + c_j r_{j+1},   e_j = r_j^2 / q_j + c_j e_{j+1}              (5)

give |h|^2 = h_1^2 r_1 and h'(T + lambda)^{-1}h = h_1^2 e_1: one sweep, of positive terms alone.

*The hard case.* Where |h| < radius and lambda > 0, an eigenvector of theta is added, as far as the boundary. It comes from
two inverse iterations with T - x. Beside the hard case T + lambda is nearly singular, and the length of h rounding; the same
vector mends it.

*Units*: T comes with a size of about 1, and lengths are divided by the radius. So squares do not overflow.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import Entries, dot, entries, inner, joined, sweep

EIGENVALUE, CLUSTERS = 4, 0.5  # steps (3), and more of them for each row: every cluster of eigenvalues may take some
SECULAR = 10  # steps (4); with 8 of them 1 of 10,000 models ends 6e-7 above its minimum
NEARLY, UNKNOWN = 1.0 - 1e-3, 32.0  # the start of (4) is on the safe side by that share, and so many eps of v_1
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


def solve(gamma: Array, a: Array, b: Array, radius: Array, most: Array | int = SECULAR, steps: int = SECULAR) -> Solution:
    """The minimizer of (1) for T with the diagonal a (n,) and b (n,) beside it, of which the last entry is not used.

    Of `steps` (4) at most `most` are taken; the first number is static.
    """
    eps = float(jnp.finfo(a.dtype).eps)
    none = jnp.zeros_like(b[:1])
    before, after = jnp.concatenate([none, b[:-1]]), jnp.concatenate([b[:-1], none])
    T = Tridiagonal(entries(a), entries(before), entries(after))
    load = jnp.minimum(gamma / radius, eps**-2.0)  # beyond, T is rounding
    sweeps = EIGENVALUE + int(CLUSTERS * a.shape[0])
    left = _bound(T, jnp.zeros_like(gamma)) - 64 * eps
    x = lax.fori_loop(0, sweeps, lambda _, x: _laguerre(T, x, a.shape[0]), left)
    low = jnp.where(x < 0, eps**AWAY - x, 0.0)

    v, per_size = _vector(_factors(T, low), a.shape[0], a.dtype)
    far = NEARLY * load * jnp.maximum(per_size * jnp.abs(v[0]) - UNKNOWN * eps, 0.0) - x
    start = jnp.where(low > 0, jnp.maximum(low, far), 0.0)
    newton = lambda k, at: jnp.where(k < most, jnp.maximum(at + _change(T, at, load), low), at)
    shift = lax.fori_loop(0, steps, newton, start)
    h, unit = _first_column(_factors(T, shift))
    along = jnp.where((shift > 0) & ((low > 0) | (load * unit < ALMOST)), per_size * _to_boundary(h, v, load, per_size), 0.0)
    h = joined(jax.tree.map(lambda h, v: along * v - load * h, h, v))
    h = h / jnp.maximum(jnp.sqrt(dot(h, h)), 1.0)
    bent = a * h + before * jnp.concatenate([none, h[:-1]]) + after * jnp.concatenate([h[1:], none])
    gain = (load * h[0] + 0.5 * dot(h, bent)) * -radius * radius
    return Solution(h * radius, shift, x, gain)


def _bound(T: Tridiagonal, zero: Array) -> Array:
    """A number at the left of all eigenvalues, -max E; 0 where T is positive definite."""

    def step(carry: tuple, column: tuple) -> tuple[tuple, None]:
        q, most = carry
        a, b = column
        half = 0.5 * (q - a)
        least = jnp.minimum(0.5 * (q + a) - jnp.sqrt(half * half + b * b), 0.0)
        more = -2.0 * least
        d = q + more
        return (a - b * b / jnp.where(d > 0, d, 1.0), jnp.maximum(most, more)), None

    (last, most), _ = sweep(step, (zero + 1.0, zero), (T.a, T.before))
    return -jnp.maximum(most, -last)


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
    """T + shift as U D U', from the last row up."""

    inverse: Entries  # of D
    factor: Entries  # -U above its diagonal; the last is 0


def _factors(T: Tridiagonal, shift: Array) -> Factors:
    """Of a shift at the left; pivots that are zero are rounding."""
    tiny = float(jnp.finfo(shift.dtype).eps) ** 2

    def up(inverse: Array, column: tuple) -> tuple[Array, tuple]:
        factor = -column[1] * inverse
        inverse = 1.0 / jnp.maximum(column[0] + shift + column[1] * factor, tiny)
        return inverse, (inverse, factor)

    return Factors(*sweep(up, jnp.ones_like(shift), (T.a, T.after), reverse=True)[1])


def _first_column(f: Factors) -> tuple[Entries, Array]:
    """(T + shift)^{-1} e_1, and its length."""

    def down(carry: tuple, column: tuple) -> tuple[tuple, Array]:
        h, square = carry
        return (h * column[0], square + h * h), h

    zero = jnp.zeros_like(f.inverse[0])
    (_, square), h = sweep(down, (f.inverse[0], zero), (f.factor,))
    return h, jnp.sqrt(square)


def _solved(f: Factors, rhs: Entries) -> Entries:
    """(T + shift)^{-1} rhs."""

    def up(y: Array, column: tuple) -> tuple[Array, Array]:
        y = column[0] + column[1] * y
        return y, y * column[2]

    def down(h: Array, column: tuple) -> tuple[Array, Array]:
        h = column[0] + h
        return h * column[1], h

    zero = jnp.zeros_like(f.inverse[0])
    _, y = sweep(up, zero, (rhs, f.factor, f.inverse), reverse=True)
    return sweep(down, zero, (y, f.factor))[1]


def _change(T: Tridiagonal, shift: Array, load: Array) -> Array:
    """The step (4), by (5)."""
    tiny = float(jnp.finfo(shift.dtype).eps) ** 2

    def up(carry: tuple, column: tuple) -> tuple[tuple, None]:
        inverse, square, energy = carry
        factor = column[1] * inverse
        inverse = 1.0 / jnp.maximum(column[0] + shift - column[1] * factor, tiny)
        ratio = factor * factor
        square = 1.0 + ratio * square
        return (inverse, square, square * square * inverse + ratio * energy), None

    zero, one = jnp.zeros_like(shift), jnp.ones_like(shift)
    (inverse, square, energy), _ = sweep(up, (one, zero, zero), (T.a, T.after), reverse=True)
    change = (load * inverse * jnp.sqrt(square) - 1.0) * (square / energy)
    return jnp.where(jnp.isfinite(change), change, 0.0)  # in float32 squares may overflow beside a pole


def _vector(f: Factors, n: int, dtype: jnp.dtype) -> tuple[Entries, Array]:
    """An eigenvector of the leftmost eigenvalue, where T + shift is about singular, and 1 / its length.

    Of several the one that e_1 has a part along, if any.
    """
    h, length = _first_column(f)
    per_length = 1.0 / length
    aside = entries(ASIDE * (1.0 + 0.5 * jnp.cos(jnp.arange(n, dtype=dtype))))
    v = _solved(f, _solved(f, jax.tree.map(lambda h, some: per_length * h + some, h, aside)))
    return v, 1.0 / jnp.sqrt(inner(v, v))


def _to_boundary(h: Entries, v: Entries, load: Array, per_size: Array) -> Array:
    """The t of the smaller |t| for which -load h + t per_size v has length 1; 0 where there is none."""
    left, along = 1.0 - load * load * inner(h, h), -load * per_size * inner(h, v)
    square = along * along + left
    root = jnp.sqrt(jnp.maximum(square, 0.0))
    ahead = along + jnp.where(along < 0, -root, root)
    return jnp.where((square > 0) & (ahead != 0), left / jnp.where(ahead == 0, 1.0, ahead), 0.0)
