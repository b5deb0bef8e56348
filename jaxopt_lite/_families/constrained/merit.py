"""How trust-constr judges a trial point, by numbers and vectors alone: dense matrices and products share these rules.

They are those of the module's docstring of `trust_constr.py`: the merit function (1) and its weight (2), the radius, and
how a run ends.
"""

from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.constrained import barrier
from jaxopt_lite._families.constrained.barrier_parameter import SLIGHT, permitted, scale_of
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData, sides_of
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.status import BELIEVED, CLAIM, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, RUNNING

ETA = 1e-8  # least gain ratio of a step that is accepted
REDUCED = 0.3  # of (2), their rho
GREAT, GOOD = (0.9, 7.0), (0.3, 2.0)  # gain ratios, and the next radius in steps (their section 3.5)
LEAST, MOST = 0.1, 0.5  # likewise after a refusal
WIDER = 5.0  # times the radius after mu fell
NOISE = 8.0  # times eps: changes of phi below this part of its terms do not count
STILL = 1e-6  # a violation whose slope is below this part of it, or of 4 eps^(1/2), is stationary
CURVED = 0.8  # a normal part that is shorter than this share of the step leaves its rows to a correction
WHOLE = 0.99  # of the radius: a step that is shorter is not restrained by it


class Tried(Protocol):
    """What a state holds of an accepted point, and of the step that is tried from there."""

    @property
    def v(self) -> Any: ...  # (N,) x and the slacks
    @property
    def d(self) -> Any: ...  # (N,) the step
    @property
    def fun(self) -> Any: ...  # () +inf before the first evaluation
    @property
    def c(self) -> Any: ...  # (m,)
    @property
    def mu(self) -> Any: ...  # ()
    @property
    def nu(self) -> Any: ...  # ()
    @property
    def unit(self) -> Any: ...  # () of f
    @property
    def radius(self) -> Any: ...  # ()
    @property
    def gain(self) -> Any: ...  # () what the step promises of phi
    @property
    def length(self) -> Any: ...  # () its length in the units of v


class Trial(NamedTuple):
    """A trial point, and whether it is accepted."""

    v: Array  # (N,)
    near: Array  # (2, N) of the point before
    ratio: Array  # () of the fall of phi to its promise
    noise: Array  # () of phi
    strays: Array  # () bool: does it violate a row that has to be kept?
    accepted: Array  # () bool


def tried(s: Tried, x: Array, answer: Any, data: BarrierData) -> Trial:
    """The trial point x (n,) with the values of an answer there, judged by phi."""
    n, c, fresh = x.shape[0], answer.constraints, jnp.isinf(s.fun)
    within = sides_of(data, n)
    v = jnp.concatenate([x, barrier.slacks((s.v + s.d)[n:], c, fresh, data.row_lower, data.row_upper)])
    near = barrier.nearness(s.v, within)
    log, log_now = barrier.logs(near), barrier.logs(barrier.nearness(v, within))
    left, left_now = norm(s.c - s.v[n:], 2), norm(c - v[n:], 2)
    fall = (s.fun - answer.fun) + s.mu * jnp.sum(log - log_now) + s.nu * (left - left_now)
    eps = float(jnp.finfo(s.v.dtype).eps)
    known = jnp.where(fresh, answer.fun, s.fun)
    noise = NOISE * eps * (jnp.abs(known) + s.mu * jnp.sum(jnp.abs(log)) + s.nu * (left + eps * norm(s.c, 2)))
    strays = jnp.any(data.keep & (violations(c, data.row_lower, data.row_upper) > 0))
    ratio = fall / jnp.where(s.gain > 0, s.gain, 1.0)
    falls = ((s.gain > 0) & (ratio >= ETA)) | ((s.gain <= noise) & (fall >= -noise))
    accepted = answer.finite & (fresh | (falls & ~strays))
    return Trial(v, near, ratio, noise, strays, accepted)


def next_radius(s: Tried, trial: Trial, finite: Array, stays: Array) -> Array:
    """The radius () after a trial; the same where it `stays`."""
    grown = jnp.where(trial.ratio >= GREAT[0], GREAT[1], jnp.where(trial.ratio >= GOOD[0], GOOD[1], 0.0)) * s.length
    shrunk = jnp.clip(0.5 / jnp.maximum(1.0 - trial.ratio, 1.0), LEAST, MOST)
    shrunk = jnp.where(finite, shrunk, LEAST) * jnp.minimum(s.length, s.radius)
    radius = jnp.where(trial.accepted, jnp.maximum(grown, s.radius), shrunk)
    return jnp.where(stays, s.radius, radius)


