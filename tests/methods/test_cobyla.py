"""COBYLA: its step beside SciPy's, worked examples in all forms of constraints, SciPy's run, ends, refusals, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, LinearConstraint, NonlinearConstraint, Status, minimize, stepper
from jaxopt_lite._families.constrained import ball

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
A, LOW = np.array([[1.0, -2.0], [-1.0, -2.0], [-1.0, 2.0]]), np.array([-2.0, -6.0, -2.0])
THREE = [{"type": "ineq", "fun": lambda x, i=i: jnp.sum(A[i].astype(x.dtype) * x) - x.dtype.type(LOW[i])} for i in range(3)]
FORMS = {
    "dicts": THREE,
    "one dict of all": {"type": "ineq", "fun": lambda x: A.astype(x.dtype) @ x - LOW.astype(x.dtype)},
    "LinearConstraint": LinearConstraint(A, LOW, np.inf),
    "NonlinearConstraint": NonlinearConstraint(lambda x: -(A.astype(x.dtype) @ x), -np.inf, -LOW),
}


def near(dtype):
    """Error of x where the certificate proves the solution to working precision."""
    return 16 * float(np.finfo(dtype).eps) ** 0.5


def nearest(x):
    return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2


def cobyla(fun, x0, *args, constraints=(), bounds=None, tol=None, **options):
    return minimize(fun, x0, args, method="COBYLA", constraints=constraints, bounds=bounds, tol=tol, options=options)


# --- the step ------------------------------------------------------------------------------------------------------------


def models(lanes, m, seed):
    """Random models of four variables about a point in their box; some rows are equations, some are violated there."""
    rng = np.random.default_rng(seed)
    A, x = rng.normal(size=(lanes, m, 4)), 0.3 * rng.normal(size=(lanes, 4))
    lower, upper = -0.5 * np.abs(rng.normal(size=(lanes, m))), 0.5 * np.abs(rng.normal(size=(lanes, m)))
    lower, upper = (
        np.where(rng.random((lanes, m)) < 0.5, -np.inf, lower),
        np.where(rng.random((lanes, m)) < 0.3, np.inf, upper),
    )
    equal, at = rng.random((lanes, m)) < 0.2, (A @ x[..., None])[..., 0]
    sides = (np.where(equal, 0.0, side) + at for side in (lower, upper))
    box = -rng.random((lanes, 4)), rng.random((lanes, 4))
    return ball.Model(rng.normal(size=(lanes, 4)), A, *sides, box, np.exp(rng.normal(size=lanes)))


def violated(q, d):
    outside = lambda v, low, high: np.max(np.maximum(np.maximum(low - v, v - high), 0.0), initial=0.0)
    return max(outside(q.A @ d, q.lower, q.upper), outside(d, *q.box))


def by_scipy(q, d):
    """The least g'd in the ball, on the rows and in the box; None where SciPy finds no such point."""
    rows = [{"type": "ineq", "fun": lambda d: q.radius**2 - d @ d, "jac": lambda d: -2 * d}]
    equal = q.lower == q.upper
    rows += [{"type": "eq", "fun": lambda d: (q.A @ d - q.lower)[equal]}] if np.any(equal) else []
    for side, sign in ((q.lower, 1.0), (q.upper, -1.0)):
        there = np.isfinite(side) & ~equal
        if np.any(there):
            rows.append({"type": "ineq", "fun": lambda d, s=side, t=there, k=sign: k * (q.A @ d - s)[t]})
    options, bounds = {"ftol": 1e-14, "maxiter": 300}, list(zip(*q.box, strict=True))
    res = scipy.optimize.minimize(
        lambda d: q.grad @ d, 0.5 * d, jac=lambda d: q.grad, method="SLSQP", bounds=bounds, constraints=rows, options=options
    )
    return res.fun if res.success and violated(q, res.x) < 1e-9 else None


@pytest.mark.parametrize("m", [0, 3, 8])
def test_the_step_is_the_least_in_its_ball(m):
    batch = models(60, m, seed=m)
    steps = jax.tree.map(np.asarray, jax.jit(jax.vmap(ball.solve))(batch))
    judged = 0
    for k in range(60):
        q, d, cut = jax.tree.map(lambda v, k=k: v[k], batch), steps.d[k], steps.cut[k]
        assert np.linalg.norm(d) <= q.radius * (1 + 1e-12)
        least = by_scipy(q, d)
        if least is None:
            continue
        assert not cut
        assert violated(q, d) <= 1e-8
        assert q.grad @ d <= least + 1e-7
        judged += 1
    assert judged >= 20


