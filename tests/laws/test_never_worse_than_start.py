"""Law 5: the answer is never worse than the start, and without success it is the best finite point evaluated."""

import jax
import numpy as np
import pytest

from tests import tolerances
from tests.laws.case import host
from tests.laws.cases import GENEROUS, all_dtypes, batch, by_group, each_door, evaluate_group, solve_group
from tests.laws.driving import drive


@pytest.mark.parametrize("maxiter", [1, 4, GENEROUS])
@all_dtypes
@by_group
def test_never_worse_than_the_first_point(case, group, dtype, maxiter):
    """Whatever the budget and however hard the problem. The first point is the start where there is one."""
    worse = {}
    for i, res in enumerate(solve_group(case, group, dtype, maxiter)):
        first = case.first_point(case.start_of(group[i]))
        before, after = (evaluate_group(group, i, np.asarray(x, dtype))[0] for x in (first, res.x))
        before, after = case.rank(before), case.rank(after)
        if np.isfinite(before) and not after <= before + 4 * tolerances.value_noise(dtype, before):
            worse[group[i].name] = f"{before} at the start, {after} at x"
        if np.isfinite(before) and not np.all(np.isfinite(res.x)):
            worse[group[i].name] = f"x = {res.x}"
    assert not worse


@all_dtypes
@each_door
def test_cut_run_returns_the_best_point_that_it_evaluated(case, dtype):
    start, theta = (a[0] for a in batch(case, dtype, 1, seed=3))
    seen = drive(case, start, theta, dtype)
    fun = jax.jit(case.model)
    for k in range(1, len(seen.values)):
        res = host(case.solve(case.model, start, (theta,), options={"maxfev": k}))
        best = int(np.argmin(case.rank(np.array(seen.values[:k]))))
        assert (res.status, res.nfev) == (1, k)
        if not case.share_that_forks(dtype):
            rounding = 8 * tolerances.eps(dtype) * (10 * abs(seen.values[best])) ** 0.5  # of squares of small differences
            np.testing.assert_allclose(res.fun, seen.values[best], rtol=tolerances.same_run(dtype), atol=rounding)
            np.testing.assert_allclose(res.x, seen.points[best], rtol=tolerances.same_run(dtype))
        np.testing.assert_allclose(res.fun, fun(res.x, theta), rtol=tolerances.same_value(dtype), atol=tolerances.eps(dtype))
