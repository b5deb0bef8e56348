"""The library of test problems is right: values, minimizers, derivatives, dtypes, and the failures it promises.

A problem's points (start, minimizer, neighbors of both, and the stencil of the central differences) are evaluated in
one batch by one compiled function, so the file compiles about three functions a problem.
"""

import functools
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from tests.problems import ALL, CLASSIC, HARD, MGH, SCALAR, Problem, by_name
from tests.problems.known_values import AT_INFINITY, LOCAL_POINTS, MINPACK_START_NORMS, START_VALUES
from tests.problems.mgh_variable import chebyquad, penalty_1, penalty_2, watson

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

EPS = float(np.finfo(np.float64).eps)
AROUND = 16  # random points around the minimizer, within a hundredth of its size
OTHER_SIZES = (watson(9), watson(12), penalty_1(10), penalty_2(10), chebyquad(6), chebyquad(9), chebyquad(10))
SMOOTH = MGH + CLASSIC + OTHER_SIZES
FINITE_HARD = tuple(p for p in HARD if not p.tags & {"nan_everywhere", "nan_start", "inf_start"})


def zero_tolerance(problem: Problem) -> float:
    """How far a value computed at the minimizer may lie from `fun_star`."""
    if problem.fun_star:
        return 1e-11 * abs(problem.fun_star)
    if problem.residual is None:  # terms of order one cancel
        return 32.0 * EPS
    return (16.0 * EPS) ** 2 * max(1.0, float(evaluate(problem, problem.x0)[0]))  # residuals of a few roundings


def by_id(group):
    return pytest.mark.parametrize("problem", group, ids=lambda p: p.name)


@functools.cache
def single(problem: Problem):
    return jax.jit(jax.value_and_grad(problem.fun))


def evaluate(problem: Problem, x, dtype=np.float64):
    """Value and gradient at one point."""
    value, grad = single(problem)(jnp.asarray(x, dtype))
    return np.asarray(value), np.asarray(grad)


@functools.cache
def survey(problem: Problem) -> dict[str, np.ndarray]:
    """Values, gradients and residual sums at the named points, from one compiled batch."""
    x0 = np.array(problem.x0)
    noise = np.random.default_rng(0).uniform(-1.0, 1.0, x0.shape)
    near = x0 + 0.03 * noise * np.where(x0 == 0.0, 1.0, np.abs(x0))
    points = {"x0": x0, "near": near}
    if problem.x_star is not None:
        x_star = np.array(problem.x_star)
        unit = np.maximum(np.abs(x_star), np.abs(x0))
        moved = x_star + 1e-6 * unit * np.where(noise < 0.0, -1.0, 1.0)
        points |= {"x_star": x_star, "moved": moved}
        cloud = np.random.default_rng(1).uniform(-1e-2, 1e-2, (AROUND, problem.n))
        points |= {f"around{i}": x_star + unit * direction for i, direction in enumerate(cloud)}
    step = {}
    for name in ("x0", "near"):
        # The cube root of eps balances truncation against rounding in a central difference.
        step[name] = EPS ** (1.0 / 3.0) * np.where(points[name] == 0.0, 1.0, np.abs(points[name]))
        for sign in (1.0, -1.0):
            for i in range(problem.n):
                points[f"{name}{sign:+.0f}{i}"] = points[name] + sign * step[name][i] * np.eye(problem.n)[i]

    def run(x):
        squares = jnp.sum(problem.residual(x) ** 2) if problem.residual else jnp.zeros((), x.dtype)
        return *jax.value_and_grad(problem.fun)(x), squares

    value, grad, squares = map(np.asarray, jax.jit(jax.vmap(run))(jnp.asarray(np.stack(list(points.values())))))
    row = {name: i for i, name in enumerate(points)}
    return {"row": row, "point": points, "step": step, "fun": value, "grad": grad, "squares": squares}


@by_id(SMOOTH + FINITE_HARD)
def test_value_and_gradient_are_finite_at_the_start(problem):
    s = survey(problem)
    assert np.isfinite(s["fun"][0])
    assert np.all(np.isfinite(s["grad"][0]))


