"""Suite `compile`: trace and compile time of the vmapped BFGS at n = 4, 10 lanes, each contender in fresh processes.

The child process imports its packages, starts the backend and compiles a trivial program before the clock runs, so
that only the contender's own tracing and compilation count: first call minus a steady one. It also counts how often
the user's function was traced.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.records import OURS, Row, Settings, Task

N, LANES = 4, 10
NAMES = (OURS, "Optimistix vmap", "jax.scipy vmap", "JAXopt vmap")


def run(settings: Settings) -> list[Row]:
    """Median over fresh processes, the contenders taking turns."""
    repeats = 1 if settings.quick else min(settings.repeats, 5)
    each: dict[str, list[dict[str, Any]]] = {name: [] for name in NAMES}
    for _ in range(repeats):
        for name in NAMES:
            each[name].append(in_fresh_process(name, settings))
    seconds = {n: statistics.median(c["compile_s"] for c in each[n]) for n in NAMES if "error" not in each[n][0]}
    return [_row(name, each[name][0], seconds) for name in NAMES]


def _row(name: str, child: dict[str, Any], seconds: dict[str, float]) -> Row:
    case = f"vmap, n={N}, {LANES} lanes"
    if name not in seconds:
        return Row("compile", case, name, unit="s", note=child["error"])
    ours, optimistix = seconds.get(OURS), seconds.get("Optimistix vmap")
    extra = {"traces": child["traces"], "of_optimistix": seconds[name] / optimistix if optimistix else None}
    ratio = seconds[name] / ours if ours else None
    return Row("compile", case, name, seconds[name], "s", ratio, lanes=LANES, extra=extra)


def in_fresh_process(name: str, settings: Settings, method: str = "BFGS") -> dict[str, Any]:
    """What a fresh process measures of a contender: `compile_s` and `traces`, or an `error`."""
    # On a GPU this process already holds most of the memory that JAX preallocates; the child takes only what it needs.
    env = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-m", "benchmarks.suites.compile", name, settings.dtype, repr(settings.tol), method]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return {"error": "not available: " + (done.stderr.strip().splitlines() or ["no output"])[-1][:160]}
    return json.loads(lines[-1])


def _child(name: str, dtype: str, tol: float, method: str) -> dict[str, Any]:
    """What one fresh process measures."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", dtype == "float64")
    from scipy.optimize import rosen, rosen_der

    from benchmarks.contenders import CONTENDERS, outer_jit
    from benchmarks.problems import rosenbrock, uniform_starts
    from benchmarks.timing import clock, explain

    traces = [0]

    def fun(x: jax.Array) -> jax.Array:
        traces[0] += 1
        return rosenbrock(x)

    X0 = jnp.asarray(uniform_starts(LANES, N, dtype))
    jax.block_until_ready(outer_jit(lambda x: x + 1)(X0))
    try:
        solve = CONTENDERS[name].build(Task(fun, rosen, rosen_der, tol, 1000, method=method))
        first, _ = clock(lambda: solve(X0))
    except Exception as error:  # reported as a row, so that one missing peer does not end the run
        return {"error": explain(error)}
    traced = traces[0]
    steady = statistics.median(clock(lambda: solve(X0))[0] for _ in range(5))
    return {"compile_s": first - steady, "traces": traced}


if __name__ == "__main__":
    print(json.dumps(_child(sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4])))