def test_a_step_towards_rows_that_are_far_away():
    """x0 + x1 >= 3 from zero in a ball of 1: straight towards the row."""
    q = ball.Model(jnp.array([1.0, 0.0]), jnp.ones((1, 2)), jnp.array([3.0]), jnp.array([jnp.inf]), None, jnp.array(1.0))
    step = ball.solve(q)
    assert step.cut
    np.testing.assert_allclose(step.d, 0.5**0.5, rtol=1e-12)


# --- worked examples -----------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("form", FORMS)
def test_the_three_constraint_example(form, dtype):
    """(1.4, 1.7), in every form of constraints; the multiplier is -0.8, of the row that holds by its upper side 0.8."""
    res = cobyla(nearest, np.array([2.0, 0.0], dtype), constraints=FORMS[form], bounds=[(0, None)] * 2)
    assert res.status == Status.CONVERGED
    assert res.x.dtype == res.multipliers.dtype == dtype
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=near(dtype))
    side = 1 if form == "NonlinearConstraint" else -1
    np.testing.assert_allclose(res.multipliers, [0.8 * side, 0.0, 0.0], atol=near(dtype))
    assert res.maxcv <= near(dtype)
    assert "jac" not in res


@DTYPES
def test_scipy_s_own_example(dtype):
    """x y on the disc above the axis: (-1, 1) / sqrt(2)."""
    rows = [{"type": "ineq", "fun": lambda x: 1 - jnp.sum(x**2)}, {"type": "ineq", "fun": lambda x: x[1]}]
    res = cobyla(lambda x: x[0] * x[1], np.array([0.0, 0.1], dtype), constraints=rows)
    assert res.success
    np.testing.assert_allclose(res.x, [-(0.5**0.5), 0.5**0.5], atol=near(dtype))


@DTYPES
def test_an_equation(dtype):
    row = NonlinearConstraint(lambda x: jnp.sum(x**2), 2.0, 2.0)
    res = cobyla(lambda x: x[0] + x[1], np.array([0.5, 0.1], dtype), constraints=row)
    assert res.success
    np.testing.assert_allclose(res.x, -1.0, atol=near(dtype))
    np.testing.assert_allclose(res.multipliers, [0.5], atol=near(dtype))


@DTYPES
def test_bounds_narrow_and_equal(dtype):
    """A box that is narrower than rhobeg, and a variable that may not move; no point outside is asked for."""
    seen = []

    def fun(x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return (x[0] - 1) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[2] - 0.1) ** 2

    low, high = np.array([0.0, 0.3, -0.001], dtype), np.array([0.01, 0.3, 5.0], dtype)
    res = cobyla(fun, np.array([5.0, 5.0, 5.0], dtype), bounds=Bounds(low, high))
    jax.effects_barrier()
    assert res.success
    np.testing.assert_allclose(res.x, [0.01, 0.3, 0.9], atol=near(dtype))
    assert np.all(np.stack(seen) >= low)
    assert np.all(np.stack(seen) <= high)


# --- how a run ends ------------------------------------------------------------------------------------------------------


@DTYPES
def test_rows_that_contradict_one_another(dtype):
    rows = LinearConstraint(np.array([[1.0, 1.0], [1.0, 1.0]], dtype), np.array([1.0, -np.inf]), np.array([np.inf, -1.0]))
    res = cobyla(lambda x: jnp.sum(x**2), np.array([0.5, 0.1], dtype), constraints=rows)
    assert res.status == Status.INFEASIBLE
    assert not res.success
    assert np.all(np.isfinite(res.x))


@DTYPES
def test_a_kink_is_no_success_where_derivatives_deny_it(dtype):
    res = cobyla(lambda x: jnp.sum(jnp.abs(x - 0.3)), np.array([1.0, 2.0], dtype))
    assert res.status == Status.NUMERICAL
    np.testing.assert_allclose(res.x, 0.3, atol=1e-2)


