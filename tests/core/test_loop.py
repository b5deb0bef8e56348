"""The loop on a method whose every move is prescribed: counters, budgets, freezing, cleaning, best point, status."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite._needs.nothing import NOTHING
from jaxopt_lite._needs.residuals import RESIDUAL
from jaxopt_lite._needs.values import GRADIENT, VALUE
from jaxopt_lite.core import loop
from jaxopt_lite.core.loop import Budget, Operands, lane, solve_one
from jaxopt_lite.core.protocol import Answer, Query, Told
from jaxopt_lite.core.status import (
    BAD_INPUT,
    BUDGET,
    CONVERGED,
    NOT_FINITE,
    NUMERICAL,
    PRECISION,
    RUNNING,
    UNBOUNDED,
)
from tests.core.toys import MOST, Script, scripted

T = 6
VALUES = np.array([5.0, 3.0, 1.0, 2.0, 4.0, 6.0])  # at the points 0, ..., 5: best at the third


@functools.cache
def program(needs):
    """The script's point k is (k, k); `function` is a table of values (T,) and of gradients (T, 2)."""

    def evaluate(query, function):
        values, grads = function
        k = query.x[0].astype(jnp.int32)
        return Answer(values[k], grads[k] if needs is GRADIENT else None)

    return jax.jit(functools.partial(solve_one, lane(scripted(needs), evaluate)))


def play(status, values=VALUES, grads=None, iterated=True, maxiter=MOST, maxturns=MOST, needs=GRADIENT):
    """The script with this status at its end (a list: at each turn)."""
    status = np.array(status if isinstance(status, list) else [RUNNING] * (T - 1) + [status], np.int32)
    points = jnp.asarray(np.arange(float(T))[:, None] * np.ones(2))
    script = Script(points, jnp.asarray(status), jnp.asarray(np.broadcast_to(iterated, T)))
    grads = np.asarray(values, float)[:, None] * np.ones(2) * 10 if grads is None else grads
    budget = Budget(jnp.asarray(maxiter, jnp.int32), jnp.asarray(maxturns, jnp.int32))
    function = (jnp.asarray(values, float), jnp.asarray(grads, float))
    return program(needs)(Operands(jnp.array([-1.0, -1.0]), script, budget, function))


def test_turns_and_iterations_are_counted_apart():
    out = play(CONVERGED, iterated=np.array([False, True, False, False, True, True]))
    assert (out["turns"], out["nit"], out["status"]) == (T, 3, CONVERGED)


@pytest.mark.parametrize("ends", range(T))
def test_a_lane_ends_with_the_status_that_its_method_says(ends):
    out = play([*[RUNNING] * ends, NUMERICAL, *[CONVERGED] * (T - ends - 1)])
    assert (out["turns"], out["status"]) == (ends + 1, NUMERICAL)


@pytest.mark.parametrize("budget", [1, 2, 5])
def test_the_budget_of_evaluations_holds(budget):
    out = play(CONVERGED, iterated=False, maxturns=budget)
    assert (out["turns"], out["status"]) == (budget, BUDGET)


@pytest.mark.parametrize("budget", [1, 2])
def test_the_budget_of_iterations_holds(budget):
    out = play(CONVERGED, iterated=np.array([False, True, False, True, True, True]), maxiter=budget)
    assert (out["turns"], out["nit"], out["status"]) == (2 * budget, budget, BUDGET)


def test_no_iterations_at_all_is_one_evaluation():
    out = play(CONVERGED, maxiter=0, iterated=False)
    assert (out["turns"], out["nit"], out["status"]) == (1, 0, BUDGET)
    assert out["fun"] == VALUES[0]


def test_who_ends_at_the_last_turn_of_the_budget_has_converged():
    assert play(CONVERGED, maxturns=T)["status"] == CONVERGED
    assert play(CONVERGED, maxiter=T)["status"] == CONVERGED


@pytest.mark.parametrize("status", [CONVERGED, PRECISION])
def test_a_success_returns_the_point_that_the_method_stands_on(status):
    out = play(status)
    assert (out["fun"], out["status"]) == (VALUES[-1], status)
    np.testing.assert_array_equal(out["x"], [T - 1.0, T - 1.0])
    np.testing.assert_array_equal(out["jac"], [10 * VALUES[-1]] * 2)


