"""Law 8, at the doors: closures, other arguments, ends of an interval, user derivatives; the rest is read from the books."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize, minimize_scalar
from tests import tolerances
from tests.laws.case import host
from tests.laws.cases import all_dtypes, batch, each_door

TOL = tolerances.tightest(np.float64)
WEIGHTS = np.array([1.0, -2.0])


def solution(case, start, tol=None, **options):
    """theta -> x*, through `args`."""
    return lambda theta: case.solve(case.model, start, (theta,), tol=tol, options=options).x


def scalar(case, start, tol=None):
    """theta -> a number that x* decides."""
    x_of = solution(case, start, tol)
    return lambda theta: jnp.sum(jnp.sin(x_of(theta)) * jnp.asarray(WEIGHTS[: max(1, len(case.shape) * 2)], theta.dtype))


def true_jacobian(case, theta):
    """Of x* with respect to theta, from the closed form."""
    h = 1e-6
    columns = [(case.solution(theta + h * e) - case.solution(theta - h * e)) / (2 * h) for e in np.eye(2)]
    return np.stack(columns, -1)


@each_door
def test_through_a_closure_as_through_args(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    closed = lambda theta: case.solve(lambda x: case.model(x, theta), start, tol=TOL).x
    for mode in (jax.jacfwd, jax.jacrev):
        rtol = tolerances.derivative(np.float64)
        np.testing.assert_allclose(mode(closed)(theta), mode(solution(case, start, TOL))(theta), rtol=rtol, atol=rtol)


@each_door
def test_vmap_of_grad_and_grad_of_vmap(case):
    starts, thetas = batch(case, np.float64, 5)
    alone = np.stack([jax.grad(scalar(case, s, TOL))(t) for s, t in zip(starts, thetas, strict=True)])
    each = lambda start, theta: scalar(case, start, TOL)(theta)
    rtol = tolerances.derivative(np.float64)
    inside = jax.vmap(jax.grad(each, argnums=1))(starts, thetas)
    outside = jax.grad(lambda thetas: jnp.sum(jax.vmap(each)(starts, thetas)))(thetas)
    compiled = jax.jit(jax.vmap(jax.grad(each, argnums=1)))(starts, thetas)
    forward = jax.vmap(jax.jacfwd(each, argnums=1))(starts, thetas)
    for found in (inside, outside, compiled, forward):
        np.testing.assert_allclose(found, alone, rtol=rtol, atol=rtol)


@each_door
def test_jit_of_grad(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    plain = jax.grad(scalar(case, start, TOL))
    np.testing.assert_allclose(jax.jit(plain)(theta), plain(theta), rtol=tolerances.derivative(np.float64))
    value, grad = jax.value_and_grad(scalar(case, start, TOL))(theta)
    np.testing.assert_allclose(grad, plain(theta), rtol=tolerances.derivative(np.float64))
    np.testing.assert_allclose(value, scalar(case, start, TOL)(theta), rtol=tolerances.same_run(np.float64))


@each_door
def test_other_arguments_may_be_anything(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))

    def fun(x, theta, how, table, count, nested):
        return case.model(x, theta * nested["scale"]) * count + 0.0 * jnp.sum(table).astype(x.dtype)

    def total(theta, scale):
        nested = {"scale": scale, "name": "unused"}
        return jnp.sum(case.solve(fun, start, (theta, "squared", np.arange(3), 2, nested), tol=TOL).x)

    by_theta, by_scale = jax.grad(total, argnums=(0, 1))(theta, 1.0)
    wanted = np.atleast_2d(true_jacobian(case, theta)).sum(0)
    np.testing.assert_allclose(by_theta, wanted, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(by_scale, wanted @ theta, rtol=1e-6, atol=1e-7)


@each_door
def test_solution_within_a_solution(case):
    """An outer problem over the parameters of an inner one: the inner is differentiated inside the outer's loop."""
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    goal = case.solution(np.array([0.8, 0.6]))

    def outer(t):
        x = case.solve(case.model, start, (t * jnp.asarray(theta / theta),), tol=1e-9).x
        return jnp.sum((x - goal) ** 2) + 1e-2 * jnp.sum((t - 0.7) ** 2)

    res = host(minimize(outer, theta))
    assert res.success
    h = 1e-6
    slopes = [(outer(res.x + h * e) - outer(res.x - h * e)) / (2 * h) for e in np.eye(2)]
    assert np.max(np.abs(slopes)) <= 1e-4


# What an interval adds.


