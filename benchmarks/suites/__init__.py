"""The suite table: a suite is a name and a `run(settings) -> list[Row]`; adding one edits only this table."""

from collections.abc import Callable
from typing import Any

from benchmarks.records import Row, Settings
from benchmarks.suites import (
    bounded,
    compile,
    constrained,
    derivative_free,
    descent,
    eager,
    linprog,
    quadprog,
    rosenbrock,
    scalar,
    spots,
    stragglers,
    trust_region,
)

SUITES: dict[str, Callable[[Settings], list[Row]]] = {
    "rosenbrock": rosenbrock.run,
    "stragglers": stragglers.run,
    "eager": eager.run,
    "compile": compile.run,
    "spots": spots.run,
    "linprog": linprog.run,
    "descent": descent.run,
    "bounded": bounded.run,
    "scalar": scalar.run,
    "trust_region": trust_region.run,
    "derivative_free": derivative_free.run,
    "constrained": constrained.run,
    "quadprog": quadprog.run,
}

# Settings that a suite has in place of the common ones where the command line leaves them open (no lanes with --quick).
DEFAULTS: dict[str, dict[str, Any]] = {"spots": {"lanes": 100_000, "tol": 1e-4}, "scalar": {"lanes": 1_000_000}}