@by_id(SMOOTH + FINITE_HARD)
@pytest.mark.parametrize("where", ["x0", "near"])
def test_gradient_is_that_of_central_differences(problem, where):
    s, n = survey(problem), problem.n
    up, down = (np.array([s["fun"][s["row"][f"{where}{sign}1{i}"]] for i in range(n)]) for sign in "+-")
    h = s["step"][where]
    exact = s["grad"][s["row"][where]]
    rounding = 4.0 * EPS * (np.abs(up) + np.abs(down)) / h
    truncation = 1e-6 * (np.abs(exact) + 1e-2 * np.max(np.abs(exact)))
    np.testing.assert_array_less(np.abs((up - down) / (2.0 * h) - exact), rounding + truncation + 1e-300)


@by_id(tuple(p for p in SMOOTH + HARD if p.x_star is not None))
def test_value_at_the_minimizer_is_the_minimum(problem):
    if problem.name == "watson_12" and os.environ.get("JAXOPT_LITE_FLAGS") != "users":
        pytest.skip("residuals that cancel need fused multiply-adds: run with the users' flags")
    fun = evaluate(problem, problem.x_star)[0]
    assert abs(fun - problem.fun_star) <= zero_tolerance(problem)


@by_id([by_name(name) for name in (*MINPACK_START_NORMS, *START_VALUES)])
def test_value_at_the_start_is_the_known_one(problem):
    value = evaluate(problem, problem.x0)[0]
    if problem.name in START_VALUES:
        np.testing.assert_allclose(value, START_VALUES[problem.name], rtol=1e-13)
    else:
        np.testing.assert_allclose(np.sqrt(value), MINPACK_START_NORMS[problem.name], rtol=5e-7)


@by_id(tuple(p for p in SMOOTH if p.published is not None))
def test_minimum_is_the_published_one_in_every_digit(problem):
    printed = Decimal(problem.published)
    unit = Decimal(1).scaleb(printed.as_tuple().exponent)
    assert abs(Decimal(float(evaluate(problem, problem.x_star)[0])) - printed) < unit


@by_id(tuple(p for p in SMOOTH if "nonsmooth" not in p.tags))
def test_gradient_vanishes_at_the_minimizer(problem):
    """To a thousandth of what it is one millionth of a unit away: x_star is good to about nine digits."""
    s = survey(problem)
    unit = np.maximum(np.maximum(np.abs(problem.x_star), np.abs(problem.x0)), EPS)
    at, away = (np.max(unit * np.abs(s["grad"][s["row"][name]])) for name in ("x_star", "moved"))
    assert away > 0.0
    assert at <= 1e-3 * away


@by_id(SMOOTH)
def test_minimizer_is_a_minimum_and_not_a_saddle(problem):
    s = survey(problem)
    around = [s["fun"][i] for name, i in s["row"].items() if name.startswith("around")]
    assert len(around) == AROUND
    assert min(around) >= problem.fun_star - zero_tolerance(problem)
    assert max(around) > problem.fun_star + zero_tolerance(problem)


@by_id(tuple(p for p in SMOOTH if p.residual is not None))
def test_function_is_the_sum_of_squared_residuals(problem):
    s = survey(problem)
    assert "least_squares" in problem.tags
    np.testing.assert_allclose(s["squares"], s["fun"], rtol=64 * EPS)


@by_id(MGH + CLASSIC + HARD)
def test_float32_in_gives_float32_out(problem):
    value, grad = evaluate(problem, problem.x0, np.float32)
    assert value.dtype == grad.dtype == np.float32
    if problem.residual is not None:
        shape = jax.eval_shape(problem.residual, jax.ShapeDtypeStruct((problem.n,), jnp.float32))
        assert shape.dtype == jnp.float32
    exact = evaluate(problem, problem.x0)[0]
    # 1e-4 is a thousand roundings: exp and cancellation at the starts cost up to three digits.
    np.testing.assert_allclose(value, exact, rtol=1e-4, equal_nan=True)


