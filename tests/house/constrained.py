"""A toy method for constrained problems: does the machine take it without an edit?

A semismooth Newton method on the conditions of Karush, Kuhn and Tucker (Hintermueller, Ito, Kunisch 2002): a row counts as
active where y + c - side has the sign of that side, and as inactive elsewhere, where its multiplier is zero. One linear
system gives the next point and its multipliers. It solves convex problems whose active rows are independent.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.method import FEASIBLE, LAGRANGIAN, RUNNING, Method, Query, Row, Status, Told, kkt


class Data(NamedTuple):
    equal: Array  # (p,)
    lower: Array  # (q,)
    upper: Array  # (q,)
    tol: Array  # ()


class State(NamedTuple):
    x: Array  # (n,) where to evaluate next
    y: Array  # (m,) multipliers
    at: Array  # (n,) the last point
    fun: Array  # () there
    grad: Array  # (n,)
    violation: Array  # ()


def _init(x0: Array, data: Data) -> State:
    inf = jnp.full((), jnp.inf, x0.dtype)
    m = data.equal.shape[0] + data.lower.shape[0]
    return State(x0, jnp.zeros(m, x0.dtype), x0, inf, jnp.zeros_like(x0), inf)


def _ask(s: State, data: Data) -> Query:
    return Query(s.x, s.y)


def _tell(s: State, query: Query, answer: Any, data: Data) -> Told:
    c, A, n = answer.constraints, answer.jacobian, s.x.shape[0]
    lower = jnp.concatenate([data.equal, data.lower])
    upper = jnp.concatenate([data.equal, data.upper])
    above, below = s.y + c - upper > 0, s.y + c - lower < 0
    equal = jnp.arange(c.shape[0]) < data.equal.shape[0]
    active = equal | above | below
    side = jnp.where(equal | above, upper, lower)
    slope = answer.grad + A.T @ s.y
    right = jnp.concatenate([-slope, jnp.where(active, jnp.where(active, side, 0.0) - c, -s.y)])
    rows = jnp.concatenate([jnp.where(active[:, None], A, 0.0), jnp.diag(jnp.where(active, 0.0, 1.0).astype(c.dtype))], 1)
    d = jnp.linalg.solve(jnp.concatenate([jnp.concatenate([answer.hess, A.T], 1), rows]), right)
    y = s.y + d[n:]
    good = (jnp.max(jnp.abs(slope)) <= data.tol) & (answer.violation <= data.tol) & answer.finite
    good &= jnp.all(jnp.where(active | (s.y == 0), True, False))
    status = jnp.where(good, Status.CONVERGED, jnp.where(jnp.all(jnp.isfinite(d)), RUNNING, Status.NUMERICAL))
    told = State(query.x + d[:n], jnp.where(good, s.y, y), query.x, answer.fun, answer.grad, answer.violation)
    return Told(told, status, jnp.ones((), bool))


def _report(s: State, data: Data) -> dict[str, Array]:
    return {"x": s.at, "fun": s.fun, "jac": s.grad, "maxcv": s.violation, "multipliers": s.y}


def _prepare(options: dict[str, Any], x0: Array) -> Data:
    sides = (jnp.asarray(side).astype(x0.dtype) for side in options["constraints"])
    return Data(*sides, tol=jnp.asarray(jnp.finfo(x0.dtype).eps ** 0.5, x0.dtype))


METHOD = Method("toy-SQP", LAGRANGIAN, _init, _ask, _tell, _report, kkt, ("x", "multipliers"), rank=FEASIBLE)
ROW = Row(
    name="toy-SQP",
    build=lambda options: METHOD,
    prepare=_prepare,
    takes=frozenset({"jac", "hess", "constraints", "equalities"}),
    maxiter=lambda n: 50,
)
