"""A scalar function under constraints: what methods for constrained problems need.

The constraints are m rows lower <= c(x) <= upper in canonical order, the equalities first (`core/constraints.py`). The
Lagrangian is

    L(x, y) = f(x) + y'c(x)                                                                         (1)

with a multiplier y for each row: at a solution it is positive where the upper side holds, negative where the lower one does,
and of either sign for an equality. Its Hessian, or a product with it, is a need of its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs import by_hand
from jaxopt_lite._needs.values import GRADIENT, HESSIAN
from jaxopt_lite.core import constraints
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Need, Query, point_of


class Constrained(NamedTuple):
    """What was found at the asked point; parts that were not needed are None."""

    fun: Any  # ()
    grad: Any = None  # (n,)
    constraints: Any = None  # (m,) c
    jacobian: Any = None  # (m, n) of c
    violation: Any = None  # () the largest of all rows, 0 where x is feasible
    hess: Any = None  # (n, n) of L, for the asked multipliers
    hvp: Any = None  # (n,) the same times the asked vector
    finite: Any = None  # () bool


class Along(NamedTuple):
    """The vector of a query for a product with the Hessian of L."""

    multipliers: Array  # (m,)
    p: Array  # (n,)


def _value(oracle: Oracle, query: Query, t: Traced) -> Constrained:
    fun = oracle.value(query.x, t)
    if oracle.more is None:
        return Constrained(fun, constraints=jnp.zeros(0, fun.dtype), violation=jnp.zeros_like(fun))
    c = constraints.values(oracle.more, t.more, query.x)
    return Constrained(fun, constraints=c, violation=constraints.violation(c, t.more.lower, t.more.upper))


def _gradient(oracle: Oracle, query: Query, t: Traced) -> Constrained:
    fun, grad = oracle.with_derivative(query.x, t)
    if oracle.more is None:
        return _without_rows(fun, grad)
    c, A = constraints.values_and_jacobian(oracle.more, t.more, query.x, t.box)
    return Constrained(fun, grad, c, A, constraints.violation(c, t.more.lower, t.more.upper))


def _without_rows(fun: Array, grad: Array) -> Constrained:
    none = jnp.zeros((0, *grad.shape), grad.dtype)
    return Constrained(fun, grad, none[:, 0], none, jnp.zeros_like(fun))


Product = Callable[[Array], Array]  # of a Hessian with columns (n, k)


def second_order(oracle: Oracle, x: Array, y: Array, t: Traced) -> tuple[Constrained, Product, Product]:
    """The answer without second derivatives, and the products of the Hessians of f and of y'c: their sum is that of (1)."""
    fun, grad, times = oracle.second_order(x, t)
    if oracle.more is None:
        return _without_rows(fun, grad), times, jnp.zeros_like
    c, A, bends = constraints.second_order(oracle.more, t.more, x, y, t.box)
    return Constrained(fun, grad, c, A, constraints.violation(c, t.more.lower, t.more.upper)), times, bends


def _lagrangian(oracle: Oracle, query: Query, t: Traced) -> Constrained:
    answer, times, bends = second_order(oracle, query.x, query.vector, t)
    own = jnp.eye(query.x.shape[0], dtype=query.x.dtype)
    if oracle.scheme is None and oracle.bends is None:
        hess = times(own)
    else:  # by differences, as the user chose
        of_fun = HESSIAN.answer(oracle, Query(query.x), t)
        answer, hess = answer._replace(fun=of_fun.fun, grad=of_fun.grad), of_fun.hess
    hess = hess + bends(own)
    return answer._replace(hess=0.5 * (hess + hess.T))


def _product(oracle: Oracle, query: Query, t: Traced) -> Constrained:
    answer, times, bends = second_order(oracle, query.x, query.vector.multipliers, t)
    p = query.vector.p[:, None]
    return answer._replace(hvp=(times(p) + bends(p))[:, 0])


def _told(layout: Layout, parts: dict[str, Any]) -> Constrained:
    n, c = layout.size, by_hand.array(layout, parts["constraints"], "constraints", (None,))
    shapes = {"jacobian": (c.shape[0], n), "hess": (n, n)}
    read = {name: by_hand.array(layout, parts[name], name, shape) for name, shape in shapes.items() if name in parts}
    read |= {name: layout.ravel_like(parts[name], name) for name in ("grad", "hvp") if name in parts}
    fun = by_hand.scalar(layout, parts["fun"], "fun")
    violation = by_hand.scalar(layout, parts["violation"], "violation")
    return Constrained(fun, constraints=c, violation=violation, **read)


def _asked_multipliers(layout: Layout, query: Query) -> tuple[Any, Array]:
    return point_of(layout, query), query.vector


def _asked_product(layout: Layout, query: Query) -> tuple[Any, Array, Any]:
    return point_of(layout, query), query.vector.multipliers, point_of(layout, Query(query.vector.p))


def _worst(x0: Array, data: Any) -> Constrained:
    inf = jnp.full((), jnp.inf, x0.dtype)
    return Constrained(inf, violation=inf)


def _worst_with_gradient(x0: Array, data: Any) -> Constrained:
    return _worst(x0, data)._replace(grad=jnp.full_like(x0, jnp.nan))


_SHOWN = (("fun", "fun"), ("violation", "maxcv"))
CONSTRAINED_VALUE = Need(
    "constrained value",
    _value,
    _told,
    ("fun", "constraints", "violation"),
    order=0,
    follow=GRADIENT.follow,
    keep=_worst,
    shown=_SHOWN,
)
CONSTRAINED = CONSTRAINED_VALUE._replace(
    name="constrained",
    answer=_gradient,
    parts=("fun", "grad", "constraints", "jacobian", "violation"),
    order=1,
    keep=_worst_with_gradient,
    shown=(*_SHOWN, ("grad", "jac")),
)
LAGRANGIAN = CONSTRAINED._replace(  # the vector of a query are the multipliers (m,)
    name="lagrangian",
    answer=_lagrangian,
    parts=(*CONSTRAINED.parts, "hess"),
    order=2,
    asked=_asked_multipliers,
    counts=("nhev",),
    remedy="give hess or hessp, and hess of the constraints",
)
LAGRANGIAN_PRODUCT = LAGRANGIAN._replace(  # the vector of a query is `Along`
    name="product with the Lagrangian",
    answer=_product,
    parts=(*CONSTRAINED.parts, "hvp"),
    asked=_asked_product,
)
