"""The constraints of a call, closed: what is static about them, what is traced, and the order of their rows."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.api.oracles.close import check_dtype, close_function, points_of
from jaxopt_lite.api.reading.constraints import Constraint, read_constraints
from jaxopt_lite.core import constraints as rows
from jaxopt_lite.core.constraints import Part, Parts, Sides, TracedPart
from jaxopt_lite.core.function import Arguments
from jaxopt_lite.core.layout import Layout, describe
from jaxopt_lite.core.oracle import Oracle, Traced

Captured = tuple[list[Array], list[Array], list[Array]]  # by fun, jac and hess


class Closed(NamedTuple):
    """Constraints as the machine takes them (`core/constraints.py`)."""

    parts: Parts  # static
    traced: rows.Traced
    names: tuple[str, ...]  # (m,) of the constraint that each row belongs to, for sentences


def close_constraints(constraints: tuple[Constraint, ...], layout: Layout) -> Closed | None:
    """The closed constraints, their rows in canonical order; None where there are no rows.

    A row is an equality where a dict says so, or where both of its sides are known and the same number. The order is
    stable: equalities, and then inequalities, as they were given. Raises what a wrong constraint deserves, with its name.
    """
    each, traced, equal, keep = list[Part](), list[TracedPart](), list[bool](), list[bool]()
    lower, upper, names = list[Any](), list[Any](), list[str]()
    for constraint in constraints:
        part, t, (below, above), equalities = _close(constraint, layout)
        each.append(part)
        traced.append(t)
        lower.append(below)
        upper.append(above)
        names += [constraint.name] * part.rows
        equal += equalities
        keep += _broadcast(np.asarray(constraint.keep_feasible), part.rows, "keep_feasible", constraint.name).tolist()
    if not equal:
        return None
    order = tuple(sorted(range(len(equal)), key=lambda row: not equal[row]))
    parts = Parts(tuple(each), order, sum(equal), tuple(keep[row] for row in order))
    sides = (_ordered(side, order) for side in (lower, upper))
    return Closed(parts, rows.Traced(tuple(traced), *sides), tuple(names[row] for row in order))


def constrained(
    functions: tuple[Oracle, Traced], constraints: Any, layout: Layout, row: Row
) -> tuple[tuple[Oracle, Traced], Sides]:
    """The oracle of a function under constraints, its traced part, and the sides; raises for what the method cannot take."""
    (oracle, traced), closed = functions, close_constraints(read_constraints(constraints, layout), layout)
    if closed is None:
        none: Any = np.zeros(0, layout.dtype)
        return functions, Sides(none, none, none)
    p, lower, upper = closed.parts.p, closed.traced.lower, closed.traced.upper
    if p > 0 and "equalities" not in row.takes:
        raise ValueError(
            f"{closed.names[0]} is an equality, and method {row.name!r} takes inequalities alone; give a method for both, "
            "or an inequality with room between lb and ub."
        )
    return (oracle._replace(more=closed.parts), traced._replace(more=closed.traced)), Sides(lower[:p], lower[p:], upper[p:])


def _ordered(sides: list[Any], order: tuple[int, ...]) -> Any:
    """Sides (m_i,) of each constraint as (m,) in canonical order; of NumPy where all are known."""
    known = all(isinstance(side, np.ndarray) for side in sides)
    return (np if known else jnp).concatenate(sides)[np.asarray(order)]


def _close(constraint: Constraint, layout: Layout) -> tuple[Part, TracedPart, tuple[Any, Any], list[bool]]:
    """A constraint's static part, its traced one, its sides, and which of its rows are equalities."""
    part, captured, args = _functions(constraint, layout)
    rows, name = part.rows, constraint.name
    lower, upper = (
        _broadcast(side, rows, which, name) for side, which in ((constraint.lower, "lb"), (constraint.upper, "ub"))
    )
    known = isinstance(lower, np.ndarray) and isinstance(upper, np.ndarray)
    if known and np.any(lower > upper):
        row = int(np.argmax(lower > upper))
        raise ValueError(
            f"{name}: lb > ub in row {row}, {lower[row]} > {upper[row]}; no lower bound may exceed its upper one."
        )
    equalities = (lower == upper).tolist() if known else [constraint.equality] * rows
    return part, TracedPart(*captured, args, constraint.matrix, constraint.rel_step), (lower, upper), equalities


