"""Truncated Newton: the inner solve, the product that a trial step brings along, negative curvature, counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize, rosen, rosen_hess, rosen_hess_prod, stepper
from jaxopt_lite._families.line_search.newton_cg import advance
from tests.core.tolerance import DTYPES, primitives

START = np.array([-1.2, 1.0])
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def newton(fun, x0, hess=None, hessp=None, tol=None, **options):
    return minimize(fun, x0, method="Newton-CG", hess=hess, hessp=hessp, tol=tol, options=options)


def spd(n, condition, seed=3):
    """A random matrix with this condition, and a right-hand side."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = Q @ np.diag(np.geomspace(1.0, condition, n)) @ Q.T
    return 0.5 * (A + A.T), rng.standard_normal(n)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_the_inner_solve_is_conjugate_gradients(n):
    """From zero: n products solve the system, and the directions are conjugate."""
    A, g = spd(n, 20.0)
    z, r, p = jnp.zeros(n), jnp.asarray(g), jnp.asarray(-g)
    directions = []
    for _ in range(n):
        directions.append(np.asarray(p))
        z, r, p, _, curved, _ = advance(z, r, p, jnp.asarray(A @ directions[-1]), jnp.array(False), jnp.sum(r * r))
        assert bool(curved)
        np.testing.assert_allclose(r, A @ np.asarray(z) + g, atol=1e-12)
    np.testing.assert_allclose(z, -np.linalg.solve(A, g), rtol=1e-9)
    P = np.stack(directions)
    P /= np.linalg.norm(P, axis=1)[:, None]
    np.testing.assert_allclose(P @ A @ P.T, np.diag(np.diag(P @ A @ P.T)), atol=1e-9)


def test_the_product_of_the_trial_step_is_the_first_of_the_next_solve():
    """It takes the model to its minimum along the last direction, whatever the sign of that."""
    A, g = spd(4, 20.0)
    for d in np.random.default_rng(1).standard_normal((5, 4)):
        z, r, p, *_ = advance(
            jnp.zeros(4), jnp.asarray(g), jnp.asarray(d), jnp.asarray(A @ d), jnp.array(True), jnp.asarray(g @ g)
        )
        assert abs(float(r @ d)) < 1e-12 * np.linalg.norm(d) * 100
        assert float(g @ z) <= 0
        np.testing.assert_array_equal(p, -r)


@pytest.mark.parametrize("n", [2, 5])
def test_a_quadratic_takes_one_evaluation_and_n_products_a_solve(n):
    """The start, at most n products and a full step, until the forcing term is met."""
    A, b = spd(n, 5.0)
    fun = lambda x: 0.5 * jnp.sum(x * jnp.sum(A * x[None, :], axis=1)) - jnp.sum(b * x)
    res = newton(fun, np.zeros(n), gtol=1e-10)
    assert int(res.status) == 0
    assert int(res.nfev) <= 1 + int(res.nit) * (n + 1)
    np.testing.assert_allclose(res.x, np.linalg.solve(A, b), rtol=1e-8)


@pytest.mark.parametrize("mean", ["autodiff", "hess", "hessp"])
def test_every_kind_of_product_reaches_the_minimum_in_as_many_turns(mean):
    given = {"hess": {"hess": rosen_hess}, "hessp": {"hessp": rosen_hess_prod}}.get(mean, {})
    res, known = newton(rosen, START, **given), newton(rosen, START)
    assert int(res.status) == 0
    np.testing.assert_allclose(res.x, 1.0, atol=1e-4)
    assert abs(int(res.nit) - int(known.nit)) <= 1
    assert int(res.nfev) == int(res.njev) == int(res.nhev)


def test_products_take_args_and_gradients_of_the_user():
    fun = lambda x, a: jnp.sum((x - a) ** 4 + (x - a) ** 2)
    jac = lambda x, a: 4 * (x - a) ** 3 + 2 * (x - a)
    res = minimize(
        fun, np.zeros(3), (0.5,), "Newton-CG", jac=jac, hessp=lambda x, p, a: (12 * (x - a) ** 2 + 2) * p, tol=1e-8
    )
    assert bool(res.success)
    np.testing.assert_allclose(res.x, 0.5, atol=1e-8)


