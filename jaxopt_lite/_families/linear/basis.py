"""A basis at work: its state, and three things that are done to it from time to time.

*Refreshed*: B^{-1} is made anew by elimination, after `PERIOD` exchanges or where it is not trusted. A singular basis is
replaced by that of the logical variables.

*Judged*: where no step is left, the basic solution and the multipliers are refined with the matrix itself, and a step is
looked for again. If there is none, the claim is tested on the program as it was given (`certificate.py`):

    optimal      the pair (x, y) of the basis
    infeasible   y of phase one, a Farkas ray
    unbounded    the direction of the entering variable, and x feasible

A claim that fails is made again with a fresh B^{-1}, then with other tolerances (`LEVELS`). After the last level the status
is 4 (NUMERICAL). No claim is made while bounds are moved. The tolerances of the last level are as loose as the
certificate's: a program that is infeasible or unbounded by less than that has no ray that proves it, but it has an optimal
basis.

*Moved bounds*: after `PATIENCE` steps of length zero in a row, the bounds of the basic variables are moved outward by random
parts (the perturbation of Charnes 1952, on the bounds). Ties are then rare, and steps have a length. A variable that leaves
stops at its moved bound. When nothing enters any more, all bounds go back, and a few more steps repair what that costs. Each
further move uses other random numbers. After the last move Bland's rule holds, which is slow, but proven.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.linear import certificate
from jaxopt_lite._families.linear.bounded_form import (
    BASIC,
    LOWER,
    UPPER,
    BoundedForm,
    first_place,
    inverted,
    moved,
    multipliers,
    original,
    original_prices,
    refined,
    solved,
    stand,
)
from jaxopt_lite._families.linear.pivoting import Move, Rows, Tolerances, infeasibility, move
from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite._families.linear.units import Units
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, RUNNING, UNBOUNDED

PERIOD = 200  # exchanges between two eliminations; claims are refined, so that rounding costs steps, but no digits
PATIENCE = 30  # steps of length zero in a row before bounds are moved, or before Bland's rule
ENDLESS = 1000  # steps of length zero in a row, with moved bounds, before the bounds go back
ROUNDS = 4  # most moves of bounds in a run
LEVELS = (1.0, 1e-2, 1e-4, 1e2)  # factors of the tolerances, tried in turn
ASKED = 0.1  # share of tol: the least tolerance of the last level, in scaled units; the certificate then tests with tol
BASE = {True: 1e-9, False: 1e-5}  # tolerances in float64 (True), else


class SimplexData(NamedTuple):
    """Traced numbers of a run."""

    form: BoundedForm
    lp: Ranged  # as given
    unit: Units
    tol: Array  # () of the certificates
    flawed: Array  # () bool


class Count(NamedTuple):
    """Small integers, kept in one leaf (12,) int32."""

    status: Array
    since: Array  # exchanges since the last elimination
    stall: Array  # steps of length zero in a row
    level: Array  # which of LEVELS
    phase: Array  # 1 or 2
    row: Array  # of the last exchange
    entering: Array  # the last variable to enter
    judged: Array  # 1: judged since the last step
    stale: Array  # 1: to be refreshed
    shifted: Array  # 1: basic variables have moved bounds
    rounds: Array  # how often bounds were moved
    waited: Array  # turns since a judgment or a new B^{-1} was first needed


class SimplexState(NamedTuple):
    """A basis, its inverse, and what the run has counted and claimed."""

    inverse: Array  # (m, m) B^{-1}
    rows: Rows  # of (m,) arrays
    basis: Array  # (m,) int32: the basic variables
    place: Array  # (N,) int32: where each variable stands
    weight: Array  # (N,) Devex reference weights
    counts: Array  # (12,) int32: see Count
    y: Array  # (rows,) multipliers of the last claim, or its Farkas ray, in the user's units
    ray: Array  # (n,) direction of the last claim to be unbounded, in the user's units


def packed(count: Count) -> Array:
    """The counts as one leaf (12,) int32."""
    return jnp.stack([c.astype(jnp.int32) for c in count])


def first_state(data: SimplexData) -> SimplexState:
    """The basis of the logical variables."""
    form = data.form
    m, n = form.rhs.shape[0], form.column.shape[0]
    dtype = form.rhs.dtype
    none = jnp.zeros((), jnp.int32)
    place, basis = first_place(form), jnp.arange(n, n + m, dtype=jnp.int32)
    x = form.rhs - jnp.sum(form.columns[:n] * stand(form, place, none)[:n, None], 0)
    count = Count(*[none] * len(Count._fields))._replace(status=jnp.where(data.flawed, BAD_INPUT, RUNNING))
    y, ray = jnp.zeros(data.lp.row_lower.shape[0], dtype), jnp.zeros(n, dtype)
    rows = Rows(x, form.lower[basis], form.upper[basis], form.cost[basis])
    return SimplexState(jnp.eye(m, dtype=dtype), rows, basis, place, jnp.ones(n + m, dtype), packed(count), y, ray)


def tolerances(data: SimplexData, level: Array) -> Tolerances:
    """The tolerances of a level."""
    dtype = data.form.rhs.dtype
    base, factor = BASE[dtype == jnp.float64], jnp.asarray(LEVELS, dtype)[level]
    asked = jnp.where(level == len(LEVELS) - 1, ASKED * data.tol, 0.0)
    feasible, price = base * factor, base * jnp.minimum(factor, 1.0)
    return Tolerances(jnp.maximum(feasible, asked), jnp.maximum(price, asked), jnp.asarray(base, dtype))


def bounds_now(form: BoundedForm, count: Count) -> tuple[Array, Array]:
    """The bounds (N,) that basic variables have."""
    lower, upper = moved(form, count.rounds)
    shifted = count.shifted == 1
    return jnp.where(shifted, lower, form.lower), jnp.where(shifted, upper, form.upper)


def stalls(count: Count) -> Array:
    """() bool: have so many steps had no length that bounds must move, or go back?"""
    return (count.stall >= jnp.where(count.shifted == 1, ENDLESS, PATIENCE)) & ~by_bland(count)


def by_bland(count: Count) -> Array:
    """() bool: does Bland's rule hold?"""
    return (count.stall >= PATIENCE) & (count.shifted == 0) & (count.rounds >= ROUNDS)


