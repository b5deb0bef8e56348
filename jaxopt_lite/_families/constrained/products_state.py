"""The state of trust-constr by products: an accepted point, a step as far as it is known, and what the next turn is for.

A step is made in the units D of `barrier.py`, (2) there, in which the radius measures it. Its searches along the rows have
eased units D E of their own,

    E^{-2} = D^2 (e + z_low / (v - low) + z_high / (high - v)),     e = 1 of x, 0 of the slacks,            (1)

in which the part of W that belongs to the sides is at most 1, whatever mu is. So the tangential part is found by conjugate
gradients that are preconditioned by (1) (N&W, section 19.3, (19.37)): in the units D curvatures lie between mu and 1, and
with 500 inequalities it took more than 500 products where it takes 8.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.constrained import barrier, nearest
from jaxopt_lite._families.constrained.barrier import Units
from jaxopt_lite._families.constrained.nearest import Nearest
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData, sides_of
from jaxopt_lite.core.protocol import Told
from jaxopt_lite.core.status import RUNNING

TRIAL, FRESH, SOLVE, CAUCHY, BENT, CURVED, WHOLE = range(7)  # phases: what the next turn is for
OF_MULTIPLIERS, OF_NORMAL, OF_TANGENT, OF_CORRECTION = range(4)  # what a search is for


class ProductsState(NamedTuple):
    """An accepted point, the step from there as far as it is known, and what the next turn is for."""

    phase: Array  # () int32
    aim: Array  # () int32: what the search is for
    v: Array  # (N,) x and the slacks
    fun: Array  # () +inf before the first evaluation
    grad: Array  # (n,)
    c: Array  # (m,)
    z: Array  # (2, N) multipliers of the sides
    y: Array  # (m,) multipliers of the rows
    pull: Array  # (n,) A'y
    bent_by: Array  # (m,) the multipliers of the Hessian
    mu: Array  # ()
    nu: Array  # ()
    unit: Array  # () of f
    radius: Array  # ()
    noise: Array  # () of phi
    slight: Array  # () bool: was the last step a slight one?
    search: Nearest
    newton: Array  # (N,) the shortest step to the linearized rows; this and all below in the units of v
    cauchy: Array  # (N,) Cauchy's point of the rows
    ahead: Array  # (2, m) the rows h at both
    normal: Array  # (N,) the normal part
    t: Array  # (N,) the tangential part
    kept: Array  # (N,) its last point between the sides
    way: Array  # (N,) its next direction
    square: Array  # () of its residual
    enough: Array  # () the residual at which it ends
    made: Array  # () int32: its products
    p: Array  # (N,) the step
    d: Array  # (N,) the same in the variables
    y_try: Array  # (m,) multipliers at its end
    gain: Array  # () what it promises of phi
    length: Array  # () |p|
    correctable: Array  # () bool: if it is refused, is its second-order correction to be tried?
    bends: Array  # () curvature of the Lagrangian along it
    products: Array  # () int32 with the Hessian, of all steps


def place(s: ProductsState, data: BarrierData) -> Units:
    n = s.grad.shape[0]
    return barrier.units(s.v, n, sides_of(data, n))


def easing(s: ProductsState, at: Units) -> Array:
    """E (N,) of (1)."""
    bends = jnp.sum(s.z * at.nearness, axis=0)
    own = (jnp.arange(s.v.shape[0]) < s.grad.shape[0]).astype(s.v.dtype)
    square = at.D * at.D * (own + bends)
    return jnp.where(square > 0, lax.rsqrt(jnp.where(square > 0, square, 1.0)), 1.0)


def units(s: ProductsState, at: Units) -> Array:
    """D (N,) of the search: the units of v, or those of (1)."""
    return at.D * jnp.where(s.search.kind == 0, easing(s, at), 1.0)


def rows(s: ProductsState) -> Array:
    """h (m,)."""
    return s.c - s.v[s.grad.shape[0] :]


def product(s: ProductsState, at: Units, hvp: Array, p: Array) -> Array:
    """W p (N,) of a p in the units of v, from the product with the Hessian (n,)."""
    bent = jnp.sum(s.z * at.nearness, axis=0)
    return at.D * (jnp.concatenate([hvp, jnp.zeros_like(s.c)]) + bent * at.D * p)


def slope_of(s: ProductsState, at: Units) -> Array:
    """g (N,) of the barrier function, in the units of v."""
    return at.D * (jnp.concatenate([s.grad, jnp.zeros_like(s.c)]) + s.mu * (at.nearness[1] - at.nearness[0]))


def goes_on(s: ProductsState, phase: int, **parts: Any) -> ProductsState:
    return s._replace(phase=jnp.full((), phase, jnp.int32), **parts)


def searches(s: ProductsState, aim: int, base: Array, y: Array, pull: Array, b: Array) -> ProductsState:
    """The state at the start of a search."""
    search = nearest.begun(s.search, base, y, pull, b, int(aim in (OF_NORMAL, OF_CORRECTION)))
    return goes_on(s, FRESH, aim=jnp.full((), aim, jnp.int32), search=search)


def either(first: Array, a: ProductsState, b: ProductsState) -> ProductsState:
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), a, b)


def running(s: ProductsState) -> Told:
    return Told(s, jnp.full((), RUNNING, jnp.int32), jnp.zeros((), bool))
