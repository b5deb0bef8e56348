"""COBYQA: its models and its step, worked examples in all forms of constraints, SciPy's run, ends, refusals, batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Bounds, LinearConstraint, NonlinearConstraint, Status, minimize, rosen, stepper
from jaxopt_lite._families.constrained import cobyqa as method
from jaxopt_lite._families.constrained import model_step, quadratic_models
from jaxopt_lite._families.constrained.quadratic_models import Models

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
A, LOW = np.array([[1.0, -2.0], [-1.0, -2.0], [-1.0, 2.0]]), np.array([-2.0, -6.0, -2.0])
THREE = {"type": "ineq", "fun": lambda x: A.astype(x.dtype) @ x - LOW.astype(x.dtype)}
FORMS = {
    "dict": THREE,
    "LinearConstraint": LinearConstraint(A, LOW, np.inf),
    "NonlinearConstraint": NonlinearConstraint(lambda x: -(A.astype(x.dtype) @ x), -np.inf, -LOW),
}


def near(dtype):
    """Error of x where the certificate proves the solution to working precision."""
    return 16 * float(np.finfo(dtype).eps) ** 0.5


def nearest(x):
    return (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2


def cobyqa(fun, x0, *args, constraints=(), bounds=None, tol=None, **options):
    return minimize(fun, x0, args, method="COBYQA", constraints=constraints, bounds=bounds, tol=tol, options=options)


# --- the models ----------------------------------------------------------------------------------------------------------


def data_of(n, m):
    sides = (np.zeros(0), np.full(m, -np.inf), np.zeros(m))
    options = {name: option.default for name, option in method.OPTIONS.items()} | {"constraints": sides}
    return method.prepare(options, jnp.zeros(n))


def random_points(n, m, seed):
    """2n + 1 points, values, and models to start from."""
    rng = np.random.default_rng(seed)
    H = rng.normal(size=(1 + m, n, n))
    old = Models(jnp.asarray(rng.normal(size=(1 + m, n))), jnp.asarray(H + H.transpose(0, 2, 1)))
    return jnp.asarray(rng.normal(size=(2 * n + 1, n))), jnp.asarray(rng.normal(size=(2 * n + 1, 1 + m))), old


@pytest.mark.parametrize("n", [1, 3])
def test_the_models_have_the_values_and_change_least(n):
    """The change of H is the least that interpolates, as NumPy's least squares find it."""
    V, F, old = random_points(n, 2, seed=n)
    mu = jnp.asarray(1.0)
    points, new = jax.jit(lambda V, F, old: quadratic_models.about(V, F, old, mu, data_of(n, 2)))(V, F, old)
    d = np.asarray(points.V - points.V[:1])
    values = jax.vmap(new.at)(jnp.asarray(d))
    np.testing.assert_allclose(values, points.F - points.F[:1], atol=1e-9)

    moved = np.asarray(points.V[0] - V[0])
    slopes = np.asarray(old.grad + old.H @ moved)
    upper = np.triu_indices(n)
    weight = np.where(upper[0] == upper[1], 1.0, 2.0**0.5)  # of an entry in the Frobenius norm
    quadratic = d[1:, upper[0]] * d[1:, upper[1]] * np.where(upper[0] == upper[1], 0.5, 1.0) / weight
    left = np.asarray(points.F[1:] - points.F[:1]) - d[1:] @ slopes.T
    left -= 0.5 * np.einsum("pi,kij,pj->pk", d[1:], np.asarray(old.H), d[1:])
    null = scipy.linalg.null_space(d[1:].T)  # what no slope explains
    least = np.linalg.lstsq(null.T @ quadratic, null.T @ left, rcond=None)[0]
    change = np.asarray(new.H - old.H)[:, upper[0], upper[1]] * weight
    np.testing.assert_allclose(change, least.T, atol=1e-8)


