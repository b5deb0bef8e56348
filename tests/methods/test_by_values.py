"""What holds for both methods that see values alone: valleys, and the certificate that decides their claims."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize
from jaxopt_lite.core import certificate
from tests import tolerances
from tests.core.tolerance import DTYPES

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
methods = pytest.mark.parametrize("method", ["Nelder-Mead", "Powell"])


@dtypes
@methods
def test_narrow_valleys_are_solved_or_not_claimed(method, dtype):
    """10^c u^2 + |x - z|^2, rotated: simplices lose a dimension in them."""
    c = np.linspace(2.0, 5.0 if dtype == np.float32 else 9.0, 32).astype(dtype)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0].astype(dtype)
    z = np.array([1.0, -2.0, 0.5], dtype)

    def fun(x, c):
        u = jnp.sum(turn[0] * (x - z))
        return 10.0**c * u**2 + jnp.sum((x - z) ** 2)

    res = jax.jit(jax.vmap(lambda c: minimize(fun, np.zeros(3, dtype), c, method=method)))(c)
    wrong = np.asarray(res.fun) > 1e-4 + 1e3 * tolerances.eps(dtype)
    assert not np.any(res.success & wrong)
    assert np.mean(res.success) > 0.9


@dtypes
@methods
@pytest.mark.parametrize("boxed", [False, True], ids=["free", "in a box"])
def test_the_certificate_is_derived_and_no_error_of_ours_is_taken_for_a_function_without_derivatives(
    method, boxed, dtype, monkeypatch
):
    """Such a function's claims stand; so would all claims, if the certificate itself could not be traced."""
    monkeypatch.setattr(certificate, "NOT_DERIVED", ())
    bounds = [(-1.0, 3.0)] * 2 if boxed else None
    fun = lambda x: jnp.sum((x - 0.5) ** 2) + 0.1 * x[0] * x[1]
    assert jax.jit(lambda x0: minimize(fun, x0, method=method, bounds=bounds))(np.zeros(2, dtype)).success


TEXTBOOK = {  # name: least value 0, smooth, of two variables
    "Rosenbrock": lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2,
    "Beale": lambda x: sum((c - x[0] * (1 - x[1] ** (k + 1))) ** 2 for k, c in enumerate((1.5, 2.25, 2.625))),
    "Booth": lambda x: (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2,
    "Himmelblau": lambda x: (x[0] ** 2 + x[1] - 11) ** 2 + (x[0] + x[1] ** 2 - 7) ** 2,
    "Matyas": lambda x: 0.26 * (x[0] ** 2 + x[1] ** 2) - 0.48 * x[0] * x[1],
}


@pytest.mark.parametrize("method", ["Nelder-Mead", "Powell"])
def test_evaluations_are_those_of_scipy(method):
    """Within 1.3 times, in the median, over the textbook's functions from six starts each; and the minima are found."""
    rng = np.random.default_rng(8)
    starts = np.repeat(rng.uniform(-1.5, 2.0, (6, 2)), len(TEXTBOOK), 0)
    which = np.tile(np.arange(len(TEXTBOOK), dtype=np.int32), 6)
    functions = list(TEXTBOOK.values())
    fun = lambda x, k: jax.lax.switch(k, functions, x)
    res = jax.jit(jax.vmap(lambda x, k: minimize(fun, x, (k,), method=method)))(starts, which)
    theirs = [scipy.optimize.minimize(functions[k], x, method=method) for x, k in zip(starts, which, strict=True)]
    found = np.array([t.fun < 1e-3 for t in theirs])
    assert np.all((np.asarray(res.fun) < 1e-3) | ~np.asarray(res.success))
    assert np.sum(res.success & (res.fun < 1e-3)) >= found.sum()
    assert np.median(np.asarray(res.nfev) / [t.nfev for t in theirs]) <= 1.3
