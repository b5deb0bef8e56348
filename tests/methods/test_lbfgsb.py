"""L-BFGS-B's own mathematics: the memory, the box, the operator; its quality beside SciPy is in the slow tests."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, minimize, rosen
from jaxopt_lite._families.bounded import memory
from tests import tolerances
from tests.problems.bounded_variants import BOXED

RNG = np.random.default_rng(0)
each_method = pytest.mark.parametrize("method", ["L-BFGS-B", "TNC"])
BOX = Bounds(np.array([-2.0, -2.0, -2.0, 0.1]), np.array([0.5, 2.0, 0.5, 2.0]))


def quadratic(n, seed=0):
    """A convex quadratic: its matrix and its minimizer."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    return root @ root.T + np.eye(n), rng.normal(size=n)


def learnt(start, steps, free=None):
    """A memory after these steps (s, y), each learnt where all variables were free."""
    everything = None if free is None else np.ones_like(free)
    for s, y in steps:
        step = memory.Learnt(s, y, y, everything, everything, np.True_, np.False_)
        start, _ = memory.learn(start, step)
    return start


def test_two_loops_are_the_matrix_are_dense_bfgs():
    """Without scaling all three are the product of (1), applied to the same first matrix."""
    n, k = 5, 3
    A, _ = quadratic(n)
    steps = [(s, A @ s) for s in RNG.normal(size=(k, n))]
    pairs = learnt(memory.Pairs(*(jnp.zeros((4, n)),) * 2, *(jnp.zeros((), jnp.int32),) * 2), steps)
    s, y = steps[-1]
    dense = s @ y / (y @ y) * np.eye(n)
    for s, y in steps:
        rho = 1 / (s @ y)
        left = np.eye(n) - rho * np.outer(s, y)
        dense = left @ dense @ left.T + rho * np.outer(s, s)
    products = np.stack([memory.two_loops(pairs, jnp.asarray(e), None) for e in np.eye(n)], 1)
    np.testing.assert_allclose(products, dense, rtol=1e-10, atol=1e-12)


def test_matrix_satisfies_the_secant_equation_and_is_symmetric():
    n = 5
    A, _ = quadratic(n)
    steps = [(s, A @ s) for s in RNG.normal(size=(4, n))]
    H = np.asarray(learnt(memory.start(jnp.zeros(n), 10, False), steps).H)
    s, y = steps[-1]
    np.testing.assert_allclose(H @ y, s, rtol=1e-10)
    np.testing.assert_allclose(H, H.T, rtol=1e-10, atol=1e-14)
    assert np.all(np.linalg.eigvalsh(H) > 0)


def test_a_variable_that_becomes_held_is_eliminated_from_the_inverse():
    n = 4
    A, _ = quadratic(n)
    free = np.array([True, False, True, True])
    start = memory.Matrix(jnp.asarray(np.linalg.inv(A)), jnp.ones(n, bool), jnp.zeros((), bool))
    nothing = np.zeros(n)
    g = RNG.normal(size=n)
    step = memory.Learnt(nothing, nothing, g, free, free, np.False_, np.False_)
    after, p = memory.learn(start, step)
    inner = np.linalg.inv(A[np.ix_(free, free)])
    np.testing.assert_allclose(np.asarray(after.H)[np.ix_(free, free)], inner, rtol=1e-9)
    np.testing.assert_allclose(np.asarray(p)[free], -inner @ g[free], rtol=1e-9)
    assert p[1] == 0


def test_the_compact_form_is_the_two_loops():
    """In one lane and in many, before and after the memory is full."""
    n, m = 30, 4
    A, _ = quadratic(n)
    steps = [(s, A @ s) for s in RNG.normal(size=(7, n))]
    g = RNG.normal(size=n)

    def directions(S, Y):
        pairs, found = memory.start(jnp.zeros(n), m, False), []
        for s, y in zip(S, Y, strict=True):
            pairs, p = memory.learn(pairs, memory.Learnt(s, y, g, None, None, s[0] < 1e9, s[0] > 1e9))
            found.append((p, -memory.two_loops(pairs, jnp.asarray(g), None)))
        return found

    S, Y = (np.stack(rows) for rows in zip(*steps, strict=True))
    for p, wanted in directions(S, Y):
        np.testing.assert_allclose(p, wanted, rtol=1e-9, atol=1e-12)
    for p, wanted in jax.vmap(directions)(np.stack([S, -S]), np.stack([Y, -Y])):
        np.testing.assert_allclose(p, wanted, rtol=1e-9, atol=1e-12)


