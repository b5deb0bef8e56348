"""A posed call is run: by its program, or, where somebody watches, turn by turn from the host.

Who watches has a callback, or keeps the points of all iterations. The same turns are made, with the same answers.
"""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite.api.pose import Posed
from jaxopt_lite.api.result import OptimizeResult, make_result
from jaxopt_lite.api.telling import Starts, explained, show
from jaxopt_lite.core.batching import ShardedBatch
from jaxopt_lite.core.program import is_alone, run, turn_by_turn
from jaxopt_lite.core.status import RUNNING, STOPPED

Show = Callable[[Callable, dict[str, Any]], None]  # (callback, what the method reports, nit among it)


def show_point(callback: Callable, shown: dict[str, Any]) -> None:
    """SciPy's way: ``callback(x)``, or ``callback(intermediate_result=...)`` where the parameter has that name."""
    if "intermediate_result" in inspect.signature(callback).parameters:
        callback(intermediate_result=OptimizeResult(x=shown["x"], fun=shown["fun"], success=None, status=None))
    else:
        callback(shown["x"])


def with_state(named: Callable[[OptimizeResult], OptimizeResult]) -> Show:
    """The same for a callback of two arguments, which is told what the method reports, `named`, and ends the run by True."""

    def show_state(callback: Callable, shown: dict[str, Any]) -> None:
        if len(inspect.signature(callback).parameters) < 2:
            return show_point(callback, shown)
        state = {name: value for name, value in shown.items() if not name.startswith("_")}
        if callback(shown["x"], named(make_result(state | {"success": None, "status": None}))):
            raise StopIteration
        return None

    return show_state


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


def lined(present: Show) -> Show:
    """The same showing, after a line an iteration."""
    line = with_lines(None)

    def show_both(callback: Callable, shown: dict[str, Any]) -> None:
        show_point(line, shown)
        present(callback, shown)

    return show_both


def solve(posed: Posed, callback: Callable | None = None, starts: Starts = (), present: Show = show_point) -> OptimizeResult:
    """The result of a call, explained and printed if asked. `starts` are its first points, if they are not x0."""
    plan, call, oracle = posed.plan, posed.call, posed.plan.oracle
    try:
        fields = fields_of(posed, callback, present)
    except ShardedBatch:
        raise
    except (TypeError, ValueError, NotImplementedError) as error:
        # fun was traced before: what is raised now is JAX's, when it derives
        remedy = oracle.needs.remedy if (oracle.hess, oracle.hessp, oracle.bends) == (None, None, None) else ""
        if not remedy or callback is not None or posed.keep_all:
            raise
        raise TypeError(f"fun has no second derivatives in JAX; {remedy}. JAX says: {error}") from error
    result = explained(make_result(fields), plan, call, starts)
    if posed.disp:
        show(result, call)
    return result


def fields_of(posed: Posed, callback: Callable | None = None, present: Show = show_point) -> dict[str, Any]:
    """The fields of the result; `present` shows an iteration to the callback."""
    watched = callback is not None or posed.keep_all
    return _watch(posed, callback, present) if watched else run(posed.plan, posed.call)


def _watch(posed: Posed, callback: Callable | None, present: Show) -> dict[str, Any]:
    """The fields of a run whose iterations are shown to `callback` and, with `keep_all`, kept in `allvecs`."""
    if not is_alone(posed.call):
        raise ValueError(
            "callback and return_all need an eager call, for one problem: this one is under jit, vmap or grad. "
            "Leave them out, or drive the method with jaxopt_lite.stepper."
        )
    begin, turn, point, fields = turn_by_turn(posed.plan)
    run, operands = begin(posed.call)
    seen, points = -1, []
    while int(run.status) == RUNNING:
        run = turn(run, operands)
        nit = int(run.counts[0])
        if nit == seen:
            continue
        shown = point(run, operands)
        points.append(shown["x"])
        if callback is not None and nit > 0 and not _goes_on(callback, shown | {"nit": nit}, present):
            run = run._replace(status=jnp.asarray(STOPPED, jnp.int32))
        seen = nit
    return fields(run, operands) | ({"allvecs": points} if posed.keep_all else {})


def _goes_on(callback: Callable, shown: dict[str, Any], present: Show) -> bool:
    try:
        present(callback, shown)
    except StopIteration:
        return False
    return True
