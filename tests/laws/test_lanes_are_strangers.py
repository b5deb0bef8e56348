"""Law 3: a lane that is not a number, falls forever or never ends changes nothing in its neighbors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.laws.cases import all_cases, all_dtypes, assert_same_run, batch, host

GOOD, NOWHERE, BOTTOMLESS, SIGNALING = 0, 1, 2, 3
BAD_LANES = {0: "start", 3: "nowhere", 4: "bottomless", 10: "endless", 23: "infinite", 31: "start"}


def treacherous(case):
    """The model, but NaN everywhere, falling forever, or +inf everywhere, by a label."""

    def fun(x, theta, kind):
        calm = jnp.where(kind == BOTTOMLESS, 0.0, x)  # each side of a `where` stays finite where the other is chosen
        wild = jnp.where(kind == BOTTOMLESS, x, 0.0)
        value = jnp.where(kind == BOTTOMLESS, -jnp.exp(1e3 * jnp.sum(jnp.abs(wild))), case.model(calm, theta))
        value = jnp.where(kind == NOWHERE, jnp.nan, value)
        return jnp.where(kind == SIGNALING, jnp.inf, value)

    return fun


@pytest.mark.parametrize("options", [{"lanes": 8, "turns_per_refill": 3}, {"lanes": 0}], ids=["refill", "lockstep"])
@all_dtypes
@all_cases
def test_bad_lanes_have_their_own_status_and_change_no_other(case, dtype, options):
    starts, thetas = batch(case, dtype, 32, seed=5)
    fun = treacherous(case)
    run = jax.vmap(lambda s, t, k, m: case.solve(fun, s, (t, k), options=options | {"maxiter": m}))
    kinds, budgets = np.zeros(32, np.int32), np.full(32, 1000, np.int32)
    clean = host(run(starts, thetas, kinds, budgets))
    assert clean.success.all()

    hurt, kinds, budgets = starts.copy(), kinds.copy(), budgets.copy()
    wanted = {}
    for i, bad in BAD_LANES.items():
        if bad == "start":
            hurt[i], wanted[i] = np.nan, case.bad_start_status
        elif bad == "nowhere":
            kinds[i], wanted[i] = NOWHERE, 5
        elif bad == "infinite":
            kinds[i], wanted[i] = SIGNALING, 5
        elif bad == "bottomless":
            kinds[i], wanted[i] = BOTTOMLESS, 3 if case.lift else 5
        elif bad == "endless":
            budgets[i], wanted[i] = 2, 1
    got = host(run(hurt, thetas, kinds, budgets))
    assert {i: int(got.status[i]) for i in wanted} == wanted
    assert not got.success[list(wanted)].any()
    assert_same_run(got, clean, dtype, np.setdiff1d(np.arange(32), list(wanted)))


@all_cases
def test_bad_lane_is_what_it_is_alone(case):
    """Its own status, counts and best point do not depend on the neighbors either."""
    starts, thetas = batch(case, np.float64, 4)
    fun = treacherous(case)
    run = lambda s, t, k: case.solve(fun, s, (t, k), options={"maxiter": 100})
    kinds = np.arange(4, dtype=np.int32)
    together = host(jax.vmap(run)(starts, thetas, kinds))
    for i in range(4):
        alone = host(run(starts[i], thetas[i], kinds[i]))
        for name in ("status", "nit", "nfev", "x", "fun"):
            np.testing.assert_allclose(together[name][i], alone[name], rtol=1e-7, atol=1e-9, err_msg=name)


@all_cases
def test_batch_of_bad_lanes_alone_ends(case):
    starts, thetas = batch(case, np.float64, 5)
    fun = treacherous(case)
    got = host(jax.vmap(lambda s, t: case.solve(fun, s, (t, np.int32(NOWHERE))))(starts, thetas))
    np.testing.assert_array_equal(got.status, 5)
