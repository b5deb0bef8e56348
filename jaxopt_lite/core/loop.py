"""The one loop: counters, budgets, the finiteness test, freezing, the best point, the status.

A turn asks, evaluates once, and tells. A single problem is one lane and runs in a `while_loop` here; a batch runs the
same turn over lanes in `core/batching.py`; the stepping interface runs it by hand.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.protocol import Answer, Method, Need, Query
from jaxopt_lite.core.status import BAD_INPUT, BUDGET, CLAIM, NOT_FINITE, RUNNING, UNBOUNDED, is_claim, is_success

WITH_GRADIENT = (Need.GRADIENT, Need.HESSIAN, Need.HVP)


class Budget(NamedTuple):
    """What a lane may spend; both traced."""

    maxiter: Array  # () int32: iterations
    maxturns: Array  # () int32: turns, that is evaluations of the oracle


class Best(NamedTuple):
    """The best finite point that was evaluated, accepted by the method or not."""

    x: Array  # (n,)
    fun: Array  # (): +inf until a finite value was seen
    grad: Array | None  # (n,) or None where the oracle gives no gradient


class Run(NamedTuple):
    """A lane at work."""

    state: Any  # the method's own
    status: Array  # () int32
    counts: Array  # (2,) int32: iterations, and evaluations of the oracle, one a turn or as many as a query has points
    best: Best


def begin(method: Method, x0: Array, data: Any) -> Run:
    """A lane before its first evaluation."""
    has_grad = method.needs in WITH_GRADIENT
    best = Best(x0, jnp.full((), jnp.inf, x0.dtype), jnp.full_like(x0, jnp.nan) if has_grad else None)
    return Run(method.init(x0, data), jnp.full((), RUNNING, jnp.int32), jnp.zeros(2, jnp.int32), best)


def tell(method: Method, run: Run, query: Query, answer: Answer, data: Any, budget: Budget, freeze: bool = True) -> Run:
    """The lane after the answer to its query; with `freeze` a lane that has ended stays as it is."""
    answer, bottomless = _cleaned(answer)
    told = method.tell(run.state, query, answer, data)
    points = query.x.shape[0] if query.x.ndim == 2 else 1
    iterated = (told.iterated & (run.counts[0] < budget.maxiter)).astype(jnp.int32)
    counts = run.counts + jnp.stack([iterated, jnp.full((), points, jnp.int32)])
    spent = (counts[0] >= budget.maxiter) | (counts[1] + (points - 1) >= budget.maxturns)
    status = jnp.where((told.status == RUNNING) & spent, BUDGET, told.status)
    status = (status if method.zero else jnp.where(bottomless, UNBOUNDED, status)).astype(jnp.int32)
    new = Run(told.state, status, counts, _better(run.best, query, answer, method.zero))
    if not freeze:
        return new
    running = run.status == RUNNING
    return jax.tree.map(lambda n, o: jnp.where(running, n, o), new, run)


def finish(method: Method, run: Run, data: Any) -> dict[str, Array]:
    """The raw result of a lane: the method's own point where it succeeded, else the best finite point seen.

    Of a method that seeks a zero a claim is of its own point, `_x`, beside which the best one may be somewhere else. If that
    has a smaller |fun|, or no iteration led to the own one, success is but a claim: a bracket shrinks to a pole, too.
    """
    fields, status = method.report(run.state, data), run.status
    if method.zero and method.certificate is not None:
        grown = jnp.abs(fields["fun"]) > jnp.abs(run.best.fun)
        unseen = (run.counts[0] == 0) & (fields["fun"] != 0)
        status = jnp.where(is_success(status) & (grown | unseen), status + CLAIM, status)
        fields["_x"] = fields["x"]
    success = is_success(status)
    choose = lambda own, best: jnp.where(success, own, best)
    if method.needs is not Need.NOTHING:
        fields["x"] = choose(fields["x"], run.best.x)
    if "fun" in fields:
        fields["fun"] = choose(fields["fun"], run.best.fun)
    if run.best.grad is not None:
        fields["jac"] = choose(fields["jac"], run.best.grad)
    ended = (run.status != RUNNING) & (run.status != UNBOUNDED) & (run.status != BAD_INPUT)
    nothing = ended & ~jnp.isfinite(run.best.fun) & (method.needs is not Need.NOTHING)
    status = jnp.where(nothing, NOT_FINITE, status).astype(jnp.int32)
    return fields | {"status": status, "nit": run.counts[0], "turns": run.counts[1]}


class Operands(NamedTuple):
    """Everything traced that a lane works on: what varies from problem to problem."""

    x0: Array  # (n,)
    data: Any  # the method's record
    budget: Budget
    function: Any  # what the user's functions are evaluated with: captured arrays and args


Derive = Callable[[dict[str, Array], Operands], dict[str, Array]]  # (fields of a lane, operands) -> fields


class Lane(NamedTuple):
    """A method together with the evaluation of the user's function: what a batch drives."""

    begin: Callable[[Operands], Run]
    turn: Callable[[Run, Operands], Run]  # one evaluation; what has ended stays as it is
    turn_alone: Callable[[Run, Operands], Run]  # the same of a lane that has not ended: nothing large is copied
    finish: Callable[[Run, Operands], dict[str, Array]]
    decide: Derive | None  # the fields of a lane with a claim that change as it is decided; None: nothing can be proved
    derive: Derive | None  # the fields that follow from the solution, made once a problem; None: they are all there
    workspace: Callable[[Operands], int] = lambda operands: 0  # bytes that a turn works on besides the state; from shapes


