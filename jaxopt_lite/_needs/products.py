"""A scalar function under constraints, by products alone: what methods for many variables and many rows need.

With A the Jacobian (m, n) of c, and H the Hessian of f + y'c, a query names a point and four vectors,

    y (m,) of H,     v (n,),     w (m,),     d (n,) squares of units,                                (1)

and the answer holds A v, A'w, A diag(d) A'w and H v besides f, its gradient and c. All come from one linearization of each
function, so that nothing of n x n or m x n numbers is stored. Matrices that the user gave (`jac`, `hess`, the A of a
LinearConstraint), and Jacobians by finite differences, are multiplied as they are.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs import by_hand
from jaxopt_lite._needs.constrained import CONSTRAINED
from jaxopt_lite._needs.values import HVP
from jaxopt_lite.core import constraints
from jaxopt_lite.core.constraints import Products
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Answer, Query, point_of


class Vectors(NamedTuple):
    """The vectors of a query, (1)."""

    multipliers: Array  # (m,)
    v: Array  # (n,)
    w: Array  # (m,)
    squares: Array  # (n,) d


class Multiplied(NamedTuple):
    """What was found at the asked point."""

    fun: Any  # ()
    grad: Any = None  # (n,)
    constraints: Any = None  # (m,) c
    violation: Any = None  # () the largest of all rows, 0 where x is feasible
    hvp: Any = None  # (n,) H v
    jv: Any = None  # (m,) A v
    jtw: Any = None  # (n,) A'w
    normal: Any = None  # (m,) A diag(d) A'w
    finite: Any = None  # () bool


def rows(oracle: Oracle, x: Array, y: Array, t: Traced) -> Products:
    """The rows (m,) at x with their products, the Hessian for the multipliers y (m,); of no rows, m = 0."""
    if oracle.more is None:
        none = jnp.zeros(0, x.dtype)
        return Products(none, lambda v: none, lambda w: jnp.zeros_like(x), jnp.zeros_like)
    return constraints.products(oracle.more, t.more, x, y, t.box)


def violation(oracle: Oracle, c: Array, t: Traced) -> Array:
    """The largest violation () of the rows c (m,)."""
    return jnp.zeros((), c.dtype) if oracle.more is None else constraints.violation(c, t.more.lower, t.more.upper)


def _answer(oracle: Oracle, query: Query, t: Traced) -> Multiplied:
    y, v, w, squares = query.vector
    at = rows(oracle, query.x, y, t)
    if oracle.scheme is None and oracle.bends is None:
        fun, grad, times = oracle.second_order(query.x, t)
        of_fun = Answer(fun, grad, hvp=times(v[:, None])[:, 0])
    else:  # by differences, as the user chose
        of_fun = HVP.answer(oracle, Query(query.x, v), t)
    jtw = at.across(w)
    return Multiplied(
        of_fun.fun,
        of_fun.grad,
        at.c,
        violation(oracle, at.c, t),
        of_fun.hvp + at.bend(v),
        at.along(v),
        jtw,
        at.along(squares * jtw),
    )


def _told(layout: Layout, parts: dict[str, Any]) -> Multiplied:
    c = by_hand.array(layout, parts["constraints"], "constraints", (None,))
    read = {name: by_hand.array(layout, parts[name], name, c.shape) for name in ("jv", "normal")}
    read |= {name: layout.ravel_like(parts[name], name) for name in ("grad", "hvp", "jtw")}
    fun, worst = (by_hand.scalar(layout, parts[name], name) for name in ("fun", "violation"))
    return Multiplied(fun, constraints=c, violation=worst, **read)


def _asked(layout: Layout, query: Query) -> tuple[Any, ...]:
    y, v, w, squares = query.vector
    like_x = lambda vector: point_of(layout, Query(vector))
    return point_of(layout, query), y, like_x(v), w, like_x(squares)


PRODUCTS = CONSTRAINED._replace(  # the vector of a query is `Vectors`
    name="products",
    answer=_answer,
    told=_told,
    parts=("fun", "grad", "constraints", "violation", "hvp", "jv", "jtw", "normal"),
    order=2,
    asked=_asked,
    counts=("nhev",),
    remedy="give hess or hessp, and hess of the constraints",
)