@pytest.mark.parametrize("status", [NUMERICAL, BUDGET, BAD_INPUT])
def test_a_failure_returns_the_best_point_seen(status):
    out = play(status)
    assert (out["fun"], out["status"]) == (VALUES.min(), status)
    np.testing.assert_array_equal(out["x"], [VALUES.argmin()] * 2)
    np.testing.assert_array_equal(out["jac"], [10 * VALUES.min()] * 2)


@pytest.mark.parametrize("needs", [VALUE, GRADIENT], ids=lambda n: n.name)
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_method_is_never_told_what_is_not_finite(hole, needs):
    values = VALUES.copy()
    values[-1] = hole
    out = play(NUMERICAL, values, grads=np.full((T, 2), hole) if needs is GRADIENT else None, needs=needs)
    assert out["told_fun"] == np.inf
    assert not out["told_finite"]
    if needs is GRADIENT:
        np.testing.assert_array_equal(out["told_grad"], [0.0, 0.0])


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_spoils_the_point(hole):
    grads = np.ones((T, 2))
    grads[2, 1] = hole
    out = play(NUMERICAL, grads=grads)
    assert out["fun"] == 2.0  # the next best value, at the fourth point
    assert out["status"] == NUMERICAL
    grads[:] = hole
    assert play(NUMERICAL, grads=grads)["status"] == NOT_FINITE


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_a_hole_is_never_the_best_point(hole):
    values = np.where(np.arange(T) == 2, hole, VALUES)
    out = play(NUMERICAL, values)
    assert (out["fun"], out["status"]) == (2.0, NUMERICAL)
    np.testing.assert_array_equal(out["x"], [3.0, 3.0])


@pytest.mark.parametrize("hole", [np.nan, np.inf])
@pytest.mark.parametrize("status", [NUMERICAL, CONVERGED, BUDGET])
def test_nothing_finite_ever_is_a_status_of_its_own(hole, status):
    out = play(status, np.full(T, hole))
    assert out["status"] == NOT_FINITE
    if status != CONVERGED:
        np.testing.assert_array_equal(out["x"], [-1.0, -1.0])


@pytest.mark.parametrize("status", [RUNNING, CONVERGED, NUMERICAL])
@pytest.mark.parametrize("at", [0, 3])
def test_minus_infinity_is_unbounded_whatever_the_method_says(at, status):
    values = np.where(np.arange(T) == at, -np.inf, VALUES)
    out = play([*[RUNNING] * at, status, *[NUMERICAL] * (T - at - 1)], values)
    assert (out["status"], out["turns"]) == (UNBOUNDED, at + 1)
    if at:
        assert out["fun"] == VALUES[:at].min()


def test_minus_infinity_with_a_gradient_that_is_nan_is_unbounded():
    values = np.where(np.arange(T) == 2, -np.inf, VALUES)
    assert play(NUMERICAL, values, grads=np.full((T, 2), np.nan))["status"] == UNBOUNDED


def test_a_lane_that_has_ended_is_frozen():
    """Told by hand, turn by turn, past its end."""
    method = scripted(VALUE)
    status = jnp.asarray([RUNNING, CONVERGED, NUMERICAL, RUNNING], jnp.int32)
    script = Script(jnp.arange(8.0).reshape(4, 2), status, jnp.ones(4, bool))
    budget = Budget(jnp.asarray(9, jnp.int32), jnp.asarray(9, jnp.int32))
    run, seen = loop.begin(method, jnp.zeros(2), script), []
    for value in (4.0, 3.0, -7.0, -np.inf):
        query = method.ask(run.state, script)
        run = loop.tell(method, run, query, Answer(jnp.asarray(value)), script, budget)
        seen.append(run)
    for later in seen[2:]:
        jax.tree.map(np.testing.assert_array_equal, later, seen[1])
    out = loop.finish(method, run, script)
    assert (out["turns"], out["nit"], out["status"], run.best.at.fun) == (2, 2, CONVERGED, 3.0)


def test_beginning_evaluates_nothing_and_runs():
    method = scripted(GRADIENT)
    run = loop.begin(method, jnp.ones(2), None)
    out = loop.finish(method, run, None)
    assert (run.status, out["nit"], out["turns"]) == (RUNNING, 0, 0)
    assert run.best.at.fun == np.inf
    np.testing.assert_array_equal(run.best.at.grad, [np.nan, np.nan])  # not known, which is not zero


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
def test_the_best_point_has_the_dtype_of_x(dtype):
    best = loop.begin(scripted(GRADIENT), jnp.ones(2, dtype), None).best
    assert {leaf.dtype for leaf in jax.tree.leaves(best)} == {np.dtype(dtype)}


