"""A toy method for systems of equations: does the machine take it without an edit? Newton's method, nothing else."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.method import RUNNING, SYSTEM_JACOBIAN, Method, Query, Row, Status, Told, system


class State(NamedTuple):
    x: Array  # (n,) where to evaluate next
    at: Array  # (n,) the last point
    residual: Array  # (n,) there


def _tell(s: State, query: Query, answer: Any, data: Any) -> Told:
    step = jnp.linalg.solve(answer.jacobian, answer.residual)
    close = jnp.max(jnp.abs(answer.residual)) <= 10 * jnp.finfo(s.x.dtype).eps
    status = jnp.where(close, Status.CONVERGED, jnp.where(jnp.all(jnp.isfinite(step)), RUNNING, Status.NUMERICAL))
    return Told(State(query.x - step, query.x, answer.residual), status, jnp.ones((), bool))


METHOD = Method(
    "toy-Newton",
    SYSTEM_JACOBIAN,
    init=lambda x0, data: State(x0, x0, jnp.zeros_like(x0)),
    ask=lambda s, data: Query(s.x),
    tell=_tell,
    report=lambda s, data: {"x": s.at, "fun": s.residual},
    implicit=system,
)
ROW = Row(name="toy-Newton", build=lambda options: METHOD, maxiter=lambda n: 50)
