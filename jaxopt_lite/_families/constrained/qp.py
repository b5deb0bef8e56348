"""The quadratic subproblem of a turn: a dual active set method on one tableau, exact and always solvable.

The step d from x, with H = B^{-1} positive definite, rows A and sides less the values at x, solves

    min g'd + d'B d / 2 + sum_i rho_i v_i(d),    v = max(lower - A d, A d - upper, 0),   low <= d <= high       (1)

Every v_i has a price rho_i that is large but finite. So (1) has a solution where the rows contradict one another: it is then
the step of least violation (an elastic program, Gill, Murray & Saunders 2005, section 1.2). Where they do not, and no
multiplier reaches rho, it is the step of the rows themselves.

The dual of (1) has one variable y_i for each row and each bound, and no constraint but a range: with a = [A; 1],

    min_y (g + a'y)'H(g + a'y) / 2 + upper'max(y, 0) + lower'min(y, 0),   |y_i| <= rho_i                        (2)

d = -H(g + a'y), and y_i is positive where the upper side holds, negative where the lower one does (Goldfarb & Idnani 1983,
whose method this is but for rho). A row is *basic* where its side holds, e_i = (a d)_i = side_i; else y_i is 0 or +-rho_i.
y = 0 is feasible, and each change lowers (2):

1. Pick the row whose wish, the distance to its side, promises most: wish^2 / pivot.
2. Move its y_k; the basic y_i follow such that their rows hold. End where row k holds (it becomes basic), or where a y_i
   reaches an end of its range (row i stops being basic, and k goes on from there).

All of it is read off the tableau of S = a H a', scaled to unit diagonal, in which the basic rows have been swept (Beaton's
operator: Goodnight, Am. Stat. 33 (1979) 149). Each change of the basis is one sweep, a rank-one update. A pivot is the
distance of a row from the span of the basic ones. Where it is rounding, the row depends on them: it never becomes basic.

*Changed for batches*: rows and bounds are entries of one vector, all choices are masks, and there is no factorization, whose
LAPACK calls would serve one lane after the other. After the last sweep the basic rows are corrected twice by what is left of
them in the data as given, so that the sweeps' rounding does not stay.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import dot, matvec, norm

PRICE = 0.4  # rho is eps to minus this power, in units of the largest wish: 2e6, and 600 in float32
INDEPENDENT = 2 / 3  # a pivot below this power of eps, of 1, is none
SLIGHT = 0.5  # a dependent row that is violated by less than this power of eps is not minded
ROUNDINGS = 32.0  # times eps: a wish that is no larger is rounding
CHANGES = 6  # times the number of rows and bounds, and ten: most changes of the basis
HARD = 1e3  # rho of a bound, in that of a row: the bounds are never in contradiction, for d = 0 is within them
HIGHEST = lax.Precision.HIGHEST


class Subproblem(NamedTuple):
    """The data of (1)."""

    H: Array  # (n, n)
    grad: Array  # (n,) g
    A: Array  # (m, n)
    lower: Array  # (m,) sides of A d, -inf: none
    upper: Array  # (m,)
    box: tuple[Array, Array] | None  # (n,) bounds of d around 0; None: there are none


class Step(NamedTuple):
    """The solution of (1)."""

    d: Array  # (n,) within the box, exactly
    Bd: Array  # (n,) B d = -(g + A'y + z)
    y: Array  # (m,) multipliers of the rows
    elastic: Array  # () bool: has a row reached its price? Then the rows contradict one another, or nearly


class _Tableau(NamedTuple):
    T: Array  # (N, N) S with the basic rows swept
    y: Array  # (N,)
    e: Array  # (N,) a d, scaled
    basic: Array  # (N,) bool
    above: Array  # (N,) bool: is the side that holds, or is sought, the upper one?
    going: Array  # (N,) bool, one or none: the row on its way into the basis
    left: Array  # () int32: changes that may still be made


class _Scaled(NamedTuple):
    lower: Array  # (N,)
    upper: Array  # (N,)
    equal: Array  # (N,) bool: both sides are the same
    price: Array  # (N,) rho
    least: Array  # () a smaller wish is rounding
    slight: Array  # () the same of a dependent row


def solve(q: Subproblem) -> Step:
    """The step of (1)."""
    free = -matvec(q.H, q.grad)
    if q.A.shape[0] == 0 and q.box is None:
        return Step(free, -q.grad, jnp.zeros(0, free.dtype), jnp.zeros((), bool))
    eps, tiny = float(jnp.finfo(free.dtype).eps), float(jnp.finfo(free.dtype).tiny)
    S, e, lower, upper = _gram(q, free)
    own = jnp.diagonal(S)
    scale = jnp.where(own > tiny, lax.rsqrt(jnp.where(own > tiny, own, 1.0)), 0.0)  # a row of zeros has no wish
    N, m = e.shape[0], q.A.shape[0]
    eye = jnp.eye(N, dtype=bool)
    S = jnp.where(eye, 1.0, S * scale[:, None] * scale[None, :])
    stretch = jnp.where(scale > 0, scale, 1.0)
    lower = jnp.where(scale > 0, lower * stretch, -jnp.inf)
    upper = jnp.where(scale > 0, upper * stretch, jnp.inf)
    e = scale * e
    wish = jnp.maximum(jnp.maximum(lower, -upper), 0.0)
    unit = jnp.maximum(norm(e), norm(wish))
    unit = jnp.where(unit > 0, unit, 1.0)
    price = eps**-PRICE * unit * jnp.where(jnp.arange(N) < m, 1.0, HARD).astype(e.dtype)
    data = _Scaled(lower, upper, lower == upper, price, ROUNDINGS * eps * unit, eps**SLIGHT * unit)
    none = jnp.zeros(N, bool)
    start = _Tableau(S, jnp.zeros_like(e), e, none, none, none, jnp.full((), CHANGES * N + 10, jnp.int32))
    end = lax.while_loop(lambda t: t.left > 0, lambda t: _change(t, data), start)
    return _read(q, end, data, scale)


def _gram(q: Subproblem, free: Array) -> tuple[Array, Array, Array, Array]:
    """a H a' and a d of the free step, with both sides (N,)."""
    AH = jnp.dot(q.A, q.H, precision=HIGHEST)
    S, e = jnp.dot(AH, q.A.T, precision=HIGHEST), matvec(q.A, free)
    if q.box is None:
        return S, e, q.lower, q.upper
    S = jnp.concatenate([jnp.concatenate([S, AH], 1), jnp.concatenate([AH.T, q.H], 1)])
    low, high = (jnp.concatenate(pair) for pair in ((q.lower, q.box[0]), (q.upper, q.box[1])))
    return S, jnp.concatenate([e, free]), low, high


