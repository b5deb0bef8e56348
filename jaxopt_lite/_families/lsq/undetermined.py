"""What the Jacobian leaves open at the end of a fit: is the point a minimum along combinations that it does not determine?

A column of J that depends on those before it is a combination v of parameters with J v = 0, to rounding (`orthogonal.py`).
No Gauss-Newton step goes along v, and the decrement does not count it. There are three kinds of such points:

- The model has too many parameters (a b t, where only the product matters). The cost is level along v. That is a solution,
  whose covariance is infinite.
- A saddle. Two peaks that started alike stay alike; a peak that is narrower than the distance of two data passes through
  one of them. J sees neither. The second derivative of the cost does:

      |J v|^2 + sum_i r_i d2 r_i / dv2 < 0                                                              (1)

- A valley or a plateau without an end: a sine whose frequency goes to zero becomes a parabola, height and level run away
  together, and what they still change is rounding. Here a parameter that takes part in v is far away from its start. Or a
  peak has slipped between two data, and one of them carries all of its parameters: they act on fewer data than they are.

The last two are no solutions. (1) counts as negative where it is more than the slope and the rounding of r can make of it.
It takes two derivatives along one direction, and only in a batch in which some lane has such a combination.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.orthogonal import Factor, involved
from jaxopt_lite.core.certificate import walked
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Measured, Oracle

RAN_AWAY = 100.0  # a parameter this many times |x0| away from its start is on a plateau


class _Look(NamedTuple):
    saddle: Array  # () bool
    goes_on: Array  # () bool: always
    made: Array  # () int32: columns that have been looked at


def astray(oracle: Oracle, x: Array, at: Measured, f: Factor, free: Array, unseen: Array, operands: Operands) -> Array:
    """() bool: is the point a saddle or without an end along a combination that is left open?

    `free` (n,) bool: parameters that no bound holds. `unseen` (): a change of r that is rounding, or not yet gained.
    """
    n, left_out = x.shape[0], (f.kept == 0) & free
    endless = jnp.any(left_out & _endless(x, operands.x0, at.jacobian, f))
    force = jax.grad(lambda r: oracle.cost(r, operands.function))(at.residual)
    columns = jnp.arange(n, dtype=jnp.int32)

    def look(s: _Look) -> _Look:
        here = columns == s.made
        v = jnp.where(free, matvec(f.inverse, here.astype(x.dtype)), 0.0)
        v = v / norm(v, 2) / f.size
        bend, along = oracle.bend(x, v, operands.function), matvec(at.jacobian, v)
        saddle = dot(along, along) + dot(force, bend) < -unseen * norm(bend, 2)
        return _Look(s.saddle | (saddle & jnp.any(here & left_out)), s.goes_on, s.made + 1)

    first = jnp.min(jnp.where(left_out, columns, n))
    start = _Look(endless, jnp.ones((), bool), first)
    end = walked(look, start, jnp.max(jnp.where(left_out, columns + 1, 0)))
    return endless if end is None else end.saddle


def ran_away(x: Array, x0: Array) -> Array:
    """(n,) bool: is the parameter far away from its start?"""
    return (jnp.abs(x - x0) > RAN_AWAY * jnp.abs(x0)) & (x0 != 0)


def _endless(x: Array, x0: Array, J: Array, f: Factor) -> Array:
    """(n,) bool: has a combination of several parameters one that ran away, or act they on fewer data than they are?"""
    moves = involved(f)
    several = jnp.sum(moves, axis=0)
    acts = jnp.abs(J) > float(jnp.finfo(J.dtype).eps) ** 0.5 * f.size[None, :]
    data = jnp.sum(jnp.dot(acts.astype(J.dtype), moves.astype(J.dtype)) > 0.5, axis=0)
    return (several > 1) & (jnp.any(moves & ran_away(x, x0)[:, None], axis=0) | (data < several))