def test_the_lagrange_polynomials_are_one_at_their_own_point():
    V, F, old = random_points(3, 1, seed=5)
    points, _ = quadratic_models.about(V, F, old, jnp.asarray(1.0), data_of(3, 1))
    np.testing.assert_allclose(jax.vmap(lambda u: quadratic_models.weights(points, u))(points.V), np.eye(7), atol=1e-9)


def test_a_moved_point_makes_its_polynomial_large():
    """Seven points almost in a plane: the one that is moved leaves it."""
    V, F, old = random_points(3, 0, seed=2)
    V = V.at[:, 2].multiply(1e-3)
    data, radius = data_of(3, 0), jnp.asarray(0.5)
    points, _ = quadratic_models.about(V, F, old, jnp.asarray(1.0), data)
    moved, at = quadratic_models.across(points, radius, radius, data)
    assert np.sum(moved) == 1
    assert np.max(np.abs(at - points.V[0])) <= 0.5 * (1 + 1e-12)
    assert np.abs(quadratic_models.weights(points, at)[np.argmax(moved)]) >= 1.0


# --- the step ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [0, 3])
def test_the_step_solves_the_models(m):
    """Random quadratics of three variables; some rows are violated at the pole. SciPy's SLSQP finds nothing lower nearby."""
    rng = np.random.default_rng(m)
    lanes, n = 40, 3
    H = 0.3 * rng.normal(size=(lanes, 1 + m, n, n))
    models = Models(rng.normal(size=(lanes, 1 + m, n)), H + H.transpose(0, 1, 3, 2))
    lower, upper = np.full((lanes, m), -np.inf), 0.3 * rng.normal(size=(lanes, m))
    region = model_step.Region(lower, upper, -rng.random((lanes, n)), np.ones((lanes, n)), np.ones(lanes))
    solve = lambda models, region: model_step.solve(models, region, jnp.zeros(m), jnp.zeros(()))
    steps = jax.tree.map(np.asarray, jax.jit(jax.vmap(solve))(models, region))
    judged, compared = 0, 0
    for k in range(lanes):
        grad, bend, d = models.grad[k], models.H[k], steps.d[k]
        at = lambda d, grad=grad, bend=bend: grad @ d + 0.5 * np.einsum("i,kij,j->k", d, bend, d)
        violated = lambda d, k=k, at=at: np.max(np.maximum(at(d)[1:] - upper[k], 0.0), initial=0.0)
        assert np.all(d >= region.low[k])
        assert np.all(d <= region.high[k])
        assert steps.promise[k] >= 0
        rows = [{"type": "ineq", "fun": lambda d, k=k, at=at: upper[k] - at(d)[1:]}] if m else []
        box = list(zip(region.low[k], region.high[k], strict=True))
        least = scipy.optimize.minimize(lambda d, at=at: at(d)[0], d, method="SLSQP", bounds=box, constraints=rows)
        if not least.success or violated(least.x) > 1e-8:
            continue
        merit = lambda d, k=k, at=at: at(d)[0] + steps.mu[k] * np.sum(np.maximum(at(d)[1:] - upper[k], 0.0))
        compared += 1
        judged += merit(d) <= merit(least.x) + 1e-2 * np.abs(merit(np.zeros(n)) - merit(least.x))
    assert compared >= 20
    assert judged >= 0.9 * compared


# --- worked examples -----------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("form", FORMS)
def test_the_three_constraint_example(form, dtype):
    """(1.4, 1.7), in every form of constraints; the multiplier is -0.8, of the row that holds by its upper side 0.8."""
    res = cobyqa(nearest, np.array([2.0, 0.0], dtype), constraints=FORMS[form], bounds=[(0, None)] * 2)
    assert res.status == Status.CONVERGED
    assert res.x.dtype == res.multipliers.dtype == dtype
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=near(dtype))
    side = 1 if form == "NonlinearConstraint" else -1
    np.testing.assert_allclose(res.multipliers, [0.8 * side, 0.0, 0.0], atol=near(dtype))
    assert res.maxcv <= near(dtype)
    assert "jac" not in res


