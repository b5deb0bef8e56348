"""Derivatives of solutions by the implicit function theorem, forward and reverse, to any order.

At a solution an optimality map vanishes, F(x*(theta), theta) = 0, whence dx* = -F_x^{-1} F_theta dtheta. Here theta is
everything that the user's functions captured or were given in `args` (and the bounds, where a solution can lie on one);
x0, tolerances and budgets have no part in it. The start of the rule is the solution itself, so that the rule can be
differentiated again.

What follows from the theorem follows x: `fun` and `jac` are recomputed at x*(theta), outside of the loop, so that their
derivatives are the true ones: that of a gradient is zero where it vanishes for all theta, but not at a bound. Other fields
record the run and are treated as constants.

A lane that did not converge has no solution to differentiate, and where there is no curvature, or a kink, the theorem says
nothing: derivatives are then NaN, in both modes. The factor must be multiplied, for a `where` would be transposed into a
silent zero. Nor is that enough: the gradient of |x - a| does not depend on a as far as JAX can see, and where a tangent is
zero by structure, a NaN that multiplies it finds no way back to a. So every rule adds the tangents of all that it reads,
times zero (`silent`): nothing forward, and backward a way for NaN to all of it.

Of what is known from values alone (`interval`, `valley`, `root`) the rule asks for evidence that the theorem holds: the
Newton step at the solution is no longer than its accuracy. At a kink, or a jump, it is.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.newton_step import DENSE as CERTIFIED
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import is_success
from jaxopt_lite.core.stopping import value_resolution

DENSE = 512  # up to here the Hessian is formed and factored; beyond, conjugate gradients on products
NEAR = 0.25  # a Newton step is none if it is longer than this power of eps, of the size of x or of where it was sought
NOISE = 64.0  # what a minimum is known to from values: their rounding, a sum of some hundred terms
BOUNDS = ("lower", "upper", "lp")  # what of a method's data a solution moves with

Rule = Callable[[Oracle, dict[str, Array], Operands, Operands], dict[str, Array]]
Derived = Callable[[Oracle, dict[str, Array], Operands], dict[str, Array]]  # (oracle, fields, operands) -> what follows


def value_and_slope(oracle: Oracle, fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
    """What follows from a minimizer whose gradient is reported: `fun` and `jac`."""
    return value_alone(oracle, fields, operands) | {"jac": oracle.derivative(fields["x"], operands.function)}


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
    way = lambda d: mark(d + silent(d.dtype, d_operands))
    marked = jax.tree.map(mark, d_operands)
    moved = jax.tree.map(way, rule(oracle, fields, operands, marked))
    floating = lambda named: {k: v for k, v in named.items() if jnp.issubdtype(v.dtype, jnp.floating)}
    follow = lambda solution, operands: floating(derived(oracle, fields | solution, operands))
    _, following = jax.jvp(follow, ({name: fields[name] for name in moved}, operands), (moved, marked))
    return moved | jax.tree.map(way, following)


def silent(dtype: Any, d_operands: Operands) -> Array:
    """() zero, to which everything that a solution moves with contributes: backward it takes a NaN to all of that.

    The start, tolerances and budgets do not: a solution does not depend on them, and the start may come from another run
    whose own derivatives are NaN.
    """
    bounds = [getattr(d_operands.data, name, None) for name in BOUNDS]
    leaves = [d for d in jax.tree.leaves((d_operands.function, bounds)) if jnp.issubdtype(jnp.result_type(d), jnp.inexact)]
    parts = [p for d in leaves for p in ((d.real, d.imag) if jnp.iscomplexobj(d) else (d,))]
    return sum((jnp.sum(0.0 * p).astype(dtype) for p in parts), jnp.zeros((), dtype))


def constant(value: Any) -> Any:
    """The tangents of fields that record the run."""
    floating = lambda v: jnp.issubdtype(jnp.result_type(v), jnp.floating)
    return jax.tree.map(lambda v: jnp.zeros_like(v) if floating(v) else np.zeros(jnp.shape(v), jax.dtypes.float0), value)


def stationary(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* where the gradient vanishes: Hess dx* = -(d grad / d theta) dtheta; NaN where the Hessian is singular.

    A method that reports its Hessian at x has it made by then: it is not made again, unless the user's own or differences
    stand in for it, or there are so many variables that a certificate which moved x has not made it.
    """
    x, theta = fields["x"], operands.function
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (theta,), (d_operands.function,))
    force = force + silent(x.dtype, d_operands)
    if x.shape[0] > DENSE:
        return {"x": -solve_by_products(lambda p: oracle.hessian_product(x, p, theta), force)}
    by_autodiff = oracle.hess is None and oracle.bends is None and oracle.scheme is None
    if "hess" in fields and by_autodiff and x.shape[0] <= CERTIFIED:
        known = jax.lax.stop_gradient(fields["hess"])  # its own derivatives follow from the products
        product = lambda p: oracle.hessian_product(x, p, theta)
        solve = lambda _, b: solve_regular(known, b)
        return {"x": -jax.lax.custom_linear_solve(product, force, solve, symmetric=True)}
    hess = jax.jacfwd(lambda x: oracle.derivative(x, theta))(x)
    return {"x": -solve_regular(hess, force)}


