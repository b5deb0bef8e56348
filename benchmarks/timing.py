"""Interleaved timing: each contender runs once a round, so that a busy spell of the machine hits all alike.

A round has its own inputs (the suites draw a new seeded batch for each), because one straggler in a batch of 10,000
can change the time of a lockstep solver fourfold; the median over rounds is then a statement about such batches and
not about one of them.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax

_COMPILATIONS = [0]  # backend compilations seen in this process


def _listen(event: str, duration_secs: float, **_: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _COMPILATIONS[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


def compilations() -> int:
    """How many programs XLA has compiled in this process so far."""
    return _COMPILATIONS[0]


@dataclass(frozen=True)
class Timing:
    """What the rounds of one contender took, and what they returned."""

    first_s: float = 0.0  # first call, on round 0's input: trace, compile and run
    rounds_s: tuple[float, ...] = ()  # steady calls of rounds 0, 1, ...
    outputs: tuple[Any, ...] = field(default=(), repr=False)  # their results, on the host
    error: str = ""  # why it could not run; empty when it did

    @property
    def median_s(self) -> float:
        return statistics.median(self.rounds_s)

    @property
    def compile_s(self) -> float:
        return self.first_s - self.rounds_s[0]


def clock(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until the result of `call` is ready, and the result."""
    start = time.perf_counter()
    out = jax.block_until_ready(call())
    return time.perf_counter() - start, out


def explain(error: Exception) -> str:
    """One line for the table."""
    lines = str(error).strip().splitlines() or [""]
    return f"not available: {type(error).__name__}: {lines[0][:160]}"


def interleave(
    build: dict[str, Callable[[], Callable[[int], Any]]],
    repeats: int,
    budget_s: float,
    least: int = 2,
    keep: Callable[[Any], Any] = lambda out: out,
) -> dict[str, Timing]:
    """Time every contender in rounds.

    `build[name]()` returns `call(round)`. A contender that cannot be built or fails in its first call is reported by
    its `error`; one that has spent `budget_s` seconds after `least` rounds sits out the rest. `keep` says, off the clock,
    what part of a result is kept.
    """
    calls, firsts, errors = {}, {}, {}
    for name, make in build.items():
        try:
            calls[name] = make()
            firsts[name], _ = clock(lambda call=calls[name]: call(0))
        except Exception as error:  # a peer that is missing or broken must not end the run
            errors[name] = explain(error)
    rounds: dict[str, list[float]] = {name: [] for name in firsts}
    outputs: dict[str, list[Any]] = {name: [] for name in firsts}
    for r in range(repeats):
        for name, spent in rounds.items():
            if len(spent) >= least and sum(spent) > budget_s:
                continue
            seconds, out = clock(lambda name=name, r=r: calls[name](r))
            spent.append(seconds)
            outputs[name].append(jax.device_get(keep(out)))
    done = {n: Timing(firsts[n], tuple(rounds[n]), tuple(outputs[n])) for n in rounds}
    return {n: done[n] if n in done else Timing(error=errors[n]) for n in build}


def paired_ratio(peer: Timing, ours: Timing, peer_lanes: int = 1, our_lanes: int = 1) -> float | None:
    """Median over the rounds that both ran of (peer's time a problem) / (our time a problem)."""
    pairs = list(zip(peer.rounds_s, ours.rounds_s, strict=False))
    return statistics.median((p / peer_lanes) / (o / our_lanes) for p, o in pairs) if pairs else None
