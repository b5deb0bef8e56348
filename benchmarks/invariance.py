"""`python -m benchmarks.invariance`: is a lane the same in another batch? In bits, and in how many roundings.

5,000 lanes of a method, the same in another order, and the first 1,000, 100, 7 and 1 of them alone. A line a method and
dtype: lanes whose x differs in any bit, lanes that took another number of iterations (of a fit: evaluations), and the
largest difference of x in eps.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LANES, PARTS = 5000, (1000, 100, 7, 1)
SEED = 20261129
T = np.linspace(-3.0, 3.0, 25)


def _chain(x: Any) -> Any:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _minimum(method: str) -> Callable[[Any], Any]:
    from jaxopt_lite import minimize

    def one(x0: Any) -> Any:
        res = minimize(_chain, x0, method=method)
        return res.x, res.nit

    return one


def _root(p: Any) -> Any:
    from jaxopt_lite import root_scalar

    one, three = p.dtype.type(1), p.dtype.type(3)
    res = root_scalar(lambda x: x**3 - x - p, bracket=(one, three), method="brentq")
    return res.root, res.nit


def _fit(y: Any) -> Any:
    from jaxopt_lite import curve_fit

    peak = lambda t, a, c, w: a * jnp.exp(-0.5 * ((t - c) / w) ** 2)
    popt, _, info, *_ = curve_fit(peak, T.astype(y.dtype), y, p0=np.array([1.0, 0.0, 1.0], y.dtype), full_output=True)
    return popt, info["nfev"]


def main() -> None:
    """Print the table."""
    jax.config.update("jax_enable_x64", True)
    for dtype in (np.float64, np.float32):
        rng = np.random.default_rng(SEED)
        starts, p = rng.uniform(-2, 2, (LANES, 4)), rng.uniform(1, 5, LANES)
        peaks = np.exp(-0.5 * ((T - rng.uniform(-1, 1, (LANES, 1))) / 1.1) ** 2)
        y = peaks + 0.02 * rng.standard_normal(peaks.shape)
        order = rng.permutation(LANES)
        for name, one, given in (
            ("BFGS, n = 4", _minimum("BFGS"), starts),
            ("L-BFGS-B, n = 4", _minimum("L-BFGS-B"), starts),
            ("brentq", _root, p),
            ("curve_fit, 25 x 3", _fit, y),
        ):
            solve, lanes = jax.vmap(one), given.astype(dtype)
            whole = [np.asarray(v) for v in solve(lanes)]
            print(f"{name}, {dtype.__name__}")
            _line("another order", solve(lanes[order]), [v[order] for v in whole])
            for part in PARTS:
                _line(f"{part} lanes", solve(lanes[:part]), [v[:part] for v in whole])


def _line(what: str, got: Any, wanted: Any) -> None:
    (x, nit), (x0, nit0) = (tuple(map(np.asarray, pair)) for pair in (got, wanted))
    apart = np.abs(x - x0).reshape(len(x), -1).max(1) / np.finfo(x.dtype).eps
    differ = f"{np.sum(apart > 0):5d} of {len(x)} lanes in bits, by up to {apart.max():.3g} eps"
    print(f"  {what:14s} {differ}; {np.sum(nit != nit0)} in iterations", flush=True)


if __name__ == "__main__":
    main()
