"""`python -m benchmarks [suite ...]`: reads the arguments, runs the suites, writes the results.

`python -m benchmarks gate` is another thing: it tells whether any figure is worse than it was (`gate.py`).
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import jax

RESULTS = Path(__file__).parent / "results"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="jaxopt_lite beside its peers, in one run.")
    parser.add_argument("suites", nargs="*", metavar="suite", help="which suites (default: all)")
    parser.add_argument(
        "--lanes", type=int, help="problems in a batch (default 10,000, spots 100,000, scalar 1,000,000; with --quick 500)"
    )
    parser.add_argument("--repeats", type=int, help="interleaved rounds; the median is reported (default 7; with --quick 3)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results (default: %(default)s)")
    parser.add_argument("--float32", action="store_true", help="run in float32 with x64 off")
    parser.add_argument(
        "--tol",
        type=float,
        help="gradient tolerance (default 1e-6, in float32 1e-3); of spots: of the sum of squares (1e-4)",
    )
    parser.add_argument("--width", type=int, help="lanes of our refilling loop (default: the package's choice)")
    parser.add_argument("--turns", type=int, help="turns between refills of our loop (default: the package's choice)")
    parser.add_argument(
        "--budget", type=float, default=30.0, help="seconds of timed calls a contender and case (default %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--commit", help="commit to record where the tree is no git checkout")
    parser.add_argument("--device-info", action="store_true", help="print the environment record and stop")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    given = _arguments()
    jax.config.update("jax_enable_x64", not given.float32)  # once, before anything is traced
    from benchmarks import environment, report
    from benchmarks.records import Settings
    from benchmarks.suites import DEFAULTS, SUITES

    unknown = sorted(set(given.suites) - set(SUITES))
    if unknown:
        raise SystemExit(f"unknown suite {', '.join(unknown)}; known: {', '.join(SUITES)}")
    about = environment.describe(given.commit)
    print(json.dumps(about, indent=1), flush=True)
    if given.device_info:
        return
    settings = Settings(
        lanes=given.lanes or (500 if given.quick else 10_000),
        repeats=given.repeats or (3 if given.quick else 7),
        out=given.out,
        dtype="float32" if given.float32 else "float64",
        tol=given.tol or (1e-3 if given.float32 else 1e-6),
        quick=given.quick,
        width=given.width,
        turns=given.turns,
        budget_s=min(given.budget, 3.0) if given.quick else given.budget,
    )
    fixed = {"lanes": given.lanes or given.quick, "tol": given.tol}
    for name in given.suites or SUITES:
        own = {key: value for key, value in DEFAULTS.get(name, {}).items() if not fixed[key]}
        chosen = replace(settings, **own)
        rows = SUITES[name](chosen)
        stem = report.write(name, rows, about, chosen)
        print(f"\n{name}, {settings.dtype} -> {stem}.{{json,md,png}}\n{report.plain(rows)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["gate"]:
        from benchmarks import gate

        raise SystemExit(gate.main(sys.argv[2:]))
    main()