def lane(
    method: Method,
    evaluate: Callable[..., Answer],
    decide: Derive | None = None,
    derive: Derive | None = None,
    told: bool = False,
) -> Lane:
    """The lane of a method; `evaluate(query, function)` is the only call site of the user's function in the loop.

    `told` says that it takes a third argument: is the lane still at work?
    """

    def turn(run: Run, operands: Operands, freeze: bool = True) -> Run:
        query = method.ask(run.state, operands.data)
        answer = evaluate(query, operands.function, *((run.status == RUNNING,) if told else ()))
        return tell(method, run, query, answer, operands.data, operands.budget, freeze)

    return Lane(
        begin=lambda operands: begin(method, operands.x0, operands.data),
        turn=turn,
        turn_alone=functools.partial(turn, freeze=False),
        finish=lambda run, operands: finish(method, run, operands.data),
        decide=decide,
        derive=derive,
        workspace=lambda operands: 0 if method.workspace is None else method.workspace(operands.data),
    )


def solve_one(lane: Lane, operands: Operands) -> dict[str, Array]:
    """A single problem, one lane, to its end."""
    run = lax.while_loop(
        lambda run: run.status == RUNNING,
        lambda run: lane.turn_alone(run, operands),
        lane.begin(operands),
    )
    return result_of(lane, run, operands)


def result_of(lane: Lane, run: Run, operands: Operands) -> dict[str, Array]:
    """The fields of one lane that has ended, its claim decided, with those that follow from its solution."""
    fields = lane.finish(run, operands)
    if lane.decide is not None:
        fields = decide_one(lane.decide, fields, operands)
    return fields if lane.derive is None else lane.derive(fields, operands)


def decide_one(decide: Derive, fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
    """The fields of one lane, its claim decided; a lane without a claim does not pay for it."""
    return lax.cond(is_claim(fields["status"]), lambda: fields | decide(fields, operands), lambda: fields)


def _cleaned(answer: Answer) -> tuple[Answer, Array]:
    """The answer with nothing in it that is not finite, and whether the function fell to minus infinity.

    Of several points (k,) each is cleaned by itself.
    """
    parts = [p for p in answer if p is not None]
    if answer.fun is not None and answer.fun.ndim == 1:
        finite = jnp.isfinite(answer.fun)
    else:
        finite = functools.reduce(jnp.logical_and, (jnp.all(jnp.isfinite(p)) for p in parts), jnp.ones((), bool))
    bottomless = jnp.zeros((), bool) if answer.fun is None else jnp.any(answer.fun == -jnp.inf)
    fun = None if answer.fun is None else jnp.where(finite, answer.fun, jnp.inf)
    rest = (None if p is None else jnp.where(finite, p, jnp.zeros_like(p)) for p in answer[1:-1])
    return Answer._make((fun, *rest, finite)), bottomless


def _better(best: Best, query: Query, answer: Answer, zero: bool) -> Best:
    """The better of the best point and the one(s) just evaluated: where fun is less, or nearer to `zero`."""
    x, fun = query.x, answer.fun
    if fun is None:
        return best
    if fun.ndim == 1:
        lowest = jnp.argmin(jnp.abs(fun) if zero else fun)
        x, fun = x[lowest], fun[lowest]
    better = jnp.abs(fun) < jnp.abs(best.fun) if zero else fun < best.fun
    grad = None if best.grad is None else jnp.where(better, answer.grad, best.grad)
    return Best(jnp.where(better, x, best.x), jnp.where(better, fun, best.fun), grad)
