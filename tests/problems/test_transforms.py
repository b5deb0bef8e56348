"""Each transform moves points, values, gradients and residuals as its formula says, and keeps known answers true."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.problems import by_name
from tests.problems.transforms import offset_fun, permuted, scaled_fun, scaled_x, shifted

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

BASE = [by_name("kowalik_osborne"), by_name("trigonometric_10"), by_name("poisson_6"), by_name("exp_tail")]

base_problem = pytest.mark.parametrize("base", BASE, ids=lambda p: p.name)


def value_and_grad(problem, x):
    value, grad = jax.jit(jax.value_and_grad(problem.fun))(jnp.asarray(x))
    return float(value), np.asarray(grad)


def check_point_map(base, new, to_new, pull_back):
    """`to_new` maps points of the base; `pull_back` maps gradients of the new problem to those of the base."""
    assert new.n == base.n
    np.testing.assert_allclose(new.x0, to_new(np.array(base.x0)), rtol=1e-15)
    assert (new.x_star is None) == (base.x_star is None)
    assert (new.fun_star, new.minima, new.tags) == (base.fun_star, base.minima, base.tags)
    assert new.published is None
    points = [np.array(base.x0), np.array(base.x0) * 1.1 + 0.05]
    for x in points:
        value, grad = value_and_grad(base, x)
        new_value, new_grad = value_and_grad(new, to_new(x))
        np.testing.assert_allclose(new_value, value, rtol=1e-11)
        np.testing.assert_allclose(pull_back(new_grad), grad, rtol=1e-9, atol=1e-12)
    if base.x_star is not None:
        np.testing.assert_allclose(new.x_star, to_new(np.array(base.x_star)), rtol=1e-15)
        np.testing.assert_allclose(value_and_grad(new, new.x_star)[0], base.fun_star, rtol=1e-9, atol=1e-24)
    if base.residual is not None:
        z = jnp.asarray(to_new(points[1]))
        np.testing.assert_allclose(jax.jit(new.residual)(z), jax.jit(base.residual)(jnp.asarray(points[1])), rtol=1e-9)
    assert jax.eval_shape(new.fun, jax.ShapeDtypeStruct((base.n,), jnp.float32)).dtype == jnp.float32


@base_problem
def test_shifted_moves_every_point_by_the_shift(base):
    shift = np.linspace(-1.0, 2.0, base.n)
    new = shifted(base, tuple(shift))
    assert new.name == f"{base.name}|shifted"
    check_point_map(base, new, lambda x: x + shift, lambda g: g)


def test_shifted_takes_one_number_for_all_coordinates():
    base = BASE[0]
    np.testing.assert_allclose(shifted(base, 3.0).x0, np.array(base.x0) + 3.0, rtol=1e-15)


@base_problem
def test_scaled_x_multiplies_points_and_divides_gradients(base):
    factor = np.geomspace(1e-2, 1e2, base.n) * np.where(np.arange(base.n) % 2, -1.0, 1.0)
    check_point_map(base, scaled_x(base, tuple(factor)), lambda x: x * factor, lambda g: g * factor)


@base_problem
def test_permuted_reorders_points_and_gradients(base):
    order = np.roll(np.arange(base.n), 1)  # a cycle: from n = 3 on not its own inverse, which would hide a mistake
    new = permuted(base, order.tolist())

    def pull_back(grad):
        back = np.empty_like(grad)
        back[order] = grad
        return back

    check_point_map(base, new, lambda x: x[order], pull_back)


@base_problem
@pytest.mark.parametrize("c", [1e-3, 7.0])
def test_scaled_fun_multiplies_values_gradients_and_squared_residuals(base, c):
    new = scaled_fun(base, c)
    value, grad = value_and_grad(base, base.x0)
    new_value, new_grad = value_and_grad(new, base.x0)
    np.testing.assert_allclose(new_value, c * value, rtol=1e-14)
    np.testing.assert_allclose(new_grad, c * grad, rtol=1e-13)
    assert new.fun_star == c * base.fun_star
    assert new.minima == tuple(c * v for v in base.minima)
    assert (new.x0, new.x_star, new.published) == (base.x0, base.x_star, None)
    assert (new.residual is None) == (base.residual is None)
    if new.residual is not None:
        np.testing.assert_allclose(jnp.sum(new.residual(jnp.asarray(base.x0)) ** 2), new_value, rtol=1e-13)


@base_problem
def test_offset_fun_adds_to_values_and_leaves_gradients(base):
    new = offset_fun(base, -5.0)
    value, grad = value_and_grad(base, base.x0)
    new_value, new_grad = value_and_grad(new, base.x0)
    np.testing.assert_allclose(new_value, value - 5.0, rtol=1e-14, atol=1e-15)
    np.testing.assert_array_equal(new_grad, grad)
    assert new.fun_star == base.fun_star - 5.0
    assert new.minima == tuple(v - 5.0 for v in base.minima)
    assert new.residual is None
    assert "least_squares" not in new.tags


def test_transforms_compose():
    base = BASE[0]
    new = offset_fun(scaled_fun(shifted(permuted(base, (3, 1, 0, 2)), 1.0), 2.0), 1.0)
    np.testing.assert_allclose(value_and_grad(new, new.x_star)[0], 2.0 * base.fun_star + 1.0, rtol=1e-14)
    np.testing.assert_allclose(new.fun_star, 2.0 * base.fun_star + 1.0, rtol=1e-15)


def test_transforms_refuse_what_would_break_their_promise():
    base = BASE[0]
    with pytest.raises(ValueError, match="c must be positive"):
        scaled_fun(base, -1.0)
    with pytest.raises(ValueError, match="factors must not be zero"):
        scaled_x(base, (1.0, 0.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"permutation of 0 \.\.\. 3"):
        permuted(base, (0, 1, 1, 2))