def _functions(constraint: Constraint, layout: Layout) -> tuple[Part, Captured, list[Any]]:
    """The closed functions of a constraint, what each captured, and their traced args; none of a linear one."""
    if constraint.fun is None:
        return Part(None, None, None, None, constraint.matrix.shape[0]), ([], [], []), []
    name, scheme, arguments = constraint.name, constraint.scheme, Arguments(constraint.args)
    point, at = points_of(layout, scheme)
    called = f"{name}'s fun"
    read = lambda out: _rows(out, called, scheme, layout)
    fun, of_fun = close_function(constraint.fun, called, read, layout, (at,), arguments, ("constraint", scheme))
    m, jac, hess, of_jac, of_hess = fun.shapes[0][0], None, None, list[Array](), list[Array]()
    if constraint.jac is not None:
        read = lambda out: _jacobian(out, m, f"{name}'s jac", layout)
        jac, of_jac = close_function(constraint.jac, f"{name}'s jac", read, layout, (point,), arguments, ("rows", m))
    if constraint.hess is not None:
        weights = jax.ShapeDtypeStruct((m,), layout.dtype)
        read = lambda out: _square(out, f"{name}'s hess", layout)
        hess, of_hess = close_function(
            constraint.hess, f"{name}'s hess", read, layout, (point, weights), arguments, ("curvature", m), others=1
        )
    return Part(fun, jac, hess, scheme, m), (of_fun, of_jac, of_hess), arguments.dynamic


def _broadcast(side: Any, rows: int, which: str, name: str) -> Any:
    """(k,) as (rows,); of NumPy where it is."""
    if side.shape[0] not in (1, rows):
        raise ValueError(f"{name}: {which} holds {side.shape[0]} entries for {rows} rows; give one, or one for each row.")
    return (np if isinstance(side, np.ndarray) else jnp).broadcast_to(side, (rows,))


def _rows(out: Any, name: str, scheme: str | None, layout: Layout) -> Array:
    """What fun returned, raveled to (m_i,); complex where it is differentiated by a complex step."""
    leaves = [] if out is None else jax.tree.leaves(out, is_leaf=lambda leaf: leaf is None)
    if not leaves or any(
        not isinstance(leaf, int | float | complex | np.generic | np.ndarray | jax.Array) for leaf in leaves
    ):
        raise TypeError(f"{name} returned {_said(out)}; return a number or an array of them, one for each row.")
    if scheme != "cs":
        for leaf in leaves:
            check_dtype(leaf, "values", name, layout)
        dtype = layout.dtype
    else:
        dtype = points_of(layout, scheme)[1].dtype
        if not any(jnp.issubdtype(jnp.result_type(leaf), jnp.complexfloating) for leaf in leaves):
            raise TypeError(f"{name} returned no complex numbers for complex x, as 'cs' needs; give another jac.")
    rows = jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(dtype) for leaf in leaves])
    if rows.size == 0:
        raise ValueError(f"{name} returned an empty array; return at least one number, or leave the constraint out.")
    return rows


def _jacobian(out: Any, m: int, name: str, layout: Layout) -> Array:
    """(m, n), from that, from (m, *shape of x) or the shape of x where m is 1, or from a pytree of these like x."""
    wanted = f"return an array of shape {(m, layout.size)}"
    leaves: list[Any] = [out]
    shapes: tuple[tuple[int, ...], ...] = ((layout.size,),)
    if jax.tree.structure(out) == layout.structure:
        leaves, shapes = jax.tree.leaves(out), layout.shapes
    try:
        arrays = [jnp.asarray(leaf) for leaf in leaves]  # rows of numbers in lists, too, as SciPy's users write them
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} returned {_said(out)}; {wanted}.") from error
    for array in arrays:
        if not (jnp.issubdtype(array.dtype, jnp.floating) or jnp.issubdtype(array.dtype, jnp.integer)):
            raise TypeError(f"{name} returned dtype {array.dtype}; {wanted}, of {layout.dtype}.")
    blocks = [_block(array, m, shape) for array, shape in zip(arrays, shapes, strict=True)]
    if any(block is None for block in blocks):
        held = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"{name} returned shape {held} for {m} rows and {layout.size} variables; {wanted}.")
    return jnp.concatenate([block.astype(layout.dtype) for block in blocks if block is not None], axis=1)


def _block(leaf: Array, m: int, shape: tuple[int, ...]) -> Array | None:
    """Derivatives of m rows by a leaf of x, as (m, size of the leaf); None where their shape is no such thing."""
    size, leading = math.prod(shape), leaf.ndim - len(shape)
    fits = leading >= 0 and leaf.shape[leading:] == shape and math.prod(leaf.shape[:leading]) == m
    return leaf.reshape(m, size) if fits or leaf.shape == (m, size) else None


def _square(out: Any, name: str, layout: Layout) -> Array:
    n = layout.size
    try:
        hess = jnp.asarray(out)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} returned {_said(out)}; return an array of shape {(n, n)}.") from error
    if hess.shape != (n, n):
        raise ValueError(f"{name} returned shape {hess.shape}; return an array of shape {(n, n)}.")
    return hess.astype(layout.dtype)


def _said(out: Any) -> str:
    """What a function returned, for sentences."""
    try:
        return "nothing" if out is None else describe(out)
    except (TypeError, ValueError):
        return f"a {type(out).__name__}"
