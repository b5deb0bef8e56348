"""SLSQP: worked examples, degenerate constraints, infeasible problems, SciPy's beside it, derivatives, batches, float32."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, LinearConstraint, NonlinearConstraint, Status, minimize, stepper
from jaxopt_lite._needs import kkt_certificate
from jaxopt_lite._needs.constrained import Constrained
from jaxopt_lite.core import certificate
from tests.problems.hock_schittkowski import PROBLEMS

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
THREE = [
    {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2},
    {"type": "ineq", "fun": lambda x: -x[0] - 2 * x[1] + 6},
    {"type": "ineq", "fun": lambda x: -x[0] + 2 * x[1] + 2},
]


def near(dtype):
    """Error of x where the certificate proves the solution to working precision."""
    return 16 * float(np.finfo(dtype).eps) ** 0.5


def nearest(x):
    return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2


def stationarity(grad, jacobian, multipliers, x, lower=-np.inf, upper=np.inf):
    """The largest component of the Lagrangian's gradient that no bound holds, by NumPy."""
    slope = np.asarray(grad) + np.asarray(jacobian).T @ np.asarray(multipliers)
    held = ((x <= lower) & (slope > 0)) | ((x >= upper) & (slope < 0))
    return np.max(np.abs(np.where(held, 0.0, slope)))


# --- worked examples -----------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("bounds", [True, False], ids=["bounds", "a row x >= 0"])
def test_the_three_constraint_example(dtype, bounds):
    """(1.4, 1.7), by one active row with the multiplier 0.8; SLSQP is the method of constraints where none is named."""
    positive = {"bounds": [(0, None)] * 2} if bounds else {}
    rows = THREE if bounds else [*THREE, {"type": "ineq", "fun": lambda x: x}]
    res = minimize(nearest, np.array([2.0, 0.0], dtype), constraints=rows, **positive)
    assert res.success
    assert res.x.dtype == res.multipliers.dtype == dtype
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=near(dtype))
    np.testing.assert_allclose(res.multipliers, [-0.8] + [0.0] * (len(res.multipliers) - 1), atol=near(dtype))
    np.testing.assert_allclose(res.jac, [0.8, -1.6], atol=4 * near(dtype))
    assert res.maxcv <= near(dtype)


def seller(total, dtype=np.float64):
    rng = np.random.RandomState(10)
    prices = rng.random_sample(10)
    most = rng.randint(1, 4, 10) / prices
    start = (10 * rng.random_sample(10)).astype(dtype)
    sold = {"type": "eq", "fun": lambda x: jnp.sum(x) - total}
    weights = prices.astype(dtype)
    res = minimize(lambda x: -jnp.sum(weights * x), start, bounds=[(0, m) for m in most], constraints=sold)
    return res, most


@DTYPES
def test_the_share_seller(dtype):
    res, most = seller(15.0, dtype)
    assert res.success
    np.testing.assert_allclose(res.fun, -8.783020157, rtol=1e-9 if dtype == np.float64 else 1e-5)
    np.testing.assert_allclose(np.sum(res.x), 15, rtol=near(dtype))
    assert np.all(np.asarray(res.x) <= most.astype(dtype))
    assert np.all(res.x >= 0)
    np.testing.assert_allclose(res.x, [1.296, 0, 1.578, 4.006, 2.006, 3.483, 0, 2.630, 0, 0], atol=1e-3)


@DTYPES
def test_a_thousand_shares_cannot_be_sold(dtype):
    res, most = seller(1000.0, dtype)
    assert not res.success
    assert res.status == Status.INFEASIBLE
    assert np.all(np.isfinite(res.x))
    np.testing.assert_allclose(res.maxcv, 1000 - most.sum(), rtol=near(dtype))  # the least violation that there is


# --- degenerate constraints ----------------------------------------------------------------------------------------------


