"""Methods driven by hand: the same machine as behind `minimize`, for objectives in NumPy and loops of others."""

import jax
import numpy as np
import pytest

from jaxopt_lite import minimize, minimize_scalar, rosen, rosen_der, stepper
from tests.core.tolerance import assert_close

START = np.array([-1.2, 1.0])


def by_hand(opt, value, grad=None, x0=None):
    state = opt.init() if x0 is None else opt.init(x0)
    asked = []
    while not opt.done(state):
        x = opt.ask(state)
        asked.append(x)
        state = opt.tell(state, value(x)) if grad is None else opt.tell(state, value(x), grad(x))
    return opt.result(state), asked, state


def np_rosen(x):
    x = np.asarray(x)
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


def np_rosen_der(x):
    x = np.asarray(x)
    return np.array([-400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)])


def test_a_numpy_objective_takes_the_same_steps_as_minimize():
    res, asked, _ = by_hand(stepper("BFGS"), np_rosen, np_rosen_der, START)
    known = minimize(rosen, START, jac=rosen_der)
    assert bool(res.success)
    assert int(res.nfev) == int(res.njev) == len(asked)
    assert [int(res[k]) for k in ("nit", "nfev", "njev", "status")] == [
        int(known[k]) for k in ("nit", "nfev", "njev", "status")
    ]
    assert_close(res.x, known.x, np.float64, "x from slopes")
    assert set(res.keys()) == set(known.keys())


def test_bounded_takes_the_same_steps_as_minimize_scalar():
    fun = lambda x: (x - 0.3) ** 2 + 0.1 * x**3
    res, asked, _ = by_hand(stepper("bounded", bounds=(-1.0, 2.0)), lambda x: fun(np.asarray(x)))
    known = minimize_scalar(fun, bounds=(-1.0, 2.0))
    assert int(res.nfev) == len(asked) == int(known.nfev)
    assert_close(res.x, known.x, np.float64, "x from values")
    assert {np.shape(x) for x in asked} == {()}


def test_an_option_is_an_option():
    res, asked, _ = by_hand(stepper("bfgs", options={"maxiter": 3}), np_rosen, np_rosen_der, START)
    assert (int(res.nit), int(res.status)) == (3, 1)
    res, asked, _ = by_hand(stepper("BFGS", options={"maxfev": 4}), np_rosen, np_rosen_der, START)
    assert (len(asked), int(res.status)) == (4, 1)


def test_a_result_can_be_read_at_any_time():
    opt = stepper("BFGS")
    state = opt.init(START)
    assert int(opt.result(state).status) == int(state.status) == -1
    assert not bool(opt.result(state).success)
    state = opt.tell(state, np_rosen(START), np_rosen_der(START))
    res = opt.result(state)
    assert int(res.status) == -1
    assert float(res.fun) == np_rosen(START)
    np.testing.assert_array_equal(res.x, START)
    assert "Still running" in res.message


def test_a_state_that_has_ended_stays():
    opt = stepper("BFGS")
    _, _, state = by_hand(opt, np_rosen, np_rosen_der, START)
    later = opt.tell(state, -1e9, np.ones(2))
    jax.tree.map(np.testing.assert_array_equal, later, state)


def test_asking_twice_is_asking_once():
    opt = stepper("BFGS")
    state = opt.init(START)
    np.testing.assert_array_equal(opt.ask(state), opt.ask(state))
    np.testing.assert_array_equal(opt.ask(state), START)


def test_holes_are_told_as_they_are():
    value = lambda x: np.log(x).sum() * -1.0 + 10.0 * x.sum() if np.all(x > 0) else np.nan
    grad = lambda x: 10.0 - 1.0 / x if np.all(x > 0) else np.full(2, np.nan)
    res, *_ = by_hand(stepper("BFGS"), lambda x: value(np.asarray(x)), lambda x: grad(np.asarray(x)), np.array([1.0, 2.0]))
    assert bool(res.success)
    assert_close(res.x, [0.1, 0.1], np.float64, "x from slopes")


