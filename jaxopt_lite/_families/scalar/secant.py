"""The secant method: Newton's with the slope of the line through the last two points.

With u = pre - x, where `pre` is the point before x, and the ratio r of the smaller value to the larger,

    step = u r / (r - 1),  r = f(x) / f(pre);    step = u / (1 - r),  r = f(pre) / f(x)         (1)

(Dahlquist and Bjorck, Numerical Methods, 1974, section 6.4; the order is 1.62.) There is no bracket and no promise.

`last` is the step that led to x, and `step` is the one that leads on. The lane ends where both are as short as asked, and
step turns back or is no more than half of last,

    |step| <= tol,  |last| <= tol,  |step| <= |last| / 2                                        (2)

or, for a root of multiplicity above two, where the steps keep a ratio 1 - 1/m and the way left is m steps,

    |step| <= SHORT tol,  |last| <= tol,  |step| <= SLOWEST |last|                              (3)

Points that flee from a pole take short steps too, but each is longer than the last. Points that flee to infinity along a
tail take steps of about the same length. Neither passes (2) or (3). f has been evaluated at the point that is returned. No
step is shorter than two roundings of x. Beside an enormous value a step may be so short that rounding leaves x as it is; two
roundings away, the next value gives the slope.

Two equal values have no secant, and the lane ends with NUMERICAL. They may be the rounding of f at a root, or a minimum of
|f|.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.bracket import resolution, success, tolerance
from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core.implicit import root
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.rank import NEAREST_ZERO
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, NOT_FINITE, NUMERICAL, RUNNING
from jaxopt_lite.core.stopping import OPEN_XTOL

APART = 1e-4  # relative distance of the second start, where only one is given: SciPy's
SHORT, SLOWEST = 0.4, 0.9  # of (3): the way left is then 4 tol at most; 0.9 is the ratio at a root of multiplicity ten


class SecantData(NamedTuple):
    """Traced numbers of a run."""

    x0: Array  # ()
    x1: Array  # ()
    xtol: Array  # () wanted length of the last steps, absolute
    rtol: Array  # () and relative


class SecantState(NamedTuple):
    """Two points; `pre` is the last one that was evaluated."""

    x: Array  # () point asked for
    pre: Array  # () point before it
    f_pre: Array  # () f at pre; inf before the first evaluation


OPTIONS = {
    "xtol": Option(None, POSITIVE_OR_ZERO, "Absolute length of the last steps that is wanted. Default 1.48e-8."),
    "rtol": Option(0.0, POSITIVE_OR_ZERO, "Relative length that is wanted, beside xtol; never less than 4 eps."),
}


def prepare(options: dict[str, Any], x0: Array) -> SecantData:
    """The data record from options; the second start is `x1`."""
    x, x1 = x0[0], options["x1"]
    xtol = OPEN_XTOL if options["xtol"] is None else options["xtol"]
    further = x + jnp.copysign(APART * (1 + jnp.abs(x)), x)
    x1 = further if x1 is None else jnp.asarray(x1).astype(x.dtype)
    return SecantData(x, x1, *(jnp.asarray(v).astype(x.dtype) for v in (xtol, options["rtol"])))


def _init(x0: Array, data: SecantData) -> SecantState:
    return SecantState(data.x0, data.x0, jnp.full_like(data.x0, jnp.inf))


def _ask(s: SecantState, data: SecantData) -> Query:
    return Query(s.x[None])


def _tell(s: SecantState, query: Query, answer: Answer, data: SecantData) -> Told:
    x, fx, last = s.x, answer.fun, s.x - s.pre
    first = jnp.isinf(s.f_pre)
    falls = jnp.abs(fx) < jnp.abs(s.f_pre)
    r = jnp.where(falls, fx, s.f_pre) / jnp.where(falls, s.f_pre, fx)
    step = jnp.where(falls, last * r, last) / jnp.where(falls, 1 - r, r - 1)
    status = jnp.where(fx == s.f_pre, NUMERICAL, contracting(x, last, step, data))
    status = jnp.where(data.x0 == data.x1, BAD_INPUT, jnp.where(first, RUNNING, status))
    status = jnp.where(answer.finite, jnp.where(fx == 0, CONVERGED, status), NOT_FINITE)
    second = (s.pre == data.x0) & (x == data.x1)
    least = 0.5 * resolution(x)
    step = jnp.where(jnp.abs(step) < least, jnp.copysign(least, step), step)
    return Told(SecantState(jnp.where(first, data.x1, x + step), x, fx), status, ~(first | second))


def contracting(x: Array, last: Array, step: Array, data: Any) -> Array:
    """The status of an open method at x by (2) and (3), after the step `last` and before the step `step`."""
    size, before, tol = jnp.abs(step), jnp.abs(last), tolerance(x, data)
    slower = (size <= SHORT * tol) & (size <= SLOWEST * before)
    turned = (step < 0) != (last < 0)
    ends = (jnp.maximum(size, before) <= tol) & ((2 * size <= before) | slower | turned | (x + step == x))
    return jnp.where(ends, success(x, data), RUNNING)


def _report(s: SecantState, data: SecantData) -> dict[str, Array]:
    return {"x": s.pre[None], "fun": s.f_pre}


SECANT = Method("secant", VALUE, _init, _ask, _tell, _report, root, rank=NEAREST_ZERO)
