"""The two-phase primal simplex method with bounded variables, one exchange or one bound flip a turn.

`bounded_form.py` has the form, `pivoting.py` the rules of a step, `basis.py` the state, moved bounds and the claims. The
state keeps B^{-1} explicitly. All work in proportion to n is then a product with (A I), and lanes that share A make it as
one product. A lane reads and writes m^2 numbers of its own, where a tableau would have m (n + m). The basic solution is
updated in each turn, and the multipliers are computed anew.

Few lanes need a new B^{-1} or a judgment in a turn, so `seldom.py` does these for few lanes a turn.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.linear.basis import (
    PERIOD,
    Count,
    Judgment,
    SimplexData,
    SimplexState,
    bounds_now,
    by_bland,
    first_state,
    judged,
    packed,
    possible,
    refreshed,
    stalls,
    tolerances,
)
from jaxopt_lite._families.linear.bounded_form import BASIC, LOWER, SHIFTED, UPPER, bounded_form, original, stand
from jaxopt_lite._families.linear.pivoting import Move, Rows, exchanged, move, reweighted
from jaxopt_lite._families.linear.program import is_flawed, ranged
from jaxopt_lite._families.linear.seldom import seldom
from jaxopt_lite._families.linear.solution import vertex
from jaxopt_lite._families.linear.units import units
from jaxopt_lite._needs.nothing import NOTHING
from jaxopt_lite.core.dense import matvec
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import INFEASIBLE, RUNNING, UNBOUNDED

SOUND = 1e3  # a pivot above this many times its tolerance is trusted without a fresh B^{-1}

OPTIONS = {
    "tol": Option(
        None,
        POSITIVE_OR_ZERO,
        "Relative error of the certificates: feasibility, gap, rays. Default 1e-8, or 1e-5 in float32.",
    ),
}


def prepare(options: dict[str, Any], x0: Array) -> SimplexData:
    """The data record from options; `program` is the `LinearProgram`."""
    lp = ranged(options["program"])
    tol = options.get("tol")
    tol = (1e-8 if x0.dtype == jnp.float64 else 1e-5) if tol is None else tol
    form = bounded_form(options["program"])
    return SimplexData(form, lp, units(lp), jnp.asarray(tol, x0.dtype), is_flawed(lp))


def _init(x0: Array, data: SimplexData) -> SimplexState:
    return first_state(data)


def _ask(s: SimplexState, data: SimplexData) -> Query:
    return Query(data.lp.c)


def _tell(s: SimplexState, query: Query, answer: Answer, data: SimplexData) -> Told:
    count, tol = Count(*s.counts), tolerances(data, s.counts[3])
    at = stand(data.form, s.place, count.rounds)
    step = move(data.form, s.inverse, s.rows, s.basis, s.place, s.weight, by_bland(count), tol, at)
    running = count.status == RUNNING
    trusted = possible(step, tol, SOUND)
    shaky = possible(step, tol, 1.0) & ~trusted & (count.since > 0)
    old = (count.since >= PERIOD) | (count.stale == 1) | shaky
    judge = running & ~old & (stalls(count) | ~possible(step, tol, 1.0))
    steps = running & ~old & ~judge
    m = s.basis.shape[0]
    s = _stepped(s, data, step, steps, at)
    s = seldom(refreshed, max(16, 2 * m))(running & old, count.waited, s, data)
    part = Judgment(s.rows, s.place, s.counts, s.y, s.ray)
    s = s._replace(**seldom(judged, max(8, m))(judge, count.waited, part, (s, data))._asdict())
    return Told(s, s.counts[0], steps)


def _stepped(s: SimplexState, data: SimplexData, step: Move, steps: Array, at: Array) -> SimplexState:
    """The state after the step, where it is taken."""
    form, count = data.form, Count(*s.counts)
    swaps = steps & ~step.flips
    q, r, leaving = step.entering, step.row, s.basis[step.row]
    here = jnp.arange(s.basis.shape[0], dtype=jnp.int32) == r
    index = jnp.arange(s.place.shape[0], dtype=jnp.int32)
    way = step.sign * jnp.where(steps, step.length, 0.0)

    lower, upper = bounds_now(form, count)
    put = lambda old, new: jnp.where(here & swaps, new, old)
    rows = Rows(
        put(s.rows.x - step.alpha * way, at[q] + way),
        put(s.rows.lower, lower[q]),
        put(s.rows.upper, upper[q]),
        put(s.rows.cost, form.cost[q]),
    )
    alpha = jnp.where(swaps, step.alpha, here.astype(at.dtype))
    inverse, pivot = exchanged(s.inverse, alpha, r)
    weight = jnp.where(swaps, reweighted(form, s.weight, pivot, q, leaving, alpha[r]), s.weight)
    entered = jnp.where(step.flips, jnp.where(step.sign > 0, UPPER, LOWER), BASIC)
    left = jnp.where(step.to_upper, UPPER, LOWER) * jnp.where(count.shifted == 1, SHIFTED, 1)
    place = jnp.where((index == q) & steps, entered, s.place)
    place = jnp.where((index == leaving) & swaps, left, place)
    idle = jnp.abs(way) <= 1e-3 * tolerances(data, count.level).feasible
    count = count._replace(
        since=count.since + swaps.astype(jnp.int32),
        stall=jnp.where(steps, jnp.where(idle, count.stall + 1, 0), count.stall),
        phase=jnp.where(steps, step.phase, count.phase),
        row=jnp.where(swaps, r, count.row),
        entering=jnp.where(steps, q, count.entering),
        judged=jnp.where(steps, 0, count.judged),
        waited=jnp.where(steps, 0, count.waited + 1),
    )
    return SimplexState(inverse, rows, put(s.basis, q), place, weight, packed(count), s.y, s.ray)


def _point(s: SimplexState, data: SimplexData) -> Array:
    """All scaled variables (N,)."""
    return stand(data.form, s.place, Count(*s.counts).rounds).at[s.basis].set(s.rows.x)


def _report(s: SimplexState, data: SimplexData) -> dict[str, Array]:
    count, lp = Count(*s.counts), data.lp
    none = lambda a, code: jnp.where(count.status == code, a, jnp.zeros_like(a))
    return {
        "x": jnp.clip(original(data.form, _point(s, data)), lp.lower, lp.upper),
        "y": s.y,
        "ray_dual": none(s.y, INFEASIBLE),
        "ray_primal": none(s.ray, UNBOUNDED),
        "basis": s.basis,
    }


def _show(s: SimplexState, data: SimplexData) -> dict[str, Array]:
    count = Count(*s.counts)
    return {"tableau": tableau(s, data), "phase": count.phase, "pivot": jnp.stack([count.row, count.entering])}


def tableau(s: SimplexState, data: SimplexData) -> Array:
    """The tableau (m + 1, N + 1) of a state in the user's units. It is made for callbacks only.

    Rows B^{-1} (A I) with the values of the basic variables last; below them the reduced costs of phase two, and the
    negative objective. Variables are ordered as (x, slacks of A_ub, logical variables of A_eq).
    """
    form = data.form
    factor = jnp.concatenate([form.column, 1.0 / form.row])  # true = scaled * factor * unit
    body = jnp.matmul(s.inverse, form.columns.T, precision=lax.Precision.HIGHEST)
    body = body * factor[s.basis][:, None] / factor[None, :]
    y = matvec(s.inverse.T, s.rows.cost)
    price = (form.cost - matvec(form.columns, y)) * form.price / factor
    value = s.rows.x * factor[s.basis] * form.unit
    objective = -jnp.sum(data.lp.c * original(form, _point(s, data)))
    top = jnp.concatenate([body, value[:, None]], axis=1)
    return jnp.concatenate([top, jnp.concatenate([price, objective[None]])[None]])


@kept()
def build() -> Method:
    """The method."""
    return Method("simplex", NOTHING, _init, _ask, _tell, _report, vertex, ("x", "y"), _show)
