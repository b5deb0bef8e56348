"""The row of a contender whose answers were judged one by one: times, shares and counts, made in one place."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.records import Row
from benchmarks.timing import Timing, paired_ratio

Outputs = Sequence[dict[str, Any]]  # of the rounds: `failed`, and where they are known `turns`, each (lanes,) or one for all


class Timed(NamedTuple):
    """A timing, and the problems in each of its calls."""

    timing: Timing
    lanes: int


def judged(
    suite: str,
    case: str,
    name: str,
    mine: Timed,
    ours: Timed,
    judge: Callable[[Outputs], tuple[np.ndarray, dict[str, Any]]],
    *,
    unit: str = "us a problem",
    aim: str | None = None,
    compiles: bool = True,
) -> Row:
    """The row; `judge` says of the outputs which answers are right, (all lanes of all rounds,), and what else is to be told.

    `compiles` says whether the first call of the contender compiles.
    """
    timing, lanes = mine
    if timing.error:
        return Row(suite, case, name, unit=unit, note=timing.error)
    right, more = judge(timing.outputs)
    failed = np.concatenate([np.broadcast_to(out["failed"], lanes) for out in timing.outputs])
    extra: dict[str, Any] = {"checked": len(failed)} | more
    if "turns" in timing.outputs[0]:
        turns = np.concatenate([np.asarray(out["turns"]) for out in timing.outputs])
        extra |= {"turns_mean": float(turns.mean()), "turns_max": int(turns.max())}
    extra |= {} if aim is None else {"aim": aim}
    return Row(
        suite,
        case,
        name,
        value=timing.median_s / lanes * 1e6,
        unit=unit,
        ratio=paired_ratio(timing, ours.timing, lanes, ours.lanes),
        lanes=lanes,
        compile_s=timing.compile_s if compiles else None,
        reached=float(np.mean(right)),
        failed=int(failed.sum()),
        wrong=int(np.sum(~failed & ~right)),
        extra=extra,
        note=f"time a problem from the first {lanes:,} of {ours.lanes:,}" if lanes < ours.lanes else "",
    )
