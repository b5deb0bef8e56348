"""The laws for the methods that are told residuals: lm, trf, dogbox, and the two doors to them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import curve_fit, least_squares
from tests import tolerances
from tests.laws.case import host
from tests.laws.cases import DTYPES, all_dtypes, lane
from tests.laws.counting import compilations

METHODS = ("lm", "trf", "dogbox")
T = np.linspace(0.0, 3.0, 12)
BOX = (np.array([0.1, 0.1]), np.array([4.0, 4.0]))
all_methods = pytest.mark.parametrize("method", METHODS)


def residuals(p, theta):
    """A decay that is fitted to another one with a wiggle; p = theta where the wiggle is small."""
    t = jnp.asarray(T, p.dtype)
    return p[0] * jnp.exp(-p[1] * t) - theta[0] * jnp.exp(-theta[1] * t) - 0.02 * jnp.sin(7.0 * t)


def solve(method, p0, theta, fun=residuals, **keywords):
    bounds = {} if method == "lm" else {"bounds": tuple(b.astype(p0.dtype) for b in BOX)}
    return least_squares(fun, p0, args=(theta,), method=method, **(bounds | keywords))


def batch(dtype, lanes, seed=0):
    """Starts (lanes, 2) and parameters (lanes, 2)."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.5, 2.5, (lanes, 2)).astype(dtype), rng.uniform(0.8, 1.6, (lanes, 2)).astype(dtype)


def offset(p, theta):
    """The relative offset of Bates and Watts in float64, by an orthogonal factorization of its own."""
    p, theta = np.asarray(p, np.float64), np.asarray(theta, np.float64)
    r, J = np.asarray(residuals(p, theta)), np.asarray(jax.jacfwd(residuals)(p, theta))
    return np.linalg.norm(np.linalg.qr(J)[0].T @ r) / np.linalg.norm(r)


@functools.cache
def solved(method, dtype, lanes=24):
    starts, thetas = batch(dtype, lanes)
    return host(jax.vmap(lambda s, t: solve(method, s, t))(starts, thetas))


# --- 1: trace once --------------------------------------------------------------------------------------------------


@all_methods
def test_new_numbers_neither_trace_nor_compile(method):
    traces = []

    def fun(p, theta):
        traces.append(1)
        return residuals(p, theta)

    (s, *_), (t, *_) = starts, thetas = batch(np.float64, 6)
    solve(method, s, t, fun)
    jax.vmap(lambda s, t: solve(method, s, t, fun))(starts, thetas)
    before = len(traces)
    with compilations() as count:
        solve(method, s + 0.1, t + 0.2, fun, ftol=1e-5, max_nfev=50)
        jax.vmap(lambda s, t: solve(method, s, t, fun))(starts + 0.1, thetas)
    assert before == 1
    assert len(traces) == before
    assert count() <= 1  # max_nfev was None


# --- 2, 3: lanes ----------------------------------------------------------------------------------------------------


@all_dtypes
@all_methods
def test_vmap_is_the_loop(method, dtype):
    starts, thetas = batch(dtype, 24)
    together, tolerance = solved(method, dtype), tolerances.same_run(dtype)
    for i in (0, 7, 23):
        alone, mine = host(solve(method, starts[i], thetas[i])), lane(together, i)
        np.testing.assert_allclose(mine.x, alone.x, rtol=tolerance, atol=tolerance)
        assert bool(mine.success) == bool(alone.success)
    nested = host(jax.vmap(lambda s: jax.vmap(lambda t: solve(method, s, t))(thetas[:3]))(starts[:2]))
    assert nested.x.shape == (2, 3, 2)
    np.testing.assert_allclose(nested.x[0, 0], together.x[0], rtol=tolerance, atol=tolerance)


@all_methods
def test_order_and_width_change_nothing(method):
    starts, thetas = batch(np.float64, 24)
    together = solved(method, np.float64)
    order = np.random.default_rng(1).permutation(24)
    narrow = jax.vmap(lambda s, t: solve(method, s, t, options={"lanes": 5, "turns_per_refill": 3}))
    there = host(narrow(starts[order], thetas[order]))
    np.testing.assert_allclose(there.x, together.x[order], rtol=tolerances.same_run(np.float64))
    np.testing.assert_array_equal(there.status, together.status[order])


@all_dtypes
@all_methods
def test_bad_lanes_harm_no_other(method, dtype):
    starts, thetas = batch(dtype, 24)
    clean = solved(method, dtype)
    hurt = thetas.copy()
    hurt[3], hurt[11, 1] = np.nan, np.inf
    got = host(jax.vmap(lambda s, t: solve(method, s, t))(starts, hurt))
    bad = np.isin(np.arange(24), (3, 11))
    np.testing.assert_array_equal(got.status[bad], 5)
    np.testing.assert_array_equal(got.x[~bad], clean.x[~bad])
    np.testing.assert_array_equal(got.status[~bad], clean.status[~bad])


