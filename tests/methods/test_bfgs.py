"""BFGS as a user meets it: every option, the inverse Hessian, the end in float32, the faults that others had."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize, rosen, rosen_der, rosen_hess, stepper
from tests.core.tolerance import DTYPES, assert_close, primitives, tolerance

START = np.array([-1.2, 1.0])
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def rosenbrock(x0=START, **options):
    return minimize(rosen, x0, options=options)


def quadratic(x, A, b):
    return 0.5 * jnp.sum(x * jnp.sum(A * x[None, :], axis=1)) - jnp.sum(b * x)


def spd(n, condition, seed=3):
    """A random matrix with this condition, and a right-hand side."""
    rng = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    A = Q @ np.diag(np.geomspace(1.0, condition, n)) @ Q.T
    return 0.5 * (A + A.T), rng.standard_normal(n)


@pytest.mark.parametrize("gtol", [1e-1, 1e-3, 1e-6, 1e-9])
def test_the_gradient_is_as_small_as_asked(gtol):
    res = rosenbrock(gtol=gtol)
    assert int(res.status) == 0
    assert np.max(np.abs(rosen_der(res.x))) <= gtol * (1 + 1e-6)
    assert int(res.nit) <= int(rosenbrock(gtol=gtol / 100).nit)


@pytest.mark.parametrize("order", [np.inf, 2, 1])
def test_the_norm_is_the_one_asked_for(order):
    """With a tolerance that only this norm meets at that point: the iterates are the same, the ends are not."""
    res = rosenbrock(gtol=1e-2, norm=order)
    assert int(res.status) == 0
    assert np.linalg.norm(np.asarray(rosen_der(res.x)), order) <= 1e-2 * (1 + 1e-6)


@pytest.mark.parametrize("order", ["fro", 0, None, "abc", np.nan])
def test_a_norm_that_is_none_is_named(order):
    if order is None:
        assert int(rosenbrock(norm=None).status) == 0
        return
    with pytest.raises((ValueError, TypeError), match="norm"):
        rosenbrock(norm=order)


def test_a_short_step_ends_the_run_with_xrtol():
    far, near = rosenbrock(xrtol=1e-1, gtol=0.0), rosenbrock(xrtol=1e-6, gtol=0.0)
    assert bool(far.success)
    assert int(far.nit) < int(near.nit)
    assert float(near.fun) < float(far.fun)


def test_a_short_step_far_from_the_minimum_is_no_success():
    """It comes where the Hessian is indefinite; success is where the exact Newton step is short too."""
    res = rosenbrock(xrtol=1e-1, gtol=0.0)
    newton = np.linalg.solve(scipy.optimize.rosen_hess(res.x), scipy.optimize.rosen_der(res.x))
    assert not res.success or np.max(np.abs(newton)) <= 0.1 * (0.1 + np.max(np.abs(res.x)))


def test_tol_sets_gtol_and_an_option_goes_first():
    run = lambda **kw: int(minimize(rosen, START, **kw).nit)
    assert run(tol=1e-2) == run(options={"gtol": 1e-2})
    assert run(tol=1e-2, options={"gtol": 1e-8}) == run(options={"gtol": 1e-8})


@pytest.mark.parametrize(("c1", "c2"), [(1e-4, 0.9), (1e-4, 0.1), (0.1, 0.5), (0.3, 0.35)])
def test_every_step_satisfies_the_conditions_asked_for(c1, c2):
    """Driven by hand, so that each point between is seen."""
    fun, grad = (lambda x: float(scipy.optimize.rosen(x))), scipy.optimize.rosen_der
    opt = stepper("BFGS", options={"c1": c1, "c2": c2})
    state = opt.init(START)
    path, best = [], 0
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        state = opt.tell(state, fun(x), grad(x))
        nit = int(opt.result(state).nit)
        if nit > best or not path:
            path.append(x)
        best = nit
    assert int(opt.result(state).status) == 0
    assert len(path) > 5
    for x, new in itertools.pairwise(path):
        slope, after = grad(x) @ (new - x), grad(new) @ (new - x)
        assert fun(new) <= fun(x) + c1 * slope + 1e-12 * fun(x)
        assert abs(after) <= c2 * abs(slope) * (1 + 1e-6)


@pytest.mark.parametrize(("c1", "c2"), [(0.9, 0.1), (0.5, 0.5), (0.0, 0.9), (1e-4, 1.0)])
def test_line_search_numbers_that_contradict_are_a_wrong_call(c1, c2):
    """SciPy: 'c1' and 'c2' do not satisfy '0 < c1 < c2 < 1'."""
    with pytest.raises(ValueError, match="c1"):
        scipy.optimize.minimize(scipy.optimize.rosen, START, method="BFGS", jac=rosen_der, options={"c1": c1, "c2": c2})
    with pytest.raises(ValueError, match="c1"):
        rosenbrock(c1=c1, c2=c2)


def test_the_inverse_hessian_of_the_start_is_used():
    """With the true one a quadratic is solved by the first whole step; SciPy first tries another length."""
    A, b = spd(4, 1e4)
    inverse = np.linalg.inv(A)
    options = {"hess_inv0": 0.5 * (inverse + inverse.T)}
    theirs = scipy.optimize.minimize(
        lambda x: 0.5 * x @ A @ x - b @ x, np.ones(4), jac=lambda x: A @ x - b, method="BFGS", options=options
    )
    ours = minimize(quadratic, np.ones(4), args=(A, b), options=options)
    assert theirs.nit <= 2
    assert int(ours.nit) == 1
    assert_close(ours.x, np.linalg.solve(A, b), np.float64, "solve")
    assert_close(ours.hess_inv, np.linalg.inv(A), np.float64, "solve")


def test_the_inverse_hessian_of_the_start_may_be_a_list_or_traced():
    run = lambda H: minimize(quadratic, np.ones(2), args=(np.diag([1.0, 9.0]), np.ones(2)), options={"hess_inv0": H})
    assert int(run([[1.0, 0.0], [0.0, 1.0 / 9.0]]).nit) == 1
    assert int(jax.jit(run)(jnp.diag(jnp.array([1.0, 1.0 / 9.0]))).nit) == 1


@pytest.mark.parametrize("maxiter", [0, 1, 5])
def test_the_budget_of_iterations_holds(maxiter):
    res = rosenbrock(maxiter=maxiter)
    assert (int(res.status), int(res.nit), bool(res.success)) == (1, maxiter, False)
    assert float(res.fun) == pytest.approx(float(rosen(res.x)), rel=1e-12)
    assert float(res.fun) <= float(rosen(jnp.asarray(START)))


@pytest.mark.parametrize("maxfev", [1, 2, 10])
def test_the_budget_of_evaluations_holds(maxfev):
    res = rosenbrock(maxfev=maxfev)
    assert (int(res.status), int(res.nfev)) == (1, maxfev)


@pytest.mark.parametrize("option", [{"eps": 1e-6}, {"finite_diff_rel_step": 1e-6}], ids=str)
def test_the_step_of_finite_differences_can_be_chosen_as_in_scipy(option):
    res = minimize(rosen, START, jac="2-point", options=option)
    assert float(res.fun) < 1e-4


@pytest.mark.parametrize("n", [2, 5])
def test_the_inverse_hessian_of_a_quadratic_is_learnt(n):
    """Each curvature to a factor of two, in whatever direction; SciPy's, which searches more exactly, too."""
    A, b = spd(n, 50.0)
    options = {"gtol": 1e-9}
    theirs = scipy.optimize.minimize(
        lambda x: 0.5 * x @ A @ x - b @ x, np.zeros(n), jac=lambda x: A @ x - b, method="BFGS", options=options
    )
    ours = minimize(quadratic, np.zeros(n), args=(A, b), options=options)
    assert_close(ours.hess_inv, np.asarray(ours.hess_inv).T, np.float64, "rounding")
    for H in (theirs.hess_inv, np.asarray(ours.hess_inv)):
        curvatures = np.linalg.eigvals(H @ A).real
        assert np.all(curvatures > 0.5)
        assert np.all(curvatures < 2.0)


