"""`python -m benchmarks.trust_constr [--variables N ...]`: what docs/design.md says of trust-constr beside its suite.

*Evaluations*: those of ours and of SciPy's trust-constr, of the problems of Hock and Schittkowski that both solve
(`constrained_library.py`), and the median of their ratios. In float64.

*Many variables*: four families by products, with the evaluations, the time (compilation included), the memory of the
process, and the residual of the conditions of optimality, from the multipliers that are reported: the gradient of f + y'c
without what pushes against a bound. Each family in a process of its own, because the largest memory is that of a process.

- circles: sum (x_i - a_i)^2 + 0.1 sum (x_i x_i+1)^2, each pair of variables on the unit circle
- chain: Rosenbrock's function, chained, under n - 2 equations: problem 5.1 of L. Luksan, J. Vlcek, Sparse and partially
  separable test problems for unconstrained and equality constrained optimization, report 767, Prague (1999)
- discs: sum (x_i - a_i)^2 + 0.1 sum (x_i+1 - x_i)^2, each pair in the unit disc, each variable in [-1/2, 2]
- control: a decay with a cubic term, steered to 1 by n / 2 controls over as many steps of Euler's; where asked for (hours)
"""

import argparse
import multiprocessing
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import constrained_library

FAMILIES = ("circles", "chain", "discs", "control")
Problem = tuple[Callable[..., Any], Callable[..., Any], tuple[float, float], Any, Any]  # f, rows, their sides, start, box


def main() -> None:
    """Both tables, or the one for so many variables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trust_constr", description="Figures of trust-constr.")
    parser.add_argument("--variables", nargs="+", type=int, help="many variables alone, with so many")
    parser.add_argument("--families", nargs="+", default=FAMILIES[:3], choices=FAMILIES)
    given = parser.parse_args()
    if not given.variables:
        _evaluations()
    for n in given.variables or (10_000,):
        for family in given.families:
            process = multiprocessing.get_context("spawn").Process(target=_many, args=(family, n))
            process.start()
            process.join()


def _evaluations() -> None:
    jax.config.update("jax_enable_x64", True)
    pairs = list(constrained_library.evaluations("trust-constr"))
    ours, theirs = np.array(pairs, float).T
    counts = f"evaluations {np.median(ours):g} and {np.median(theirs):g}, ratio {np.median(ours / theirs):.2f}"
    print(f"{len(pairs)} problems are solved by both; {counts}", flush=True)


def _problem(family: str, n: int) -> Problem:
    from jaxopt_lite import Bounds

    rng = np.random.default_rng(0)
    a = rng.normal(size=n)
    pairs = lambda x: x[::2] ** 2 + x[1::2] ** 2
    if family == "circles":
        fun = lambda x: jnp.sum((x - a) ** 2) + 0.1 * jnp.sum((x[1:] * x[:-1]) ** 2)
        return fun, pairs, (1.0, 1.0), rng.normal(size=n), None
    if family == "chain":
        fun = lambda x: jnp.sum(100 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1) ** 2)
        return fun, _chained, (0.0, 0.0), np.where(np.arange(n) % 2 == 0, -1.2, 1.0), None
    if family == "discs":
        fun = lambda x: jnp.sum((x - a) ** 2) + 0.1 * jnp.sum((x[1:] - x[:-1]) ** 2)
        return fun, pairs, (-np.inf, 1.0), np.full(n, 0.1), Bounds(np.full(n, -0.5), np.full(n, 2.0))
    k = n // 2
    fun = lambda z: (jnp.sum((z[:k] - 1) ** 2) + 1e-2 * jnp.sum(z[k:] ** 2)) / k

    def steps(z: Any) -> Any:
        y = jnp.concatenate([jnp.zeros(1), z[:k]])
        return y[1:] - y[:-1] + (y[:-1] - z[k:] + 0.1 * y[:-1] ** 3) / k

    return fun, steps, (0.0, 0.0), np.zeros(n), None


def _chained(x: Any) -> Any:
    u, v, w = x[:-2], x[1:-1], x[2:]
    return 3 * v**3 + 2 * w - 5 + jnp.sin(v - w) * jnp.sin(v + w) + 4 * v - u * jnp.exp(u - v) - 3


def _many(family: str, n: int) -> None:
    """One line."""
    from jaxopt_lite import NonlinearConstraint, minimize

    jax.config.update("jax_enable_x64", True)
    fun, rows, sides, start, box = _problem(family, n)
    began = time.perf_counter()
    held = NonlinearConstraint(rows, *sides)
    res = minimize(fun, start, method="trust-constr", constraints=held, bounds=box, options={"maxiter": 1000})
    jax.block_until_ready(res.x)
    took = time.perf_counter() - began
    left = np.asarray(jax.grad(fun)(res.x) + jax.vjp(rows, res.x)[1](res.multipliers)[0])
    if box is not None:
        x = np.asarray(res.x)
        left = np.where(x <= box.lb, np.minimum(left, 0), np.where(x >= box.ub, np.maximum(left, 0), left))
    memory = int(re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024  # of this process alone
    counts = f"status {int(res.status)} {int(res.nit):5d} steps {int(res.nfev):6d} turns {took:6.1f} s {memory:5.0f} MB"
    print(f"{family:8s} n {n:6d} {counts} left {np.max(np.abs(left)):.0e} maxcv {float(res.maxcv):.0e}", flush=True)


if __name__ == "__main__":
    main()
