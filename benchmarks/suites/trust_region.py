"""Suite `trust_region`: dogleg, trust-ncg, trust-krylov and trust-exact.

- n=4: 10,000 starts of the Rosenbrock function, a vmap of each method beside a loop over SciPy's of the same name with
  analytic derivatives. For dogleg the starts are near the minimum, where the Hessian is positive definite: elsewhere SciPy's
  raises an error.
- compile: trace and compile time of the same vmap in fresh processes, and BFGS's.
- library: which of 51 smooth problems are solved, with how many evaluations (`library.py`).
"""

import statistics
from dataclasses import replace

import numpy as np
from scipy.optimize import rosen, rosen_der, rosen_hess, rosen_hess_prod

from benchmarks.library import compare
from benchmarks.problems import ROSENBROCK, rosenbrock, uniform_starts
from benchmarks.race import race
from benchmarks.records import OURS, Row, Settings, Task
from benchmarks.suites.compile import LANES, in_fresh_process

N, MAXITER = 4, 4096  # stops nobody
CAPS = {"SciPy loop": 100}
AIMS = {"dogleg": ">= 150x", "trust-ncg": ">= 300x", "trust-krylov": ">= 300x", "trust-exact": ">= 250x"}
CONVEX = 0.1  # times a uniform start, about the minimum


def run(settings: Settings) -> list[Row]:
    """All three parts."""
    rows: list[Row] = []
    uniform = [uniform_starts(settings.lanes, N, settings.dtype, r) for r in range(settings.repeats)]
    convex = [(np.asarray(1.0 + CONVEX * x0)).astype(settings.dtype) for x0 in uniform]
    for method, aim in AIMS.items():
        task = Task(
            rosenbrock,
            rosen,
            rosen_der,
            settings.tol,
            MAXITER,
            settings.width,
            settings.turns,
            method,
            host_product=rosen_hess_prod,
            host_hessian=rosen_hess,
        )
        batches = [(x0,) for x0 in (convex if method == "dogleg" else uniform)]
        kappas = [ROSENBROCK] * settings.repeats
        mine, _ = race("trust_region", f"{method}, n={N}", task, batches, kappas, (OURS, "SciPy loop"), CAPS, settings)
        rows += [replace(r, extra=r.extra | {"aim": aim}) if r.contender != OURS else r for r in mine]
    return rows + _compile(settings) + compare("trust_region", tuple(AIMS), settings)


def _compile(settings: Settings) -> list[Row]:
    methods, repeats = ("BFGS", *AIMS), 1 if settings.quick else 3
    each = [{m: in_fresh_process(OURS, settings, m) for m in methods} for _ in range(repeats)]
    seconds = {m: statistics.median(child[m]["compile_s"] for child in each) for m in methods}
    case = f"compile, vmap, n={N}, {LANES} lanes"
    extra = {m: {"of_bfgs": s / seconds["BFGS"], "aim": "<= 1.5x BFGS's"} for m, s in seconds.items()}
    return [Row("trust_region", case, f"{OURS} {m}", s, "s", lanes=LANES, extra=extra[m]) for m, s in seconds.items()]