@functools.cache
def worked_example():
    return minimize(rosen, [1.3, 0.7, 0.8, 1.9, 1.2], method="BFGS", options={"gtol": 1e-6})


def test_the_worked_example():
    res = worked_example()
    assert int(res.status) == 0
    true = np.linalg.inv(np.asarray(rosen_hess(jnp.ones(5))))
    np.testing.assert_allclose(res.x, np.ones(5), atol=2e-6 * np.linalg.norm(true, np.inf))
    assert float(res.hess_inv[0, 0]) == pytest.approx(0.0075, rel=0.1)
    assert float(res.hess_inv[-1, -1]) == pytest.approx(1.537, rel=0.1)
    assert np.linalg.norm(np.asarray(res.hess_inv) - true) <= 0.1 * np.linalg.norm(true)
    assert int(res.nfev) == int(res.njev) >= int(res.nit) + 1


@pytest.mark.parametrize("n", [2, 3, 5, 7, 10])
def test_float32_finishes_on_rosenbrock(n):
    """At most one lane in a thousand fails, and who claims success is stationary up to the rounding of x."""
    starts = np.random.default_rng(n).uniform(-2, 2, (200, n)).astype(np.float32)
    res = jax.vmap(lambda x0: minimize(rosen, x0))(starts)
    assert res.x.dtype == np.float32
    assert np.sum(~np.asarray(res.success)) == 0
    x = np.asarray(res.x, float)
    grad = np.abs([scipy.optimize.rosen_der(p) for p in x])
    noise = np.array([np.sum(np.abs(scipy.optimize.rosen_hess(p)) * np.abs(p)[None, :], axis=1) for p in x])
    assert np.all(grad <= 2.4e-5 + 16 * np.finfo(np.float32).eps * noise)