@DTYPES
def test_an_equation(dtype):
    row = NonlinearConstraint(lambda x: jnp.sum(x**2), 2.0, 2.0)
    res = cobyqa(lambda x: x[0] + x[1], np.array([0.5, 0.1], dtype), constraints=row)
    assert res.success
    np.testing.assert_allclose(res.x, -1.0, atol=near(dtype))
    np.testing.assert_allclose(res.multipliers, [0.5], atol=near(dtype))


def test_no_more_evaluations_than_scipys():
    """Rosenbrock's valley, from its start; SciPy's takes 155."""
    ours, theirs = (
        cobyqa(rosen, np.array([-1.2, 1.0])),
        scipy.optimize.minimize(rosen_of_floats, [-1.2, 1.0], method="COBYQA"),
    )
    assert ours.success
    assert int(ours.nfev) <= 1.3 * theirs.nfev
    np.testing.assert_allclose(ours.x, 1.0, atol=1e-8)


def rosen_of_floats(x):
    return float(scipy.optimize.rosen(x))


@DTYPES
def test_bounds_narrow_and_equal(dtype):
    """A box that is narrower than the first radius, and a variable that may not move; no point outside is asked for."""
    seen = []

    def fun(x):
        jax.debug.callback(lambda x: seen.append(np.asarray(x)), x)
        return (x[0] - 1) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[2] - 0.1) ** 2

    low, high = np.array([0.0, 0.3, -0.001], dtype), np.array([0.01, 0.3, 5.0], dtype)
    res = cobyqa(fun, np.array([5.0, 5.0, 5.0], dtype), bounds=Bounds(low, high))
    jax.effects_barrier()
    assert res.success
    np.testing.assert_allclose(res.x, [0.01, 0.3, 0.9], atol=near(dtype))
    assert np.all(np.stack(seen) >= low)
    assert np.all(np.stack(seen) <= high)


# --- how a run ends ------------------------------------------------------------------------------------------------------


@DTYPES
def test_rows_that_contradict_one_another(dtype):
    rows = LinearConstraint(np.array([[1.0, 1.0], [1.0, 1.0]], dtype), np.array([1.0, -np.inf]), np.array([np.inf, -1.0]))
    res = cobyqa(lambda x: jnp.sum(x**2), np.array([0.5, 0.1], dtype), constraints=rows)
    assert res.status == Status.INFEASIBLE
    assert not res.success
    assert np.all(np.isfinite(res.x))


@DTYPES
def test_a_kink_is_no_success_where_derivatives_deny_it(dtype):
    res = cobyqa(lambda x: jnp.sum(jnp.abs(x - 0.3)), np.array([1.0, 2.0], dtype))
    assert res.status == Status.NUMERICAL
    np.testing.assert_allclose(res.x, 0.3, atol=1e-2)


def test_values_stand_where_jax_cannot_derive():
    def fun(x):
        on_host = lambda x: np.asarray((x[0] - 1) ** 2 + (x[1] - 2.5) ** 2)
        return jax.pure_callback(on_host, jax.ShapeDtypeStruct((), x.dtype), x, vmap_method="sequential")

    res = cobyqa(fun, np.array([2.0, 0.0]), constraints=FORMS["LinearConstraint"])
    assert res.status == Status.CONVERGED
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-5)
    np.testing.assert_allclose(res.multipliers, [-0.8, 0.0, 0.0], atol=1e-4)
    assert res.maxcv <= 1e-8


@pytest.mark.parametrize("most", [1, 3, 5, 12])
def test_a_budget_is_kept(most):
    for budget in ({"maxiter": most}, {"maxfev": most}):
        res = cobyqa(nearest, np.array([2.0, 0.0]), constraints=THREE, **budget)
        assert res.status == Status.BUDGET
        assert res.nfev == most


