"""TOMS Algorithm 748: inverse cubic interpolation, with a bracket that at least halves in every iteration.

G. E. Alefeld, F. A. Potra, Y. Shi, ACM Transactions on Mathematical Software 21, 1995, 327-344: algorithm 4.1 for k = 1,
4.2 for k = 2. Beside the bracket [a, b] there are the last two points that left it, d and then e. An iteration is

    k times: the zero of the inverse cubic through a, b, d, e, if the four values differ and it is inside; else k' + 1
             Newton steps, from the end where they are monotone, for the quadratic through a, b, d        (k' = 1 .. k)   (1)
    then:    a secant step of double length from the better end u, u - 2 f(u) (b - a) / (f(b) - f(a)),
             cut at the middle                                                                                       (2)
    then:    the middle, if the bracket is still longer than half of what it was at the start of the iteration     (3)

Step (2) is meant to overshoot: from one side of the root to the other, so that both ends close in. At worst an iteration
costs k + 2 evaluations and halves the bracket: (k + 2) log2(|b - a| / tol) in all; for a smooth f the order is 1.65 an
evaluation for k = 1.

Each of these evaluations is a phase of the state and takes one turn. Before them comes one secant step. The quadratic is
written in z = (x - a) / (b - a), so that its coefficients have the scale of f, whatever the scale of x is. Where the
step (2) is rounded away, the point is tol away from u; or 1/32 of the bracket away, where f(u) is too small beside the other
value for a secant. The lane ends in the turn in which the bracket becomes narrow, not at the end of the iteration, and
returns the better end.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar import bracket
from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, in_bracket, middle, nearer, outcome, tolerance
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import STATIC, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import RUNNING

END_A, END_B, SECANT, INTERPOLATE = -2, -1, 0, 1  # phases; then k - 1 more interpolations, the double step, the middle
LOST = 2.0**-50  # where |f(u)| is less than this share of the other value, their secant ends at u (SciPy's choice)


class TomsState(NamedTuple):
    """The bracket, the points that left it, and the phase of the iteration; a value is inf until it is evaluated."""

    x: Array  # () point asked for
    a: Array  # ()
    f_a: Array  # ()
    b: Array  # ()
    f_b: Array  # ()
    d: Array  # () the point that left the bracket last
    f_d: Array  # ()
    e: Array  # () the point that left it before d
    f_e: Array  # ()
    width: Array  # () of the bracket at the start of the iteration
    phase: Array  # () int32: which step x comes from


OPTIONS = bracket.OPTIONS | {"k": Option(1, STATIC, "Interpolations an iteration, at least 1; static. 2 for a smooth f.")}


def _init(x0: Array, data: BracketData) -> TomsState:
    a, b, inf = data.a, data.b, jnp.full_like(data.a, jnp.inf)
    return TomsState(a, a, inf, b, inf, a, inf, a, inf, inf, jnp.full((), END_A, jnp.int32))


def _ask(s: TomsState, data: BracketData) -> Query:
    return Query(s.x[None])


def _tell(s: TomsState, query: Query, answer: Answer, data: BracketData, k: int) -> Told:
    x, fx, phase = s.x, answer.fun, s.phase
    first, second = phase == END_A, phase == END_B
    crossed = differ(fx, s.f_a)
    to_a = (first | ~crossed | (fx == 0)) & ~second
    to_a = to_a | (second & (fx == 0))
    inner = ~(first | second)
    pick = lambda new, old: jnp.where(inner, new, old)
    d, f_d = pick(jnp.where(to_a, s.a, s.b), s.d), pick(jnp.where(to_a, s.f_a, s.f_b), s.f_d)
    e, f_e = pick(s.d, s.e), pick(s.f_d, s.f_e)
    a, f_a = jnp.where(to_a, x, s.a), jnp.where(to_a, fx, s.f_a)
    b, f_b = jnp.where(to_a, s.b, x), jnp.where(to_a, s.f_b, fx)
    at, _ = nearer(a, f_a, b, f_b)
    width = jnp.abs(half(a, b))
    narrow = width <= 0.5 * tolerance(at, data)
    status = outcome(answer, data, first, second & ~crossed, narrow, at)

    too_wide = (phase == k + 1) & (width > 0.5 * s.width)
    over = (phase == SECANT) | ((phase == k + 1) & ~too_wide) | (phase == k + 2)
    phase = jnp.where(over, INTERPOLATE, phase + 1)
    points = TomsState(x, a, f_a, b, f_b, d, f_d, e, f_e, jnp.where(over, width, s.width), phase)
    x = jnp.where(phase == SECANT, _secant(points), jnp.where(phase <= k, _interpolated(points, k), _double(points, data)))
    inside = (jnp.minimum(a, b) < x) & (x < jnp.maximum(a, b)) & (phase != k + 2)
    x = jnp.where(first, data.b, jnp.where(inside, x, middle(a, b)))
    return Told(points._replace(x=x), status, inner & (over | (status != RUNNING)))


def _secant(s: TomsState) -> Array:
    return s.a - (s.b - s.a) * (s.f_a / (s.f_b - s.f_a))


def _interpolated(s: TomsState, k: int) -> Array:
    """Equation (1)."""
    a, b, d, e, f_a, f_b, f_d, f_e = s.a, s.b, s.d, s.e, s.f_a, s.f_b, s.f_d, s.f_e
    q11 = (d - e) * (f_d / (f_e - f_d))
    q21, d21 = (b - d) * (f_b / (f_d - f_b)), (b - d) * (f_d / (f_d - f_b))
    q31, d31 = (a - b) * (f_a / (f_b - f_a)), (a - b) * (f_b / (f_b - f_a))
    q22, d32 = (d21 - q11) * (f_b / (f_e - f_b)), (d31 - q21) * (f_d / (f_d - f_a))
    q32 = (d31 - q21) * (f_a / (f_d - f_a))
    q33 = (d32 - q22) * (f_a / (f_e - f_a))
    cubic = a + (q31 + q32 + q33)
    apart = (f_a != f_d) & (f_a != f_e) & (f_b != f_d) & (f_b != f_e) & (f_d != f_e) & ~jnp.isinf(f_e)
    inside = (jnp.minimum(a, b) < cubic) & (cubic < jnp.maximum(a, b))

    at_d = (d - a) / (b - a)
    slope = f_b - f_a
    bend = ((f_d - f_b) / (at_d - 1) - slope) / at_d
    z = jnp.where(differ(bend, f_a), 1.0, 0.0).astype(a.dtype)
    for step in range(k + 1):
        value, change = f_a + (slope + bend * (z - 1)) * z, slope + bend * (2 * z - 1)
        z = jnp.where(step <= s.phase, z - value / change, z)
    return jnp.where(apart & inside, cubic, a + z * (b - a))


def _double(s: TomsState, data: BracketData) -> Array:
    """Equation (2)."""
    u, f_u = nearer(s.a, s.f_a, s.b, s.f_b)
    ahead = u == s.a
    other, f_other = jnp.where(ahead, s.b, s.a), jnp.where(ahead, s.f_b, s.f_a)
    step = 2 * (other - u) * (f_u / (f_u - f_other))
    still = jnp.abs(step) <= jnp.finfo(u.dtype).eps * jnp.abs(u)
    least = jnp.copysign(tolerance(u, data), other - u)
    least = jnp.where(jnp.abs(f_u) < LOST * jnp.abs(f_other), (other - u) / 32, least)
    step = jnp.where(still, least, step)
    return jnp.where(jnp.abs(step) > jnp.abs(half(u, other)), middle(u, other), u + step)


def _report(s: TomsState, data: BracketData) -> dict[str, Array]:
    x, fun = nearer(s.a, s.f_a, s.b, s.f_b)
    return {"x": x[None], "fun": fun}


def build(options: dict[str, Any]) -> Method:
    """TOMS 748 with k interpolations an iteration."""
    return toms748(options["k"])


@kept()
def toms748(k: int) -> Method:
    """One method for each k."""
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ValueError(f"option 'k' is {k!r}; give an integer >= 1.")
    return in_bracket("toms748", _init, _ask, functools.partial(_tell, k=k), _report)