def possible(step: Move, tol: Tolerances, least: float) -> Array:
    """() bool: is there a step whose entering variable flips, or whose pivot is above `least` times its tolerance?"""
    return step.priced & jnp.isfinite(step.length) & (step.flips | (jnp.abs(step.alpha[step.row]) > least * tol.pivot))


def refreshed(s: SimplexState, data: SimplexData) -> SimplexState:
    """The state with B^{-1} made new, or the first state where the basis is singular."""
    count = Count(*s.counts)
    inverse, regular = inverted(data.form, s.basis)
    none, level = jnp.zeros_like(count.level), jnp.minimum(count.level + 1, len(LEVELS) - 1)
    count = count._replace(since=none, stale=none, waited=none)
    again = count._replace(
        status=jnp.where(level == count.level, NUMERICAL, count.status), level=level, shifted=none, stall=none
    )
    x = solved(data.form, inverse, s.basis, stand(data.form, s.place, count.rounds))
    good = s._replace(inverse=inverse, rows=s.rows._replace(x=x[s.basis]), counts=packed(count))
    return jax.tree.map(
        lambda a, b: jnp.where(regular, a, b), good, first_state(data)._replace(counts=packed(again), y=s.y, ray=s.ray)
    )


class Judgment(NamedTuple):
    """The fields of a state that a judgment may change."""

    rows: Rows
    place: Array
    counts: Array
    y: Array
    ray: Array


def judged(old: Judgment, given: tuple[SimplexState, SimplexData]) -> Judgment:
    """The fields after a judgment: the solution refined, bounds moved or moved back, and a claim tested if there is one."""
    s, data = given
    form, count = data.form, Count(*s.counts)
    tol = tolerances(data, count.level)
    moves = stalls(count) & (count.shifted == 0)
    restores = count.shifted == 1
    place = jnp.where(restores & (s.place < BASIC), jnp.clip(s.place, LOWER, UPPER), s.place)
    count = count._replace(
        shifted=jnp.where(moves, 1, 0),
        rounds=count.rounds + moves.astype(jnp.int32),
        stall=jnp.where(moves | restores, 0, count.stall),
    )
    lower, upper = bounds_now(form, count)
    at = stand(form, place, count.rounds)
    x = solved(form, s.inverse, s.basis, at)
    rows = s.rows._replace(x=x[s.basis], lower=lower[s.basis], upper=upper[s.basis])
    gradient = jnp.where(jnp.any(infeasibility(rows, tol) != 0), infeasibility(rows, tol), rows.cost)
    y = multipliers(form, s.inverse, s.basis, gradient)
    step = move(form, s.inverse, rows, s.basis, place, s.weight, by_bland(count), tol, at, y)
    goes_on = moves | (possible(step, tol, 1.0) & (count.judged == 0))
    status, y, ray = _claimed(data, s.inverse, x, y, s.basis, step)
    status = jnp.where(goes_on, RUNNING, status)
    fails = (status == RUNNING) & ~goes_on
    stale = fails & (count.since > 0)
    level = count.level + (fails & ~stale).astype(jnp.int32)
    status = jnp.where(level >= len(LEVELS), NUMERICAL, status)
    count = count._replace(
        status=status,
        level=jnp.minimum(level, len(LEVELS) - 1),
        phase=step.phase,
        stale=stale,
        judged=jnp.ones_like(level),
        waited=jnp.zeros_like(level),
    )
    return Judgment(rows, place, packed(count), y, ray)


def _claimed(data: SimplexData, inverse: Array, x: Array, y: Array, basis: Array, step: Move) -> tuple[Array, Array, Array]:
    """The status that is proved on the program as given, or RUNNING; the multipliers or a Farkas ray; the direction."""
    form, lp, unit, tol = data.form, data.lp, data.unit, data.tol
    prices = original_prices(form, y, lp.row_lower.shape[0])
    at = certificate.pair(lp, original(form, x), prices)
    errors = certificate.errors(lp, unit, at)
    rounded = certificate.errors(lp, unit, at, certificate.ROUNDING)
    proof, infeasible = certificate.farkas(lp, unit, prices, tol)
    alpha = refined(form, inverse, basis, step.entering, step.alpha)
    ray = jnp.zeros_like(x).at[basis].set(-alpha * step.sign).at[step.entering].set(step.sign)
    ray, unbounded = certificate.recession(lp, unit, original(form, ray), tol)

    second = step.phase == 2
    endless = step.priced & ~jnp.isfinite(step.length)
    status = jnp.full((), RUNNING, jnp.int32)
    claim = lambda status, holds, code: jnp.where((status == RUNNING) & holds, code, status)
    status = claim(status, second & ~endless & (errors.worst() <= tol), CONVERGED)
    status = claim(status, second & ~endless & (rounded.worst() <= tol), PRECISION)
    status = claim(status, second & endless & (unbounded <= tol) & (errors.primal <= tol), UNBOUNDED)
    status = claim(status, ~second & ~step.priced & (infeasible <= tol), INFEASIBLE)
    return status, jnp.where(status == INFEASIBLE, proof, at.y), ray
