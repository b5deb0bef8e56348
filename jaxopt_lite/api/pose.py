"""How a call is posed: what is static about it, what is traced, and what the host does with it.

This is the only maker of `Plan` and `Call`. Options are read once, here. What runs a call, watches it or steps through it
sees the record `Posed`, and no options.

A door poses in four steps. It reads its arguments (`reading/`) and its options (`read_settings`); it builds the method; it
closes the user's functions for what the method needs (`oracles/`); and it calls `pose`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxopt_lite._families.line_search.updates import learning
from jaxopt_lite._needs.nothing import NO_FUNCTIONS
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.api.oracles.constrained import constrained
from jaxopt_lite.api.oracles.scalar import scalar_oracle
from jaxopt_lite.api.reading.bounds import read_bounds
from jaxopt_lite.api.reading.strategies import read_strategy
from jaxopt_lite.core.implicit import Derived
from jaxopt_lite.core.layout import Layout, parse
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, evaluations, of_program, read
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.program import Call, Plan
from jaxopt_lite.core.protocol import Method


class Settings(NamedTuple):
    """The options of a call, read and checked."""

    row: Row
    values: dict[str, Any]  # every option of the method and of all methods: as given, or its default
    maxiter: Any  # () int: most iterations
    maxfev: Any  # () int: most evaluations; None: not limited

    def build(self, bounded: bool = False, size: int | None = None) -> Method:
        """The method for these options, inside of bounds or a bracket or without; equal static options, the same object.

        `size` is the number of variables, where the method may follow from it.
        """
        return self.row.build(self.values | {"bounded": bounded, "size": size})


class Posed(NamedTuple):
    """A call as all later code sees it."""

    plan: Plan  # what is static
    call: Call  # what is traced
    disp: Any  # is a summary printed at the end?
    keep_all: bool  # is the point of every iteration kept?
    lines: bool = False  # is a line printed an iteration?


def read_settings(
    row: Row, n: int, options: Any, keywords: dict[str, Any] | None = None, size: int | None = None
) -> Settings:
    """The options of a call with x (n,).

    `keywords` are options that the door has keywords for; they count where `options` does not name them. `size` is what the
    default of `maxiter` follows from, where it is not n.
    """
    if options is None or isinstance(options, Mapping):  # what is neither is refused by `read`
        options = (keywords or {}) | dict(options or {})
    values = read(options, row.options, row.name, n)
    maxiter = row.maxiter(n if size is None else size) if values["maxiter"] is None else values["maxiter"]
    return Settings(row, values, maxiter, evaluations(values))


def pose(
    settings: Settings,
    method: Method,
    layout: Layout,
    start: list[Any],
    functions: tuple[Oracle, Traced] = NO_FUNCTIONS,
    data: dict[str, Any] | None = None,
    derived: Derived | None = None,
) -> Posed:
    """A call, from its parts.

    `start` holds the leaves of x0. `functions` are the user's, closed. `data` is what the method works on besides its
    options: bounds, a bracket, a program. `derived` makes the fields that follow from the solution.
    """
    row, values = settings.row, settings.values
    schedule = row.schedule._replace(lanes=values["lanes"])
    if values["turns_per_refill"] is not None:
        schedule = schedule._replace(turns_per_refill=values["turns_per_refill"])
    oracle, traced = functions
    numbers = of_program(values, row.options) | (data or {})
    plan = Plan(method, row.prepare, oracle, layout, schedule, derived)
    call = Call(start, numbers, settings.maxiter, settings.maxfev, traced)
    verbose = values.get("verbose") or 0
    return Posed(plan, call, values["disp"] or verbose > 0, bool(values.get("return_all")), verbose > 1)


def pose_minimum(
    row: Row,
    fun: Callable,
    x0: Any,
    args: Any = (),
    options: Any = None,
    tol: Any = None,
    bounds: Any = None,
    points: dict[str, Any] | None = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    constraints: Any = None,
) -> Posed:
    """The minimization of a scalar function: of several variables in `bounds`, or of one from `points` under their name."""
    start, layout = parse(x0)
    keywords = {} if tol is None else dict.fromkeys(row.tol, POSITIVE_OR_ZERO(tol, "tol"))
    settings = read_settings(row, layout.size, options, keywords)
    box = None if bounds is None else read_bounds(bounds, layout)
    method, strategy = settings.build(bounded=box is not None, size=layout.size), read_strategy(hess, hessp, layout)
    if strategy is not None:
        method, hess = learning(method, strategy), None
    steps = {"rel_step": settings.values.get("finite_diff_rel_step"), "abs_step": settings.values.get("eps")}
    functions = scalar_oracle(method.needs, layout, fun, args, jac, hess, hessp, **steps)
    data = ({} if box is None else {"bounds": box}) | (points or {})
    if "constraints" in row.takes:
        functions, data["constraints"] = constrained(functions, constraints, layout, row)
    if "keep_feasible" in row.takes and functions[0].more is not None:
        data["keep_feasible"] = np.asarray(functions[0].more.keep_feasible)
    return pose(settings, method, layout, start, functions, data)
