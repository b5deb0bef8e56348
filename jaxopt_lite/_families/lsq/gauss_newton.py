"""Damped Gauss-Newton methods: a rule that proposes a step from the linear model, and all that the rules share.

`gauss_newton(name, rule)` joins a `Rule` to a `Method` that needs residuals and Jacobians. The rule says how a step follows
from the linear model of the residual, the radius of a trust region, and the bounds. Every turn evaluates both at one trial
point, so that accepting it needs no second evaluation. [J'J | J'r] is kept of them, not J.

A trial point is accepted if it reduces the cost by at least a ten-thousandth of what the model promised. The reduction is
the difference of the costs f - f+. Where that is within rounding, the trapezoid of the slopes at both ends takes its place,

    f - f+ = -p.(g + g+) / 2 + O(|p|^3),                                                        (1)

which has no cancellation: this is what lets float32 finish.

**When a lane ends.** It has converged where the undamped model has nothing left to gain. `offset` is the relative reduction
of the cost that a full Gauss-Newton step would promise, decrement^2 / |r|^2 with decrement = |Q'r|. It is the square of the
relative offset of Bates & Watts (1981), which is the same in all parametrizations. With s^2 = |r|^2 / (m - n)

    distance^2 = decrement^2 / s^2 = (m - n) offset                                                (2)

is the squared distance to the solution in standard errors. A lane ends where one of these holds at an accepted point:

    errors:  the distance (2) is at most 1e-5 standard errors: the test where no tolerance is given
    ftol:    the last reduction and the offset are at most ftol, or the offset is at most 0.001 ftol
    xtol:    the full step of each parameter is at most xtol of its own size, whatever the units of the others
    gtol:    the largest cosine between the residual and a column of J, and the offset, are at most gtol
    noise:   the decrement, or |r| itself, is at most a rounding of the residuals, eps (|r| + (sum_j |J_j|^2 x_j^2)^(1/2))

It ends too where the trial point is the accepted point again, to the last bit. A small step alone is never enough: heavy
damping makes small steps anywhere. These tests use J'J, and decide only when to stop. What the point is worth is decided
once, after the loop, by `core/certificate.py` from J. A component of a step that changes the residuals by less than a
rounding is left out: a parameter without a slope (the angle of a round peak) stays where it is.

**Scales remember, and forget.** The radius is measured by the largest column norms seen (Moré). They keep a parameter that
lost its slope from running away. But beside a scale that is eps^(-1/2) too large, [J'J | J'r] is rounding: a growth e^(kt)
that starts at k = 1 has a column of 1e19, and ends with one of 1e2. So a scale forgets what is beyond 1 / (64 eps) of the
square of the present column, but only where the present column still matters: |J_j x_j| is at least a tenth of |r|. When a
rate runs away, nothing depends on it any more, and its column vanishes. There only the memory holds it back (NIST's MGH17
from its first start; a scale that always forgot let it go).

**The secant.** Where residuals are large, full Gauss-Newton steps converge linearly, for J'J lacks the second derivatives
of r. Along the last step p these are known: the slope changed by p.(g+ - g), where the model had p'J'J p. The next full step
q has a part along p, -(p.g+) / (p'J'J p) p. It is made longer or shorter by the ratio of the two:

    q <- q + (p'J'Jp / p.(g+ - g) - 1) (-(p.g+) / p'J'Jp) p                                            (3)

(3) halves the evaluations of NIST's ENSO (32 to 17, 30 to 13). It is used from an offset of 0.01 on. Used everywhere, it
made the way from Lanczos3's near start seven times longer.

Source: Moré 1978 (scaling, gain ratio), Nocedal & Wright 2006, chapter 10; (3) is the secant condition along one direction.
Changed for batches: one evaluation a turn, no inner loop over dampings; the full step decides when a lane ends.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.normal import Model, effect, invert, model, products, remembered
from jaxopt_lite._families.lsq.solution import unknowns
from jaxopt_lite._needs.residuals import CURVATURE, JACOBIAN
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.implicit import Rule as ImplicitRule
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, NUMERICAL, PRECISION, RUNNING

ACCEPTED = 1e-4  # share of the promised reduction that a trial point must deliver
NOISE = 16.0  # differences of costs below this many eps f are rounding: a sum of some hundred terms
EARLY = 1e-3  # an offset so far below ftol needs no last step to prove it
SURE = 0.9  # share of a tolerance that is used here: the certificate computes the same numbers in other ways
NEAR = 0.01  # largest offset at which the secant (3) corrects full steps; far from the solution it led astray
TRUST = 5.0  # largest factor by which (3) makes a part longer or shorter
SAME = 1.0  # decrements below this many roundings of model and parameters are rounding
BEND = 0.75  # geodesic acceleration is trusted up to this ratio of second to first order (Transtrum & Sethna 2012)


class Proposal(NamedTuple):
    """A step, what the model promises for it, and what the full step would do."""

    y: Array  # (n,) the step in the model's variables, inside of the bounds
    gain: Array  # () reduction of the cost that the model promises for y, relative to the cost
    offset: Array  # () reduction that the full Gauss-Newton step promises, relative to the cost
    full: Array  # (n,) the full step; +inf where the lane must not end yet
    slope: Array  # () largest cosine between the residual and a column, as far as the bounds leave it free
    stride: Array  # () length of the step as the radius measures it, in units of |r|
    note: Array  # () a number that the rule keeps for its next turn


class Rule(NamedTuple):
    """How a step follows from the model."""

    start: Callable[[Array, Any], Array]  # (x0, data) -> the first point
    radius: Callable[[Any, Array, Array, Array], Array]  # (data, x, scale, |r|) -> () the first radius
    propose: Callable[[Array, Model, Array, Array, Any], Proposal]  # (x, model, radius / |r|, note, data)
    adjust: Callable[[Array, Array, Array], Array]  # (radius, gain ratio, length of the step) -> radius
    land: Callable[[Array, Array, Any], Array]  # (x, p, data) -> the trial point, inside of the bounds


class FitState(NamedTuple):
    """An accepted point, the model there, and the trial step that starts there."""

    x: Array  # (n,) accepted point
    normal: Array  # (n, n + 1) [J'J | J'r] at x
    scale: Array  # (n,) squares of the column scales; 0 for a column that was always 0
    p: Array  # (n,) trial step
    numbers: Array  # (6,) cost at x (+inf before the first evaluation), promised gain, radius, note, scaled |p|, cost at x0


class GeodesicState(NamedTuple):
    """A `FitState`, and which of the two turns of an accelerated step comes next."""

    fit: FitState
    bending: Array  # () bool: the next turn asks for the curvature along p, at x


def gauss_newton(name: str, rule: Rule, implicit: ImplicitRule) -> Method:
    """A method from a rule."""

    def init(x0: Array, data: Any) -> FitState:
        n = x0.shape[0]
        numbers = jnp.zeros(6, x0.dtype).at[0].set(jnp.inf)
        return FitState(
            rule.start(x0, data), jnp.zeros((n, n + 1), x0.dtype), jnp.zeros_like(x0), jnp.zeros_like(x0), numbers
        )

    def ask(s: FitState, data: Any) -> Query:
        return Query(rule.land(s.x, s.p, data))

    def tell(s: FitState, query: Query, answer: Answer, data: Any) -> Told:
        return _tell(rule, s, query, answer, data)

    def report(s: FitState, data: Any) -> dict[str, Array]:
        return {"x": s.x, "_start": s.numbers[5]}

    return Method(name, JACOBIAN, init, ask, tell, report, implicit)


def geodesic(method: Method) -> Method:
    """The method with geodesic acceleration (Transtrum & Sethna 2012): every step p is bent to p + a / 2 with

        (J'J + damping) a = -J' (second derivative of r along p),

    unless |a| > 0.75 |p|, at the price of a turn for the second derivative before each trial.
    """

    def init(x0: Array, data: Any) -> GeodesicState:
        return GeodesicState(method.init(x0, data), jnp.zeros((), bool))

    def ask(s: GeodesicState, data: Any) -> Query:
        return Query(jnp.where(s.bending, s.fit.x, method.ask(s.fit, data).x), s.fit.p)

    def tell(s: GeodesicState, query: Query, answer: Answer, data: Any) -> Told:
        told = method.tell(s.fit, query, answer, data)
        choose = lambda bent, tried: jnp.where(s.bending, bent, tried)
        fit = FitState(*map(choose, s.fit._replace(p=_bent(s.fit, answer)), told.state))
        return Told(GeodesicState(fit, ~s.bending), choose(RUNNING, told.status), told.iterated & ~s.bending)

    def report(s: GeodesicState, data: Any) -> dict[str, Array]:
        return method.report(s.fit, data)

    return method._replace(needs=CURVATURE, init=init, ask=ask, tell=tell, report=report)


def _bent(s: FitState, answer: Answer) -> Array:
    m = model(s.normal, s.scale, jnp.sqrt(2.0 * s.numbers[0]))
    root = jnp.sqrt(jnp.where(s.scale > 0, s.scale, 1.0))
    a = -matvec(invert(m.A, s.numbers[3]), matvec(answer.jacobian.T, answer.curvature) / root)
    short = norm(a, 2) <= BEND * norm(root * s.p, 2)
    return s.p + jnp.where(short & answer.finite, 0.5, 0.0) * a / root


class Trial(NamedTuple):
    """What a turn finds at its trial point, and what became of it."""

    fresh: Array  # () bool: it was the first evaluation of the run
    finite: Array  # () bool: the point can be worked with
    accepted: Array  # () bool: it is the new point
    p: Array  # (n,) from the old point to the trial
    promised: Array  # () reduction of the cost that the model promised
    actual: Array  # () reduction that the trial delivers
    normal: Array  # (n, n + 1) [J'J | J'r] at the trial


class Point(NamedTuple):
    """Where the run stands after a turn."""

    x: Array  # (n,)
    cost: Array  # ()
    normal: Array  # (n, n + 1) [J'J | J'r]
    scale: Array  # (n,) squares of the column scales
    size: Array  # () |r|
    radius: Array  # () of the trust region


class Ahead(NamedTuple):
    """The next trial step, and what the full step would still do."""

    proposal: Proposal
    step: Array  # (n,) the next trial step, in the units of x
    gain: Array  # () reduction of the cost that the model promises for it, relative to the cost
    full: Array  # (n,) the full Gauss-Newton step, in the units of x
    noise: Array  # () a change of the residuals that is rounding


def _tell(rule: Rule, s: FitState, query: Query, answer: Answer, data: Any) -> Told:
    trial = _judged(s, query, answer)
    at = _accepted(rule, s, query, answer, data, trial)
    ahead = _proposed(rule, s, data, trial, at)
    status, moved = _status(s, query, answer, data, trial, at, ahead)
    start = jnp.where(trial.fresh & trial.finite, answer.fun, s.numbers[5])
    stride = ahead.proposal.stride * at.size
    numbers = jnp.stack([at.cost, ahead.gain, at.radius, ahead.proposal.note, stride, start])
    return Told(FitState(at.x, at.normal, at.scale, ahead.step, numbers), status, moved)


def _judged(s: FitState, query: Query, answer: Answer) -> Trial:
    """Is the reduction of the cost enough? Where the difference of the costs is rounding, (1) takes its place."""
    n, eps = s.x.shape[0], jnp.finfo(s.x.dtype).eps
    cost, promise, *_ = s.numbers
    fresh, f = jnp.isinf(cost), answer.fun
    there = products(answer.jacobian, answer.residual)
    finite = answer.finite & jnp.all(jnp.isfinite(there))  # the squares of a finite Jacobian may overflow
    p, promised = query.x - s.x, promise * cost
    difference, trapezoid = cost - f, -0.5 * dot(p, s.normal[:, n] + there[:, n])
    by_x = jnp.where(fresh, 0.0, jnp.sqrt(2.0 * cost) * effect(s.normal, s.x))  # eps of it: what the rounding of x does
    rounding = (jnp.abs(difference) <= NOISE * eps * (cost + by_x)) & finite
    actual = jnp.where(rounding, trapezoid, difference)
    good = (actual >= ACCEPTED * promised) & (actual >= 0)
    return Trial(fresh, finite, finite & (fresh | good), p, promised, actual, there)


def _accepted(rule: Rule, s: FitState, query: Query, answer: Answer, data: Any, trial: Trial) -> Point:
    """The point after the turn, with its scales and the radius that the gain ratio gives."""
    cost, _, radius, _, stride, _ = s.numbers
    pick = lambda new, old: jnp.where(trial.accepted, new, old)
    x, f, normal = pick(query.x, s.x), pick(answer.fun, cost), pick(trial.normal, s.normal)
    scale = data.scale
    if scale is None:
        scale = pick(remembered(jnp.diagonal(trial.normal), s.scale, query.x, answer.fun), s.scale)
    size = jnp.sqrt(2.0 * jnp.where(jnp.isfinite(f), f, 0.0))
    share = trial.actual / jnp.where(trial.promised > 0, trial.promised, jnp.inf)
    ratio = jnp.where(trial.accepted, share, -1.0)
    radius = jnp.where(trial.fresh, rule.radius(data, x, scale, size), rule.adjust(radius, ratio, stride))
    return Point(x, f, normal, scale, size, radius)


def _proposed(rule: Rule, s: FitState, data: Any, trial: Trial, at: Point) -> Ahead:
    """The next step: the rule's, corrected by the secant (3), without components that change the residuals by rounding."""
    n, eps, size = at.x.shape[0], jnp.finfo(at.x.dtype).eps, at.size
    m = model(at.normal, at.scale, size)
    proposal = rule.propose(at.x, m, at.radius / jnp.where(size > 0, size, 1.0), s.numbers[3], data)
    full = m.unit * proposal.full
    noise = eps * (size + effect(at.normal, at.x))
    whole = trial.accepted & ~trial.fresh & jnp.all(proposal.y == proposal.full) & (proposal.offset <= NEAR)
    bend, more = _secant(trial.p, s.normal[:, n], trial.normal, whole)
    step = m.unit * proposal.y + bend
    gain = proposal.gain + more / jnp.where(size > 0, size * size, 1.0)
    unfelt = jnp.sqrt(jnp.diagonal(at.normal)) * jnp.abs(step) <= noise
    if data.lower is not None:  # a component that arrives at a bound is kept: the variable is then at it exactly
        arrived = rule.land(at.x, step, data)
        unfelt = unfelt & (arrived != data.lower) & (arrived != data.upper)
    return Ahead(proposal, jnp.where(unfelt, 0.0, step), gain, full, noise)


def _status(
    s: FitState, query: Query, answer: Answer, data: Any, trial: Trial, at: Point, ahead: Ahead
) -> tuple[Array, Array]:
    """How the lane stands, by the tests of the module's docstring, and whether the point has moved."""
    offset, accepted = ahead.proposal.offset, trial.accepted
    freedom = jnp.maximum(jnp.asarray(answer.residual.shape[0] - unknowns(at.x, data), at.x.dtype), 1.0)
    moved = accepted & ~trial.fresh
    near = (freedom * offset <= SURE * data.errors**2) & (data.errors > 0)
    little = trial.actual <= data.ftol * s.numbers[0]
    by_cost = (offset <= EARLY * data.ftol) | (moved & (offset <= SURE * data.ftol) & little)
    by_step = jnp.all(jnp.abs(ahead.full) <= SURE * data.xtol * jnp.abs(at.x)) & (data.xtol > 0)
    by_slope = (ahead.proposal.slope <= data.gtol) & (offset <= data.gtol)
    has_point = accepted | ~trial.fresh
    precise = has_point & (jnp.sqrt(offset) * at.size <= SAME * ahead.noise)
    stuck = ~accepted & jnp.all(query.x == s.x)
    status = jnp.where(precise | stuck, PRECISION, RUNNING)
    status = jnp.where(has_point, status, NUMERICAL)
    ends = near | by_cost | by_step | by_slope | (at.size <= ahead.noise)
    status = jnp.where(accepted & ends, CONVERGED, status)
    if data.lower is not None:
        status = jnp.where(jnp.all(data.lower <= data.upper), status, BAD_INPUT)
    return status, moved


def _secant(p: Array, g: Array, there: Array, use: Array) -> tuple[Array, Array]:
    """What (3) adds to the full step at the end of the step p, and to the reduction of |r|^2 that this step promises."""
    n = p.shape[0]
    slope, curvature = dot(p, there[:, n]), dot(p, matvec(there[:, :n], p))
    true = slope - dot(p, g)
    use = use & (true > 0) & (curvature > 0)
    ratio = jnp.clip(curvature / jnp.where(use, true, 1.0), 1.0 / TRUST, TRUST)
    share = jnp.where(use, -slope / jnp.where(use, curvature, 1.0), 0.0)
    return (ratio - 1.0) * share * p, (ratio - 1.0) * share * share * curvature
