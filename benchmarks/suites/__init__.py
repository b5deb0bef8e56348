"""The suite table: a suite is a name and a `run(settings) -> list[Row]`; adding one edits only this table."""

from collections.abc import Callable

from benchmarks.records import Row, Settings
from benchmarks.suites import compile, eager, rosenbrock, stragglers

SUITES: dict[str, Callable[[Settings], list[Row]]] = {
    "rosenbrock": rosenbrock.run,
    "stragglers": stragglers.run,
    "eager": eager.run,
    "compile": compile.run,
}
