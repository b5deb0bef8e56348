"""Suite `rosenbrock`: 10,000 uniform starts in [-2, 2]^n on the true n-dimensional Rosenbrock function.

Everyone is asked for a gradient of 1e-6 (infinity norm). A round draws its own seeded batch. Slow contenders run the
first lanes of it.
"""

from scipy.optimize import rosen, rosen_der

from benchmarks.problems import ROSENBROCK, rosenbrock, uniform_starts
from benchmarks.race import race
from benchmarks.records import OURS, Row, Settings, Task

SIZES = (2, 4, 10, 30)
NAMES = (
    OURS,
    f"{OURS} lockstep",
    "Optimistix vmap",
    "Optimistix chunks",
    "jax.scipy vmap",
    "JAXopt vmap",
    "SciPy loop",
)
# A call of any of these stays below about 10 s; Optimistix runs all lanes.
CAPS = {
    2: {"SciPy loop": 100, "jax.scipy vmap": 1000, "JAXopt vmap": 1000},
    4: {"SciPy loop": 100, "jax.scipy vmap": 1000, "JAXopt vmap": 1000},
    10: {"SciPy loop": 100, "jax.scipy vmap": 1000, "JAXopt vmap": 500},
    30: {"SciPy loop": 50, "jax.scipy vmap": 500, "JAXopt vmap": 500},
}
MAXITER = 4096  # stops nobody: the largest count seen is about 1,400


def run(settings: Settings) -> list[Row]:
    """Race all contenders at each n."""
    rows: list[Row] = []
    for n in SIZES[:2] if settings.quick else SIZES:
        task = Task(rosenbrock, rosen, rosen_der, settings.tol, MAXITER, settings.width, settings.turns)
        batches = [(uniform_starts(settings.lanes, n, settings.dtype, r),) for r in range(settings.repeats)]
        kappas = [ROSENBROCK] * settings.repeats
        rows += race("rosenbrock", f"n={n}", task, batches, kappas, NAMES, CAPS[n], settings)[0]
    return rows
