"""`python -m benchmarks gate`: is any figure worse than it was? Exits 1 on a loss beyond noise.

Times: this working tree beside a commit (`--against`; by default the last one, or the one before it where nothing is
changed), each in a process of its own on the same core, the two taking turns: a figure is the median over the rounds of the
ratio of their CPU seconds. It is a loss where that, and the lower quartile as well, exceed what the figures file allows.

Counts: what each method solves of the problem library, and what it claims wrongly, in this tree (`benchmarks/solved.py`).

`benchmarks/figures.json` has for each figure its value, the direction in which it is better, and the tolerance; `--update`
writes the counts that were found there. It takes tens of minutes, and is not for CI: see CONTRIBUTING.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.gate_cases import CASES

ROOT = Path(__file__).resolve().parents[1]
FIGURES = Path(__file__).parent / "figures.json"
ROUNDS = 9
TIME_TOLERANCE = 0.05  # of a ratio


class Found(NamedTuple):
    """A figure as it is now."""

    value: float
    best_case: float  # what noise could make of it at best


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; 1 if a figure is worse."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gate", description="Is any figure worse than it was?")
    parser.add_argument("--against", help="commit to compare with (default: the one before the working tree)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="paired rounds (default %(default)s)")
    parser.add_argument("--only", choices=["times", "counts"], help="one half of it")
    parser.add_argument("--sets", nargs="+", help="which sets of problems are counted (default: all; see benchmarks.solved)")
    parser.add_argument("--update", action="store_true", help="write the counts that are found to the figures file")
    given = parser.parse_args(arguments)
    known = json.loads(FIGURES.read_text())
    found: dict[str, Found] = {}
    if given.only != "counts":
        found |= times(given.against or _before(), given.rounds)
    if given.only != "times":
        found |= {name: Found(count, count) for name, count in counts(given.sets)}
    if given.update:
        FIGURES.write_text(json.dumps(known | _as_figures(found), indent=1) + "\n")
        return 0
    return report(found, known)


def report(found: dict[str, Found], known: dict[str, dict[str, Any]]) -> int:
    """Print each figure beside what it was; the number of losses, at most 1."""
    losses = 0
    print(f"{'figure':44s} {'was':>8s} {'is':>8s}  allowed")
    for name, now in found.items():
        was = known.get(name)
        if was is None:
            print(f"{name:44s} {'-':>8s} {now.value:8.4g}  new: run with --update")
            continue
        lost = is_loss(now, was)
        losses += lost
        print(f"{name:44s} {was['value']:8.4g} {now.value:8.4g}  {was['tolerance']:g}{'  LOSS' if lost else ''}")
    print(f"{losses} of {len(found)} figures are worse" if losses else "no figure is worse")
    return min(losses, 1)


def is_loss(now: Found, was: dict[str, Any]) -> bool:
    """Is this worse than what it was by more than the tolerance, and by more than noise?"""
    sign = 1.0 if was["direction"] == "lower" else -1.0
    worse = lambda value: sign * (value - was["value"]) > was["tolerance"]
    return worse(now.value) and worse(now.best_case)


def _as_figures(found: dict[str, Found]) -> dict[str, dict[str, Any]]:
    made = {}
    for name, now in found.items():
        if name.startswith("time"):
            made[name] = {"value": 1.0, "direction": "lower", "tolerance": TIME_TOLERANCE}
        else:
            better = "lower" if name.startswith("wrong") else "higher"
            made[name] = {"value": now.value, "direction": better, "tolerance": 0}
    return made


# --- times ------------------------------------------------------------------------------------------------------------


def times(commit: str, rounds: int) -> dict[str, Found]:
    """Ratios of this tree to the commit."""
    print(f"times: this tree beside {commit}, {rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        then = Path(folder) / "then"
        _git("worktree", "add", "--detach", "--quiet", str(then), commit)
        try:
            return dict(_paired(then, rounds))
        finally:
            _git("worktree", "remove", "--force", str(then))


def _paired(then: Path, rounds: int) -> Iterator[tuple[str, Found]]:
    for name in CASES:
        both = [_Child(then), _Child(ROOT)]
        try:
            ratios = []
            for r in range(rounds):
                turns = both if r % 2 else both[::-1]
                seconds = {id(child): child.seconds(name) for child in turns}
                now, before = seconds[id(both[1])], seconds[id(both[0])]
                if now is None:
                    raise RuntimeError(f"this tree cannot run the case {name!r}; python benchmarks/gate_cases.py says why")
                if before is None:
                    break
                ratios.append(now / before)
        finally:
            for child in both:
                child.close()
        if not ratios:
            print(f"  {name:28s} was not there before", flush=True)
            continue
        yield f"time: {name}", Found(statistics.median(ratios), float(np.quantile(ratios, 0.25)))
        print(f"  {name:28s} " + " ".join(f"{ratio:.3f}" for ratio in ratios), flush=True)


class _Child:
    """A process that times cases with the package of a tree."""

    def __init__(self, tree: Path) -> None:
        core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "gate_cases.py")],
            env=os.environ | {"PYTHONPATH": str(tree)},
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=pin,
        )

    def seconds(self, name: str) -> float | None:
        """CPU seconds of one call; None of a case that this package does not have."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process that times {name!r} has ended; its error is above")
        found = json.loads(line)
        return None if found is None else float(found)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def _before() -> str:
    """HEAD where the tree differs from it, else the commit before."""
    return "HEAD" if _git("status", "--porcelain", "--", "jaxopt_lite").strip() else "HEAD~1"


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], cwd=ROOT, check=True, capture_output=True, text=True).stdout


# --- counts -----------------------------------------------------------------------------------------------------------


def counts(sets: list[str] | None = None) -> Iterator[tuple[str, int]]:
    """What is solved of the library, and claimed wrongly."""
    import jax

    from benchmarks import solved

    jax.config.update("jax_enable_x64", True)
    for method, kind, dtype, lines in solved.tables(sets=sets):
        right, wrong = sum(line.solved for line in lines), sum(line.wrong for line in lines)
        yield f"solved: {method}, {kind}, {dtype}", right
        yield f"wrong: {method}, {kind}, {dtype}", wrong
        print(f"  {method}, {kind}, {dtype}: {right} of {len(lines)} solved, {wrong} wrong", flush=True)
