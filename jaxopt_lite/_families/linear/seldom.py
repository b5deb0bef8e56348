"""Work that few lanes need in a turn, done for those lanes alone.

Under vmap a `lax.cond` becomes a select, and every lane would pay for the work that one of them needs. Here the lanes that
need it are gathered, at most one in `share` of a batch a turn. The lanes left out keep their states, still need the work,
and get it in a later turn. The lanes that have waited longest come first. (A lane that has ended and idles in the batch may
ask in every turn, but its waiting time does not grow.) A single problem is a plain `lax.cond`. No lane's numbers depend on
another lane.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap


def seldom(work: Callable[[Any, Any], Any], share: int) -> Callable[[Array, Array, Any, Any], Any]:
    """`(need, waited, state, data) -> work(state, data)` where needed and served, else the state as it was.

    `work` returns a state of the same structure and dtypes, which no longer needs the work.
    """

    @custom_vmap
    def run(need: Array, waited: Array, state: Any, data: Any) -> Any:
        return lax.cond(need, work, lambda state, data: state, state, data)

    @run.def_vmap
    def _(size: int, batched: list[Any], need: Array, waited: Array, state: Any, data: Any) -> tuple[Any, Any]:
        over_lanes = lambda leaf, b: leaf if b else jnp.broadcast_to(leaf, (size, *leaf.shape))
        need, waited = over_lanes(need, batched[0]), over_lanes(waited, batched[1])
        state = jax.tree.map(over_lanes, state, batched[2])

        def serve(state: Any) -> Any:
            age, who = lax.top_k(jnp.where(need, waited, -1), max(1, size // share))
            who = jnp.where(age >= 0, who, size)
            at = jnp.minimum(who, size - 1)
            few = jax.tree.map(lambda leaf: leaf[at], state)
            own = jax.tree.map(lambda leaf, b: leaf[at] if b else leaf, data, batched[3])
            axes = jax.tree.map(lambda b: 0 if b else None, batched[3])
            done = jax.vmap(work, in_axes=(0, axes))(few, own)
            return jax.tree.map(lambda leaf, new: leaf.at[who].set(new, mode="drop"), state, done)

        state = lax.cond(jnp.any(need), serve, lambda state: state, state)
        return state, jax.tree.map(lambda _: True, state)

    return run
