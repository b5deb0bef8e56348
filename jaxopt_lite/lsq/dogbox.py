"""Dogleg in a box: the trust region is a box too, so that its intersection with the bounds is one.

Variables at a bound that the gradient pushes against are held; the others are free. On the free ones the dogleg path runs
from the minimizer of the model along steepest descent (Cauchy's point) to the full Gauss-Newton step. The step is where
the path leaves the box

    max(lower - x, -radius scale) <= p <= min(upper - x, radius scale)                          (1)

or its end. A variable that meets its bound is at it exactly and is held from the next turn on, until the gradient turns.

Source: Voglis & Lagaris, A rectangular trust region dogleg approach for unconstrained and bound constrained nonlinear
optimization, 2004; Nocedal & Wright 2006, section 4.1 for the dogleg.
"""

import functools
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.implicit import box
from jaxopt_lite.core.protocol import Method
from jaxopt_lite.lsq import lm
from jaxopt_lite.lsq.gauss_newton import Proposal, Rule, gauss_newton
from jaxopt_lite.lsq.lm import FitData, adjust, first_radius
from jaxopt_lite.lsq.normal import Model, full_step
from jaxopt_lite.lsq.trf import land, room


def prepare(options: dict[str, Any], x0: Array) -> FitData:
    """The data record from options; without bounds they are infinite."""
    none = ([np.array(-np.inf)], [np.array(np.inf)])
    return lm.prepare(options | {"bounds": options["bounds"] or none}, x0)


def _until(start: Array, along: Array, low: Array, high: Array) -> Array:
    """The largest t for which start + t along stays in [low, high]; inf where it never leaves."""
    way = jnp.where(along < 0, low - start, high - start) / jnp.where(along == 0, 1.0, along)
    return jnp.maximum(jnp.min(jnp.where(along == 0, jnp.inf, way)), 0.0)


def _propose(x: Array, m: Model, radius: Array, note: Array, data: FitData) -> Proposal:
    down, up = room(x, m, data)
    held = ((down >= 0) & (m.c > 0)) | ((up <= 0) & (m.c < 0)) | (data.lower == data.upper)
    free = jnp.where(held, 0.0, 1.0)
    A, c = m.A * free[:, None] * free[None, :], m.c * free
    full, _ = full_step(A, c)
    low, high = jnp.maximum(down, -radius), jnp.minimum(up, radius)
    cc, cAc = dot(c, c), dot(c, matvec(A, c))
    steepest = cc / jnp.where(cAc > 0, cAc, 1.0)
    origin = jnp.zeros_like(c)
    cauchy = -jnp.minimum(steepest, _until(origin, -c, low, high)) * c
    onward = jnp.clip(_until(cauchy, full - cauchy, low, high), 0.0, 1.0)
    inside = jnp.all((full >= low) & (full <= high))
    y = jnp.where(inside, full, jnp.clip(cauchy + onward * (full - cauchy), low, high))
    return Proposal(y, m.reduction(y), jnp.abs(dot(c, full)), full, norm(c), norm(y), note)


RULE = Rule(lambda x0, data: jnp.clip(x0, data.lower, data.upper), first_radius, _propose, adjust, land)


@functools.lru_cache
def dogbox() -> Method:
    """The method."""
    return gauss_newton("dogbox", RULE, box)
