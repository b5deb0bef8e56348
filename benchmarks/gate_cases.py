"""What the gate times: small batches, by whatever `jaxopt_lite` is on the path. The child of `benchmarks/gate.py`.

It reads names of cases from its standard input and answers each with the CPU seconds of one call, in JSON; null for what the
package of that commit does not have. It imports nothing of the project but the package, so that it runs beside any commit.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SEED = 20261129


def _chain(x: Any) -> Any:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _minimum(method: str, lanes: int = 4000, **keywords: Any) -> Callable[[], Callable[[], Any]]:
    """A batch of 4-D Rosenbrock chains."""

    def build() -> Callable[[], Any]:
        from jaxopt_lite import minimize

        starts = np.random.default_rng(SEED).uniform(-2, 2, (lanes, 4))
        solve = jax.vmap(lambda x0: minimize(_chain, x0, method=method, **keywords).x)
        return lambda: solve(starts)

    return build


def _stragglers() -> Callable[[], Any]:
    """Chains of conditions from 1 to 1e6: a few lanes take most of the turns."""
    from jaxopt_lite import minimize

    rng = np.random.default_rng(SEED)
    starts, kappas = rng.uniform(-2, 2, (2000, 4)), 10.0 ** rng.uniform(0, 6, 2000)
    chain = lambda x, k: jnp.sum(k * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)
    solve = jax.vmap(lambda x0, k: minimize(chain, x0, args=(k,), method="BFGS", options={"maxiter": 5000}).x)
    return lambda: solve(starts, kappas)


def _constrained() -> Callable[[], Any]:
    """SciPy's three constraints, with data of each lane's own."""
    from jaxopt_lite import minimize

    rng = np.random.default_rng(SEED)
    aims, starts = rng.uniform(0.5, 2.5, (2000, 2)), rng.uniform(0.0, 3.0, (2000, 2))
    rows = [
        {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2},
        {"type": "ineq", "fun": lambda x: -x[0] - 2 * x[1] + 6},
        {"type": "ineq", "fun": lambda x: -x[0] + 2 * x[1] + 2},
    ]
    one = lambda x0, aim: (
        minimize(lambda x: jnp.sum((x - aim) ** 2), x0, method="SLSQP", bounds=[(0, 9)] * 2, constraints=rows).x
    )
    solve = jax.vmap(one)
    return lambda: solve(starts, aims)


def _brentq() -> Callable[[], Any]:
    from jaxopt_lite import root_scalar

    p = np.random.default_rng(SEED).uniform(1, 5, 200_000)
    solve = jax.vmap(lambda p: root_scalar(lambda x: x**3 - x - p, bracket=(1.0, 3.0)).root)
    return lambda: solve(p)


def _newton() -> Callable[[], Any]:
    from jaxopt_lite import root_scalar

    p = np.random.default_rng(SEED).uniform(1, 5, 200_000)
    solve = jax.vmap(lambda p: root_scalar(lambda x: x**3 - x - p, x0=2.0, method="newton").root)
    return lambda: solve(p)


def _brent() -> Callable[[], Any]:
    from jaxopt_lite import minimize_scalar

    p = np.random.default_rng(SEED).uniform(0.5, 1.5, 100_000)
    solve = jax.vmap(lambda p: minimize_scalar(lambda x: jnp.cosh(x - p) + 0.1 * x, bracket=(-1.0, 1.0)).x)
    return lambda: solve(p)


def _fit() -> Callable[[], Any]:
    from jaxopt_lite import curve_fit

    rng, t = np.random.default_rng(SEED), np.linspace(-3.0, 3.0, 25)
    truth = rng.uniform(0.5, 1.5, (4000, 3))
    y = truth[:, :1] * np.exp(-0.5 * ((t - truth[:, 1:2] + 1) / truth[:, 2:]) ** 2) + 0.02 * rng.standard_normal((4000, 25))
    peak = lambda t, a, c, w: a * jnp.exp(-0.5 * ((t - c) / w) ** 2)
    solve = jax.vmap(lambda y: curve_fit(peak, t, y, p0=np.array([1.0, 0.0, 1.0]))[0])
    return lambda: solve(y)


def _program() -> Callable[[], Any]:
    from jaxopt_lite import linprog

    rng = np.random.default_rng(SEED)
    A, x = rng.standard_normal((20, 40)), rng.uniform(0.5, 2.0, (500, 40)) * (rng.random((500, 40)) < 0.5)
    c = rng.standard_normal((500, 20)) @ A + np.where(x > 0, 0.0, rng.uniform(0.1, 1.0, (500, 40)))
    solve = jax.vmap(lambda b, c: linprog(c, A_eq=A, b_eq=b).x)
    return lambda: solve(x @ A.T, c)


def _spots() -> Callable[[], Any]:
    """Gaussian spots on 5 x 5 pixels."""
    from jaxopt_lite import curve_fit

    rng, (u, v) = np.random.default_rng(SEED), np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0))).reshape(2, 25)
    spot = lambda t, a, x, y, s, b: a * jnp.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * s**2)) + b
    truth = np.array([500.0, 2.0, 2.0, 1.0, 10.0]) * rng.uniform(0.9, 1.1, (4000, 5))
    counts = np.asarray(jax.vmap(lambda p: spot(None, *p))(truth)) + 17.05 * rng.standard_normal((4000, 25))
    solve = jax.vmap(lambda y, p0: curve_fit(spot, np.arange(25.0), y, p0)[0])
    return lambda: solve(counts, truth * rng.uniform(0.9, 1.1, truth.shape))


def _quadratic() -> Callable[[], Any]:
    """20 variables in boxes, 10 equations."""
    from jaxopt_lite import quadprog

    rng = np.random.default_rng(SEED)
    F, A = rng.standard_normal((20, 20)), rng.standard_normal((10, 20))
    P, q, b = F @ F.T / 20 + np.eye(20), rng.standard_normal((300, 20)), rng.uniform(-0.5, 0.5, (300, 20)) @ A.T
    solve = jax.vmap(lambda q, b: quadprog(P, q, A_eq=A, b_eq=b, bounds=(-1.0, 1.0)).x)
    return lambda: solve(q, b)


def _eager() -> Callable[[], Any]:
    from jaxopt_lite import minimize

    x0 = np.zeros(2)

    def many() -> Any:
        return [minimize(_chain, x0).x for _ in range(500)]

    return many


def _compile() -> Callable[[], Any]:
    from jaxopt_lite import minimize

    count = iter(range(1, 1000))

    def fresh() -> Any:
        n = next(count)
        return minimize(lambda x: _chain(x) + jnp.sum(x[:1] ** n), np.zeros(3)).x

    return fresh


CASES = {
    "BFGS, n = 4": _minimum("BFGS"),
    "CG, n = 4": _minimum("CG"),
    "Newton-CG, n = 4": _minimum("Newton-CG"),
    "L-BFGS-B in a box, n = 4": _minimum("L-BFGS-B", bounds=[(-3.0, 0.8)] * 4),
    "TNC, n = 4": _minimum("TNC", lanes=1000),
    "stragglers": _stragglers,
    "dogleg, n = 4": _minimum("dogleg", lanes=2000),
    "trust-ncg, n = 4": _minimum("trust-ncg", lanes=2000),
    "trust-krylov, n = 4": _minimum("trust-krylov", lanes=1000),
    "trust-exact, n = 4": _minimum("trust-exact", lanes=2000),
    "Nelder-Mead, n = 4": _minimum("Nelder-Mead", lanes=500),
    "Powell, n = 4": _minimum("Powell", lanes=500),
    "SLSQP, three rows": _constrained,
    "brentq": _brentq,
    "newton": _newton,
    "brent": _brent,
    "curve_fit, 25 x 3": _fit,
    "spots": _spots,
    "linprog, 20 x 40": _program,
    "quadprog, 20 variables": _quadratic,
    "500 eager calls": _eager,
    "first call": _compile,
}


def main() -> None:
    """Answer until the input ends."""
    jax.config.update("jax_enable_x64", True)
    ready: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        name = line.strip()
        try:
            if name not in ready:
                ready[name] = CASES[name]()
                jax.block_until_ready(ready[name]())  # compiled
        except (ImportError, ValueError) as error:  # of an older package
            print(f"{name}: {error}", file=sys.stderr)
            print(json.dumps(None), flush=True)
            continue
        before = time.process_time()
        jax.block_until_ready(ready[name]())
        print(json.dumps(time.process_time() - before), flush=True)


if __name__ == "__main__":
    main()
