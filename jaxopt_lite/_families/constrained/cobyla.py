"""COBYLA: linear models of objective and rows on a simplex, minimized in a trust region, from values alone.

The n + 1 vertices of a simplex carry values of the objective f and of the rows c. Linear interpolation makes models of them
(`interpolation.py`; lambda_i is 1 at vertex i and 0 at the others) about the best vertex, the *pole*, in the order of

    phi = f + mu sum of violations.                                                                   (1)

A *step* goes from the pole to where `ball.py` finds the least violation of the linear rows in the ball of radius delta, and
the least f among such points. mu is raised where the models of (1) would not fall else: to twice the rate at which f rises
by what the violation falls (Powell's (9), and PRIMA's factor). The new point takes the place of the vertex with the largest

    |lambda_i(x)| max(1, dist_i^2 / max(rho, delta / 10)^2)                                           (2)

(PRIMA's form of Powell's (19)-(22)), of the pole only where it is better than that. delta follows the ratio of the gain of
(1) to its promise: up to twice the length of the step where it is over 0.7, half of it where it is under 0.1.

*Geometry*. A step that gains nothing blames the models first: where a vertex is farther from the pole than 2 delta, the
farthest one moves to a distance of delta / 2 across the face of the others, on the side that the models prefer (Powell's
(15)-(17)). Only where none is, and delta has come down to rho, rho is reduced: by ten, in the end to `tol`. There the run
ends. rho never grows, each value of it ends where the merit no longer falls by its share, and so the run ends.

*Changed for batches*. A turn is one point: a vertex to be filled in, a step or a move for geometry, and the subproblem is
solved once in it. Where Powell's code solves it again before it evaluates, this one moves on: a step that is too short ends
its radius at once, and if the next radius finds it too short too, the farthest vertex moves.

*The merit* sums the violations, as SLSQP's does, where Powell's takes the largest. *Points that are not finite* are refused
steps. At a vertex such a point stands for a value a little above all others, and is moved nearer when its turn comes.
*Bounds* are rows of the models, and every point that is evaluated is in them exactly. The first simplex turns away from
them. A box that is narrower than 2 rhobeg is measured in units in which it is not; a variable with equal bounds stays.

*The end*. Simplices also become small where there is no minimum: the method believes in its pole where the rows hold
within `catol`, and gives up elsewhere. The exact conditions of Karush, Kuhn and Tucker decide
(`_needs/kkt_certificate.py`), from the multipliers of the models; where JAX cannot derive a function the values stand.

Source: M. J. D. Powell, A direct search optimization method that models the objective and constraint functions by linear
interpolation, in Advances in Optimization and Numerical Analysis (1994) 51-67; Z. Zhang, PRIMA (2023), libprima.net, for
what that changes of Powell's code: (2), the radius apart from rho, what geometry is adequate, when mu falls.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.constrained import ball, by_values, interpolation
from jaxopt_lite._families.constrained.by_values import ValuesData
from jaxopt_lite._families.constrained.interpolation import Simplex
from jaxopt_lite._families.constrained.qp import largest
from jaxopt_lite._needs.constrained import CONSTRAINED_VALUE, Constrained
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.kkt_certificate import optimum_by_values
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.options import POSITIVE, POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE

POOR, GOOD = 0.1, 0.7  # ratios of gain to promise: PRIMA's, as all numbers to PROMISE
SHRINK, GROW = 0.5, 2.0  # of the radius
NEAR_RHO = 1.5  # a radius below this many rho is rho
SHORT = 0.1  # of rho: a step that is no longer says nothing
PROMISE = 1e-6  # of rho, in units of min(mu, 1): a step that promises no more is none


class CobylaState(NamedTuple):
    """The simplex, and the point that is evaluated next."""

    V: Array  # (n + 1, n) vertices, in units
    G: Array  # (n + 1, n) gradients of the lambda_i
    F: Array  # (n + 1, 1 + m) f and c at the vertices; f is +inf where it is not known or not finite
    trial: Array  # (n,) in units
    phase: Array  # () int32: the vertex to be filled in; n + 1 and the vertex to be moved; or one of the next
    rho: Array  # ()
    delta: Array  # () the radius, at least rho
    mu: Array  # () weight of (1)
    promise: Array  # () of (1) for the trial
    y: Array  # (m,) multipliers of the last models
    varied: Array  # () bool: have values of f differed?


def _firm(n: int) -> int:
    """The phase of a step from a pole with near vertices; the next one is that of another step."""
    return 2 * n + 2


OPTIONS = {
    "rhobeg": Option(1.0, POSITIVE, "Size of the first simplex: a reasonable first change of x."),
    "tol": Option(1e-4, POSITIVE_OR_ZERO, "Size of the last one: about the accuracy of x. At most rhobeg."),
    "catol": Option(None, POSITIVE_OR_ZERO, "Largest violation of a row that counts as none. Default: the root of eps."),
    "ftol": by_values.FTOL,
}


def build(options: dict[str, Any]) -> Method:
    """The method; raises where known radii cross."""
    rhobeg, tol = options["rhobeg"], options["tol"]
    if isinstance(rhobeg, float) and isinstance(tol, float) and tol > rhobeg:
        raise ValueError(f"option 'tol' is {tol} and 'rhobeg' {rhobeg}; give a tol that is no larger than rhobeg.")
    return METHOD


def prepare(options: dict[str, Any], x0: Array) -> ValuesData:
    """The data record from options; None takes the default of the dtype."""
    return by_values.data_of(options["rhobeg"], options["tol"], options["catol"], options, x0)


def _init(x0: Array, data: ValuesData) -> CobylaState:
    V, G, F = interpolation.first(x0, data)
    zero, none = jnp.zeros((), x0.dtype), jnp.zeros((), jnp.int32)
    return CobylaState(V, G, F, V[0], none, data.rhobeg, data.rhobeg, zero, zero, F[0, 1:], none > 0)


def _ask(s: CobylaState, data: ValuesData) -> Query:
    return Query(by_values.at(s.trial, data))


class Outcome(NamedTuple):
    """What a turn has learnt of its trial."""

    slot: Array  # (n + 1,) bool, one or none: the vertex that the trial replaces
    weights: Array  # (n + 1,) lambda_i there
    length: Array  # () of the step
    gain: Array  # () of (1)
    stepped: Array  # () bool: it was a step


def _outcome(s: CobylaState, old: Simplex, answer: Constrained, data: ValuesData) -> Outcome:
    n = s.trial.shape[0]
    index = jnp.arange(n + 1, dtype=jnp.int32)
    violated = jnp.sum(violations(answer.constraints, data.row_lower, data.row_upper))
    d = s.trial - old.u
    weights = jnp.where(old.pole, 1.0, 0.0) + matvec(s.G, d)
    fun, before = by_values.pick(old.pole, old.F[:, 0]), by_values.pick(old.pole, old.violated)
    gain = jnp.where(answer.finite, (fun - answer.fun) + s.mu * (before - violated), -jnp.inf)
    improved = gain > 0
    E = old.V - jnp.where(improved, s.trial, old.u)[None]
    score = jnp.maximum(1.0, jnp.sum(E * E, axis=1) / jnp.maximum(s.rho, s.delta / 10) ** 2) * jnp.abs(weights)  # (2)
    score = jnp.where(old.pole & ~improved, 0.0, score)
    stepped = s.phase >= _firm(n)
    dropped = largest(score) & (score > 0) & answer.finite
    slot = jnp.where(stepped, dropped, index == jnp.where(s.phase > n, s.phase - (n + 1), s.phase))
    return Outcome(slot, weights, norm(d, 2), gain, stepped)


class Radius(NamedTuple):
    """The radius after a turn."""

    rho: Array  # ()
    delta: Array  # ()
    last: Array  # () the rho at which the run ends: tol, or what x resolves
    improves: Array  # () bool: the step gained nothing, and the models are doubtful
    reduced: Array  # () bool: it gained nothing from models that are not: rho is reduced
    done: Array  # () bool: it was the last one


def _radius(s: CobylaState, out: Outcome, new: Simplex, data: ValuesData) -> Radius:
    """What the ratio of gain and promise, and a step that gained nothing, make of the radius."""
    eps, tiny = float(jnp.finfo(s.trial.dtype).eps), float(jnp.finfo(s.trial.dtype).tiny)
    last = jnp.maximum(jnp.maximum(data.tol, by_values.RESOLVED * eps * norm(new.u)), tiny**0.25)
    ratio = out.gain / jnp.where(s.promise > 0, s.promise, 1.0)
    longer = jnp.where(ratio > GOOD, GROW * out.length, out.length)
    delta = jnp.where(ratio <= POOR, SHRINK * out.length, jnp.maximum(SHRINK * s.delta, longer))
    delta = jnp.where(out.stepped, delta, s.delta)
    delta = jnp.where(delta <= NEAR_RHO * s.rho, s.rho, delta)
    bad = out.stepped & (~(out.gain > 0) | ~jnp.any(out.slot))
    firm = s.phase == _firm(s.trial.shape[0])
    reduced = bad & firm & (jnp.maximum(delta, jnp.minimum(out.length, s.delta)) <= s.rho)
    rho = jnp.where(reduced, by_values.reduced(s.rho, last), s.rho)
    delta = jnp.where(reduced, jnp.maximum(0.5 * s.rho, rho), delta)
    improves = bad & ~firm & ~interpolation.near(new, delta)
    return Radius(rho, delta, last, improves, reduced, reduced & (s.rho <= last))


class Planned(NamedTuple):
    """The step from the pole, and what the models promise of it."""

    step: ball.Step
    length: Array  # ()
    mu: Array  # () such that the models of (1) fall, where they can
    promise: Array  # () of (1)
    steep: Array  # () bool: mu has been raised, or would have been

    def weak(self, rho: Array) -> Array:
        """() bool: does the step say nothing at this rho?"""
        return (self.length <= SHORT * rho) | ~(self.promise > PROMISE * jnp.minimum(self.mu, 1.0) * rho)


def _planned(new: Simplex, q: ball.Model, mu: Array) -> Planned:
    step = ball.solve(q)
    rises = dot(q.grad, step.d)
    before = by_values.pick(new.pole, new.violated)
    falls = before - jnp.sum(violations(matvec(q.A, step.d), q.lower, q.upper))
    steep = (falls > 0) & (rises > 0)
    mu = jnp.where(steep, jnp.maximum(mu, 2.0 * rises / jnp.where(steep, falls, 1.0)), mu)
    mu = jnp.minimum(mu, float(jnp.finfo(mu.dtype).max) ** 0.5)
    return Planned(step, norm(step.d, 2), mu, mu * falls - rises, steep)


def _tell(s: CobylaState, query: Query, answer: Constrained, data: ValuesData) -> Told:
    n = s.trial.shape[0]
    filling = s.phase < n
    old = interpolation.about(s.V, s.G, s.F, s.mu, data)
    out = _outcome(s, old, answer, data)
    row = jnp.concatenate([answer.fun[None], answer.constraints])
    new = interpolation.replaced(old, out.slot, s.trial, row, out.weights, s.mu, data)
    spread = by_values.spread(new.F, data)
    mu = jnp.where(s.phase == n, spread, s.mu)
    radius = _radius(s, out, new, data)
    q = interpolation.model(new, radius.delta, data)
    plan = _planned(new, q, jnp.where(radius.reduced, jnp.minimum(mu, spread), mu))

    # a step that says nothing ends its radius: the simplex follows to rho, or rho is reduced
    rho = radius.rho
    ends = plan.weak(rho) & ~filling & ~radius.improves
    delta = jnp.where(ends, rho, radius.delta)
    spent = ends & interpolation.near(new, delta)
    done = radius.done | (spent & (rho <= radius.last))
    after = jnp.where(spent, by_values.reduced(rho, radius.last), rho)
    moves = radius.improves | (ends & (~spent | plan.weak(after)))
    delta = jnp.where(spent, jnp.where(moves, after, jnp.maximum(0.5 * rho, after)), delta)
    mu = jnp.where(spent & ~plan.steep, jnp.minimum(plan.mu, spread), plan.mu)
    mu = jnp.where(done, jnp.maximum(plan.mu, 2.0 * norm(plan.step.y)), mu)  # of the vertices one on the rows is claimed

    # the next point
    moved, across = interpolation.across(new, q, mu, delta, data)
    shorter = jnp.minimum(1.0, delta / jnp.where(plan.length > 0, plan.length, 1.0))
    index = jnp.arange(n + 1, dtype=jnp.int32)
    trial = jnp.where(moves, across, by_values.inside(new.u + shorter * plan.step.d, data))
    trial = jnp.where(filling, by_values.pick(index == s.phase + 1, s.V), trial)
    pole = by_values.pole_of(new.F, new.violated, mu)  # with mu the pole may change
    phase = jnp.where(interpolation.near(new, delta) & jnp.all(pole == new.pole), _firm(n), _firm(n) + 1)
    phase = jnp.where(moves, n + 1 + jnp.sum(jnp.where(moved, index, 0), dtype=jnp.int32), phase)
    phase = jnp.where(filling, s.phase + 1, phase).astype(jnp.int32)
    varied, promise = s.varied | by_values.differ(s.F, answer.fun), shorter * plan.promise
    state = CobylaState(new.V, new.G, new.F, trial, phase, after, delta, mu, promise, plan.step.y, varied)
    return Told(state, by_values.status(new.F, pole, rho, done, filling, data), jnp.ones((), bool))


def _report(s: CobylaState, data: ValuesData) -> dict[str, Array]:
    return by_values.report(s.V, s.F, s.mu, s.y, s.varied, data)


METHOD = Method(
    "COBYLA",
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
