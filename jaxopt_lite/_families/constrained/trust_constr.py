"""trust-constr: barrier problems solved by trust-region SQP with the exact Hessian of the Lagrangian, one evaluation a turn.

`barrier.py` makes one kind of row of equalities, inequalities and bounds, with x and the slacks s in v, and `composite.py`
the step d from v. The trial point v + d is judged by

    phi(v) = f(x) - mu sum_j log(distances) + nu |c(x) - s|                                          (1)

(Byrd, Hribar & Nocedal 1999, (2.9)). With q what the model of the barrier function falls by, and r what the linearized
|c - s| does, the step promises q + nu r, and nu grows to what makes this at least REDUCED nu r (their (2.14)):

    nu >= -q / ((1 - REDUCED) r).                                                                  (2)

A trial is accepted where phi falls, by the smallest part of the promise. The next radius is at most 7 times the step where
it fell by 0.9 of the promise, twice where by 0.3. After a refusal it is a tenth to a half of the step; but where the step
was mostly tangential, its *second-order correction* is tried first: the rows at the trial point, brought to zero by the
Jacobian that is known (N&W (18.62)). That is the next turn's trial; no other point is evaluated.

*Slacks.* At the trial point a row that lies between its sides takes the slack s_i = c_i if that is farther from them than
s_i + d_i: it lowers both parts of (1) (Byrd, Gilbert & Nocedal 2000, (3.21)). So rows that do not hold restrain nothing.

*nu* follows the multipliers down too, by half of the way to |y| a step (Powell 1978): one that stays large makes the steps
along curved rows short.

*mu* falls where its problem is solved (`barrier_parameter.py`). The radius then grows fivefold, and nu starts anew. The
units of f and of the rows are there too: f in another unit is the same run.

*How a run ends.* Where mu is at most `barrier_tol`, the rows hold within gtol, and the whole step promises no more than
gtol. That is believed, not known: the certificate decides (`_needs/kkt_certificate.py`), at the point with the variables at
those bounds whose multiplier says more than their distance, and Newton's steps go on from there. A run also ends, with a
claim, where the radius is below xtol, and where the violation is stationary to first order.

*Without sides* there is no barrier, and this is the method of Lalee, Nocedal & Plantenga (1998). SciPy chooses between
both methods likewise.

Source: R. H. Byrd, M. E. Hribar, J. Nocedal, An interior point algorithm for large-scale nonlinear programming, SIAM J.
Optim. 9 (1999) 877; R. H. Byrd, J. C. Gilbert, J. Nocedal, Math. Program. 89 (2000) 149; M. J. D. Powell, Lecture Notes in
Mathematics 630 (1978) 144; J. Nocedal, S. J. Wright (N&W), Numerical Optimization, 2nd ed. (2006), chapters 18 and 19.
Changed for batches: mu is lowered, and a correction tried, by the turn and not by a loop.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained import barrier, merit
from jaxopt_lite._families.constrained.barrier_parameter import (
    Left,
    in_units,
    lowered,
    row_units,
    scale_of,
    unit_of,
)
from jaxopt_lite._families.constrained.composite import composite, restored
from jaxopt_lite._families.constrained.trust_constr_options import (
    OPTIONS,
    BarrierData,
    by_products,
    check,
    prepare,
    sides_of,
)
from jaxopt_lite._families.constrained.trust_constr_products import METHOD as BY_PRODUCTS
from jaxopt_lite._needs.constrained import LAGRANGIAN, Constrained
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.kkt_certificate import optimum
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import matvec, norm
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE
from jaxopt_lite.core.status import BAD_INPUT

__all__ = ["METHOD", "OPTIONS", "build", "prepare"]


class BarrierState(NamedTuple):
    """An accepted point, and the step that is tried from there."""

    v: Array  # (N,) x and the slacks
    fun: Array  # () +inf before the first evaluation
    grad: Array  # (n,)
    c: Array  # (m,)
    A: Array  # (m, n)
    H: Array  # (n, n) of the Lagrangian
    z: Array  # (2, N) multipliers of the sides
    y: Array  # (m,) multipliers of the rows
    mu: Array  # ()
    nu: Array  # () of (1)
    unit: Array  # () of f: what it changes by over the first radius
    w: Array  # (m,) times a row: it in its unit, as in all of this state
    radius: Array  # ()
    d: Array  # (N,) the step
    y_try: Array  # (m,) multipliers at its end
    gain: Array  # () what it promises of phi
    length: Array  # () its length in the units of v
    correctable: Array  # () bool: if it is refused, is its second-order correction to be tried?
    products: Array  # () int32 with the Hessian, of all steps


def _init(x0: Array, data: BarrierData) -> BarrierState:
    n, m = x0.shape[0], data.row_lower.shape[0]
    x = x0 if data.lower is None or data.upper is None else barrier.inside(x0, data.lower, data.upper)
    rows, zero = jnp.zeros(m, x0.dtype), jnp.zeros((), x0.dtype)
    return BarrierState(
        v=jnp.concatenate([x, rows]),
        fun=zero + jnp.inf,
        grad=jnp.zeros_like(x0),
        c=rows,
        A=jnp.zeros((m, n), x0.dtype),
        H=jnp.zeros((n, n), x0.dtype),
        z=jnp.zeros((2, n + m), x0.dtype),
        y=rows,
        mu=zero,
        nu=zero,
        unit=zero + 1.0,
        w=rows + 1.0,
        radius=data.radius,
        d=jnp.zeros(n + m, x0.dtype),
        y_try=rows,
        gain=zero,
        length=zero,
        correctable=jnp.zeros((), bool),
        products=jnp.zeros((), jnp.int32),
    )


def _ask(s: BarrierState, data: BarrierData) -> Query:
    x = s.v[: s.grad.shape[0]] + s.d[: s.grad.shape[0]]
    return Query(box.project(x, data), s.w * s.y_try)


def _tell(s: BarrierState, query: Query, answer: Constrained, data: BarrierData) -> Told:
    n, m, fresh = s.A.shape[1], s.A.shape[0], jnp.isinf(s.fun)
    w = jnp.where(fresh, row_units(answer.jacobian, answer.constraints, data), s.w)
    answer = answer._replace(constraints=w * answer.constraints, jacobian=w[:, None] * answer.jacobian)
    data = in_units(data, w)
    unit = jnp.where(fresh, unit_of(norm(answer.grad), norm(jnp.diagonal(answer.hess)), data), s.unit)
    scale, sides = scale_of(unit, data), sides_of(data, n)
    s = s._replace(unit=unit, mu=jnp.where(fresh, scale.mu, s.mu), nu=jnp.where(fresh, scale.nu, s.nu))

    trial = merit.tried(s, query.x, answer, data)
    accepted = trial.accepted
    pick = lambda new, old: jnp.where(accepted, new, old)
    step = pick(trial.v - s.v, 0.0)
    v, fun, grad, c = pick(trial.v, s.v), pick(answer.fun, s.fun), pick(answer.grad, s.grad), pick(answer.constraints, s.c)
    A, H = pick(answer.jacobian, s.A), pick(answer.hess, s.H)

    # multipliers, and what is left of the conditions of optimality
    at = barrier.place(v, A, sides)
    z = barrier.moved_multipliers(s.z, s.mu, trial.near, step, at.nearness)
    z = pick(jnp.where(fresh, s.mu * at.nearness, z), s.z)
    whole, h = jnp.concatenate([grad, jnp.zeros_like(c)]), c - v[n:]
    y = barrier.multipliers(at, at.D * (whole - z[0] + z[1]))
    slope = whole + jnp.concatenate([matvec(A.T, y), -y]) - z[0] + z[1]
    terms = matvec(jnp.abs(A), jnp.abs(v[:n]))
    slope, missed = norm(jnp.where(sides.still, 0.0, slope)), merit.beyond_rounding(h, c, terms)
    slight = merit.is_slight(s, norm(missed), trial.noise, data)
    mu = lowered(s.mu, unit, Left(slope, norm(missed), y, z, at.nearness), accepted, slight, data)
    fell = mu < s.mu
    corrects = ~accepted & s.correctable & answer.finite & ~trial.strays
    radius = merit.next_radius(s, trial, answer.finite, fresh | corrects)
    radius = jnp.where(fell, jnp.maximum(merit.WIDER * radius, data.radius), radius)

    # the next step
    bent = jnp.sum(z * at.nearness, axis=0)

    def times(p: Array) -> Array:
        moved = at.D * p
        return at.D * (jnp.concatenate([matvec(H, moved[:n]), jnp.zeros_like(moved[n:])]) + bent * moved)

    g = at.D * (whole + mu * (at.nearness[1] - at.nearness[0]))
    found = composite(at, h, g / unit, lambda p: times(p) / unit, radius, min(2 * n, n + m))
    found = found._replace(gain=unit * found.gain, y=unit * found.y)
    nu = jnp.where(fell, scale.nu, s.nu)
    nu = merit.needed_weight(pick(merit.next_weight(nu, found.y), nu), found.gain, found.mends)
    promise = found.gain + nu * found.mends
    d, keep = at.D * found.p, lambda old, new: jnp.where(corrects, old, new)
    if m > 0:
        p = jnp.where(at.D > 0, s.d / jnp.where(at.D > 0, at.D, 1.0), 0.0)
        d = jnp.where(corrects, at.D * restored(at, p, answer.constraints - (s.v + s.d)[n:]), d)
    new = BarrierState(
        v=v,
        fun=fun,
        grad=grad,
        c=c,
        A=A,
        H=H,
        z=z,
        y=y,
        mu=mu,
        nu=keep(s.nu, nu),
        unit=unit,
        w=w,
        radius=radius,
        d=d,
        y_try=keep(s.y_try, found.y),
        gain=keep(s.gain, promise),
        length=keep(s.length, found.length),
        correctable=~corrects & (found.normal <= merit.CURVED * found.length) & (m > 0),
        products=s.products + jnp.where(corrects, 0, found.products),
    )

    # how the lane stands
    violated = merit.beyond_rounding(violations(c, data.row_lower, data.row_upper), c, terms)
    feasible = norm(violated / w) <= data.ftol
    last = merit.is_last(mu, at.nearness, unit, data)
    solved = merit.is_solved(new, norm(missed / w), promise, found.length, trial.noise, data) & ~corrects
    unseen = fresh & ~accepted
    stationary = accepted & ~feasible & merit.is_stationary(matvec(at.J.T, h), h)
    status = merit.status_of(solved & ~unseen, (radius <= data.xtol) | unseen, stationary, feasible | fresh, last)
    status = jnp.where(data.flawed | (fresh & trial.strays), BAD_INPUT, status)
    return Told(new, status, accepted & ~fresh)


def _report(s: BarrierState, data: BarrierData) -> dict[str, Array]:
    n, data = s.grad.shape[0], in_units(data, s.w)
    sides = sides_of(data, n)
    holds = barrier.holding(s.v, s.z, s.grad, s.A, s.H, sides)
    x = s.v[:n] if data.lower is None else barrier.at_bounds(s.v[:n], holds[:, :n], s.H, sides)
    terms = matvec(jnp.abs(s.A), jnp.abs(s.v[:n]))
    return merit.fields(s, matvec(s.A.T, s.y), holds, s.w, terms, data) | {"cg_niter": s.products, "_x": x}


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
    """The method, with matrices or by products; raises ValueError for what has no meaning here."""
    check(options)
    return BY_PRODUCTS if by_products(options) else METHOD
