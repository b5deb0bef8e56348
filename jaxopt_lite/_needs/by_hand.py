"""What is asked and told by hand: numbers and arrays of any code, in the structure of x where they look like it."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.protocol import Query, point_of


def point_and_vector(layout: Layout, query: Query) -> tuple[Any, Any]:
    """The asked point and the asked vector, both in the structure of x."""
    return point_of(layout, query), point_of(layout, Query(query.vector))


def scalar(layout: Layout, value: Any, name: str) -> Array:
    """A number ()."""
    if jnp.size(value) != 1:
        raise ValueError(f"{name} has shape {jnp.shape(value)}; tell a scalar.")
    return jnp.asarray(value).reshape(()).astype(layout.dtype)


def array(layout: Layout, value: Any, name: str, shape: tuple[int | None, ...]) -> Array:
    """An array of this shape, in which None stands for any length."""
    given = jnp.shape(value)
    if len(given) != len(shape) or any(w is not None and g != w for g, w in zip(given, shape, strict=True)):
        wanted = ", ".join("m" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} has shape {given}; tell ({wanted}{',' * (len(shape) == 1)}).")
    return jnp.asarray(value).astype(layout.dtype)