@pytest.mark.parametrize("method", ["trf", "dogbox"])
def test_crossed_bounds_are_bad_input_in_their_lane(method):
    low = np.array([[0.1, 0.1], [5.0, 0.1], [np.nan, 0.1]])
    start, theta = np.ones(2), np.ones(2)
    solve_in = lambda low: least_squares(residuals, start, args=(theta,), method=method, bounds=(low, BOX[1]))
    np.testing.assert_array_equal(jax.vmap(solve_in)(low).status, [0, 7, 7])


# --- 4, 5: honesty --------------------------------------------------------------------------------------------------


@all_dtypes
@all_methods
def test_success_is_true(method, dtype):
    res, (_, thetas) = solved(method, dtype), batch(dtype, 24)
    assert np.all(res.success)
    worst = max(offset(x, t) for x, t in zip(res.x, thetas, strict=True))
    assert worst <= tolerances.offset_asked(dtype)


@all_dtypes
@all_methods
def test_cut_run_is_no_success_and_no_worse_than_the_start(method, dtype):
    starts, thetas = batch(dtype, 24, seed=5)
    res = host(jax.vmap(lambda s, t: solve(method, s, t, max_nfev=3))(starts, thetas))
    cost = jax.vmap(lambda p, t: 0.5 * jnp.sum(residuals(p, t) ** 2))
    assert np.all((res.status == 1) == ~res.success)
    assert np.sum(res.status == 1) > 12
    assert np.all(res.cost <= cost(starts, thetas) * (1 + 64 * tolerances.eps(dtype)))
    np.testing.assert_allclose(res.cost, cost(res.x, thetas), rtol=1e3 * tolerances.eps(dtype))


def test_plateau_is_no_success():
    """The start's decay is over before the second datum: anything looks stationary there."""
    t = np.linspace(1.0, 3.0, 8)
    res = host(least_squares(lambda p: p[0] * jnp.exp(-p[1] * t) - np.exp(-t), np.array([1.0, 30.0]), max_nfev=20))
    assert not res.success or 2 * res.cost < 1e-12


def test_saddle_of_rank_one_is_told_by_its_covariance():
    popt, pcov, info, _, ier = curve_fit(lambda t, a, b: (a + b) * t, T, 2.0 * T + 0.1 * np.sin(T), full_output=True)
    np.testing.assert_allclose(popt.sum(), np.sum(T * (2.0 * T + 0.1 * np.sin(T))) / np.sum(T * T), rtol=1e-7)
    assert np.all(np.isinf(pcov))
    assert (int(info["rank"]), int(info["cov_status"]), int(ier)) == (1, 1, 1)


# --- 6, 7: counts, dtypes, structures -------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [2, 3, 5])
@all_methods
def test_max_nfev_holds(method, most):
    starts, thetas = batch(np.float64, 1)
    res = host(solve(method, starts[0], thetas[0], max_nfev=most, ftol=0.0, xtol=0.0, gtol=0.0))
    assert (res.status, res.nfev) == (1, most)


@all_methods
def test_nfev_is_the_number_of_times_that_the_function_ran(method):
    ran = []

    def fun(p, theta):
        jax.debug.callback(lambda p: ran.append(p), p)
        return residuals(p, theta)

    starts, thetas = batch(np.float64, 1)
    res = host(solve(method, starts[0], thetas[0], fun))
    jax.effects_barrier()
    assert len(ran) == res.nfev


@all_dtypes
@all_methods
def test_dtype_in_is_dtype_out(method, dtype):
    res = solved(method, dtype)
    for name in ("x", "cost", "fun", "jac", "grad", "optimality"):
        assert res[name].dtype == dtype, name
    assert res.active_mask.dtype == res.status.dtype == res.nfev.dtype == np.int32


def test_pytrees_of_parameters_and_residuals():
    start = {"a": np.array(1.0), "k": np.array([1.0, 0.5])}
    fun = lambda p: {"decay": p["a"] * jnp.exp(-p["k"][0] * T) - 2.0 * np.exp(-T), "rest": p["k"] - 1.0}
    res = least_squares(fun, start, bounds=({"a": 0.0, "k": np.zeros(2)}, {"a": 5.0, "k": np.array([9.0, 0.75])}))
    np.testing.assert_allclose(res.x["a"], 2.0, rtol=1e-6)
    np.testing.assert_allclose(res.x["k"], [1.0, 0.75], rtol=1e-6)
    np.testing.assert_array_equal(res.active_mask["k"], [0, 1])
    assert res.jac.shape == (14, 3)
    assert jax.tree.structure(res.grad) == jax.tree.structure(start)