def is_slight(s: Tried, primal: Array, noise: Array, data: BarrierData) -> Array:
    """() bool: was the last step a whole one that promised but a small part of what mu permits?"""
    enough = permitted(s.mu, s.unit, data)
    whole = ~jnp.isinf(s.fun) & (s.length < WHOLE * s.radius) & (primal * s.unit <= enough)
    return whole & (s.gain <= jnp.maximum(SLIGHT * enough, noise))


def next_weight(nu: Array, y: Array) -> Array:
    """The weight nu () at a new point with the multipliers y (m,): at least theirs, and half of the way back to it."""
    pull = norm(y, 2)
    return jnp.maximum(pull, 0.5 * (nu + pull))


def needed_weight(nu: Array, gain: Array, mends: Array) -> Array:
    """The weight nu () of (2), for a step that lowers the model by `gain` and the rows by `mends`."""
    needed = -gain / ((1.0 - REDUCED) * jnp.where(mends > 0, mends, 1.0))
    return jnp.maximum(nu, jnp.where(mends > 0, needed, 0.0))


def is_last(mu: Array, near: Array, unit: Array, data: BarrierData) -> Array:
    """() bool: is this the last barrier problem?"""
    return (mu <= scale_of(unit, data).mu_last) | ~jnp.any(near > 0)


def is_solved(s: Tried, met: Array, promise: Array, length: Array, noise: Array, data: BarrierData) -> Array:
    """() bool: does the next step, of this length, promise nothing; in the last barrier problem that is the end.

    `met` () is how far the rows are from their slacks, beyond their rounding.
    """
    return (met <= data.ftol) & (promise <= jnp.maximum(data.ftol, noise)) & (length < WHOLE * s.radius)


def beyond_rounding(h: Array, c: Array, terms: Array) -> Array:
    """How far rows h (m,) are from zero, (m,), beyond the rounding of their values c and of their `terms`, |A||x|."""
    eps = float(jnp.finfo(h.dtype).eps)
    return jnp.maximum(jnp.abs(h) - NOISE * eps * (jnp.abs(c) + terms), 0.0)


def is_stationary(slope: Array, h: Array) -> Array:
    """() bool: is |h| (m,) stationary to first order, with the slope J'h (N,)?"""
    eps = float(jnp.finfo(h.dtype).eps)
    return norm(slope) <= max(STILL, 4.0 * eps**0.5) * norm(h, 2) * jnp.minimum(1.0, norm(h, 2))


def status_of(solved: Array, stuck: Array, stationary: Array, feasible: Array, last: Array) -> Array:
    """How a lane stands, () int32, with its claims; all () bool, `stationary` of a violation."""
    status = jnp.where(stuck, CLAIM + jnp.where(feasible, NUMERICAL, INFEASIBLE), RUNNING)
    status = jnp.where(stuck & feasible & last, CLAIM + PRECISION, status)
    status = jnp.where(stationary, CLAIM + INFEASIBLE, status)
    return jnp.where(solved & last, BELIEVED + CONVERGED, status).astype(jnp.int32)


def fields(s: Any, pull: Array, holds: Array, w: Array, terms: Array, data: BarrierData) -> dict[str, Array]:
    """What is reported of a state: `pull` (n,) is A'y, `holds` (2, N) says which sides hold, `terms` (m,) is |A||x|.

    The state and the data have rows in units of their own, w (m,) times the user's.
    """
    n = s.grad.shape[0]
    violated, y = violations(s.c, data.row_lower, data.row_upper), s.y
    worst, most, scale = jnp.max(violated / w, initial=0.0), norm(violated), scale_of(s.unit, data)
    pushed = -s.z[0, :n] + s.z[1, :n]
    left = s.grad + pull + pushed
    found = {}
    if data.lower is not None:
        met = data.lower == data.upper
        found = {"bound_multipliers": jnp.where(met, -(left - pushed), pushed)}
        left = jnp.where(met, 0.0, left)
    if y.shape[0] > 0:  # rows that no step mends have no multipliers: what they are violated by says how they contradict
        side = jnp.where(s.c > data.row_upper, violated, -violated)
        y = jnp.where(sides_of(data, n).still[n:] | jnp.any(holds[:, n:], axis=0), y, 0.0)
        unmet = norm(beyond_rounding(violated, s.c, terms) / w) > data.ftol
        y = w * jnp.where(unmet, side * (1.0 + norm(s.grad)) / jnp.where(most > 0, most, 1.0) ** 2, y)
    return found | {
        "x": s.v[:n],
        "fun": s.fun,
        "jac": s.grad,
        "maxcv": worst,
        "multipliers": y,
        "lagrangian_grad": left,
        "optimality": norm(left),
        "tr_radius": s.radius,
        "constr_penalty": s.nu,
        "barrier_parameter": s.mu,
        "barrier_tolerance": scale.inner * s.mu / scale.mu,
    }
