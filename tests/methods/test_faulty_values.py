"""PRIMA's way of testing: random problems under rows, with values that are faulty at random; COBYLA."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Status, minimize
from tests import tolerances

SEED, LANES, N = 21, 1500, 3
FAULTS = (np.nan, np.inf, -1e30)  # 5 in 100 values each
NOISE = 1e-3  # of the values of half of the lanes; derivatives do not see it


def lanes(dtype):
    """Convex functions sum q (x - t)^2 under three rows, a start, and a budget that may end everything."""
    rng = np.random.default_rng(SEED)
    square, target = np.exp(rng.normal(size=(LANES, N))), rng.normal(size=(LANES, N))
    rows, side = rng.normal(size=(LANES, 3, N)), rng.uniform(0.1, 2.0, (LANES, 3))
    noise, start = np.where(np.arange(LANES) % 2, NOISE, 0.0), rng.normal(size=(LANES, N))
    rate = np.repeat([0.0, 0.05], LANES // 2)  # half have faults
    drawn = (v.astype(dtype) for v in (square, target, rows, side, noise, rate, start))
    return *drawn, rng.integers(5, 300, LANES).astype(np.int32)


def chance(x, k):
    """A number in [0, 1) that looks drawn, and is the same at the same x."""
    return jnp.abs(jnp.sin(jnp.sum(x * (12.9898 + 7.7 * k)) * 4e3)) * 997 % 1


def solved(method, dtype):
    """What the faulty functions give at the starts, and the results."""

    def one(square, target, rows, side, noise, rate, start, most):
        def fun(x):
            value = jnp.sum(square * (x - target) ** 2) + noise * chance(jax.lax.stop_gradient(x), 1)
            drawn = chance(x, 0)
            for k, fault in enumerate(FAULTS):
                value = jnp.where((rate * k <= drawn) & (drawn < rate * (k + 1)), jnp.asarray(fault, x.dtype), value)
            return value

        row = {"type": "ineq", "fun": lambda x: side - jnp.dot(rows, x, precision="highest")}
        res = minimize(fun, start, method=method, constraints=row, options={"maxfev": most})
        outside = jnp.max(jnp.maximum(jnp.dot(rows, start, precision="highest") - side, 0.0))
        return fun(start), outside, res

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(*lanes(dtype)))


def excess(square, target, rows, side, x):
    """What f without faults is above its minimum on the rows at x, by SciPy."""
    fun, slope = lambda x: square @ (x - target) ** 2, lambda x: 2 * square * (x - target)
    held = {"type": "ineq", "fun": lambda x: side - rows @ x, "jac": lambda x: -rows}
    options = {"ftol": 1e-13, "maxiter": 300}
    best = scipy.optimize.minimize(fun, np.zeros(N), jac=slope, method="SLSQP", constraints=held, options=options)
    assert np.max(rows @ best.x - side) <= 1e-8
    return fun(x) - best.fun


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize("method", ["COBYLA"])
def test_nothing_false_is_claimed_of_faulty_values(method, dtype):
    """It ends within its budget, at the best point seen; a claim is the minimum of what derivatives see."""
    first, outside, res = solved(method, dtype)
    *drawn, rate, _, most = lanes(dtype)
    assert np.all(res.nfev <= most)
    assert np.all(np.isfinite(res.fun) | (res.status == Status.NOT_FINITE))
    slight = np.finfo(dtype).eps ** 0.5
    worse = (res.maxcv > np.maximum(outside, slight)) | ((outside <= slight) & (res.fun > first + NOISE))
    assert not np.any(worse[rate == 0])  # another program's rounding draws other faults

    claimed = np.flatnonzero(res.success)
    above = np.array([excess(*(v[k].astype(float) for v in drawn[:4]), res.x[k].astype(float)) for k in claimed])
    allowed = 10 * (tolerances.gain_asked(dtype) + tolerances.value_noise(dtype, 10.0))
    assert np.all(above <= allowed), claimed[above > allowed]
    assert np.all(res.maxcv[claimed] <= 10 * slight)
    assert len(claimed) > 0.2 * LANES
    assert np.any(rate[claimed] > 0)