def _change(t: _Tableau, data: _Scaled) -> _Tableau:
    """One change of the basis, or the end: nothing is left to change."""
    eps = float(jnp.finfo(t.y.dtype).eps)
    pivots = jnp.diagonal(t.T)
    independent = pivots > eps**INDEPENDENT
    over, under = t.e - data.upper, t.e - data.lower
    wish = jnp.maximum(over, 0.0) + jnp.minimum(under, 0.0)
    wish = jnp.where(t.y > 0, jnp.minimum(over, 0.0), jnp.where(t.y < 0, jnp.maximum(under, 0.0), wish))
    minded = ~t.basic & (jnp.abs(wish) > jnp.where(independent, data.least, data.slight))
    gain = jnp.where(minded, wish * wish / jnp.where(independent, pivots, eps**INDEPENDENT), 0.0)
    picked = largest(gain) & minded
    on_the_way = jnp.any(t.going)
    own = jnp.where(on_the_way, t.going, picked)
    sought = jnp.where(t.y == 0, wish > 0, t.y > 0)
    above = jnp.where(own & ~on_the_way, sought, t.above)

    here = own.astype(t.y.dtype)
    column = jnp.sum(t.T * here[None, :], 1)
    pivot = dot(column, here)
    missing = dot(here, jnp.where(own, jnp.where(above, over, under), 0.0))
    sign = jnp.where(missing < 0, -1.0, 1.0).astype(t.y.dtype)
    whole = pivot > eps**INDEPENDENT
    full = jnp.where(whole, jnp.abs(missing) / jnp.where(whole, pivot, 1.0), jnp.inf)
    rate = sign * jnp.where(t.basic, -column, here)
    rate = jnp.where(jnp.abs(rate) > ROUNDINGS * eps, rate, 0.0)
    end = jnp.where(rate > 0, jnp.where(data.equal | above, data.price, 0.0), 0.0)
    end = jnp.where(rate < 0, jnp.where(data.equal | ~above, -data.price, 0.0), end)
    room = jnp.where(rate != 0, jnp.maximum((end - t.y) / jnp.where(rate != 0, rate, 1.0), 0.0), jnp.inf)
    nearest = jnp.min(room)
    holds = full <= nearest
    length = jnp.minimum(full, nearest)
    length = jnp.where(jnp.any(own) & (length < jnp.inf), length, 0.0)
    leaves = largest(-room) & ~holds & jnp.any(own)
    y = jnp.where(leaves, end, t.y + length * rate)
    e = t.e - (sign * length) * jnp.where(t.basic, 0.0, column)
    given_up = jnp.any(leaves & own)

    swept = jnp.where(holds, own, leaves & ~own)
    T = sweep(t.T, swept, holds)
    basic = jnp.where(holds, t.basic | own, t.basic & ~leaves)
    left = jnp.where(jnp.any(own), t.left - 1, 0)
    return _Tableau(T, y, e, basic, above, own & ~holds & ~given_up, left)