def test_values_stand_where_jax_cannot_derive():
    def fun(x):
        on_host = lambda x: np.asarray((x[0] - 1) ** 2 + (x[1] - 2.5) ** 2)
        return jax.pure_callback(on_host, jax.ShapeDtypeStruct((), x.dtype), x, vmap_method="sequential")

    res = cobyla(fun, np.array([2.0, 0.0]), constraints=FORMS["LinearConstraint"], tol=1e-6)
    assert res.status == Status.CONVERGED
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-5)
    np.testing.assert_allclose(res.multipliers, [-0.8, 0.0, 0.0], atol=1e-4)
    assert res.maxcv <= 1e-8


@pytest.mark.parametrize("most", [1, 3, 5, 20])
def test_a_budget_is_kept(most):
    for budget in ({"maxiter": most}, {"maxfev": most}):
        res = cobyla(nearest, np.array([2.0, 0.0]), constraints=THREE, **budget)
        assert res.status == Status.BUDGET
        assert res.nfev == most


@DTYPES
def test_points_that_are_refused(dtype):
    """The logarithm is NaN beyond its edge, close to which the minimum is."""
    fun = lambda x: x[0] - 0.01 * jnp.log(x[0]) + (x[1] - 1) ** 2
    res = cobyla(fun, np.array([0.5, 0.0], dtype), constraints={"type": "ineq", "fun": lambda x: x[1] - x[0]})
    assert res.success
    np.testing.assert_allclose(res.x, [0.01, 1.0], atol=near(dtype))


def test_nothing_finite():
    assert cobyla(lambda x: jnp.sum(x) * jnp.nan, np.zeros(2)).status == Status.NOT_FINITE


# --- calls ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "rows", "sentence"),
    [
        ({"rhobeg": 0.0}, (), "'rhobeg' is 0.0; give a number > 0"),
        ({"rhobeg": -1.0}, (), "'rhobeg' is -1.0; give a number > 0"),
        ({"tol": 2.0}, (), "'tol' is 2.0 and 'rhobeg' 1.0; give a tol that is no larger"),
        ({"catol": -1.0}, (), "'catol'"),
        ({}, {"type": "greater", "fun": jnp.sum}, "'greater'"),
    ],
)
def test_wrong_calls_are_refused(options, rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        minimize(nearest, np.zeros(2), method="COBYLA", constraints=rows, options=options)


def test_radii_that_cross_in_a_lane():
    solve = lambda rhobeg: cobyla(nearest, np.array([2.0, 0.0]), rhobeg=rhobeg).status
    assert jax.vmap(solve)(jnp.array([1.0, 1e-5, -1.0])).tolist() == [Status.CONVERGED, Status.BAD_INPUT, Status.BAD_INPUT]


def test_jac_is_refused():
    with pytest.raises(ValueError, match="jac is given"):
        minimize(nearest, np.zeros(2), method="COBYLA", jac=jax.grad(nearest))


@DTYPES
def test_a_batch_is_its_lanes(dtype):
    rng = np.random.default_rng(1)
    at = rng.uniform(0.5, 3, (40, 2)).astype(dtype)
    one = lambda a: cobyla(lambda x: jnp.sum((x - a) ** 2), np.array([2.0, 0.0], dtype), constraints=THREE)
    many = jax.vmap(one)(at)
    assert np.all(many.success)
    for k in range(0, 40, 13):
        np.testing.assert_allclose(many.x[k], one(at[k]).x, atol=near(dtype))
    assert np.all(np.asarray(many.x) @ A.T.astype(dtype) >= LOW.astype(dtype) - near(dtype))


def test_the_solution_has_derivatives():
    """(1.4, 1.7) moves along its row with half of what the target moves, and off the row with its side."""
    solve = lambda a: cobyla(lambda x: jnp.sum((x - a) ** 2), np.array([2.0, 0.0]), constraints=THREE).x
    along = np.array([[2.0, 1.0]]) / 5**0.5
    np.testing.assert_allclose(jax.jacobian(solve)(jnp.array([1.0, 2.5])), along.T @ along, atol=1e-8)


def test_by_hand():
    """Told values and rows, from NumPy."""
    opt = stepper("COBYLA", bounds=[(0, None)] * 2, constraints=(LOW, np.full(3, np.inf)), options={"tol": 1e-6})
    state = opt.init(np.array([2.0, 0.0]))
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        state = opt.tell(state, nearest(x), A @ x, np.max(np.maximum(LOW - A @ x, 0.0)))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-5)
