"""trust-constr: a barrier method whose subproblems are solved by trust-region SQP, one evaluation a turn."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained import barrier
from jaxopt_lite._families.constrained.barrier import Sides
from jaxopt_lite._needs.constrained import LAGRANGIAN, Constrained
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.kkt_certificate import optimum
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.options import DIFFERENCES, POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE
from jaxopt_lite.core.status import BAD_INPUT, BELIEVED, CLAIM, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import objective_tolerance

ETA = 1e-8  # least gain ratio of a step that is accepted
REDUCE = 0.3  # of the rows' share in the promise, (6)
FASTER, POWER = 0.2, 1.5  # the next mu is the smaller of FASTER mu and mu^POWER
LOWERINGS = 4  # most reductions of mu in a turn
NOISE = 8.0
STILL = 1e-6
PUSH = 1e-2  # of a start into the box
SLACK = 1e-2  # likewise of the first slacks
import os
KAPPA_LOW = float(os.environ.get('KL','10'))
KAPPA = 1e10  # z stays within this factor of mu over the distance
INNER = 10.0
REACH = 5.0  # times the radius after mu was lowered


class BarrierData(NamedTuple):
    """Traced numbers of a run."""

    ftol: Array  # () gtol under the name that the certificate reads
    xtol: Array
    mu: Array  # () first
    mu_last: Array  # () a mu that is no larger is none
    inner: Array  # () first tolerance of a subproblem
    radius: Array  # () first
    penalty: Array  # () first
    row_lower: Array  # (m,) sides of the rows
    row_upper: Array  # (m,)
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    flawed: Array  # () bool: sides or bounds that cross


class BarrierState(NamedTuple):
    """An accepted point, and the step that is tried from there."""

    v: Array  # (n + m,) x and slacks
    fun: Array  # () +inf before the first evaluation
    grad: Array  # (n,)
    c: Array  # (m,)
    A: Array  # (m, n)
    H: Array  # (n, n)
    z: Array  # (2, n + m) multipliers of the sides
    y: Array  # (m,) multipliers of the rows at v
    mu: Array
    radius: Array
    nu: Array  # () the penalty
    d: Array  # (n + m,) the step
    y_try: Array  # (m,)
    gain: Array  # () promised fall of the merit function
    length: Array  # () of the step
    normal: Array
    second: Array  # () bool: the step has a second-order correction
    products: Array  # () int32
    optimality: Array
    violated: Array


OPTIONS = {
    "xtol": Option(None, POSITIVE_OR_ZERO, "Stop where the radius is smaller. Default 1e-8; 1.2e-6 in float32."),
    "gtol": Option(None, POSITIVE_OR_ZERO, "Stop where no component of the Lagrangian's gradient is larger."),
    "barrier_tol": Option(None, POSITIVE_OR_ZERO, "Stop only where the barrier parameter is no larger."),
    "initial_tr_radius": Option(1.0, POSITIVE_OR_ZERO, "First radius."),
    "initial_constr_penalty": Option(1.0, POSITIVE_OR_ZERO, "First weight of the rows in the merit function."),
    "initial_barrier_parameter": Option(0.1, POSITIVE_OR_ZERO, "First weight of the logarithms."),
    "initial_barrier_tolerance": Option(0.1, POSITIVE_OR_ZERO, "Tolerance of the first barrier problem."),
    "return_all": Option(False, STATIC, "Keep the point of every iteration in `allvecs`; eager calls only."),
} | DIFFERENCES


def prepare(options: dict[str, Any], x0: Array) -> BarrierData:
    """The data record from options; None takes the default of the dtype."""
    eps = float(jnp.finfo(x0.dtype).eps)
    number = lambda name, default: jnp.asarray(default if options[name] is None else options[name]).astype(x0.dtype)
    lower, upper = box.sides(options.get("bounds"), x0)
    rows = options["constraints"]
    equal, low, high = (jnp.asarray(side).astype(x0.dtype) for side in rows)
    low, high = jnp.concatenate([equal, low]), jnp.concatenate([equal, high])
    small = max(1e-8, eps**0.75)
    data = BarrierData(
        ftol=number("gtol", small),
        xtol=number("xtol", max(1e-8, 10 * eps)),
        mu=number("initial_barrier_parameter", 0.1),
        mu_last=number("barrier_tol", small),
        inner=number("initial_barrier_tolerance", 0.1),
        radius=number("initial_tr_radius", 1.0),
        penalty=number("initial_constr_penalty", 1.0),
        row_lower=low,
        row_upper=high,
        lower=lower,
        upper=upper,
        flawed=jnp.zeros((), bool),
    )
    return data._replace(flawed=box.crossed(data) | ~jnp.all(low <= high))


def _sides(data: BarrierData, n: int) -> Sides:
    none = jnp.full(n, jnp.inf, data.ftol.dtype)
    low = jnp.concatenate([-none if data.lower is None else data.lower, data.row_lower])
    high = jnp.concatenate([none if data.upper is None else data.upper, data.row_upper])
    return Sides(low, high, low == high)


def _inside(v: Array, low: Array, high: Array, push: float) -> Array:
    """v, or a point near it that is not at its sides."""
    wide = push * (high - low)
    away = lambda side: jnp.minimum(push * jnp.maximum(1.0, jnp.abs(side)), wide)
    down, up = jnp.isfinite(low), jnp.isfinite(high)
    least = jnp.where(down, jnp.where(down, low, 0.0) + jnp.where(down, away(jnp.where(down, low, 0.0)), 0.0), -jnp.inf)
    most = jnp.where(up, jnp.where(up, high, 0.0) - jnp.where(up, away(jnp.where(up, high, 0.0)), 0.0), jnp.inf)
    return jnp.where(low == high, low, jnp.clip(v, least, most))


def _init(x0: Array, data: BarrierData) -> BarrierState:
    n, m = x0.shape[0], data.row_lower.shape[0]
    x = x0 if data.lower is None else _inside(x0, data.lower, data.upper, PUSH)
    v, rows, zero = jnp.concatenate([x, jnp.zeros(m, x0.dtype)]), jnp.zeros(m, x0.dtype), jnp.zeros((), x0.dtype)
    return BarrierState(
        v=v,
        fun=zero + jnp.inf,
        grad=jnp.zeros_like(x0),
        c=rows,
        A=jnp.zeros((m, n), x0.dtype),
        H=jnp.zeros((n, n), x0.dtype),
        z=jnp.zeros((2, n + m), x0.dtype),
        y=rows,
        mu=data.mu,
        radius=data.radius,
        nu=data.penalty,
        d=jnp.zeros_like(v),
        y_try=rows,
        gain=zero,
        length=zero,
        normal=zero,
        second=jnp.zeros((), bool),
        products=jnp.zeros((), jnp.int32),
        optimality=zero + jnp.inf,
        violated=zero + jnp.inf,
    )


def _ask(s: BarrierState, data: BarrierData) -> Query:
    n = s.grad.shape[0]
    return Query(box.along(s.v[:n], s.d[:n], jnp.ones((), s.v.dtype), data), s.y_try)


def _tell(s: BarrierState, query: Query, answer: Constrained, data: BarrierData) -> Told:
    n = s.grad.shape[0]
    eps = float(jnp.finfo(s.v.dtype).eps)
    sides = _sides(data, n)
    fresh = jnp.isinf(s.fun)

    # the trial point, with the slacks that lower the merit function
    c = answer.constraints
    slack = jnp.where(fresh, _inside(c, data.row_lower, data.row_upper, SLACK), s.v[n:] + s.d[n:])
    slack = jnp.clip(slack, data.row_lower, data.row_upper)
    within = (c > data.row_lower) & (c < data.row_upper)
    rows = Sides(sides.low[n:], sides.high[n:], sides.still[n:])
    safe = jnp.where(within, c, slack)
    reset = within & (jnp.sum(jnp.stack([barrier.logs(safe, rows), -barrier.logs(slack, rows)]), 0) <= 0)
    slack = jnp.where(reset, c, slack)
    v = jnp.concatenate([query.x, slack])

    logs, logs_now = barrier.logs(s.v, sides), barrier.logs(v, sides)
    h, h_now = s.c - s.v[n:], c - slack
    fall = s.mu * jnp.sum(logs - logs_now) + s.nu * (norm(h, 2) - norm(h_now, 2)) + (s.fun - answer.fun)
    noise = NOISE * eps * (jnp.abs(s.fun) + s.mu * jnp.sum(jnp.abs(logs)) + s.nu * (norm(h, 2) + eps * norm(s.c, 2)))
    ratio = fall / jnp.where(s.gain > 0, s.gain, 1.0)
    tiny = s.gain <= noise
    good = (ratio >= ETA) & (fall > -jnp.inf) & (s.gain > 0)
    accepted = answer.finite & (fresh | good | (tiny & (fall >= -noise)))
    pick = lambda new, old: jnp.where(accepted, new, old)
    new_v, fun, grad, c, A, H = (
        pick(a, b)
        for a, b in zip((v, answer.fun, answer.grad, c, answer.jacobian, answer.hess), (s.v, s.fun, s.grad, s.c, s.A, s.H), strict=True)
    )

    # multipliers of the sides, by Newton's step for (v - low) z = mu
    moved = new_v - s.v
    down, up = barrier.distances(s.v, sides)
    inverse = jnp.stack([1.0 / down, 1.0 / up])
    dz = s.mu * inverse - s.z - s.z * inverse * jnp.stack([moved, -moved])
    share = jnp.min(jnp.where(dz < 0, -barrier.TAU * s.z / jnp.where(dz < 0, dz, 1.0), 1.0))
    z = s.z + jnp.clip(share, 0.0, 1.0) * dz
    at = barrier.place(new_v, A, sides)
    inverse = jnp.stack([1.0 / at.down, 1.0 / at.up])
    z = jnp.where(fresh, s.mu * inverse, z)
    z = pick(jnp.clip(z, s.mu * inverse / KAPPA_LOW, s.mu * inverse * KAPPA), s.z)

    # how far from a solution
    whole = jnp.concatenate([grad, jnp.zeros_like(c)])
    y = barrier.multipliers(at, at.D * (whole - z[0] + z[1]))
    lagrangian = whole + jnp.concatenate([matvec(A.T, y), -y]) - z[0] + z[1]
    lagrangian = jnp.where(sides.still, 0.0, lagrangian)
    h = c - new_v[n:]
    products = jnp.where(inverse > 0, z / jnp.where(inverse > 0, inverse, 1.0), s.mu)
    dual, primal = norm(lagrangian), norm(h)
    scale = jnp.maximum(1.0, (jnp.sum(jnp.abs(y)) + jnp.sum(z)) / (100.0 * max(1, 2 * (n + h.shape[0]))))
    most, least = jnp.max(products), jnp.min(products)
    any_side = jnp.any(inverse > 0)
    error = lambda mu: jnp.maximum(jnp.maximum(dual / scale, primal), jnp.where(any_side, jnp.maximum(most - mu, mu - least), 0.0) / scale)
    mu, share = s.mu, INNER * data.inner / data.mu
    slight = ~fresh & (s.gain <= 0.1 * share * s.mu) & (primal <= share * s.mu) & (s.length < 0.99 * s.radius)
    for k in range(LOWERINGS):
        done = (accepted & (error(mu) <= share * mu)) | (slight if k == 0 else False)
        done &= mu > data.mu_last
        mu = jnp.where(done, jnp.maximum(jnp.minimum(FASTER * mu, mu**POWER), 0.1 * data.mu_last), mu)
    lowered = mu < s.mu

    # the radius
    correct = ~accepted & ~s.second & (s.normal <= 0.8 * s.length) & answer.finite & (h.shape[0] > 0)
    grown = jnp.where(ratio >= 0.9, jnp.maximum(7.0 * s.length, s.radius), jnp.where(ratio >= 0.3, jnp.maximum(2.0 * s.length, s.radius), s.radius))
    shrunk = jnp.clip(s.length * 0.5 / jnp.maximum(1.0 - ratio, 1e-3), 0.1 * s.length, 0.5 * s.length)
    shrunk = jnp.where(answer.finite, shrunk, 0.1 * s.length)
    radius = jnp.where(fresh | correct, s.radius, jnp.where(accepted, grown, jnp.minimum(shrunk, s.radius)))
    radius = jnp.where(lowered, jnp.maximum(REACH * radius, data.radius), radius)

    # the step
    g = at.D * (whole + mu * (inverse[1] - inverse[0]))
    bent = jnp.sum(z * inverse, 0)
    step = barrier.composite(at, h, g, H, bent, radius)
    needed = jnp.where(step.mends > 0, -step.gain / ((1.0 - REDUCE) * jnp.where(step.mends > 0, step.mends, 1.0)), 0.0)
    nu = jnp.maximum(jnp.where(lowered, data.penalty, s.nu), needed)
    d, gain = step.d, step.gain + nu * step.mends
    if h.shape[0] > 0:
        second = s.d + at.D * _cut(at, s.d, barrier.restored(at, h_now))
        d = jnp.where(correct, second, d)
    keep = lambda old, new: jnp.where(correct, old, new)
    new = BarrierState(
        v=new_v,
        fun=fun,
        grad=grad,
        c=c,
        A=A,
        H=H,
        z=z,
        y=y,
        mu=mu,
        radius=radius,
        nu=keep(s.nu, nu),
        d=d,
        y_try=keep(s.y_try, step.y),
        gain=keep(s.gain, gain),
        length=keep(s.length, step.length),
        normal=keep(s.normal, step.normal),
        second=correct,
        products=s.products + jnp.where(correct, 0, step.products),
        optimality=dual,
        violated=norm(violations(c, data.row_lower, data.row_upper)),
    )
    # status
    feasible = new.violated <= data.ftol
    last = (mu <= data.mu_last) | ~any_side
    promise = step.gain + nu * step.mends
    good = last & (primal <= data.ftol) & (promise <= data.ftol) & (step.length < 0.99 * radius) & ~correct
    small = radius <= data.xtol
    level = norm(matvec(at.J.T, h)) <= STILL * norm(h, 2) * jnp.minimum(1.0, norm(h, 2))
    status = jnp.where(small | (fresh & ~accepted), CLAIM + jnp.where(feasible | fresh, NUMERICAL, INFEASIBLE), RUNNING)
    status = jnp.where(small & feasible & last, CLAIM + PRECISION, status)
    status = jnp.where(accepted & level & ~feasible, CLAIM + INFEASIBLE, status)
    status = jnp.where(accepted & good, BELIEVED + CONVERGED, status)
    status = jnp.where(data.flawed, BAD_INPUT, status)
    return Told(new, status, accepted & ~fresh)


def _cut(at, d, w):
    """w, cut at the sides after the step d."""
    start = jnp.where(at.D > 0, d / jnp.where(at.D > 0, at.D, 1.0), 0.0)
    return w * barrier.room(at, start, w, 0.999)


def _report(s: BarrierState, data: BarrierData) -> dict[str, Array]:
    n = s.grad.shape[0]
    violated = violations(s.c, data.row_lower, data.row_upper)
    worst = jnp.max(violated, initial=0.0)
    y = s.y
    if y.shape[0] > 0:
        side = jnp.where(s.c > data.row_upper, violated, -violated)
        price = float(jnp.finfo(s.v.dtype).eps) ** -0.4 * (1.0 + jnp.abs(s.fun)) / jnp.where(worst > 0, worst, 1.0) ** 2
        y = jnp.where(worst > data.ftol, price * side, y)
    return {
        "x": s.v[:n],
        "fun": s.fun,
        "jac": s.grad,
        "maxcv": worst,
        "multipliers": y,
        "tr_radius": s.radius,
        "barrier_parameter": s.mu,
        "constr_penalty": s.nu,
        "cg_niter": s.products,
        "optimality": s.optimality,
        "_x": _snapped(s, data),
    }


def _snapped(s: BarrierState, data: BarrierData) -> Array:
    """x (n,), at the bounds that hold: whose multiplier says more than the distance, each in units of its own."""
    n = s.grad.shape[0]
    x = s.v[:n]
    if data.lower is None or data.upper is None:
        return x
    z, far = s.z[:, :n], jnp.stack([x - data.lower, data.upper - x])
    force = jnp.maximum(norm(s.grad), norm(z.reshape(-1)))
    size = jnp.maximum(jnp.abs(x), 1.0) / jnp.where(force > 0, force, 1.0)
    held = (z * size > far) & (z > jnp.abs(jnp.diagonal(s.H)) * far)
    return jnp.where(held[0], data.lower, jnp.where(held[1], data.upper, x))


METHOD = Method(
    "trust-constr",
    LAGRANGIAN,
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