def slope_of(fun, *numbers):
    """Forward and reverse derivatives with respect to every number; asserted equal."""
    every = tuple(range(len(numbers)))
    forward, reverse = jax.jacfwd(fun, every)(*numbers), jax.grad(fun, every)(*numbers)
    np.testing.assert_allclose(forward, reverse, rtol=1e-6, atol=1e-9)
    return np.asarray(forward)


def end(a, lower, upper):
    return minimize_scalar(lambda x: (x - a) ** 2, bounds=(lower, upper)).x


@all_dtypes
def test_interior_minimizer_moves_with_the_parameter_and_not_with_the_bounds(dtype):
    np.testing.assert_allclose(slope_of(end, *map(dtype, (0.5, 0.0, 2.0))), (1.0, 0.0, 0.0), atol=1e-6)


@all_dtypes
def test_minimizer_at_a_bound_moves_with_the_bound_and_not_with_the_parameter(dtype):
    np.testing.assert_allclose(slope_of(end, *map(dtype, (-1.0, 0.0, 2.0))), (0.0, 1.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(slope_of(end, *map(dtype, (3.0, 0.0, 2.0))), (0.0, 0.0, 1.0), atol=1e-6)


def test_minimizer_at_a_bound_where_the_function_is_concave():
    """Newton's step would lead away from the bound there."""
    low = lambda a, lower, upper: minimize_scalar(lambda x: -((x - a) ** 2), bounds=(lower, upper)).x
    np.testing.assert_allclose(slope_of(low, 1.5, 0.0, 2.0), (0.0, 1.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(slope_of(low, 0.5, 0.0, 2.0), (0.0, 0.0, 1.0), atol=1e-6)


def test_linear_function_ends_at_a_bound():
    line = lambda a, lower, upper: minimize_scalar(lambda x: a * x, bounds=(lower, upper)).x
    np.testing.assert_allclose(slope_of(line, 1.0, 0.0, 2.0), (0.0, 1.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(slope_of(line, -1.0, 0.0, 2.0), (0.0, 0.0, 1.0), atol=1e-6)


def test_least_value_at_a_bound_falls_with_the_slope_there():
    best = lambda a, lower, upper: minimize_scalar(lambda x: (x - a) ** 2, bounds=(lower, upper)).fun
    np.testing.assert_allclose(slope_of(best, -1.0, 0.0, 2.0), (-2.0, 2.0, 0.0), atol=1e-4)


def test_batch_of_interior_and_bound_lanes():
    centers = np.array([-1.0, 0.5, 3.0])
    by_all = jax.vmap(jax.grad(end, argnums=(0, 1, 2)), (0, None, None))(centers, 0.0, 2.0)
    np.testing.assert_allclose(np.stack(by_all, -1), np.eye(3)[[1, 0, 2]], atol=1e-6)


# What user derivatives add.


@pytest.mark.parametrize("jac", ["callable", "paired", "2-point", "3-point", "cs"])
def test_solution_is_differentiated_whatever_the_gradient_came_from(jac):
    theta, start = np.array([0.7, 1.2]), np.array([0.1, 0.2])

    def fun(x, t):
        away = x - t.astype(x.dtype)  # of the complex dtype where the scheme is 'cs'
        return jnp.sum(away**2 + 0.5 * away**4) + x[0] * x[1]

    grad = lambda x, t: 2 * (x - t) + 2 * (x - t) ** 3 + x[::-1]
    given = {
        "callable": {"jac": grad},
        "paired": {"jac": True},
    }.get(jac, {"jac": jac})
    chosen = (lambda x, t: (fun(x, t), grad(x, t))) if jac == "paired" else fun
    x_of = lambda t: minimize(chosen, start, (t,), tol=1e-6, **given).x
    wanted = jax.jacfwd(lambda t: minimize(fun, start, (t,), tol=1e-9).x)(theta)
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(x_of)(theta), wanted, atol=1e-4)


def test_pytree_solution_has_pytree_derivatives():
    def x_of(t):
        return minimize(lambda p: jnp.sum((p["a"] - t) ** 2) + (p["b"] - t[0] * t[1]) ** 2, {"a": np.zeros(2), "b": 0.0}).x

    jac = jax.jacrev(x_of)(np.array([2.0, 3.0]))
    np.testing.assert_allclose(jac["a"], np.eye(2), atol=1e-6)
    np.testing.assert_allclose(jac["b"], [3.0, 2.0], atol=1e-6)


def test_singular_hessian_has_no_derivative():
    x_of = lambda t: minimize(lambda x: (x[0] + x[1] - t) ** 2, np.zeros(2)).x
    assert np.all(np.isnan(jax.jacfwd(x_of)(1.0)))
    assert np.all(np.isnan(jax.jacrev(x_of)(1.0)))
