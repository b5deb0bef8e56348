"""SLSQP: sequential quadratic programming with damped BFGS updates and an L1 merit function, one evaluation a turn.

At x the objective is modelled by g'd + d'B d / 2 and the rows c by c + A d. The minimizer d of the model on the linearized
rows and within the bounds, with its multipliers y (`qp.py`; Nocedal & Wright 2006, (18.11)), is the direction of a search on

    phi(x) = f(x) + sum_i w_i v_i(x),   v = max(lower - c, c - upper, 0)                            (1)

(N&W (15.24)), whose weights follow the multipliers (Powell 1978; Kraft 1988, (2.2.16)):

    w_i <- max(|y_i|, (w_i + |y_i|) / 2).                                                           (2)

The convex model of phi along d promises, with v(c + A d) what is left of the violation,

    D = g'd + sum_i w_i (v_i(c + A d) - v_i(c)) <= -d'B d,                                          (3)

and a step t is accepted where phi(x + t d) <= phi(x) + C1 t D (N&W (18.28)). Else t shrinks, by the parabola through phi(x),
D and phi(x + t d), and the next turn asks for the new trial point. No other point is evaluated.

B is the Hessian of the Lagrangian L = f + y'c, by BFGS with Powell's damping (N&W procedure 18.2): with s = t d,
u = grad L(x + s, y) - grad L(x, y),

    r = theta u + (1 - theta) B s,  theta the largest number up to 1 for which s'r >= 0.2 s'B s     (4)
    B+ = B - B s s'B / s'B s + r r' / s'r.                                                          (5)

The subproblem wants H = B^{-1}, and knows B d: it is -(g + A'y + z), z of the bounds. So H alone is kept, and (5) is

    H+ = H + (1 + r'H r / s'r) s s' / s'r - (H r s' + s r'H) / s'r,   H r = theta H u + (1 - theta) s.     (6)

H starts as the identity, scaled such that the free step has at most length 1, and is scaled by s'u / u'u before its first
update (N&W (6.20)). As long as a step meets no curvature at all, as on a linear f, it grows fivefold instead. A search that
fails starts again from there once.

*Negative curvature* makes (4) lower B fivefold along s. Where the step has also left the rows, f falls there at the rows'
expense, and a longer step would run away from them: such a step is not learnt.

*Rows that contradict one another.* Kraft's code adds a variable that takes back part of the rows. Here each row has a price
(`qp.py`): the step is then one of least violation. It teaches H nothing, for its multipliers are prices, and when the prices
are no longer paid the weights start anew from the multipliers.

*How a run ends.* As in SciPy's code, where |g'd| + sum |y_i| v_i <= SURE ftol and sum v_i <= ftol. That rests on H, which is
an estimate. So the method only believes it; what decides is the exact Newton step of the conditions of Karush, Kuhn and
Tucker (`_needs/kkt_certificate.py`). A run also ends, with a claim, where D is rounding, where a search fails from a fresh
H, and where the violation cannot be reduced to first order.

Every trial point is in the bounds exactly.

Source: D. Kraft, A software package for sequential quadratic programming, DFVLR-FB 88-28 (1988); J. Nocedal, S. J. Wright,
Numerical Optimization, 2nd ed. (2006), chapter 18; M. J. D. Powell, Lecture Notes in Mathematics 630 (1978) 144.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained import qp
from jaxopt_lite._families.line_search.descent import resolved_steps, unit_step
from jaxopt_lite._needs.constrained import CONSTRAINED, Constrained
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.kkt_certificate import optimum
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm, settled
from jaxopt_lite.core.options import DIFFERENCES, POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE
from jaxopt_lite.core.status import BAD_INPUT, BELIEVED, CLAIM, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import objective_tolerance

C1 = 1e-4  # sufficient decrease
SHORTEST, LONGEST = 0.1, 0.5  # of a step that was refused: its next one, as in Kraft's code
DAMPED = 0.2  # of (4)
NOISE = 8.0  # times eps: changes of phi below this part of its terms do not count
CREEPING = 1e-2  # a step this short, after which the violation is the same, makes no progress towards feasibility
SURE = 0.01  # share of ftol that H may promise: it is an estimate, and may be a hundred times too small
STILL = 1e-6  # a violation that falls by no more than this part of itself is stationary


class SQPData(NamedTuple):
    """Traced numbers of a run."""

    ftol: Array  # ()
    row_lower: Array  # (m,) sides of the rows
    row_upper: Array  # (m,)
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    flawed: Array  # () bool: sides or bounds that cross


class SQPState(NamedTuple):
    """An accepted point, and the search that starts there."""

    x: Array  # (n,)
    fun: Array  # () +inf before the first evaluation
    grad: Array  # (n,)
    c: Array  # (m,)
    A: Array  # (m, n)
    H: Array  # (n, n) inverse of B
    unlearnt: Array  # () bool: H is a multiple of the identity
    step: qp.Step  # from x
    w: Array  # (m,) weights of (1)
    t: Array  # () the share of the step to try
    slope: Array  # () D of (3)


OPTIONS = {
    "ftol": Option(
        None,
        POSITIVE_OR_ZERO,
        "Stop where the model promises no more than ftol of fun, and the violations sum to no more. Default 1e-6; 6.4e-6 in "
        "float32.",
    ),
    "return_all": Option(False, STATIC, "Keep the point of every iteration in `allvecs`; eager calls only."),
} | DIFFERENCES


def prepare(options: dict[str, Any], x0: Array) -> SQPData:
    """The data record from options; None takes the default of the dtype."""
    ftol = objective_tolerance(x0.dtype) if options["ftol"] is None else options["ftol"]
    lower, upper = box.sides(options.get("bounds"), x0)
    rows = options["constraints"]
    equal, low, high = (jnp.asarray(side).astype(x0.dtype) for side in rows)
    low, high = jnp.concatenate([equal, low]), jnp.concatenate([equal, high])
    data = SQPData(jnp.asarray(ftol).astype(x0.dtype), low, high, lower, upper, jnp.zeros((), bool))
    return data._replace(flawed=box.crossed(data) | ~jnp.all(low <= high))


def _init(x0: Array, data: SQPData) -> SQPState:
    n, m = x0.shape[0], data.row_lower.shape[0]
    flat, rows = jnp.zeros_like(x0), jnp.zeros(m, x0.dtype)
    zero, no = jnp.zeros((), x0.dtype), jnp.zeros((), bool)
    return SQPState(
        x=box.project(x0, data),
        fun=jnp.full((), jnp.inf, x0.dtype),
        grad=flat,
        c=rows,
        A=jnp.zeros((m, n), x0.dtype),
        H=jnp.eye(n, dtype=x0.dtype),
        unlearnt=~no,
        step=qp.Step(flat, flat, rows, no),
        w=rows,
        t=zero,
        slope=zero,
    )


def _ask(s: SQPState, data: SQPData) -> Query:
    return Query(box.along(s.x, s.step.d, s.t, data))


def _tell(s: SQPState, query: Query, answer: Constrained, data: SQPData) -> Told:
    fresh = jnp.isinf(s.fun)
    outside, outside_now = _violation(s.c, data), _violation(answer.constraints, data)
    before, after = s.fun + dot(s.w, outside), answer.fun + dot(s.w, outside_now)
    enough = after <= before + C1 * s.t * s.slope + _rounding(s.fun, s.w, s.c, outside + outside_now)
    accepted = answer.finite & (fresh | enough)
    least, _ = resolved_steps(s.x, s.step.d)
    stuck = ~accepted & (~(s.t > least) | jnp.all(query.x == s.x))  # so too where a step is not a number
    fresh, accepted, stuck = settled(jnp.stack([fresh, accepted, stuck & ~fresh]), s.x.dtype)

    pick = lambda new, old: jnp.where(accepted, new, old)
    x, fun, grad = pick(query.x, s.x), pick(answer.fun, s.fun), pick(answer.grad, s.grad)
    c, A = pick(answer.constraints, s.c), pick(answer.jacobian, s.A)
    H, unlearnt, grows = _learnt(s, answer, accepted & ~fresh, data)
    restart = stuck & ~s.unlearnt
    anew = restart | (fresh & accepted)
    H = jnp.where(anew, unit_step(grad) * jnp.eye(x.shape[0], dtype=x.dtype), H)
    unlearnt = unlearnt | anew

    room = None if data.lower is None or data.upper is None else (data.lower - x, data.upper - x)
    step = qp.solve(qp.Subproblem(H, grad, A, data.row_lower - c, data.row_upper - c, room))
    size = jnp.abs(step.y)
    forget = anew | (s.step.elastic & ~step.elastic)
    w = jnp.where(forget, size, pick(jnp.maximum(size, 0.5 * (s.w + size)), s.w))
    violated, left = _violation(c, data), _violation(c + matvec(A, step.d), data)
    slope = dot(grad, step.d) + dot(w, left - violated)
    shrunk = -0.5 * s.slope * s.t * s.t / jnp.where(after < jnp.inf, jnp.maximum(after - before - s.slope * s.t, 1e-30), 1.0)
    shrunk = jnp.clip(jnp.where(after < jnp.inf, shrunk, 0.0), SHORTEST * s.t, LONGEST * s.t)
    t = jnp.where(accepted | restart, 1.0, shrunk)

    new = SQPState(x, fun, grad, c, A, H, unlearnt, step, w, t, slope)
    return Told(new, _status(s, new, fresh, accepted, stuck, grows, data), accepted & ~fresh)


def _status(s: SQPState, new: SQPState, fresh: Array, accepted: Array, stuck: Array, grows: Array, data: SQPData) -> Array:
    """How the lane stands at the new state, after s, (): see "How a run ends"."""
    eps = float(jnp.finfo(new.x.dtype).eps)
    step, w = new.step, new.w
    violated, left = _violation(new.c, data), _violation(new.c + matvec(new.A, step.d), data)
    length = norm(step.d, 2)  # H that has learnt nothing promises little where its units are wrong: then the slope counts
    worth = jnp.maximum(norm(new.x, 2), 1.0) / jnp.where(length > 0, length, 1.0)
    worth = jnp.where(new.unlearnt, jnp.maximum(worth, 1.0), 1.0)
    promise = worth * (jnp.abs(dot(new.grad, step.d)) + dot(jnp.abs(step.y), violated))
    rounding = _rounding(new.fun, w, new.c, violated)
    feasible = jnp.sum(violated) <= data.ftol
    good = (promise <= jnp.where(grows, rounding, SURE * data.ftol)) & feasible
    idle = feasible & (-worth * new.slope <= rounding)
    stays = lambda w, fallen, part: dot(w, fallen) <= part * dot(w, violated)  # weights may be zero
    one, fallen = jnp.ones_like(w), _violation(s.c, data) - violated
    held = stays(w, violated - left, STILL) & stays(one, violated - left, STILL)
    creeps = stays(s.w, fallen, NOISE * eps) & stays(one, fallen, NOISE * eps)
    held |= ~fresh & (s.t < CREEPING) & creeps
    dead = (stuck & s.unlearnt) | (fresh & ~accepted)
    status = jnp.where(dead, CLAIM + jnp.where(feasible | fresh, NUMERICAL, INFEASIBLE), RUNNING)
    status = jnp.where(accepted & held & ~feasible, CLAIM + INFEASIBLE, status)
    status = jnp.where(accepted & idle, CLAIM + PRECISION, status)
    status = jnp.where(accepted & good, BELIEVED + CONVERGED, status)
    return jnp.where(data.flawed, BAD_INPUT, status)


def _violation(c: Array, data: SQPData) -> Array:
    """v of (1), (m,)."""
    return violations(c, data.row_lower, data.row_upper)


def _rounding(fun: Array, w: Array, c: Array, violated: Array) -> Array:
    """What rounding makes of (1), (): rows that are not violated have none, whatever their weights."""
    return NOISE * float(jnp.finfo(c.dtype).eps) * (jnp.abs(fun) + dot(w, jnp.where(violated > 0, jnp.abs(c), 0.0)))


def _learnt(s: SQPState, answer: Constrained, accepted: Array, data: SQPData) -> tuple[Array, Array, Array]:
    """H after the step that was accepted by (6); is it a multiple of the identity still, and one that grows?"""
    eps = float(jnp.finfo(s.x.dtype).eps)
    moved, Bs = s.t * s.step.d, s.t * s.step.Bd
    u = answer.grad - s.grad + matvec((answer.jacobian - s.A).T, s.step.y)
    su, uu, ss = dot(moved, u), dot(u, u), dot(moved, moved)
    curved = (su > 0) & (su * su > eps * uu * ss) & (uu > (NOISE * eps) ** 2 * dot(answer.grad, answer.grad))
    first = s.H[0, 0]
    bent = jnp.where(su < 0, ss / jnp.where(su < 0, -su, 1.0) / first, 1.0 / DAMPED)  # units, from negative curvature too
    scale = jnp.where(curved, su / jnp.where(curved, uu, 1.0) / first, bent)
    scale = jnp.where(s.unlearnt, scale, 1.0)
    Bs, H = Bs / scale, scale * s.H
    sBs = dot(moved, Bs)
    flat = s.unlearnt & ~curved & (su >= 0)
    learns = accepted & ~s.step.elastic & (sBs > 0) & ~flat
    worse = jnp.sum(_violation(answer.constraints, data)) > jnp.sum(_violation(s.c, data))
    learns &= (su > 0) | ~worse
    low = su < DAMPED * sBs
    theta = jnp.where(low, (1.0 - DAMPED) * sBs / jnp.where(low, sBs - su, 1.0), 1.0)
    sr = jnp.where(learns, theta * su + (1.0 - theta) * sBs, 1.0)
    r = theta * u + (1.0 - theta) * Bs
    Hr = theta * matvec(H, u) + (1.0 - theta) * moved
    along = (1.0 + dot(r, Hr) / sr) / sr * moved - Hr / sr
    new = H + moved[:, None] * along[None, :] - (Hr / sr)[:, None] * moved[None, :]
    new = jnp.where(learns, 0.5 * (new + new.T), jnp.where(accepted & flat, H, s.H))
    return new, s.unlearnt & ~learns, accepted & flat


def _report(s: SQPState, data: SQPData) -> dict[str, Array]:
    violated, y = _violation(s.c, data), s.step.y
    worst = jnp.max(violated, initial=0.0)
    if y.shape[0] > 0:  # violated rows that no step mends have no multipliers: they pay a price as others do
        side = jnp.where(s.c > data.row_upper, violated, -violated)
        price = float(jnp.finfo(s.x.dtype).eps) ** -qp.PRICE * (1.0 + jnp.abs(s.fun)) / jnp.where(worst > 0, worst, 1.0) ** 2
        y = jnp.where(jnp.any(y != 0) | ~(worst > data.ftol), y, price * side)
    return {"x": s.x, "fun": s.fun, "jac": s.grad, "maxcv": worst, "multipliers": y, "_x": s.x}


METHOD = Method(
    "SLSQP",
    CONSTRAINED,
    _init,
    _ask,
    _tell,
    _report,
    kkt,
    solution=("x", "multipliers"),
    certificate=optimum,
    rank=FEASIBLE,
)


def build(options: dict[str, Any]) -> Method:
    """The method; it has no static options."""
    return METHOD
