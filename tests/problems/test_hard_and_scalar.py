"""Every hard problem shows what its tag promises, and every scalar problem has its answer inside its interval."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.problems import CLASSIC, HARD, SCALAR, by_name

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

DTYPES = [np.float32, np.float64]
# A direction along which each 'unbounded' problem falls without end from its start; log_pit falls toward a point.
DESCENT_RAYS = {"linear": (-1.0, 1.0), "concave": (1.0, 0.0), "cubic": (1.0, 0.0), "mccormick": (-1.0, -1.0)}

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
scalar_problem = pytest.mark.parametrize("problem", SCALAR, ids=lambda p: p.name)


def tagged(tag, group=HARD):
    chosen = [p for p in group if tag in p.tags]
    assert chosen, tag
    return pytest.mark.parametrize("problem", chosen, ids=lambda p: p.name)


def value_and_grad(problem, x, dtype=np.float64):
    value, grad = jax.jit(jax.value_and_grad(problem.fun))(jnp.asarray(x, dtype))
    return float(value), np.asarray(grad)


def batch(problem, points, dtype=np.float64):
    return np.asarray(jax.jit(jax.vmap(problem.fun))(jnp.asarray(points, dtype)))


@dtypes
@tagged("nan_region")
def test_first_full_gradient_step_lands_on_nan(problem, dtype):
    value, grad = value_and_grad(problem, problem.x0, dtype)
    assert math.isfinite(value)
    assert np.all(np.isfinite(grad))
    assert math.isnan(value_and_grad(problem, np.array(problem.x0) - grad, dtype)[0])
    assert math.isfinite(value_and_grad(problem, problem.x_star, dtype)[0])


@dtypes
@tagged("inf_region")
def test_first_full_gradient_step_lands_on_inf(problem, dtype):
    value, grad = value_and_grad(problem, problem.x0, dtype)
    assert math.isfinite(value)
    assert np.all(np.isfinite(grad))
    assert value_and_grad(problem, np.array(problem.x0) - grad, dtype)[0] == math.inf
    assert math.isfinite(value_and_grad(problem, problem.x_star, dtype)[0])


@dtypes
@tagged("nan_start")
def test_start_is_nan_and_minimum_finite(problem, dtype):
    assert math.isnan(value_and_grad(problem, problem.x0, dtype)[0])
    assert math.isfinite(value_and_grad(problem, problem.x_star, dtype)[0])


@dtypes
@tagged("inf_start")
def test_start_is_inf_and_minimum_finite(problem, dtype):
    assert value_and_grad(problem, problem.x0, dtype)[0] == math.inf
    assert math.isfinite(value_and_grad(problem, problem.x_star, dtype)[0])


@tagged("nan_everywhere")
def test_every_point_and_gradient_is_nan(problem):
    points = np.random.default_rng(0).normal(scale=10.0, size=(20, problem.n))
    assert np.all(np.isnan(batch(problem, np.vstack([points, np.zeros((1, problem.n))]))))
    assert np.all(np.isnan(value_and_grad(problem, problem.x0)[1]))


@tagged("unbounded", HARD + CLASSIC)
def test_falls_without_bound(problem):
    if problem.name == "log_pit":
        assert value_and_grad(problem, (0.0, 1.0))[0] == -math.inf
        ray = np.geomspace(1.0, 1e-150, 8)[:, None] * np.array([1.0, 1.0])
    else:
        ray = np.array(problem.x0) + np.geomspace(10.0, 1e8, 8)[:, None] * np.array(DESCENT_RAYS[problem.name])
    values = batch(problem, ray)
    assert np.all(np.diff(values) < 0.0)
    assert values[-1] < (-1e3 if problem.name == "log_pit" else -1e7)


@tagged("no_minimizer")
def test_falls_toward_an_infimum_that_is_not_attained(problem):
    values = batch(problem, np.geomspace(1.0, 500.0, 10)[:, None] * np.ones(problem.n))
    assert np.all(np.diff(values) < 0.0)
    assert np.all(values > problem.fun_star)
    assert values[-1] < problem.fun_star + 1e-200


@dtypes
@tagged("flat")
def test_gradient_is_zero_at_the_start(problem, dtype):
    value, grad = value_and_grad(problem, problem.x0, dtype)
    assert math.isfinite(value)
    assert np.all(grad == 0.0)


@tagged("discontinuous")
def test_value_jumps_while_the_gradient_stays_bounded(problem):
    line = np.linspace(np.array(problem.x_star) - 1.0, np.array(problem.x0), 20001)
    values = batch(problem, line)
    spacing = np.linalg.norm(line[1] - line[0])
    steepest = np.max(np.linalg.norm(np.asarray(jax.vmap(jax.grad(problem.fun))(jnp.asarray(line))), axis=1))
    assert np.max(np.abs(np.diff(values))) > 100.0 * steepest * spacing


@tagged("nonsmooth")
def test_gradient_does_not_fade_toward_the_minimizer(problem):
    x_star = np.array(problem.x_star)
    for distance in (1e-2, 1e-5, 1e-8):
        grad = value_and_grad(problem, x_star + distance * np.array([1.0, 0.5]))[1]
        assert np.max(np.abs(grad)) >= 0.5


@tagged("hard")
def test_hard_minimum_is_not_undercut(problem):
    if problem.fun_star is None:
        assert problem.x_star is None
        assert problem.tags & {"unbounded", "nan_everywhere"}
        return
    values = batch(problem, np.random.default_rng(0).uniform(-4.0, 4.0, (400, problem.n)))
    assert np.nanmin(values) >= problem.fun_star - 1e-12


@scalar_problem
def test_scalar_minimum_is_the_least_value_on_the_interval(problem):
    low, high = problem.bounds
    grid = batch(problem, np.linspace(low, high, 4001))
    assert np.nanmin(grid) >= problem.fun_star - 1e-12 * max(1.0, abs(problem.fun_star))
    if problem.x_star is None:
        np.testing.assert_array_equal(grid, problem.fun_star)
        return
    assert low <= problem.x_star <= high
    value, slope = value_and_grad(problem, problem.x_star)
    np.testing.assert_allclose(value, problem.fun_star, rtol=1e-14, atol=1e-15)
    if "at_bound" in problem.tags:
        assert problem.x_star in problem.bounds
        assert slope * (1.0 if problem.x_star == low else -1.0) > 0.0
    elif "nonsmooth" not in problem.tags:
        step = 1e-6 * max(1e-6, abs(problem.x_star))
        if "singular" in problem.tags:
            step = 1e-3
        assert abs(slope) <= 1e-3 * abs(value_and_grad(problem, problem.x_star + step)[1])


@scalar_problem
def test_scalar_tags_are_true(problem):
    values = batch(problem, np.linspace(*problem.bounds, 4001))
    assert np.any(np.isnan(values)) == ("nan_region" in problem.tags)
    # One point of the grid may be a pole, as 0 is for the logarithm; a region holds many.
    assert (np.count_nonzero(values == math.inf) > 1) == ("inf_region" in problem.tags)
    if "unimodal" in problem.tags:
        # Falls, then rises: the sign of the differences changes at most once.
        signs = np.sign(np.diff(values))
        assert np.count_nonzero(np.diff(signs[signs != 0.0])) <= 1
    if "multimodal" in problem.tags:
        assert np.count_nonzero(np.diff(np.sign(np.diff(values)))) > 1
    if "far" in problem.tags:
        assert min(map(abs, problem.bounds)) >= 50.0 * (problem.bounds[1] - problem.bounds[0])


@scalar_problem
def test_scalar_float32_in_gives_float32_out(problem):
    assert jax.eval_shape(problem.fun, jax.ShapeDtypeStruct((), jnp.float32)).dtype == jnp.float32


def test_the_named_quartic_is_the_known_one():
    quartic = by_name("quartic")
    assert quartic.x_star == pytest.approx(0.5503212081, abs=1e-10)
    assert quartic.fun_star == pytest.approx(0.17451818777634, abs=1e-14)
    assert len(SCALAR) >= 10
