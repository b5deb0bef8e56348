"""Equations F(x) = 0, as many as unknowns: what solvers of systems need. `fun` is |F|^2 / 2, and the result has F itself."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs import by_hand
from jaxopt_lite._needs.residuals import JACOBIAN, RESIDUAL
from jaxopt_lite.core.dense import dot
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Answer, Query, least_value


class Along(NamedTuple):
    """F at a point, and J times the vector that was asked for."""

    fun: Any  # ()
    residual: Any  # (n,)
    product: Any  # (n,)
    finite: Any = None  # () bool


def _along(oracle: Oracle, query: Query, t: Traced) -> Along:
    residual, product = jax.jvp(lambda x: oracle.value(x, t), (query.x,), (query.vector,))
    return Along(0.5 * dot(residual, residual), residual, product)


def _told(layout: Layout, parts: dict[str, Any]) -> Along:
    residual, product = (by_hand.array(layout, parts[name], name, (layout.size,)) for name in ("residual", "product"))
    return Along(0.5 * dot(residual, residual), residual, product)


def _follow(oracle: Oracle, fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
    return {"fun": oracle.value(fields["x"], operands.function)}


def _with_residual(x0: Array, data: Any) -> Answer:
    return least_value(x0, data)._replace(residual=jnp.full_like(x0, jnp.nan))


SYSTEM = RESIDUAL._replace(name="system", follow=_follow, keep=_with_residual, shown=(("residual", "fun"),))
SYSTEM_JACOBIAN = SYSTEM._replace(
    name="system with its Jacobian", answer=JACOBIAN.answer, parts=("residual", "jacobian"), order=1
)
SYSTEM_PRODUCT = SYSTEM._replace(
    name="system with a product of its Jacobian",
    answer=_along,
    told=_told,
    parts=("residual", "product"),
    order=1,
    asked=by_hand.point_and_vector,
)