@DTYPES
def test_equations_that_repeat_one_another(dtype):
    rows = [{"type": "eq", "fun": lambda x: jnp.stack([x[0] + x[1] - 1, 2 * x[0] + 2 * x[1] - 2])}]
    res = minimize(lambda x: jnp.sum(x**2), np.array([3.0, -1.0], dtype), constraints=rows)
    assert res.success
    np.testing.assert_allclose(res.x, 0.5, atol=near(dtype))
    np.testing.assert_allclose(res.multipliers[0] + 2 * res.multipliers[1], -1, atol=8 * near(dtype))


def test_equations_whose_linearizations_contradict_one_another():
    """A circle, twice: away from it their tangents are parallel and apart."""
    r2 = lambda x: jnp.sum(x**2)
    rows = {"type": "eq", "fun": lambda x: jnp.stack([r2(x) - 1, r2(x) ** 2 - 1])}
    res = minimize(lambda x: x[0] + x[1], np.array([-2.0, -0.5]), constraints=rows)
    np.testing.assert_allclose(res.x, -(0.5**0.5), atol=1e-6)
    assert res.success


def test_gradients_that_depend_on_one_another_at_the_solution():
    """Three rows through one vertex of two variables."""
    rows = LinearConstraint([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 1.0, 2.0], np.inf)
    res = minimize(lambda x: jnp.sum(x**2), np.array([4.0, 2.0]), constraints=rows)
    assert res.success
    np.testing.assert_allclose(res.x, 1.0, atol=1e-8)
    assert np.all(np.asarray(res.multipliers) <= 1e-12)
    slope = 2 * np.asarray(res.x) + np.array([[1.0, 0, 1], [0, 1, 1]]) @ np.asarray(res.multipliers)
    np.testing.assert_allclose(slope, 0, atol=1e-8)


def test_a_start_on_a_constraint():
    res = minimize(nearest, np.array([2.0, 2.0]), constraints=THREE)  # on two of them
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-8)


@DTYPES
def test_no_linearization_is_feasible(dtype):
    """x0^2 = -1: at each point but 0 there is a step, and nowhere a solution."""
    res = minimize(
        lambda x: x[1] ** 2, np.array([3.0, 1.0], dtype), constraints={"type": "eq", "fun": lambda x: x[0] ** 2 + 1}
    )
    assert res.status == Status.INFEASIBLE
    np.testing.assert_allclose(res.maxcv, 1, atol=1e-2)
    assert np.all(np.isfinite(res.x))


def test_rows_that_contradict_one_another():
    rows = [{"type": "ineq", "fun": lambda x: x[0] - 1}, {"type": "ineq", "fun": lambda x: -1 - x[0]}]
    res = minimize(lambda x: jnp.sum(x**2), np.array([5.0, 2.0]), constraints=rows)
    assert res.status == Status.INFEASIBLE
    x = res.x[0]
    np.testing.assert_allclose(max(1 - x, 0) + max(1 + x, 0), 2, atol=1e-6)  # the least sum of violations


@DTYPES
def test_discs_that_do_not_meet(dtype):
    """In float32 the slope of f beside the prices of the rows looks like a way out, but their curvature allows none."""
    apart = {"type": "ineq", "fun": lambda x: jnp.stack([1 - jnp.sum(x**2), 1 - (x[0] - 3) ** 2 - x[1] ** 2])}
    res = minimize(lambda x: jnp.sum((x - 3) ** 2), np.array([0.0, 1.0], dtype), constraints=apart)
    assert res.status == Status.INFEASIBLE
    np.testing.assert_allclose(res.maxcv, 1.25, atol=1e-4 if dtype == np.float64 else 1e-2)


def test_a_move_to_the_bounds_may_satisfy_what_a_short_one_does_not():
    """Hock-Schittkowski 74 and 75 in float32, from zero, where x has no length of its own: they were called infeasible."""
    for name in ("hs74", "hs75"):
        (problem,) = (p for p in PROBLEMS if p.name == name)
        low, high = (np.asarray(side, np.float32) for side in problem.box)
        rows = [{"type": "eq", "fun": problem.equal}, {"type": "ineq", "fun": problem.above}]
        x0 = np.asarray(problem.x0, np.float32)
        res = minimize(problem.fun, x0, bounds=Bounds(low, high), constraints=rows, options={"maxiter": 500})
        assert res.status != Status.INFEASIBLE


