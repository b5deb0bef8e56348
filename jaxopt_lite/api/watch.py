"""A run that somebody watches: callbacks, and keeping the points of all iterations. Driven from the host."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite.api.result import OptimizeResult, make_result
from jaxopt_lite.core.program import Call, Plan, is_alone, steps
from jaxopt_lite.core.status import RUNNING, STOPPED

Show = Callable[[Callable, dict[str, Any]], None]  # (callback, what the method reports, nit among it)


def show_point(callback: Callable, shown: dict[str, Any]) -> None:
    """SciPy's way: ``callback(x)``, or ``callback(intermediate_result=...)`` where the parameter has that name."""
    if "intermediate_result" in inspect.signature(callback).parameters:
        callback(intermediate_result=OptimizeResult(x=shown["x"], fun=shown["fun"], success=None, status=None))
    else:
        callback(shown["x"])


def with_lines(callback: Callable | None) -> Callable:
    """A callback that prints a line an iteration, and then calls the given one."""
    print(f"{'iteration':>9s} {'cost':>15s} {'step':>10s}")
    seen: list[np.ndarray] = []

    def line(intermediate_result: OptimizeResult) -> None:
        x = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(intermediate_result.x)])
        step = f"{np.linalg.norm(x - seen[-1]):10.2e}" if seen else " " * 10
        seen.append(x)
        print(f"{len(seen):9d} {float(intermediate_result.fun):15.8e} {step}")
        if callback is not None:
            show_point(callback, {"x": intermediate_result.x, "fun": intermediate_result.fun})

    return line


def watch(plan: Plan, call: Call, callback: Callable | None, keep_all: bool, show: Show = show_point) -> OptimizeResult:
    """The result of a run whose iterations are shown to `callback` and, with `keep_all`, kept in `allvecs`."""
    if not is_alone(call):
        raise ValueError(
            "callback and return_all need an eager call, for one problem: this one is under jit, vmap or grad. "
            "Leave them out, or drive the method with jaxopt_lite.stepper."
        )
    begin, turn, point, fields = steps(plan)
    run, operands = begin(call)
    seen, points = -1, []
    while int(run.status) == RUNNING:
        run = turn(run, operands)
        nit = int(run.counts[0])
        if nit == seen:
            continue
        shown = point(run, operands)
        points.append(shown["x"])
        if callback is not None and nit > 0 and not _goes_on(callback, shown | {"nit": nit}, show):
            run = run._replace(status=jnp.asarray(STOPPED, jnp.int32))
        seen = nit
    return make_result(fields(run, operands) | ({"allvecs": points} if keep_all else {}))


def _goes_on(callback: Callable, shown: dict[str, Any], show: Show) -> bool:
    try:
        show(callback, shown)
    except StopIteration:
        return False
    return True
