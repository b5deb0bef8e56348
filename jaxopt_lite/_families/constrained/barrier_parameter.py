"""The units of a problem, and how the barrier parameter mu falls.

A barrier parameter, a penalty and multipliers are numbers in the unit of f, and no absolute default fits all f. So the first
evaluation gives a size for that unit, what f changes by over the first radius, and the defaults are multiples of it.

Each row is measured in a unit in which its gradient at the first point has about length 1: a penalty that is enough for one
row does not drown the others then. A row that is far inside of its sides, as its gradient goes, is measured by that room
instead: its gradient says little about the places where it will bind. The unit is a power of two, so that no digit is lost.

mu falls where its barrier problem is solved: where the error of the conditions of optimality is at most SOLVED times mu
(Waechter & Biegler 2006, (5) to (7)), or where the last step promised but a small part of that. The next one is

    min(mu / 5, mu (mu / unit)^(1/2)),                                                              (1)

their (7) in the unit of f. A good point may pass over some.

Source: A. Waechter, L. T. Biegler, Math. Program. 106 (2006) 25, section 2.1.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.constrained.trust_constr_options import BarrierData
from jaxopt_lite.core.dense import lengths

MU, NU = 0.01, 0.1  # of the unit of f: the first mu, and nu; a third or three times of it takes a twentieth longer
LEAST = 0.75  # power of eps, of the unit of f: with a smaller mu the distances to sides are rounding
LEVEL = 0.01  # curvature counts for the unit of f only where it is so much larger than the slope
FASTER, LOWERINGS = 0.2, 4  # the next mu, and most of them in a turn: a good point passes over some
SOLVED = 10.0  # times mu, and times what the options say: the error of a barrier problem that is solved
SLIGHT = 0.1  # of that: the promise of a last step with which it is
LARGE = 100.0  # times the unit of f: smaller multipliers do not loosen what they are judged by (W. & B., section 2.1)


class Scale(NamedTuple):
    """Numbers in the unit of f: the options, or defaults from the first evaluation."""

    mu: Array  # () the first one
    mu_last: Array  # () one that is no larger is the last
    inner: Array  # () tolerance of the first barrier problem
    nu: Array  # () the first one of each barrier problem


def unit_of(slope: Array, curvature: Array, data: BarrierData) -> Array:
    """The unit of f (), by its slope () at the first point, or where there is next to none by its curvature (); else 1."""
    unit = data.radius * jnp.maximum(slope, LEVEL * data.radius * curvature)
    return jnp.where((unit > 0) & jnp.isfinite(unit), unit, 1.0)


def scale_of(unit: Array, data: BarrierData) -> Scale:
    """What the options say, or the defaults in this unit of f."""
    of = lambda given, default: default if given is None else given
    mu, least = of(data.mu, MU * unit), float(jnp.finfo(unit.dtype).eps) ** LEAST * unit
    last = jnp.maximum(jnp.minimum(data.ftol, data.small * unit), least)
    return Scale(mu, of(data.mu_last, last), of(data.inner, mu), of(data.nu, NU * unit))


def row_units(A: Array, c: Array, data: BarrierData) -> Array:
    """(m,) powers of two: times these rows A (m, n) have lengths, or rooms in radii, of 0.7 to 1.4; 1 where both are 0."""
    room = jnp.minimum(c - data.row_lower, data.row_upper - c)
    room = jnp.where((room > 0) & jnp.isfinite(room), room, 0.0)
    size = jnp.maximum(lengths(A.T), room / data.radius)
    _, power = jnp.frexp(2.0**0.5 * size)
    most = -int(jnp.finfo(A.dtype).minexp)  # 2^most and its inverse are normal numbers
    unit = jnp.ldexp(jnp.ones_like(size), jnp.clip(1 - power, -most, most))
    return jnp.where((size > 0) & jnp.isfinite(size), unit, 1.0)


def in_units(data: BarrierData, w: Array) -> BarrierData:
    """The sides of rows that are multiplied by w (m,)."""
    return data._replace(row_lower=w * data.row_lower, row_upper=w * data.row_upper)


class Left(NamedTuple):
    """What is left of the conditions of optimality at an accepted point."""

    slope: Array  # () of the Lagrangian
    rows: Array  # () of the rows, beyond their rounding, in their units
    y: Array  # (m,) multipliers of the rows
    z: Array  # (2, N) of the sides
    near: Array  # (2, N) one over the distances to the sides


def lowered(mu: Array, unit: Array, left: Left, accepted: Array, slight: Array, data: BarrierData) -> Array:
    """The next mu; `slight`: the last step promised but a small part of what mu permits."""
    scale, large = scale_of(unit, data), LARGE * unit
    sided = left.near > 0
    ends = jnp.where(sided, left.z / jnp.where(sided, left.near, 1.0), mu)
    most, least = jnp.max(ends), jnp.min(ends)
    mean = (jnp.sum(jnp.abs(left.y)) + jnp.sum(left.z)) / max(1, left.y.shape[0] + left.z.size)
    loose = jnp.maximum(large, mean) / large
    for k in range(LOWERINGS):
        error = jnp.maximum(jnp.maximum(left.slope, jnp.maximum(most - mu, mu - least)) / loose, left.rows * unit)
        done = accepted & (error <= permitted(mu, unit, data)) | (slight if k == 0 else False)
        next_mu = jnp.maximum(mu * jnp.minimum(FASTER, jnp.sqrt(mu / unit)), 0.1 * scale.mu_last)
        mu = jnp.where(done & (mu > scale.mu_last), next_mu, mu)
    return mu


def permitted(mu: Array, unit: Array, data: BarrierData) -> Array:
    """The error with which the barrier problem of mu counts as solved."""
    scale = scale_of(unit, data)
    return SOLVED * scale.inner / scale.mu * mu
