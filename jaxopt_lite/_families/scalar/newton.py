"""Newton's and Halley's methods, alone or kept in a bracket.

    newton:  step = -f / f'                                                                     (1)
    halley:  step = -(f / f') / (1 - f f'' / (2 f'^2))     where the second term is below 1     (2)

(Traub, Iterative Methods for the Solution of Equations, 1964, sections 1.2 and 5.2; orders 2 and 3.) A lane without a
bracket ends by the rules (2) and (3) of `secant.py`, so that f has been evaluated at the point that is returned. A
derivative of zero ends it with NUMERICAL.

Let two steps be shorter than sqrt(eps) |x|, and the second longer than half of the first. They may follow the rounding of f
at a root. They may also be a cycle of a function that varies over such distances, as (x - c)^3 - 2 (x - c) + 2 does for a
large c. They count as rounding only where f changes its sign between the two points and |f| has fallen to sqrt(eps) of its
largest value. The lane then ends with PRECISION.

With a bracket (Press et al., Numerical Recipes, section 9.4) both ends are evaluated, and every point takes the place of
the end with its sign. A step that would leave the bracket, or that is longer than half of the one before it, is replaced by
one to the middle: every turn at least halves the step or the bracket. The lane ends where such a step would be half as
short as asked (near a fourfold root it is a quarter of the way) and a secant step is no longer than four times what was
asked (the slope at x may hold at x alone), or where the bracket is narrow. In both cases the slope at x, which is an end of
the bracket now, must have the sign that leads from the negative end to the positive one. Beside a pole it has the other
sign: however short Newton's step is, it points out of the bracket. Steps shorter than sqrt(eps) |x| that do not halve may
follow the rounding of f on one side of a root. The middle of the bracket would lead far away from the root. So the next
step is FARTHER times the last one, toward the inside of the bracket. Such steps grow until they cross the root, or leave
the region where f is rounding.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar import bracket, secant
from jaxopt_lite._families.scalar.bracket import BracketData, differ, half, middle, outcome, tolerance
from jaxopt_lite._families.scalar.secant import contracting
from jaxopt_lite._needs.residuals import BEND, SLOPE
from jaxopt_lite.core.implicit import root
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Answer, Method, Need, Query, Told
from jaxopt_lite.core.rank import NEAREST_ZERO
from jaxopt_lite.core.status import CONVERGED, NOT_FINITE, NUMERICAL, PRECISION, RUNNING, is_success
from jaxopt_lite.core.stopping import OPEN_XTOL, value_resolution

FARTHER = 4.0  # times the last step, see above: 13 such steps grow from eps to sqrt(eps) in float64


class OpenData(NamedTuple):
    """Traced numbers of a run without a bracket."""

    xtol: Array  # () wanted length of the last steps, absolute
    rtol: Array  # () and relative


class OpenState(NamedTuple):
    """Two points; `pre` is the last one evaluated. Nothing here depends on the status: XLA would compute it again."""

    x: Array  # () point asked for
    pre: Array  # () point before it; inf at the start
    f_pre: Array  # () f at pre
    top: Array  # () largest |f|


class SafeData(NamedTuple):
    """Traced numbers of a run in a bracket."""

    ends: BracketData
    start: Array  # () the first point after the ends


class SafeState(NamedTuple):
    """A point in its bracket."""

    x: Array  # () point asked for; of a lane that has ended, the last one evaluated
    fx: Array  # () f at the point before x, or at x in a lane that has ended; inf before the first evaluation
    step: Array  # () the step that led to x; inf until both ends are evaluated
    negative: Array  # () end where f < 0
    positive: Array  # () end where f > 0


OPTIONS = secant.OPTIONS | {
    name: option._replace(default=None, doc=f"{option.doc[:-1]}; with a bracket as for 'brentq'.")
    for name, option in secant.OPTIONS.items()
}


def prepare(options: dict[str, Any], x0: Array) -> OpenData | SafeData:
    """The data record from options; `bracket` are two ends, or None."""
    if options["bracket"] is not None:
        ends, start = bracket.prepare(options, x0), options["x0"]
        return SafeData(ends, middle(ends.a, ends.b) if start is None else x0[0])
    xtol = OPEN_XTOL if options["xtol"] is None else options["xtol"]
    rtol = 0.0 if options["rtol"] is None else options["rtol"]
    return OpenData(*(jnp.asarray(v).astype(x0.dtype) for v in (xtol, rtol)))


def _ask(s: Any, data: Any) -> Query:
    return Query(s.x[None], jnp.ones_like(s.x)[None])


def _step(answer: Answer) -> tuple[Array, Array]:
    """Equation (1), or (2) where there is a second derivative; and whether the derivative is zero."""
    slope = answer.jacobian[0, 0]
    flat = slope == 0
    slope = jnp.where(flat, 1.0, slope)
    step = -answer.fun / slope
    if answer.curvature is None:
        return step, flat
    second = -0.5 * step * (answer.curvature[0] / slope)
    return step / jnp.where(jnp.abs(second) < 1, 1 - second, 1.0), flat


def _open_init(x0: Array, data: OpenData) -> OpenState:
    inf = jnp.full((), jnp.inf, x0.dtype)
    return OpenState(x0[0], inf, inf, jnp.zeros_like(inf))


def _open_tell(s: OpenState, query: Query, answer: Answer, data: OpenData) -> Told:
    step, flat = _step(answer)
    x, fx, last, small = s.x, answer.fun, s.x - s.pre, value_resolution(s.x.dtype)
    fallen = (jnp.abs(fx) <= small * s.top) & differ(fx, s.f_pre)
    lost = fallen & (2 * jnp.abs(step) > jnp.abs(last)) & (jnp.abs(step) <= small * jnp.abs(x))
    status = jnp.where(lost, PRECISION, contracting(x, last, step, data))
    status = jnp.where(flat, NUMERICAL, status)
    status = jnp.where(answer.finite, jnp.where(fx == 0, CONVERGED, status), NOT_FINITE)
    return Told(OpenState(x + step, x, fx, jnp.maximum(s.top, jnp.abs(fx))), status, ~jnp.isinf(s.pre))


def _safe_init(x0: Array, data: SafeData) -> SafeState:
    a, inf = data.ends.a, jnp.full_like(data.ends.a, jnp.inf)
    return SafeState(a, inf, inf, a, a)


def _safe_tell(s: SafeState, query: Query, answer: Answer, data: SafeData) -> Told:
    x, fx, ends = s.x, answer.fun, data.ends
    first = jnp.isinf(s.fx)
    second = jnp.isinf(s.step) & ~first
    below = fx < 0
    negative, positive = jnp.where(below, x, s.negative), jnp.where(below, s.positive, x)
    low, high = jnp.minimum(negative, positive), jnp.maximum(negative, positive)

    step, flat = _step(answer)
    halved = (jnp.abs(step) <= 0.5 * jnp.abs(s.step)) & ~(second | flat)
    tol, noise = tolerance(x, ends), value_resolution(x.dtype) * jnp.abs(x)
    lost = (jnp.maximum(jnp.abs(step), jnp.abs(s.step)) <= noise) & ~(halved | second | flat)
    across = FARTHER * jnp.where(x == low, jnp.abs(s.step), -jnp.abs(s.step))
    step = jnp.where(lost, across, step)
    taken = (halved | lost) & (low < x + step) & (x + step < high)
    rising = flat | ((answer.jacobian[0, 0] > 0) == (negative < positive))
    closed = jnp.abs(half(low, high)) <= 0.5 * tol
    secant = jnp.abs(s.step) * jnp.abs(fx / (fx - s.fx))
    narrow = closed | (halved & rising & (jnp.abs(step) <= 0.5 * tol) & (secant <= 4 * tol))
    status = outcome(answer, ends, first, second & ~differ(fx, s.fx), narrow, x)
    status = jnp.where(is_success(status) & (fx != 0) & ~rising, NOT_FINITE, status)

    start = jnp.where((low < data.start) & (data.start < high), data.start, middle(low, high))
    ahead = jnp.where(second, start, jnp.where(taken, x + step, middle(low, high)))
    ahead = jnp.where(first, ends.b, ahead)
    new = jnp.where(status == RUNNING, ahead, x)
    most = jnp.finfo(x.dtype).max
    # After the ends the bracket itself is the step that the next one must halve.
    led = jnp.where(first, jnp.inf, jnp.clip(jnp.where(second, high - low, ahead - x), -most, most))
    return Told(SafeState(new, fx, led, negative, positive), status, ~(first | second))


def _open_report(s: OpenState, data: OpenData) -> dict[str, Array]:
    return {"x": s.pre[None], "fun": s.f_pre}


def _safe_report(s: SafeState, data: SafeData) -> dict[str, Array]:
    return {"x": s.x[None], "fun": s.fx}


@kept()
def _method(name: str, needs: Need, bracketed: bool) -> Method:
    if bracketed:
        return Method(name, needs, _safe_init, _ask, _safe_tell, _safe_report, root, rank=NEAREST_ZERO)
    return Method(name, needs, _open_init, _ask, _open_tell, _open_report, root, rank=NEAREST_ZERO)


def newton(options: dict[str, Any]) -> Method:
    """Newton's method."""
    return _method("newton", SLOPE, options["bounded"])


def halley(options: dict[str, Any]) -> Method:
    """Halley's method."""
    return _method("halley", BEND, options["bounded"])
