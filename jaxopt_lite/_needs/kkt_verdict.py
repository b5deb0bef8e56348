"""What holds at a point under constraints, and what Newton's step there promises: the judgment of both certificates.

`kkt_certificate.py` and `products_certificate.py` find Newton's step in two ways, by matrices and by products. Which rows
and bounds hold, what the step is worth, (3) of the former, and whether the claim stands, is decided here for both.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.contradiction import LEAST
from jaxopt_lite._needs.kkt import active_by_slopes
from jaxopt_lite.core.certificate import NEAR, NOISE, stops_at
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle

SETTLED = 1e3  # times the largest force: multipliers that are corrected by more were not those that H is made of
SIGNED = 0.5  # a multiplier of the wrong sign is rounding below this power of eps of the largest force


class Verdict(NamedTuple):
    """What is known of a point."""

    y: Array  # (m,) corrected multipliers
    step: Array  # (n,) Newton's step
    promise: Array  # () of (3)
    asked: Array  # () bool: it holds as was asked
    resolved: Array  # () bool: to rounding
    done: Array  # () bool: nothing is left to gain
    worst: Array  # () the largest violation


def sides_of(oracle: Oracle, x: Array, operands: Operands) -> tuple[Array, Array, int]:
    """Both sides of the rows (m,), and the number of equalities."""
    if oracle.more is None:
        none = jnp.zeros(0, x.dtype)
        return none, none, 0
    rows = operands.function.more
    return jnp.asarray(rows.lower).astype(x.dtype), jnp.asarray(rows.upper).astype(x.dtype), oracle.more.p


class Held(NamedTuple):
    """What holds at a point, rows and bounds, as far as the multipliers that were given say."""

    y: Array  # (m,) of these the rows that hold
    force: Array  # (n,) the gradient of f + y'c
    violated: Array  # (m,)
    equal: Array  # (m,) bool: both sides are the same
    holding: Array  # (m,) bool
    above: Array  # (m,) bool: by the upper side
    side: Array  # (m,) the side that holds; c where none does
    bounds: Array  # (n,) bool: at a bound
    to_bound: Array  # (n,) the way to it, 0 where none holds
    down: Array | None  # (n,) bool: at the lower one; None: there are no bounds
    met: Array | None  # (n,) bool: both bounds are the same


Across = Callable[[Array], Array]  # w (m,) -> A'w (n,)


def what_holds(
    oracle: Oracle, x: Array, y: Array, c: Array, g: Array, steep: Array, across: Across, operands: Operands
) -> Held:
    """From the multipliers y (m,), the lengths of the rows' gradients `steep` (m,), and products with these."""
    data = operands.data
    lower, upper, p = sides_of(oracle, x, operands)
    violated = violations(c, lower, upper)
    equal = (jnp.arange(c.shape[0]) < p) | (lower == upper)
    holding, above = equal, equal
    if c.shape[0] > 0:
        holding, above, _ = active_by_slopes(p, x, c, steep, y, g, operands.function.more)
        holding |= violated > data.ftol
    side = jnp.where(holding, jnp.where(above, upper, lower), c)
    y = jnp.where(holding, y, 0.0)
    force = g + across(y)
    bounds, to_bound, down, met = jnp.zeros(x.shape, bool), jnp.zeros_like(x), None, None
    stops = stops_at(x, force, data, data.ftol / x.shape[0], float(jnp.finfo(x.dtype).eps) ** NEAR * _size(x, operands))
    if stops is not None:
        met = data.lower == data.upper
        down, up = stops.down & ((force > 0) | met), stops.up & (force < 0)
        bounds = down | up
        to_bound = jnp.where(bounds, jnp.where(down, data.lower, data.upper) - x, 0.0)
    return Held(y, force, violated, equal, holding, above, side, bounds, to_bound, down, met)


def _size(x: Array, operands: Operands) -> Array:
    return jnp.maximum(norm(x), norm(x - operands.x0))


def far_of(x: Array, operands: Operands) -> Array:
    """How long a long move is, ()."""
    return jnp.maximum(_size(x, operands), LEAST)


class Newton(NamedTuple):
    """Newton's step of the conditions of optimality at a point, and what it rests on."""

    y: Array  # (m,) corrected multipliers
    force: Array  # (n,) the gradient of f + y'c with these
    step: Array  # (n,)
    gain: Array  # () the first term of (3)
    bend: Array  # () |x|'|H||x|, or what is less
    sound: Array  # () bool: no negative curvature was seen, and what was searched was found
    steep: Array  # (m,) lengths of the rows' gradients
    terms: Array  # (m,) |A||x|, or what is less


def verdict_of(held: Held, newton: Newton, x: Array, fun: Array, g: Array, c: Array, operands: Operands) -> Verdict:
    """What (3) says of the point x."""
    data, eps, y, force = operands.data, float(jnp.finfo(x.dtype).eps), newton.y, newton.force
    wrong = held.holding & ~held.equal & jnp.where(held.above, y < 0, y > 0)
    pull = jnp.abs(y) * newton.steep
    corrected = norm((y - held.y) * newton.steep)
    settled = (corrected <= SETTLED * jnp.maximum(norm(pull), norm(g))) | (corrected * far_of(x, operands) <= data.ftol)
    largest, y = jnp.maximum(norm(jnp.where(held.equal, 0.0, pull)), norm(g)), jnp.where(wrong, 0.0, y)
    # the corrected multipliers may also turn the force on a variable that is held at a bound
    if held.down is not None and held.met is not None:
        turned = held.bounds & ~held.met & jnp.where(held.down, force < 0, force > 0)
        wrong, pull = jnp.concatenate([wrong, turned]), jnp.concatenate([pull, jnp.abs(force)])
    pull = jnp.where(wrong, pull, 0.0)
    astray = norm(pull) > eps**SIGNED * largest
    unpaid = norm(pull, 1) * far_of(x, operands)  # what a long move away from these rows and bounds would gain
    promise = newton.gain + dot(jnp.abs(y), jnp.abs(c - held.side)) + dot(jnp.abs(force), jnp.abs(held.to_bound))
    rounded = eps * (jnp.abs(fun) + dot(jnp.abs(y), jnp.abs(c) + jnp.abs(held.side))) + eps**2 * newton.bend
    missed = jnp.abs(jnp.where(held.violated > 0, held.side, 0.0))
    within = jnp.all(held.violated <= NOISE * eps * (jnp.abs(c) + missed + newton.terms))
    sound = newton.sound & ~astray & settled & jnp.isfinite(newton.bend)
    step = jnp.where(settled, newton.step, 0.0)
    near = norm(step) <= eps**NEAR * _size(x, operands)
    return Verdict(
        y=y,
        step=step,
        promise=jnp.where(jnp.isnan(promise) | ~settled, jnp.inf, promise),
        asked=sound & (promise + unpaid <= data.ftol) & jnp.all(held.violated <= getattr(data, "catol", data.ftol)),
        resolved=sound & (promise <= NOISE * rounded) & near & within,
        done=(promise <= NOISE * rounded) & within & ~astray & settled,
        worst=jnp.max(held.violated, initial=0.0),
    )