def test_equations_that_are_but_nearly_dependent_do_not_contradict_one_another():
    """Found by the audit: gradients that differ by 4e-6, and three inequalities; the rows have a common point."""
    C = np.array(
        [
            [0.688897227749259, -0.94030845638376, -0.1158989830643408, -0.22106076006345918],
            [0.688901528628227, -0.9403093036027772, -0.11589969821627034, -0.22106278299937646],
            [-0.5360780656157513, -1.9786620319946406, 0.21384097434311028, -0.4701929654414451],
            [-0.5799379312998751, 0.4489502314883986, -1.047210071942561, 0.5693522261600849],
            [0.28258413471202215, 0.6847032254024356, -1.3868277734506491, 0.6807439421642877],
        ]
    )
    side = np.array([0.29491086675032196, 0.2949092439046005, 1.0886129618541696, -1.3134631742148408, -1.8304385872763327])
    common = [0.07473176804848483, -0.5981093726328377, 1.3547812334653138, 0.7326545639865976]
    np.testing.assert_allclose((C @ common - side)[:2], 0.0, atol=1e-15)
    assert np.all((C @ common - side)[2:] >= -1e-15)
    factor = np.array(
        [
            [-0.3144624916839699, 0.24351704751727168, 0.8519234657829541, 0.7486075170118653],
            [0.41285944509129224, -0.6858987756356675, -0.03458039197292454, 0.4141145608106758],
            [0.4370563875379842, 1.1980419730067442, -0.45647990499329144, 0.05886316838102351],
            [1.060539281472576, -0.8972985048260959, -1.0302761531180098, -1.1787623837820425],
        ]
    )
    aim = np.array([1.4269659666000432, 1.880380782089191, -1.4423989145312577, 0.6619193681315978])
    x0 = np.array([0.07726618305783092, -0.5971185458319482, 1.3575421632807647, 0.7342152911199097])
    top = np.where(np.arange(5) < 2, 0.0, np.inf)
    rows = NonlinearConstraint(lambda x: C @ x - side, np.zeros(5), top)
    fun = lambda x: jnp.sum((factor @ x - aim) ** 2)
    solve = lambda ftol: minimize(fun, x0, method="SLSQP", constraints=rows, options={"ftol": ftol})
    res = jax.vmap(solve)(np.array([4.3561e-9, 1e-6]))
    assert not np.any(res.status == Status.INFEASIBLE)


@DTYPES
@pytest.mark.parametrize("constrained", [False, True], ids=["free", "under rows"])
def test_the_certificate_is_derived_and_no_error_of_ours_is_taken_for_a_function_without_derivatives(
    constrained, dtype, monkeypatch
):
    """Of such a function the method's own word would be taken; so of all, if the certificate could not be traced."""
    monkeypatch.setattr(certificate, "NOT_DERIVED", ())
    rows = THREE if constrained else ()
    solve = lambda x0: minimize(nearest, x0, method="SLSQP", bounds=[(0.0, 9.0)] * 2, constraints=rows)
    assert jax.jit(solve)(np.array([2.0, 0.0], dtype)).success


@DTYPES
@pytest.mark.parametrize("given", [-1.0, -3.0], ids=["true multiplier", "a multiplier that pushes to the bound"])
def test_a_bound_that_the_corrected_multipliers_leave_is_no_solution(dtype, given):
    """x0 + 2 x1 on x0 + x1 = 2, x1 <= 1: (1, 1) is no minimum. With y = -3 the bound seemed to hold x1; y is -1."""
    row = lambda *numbers: jnp.array(numbers, dtype)
    x, grad, A = row(1.0, 1.0), row(1.0, 2.0), row(1.0, 1.0)[None]
    at = Constrained(fun=row(3.0)[0], grad=grad, constraints=row(2.0), jacobian=A)
    data = SimpleNamespace(ftol=dtype(1e-6), lower=row(-9.0, -9.0), upper=row(9.0, 1.0))
    sides = SimpleNamespace(more=SimpleNamespace(lower=row(2.0), upper=row(2.0)))
    operands = SimpleNamespace(data=data, function=sides, x0=row(0.0, 0.0))
    oracle = SimpleNamespace(more=SimpleNamespace(p=1))
    found = kkt_certificate._judged(oracle, x, row(given), at, jnp.zeros((2, 2), dtype), operands)
    assert not found.asked
    assert not found.resolved
    at = at._replace(grad=row(1.0, 0.5))  # now it is one
    assert kkt_certificate._judged(oracle, x, row(given), at, jnp.zeros((2, 2), dtype), operands).asked


