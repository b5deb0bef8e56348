"""Residuals (m,) and their derivatives: what fits need. `fun` is half their sum of squares, or what the loss makes of them.

A function of one variable whose zero is sought is a residual of one entry, whose value has a sign (`api/oracles/root.py`).
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs import by_hand
from jaxopt_lite.core.dense import dot
from jaxopt_lite.core.implicit import value_alone
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Answer, Need, Query, point_of


def _residual(oracle: Oracle, query: Query, t: Traced) -> Answer:
    residual = oracle.value(query.x, t)
    return Answer(oracle.cost(residual, t), residual=residual)


def _jacobian(oracle: Oracle, query: Query, t: Traced) -> Answer:
    at = oracle.measured(query.x, t)
    return Answer(at.cost, residual=at.weighed, jacobian=at.jacobian)


def _curvature(oracle: Oracle, query: Query, t: Traced) -> Answer:
    curvature = oracle.bend(query.x, query.vector, t)
    return _jacobian(oracle, query, t)._replace(curvature=curvature)


def _told(layout: Layout, parts: dict[str, Any]) -> Answer:
    residual = by_hand.array(layout, parts["residual"], "residual", (None,))
    m, n = residual.shape[0], layout.size
    shapes = {"jacobian": (m, n), "curvature": (m,)}
    read: dict[str, Array] = {k: by_hand.array(layout, parts[k], k, shapes[k]) for k in parts if k in shapes}
    return Answer(0.5 * dot(residual, residual), residual=residual, **read)


def _told_of_one(layout: Layout, parts: dict[str, Any]) -> Answer:
    fun = by_hand.scalar(layout, parts["fun"], "fun")
    slope = layout.ravel_like(parts["grad"], "grad")
    second = by_hand.scalar(layout, parts["curvature"], "curvature")[None] if "curvature" in parts else None
    return Answer(fun, residual=jnp.reshape(fun, (1,)), jacobian=slope[None], curvature=second)


RESIDUAL = Need("residual", _residual, _told, ("residual",), order=0, follow=value_alone)
JACOBIAN = RESIDUAL._replace(name="jacobian", answer=_jacobian, parts=("residual", "jacobian"), order=1)
CURVATURE = JACOBIAN._replace(  # and the second derivative of the residual along the vector that is asked for
    name="curvature",
    answer=_curvature,
    parts=("residual", "jacobian", "curvature"),
    order=2,
    asked=by_hand.point_and_vector,
)
SLOPE = JACOBIAN._replace(name="slope", told=_told_of_one, parts=("fun", "grad"))  # of one variable
BEND = CURVATURE._replace(name="bend", told=_told_of_one, parts=("fun", "grad", "curvature"), asked=point_of)
