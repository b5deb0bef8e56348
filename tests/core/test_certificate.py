"""The certificate of a minimum, on functions whose decrement is known, away from every method."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite._families.line_search.bfgs import BFGSData
from jaxopt_lite._needs.values import GRADIENT
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.function import Arguments, close
from jaxopt_lite.core.loop import Budget, Operands
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.status import BUDGET, CLAIM, CONVERGED, NUMERICAL, PRECISION

SUCCESS = (CONVERGED, PRECISION)
GIVEN_UP, CLAIMED, SHORT = CLAIM + NUMERICAL, CLAIM + PRECISION, CLAIM + CONVERGED


class Boxed:
    """The data of a method in a box."""

    def __init__(self, lower, upper, gtol=0.0):
        self.lower, self.upper, self.gtol = lower, upper, jnp.asarray(gtol)


def judged(fun, x, claim=CLAIMED, data=None, turns=0, most=100, gtol=0.0, xrtol=0.0, dtype=np.float64):
    """The fields of a claim at x, decided."""
    x = jnp.asarray(x, dtype)
    number = lambda value: jnp.asarray(value, dtype)
    data = data or BFGSData(number(gtol), number(xrtol), number(0.1), number(0.9), None)
    shape = (jax.ShapeDtypeStruct(x.shape, x.dtype),)
    closed, captured = close(fun, "fun", lambda x, args: fun(x), shape, Arguments(()))
    oracle = Oracle(GRADIENT, closed)
    traced = Traced(captured, [], [], [], [], [], None, None)
    budget = Budget(jnp.asarray(100, jnp.int32), jnp.asarray(most, jnp.int32))

    @jax.jit
    def decide(x, claim, turns):
        value, slope = jax.value_and_grad(fun)(x)
        fields = {"x": x, "fun": value, "jac": slope, "status": claim, "turns": turns}
        return fields | minimum()(oracle, fields, Operands(x, data, budget, traced))

    return decide(x, jnp.asarray(claim, jnp.int32), jnp.asarray(turns, jnp.int32))


def rotation(n, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


fused = pytest.mark.skipif(os.environ.get("JAXOPT_LITE_FLAGS") != "users", reason="run by `make test` with the users' flags")


@pytest.mark.parametrize(
    ("dtype", "power"), [pytest.param(np.float64, 26, marks=fused), (np.float32, 11)], ids=["float64", "float32"]
)
def test_a_valley_stiffer_than_a_matrix_can_hold(dtype, power):
    """Beyond a condition of 1 / eps a Hessian's small eigenvalues are rounding; its products along the valley are not."""
    Q = jnp.asarray(rotation(3), dtype)
    stiff, z = Q[0], jnp.asarray([0.5, -1.0, 2.0], dtype)
    z = z - jnp.dot(stiff, z) * stiff
    c = jnp.asarray(10.0**power, dtype)
    fun = lambda x: c * jnp.dot(stiff, x) ** 2 + jnp.sum((x - z) ** 2)
    away = jnp.asarray(1e-2 if dtype == np.float32 else 1e-4, dtype) * Q[1]
    there = judged(fun, z + away, dtype=dtype)
    assert int(there["status"]) in (PRECISION, NUMERICAL)
    exact = lambda x: np.sum((np.asarray(x, float) - np.asarray(z, float)) ** 2)
    if int(there["status"]) == PRECISION:  # it went on to the minimum: nothing is left along the valley
        assert exact(there["x"]) <= 1e-3 * exact(z + away) + 1e3 * float(jnp.finfo(dtype).eps)


def test_slope_along_a_kink_is_refused():
    fun = lambda x: 5.0 * jnp.abs(x[0] + x[1]) + jnp.sum((x - jnp.array([3.0, 1.0])) ** 2)
    assert int(judged(fun, [1.375, -1.375 + 1e-12])["status"]) == NUMERICAL


def test_a_saddle_is_refused_though_its_slope_is_rounding():
    fun = lambda x: 1.0 + x[0] ** 2 - x[1] ** 2 + x[1] ** 4
    assert int(judged(fun, [1e-17, 0.0])["status"]) == NUMERICAL


def test_a_direction_that_nothing_depends_on_is_no_obstacle():
    fun = lambda x: (x[0] + x[1] - 3.0) ** 2 + 1.0
    assert int(judged(fun, [1.0, 2.0 + 1e-9])["status"]) in SUCCESS


def test_giving_up_at_the_answer_is_a_success():
    fun = lambda x: jnp.sum(jnp.cosh(x - 2.0))
    assert int(judged(fun, [2.0 + 1e-9, 2.0], GIVEN_UP)["status"]) in SUCCESS


