"""TNC's own mathematics: its linear systems, its scale, its options. What it shares with L-BFGS-B is in test_lbfgsb.py."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import Bounds, OptimizeWarning, minimize, rosen, stepper
from tests import tolerances


def quadratic(n, seed=0):
    """A convex quadratic: its function, matrix and minimizer."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    A, centre = root @ root.T + np.eye(n), rng.normal(size=n)
    return lambda x: 0.5 * (x - centre) @ jnp.asarray(A) @ (x - centre), A, centre


def steps(fun, x0, bounds=None, **options):
    """(points, vectors) that a run asked for."""
    machine = stepper("TNC", bounds=bounds, options=options)
    state, seen = machine.init(x0), []
    both = jax.jit(lambda x, v: jax.jvp(jax.value_and_grad(fun), (x,), (v,)))
    while not machine.done(state):
        x, v = machine.ask(state)
        seen.append((np.asarray(x), np.asarray(v)))
        (f, g), (_, hv) = both(x, v)
        state = machine.tell(state, f, g, hv)
    return seen, machine.result(state)


def test_the_vectors_of_one_system_are_conjugate_and_at_one_point():
    fun, A, _ = quadratic(5)
    seen, res = steps(fun, np.zeros(5), gtol=1e-10)
    systems = itertools.groupby((entry for entry in seen if np.any(entry[1])), key=lambda entry: tuple(entry[0]))
    vectors = max(([v for _, v in system] for _, system in systems), key=len)
    assert len(vectors) >= 3
    unit = np.array([v / np.sqrt(v @ A @ v) for v in vectors])
    np.testing.assert_allclose(unit @ A @ unit.T, np.eye(len(unit)), atol=1e-8)
    assert res.status == 0


def test_every_system_takes_a_digit_of_the_gradient_of_a_quadratic():
    """(2) with eta = 0.1."""
    fun, A, centre = quadratic(8, seed=1)
    res = minimize(fun, np.zeros(8), method="TNC", options={"gtol": 1e-9})
    np.testing.assert_allclose(res.x, centre, atol=1e-8)
    assert int(res.nit) <= np.ceil(np.log10(np.linalg.norm(A @ centre) / 1e-9)) + 1


def test_products_are_made_on_the_free_variables_alone():
    fun, _, _ = quadratic(4, seed=2)
    x0 = np.zeros(4)
    held = np.asarray(jax.grad(fun)(x0)) > 0
    assert held.any()
    seen, _ = steps(fun, x0, Bounds(np.where(held, 0.0, -np.inf), np.inf))
    np.testing.assert_array_equal(seen[1][1][held], 0.0)
    assert np.any(seen[1][1][~held])


def test_counts_of_products_are_bounded_by_maxcgit():
    seen, _ = steps(rosen, np.array([-1.2, 1.0, 0.5, 2.0]), maxCGit=1)
    products = [bool(np.any(v)) for _, v in seen]
    assert any(products)
    assert not any(a and b for a, b in itertools.pairwise(products))


def test_a_saddle_is_left():
    """Where the gradient has no part in the direction of negative curvature but rounding."""
    fun = lambda x: x[0] ** 2 - x[1] ** 2 + 0.25 * x[1] ** 4
    res = minimize(fun, np.array([1.0, 1e-3]), method="TNC")
    np.testing.assert_allclose(np.abs(res.x), [0.0, 2.0**0.5], atol=1e-4)
    assert res.nfev < 100


def test_scale_is_a_change_of_variables():
    """A run in scaled variables is the run of the scaled function: every point, to rounding."""
    D = np.array([1e-3, 1.0, 1e2, 10.0])
    x0 = np.array([-1.2, 1.0, 0.5, 2.0])
    scaled, _ = steps(lambda x: rosen(x / D), x0 * D, scale=D, maxfev=25)
    plain, _ = steps(rosen, x0, maxfev=25)
    assert len(scaled) == len(plain)
    for (x, _), (z, _) in list(zip(scaled, plain, strict=True))[:12]:
        np.testing.assert_allclose(x / D, z, rtol=1e-6, atol=1e-9)


def test_a_number_scales_all_variables_and_bad_ones_raise():
    assert minimize(rosen, np.zeros(4), method="TNC", options={"scale": 2.0}).success
    for bad in (-1.0, np.ones(3), np.array([1.0, 0.0, 1.0, 1.0])):
        with pytest.raises(ValueError, match="scale"):
            minimize(rosen, np.zeros(4), method="TNC", options={"scale": bad})


def test_stepmx_limits_the_first_step_of_a_search():
    seen, res = steps(lambda x: jnp.sum((x - 100.0) ** 2), np.zeros(2), stepmx=0.5)
    trials = [x for x, v in seen[1:] if not np.any(v)]
    assert np.linalg.norm(trials[0]) == pytest.approx(0.5)
    np.testing.assert_allclose(res.x, 100.0, atol=1e-4)


@pytest.mark.parametrize("eta", [0.9, 1e-3])
def test_eta_is_the_flatness_at_which_a_search_ends(eta):
    """From 1 on x**4 the Newton step leaves 8/27 of the slope."""
    res = minimize(lambda x: jnp.sum(x**4), np.ones(1), method="TNC", options={"eta": eta, "maxiter": 1})
    assert abs(res.jac[0]) <= eta * 4.0
    assert (abs(res.jac[0]) > 1.0) == (eta == 0.9)


def test_xtol_ends_a_run_without_calling_it_a_success():
    res = minimize(rosen, np.zeros(4), method="TNC", options={"xtol": 10.0, "gtol": 1e-9})
    assert (int(res.status), bool(res.success)) == (4, False)
    assert minimize(rosen, np.zeros(4), method="TNC", options={"xtol": 1e-14, "gtol": 1e-4}).status == 0


@pytest.mark.parametrize("name", ["offset", "rescale", "minfev", "accuracy"])
def test_options_of_no_effect_change_nothing(name):
    plain = minimize(rosen, np.zeros(4), method="TNC")
    with pytest.warns(OptimizeWarning, match=f"option '{name}' is given. Of no effect"):
        given = minimize(rosen, np.zeros(4), method="TNC", options={name: 1.5})
    assert (given.nfev, given.status) == (plain.nfev, plain.status)
    np.testing.assert_array_equal(given.x, plain.x)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_own_products_are_used(dtype):
    """hessp and hess in place of autodiff: the same run."""
    x0 = np.array([-1.2, 1.0], dtype)
    auto = minimize(rosen, x0, method="TNC")
    for own in (
        {"hessp": lambda x, p: jax.jvp(jax.grad(rosen), (x,), (p,))[1]},
        {"hess": jax.hessian(rosen)},
    ):
        res = minimize(rosen, x0, method="TNC", **own)
        assert res.success
        np.testing.assert_allclose(res.x, auto.x, atol=10 * tolerances.gradient_asked(dtype))
