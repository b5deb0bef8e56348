"""A toy method that asks for four points at once: does the machine take it without an edit?

A compass search of two variables: x +- h e_1 and x +- h e_2. It goes to the best of them if that is better than x; else h is
halved. It ends where h is small and x is still the best of the five.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.method import POSITIVE_OR_ZERO, RUNNING, VALUE, Method, Option, Query, Row, Status, Told, stationary

COMPASS = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])


class State(NamedTuple):
    x: Array  # (2,) the best point
    fun: Array  # () there; inf before the first turn
    h: Array  # () the step


def _init(x0: Array, data: Any) -> State:
    return State(x0, jnp.full((), jnp.inf, x0.dtype), jnp.ones((), x0.dtype))


def _ask(s: State, data: Any) -> Query:
    return Query(s.x[None] + s.h * COMPASS.astype(s.x.dtype))


def _tell(s: State, query: Query, answer: Any, data: Any) -> Told:
    x, fun = s.x, s.fun
    for k in range(4):
        better = answer.fun[k] < fun
        x, fun = jnp.where(better, query.x[k], x), jnp.where(better, answer.fun[k], fun)
    stays = jnp.all(x == s.x) & jnp.isfinite(s.fun)
    done = stays & (s.h <= data["xtol"])
    status = jnp.where(done, Status.CONVERGED, RUNNING)
    return Told(State(x, fun, jnp.where(stays, 0.5 * s.h, s.h)), status, jnp.ones((), bool))


def _report(s: State, data: Any) -> dict[str, Array]:
    return {"x": s.x, "fun": s.fun}


METHOD = Method("compass", VALUE, _init, _ask, _tell, _report, stationary)
ROW = Row(
    name="compass",
    build=lambda options: METHOD,
    prepare=lambda options, x0: {"xtol": jnp.asarray(1e-6 if options["xtol"] is None else options["xtol"], x0.dtype)},
    options={"xtol": Option(None, POSITIVE_OR_ZERO, "Least step.")},
    takes=frozenset(),
    maxiter=lambda n: 2000,
)