def test_pairs_in_one_lane_and_in_many_are_the_same():
    """A ring in the one, a shift in the other (`rows.py`)."""
    n, m, k = 6, 3, 5
    A, _ = quadratic(n)
    steps = [(s, A @ s) for s in RNG.normal(size=(k, n))]
    start = lambda: memory.Pairs(*(jnp.zeros((m, n)),) * 2, *(jnp.zeros((), jnp.int32),) * 2)
    v = RNG.normal(size=n)
    alone = learnt(start(), steps)

    def lane(S, Y):
        pairs = start()
        for s, y in zip(S, Y, strict=True):
            pairs, _ = memory.learn(pairs, memory.Learnt(s, y, y, None, None, s[0] < 1e9, s[0] > 1e9))
        return memory.two_loops(pairs, jnp.asarray(v), None), memory.ordered(pairs)

    S, Y = (np.stack(rows) for rows in zip(*steps, strict=True))
    product, ordered = jax.vmap(lane)(np.stack([S, S]), np.stack([Y, Y]))
    np.testing.assert_allclose(product[1], memory.two_loops(alone, jnp.asarray(v), None), rtol=1e-10)
    np.testing.assert_allclose(ordered.S[0], memory.ordered(alone).S)
    np.testing.assert_allclose(ordered.S[0], S[-m:])


@each_method
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_function_is_never_evaluated_outside(method, dtype):
    lower, upper = np.asarray(BOX.lb, dtype), np.asarray(BOX.ub, dtype)
    fun = lambda x: jnp.where(jnp.any((x < lower) | (x > upper)), jnp.nan, rosen(x))
    starts = RNG.uniform(-2, 2, (64, 4)).astype(dtype)
    res = jax.vmap(lambda x0: minimize(fun, x0, method=method, bounds=Bounds(lower, upper)))(starts)
    assert np.all(np.asarray(res.success))
    assert np.all((res.x >= lower[None]) & (res.x <= upper[None]))
    plain = jax.vmap(lambda x0: minimize(rosen, x0, method=method, bounds=Bounds(lower, upper)))(starts)
    np.testing.assert_array_equal(res.success, plain.success)
    if dtype == np.float64:  # in float32 the rounding of the other program may end a lane with 8 instead of 0
        np.testing.assert_array_equal(res.status, plain.status)


@each_method
def test_what_a_bound_holds_is_at_it_exactly_and_the_rest_is_stationary(method):
    starts = RNG.uniform(-2, 2, (64, 4))
    res = jax.vmap(lambda x0: minimize(rosen, x0, method=method, bounds=BOX))(starts)
    x, g = np.asarray(res.x), np.asarray(jax.vmap(jax.grad(rosen))(res.x))
    held = (x == BOX.lb) & (g > 0) | (x == BOX.ub) & (g < 0)
    assert np.max(np.abs(np.where(held, 0, g))) <= tolerances.gradient_asked(np.float64)
    assert held.any()


@each_method
def test_fixed_variables_stay_and_the_others_are_solved_for(method):
    A, centre = quadratic(5)
    fun = lambda x: 0.5 * (x - centre) @ jnp.asarray(A) @ (x - centre)
    fixed = np.array([True, False, False, True, False])
    x0 = np.arange(5.0)
    res = minimize(fun, x0, method=method, bounds=Bounds(np.where(fixed, x0, -np.inf), np.where(fixed, x0, np.inf)))
    wanted = x0.copy()
    coupling = A[np.ix_(~fixed, fixed)] @ (x0 - centre)[fixed]
    wanted[~fixed] = centre[~fixed] - np.linalg.solve(A[np.ix_(~fixed, ~fixed)], coupling)
    np.testing.assert_array_equal(np.asarray(res.x)[fixed], x0[fixed])
    np.testing.assert_allclose(res.x, wanted, atol=1e-4)


@each_method
def test_the_solution_does_not_depend_on_the_start(method):
    A, centre = quadratic(6, seed=3)
    fun = lambda x: 0.5 * (x - centre) @ jnp.asarray(A) @ (x - centre)
    box = Bounds(np.full(6, -0.3), np.full(6, 0.4))
    corners = np.where(RNG.uniform(size=(32, 6)) < 0.5, box.lb, box.ub)
    res = jax.vmap(lambda x0: minimize(fun, x0, method=method, bounds=box, options={"gtol": 1e-9}))(corners)
    assert np.all(np.asarray(res.success))
    np.testing.assert_allclose(res.x, np.broadcast_to(res.x[:1], res.x.shape), atol=1e-8)
    np.testing.assert_array_equal(res.x == 0.4, np.broadcast_to(res.x[:1] == 0.4, res.x.shape))


