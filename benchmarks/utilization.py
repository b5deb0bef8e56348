"""How well a batch schedule keeps its lanes busy, computed from the number of turns that each problem needs.

Refilling: L lanes take the first L problems of the queue; every K turns the finished lanes, in lane order, take the
next problems in queue order; the loop ends when all problems are done. A round of K turns costs K L lane-turns, of
which sum(turns) in all were useful:

    utilization = sum(turns) / (rounds K L)                                                            (1)

Lockstep: every lane waits for the slowest, utilization = mean(turns) / max(turns).                     (2)
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Utilization:
    """What a schedule made of the lanes."""

    rounds: int  # predicate tests of the loop
    lane_turns: int  # lane-turns spent
    share: float  # useful ones among them


def refill_utilization(turns: np.ndarray, lanes: int, turns_per_refill: int) -> Utilization:
    """Equation (1) by simulating the schedule.

    >>> refill_utilization([8, 8, 8, 8], lanes=2, turns_per_refill=8)
    Utilization(rounds=2, lane_turns=32, share=1.0)
    """
    turns = np.asarray(turns, np.int64)
    lanes = min(lanes, len(turns))
    left = turns[:lanes].copy()  # turns that each lane's problem still needs
    head, rounds = lanes, 0
    while (left > 0).any():
        left -= turns_per_refill
        rounds += 1
        free = np.flatnonzero(left <= 0)
        served = free[: len(turns) - head]
        left[free] = 0
        left[served] = turns[head : head + len(served)]
        head += len(served)
    spent = rounds * turns_per_refill * lanes
    return Utilization(rounds, spent, float(turns.sum() / spent) if spent else 1.0)


def lockstep_utilization(turns: np.ndarray) -> Utilization:
    """Equation (2).

    >>> lockstep_utilization([1, 3])
    Utilization(rounds=3, lane_turns=6, share=0.6666666666666666)
    """
    turns = np.asarray(turns, np.int64)
    spent = int(turns.max()) * len(turns)
    return Utilization(int(turns.max()), spent, float(turns.sum() / spent))
