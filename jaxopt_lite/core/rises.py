"""A second look at a minimizer of one variable: does the function rise on both sides of it, by more than rounding?

Where f(x) is large beside what f gains near x, many points have its value, or one that differs by its last digit. A search
that compares values may take the last digit for a rise, and cut off the side on which the minimum lies. It knows where that
may have happened: at the end of the search one of the points beside x has the value of x. Then success is but a claim, and
here it is decided. From x upward, and then downward, f is evaluated at

    x + LOOK tol1,  x + (LOOK + LOOK OVER) tol1,  ...   until it rises by more than eps |f|            (1)

where tol1 is the accuracy that was asked for. A lower point on the way becomes x, because no point may be lower than the
answer. The claim stands if both sides rise. It is refused where f falls by more than TRUSTED eps |f| in all, and where it
is level as far as numbers go. Of 100 functions with an offset that hides them one or two are looked at so, and of those
without one next to none. Such a look takes two evaluations, and two more for each tenfold width of what is level.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.certificate import walk
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import BUDGET, decided

LOOK = 20.0  # times tol1: where the minimum is flat, nearer points have the values that are known already
OVER = 10.0
TRUSTED = 16.0  # roundings of f: more than that is lost by nobody who sums up a few terms


class Look(NamedTuple):
    """How far the function is known."""

    x: Array  # () the lowest point
    fun: Array  # () there
    step: Array  # () from x to the point to evaluate next; downward once the upper side has risen
    goes_on: Array  # () bool
    proved: Array  # () bool: both sides have risen
    made: Array  # () int32: evaluations so far


def rises_on_both_sides(accuracy: Callable[[Array, Any], Array]) -> Callable[..., dict[str, Any]]:
    """The certificate of a search whose tol1 is `accuracy(x, data)`."""

    def decide(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
        claimed, most = fields["fun"], jnp.finfo(fields["fun"].dtype).max
        left = operands.budget.maxturns - fields["turns"]
        rounding = jnp.finfo(claimed.dtype).eps * jnp.abs(claimed)

        def one(at: Look) -> Look:
            u = jnp.clip(at.x + at.step, -most, most)
            fun = oracle.value(u[None], operands.function)
            fun = jnp.where(jnp.isnan(fun), jnp.inf, fun)
            rises, lower, upward = fun > at.fun + rounding, fun < at.fun, at.step > 0
            first = LOOK * accuracy(at.x, operands.data)
            step = jnp.where(rises, -first, OVER * at.step)
            ends = (rises & ~upward) | (fun < claimed - TRUSTED * rounding) | (jnp.abs(u) == most)
            x, fun = jnp.where(lower, u, at.x), jnp.where(lower, fun, at.fun)
            return Look(x, fun, step, ~ends, rises & ~upward, at.made + 1)

        x, no = fields["x"][0], jnp.zeros((), bool)
        start = Look(x, claimed, LOOK * accuracy(x, operands.data), ~no, no, jnp.zeros((), jnp.int32))
        end = walk(one, start, left)
        status = jnp.where(end.goes_on, BUDGET, decided(fields["status"], end.proved))
        turns = fields["turns"] + end.made
        return {"x": end.x[None], "fun": end.fun, "turns": turns, "status": status.astype(jnp.int32)}

    return decide