# --- 8: derivatives -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["x", "cost", "fun"])
@all_methods
def test_derivatives_are_central_differences(method, field):
    (start, *_), (theta, *_) = batch(np.float64, 1, seed=2)
    of = lambda theta: solve(method, start, theta, ftol=1e-15, xtol=1e-15, gtol=0.0)[field]
    h = 1e-5
    wanted = np.stack([(of(theta + h * e) - of(theta - h * e)) / (2 * h) for e in np.eye(2)], -1)
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(of)(theta), wanted, rtol=1e-5, atol=1e-7)


def test_held_parameter_moves_with_its_bound_and_pulls_the_other():
    (start, *_), (theta, *_) = np.full((1, 2), 0.9), np.full((1, 2), 1.4)
    of = lambda upper, theta: (
        least_squares(
            residuals,
            start,
            args=(theta,),
            bounds=(0.1, jnp.stack([upper, jnp.asarray(4.0)])),
            ftol=1e-15,
            xtol=1e-15,
            gtol=0.0,
        ).x
    )
    at, h = 1.1, 1e-5
    wanted = (of(at + h, theta) - of(at - h, theta)) / (2 * h)
    assert float(of(at, theta)[0]) == at
    np.testing.assert_allclose(jax.jacfwd(of)(at, theta), wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.jacrev(of)(at, theta), wanted, rtol=1e-5)
    np.testing.assert_allclose(jax.jacrev(of, argnums=1)(at, theta)[0], 0.0, atol=1e-12)


@all_methods
def test_no_success_no_derivative(method):
    starts, thetas = batch(np.float64, 3)
    of = lambda s, t, most: jnp.sum(solve(method, s, t, max_nfev=most).x)
    slopes = jax.vmap(jax.grad(of, argnums=1))(starts, thetas, np.array([100, 3, 100], np.int32))
    np.testing.assert_array_equal(np.isnan(slopes).any(axis=1), [False, True, False])


# --- 9 to 12 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
@all_methods
def test_units_of_data_and_parameters_change_nothing(method, dtype):
    """By powers of two, which round nothing: the same steps, counted."""
    starts, thetas = batch(dtype, 4, seed=3)

    def fun(q, args):
        theta, unit, size = args
        return size * residuals(q / unit, theta)

    run = lambda s, t, unit, size: least_squares(fun, s * unit, args=((t, unit, size),), method=method)
    here = host(jax.vmap(run, (0, 0, None, None))(starts, thetas, np.ones(2, dtype), dtype(1)))
    there = host(jax.vmap(run, (0, 0, None, None))(starts, thetas, np.array([2.0**-12, 2.0**10], dtype), dtype(2.0**9)))
    np.testing.assert_array_equal(here.nfev, there.nfev)
    np.testing.assert_array_equal(here.status, there.status)
    np.testing.assert_allclose(there.x * [2.0**12, 2.0**-10], here.x, rtol=tolerances.same_run(dtype))


@all_methods
def test_tolerances_change_the_answer_and_jit_does_not(method):
    (start, *_), (theta, *_) = batch(np.float64, 1)
    loose, tight = (host(solve(method, start, theta, ftol=f, xtol=0.0, gtol=0.0)) for f in (1e-1, 1e-12))
    assert loose.nfev < tight.nfev
    compiled = host(jax.jit(lambda s, t: solve(method, s, t, ftol=1e-12, xtol=0.0, gtol=0.0))(start, theta))
    np.testing.assert_allclose(compiled.x, tight.x, rtol=tolerances.same_run(np.float64))


@pytest.mark.parametrize("method", ["lm", "trf", "dogbox"])
def test_fun_may_return_its_jacobian_too(method):
    plain = lambda x: jnp.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])
    both = lambda x: (plain(x), jnp.stack([jnp.stack([-20 * x[0], 10.0]), jnp.array([-1.0, 0.0])]))
    start = np.array([-1.2, 1.0])
    wanted, got = least_squares(plain, start, method=method), least_squares(both, start, jac=True, method=method)
    assert got.status == wanted.status
    assert abs(got.nfev - wanted.nfev) <= 2  # it rounds otherwise
    np.testing.assert_allclose(got.x, wanted.x, rtol=1e-10)
    with pytest.raises(ValueError, match=r"with jac=True it must return \(residuals, Jacobian\)"):
        least_squares(plain, start, jac=True, method=method)


def test_a_model_returns_its_value_alone():
    with pytest.raises(TypeError, match="jac is a bool; give a callable"):
        curve_fit(lambda t, a: a * t, np.arange(3.0), np.arange(3.0), [1.0], jac=True)
