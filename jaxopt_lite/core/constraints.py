"""Constraints as the machine sees them: m rows lower <= c(x) <= upper, the p equalities first.

A constraint of the user's is a *part*: a closed function of x with rows of its own, or a matrix A with c = A x. The rows
of all parts, one after another, are brought into the *canonical order*: first the equalities, whose sides are the same
number, then the inequalities, with -inf or inf where a side is absent. The order is static. What the sides are is traced.

Everything here is a pure function of the static `Parts`, the traced parts and x, to be called inside of a program. Each
calls a function of the user's once. Derivatives come from the means that each part has: the user's `jac` and `hess`,
finite differences, or autodiff. A Jacobian by autodiff runs forward, in n passes, or backward, in as many as the part has
rows, whichever is fewer.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite.core.dense import dot, matvec
from jaxopt_lite.core.differences import differences
from jaxopt_lite.core.function import Function
from jaxopt_lite.core.oracle import value_and_jacobian


class Part(NamedTuple):
    """One constraint. Static; its functions are closed (`core/function.py`) over vectors (n,)."""

    fun: Function | None  # x, *args -> (m_i,); None: linear
    jac: Function | None  # x, *args -> (m_i, n); None: by the scheme or by autodiff
    hess: Function | None  # x, v (m_i,), *args -> (n, n): the Hessian of v'fun; None: by autodiff
    scheme: str | None  # finite differences instead of autodiff, for the Jacobian
    rows: int  # m_i


class TracedPart(NamedTuple):
    """What one constraint is evaluated with; every leaf may be batched or shared."""

    fun: list[Array]  # captured by fun
    jac: list[Array]
    hess: list[Array]
    args: list[Array]
    matrix: Array | None  # (m_i, n) A of a linear part
    rel_step: Array | None  # () or (n,): relative step of finite differences; None: the scheme's own


class Parts(NamedTuple):
    """All constraints. Static and hashable."""

    each: tuple[Part, ...]  # in the order in which the user gave them
    order: tuple[int, ...]  # (m,) row k of the canonical order is row order[k] of the parts, one after another
    p: int  # equalities: rows [0, p) of the canonical order
    keep_feasible: tuple[bool, ...]  # (m,) must this row hold wherever fun is evaluated? In canonical order

    @property
    def m(self) -> int:
        """Rows of all parts."""
        return len(self.order)

    @property
    def size(self) -> int:
        """Equations of all closed functions."""
        return sum(0 if f is None else f.size for part in self.each for f in (part.fun, part.jac, part.hess))


class Traced(NamedTuple):
    """What all constraints are evaluated with."""

    each: tuple[TracedPart, ...]
    lower: Array  # (m,) in canonical order, -inf: none
    upper: Array  # (m,) inf: none


class Sides(NamedTuple):
    """The sides of the rows in canonical order, as a method is given them in its options under 'constraints'."""

    equal: Array  # (p,) what the equalities are equal to
    lower: Array  # (m - p,) of the inequalities, -inf: none
    upper: Array  # (m - p,) inf: none


class Products(NamedTuple):
    """All rows at a point, and their derivatives as products: no Jacobian (m, n) is built of functions that JAX derives."""

    c: Array  # (m,)
    along: Callable[[Array], Array]  # v (n,) -> J v (m,)
    across: Callable[[Array], Array]  # w (m,) -> J'w (n,)
    bend: Callable[[Array], Array]  # v (n,) -> the Hessian of y'c times v (n,)


Box = tuple[Array, Array]  # (n,) lower and upper bounds on x that no finite difference may leave


def values(parts: Parts, traced: Traced, x: Array) -> Array:
    """c(x), (m,), in canonical order."""
    return _in_order(parts, [_value(part, t, x) for part, t in zip(parts.each, traced.each, strict=True)])


def values_and_jacobian(parts: Parts, traced: Traced, x: Array, box: Box | None = None) -> tuple[Array, Array]:
    """c(x), (m,), and its Jacobian (m, n), in canonical order, by the means of each part."""
    both = [_value_and_jacobian(part, t, x, box) for part, t in zip(parts.each, traced.each, strict=True)]
    return _in_order(parts, [c for c, _ in both]), _in_order(parts, [A for _, A in both])


def gradient(parts: Parts, traced: Traced, x: Array, y: Array) -> Array:
    """The gradient of y'c at x, (n,), in a form that can be differentiated again: never by finite differences."""
    each = zip(parts.each, traced.each, by_part(parts, y), strict=True)
    return jnp.sum(jnp.stack([_gradient(part, t, x, v) for part, t, v in each]), axis=0)


