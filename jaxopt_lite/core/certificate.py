"""Certificates: the exact Newton step at a claimed point, computed to judge the claim.

A method's own belief is no proof. A lane proves its success where the optimality measure is within the tolerance that was
asked for. A lane that ends in another way (a search found no further step, a step was short) only *claims*, by `CLAIM` in
its status; so does a lane that gives up. After the loop each claim is decided here, once a problem, from derivatives of the
user's own function at the point that is returned. This uses nothing of the methods: neither their matrices nor their tests.

**A minimum.** With g and H of f at x, on the variables that no bound holds, a Newton step would still gain

    decrement = g' H^-1 g / 2                                                                       (1)

(Nocedal & Wright 2006, eq. 3.30; half of the square of Nesterov and Nemirovskii's decrement). The claim holds where that
is no more than f and x resolve in their dtype,

    decrement <= C (eps |f| + eps^2 |x|'|H||x|)                                                     (2)

The first term is the rounding of f. It excuses a decrement only where the Newton step is short: eps^(1/3) of the size of x,
or of the way from x0. For on a plateau where f underflows all decrements are rounding, and no point is a minimum. Both sides
of (2) are the same in all units and, but for the last term, under all rotations. (2) refuses a kink, because H does not know
the kink and the slope stays. It refuses a saddle, by its sign.

*How far H can be trusted*, and how bounds are taken into account: `newton_step.py`.

**A short step.** A claim because of short steps (`xrtol`) is judged by the length of the exact Newton step instead.

**A fit** is judged by the full Gauss-Newton step p = -J^+ r at the point, from an orthogonal factorization of J. With
Q an orthonormal basis of the columns, the step promises to reduce the sum of squares |r|^2 by

    decrement^2 = |Q'r|^2,   and   distance^2 = decrement^2 / s^2,   s^2 = |r|^2 / (m - n),           (3)

is the squared distance to the solution in standard errors of the parameters: p' C^{-1} p with their covariance
C = s^2 (J'J)^{-1} (Bates & Watts 1988, section 2.2.3). It does not depend on the units of the data or of the parameters,
nor on how the model is parametrized. A step of a millionth of a standard error changes nothing that a datum could tell.

The other limit is the rounding of the computer. No residual is known better than to a few roundings of the model's values
and of the parameters, and no decrement better than

    noise = ROUNDINGS eps (|r| + (sum_j |J_j|^2 x_j^2)^(1/2))                                      (4)

where the second term is how far x, rounded to its dtype, moves the residuals; for a linear model it is the size of its
values. Where it is no smaller than what there was to fit it excuses nothing: at such a point the model cannot be evaluated
(a resonance that is narrower than a rounding of its center). And where it is more than a tenth of a standard error, it
excuses short steps alone, as in (2): of each parameter eps^(1/3) of its size, or of its way from x0. Where no freedom is
left (m <= n) s^2 is taken as |r|^2: the step must change next to nothing of a residual that stays.

**A zero of one variable.** A bracket [a, b] with a change of sign shrinks to a pole as well as to a zero. At a pole f / f'
is as small as at a zero, but f' has the other sign: Newton's step leads out of the bracket. So the method's own point x, an
end of its last bracket, is a zero where

    f'(x) (f(b) - f(a)) (b - a) > 0  and  |f / f'| <= 2 tol(x)                                           (5)

Here a and b are the ends that were given, because the change of sign has the same direction in all later brackets; tol(x) is
the accuracy that was asked for. A slope of zero belongs to a jump over zero, which counts as a zero. A method without a
bracket proves its zeros in the turn, from the exact Newton step or from values on both sides, and makes no claims.

A function that JAX cannot derive (twice) has no certificate, and its claims end with NUMERICAL.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.newton_step import DENSE, Stops, free_slope, newton_step
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import BELIEVED, BUDGET, CLAIM, CONVERGED, NOT_FINITE, NUMERICAL, PRECISION, decided, is_success

Certificate = Callable[[Oracle, dict[str, Any], Operands], dict[str, Any]]  # (oracle, fields, operands) -> decided fields

TRUSTED = 1.0  # C of (2): x is rounded to half a unit, and that rounding makes an eighth of the last term
MOST_STEPS = 50  # most evaluations for a claim: along a curved valley Newton takes some 30 steps
SHORTER = 0.25  # factor of a Newton step that did not descend
ROUNDINGS = 4.0  # of (4); well-determined peaks in float32 then end within 4e-5 standard errors (with 8: 5e-5)
SLIGHT = 0.1  # standard errors: rounding that is less hides nothing that a datum could tell
NOISE = 16.0  # times eps |f|: closer values do not say which is lower, as for a sum of some hundred terms
NEAR = 1 / 3  # a Newton step is short if it is at most eps^NEAR times the size of x, or the way from x0
FALLS = 0.25  # a decrement that stays above this share of the last one is rounding: Newton's steps square it
NOT_DERIVED = (TypeError, ValueError, NotImplementedError)  # what JAX raises for functions that it cannot derive


class Finish(NamedTuple):
    """A point with its verdict, and the trial point after it."""

    x: Array  # (n,)
    fun: Array  # ()
    grad: Array  # (n,)
    trial: Array  # (n,) the point to evaluate next
    step: Array  # (n,) Newton's step from x, or a part of it
    decrement: Array  # () at x
    proved: Array  # () bool: (2) holds at x
    short: Array  # () bool: Newton's step from x is as short as xrtol asks
    goes_on: Array  # () bool: the trial point is to be evaluated
    made: Array  # () int32: evaluations so far
    inverse: Array | None  # (n, n) inverse Hessian at x, for methods that report one; None: not kept
    saddle: Array | None  # () bool: there is negative curvature at the first point; None: not asked
    hess: Array | None  # (n, n) at x, for methods that report it; None: not kept


@kept()
def minimum(order: float = jnp.inf, second_order: bool = False) -> Certificate:
    """The certificate of a minimizer that is claimed, or given up at; `order` is the norm of the gradient that gtol bounds.

    The certificate then goes on by Newton's steps, and judges each new point in the same way. From a point that is refused
    it goes on as long as the steps descend. From a point that is proved it goes on as long as the decrement falls, until the
    decrement is no more than the rounding of x.

    With `second_order` the method believes in points with a small gradient (`BELIEVED`), unless there is negative curvature.
    """

    def decide(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
        x, t, data, claim = fields["x"], operands.function, operands.data, fields["status"]
        eps = float(jnp.finfo(x.dtype).eps)
        left = jnp.minimum(operands.budget.maxturns - fields["turns"], MOST_STEPS)
        xrtol, by_step = getattr(data, "xrtol", 0.0), claim == CLAIM + CONVERGED
        believed = claim >= BELIEVED
        dense = fields.get("hess") if x.shape[0] <= DENSE else None

        def one(at: Finish) -> Finish:
            fun, grad, times = oracle.second_order(at.trial, t, at.goes_on)
            unseen = eps * jnp.abs(fun)
            size = jnp.maximum(norm(at.trial), norm(at.trial - operands.x0))
            stops = stops_at(at.trial, grad, data, unseen, eps**NEAR * size)
            newton = newton_step(at.trial, grad, stops, times, bent=second_order or dense is not None)
            of_x = eps**2 * newton.bend
            falls = (newton.decrement < FALLS * at.decrement) & (fun <= at.fun + NOISE * unseen)
            better = jnp.where(at.proved, falls, falls | (fun < at.fun)) | (at.made == 0)
            better &= jnp.isfinite(fun) & jnp.all(jnp.isfinite(grad))
            done = (newton.decrement <= TRUSTED * of_x) & jnp.isfinite(
                newton.bend
            )  # a bound that has overflown bounds nothing
            near = norm(newton.step) <= eps**NEAR * size
            proved = done | ((newton.decrement <= TRUSTED * (unseen + of_x)) & near & jnp.isfinite(newton.bend))
            if second_order:
                assert newton.saddle is not None
                proved &= ~newton.saddle
            short = (newton.decrement < jnp.inf) & (norm(newton.step) <= xrtol * (xrtol + norm(at.trial)))
            pick = lambda new, old: jnp.where(better, new, old)
            point, step = pick(at.trial, at.x), pick(newton.step, SHORTER * at.step)
            proved, short = pick(proved, at.proved), pick(short, at.short)
            trial = inside(point + step, data)
            goes_on = jnp.where(better, ~done, ~at.proved & (at.made > 0))
            goes_on &= jnp.any(trial != point) & ~(by_step & short)
            saddle = at.saddle
            if saddle is not None:
                assert newton.saddle is not None
                saddle = jnp.where(at.made == 0, newton.saddle, saddle)
                goes_on &= saddle | ~believed
            where = pick(fun, at.fun), pick(grad, at.grad), trial, step, pick(newton.decrement, at.decrement)
            hess = None if at.hess is None else pick(newton.hess, at.hess)
            inverse = None if at.inverse is None else pick(newton.inverse, at.inverse)
            return Finish(point, *where, proved, short, goes_on, at.made + 1, inverse, saddle, hess)

        no, inf = jnp.zeros((), bool), jnp.full((), jnp.inf, x.dtype)
        reported: Any = fields.get("hess_inv")  # the matrix itself, or an operator that may have one
        learnt: Any = getattr(reported, "matrix", reported) if x.shape[0] <= DENSE else None
        none = jnp.zeros((), jnp.int32)
        asked = no if second_order else None
        start = Finish(x, fields["fun"], fields["jac"], x, jnp.zeros_like(x), inf, no, no, ~no, none, learnt, asked, dense)
        end = walked(one, start, left)
        if end is None:
            return {"status": decided(claim)}
        slope = free_slope(end.grad, stops_at(end.x, end.grad, data, *jnp.zeros(2, x.dtype)))
        reached = (end.proved & (norm(slope, order) <= data.gtol)) | (by_step & end.short)
        refused = jnp.where(end.made == 0, BUDGET, decided(claim))  # with no evaluation left nothing can be proved
        if end.saddle is not None:
            refused = jnp.where(believed & (end.made > 0), NUMERICAL, jnp.where(believed, CONVERGED, refused))
        status = jnp.where(reached, CONVERGED, jnp.where(end.proved, PRECISION, refused))
        if end.saddle is not None:
            status = jnp.where(believed & ~end.saddle, CONVERGED, status)
        status = status.astype(jnp.int32)
        found = {"x": end.x, "fun": end.fun, "jac": end.grad, "turns": fields["turns"] + end.made}
        if "hess" in fields:
            found["hess"] = jnp.where(jnp.all(end.x == x), fields["hess"], jnp.nan) if dense is None else end.hess
        if learnt is not None:
            assert end.inverse is not None
            exact = jnp.where(end.proved, end.inverse, learnt)
            found["hess_inv"] = exact if reported is learnt else dataclasses.replace(reported, matrix=exact)
        return found | {"status": status}

    return decide


def walk(one: Callable[[Any], Any], start: Any, left: Array) -> Any:
    """The end of a walk from a claim by steps of `one`, at most `left` of them.

    A state has `goes_on`, () bool, and `made`, () int32, the evaluations so far: one a step.
    """
    return lax.while_loop(lambda at: at.goes_on & (at.made < left), one, start)


def walked(one: Callable[[Any], Any], start: Any, left: Array) -> Any:
    """The same of a walk that takes derivatives; None where JAX cannot derive the function."""
    try:
        return walk(one, start, left)
    except NOT_DERIVED:
        return None


def inside(x: Array, data: Any) -> Array:
    """The nearest point of the box, where there is one."""
    lower = getattr(data, "lower", None)
    return x if lower is None else jnp.clip(x, lower, data.upper)


def stops_at(x: Array, grad: Array, data: Any, unseen: Array, near: Array) -> Stops | None:
    """The variables that a bound stops: at the bound, or within `near` of it where the way there gains at most `unseen`."""
    lower = getattr(data, "lower", None)
    if lower is None:
        return None
    down, up = x - lower, data.upper - x
    at_lower = (down <= 0) | ((grad > 0) & (down <= near) & (down * grad <= unseen))
    at_upper = (up <= 0) | ((grad < 0) & (up <= near) & (up * -grad <= unseen))
    return Stops(at_lower, at_upper)


def zero(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
    """The fields after (5) has decided the zero that a method in a bracket claims at its own point `_x`."""
    x, t, data = fields["_x"], operands.function, operands.data
    affordable = fields["turns"] + 2 <= operands.budget.maxturns
    along = lambda x: jax.jvp(lambda x: oracle.merit(x, t), (x,), (jnp.ones_like(x),))
    try:
        value, slopes = jax.vmap(along)(jnp.stack([x, data.a[None]]))
    except NOT_DERIVED:
        return {"status": decided(fields["status"])}
    fun, slope = value[0], slopes[0]
    tol = jnp.maximum(data.xtol + data.rtol * jnp.abs(x[0]), 4 * jnp.finfo(x.dtype).eps * jnp.abs(x[0]))
    inward = (slope > 0) == ((value[1] < 0) == (data.a < data.b))
    proved = (slope == 0) | (inward & (jnp.abs(fun) <= 2 * tol * jnp.abs(slope)))
    proved &= jnp.isfinite(fun) & jnp.isfinite(slope) & affordable
    refused = jnp.where(affordable, NOT_FINITE, BUDGET)
    return {
        "x": jnp.where(proved, x, fields["x"]),
        "fun": jnp.where(proved, fun, fields["fun"]),
        "status": jnp.where(proved, fields["status"] - CLAIM, refused).astype(jnp.int32),
        "turns": fields["turns"] + jnp.where(affordable, 2, 0),
    }


class Promise(NamedTuple):
    """What a full Gauss-Newton step at the claimed point of a fit promises."""

    decrement: Array  # () |Q'r| of the parameters that are free, (3)
    step: Array  # (n,) the step
    x: Array  # (n,) the point
    small: Array  # () bool: is the step of each parameter short, as in (2), and none of them hidden by rounding?
    moved: Array  # (n,) |J_j| |x_j|: how much the residuals owe to each parameter
    size: Array  # () |r|, the square root of twice the cost
    slope: Array  # () largest cosine between the residual and the column of a free parameter
    freedom: Array  # () data that count, less parameters
    known: Array  # () bool: is the rounding (4) small beside what there was to fit?


class FitTolerances(NamedTuple):
    """The tolerances that were asked for in a fit; 0 where one is off."""

    errors: Array  # () distance in standard errors
    ftol: Array  # () decrement^2 / |r|^2
    xtol: Array  # () step of each parameter, relative to its own size
    gtol: Array  # () slope


def fit(status: Array, p: Promise, wanted: FitTolerances) -> Array:
    """The status of a fit, () int32, where the method said success or 4 (NUMERICAL); its other statuses stay as they are.

    0 (CONVERGED) where a tolerance that was asked for holds, 8 (PRECISION) where rounding alone is left, else 4.
    """
    eps = jnp.finfo(p.x.dtype).eps
    noise = ROUNDINGS * eps * (p.size + jnp.sqrt(jnp.sum(p.moved**2)))
    freedom = jnp.maximum(p.freedom, 1.0)
    near = (p.decrement * jnp.sqrt(freedom) <= wanted.errors * p.size) & (wanted.errors > 0)
    reduced = (p.decrement <= jnp.sqrt(wanted.ftol) * p.size) & (wanted.ftol > 0)
    short = jnp.all(jnp.abs(p.step) <= wanted.xtol * jnp.abs(p.x)) & (wanted.xtol > 0)
    flat = (p.slope <= wanted.gtol) & (wanted.gtol > 0)
    exact = (p.size <= noise) & p.known  # nothing is left to fit
    held = jnp.where(near | reduced | short | flat | exact, CONVERGED, PRECISION)
    excused = (p.decrement <= noise) & p.known & (p.small | (noise * jnp.sqrt(freedom) <= SLIGHT * p.size))
    judged = jnp.where((held == CONVERGED) | excused, held, NUMERICAL)
    judged = jnp.where(jnp.isfinite(p.decrement) & jnp.isfinite(p.size), judged, NUMERICAL)
    return jnp.where(is_success(status) | (status == NUMERICAL), judged, status).astype(jnp.int32)
