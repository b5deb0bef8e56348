"""A scalar function and its derivatives: what minimizers need, and what finds a zero by values alone."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs import by_hand
from jaxopt_lite.core.dense import norm, somewhere
from jaxopt_lite.core.implicit import value_alone, value_and_slope
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Answer, Need, Query, least_value


def _value(oracle: Oracle, query: Query, t: Traced) -> Answer:
    return Answer(fun=oracle.value(query.x, t))


def _gradient(oracle: Oracle, query: Query, t: Traced) -> Answer:
    return Answer(*oracle.with_derivative(query.x, t))


def _hessian(oracle: Oracle, query: Query, t: Traced) -> Answer:
    x = query.x
    if oracle.bends is not None:
        hess = oracle.hessian_by_steps(x, t)
        return Answer(*oracle.with_derivative(x, t), hess=0.5 * (hess + hess.T))
    eye = jnp.eye(x.shape[0], dtype=x.dtype)
    if oracle.scheme is None:
        fun, grad, times = oracle.second_order(x, t)
        hess = times(eye)
    elif oracle.hess is None and oracle.hessp is None:
        (fun, grad), tangent = jax.linearize(lambda x: oracle.with_derivative(x, t), x)
        hess = jax.vmap(lambda p: tangent(p)[1])(eye)
    else:
        fun, grad = oracle.with_derivative(x, t)
        hess = jax.vmap(lambda p: oracle.hessian_product(x, p, t))(eye)
    return Answer(fun, grad, hess=0.5 * (hess + hess.T))


def _hvp(oracle: Oracle, query: Query, t: Traced) -> Answer:
    x = query.x
    if oracle.bends is not None:
        return Answer(*oracle.with_derivative(x, t), hvp=oracle.product_by_steps(x, query.vector, t))
    if oracle.hessp is None and oracle.hess is None:
        (fun, grad), (_, hvp) = jax.jvp(lambda x: oracle.with_derivative(x, t), (x,), (query.vector,))
        return Answer(fun, grad, hvp=hvp)
    return Answer(*oracle.with_derivative(x, t), hvp=oracle.hessian_product(x, query.vector, t))


def direction(vector: Array, grad: Array) -> Array:
    """Along what a product is: the asked vector (n,); where that is zero the unit gradient, or where that is zero any."""
    size = norm(grad)
    unit = grad / jnp.where(size > 0, size, 1.0)
    length = norm(unit, 2)
    slope = jnp.where(size > 0, unit / jnp.where(length > 0, length, 1.0), somewhere(grad.shape[0], grad.dtype))
    return jnp.where(norm(vector) > 0, vector, slope)


def _slope_product(oracle: Oracle, query: Query, t: Traced) -> Answer:
    x = query.x
    if oracle.bends is not None:
        fun, grad = oracle.with_derivative(x, t)
        return Answer(fun, grad, hvp=oracle.product_by_steps(x, direction(query.vector, grad), t))
    if oracle.hessp is None and oracle.hess is None:
        (fun, grad), tangent = jax.linearize(lambda x: oracle.with_derivative(x, t), x)
        return Answer(fun, grad, hvp=tangent(direction(query.vector, grad))[1])
    fun, grad = oracle.with_derivative(x, t)
    return Answer(fun, grad, hvp=oracle.hessian_product(x, direction(query.vector, grad), t))


def _told(layout: Layout, parts: dict[str, Any]) -> Answer:
    read = {name: layout.ravel_like(value, name) for name, value in parts.items() if name in ("grad", "hvp")}
    if "hess" in parts:
        read["hess"] = by_hand.array(layout, parts["hess"], "hess", (layout.size, layout.size))
    return Answer(by_hand.scalar(layout, parts["fun"], "fun"), **read)


def _with_gradient(x0: Array, data: Any) -> Answer:
    return least_value(x0, data)._replace(grad=jnp.full_like(x0, jnp.nan))


def _with_hessian(x0: Array, data: Any) -> Answer:
    n = x0.shape[0]
    return _with_gradient(x0, data)._replace(hess=jnp.full((n, n), jnp.nan, x0.dtype))


VALUE = Need("value", _value, _told, ("fun",), order=0, follow=value_alone)
GRADIENT = Need(
    "gradient",
    _gradient,
    _told,
    ("fun", "grad"),
    order=1,
    follow=value_and_slope,
    keep=_with_gradient,
    shown=(("fun", "fun"), ("grad", "jac")),
)
_SECOND = GRADIENT._replace(order=2, counts=("nhev",), remedy="give hess or hessp")
HESSIAN = _SECOND._replace(
    name="hessian",
    answer=_hessian,
    parts=("fun", "grad", "hess"),
    keep=_with_hessian,
    shown=(*_SECOND.shown, ("hess", "hess")),
)
HVP = _SECOND._replace(  # the product with the vector that is asked for
    name="hvp", answer=_hvp, parts=("fun", "grad", "hvp"), asked=by_hand.point_and_vector
)
SLOPE_PRODUCT = HVP._replace(name="slope product", answer=_slope_product)  # and where the vector is zero along the gradient
