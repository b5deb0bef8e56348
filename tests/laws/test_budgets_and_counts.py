"""Law 6: counts are what was done; that budgets hold is read from the books (`laws.py`)."""

import jax
import numpy as np
import pytest

from jaxopt_lite._needs.kkt_certificate import MOST_STEPS
from tests.laws.case import host
from tests.laws.cases import OF_ONE_START, all_dtypes, batch, each_door
from tests.laws.driving import drive

STEPPED = [case for case in OF_ONE_START if case.stepper is not None]
with_stepper = pytest.mark.parametrize("case", STEPPED, ids=[case.name for case in STEPPED])


@all_dtypes
@with_stepper
def test_counts_are_those_of_the_run_by_hand(case, dtype):
    starts, thetas = batch(case, dtype, 3)
    for i in range(3):
        seen = drive(case, starts[i], thetas[i], dtype)
        solo = host(case.solve(case.model, starts[i], (thetas[i],)))
        for res in (seen.result, *(() if case.share_that_forks(dtype) else (solo,))):
            looked = res.nfev - len(seen.values) if case.looks_after and res is solo else 0  # nothing to look with by hand
            assert 0 <= looked <= MOST_STEPS
            assert (res.nfev - looked, res.nit, res.status) == (len(seen.values), seen.result.nit, seen.result.status)
            if case.with_gradient and case.lift:  # a root finder has no gradient to report
                assert res.njev == res.nfev


@each_door
def test_nfev_is_the_number_of_times_that_the_function_ran(case):
    ran = []

    def fun(x, theta):
        jax.debug.callback(lambda value: ran.append(value), x)
        return case.model(x, theta)

    start, theta = (a[0] for a in batch(case, np.float64, 1))
    res = host(case.solve(fun, start, (theta,)))
    jax.effects_barrier()
    assert len(ran) == res.nfev


@each_door
def test_budgets_may_be_infinite(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    assert case.solve(case.model, start, (theta,), options={"maxiter": np.inf, "maxfev": 2**40}).success
