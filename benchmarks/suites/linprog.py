"""Suite `linprog`: batches of dense linear programs with one A (`benchmarks/programs.py`), beside SciPy, HiGHS and MPAX.

- ours: `jax.vmap` of `linprog`, A shared, with the default tolerance, 'interior-point' and 'simplex'.
- SciPy loop: `scipy.optimize.linprog(method="highs")`, as most people call it.
- HiGHS loop: `highspy` itself in a loop: the model passed and run, as close to the library as Python comes.
- MPAX: `jax.vmap` of its `raPDHG` with eps_abs = eps_rel = 1e-4, its default accuracy, at 20x40.

`reached` counts lanes whose value is within 1e-6 of the known optimum, relatively (in float32 and for MPAX 1e-3).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import outer_jit
from benchmarks.programs import Programs, draw
from benchmarks.records import OURS, Row, Settings
from benchmarks.timing import Timing, interleave, paired_ratio

SIZES = ((5, 10), (20, 40), (50, 100))
ON_HOST = {"SciPy loop": 300, "HiGHS loop": 300}  # programs that a call of each solves
CAPS = ON_HOST | {"MPAX vmap": 1000}
AIMS = {
    ("5x10", "SciPy loop"): ">= 40x",
    ("20x40", "SciPy loop"): ">= 15x",
    ("50x100", "SciPy loop"): ">= 5x",
    ("20x40", "HiGHS loop"): ">= 4x",
    ("20x40", "MPAX vmap"): "> 1x",
}
Call = Callable[[Programs], dict[str, Any]]


def run(settings: Settings) -> list[Row]:
    """All sizes."""
    rows = []
    for m, n in SIZES[:1] if settings.quick else SIZES:
        rows += _race(m, n, settings)
    return rows


def _race(m: int, n: int, settings: Settings) -> list[Row]:
    case = f"{m}x{n}"
    batches = [draw(settings.lanes, m, n, settings.dtype, r) for r in range(settings.repeats)]
    table: dict[str, Callable[[], Call]] = {
        OURS: lambda: _ours("interior-point"),
        "jaxopt_lite simplex": lambda: _ours("simplex"),
        "SciPy loop": lambda: _scipy,
        "HiGHS loop": _highs,
    }
    if m == SIZES[1][0]:
        table["MPAX vmap"] = _mpax
    lanes = {name: min(settings.lanes, CAPS.get(name, settings.lanes)) for name in table}
    build = {name: _runner(make, batches, lanes[name], name in ON_HOST) for name, make in table.items()}
    timings = interleave(build, settings.repeats, settings.budget_s)
    return [_row(case, name, timings[name], timings[OURS], lanes[name], lanes[OURS], batches, settings) for name in table]


def _runner(
    make: Callable[[], Call], batches: list[Programs], lanes: int, on_host: bool
) -> Callable[[], Callable[[int], Any]]:
    def build() -> Callable[[int], Any]:
        call, place = make(), (np.asarray if on_host else jnp.asarray)
        here = [Programs(place(b.A), place(b.b[:lanes]), place(b.c[:lanes]), b.fun[:lanes]) for b in batches]
        return lambda r: call(here[r])

    return build


def _row(
    case: str,
    name: str,
    timing: Timing,
    ours: Timing,
    lanes: int,
    our_lanes: int,
    batches: list[Programs],
    settings: Settings,
) -> Row:
    if timing.error:
        return Row("linprog", case, name, unit="us a program", note=timing.error)
    accuracy = 1e-3 if settings.dtype == "float32" or name == "MPAX vmap" else 1e-6
    errors = [
        np.abs(out["fun"] - batch.fun[:lanes]) / np.maximum(np.abs(batch.fun[:lanes]), 1.0)
        for out, batch in zip(timing.outputs, batches, strict=False)
    ]
    failed = np.concatenate([np.asarray(out["failed"]) for out in timing.outputs])
    right = np.concatenate(errors) <= accuracy
    extra: dict[str, Any] = {"checked": len(failed)}
    extra |= {"rounds_us": [s / lanes * 1e6 for s in timing.rounds_s], "worst_error": float(np.max(np.concatenate(errors)))}
    if "nit" in timing.outputs[0]:
        nit = np.concatenate([np.asarray(out["nit"]) for out in timing.outputs])
        extra |= {"turns_mean": float(nit.mean()), "turns_max": int(nit.max())}
    if (case, name) in AIMS:
        extra["aim"] = AIMS[case, name]
    return Row(
        "linprog",
        case,
        name,
        value=timing.median_s / lanes * 1e6,
        unit="us a program",
        ratio=paired_ratio(timing, ours, lanes, our_lanes),
        lanes=lanes,
        compile_s=None if name in ON_HOST else timing.compile_s,
        reached=float(np.mean(right)),
        failed=int(failed.sum()),
        wrong=int(np.sum(~failed & ~right)),
        extra=extra,
        note=f"time a program from the first {lanes:,} of {our_lanes:,}" if lanes < our_lanes else "",
    )


def _ours(method: str) -> Call:
    from jaxopt_lite import linprog

    def one(A: Any, b: Any, c: Any) -> dict[str, Any]:
        res = linprog(c, A_eq=A, b_eq=b, method=method)
        return {"fun": res.fun, "failed": ~res.success, "nit": res.nit}

    solve = outer_jit(jax.vmap(one, in_axes=(None, 0, 0)))
    return lambda batch: solve(batch.A, batch.b, batch.c)


def _scipy(batch: Programs) -> dict[str, Any]:
    from scipy.optimize import linprog

    each = [linprog(c, A_eq=batch.A, b_eq=b, method="highs") for b, c in zip(batch.b, batch.c, strict=True)]
    return {"fun": np.array([res.fun for res in each], float), "failed": np.array([not res.success for res in each])}


def _highs() -> Call:
    import highspy

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)

    def one(lp: Any, b: np.ndarray, c: np.ndarray) -> tuple[float, bool]:
        lp.col_cost_, lp.row_lower_, lp.row_upper_ = c, b, b
        solver.passModel(lp)
        solver.run()
        return solver.getInfo().objective_function_value, solver.getModelStatus() != highspy.HighsModelStatus.kOptimal

    def call(batch: Programs) -> dict[str, Any]:
        m, n = batch.A.shape
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n, m
        lp.col_lower_, lp.col_upper_ = np.zeros(n), np.full(n, np.inf)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.start_ = np.arange(0, m * n + 1, m, dtype=np.int32)
        lp.a_matrix_.index_ = np.tile(np.arange(m, dtype=np.int32), n)
        lp.a_matrix_.value_ = np.asarray(batch.A, float).T.ravel()
        each = [one(lp, np.asarray(b, float), np.asarray(c, float)) for b, c in zip(batch.b, batch.c, strict=True)]
        return {"fun": np.array([fun for fun, _ in each]), "failed": np.array([failed for _, failed in each])}

    return call


def _mpax() -> Call:
    import mpax

    solver = mpax.raPDHG(eps_abs=1e-4, eps_rel=1e-4)

    def one(A: Any, b: Any, c: Any) -> dict[str, Any]:
        n, dtype = c.shape[0], c.dtype
        nothing = jnp.zeros((0, n), dtype), jnp.zeros(0, dtype)
        lp = mpax.create_lp(c, A, b, *nothing, jnp.zeros(n, dtype), jnp.full(n, jnp.inf, dtype), use_sparse_matrix=False)
        out = solver.optimize(lp)
        return {"fun": jnp.dot(c, out.primal_solution), "failed": out.termination_status != 2, "nit": out.iteration_count}

    solve = outer_jit(jax.vmap(one, in_axes=(None, 0, 0)))
    return lambda batch: solve(batch.A, batch.b, batch.c)
