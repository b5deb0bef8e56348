"""The certificate of a minimum under constraints: the exact Newton step of the conditions of Karush, Kuhn and Tucker.

A method claims a point x with multipliers y. After the run this file judges it, from f, c and their exact derivatives at x.
It uses nothing of the method but x and y: neither its matrices nor its subproblems nor its tests.

*What holds* is decided as for derivatives (`kkt.py`): rows whose multiplier says more than their slack, and variables at a
bound that the gradient of the Lagrangian L = f + y'c pushes against. Let A be the rows that hold, on the free variables, and
W'A = Q with orthonormal rows Q (from the singular values of A, in rows of length 1; what is rounding of them is left out).
Then

    dy = -W Q grad L,     v = Q'W'(side - c),     p = -(Z'H Z)^-1 Z'(grad L + H v)                           (1)

correct the multipliers, restore the rows, and minimize along them (Nocedal & Wright 2006, section 18.3: null-space form of
(18.6)), with H the Hessian of L and Z a basis of what is orthogonal to Q. Without Z, p follows from the eigenvalues of

    M = P H P + gamma Q'Q,     P = 1 - Q'Q                                                          (2)

which has the curvatures of Z'H Z, and gamma on the rest; negative ones count by their size, so that the step descends. What
it promises, in units of f, is

    promise = p'M p / 2 + sum_i |y_i| |c_i - side_i| + sum_j |z_j| |x_j - bound_j|.                  (3)

The claim holds where (3) is at most ftol and no row is violated by more than ftol (or catol, if there is one), or where
both are within the rounding of f, x and c; and no multiplier of an inequality has the wrong sign, and (2) no negative
curvature. A multiplier whose sign is
wrong by rounding counts as none, and what it would gain on a move as long as x, or as the way from x0, as promised: beside
equations that nearly depend on one another, with multipliers of 4e6, all others are rounding. Forces at bounds are judged
alike, by the corrected multipliers: those that the method gave may push a variable to a bound that it should leave. Where
Z'H Z is singular (a linear program whose solution is not unique) the slope along Z times that length stands for the first
term.

Where the correction is larger than the forces, the curvature of the given multipliers says nothing: the point is judged once
more, with the corrected ones. So it is with those that were learnt from values of 1e30.

*One more go.* x + v + p is judged alike, as long as (3) falls by FALLS or more, until it is rounding. So a run that ends at
a loose ftol still has a solution that is known to working precision, and its derivatives with it.

A claim that the constraints contradict one another is judged in `contradiction.py`.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._needs.constrained import Constrained, second_order
from jaxopt_lite._needs.contradiction import LEAST, Rows, contradicts
from jaxopt_lite._needs.kkt import active_rows
from jaxopt_lite.core.certificate import FALLS, NEAR, NOISE, inside, stops_at, walked
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, lengths, matvec, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import BUDGET, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, decided

HIGHEST = lax.Precision.HIGHEST
PATIENT = 10.0  # in place of FALLS until there is a proof, from points of values alone: along curved rows (3) rises at first
MOST_STEPS = 12  # most evaluations for a claim: near a solution the steps converge quadratically
DEPENDENT = 0.5  # a singular value of the rows below this power of eps of the largest one is none
SIGNED = 0.5  # a multiplier of the wrong sign is rounding below this power of eps of the largest force
SETTLED = 2.0  # times the largest force: multipliers that are corrected by more were not those that H is made of
ROUNDINGS = 8.0  # times eps: a slope below this part of its terms is none
FLAT = 64.0  # times n eps: a negative curvature below this is rounding, of curvatures of 1


class Verdict(NamedTuple):
    """What is known of a point."""

    y: Array  # (m,) corrected multipliers
    step: Array  # (n,) Newton's step
    promise: Array  # () of (3)
    asked: Array  # () bool: it holds as was asked
    resolved: Array  # () bool: to rounding
    done: Array  # () bool: nothing is left to gain
    worst: Array  # () the largest violation


class Look(NamedTuple):
    """The best point so far, and the next one: what a step reads, for every leaf of a loop is two kernels."""

    x: Array  # (n,)
    y: Array  # (m,) its corrected multipliers
    grad: Array  # (n,)
    known: Array  # (5,) of the point: fun, its promise, its largest violation, and (0 or 1) is it as asked, is it resolved?
    trial: Array  # (n,)
    goes_on: Array  # () bool
    made: Array  # () int32
    rows: Array  # (n + m + m n + n n,) `Rows` at the first point


def optimum(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
    """The fields after the claim of a minimum, or of contradicting constraints, has been decided at the point `_x`."""
    x, claim, t, data = fields["_x"], fields["status"], operands.function, operands.data
    left = jnp.minimum(operands.budget.maxturns - fields["turns"], MOST_STEPS)
    eps = float(jnp.finfo(x.dtype).eps)
    passing = jnp.sqrt(data.ftol)  # on the way, rows without a price may be violated more
    by_values = hasattr(data, "catol")

    def one(at: Look) -> Look:
        answer, times, bends = second_order(oracle, at.trial, at.y, t)
        own = jnp.eye(n, dtype=x.dtype)
        bent = bends(own)
        found = _judged(oracle, at.trial, at.y, answer, times(own) + bent, operands)
        fun, promise, worst, asked, resolved = at.known
        sound = jnp.isfinite(answer.fun) & jnp.all(jnp.isfinite(answer.grad)) & jnp.isfinite(found.worst)
        first = at.made == 0
        unproved = asked + resolved == 0
        falls = (found.promise < FALLS * promise) & (found.worst <= jnp.maximum(worst, passing))
        if by_values:
            falls |= found.promise < jnp.where(unproved, PATIENT, 1.0) * promise
        falls |= (found.resolved & (resolved == 0)) | (found.asked & unproved)
        proved = found.asked | found.resolved | unproved  # no proof is given up for a step
        rounding = data.ftol + NOISE * eps * jnp.abs(fun)
        climbs = answer.fun > fun + PATIENT * promise + rounding  # by what (3) does not explain
        better = sound & (first | (falls & proved & ~climbs))
        pick = lambda new, old: jnp.where(better, new, old)
        known = jnp.stack(
            [answer.fun, found.promise, found.worst, *(f.astype(x.dtype) for f in (found.asked, found.resolved))]
        )
        trial = inside(at.trial + found.step, data)
        ended = found.done & (found.asked | found.resolved) if by_values else found.done
        goes_on = better & ~ended & (jnp.any(trial != at.trial) | jnp.any(found.y != at.y))
        where = pick(at.trial, at.x), pick(found.y, at.y), pick(answer.grad, at.grad), pick(known, at.known)
        rows = jnp.concatenate([answer.grad, answer.constraints, answer.jacobian.reshape(-1), bent.reshape(-1)])
        return Look(*where, trial, goes_on, at.made + 1, jnp.where(first & sound, rows, at.rows))

    no, y = jnp.zeros((), bool), fields["multipliers"]
    m, n = y.shape[0], x.shape[0]
    nothing = jnp.full(5, jnp.inf, x.dtype).at[3:].set(0.0)
    unknown = jnp.full((n + m) * (n + 1), jnp.nan, x.dtype)
    end = walked(one, Look(x, y, jnp.zeros_like(x), nothing, x, ~no, jnp.zeros((), jnp.int32), unknown), left)
    if end is None:
        return {"status": decided(claim)}
    (g, c), (A, bent) = (jnp.split(part, [at]) for part, at in zip(jnp.split(end.rows, [n + m]), (n, m * n), strict=True))
    rows = Rows(g, c, A.reshape(m, n), bent.reshape(n, n))
    infeasible = contradicts(x, operands.x0, y, rows, _sides(oracle, x, operands)[:2], data)
    fun, _, worst, asked, resolved = end.known
    cut = end.goes_on & (end.made >= operands.budget.maxturns - fields["turns"])
    proved = (asked + resolved > 0) & ~cut
    held = jnp.where(asked > 0, CONVERGED, PRECISION)
    unseen = cut | (end.made == 0)  # nobody has looked, or not to the end: what the method believes proves nothing
    refused = jnp.where(unseen, BUDGET, jnp.where(infeasible, INFEASIBLE, NUMERICAL))
    pick = lambda new, old: jnp.where(proved, new, old)
    found = {"x": end.x, "fun": fun, "jac": end.grad, "maxcv": worst, "multipliers": end.y}
    return {name: pick(new, fields[name]) for name, new in found.items() if name in fields} | {
        "turns": fields["turns"] + end.made,
        "status": jnp.where(proved, held, refused).astype(jnp.int32),
    }


def _sides(oracle: Oracle, x: Array, operands: Operands) -> tuple[Array, Array, int]:
    """Both sides of the rows (m,), and the number of equalities."""
    if oracle.more is None:
        none = jnp.zeros(0, x.dtype)
        return none, none, 0
    rows = operands.function.more
    return jnp.asarray(rows.lower).astype(x.dtype), jnp.asarray(rows.upper).astype(x.dtype), oracle.more.p


def _judged(oracle: Oracle, x: Array, y: Array, at: Constrained, H: Array, operands: Operands) -> Verdict:
    data, eps = operands.data, float(jnp.finfo(x.dtype).eps)
    c, A, g = at.constraints, at.jacobian, at.grad
    lower, upper, p = _sides(oracle, x, operands)
    size = jnp.maximum(norm(x), norm(x - operands.x0))
    violated = violations(c, lower, upper)

    # what holds
    equal = (jnp.arange(c.shape[0]) < p) | (lower == upper)
    holding, above = equal, equal
    if c.shape[0] > 0:
        holding, above, _ = active_rows(p, x, c, A, y, g, operands.function.more)
        holding |= violated > data.ftol
    side = jnp.where(holding, jnp.where(above, upper, lower), c)
    y = given = jnp.where(holding, y, 0.0)
    force = g + matvec(A.T, y)
    held, to_bound = jnp.zeros(x.shape, bool), jnp.zeros_like(x)
    stops = stops_at(x, force, data, data.ftol / x.shape[0], eps**NEAR * size)
    if stops is not None:
        met = data.lower == data.upper
        down, up = stops.down & ((force > 0) | met), stops.up & (force < 0)
        held = down | up
        to_bound = jnp.where(held, jnp.where(down, data.lower, data.upper) - x, 0.0)

    # (1)
    loose = ~held
    Q, W = _orthonormal(jnp.where(holding[:, None] & loose[None, :], A, 0.0))
    y = y - matvec(W, matvec(Q, jnp.where(loose, force, 0.0)))
    normal = to_bound + matvec(Q.T, matvec(W.T, jnp.where(holding, side - c, 0.0) - matvec(A, to_bound)))
    P = jnp.diag(loose.astype(x.dtype)) - jnp.dot(Q.T, Q, precision=HIGHEST)
    terms = jnp.abs(g) + matvec(jnp.abs(A).T, jnp.abs(y))
    force = slope = g + matvec(A.T, y)
    slope = matvec(P, jnp.where(jnp.abs(slope) <= ROUNDINGS * eps * terms, 0.0, slope) + matvec(H, normal))
    slope = jnp.where(jnp.abs(slope) <= ROUNDINGS * eps * (norm(terms) + norm(matvec(H, normal))), 0.0, slope)
    tangent = _minimized(H, P, slope)

    # (3)
    wrong = holding & ~equal & jnp.where(above, y < 0, y > 0)
    pull = jnp.abs(y) * lengths(A.T)
    settled = norm((y - given) * lengths(A.T)) <= SETTLED * jnp.maximum(norm(pull), norm(g))
    largest, y = jnp.maximum(norm(jnp.where(equal, 0.0, pull)), norm(g)), jnp.where(wrong, 0.0, y)
    if stops is not None:  # the corrected multipliers may also turn the force on a variable that is held at a bound
        wrong = jnp.concatenate([wrong, held & ~met & jnp.where(down, force < 0, force > 0)])
        pull = jnp.concatenate([pull, jnp.abs(force)])
    pull = jnp.where(wrong, pull, 0.0)
    astray, far = norm(pull) > eps**SIGNED * largest, jnp.maximum(size, LEAST)
    unpaid = norm(pull, 1) * far  # what a long move away from these rows and bounds would gain
    gain = jnp.where(tangent.flat, norm(slope, 1) * far, tangent.decrement)
    promise = gain + dot(jnp.abs(y), jnp.abs(c - side)) + dot(jnp.abs(force), jnp.abs(to_bound))
    bend = dot(jnp.abs(x), matvec(jnp.abs(H), jnp.abs(x)))
    rounded = eps * (jnp.abs(at.fun) + dot(jnp.abs(y), jnp.abs(c) + jnp.abs(side))) + eps**2 * bend
    unseen = NOISE * eps * (jnp.abs(c) + jnp.abs(jnp.where(violated > 0, side, 0.0)) + matvec(jnp.abs(A), jnp.abs(x)))
    step = jnp.where(settled, normal + tangent.step, 0.0)
    sound = ~tangent.saddle & ~astray & settled & jnp.isfinite(bend)
    near = norm(step) <= eps**NEAR * size
    return Verdict(
        y=y,
        step=step,
        promise=jnp.where(jnp.isnan(promise) | ~settled, jnp.inf, promise),
        asked=sound & (promise + unpaid <= data.ftol) & jnp.all(violated <= getattr(data, "catol", data.ftol)),
        resolved=sound & (promise <= NOISE * rounded) & near & jnp.all(violated <= unseen),
        done=(promise <= NOISE * rounded) & jnp.all(violated <= unseen) & ~astray & settled,
        worst=jnp.max(violated, initial=0.0),
    )


class Tangent(NamedTuple):
    """The minimizer of the quadratic model along the rows that hold."""

    step: Array  # (n,)
    decrement: Array  # ()
    flat: Array  # () bool: a slope meets no curvature
    saddle: Array  # () bool: there is negative curvature


def _minimized(H: Array, P: Array, slope: Array) -> Tangent:
    """The step of (2), by eigenvalues of M in units in which its diagonal is +-1; negative ones count by their size."""
    n, eps = slope.shape[0], float(jnp.finfo(slope.dtype).eps)
    own = jnp.eye(n, dtype=H.dtype)
    stiff = jnp.max(jnp.abs(H))
    stiff = jnp.where((stiff > 0) & (stiff < jnp.inf), stiff, 1.0)
    M = jnp.dot(P, jnp.dot(H, P, precision=HIGHEST), precision=HIGHEST) + stiff * (own - P)
    M = jnp.where(jnp.isfinite(M), 0.5 * (M + M.T), own)
    size = jnp.sqrt(jnp.maximum(jnp.abs(jnp.diagonal(M)), eps * stiff))
    curvature, V = jnp.linalg.eigh(M / (size[:, None] * size[None, :]), symmetrize_input=False)
    y = matvec(V.T, slope / size)
    curved = jnp.abs(curvature) > 4 * n * eps
    along = y / jnp.where(curved, jnp.abs(curvature), 1.0)
    step = -matvec(P, matvec(V, jnp.where(curved, along, 0.0)) / size)
    level = jnp.abs(y) <= n * eps * norm(y, 2)
    return Tangent(step, 0.5 * dot(y, along), jnp.any(~curved & ~level), jnp.any(curvature < -FLAT * n * eps))


def _orthonormal(A: Array) -> tuple[Array, Array]:
    """Orthonormal rows Q (r, n) that span the rows of A (m, n), zero beyond its rank, and W (m, r) with W'A = Q."""
    if A.shape[0] == 0:
        return A, jnp.zeros((0, 0), A.dtype)
    size = lengths(A.T)
    unit = jnp.where(size > 0, 1.0 / jnp.where(size > 0, size, 1.0), 0.0)
    A = A * unit[:, None]
    U, s, Q = jnp.linalg.svd(jnp.where(jnp.isfinite(A), A, 0.0), full_matrices=False)
    kept = s > float(jnp.finfo(A.dtype).eps) ** DEPENDENT * s[0]
    return jnp.where(kept[:, None], Q, 0.0), unit[:, None] * U * jnp.where(kept, 1.0 / jnp.where(kept, s, 1.0), 0.0)[None, :]