def second_order(
    parts: Parts, traced: Traced, x: Array, y: Array, box: Box | None = None
) -> tuple[Array, Array, Callable[[Array], Array]]:
    """c(x), (m,), its Jacobian (m, n), and the product of the Hessian of y'c with columns (n, k).

    From one call of each function; by finite differences it takes two. The Hessian is never by finite differences: a part
    that has them for its Jacobian is differentiated twice by JAX.
    """
    given = zip(parts.each, traced.each, by_part(parts, y), strict=True)
    made = [_second_order(part, t, x, v, box) for part, t, v in given]
    curved = [times for *_, times in made if times is not None]
    times = lambda P: sum((times(P) for times in curved), start=jnp.zeros_like(P))
    return _in_order(parts, [c for c, *_ in made]), _in_order(parts, [A for _, A, _ in made]), times


def products(parts: Parts, traced: Traced, x: Array, y: Array, box: Box | None = None) -> Products:
    """c(x), (m,), and its products, for the Hessian with the multipliers y (m,); from one linearization of each function.

    Of a part with a `jac` or a `hess` of the user's, with finite differences, or with a matrix, that matrix is multiplied.
    """
    given = zip(parts.each, traced.each, by_part(parts, y), strict=True)
    made = [_products(part, t, x, v, box) for part, t, v in given]
    along = lambda v: _in_order(parts, [one.along(v) for one in made])
    across = lambda w: sum((one.across(part) for one, part in zip(made, by_part(parts, w), strict=True)), jnp.zeros_like(x))
    bend = lambda v: sum((one.bend(v) for one in made), jnp.zeros_like(v))
    return Products(_in_order(parts, [one.c for one in made]), along, across, bend)


def violations(c: Array, lower: Array, upper: Array) -> Array:
    """How far each c (m,) lies outside of its sides, (m,); 0 where it does not."""
    return jnp.maximum(jnp.maximum(lower - c, c - upper), 0.0)


def violation(c: Array, lower: Array, upper: Array) -> Array:
    """The largest of these, (); 0 where x is feasible."""
    return jnp.max(violations(c, lower, upper), initial=0.0)


def _value(part: Part, t: TracedPart, x: Array) -> Array:
    if part.fun is None:
        assert t.matrix is not None
        return matvec(jnp.asarray(t.matrix), x)
    if part.scheme == "cs":  # its function was traced for complex vectors
        return jnp.real(_call(part, t)(jax.lax.complex(x, jnp.zeros_like(x))))
    return _call(part, t)(x)


def _value_and_jacobian(part: Part, t: TracedPart, x: Array, box: Box | None) -> tuple[Array, Array]:
    if part.fun is None:
        return _value(part, t, x), jnp.asarray(t.matrix)
    if part.jac is not None:
        return _value(part, t, x), part.jac(t.jac, x, *t.args)[0]
    if part.scheme is not None:
        return differences(_call(part, t), x, part.scheme, t.rel_step, None, box)
    return value_and_jacobian(_call(part, t), x, part.rows)


