"""One race: contenders on the same batches of the chain function, timed in interleaved rounds, judged by one check."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.checks import judge
from benchmarks.contenders import CONTENDERS
from benchmarks.records import OURS, Row, Settings, Task
from benchmarks.timing import Timing, interleave, paired_ratio

NOISE = 0.05  # a compile time below this share of the call is the difference of two noisy times
Batch = tuple[Any, ...]  # (X0, *params), each with a leading axis of lanes


def _runner(name: str, task: Task, batches: Sequence[Batch], lanes: int) -> Callable[[], Callable[[int], Any]]:
    """Builder of `call(round)` for one contender, on the first `lanes` problems of the round's batch."""

    def build() -> Callable[[int], Any]:
        solve = CONTENDERS[name].build(task)
        on_device = [jax.block_until_ready(tuple(jnp.asarray(a[:lanes]) for a in batch)) for batch in batches]
        return lambda r: solve(*on_device[r])

    return build


def race(
    suite: str,
    case: str,
    task: Task,
    batches: Sequence[Batch],
    kappas: Sequence[Any],
    names: Sequence[str],
    caps: Mapping[str, int],
    settings: Settings,
) -> tuple[list[Row], dict[str, Timing]]:
    """Rows and raw timings of one case; `caps` limits the lanes of slow contenders (time a problem extrapolated)."""
    names = [n for n in names if jax.default_backend() == "cpu" or not CONTENDERS[n].cpu_only]
    lanes = {n: min(settings.lanes, caps.get(n, settings.lanes)) for n in names}
    timings = interleave({n: _runner(n, task, batches, lanes[n]) for n in names}, settings.repeats, settings.budget_s)
    eps = float(np.finfo(settings.dtype).eps)
    rows = []
    for name in names:
        timing = timings[name]
        if timing.error:
            rows.append(Row(suite, case, name, unit="us a problem", note=timing.error))
            continue
        verdict = judge(timing.outputs, kappas, task.tol, eps, task.box)
        us = [s / lanes[name] * 1e6 for s in timing.rounds_s]
        subset = lanes[name] < settings.lanes
        rows.append(
            Row(
                suite,
                case,
                name,
                value=timing.median_s / lanes[name] * 1e6,
                unit="us a problem",
                ratio=paired_ratio(timing, timings[OURS], lanes[name], lanes[OURS]) if OURS in timings else None,
                lanes=lanes[name],
                compile_s=compile_seconds(name, timing),
                reached=verdict.reached,
                failed=verdict.failed,
                wrong=verdict.wrong,
                extra={
                    "checked": verdict.checked,
                    "unsolved": verdict.unsolved,
                    "worst_gradient": verdict.worst,
                    "rounds_us": us,
                    **_turns(timing),
                },
                note=f"time a problem from the first {lanes[name]:,} of {settings.lanes:,}" if subset else "",
            )
        )
    return rows, timings


def _turns(timing: Timing) -> dict[str, float]:
    """Mean and largest number of turns (evaluations or steps) a lane, where the contender reports them."""
    if "turns" not in timing.outputs[0]:
        return {}
    turns = np.concatenate([np.asarray(out["turns"]) for out in timing.outputs])
    return {"turns_mean": float(turns.mean()), "turns_max": int(turns.max())}


def compile_seconds(name: str, timing: Timing) -> float | None:
    """What the first call took more than a steady one, where it can be told from noise and something is compiled."""
    if name == "SciPy loop" or timing.compile_s < NOISE * timing.median_s:
        return None
    return timing.compile_s
