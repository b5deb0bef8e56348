"""A method driven by hand: for objectives that JAX cannot trace, and for loops that are somebody else's."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.api import methods
from jaxopt_lite.api.pose import Posed, pose, read_settings
from jaxopt_lite.api.reading.bounds import read_bounds
from jaxopt_lite.api.reading.constraints import read_sides
from jaxopt_lite.api.reading.points import interval_or_bracket, read_points, stand_in, start_of
from jaxopt_lite.api.result import OptimizeResult, as_root, make_result
from jaxopt_lite.core import loop
from jaxopt_lite.core.layout import Layout, parse
from jaxopt_lite.core.program import Call, Plan, present, public
from jaxopt_lite.core.protocol import Method
from jaxopt_lite.core.status import RUNNING, decided


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepState:
    """Where a method that is driven by hand stands: a pytree; its parts are the method's own business."""

    run: loop.Run
    data: Any
    budget: loop.Budget
    method: Method = dataclasses.field(metadata={"static": True})
    layout: Layout = dataclasses.field(metadata={"static": True})

    @property
    def status(self) -> Array:
        """() int32: -1 while running, else how it ended (`OptimizeResult.status`)."""
        return decided(self.run.status, self.method.stands)  # nothing can be proved from values that are told


class Stepper(NamedTuple):
    """A method as four pure functions; each is jitted, and composes with `jit`, `vmap` and `scan`.

    Attributes
    ----------
    init : callable
        ``init(x0) -> state``; evaluates nothing. For a method of `minimize_scalar`: ``init()``.
    ask : callable
        ``ask(state) -> x``: the point to evaluate next, in the structure of x0. For a method with Hessian-vector products
        ``ask(state) -> (x, p)``, both in that structure. Of a method that asks for k points, each leaf has an axis of k in
        front.
    tell : callable
        ``tell(state, fun) -> state``, and what else the method needs there: ``tell(state, fun, grad)`` with the gradient in
        the structure of x; ``tell(state, fun, grad, hvp)`` with the Hessian times p in that structure; for 'halley'
        ``tell(state, fun, grad, curvature)`` with the second derivative (); for 'SLSQP' ``tell(state, fun, grad,
        constraints, jacobian, violation)`` with c (m,), its Jacobian (m, n) and the largest violation () of a side; for
        'trust-constr', which asks for (x, y), the same and the Hessian (n, n) of f + y'c last; for 'COBYLA' ``tell(state,
        fun, constraints, violation)``. Each can be given by its
        name. Of k points each has an axis of k in front. A state that has ended is returned as it is.
    result : callable
        ``result(state) -> OptimizeResult``, at any time; status -1 while running.
    done : callable
        ``done(state) -> () bool``.
    """

    init: Callable[..., StepState]
    ask: Callable[[StepState], Any]
    tell: Callable[..., StepState]
    result: Callable[[StepState], OptimizeResult]
    done: Callable[[StepState], Array]


def stepper(
    method: str | methods.Row = "BFGS",
    bounds: Any = None,
    options: dict[str, Any] | None = None,
    bracket: Any = None,
    constraints: Any = None,
) -> Stepper:
    """A method of `minimize`, `minimize_scalar` or `root_scalar`, to be asked for points and told values.

    The same machine as behind `minimize`: counters, budgets, statuses and the best point are kept alike.

    Parameters
    ----------
    method : str or Row
        A method of `minimize`, `minimize_scalar` or `root_scalar`; or one of your own (`jaxopt_lite.method`).
    bounds : optional
        As for `minimize`, for its methods that take bounds; the interval, a pair of floats, for 'bounded'; the bracket for
        a root finder in one.
    options : dict, optional
        As for `minimize`, `minimize_scalar` or `root_scalar`.
    bracket : sequence of two or three floats, optional
        As for `minimize_scalar`, for 'brent' and 'golden'; as for `root_scalar`, where `bounds` says the same.
    constraints : pair of arrays (m,), optional
        For methods that take constraints: the sides (lb, ub) of the rows lb <= c(x) <= ub, whose values and Jacobian are
        told; the equalities (lb == ub) first; -inf and inf where there is no side. None: there are none (m = 0).

    Returns
    -------
    Stepper
        The functions `init`, `ask`, `tell`, `result` and `done`.

    Raises
    ------
    ValueError
        Unknown method or option; bounds missing; bounds, a bracket or constraints given to a method without; sides that
        cross, or an equality after an inequality.

    Examples
    --------
    An objective in NumPy, with its gradient:

    >>> import numpy as np
    >>> from jaxopt_lite import stepper
    >>> opt = stepper("BFGS")
    >>> state = opt.init(np.array([3.0, -1.0]))
    >>> while not opt.done(state):
    ...     x = np.asarray(opt.ask(state))
    ...     state = opt.tell(state, np.sum((x - 1.0) ** 2), 2.0 * (x - 1.0))
    >>> res = opt.result(state)
    >>> print(res.x.round(3), bool(res.success))
    [1. 1.] True
    """
    row = methods.find((*methods.MINIMIZE, *methods.MINIMIZE_SCALAR, *methods.ROOT_SCALAR), method, "stepper")
    if row in methods.ROOT_SCALAR:
        return _root_stepper(row, bounds if bracket is None else bracket, options)
    points = interval_or_bracket(row, bounds, bracket) if row in methods.MINIMIZE_SCALAR else None
    methods.refuse(row, _REFUSED, constraints=constraints is not None)
    if points is None:
        methods.refuse(row, _REFUSED, bracket=bracket is not None, bounds=bounds is not None)

    def init(x0: Any = None) -> StepState:
        if x0 is None and points is None:
            raise ValueError(f"x0 is not given, and method {row.name!r} needs a start; call init(x0).")
        start, layout = parse(x0 if points is None else start_of(points))
        settings = read_settings(row, layout.size, options)
        box = None if points is not None or bounds is None else read_bounds(bounds, layout)
        data = (points or {}) | ({} if box is None else {"bounds": box})
        if "constraints" in row.takes:
            data["constraints"] = read_sides(constraints, layout, "equalities" in row.takes)
        return _begin(pose(settings, settings.build(box is not None), layout, start, data=data))

    return Stepper(init, _ask, _tell, _result, lambda state: state.status != RUNNING)


