"""The table of laws and rows, made from the code."""

from pathlib import Path

from tests.laws.cases import ROWS
from tests.laws.laws import LAWS

PAGE = Path(__file__).parent / "README.md"
HEAD = """# The laws, and the rows that stand under them

Made by `python -m tests.laws`; a test fails where it is not what the code says.

A *row* is a method of a door (`cases.py`). Each row has in each dtype one *book* (`book.py`): a page of a few hundred lanes
with all that the laws ask for, solved by some ten programs. A *law* (`laws.py`) reads lanes and compiles next to nothing.
Every law below holds for every row of its column, in float64 and in float32; `test_laws_can_fail.py` has for each a method
that cheats, and is caught.

| law | protects | rows |
|---|---|---|
"""
TAIL = """
Beside the books, with programs of their own:

| law | file | over |
|---|---|---|
| success is true of random problems | `test_audit.py` | every row of every door, both dtypes: thousands of lanes |
| success is true of the library | `test_success_is_true.py` | a row of each door, both dtypes; the other rows slow |
| nothing is worse than its start, of the library | `test_never_worse_than_start.py` | the same |
| every field of a result is true | `test_fields_are_true.py` | every row, both dtypes |
| every option matters or is refused | `test_every_option_matters.py` | every option of every row |
| what cannot be known is NaN | `test_unknown_derivatives.py` | every row |
| counts are those of a run by hand | `test_budgets_and_counts.py` | every row with a stepper |
| a changed capture is seen | `test_changed_captures.py` | every kind of capture |
| fits | `test_fits.py`, `test_truth_of_fits.py` | lm, trf, dogbox |
| closures, sentences, kinds of arguments, queues | the other files | a row of each door |
"""


def page() -> str:
    """The text of README.md."""
    lines = []
    for law in LAWS:
        under = [case.name for case in ROWS if law.of(case)]
        whole = len(under) == len(ROWS)
        missing = [case.name for case in ROWS if not law.of(case)]
        which = (
            f"all {len(ROWS)}"
            if whole
            else f"{len(under)}: " + (f"all but {', '.join(missing)}" if len(missing) < len(under) else ", ".join(under))
        )
        lines.append(
            f"| {law.number} | {law.name.replace('_', ' ')} | {which}{', in float64' if law.double_alone else ''} |"
        )
    rows = ", ".join(f"{case.name} ({case.door})" for case in ROWS)
    return HEAD + "\n".join(lines) + f"\n\nThe rows: {rows}.\n" + TAIL
