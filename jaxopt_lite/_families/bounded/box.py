"""A box around x: lower <= x <= upper, each (n,); both are None where there is no box.

A variable is *held* where it is at a bound and the gradient pushes against it, or where its bounds meet; the others are
*free*. A minimizer in the box is where the projected gradient vanishes (Bertsekas 1982, proposition 1),

    P(x - g) - x = 0,    P(x) = min(max(x, lower), upper)                                           (1)

The left side is -g where no bound is near. The methods want more: g must vanish on the free variables. A variable that
belongs to a bound is then at the bound exactly, not only close to it. The methods make every trial point by `along`, which
keeps it inside of the box exactly.

Source: D. P. Bertsekas, Projected Newton methods for optimization problems with simple constraints, SIAM J. Control 20
(1982) 221.
"""

from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.dense import SHORT, settled


class Boxed(Protocol):
    """A data record with a box."""

    @property
    def lower(self) -> Any: ...  # (n,), or None

    @property
    def upper(self) -> Any: ...


def sides(box: Any, x0: Array) -> tuple[Array | None, Array | None]:
    """The bounds (n,) from the leaves of both sides, as the door gives them; None where there are no bounds."""
    if box is None:
        return None, None
    whole = lambda side: jnp.concatenate([jnp.ravel(jnp.asarray(leaf).astype(x0.dtype)) for leaf in side])
    lower, upper = (jnp.broadcast_to(whole(side), x0.shape) for side in box)
    return lower, upper


def project(x: Array, data: Boxed) -> Array:
    """The nearest point of the box."""
    return x if data.lower is None else jnp.clip(x, data.lower, data.upper)


def crossed(data: Boxed) -> Array:
    """() bool: is the box empty, because bounds cross or are NaN?"""
    if data.lower is None:
        return jnp.zeros((), bool)
    return ~jnp.all(data.lower <= data.upper)


def free(x: Array, grad: Array, data: Boxed) -> Array:
    """(n,) bool: the variables that are not held."""
    if data.lower is None:
        return jnp.ones(x.shape, bool)
    loose = ((x > data.lower) | (grad <= 0)) & ((x < data.upper) | (grad >= 0)) & (data.lower < data.upper)
    return settled(loose, x.dtype) if x.shape[0] <= SHORT else loose


def along(x: Array, d: Array, t: Array, data: Boxed) -> Array:
    """P(x + t d)."""
    return project(x + t * d, data)


def outward(x: Array, d: Array, data: Boxed) -> Array:
    """(n,) bool: the variables at a bound, where d points out of the box."""
    return ((x <= data.lower) & (d < 0)) | ((x >= data.upper) & (d > 0))
