"""What the root finders on a bracket share: the ends, the tolerance, and when a narrow bracket holds a root.

A bracket is two points where f has opposite signs. Signs are compared, and values are never multiplied: the product of two
small values may underflow to zero. A bracket is narrow at x when it is no longer than

    tol(x) = max(xtol + rtol |x|, 4 eps |x|)                                                    (1)

The first is the accuracy that was asked for, and the second is what the dtype resolves. Where the second is larger, the
lane ends with PRECISION.

At a pole f changes its sign too, but has no root: |f| grows without limit as the bracket shrinks toward the pole, while it
falls toward a root of a continuous f. So a success stands where the end that is returned has the least |f| of all points of
the run. Where it has not, or where the bracket was narrow from the start, the loop turns the success into a claim
(`core/loop.py`). The slope at that end then decides (`core/certificate.py`). A jump from one sign to the other counts as a
root.

The first two turns ask for the ends. In the states infinity stands for a value that is not evaluated yet. No real value is
infinite there, because these methods end a lane at the first value that is not finite.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core.certificate import zero
from jaxopt_lite.core.implicit import root
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method
from jaxopt_lite.core.rank import NEAREST_ZERO
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, NOT_FINITE, PRECISION, RUNNING
from jaxopt_lite.core.stopping import ROOT_XTOL, root_rtol

RESOLVED = 4  # times eps: SciPy's least rtol, two units in the last place on either side of x


class BracketData(NamedTuple):
    """Traced numbers of a run."""

    a: Array  # () the ends that were given, in any order
    b: Array  # ()
    xtol: Array  # () wanted accuracy of x, absolute
    rtol: Array  # () and relative


OPTIONS = {
    "xtol": Option(None, POSITIVE_OR_ZERO, "Absolute accuracy of the root that is wanted. Default 2e-12."),
    "rtol": Option(None, POSITIVE_OR_ZERO, "Relative accuracy that is wanted, beside xtol. Default, and least: 4 eps."),
}


def prepare(options: dict[str, Any], x0: Array) -> BracketData:
    """The data record from options; `bracket` are the two ends."""
    a, b = options["bracket"]
    xtol = ROOT_XTOL if options["xtol"] is None else options["xtol"]
    rtol = root_rtol(x0.dtype) if options["rtol"] is None else options["rtol"]
    return BracketData(*(jnp.asarray(v).astype(x0.dtype) for v in (a, b, xtol, rtol)))


def resolution(x: Array) -> Array:
    """What the dtype resolves near x."""
    return RESOLVED * jnp.finfo(x.dtype).eps * jnp.abs(x)


def tolerance(x: Array, data: Any) -> Array:
    """Equation (1)."""
    return jnp.maximum(data.xtol + data.rtol * jnp.abs(x), resolution(x))


def success(x: Array, data: Any) -> Array:
    """CONVERGED, or PRECISION where the accuracy that was asked for is less than the dtype resolves."""
    return jnp.where(data.xtol + data.rtol * jnp.abs(x) < resolution(x), PRECISION, CONVERGED)


def half(a: Array, b: Array) -> Array:
    """(b - a) / 2, without b - a, which may overflow."""
    return 0.5 * b - 0.5 * a


def middle(a: Array, b: Array) -> Array:
    """The midpoint, without a + b, which may overflow."""
    return 0.5 * a + 0.5 * b


def differ(f: Array, g: Array) -> Array:
    """Are the signs of two values that are not zero opposite?"""
    return (f < 0) != (g < 0)


def nearer(a: Array, f_a: Array, b: Array, f_b: Array) -> tuple[Array, Array]:
    """The end with the smaller value, and its value."""
    ahead = jnp.abs(f_a) <= jnp.abs(f_b)
    return jnp.where(ahead, a, b), jnp.where(ahead, f_a, f_b)


def outcome(answer: Answer, data: BracketData, first: Array, unbracketed: Array, narrow: Array, x: Array) -> Array:
    """The status of a lane. `narrow` and `unbracketed` count after the `first` turn; x is the end that would be returned."""
    status = jnp.where(narrow, success(x, data), RUNNING)
    status = jnp.where(first, RUNNING, jnp.where(unbracketed, BAD_INPUT, status))
    status = jnp.where(answer.finite, jnp.where(answer.fun == 0, CONVERGED, status), NOT_FINITE)
    good = jnp.isfinite(data.a) & jnp.isfinite(data.b) & (data.a != data.b)
    return jnp.where(good, status, BAD_INPUT)


def in_bracket(name: str, init: Callable, ask: Callable, tell: Callable, report: Callable) -> Method:
    """A method that shrinks a bracket; its successes are proved where they are no more than claims."""
    return Method(name, VALUE, init, ask, tell, report, root, certificate=zero, rank=NEAREST_ZERO, doubts=_may_be_a_pole)


def _may_be_a_pole(fields: dict[str, Array], best: Answer, iterations: Array) -> Array:
    """() bool: has the end that is returned a larger |f| than another point of the run, or did no iteration lead to it?"""
    grown = jnp.abs(fields["fun"]) > jnp.abs(best.fun)
    unseen = (iterations == 0) & (fields["fun"] != 0)
    return grown | unseen
