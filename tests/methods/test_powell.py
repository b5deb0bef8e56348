"""Powell's method: its searches and directions by hand, conjugacy, bounds, SciPy's run beside it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, Status, minimize, rosen, stepper
from tests.core.tolerance import DTYPES

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def search(fun, x0, tol=None, bounds=None, **options):
    return minimize(fun, x0, method="Powell", tol=tol, bounds=bounds, options=options)


@functools.cache
def machine(n=2, bounds=None):
    return stepper("Powell", bounds=None if bounds is None else Bounds(*map(np.array, bounds)))


def run(fun, x0, bounds=None):
    """All points of a run by hand, and its result."""
    opt = machine(len(x0), bounds)
    state, points = opt.init(np.array(x0)), []
    while not opt.done(state):
        points.append(np.asarray(opt.ask(state)))
        state = opt.tell(state, fun(points[-1]))
    return np.array(points), opt.result(state)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_search_is_a_step_a_walk_and_the_vertex_of_the_parabola():
    """Along the first axis the step of 1 is too long, and the walk goes the other way; along the second it goes on."""
    points, res = run(lambda x: (x[0] - 0.4) ** 2 + (x[1] - 3.0) ** 2, [0.0, 0.0])
    golden = 1.618034
    np.testing.assert_allclose(points[:4], [[0, 0], [1, 0], [-golden, 0], [0.4, 0]], atol=1e-12)
    np.testing.assert_allclose(points[4:6], [[0.4, 1], [0.4, 1 + golden]], atol=1e-12)
    np.testing.assert_allclose(points[6], [0.4, (1 + golden) * golden + 1], atol=1e-5)  # 1 + 1.618 + 1.618^2
    np.testing.assert_allclose(points[7], [0.4, 3.0], atol=1e-12)
    assert res.success
    np.testing.assert_allclose(res.x, [0.4, 3.0], atol=1e-6)


@pytest.mark.parametrize("n", [2, 4])
def test_a_quadratic_is_solved_in_some_n_sweeps(n):
    """Its directions become conjugate: (x - c)' A (x - c) with a condition of 100."""
    rng = np.random.default_rng(n)
    Q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    A, c = Q @ np.diag(np.geomspace(1.0, 100.0, n)) @ Q.T, rng.normal(size=n)
    _, res = run(lambda x: (x - c) @ A @ (x - c), np.zeros(n))
    assert res.success
    np.testing.assert_allclose(res.x, c, atol=1e-4)
    assert int(res.nit) <= 8 * n


def test_a_variable_without_effect_takes_few_evaluations():
    points, res = run(lambda x: (x[0] - 3.0) ** 2, [0.0, 0.0])
    assert res.success
    np.testing.assert_allclose(res.x[0], 3.0, atol=1e-6)
    assert len(points) < 60
    assert np.max(np.abs(points)) < 100


def test_first_directions_are_the_users():
    """One of them is the way to the minimum."""
    res = search(
        lambda x: 100.0 * (x[0] - x[1]) ** 2 + (x[0] + x[1] - 6.0) ** 2, np.zeros(2), direc=np.array([[1, 1], [1, -1]])
    )
    assert res.success
    np.testing.assert_allclose(res.x, 3.0, atol=1e-4)
    assert int(res.nit) <= 4
    assert res.direc.shape == (2, 2)


# --- beside SciPy -----------------------------------------------------------------------------------------------------


def test_scipys_documented_example():
    start = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
    ours = search(rosen, start, tol=1e-6)
    theirs = scipy.optimize.minimize(scipy.optimize.rosen, start, method="Powell", tol=1e-6)
    assert ours.success
    np.testing.assert_allclose(ours.x, 1.0, atol=1e-6)
    assert int(ours.nfev) <= 1.3 * theirs.nfev