def largest(a: Array) -> Array:
    """(N,) bool: the first of the largest entries."""
    return jnp.arange(a.shape[0], dtype=jnp.int32) == jnp.argmax(a).astype(jnp.int32)


def sweep(T: Array, swept: Array, enters: Array) -> Array:
    """The tableau after the one row that is `swept`, into the basis or out of it; the same where there is none."""
    here = swept.astype(T.dtype)
    column = jnp.sum(T * here[None, :], 1)
    pivot = dot(column, here)
    inverse = jnp.where(pivot != 0, 1.0 / jnp.where(pivot != 0, pivot, 1.0), 0.0)
    sign = jnp.where(enters, 1.0, -1.0).astype(T.dtype)
    border = jnp.where(swept, -sign, column) * (sign * inverse)
    inner = T - (inverse * column)[:, None] * column[None, :]
    return jnp.where(swept[:, None], border[None, :], jnp.where(swept[None, :], border[:, None], inner))


def _read(q: Subproblem, t: _Tableau, data: _Scaled, scale: Array) -> Step:
    """The step from y, after two corrections of the basic rows by the data as given."""
    m = q.A.shape[0]
    side = jnp.where(t.basic, jnp.where(t.above, data.upper, data.lower), 0.0)
    least = jnp.where(data.equal | ~t.above, -data.price, 0.0)
    most = jnp.where(data.equal | t.above, data.price, 0.0)

    def step(y: Array) -> tuple[Array, Array, Array]:
        rows = scale * y
        force = -(q.grad + matvec(q.A.T, rows[:m]))
        force = force if q.box is None else force - rows[m:]
        d = matvec(q.H, force)
        e = matvec(q.A, d)
        return d, force, scale * (e if q.box is None else jnp.concatenate([e, d]))

    def correct(_: Any, y: Array) -> Array:
        missing = jnp.where(t.basic, step(y)[2] - side, 0.0)
        better = y - matvec(t.T, missing)
        return jnp.where(t.basic, jnp.clip(better, least, most), y)

    y = lax.fori_loop(0, 2, correct, t.y)
    d, force, _ = step(y)
    if q.box is not None:
        low, high = q.box
        held, above = t.basic[m:], t.above[m:]
        d = jnp.clip(jnp.where(held, jnp.where(above, high, low), d), low, high)
    elastic = jnp.any((jnp.abs(y) >= data.price)[:m])
    return Step(d, force, (scale * y)[:m], elastic)
