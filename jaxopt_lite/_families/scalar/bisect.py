"""Bisection: of the two halves of a bracket with a change of sign, one has the change.

The middle of the bracket is evaluated. It takes the place of the end with the same sign (Burden and Faires, Numerical
Analysis, section 2.1). After n halvings of [a, b] the bracket is |b - a| / 2^n long, so that

    ceil(log2(|b - a| / tol))                                                                   (1)

of them end the search whatever f is. A value of zero takes the place of the end a and ends the lane there: a root exactly
at an end or at a midpoint is found.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, in_bracket, middle, nearer, outcome, tolerance
from jaxopt_lite.core.protocol import Answer, Query, Told


class BisectState(NamedTuple):
    """A bracket; a value is inf until it is evaluated."""

    a: Array  # ()
    b: Array  # ()
    f_a: Array  # ()
    f_b: Array  # ()


def _init(x0: Array, data: BracketData) -> BisectState:
    inf = jnp.full_like(data.a, jnp.inf)
    return BisectState(data.a, data.b, inf, inf)


def _ask(s: BisectState, data: BracketData) -> Query:
    return Query(jnp.where(jnp.isinf(s.f_a), s.a, jnp.where(jnp.isinf(s.f_b), s.b, middle(s.a, s.b)))[None])


def _tell(s: BisectState, query: Query, answer: Answer, data: BracketData) -> Told:
    x, fx = query.x[0], answer.fun
    first = jnp.isinf(s.f_a)
    second = jnp.isinf(s.f_b) & ~first
    crossed = differ(fx, s.f_a)
    to_a = first | (~second & ~crossed) | (fx == 0)
    a, f_a = jnp.where(to_a, x, s.a), jnp.where(to_a, fx, s.f_a)
    b, f_b = jnp.where(to_a, s.b, x), jnp.where(to_a, s.f_b, fx)
    at, _ = nearer(a, f_a, b, f_b)
    narrow = jnp.abs(half(a, b)) <= 0.5 * tolerance(x, data)
    status = outcome(answer, data, first, second & ~crossed, narrow, at)
    return Told(BisectState(a, b, f_a, f_b), status, ~(first | second))


def _report(s: BisectState, data: BracketData) -> dict[str, Array]:
    x, fun = nearer(s.a, s.f_a, s.b, s.f_b)
    return {"x": x[None], "fun": fun}


BISECT = in_bracket("bisect", _init, _ask, _tell, _report)