_REFUSED = {
    "bracket": "bracket is given, but method {method!r} takes none; leave it out.",
    "bounds": "bounds are given, but method {method!r} cannot handle bounds; leave them out.",
    "constraints": "constraints are given, but method {method!r} takes none; leave them out.",
}
_REFUSED_BY_ROOTS = {"bracket": "bounds are given, but method {method!r} would leave them; leave them out."}


def _root_stepper(row: methods.Row, bracket: Any, options: dict[str, Any] | None) -> Stepper:
    """A root finder by hand: in a bracket, or from a start."""
    if bracket is None and "x0" not in row.takes:
        raise ValueError(f"bounds are not given, and method {row.name!r} needs a bracket; give bounds=(a, b).")
    methods.refuse(row, _REFUSED_BY_ROOTS, bracket=bracket is not None)

    def init(x0: Any = None) -> StepState:
        if x0 is None and bracket is None:
            raise ValueError(f"x0 is not given, and method {row.name!r} needs a start; call init(x0).")
        points = read_points(bracket, x0)
        start, layout = parse(stand_in(points))
        settings = read_settings(row, 1, options)
        return _begin(pose(settings, settings.build(bracket is not None), layout, start, data=points))

    return Stepper(init, _ask, _tell, lambda state: as_root(_result(state)), lambda state: state.status != RUNNING)


def _begin(posed: Posed) -> StepState:
    """The state before the first point. The user's function stays with the user: the plan has none."""
    return _init(posed.plan, posed.call)


@functools.partial(jax.jit, static_argnums=0)
def _init(plan: Plan, call: Call) -> StepState:
    x0 = plan.layout.ravel(call.x0)
    data = plan.prepare(call.options, x0)
    turns = jnp.iinfo(jnp.int32).max if call.maxfev is None else jnp.maximum(1, call.maxfev)
    budget = loop.Budget(jnp.asarray(call.maxiter, jnp.int32), jnp.asarray(turns, jnp.int32))
    return StepState(loop.begin(plan.method, x0, data), data, budget, plan.method, plan.layout)


@jax.jit
def _ask(state: StepState) -> Any:
    return state.method.needs.asked(state.layout, state.method.ask(state.run.state, state.data))


def _tell(state: StepState, *parts: Any, **named: Any) -> StepState:
    name, wanted = state.method.name, state.method.needs.parts
    call = f"call tell({', '.join(('state', *wanted))})."
    if len(parts) > len(wanted):
        raise ValueError(f"a value after {wanted[-1]} is given, but method {name!r} does not use it; {call}")
    for part in wanted[: len(parts)]:
        if part in named:
            raise TypeError(f"{part} is told twice; {call}")
    given = dict(zip(wanted, parts, strict=False)) | named
    told = {part: value for part, value in given.items() if value is not None}
    for part in wanted:
        if part not in told:
            raise ValueError(f"{part} is not given, and method {name!r} needs it; {call}")
    for part in told:
        if part not in wanted:
            raise ValueError(f"{part} is given, but method {name!r} does not use it; {call}")
    return _told(state, told)


@jax.jit
def _told(state: StepState, parts: dict[str, Any]) -> StepState:
    query = state.method.ask(state.run.state, state.data)
    read = functools.partial(state.method.needs.told, state.layout)
    answer = read(parts) if query.x.ndim == 1 else jax.vmap(read)(parts)
    run = loop.tell(state.method, state.run, query, answer, state.data, state.budget)
    ended = loop.finish(state.method, run, state.data)["status"]
    status = decided(ended, state.method.stands)  # there is no function to prove a claim with
    return dataclasses.replace(state, run=run._replace(status=status))


@jax.jit
def _fields(state: StepState) -> dict[str, Any]:
    raw = loop.finish(state.method, state.run, state.data)
    return present(state.layout, public(raw), 1, state.method.needs)


def _result(state: StepState) -> OptimizeResult:
    return make_result(_fields(state))
