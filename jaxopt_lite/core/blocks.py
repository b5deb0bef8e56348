"""A function of one problem that a vmap runs over blocks of problems, one block after the other.

XLA writes what stands between two kernels to memory, for the whole batch at once. What is made of matrices would then pass
through memory that no cache holds, and that the system has to provide first. In blocks it stays in cache.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

BLOCK = 64  # problems of a block on a CPU


def in_blocks(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays; under a vmap on a CPU it runs in blocks. It is not for reverse mode."""

    @custom_vmap
    def run(*args: Any) -> Any:
        return function(*args)

    @run.def_vmap
    def _(size: int, batched: list[Any], *args: Any) -> tuple[Any, Any]:
        many = jax.vmap(function, in_axes=tuple(jax.tree.map(lambda b: 0 if b else None, tree) for tree in batched))
        width = min(BLOCK, size) if jax.default_backend() == "cpu" else size

        def block(k: Array | int, out: Any) -> Any:
            """The results with those of block k. The last block overlaps the one before."""
            at = jnp.minimum(k * width, size - width)
            own = jax.tree.map(
                lambda leaf, b: lax.dynamic_slice_in_dim(leaf, at, width) if b else leaf, args, tuple(batched)
            )
            put = lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, at, 0)
            return jax.tree.map(put, out, many(*own))

        if width == size:
            out = many(*args)
        else:
            empty = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(many, *args))
            out = lax.fori_loop(0, -(-size // width), block, empty)
        return out, jax.tree.map(lambda _: True, out)

    return run
