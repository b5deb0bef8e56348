"""Nelder-Mead: its moves by hand, its order of equal values, its restarts, its known stalls, SciPy's run beside it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, Status, minimize, rosen, stepper
from tests.core.tolerance import DTYPES

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
TRIANGLE = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def search(fun, x0, tol=None, bounds=None, **options):
    return minimize(fun, x0, method="Nelder-Mead", tol=tol, bounds=bounds, options=options)


@functools.cache
def triangles(adaptive=False):
    return stepper("Nelder-Mead", options={"initial_simplex": TRIANGLE, "adaptive": adaptive})


def told(values, adaptive=False):
    """The points that are asked for when these values are told, and the point after them; the last state."""
    opt = triangles(adaptive)
    state, points = opt.init(np.zeros(2)), []
    for value in values:
        points.append(np.asarray(opt.ask(state)))
        state = opt.tell(state, value)
    return [*points, np.asarray(opt.ask(state))], state


# --- by hand ----------------------------------------------------------------------------------------------------------


MOVES = {
    # values told (the first three at the triangle), and the point that follows
    "reflection": ([1.0, 2.0, 3.0], [1.0, -1.0]),
    "expansion": ([1.0, 2.0, 3.0, 0.5], [1.5, -2.0]),
    "a good expansion is kept": ([1.0, 2.0, 3.0, 0.5, 0.4], [0.5, -2.0]),
    "a poor expansion is not": ([1.0, 2.0, 3.0, 0.5, 0.5], [0.0, -1.0]),
    "an accepted reflection": ([1.0, 2.0, 3.0, 1.5], [0.0, -1.0]),
    "outside": ([1.0, 2.0, 3.0, 2.5], [0.75, -0.5]),
    "inside": ([1.0, 2.0, 3.0, 3.5], [0.25, 0.5]),
    "outside is kept where no worse than the reflection": ([1.0, 2.0, 3.0, 2.5, 2.5], [0.25, 0.5]),
    "inside is kept where better than the worst": ([1.0, 2.0, 3.0, 3.5, 2.9], [0.75, -0.5]),
    "shrink after outside": ([1.0, 2.0, 3.0, 2.5, 2.6], [0.5, 0.0]),
    "shrink after inside": ([1.0, 2.0, 3.0, 3.5, 3.0], [0.5, 0.0]),
    "a shrink fills in all but the best": ([1.0, 2.0, 3.0, 3.5, 3.0, 9.0], [0.0, 0.5]),
    # ties (Lagarias et al., section 2): a new vertex goes behind its equals
    "no expansion where equal to the best": ([1.0, 2.0, 3.0, 1.0], [0.0, -1.0]),
    "no acceptance where equal to the second worst": ([1.0, 2.0, 3.0, 2.0], [0.75, -0.5]),
    "inside where equal to the worst": ([1.0, 2.0, 3.0, 3.0], [0.25, 0.5]),
    "of three equal vertices the last is the worst": ([1.0, 1.0, 1.0], [1.0, -1.0]),
    "what is not finite is the worst": ([np.nan, 2.0, 3.0], [1.0, 1.0]),
    "infinite too": ([1.0, np.inf, 3.0], [-1.0, 1.0]),
}


@pytest.mark.parametrize("name", MOVES)
def test_the_next_point_is_that_by_hand(name):
    values, wanted = MOVES[name]
    points, _ = told(values)
    np.testing.assert_allclose(points[:3], TRIANGLE[: len(points[:3])])
    np.testing.assert_allclose(points[-1], wanted, rtol=0, atol=1e-15)


def test_after_a_shrink_equal_values_leave_the_best_vertex_first():
    points, state = told([1.0, 2.0, 3.0, 3.5, 3.0, 1.0, 1.0])
    simplex, values = triangles().result(state).final_simplex
    np.testing.assert_array_equal(simplex, [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]])
    np.testing.assert_array_equal(values, 1.0)
    np.testing.assert_allclose(points[-1], [0.5, -0.5])


def test_vertices_that_are_not_evaluated_yet_are_infinite():
    _, state = told([1.0, 2.0, 3.0, 3.5, 3.0, 9.0])
    simplex, values = triangles().result(state).final_simplex
    np.testing.assert_array_equal(values, [1.0, 9.0, np.inf])
    np.testing.assert_array_equal(simplex[2], [0.0, 0.5])


def test_adaptive_coefficients_are_those_of_gao_and_han():
    """n = 2: all but the shrink are as usual; n = 4: chi 1.5, psi 0.625, sigma 0.75."""
    opt = stepper(
        "Nelder-Mead", options={"adaptive": True, "initial_simplex": np.concatenate([np.zeros((1, 4)), np.eye(4)])}
    )

    def after(values):
        state = opt.init(np.zeros(4))
        for value in values:
            state = opt.tell(state, float(value))
        return np.asarray(opt.ask(state))

    center, worst = np.array([0.25, 0.25, 0.25, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
    first = [1, 2, 3, 4, 5]
    np.testing.assert_allclose(after(first), 2 * center - worst)
    np.testing.assert_allclose(after([*first, 0]), center + 1.5 * (center - worst))
    np.testing.assert_allclose(after([*first, 4.5]), center + 0.625 * (center - worst))
    np.testing.assert_allclose(after([*first, 6]), center - 0.625 * (center - worst))
    np.testing.assert_allclose(after([*first, 6, 6]), [0.75, 0, 0, 0])


# --- beside SciPy -----------------------------------------------------------------------------------------------------


def test_points_are_scipys_until_it_ends():
    """The least value of the first so many evaluations, of two starts, plain, adaptive and in a box."""
    starts = np.array([[-1.2, 1.0, 0.5], [0.0, 0.5, -1.0]])
    budgets = np.arange(4, 160, 13)
    box = [(-1.5, 1.1), (None, 0.9), (-2.0, 2.0)]
    for adaptive, bounds in ((False, None), (True, None), (False, box)):
        one = lambda x0, most, a=adaptive, b=bounds: search(rosen, x0, bounds=b, adaptive=a, maxfev=most)
        ours = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(starts, budgets)
        inside = np.clip(starts, *np.array([(-1.5, 1.1), (-9, 0.9), (-2, 2)]).T) if bounds else starts
        for i, start in enumerate(inside):
            values = []
            scipy.optimize.minimize(
                lambda x, seen=values: seen.append(scipy.optimize.rosen(x)) or seen[-1],
                start,
                method="Nelder-Mead",
                bounds=bounds,
                options={"maxfev": int(budgets[-1]), "adaptive": adaptive, "xatol": 0, "fatol": 0},
            )
            least = np.minimum.accumulate(values)[budgets - 1]
            cut = np.asarray(ours.status[i]) == Status.BUDGET
            assert cut.sum() >= 6
            np.testing.assert_allclose(ours.fun[i][cut], least[cut], rtol=1e-9)


def test_scipys_documented_example():
    start = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
    ours = search(rosen, start, tol=1e-6)
    theirs = scipy.optimize.minimize(scipy.optimize.rosen, start, method="Nelder-Mead", tol=1e-6)
    assert ours.success
    np.testing.assert_allclose(ours.x, 1.0, atol=4e-6)
    assert int(ours.nfev) <= 1.3 * theirs.nfev


# --- restarts, stalls -------------------------------------------------------------------------------------------------


def mckinnon(x):
    """McKinnon's function with tau = 2, theta = 6, phi = 60: strictly convex, its minimum -1/4 at (0, -1/2)."""
    left = 360.0 * x[0] ** 2
    return jnp.where(x[0] <= 0, left, 6.0 * x[0] ** 2) + x[1] + x[1] ** 2


