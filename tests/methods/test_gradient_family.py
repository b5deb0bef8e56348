"""CG, Newton-CG, L-BFGS-B and TNC on the cases that users of other libraries have reported."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import Bounds, minimize, rosen
from tests import tolerances

FAMILY = ("CG", "Newton-CG", "L-BFGS-B", "TNC")
each_method = pytest.mark.parametrize("method", FAMILY)
in_a_box = pytest.mark.parametrize("method", ["L-BFGS-B", "TNC"])
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


@dtypes
@each_method
def test_rosenbrock_from_the_usual_starts(method, dtype):
    """jax PR#40228: the line search lost these in float32."""
    starts = np.array([[0.0, 0.0], [-1.2, 1.0], [1.0, 1.0], [-1.2, -1.0]], dtype)
    res = jax.vmap(lambda x0: minimize(rosen, x0, method=method))(starts)
    assert np.all(res.success)
    gradients = jax.vmap(jax.grad(rosen))(np.asarray(res.x, float))
    assert np.max(np.abs(gradients)) <= 20 * tolerances.gradient_asked(dtype)
    np.testing.assert_allclose(res.x, 1.0, atol=0.05 if dtype == np.float32 else 1e-3)


@dtypes
@pytest.mark.parametrize("start", [1.6, 10.5])
@each_method
def test_poisson_rate(method, start, dtype):
    """tfp#637: a likelihood with a steep side, minus infinity behind it."""
    counts = jnp.asarray([1.0, 2.0, 3.0, 5.0, 8.0, 20.0], dtype)
    nll = lambda rate: jnp.sum(rate - counts * jnp.log(rate))
    res = minimize(nll, np.asarray(start, dtype), method=method)
    assert res.success
    np.testing.assert_allclose(res.x, 6.5, rtol=1e-4)


@in_a_box
def test_a_convex_problem_whose_values_settle_before_its_gradient(method):
    """jax#15486: ftol holds long before gtol; the run goes on, or says that the gradient is not there yet."""
    fun = lambda x: jnp.sum((x - 3.0) ** 4)
    whole = minimize(fun, np.array([0.0]), method=method, options={"gtol": 1e-7})
    assert whole.status == 0
    cut = minimize(fun, np.array([0.0]), method=method, options={"gtol": 1e-7, "ftol": 1e-4})
    assert cut.nfev < whole.nfev
    assert (int(cut.status), bool(cut.success)) == (4, False)
    loose = minimize(fun, np.array([0.0]), method=method, options={"gtol": 1.0, "ftol": 1e-4})
    assert loose.success


@in_a_box
@pytest.mark.parametrize("shift", [0.0, -1e3, 1e3])
def test_a_shifted_function_ends_by_ftol_too(method, shift):
    """tfp#1391: a relative test of f that needed a positive minimum."""
    res = minimize(lambda x: rosen(x) + shift, np.zeros(2), method=method, options={"gtol": 0.0, "ftol": 1e-10})
    assert res.nfev < 200
    np.testing.assert_allclose(res.fun, shift, atol=1e-4)


@in_a_box
def test_starts_outside_of_one_sided_bounds_are_clipped(method):
    """scipy#6859."""
    seen_inside = lambda x: jnp.where(jnp.all(x >= 2.0), jnp.sum(x**2), jnp.nan)
    res = minimize(seen_inside, np.array([-5.0, 7.0]), method=method, bounds=Bounds(2.0, np.inf))
    assert res.success
    np.testing.assert_array_equal(res.x, 2.0)


@in_a_box
def test_equal_bounds_mask_a_variable(method):
    """scipy#21537: its gradient may be anything, NaN included nowhere else."""
    fun = lambda x: (x[0] - 1.0) ** 2 + 1e6 * x[1]
    res = minimize(fun, np.array([5.0, 0.25]), method=method, bounds=[(None, None), (0.25, 0.25)])
    assert res.success
    np.testing.assert_allclose(res.x, [1.0, 0.25], atol=1e-6)


@in_a_box
def test_all_variables_fixed(method):
    res = minimize(rosen, np.array([0.5, 0.5]), method=method, bounds=[(0.5, 0.5), (0.25, 0.25)])
    assert (int(res.status), int(res.nfev)) == (0, 1)
    np.testing.assert_array_equal(res.x, [0.5, 0.25])


@pytest.mark.slow
@in_a_box
def test_derivatives_of_large_problems_in_a_box(method):
    """Beyond the size at which a Hessian is formed: held variables have none, the others those of the small problem."""
    n = 600
    pull = np.linspace(-1.0, 1.0, n)

    def solution(theta):
        fun = lambda x: jnp.sum(jnp.square(x - theta * pull)) + 0.1 * jnp.sum(jnp.square(x[1:] - x[:-1]))
        return minimize(fun, jnp.zeros(n), method=method, bounds=Bounds(-0.4, 0.4), options={"gtol": 1e-9}).x

    x, tangent = jax.jvp(solution, (1.0,), (1.0,))
    near = (solution(1.0 + 1e-5) - solution(1.0 - 1e-5)) / 2e-5
    held = np.abs(np.asarray(x)) == 0.4
    assert 0 < held.sum() < n
    np.testing.assert_array_equal(np.asarray(tangent)[held], 0.0)
    np.testing.assert_allclose(tangent, near, atol=1e-4)


@pytest.mark.parametrize("method", ["Newton-CG", "TNC"])
def test_a_function_without_second_derivatives_needs_hess_or_hessp(method):
    @jax.custom_vjp
    def once(x):
        return jnp.sum(x**2)

    once.defvjp(lambda x: (once(x), x), lambda x, ct: (2 * x * ct,))
    with pytest.raises(TypeError, match="hess"):
        minimize(once, np.ones(2), method=method)
    res = minimize(once, np.ones(2), method=method, hessp=lambda x, p: 2 * p)
    assert res.success


@each_method
def test_a_start_that_is_not_a_number_is_its_own_lane(method):
    """Optimistix PR#197: it ends at once, and its neighbors do not see it."""
    starts = np.array([[np.nan, 0.0], [0.5, 0.5], [np.inf, 1.0], [-1.0, 1.0]])
    res = jax.vmap(lambda x0: minimize(rosen, x0, method=method))(starts)
    np.testing.assert_array_equal(res.status, [5, 0, 5, 0])
    np.testing.assert_array_equal(np.asarray(res.nit)[[0, 2]], 0)
