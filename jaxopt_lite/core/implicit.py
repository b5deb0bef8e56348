"""Derivatives of solutions by the implicit function theorem, forward and reverse, to any order.

At a solution an optimality map vanishes, F(x*(theta), theta) = 0, whence dx* = -F_x^{-1} F_theta dtheta. Here theta is
everything that the user's functions captured or were given in `args` (and the bounds, where a solution can lie on one);
x0, tolerances and budgets have no part in it. The start of the rule is the solution itself, so that the rule can be
differentiated again.

What follows from the theorem follows x: `fun` is recomputed at x*(theta), outside of the loop, so that its derivative is
the true one. The gradient at a solution is zero for all theta, and so is its derivative. Other fields record the run and
are treated as constants.

A lane that did not converge has no solution to differentiate: its derivatives are NaN, in both modes. The factor must be
multiplied, for a `where` would be transposed into a silent zero.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import is_success

DENSE = 512  # up to here the Hessian is formed and factored; beyond, conjugate gradients on products

Rule = Callable[[Oracle, dict[str, Array], Operands, Operands], dict[str, Array]]
Derived = Callable[[Oracle, dict[str, Array], Operands], dict[str, Array]]  # (oracle, fields, operands) -> what follows


def value_alone(oracle: Oracle, fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
    """What follows from a minimizer or a root: `fun`."""
    return {"fun": oracle.merit(fields["x"], operands.function)}


def tangents(
    oracle: Oracle, rule: Rule, derived: Derived, fields: dict[str, Array], operands: Operands, d_operands: Operands
) -> dict[str, Array]:
    """Tangents of a solution and of the fields that follow from it.

    `fields` hold the solution and its status; `rule(oracle, fields, operands, d_operands)` moves the solution: {"x": dx*}.

    They are NaN for a lane that did not converge: what goes in and what comes out is marked, for a rule may select.
    """
    true = jnp.where(is_success(fields["status"]), 1.0, jnp.nan)
    mark = lambda d: d * true.astype(d.dtype) if jnp.issubdtype(jnp.result_type(d), jnp.floating) else d
    d_operands = jax.tree.map(mark, d_operands)
    moved = jax.tree.map(mark, rule(oracle, fields, operands, d_operands))
    floating = lambda named: {k: v for k, v in named.items() if jnp.issubdtype(v.dtype, jnp.floating)}
    follow = lambda solution, operands: floating(derived(oracle, fields | solution, operands))
    _, following = jax.jvp(follow, ({name: fields[name] for name in moved}, operands), (moved, d_operands))
    return moved | following


def constant(value: Any) -> Any:
    """The tangents of fields that record the run."""
    floating = lambda v: jnp.issubdtype(jnp.result_type(v), jnp.floating)
    return jax.tree.map(lambda v: jnp.zeros_like(v) if floating(v) else np.zeros(jnp.shape(v), jax.dtypes.float0), value)


def stationary(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* where the gradient vanishes: Hess dx* = -(d grad / d theta) dtheta; NaN where the Hessian is singular."""
    x, theta = fields["x"], operands.function
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (theta,), (d_operands.function,))
    if x.shape[0] > DENSE:
        return {"x": -solve_by_products(lambda p: oracle.hessian_product(x, p, theta), force)}
    hess = jax.jacfwd(lambda x: oracle.derivative(x, theta))(x)
    return {"x": -solve_regular(hess, force)}


def box(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* of a minimizer in a box: what a bound holds moves with it, the rest is stationary.

    A variable is held where it is at a bound and the gradient pushes against it, or where the bounds meet. At a bound
    with a gradient of zero it is free: the derivative is then that of the side where it leaves the bound.
    """
    x, theta, data, d_data = fields["x"], operands.function, operands.data, d_operands.data
    gradient = oracle.derivative(x, theta)
    at_lower = (x <= data.lower) & ((gradient > 0) | (data.lower == data.upper))
    at_upper = (x >= data.upper) & (gradient < 0) & ~at_lower
    held = at_lower | at_upper
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (theta,), (d_operands.function,))
    moved = jnp.where(held, jnp.where(at_lower, d_data.lower, d_data.upper), 0.0)
    if x.shape[0] > DENSE:
        free = lambda v: jnp.where(held, 0.0, v)
        product = lambda p: oracle.hessian_product(x, p, theta)
        inner = solve_by_products(lambda p: free(product(free(p))) + (p - free(p)), free(-force - product(moved)))
        return {"x": moved + inner}
    hess = jax.jacfwd(lambda x: oracle.derivative(x, theta))(x)
    hess = jnp.where(held[:, None], jnp.eye(x.shape[0], dtype=x.dtype), hess)
    return {"x": solve_regular(hess, jnp.where(held, moved, -force))}


def interval(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* of a minimizer of one variable in [lower, upper].

    Where Newton's step from x* leaves the interval, x* is held by that bound and moves with it; else it is stationary.
    """
    x, data = fields["x"], operands.data
    slope = oracle.derivative(x, operands.function)
    curvature = jax.jacfwd(lambda x: oracle.derivative(x, operands.function))(x)[0]
    newton = -slope / jnp.where(curvature > 0, curvature, jnp.asarray(jnp.finfo(x.dtype).tiny, x.dtype))
    at_lower, at_upper = x + newton < data.lower, x + newton > data.upper
    free = ~(at_lower | at_upper)
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (operands.function,), (d_operands.function,))
    inner = -force / jnp.where(free & (curvature != 0), curvature, jnp.where(free, jnp.nan, 1.0))
    bound = jnp.where(at_lower, d_operands.data.lower, d_operands.data.upper)
    return {"x": jnp.where(free, inner, bound)}


def solve_by_products(product: Callable[[Array], Array], b: Array) -> Array:
    """A^{-1} b by conjugate gradients on p -> A p; NaN where that is not the solution of a neighboring system."""
    eps = float(jnp.finfo(b.dtype).eps)

    def solve(matvec: Callable[[Array], Array], b: Array) -> Array:
        x, _ = jax.scipy.sparse.linalg.cg(matvec, b, tol=10 * eps)
        size = norm(b, 2)
        largest = norm(matvec(b), 2) / jnp.where(size > 0, size, 1.0)  # of A, from below
        near = norm(matvec(x) - b, 2) <= eps**0.5 * jnp.maximum(size, largest * norm(x, 2))
        return x * jnp.where(near, 1.0, jnp.nan).astype(b.dtype)

    return jax.lax.custom_linear_solve(product, b, solve, symmetric=True)


def root(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* where a function of one variable vanishes: dx* = -f_theta dtheta / f_x; NaN where f_x is zero."""
    x, theta = fields["x"], operands.function
    _, slope = jax.jvp(lambda x: oracle.merit(x, theta), (x,), (jnp.ones_like(x),))
    _, force = jax.jvp(lambda t: oracle.merit(x, t), (theta,), (d_operands.function,))
    return {"x": (-force / jnp.where(slope == 0, jnp.nan, slope))[None]}


def solve_regular(A: Array, b: Array) -> Array:
    """A^{-1} b, NaN where A is singular to working precision."""
    lu, pivots = jax.scipy.linalg.lu_factor(A)
    diagonal = jnp.abs(jnp.diagonal(jax.lax.stop_gradient(lu)))
    regular = jnp.min(diagonal) > A.shape[0] * jnp.finfo(A.dtype).eps * jnp.max(diagonal)
    return jax.scipy.linalg.lu_solve((lu, pivots), b) * jnp.where(regular, 1.0, jnp.nan).astype(A.dtype)