def box(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* of a minimizer in a box: what a bound holds moves with it, the rest is stationary.

    A variable is held where it is at a bound and the gradient pushes against it, or where the bounds meet. At a bound
    with a gradient of zero it is free: the derivative is then that of the side where it leaves the bound.
    """
    x, theta, data, d_data = fields["x"], operands.function, operands.data, d_operands.data
    gradient = oracle.derivative(x, theta)
    held, moved = held_by_bounds(x, gradient, data, d_data)
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (theta,), (d_operands.function,))
    force = force + silent(x.dtype, d_operands)
    if x.shape[0] > DENSE:
        free = lambda v: jnp.where(held, 0.0, v)
        product = lambda p: oracle.hessian_product(x, p, theta)
        inner = solve_by_products(lambda p: free(product(free(p))) + (p - free(p)), free(-force - product(moved)))
        return {"x": moved + inner}
    hess = jax.jacfwd(lambda x: oracle.derivative(x, theta))(x)
    hess = jnp.where(held[:, None], jnp.eye(x.shape[0], dtype=x.dtype), hess)
    return {"x": solve_regular(hess, jnp.where(held, moved, -force))}


def held_by_bounds(x: Array, gradient: Array, data: Any, d_data: Any) -> tuple[Array, Array]:
    """Which variables their bounds hold (n,), and how those bounds move (n,), 0 for what is free."""
    at_lower = (x <= data.lower) & ((gradient > 0) | (data.lower == data.upper))
    held = at_lower | ((x >= data.upper) & (gradient < 0))
    return held, jnp.where(held, jnp.where(at_lower, d_data.lower, d_data.upper), 0.0)


def interval(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* of a minimizer of one variable in [lower, upper]; NaN where it is neither stationary nor at a bound.

    Where Newton's step from x* leaves the interval, and x* is as near to that bound as the method comes, it is held by the
    bound and moves with it; else it is stationary.
    """
    x, data = fields["x"], operands.data
    at = _seen(oracle, x, operands.function)
    accuracy = data.xatol + 3.0 * value_resolution(x.dtype) * jnp.abs(x)
    at_lower = (x + at.newton < data.lower) & (x - data.lower <= accuracy)
    at_upper = (x + at.newton > data.upper) & (data.upper - x <= accuracy)
    held = at_lower | at_upper
    size = jnp.maximum(jnp.abs(x), data.upper - data.lower)
    curvature = jnp.where(_is_least(at, accuracy, size), at.curvature, jnp.nan)
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (operands.function,), (d_operands.function,))
    inner = -(force + silent(x.dtype, d_operands)) / jnp.where(held, 1.0, curvature)
    bound = jnp.where(at_lower, d_operands.data.lower, d_operands.data.upper)
    return {"x": jnp.where(held, bound, inner)}