@by_id(tuple(p for p in MGH + CLASSIC if p.minima))
def test_other_minima_are_stationary_and_have_the_listed_values(problem):
    points = LOCAL_POINTS[problem.name]
    assert len(points) == len(problem.minima)
    for x, listed in zip(points, problem.minima, strict=True):
        value, grad = evaluate(problem, x)
        np.testing.assert_allclose(value, listed, rtol=1e-7)
        if problem.name not in AT_INFINITY:
            moved = np.array(x) + 1e-4 * np.maximum(np.abs(x), 1.0)
            assert np.max(np.abs(grad)) <= 1e-3 * np.max(np.abs(evaluate(problem, moved)[1]))


@by_id(ALL)
def test_a_gradient_method_of_scipy_solves_it(problem):
    """Ends at `fun_star` or at a value in `minima`: which is what `ALL` promises to hold for a sound method."""

    def fun(x):
        value, grad = evaluate(problem, x)
        return float(value), grad

    res = scipy.optimize.minimize(fun, problem.x0, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    fall = evaluate(problem, problem.x0)[0] - problem.fun_star
    gaps = [abs(res.fun - value) for value in (problem.fun_star, *problem.minima)]
    assert min(gaps) <= 1e-9 * min(fall, 1.0 + abs(problem.fun_star)), (res.fun, problem.fun_star, problem.minima)


def test_rosenbrock_is_scipys():
    for name in ("rosenbrock", "rosenbrock_4", "rosenbrock_10"):
        problem = by_name(name)
        s = survey(problem)
        points = np.stack(list(s["point"].values()))
        np.testing.assert_allclose(s["fun"], scipy.optimize.rosen(points.T), rtol=1e-13, atol=1e-17)
        np.testing.assert_allclose(s["grad"][0], scipy.optimize.rosen_der(points[0]), rtol=1e-13)


def test_angle_of_the_helical_valley_is_the_papers_and_differentiable_on_its_axis():
    problem = by_name("helical_valley")
    residual = jax.jit(problem.residual)
    for x in [
        (-1.0, 0.0, 0.0),
        (-1.0, -0.0, 0.0),
        (-0.5, -2.0, 1.0),
        (-0.5, 2.0, 1.0),
        (0.5, -2.0, 1.0),
        (0.5, 2.0, 1.0),
    ]:
        theta = np.arctan(x[1] / x[0]) / (2.0 * np.pi) + (0.5 if x[0] < 0.0 else 0.0)
        expected = (10.0 * (x[2] - 10.0 * theta), 10.0 * (np.hypot(x[0], x[1]) - 1.0), x[2])
        np.testing.assert_allclose(residual(jnp.asarray(x)), expected, rtol=1e-14, atol=1e-14)
    for x in [(0.0, 0.0, 1.0), (0.0, 2.0, 1.0), (0.0, -2.0, 1.0)]:
        assert np.all(np.isfinite(evaluate(problem, x)[1]))


def test_gulf_has_a_finite_gradient_where_a_distance_is_zero():
    y_50 = 25.0 + (-50.0 * np.log(0.5)) ** (2.0 / 3.0)
    value, grad = evaluate(by_name("gulf"), (50.0, y_50, 1.5))
    assert np.isfinite(value)
    assert np.all(np.isfinite(grad))


def test_names_are_unique_and_found():
    everything = MGH + CLASSIC + HARD + SCALAR
    assert len({p.name for p in everything}) == len(everything)
    assert all(by_name(p.name) is p for p in everything)
    with pytest.raises(ValueError, match=r"no test problem 'rosenbrok'; there are .*rosenbrock"):
        by_name("rosenbrok")


def test_all_35_problems_of_more_garbow_hillstrom_are_here():
    assert [p.source for p in MGH] == [f"More, Garbow, Hillstrom 1981, number {i}" for i in range(1, 36)]


def test_all_leaves_out_only_what_no_gradient_method_is_bound_to_solve():
    assert {p.name for p in MGH + CLASSIC} - {p.name for p in ALL} == {"rastrigin", "ackley", "mccormick"}


def test_importing_the_library_starts_no_backend():
    """With a platform that does not exist, the first JAX computation of the import would raise."""
    subprocess.run(
        [sys.executable, "-c", "import tests.problems"],
        env=os.environ | {"JAX_PLATFORMS": "no_such_platform"},
        cwd=Path(__file__).parents[2],
        check=True,
    )
