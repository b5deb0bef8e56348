"""Suite `descent`: CG, Newton-CG, L-BFGS-B and TNC without bounds.

- n=4: 10,000 uniform starts of the Rosenbrock function, a vmap of each method beside a loop over SciPy's of the same name.
- compile: trace and compile time of the same vmap in fresh processes, and BFGS's.
- library: which of 51 smooth problems are solved, with how many evaluations (`library.py`).
- n=100,000: one problem by L-BFGS, beside SciPy, Optimistix and optax (`large.py`).
"""

import statistics
from dataclasses import replace

from scipy.optimize import rosen, rosen_der, rosen_hess_prod

from benchmarks.large import race_large
from benchmarks.library import compare
from benchmarks.problems import ROSENBROCK, rosenbrock, uniform_starts
from benchmarks.race import race
from benchmarks.records import OURS, Row, Settings, Task
from benchmarks.suites.compile import LANES, in_fresh_process

N, MAXITER = 4, 4096  # stops nobody
METHODS = ("L-BFGS-B", "CG", "Newton-CG", "TNC")
CAPS = {"SciPy loop": 100}
AIMS = {"L-BFGS-B": ">= 400x", "CG": ">= 800x", "Newton-CG": ">= 500x", "TNC": ">= 300x"}


def run(settings: Settings) -> list[Row]:
    """All four parts."""
    rows: list[Row] = []
    batches = [(uniform_starts(settings.lanes, N, settings.dtype, r),) for r in range(settings.repeats)]
    kappas = [ROSENBROCK] * settings.repeats
    for method in METHODS:
        task = Task(
            rosenbrock, rosen, rosen_der, settings.tol, MAXITER, settings.width, settings.turns, method, rosen_hess_prod
        )
        mine, _ = race("descent", f"{method}, n={N}", task, batches, kappas, (OURS, "SciPy loop"), CAPS, settings)
        rows += [replace(r, extra=r.extra | {"aim": AIMS[method]}) if r.contender != OURS else r for r in mine]
    return rows + _compile(settings) + compare("descent", METHODS, settings) + race_large("descent", settings, box=False)


def _compile(settings: Settings) -> list[Row]:
    methods, repeats = ("BFGS", *METHODS), 1 if settings.quick else 3
    each = [{m: in_fresh_process(OURS, settings, m) for m in methods} for _ in range(repeats)]
    seconds = {m: statistics.median(child[m]["compile_s"] for child in each) for m in methods}
    case = f"compile, vmap, n={N}, {LANES} lanes"
    return [
        Row(
            "descent",
            case,
            f"{OURS} {m}",
            s,
            "s",
            lanes=LANES,
            extra={"of_bfgs": s / seconds["BFGS"], "aim": "<= 2x BFGS's"},
        )
        for m, s in seconds.items()
    ]
