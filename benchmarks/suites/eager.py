"""Suite `eager`: what a second call costs outside `jit`, beside the compiled program's own run time.

Every round has a new x0 and a new tolerance. "jitted" rows are the same call under one outer `jax.jit`: the compiled
program's own time. `extra` counts how often a steady call traced the user's function and how many programs it
compiled. Import times are differences of fresh processes: `import jax; import X` minus `import jax` (SciPy: minus
`import numpy`).
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen, rosen_der

from benchmarks.contenders import STEP_PER_GRADIENT, outer_jit
from benchmarks.problems import rosenbrock, uniform_starts
from benchmarks.records import OURS, Row, Settings
from benchmarks.timing import Timing, compilations, interleave, paired_ratio

N = 4
BATCH = 1000
CALLS = 8  # rounds a repeat: single calls are short and noisy
BUDGET_S = 5.0  # seconds a contender, here where a call should take milliseconds
IMPORTS = {OURS: "jaxopt_lite", "Optimistix": "optimistix", "JAXopt": "jaxopt", "SciPy": "scipy.optimize"}

Call = Callable[[int], Any]


class _Counted:
    """A function that counts how often Python runs it: once a trace."""

    def __init__(self, fun: Callable[..., Any]):
        self.fun, self.traces = fun, 0

    def __call__(self, *args: Any) -> Any:
        self.traces += 1
        return self.fun(*args)


def _ours(fun: Callable[..., Any], x0: Any, tol: Any) -> Any:
    import jaxopt_lite

    return jaxopt_lite.minimize(fun, x0, method="BFGS", options={"gtol": tol}).x


def _optimistix(fun: Callable[..., Any], x0: Any, tol: Any) -> Any:
    import optimistix

    solver = optimistix.BFGS(rtol=STEP_PER_GRADIENT * tol, atol=STEP_PER_GRADIENT * tol)
    return optimistix.minimise(lambda x, _: fun(x), solver, x0, max_steps=4096, throw=False).value


def _scipy(fun: Callable[..., Any], jac: Callable[..., Any], x0: Any, tol: float) -> Any:
    return scipy_minimize(fun, x0, jac=jac, method="BFGS", options={"gtol": tol}).x


def _one(fun: _Counted, starts: list[Any], tols: list[float]) -> dict[str, Callable[[], Call]]:
    """One problem a call."""

    def jitted() -> Call:
        solve = outer_jit(partial(_ours, fun))
        return lambda r: solve(starts[r], tols[r])

    return {
        OURS: lambda: lambda r: _ours(fun, starts[r], tols[r]),
        f"{OURS} jitted": jitted,
        "Optimistix": lambda: lambda r: _optimistix(fun, starts[r], tols[r]),
        "SciPy": lambda: lambda r: _scipy(rosen, rosen_der, np.asarray(starts[r]), tols[r]),
    }


def _batch(fun: _Counted, starts: list[Any], tols: list[float]) -> dict[str, Callable[[], Call]]:
    """An eager `jax.vmap` of the call, written anew each time."""

    def jitted() -> Call:
        solve = outer_jit(lambda X0, tol: jax.vmap(lambda x0: _ours(fun, x0, tol))(X0))
        return lambda r: solve(starts[r], tols[r])

    return {
        OURS: lambda: lambda r: jax.vmap(lambda x0: _ours(fun, x0, tols[r]))(starts[r]),
        f"{OURS} jitted": jitted,
        "Optimistix": lambda: lambda r: jax.vmap(lambda x0: _optimistix(fun, x0, tols[r]))(starts[r]),
    }


def _lambdas(fun: _Counted, starts: list[Any], tols: list[float]) -> dict[str, Callable[[], Call]]:
    """A fresh lambda a call, capturing a new array."""
    shifts = [jnp.asarray(np.asarray(x) * 0.01) for x in starts]

    def host(r: int) -> Any:
        shift = np.asarray(shifts[r])
        return _scipy(lambda x: rosen(x - shift), lambda x: rosen_der(x - shift), np.asarray(starts[r]), tols[r])

    return {
        OURS: lambda: lambda r: _ours(lambda x: fun(x - shifts[r]), starts[r], tols[r]),
        "Optimistix": lambda: lambda r: _optimistix(lambda x: fun(x - shifts[r]), starts[r], tols[r]),
        "SciPy": lambda: host,
    }


def _counts(call: Call, fun: _Counted, rounds: int) -> dict[str, float]:
    """Traces and compilations a steady call, over `rounds` more calls."""
    traces, programs = fun.traces, compilations()
    for r in range(rounds):
        jax.block_until_ready(call(r))
    return {"traces": (fun.traces - traces) / rounds, "compilations": (compilations() - programs) / rounds}


def _case(case: str, table: Callable[..., dict], starts: list[Any], tols: list[float], settings: Settings) -> list[Row]:
    fun = _Counted(rosenbrock)
    builders = table(fun, starts, tols)
    timings = interleave(builders, len(starts), min(settings.budget_s, BUDGET_S))
    rows = []
    for name, timing in timings.items():
        if timing.error:
            rows.append(Row("eager", case, name, unit="ms", note=timing.error))
            continue
        extra: dict[str, Any] = {"calls": len(timing.rounds_s), "least_ms": min(timing.rounds_s) * 1e3}
        if name != "SciPy":
            extra |= _counts(builders[name](), fun, 2) if "jitted" not in name else {}
        if name == OURS:
            extra |= _overhead(timing, timings.get(f"{OURS} jitted"))
        ratio = paired_ratio(timing, timings[OURS])
        compile_s = timing.compile_s if name.startswith(OURS) else None  # the others compile in every call, or never
        rows.append(Row("eager", case, name, timing.median_s * 1e3, "ms", ratio, compile_s=compile_s, extra=extra))
    return rows


def _overhead(eager: Timing, jitted: Timing | None) -> dict[str, float]:
    """Median over rounds of eager minus jitted, same x0 and tolerance."""
    if jitted is None or jitted.error:
        return {}
    return {"overhead_ms": 1e3 * statistics.median(e - j for e, j in zip(eager.rounds_s, jitted.rounds_s, strict=False))}


def _import_s(before: str, module: str) -> float:
    """Seconds that `import module` takes in a fresh process that has already imported `before`."""
    code = f"import {before}, time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _imports(repeats: int) -> list[Row]:
    each: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(repeats):
        for name, module in IMPORTS.items():
            try:
                each[name].append(_import_s("numpy" if name == "SciPy" else "jax, jax.numpy", module))
            except subprocess.CalledProcessError:  # not installed
                continue
    median = {name: statistics.median(s) * 1e3 for name, s in each.items() if s}
    ours = median.get(OURS)
    return [
        Row("eager", "import", name, median[name], "ms", median[name] / ours if ours else None)
        if name in median
        else Row("eager", "import", name, unit="ms", note="not available: cannot be imported")
        for name in IMPORTS
    ]


def run(settings: Settings) -> list[Row]:
    """All cases of the suite."""
    rounds = settings.repeats * CALLS
    tols = [settings.tol * (1 + 0.01 * r) for r in range(rounds)]
    singles = [jnp.asarray(x) for x in uniform_starts(rounds, N, settings.dtype)]
    batches = [jnp.asarray(uniform_starts(BATCH, N, settings.dtype, r)) for r in range(rounds)]
    rows = _case(f"one problem, n={N}", _one, singles, tols, settings)
    rows += _case(f"vmap of {BATCH:,}, n={N}", _batch, batches, tols, settings)
    rows += _case(f"fresh lambda, n={N}", _lambdas, singles, tols, settings)
    return rows + _imports(min(settings.repeats, 5))
