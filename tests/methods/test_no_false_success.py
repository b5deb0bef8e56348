"""What was called converged and was not: each fault by its name, in hundreds of lanes, for every method of `minimize`.

The judge works in float64 on the functions written once more in NumPy, with least values in closed form or found by trying:
360 directions around the claimed point at a hundred distances. `python -m tests.audit minima` does more of the kind.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize

METHODS = ("BFGS", "CG", "Newton-CG", "L-BFGS-B", "TNC")
KINDS = ("kink", "absolute deviations", "minimax", "hinge", "valley", "wall", "bend")
LANES = 60  # of each kind
TOP = 40.0  # where the exponential wall goes on as a straight line: no infinity, which a switch would multiply by 0


def value(kind, x, A, b, z, c, xp):
    """A function of this kind at x (..., 2); data have the same axes in front."""
    rows = xp.sum(A * x[..., None, :], axis=-1) - b
    bowl = xp.sum((x - z) ** 2, axis=-1)
    u, v = x[..., 0], x[..., 1]
    steep = xp.minimum(30 * rows[..., 0], TOP)
    return {
        "kink": lambda: 5 * xp.abs(rows[..., 0]) + bowl,
        "absolute deviations": lambda: xp.sum(xp.abs(rows), axis=-1),
        "minimax": lambda: xp.max(xp.abs(rows), axis=-1),
        "hinge": lambda: xp.sum(xp.maximum(1 - rows, 0), axis=-1) + xp.sum(x**2, axis=-1) / 20,
        "valley": lambda: 10**c * rows[..., 0] ** 2 + bowl,
        "wall": lambda: xp.exp(steep) * (1 + xp.maximum(30 * rows[..., 0] - TOP, 0)) + bowl,
        "bend": lambda: (u - 2) ** 2 * (1 + v**2) + (v + 1) ** 2,
    }[kind]()


def lanes(dtype):
    """Data and starts, rounded to the dtype: LANES of each kind, one after the other; the bend's first start is (1, 1)."""
    rng = np.random.default_rng(13)
    total = LANES * len(KINDS)
    A, b, z = rng.normal(size=(total, 3, 2)), rng.normal(size=(total, 3)), 2 * rng.normal(size=(total, 2))
    c = rng.uniform(7, 8, total) if dtype == "float32" else rng.uniform(14, 16, total)
    x0 = 3 * rng.normal(size=(total, 2))
    x0[LANES * KINDS.index("bend")] = 1.0
    b[LANES * KINDS.index("valley") :] = 0.0
    return [v.astype(dtype) for v in (x0, A, b, z, c)]


@functools.cache
def solved(method, dtype):
    """x, status of all lanes."""
    kinds = np.repeat(np.arange(len(KINDS), dtype=np.int32), LANES)

    def one(x0, A, b, z, c, kind):
        fun = lambda x: jnp.stack([value(name, x, A, b, z, c, jnp) for name in KINDS])[kind]
        trials = jnp.where(kind == KINDS.index("wall"), 1, 20)  # at a wall one was called the end
        options = {"maxiter": 400} | ({"maxls": trials} if method in ("L-BFGS-B", "TNC") else {})
        res = minimize(fun, x0, method=method, options=options)
        return res.x, res.status

    x, status = jax.jit(jax.vmap(one))(*lanes(dtype), kinds)
    return np.asarray(x, float), np.asarray(status)


def excess(kind, x, A, b, z, c):
    """By how much f is too high at x (lanes, 2)."""
    data = [v.astype(float) for v in (A, b, z, c)]
    here = value(kind, x, *data, np)
    A, b, z, c = data
    if kind == "bend":
        return here
    if kind in ("kink", "valley"):
        a = A[:, 0]
        s, aa = np.sum(a * z, axis=1) - b[:, 0], np.sum(a * a, axis=1)
        if kind == "valley":
            return here - s * s / (aa + 10.0**-c)
        t = np.clip(-s / aa, -2.5, 2.5)
        return here - (5 * np.abs(s + t * aa) + t * t * aa)
    angles = np.linspace(0.0, 2 * np.pi, 360, endpoint=False)
    steps = np.geomspace(1e-7, 10.0, 100)[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    there = x[:, None] + steps.reshape(-1, 2)
    with np.errstate(over="ignore"):
        return here - np.min(value(kind, there, *(v[:, None] for v in data), np), axis=1)


def allowed(kind, x, A, b, z, c, dtype, gtol):
    """What rounding of f and of x, and the tolerance of the gradient, leave of it."""
    eps, size = np.finfo(dtype).eps, 1.0 + np.max(np.abs(x), axis=1)
    steepest = np.maximum(10.0, np.abs(value(kind, x, *(v.astype(float) for v in (A, b, z, c)), np)))
    left = 100 * eps * size * steepest + 10 * gtol
    return left + (20 * eps**2 * 10.0 ** c.astype(float) * size**2 if kind == "valley" else 0.0)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_no_claim_is_false(kind, method, dtype):
    mine = slice(LANES * KINDS.index(kind), LANES * (KINDS.index(kind) + 1))
    x, status = (v[mine] for v in solved(method, dtype))
    _, *data = (v[mine] for v in lanes(dtype))
    claimed = np.isin(status, (0, 8))
    gtol = 1e-5 if dtype == "float64" else 2.4e-5
    false = claimed & (excess(kind, x, *data) > allowed(kind, x, *data, dtype, gtol))
    assert not np.any(false), f"lanes {np.flatnonzero(false)}"
    if kind in ("valley", "bend"):
        assert np.mean(claimed) >= 0.9


@pytest.mark.parametrize("method", ["BFGS", "TNC"])
def test_a_kink_across_the_axes_is_no_minimum(method):
    """The change of the gradient across it has all components, which excused the slope along it (least value: 8)."""
    fun: Callable = lambda x: 5 * jnp.abs(x[0] + x[1]) + (x[0] - 3.0) ** 2 + (x[1] - 1.0) ** 2
    res = minimize(fun, np.array([4.0, -1.0]), method=method)
    assert not res.success or float(res.fun) <= 8.0 + 1e-6


def test_a_curvature_that_is_rounding_leads_nowhere():
    """TNC called the start a success, where the gradient is (-4, 6) and the Hessian has an eigenvalue of 0."""
    fun: Callable = lambda x: (x[0] - 2.0) ** 2 * (1.0 + x[1] ** 2) + (x[1] + 1.0) ** 2
    res = minimize(fun, np.array([1.0, 1.0]), method="TNC")
    assert res.success
    np.testing.assert_allclose(res.x, [2.0, -1.0], atol=1e-4)
