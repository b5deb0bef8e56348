"""Points and directions that a user gives to a method from values: a matrix of known shape whose rows span the space."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.options import Check


def rows(wanted: str, count: Callable[[int], int]) -> Check:
    """The check of an option that is a matrix (count(n), n), traced or known; `wanted` says what it is."""

    def read(value: Any, name: str, wanted: str, n: int) -> Any:
        value, shape = value if isinstance(value, jax.Array) else jnp.asarray(value), (count(n), n)
        if value.shape != shape:
            raise ValueError(f"option {name!r} has shape {value.shape}; give {wanted}, of shape {shape} for n = {n}.")
        return value

    return Check(wanted, read)


def span(directions: Array) -> Array:
    """() bool: do these rows (n, n) span the space, to rounding, whatever their lengths are?"""
    size = jnp.max(jnp.abs(directions), axis=1, keepdims=True)
    lu, _ = jax.scipy.linalg.lu_factor(directions / jnp.where(size > 0, size, 1.0))
    return jnp.min(jnp.abs(jnp.diagonal(lu))) > directions.shape[0] * jnp.finfo(directions.dtype).eps