SADDLES = {
    # start, function: negative curvature at the start, minima at a distance
    "almost on the ridge": (np.array([1.0, 1e-2]), lambda x: x[0] ** 2 - x[1] ** 2 + x[1] ** 4),
    "two wells": (np.array([0.1, 0.1]), lambda x: jnp.sum((x**2 - 1.0) ** 2)),
    "a hilltop": (np.array([0.01, -0.02]), lambda x: jnp.sum(jnp.cos(x))),
    "no curvature": (np.array([0.0, 0.0]), lambda x: x[0] + jnp.sum(x**4)),
}


@pytest.mark.parametrize("name", SADDLES)
@dtypes
def test_negative_curvature_is_left_downhill(name, dtype):
    start, fun = SADDLES[name]
    res = newton(fun, start.astype(dtype))
    assert bool(res.success)
    assert float(res.fun) < float(fun(start))
    assert np.all(np.linalg.eigvalsh(np.asarray(jax.hessian(fun)(np.asarray(res.x, float)))) > -1e-3)


def test_every_accepted_step_descends():
    """Driven by hand from starts of either curvature; trial steps too are counted as one turn."""
    f, g, hp = scipy.optimize.rosen, scipy.optimize.rosen_der, scipy.optimize.rosen_hess_prod
    machine = stepper("Newton-CG")
    for start in np.random.default_rng(2).uniform(-2, 2, (10, 3)):
        state, values, turns, nit = machine.init(start), [f(start)], 0, 0
        while not machine.done(state):
            x, v = (np.asarray(a) for a in machine.ask(state))
            state = machine.tell(state, f(x), g(x), hp(x, v))
            turns += 1
            if int(machine.result(state).nit) > nit:
                nit = int(machine.result(state).nit)
                values.append(f(x))
        assert np.all(np.diff(values) <= 1e-12)
        assert int(machine.result(state).nfev) == turns
        assert bool(machine.result(state).success)


def test_turns_are_not_more_than_scipys_evaluations_and_products():
    starts = np.random.default_rng(0).uniform(-2, 2, (40, 4))
    ours = jax.vmap(lambda x0: newton(rosen, x0, tol=1e-5))(starts)
    assert np.all(ours.success)
    theirs = [
        scipy.optimize.minimize(
            scipy.optimize.rosen, x, jac=scipy.optimize.rosen_der, hessp=scipy.optimize.rosen_hess_prod, method="Newton-CG"
        )
        for x in starts
    ]
    assert np.median(ours.nfev) <= np.median([r.nfev + r.nhev for r in theirs])


def test_xtol_asks_for_more_and_never_for_less():
    """SciPy ends on a short step; here the gradient must hold as well."""
    plain, also, loose = newton(rosen, START), newton(rosen, START, xtol=1e-10), newton(rosen, START, xtol=1e3)
    assert int(also.nit) > int(plain.nit)
    assert float(also.fun) < float(plain.fun)
    assert int(loose.nit) == int(plain.nit)
    assert bool(newton(rosen, START, xtol=1e3, gtol=1e-12).success)
    assert np.max(np.abs(newton(rosen, START, xtol=1e3, gtol=1e-9).jac)) <= 1e-9


@dtypes
def test_a_product_that_is_not_finite_ends_the_solve_and_not_the_run(dtype):
    """The Hessian overflows where value and gradient do not."""
    root = lambda x: jnp.sum(jnp.where(x > 0, 2.0 / 3.0 * jnp.where(x > 0, x, 1.0) ** 1.5, 0.0) + 0.5 * (x - 1.0) ** 2)
    res = newton(root, np.zeros(2, dtype) + 1e-30)
    assert bool(res.success)


@pytest.mark.parametrize("batched", [False, True])
def test_the_objective_stands_once_in_the_program(batched):
    solve = lambda x0: newton(lambda x: jnp.sum(x * x - jnp.log(x)), x0).x
    jaxpr = jax.make_jaxpr(jax.vmap(solve) if batched else solve)(jnp.ones((3, 2)) if batched else jnp.ones(2))
    assert primitives(jaxpr)["log"] == 2  # in the loop, and in the certificate


def test_large_problems_take_no_matrix():
    curvature = jnp.asarray(np.geomspace(1.0, 50.0, 100_000))
    res = newton(lambda x: jnp.sum(0.5 * curvature * jnp.square(x - 1.0) + 0.1 * (x - 1.0) ** 4), np.zeros(100_000))
    assert bool(res.success)
    assert int(res.nfev) < 100
