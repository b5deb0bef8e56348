"""Derivatives of solutions: the rules alone, on solutions known by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite._families.scalar.bounded import BoundedData
from jaxopt_lite._needs.values import GRADIENT
from jaxopt_lite.api.oracles.scalar import scalar_oracle
from jaxopt_lite.core import implicit
from jaxopt_lite.core.implicit import constant, interval, solve_regular, stationary, tangents, value_alone
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.status import BUDGET, CONVERGED, MESSAGES, PRECISION, is_success
from tests.core.tolerance import DTYPES, assert_close

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


@dtypes
@pytest.mark.parametrize("n", [1, 2, 5])
def test_regular_systems_are_solved(n, dtype, rng):
    A, b = rng.standard_normal((n, n)) + 3.0 * np.eye(n), rng.standard_normal(n)
    solved = jax.jit(solve_regular)(jnp.asarray(A, dtype), jnp.asarray(b, dtype))
    assert solved.dtype == dtype
    assert_close(solved, np.linalg.solve(A, b), dtype, "solve")


SINGULAR = {
    "zero": np.zeros((3, 3)),
    "rank one": np.ones((3, 3)),
    "zero row": np.diag([1.0, 2.0, 0.0]),
    "rank two up to rounding": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]) / 3.0,
}


@dtypes
@pytest.mark.parametrize("case", SINGULAR, ids=str)
def test_singular_systems_are_nan_all_over(case, dtype):
    assert np.isnan(jax.jit(solve_regular)(jnp.asarray(SINGULAR[case], dtype), jnp.ones(3, dtype))).all()


def test_systems_that_the_dtype_still_resolves_are_regular():
    A = np.diag([1.0, 1e-10])
    np.testing.assert_allclose(solve_regular(jnp.asarray(A), jnp.ones(2)), [1.0, 1e10], rtol=1e-5)


def test_solving_can_be_differentiated():
    A = jnp.array([[3.0, 1.0], [1.0, 2.0]])
    slope = jax.grad(lambda t: jnp.sum(solve_regular(A * t, jnp.ones(2))))(2.0)
    assert_close(slope, -jnp.sum(jnp.linalg.solve(A, jnp.ones(2))) / 4.0, np.float64, "derivative")


def quartic(x, c, w):
    """sum w (x - c)^2 + (x - c)^4: least at c whatever w is."""
    return jnp.sum(w * (x - c) ** 2 + (x - c) ** 4)


def tilted(x, c, w):
    """x'Wx / 2 - c'x with W = diag(w) + 1: least at W^{-1} c."""
    return 0.5 * jnp.sum(w * x * x) + 0.5 * jnp.sum(x) ** 2 - jnp.sum(c * x)


def solution(fun, x, args, dargs, rule=stationary, data=None, ddata=None):
    """dx* by a rule at a solution."""
    oracle, traced = scalar_oracle(GRADIENT, parse(x)[1], fun, args)
    _, moved = scalar_oracle(GRADIENT, parse(x)[1], fun, dargs)
    at = Operands(x, data, None, traced)
    moved = moved._replace(fun=[jnp.zeros_like(c) for c in moved.fun])
    return rule(oracle, {"x": x}, at, at._replace(function=moved, data=ddata))["x"]


@dtypes
def test_a_minimizer_moves_with_its_center(dtype):
    c, w, dc = (jnp.asarray(v, dtype) for v in ([1.0, -2.0], [1.0, 3.0], [0.5, 0.25]))
    dx = solution(quartic, c, (c, w), (dc, jnp.zeros_like(w)))
    assert dx.dtype == dtype
    assert_close(dx, dc, dtype, "solve")
    assert_close(solution(quartic, c, (c, w), (jnp.zeros_like(c), w)), jnp.zeros(2), dtype, "solve")


N = implicit.DENSE + 8  # large: by conjugate gradients


def tilted_problem(n, condition=10.0):
    rng = np.random.default_rng(5)
    w, c, dc = np.geomspace(1.0, condition, n), rng.standard_normal(n), rng.standard_normal(n)
    W = np.diag(w) + 1.0
    return w, c, dc, W, np.linalg.solve(W, c)


@pytest.mark.parametrize("n", [3, N])
def test_dense_and_large_problems_have_the_same_derivative(n):
    w, c, dc, W, x = tilted_problem(n)
    dx = solution(tilted, jnp.asarray(x), (c, w), (dc, np.zeros(n)))
    assert_close(dx, np.linalg.solve(W, dc), np.float64, "solve")
    dw = np.ones(n)
    dx = solution(tilted, jnp.asarray(x), (c, w), (np.zeros(n), dw))
    assert_close(dx, -np.linalg.solve(W, dw * x), np.float64, "solve")


def test_large_problems_can_be_differentiated_backward():
    w, c, dc, W, x = tilted_problem(N)
    oracle, traced = scalar_oracle(GRADIENT, parse(x)[1], tilted, (c, w))
    at = Operands(jnp.asarray(x), None, None, traced)

    @jax.custom_jvp
    def solve(c):
        return jnp.asarray(x)

    @solve.defjvp
    def _(primals, moved):
        d_at = at._replace(
            function=traced._replace(fun=[jnp.zeros_like(c) for c in traced.fun], args=[moved[0], jnp.zeros(N)])
        )
        return solve(*primals), stationary(oracle, {"x": jnp.asarray(x)}, at, d_at)["x"]

    pulled = jax.vjp(solve, jnp.asarray(c))[1](jnp.asarray(dc))[0]
    assert_close(pulled, np.linalg.solve(W, dc), np.float64, "solve")


def test_ill_conditioned_large_problems_are_as_exact_as_their_condition_allows():
    condition = 1e6
    w, c, dc, W, x = tilted_problem(N, condition)
    dx = np.asarray(solution(tilted, jnp.asarray(x), (c, w), (dc, np.zeros(N))))
    wanted = np.linalg.solve(W, dc)
    assert np.linalg.norm(dx - wanted) <= 1e3 * condition * np.finfo(float).eps * np.linalg.norm(wanted)


@pytest.mark.parametrize("n", [3, N])
def test_where_the_hessian_is_singular_the_derivative_is_nan(n):
    """The last variable has no curvature, and is pulled."""
    w = np.ones(n)
    w[-1] = 0.0
    fun = lambda x, c, w: 0.5 * jnp.sum(w * x * x) - jnp.sum(c * x)
    dx = solution(fun, jnp.zeros(n), (np.zeros(n), w), (np.ones(n), np.zeros(n)))
    assert np.isnan(dx).all()


def bounded_solution(fun, x, lower, upper, args=(), dargs=(), dlower=0.0, dupper=0.0):
    data, moved = (BoundedData(*map(jnp.asarray, d)) for d in ((lower, upper, 1e-5), (dlower, dupper, 0.0)))
    return solution(fun, jnp.array([x]), args, dargs, interval, data, moved)


def parabola(x, c):
    return jnp.sum((x - c) ** 2)


def test_a_minimizer_inside_an_interval_follows_the_function_and_not_the_bounds():
    assert_close(bounded_solution(parabola, 0.5, 0.0, 1.0, (0.5,), (3.0,), 7.0, 7.0), [3.0], np.float64, "derivative")


@pytest.mark.parametrize(("c", "at", "moved"), [(-1.0, 1e-6, 5.0), (2.0, 1.0 - 1e-6, 7.0)], ids=["lower", "upper"])
def test_a_minimizer_at_a_bound_follows_the_bound(c, at, moved):
    """The method ends beside the bound, which it never touches."""
    assert_close(bounded_solution(parabola, at, 0.0, 1.0, (c,), (3.0,), 5.0, 7.0), [moved], np.float64, "derivative")


def test_a_minimizer_at_a_bound_of_a_concave_function_follows_the_bound():
    fun = lambda x, c: -jnp.sum((x - c) ** 2)
    assert_close(bounded_solution(fun, 1e-6, 0.0, 1.0, (0.9,), (3.0,), 5.0, 7.0), [5.0], np.float64, "derivative")


def test_a_flat_function_has_no_derivative_of_its_minimizer():
    fun = lambda x, c: jnp.sum(c + 0.0 * x)
    assert np.isnan(bounded_solution(fun, 0.5, 0.0, 1.0, (2.0,), (1.0,))).all()


@functools.cache
def moved_of(mode):
    """The tangents, or cotangents, of x and fun for each status."""
    x = jnp.array([1.0, -2.0])
    oracle, traced = scalar_oracle(GRADIENT, parse(x)[1], quartic, (x, jnp.ones(2)))

    def push(status, dargs):
        at = Operands(x, None, None, traced)
        d_at = at._replace(function=traced._replace(fun=[jnp.zeros_like(c) for c in traced.fun], args=dargs))
        return tangents(oracle, stationary, value_alone, {"x": x, "status": status}, at, d_at)

    if mode == "forward":
        return jax.jit(lambda status: push(status, [jnp.ones(2), jnp.ones(2)])["x"])
    zeros = [jnp.zeros(2), jnp.zeros(2)]
    ones = {"x": jnp.ones(2), "fun": jnp.ones(())}
    return jax.jit(lambda status: jax.linear_transpose(functools.partial(push, status), zeros)(ones)[0][0])


@pytest.mark.parametrize("mode", ["forward", "backward"])
@pytest.mark.parametrize("status", sorted(MESSAGES))
def test_only_a_success_has_derivatives(status, mode):
    found = moved_of(mode)(jnp.asarray(status, jnp.int32))
    if status in (CONVERGED, PRECISION):
        assert bool(is_success(jnp.asarray(status)))
        assert_close(found, [1.0, 1.0], np.float64, "derivative")
    else:
        assert np.isnan(found).all()


def test_the_tangent_of_the_value_is_that_of_the_function_at_the_solution():
    """f(x*(t), t) = t at x* = t: its derivative is 1, through the argument alone, for the slope in x vanishes."""
    fun = lambda x, t: jnp.sum((x - t) ** 2) + t
    x = jnp.array([2.0])
    oracle, traced = scalar_oracle(GRADIENT, parse(x)[1], fun, (2.0,))
    at = Operands(x, None, None, traced)
    d_at = at._replace(function=traced._replace(fun=[jnp.zeros_like(c) for c in traced.fun], args=[jnp.asarray(1.0)]))
    at = at._replace(function=traced._replace(args=[jnp.asarray(2.0)]))
    out = tangents(oracle, stationary, value_alone, {"x": x, "status": jnp.asarray(CONVERGED)}, at, d_at)
    assert_close(out["x"], [1.0], np.float64, "derivative")
    assert_close(out["fun"], 1.0, np.float64, "derivative")
    assert np.isnan(tangents(oracle, stationary, value_alone, {"x": x, "status": jnp.asarray(BUDGET)}, at, d_at)["fun"])


def test_records_of_the_run_have_zero_tangents():
    found = constant(
        {"a": jnp.ones(2), "n": jnp.asarray(3, jnp.int32), "b": jnp.ones(2, bool), "s": jnp.ones(1, np.float32)}
    )
    assert found["a"].dtype == np.float64
    assert found["s"].dtype == np.float32
    assert {found[k].dtype for k in "nb"} == {jax.dtypes.float0}
    assert not np.any(found["a"])