@DTYPES
def test_what_nobody_could_look_at_is_no_success(dtype):
    """Where the budget leaves no evaluation to the certificate, the method's own word is not enough."""
    rows = NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, 1.0, 1.0)
    fun, x0 = lambda x: jnp.exp(x[0]) + x[1], jnp.array([-2.0, 1.5], dtype)
    solve = lambda most: minimize(fun, x0, method="SLSQP", constraints=rows, options={"maxfev": most})
    res = jax.vmap(solve)(np.arange(1, 31))
    whole = int(res.nfev[-1])
    assert whole < 30
    np.testing.assert_array_equal(res.success, np.arange(1, 31) >= whole)
    assert np.all(res.status[: whole - 1] == Status.BUDGET)


def test_bounds_that_meet_fix_a_variable():
    res = minimize(nearest, np.zeros(2), bounds=Bounds([0.5, -np.inf], [0.5, np.inf]), constraints=THREE)
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, 1.25], atol=1e-8)
    assert res.x[0] == 0.5


def test_a_constraint_is_never_evaluated_outside_of_the_bounds():
    """x^2.5 is not a number there; the start lies outside too."""
    row = {"type": "ineq", "fun": lambda x: x[0] ** 2.5 + jnp.log(x[1]) - 0.5}
    fun = lambda x: x[0] + 0.1 * x[1] ** 2
    res = minimize(fun, np.array([-3.0, 9.0]), bounds=[(0.0, 4.0), (1.0, 5.0)], constraints=row)
    assert res.success
    assert res.maxcv <= 1e-8
    grid = np.stack(np.meshgrid(np.linspace(0, 4, 401), np.linspace(1, 5, 401)))
    inside = grid[0] ** 2.5 + np.log(grid[1]) >= 0.5
    assert res.fun <= np.min(np.where(inside, grid[0] + 0.1 * grid[1] ** 2, np.inf)) + 1e-9


def test_a_start_that_is_not_a_number():
    res = minimize(nearest, np.array([np.nan, 0.0]), constraints=THREE)
    assert res.status == Status.NOT_FINITE
    res = minimize(nearest, np.array([-1.0, 0.0]), constraints={"type": "ineq", "fun": lambda x: jnp.log(x[0])})
    assert res.status == Status.NOT_FINITE
    assert "the value of the constraint is nan" in res.message


def test_crossed_sides_are_bad_input_of_a_lane():
    top = jnp.array([0.0, 2.0])
    one = lambda top: minimize(nearest, np.zeros(2), constraints=NonlinearConstraint(lambda x: x[0], 1.0, top)).status
    np.testing.assert_array_equal(jax.vmap(one)(top), [Status.BAD_INPUT, Status.CONVERGED])


# --- equations -----------------------------------------------------------------------------------------------------------


@DTYPES
def test_linear_equations_alone(dtype):
    """The nearest point of a plane, in closed form."""
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(2, 5)).astype(dtype), rng.normal(size=2).astype(dtype)
    res = minimize(lambda x: jnp.sum(x**2), np.ones(5, dtype), constraints=LinearConstraint(A, b, b))
    assert res.success
    np.testing.assert_allclose(res.x, np.linalg.pinv(A) @ b, atol=8 * near(dtype))
    np.testing.assert_allclose(res.multipliers, -2 * np.linalg.solve(A @ A.T, b), atol=32 * near(dtype))


