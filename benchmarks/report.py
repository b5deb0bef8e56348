"""Rows to a printed table, JSON, Markdown and a PNG plot. One file stem a suite, backend and dtype."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.records import OURS, Row, Settings

# Heading and text of each column; a column that no row fills is left out.
_COLUMNS = {
    "case": lambda r: r.case,
    "contender": lambda r: r.contender,
    "time": lambda r: "" if r.value is None else f"{_digits(r.value)} {r.unit}",
    "peer / us": lambda r: "" if r.ratio is None else f"{_digits(r.ratio)}x",
    "lanes": lambda r: "" if r.lanes is None else f"{r.lanes:,}",
    "compile": lambda r: "" if r.compile_s is None else f"{r.compile_s:.2f} s",
    "reached": lambda r: "" if r.reached is None else f"{_percent(r.reached)}",
    "failed": lambda r: "" if r.failed is None else f"{r.failed:,} / {r.extra['checked']:,}",
    "wrong": lambda r: "" if r.wrong is None else f"{r.wrong:,}",
    "turns mean / max": lambda r: (
        f"{r.extra['turns_mean']:.0f} / {r.extra['turns_max']:,}" if "turns_mean" in r.extra else ""
    ),
    "solved": lambda r: r.extra.get("solved", ""),
    "evaluations": lambda r: f"{r.extra['evaluations']:.2f}x" if r.extra.get("evaluations") else "",
    "of BFGS": lambda r: f"{r.extra['of_bfgs']:.2f}x" if "of_bfgs" in r.extra else "",
    "utilization": lambda r: f"{r.extra['utilization']:.1%}" if "utilization" in r.extra else "",
    "overhead": lambda r: f"{r.extra['overhead_ms']:.3f} ms" if "overhead_ms" in r.extra else "",
    "traces": lambda r: f"{r.extra['traces']:g}" if "traces" in r.extra else "",
    "compilations": lambda r: f"{r.extra['compilations']:g}" if "compilations" in r.extra else "",
    "of Optimistix": lambda r: f"{r.extra['of_optimistix']:.2f}x" if r.extra.get("of_optimistix") else "",
    "fits / s": lambda r: f"{r.extra['fits_per_s']:,.0f}" if "fits_per_s" in r.extra else "",
    "of Gpufit": lambda r: f"{r.extra['of_gpufit']:.2f}x" if "of_gpufit" in r.extra else "",
    "converged": lambda r: _percent(r.extra["converged"]) if "converged" in r.extra else "",
    "x0 bias, spread": lambda r: f"{r.extra['bias']:+.4f}, {r.extra['spread']:.3f}" if "bias" in r.extra else "",
    "of in + out": lambda r: f"{r.extra['of_in_and_out']:.2f}x" if "of_in_and_out" in r.extra else "",
    "aim": lambda r: r.extra.get("aim", ""),
    "note": lambda r: r.note,
}

TIMES = "time: median of the rounds; peer / us: median over rounds of the ratio of times a problem, above 1 ours is faster; "
LEGEND = TIMES + (
    "compile: first call minus a steady one (left out below 5 % of the call); "
    "reached: lanes whose gradient, recomputed in float64, is within 10 x the tolerance; failed: lanes that the solver "
    "itself reports as failed, of those checked; wrong: lanes reported as solved whose gradient is neither within 10 x "
    "the tolerance nor rounding."
)
BOUNDED = LEGEND + " In a box it is the projected gradient. aim: what was asked for before anything was measured."

# Suites that judge answers otherwise, or measure more
LEGENDS = {
    "bounded": BOUNDED,
    "descent": BOUNDED
    + (
        " library: solved are the problems whose value, recomputed in float64, is that of a known minimum to 1e-5 (in "
        "float32 1e-3); evaluations: ours over SciPy's, median over the problems that both solve (benchmarks/library.py "
        "says what counts); failed: problems that the solver itself reports as failed; of BFGS: time over BFGS's."
    ),
    "spots": TIMES
    + (
        "compile: trace, lowering and compilation; converged: share of fits that the solver reports as converged; "
        "reached: share with a chi-square, recomputed in float64, at most 1e-3 larger than that of a tightly converged "
        "fit; wrong: reported as converged, and not reached; x0 bias, spread: mean and standard deviation of the error "
        "of x0 over its Cramer-Rao bound, 0 and 1 being the best there is; of Gpufit: fits a second over the published "
        "3,038,590 (10^7 fits, unnamed GPU); of in + out: temporary + argument + output bytes of the compiled program "
        "over those of arguments and outputs; aim: what was asked for before anything was measured."
    ),
    "linprog": TIMES
    + (
        "compile: first call minus a steady one; reached: lanes within 1e-6 of the known optimal value, relatively (MPAX "
        "and float32: 1e-3); failed: lanes that the solver itself reports as failed, of those checked; wrong: reported as "
        "solved and not reached; turns: iterations; aim: what was asked for before anything was measured."
    ),
    "derivative_free": TIMES
    + (
        "compile: first call minus a steady one; reached: lanes with a value within 1e-4 of one of the function's minima; "
        "failed: lanes that the solver itself reports as failed, of those checked; wrong: reported as solved and not "
        "reached; turns: evaluations; aim: what was asked for before anything was measured."
    ),
    "scalar": TIMES
    + (
        "compile: first call minus a steady one; reached: lanes with |x^3 - x - p| <= 1e-9 in float64 (minimizers 1e-6; in "
        "float32 1e-4 and 0.05); failed: lanes that the solver itself reports as failed, of those checked; wrong: reported "
        "as solved and not reached; turns: evaluations; aim: what was asked for before anything was measured."
    ),
}


def _digits(value: float) -> str:
    """Three significant digits without an exponent."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _percent(share: float) -> str:
    """A share that is not whole never prints as 100 %."""
    return "100 %" if share == 1 else f"{math.floor(share * 1e4) / 1e2:.2f} %"


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the columns that some row fills."""
    cells = {heading: [text(row) for row in rows] for heading, text in _COLUMNS.items()}
    used = [heading for heading, column in cells.items() if any(column)]
    return used, [[cells[heading][i] for heading in used] for i in range(len(rows))]


def plain(rows: Sequence[Row]) -> str:
    """The table with aligned columns, for the terminal."""
    head, body = table(rows)
    widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body])


def markdown(suite: str, rows: Sequence[Row], environment: dict[str, Any], settings: Settings) -> str:
    """The table with the environment that it was made in."""
    head, body = table(rows)
    lines = ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *body]]
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
    about = [
        f"- commit {environment['commit']}, {environment['date']}",
        f"- {environment['cpu']}, cores allowed {environment['cores_allowed']} of {environment['cores_of_machine']}; "
        f"backend {environment['backend']} ({', '.join(environment['devices'])}); {environment['machine']}",
        f"- {settings.dtype}, x64 {environment['x64']}, tolerance {settings.tol:g}, {settings.repeats} rounds"
        + (", QUICK RUN: sizes too small for publication" if settings.quick else ""),
        f"- {versions}",
    ]
    legend = LEGENDS.get(suite, LEGEND)
    return "\n".join([f"# {suite}, {environment['backend']}, {settings.dtype}", "", *about, "", *lines, "", legend, ""])


def plot(suite: str, rows: Sequence[Row], environment: dict[str, Any], settings: Settings, path: Path) -> bool:
    """Horizontal bars on a log scale, one panel a case; False where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = [r for r in rows if r.value is not None]
    cases = list(dict.fromkeys(r.case for r in drawn))
    if not cases:
        return False
    heights = [sum(r.case == case for r in drawn) for case in cases]
    figure, axes = plt.subplots(
        len(cases),
        1,
        figsize=(8.5, 0.8 * len(cases) + 0.34 * sum(heights) + 0.4),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for axis, case in zip(axes[:, 0], cases, strict=True):
        mine = [r for r in drawn if r.case == case]
        colors = ["#c0392b" if r.contender.startswith(OURS) else "#7f8c9b" for r in mine]
        bars = axis.barh([r.contender for r in mine], [max(r.value, 1e-9) for r in mine], color=colors)
        labels = [_digits(r.value) + (f"  ({_digits(r.ratio)}x)" if r.ratio and r.contender != OURS else "") for r in mine]
        axis.bar_label(bars, labels, padding=3, fontsize=8)
        axis.set_xscale("log")
        axis.margins(x=0.25)
        axis.invert_yaxis()
        axis.set_title(f"{case}: {mine[0].unit}", loc="left", fontsize=9)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    device = environment["cpu"] if environment["backend"] == "cpu" else environment["devices"][0]
    figure.suptitle(f"{suite}, {settings.dtype}, {device}; commit {environment['commit'][:12]}", fontsize=9)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return True


def write(suite: str, rows: Sequence[Row], environment: dict[str, Any], settings: Settings) -> Path:
    """Write `<suite>-<backend>[-float32].{json,md,png}` into the output folder; returns their common stem."""
    settings.out.mkdir(parents=True, exist_ok=True)
    suffix = "" if settings.dtype == "float64" else f"-{settings.dtype}"
    stem = settings.out / f"{suite}-{environment['backend']}{suffix}"
    record = {
        "suite": suite,
        "environment": environment,
        "settings": asdict(settings) | {"out": str(settings.out)},
        "rows": [asdict(row) for row in rows],
    }
    stem.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    stem.with_suffix(".md").write_text(markdown(suite, rows, environment, settings))
    plot(suite, rows, environment, settings, stem.with_suffix(".png"))
    return stem
