"""Law 10: options are named when unknown, matter when given, and go before `tol`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize, show_options
from jaxopt_lite.api import methods
from tests.laws.case import host
from tests.laws.cases import all_dtypes, batch, each_door

ROWS = {row.name: row for row in (*methods.MINIMIZE, *methods.MINIMIZE_SCALAR, *methods.ROOT_SCALAR)}


def problem(case, dtype=np.float64):
    start, theta = (a[0] for a in batch(case, dtype, 1))
    return lambda tol=None, options=None: host(case.solve(case.model, start, (theta,), tol=tol, options=options))


@each_door
def test_unknown_option_is_named_with_the_known_ones(case):
    with pytest.raises(ValueError, match=r"'gtolerance'.*maxiter") as caught:
        problem(case)(options={"gtolerance": 1.0})
    assert case.name in str(caught.value)
    assert all(name in str(caught.value) for name in ROWS[case.name].options)


@each_door
def test_near_miss_is_suggested(case):
    with pytest.raises(ValueError, match="Did you mean 'maxiter'"):
        problem(case)(options={"max_iter": 3})


@all_dtypes
@each_door
def test_tol_changes_the_answer(case, dtype):
    solve = problem(case, dtype)
    loose, tight = solve(tol=0.5), solve(tol=1e-3)
    assert loose.success
    assert tight.success
    assert loose.nfev < tight.nfev
    assert not np.array_equal(loose.x, tight.x)


@each_door
def test_tol_is_the_methods_own_tolerance(case):
    solve = problem(case)
    by_tol, by_option = solve(tol=1e-2), solve(options={case.tol_name: 1e-2})
    np.testing.assert_array_equal(by_tol.x, by_option.x)
    assert by_tol.nfev == by_option.nfev


@each_door
def test_options_go_before_tol(case):
    solve = problem(case)
    both, option = solve(tol=0.5, options={case.tol_name: 1e-6}), solve(options={case.tol_name: 1e-6})
    np.testing.assert_array_equal(both.x, option.x)
    assert both.nfev == option.nfev > solve(tol=0.5).nfev


@each_door
def test_none_is_the_default(case):
    solve = problem(case)
    names = [name for name, option in ROWS[case.name].options.items()]
    plain, none = solve(), solve(options=dict.fromkeys((*names, "maxiter", "maxfev", "lanes", "turns_per_refill")))
    np.testing.assert_array_equal(plain.x, none.x)
    assert plain.nfev == none.nfev


@each_door
def test_defaults_that_are_shown_are_the_defaults(case):
    solve = problem(case)
    shown = {name: option.default for name, option in ROWS[case.name].options.items() if option.default is not None}
    np.testing.assert_array_equal(solve().x, solve(options=shown).x)
    assert all(name in _shown(case.name) for name in ROWS[case.name].options)


def _shown(name):
    for solver in ("minimize", "minimize_scalar", "root_scalar"):
        try:
            return show_options(solver, name, disp=False)
        except ValueError:
            continue
    raise AssertionError(f"no solver shows {name}")


@each_door
def test_disp_prints_once_at_the_end_and_never_inside(case, capfd):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    run = lambda theta: case.solve(case.model, start, (theta,), options={"disp": True})
    run(theta)
    assert capfd.readouterr().out.count("status") == 1
    jax.block_until_ready(jax.jit(run)(theta).x)
    assert capfd.readouterr().out == ""


@each_door
def test_options_are_not_changed(case):
    options = {"maxiter": 3}
    problem(case)(tol=1e-3, options=options)
    assert options == {"maxiter": 3}


@pytest.mark.parametrize("tol", [1e-3, np.float32(1e-3), np.float64(1e-3), jnp.asarray(1e-3), np.asarray(1e-3)], ids=repr)
@each_door
def test_a_tolerance_may_be_any_scalar(case, tol):
    np.testing.assert_allclose(problem(case)(tol=tol).x, problem(case)(tol=1e-3).x, rtol=1e-6)


# Each option of BFGS does what its line says.


def quartic(x):
    return jnp.sum((x - 1.0) ** 4 + jnp.arange(1.0, 4.0) * (x - 1.0) ** 2)


def test_norm_is_the_order_of_the_gradient_test():
    for order in (np.inf, 1, 3.0):
        res = minimize(quartic, np.zeros(3), options={"norm": order, "gtol": 1e-4})
        assert res.status == 0
        assert np.linalg.norm(np.asarray(res.jac), order) <= 1e-4


def test_xrtol_stops_a_short_step():
    strict = minimize(quartic, np.zeros(3), options={"gtol": 0.0})
    short = minimize(quartic, np.zeros(3), options={"gtol": 0.0, "xrtol": 1e-2})
    assert short.nit < strict.nit


def test_hess_inv0_is_the_first_direction():
    """With the true inverse Hessian of a quadratic the first step ends at the minimizer."""
    curvature = np.array([[4.0, 1.0], [1.0, 3.0]])
    fun = lambda x: 0.5 * jnp.sum((x - 1.0) * jnp.sum(jnp.asarray(curvature) * (x - 1.0)[None, :], axis=1))
    res = minimize(fun, np.zeros(2), options={"hess_inv0": np.linalg.inv(curvature)})
    assert (res.nit, res.nfev, res.status) == (1, 2, 0)
    np.testing.assert_allclose(res.x, 1.0, rtol=1e-12)


def test_c2_asks_for_flatter_steps():
    rough, exact = (minimize(quartic, np.full(3, 4.0), options={"c2": c2}) for c2 in (0.9, 0.01))
    assert rough.success
    assert exact.success
    assert exact.nfev / exact.nit > rough.nfev / rough.nit


def test_c1_asks_for_more_decrease():
    greedy, modest = (minimize(quartic, np.full(3, 4.0), options={"c1": c1}) for c1 in (0.45, 1e-4))
    assert greedy.success
    assert modest.success


def test_gtol_is_held():
    for gtol in (1e-2, 1e-5, 1e-9):
        res = minimize(quartic, np.zeros(3), options={"gtol": gtol})
        assert res.status == 0
        assert np.max(np.abs(res.jac)) <= gtol
