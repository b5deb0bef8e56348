"""Law 9: moving, scaling or reordering a problem moves, scales or reorders its answer."""

import numpy as np
import pytest

from tests import tolerances
from tests.laws.cases import BFGS, CASES, all_cases, all_dtypes, batch, host, param

OF_MINIMA = [case for case in CASES if case.lift]
WITH_VARIABLES = [case for case in CASES if case.shape]


def moved(case):
    """The model, shifted, scaled and lifted by arguments: one program for all tests of this file."""

    def fun(x, theta, shift, scale, offset):
        return scale * case.model(x - shift, theta) + offset

    return fun


def solve(case, fun, start, theta, shift=0.0, scale=1.0, offset=0.0, tol=None):
    numbers = (start.dtype.type(v) for v in (shift, scale, offset))
    return host(case.solve(fun, start, (theta, *numbers), tol=tol))


def asked(case, dtype):
    """(tolerance that is asked for, the error of x that it allows)."""
    tol = {"gtol": tolerances.gradient_asked, "xatol": tolerances.abscissa_asked, "xtol": tolerances.abscissa_asked}[
        case.tol_name
    ](dtype)
    return tol, 8 * tolerances.solution(dtype, tol)


@pytest.mark.parametrize("shift", [1.0, -3.25])
@all_dtypes
@all_cases
def test_translation(case, dtype, shift):
    """Of the problem and of its start, or bracket."""
    starts, thetas = batch(case, dtype, 4, seed=6)
    fun, (tol, error) = moved(case), asked(case, dtype)
    for start, theta in zip(starts, thetas, strict=True):
        here = solve(case, fun, start, theta, tol=tol)
        there = solve(case, fun, start + dtype(shift), theta, shift=shift, tol=tol)
        assert here.success
        assert there.success
        np.testing.assert_allclose(there.x - dtype(shift), here.x, atol=error)
        np.testing.assert_allclose(there.x - dtype(shift), case.solution(theta), atol=error)


@pytest.mark.parametrize("power", [-10, 10])
@all_dtypes
@all_cases
def test_scaling_of_fun(case, dtype, power):
    """By a power of two, which rounds nothing; a tolerance on the gradient scales with it."""
    starts, thetas = batch(case, dtype, 4, seed=7)
    fun, (tol, error), scale = moved(case), asked(case, dtype), 2.0**power
    for start, theta in zip(starts, thetas, strict=True):
        plain = solve(case, fun, start, theta, tol=tol)
        scaled = solve(case, fun, start, theta, scale=scale, tol=tol * scale if case.tol_name == "gtol" else tol)
        assert plain.success
        assert scaled.success
        np.testing.assert_allclose(scaled.x, plain.x, atol=error)
        np.testing.assert_allclose(scaled.fun / dtype(scale), plain.fun, atol=error**2)


@pytest.mark.parametrize("power", [-10, 10])
@all_cases
def test_values_alone_scale_out_exactly(case, power):
    """A method that sees no gradient, or that is told how its gradient scales, takes the same steps."""
    starts, thetas = batch(case, np.float64, 4, seed=7)
    fun, scale = moved(case), 2.0**power
    if case.tol_name == "gtol":  # the first step has unit length, but only from gradients longer than that
        starts = starts + 3.0
        scale = 2.0 ** abs(power)
    for start, theta in zip(starts, thetas, strict=True):
        plain = solve(case, fun, start, theta, tol=1e-4)
        scaled = solve(case, fun, start, theta, scale=scale, tol=1e-4 * scale if case.tol_name == "gtol" else 1e-4)
        assert (plain.nit, plain.nfev, plain.status) == (scaled.nit, scaled.nfev, scaled.status)
        np.testing.assert_allclose(scaled.x, plain.x, rtol=tolerances.same_run(np.float64))


@pytest.mark.parametrize("offset", [1.0, -100.0])
@all_dtypes
@pytest.mark.parametrize("case", [*map(param, OF_MINIMA)], ids=[case.name for case in OF_MINIMA])
def test_offset_of_fun(case, dtype, offset):
    """Costs the digits of f that the offset takes, and no more; a negative minimum is one like any other."""
    starts, thetas = batch(case, dtype, 4, seed=8)
    fun, (tol, error) = moved(case), asked(case, dtype)
    lost = 8 * (2 * tolerances.value_noise(dtype, offset)) ** 0.5
    for start, theta in zip(starts, thetas, strict=True):
        res = solve(case, fun, start, theta, offset=offset, tol=tol)
        assert res.success
        np.testing.assert_allclose(res.x, case.solution(theta), atol=error + lost)


@all_dtypes
@pytest.mark.parametrize("case", [*map(param, WITH_VARIABLES)], ids=[case.name for case in WITH_VARIABLES])
def test_permutation_of_variables(case, dtype):
    starts, thetas = batch(case, dtype, 4, seed=9)
    tol, error = asked(case, dtype)

    def fun(x, theta, order):
        return case.model(x[order], theta)

    plain, back = np.arange(2), np.array([1, 0])
    for start, theta in zip(starts, thetas, strict=True):
        here = host(case.solve(fun, start, (theta, plain), tol=tol))
        there = host(case.solve(fun, start[back], (theta, back), tol=tol))
        assert there.status == here.status
        np.testing.assert_allclose(there.x[back], here.x, atol=error)


def test_scale_of_x_is_learnt():
    """A quadratic in units of a thousandth and of a thousand is solved as in units of one."""
    for unit in (1e-3, 1.0, 1e3):
        res = BFGS.solve(
            lambda x, unit: np.float64(1.0) * ((x / unit - 1.0) ** 2).sum(), np.zeros(2), (unit,), tol=1e-6 / unit
        )
        assert res.success
        np.testing.assert_allclose(res.x / unit, 1.0, atol=1e-5)
