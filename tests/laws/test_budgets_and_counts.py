"""Law 6: budgets hold, and counts are what was done."""

import jax
import numpy as np
import pytest

from tests import tolerances
from tests.laws.cases import all_cases, all_dtypes, batch, host, lane
from tests.laws.driving import drive


@pytest.mark.parametrize("maxiter", [0, 1, 2, 5])
@all_dtypes
@all_cases
def test_maxiter_holds(case, dtype, maxiter):
    start, theta = (a[0] for a in batch(case, dtype, 1))
    res = host(case.solve(case.model, start, (theta,), options={"maxiter": maxiter}))
    free = host(case.solve(case.model, start, (theta,)))
    assert res.nit <= maxiter
    assert free.nit > 2
    assert res.status == (1 if free.nit > maxiter else free.status)
    assert bool(res.success) == (res.status == 0)
    assert np.isfinite(res.fun)


@pytest.mark.parametrize("maxfev", [1, 2, 5])
@all_dtypes
@all_cases
def test_maxfev_holds(case, dtype, maxfev):
    start, theta = (a[0] for a in batch(case, dtype, 1))
    res = host(case.solve(case.model, start, (theta,), options={"maxfev": maxfev}))
    assert (res.status, res.nfev, bool(res.success)) == (1, maxfev, False)


@all_cases
def test_no_iterations_evaluate_the_first_point_alone(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    res = host(case.solve(case.model, start, (theta,), options={"maxiter": 0}))
    assert (res.nit, res.nfev, res.status) == (0, 1, 1)
    np.testing.assert_allclose(res.x, case.first_point(start), rtol=tolerances.same_value(np.float64))


@all_cases
def test_budgets_are_per_lane(case):
    starts, thetas = batch(case, np.float64, 12)
    budgets = np.arange(1, 13, dtype=np.int32)

    def solve(start, theta, maxfev):
        return case.solve(case.model, start, (theta,), options={"maxfev": maxfev})

    res = host(jax.vmap(solve)(starts, thetas, budgets))
    free = host(jax.vmap(lambda s, t: case.solve(case.model, s, (t,)))(starts, thetas))
    np.testing.assert_array_equal(res.nfev, np.minimum(budgets, free.nfev))
    np.testing.assert_array_equal(res.status, np.where(budgets < free.nfev, 1, free.status))


@all_dtypes
@all_cases
def test_counts_are_those_of_the_run_by_hand(case, dtype):
    starts, thetas = batch(case, dtype, 12)
    batched = host(jax.vmap(lambda s, t: case.solve(case.model, s, (t,)))(starts, thetas))
    for i in range(3):
        seen = drive(case, starts[i], thetas[i], dtype)
        solo = host(case.solve(case.model, starts[i], (thetas[i],)))
        others = () if case.share_that_forks(dtype) else (solo, lane(batched, i))
        for res in (seen.result, *others):
            assert (res.nfev, res.nit, res.status) == (len(seen.values), seen.result.nit, seen.result.status)
            if case.with_gradient and case.lift:  # a root finder has no gradient to report
                assert res.njev == len(seen.values)


@all_cases
def test_nfev_is_the_number_of_times_that_the_function_ran(case):
    ran = []

    def fun(x, theta):
        jax.debug.callback(lambda value: ran.append(value), x)
        return case.model(x, theta)

    start, theta = (a[0] for a in batch(case, np.float64, 1))
    res = host(case.solve(fun, start, (theta,)))
    jax.effects_barrier()
    assert len(ran) == res.nfev


@all_cases
def test_nit_of_a_longer_run_is_not_less(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    nit = [int(case.solve(case.model, start, (theta,), options={"maxfev": k}).nit) for k in range(1, 12)]
    assert nit == sorted(nit)
    assert all(n <= k for k, n in enumerate(nit, start=1))


@all_cases
def test_budgets_may_be_infinite(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    assert case.solve(case.model, start, (theta,), options={"maxiter": np.inf, "maxfev": 2**40}).success
