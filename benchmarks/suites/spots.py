"""Suite `spots`: `curve_fit` on Gaussian spots of 5 x 5 pixels (`benchmarks/spots.py`), beside SciPy, Optimistix, Gpufit.

- `lm`, `trf in bounds`: time a fit for a batch of 100,000, each kind against ours of the same kind. SciPy runs the first
  few hundred of them.
- `rate`: fits a second in float32 beside what Gpufit published, 10^6 and 10^7 of them on a GPU, 10^5 on a CPU; drawn on
  the device, and copied from NumPy arrays with the clock running (on a CPU JAX may share their memory instead). What does
  not fit in memory goes in parts.
- `memory`: bytes that the compiled program of 10^6 fits holds, against those that go in and come out.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks import fitters
from benchmarks.contenders import outer_jit
from benchmarks.records import OURS, Row, Settings
from benchmarks.spots import SAMPLE, Judge, draw, judge_of
from benchmarks.timing import Timing, explain, interleave, paired_ratio

UNIT = "us a fit"
GPUFIT = 3_038_590  # fits a second at 10^7 fits, as published (2017, unnamed GPU)
GPUFIT_CPU = 60_957  # the same on one thread of a CPU
SCIPY_FITS = {"SciPy loop": 500, "SciPy loop, jac": 500}  # a call of each stays below a second
CASES: dict[str, dict[str, Callable[[float], fitters.Fit]]] = {
    "lm": {
        OURS: fitters.ours_lm,
        "Optimistix vmap": fitters.optimistix_vmap,
        "Optimistix chunks": fitters.optimistix_chunks,
        "SciPy loop": fitters.scipy_lm,
        "SciPy loop, jac": fitters.scipy_lm_jac,
    },
    "trf in bounds": {
        OURS: fitters.ours_trf,
        "SciPy loop": fitters.scipy_trf,
        "SciPy loop, jac": fitters.scipy_trf_jac,
    },
}
# What was asked for before anything was measured, on one core of a CPU
AIMS = {
    ("lm", OURS): "compile < 6 s",
    ("lm", "Optimistix vmap"): ">= 10x",
    ("lm", "SciPy loop"): ">= 120x",
    ("lm", "SciPy loop, jac"): ">= 120x",
    ("trf in bounds", "SciPy loop"): ">= 400x",
    ("trf in bounds", "SciPy loop, jac"): ">= 400x",
}
MEMORY_FITS = 1_000_000
PART_OF_MEMORY = 0.7  # of a GPU's memory that one call may take; the rest is for the data of the next and fragmentation
Batch = tuple[Any, Any]  # (data, start)
Compiling = dict[str, dict[str, float]]  # of each contender, see `_compiled`


def run(settings: Settings) -> list[Row]:
    """All cases of the suite."""
    rows = _races(settings) + _rates(settings)
    return rows if settings.quick else rows + _memory(settings)


def _kept(out: dict[str, Any]) -> dict[str, Any]:
    return {"x": out["x"][:SAMPLE], "failed": out["failed"]}


def _races(settings: Settings) -> list[Row]:
    spots = [draw(settings.lanes, settings.dtype, r) for r in range(settings.repeats)]
    judge, batches = judge_of(spots[0]), [(s.data, s.start) for s in spots]
    on_cpu = jax.default_backend() == "cpu"
    rows = []
    for case, table in CASES.items():
        compiling: Compiling = {}
        lanes = {name: min(settings.lanes, SCIPY_FITS.get(name, settings.lanes)) for name in table}
        build = {
            name: _runner(name, make, settings.tol, batches, lanes[name], compiling)
            for name, make in table.items()
            if on_cpu or name != "Optimistix chunks"
        }
        _warm_up()
        timings = interleave(build, settings.repeats, settings.budget_s, keep=_kept)
        for name, timing in timings.items():
            ratio = None if timing.error else paired_ratio(timing, timings[OURS], lanes[name], lanes[OURS])
            subset = f"time a fit from the first {lanes[name]:,}" if lanes[name] < settings.lanes else ""
            extra = compiling.get(name, {}) | ({"aim": AIMS[case, name]} if on_cpu and (case, name) in AIMS else {})
            rows.append(_row(case, name, timing, lanes[name], ratio, judge, extra, subset))
    return rows


def _compiled(fit: Any, batch: Batch) -> tuple[Callable[..., dict[str, Any]], dict[str, float]]:
    """The program for batches like this, and what making it took: wall and CPU seconds of trace, lowering and compile.

    Not the first call minus a steady one: those differ by more than the compilation takes when the machine is busy.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    program = fit.lower(*batch).compile()
    return program, {"compile_s": time.perf_counter() - wall, "compile_cpu_s": time.process_time() - cpu}


def _warm_up() -> None:
    """What the first compilation of a process starts, so that no contender is charged with it."""
    jax.block_until_ready(outer_jit(lambda x: x + 1)(jnp.zeros(3)))


def _runner(
    name: str,
    make: Callable[[float], fitters.Fit],
    tol: float,
    batches: Sequence[Batch],
    lanes: int,
    compiling: Compiling,
) -> Callable[[], Callable[[int], Any]]:
    """Builder of `call(round)` on the first `lanes` of the round's batch; for SciPy the data are on the host before."""
    on_host = name in SCIPY_FITS

    def build() -> Callable[[int], Any]:
        fit = make(tol)
        cut = [tuple(np.asarray(a[:lanes]) if on_host else a[:lanes] for a in batch) for batch in batches]
        jax.block_until_ready(cut)
        if not on_host:
            fit, compiling[name] = _compiled(fit, cut[0])
        return lambda r: fit(*cut[r])

    return build