@dtypes
@pytest.mark.parametrize("start", [(0.0, 0.0), (-1.2, 1.0)])
def test_rosenbrock_from_the_starts_where_others_stall(start, dtype):
    """jax PR 40228."""
    res = rosenbrock(np.array(start, dtype))
    assert bool(res.success)
    assert res.x.dtype == dtype
    assert_close(res.x, np.ones(2), dtype, "x from values")


@dtypes
def test_a_convex_function_of_one_variable_is_a_success(dtype):
    """jax 15486: the decrease vanishes before the gradient is small."""
    res = minimize(lambda x: jnp.sum(jnp.exp(x) - 2.0 * x) + 100.0, np.array([3.0], dtype))
    assert bool(res.success)
    assert_close(res.x, [np.log(2.0)], dtype, "x from values")


@dtypes
@pytest.mark.parametrize("shift", [-1e3, -1.0, 1.0, 1e3])
def test_a_shifted_minimum_is_the_same_minimum(shift, dtype):
    """tfp 1391: an f-tolerance that is relative to a negative or large value."""
    res = minimize(lambda x, s: rosen(x) + s, np.array(START, dtype), args=(dtype(shift),))
    assert bool(res.success)
    # values hide x below sqrt(eps |f| / curvature); the weakest curvature of this function at (1, 1) is 0.4
    near = 10 * (np.finfo(dtype).eps * max(1.0, abs(shift)) / 0.4) ** 0.5
    np.testing.assert_allclose(res.x, np.ones(2), atol=near)


