"""The queue, on a method whose number of turns is prescribed per problem."""

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxopt_lite.core import batching
from jaxopt_lite.core.batching import Schedule, batchable, lane_width
from jaxopt_lite.core.loop import lane
from jaxopt_lite.core.protocol import Answer
from jaxopt_lite.core.status import BUDGET, CONVERGED
from tests.core.tolerance import shapes
from tests.core.toys import COUNTING, counting_operands


def evaluate(query, function):
    """The problem's number plus a shared or own offset."""
    return Answer(query.x[0] + function)


def solver(schedule=None, evaluate=evaluate):
    solve = batchable(lane(COUNTING, evaluate), schedule or Schedule())
    return lambda number, turns, offset=0.0, small=0.0, **kw: solve(
        counting_operands(number, turns, jnp.asarray(offset, jnp.float64), small, **kw)
    )


def check(out, number, turns, offset=0.0):
    """Every problem of the batch was solved, in its own place, in the turns that it takes."""
    number, turns, offset = np.broadcast_arrays(number, turns, offset)
    worked = np.maximum(turns, 1)
    np.testing.assert_array_equal(out["status"], np.full(number.shape, CONVERGED))
    np.testing.assert_array_equal(out["turns"], worked)
    np.testing.assert_array_equal(out["nit"], worked)
    np.testing.assert_array_equal(out["x"], np.stack([number, worked], -1))
    np.testing.assert_array_equal(out["fun"], number + offset)


def problems(B, seed=0, most=20):
    turns = np.random.default_rng(seed).integers(1, most, B)
    return np.arange(1.0, B + 1.0), turns.astype(np.int32)


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(
    st.integers(1, 12),
    st.one_of(st.none(), st.integers(0, 15)),
    st.one_of(st.none(), st.integers(1, 5)),
    st.integers(0, 99),
)
@example(1, 1, 1, 0)
@example(7, 3, 1, 1)
@example(6, 3, 4, 2)
@example(5, 0, 2, 3)
def test_every_problem_is_solved_in_its_own_place(B, lanes, per_refill, seed):
    number, turns = problems(B, seed)
    check(jax.jit(jax.vmap(solver(Schedule(lanes, per_refill))))(number, turns), number, turns)


@pytest.mark.parametrize("order", ["longest first", "longest last", "equal"])
def test_any_order_of_hard_and_easy_problems(order):
    number = np.arange(1.0, 24.0)
    turns = {"equal": np.full(23, 8), "longest first": 1 + np.arange(23)[::-1] ** 2, "longest last": 1 + np.arange(23) ** 2}
    check(jax.vmap(solver(Schedule(4, 3)))(number, turns[order].astype(np.int32)), number, turns[order])


def test_each_turn_of_each_problem_is_made_once():
    """A lane that took a problem twice, or two lanes the same, would still give the right answers."""
    number, turns = problems(13, most=9)
    made: Counter = Counter()

    def watched(query, function):
        jax.debug.callback(lambda x: made.update([tuple(np.asarray(x).tolist())]), query.x)
        return evaluate(query, function)

    out = jax.vmap(solver(Schedule(3, 2), watched))(number, turns)
    jax.effects_barrier()
    check(out, number, turns)
    useful = {point: times for point, times in made.items() if point[1] < turns[int(point[0]) - 1]}
    start = (13.0, 0.0)  # where idle lanes stand
    useful[start] = min(1, useful[start])
    assert useful == {(k, float(t)): 1 for k, n in zip(number, turns, strict=True) for t in range(n)}


def test_the_loop_ends_when_the_queue_is_empty():
    """Waste is bounded: the tail of the last problems, and half a refill for each."""
    number, turns = problems(40, most=30)
    lanes, per_refill = 4, 2
    evaluations = []

    def watched(query, function):
        jax.debug.callback(lambda x: evaluations.append(1), query.x)
        return evaluate(query, function)

    jax.vmap(solver(Schedule(lanes, per_refill), watched))(number, turns)
    jax.effects_barrier()
    refilled = np.ceil(turns / per_refill) * per_refill
    assert len(evaluations) <= refilled.sum() + (lanes - 1) * refilled.max()


def test_budgets_are_per_problem():
    number, turns = problems(9)
    out = jax.vmap(lambda n, t: solver(Schedule(2, 3))(n, t, maxiter=5))(number, turns)
    np.testing.assert_array_equal(out["nit"], np.minimum(turns, 5))
    np.testing.assert_array_equal(out["status"], np.where(turns <= 5, CONVERGED, BUDGET))


def test_nested_batches_are_one_queue():
    """Operands that vary at different levels: the outer one, the inner one, both, none."""
    outer, inner = np.array([10.0, 20.0, 30.0]), np.array([1.0, 2.0])
    turns = np.array([[1, 9], [4, 2], [7, 3]], np.int32)
    solve = solver(Schedule(2, 2))

    def row(offset, turns):
        return jax.vmap(lambda number, t: solve(number, t, offset))(inner, turns)

    out = jax.jit(jax.vmap(row))(outer, turns)
    check(out, np.broadcast_to(inner, (3, 2)), turns, outer[:, None])


@pytest.mark.parametrize("sizes", [(1, 1), (1, 5), (5, 1), (2, 3, 2), (2, 1, 1, 3)], ids=str)
def test_nested_batches_of_any_sizes(sizes):
    total = int(np.prod(sizes))
    number, turns = (a.reshape(sizes) for a in problems(total))
    solve = solver(Schedule(3, 2))
    for _ in sizes:
        solve = jax.vmap(solve)
    check(jax.jit(solve)(number, turns), number, turns)


