"""The rows of the laws for the methods that are told residuals: lm, trf and dogbox by `least_squares`."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, least_squares
from tests import tolerances
from tests.laws.case import Case
from tests.laws.objective import INFINITE, NOWHERE, Knobs

T = np.linspace(0.0, 3.0, 12)
REACH = 40.0  # bounds where the method takes some: so far from every answer


def decay(p: Array, theta: Array) -> Array:
    """Residuals (12,) of a decay that is fitted to another one with a wiggle; p = theta where the wiggle is small."""
    t = jnp.asarray(T, p.dtype)
    return p[0] * jnp.exp(-p[1] * t) - theta[0] * jnp.exp(-theta[1] * t) - 0.02 * jnp.sin(7.0 * t)


def _fitted(theta: np.ndarray) -> np.ndarray:
    """(..., 2): by Gauss and Newton, with the derivatives by hand, in float64."""
    theta = np.asarray(theta, np.float64)
    p = theta.copy()
    for _ in range(40):
        fade = np.exp(-p[..., 1:] * T)
        r = p[..., :1] * fade - theta[..., :1] * np.exp(-theta[..., 1:] * T) - 0.02 * np.sin(7.0 * T)
        J = np.stack([fade, -p[..., :1] * T * fade], -1)
        p = p - np.linalg.solve(J.swapaxes(-1, -2) @ J, J.swapaxes(-1, -2) @ r[..., None])[..., 0]
    return p


def _error(dtype: Any, tol: float) -> float:
    """ftol bounds the gain of a step relative to the cost, so that x is known to its root."""
    return 8 * (tol**0.5 + tolerances.eps(dtype) ** 0.5)


def _row(name: str) -> Case:
    def call(fun: Callable, start: Any, args: Any, tol: Any, most: Any, options: dict | None, shift: Any) -> OptimizeResult:
        reach = jnp.asarray(REACH, start.dtype)
        bounds = {} if name == "lm" else {"bounds": (shift - reach, shift + reach)}
        tols = {} if tol is None else {"ftol": tol, "xtol": tol, "gtol": tol}
        return least_squares(fun, start, args=args, method=name, max_nfev=most, options=options, **bounds, **tols)

    def solve(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
        return call(fun, jnp.asarray(start), args, tol, None, options, jnp.zeros((), start.dtype))

    def run(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
        return call(fun, k.start, (k,), k.tol, k.maxfev, options | {"maxiter": k.maxiter}, k.shift)

    return Case(
        name=name,
        door="least_squares",
        solve=solve,
        stepper=None,
        with_gradient=True,
        model=decay,
        starts=lambda rng, k: rng.uniform(0.5, 2.5, (k, 2)),
        thetas=lambda rng, k: rng.uniform(0.8, 1.6, (k, 2)),
        solution=_fitted,
        problems=(),
        hard=(),
        start_of=np.asarray,
        first_point=lambda start: start,
        group_of=lambda problem: (),
        untrue=None,
        tol_name="ftol",
        bad_start_status=5,
        shape=(2,),
        lift=0.0,
        run=run,
        value=lambda res: res.cost,
        measure=lambda r: 0.5 * jnp.sum(jnp.square(r), axis=-1),
        asked=lambda dtype: max(1e-8, 10 * tolerances.eps(dtype)),
        error=_error,
        poison={NOWHERE: 5, INFINITE: 5},
        least=2,
        ends_between=True,
    )


FIT_ROWS = tuple(_row(name) for name in ("trf", "dogbox", "lm"))
