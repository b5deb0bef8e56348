"""Suite `bounded`: L-BFGS-B and TNC in a box.

- n=4: 10,000 uniform starts of the Rosenbrock function in a box at whose bounds two of the four variables end, beside a
  loop over SciPy's method of the same name and JAXopt's LBFGSB.
- n=100,000: one problem, a quarter of whose variables end at their bounds (`large.py`).
"""

from dataclasses import replace

import numpy as np
from scipy.optimize import rosen, rosen_der

from benchmarks.large import race_large
from benchmarks.problems import BOX, ROSENBROCK, rosenbrock, uniform_starts
from benchmarks.race import race
from benchmarks.records import OURS, Row, Settings, Task

N, MAXITER = 4, 4096  # stops nobody
CAPS = {"SciPy loop": 100, "JAXopt LBFGSB vmap": 500}
AIMS = {"SciPy loop": ">= 250x", "JAXopt LBFGSB vmap": ">= 20x"}  # of L-BFGS-B


def run(settings: Settings) -> list[Row]:
    """Both sizes."""
    rows: list[Row] = []
    starts = [uniform_starts(settings.lanes, N, settings.dtype, r) for r in range(settings.repeats)]
    batches = [(np.clip(x0, *BOX).astype(settings.dtype),) for x0 in starts]
    kappas = [ROSENBROCK] * settings.repeats
    for method, peers in (("L-BFGS-B", ("SciPy loop", "JAXopt LBFGSB vmap")), ("TNC", ("SciPy loop",))):
        task = Task(rosenbrock, rosen, rosen_der, settings.tol, MAXITER, settings.width, settings.turns, method, box=BOX)
        mine, _ = race("bounded", f"{method}, n={N}", task, batches, kappas, (OURS, *peers), CAPS, settings)
        aims = AIMS if method == "L-BFGS-B" else {}
        rows += [replace(row, extra=row.extra | {"aim": aims.get(row.contender, "")}) for row in mine]
    return rows + race_large("bounded", settings, box=True)