def test_the_structure_of_x_is_kept():
    opt = stepper("BFGS")
    x0 = {"a": np.array([1.0, 2.0], np.float32), "b": np.float32(3.0)}
    value = lambda x: np.sum(np.asarray(x["a"]) ** 2) + np.asarray(x["b"]) ** 2
    grad = lambda x: jax.tree.map(lambda leaf: 2.0 * leaf, x)
    res, asked, _ = by_hand(opt, value, grad, x0)
    assert bool(res.success)
    assert {leaf.dtype for leaf in jax.tree.leaves((res.x, asked))} == {np.dtype(np.float32)}
    assert jax.tree.structure(res.x) == jax.tree.structure(x0)


def steps(opt, state, most):
    turn = lambda state, _: (opt.tell(state, rosen(opt.ask(state)), rosen_der(opt.ask(state))), None)
    return jax.lax.scan(turn, state, length=most)[0]


def test_scan_of_steps_is_minimize():
    opt = stepper("BFGS")
    res = opt.result(jax.jit(lambda x0: steps(opt, opt.init(x0), 60))(START))
    known = minimize(rosen, START, jac=rosen_der)
    assert bool(res.success)
    assert int(res.nit) == int(known.nit)
    assert_close(res.x, known.x, np.float64, "x from slopes")


def test_vmap_of_steps_is_a_batch():
    opt = stepper("BFGS")
    starts = np.array([[-1.2, 1.0], [0.0, 0.0], [1.0, 1.0]])
    res = jax.vmap(lambda x0: opt.result(steps(opt, opt.init(x0), 60)))(starts)
    assert np.all(np.asarray(res.success))
    assert int(res.nit[2]) == 0
    np.testing.assert_allclose(res.x, np.ones((3, 2)), atol=1e-4)
    states = jax.vmap(opt.init)(starts)
    np.testing.assert_array_equal(jax.vmap(opt.ask)(states), starts)
    assert not np.any(opt.done(states))


def test_a_state_is_a_pytree():
    opt = stepper("BFGS")
    state = opt.tell(opt.init(START), np_rosen(START), np_rosen_der(START))
    leaves, structure = jax.tree.flatten(state)
    again = jax.tree.unflatten(structure, leaves)
    np.testing.assert_array_equal(opt.ask(again), opt.ask(state))
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)


def test_several_starts_do_not_trace_anew():
    opt = stepper("BFGS")
    opt.tell(opt.init(START), 1.0, np.ones(2))
    with jax.log_compiles(False), jax.checking_leaks():
        state = opt.init(START + 1.0)
    assert int(state.status) == -1


WRONG = {
    "unknown method": (lambda: stepper("bfg"), "unknown method 'bfg'.*Did you mean 'BFGS'"),
    "unknown option": (lambda: stepper("BFGS", options={"gtoll": 1.0}).init(START), "unknown option 'gtoll'"),
    "no bounds": (lambda: stepper("bounded"), "bounds are not given"),
    "bounds to BFGS": (lambda: stepper("BFGS", bounds=(0.0, 1.0)), "cannot handle bounds"),
    "crossed bounds": (lambda: stepper("bounded", bounds=(1.0, 0.0)), "crossed"),
    "no start": (lambda: stepper("BFGS").init(), "x0 is not given"),
    "no gradient": (lambda: stepper("BFGS").tell(stepper("BFGS").init(START), 1.0), "grad is not given"),
    "a gradient too many": (
        lambda: stepper("bounded", bounds=(0.0, 1.0)).tell(stepper("bounded", bounds=(0.0, 1.0)).init(), 1.0, 1.0),
        "does not use it",
    ),
    "gradient of another shape": (
        lambda: stepper("BFGS").tell(stepper("BFGS").init(START), 1.0, np.ones(3)),
        r"grad.*\(3,\).*\(2,\)",
    ),
    "no scalar": (lambda: stepper("BFGS").tell(stepper("BFGS").init(START), np.ones(2), np.ones(2)), "tell a scalar"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_calls_say_what_is_wrong(case):
    call, words = WRONG[case]
    with pytest.raises(ValueError, match=words):
        call()
