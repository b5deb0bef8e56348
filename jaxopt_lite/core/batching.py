"""vmap refills: L lanes serve a queue of B problems inside one loop.

A batch that runs in lockstep costs B times the slowest lane. Here a finished lane scatters its result into the output
and takes the next problem from the queue, every K turns, so that the cost follows the mean. `jax.custom_batching` tells
which operands carry a problem axis: these are gathered per lane; the others stay shared and are never broadcast.

A vmap of a vmap of ... flattens into one queue: the levels' sizes multiply, and every operand remembers at which levels
it varies. An operand that varies at the outer level alone is found by the outer index alone.

The cost of a turn does not depend on how many lanes still work, so L is a compromise: wide enough that an operation's
overhead is shared, narrow enough that the working set stays in cache and that the last problems do not leave most lanes
idle.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

from jaxopt_lite.core.loop import Lane, Operands, Run, solve_one
from jaxopt_lite.core.status import BAD_INPUT, RUNNING

TURNS_PER_REFILL = 8  # a refill costs about three turns; a lane that ends waits for half of this on average
CPU_CACHE = 1 << 20  # bytes of state that stay fast on a core
CPU_LANES = (32, 256)  # least and most; the time per lane is flat from 128 to 1,024 for small states
GPU_STATE = 1 << 31  # bytes of state on a GPU
GPU_LANES = (4096, 65536)
QUEUE_LENGTH = 24  # at least so many problems per lane before the lanes are widened further: bounds the idle tail


class Schedule(NamedTuple):
    """How a batch is driven; static. None lets the machine choose; lanes = 0 is lockstep, one lane a problem."""

    lanes: int | None = None
    turns_per_refill: int | None = None


def lane_width(problems: int, state_bytes: int, schedule: Schedule) -> int:
    """The number of lanes for a queue of so many problems."""
    if schedule.lanes is not None:
        return min(schedule.lanes or problems, problems)
    on_cpu = jax.default_backend() == "cpu"
    memory, (least, most) = (CPU_CACHE, CPU_LANES) if on_cpu else (GPU_STATE, GPU_LANES)
    width = min(most, max(least, memory // max(state_bytes, 1)))
    if on_cpu:
        width = min(width, max(least, problems // QUEUE_LENGTH))
    return min(1 << (width.bit_length() - 1), problems)


def batchable(lane: Lane, schedule: Schedule) -> Callable[[Operands], dict[str, Array]]:
    """`solve(operands)` for one problem that becomes a refilling queue under vmap, however deep."""

    def solve(operands: Operands) -> dict[str, Array]:
        leaves, structure = jax.tree.flatten(operands)
        return at_level((), ((),) * len(leaves))(structure, leaves)

    def at_level(sizes: tuple[int, ...], varies: tuple[tuple[bool, ...], ...]) -> Callable[..., dict[str, Array]]:
        def run(structure: Any, leaves: list[Array]) -> dict[str, Array]:
            @custom_vmap
            def level(*leaves: Array) -> dict[str, Array]:
                if not sizes:
                    return solve_one(lane, jax.tree.unflatten(structure, leaves))
                return solve_queue(lane, schedule, sizes, varies, structure, leaves)

            @level.def_vmap
            def _(size: int, batched: list[bool], *leaves: Array) -> tuple[dict[str, Array], Any]:
                deeper = tuple((new, *old) for new, old in zip(batched, varies, strict=True))
                out = at_level((size, *sizes), deeper)(structure, list(leaves))
                return out, jax.tree.map(lambda _: True, out)

            return level(*leaves)

        return run

    return solve


def solve_queue(
    lane: Lane,
    schedule: Schedule,
    sizes: tuple[int, ...],
    varies: tuple[tuple[bool, ...], ...],
    structure: Any,
    leaves: Any,
) -> dict[str, Array]:
    """All problems of a batch with axes `sizes`; leaf i has those leading axes at which `varies[i]` is true."""
    total = math.prod(sizes)
    own = [any(levels) for levels in varies]

    def gather(problem: Array) -> list[Array]:
        """The varying leaves of the problems with these flat indices (L,)."""
        index = jnp.unravel_index(problem, sizes)
        return [
            leaf[tuple(i for i, v in zip(index, levels, strict=True) if v)]
            for leaf, levels in zip(leaves, varies, strict=True)
            if any(levels)
        ]

    def operands(gathered: list[Array]) -> Operands:
        mine = iter(gathered)
        return jax.tree.unflatten(structure, [next(mine) if o else leaf for o, leaf in zip(own, leaves, strict=True)])

    one = jax.eval_shape(lambda: lane.begin(operands(jax.tree.map(lambda a: a[0], gather(jnp.zeros(1, jnp.int32))))))
    state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(one))
    width = lane_width(total, state_bytes, schedule)
    if width == 0:  # an empty batch
        width = 1
    per_refill = schedule.turns_per_refill or TURNS_PER_REFILL

    begin = jax.vmap(lambda g: lane.begin(operands(g)))
    turn = jax.vmap(lambda run, g: lane.turn(run, operands(g)))
    finish = jax.vmap(lambda run, g: _pack(lane.finish(run, operands(g)))[0])

    who = jnp.arange(width, dtype=jnp.int32)
    work = gather(who)
    run = begin(work)
    packed = jax.eval_shape(finish, run, work)
    result = [jnp.zeros((total, *p.shape[1:]), p.dtype) for p in packed]

    def body(carry: tuple) -> tuple:
        run, work, who, head, result = carry
        run = lax.fori_loop(0, per_refill, lambda _, run: turn(run, work), run)
        done = (run.status != RUNNING) & (who < total)
        place = jnp.where(done, who, total)
        result = [r.at[place].set(v, mode="drop") for r, v in zip(result, finish(run, work), strict=True)]
        ended = jnp.cumsum(done, dtype=jnp.int32)
        who = jnp.where(done, jnp.minimum(head + ended - 1, total), who)
        work = gather(jnp.minimum(who, total - 1))
        run = _select(done, begin(work), run)
        idle = jnp.where(who < total, run.status, BAD_INPUT)
        return run._replace(status=idle), work, who, jnp.minimum(head + ended[-1], total), result

    carry = (run, work, who, jnp.asarray(width, jnp.int32), result)
    result = lax.while_loop(lambda c: jnp.any(c[0].status == RUNNING), body, carry)[-1]
    _, unpack = _pack_shapes(lane, one, operands, gather)
    fields = jax.vmap(unpack)(result)
    return jax.tree.map(lambda a: a.reshape(*sizes, *a.shape[1:]), fields)


def _pack_shapes(lane: Lane, one: Run, operands: Callable, gather: Callable) -> tuple[Any, Callable]:
    holder: list[Callable] = []

    def record(run: Run) -> list[Array]:
        fields = lane.finish(run, operands(jax.tree.map(lambda a: a[0], gather(jnp.zeros(1, jnp.int32)))))
        packed, unpack = _pack(fields)
        holder.append(unpack)
        return packed

    shapes = jax.eval_shape(record, one)
    return shapes, holder[0]


def _pack(fields: Any) -> tuple[list[Array], Callable[[list[Array]], Any]]:
    """All leaves of one dtype in one vector: one scatter a dtype instead of one a field. And the way back."""
    leaves, structure = jax.tree.flatten(fields)
    dtypes = sorted({leaf.dtype for leaf in leaves}, key=str)
    shapes = [(leaf.shape, leaf.dtype) for leaf in leaves]
    packed = [jnp.concatenate([jnp.ravel(leaf) for leaf in leaves if leaf.dtype == d]) for d in dtypes]

    def unpack(packed: list[Array]) -> Any:
        position, out = dict.fromkeys(dtypes, 0), []
        for shape, dtype in shapes:
            size, at = math.prod(shape), position[dtype]
            out.append(packed[dtypes.index(dtype)][at : at + size].reshape(shape))
            position[dtype] = at + size
        return jax.tree.unflatten(structure, out)

    return packed, unpack


def _select(mask: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda n, o: jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, o), new, old)