@dtypes
@pytest.mark.parametrize("start", [1.6, 10.5])
def test_poisson_rates(start, dtype):
    """tfp 637: the likelihood of counts, NaN for negative rates, where a long first step leads."""
    counts = np.array([3.0, 5.0, 4.0, 8.0, 2.0], dtype)
    loss = lambda rate, k: jnp.sum(rate - k * jnp.log(rate))
    res = minimize(loss, np.array([start], dtype), args=(counts,))
    assert bool(res.success)
    assert_close(res.x, [counts.mean()], dtype, "x from slopes")


@dtypes
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_a_start_that_is_not_finite_ends_at_once(hole, dtype):
    """optimistix PR 197."""
    res = rosenbrock(np.array([hole, 1.0], dtype))
    assert (int(res.status), int(res.nit), int(res.nfev)) == (5, 0, 1)
    assert not bool(res.success)


@pytest.mark.parametrize("finite", [lambda x: jnp.all(x == 1.0), lambda x: jnp.sum(x) >= 3.0], ids=["a point", "an edge"])
def test_a_start_that_no_step_leaves_is_no_success(finite):
    """Every trial is NaN: that the search has come down to rounding says nothing about the gradient."""
    res = minimize(lambda x: jnp.where(finite(x), jnp.sum(x**2), jnp.nan), np.ones(3))
    assert int(res.status) == 4
    np.testing.assert_array_equal(res.x, np.ones(3))


@dtypes
def test_a_fall_along_one_axis_ends(dtype):
    """The step overflows before the value does, and infinity times the direction's zero is NaN: an endless search."""
    res = minimize(lambda x: x[0] + x[1] ** 2, np.zeros(2, dtype), options={"maxfev": 2000})
    assert not bool(res.success)
    assert int(res.status) != 1
    assert int(res.nfev) < 1000
    assert np.all(np.isfinite(res.x))


def test_a_hundred_runs_with_new_data_compile_once():
    """jaxopt 380 and 221."""
    traces, compiled = [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **kw: compiled.append(event) if event.endswith("backend_compile_duration") else None
    )

    def loss(x, data):
        traces.append(1)
        return jnp.sum((x - data) ** 2)

    data = np.random.default_rng(0).standard_normal((101, 3))
    minimize(loss, np.zeros(3), args=(data[0],), tol=1e-5)
    compiled.clear()
    found = [np.asarray(minimize(loss, row + 1.0, args=(row,), tol=1e-6).x) for row in data[1:]]
    assert len(traces) == 1
    assert compiled == []
    assert_close(np.stack(found), data[1:], np.float64, "x from slopes")


@pytest.mark.parametrize("batched", [False, True])
def test_the_objective_stands_once_in_the_program(batched):
    """Counted by a primitive that its derivatives do not repeat: one call site in the loop, and one in the certificate."""
    solve = lambda x0: minimize(lambda x: jnp.sum(x * x - jnp.log(x)), x0).x
    jaxpr = jax.make_jaxpr(jax.vmap(solve) if batched else solve)(jnp.ones((3, 2)) if batched else jnp.ones(2))
    assert primitives(jaxpr)["log"] == 2


def test_order_and_size_of_a_batch_change_nothing():
    starts = np.random.default_rng(1).uniform(-2, 2, (37, 2))
    order = np.random.default_rng(2).permutation(37)
    run = jax.vmap(lambda x0: minimize(rosen, x0, options={"lanes": 5}))
    res, moved, some = run(starts), run(starts[order]), run(starts[:3])
    solo = [rosenbrock(x) for x in starts[:3]]
    near = tolerance(np.float64, "x from slopes")
    np.testing.assert_array_equal(moved.nit, np.asarray(res.nit)[order])
    np.testing.assert_array_equal(some.nit, res.nit[:3])
    np.testing.assert_array_equal([int(s.nit) for s in solo], res.nit[:3])
    np.testing.assert_allclose(moved.x, np.asarray(res.x)[order], atol=near)
    np.testing.assert_allclose(some.x, res.x[:3], atol=near)