def valley(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* of a minimizer of one variable that was found from a bracket, by values; NaN where it is not stationary."""
    x, data = fields["x"], operands.data
    at = _seen(oracle, x, operands.function)
    accuracy = jnp.maximum(data.xtol, 3.0 * value_resolution(x.dtype)) * jnp.abs(x)
    size = jnp.maximum(jnp.abs(x), jnp.abs(data.xb - data.xa))
    curvature = jnp.where(_is_least(at, accuracy, size), at.curvature, jnp.nan)
    _, force = jax.jvp(lambda t: oracle.derivative(x, t), (operands.function,), (d_operands.function,))
    return {"x": -(force + silent(x.dtype, d_operands)) / curvature}


class Asked(NamedTuple):
    """How near a minimum that is found from values is to be."""

    step: Array  # (n,) the longest Newton step from it
    worth: Array  # () the largest decrease that this step may promise
    loose: Array  # (n,) the same two in the second place, where the first cannot be had
    loose_worth: Array  # ()


Accuracy = Callable[[Array, Array, Any, Array], Asked]  # (x, f there, data, x0) -> what was asked


@kept()
def found_by_values(rule: Rule, accuracy: Accuracy) -> Rule:
    """`stationary` or `box` of a minimizer that was found from values; NaN where Newton's step from it is too long."""

    def moved(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
        x, theta, data = fields["x"], operands.function, operands.data
        dx = rule(oracle, fields, operands, d_operands)["x"]
        if x.shape[0] > DENSE:
            return {"x": dx}
        eps, size = float(jnp.finfo(x.dtype).eps), jnp.maximum(norm(x), norm(x - operands.x0))
        gradient = oracle.derivative(x, theta)
        hess = jax.jacfwd(lambda x: oracle.derivative(x, theta))(x)
        if getattr(data, "lower", None) is not None:
            held, _ = held_by_bounds(x, gradient, data, data)
            gradient = jnp.where(held, 0.0, gradient)
            hess = jnp.where(held[:, None], jnp.eye(x.shape[0], dtype=x.dtype), hess)
        newton = solve_regular(hess, gradient)
        fun = oracle.merit(x, theta)
        within = accuracy(x, fun, data, operands.x0).loose
        near = jnp.all(jnp.abs(newton) <= jnp.maximum(within, eps**NEAR * size))
        near |= jnp.abs(jnp.sum(gradient * newton)) <= 2.0 * NOISE * eps * jnp.abs(fun)
        return {"x": dx * jnp.where(near, 1.0, jnp.nan).astype(dx.dtype)}

    return moved


class Seen(NamedTuple):
    """A function of one variable at its minimizer."""

    fun: Array  # ()
    slope: Array  # (1,)
    curvature: Array  # (1,)
    newton: Array  # (1,) the step -slope / curvature; as good as infinite downhill where there is no positive curvature


def _seen(oracle: Oracle, x: Array, t: Any) -> Seen:
    slope, curvature = jax.jvp(lambda x: oracle.derivative(x, t), (x,), (jnp.ones_like(x),))
    newton = -slope / jnp.where(curvature > 0, curvature, jnp.asarray(jnp.finfo(x.dtype).tiny, x.dtype))
    return Seen(oracle.merit(x, t), slope, curvature, newton)


def _is_least(at: Seen, accuracy: Array, size: Array) -> Array:
    """(1,) bool: is there curvature, and would a Newton step move x, or the value, by no more than they are known?"""
    eps = float(jnp.finfo(at.slope.dtype).eps)
    near = jnp.abs(at.newton) <= jnp.maximum(accuracy, eps**NEAR * size)
    return (at.curvature > 0) & (near | (jnp.abs(at.slope * at.newton) <= 2.0 * NOISE * eps * jnp.abs(at.fun)))


def solve_by_products(product: Callable[[Array], Array], b: Array, symmetric: bool = True) -> Array:
    """A^{-1} b from products p -> A p alone; NaN where that is not the solution of a neighboring system.

    By conjugate gradients where A is symmetric, else by GMRES. A right-hand side without a part along what A cannot see,
    zero for one, is solved by a singular A too. So another one with a part along everything is solved beside it.
    """
    eps = float(jnp.finfo(b.dtype).eps)
    solver = jax.scipy.sparse.linalg.cg if symmetric else jax.scipy.sparse.linalg.gmres

    def solve(matvec: Callable[[Array], Array], b: Array) -> Array:
        def near(b: Array) -> tuple[Array, Array]:
            x, _ = solver(matvec, b, tol=10 * eps)
            size = norm(b, 2)
            largest = norm(matvec(b), 2) / jnp.where(size > 0, size, 1.0)  # of A, from below
            return x, norm(matvec(x) - b, 2) <= eps**0.5 * jnp.maximum(size, largest * norm(x, 2))

        (x, solved), (_, regular) = near(b), near(jnp.cos(jnp.arange(b.shape[0], dtype=b.dtype)))
        return x * jnp.where(solved & regular, 1.0, jnp.nan).astype(b.dtype)

    transposed = None if symmetric else solve
    return jax.lax.custom_linear_solve(product, b, solve, transposed, symmetric=symmetric)


def root(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* where a function of one variable vanishes: dx* = -f_theta dtheta / f_x; NaN where f_x is zero, and at a jump."""
    x, theta = fields["x"], operands.function
    value, slope = jax.jvp(lambda x: oracle.merit(x, theta), (x,), (jnp.ones_like(x),))
    _, force = jax.jvp(lambda t: oracle.merit(x, t), (theta,), (d_operands.function,))
    ends = getattr(operands.data, "ends", operands.data)
    if hasattr(ends, "a"):
        size = jnp.maximum(jnp.abs(x[0]), jnp.abs(ends.b - ends.a))
        slope = jnp.where(jnp.abs(value) <= float(jnp.finfo(x.dtype).eps) ** NEAR * size * jnp.abs(slope), slope, 0.0)
    force = force + silent(x.dtype, d_operands)
    return {"x": (-force / jnp.where(slope == 0, jnp.nan, slope))[None]}


def system(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* where n equations of n unknowns hold: J dx* = -(dF / d theta) dtheta; NaN where J is singular."""
    x, theta = fields["x"], operands.function
    _, force = jax.jvp(lambda t: oracle.value(x, t), (theta,), (d_operands.function,))
    force = force + silent(x.dtype, d_operands)
    if x.shape[0] > DENSE:
        product = lambda p: jax.jvp(lambda x: oracle.value(x, theta), (x,), (p,))[1]
        return {"x": -solve_by_products(product, force, symmetric=False)}
    return {"x": -solve_regular(jax.jacfwd(lambda x: oracle.value(x, theta))(x), force)}


def solve_regular(A: Array, b: Array) -> Array:
    """A^{-1} b, NaN where A is singular to working precision."""
    lu, pivots = jax.scipy.linalg.lu_factor(A)
    diagonal = jnp.abs(jnp.diagonal(jax.lax.stop_gradient(lu)))
    regular = jnp.min(diagonal) > A.shape[0] * jnp.finfo(A.dtype).eps * jnp.max(diagonal)
    return jax.scipy.linalg.lu_solve((lu, pivots), b) * jnp.where(regular, 1.0, jnp.nan).astype(A.dtype)
