"""COBYQA: quadratic models of objective and rows, a step of SQP on them in a trust region, from values alone.

2n + 1 points carry values of the objective f and of the rows c, and quadratic models of all of them (`quadratic_models.py`)
about the best one, the *pole*, in the order of

    phi = f + mu sum of violations.                                                                   (1)

A *step* goes from the pole to where `model_step.py` finds the models of (1) least in the radius delta. The new point takes
the place of the point with the largest

    |l_i(x)| max(1, dist_i / max(rho, delta / 10))^3,                                                 (2)

l_i the Lagrange polynomial of point i (Ragonneau 2022, section 5.2.4, after Powell), of the pole only where it is better
than that. delta follows the ratio of the gain of (1) to its promise: up to twice the length of the step where it is over
0.7, half of it where it is under 0.1.

*Geometry*. A step that gains little blames the models first: where a point is farther from the pole than 2 delta (or 10 rho,
if the last step was worth about what the models promised), the farthest one moves to where its Lagrange polynomial is
large. Only where none is, and delta has come down to rho, rho is reduced: by ten, in the end to `final_tr_radius`. There the
run ends. rho never grows, each value of it ends where the merit no longer falls by its share, and so the run ends.

*Forgetting*. Models of least change keep what far points have taught them. Each turn asks what models of least H, without
a past, say of the next point; one whose error there is a tenth takes over. (Powell's codes compare the slopes of the two.)

*Changed for batches*. A turn is one point: a point to be filled in, a step or a move for geometry, and the subproblem is
solved once in it. Where Powell's code solves it again before it evaluates, this one moves on: a step that is too short ends
its radius at once, and as many radii as find it too short while the points are near; then the farthest point moves.

*The merit* sums the violations, as COBYLA's does, where Ragonneau's takes their Euclidean length. *Points that are not
finite* are refused steps. *Bounds* are sides of the step, never rows, and every point that is evaluated is in them
exactly. A box that is narrower than twice the first radius is measured in units in which it is not (`by_values.py`).

*The end*. Models also become small where there is no minimum: the method believes in its pole where the rows hold within
`feasibility_tol`, and gives up elsewhere. The exact conditions of Karush, Kuhn and Tucker decide
(`_needs/kkt_certificate.py`), from the multipliers of the models; where JAX cannot derive a function the values stand.

Source: T. M. Ragonneau, Model-Based Derivative-Free Optimization Methods and Software, thesis, The Hong Kong Polytechnic
University (2022), chapters 5 and 6; M. J. D. Powell, The BOBYQA algorithm for bound constrained optimization without
derivatives, report NA2009/06, Cambridge (2009), for the radii and what is near.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.constrained import by_values, model_step, quadratic_models
from jaxopt_lite._families.constrained.by_values import ValuesData, pick
from jaxopt_lite._families.constrained.quadratic_models import Models, Points
from jaxopt_lite._needs.constrained import CONSTRAINED_VALUE, Constrained
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.kkt_certificate import optimum_by_values
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.options import POSITIVE, POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE

POOR, GOOD = 0.1, 0.7  # ratios of gain to promise: Powell's, as all numbers to SHORT
SHRINK, GROW = 0.5, 2.0  # of the radius
NEAR_RHO = 1.5  # a radius below this many rho is rho
SHORT = 0.5  # of rho: a step that is shorter says nothing
ACCURATE = 0.5  # a ratio that is so near to 1 is one of accurate models
BEATEN = 0.1  # of the error of a model: that of one without a past, which then takes its place
RADII = 3  # most reductions of rho in a turn


class CobyqaState(NamedTuple):
    """The points, and the one that is evaluated next."""

    V: Array  # (N, n) in units, N = 2n + 1; once all are known the pole is the first
    F: Array  # (N, 1 + m) f and c there; f is +inf where it is not known or not finite
    models: Models  # about the first point
    trial: Array  # (n,) in units
    weights: Array  # (N,) Lagrange polynomials at the trial
    phase: Array  # () int32: the point to be filled in; N and the point to be moved; or 2N: a step
    rho: Array  # ()
    delta: Array  # () the radius, at least rho
    mu: Array  # () weight of (1)
    promise: Array  # () of (1) for the trial
    y: Array  # (m,) multipliers of the last models
    accurate: Array  # () bool: was the last step worth about what the models promised?
    varied: Array  # () bool: have values of f differed?
    afresh: Array  # (1 + m,) what models without a past say of the trial


OPTIONS = {
    "initial_tr_radius": Option(1.0, POSITIVE, "Size of the first radius: a reasonable first change of x."),
    "final_tr_radius": Option(
        None, POSITIVE_OR_ZERO, "Size of the last one: about the accuracy of x. Default: 1e-6, in float32 1e-3."
    ),
    "feasibility_tol": Option(
        None, POSITIVE_OR_ZERO, "Largest violation of a row that counts as none. Default: the root of eps."
    ),
    "ftol": by_values.FTOL,
}


def build(options: dict[str, Any]) -> Method:
    """The method; raises where known radii cross."""
    first, last = options["initial_tr_radius"], options["final_tr_radius"]
    if isinstance(first, float) and isinstance(last, float) and last > first:
        raise ValueError(
            f"option 'final_tr_radius' is {last} and 'initial_tr_radius' {first}; give a final_tr_radius that is no larger "
            "than initial_tr_radius."
        )
    return METHOD


def prepare(options: dict[str, Any], x0: Array) -> ValuesData:
    """The data record from options; None takes the default of the dtype."""
    first, last = options["initial_tr_radius"], options["final_tr_radius"]
    if last is None:
        default = 1e-6 if x0.dtype == jnp.float64 else 1e-3
        last = jnp.minimum(jnp.asarray(first).astype(x0.dtype), default)
    return by_values.data_of(first, last, options["feasibility_tol"], options, x0)


def _init(x0: Array, data: ValuesData) -> CobyqaState:
    V, F = quadratic_models.first(x0, data)
    n, k = V.shape[1], F.shape[1]
    zero = jnp.zeros((), x0.dtype)
    models = Models(jnp.zeros((k, n), x0.dtype), jnp.zeros((k, n, n), x0.dtype))
    none = jnp.zeros((), jnp.int32)
    return CobyqaState(
        V, F, models, V[0], F[:, 0] * 0, none, data.rhobeg, data.rhobeg, zero, zero, F[0, 1:], none > 0, none > 0, F[0] * 0
    )


def _ask(s: CobyqaState, data: ValuesData) -> Query:
    return Query(by_values.at(s.trial, data))


class Outcome(NamedTuple):
    """What a turn has learnt of its trial."""

    slot: Array  # (N,) bool, one or none: the point that the trial replaces
    length: Array  # () of the step
    gain: Array  # () of (1)
    stepped: Array  # () bool: it was a step


def _outcome(s: CobyqaState, answer: Constrained, data: ValuesData) -> Outcome:
    N = s.V.shape[0]
    index = jnp.arange(N, dtype=jnp.int32)
    total = lambda c: jnp.sum(violations(c, data.row_lower, data.row_upper))
    gain = (s.F[0, 0] - answer.fun) + s.mu * (total(s.F[0, 1:]) - total(answer.constraints))
    gain = jnp.where(answer.finite, gain, -jnp.inf)
    improved = gain > 0
    away = jnp.max(jnp.abs(s.V - jnp.where(improved, s.trial, s.V[0])[None]), axis=1)
    score = jnp.abs(s.weights) * jnp.maximum(1.0, away / jnp.maximum(s.rho, s.delta / 10)) ** 3  # (2)
    score = jnp.where((index == 0) & ~improved, 0.0, score)
    stepped = s.phase == 2 * N
    dropped = quadratic_models.first_largest(score) & (score > 0) & answer.finite
    slot = jnp.where(stepped, dropped, index == jnp.where(s.phase >= N, s.phase - N, s.phase))
    return Outcome(slot, norm(s.trial - s.V[0]), gain, stepped)


class Radius(NamedTuple):
    """The radius after a turn."""

    rho: Array  # ()
    delta: Array  # ()
    last: Array  # () the rho at which the run ends: the one that was asked for, or what x resolves
    improves: Array  # () bool: the step gained little, and the models are doubtful
    reduced: Array  # () bool: it gained nothing from models that are not: rho is reduced
    accurate: Array  # () bool
    done: Array  # () bool: it was the last one


def _radius(s: CobyqaState, out: Outcome, new: Points, data: ValuesData) -> Radius:
    """What the ratio of gain and promise makes of the radius."""
    eps, tiny = float(jnp.finfo(s.trial.dtype).eps), float(jnp.finfo(s.trial.dtype).tiny)
    last = jnp.maximum(jnp.maximum(data.tol, by_values.RESOLVED * eps * norm(new.V[0])), tiny**0.25)
    ratio = out.gain / jnp.where(s.promise > 0, s.promise, 1.0)
    longer = jnp.where(ratio > GOOD, GROW * out.length, out.length)
    delta = jnp.where(ratio > POOR, jnp.maximum(SHRINK * s.delta, longer), SHRINK * jnp.minimum(s.delta, out.length))
    delta = jnp.where(out.stepped, delta, s.delta)
    delta = jnp.where(delta <= NEAR_RHO * s.rho, s.rho, delta)
    poor = out.stepped & ~(ratio > POOR)
    accurate = jnp.where(out.stepped, jnp.abs(ratio - 1) <= ACCURATE, s.accurate)
    near = quadratic_models.near(new, s.rho, delta, accurate)
    reduced = poor & near & ~(ratio > 0) & (jnp.maximum(delta, jnp.minimum(out.length, s.delta)) <= s.rho)
    rho = jnp.where(reduced, by_values.reduced(s.rho, last), s.rho)
    delta = jnp.where(reduced, jnp.maximum(0.5 * s.rho, rho), delta)
    return Radius(rho, delta, last, poor & ~near, reduced, accurate, reduced & (s.rho <= last))


def _remembered(s: CobyqaState, row: Array, known: Array) -> Models:
    """The models, without the past of those that models without one beat at the trial."""
    gained = row - jnp.where(s.F[0] < jnp.inf, s.F[0], 0.0)
    error, other = jnp.abs(gained - s.models.at(s.trial - s.V[0])), jnp.abs(gained - s.afresh)
    forgets = known & (other < BEATEN * error)
    return s.models._replace(H=jnp.where(forgets[:, None, None], 0.0, s.models.H))


def _step(new: Points, models: Models, delta: Array, y: Array, mu: Array, data: ValuesData) -> model_step.Step:
    low, high = jnp.full_like(new.V[0], -jnp.inf), jnp.full_like(new.V[0], jnp.inf)
    if data.lower is not None:
        below, above = by_values.sides(data)
        low, high = below - new.V[0], above - new.V[0]
    c = new.F[0, 1:]
    return model_step.solve(models, model_step.Region(data.row_lower - c, data.row_upper - c, low, high, delta), y, mu)


def _tell(s: CobyqaState, query: Query, answer: Constrained, data: ValuesData) -> Told:
    N = s.V.shape[0]
    index, eps = jnp.arange(N, dtype=jnp.int32), float(jnp.finfo(s.trial.dtype).eps)
    filling, filled = s.phase < N - 1, s.phase == N - 1
    out = _outcome(s, answer, data)
    row = jnp.concatenate([answer.fun[None], answer.constraints])
    at = out.slot[:, None]
    V, F = jnp.where(at, s.trial[None], s.V), jnp.where(at, row[None], s.F)
    spread = by_values.spread(F, data)
    mu = jnp.where(filled, spread, s.mu)
    new, models = quadratic_models.about(V, F, _remembered(s, row, answer.finite & ~filling & ~filled), mu, data)
    radius = _radius(s, out, new, data)
    plan = _step(new, models, radius.delta, s.y, jnp.where(radius.reduced, jnp.minimum(mu, spread), mu), data)

    # a step that says nothing ends its radius: the points follow to rho, or rho is reduced
    near = lambda rho: quadratic_models.near(new, rho, rho, radius.accurate)
    sizes = jnp.sum(jnp.abs(new.F[0, 1:]))
    seen = (jnp.abs(plan.rises) > eps * jnp.abs(new.F[0, 0])) | (plan.falls > eps * sizes)
    unseen = ~(plan.promise > 0) | ~seen
    weak = lambda rho: (plan.length < SHORT * rho) | unseen
    rho, last, goes = radius.rho, radius.last, ~filling & ~radius.improves
    ends = weak(rho) & goes
    delta, done, spent = jnp.where(ends, rho, radius.delta), radius.done, ends & near(rho)
    reducing = spent
    for _ in range(RADII):
        done |= reducing & (rho <= last)
        smaller = jnp.where(reducing, by_values.reduced(rho, last), rho)
        delta = jnp.where(reducing, jnp.maximum(0.5 * rho, smaller), delta)
        rho = smaller
        reducing &= weak(rho) & near(rho)
    moves = radius.improves | (ends & weak(rho))
    delta = jnp.where(moves & ends, rho, delta)
    mu = jnp.where(spent & ~plan.steep, jnp.minimum(plan.mu, jnp.maximum(spread, 2.0 * norm(plan.y))), plan.mu)
    mu = jnp.where(done, jnp.maximum(plan.mu, 2.0 * norm(plan.y)), mu)  # of the points one on the rows is claimed

    # the next point
    moved, across = quadratic_models.across(new, rho, delta, data)
    trial = jnp.where(moves, across, by_values.inside(new.V[0] + plan.d, data))
    phase = jnp.where(moves, N + jnp.sum(jnp.where(moved, index, 0), dtype=jnp.int32), 2 * N)
    weights = quadratic_models.weights(new, trial)
    keep = lambda old, now: jnp.where(filling, old, now)
    state = CobyqaState(
        V=keep(V, new.V),
        F=keep(F, new.F),
        models=Models(*(keep(old, now) for old, now in zip(s.models, models, strict=True))),
        trial=keep(pick(index == s.phase + 1, V), trial),
        weights=keep(s.weights, weights),
        phase=keep(s.phase + 1, phase).astype(jnp.int32),
        rho=keep(s.rho, rho),
        delta=keep(s.delta, delta),
        mu=keep(s.mu, mu),
        promise=keep(s.promise, plan.promise),
        y=keep(s.y, plan.y),
        accurate=radius.accurate,
        varied=s.varied | by_values.differ(s.F, answer.fun),
        afresh=keep(s.afresh, quadratic_models.afresh(new, models).at(trial - new.V[0])),
    )
    pole = by_values.pole_of(new.F, new.violated, mu)
    return Told(state, by_values.status(new.F, pole, rho, done & ~filling, filling, data), jnp.ones((), bool))


def _report(s: CobyqaState, data: ValuesData) -> dict[str, Array]:
    return by_values.report(s.V, s.F, s.mu, s.y, s.varied, data)


METHOD = Method(
    "COBYQA",
    CONSTRAINED_VALUE,
    _init,
    _ask,
    _tell,
    _report,
    kkt,
    solution=("x", "multipliers"),
    certificate=optimum_by_values,
    rank=FEASIBLE,
)