@DTYPES
def test_points_that_are_refused(dtype):
    """The logarithm is NaN beyond its edge, close to which the minimum is."""
    fun = lambda x: x[0] - 0.01 * jnp.log(x[0]) + (x[1] - 1) ** 2
    res = cobyqa(fun, np.array([0.5, 0.0], dtype), constraints={"type": "ineq", "fun": lambda x: x[1] - x[0]})
    assert res.success
    np.testing.assert_allclose(res.x, [0.01, 1.0], atol=near(dtype))


def test_a_refused_point_is_not_sent_to_the_same_place_forever():
    """Finite at one of the first points alone, and beyond every number soon after: the run ends long before its budget."""
    fun = lambda x: -jnp.exp(1e3 * jnp.sum(jnp.abs(x)))
    res = cobyqa(fun, np.array([-0.75267419, -0.3066942]), tol=1e-4)
    assert res.status == Status.NOT_FINITE
    assert res.nfev < 100


def test_nothing_finite():
    assert cobyqa(lambda x: jnp.sum(x) * jnp.nan, np.zeros(2)).status == Status.NOT_FINITE


# --- calls ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "rows", "sentence"),
    [
        ({"initial_tr_radius": 0.0}, (), "'initial_tr_radius' is 0.0; give a number > 0"),
        ({"initial_tr_radius": -1.0}, (), "'initial_tr_radius' is -1.0; give a number > 0"),
        (
            {"final_tr_radius": 2.0},
            (),
            "'final_tr_radius' is 2.0 and 'initial_tr_radius' 1.0; give a final_tr_radius that is no",
        ),
        ({"feasibility_tol": -1.0}, (), "'feasibility_tol'"),
        ({}, {"type": "greater", "fun": jnp.sum}, "'greater'"),
    ],
)
def test_wrong_calls_are_refused(options, rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        minimize(nearest, np.zeros(2), method="COBYQA", constraints=rows, options=options)


def test_radii_that_cross_in_a_lane():
    solve = lambda first: cobyqa(nearest, np.array([2.0, 0.0]), initial_tr_radius=first, final_tr_radius=1e-6).status
    wrong = Status.BAD_INPUT
    assert jax.vmap(solve)(jnp.array([1.0, 1e-7, -1.0])).tolist() == [Status.CONVERGED, wrong, wrong]


def test_jac_is_refused():
    with pytest.raises(ValueError, match="jac is given"):
        minimize(nearest, np.zeros(2), method="COBYQA", jac=jax.grad(nearest))


@DTYPES
def test_a_batch_is_its_lanes(dtype):
    rng = np.random.default_rng(1)
    at = rng.uniform(0.5, 3, (40, 2)).astype(dtype)
    one = lambda a: cobyqa(lambda x: jnp.sum((x - a) ** 2), np.array([2.0, 0.0], dtype), constraints=THREE)
    many = jax.vmap(one)(at)
    assert np.all(many.success)
    for k in range(0, 40, 13):
        np.testing.assert_allclose(many.x[k], one(at[k]).x, atol=near(dtype))
    assert np.all(np.asarray(many.x) @ A.T.astype(dtype) >= LOW.astype(dtype) - near(dtype))


def test_the_solution_has_derivatives():
    """(1.4, 1.7) moves along its row with half of what the target moves, and off the row with its side."""
    solve = lambda a: cobyqa(lambda x: jnp.sum((x - a) ** 2), np.array([2.0, 0.0]), constraints=THREE).x
    along = np.array([[2.0, 1.0]]) / 5**0.5
    np.testing.assert_allclose(jax.jacobian(solve)(jnp.array([1.0, 2.5])), along.T @ along, atol=1e-8)


def test_by_hand():
    """Told values and rows, from NumPy."""
    opt = stepper("COBYQA", bounds=[(0, None)] * 2, constraints=(LOW, np.full(3, np.inf)))
    state = opt.init(np.array([2.0, 0.0]))
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        state = opt.tell(state, nearest(x), A @ x, np.max(np.maximum(LOW - A @ x, 0.0)))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=1e-5)