def by_hand(needs, answer, points=None):
    """A lane of a scripted method that converges at its second turn, on one and the same answer."""
    points = jnp.ones((T, 2)) if points is None else points
    script = Script(points, jnp.asarray([RUNNING] + [CONVERGED] * (T - 1), jnp.int32), jnp.ones(T, bool))
    budget = Budget(jnp.asarray(MOST, jnp.int32), jnp.asarray(MOST, jnp.int32))
    made = lane(scripted(needs), lambda query, function: answer)
    return solve_one(made, Operands(jnp.zeros(2), script, budget, None))


def test_a_method_that_needs_residuals_can_converge():
    assert by_hand(RESIDUAL, Answer(jnp.ones(()), residual=jnp.ones(2)))["status"] == CONVERGED


def test_a_method_that_needs_no_evaluation_can_converge():
    """A linear program: its data say it all."""
    method = scripted(VALUE)._replace(
        needs=NOTHING,
        init=lambda x0, script: x0,
        ask=lambda s, script: Query(s),
        tell=lambda s, query, answer, script: Told(s + 1.0, jnp.asarray(CONVERGED, jnp.int32), jnp.ones((), bool)),
        report=lambda s, script: {"x": s},
    )
    budget = Budget(jnp.asarray(MOST, jnp.int32), jnp.asarray(MOST, jnp.int32))
    out = solve_one(lane(method, lambda query, function: Answer()), Operands(jnp.zeros(2), None, budget, None))
    assert out["status"] == CONVERGED
    np.testing.assert_array_equal(out["x"], [1.0, 1.0])


def test_a_query_may_hold_several_points():
    """Of several points with a value each the best is kept."""
    method = scripted(VALUE)
    script = Script(jnp.arange(6.0).reshape(3, 2), jnp.asarray([RUNNING] * 3, jnp.int32), jnp.ones(3, bool))
    budget = Budget(jnp.asarray(MOST, jnp.int32), jnp.asarray(MOST, jnp.int32))
    several = method._replace(
        ask=lambda s, script: Query(script.points),
        tell=lambda s, query, answer, script: method.tell(s, Query(query.x[0]), Answer(answer.fun[0], finite=True), script),
    )
    run = loop.begin(several, jnp.zeros(2), script)
    run = loop.tell(several, run, Query(script.points), Answer(jnp.array([3.0, 1.0, 2.0])), script, budget)
    assert run.best.at.fun == 1.0
    np.testing.assert_array_equal(run.best.x, [2.0, 3.0])


def test_a_query_of_several_points_counts_them_all_and_none_is_begun_that_the_budget_does_not_hold():
    method = scripted(VALUE)
    script = Script(jnp.arange(6.0).reshape(3, 2), jnp.asarray([RUNNING] * 3, jnp.int32), jnp.zeros(3, bool))
    several = method._replace(
        tell=lambda s, query, answer, script: method.tell(s, Query(query.x[0]), Answer(answer.fun[0], finite=True), script)
    )
    for most, status in ((7, RUNNING), (6, RUNNING), (5, BUDGET)):
        budget = Budget(jnp.asarray(MOST, jnp.int32), jnp.asarray(most, jnp.int32))
        run = loop.begin(several, jnp.zeros(2), script)
        run = loop.tell(several, run, Query(script.points), Answer(jnp.array([3.0, 1.0, 2.0])), script, budget)
        assert (run.counts[1], run.status) == (3, status)


def test_of_several_points_one_hole_does_not_spoil_the_others():
    method = scripted(VALUE)
    script = Script(jnp.arange(6.0).reshape(3, 2), jnp.asarray([RUNNING] * 3, jnp.int32), jnp.ones(3, bool))
    budget = Budget(jnp.asarray(MOST, jnp.int32), jnp.asarray(MOST, jnp.int32))
    seen = []

    def tell(s, query, answer, script):
        seen.append(answer.fun)
        return method.tell(s, Query(query.x[0]), Answer(answer.fun[0], finite=True), script)

    several = method._replace(ask=lambda s, script: Query(script.points), tell=tell)
    run = loop.begin(several, jnp.zeros(2), script)
    loop.tell(several, run, Query(script.points), Answer(jnp.array([3.0, np.nan, 2.0])), script, budget)
    np.testing.assert_array_equal(seen[0], [3.0, np.inf, 2.0])
