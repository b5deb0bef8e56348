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

from jaxopt_lite.core.protocol import Method, Query
from jaxopt_lite.core.rank import Rank, is_better
from jaxopt_lite.core.status import BAD_INPUT, BELIEVED, BUDGET, CLAIM, NOT_FINITE, RUNNING, UNBOUNDED, is_claim, is_success


class Budget(NamedTuple):
    """What a lane may spend; both traced."""

    maxiter: Array  # () int32: iterations
    maxturns: Array  # () int32: turns, that is evaluations of the oracle


class Best(NamedTuple):
    """The best finite point that was evaluated, accepted by the method or not."""

    x: Array  # (n,)
    at: Any  # the answer there, of which the parts are kept that the need says; fun is +inf until a finite value was seen


class Run(NamedTuple):
    """A lane at work."""

    state: Any  # the method's own
    status: Array  # () int32
    counts: Array  # (2,) int32: iterations, and evaluations of the oracle, one a turn or as many as a query has points
    best: Best


def begin(method: Method, x0: Array, data: Any) -> Run:
    """A lane before its first evaluation."""
    best = Best(x0, method.needs.keep(x0, data))
    return Run(method.init(x0, data), jnp.full((), RUNNING, jnp.int32), jnp.zeros(2, jnp.int32), best)


def tell(method: Method, run: Run, query: Query, answer: Any, data: Any, budget: Budget, freeze: bool = True) -> Run:
    """The lane after the answer to its query; with `freeze` a lane that has ended stays as it is."""
    answer, bottomless = _cleaned(query, answer)
    told = method.tell(run.state, query, answer, data)
    points = query.x.shape[0] if query.x.ndim == 2 else 1
    iterated = (told.iterated & (run.counts[0] < budget.maxiter)).astype(jnp.int32)
    counts = run.counts + jnp.stack([iterated, jnp.full((), points, jnp.int32)])
    spent = (counts[0] >= budget.maxiter) | (counts[1] + (points - 1) >= budget.maxturns)
    status = jnp.where((told.status == RUNNING) & spent, BUDGET, told.status)
    status = (jnp.where(bottomless, UNBOUNDED, status) if method.rank.bottom else status).astype(jnp.int32)
    new = Run(told.state, status, counts, _better(method.rank, run.best, query, answer))
    if not freeze:
        return new
    running = run.status == RUNNING
    return jax.tree.map(lambda n, o: jnp.where(running, n, o), new, run)


def finish(method: Method, run: Run, data: Any) -> dict[str, Array]:
    """The raw result of a lane: the method's own point where it succeeded, else the best finite point seen.

    Where the method doubts a success, it is but a claim: of its own point, `_x`, beside which the best one may be
    somewhere else.
    """
    fields, status = method.report(run.state, data), run.status
    if method.doubts is not None:
        doubtful = method.doubts(fields, run.best.at, run.counts[0])
        status = jnp.where(is_success(status) & doubtful, status + CLAIM, status)
        fields["_x"] = fields["x"]
    success = is_success(status) | is_success(status - BELIEVED)  # what is believed is so of the method's own point
    choose = lambda own, best: jnp.where(success, own, best)
    if method.needs.parts:
        fields["x"] = choose(fields["x"], run.best.x)
    for part, field in method.needs.shown:
        if field in fields:
            fields[field] = choose(fields[field], getattr(run.best.at, part))
    ended = (run.status != RUNNING) & (run.status != UNBOUNDED) & (run.status != BAD_INPUT)
    if method.needs.parts:
        status = jnp.where(ended & ~jnp.isfinite(run.best.at.fun), NOT_FINITE, status).astype(jnp.int32)
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
    evaluate: Callable[..., Any],
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


def _cleaned(query: Query, answer: Any) -> tuple[Any, Array]:
    """The answer with nothing in it that is not finite, and whether the function fell to minus infinity.

    Of k points each is cleaned by itself.
    """
    parts = _parts(answer._replace(finite=None))
    points = query.x.ndim - 1  # axes of points
    whole = lambda part: jnp.all(jnp.isfinite(part), axis=tuple(range(points, part.ndim)))
    finite = functools.reduce(jnp.logical_and, map(whole, parts.values()), jnp.ones((), bool))
    bottomless = jnp.any(answer.fun == -jnp.inf) if "fun" in parts else jnp.zeros((), bool)
    at_fault = {"fun": jnp.inf}
    for name, part in parts.items():
        known = finite.reshape(finite.shape + (1,) * (part.ndim - points)) if points else finite
        parts[name] = jnp.where(known, part, jnp.full_like(part, at_fault.get(name, 0.0)))
    return answer._replace(**parts, finite=finite), bottomless


def _better(rank: Rank, best: Best, query: Query, answer: Any) -> Best:
    """The best of the best point and those just evaluated."""
    if answer.fun is None:
        return best
    if query.x.ndim == 1:
        return _better_of_two(rank, best, query.x, answer)
    for k in range(query.x.shape[0]):
        best = _better_of_two(rank, best, query.x[k], jax.tree.map(lambda part, k=k: part[k], answer))
    return best


def _better_of_two(rank: Rank, best: Best, x: Array, answer: Any) -> Best:
    better = is_better(rank, answer, best.at)
    kept = {name: jnp.where(better, getattr(answer, name), part) for name, part in _parts(best.at).items()}
    return Best(jnp.where(better, x, best.x), best.at._replace(**kept))


def _parts(answer: Any) -> dict[str, Array]:
    """The parts of an answer that are there, by name."""
    return {name: part for name, part in zip(answer._fields, answer, strict=True) if part is not None}