@each_method
def test_a_lane_of_a_batch_is_its_solo_run_in_a_box(method):
    starts = RNG.uniform(-2, 2, (16, 4))
    solve = jax.jit(lambda x0: minimize(rosen, x0, method=method, bounds=BOX, options={"lanes": 4, "turns_per_refill": 3}))
    batch = jax.jit(jax.vmap(solve))(starts)
    for i, x0 in enumerate(starts):
        alone = solve(x0)
        assert (alone.status, alone.nfev) == (batch.status[i], batch.nfev[i])
        np.testing.assert_allclose(alone.x, batch.x[i], atol=1e-8)


@each_method
def test_derivatives_in_a_box(method):
    """Held variables move with their bound alone, the others as the implicit function theorem says."""

    def solution(theta, upper):
        fun = lambda x: 0.5 * jnp.sum((x - theta) ** 2) + 0.25 * jnp.sum(x) ** 2
        return minimize(fun, jnp.zeros(3), method=method, bounds=Bounds(-np.inf, upper), options={"gtol": 1e-12}).x

    theta, upper = np.array([1.0, 2.0, -1.0]), np.array([9.0, 0.5, 9.0])
    by_theta, by_upper = jax.jacobian(solution, argnums=(0, 1))(theta, upper)
    for got, moved in ((by_theta, lambda e: solution(theta + e, upper)), (by_upper, lambda e: solution(theta, upper + e))):
        wanted = np.stack([(moved(1e-5 * e) - moved(-1e-5 * e)) / 2e-5 for e in np.eye(3)], 1)
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    np.testing.assert_array_equal(by_theta[1], 0.0)
    np.testing.assert_array_equal(by_upper[1], [0.0, 1.0, 0.0])


@each_method
def test_crossed_bounds_and_nan_of_one_lane_are_its_own(method):
    upper = np.array([[0.5, 0.5], [-2.0, 0.5], [np.nan, 0.5]])
    res = jax.vmap(lambda u: minimize(rosen, jnp.zeros(2), method=method, bounds=Bounds(-1.0, u)))(upper)
    np.testing.assert_array_equal(res.status, [0, 7, 7])


@each_method
@pytest.mark.parametrize(
    ("fun", "x0", "box", "wanted"),
    [
        (lambda x: -x[0], [1.0, 0.0], Bounds(-1.0, 1.0), [1.0, 0.0]),  # jaxopt#492
        (lambda x: jnp.sum(x), [5.0, 5.0], Bounds(0.0, np.inf), [0.0, 0.0]),
        (lambda x: jnp.sum((x - 3.0) ** 2), [9.0, -9.0], Bounds(np.array([-1.0, 4.0]), np.array([2.0, 6.0])), [2.0, 4.0]),
    ],
    ids=["linear from the bound", "linear to a corner", "start outside"],
)
def test_small_cases(method, fun, x0, box, wanted):
    res = minimize(fun, np.array(x0), method=method, bounds=box)
    np.testing.assert_array_equal(res.x, wanted)
    assert res.status == 0


@pytest.mark.parametrize("n", [3, 30])
def test_hess_inv_is_an_operator(n):
    res = minimize(rosen, np.full(n, 0.5), method="L-BFGS-B", bounds=Bounds(-2.0, np.where(np.arange(n) == 0, 0.7, 2.0)))
    dense = np.asarray(res.hess_inv.todense())
    v = RNG.normal(size=n)
    np.testing.assert_allclose(res.hess_inv @ v, dense @ v, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dense, dense.T, rtol=1e-9, atol=1e-12)
    assert res.hess_inv.shape == (n, n)
    np.testing.assert_array_equal(dense[0], 0.0)  # held by its bound
    batch = jax.vmap(lambda x0: minimize(rosen, x0, method="L-BFGS-B").hess_inv)(np.full((2, n), 0.5))
    assert batch.todense().shape == (2, n, n)
    products = jax.vmap(lambda H: H @ jnp.asarray(v))(batch)
    np.testing.assert_allclose(products[0], batch.todense()[0] @ v, rtol=1e-8, atol=1e-10)


def test_ftol_ends_a_run_without_calling_it_a_success():
    res = minimize(rosen, np.zeros(4), method="L-BFGS-B", options={"ftol": 0.5})
    assert (int(res.status), bool(res.success)) == (4, False)
    assert minimize(rosen, np.zeros(4), method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-4}).status == 0


