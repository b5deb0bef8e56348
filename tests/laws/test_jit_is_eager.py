"""Law 12: under jit a call is what it is without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxopt_lite
from tests.laws.case import host
from tests.laws.cases import all_dtypes, assert_same_run, batch, each_door


@all_dtypes
@each_door
def test_jit_of_vmap_is_eager_vmap(case, dtype):
    starts, thetas = batch(case, dtype, 12)
    run = jax.vmap(lambda start, theta: case.solve(case.model, start, (theta,)))
    wanted = host(run(starts, thetas))
    assert_same_run(host(jax.jit(run)(starts, thetas)), wanted, dtype, case=case)
    fast = jax.jit(run, compiler_options=jaxopt_lite.compiler_options())
    assert_same_run(host(fast(starts, thetas)), wanted, dtype, case=case)


@each_door
def test_everything_numeric_may_be_traced(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))

    @jax.jit
    def run(start, theta, tol, maxiter, maxfev):
        return case.solve(case.model, start, (theta,), tol=tol, options={"maxiter": maxiter, "maxfev": maxfev})

    eager = case.solve(case.model, start, (theta,), tol=1e-3, options={"maxiter": 50, "maxfev": 60})
    assert_same_run(host(run(start, theta, 1e-3, 50, 60)), host(eager), np.float64)
    assert int(run(start, theta, 1e-3, 50, 3).nfev) == 3


@each_door
def test_result_can_be_used_inside(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))

    @jax.jit
    def best(start, theta):
        res = case.solve(case.model, start, (theta,))
        return jnp.where(res.success, res["fun"], jnp.inf), res.get("hess_inv", 0.0)

    np.testing.assert_allclose(best(start, theta)[0], case.solve(case.model, start, (theta,)).fun, atol=1e-9)


@each_door
def test_message_inside_jit_says_what_to_do(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    with pytest.raises(TypeError, match="status"):
        jax.jit(lambda s: case.solve(case.model, s, (theta,)).message)(start)


@each_door
def test_without_jit(case):
    """`jax.disable_jit`, for those who debug their function."""
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    wanted = host(case.solve(case.model, start, (theta,)))
    with jax.disable_jit():
        got = host(case.solve(case.model, start, (theta,)))
    assert_same_run(got, wanted, np.float64)


@each_door
def test_no_tracer_leaks(case):
    starts, thetas = batch(case, np.float64, 2)
    with jax.checking_leaks():
        run = jax.jit(jax.vmap(lambda s, t: case.solve(lambda x: case.model(x, t), s).x))
        slope = jax.grad(lambda t: jnp.sum(case.solve(lambda x: case.model(x, t), starts[0]).x))
        jax.block_until_ready((run(starts, thetas), slope(thetas[0])))


@each_door
def test_rematerialized_and_abstract(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    run = lambda theta: case.solve(case.model, start, (theta,))
    wanted = run(theta)
    shapes = jax.eval_shape(run, theta)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), shapes, wanted))
    loss = lambda theta: jnp.sum(run(theta).x)
    np.testing.assert_allclose(jax.grad(jax.checkpoint(loss))(theta), jax.grad(loss)(theta), rtol=1e-9)