def counted(mean):
    fun = (lambda x: (rosen(x), rosen_der(x))) if mean == "pair" else rosen
    return minimize(fun, START, jac={"autodiff": None, "callable": rosen_der, "pair": True}.get(mean, mean))


@pytest.mark.parametrize("mean", ["callable", "pair", "2-point", "3-point", "cs"])
def test_every_kind_of_derivative_reaches_the_minimum(mean):
    res, known = counted(mean), counted("autodiff")
    per_turn = {"2-point": 3, "3-point": 5, "cs": 3}.get(mean, 1)
    assert int(res.nfev) == per_turn * int(res.njev)
    # the error of the gradient, over the weakest curvature of 0.4
    error = tolerance(np.float64, mean if mean in ("2-point", "3-point", "cs") else "derivative") * 100 / 0.4
    np.testing.assert_allclose(res.x, np.ones(2), atol=max(error, 1e-4))
    if mean in ("callable", "pair"):
        assert bool(res.success)
        assert abs(int(res.nit) - int(known.nit)) <= 2


def test_watching_a_run_changes_no_status():
    """Finite differences never claim working precision, watched or not."""
    start = jnp.array([1.3, 0.7, 0.8], jnp.float32)
    alone = minimize(rosen, start, jac="2-point")
    watched = minimize(rosen, start, jac="2-point", callback=lambda xk: None)
    assert int(watched.status) == int(alone.status) == 4


# --- the inverse Hessian that is reported -----------------------------------------------------------------------------


def inverse_errors(res):
    """Of hess_inv against the inverse of the exact Hessian at x, relative, lane by lane."""
    true = np.linalg.inv(np.asarray(jax.vmap(jax.hessian(rosen))(np.asarray(res.x, np.float64))))
    return np.linalg.norm(res.hess_inv - true, axis=(1, 2)) / np.linalg.norm(true, axis=(1, 2))


def test_inverse_hessian_at_working_precision_is_that_of_the_point_and_not_a_reset_identity():
    """Of the batch, and of a start that alone ended with the identity (which of them end with 8 is up to the rounding)."""
    starts = np.random.default_rng(0).uniform(-2.0, 2.0, (400, 2))
    res = jax.tree.map(np.asarray, jax.vmap(lambda x: minimize(rosen, x))(starts.astype(np.float32)))
    error, proved = inverse_errors(res), res.status == 8
    assert proved.sum() > 10
    assert np.max(error[proved]) <= 64 * np.finfo(np.float32).eps * 2500  # of the Hessian's condition
    assert np.max(error[res.status == 0]) <= 0.6
    alone = minimize(rosen, np.array([[0.10141729, -0.7590325]], np.float32)[0])
    assert inverse_errors(jax.tree.map(lambda a: np.asarray(a)[None], alone))[0] <= (1e-3 if alone.status == 8 else 0.6)


def test_inverse_hessian_of_a_plateau_is_none():
    """A function that is level everywhere has no inverse Hessian: the identity would be an invention."""
    flat = minimize(lambda x: 0.0 * jnp.sum(x), np.ones(2))
    assert flat.success
    assert np.all(np.isnan(flat.hess_inv))


def test_inverse_hessian_before_the_first_step_is_what_was_given_or_none():
    first = np.array([[2.0, 0.5], [0.5, 1.0]])
    at_start = lambda **options: minimize(rosen, np.zeros(2), options={"maxiter": 0} | options).hess_inv
    assert np.all(np.isnan(at_start()))
    np.testing.assert_array_equal(at_start(hess_inv0=first), first)


def test_scale_of_x_is_learnt():
    """A quadratic in units of a thousandth and of a thousand is solved as in units of one."""
    for unit in (1e-3, 1.0, 1e3):
        res = minimize(lambda x, unit: ((x / unit - 1.0) ** 2).sum(), np.zeros(2), (unit,), method="BFGS", tol=1e-6 / unit)
        assert res.success
        np.testing.assert_allclose(res.x / unit, 1.0, atol=1e-5)