@DTYPES
def test_a_nonlinear_equation(dtype):
    """The point of the unit sphere that is farthest along (1, 2, 2)."""
    row = {"type": "eq", "fun": lambda x: jnp.sum(x**2) - 1}
    res = minimize(lambda x: -x[0] - 2 * x[1] - 2 * x[2], np.array([1.0, 0.0, 0.3], dtype), constraints=row)
    assert res.success
    np.testing.assert_allclose(res.x, [1 / 3, 2 / 3, 2 / 3], atol=near(dtype))
    np.testing.assert_allclose(res.multipliers, 1.5, atol=8 * near(dtype))


def test_a_saddle_on_the_constraint_is_no_success():
    """The start is the farthest point of the circle: all first-order conditions hold there."""
    row = {"type": "eq", "fun": lambda x: jnp.sum(x**2) - 1}
    res = minimize(lambda x: x[0], np.array([1.0, 0.0]), constraints=row)
    assert not res.success or res.x[0] < -0.99


# --- SciPy's beside it ---------------------------------------------------------------------------------------------------


def test_as_low_as_scipys_on_random_problems():
    """Convex quadratics, two curved inequalities and an equation, in a box."""
    n, lanes = 4, 12
    rng = np.random.default_rng(3)
    M, q, a = rng.normal(size=(lanes, n, n)), rng.normal(size=(lanes, n)), rng.normal(size=(lanes, n))
    bounds = [(-1.5, 1.5)] * n

    def problem(M, q, a):
        fun = lambda x: jnp.sum((M @ x) ** 2) + jnp.sum(q * x) + 0.1 * jnp.sum(x**4)
        return fun, [
            {"type": "ineq", "fun": lambda x: jnp.stack([2 - jnp.sum(x**2), jnp.exp(x[0]) + x[1] - 0.2])},
            {"type": "eq", "fun": lambda x: jnp.sum(a * x) - 0.3},
        ]

    def one(M, q, a):
        fun, rows = problem(M, q, a)
        return minimize(fun, jnp.full(n, 0.1), bounds=bounds, constraints=rows)

    res = jax.vmap(one)(M, q, a)
    assert np.all(res.success)
    assert np.all(np.asarray(res.maxcv) <= 1e-8)
    for k in range(lanes):
        fun, rows = problem(M[k], q[k], a[k])
        his = scipy.optimize.minimize(
            jax.jit(fun), np.full(n, 0.1), jac=jax.jit(jax.grad(fun)), bounds=bounds, constraints=rows, method="SLSQP",
            options={"ftol": 1e-12},
        )  # fmt: skip
        assert res.fun[k] <= his.fun + 1e-7 * (1 + abs(his.fun))
        jacobian = jnp.concatenate([jax.jacobian(rows[1]["fun"])(res.x[k])[None], jax.jacobian(rows[0]["fun"])(res.x[k])])
        x = np.asarray(res.x[k])
        assert stationarity(res.jac[k], jacobian, res.multipliers[k], x, -1.5, 1.5) <= 1e-6


def test_without_constraints_it_is_a_quasi_newton_method():
    res = minimize(lambda x: jnp.sum((x - 2) ** 4) + jnp.sum(x**2), np.zeros(3), method="SLSQP")
    assert res.success
    assert res.multipliers.shape == (0,)
    np.testing.assert_allclose(4 * (res.x - 2) ** 3 + 2 * res.x, 0, atol=1e-6)


def test_finite_differences_have_the_methods_own_word():
    res = minimize(nearest, np.array([2.0, 0.0]), jac="2-point", constraints=THREE, bounds=[(0, None)] * 2)
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-5)


# --- derivatives and batches ---------------------------------------------------------------------------------------------


