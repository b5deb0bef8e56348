"""The last m vectors: a ring for a single problem, a shift for a batch.

A single large problem must not move m vectors of a million numbers to make room for another. It overwrites the oldest vector
in place and reads by index: a ring. In a batch every lane would have an index of its own. To read by such an index is a
gather, which costs more than to move m short vectors. So in a batch all vectors move up by one, and the j-th newest is in
the same place in all lanes: a shift, oldest first.

`jax.custom_batching` chooses between the two, where `vmap` arrives. `at` counts the vectors put in; in a batch it is not
read.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap


def _widened(size: int, batched: list[bool], args: tuple[Any, ...]) -> list[Array]:
    """All arguments, each with the batch axis in front."""
    return [a if b else jnp.broadcast_to(a[None], (size, *a.shape)) for a, b in zip(args, batched, strict=True)]


@custom_vmap
def put(rows: Array, at: Array, new: Array, wanted: Array) -> Array:
    """Rows (m, n) with `new` (n,) as the newest, where `wanted`."""
    place = at % rows.shape[0]
    old = lax.dynamic_index_in_dim(rows, place, keepdims=False)
    return lax.dynamic_update_index_in_dim(rows, jnp.where(wanted, new, old), place, 0)


@put.def_vmap
def _(size: int, batched: list[bool], *args: Array) -> tuple[Array, bool]:
    rows, _, new, wanted = _widened(size, batched, args)
    moved = jnp.concatenate([rows[:, 1:], new[:, None]], axis=1)
    return jnp.where(wanted[:, None, None], moved, rows), True


@custom_vmap
def put_border(products: Array, at: Array, row: Array, column: Array, wanted: Array) -> Array:
    """Products (m, m) of rows, with a row and a column for the newest one, in the places that rows have after `put`."""
    index = jnp.arange(products.shape[0], dtype=at.dtype)
    new = index == at % products.shape[0]
    bordered = jnp.where(new[:, None], row[None, :], jnp.where(new[None, :], column[:, None], products))
    return jnp.where(wanted, bordered, products)


@put_border.def_vmap
def _(size: int, batched: list[bool], *args: Array) -> tuple[Array, bool]:
    products, _, row, column, wanted = _widened(size, batched, args)
    moved = jnp.concatenate([products[:, 1:, 1:], column[:, :-1, None]], axis=2)
    bordered = jnp.concatenate([moved, row[:, None]], axis=1)
    return jnp.where(wanted[:, None, None], bordered, products), True


def newest(rows: Array, at: Array, j: int) -> Array:
    """The j-th newest row (n,), j = 0 for the newest."""

    @custom_vmap
    def read(rows: Array, at: Array) -> Array:
        return lax.dynamic_index_in_dim(rows, (at - 1 - j) % rows.shape[0], keepdims=False)

    @read.def_vmap
    def _(size: int, batched: list[bool], rows: Array, at: Array) -> tuple[Array, bool]:
        (rows,) = _widened(size, batched[:1], (rows,))
        return rows[:, rows.shape[1] - 1 - j], True

    return read(rows, at)


@custom_vmap
def in_order(rows: Array, at: Array) -> Array:
    """Rows (m, n), the newest last."""
    return jnp.roll(rows, -(at % rows.shape[0]), axis=0)


@in_order.def_vmap
def _(size: int, batched: list[bool], rows: Array, at: Array) -> tuple[Array, bool]:
    return _widened(size, batched[:1], (rows,))[0], True


@custom_vmap
def in_rows(values: Array, at: Array) -> Array:
    """Values (m,) that stand by age, the newest last, moved to the places of their rows."""
    return jnp.roll(values, at % values.shape[0], axis=0)


@in_rows.def_vmap
def _(size: int, batched: list[bool], values: Array, at: Array) -> tuple[Array, bool]:
    return _widened(size, batched[:1], (values,))[0], True
