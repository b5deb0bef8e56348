"""From a solution inside the optimal face to a vertex of that face: the primal half of a crossover.

Multipliers y prove a solution optimal. Every variable or row whose multiplier is not zero is held at its bound. All points
that hold these and satisfy the rest of the constraints are optimal (complementarity), with the same y as proof.

The first basis is that of the logical variables. Then each variable that stands between its bounds is pushed to the nearer
one (Megiddo 1991, ORSA J. Computing 3, 63-65; Bixby & Saltzman 1994, section 2). Basic variables give way until one of them
comes to a bound; the pushed variable then takes its place in the basis. A held variable has no room to give way, so that a
variable that needs it to move enters the basis at once. After n pushes all variables outside of the basis are at a bound.

The number of pushes is fixed: n, each of m^2 numbers, and all lanes of a batch push the same variable. At the end the basic
solution is refined with the matrix itself. A multiplier counts as zero by comparison with the distance from the bound, and
that may be wrong. So the caller tests the result, and keeps the old solution if the test fails.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.linear.basis import BASE
from jaxopt_lite._families.linear.bounded_form import BASIC, FREE, LOWER, UPPER, BoundedForm, original, solved
from jaxopt_lite._families.linear.pivoting import exchanged, greatest
from jaxopt_lite.core.dense import matvec

SLACK = {True: 1e-11, False: 1e-6}  # how far a push may carry a basic variable beyond its bound, for a greater pivot


class _Push(NamedTuple):
    inverse: Array  # (m, m)
    basis: Array  # (m,) int32
    place: Array  # (N,) int32
    x: Array  # (N,)


def at_vertex(form: BoundedForm, x: Array, y: Array) -> tuple[Array, Array]:
    """A vertex (n,) of the face of solutions that y (rows,) proves optimal, near x (n,), and its basis (m,).

    x and y are in the user's units; so is the vertex.
    """
    n, m = x.shape[0], form.rhs.shape[0]
    dtype = x.dtype
    x = x / (form.column * form.unit)
    y = jnp.concatenate([y, jnp.zeros(m - y.shape[0], dtype)]) / (form.row * form.price)
    x = jnp.concatenate([x, form.rhs - matvec(form.columns[:n].T, x)])
    z = form.cost - matvec(form.columns, y)
    held_low = (z > 0) & (x - form.lower <= z)
    held_high = (z < 0) & (form.upper - x <= -z)
    lower = jnp.where(held_high, form.upper, form.lower)
    upper = jnp.where(held_low, form.lower, form.upper)
    x = jnp.clip(x, lower, upper)
    place = jnp.where(x == lower, LOWER, jnp.where(x == upper, UPPER, FREE))
    place = jnp.where(jnp.arange(n + m) < n, place, BASIC).astype(jnp.int32)
    start = _Push(jnp.eye(m, dtype=dtype), jnp.arange(n, n + m, dtype=jnp.int32), place, x)
    end = lax.fori_loop(0, n, lambda j, s: _pushed(s, j.astype(jnp.int32), form, lower, upper), start)
    fixed = jnp.where(end.place == LOWER, lower, jnp.where(end.place == UPPER, upper, 0.0))
    x = solved(form, end.inverse, end.basis, jnp.where(end.place == BASIC, 0.0, fixed))
    return original(form, x), end.basis


def _pushed(s: _Push, j: Array, form: BoundedForm, lower: Array, upper: Array) -> _Push:
    """The state after variable j was pushed to a bound, or into the basis."""
    double = s.x.dtype == jnp.float64
    between = s.place[j] == FREE
    low, high, value = lower[j], upper[j], s.x[j]
    target = jnp.where(value - low <= high - value, low, high)
    target = jnp.where(jnp.isfinite(target), target, jnp.where(jnp.isfinite(low), low, 0.0))
    sign = jnp.where(target < value, -1.0, 1.0).astype(s.x.dtype)
    alpha = matvec(s.inverse, form.columns[j])
    size, falls = jnp.abs(alpha), alpha * sign > 0
    now, goal = s.x[s.basis], jnp.where(falls, lower[s.basis], upper[s.basis])
    blocks = (size > BASE[double] * jnp.maximum(1.0, 1e-2 * jnp.max(size))) & jnp.isfinite(goal)
    goal, per = jnp.where(blocks, goal, 0.0), jnp.where(blocks, size, 1.0)
    room = jnp.maximum(jnp.where(falls, now - goal, goal - now), 0.0)
    ratio = jnp.where(blocks, room / per, jnp.inf)
    slack = SLACK[double] * (1.0 + jnp.abs(goal))
    tied = blocks & (ratio <= jnp.min(jnp.where(blocks, (room + slack) / per, jnp.inf)))
    r = greatest(jnp.where(tied, size, 0.0))
    length = jnp.minimum(ratio[r], jnp.abs(target - value))
    swaps = between & (ratio[r] < jnp.abs(target - value)) & jnp.any(tied)

    way = jnp.where(between, length, 0.0) * sign
    x = s.x.at[s.basis].add(-alpha * way).at[j].add(way)
    leaving, index = s.basis[r], jnp.arange(s.x.shape[0], dtype=jnp.int32)
    rows = jnp.arange(s.basis.shape[0], dtype=jnp.int32)
    arrived = jnp.where(target == low, LOWER, jnp.where(target == high, UPPER, FREE))
    place = jnp.where((index == j) & between, jnp.where(swaps, BASIC, arrived), s.place)
    place = jnp.where((index == leaving) & swaps, jnp.where(falls[r], LOWER, UPPER), place).astype(jnp.int32)
    x = jnp.where((index == leaving) & swaps, goal[r], x)
    inverse, _ = exchanged(s.inverse, jnp.where(swaps, alpha, (rows == r).astype(x.dtype)), r)
    return _Push(inverse, jnp.where((rows == r) & swaps, j, s.basis), place, x)