def test_a_refused_claim_goes_on_to_the_minimum_and_counts_its_evaluations():
    fun = lambda x: jnp.sum(jnp.cosh(x - 2.0))
    found = judged(fun, [1.5, 2.3], turns=7, gtol=1e-8)
    assert int(found["status"]) == CONVERGED
    np.testing.assert_allclose(found["x"], 2.0, atol=1e-8)
    np.testing.assert_allclose(found["jac"], jnp.sinh(found["x"] - 2.0), atol=1e-15)
    assert 8 < int(found["turns"]) <= 27


def test_without_an_evaluation_left_nothing_is_proved():
    found = judged(lambda x: jnp.sum(x**2), [0.0, 0.0], turns=5, most=5)
    assert (int(found["status"]), int(found["turns"])) == (BUDGET, 5)


def test_the_budget_bounds_what_a_claim_may_evaluate():
    found = judged(lambda x: jnp.sum(jnp.cosh(x - 2.0)), [0.0, 4.0], turns=5, most=6)
    assert (int(found["status"]), int(found["turns"])) == (NUMERICAL, 6)


def test_a_short_step_is_judged_by_newtons():
    fun = lambda x: 1e-6 * jnp.sum((x - 1.0) ** 4) + 1e-3 * jnp.sum((x - 1.0) ** 2)
    assert int(judged(fun, [1.01], SHORT, xrtol=0.02)["status"]) == CONVERGED
    assert int(judged(fun, [1.5], SHORT, xrtol=0.02, most=1)["status"]) == NUMERICAL


def test_what_a_bound_holds_is_no_slope():
    fun = lambda x: jnp.sum((x - jnp.array([2.0, 0.3])) ** 2)
    box = Boxed(jnp.zeros(2), jnp.ones(2))
    held = judged(fun, [1.0, 0.3 + 1e-10], data=box)
    assert int(held["status"]) in SUCCESS
    inner = judged(fun, [0.9, 0.3], data=box)  # not yet at the bound: the Newton step ends there
    assert int(inner["status"]) in SUCCESS
    np.testing.assert_allclose(inner["x"], [1.0, 0.3])
    assert int(judged(lambda x: -fun(x), [0.5, 0.5], data=box, most=1)["status"]) == NUMERICAL


def test_a_bound_across_a_valley_is_judged_along_the_valley():
    """The slope of the variable at its bound is rounding of the stiff term; along the valley f falls off the bound."""
    stiff = jnp.array([0.6, 0.8])
    fun = lambda x: 1e12 * jnp.dot(stiff, x) ** 2 + jnp.sum((x - jnp.array([3.0, 1.0])) ** 2)
    box = Boxed(jnp.array([0.5, -jnp.inf]), jnp.array([jnp.inf, jnp.inf]))
    at = [0.5, -0.375 + 1e-11]
    assert float(jax.grad(fun)(jnp.array(at))[0]) > 0  # as if the bound held it
    assert int(judged(fun, at, data=box, most=1)["status"]) == NUMERICAL


def test_a_plateau_that_underflows_is_no_minimum():
    """All decrements are below the rounding of f there, and Newton's step is long."""
    fun = lambda x: 8.0 - jnp.sum(jnp.exp(-((x - 1.0) ** 2))) + 1e-20 * jnp.sum((x - 20.0) ** 2)
    assert int(judged(fun, [9.0, 9.0], most=1)["status"]) == NUMERICAL


def test_equal_bounds_hold_a_variable_whatever_its_slope():
    fun = lambda x: x[0] ** 2 + 1e6 * x[1]
    box = Boxed(jnp.array([-1.0, 0.25]), jnp.array([1.0, 0.25]))
    assert int(judged(fun, [0.0, 0.25], data=box)["status"]) in SUCCESS


@pytest.mark.parametrize("n", [300])
def test_many_variables_by_products(n):
    curvature = jnp.asarray(10.0 ** np.linspace(0.0, 3.0, n))
    fun = lambda x: 1.0 + jnp.sum(curvature * (x - 1.0) ** 2) / 2
    assert int(judged(fun, np.full(n, 1.0 + 1e-10), most=1)["status"]) == PRECISION
    assert int(judged(fun, np.full(n, 1.001), most=1)["status"]) == NUMERICAL
    assert int(judged(fun, np.full(n, 1.001))["status"]) in SUCCESS
    bent = lambda x: fun(x) - 4.0 * x[0] ** 2
    assert int(judged(bent, np.full(n, 1.0), most=1)["status"]) == NUMERICAL


def test_a_function_without_second_derivatives_has_no_certificate():
    @jax.custom_jvp
    def square(x):
        return x**2

    @square.defjvp
    def _(x, dx):
        slope = jax.pure_callback(lambda x: np.asarray(2.0 * x), jax.ShapeDtypeStruct((), jnp.float64), x[0])
        return square(x[0]), slope * dx[0]

    found = judged(lambda x: square(x[0]), [0.0])
    assert int(found["status"]) == NUMERICAL
