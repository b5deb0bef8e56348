"""vmap that refills: L lanes serve a queue of B problems inside one loop.

A lane is a place in the loop that works on one problem at a time. In lockstep, where every problem has its own lane, a
batch costs B times the slowest problem. Here a lane whose problem has ended writes the result to the output, and takes the
next problem from the queue. This happens every K turns. The cost then follows the mean, not the slowest.
`jax.custom_batching` tells which operands have a problem axis. These are gathered for each lane; the others stay shared and
are never broadcast.

A vmap of a vmap of ... is flattened into one queue. The sizes of the levels multiply, and every operand remembers the levels
at which it varies. An operand that varies at the outer level alone is looked up by the outer index alone.

The cost of a turn does not depend on how many lanes still work, so L is a compromise. L must be large, so that many lanes
share the overhead of an operation. L must also be small: then the working set stays in cache, and the last problems do not
leave most lanes idle.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

from jaxopt_lite.core.jax_internals import placement, unbatched
from jaxopt_lite.core.loop import Derive, Lane, Operands, decide_one, solve_one
from jaxopt_lite.core.status import BAD_INPUT, RUNNING, is_claim

TURNS_PER_REFILL = 8  # K; a refill costs about two turns, and a lane that ends waits for K / 2 turns on average
CPU_CACHE = 1 << 21  # bytes that fit the cache of a core
CPU_LANES = (64, 256)  # least and greatest width; fewer lanes than 64 cost as much, and 1,024 gain nothing over 256
GPU_STATE = 1 << 31  # bytes of state on a GPU; this and the next are from the plan, not measured yet
GPU_LANES = (4096, 65536)
JUDGED = 32  # most claims that are judged at once
QUEUE_LENGTH = 4  # least number of problems a lane, beyond the least width on a CPU: few lanes then idle at the end


class Schedule(NamedTuple):
    """How a batch is driven; static. None: this module chooses. lanes = 0: lockstep, each problem in its own lane."""

    lanes: int | None = None
    turns_per_refill: int | None = None
    most: int | None = None  # greatest width chosen on a CPU, for methods with cheap turns; None: that of CPU_LANES


def lane_width(problems: int, lane_bytes: int, schedule: Schedule) -> int:
    """The number of lanes for a queue of this many problems, from the bytes that a lane works on."""
    if schedule.lanes is not None:
        return min(schedule.lanes or problems, problems)
    on_cpu = jax.default_backend() == "cpu"
    memory, (least, greatest) = (CPU_CACHE, CPU_LANES) if on_cpu else (GPU_STATE, GPU_LANES)
    greatest = schedule.most if on_cpu and schedule.most is not None else greatest
    width = min(greatest, max(least, memory // max(lane_bytes, 1)))
    if on_cpu:
        width = min(width, max(least, problems // QUEUE_LENGTH))
    return min(1 << (width.bit_length() - 1), problems)


class Batch(NamedTuple):
    """Problems with batch axes `sizes`: leaf i of a pytree has those leading axes at which `varies[i]` is true."""

    sizes: tuple[int, ...]
    varies: tuple[tuple[bool, ...], ...]
    structure: Any
    leaves: list[Array]

    @property
    def total(self) -> int:
        """The number of problems."""
        return math.prod(self.sizes)

    def gather(self, problem: Array) -> list[Array]:
        """The varying leaves of the problems with these flat indices (L,)."""
        index = jnp.unravel_index(problem, self.sizes)
        return [
            leaf[tuple(i for i, v in zip(index, levels, strict=True) if v)]
            for leaf, levels in zip(self.leaves, self.varies, strict=True)
            if any(levels)
        ]

    def whole(self, gathered: list[Any]) -> Any:
        """The pytree of one problem, from its gathered leaves and the shared ones."""
        mine = iter(gathered)
        own = [next(mine) if any(levels) else leaf for leaf, levels in zip(self.leaves, self.varies, strict=True)]
        return jax.tree.unflatten(self.structure, own)

    def shapes(self, width: int) -> list[jax.ShapeDtypeStruct]:
        """The shapes of what `gather` returns for this many problems."""
        return [
            jax.ShapeDtypeStruct((width, *leaf.shape[sum(levels) :]), leaf.dtype)
            for leaf, levels in zip(self.leaves, self.varies, strict=True)
            if any(levels)
        ]


def flattened(one: Callable[[Any], Any], many: Callable[[Batch], Any]) -> Callable[[Any], Any]:
    """`one(pytree)` for a single problem; under vmaps, however deep, `many` of one flat batch."""

    def solve(operands: Any) -> Any:
        leaves, structure = jax.tree.flatten(operands)
        return at_level((), ((),) * len(leaves))(structure, leaves)

    def at_level(sizes: tuple[int, ...], varies: tuple[tuple[bool, ...], ...]) -> Callable[..., Any]:
        def run(structure: Any, leaves: list[Array]) -> Any:
            @custom_vmap
            def level(*leaves: Array) -> Any:
                if not sizes:
                    return one(jax.tree.unflatten(structure, leaves))
                return many(Batch(sizes, varies, structure, list(leaves)))

            @level.def_vmap
            def _(size: int, batched: list[bool], *leaves: Array) -> tuple[Any, Any]:
                deeper = tuple((new, *old) for new, old in zip(batched, varies, strict=True))
                out = at_level((size, *sizes), deeper)(structure, list(leaves))
                return out, jax.tree.map(lambda _: True, out)

            return level(*leaves)

        return run

    return solve


class ShardedBatch(ValueError):
    """The problems of a batch are sharded explicitly, and their queue would be one for all devices."""


def check_placement(operands: Any) -> None:
    """Raise if the operands of a batch are sharded explicitly. JAX would raise too, but would not say what to do."""
    batches = [whole for leaf in jax.tree.leaves(operands) if (whole := unbatched(leaf)) is not leaf]
    if not batches:  # as in every call of one problem
        return
    sharded = sorted({str(at.spec) for at in map(placement, batches) if at is not None})
    if sharded:
        raise ShardedBatch(
            f"the operands of this batch are sharded explicitly, as {', '.join(sharded)}, and the problems of one vmap are "
            "one queue; call jax.shard_map of the jax.vmap, so that each device has a queue of its own."
        )


def batchable(lane: Lane, schedule: Schedule) -> Callable[[Operands], dict[str, Array]]:
    """`solve(operands)` for one problem that becomes a refilling queue under vmap, however deep."""
    return flattened(lambda operands: solve_one(lane, operands), lambda batch: solve_queue(lane, schedule, batch))


def decidable(decide: Derive) -> Callable[[tuple[dict[str, Array], Operands]], dict[str, Array]]:
    """`(fields, operands) -> fields`: the claim decided, of one problem; under vmap, all claims of the batch."""

    def one(at: tuple[dict[str, Array], Operands]) -> dict[str, Array]:
        return decide_one(decide, *at)

    def many(batch: Batch) -> dict[str, Array]:
        if batch.total == 0:
            return jax.tree.unflatten(batch.structure, batch.leaves)[0]
        judge = jax.vmap(lambda own: decide(*batch.whole(own)))
        every = batch.gather(jnp.arange(batch.total, dtype=jnp.int32))
        fields = jax.vmap(lambda own: batch.whole(own)[0])(every)
        changed = jax.eval_shape(judge, every)

        def block(who: Array, done: dict[str, Array]) -> dict[str, Array]:
            made = judge(batch.gather(jnp.minimum(who, batch.total - 1)))
            put = lambda new, old: old.at[who].set(new, mode="drop")
            return {name: jax.tree.map(put, made[name], done[name]) for name in done}

        done = over_claims(fields["status"], {name: fields[name] for name in changed}, block, fields["x"])
        return jax.tree.map(lambda field: field.reshape(*batch.sizes, *field.shape[1:]), fields | done)

    return flattened(one, many)


def over_claims(status: Array, done: Any, block: Callable[[Array, Any], Any], x: Array) -> Any:
    """`done = block(who, done)` for all problems whose status (B,) is a claim, some at a time.

    `who` are the indices of the problems; an index of B stands for no problem. The claims are queued up, so that a batch
    pays only for the problems that claim.
    """
    total = status.shape[0]
    claims = is_claim(status)
    width = max(1, min(JUDGED, total, CPU_CACHE // (x.shape[-1] ** 2 * x.dtype.itemsize)))

    def those_that_claim() -> Array:
        place = jnp.where(claims, jnp.cumsum(claims, dtype=jnp.int32) - 1, total + width)
        return jnp.full(total + width, total, jnp.int32).at[place].set(jnp.arange(total, dtype=jnp.int32), mode="drop")

    count = jnp.sum(claims, dtype=jnp.int32)
    # The queue costs 20 ns a problem, a tenth of what a root finder takes, and is made only where there is a claim.
    queue = lax.cond(count > 0, those_that_claim, lambda: jnp.full(total + width, total, jnp.int32))

    def some(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        first, done = carry
        return first + width, block(lax.dynamic_slice_in_dim(queue, first, width), done)

    return lax.while_loop(lambda carry: carry[0] < count, some, (jnp.zeros((), jnp.int32), done))[1]


def solve_queue(lane: Lane, schedule: Schedule, batch: Batch) -> dict[str, Array]:
    """Solve all problems of a batch: the fields, with its axes in front."""
    total, sizes, gather, operands = batch.total, batch.sizes, batch.gather, batch.whole
    begin = jax.vmap(lambda own: lane.begin(operands(own)))
    turn = jax.vmap(lambda run, own: lane.turn(run, operands(own)))
    finish = jax.vmap(lambda run, own: lane.finish(run, operands(own)))
    judge, last = lane.decide, lane.derive
    decide = None if judge is None else jax.vmap(lambda fields, own: judge(fields, operands(own)))
    derive = None if last is None else jax.vmap(lambda fields, own: last(fields, operands(own)))

    def shapes(width: int) -> tuple[Any, Any, Any]:
        work = batch.shapes(width)
        run = jax.eval_shape(begin, work)
        return work, run, jax.eval_shape(finish, run, work)

    alone = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in batch.shapes(1)]
    bytes_of_lane = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes(1)[1]))
    width = max(1, lane_width(total, bytes_of_lane + lane.workspace(operands(alone)), schedule))
    work, run, fields = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes(width))
    shown = fields if derive is None else jax.eval_shape(derive, fields, work)
    if total == 0:
        return jax.tree.map(lambda field: jnp.zeros((*sizes, *field.shape[1:]), field.dtype), shown)
    run = run._replace(status=jnp.full(width, BAD_INPUT, jnp.int32))  # all lanes are idle
    who = jnp.full(width, total, jnp.int32)  # the problem of each lane; `total` stands for no problem
    result = [jnp.zeros((total, *p.shape[1:]), p.dtype) for p in _pack(fields)]
    per_refill = schedule.turns_per_refill or TURNS_PER_REFILL

    def body(carry: tuple) -> tuple:
        run, work, who, head, result = carry
        done = run.status != RUNNING
        place = jnp.where(done, who, total)  # idle lanes have who = total, and are dropped
        packed = _pack(finish(run, work))
        result = [r.at[place].set(v, mode="drop") for r, v in zip(result, packed, strict=True)]
        ended = jnp.cumsum(done, dtype=jnp.int32)
        who = jnp.where(done, jnp.minimum(head + ended - 1, total), who)
        work = gather(jnp.minimum(who, total - 1))
        run = _select(done, begin(work), run)
        run = run._replace(status=jnp.where(who < total, run.status, BAD_INPUT))
        run = lax.fori_loop(0, per_refill, lambda _, run: turn(run, work), run)
        return run, work, who, jnp.minimum(head + ended[-1], total), result

    unfinished = lambda carry: (carry[3] < total) | jnp.any(carry[2] < total)
    carry = (run, work, who, jnp.zeros((), jnp.int32), result)
    result = lax.while_loop(unfinished, body, carry)[-1]
    if decide is not None:

        def judged(who: Array, result: list[Array]) -> list[Array]:
            at = jnp.minimum(who, total - 1)
            mine = _unpack([r[at] for r in result], fields, who.shape)
            made = decide(mine, gather(at))
            changed, packed = _dtypes(jax.tree.leaves(made)), _pack(mine | made)
            put = lambda r, p: r.at[who].set(p, mode="drop") if r.dtype in changed else r
            return [put(r, p) for r, p in zip(result, packed, strict=True)]

        result = over_claims(_unpack(result, fields, (total,))["status"], result, judged, fields["x"])
    if derive is None:
        return _unpack(result, fields, sizes)

    def block(first: Array, out: list[Array]) -> list[Array]:
        """The fields that follow from the solutions of `width` problems. The last block overlaps the one before."""
        at = jnp.minimum(first * width, total - width)
        mine = [lax.dynamic_slice_in_dim(r, at, width) for r in result]
        made = _pack(derive(_unpack(mine, fields, (width,)), gather(at + jnp.arange(width, dtype=jnp.int32))))
        return [lax.dynamic_update_slice_in_dim(o, m, at, 0) for o, m in zip(out, made, strict=True)]

    out = [jnp.zeros((total, *p.shape[1:]), p.dtype) for p in jax.eval_shape(_pack, shown)]
    return _unpack(lax.fori_loop(0, -(-total // width), block, out), shown, sizes)


def _pack(fields: Any) -> list[Array]:
    """All leaves of one dtype side by side, (L, k): one scatter a dtype instead of one a field."""
    leaves = jax.tree.leaves(fields)
    flat = lambda leaf: leaf.reshape(leaf.shape[0], -1)
    return [jnp.concatenate([flat(leaf) for leaf in leaves if leaf.dtype == d], axis=1) for d in _dtypes(leaves)]


def _unpack(packed: list[Array], like: Any, sizes: tuple[int, ...]) -> Any:
    """The inverse of `_pack`: fields with batch axes `sizes`, of the shapes of `like` (L, ...)."""
    leaves, structure = jax.tree.flatten(like)
    dtypes = _dtypes(leaves)
    position, out = dict.fromkeys(dtypes, 0), []
    for leaf in leaves:
        size, at = math.prod(leaf.shape[1:]), position[leaf.dtype]
        out.append(packed[dtypes.index(leaf.dtype)][:, at : at + size].reshape(*sizes, *leaf.shape[1:]))
        position[leaf.dtype] = at + size
    return jax.tree.unflatten(structure, out)


def _dtypes(leaves: list[Array]) -> list[Any]:
    return sorted({leaf.dtype for leaf in leaves}, key=str)


def _select(mask: Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda n, o: jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, o), new, old)
