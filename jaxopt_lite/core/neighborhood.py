"""What derivatives say of a minimum that was found from values alone.

A method that compares values claims: near x no point that it has tried is lower. That holds at kinks, jumps and noise too,
which are what such methods are for. But many points have not been tried, and in a narrow valley those along its floor are
easily missed. Where JAX can derive the function twice its derivatives know where to look. The exact Newton step at x
(`newton_step.py`) is taken on paper, and

    proved    where it is within what was asked of x, and promises no more than what was asked of f;  also where its
              promise is no more than what f and x resolve, as in `certificate.py`, (2)
    refused   where the function does fall along it: then a lower point is known
    standing  where it does not fall though its slope promises that, down to NEAREST of the distance that was asked for, and
              until the slope promises no more than was asked of f: the derivatives do not describe the function at that
              distance (a kink, a jump, noise), and say nothing against the values of a simplex

The line searches of Powell's method do not see that a valley with a kink falls along its floor: no claim of it stands. Nor
does a simplex that has been clipped to a face of the box: within that distance of one no claim at a kink stands. At a saddle
the way is one of negative curvature.

From a refused claim Newton's steps go on, at most MOST_STEPS evaluations, as after the claims of the gradient methods, and
each lower point is judged alike. A claim stands only where these steps have not led away from the point that was claimed.
Where JAX cannot derive the function, and in a `stepper`, all that is known are values, and they stand.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.certificate import (
    FALLS,
    MOST_STEPS,
    NEAR,
    NOISE,
    SHORTER,
    TRUSTED,
    Certificate,
    inside,
    stops_at,
    walked,
)
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.implicit import Accuracy
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.newton_step import newton_step
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import BUDGET, CLAIM, CONVERGED, PRECISION, decided, is_success

FARTHER = 4.0  # times that distance: so far along a direction of negative curvature, where Newton's step is shorter
NEAREST = 1 / 16  # of the distance that was asked for: shorter steps that do not descend say nothing of a minimum there


class Look(NamedTuple):
    """A point with its verdict, and the trial point after it."""

    x: Array  # (n,)
    fun: Array  # ()
    trial: Array  # (n,) the point to evaluate next
    step: Array  # (n,) Newton's step from x, or a part of it
    asked: Array  # () bool: what was asked holds at x
    enough: Array  # () bool: what was asked in the second place holds at x
    resolved: Array  # () bool: nothing is left to gain that f or x resolves
    quiet: Array  # () bool: nothing but the noise of a sum is left, if no lower point is found
    goes_on: Array  # () bool: the trial point is to be evaluated
    made: Array  # () int32: evaluations so far
    decrement: Array  # () what Newton's step promises at x
    promise: Array  # () what the slope promises of the step to the trial point
    denied: Array  # () bool: the last trial point was not lower, though the slope had promised more than rounding


@kept()
def by_values(accuracy: Accuracy, sees_kinks: bool) -> Certificate:
    """The certificate of a minimizer that compares values; one that does not see kinks has no claim that stands."""

    def decide(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
        x, t, data, claim = fields["x"], operands.function, operands.data, fields["status"]
        eps = float(jnp.finfo(x.dtype).eps)
        left = jnp.minimum(operands.budget.maxturns - fields["turns"], MOST_STEPS)
        within = accuracy(x, fields["fun"], data, operands.x0).loose

        def one(at: Look) -> Look:
            fun, grad, times = oracle.second_order(at.trial, t, at.goes_on)
            unseen = eps * jnp.abs(fun)
            size = jnp.maximum(norm(at.trial), norm(at.trial - operands.x0))
            stops = stops_at(at.trial, grad, data, unseen, eps**NEAR * size)
            newton = newton_step(at.trial, grad, stops, times, bent=True)
            assert newton.escape is not None
            known = jnp.isfinite(fun) & jnp.all(jnp.isfinite(grad)) & jnp.isfinite(newton.bend)
            minimal = known & (newton.decrement < jnp.inf)  # no saddle: else a step of zero length would prove one
            falls = (newton.decrement < FALLS * at.decrement) & (fun <= at.fun + NOISE * unseen)
            better = ((fun < at.fun) | falls | (at.made == 0)) & jnp.isfinite(fun)
            of_x, length = eps**2 * newton.bend, norm(newton.step)
            wanted, reach = accuracy(at.trial, fun, data, operands.x0), jnp.abs(newton.step)
            asked = minimal & (newton.decrement <= wanted.worth) & jnp.all(reach <= wanted.step)
            enough = minimal & (newton.decrement <= wanted.loose_worth) & jnp.all(reach <= wanted.loose)
            resolved = known & (newton.decrement <= TRUSTED * (unseen + of_x)) & (length <= eps**NEAR * size)
            finest = known & (newton.decrement <= TRUSTED * of_x)
            resolved |= finest
            quiet = known & (newton.decrement <= NOISE * (unseen + of_x)) & (length <= eps**NEAR * size)
            pick = lambda new, old: jnp.where(better, new, old)
            point, asked, resolved = pick(at.trial, at.x), pick(asked, at.asked), pick(resolved, at.resolved)
            enough, quiet = pick(enough, at.enough), pick(quiet, at.quiet)
            away = jnp.abs(newton.escape)
            far = jnp.min(jnp.where(away > 0, FARTHER * within / jnp.where(away > 0, away, 1.0), jnp.inf))
            saddle = jnp.any(away > 0) & jnp.all(reach <= FARTHER * within)
            newest = jnp.where(saddle, jnp.where(saddle, far, 0.0) * newton.escape, newton.step)
            newest = jnp.where(known, newest, 0.0)
            step = pick(newest, SHORTER * at.step)
            trial = inside(point + step, data)
            promise = pick(-dot(grad, newest), SHORTER * at.promise)
            far_or_dear = jnp.any(jnp.abs(step) > NEAREST * within) | (promise > wanted.loose_worth)
            goes_on = jnp.any(trial != point) & (better | (~resolved & far_or_dear))
            goes_on &= ~asked & ~(better & finest)
            verdict = asked, enough, resolved, quiet, goes_on, at.made + 1, pick(newton.decrement, at.decrement)
            denied = ~better & (at.promise > NOISE * unseen)
            return Look(point, pick(fun, at.fun), trial, step, *verdict, promise, denied)

        no, none, inf = jnp.zeros((), bool), jnp.zeros((), jnp.int32), jnp.full((), jnp.inf, x.dtype)
        start = Look(x, fields["fun"], x, jnp.zeros_like(x), no, no, no, no, ~no, none, inf, jnp.zeros_like(inf), no)
        end = walked(one, start, left)
        if end is None:
            return {"status": decided(claim, True)}
        stands = ~end.goes_on & end.denied & jnp.all(jnp.abs(end.x - x) <= within)
        stands &= is_success(claim - CLAIM) & sees_kinks
        if getattr(data, "lower", None) is not None:
            stands &= jnp.all((end.x - data.lower > within) & (data.upper - end.x > within))
        cut = end.goes_on & (end.made >= operands.budget.maxturns - fields["turns"])
        refused = jnp.where(cut, BUDGET, decided(claim, stands))
        proved = end.asked | (end.enough & ~cut)
        status = jnp.where(proved, CONVERGED, jnp.where(end.resolved | (end.quiet & ~end.goes_on), PRECISION, refused))
        return {"x": end.x, "fun": end.fun, "turns": fields["turns"] + end.made, "status": status.astype(jnp.int32)}

    return decide
