"""The house holds: a method of a new kind is one file and one row, and no edit anywhere else.

Each toy method of this folder is such a file. It gets batches, derivatives, statuses, budgets and a stepper like any other.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import Status, minimize, stepper
from jaxopt_lite.api.drive import fields_of
from jaxopt_lite.api.oracles.residual import residual_oracle
from jaxopt_lite.api.pose import pose, read_settings
from jaxopt_lite.core.layout import parse
from tests.house import constrained, equations, four_points

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)


# --- four points at once -------------------------------------------------------------------------------------------------


def hill(x, a):
    return (x[0] - a) ** 2 + 3.0 * (x[1] + a) ** 2 + 1.0


@DTYPES
def test_four_points_are_a_batch_with_derivatives(dtype):
    a = np.linspace(-1, 1, 5).astype(dtype)
    one = lambda a: minimize(hill, np.zeros(2, dtype), a, method=four_points.ROW, options={"xtol": 1e-3})
    res = jax.vmap(one)(a)
    assert np.all(res.success)
    np.testing.assert_allclose(res.x, np.stack([a, -a], 1), atol=2e-3)
    assert np.all(res.nfev == 4 * res.nit)  # four points a turn, each counted
    slope = jax.jit(jax.vmap(jax.jacrev(lambda a: one(a).x)))(a)
    np.testing.assert_allclose(slope, np.tile([1.0, -1.0], (5, 1)), atol=1e-5)


def test_a_budget_is_one_of_points():
    res = minimize(hill, np.zeros(2), 1.0, method=four_points.ROW, options={"maxfev": 10})
    assert (res.status, res.nfev) == (Status.BUDGET, 8)


def test_four_points_by_hand():
    opt = stepper(four_points.ROW)
    state = opt.init(np.zeros(2))
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        assert x.shape == (4, 2)
        state = opt.tell(state, np.array([hill(point, 0.5) for point in x]))
    res = opt.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, [0.5, -0.5], atol=1e-5)


# --- constraints ---------------------------------------------------------------------------------------------------------

SCIPY = [  # SciPy's tutorial problem: (x0 - 1)^2 + (x1 - 2.5)^2, from (2, 0), ends at (1.4, 1.7)
    {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2},
    {"type": "ineq", "fun": lambda x: -x[0] - 2 * x[1] + 6},
    {"type": "ineq", "fun": lambda x: -x[0] + 2 * x[1] + 2},
    {"type": "ineq", "fun": lambda x: x},
]


@DTYPES
def test_scipys_problem_with_constraints(dtype):
    fun = lambda x: (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2
    res = minimize(fun, np.array([2.0, 0.0], dtype), method=constrained.ROW, constraints=SCIPY)
    assert res.success
    np.testing.assert_allclose(res.x, [1.4, 1.7], rtol=1e-5)
    assert res.maxcv < 1e-5
    np.testing.assert_allclose(res.multipliers, [-0.8, 0, 0, 0, 0], atol=1e-4)  # of the lower side: negative


def circle(b):
    """The point of a disk of radius b, on the line x0 = x1 + b / 2, that is farthest along (1, 2, ...)."""
    return [
        {"type": "eq", "fun": lambda x, b: x[0] - x[1] - b / 2, "args": (b,)},
        {"type": "ineq", "fun": lambda x, b: b**2 - jnp.sum(x**2), "args": (b,)},
    ]


def farthest(b, dtype=np.float64):
    fun = lambda x: -x[0] - 2 * x[1] + 0.1 * jnp.sum(x**2)
    return minimize(fun, np.array([0.6, 0.2], dtype), method=constrained.ROW, constraints=circle(b))


@DTYPES
def test_solutions_and_multipliers_move_as_differences_do(dtype):
    """Forward and reverse, in a batch; the solution lies on the circle: x1 = (-1 + sqrt 7) b / 4."""
    b = np.linspace(1, 2, 4).astype(dtype)
    solve = lambda b: (farthest(b, dtype).x, farthest(b, dtype).multipliers)
    res = jax.vmap(lambda b: farthest(b, dtype))(b)
    assert np.all(res.success)
    root = (np.sqrt(7) - 1) / 4
    tol = 1e-3 if dtype == np.float32 else 1e-5
    np.testing.assert_allclose(res.x, b[:, None] * [root + 0.5, root], rtol=tol)
    forward, reverse = (jax.jit(jax.vmap(mode(solve)))(b) for mode in (jax.jacfwd, jax.jacrev))
    h = 1e-3
    multipliers = lambda b: jax.vmap(lambda b: farthest(b).multipliers)(np.asarray(b, float))
    moved = (multipliers(b + h) - multipliers(b - h)) / (2 * h)
    for x, y in (forward, reverse):
        np.testing.assert_allclose(x, np.tile([root + 0.5, root], (4, 1)), rtol=tol)
        np.testing.assert_allclose(y, moved, rtol=tol, atol=tol)


def test_a_solution_at_a_kink_has_no_derivative():
    """The constraint x >= a touches the free minimum at a = 0: on one side the solution moves, on the other it does not."""
    solve = lambda a: minimize(
        lambda x: jnp.sum(x**2), np.ones(1), method=constrained.ROW,
        constraints={"type": "ineq", "fun": lambda x: x - a},
    ).x[0]  # fmt: skip
    np.testing.assert_allclose(jax.vmap(jax.grad(solve))(np.array([-1.0, 0.0, 1.0])), [0.0, np.nan, 1.0], atol=1e-9)


def test_the_least_violation_is_best_and_then_the_least_value():
    """Of a lane that was cut short."""
    res = farthest(1.0)
    cut = minimize(
        lambda x: -x[0] - 2 * x[1], np.array([5.0, 5.0]), method=constrained.ROW, constraints=circle(1.0),
        options={"maxiter": 2},
    )  # fmt: skip
    assert res.success
    assert cut.status == Status.BUDGET
    start = 49.0
    assert 0 < cut.maxcv < start
    np.testing.assert_allclose(cut.maxcv, max(abs(cut.x[0] - cut.x[1] - 0.5), np.sum(cut.x**2) - 1), rtol=1e-6)


# --- equations -----------------------------------------------------------------------------------------------------------


def posed(fun, x0, args=(), jac=None):
    """As a door of systems will pose it."""
    leaves, layout = parse(x0)
    settings = read_settings(equations.ROW, layout.size, None)
    method = settings.build()
    oracle, traced, m = residual_oracle(method.needs, layout, fun, args, jac)
    assert m == layout.size
    return pose(settings, method, layout, leaves, (oracle, traced))


def cross(x, a):
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - a, x[0] - x[1]])


def cross_and_jacobian(x, a):
    return cross(x, a), jnp.stack([2 * x, jnp.array([1.0, -1.0], x.dtype)])


@DTYPES
@pytest.mark.parametrize("fun", [cross, cross_and_jacobian], ids=["autodiff", "jac=True"])
def test_a_system_is_solved_in_a_batch_and_differentiated(dtype, fun):
    a = np.array([2.0, 8.0], dtype)
    solve = lambda a: fields_of(posed(fun, np.array([3.0, 2.0], dtype), (a,), fun is cross_and_jacobian or None))
    res = jax.vmap(solve)(a)
    assert np.all(res["success"])
    np.testing.assert_allclose(res["x"], np.sqrt(a / 2)[:, None] * np.ones(2), rtol=1e-5)
    np.testing.assert_allclose(res["fun"], np.zeros((2, 2)), atol=1e-5)
    for mode in (jax.jacfwd, jax.jacrev):
        slopes = jax.vmap(mode(lambda a: solve(a)["x"]))(a)
        np.testing.assert_allclose(slopes, (0.25 / np.sqrt(a / 2))[:, None] * np.ones(2), rtol=1e-4)


def test_the_best_residual_comes_back_where_a_system_has_no_root():
    fun = lambda x: jnp.stack([x[0] ** 2 + 1.0, x[1] - 3.0])
    res = fields_of(posed(fun, np.array([0.7, 0.0])))
    assert not res["success"]
    np.testing.assert_allclose(res["fun"], fun(res["x"]))
    assert np.linalg.norm(res["fun"]) <= np.linalg.norm(fun(jnp.array([0.7, 0.0])))


# --- wrong calls ---------------------------------------------------------------------------------------------------------

FUN = lambda x: jnp.sum(x**2)
INEQUALITIES = constrained.ROW._replace(takes=constrained.ROW.takes - {"equalities"})
WRONG = {
    "constraints to a method without": (
        lambda: minimize(FUN, np.ones(2), method="BFGS", constraints=SCIPY),
        "constraints are given, but method 'BFGS' cannot handle constraints",
    ),
    "an equality to a method without": (
        lambda: minimize(FUN, np.ones(2), method=INEQUALITIES, constraints=[SCIPY[0], *circle(1.0)]),
        "constraint 1 is an equality, and method 'toy-SQP' takes inequalities alone",
    ),
    "jac to a method without": (lambda: minimize(FUN, np.ones(2), jac=FUN, method=four_points.ROW), "jac is given"),
    "a record that is no method": (
        lambda: minimize(FUN, np.ones(2), method=four_points.METHOD),
        "give the name of a method",
    ),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_calls_say_what_is_wrong(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError), match=words):
        call()
