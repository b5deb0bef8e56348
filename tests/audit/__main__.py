"""`python -m tests.audit [part ...] --lanes 10000 --dtype float32 --methods BFGS ... --seed 0 --show 3`: the table.

Exit status 1 if any claim is false. `--show` prints so many false claims a line of the table, to reproduce them.
"""

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

import jax
import numpy as np

import tests.audit as package

COLUMNS = ("lanes", "claims", "false", "solved", "failed")
HEAD = f"{'part':8s} {'family':16s} {'row':16s} {'dtype':8s}" + "".join(f" {name:>7s}" for name in COLUMNS)


def _parts() -> dict[str, ModuleType]:
    """The modules that have the interface, by name."""
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    modules = {name: importlib.import_module(f"tests.audit.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "audit")}


def _arguments(parts: dict[str, ModuleType]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description="Is every claim of success true?")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"which parts: {', '.join(parts)} (default: all)")
    parser.add_argument("--lanes", type=int, default=10_000, help="lanes a family, row and dtype (default %(default)s)")
    parser.add_argument("--dtype", nargs="+", default=["float32", "float64"], choices=["float32", "float64"])
    parser.add_argument("--methods", nargs="+", help="which rows (default: all of the part)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="false claims to print a line")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(parts))
    if unknown:
        parser.error(f"unknown part {', '.join(unknown)}; known: {', '.join(parts)}")
    return given


def main() -> int:
    """Run what the command line asks for; 1 if a claim is false."""
    jax.config.update("jax_enable_x64", True)  # once, before anything is traced
    parts = _parts()
    given = _arguments(parts)
    print(HEAD, flush=True)
    sums = np.zeros(5, int)
    for part in given.parts or parts:
        module = parts[part]
        for row in [r for r in module.ROWS if not given.methods or r in given.methods]:
            for dtype in given.dtype:
                for family, outcome in module.audit(row, given.lanes, dtype, given.seed).items():
                    sums += _line(part, family, row, dtype, outcome, given.show)
    print(_numbers(f"{'all':51s}", sums))
    return int(sums[2] > 0)


def _line(part: str, family: str, row: str, dtype: str, outcome: package.Outcome, show: int) -> np.ndarray:
    """Print a line and what is to be shown with it; its numbers."""
    claims, false = int(outcome.claimed.sum()), outcome.false
    counts = np.array([len(false), claims, false.sum(), claims - false.sum(), len(false) - claims])
    print(_numbers(f"{part:8s} {family:16s} {row:16s} {dtype:8s}", counts), flush=True)
    for lane in np.flatnonzero(false)[:show]:
        print(f"    {outcome.show(int(lane))}", flush=True)
    return counts


def _numbers(head: str, counts: np.ndarray) -> str:
    return head + "".join(f" {count:7d}" for count in counts)


if __name__ == "__main__":
    sys.exit(main())
