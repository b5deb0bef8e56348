"""Chandrupatla's method: inverse quadratic interpolation where it is safe, else bisection.

T. R. Chandrupatla, Advances in Engineering Software 28, 1997, 145-149. The newest point is a, the other end of the bracket
b, and c the point that left the bracket last. With

    xi = (a - b) / (c - b),   phi = (f(a) - f(b)) / (f(c) - f(b))                               (1)

the inverse quadratic through the three points is monotone between a and b, its root therefore inside, if and only if

    phi^2 < xi   and   (1 - phi)^2 < 1 - xi                                                     (2)

Then the next point is a + t (b - a) with

    t = f(a) / (f(b) - f(a)) f(c) / (f(b) - f(c)) + (c - a) / (b - a) f(a) / (f(c) - f(a)) f(b) / (f(c) - f(b))   (3)

and else t = 1/2; t stays tol / |b - a| away from 0 and 1. One test decides, where Brent has five. Under vmap every lane pays
for all branches, so this is the cheapest of the fast methods. No bound such as Brent's is proved. But where interpolation
fails, (2) is often false, and the most evaluations that were observed are some three times those of bisection.

The formulas are in ratios, which neither over- nor underflow where values and points do not. Where a difference is zero or
too large for the dtype, (2) is false.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, in_bracket, nearer, outcome, tolerance
from jaxopt_lite.core.protocol import Answer, Query, Told


class ChandrupatlaState(NamedTuple):
    """Three points, of which a and b are a bracket."""

    x: Array  # () point asked for
    a: Array  # () point before it
    f_a: Array  # () inf before the first evaluation
    b: Array  # () the other end
    f_b: Array  # ()


def _init(x0: Array, data: BracketData) -> ChandrupatlaState:
    inf = jnp.full_like(data.a, jnp.inf)
    return ChandrupatlaState(data.a, data.a, inf, data.a, inf)


def _ask(s: ChandrupatlaState, data: BracketData) -> Query:
    return Query(s.x[None])


def _tell(s: ChandrupatlaState, query: Query, answer: Answer, data: BracketData) -> Told:
    a, f_a = s.x, answer.fun
    first = jnp.isinf(s.f_a)
    second = jnp.isinf(s.f_b) & ~first
    crossed = differ(f_a, s.f_a)
    b, f_b = jnp.where(crossed, s.a, s.b), jnp.where(crossed, s.f_a, s.f_b)
    c, f_c = jnp.where(crossed, s.b, s.a), jnp.where(crossed, s.f_b, s.f_a)
    at, _ = nearer(a, f_a, b, f_b)
    least = 0.5 * tolerance(at, data)
    to_middle = half(a, b)
    narrow = jnp.abs(to_middle) <= least
    part = jnp.abs(to_middle) * jnp.clip(_fraction(a, b, c, f_a, f_b, f_c, to_middle), 0.0, 1.0)
    part = jnp.copysign(jnp.clip(part, 0.5 * least, jnp.abs(to_middle) - 0.5 * least), to_middle)
    x = jnp.where(first, data.b, a + part + part)  # the whole step may be longer than the largest number
    status = outcome(answer, data, first, second & ~crossed, narrow, at)
    return Told(ChandrupatlaState(x, a, f_a, b, f_b), status, ~(first | second))


def _fraction(a: Array, b: Array, c: Array, f_a: Array, f_b: Array, f_c: Array, to_middle: Array) -> Array:
    """t of equation (3), or 1/2."""
    xi = to_middle / half(c, b)
    phi = (f_a - f_b) / (f_c - f_b)
    safe = (phi * phi < xi) & ((1 - phi) * (1 - phi) < 1 - xi)
    t = f_a / (f_b - f_a) * (f_c / (f_b - f_c))
    t = t + half(a, c) / to_middle * (f_a / (f_c - f_a)) * (f_b / (f_c - f_b))
    return jnp.where(safe, t, 0.5)


def _report(s: ChandrupatlaState, data: BracketData) -> dict[str, Array]:
    x, fun = nearer(s.a, s.f_a, s.b, s.f_b)
    return {"x": x[None], "fun": fun}


CHANDRUPATLA = in_bracket("chandrupatla", _init, _ask, _tell, _report)
