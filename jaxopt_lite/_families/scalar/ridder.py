"""Ridders' method: false position on a function that an exponential has made a straight line.

C. J. F. Ridders, IEEE Transactions on Circuits and Systems 26, 1979, 979-980. With the middle m of the bracket [a, b], the
factor exp(c x) is chosen such that f(x) exp(c x) is a straight line through the values at a, m and b. The root of that
line is always inside of the bracket:

    x = m + (m - a) sign(f(a) - f(b)) f(m) / sqrt(f(m)^2 - f(a) f(b))                           (1)
      = m + (m - a) sign(f(a) - f(b)) sign(f(m)) / sqrt(1 - [f(a) / f(m)] [f(b) / f(m)])        (2)

(2) squares no values. The new bracket is the shortest with a change of sign whose ends are two of x, m, a and b. It is at
most half as long as the old one. An iteration takes two turns, the first at m and the second at x. As in SciPy, x stays
tol / 2 away from the ends.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, in_bracket, middle, nearer, outcome, tolerance
from jaxopt_lite.core.protocol import Answer, Query, Told


class RidderState(NamedTuple):
    """A bracket and its middle; a value is inf until it is evaluated."""

    a: Array  # ()
    b: Array  # ()
    f_a: Array  # ()
    f_b: Array  # ()
    f_m: Array  # () at the middle; inf: the middle is asked for next


def _init(x0: Array, data: BracketData) -> RidderState:
    inf = jnp.full_like(data.a, jnp.inf)
    return RidderState(data.a, data.b, inf, inf, inf)


def _ask(s: RidderState, data: BracketData) -> Query:
    m, to_middle = middle(s.a, s.b), half(s.a, s.b)
    f_m = jnp.where(jnp.isinf(s.f_m) | (s.f_m == 0), 1.0, s.f_m)
    part = 1 / jnp.sqrt(1 - (s.f_a / f_m) * (s.f_b / f_m))
    most = jnp.abs(to_middle) - 0.5 * tolerance(m, data)
    away = jnp.minimum(jnp.abs(to_middle) * part, most) * jnp.sign(to_middle)
    x = jnp.where(jnp.isinf(s.f_m), m, jnp.where(differ(f_m, s.f_a), m - away, m + away))
    return Query(jnp.where(jnp.isinf(s.f_a), s.a, jnp.where(jnp.isinf(s.f_b), s.b, x))[None])


def _tell(s: RidderState, query: Query, answer: Answer, data: BracketData) -> Told:
    x, fx = query.x[0], answer.fun
    first = jnp.isinf(s.f_a)
    second = jnp.isinf(s.f_b) & ~first
    at_middle = jnp.isinf(s.f_m) & ~(first | second)
    m = middle(s.a, s.b)
    crossed = differ(fx, s.f_a)
    # x is the root of the line: if the sign changes between x and the middle, the middle becomes an end.
    between = differ(fx, s.f_m) & ~(first | second | at_middle)
    end_a = first | (fx == 0) | (~(second | at_middle) & ~crossed)
    end_b = ~end_a & ~at_middle
    a, f_a = (
        jnp.where(end_a, x, jnp.where(between & crossed, m, s.a)),
        jnp.where(end_a, fx, jnp.where(between & crossed, s.f_m, s.f_a)),
    )
    b, f_b = (
        jnp.where(end_b, x, jnp.where(between & ~crossed, m, s.b)),
        jnp.where(end_b, fx, jnp.where(between & ~crossed, s.f_m, s.f_b)),
    )
    at, _ = nearer(a, f_a, b, f_b)
    narrow = (jnp.abs(half(a, b)) <= 0.5 * tolerance(at, data)) & ~at_middle
    status = outcome(answer, data, first, second & ~crossed, narrow, at)
    f_m = jnp.where(at_middle, fx, jnp.inf)
    return Told(RidderState(a, b, f_a, f_b, f_m), status, ~(first | second | at_middle))


def _report(s: RidderState, data: BracketData) -> dict[str, Array]:
    x, fun = nearer(s.a, s.f_a, s.b, s.f_b)
    return {"x": x[None], "fun": fun}


RIDDER = in_bracket("ridder", _init, _ask, _tell, _report)