def tilted(theta):
    """A curved problem with an equation, an active inequality and an active bound, all of which theta moves."""
    fun = lambda x: (x[0] - theta) ** 2 + (x[1] - 2) ** 2 + jnp.exp(0.3 * x[2]) + x[3] ** 2
    rows = [
        {"type": "eq", "fun": lambda x: x[0] + x[2] ** 2 + x[3] - 2 * theta},
        {"type": "ineq", "fun": lambda x: theta**2 - x[1] ** 2},
    ]
    upper = jnp.stack([jnp.inf, jnp.inf, 0.5 * theta, jnp.inf])
    res = minimize(fun, jnp.ones(4), bounds=Bounds(-jnp.inf, upper), constraints=rows)
    return res, lambda x, t: (
        (x[0] - t) ** 2 + (x[1] - 2) ** 2 + jnp.exp(0.3 * x[2]) + x[3] ** 2,
        jnp.stack([x[0] + x[2] ** 2 + x[3] - 2 * t, t**2 - x[1] ** 2]),
    )


def test_derivatives_of_x_of_the_multipliers_and_of_fun():
    solved = jax.jit(lambda t: (tilted(t)[0].x, tilted(t)[0].multipliers, tilted(t)[0].fun))
    theta, h = 0.8, 1e-5
    res, lagrangian = tilted(theta)
    assert res.success
    np.testing.assert_allclose(res.x[1], theta, atol=1e-8)
    np.testing.assert_allclose(res.x[2], theta / 2, atol=1e-8)
    differences = [(up - down) / (2 * h) for up, down in zip(solved(theta + h), solved(theta - h), strict=True)]
    for mode in (jax.jacfwd, jax.jacrev):
        for found, wanted in zip(mode(solved)(theta), differences, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    value = lambda t: jnp.sum(jnp.concatenate([jnp.ones(1), res.multipliers]) * jnp.hstack(lagrangian(res.x, t)))
    grad, jacobian = jax.jacobian(lambda x: lagrangian(x, theta))(res.x)
    z = grad + jacobian.T @ res.multipliers  # of the bound, which moves by theta / 2
    np.testing.assert_allclose(jax.grad(lambda t: solved(t)[2])(theta), jax.grad(value)(theta) + 0.5 * z[2], rtol=1e-6)


@DTYPES
def test_a_batch_is_its_lanes(dtype):
    rng = np.random.default_rng(1)
    at = rng.uniform(0.5, 3, (40, 2)).astype(dtype)
    one = lambda a: minimize(lambda x: jnp.sum((x - a) ** 2), np.array([2.0, 0.0], dtype), constraints=THREE)
    many = jax.vmap(one)(at)
    assert np.all(many.success)
    for k in range(0, 40, 13):
        np.testing.assert_allclose(many.x[k], one(at[k]).x, atol=near(dtype))
    A, b = np.array([[-1.0, 2.0], [1.0, 2.0], [1.0, -2.0]]), np.array([2.0, 6.0, 2.0])
    assert np.all(np.asarray(many.x) @ A.T.astype(dtype) <= b.astype(dtype) + near(dtype))


def test_by_hand_with_sides_that_are_given():
    """SciPy's problem in NumPy: the rows and their Jacobian are told, and the sides are the stepper's."""
    A, lb = np.array([[1.0, -2.0], [-1.0, -2.0], [-1.0, 2.0]]), np.array([-2.0, -6.0, -2.0])
    opt = stepper("SLSQP", bounds=[(0, None)] * 2, constraints=(lb, np.full(3, np.inf)))
    state = opt.init(np.array([2.0, 0.0]))
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        rows = A @ x
        off = x - [1.0, 2.5]
        state = opt.tell(state, off @ off, 2 * off, rows, A, np.max(np.maximum(lb - rows, 0.0)))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "sides", "error", "sentence"),
    [
        ("BFGS", ([0.0], [1.0]), ValueError, "'BFGS' takes none"),
        ("SLSQP", 3.0, TypeError, r"pair \(lb, ub\)"),
        ("SLSQP", ([0.0, 0.0], [1.0]), ValueError, "one length"),
        ("SLSQP", ([0.0, 2.0], [1.0, 1.0]), ValueError, "row 1"),
        ("SLSQP", ([0.0, 2.0], [1.0, 2.0]), ValueError, "row 1 is an equality and follows"),
    ],
)
def test_sides_that_are_none_are_named(method, sides, error, sentence):
    with pytest.raises(error, match=sentence):
        stepper(method, constraints=sides).init(np.zeros(2))