def test_mckinnons_simplex_does_not_end_at_the_origin():
    """The simplex shrinks onto (0, 0), where SciPy claims a minimum."""
    r = 33.0**0.5
    simplex = np.array([[0.0, 0.0], [(1 + r) / 8, (1 - r) / 8], [1.0, 1.0]])
    theirs = scipy.optimize.minimize(
        lambda x: float(mckinnon(x)), np.zeros(2), method="Nelder-Mead", options={"initial_simplex": simplex}
    )
    assert theirs.success
    assert abs(theirs.fun) < 1e-3
    opt = stepper("Nelder-Mead", options={"initial_simplex": simplex})  # from values alone: the restart finds it
    state, host = opt.init(np.zeros(2)), jax.jit(mckinnon)
    while not opt.done(state):
        state = opt.tell(state, host(opt.ask(state)))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [0.0, -0.5], atol=1e-3)
    res = search(mckinnon, np.zeros(2), initial_simplex=simplex)
    assert res.success
    np.testing.assert_allclose(res.x, [0.0, -0.5], atol=1e-4)


KINDS = {
    "jump": lambda x: jnp.sum((x - 0.3) ** 2) + jnp.where(x[0] > 0.2, 1.0, 0.0),  # the least value is at the jump
    "steps": lambda x: jnp.sum(jnp.floor(4.0 * jnp.abs(x - 0.7))),
    "kink": lambda x: 3.0 * jnp.abs(x[0] + x[1] - 1.0) + jnp.sum((x - 0.5) ** 2),
    "region without values": lambda x: jnp.sum(x - jnp.log(x)),
    "noise": lambda x: jnp.sum((x - 0.3) ** 2) + 1e-7 * jnp.sin(1e7 * x[0]),
    "no value anywhere": lambda x: jnp.nan * jnp.sum(x),
    "constant": lambda x: 0.0 * jnp.sum(x) + 3.0,
    "falls forever": lambda x: -jnp.exp(jnp.sum(x)),
}
ENDS = {  # statuses that are right, and the least value to be reached
    "jump": ((Status.NUMERICAL, Status.CONVERGED), 0.0101),
    "steps": ((Status.CONVERGED, Status.NUMERICAL), 3.0),  # level where it ends: no point near is lower
    "kink": ((Status.CONVERGED,), 1e-4),
    "region without values": ((Status.CONVERGED,), 2.0 + 1e-6),
    "noise": ((Status.CONVERGED, Status.PRECISION), 1e-6),
    "no value anywhere": ((Status.NOT_FINITE,), np.inf),
    "constant": ((Status.NUMERICAL,), 3.0),
    "falls forever": ((Status.UNBOUNDED,), 0.0),
}


