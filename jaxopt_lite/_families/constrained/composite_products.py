"""The composite step of Byrd and Omojokun by products: `composite.py`, one product a turn.

The formulas are those of `composite.py`. What it takes by a factored J J' is a search here (`nearest.py`), and each function
learns one set of products, or the end of a search, and says what the next turn is for. After a refusal the normal part
is taken anew from the two points that it lies between, Cauchy's and the shortest step to the rows; both are known for any
radius, and so are the rows at both, for these are linear.
"""

import jax.numpy as jnp

from jaxopt_lite._families.constrained import merit
from jaxopt_lite._families.constrained.barrier import TAU, Units, room
from jaxopt_lite._families.constrained.composite import FORCING, HALF, NORMAL
from jaxopt_lite._families.constrained.products_state import (
    BENT,
    CURVED,
    OF_NORMAL,
    OF_TANGENT,
    TRIAL,
    WHOLE,
    ProductsState,
    easing,
    either,
    goes_on,
    place,
    product,
    rows,
    running,
    searches,
    slope_of,
)
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData
from jaxopt_lite._families.trust_region.radius import on_the_way
from jaxopt_lite._needs.products import Multiplied
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.protocol import Query, Told

MOST = 500  # most products of a tangential part, and at most 2 n: with FORCING few take more than 50


def pointed(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at, h, n = place(s, data), rows(s), s.grad.shape[0]
    slope = jnp.concatenate([at.D[:n] * answer.jtw, -at.D[n:] * h])
    bend = answer.normal + at.D[n:] ** 2 * h
    steep = dot(bend, bend)
    far = dot(slope, slope) / jnp.where(steep > 0, steep, 1.0)
    ahead = jnp.stack([h, h - far * bend])
    zero = jnp.zeros_like(s.v)
    new = s._replace(cauchy=-far * slope, ahead=ahead)
    new = searches(new, OF_NORMAL, zero, jnp.zeros_like(h), jnp.zeros_like(s.grad), h)
    feasible = norm(violations(s.c, data.row_lower, data.row_upper)) <= data.ftol
    no = jnp.zeros((), bool)
    status = merit.status_of(no, no, ~feasible & merit.is_stationary(slope, h), feasible, no)
    return Told(new, status, no)


def restored(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """Both points of the normal part are known."""
    return cut(s._replace(newton=s.search.rho, ahead=s.ahead.at[0].set(s.search.s)), at)


def cut(s: ProductsState, at: Units) -> ProductsState:
    """The normal part for the radius: the dogleg of `composite.py`, or Cauchy's point where that is better."""
    h, limit, zero = rows(s), NORMAL * s.radius, jnp.zeros_like(s.v)
    size = norm(s.cauchy, 2)
    short = jnp.minimum(1.0, limit / jnp.where(size > 0, size, 1.0))
    cauchy, there = short * s.cauchy, h + short * (s.ahead[1] - h)
    share = jnp.minimum(on_the_way(cauchy, s.newton - cauchy, limit), 1.0)
    share = jnp.where(norm(s.newton, 2) <= limit, 1.0, share)
    path, end = cauchy + share * (s.newton - cauchy), there + share * (s.ahead[0] - there)
    far, near = (room(at, zero, p, HALF * TAU) for p in (path, cauchy))
    better = norm(h + far * (end - h), 2) <= norm(h + near * (there - h), 2)
    return goes_on(
        s, BENT, normal=jnp.where(better, far * path, near * cauchy), t=zero, kept=zero, made=jnp.zeros_like(s.made)
    )


def bent(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = place(s, data)
    base = slope_of(s, at) + product(s, at, answer.hvp, s.normal) + at.D * jnp.concatenate([s.pull, -s.y])
    return running(searches(s, OF_TANGENT, easing(s, at) * base, s.y, s.pull, jnp.zeros_like(s.c)))


def projected(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """A residual along the rows: the next direction, or the end."""
    r, first = s.search.rho, s.made == 0
    square = dot(r, r)
    length = jnp.sqrt(square)
    enough = jnp.where(first, FORCING * jnp.minimum(1.0, jnp.sqrt(length / s.unit)) * length, s.enough)
    share = jnp.where(first | (s.square <= 0), 0.0, square / jnp.where(s.square > 0, s.square, 1.0))
    most = min(MOST, 2 * s.grad.shape[0], s.v.shape[0])
    ends = (square <= enough * enough) | (s.made >= most)
    s = s._replace(way=share * s.way - easing(s, at) * r, square=square, enough=enough)
    return either(ends, _composed(s, at), goes_on(s, CURVED))


def curved(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = place(s, data)
    Wd = product(s, at, answer.hvp, s.way)
    curvature = dot(s.way, Wd)
    reach = on_the_way(s.normal + s.t, s.way, s.radius)
    a = s.square / jnp.where(curvature > 0, curvature, 1.0)
    leaves = ~(curvature > 0) | (a >= reach)
    a = jnp.where(leaves, reach, a)
    t = s.t + a * s.way
    kept = jnp.where(room(at, s.normal, t, TAU) >= 1.0, t, s.kept)
    s = s._replace(t=t, kept=kept, made=s.made + 1)
    on = searches(s, OF_TANGENT, s.search.rho + a * easing(s, at) * Wd, s.search.y, s.search.pull, jnp.zeros_like(s.c))
    return running(either(leaves, _composed(s, at), on))


def _composed(s: ProductsState, at: Units) -> ProductsState:
    """Both parts together, between the sides."""
    rest = s.t - s.kept
    return goes_on(s, WHOLE, p=s.normal + s.kept + room(at, s.normal + s.kept, rest, TAU) * rest, y_try=s.search.y)


def corrected(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """The second-order correction: the shortest step that would make the rows at the trial point zero is added."""
    more = room(at, s.p, s.search.rho, 0.5 * (1.0 + TAU)) * s.search.rho
    return goes_on(s, TRIAL, d=at.D * (s.p + more), correctable=jnp.zeros((), bool))
