"""Law 2, what is a matter of the queue: sizes, widths, levels of vmap and what is batched, once for a method of each kind.

That a lane is its solo run is read from the books (`laws.py`) for every row.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tolerances
from tests.laws.case import host
from tests.laws.cases import all_dtypes, assert_same_run, batch, each_door

LANES = 8
NARROW = {"lanes": LANES, "turns_per_refill": 3}


def serial(case, starts, thetas, **options):
    """One after the other, each a single lane, in one program."""
    solve = jax.jit(lambda s, t: jax.lax.map(lambda st: case.solve(case.model, st[0], (st[1],), options=options), (s, t)))
    return host(solve(starts, thetas))


def together(case, starts, thetas, options=None, in_axes=(0, 0)):
    """In one batch."""
    run = lambda start, theta: case.solve(case.model, start, (theta,), options=options)
    return host(jax.vmap(run, in_axes=in_axes)(starts, thetas))


@pytest.fixture(scope="module")
def reference():
    """(case, dtype) -> starts, parameters and serial results of 64 problems."""
    store = {}

    def get(case, dtype):
        key = case.name, np.dtype(dtype)
        if key not in store:
            starts, thetas = batch(case, dtype, 64, seed=1)
            store[key] = starts, thetas, serial(case, starts, thetas)
        return store[key]

    return get


def first(result, k):
    return jax.tree.map(lambda a: a[:k], result)


@pytest.mark.parametrize("lanes", [1, 3, LANES - 1, LANES, LANES + 1, 64])
@all_dtypes
@each_door
def test_batch_of_any_size_is_the_loop(case, dtype, lanes, reference):
    starts, thetas, wanted = reference(case, dtype)
    got = together(case, starts[:lanes], thetas[:lanes], NARROW)
    assert_same_run(got, first(wanted, lanes), dtype, case=case)
    assert got.success.all()


@pytest.mark.parametrize("options", [{"lanes": 0}, {"lanes": 1}, {"lanes": 3, "turns_per_refill": 1}, None], ids=str)
@each_door
def test_width_and_refills_change_nothing(case, options, reference):
    starts, thetas, wanted = reference(case, np.float64)
    assert_same_run(together(case, starts, thetas, options), wanted, np.float64, case=case)


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
@all_dtypes
@each_door
def test_large_batch_is_the_loop(case, dtype, count):
    starts, thetas = batch(case, dtype, count, seed=4)
    got = together(case, starts, thetas)
    assert_same_run(got, serial(case, starts, thetas), dtype, case=case)
    assert got.success.all()


@each_door
def test_empty_batch_is_empty(case):
    starts, thetas = batch(case, np.float64, 1)
    got = together(case, starts[:0], thetas[:0])
    assert got.x.shape == (0, *case.shape)
    assert got.status.shape == (0,)


@each_door
def test_three_levels_of_vmap(case):
    starts, thetas = batch(case, np.float64, 4)
    weights = np.array([1.0, 3.0])

    def run(start, theta, weight):
        return case.solve(weighted, start, (theta, weight), options=NARROW)

    def weighted(x, theta, weight):
        return weight * case.model(x, theta)

    once, twice = jax.vmap(run, (0, None, None)), jax.vmap(jax.vmap(run, (0, None, None)), (None, None, 0))
    thrice = jax.vmap(twice, (None, 0, None))
    got = host(thrice(starts, thetas[:3], weights))
    assert got.x.shape == (3, 2, 4, *case.shape)
    for i in range(3):
        for j in range(2):
            wanted = host(once(starts, thetas[i], weights[j]))
            assert_same_run(jax.tree.map(lambda a, i=i, j=j: a[i, j], got), wanted, np.float64, case=case)


@each_door
def test_vmap_over_another_axis(case, reference):
    starts, thetas, wanted = reference(case, np.float64)
    got = together(case, starts.T, thetas, NARROW, in_axes=(1, 0))
    assert_same_run(got, wanted, np.float64, case=case)


@each_door
def test_integer_label_captured_by_the_function(case):
    starts, thetas = batch(case, np.float64, 12)
    labels = np.arange(12, dtype=np.int32)
    table = jnp.asarray(thetas)
    got = host(jax.vmap(lambda s, k: case.solve(lambda x: case.model(x, table[k]), s))(starts, labels))
    assert_same_run(got, together(case, starts, thetas), np.float64, case=case)


@each_door
def test_only_an_option_is_batched(case):
    """Start and parameters are shared by all lanes."""
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    run = lambda maxfev: case.solve(case.model, start, (theta,), options={"maxfev": maxfev})
    got = host(jax.vmap(run)(np.arange(1, 5, dtype=np.int32)))
    np.testing.assert_array_equal(got.nfev, [1, 2, 3, 4])


@each_door
def test_vmap_inside_scan_inside_jit(case, reference):
    starts, thetas, wanted = reference(case, np.float64)

    @jax.jit
    def run(starts, thetas):
        def step(carry, chunk):
            res = jax.vmap(lambda s, t: case.solve(case.model, s, (t,), options=NARROW))(*chunk)
            return carry + jnp.sum(res.nit, dtype=jnp.int32), res

        return jax.lax.scan(step, jnp.zeros((), jnp.int32), (starts, thetas))

    total, got = run(starts.reshape(4, 16, -1), thetas.reshape(4, 16, -1))
    assert_same_run(jax.tree.map(lambda a: np.asarray(a).reshape(64, *a.shape[2:]), got), wanted, np.float64, case=case)
    assert int(total) == wanted.nit.sum()


@each_door
def test_vmap_of_scan(case):
    """A warm start carried from solve to solve, in a batch."""
    starts, thetas = batch(case, np.float64, 3)

    def chain(start, theta):
        def step(moved, _):
            res = case.solve(case.model, start, (theta + 0.1 * moved,))
            return jnp.sum(res.x), res.nit

        return jax.lax.scan(step, jnp.zeros(()), None, length=3)

    got, nit = jax.vmap(chain)(starts, thetas)
    for i in range(3):
        one, its = chain(starts[i], thetas[i])
        np.testing.assert_allclose(got[i], one, atol=tolerances.solution(np.float64, 1e-5))
        assert nit[i].shape == its.shape == (3,)


@each_door
def test_batch_without_a_function_ends(case):
    starts, thetas = batch(case, np.float64, 5)
    got = together(case, starts, np.full_like(thetas, np.nan))
    assert np.all(np.isin(got.status, (5, 7)))