def test_maxcor_limits_what_is_remembered():
    many, one = (minimize(rosen, np.zeros(30), method="L-BFGS-B", options={"maxcor": m}) for m in (10, 1))
    assert many.success
    assert one.success
    assert one.hess_inv.pairs.S.shape == (1, 30)
    assert many.nfev < one.nfev


FORMS = {
    "Bounds": Bounds(np.array([-1.0, -np.inf]), np.array([0.5, np.inf])),
    "SciPy's Bounds": scipy.optimize.Bounds([-1.0, -np.inf], [0.5, np.inf]),
    "pairs": [(-1.0, 0.5), (None, None)],
    "array": np.array([[-1.0, 0.5], [-np.inf, np.inf]]),
    "pairs of traced numbers": None,
}


@pytest.mark.parametrize("form", FORMS)
def test_bounds_of_every_form(form):
    if FORMS[form] is None:
        res = jax.jit(lambda u: minimize(rosen, np.zeros(2), bounds=[(-1.0, u), (None, None)]))(0.5)
    else:
        res = minimize(rosen, np.zeros(2), bounds=FORMS[form])
    np.testing.assert_allclose(res.x, [0.5, 0.25], atol=1e-4)
    assert res.x[0] == 0.5


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ([(0.0, 1.0)], "1 entries for x0 of 2"),
        ([(0.0, 1.0), (2.0,)], "entries for x0 of 2"),
        ([(0.0, 1.0), (2.0, 1.0)], "crossed"),
        ([(0.0, np.nan), (0.0, 1.0)], "NaN"),
        (np.zeros((3, 2)), r"\(3, 2\)"),
        (Bounds(np.zeros(3), np.ones(3)), "lower bound"),
        (3.0, "bounds is 3.0"),
    ],
    ids=str,
)
def test_wrong_bounds_raise(bounds, words):
    with pytest.raises(ValueError, match=words):
        minimize(rosen, np.zeros(2), bounds=bounds)


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_finite_differences_stay_inside(scheme):
    fun = lambda x: jnp.where(jnp.any((x < -1.0) | (x > 0.5)), jnp.nan, jnp.sum((x - 1.0) ** 4))
    res = minimize(fun, np.array([0.5, -1.0]), method="L-BFGS-B", jac=scheme, bounds=Bounds(-1.0, 0.5))
    np.testing.assert_array_equal(res.x, 0.5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@each_method
def test_problems_in_boxes_are_solved_as_by_scipy(method):
    worse = {}
    for boxed in BOXED:
        box = Bounds(boxed.lower, boxed.upper)
        res = minimize(boxed.problem.fun, boxed.x0, method=method, bounds=box, options={"maxiter": 15_000})
        assert np.all((res.x >= boxed.lower) & (res.x <= boxed.upper))
        if not float(res.fun) <= boxed.reference + 1e-5 * max(1.0, abs(boxed.reference)):
            worse[boxed.name] = (float(res.fun), boxed.reference, int(res.status))
    assert len(worse) <= 0.05 * len(BOXED), worse


@pytest.mark.parametrize("n", [2, 30])
def test_hess_inv_is_none_before_the_first_step(n):
    """A matrix, or pairs: the identity of the first direction is no estimate."""
    at_start = minimize(rosen, np.zeros(n), method="L-BFGS-B", options={"maxiter": 0})
    assert np.all(np.isnan(at_start.hess_inv.todense()))


def test_hess_inv_at_working_precision_is_that_of_the_free_variables():
    """In a box, where one of three variables is held; the gradient that is asked for is zero."""
    starts = np.random.default_rng(3).uniform(-2.0, 0.5, (40, 3)).astype(np.float32)
    box = Bounds(np.full(3, -3.0, np.float32), np.array([0.5, 3.0, 3.0], np.float32))
    solve = lambda x0: minimize(rosen, x0, method="L-BFGS-B", bounds=box, options={"gtol": 0.0})
    res = jax.tree.map(np.asarray, jax.vmap(solve)(starts))
    proved = res.status == 8
    assert proved.sum() > 10
    hessian = jax.jit(jax.hessian(rosen))
    for x, H in zip(res.x[proved], np.asarray(res.hess_inv.todense())[proved], strict=True):
        true = np.zeros((3, 3))
        true[1:, 1:] = np.linalg.inv(np.asarray(hessian(x.astype(float)))[1:, 1:])
        assert x[0] == 0.5
        assert np.linalg.norm(H - true) <= 1e-3 * np.linalg.norm(true)
