"""Conjugate gradients: what makes them conjugate, descent whatever the search does, a first step that fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize, rosen, rosen_der, stepper
from jaxopt_lite._families.line_search import cg
from jaxopt_lite._families.line_search.descent import Step
from tests.core.tolerance import DTYPES

START = np.array([-1.2, 1.0, -0.5, 0.8])
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def quadratic(x, A, b):
    return 0.5 * jnp.sum(x * jnp.sum(A * x[None, :], axis=1)) - jnp.sum(b * x)


def spd(n, condition, seed=3):
    """A random matrix with this condition, and a right-hand side."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = Q @ np.diag(np.geomspace(1.0, condition, n)) @ Q.T
    return 0.5 * (A + A.T), rng.standard_normal(n)


def iterates(fun, grad, x0, **options):
    """Points and gradients of all iterations, driven by hand."""
    machine = stepper("CG", options=options)
    state, nit, points = machine.init(x0), -1, []
    while not machine.done(state):
        x = np.asarray(machine.ask(state))
        state = machine.tell(state, fun(x), grad(x))
        if int(machine.result(state).nit) != nit:
            nit = int(machine.result(state).nit)
            points.append(x)
    return points, machine.result(state)


def learn(d, g, g_new, t=0.7, restart=False):
    """The next direction and slope after a step t along d."""
    cast = lambda v: jnp.asarray(v, d.dtype)
    step = Step(
        cast(t), d, jnp.max(jnp.abs(d)), g_new - g, g_new, jnp.sum(g * d), jnp.sum(g_new * d), jnp.array(True),
        jnp.array(restart),
    )  # fmt: skip
    return cg._learn(jnp.zeros((), bool), step, None)


@pytest.mark.parametrize("n", [2, 4, 7])
def test_exact_searches_on_a_quadratic_end_after_n_steps(n):
    """And the steps are conjugate."""
    A, b = spd(n, 30.0)
    fun = lambda x: float(0.5 * x @ A @ x - b @ x)
    points, res = iterates(fun, lambda x: A @ x - b, np.zeros(n), c1=1e-12, c2=1e-10, gtol=1e-6)
    assert (int(res.status), int(res.nit)) == (0, n)
    steps = np.diff(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1)[:, None]
    products = steps @ A @ steps.T
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-5)


def test_the_direction_is_hager_and_zhangs():
    """Up to its length: their formula, and its truncation where the first part is very negative."""
    rng = np.random.default_rng(5)
    truncated = 0
    for _ in range(200):
        g, g_new, d = rng.standard_normal((3, 5))
        d = d * np.sign(-(g @ d))
        y = g_new - g
        if d @ y <= 0:
            continue
        beta = (y - 2 * d * (y @ y) / (d @ y)) @ g_new / (d @ y)
        floor = 0.4 * (d @ g) / (d @ d)
        truncated += beta < floor
        wanted = max(beta, floor) * d - g_new
        _, found, slope = learn(*map(jnp.asarray, (d, g, g_new)))
        np.testing.assert_allclose(found / np.linalg.norm(found), wanted / np.linalg.norm(wanted), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(slope, found @ g_new, rtol=1e-9)
    assert truncated > 5


@dtypes
def test_every_direction_descends(dtype):
    """By 7/8 of the squared gradient (Hager & Zhang 2005, theorem 1.1) wherever d.y > 0, for any step whatever."""
    rng = np.random.default_rng(6)
    for _ in range(300):
        g, g_new, d = (rng.standard_normal((3, 4)) * 10.0 ** rng.uniform(-3, 3, (3, 1))).astype(dtype)
        d = d * np.sign(-(g @ d)).astype(dtype)
        _, found, slope = learn(*map(jnp.asarray, (d, g, g_new)))
        found, d, g_new = (np.asarray(v, float) for v in (found, d, g_new))
        across = lambda v, d=d: np.linalg.norm(v - d * (d @ v) / (d @ d))  # only -g+ has a part across d, known to rounding
        scale = across(found) / across(g_new)
        assert float(slope) < 0
        if scale * np.linalg.norm(g_new) > 1e-3 * np.linalg.norm(found):
            assert found @ g_new <= -(7 / 8 - 0.01) * scale * (g_new @ g_new)


def test_the_length_of_the_last_direction_changes_nothing():
    rng = np.random.default_rng(7)
    g, g_new, d = (jnp.asarray(v) for v in rng.standard_normal((3, 4)))
    d = jnp.where(jnp.sum(d * g) < 0, d, -d)
    for scale in (1e-6, 1.0, 1e6):
        _, found, slope = learn(scale * d, g, g_new, t=0.7 / scale)
        _, wanted, wanted_slope = learn(d, g, g_new)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        np.testing.assert_allclose(slope, wanted_slope, rtol=1e-9)


def test_a_restart_is_steepest_descent():
    g, g_new, d = jnp.array([1.0, 2.0]), jnp.array([0.5, -1.0]), jnp.array([-1.0, -1.0])
    unlearnt, found, slope = learn(d, g, g_new, restart=True)
    assert bool(unlearnt)
    np.testing.assert_array_equal(found, -g_new)
    assert float(slope) == -float(g_new @ g_new)


def test_a_step_of_one_fits_most_of_the_time():
    """What the scaling of the direction is for: fewer than two evaluations an iteration at SciPy's flatness of 0.4."""
    rosen_np, rosen_der_np = scipy.optimize.rosen, scipy.optimize.rosen_der
    starts = np.random.default_rng(0).uniform(-2, 2, (200, 4))
    res = jax.vmap(lambda x0: minimize(rosen, x0, method="CG", tol=1e-6))(starts)
    assert np.all(res.success)
    assert int(np.sum(res.nfev)) < 2 * int(np.sum(res.nit))
    theirs = [scipy.optimize.minimize(rosen_np, x, jac=rosen_der_np, method="CG", tol=1e-6).nfev for x in starts[:30]]
    assert np.median(np.asarray(res.nfev)[:30]) <= 1.3 * np.median(theirs)


@pytest.mark.parametrize("gtol", [1e-1, 1e-4, 1e-8])
def test_the_gradient_is_as_small_as_asked(gtol):
    res = minimize(rosen, START, method="CG", options={"gtol": gtol})
    assert int(res.status) == 0
    assert np.max(np.abs(rosen_der(res.x))) <= gtol * (1 + 1e-6)


@pytest.mark.parametrize(("c1", "c2"), [(0.9, 0.4), (0.4, 0.4), (1e-4, 1.0)])
def test_constants_that_are_not_in_order_are_named(c1, c2):
    with pytest.raises(ValueError, match="c1"):
        minimize(rosen, START, method="CG", options={"c1": c1, "c2": c2})


@dtypes
def test_large_problems_take_no_matrix(dtype):
    """A state of three vectors: a hundred thousand variables are no more than that."""
    curvature = jnp.asarray(np.geomspace(1.0, 50.0, 100_000).astype(dtype))
    fun = lambda x: 0.5 * jnp.sum(curvature * jnp.square(x - 1.0))
    res = minimize(fun, np.zeros(100_000, dtype), method="CG", options={"gtol": 1e-3})
    assert bool(res.success)
    np.testing.assert_allclose(res.x, 1.0, atol=2e-3)


def test_a_badly_conditioned_quadratic_is_solved():
    A, b = spd(8, 1e4)
    res = minimize(quadratic, np.zeros(8), args=(A, b), method="CG", options={"gtol": 1e-8, "maxiter": 5000})
    assert bool(res.success)
    np.testing.assert_allclose(res.x, np.linalg.solve(A, b), atol=1e-6)
