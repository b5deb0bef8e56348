"""Toy methods whose behavior is prescribed by their data: the loop and the batch are tested on them alone."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.residuals import RESIDUAL
from jaxopt_lite._needs.values import GRADIENT, VALUE
from jaxopt_lite.core.implicit import stationary
from jaxopt_lite.core.loop import Budget, Operands
from jaxopt_lite.core.protocol import Answer, Method, Need, Query, Told
from jaxopt_lite.core.status import CONVERGED, RUNNING

MOST = jnp.iinfo(jnp.int32).max


class Script(NamedTuple):
    """What a scripted method does at each of T turns."""

    points: Array  # (T, n) asked for
    status: Array  # (T,) int32 answered
    iterated: Array  # (T,) bool answered


class ScriptState(NamedTuple):
    turn: Array  # () int32
    x: Array  # (n,) last point that it was told about
    told: Answer  # last answer


def scripted(needs: Need = VALUE) -> Method:
    """Asks, answers and stands where its script says; it stands on the point that it was told last."""

    def init(x0: Array, script: Script) -> ScriptState:
        zero, flat = jnp.zeros((), x0.dtype), jnp.zeros_like(x0)
        with_grad = needs is GRADIENT
        residual = needs is RESIDUAL
        told = Answer(zero, flat if with_grad else None, finite=jnp.zeros((), bool))
        return ScriptState(jnp.zeros((), jnp.int32), x0, told._replace(residual=flat if residual else None))

    def ask(s: ScriptState, script: Script) -> Query:
        return Query(script.points[s.turn])

    def tell(s: ScriptState, query: Query, answer: Answer, script: Script) -> Told:
        return Told(ScriptState(s.turn + 1, query.x, answer), script.status[s.turn], script.iterated[s.turn])

    def report(s: ScriptState, script: Script) -> dict[str, Array]:
        fields = {"x": s.x, "told_finite": s.told.finite, "turn": s.turn}
        fields |= {} if s.told.fun is None else {"fun": s.told.fun, "told_fun": s.told.fun}
        return fields | ({} if s.told.grad is None else {"jac": s.told.grad, "told_grad": s.told.grad})

    return Method("scripted", needs, init, ask, tell, report, stationary)


class CountState(NamedTuple):
    x: Array  # (2,) the problem's number and the turn
    last: Array  # () last value


class CountData(NamedTuple):
    turns: Array  # () int32: turns until the lane converges
    small: Array  # () float32, comes back as it is


def _count_tell(s: CountState, query: Query, answer: Answer, data: CountData) -> Told:
    x = s.x + jnp.asarray([0.0, 1.0], s.x.dtype)
    status = jnp.where(x[1] >= data.turns.astype(x.dtype), CONVERGED, RUNNING)
    return Told(CountState(x, answer.fun), status, jnp.ones((), bool))


def _count_report(s: CountState, data: CountData) -> dict[str, Any]:
    nested = {"flag": s.x[1] > 2.0, "small": data.small, "matrix": s.x[:, None] * s.x[None, :]}
    return {"x": s.x, "fun": s.last, **nested}


COUNTING = Method(
    "counting",
    VALUE,
    lambda x0, data: CountState(x0, jnp.zeros((), x0.dtype)),
    lambda s, data: Query(s.x),
    _count_tell,
    _count_report,
    stationary,
)


def counting_operands(number: Any, turns: Any, function: Any, small: Any = 0.0, maxiter: Any = MOST) -> Operands:
    """A problem with a number, solved after so many turns. Everything may be a tracer."""
    x0 = jnp.stack([jnp.asarray(number, jnp.float64), jnp.zeros((), jnp.float64)])
    data = CountData(jnp.asarray(turns, jnp.int32), jnp.asarray(small, jnp.float32))
    return Operands(x0, data, Budget(jnp.asarray(maxiter, jnp.int32), jnp.asarray(MOST, jnp.int32)), function)
