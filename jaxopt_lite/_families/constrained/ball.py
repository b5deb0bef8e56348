"""The step of COBYLA inside of a ball: first as far as the rows want, then along the objective. An active set, exact.

At x, with slopes g of the objective and A of the rows, and the sides of A d, the step d of length at most `radius` comes
in two stages (Powell 1994, section 2):

1. The least d0 that satisfies the rows and the bounds, min |d|^2 / 2. If it is longer than the radius, it is cut there:
   every violation then shrinks by the same part, and what is satisfied stays so.
2. Else what is left of the radius is spent on g'd among the points that satisfy the rows.

*One path.* For t >= 0 let d(t) minimize |d|^2 / 2 + t g'd on the rows. d(0) = d0, |d(t)| grows with t, and where it meets
the radius d(t) minimizes g'd in the ball: its conditions of Karush, Kuhn and Tucker,

    d + t g + A'z = 0,     z_i >= 0 where the upper side of row i holds, <= 0 where the lower one does, else 0         (1)

are, divided by t, those of the second stage with 1 / t as the multiplier of the ball. So both stages are one dual active
set method on one tableau (`qp.py`), in which g is one more row, with t as its multiplier. Stage 1 moves the multipliers z
of violated rows one after another (Goldfarb & Idnani 1983). Stage 2 moves t: d(t) is a line until a z_i vanishes (row i
leaves the basis), or a row meets its side (it enters), or the ball is met,

    |d(t + s)|^2 = |d(t)|^2 + ((t + s)^2 - t^2) |p|^2,     p: what the basic rows leave of -g            (2)

for d(t) = d_W + t p, and d_W, the least point on the basic rows, is orthogonal to p. |p|^2 is the pivot of the row g. Each
event is one sweep of the tableau. Where p vanishes d is a vertex inside of the ball.

*Rows that contradict one another* have a price, as in `qp.py`: |z_i| is at most `price`, and d0 then is a step of least sum
of violations, in units in which the rows have slopes of length 1.

*Changed from Powell's* `trstlp`: his first stage lowers the largest violation, this one the way to the rows; both end on
the same points where the rows can be met. There is no loop over a working set with rotations: all choices are masks, and
all of it is in units of the radius and of the slopes of the rows.

Source: M. J. D. Powell, in Advances in Optimization and Numerical Analysis (1994) 51-67; D. Goldfarb, A. Idnani, Math.
Program. 27 (1983) 1.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.constrained.qp import CHANGES, HIGHEST, INDEPENDENT, PRICE, ROUNDINGS, SLIGHT, largest, sweep
from jaxopt_lite.core.dense import dot, lengths, matvec, norm

DEAREST = 1e4  # most of a price: rows that meet at less than its root do not draw the step to where they meet


class Model(NamedTuple):
    """Linear models of objective and rows about a point, and the ball around it."""

    grad: Array  # (n,) g
    A: Array  # (m, n)
    lower: Array  # (m,) sides of A d, -inf: none
    upper: Array  # (m,)
    box: tuple[Array, Array] | None  # (n,) bounds of d; None: there are none
    radius: Array  # () > 0


class Step(NamedTuple):
    """Where the two stages end."""

    d: Array  # (n,) of length at most the radius
    y: Array  # (m,) multipliers: of g, g + A'y + ... = 0, where the rows can be met, else weights of the violations
    cut: Array  # () bool: the rows contradict one another, or are farther away than the radius


class _Tableau(NamedTuple):
    T: Array  # (N + 1, N + 1) products of the rows, and of g, with the basic rows swept
    z: Array  # (N + 1,) multipliers, t is the last
    e: Array  # (N + 1,) the rows times d
    basic: Array  # (N + 1,) bool
    above: Array  # (N + 1,) bool: is the side that holds, or is sought, the upper one?
    going: Array  # (N + 1,) bool, one or none: the row whose multiplier moves
    left: Array  # () int32: changes that may still be made


class _Sides(NamedTuple):
    lower: Array  # (N + 1,) of the rows of length 1, in units of the radius
    upper: Array  # (N + 1,)
    equal: Array  # (N + 1,) bool: both sides are the same
    price: Array  # () most of |z|
    last: Array  # (N + 1,) bool: g
    flat: Array  # () bool: g is zero


def solve(q: Model) -> Step:
    """The step of the two stages."""
    n, m, dtype = q.grad.shape[0], q.A.shape[0], q.grad.dtype
    eps = float(jnp.finfo(dtype).eps)
    boxed = q.box is not None
    a = jnp.concatenate([q.A, *((jnp.eye(n, dtype=dtype),) if boxed else ()), q.grad[None]])
    size = lengths(a.T)
    used = size > 0
    a = a / jnp.where(used, size, 1.0)[:, None]
    none = jnp.full(1, jnp.inf, dtype)
    lower, upper = (
        jnp.concatenate([row, *((side,) if boxed else ()), sign * none])
        for row, side, sign in zip((q.lower, q.upper), q.box or (None, None), (-1.0, 1.0), strict=True)
    )
    unit = jnp.where(used, size, 1.0) * q.radius
    lower = jnp.where(used, lower / unit, -jnp.inf)  # a row without a slope has no wish
    upper = jnp.where(used, upper / unit, jnp.inf)
    N = m + (n if boxed else 0)
    last = jnp.arange(N + 1) == N
    wish = jnp.max(jnp.maximum(jnp.maximum(lower, -upper), 0.0))
    price = min(eps**-PRICE, DEAREST) * jnp.maximum(wish, 1.0)
    sides = _Sides(lower, upper, (lower == upper), price, last, ~used[-1])
    no, zero = jnp.zeros(N + 1, bool), jnp.zeros(N + 1, dtype)
    S = jnp.dot(a, a.T, precision=HIGHEST)
    start = _Tableau(S, zero, zero, no, no, no, jnp.full((), CHANGES * N + 10, jnp.int32))
    end = lax.while_loop(lambda t: t.left > 0, lambda t: _change(t, sides), start)

    d = -matvec(a.T, end.z)
    length = norm(d, 2)
    cut = ((end.z[-1] == 0) & (length > 1)) | jnp.any(~end.basic & ~last & (jnp.abs(end.z) >= price))
    d = d * (q.radius / jnp.maximum(length, 1.0))
    rate = -jnp.sum(jnp.where(last[None, :], end.T, 0.0), axis=1) * size[-1]
    rate = jnp.where(end.basic & ~last, rate, 0.0)
    rate = jnp.where(sides.equal, rate, jnp.where(end.above, jnp.maximum(rate, 0.0), jnp.minimum(rate, 0.0)))
    y = jnp.where(cut, end.z, rate) / jnp.where(used, size, 1.0)
    return Step(d, y[:m], cut)


def _change(t: _Tableau, data: _Sides) -> _Tableau:
    """One event on the path, or its end."""
    eps = float(jnp.finfo(t.z.dtype).eps)
    pivots = jnp.diagonal(t.T)
    independent = pivots > eps**INDEPENDENT
    over, under = t.e - data.upper, t.e - data.lower

    # whose multiplier moves: that of a violated row, and where there is none t
    wish = jnp.maximum(over, 0.0) + jnp.minimum(under, 0.0)
    wish = jnp.where(t.z > 0, jnp.minimum(over, 0.0), jnp.where(t.z < 0, jnp.maximum(under, 0.0), wish))
    least = jnp.where(independent, ROUNDINGS * eps, eps**SLIGHT)
    minded = ~t.basic & ~data.last & (jnp.abs(wish) > least)
    gain = jnp.where(minded, wish * wish / jnp.where(independent, pivots, eps**INDEPENDENT), 0.0)
    picked = largest(gain) & minded
    on_the_way, violated = jnp.any(t.going), jnp.any(minded)
    own = jnp.where(on_the_way, t.going, jnp.where(violated, picked, data.last))
    second = jnp.any(own & data.last)
    above = jnp.where(own & ~on_the_way, jnp.where(t.z == 0, wish > 0, t.z > 0), t.above)

    # how far: to the side of the row, or to the ball
    here = own.astype(t.z.dtype)
    column = jnp.sum(t.T * here[None, :], 1)
    pivot = dot(column, here)
    missing = dot(here, jnp.where(own & ~data.last, jnp.where(above, over, under), 0.0))
    sign = jnp.where(missing < 0, -1.0, 1.0).astype(t.z.dtype)
    whole = pivot > eps**INDEPENDENT
    pivot = jnp.where(whole, pivot, 1.0)
    room_left, now = jnp.maximum(1.0 + dot(t.z, t.e), 0.0) / pivot, t.z[-1]  # |d|^2 = -z'e
    to_ball = room_left / jnp.maximum(jnp.sqrt(now * now + room_left) + now, float(jnp.finfo(t.z.dtype).tiny))
    full = jnp.where(whole, jnp.where(second, to_ball, jnp.abs(missing) / pivot), jnp.inf)
    full = jnp.where(second & (room_left <= 0), 0.0, full)

    # what comes before: a multiplier at an end of its range, or, on the way of t, a row at its side
    rate = sign * jnp.where(t.basic, -column, here)
    rate = jnp.where(jnp.abs(rate) > ROUNDINGS * eps, rate, 0.0)
    most = jnp.where(second, jnp.inf, data.price)  # multipliers grow with t
    end = jnp.where(rate > 0, jnp.where(data.equal | above, most, 0.0), 0.0)
    end = jnp.where(rate < 0, jnp.where(data.equal | ~above, -most, 0.0), end)
    moves = (rate != 0) & ~data.last
    room = jnp.where(moves, jnp.maximum((end - t.z) / jnp.where(moves, rate, 1.0), 0.0), jnp.inf)
    speed = -sign * column
    meets = second & ~t.basic & ~data.last & independent & (jnp.abs(speed) > ROUNDINGS * eps)
    upward = jnp.where(t.z == 0, speed > 0, t.z > 0)
    gap = jnp.where(upward, -over, -under) / jnp.where(meets, speed, 1.0)
    meets &= (t.z == 0) | (gap > 0)
    until = jnp.where(meets, jnp.maximum(gap, 0.0), jnp.inf)
    leaving, entering = jnp.min(room), jnp.min(until)
    length = jnp.minimum(jnp.minimum(full, leaving), entering)
    arrived = full <= length
    enters = largest(-until) & (entering <= length) & ~arrived & second
    leaves = largest(-room) & (leaving <= length) & ~arrived & ~jnp.any(enters)
    ends = second & (arrived | ~(length < jnp.inf) | data.flat)
    length = jnp.where((length < jnp.inf) & ~(second & data.flat), length, 0.0)

    z = jnp.where(leaves & ~ends, end, t.z + length * rate)
    e = t.e - (sign * length) * jnp.where(t.basic, 0.0, column)
    inwards = jnp.where(second, enters, own & arrived)
    leaves &= ~ends
    inwards &= ~ends
    T = sweep(t.T, inwards | (leaves & ~own), jnp.any(inwards))
    basic = (t.basic | inwards) & ~leaves
    above = jnp.where(inwards & second, upward, above)
    going = own & ~(inwards & own) & ~(leaves & own)
    return _Tableau(T, z, e, basic, above, going, jnp.where(ends, 0, t.left - 1))