@functools.cache
def by_kind():
    """All kinds in one batch, with none of their lanes in the way of another."""
    fun = lambda x, which: jax.lax.switch(which, list(KINDS.values()), x)
    one = lambda which: minimize(fun, np.array([0.1, 0.2]), which, method="Nelder-Mead")
    return jax.jit(jax.vmap(one))(np.arange(len(KINDS), dtype=np.int32))


@pytest.mark.parametrize("name", KINDS)
def test_functions_that_the_method_is_for_end_honestly(name):
    res = jax.tree.map(lambda a: np.asarray(a)[list(KINDS).index(name)], by_kind())
    statuses, least = ENDS[name]
    assert int(res.status) in statuses
    assert float(res.fun) <= least or not np.isfinite(least)


# --- bounds, bad input ------------------------------------------------------------------------------------------------


def test_bounds_are_never_left_and_are_reached():
    box = Bounds([-0.5, -np.inf, 0.2], [0.5, 0.1, 0.2])
    opt = stepper("Nelder-Mead", bounds=box)
    state = opt.init(np.array([2.0, 0.0, 0.2]))
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        assert np.all((x >= box.lb) & (x <= box.ub))
        state = opt.tell(state, np.sum((x - 0.7) ** 2))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, 0.1, 0.2], atol=1e-4)


def test_simplices_of_a_batch_are_traced_and_a_flat_one_is_bad_input():
    scales = np.array([1.0, 1e-3, 0.0])
    one = lambda s: search(rosen, np.zeros(2), initial_simplex=TRIANGLE * jnp.stack([s, jnp.ones_like(s)])[None])
    res = jax.jit(jax.vmap(one))(scales)
    np.testing.assert_array_equal(res.status, [0, 0, Status.BAD_INPUT])
    np.testing.assert_allclose(res.x[:2], 1.0, atol=1e-3)


BAD = {
    "shape of the simplex": ({"options": {"initial_simplex": np.zeros((2, 2))}}, ValueError, r"shape \(3, 2\)"),
    "a gradient": ({"jac": lambda x: x}, ValueError, "does not use it; leave it out"),
    "negative tolerance": ({"options": {"xatol": -1.0}}, ValueError, "a number >= 0"),
    "an option of another method": ({"options": {"gtol": 1.0}}, ValueError, "Known options: .*xatol"),
    "constraints": ({"constraints": {"type": "eq", "fun": rosen}}, ValueError, "cannot handle constraints"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_calls_raise_with_the_remedy(name):
    keywords, error, said = BAD[name]
    with pytest.raises(error, match=said):
        minimize(rosen, np.zeros(2), method="Nelder-Mead", **keywords)


def test_an_integer_start_is_one_of_floats():
    """SciPy once moved such a simplex in integers; here the door promotes, as for all methods."""
    res = search(lambda x: jnp.sum((x - 0.5) ** 2), np.array([3, 4]))
    assert res.success
    np.testing.assert_allclose(res.x, 0.5, atol=1e-4)
