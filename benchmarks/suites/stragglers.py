"""Suite `stragglers`: the chain function at n = 4, conditioning kappa = 10^U(0, 6) per lane: a heavy tail.

A loop in lockstep pays for its slowest lane, a refilling one for the mean. Besides times, the lane utilization
(useful lane-turns / all lane-turns) of our own schedule, simulated on the host from the turns that each problem took.
"""

from dataclasses import replace

import jax
import numpy as np

from benchmarks.problems import chain, chain_gradient, chain_value, spread_conditioning, uniform_starts
from benchmarks.race import race
from benchmarks.records import OURS, Row, Settings, Task
from benchmarks.timing import Timing
from benchmarks.utilization import lockstep_utilization, refill_utilization

N = 4
MAXITER = 5000
NAMES = (OURS, f"{OURS} lockstep", "Optimistix vmap", "Optimistix chunks")
# The schedule that ours is asked for unless the command line names another; it must be known to be simulated. On a CPU
# it is what the package chooses for small states.
CPU_LANES, GPU_LANES, TURNS = 256, 4096, 8


def run(settings: Settings) -> list[Row]:
    """Race at n = 4 and add the utilization to our rows."""
    lanes = settings.width or (CPU_LANES if jax.default_backend() == "cpu" else GPU_LANES)
    turns = settings.turns or TURNS
    task = Task(chain, chain_value, chain_gradient, settings.tol, MAXITER, lanes, turns)
    kappas = [spread_conditioning(settings.lanes, settings.dtype, r) for r in range(settings.repeats)]
    starts = [uniform_starts(settings.lanes, N, settings.dtype, r) for r in range(settings.repeats)]
    case = f"n={N}, kappa=10^U(0,6)"
    rows, timings = race("stragglers", case, task, list(zip(starts, kappas, strict=True)), kappas, NAMES, {}, settings)
    return [_with_utilization(row, timings[row.contender], lanes, turns) for row in rows]


def _with_utilization(row: Row, timing: Timing, lanes: int, turns_per_refill: int) -> Row:
    if timing.error or not row.contender.startswith(OURS):
        return row
    each = [np.asarray(out["turns"]) for out in timing.outputs]
    if row.contender == OURS:
        shares = [refill_utilization(t, lanes, turns_per_refill).share for t in each]
        schedule = {"schedule_lanes": lanes, "schedule_turns": turns_per_refill}
    else:
        shares = [lockstep_utilization(t).share for t in each]
        schedule = {}
    return replace(row, extra=row.extra | {"utilization": float(np.median(shares)), **schedule})