def test_axes_other_than_the_first_can_be_batched():
    number, turns = (a.reshape(2, 3) for a in problems(6))
    solve = jax.vmap(jax.vmap(solver(Schedule(2, 2)), in_axes=(0, 0)), in_axes=(1, 1), out_axes=1)
    out = jax.jit(solve)(number, turns)
    np.testing.assert_array_equal(out["turns"], turns)


def test_a_batch_where_only_a_captured_value_varies():
    offsets = np.arange(5.0)
    out = jax.vmap(lambda offset: solver(Schedule(2, 2))(7.0, 3, offset))(offsets)
    check(out, np.full(5, 7.0), np.full(5, 3), offsets)


def test_a_batch_in_which_nothing_varies():
    out = jax.vmap(lambda _: solver()(7.0, 3), axis_size=4, in_axes=None)(0.0)
    assert out["turns"].shape == (4,)
    np.testing.assert_array_equal(out["turns"], [3] * 4)


@pytest.mark.parametrize("lanes", [None, 0, 3])
def test_an_empty_batch_gives_empty_results(lanes):
    out = jax.vmap(solver(Schedule(lanes)))(np.zeros(0), np.zeros(0, np.int32))
    assert out["x"].shape == (0, 2)
    assert out["status"].shape == (0,)
    assert out["status"].dtype == np.int32


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)], ids=str)
def test_an_empty_nested_batch_gives_empty_results(sizes):
    solve = jax.vmap(jax.vmap(solver()))
    assert solve(np.zeros(sizes), np.zeros(sizes, np.int32))["x"].shape == (*sizes, 2)


def test_outputs_keep_their_dtypes_and_shapes():
    number, turns = problems(5)
    small = np.linspace(0.0, 1.0, 5, dtype=np.float32)
    one = solver()(number[0], turns[0], 0.0, small[0])
    out = jax.vmap(lambda n, t, s: solver(Schedule(2, 2))(n, t, 0.0, s))(number, turns, small)
    assert jax.tree.structure(one) == jax.tree.structure(out)
    for name, value in one.items():
        assert out[name].dtype == value.dtype, name
        assert out[name].shape == (5, *value.shape), name
    assert {v.dtype for v in one.values()} == {np.dtype(d) for d in (np.float64, np.float32, np.int32, np.bool_)}
    np.testing.assert_array_equal(out["small"], small)
    np.testing.assert_array_equal(out["flag"], turns > 2)
    np.testing.assert_array_equal(out["matrix"][:, 0, 0], number**2)


LONG = 5003  # a prime that no other size is


def weighed(query, function):
    """A sum over a long table, without a lane's number in it: its lanes have no reason to see a copy."""
    return Answer(query.x[0] + jnp.max(function))


@pytest.mark.parametrize("lanes", [None, 0, 3])
def test_what_the_lanes_share_is_never_broadcast(lanes):
    table = jnp.zeros(LONG)
    solve = batchable(lane(COUNTING, weighed), Schedule(lanes))
    number, turns = problems(7)
    batch = jax.vmap(lambda n, t: solve(counting_operands(n, t, table)))
    found = shapes(jax.make_jaxpr(batch)(number, turns))
    assert {s for s in found if LONG in s} <= {(LONG,)}
    check(batch(number, turns), number, turns)


def test_what_varies_at_the_outer_level_is_not_copied_to_the_inner_one():
    tables = jnp.asarray(np.arange(2.0)[:, None] * np.ones(LONG))
    solve = batchable(lane(COUNTING, weighed), Schedule(3, 2))
    number, turns = problems(7)
    row = lambda table: jax.vmap(lambda n, t: solve(counting_operands(n, t, table)))(number, turns)
    found = shapes(jax.make_jaxpr(jax.vmap(row))(tables))
    # (2, LONG) as given, (3, LONG) as the three lanes gather it; never (2, 7, LONG) or (14, LONG)
    assert {s[0] for s in found if LONG in s and len(s) == 2} <= {2, 3}
    assert not [s for s in found if LONG in s and len(s) > 2]
    check(jax.vmap(row)(tables), np.broadcast_to(number, (2, 7)), turns, np.arange(2.0)[:, None])


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.integers(1, 10**7), st.integers(0, 10**9))
def test_the_width_is_a_power_of_two_within_the_queue(total, state_bytes):
    width = lane_width(total, state_bytes, Schedule())
    assert 1 <= width <= total
    assert width == total or width.bit_count() == 1
    assert width <= batching.CPU_LANES[1]
    assert lane_width(total, state_bytes + 1, Schedule()) <= width


@pytest.mark.parametrize(("lanes", "total", "width"), [(5, 100, 5), (500, 100, 100), (0, 100, 100), (1, 100, 1), (3, 1, 1)])
def test_the_width_can_be_told(lanes, total, width):
    assert lane_width(total, 8, Schedule(lanes)) == width


def test_a_gpu_gets_wide_batches(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert lane_width(10**6, 200, Schedule()) == batching.GPU_LANES[1]
    assert lane_width(100, 200, Schedule()) == 100
    assert lane_width(10**6, 1 << 30, Schedule()) == batching.GPU_LANES[0]