KINDS = {
    "jump": lambda x: jnp.sum((x - 0.3) ** 2) + jnp.where(x[0] > 0.2, 1.0, 0.0),
    "kink along the axes": lambda x: jnp.sum(jnp.abs(x - 0.4)),
    "region without values": lambda x: jnp.sum(x - jnp.log(x)),
    "noise": lambda x: jnp.sum((x - 0.3) ** 2) + 1e-7 * jnp.sin(1e7 * x[0]),
    "no value anywhere": lambda x: jnp.nan * jnp.sum(x),
    "constant": lambda x: 0.0 * jnp.sum(x) + 3.0,
    "falls forever": lambda x: -jnp.exp(jnp.sum(x)),
}
ENDS = {  # statuses that are right, and the least value to be reached
    "jump": ((Status.NUMERICAL, Status.CONVERGED), 0.0101),
    "kink along the axes": ((Status.CONVERGED, Status.NUMERICAL), 1e-3),
    "region without values": ((Status.CONVERGED,), 2.0 + 1e-6),
    "noise": ((Status.CONVERGED, Status.PRECISION, Status.NUMERICAL), 1e-6),
    "no value anywhere": ((Status.NOT_FINITE,), np.inf),
    "constant": ((Status.NUMERICAL,), 3.0),
    "falls forever": ((Status.UNBOUNDED,), 0.0),
}


@functools.cache
def by_kind():
    fun = lambda x, which: jax.lax.switch(which, list(KINDS.values()), x)
    one = lambda which: minimize(fun, np.array([0.1, 0.2]), which, method="Powell", options={"maxfev": 5000})
    return jax.jit(jax.vmap(one))(np.arange(len(KINDS), dtype=np.int32))


@pytest.mark.parametrize("name", KINDS)
def test_functions_that_the_method_is_for_end_honestly(name):
    res = jax.tree.map(lambda a: np.asarray(a)[list(KINDS).index(name)], by_kind())
    statuses, least = ENDS[name]
    assert int(res.status) in statuses
    assert float(res.fun) <= least or not np.isfinite(least)


def test_a_start_on_a_saddle_is_no_minimum():
    """At (0, 0) the slope vanishes, and f rises along both axes: it falls along x0 = -x1."""
    res = search(lambda x: x[0] ** 2 + x[1] ** 2 + 3.0 * x[0] * x[1] + jnp.sum(x**4), np.zeros(2))
    assert not bool(res.success) or float(res.fun) < -0.01


# --- bounds, bad input ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [[2.0, 0.0, 0.2], [-0.5, 0.1, 0.2], [0.5, -5.0, 0.2]])
def test_bounds_are_never_left_and_are_reached(start):
    """From outside, from a corner and from a bound; a variable is fixed."""
    sides = ((-0.5, -np.inf, 0.2), (0.5, 0.1, 0.2))
    points, res = run(lambda x: np.sum((x - 0.7) ** 2), start, sides)
    assert np.all((points >= sides[0]) & (points <= sides[1]))
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, 0.1, 0.2], atol=1e-9)
    assert len(points) < 40


def test_directions_of_a_batch_are_traced_and_dependent_ones_are_bad_input():
    one = lambda s: search(rosen, np.zeros(2), direc=jnp.stack([jnp.array([1.0, 1.0]), jnp.stack([1.0 - s, 1.0 + s])]))
    res = jax.jit(jax.vmap(one))(np.array([1.0, 0.1, 0.0]))
    np.testing.assert_array_equal(res.status, [0, 0, Status.BAD_INPUT])
    np.testing.assert_allclose(res.x[:2], 1.0, atol=1e-4)


BAD = {
    "shape of the directions": ({"options": {"direc": np.zeros((3, 2))}}, ValueError, r"shape \(2, 2\)"),
    "a gradient": ({"jac": lambda x: x}, ValueError, "does not use it; leave it out"),
    "negative tolerance": ({"options": {"ftol": -1.0}}, ValueError, "a number >= 0"),
    "an option of another method": ({"options": {"xatol": 1.0}}, ValueError, "Did you mean 'xtol'"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_calls_raise_with_the_remedy(name):
    keywords, error, said = BAD[name]
    with pytest.raises(error, match=said):
        minimize(rosen, np.zeros(2), method="Powell", **keywords)