def _row(
    case: str, name: str, timing: Timing, lanes: int, ratio: float | None, judge: Judge, extra: dict[str, Any], note: str
) -> Row:
    if timing.error:
        return Row("spots", case, name, unit=UNIT, note=timing.error, extra=extra)
    verdict = judge(timing.outputs[0]["x"], [out["failed"] for out in timing.outputs])
    return Row(
        "spots",
        case,
        name,
        value=timing.median_s / lanes * 1e6,
        unit=UNIT,
        ratio=ratio,
        lanes=lanes,
        compile_s=extra.get("compile_s"),
        reached=verdict.reached,
        wrong=verdict.wrong,
        extra={
            "fits_per_s": lanes / timing.median_s,
            "converged": verdict.converged,
            "checked": verdict.checked,
            "bias": verdict.bias,
            "spread": verdict.spread,
            "rounds_us": [s / lanes * 1e6 for s in timing.rounds_s],
            **extra,
        },
        note=note,
    )


def _rates(settings: Settings) -> list[Row]:
    """float32 whatever the run's dtype."""
    sizes = (1_000_000, 10_000_000) if jax.default_backend() != "cpu" else (100_000,)
    rows = []
    for size in (settings.lanes,) if settings.quick else sizes:
        try:
            rows += _rate(size, settings)
        except Exception as error:  # too large for this device, say; the other sizes and suites must not suffer
            rows.append(Row("spots", f"rate, float32, {size:,}", OURS, unit=UNIT, note=explain(error)))
    return rows


def _rate(size: int, settings: Settings) -> list[Row]:
    on_cpu = jax.default_backend() == "cpu"
    part = _part(size, settings)
    spots = draw(size, "float32")
    judge = judge_of(spots)
    cuts = [slice(i, min(i + part, size)) for i in range(0, size, part)]
    here = [(spots.data[cut], spots.start[cut]) for cut in cuts]
    host = [tuple(np.asarray(a) for a in piece) for piece in here]
    del spots
    kinds = {len(piece[0]): piece for piece in here}  # the last part may be smaller
    programs = {lanes: _compiled(fitters.ours_lm(settings.tol), piece) for lanes, piece in kinds.items()}
    fit = lambda data, start: programs[len(data)][0](data, start)
    # Every result is kept until all are there: that is what a caller who asks for them holds.
    from_device = lambda r: [fit(*piece) for piece in here]
    from_host = lambda r: [fit(*(jax.device_put(a) for a in piece)) for piece in host]
    build = {f"{OURS}, drawn on device": lambda: from_device, f"{OURS}, copied from host": lambda: from_host}
    timings = interleave(build, settings.repeats, settings.budget_s, keep=_joined)
    rows = []
    for name, timing in timings.items():
        extra = {} if timing.error else {"of_gpufit": size / timing.median_s / GPUFIT, "part": part}
        extra |= programs[part][1] if "drawn" in name else {}  # the copied run the same program
        note = f"in {len(cuts)} parts" if len(cuts) > 1 else ""
        if on_cpu and not timing.error:
            note = f"{size / timing.median_s / GPUFIT_CPU:.2f}x of what was published for one CPU thread"
        rows.append(_row(f"rate, float32, {size:,}", name, timing, size, None, judge, extra, note))
    return rows


def _joined(parts: list[dict[str, Array]]) -> dict[str, Any]:
    return {"x": parts[0]["x"][:SAMPLE], "failed": jnp.concatenate([p["failed"] for p in parts])}


def _part(size: int, settings: Settings) -> int:
    """How many fits one call takes: all, or the largest even share that fits in the device's memory."""
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
    if not limit:
        return size
    probe = min(size, 100_000)
    a_fit = _bytes(jax.vmap(fitters.ours_one(settings.tol, "lm")), probe, "float32")[0] / probe
    outputs = 4 * (5 + 25) + 1  # a fit's popt, pcov and failed stay until the end
    parts = 1
    while (size / parts) * a_fit + size * (4 * 30 + outputs) > PART_OF_MEMORY * limit and parts < 64:
        parts *= 2
    return -(-size // parts)


def _bytes(batch: Callable[..., Any], lanes: int, dtype: str) -> tuple[int, int]:
    """Bytes of a compiled batch: all, and those of arguments and outputs."""
    shapes = [jax.ShapeDtypeStruct((lanes, width), jnp.dtype(dtype)) for width in (25, 5)]
    sizes = outer_jit(batch).lower(*shapes).compile().memory_analysis()
    ends = sizes.argument_size_in_bytes + sizes.output_size_in_bytes
    return sizes.temp_size_in_bytes + ends, ends


def _memory(settings: Settings) -> list[Row]:
    case = f"memory of {MEMORY_FITS:,} fits, {settings.dtype}"
    table = {
        (OURS, "< 3x"): lambda: fitters.ours_one(settings.tol, "lm"),
        (f"{OURS}, trf in bounds", "< 3x"): lambda: fitters.ours_one(settings.tol, "trf"),
        ("Optimistix vmap", ""): lambda: fitters.optimistix_one(settings.tol),
    }
    rows = []
    for (name, aim), make in table.items():
        try:
            total, ends = _bytes(jax.vmap(make()), MEMORY_FITS, settings.dtype)
        except Exception as error:  # a peer that is missing must not end the run
            rows.append(Row("spots", case, name, unit="MB", note=explain(error)))
            continue
        extra = {"of_in_and_out": total / ends, "bytes": total, "bytes_in_and_out": ends, "aim": aim}
        rows.append(Row("spots", case, name, total / 1e6, "MB", lanes=MEMORY_FITS, extra=extra))
    return rows