def _second_order(
    part: Part, t: TracedPart, x: Array, v: Array, box: Box | None
) -> tuple[Array, Array, Callable[[Array], Array] | None]:
    """Rows of one part, their Jacobian, and the product of the Hessian of v'c with columns; None: it is linear."""
    if part.fun is None:
        return *_value_and_jacobian(part, t, x, box), None
    if part.hess is not None:
        hess = part.hess(t.hess, x, v, *t.args)[0]
        return *_value_and_jacobian(part, t, x, box), lambda P: matvec(hess, P)
    if part.jac is not None:
        jac = part.jac
        A, along = jax.linearize(lambda x: jac(t.jac, x, *t.args)[0], x)
        return _value(part, t, x), A, _each(lambda p: matvec(along(p).T, v))
    if part.scheme is not None:
        return *_value_and_jacobian(part, t, x, box), _each(jax.linearize(lambda x: _gradient(part, t, x, v), x)[1])
    forward = x.shape[0] <= part.rows

    def slope(x: Array) -> tuple[tuple[Array, Array], Array | None]:
        c, pullback = jax.vjp(_call(part, t), x)
        backward = lambda e: pullback(e)[0]
        return (c, backward(v)), None if forward else jax.vmap(backward)(jnp.eye(part.rows, dtype=c.dtype))

    (c, _), tangent, A = jax.linearize(slope, x, has_aux=True)
    if forward:
        A = jax.vmap(lambda p: tangent(p)[0], out_axes=1)(jnp.eye(x.shape[0], dtype=x.dtype))
    return c, A, _each(lambda p: tangent(p)[1])


def _products(part: Part, t: TracedPart, x: Array, v: Array, box: Box | None) -> Products:
    """The rows of one part, and their products."""
    if part.fun is None or part.jac is not None or part.hess is not None or part.scheme is not None:
        c, A, bend = _second_order(part, t, x, v, box)
        bent = jnp.zeros_like if bend is None else lambda p: bend(p[:, None])[:, 0]
        return Products(c, lambda p: matvec(A, p), lambda w: matvec(A.T, w), bent)

    def slope(x: Array) -> tuple[Array, Array]:
        c, pullback = jax.vjp(_call(part, t), x)
        return c, pullback(v)[0]

    (c, _), tangent = jax.linearize(slope, x)
    along = lambda p: tangent(p)[0]
    return Products(c, along, lambda w: jax.linear_transpose(along, x)(w)[0], lambda p: tangent(p)[1])


def _each(product: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A product with a vector (n,), as one with columns (n, k)."""
    return jax.vmap(product, in_axes=1, out_axes=1)


def _gradient(part: Part, t: TracedPart, x: Array, v: Array) -> Array:
    """The gradient of v'c, (n,), in a form that can be differentiated again."""
    if part.fun is None:
        assert t.matrix is not None
        return matvec(jnp.asarray(t.matrix).T, v)
    if part.jac is not None:
        return matvec(part.jac(t.jac, x, *t.args)[0].T, v)
    return jax.grad(lambda x: dot(v, _value(part, t, x)))(x)


def _call(part: Part, t: TracedPart) -> Callable[[Array], Array]:
    """The part's function of x alone."""
    assert part.fun is not None
    fun = part.fun
    return lambda x: fun(t.fun, x, *t.args)[0]


def _in_order(parts: Parts, rows: list[Array]) -> Array:
    """Rows (m_i, ...) of each part as (m, ...) in canonical order."""
    return _taken(jnp.concatenate(rows), parts.order)


def by_part(parts: Parts, y: Array) -> list[Array]:
    """Numbers (m,) in canonical order as (m_i,) of each part."""
    given = _taken(y, tuple(int(k) for k in np.argsort(np.asarray(parts.order))))
    ends = np.cumsum([part.rows for part in parts.each])
    return [given[end - part.rows : end] for part, end in zip(parts.each, ends, strict=True)]


def _taken(rows: Array, order: tuple[int, ...]) -> Array:
    if order == tuple(range(len(order))):
        return rows
    return rows.at[np.asarray(order)].get(mode="promise_in_bounds", unique_indices=True)
