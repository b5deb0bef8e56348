"""The contenders of the suite `spots`: each row makes one solver `fit(data, start) -> {"x", "failed", ...}` of a batch.

All stop by the reduction of the sum of squares alone, at the tolerance `tol` (1e-4), where their interfaces let them:

- ours: `jax.vmap` of `curve_fit` with ftol = tol, xtol and gtol off; returns popt and pcov. Converged: pcov is finite
  (it is infinite where a fit failed).
- SciPy loop: `scipy.optimize.curve_fit` with ftol = tol and xtol, gtol off (0 for MINPACK, None for trf). Once in its
  best form (analytic Jacobian in NumPy, check_finite=False; trf with x_scale="jac", a fifth faster here), once as most
  people call it (finite differences). Always float64. Converged: it did not raise.
- Optimistix: `optimistix.least_squares` with `LevenbergMarquardt(rtol=tol, atol=tol)` and at most 64 steps. It cannot
  test the reduction alone: it asks for a small step as well, |dx| <= atol + rtol |x|. It estimates no covariance.
- Optimistix in chunks: the same under `jax.lax.map`, 250 lanes at a time (as in `contenders.py`).
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.contenders import CHUNK, outer_jit
from benchmarks.spots import LOWER, PIXELS, UPPER, host_jacobian, host_spot, spot

Fit = Callable[..., dict[str, Any]]
MAX_STEPS = 64  # of Optimistix; stops nobody


def ours_one(tol: float, method: str) -> Callable[[Array, Array], tuple[Array, Array]]:
    """One fit by jaxopt_lite, to be vmapped: (data (25,), start (5,)) -> popt, pcov; bounds with 'trf'."""
    from jaxopt_lite import curve_fit

    box = {"bounds": (np.array(LOWER), np.array(UPPER))} if method == "trf" else {}

    def one(data: Array, start: Array) -> tuple[Array, Array]:
        xy = jnp.asarray(PIXELS, data.dtype)
        bounds = {name: tuple(jnp.asarray(side, data.dtype) for side in pair) for name, pair in box.items()}
        return curve_fit(spot, xy, data, start, method=method, ftol=tol, xtol=0.0, gtol=0.0, **bounds)

    return one


def _ours(tol: float, method: str) -> Fit:
    batch = jax.vmap(ours_one(tol, method))

    def fit(data: Array, start: Array) -> dict[str, Any]:
        popt, pcov = batch(data, start)
        return {"x": popt, "failed": ~jnp.all(jnp.isfinite(pcov), axis=(1, 2)), "pcov": pcov}

    return outer_jit(fit)


def ours_lm(tol: float) -> Fit:
    """`jax.vmap` of `jaxopt_lite.curve_fit`, method 'lm'."""
    return _ours(tol, "lm")


def ours_trf(tol: float) -> Fit:
    """The same with bounds, method 'trf'."""
    return _ours(tol, "trf")


def optimistix_one(tol: float) -> Callable[[Array, Array], dict[str, Any]]:
    """One fit by Optimistix, to be vmapped."""
    import optimistix

    solver = optimistix.LevenbergMarquardt(rtol=tol, atol=tol)

    def one(data: Array, start: Array) -> dict[str, Any]:
        residuals = lambda p, data: spot(jnp.asarray(PIXELS, data.dtype), *p) - data
        done = optimistix.least_squares(residuals, solver, start, args=data, max_steps=MAX_STEPS, throw=False)
        return {"x": done.value, "failed": done.result != optimistix.RESULTS.successful}

    return one


def optimistix_vmap(tol: float) -> Fit:
    """`jax.vmap` of `optimistix.least_squares`."""
    return outer_jit(jax.vmap(optimistix_one(tol)))


def optimistix_chunks(tol: float) -> Fit:
    """The same, CHUNK lanes after the other."""
    one = optimistix_one(tol)
    return outer_jit(lambda data, start: jax.lax.map(lambda lane: one(*lane), (data, start), batch_size=CHUNK))


def _scipy(method: str, tests: dict[str, Any], given: dict[str, Any]) -> Fit:
    from scipy.optimize import OptimizeWarning, curve_fit

    box = {"bounds": (LOWER, UPPER)} if method == "trf" else {}
    options = {"method": method, **box, **tests, **given}

    def one(data: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, bool]:
        try:
            return curve_fit(host_spot, PIXELS, data, start, **options)[0], False
        except RuntimeError:  # so SciPy says that a fit failed
            return np.full(start.shape, np.nan), True

    def fit(data: Any, start: Any) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            each = [one(*lane) for lane in zip(np.asarray(data, np.float64), np.asarray(start, np.float64), strict=True)]
        return {"x": np.stack([x for x, _ in each]), "failed": np.array([failed for _, failed in each])}

    return fit


_BEST = {"jac": host_jacobian, "check_finite": False}


def scipy_lm(tol: float) -> Fit:
    """A Python loop over SciPy's MINPACK, finite differences."""
    return _scipy("lm", {"ftol": tol, "xtol": 0.0, "gtol": 0.0}, {})


def scipy_lm_jac(tol: float) -> Fit:
    """The same with the analytic Jacobian and without the check of the data."""
    return _scipy("lm", {"ftol": tol, "xtol": 0.0, "gtol": 0.0}, _BEST)


def scipy_trf(tol: float) -> Fit:
    """A Python loop over SciPy's trf with bounds, finite differences."""
    return _scipy("trf", {"ftol": tol, "xtol": None, "gtol": None}, {})


def scipy_trf_jac(tol: float) -> Fit:
    """The same with the analytic Jacobian, x_scale="jac" and without the check of the data."""
    return _scipy("trf", {"ftol": tol, "xtol": None, "gtol": None}, _BEST | {"x_scale": "jac"})
