"""What a method is: a record of pure functions that asks for points and is told values.

    init   (x0, data)                 -> state            lays out arrays; never evaluates anything
    ask    (state, data)              -> query            the point to evaluate next
    tell   (state, query, answer, data) -> Told           learns; says whether an iteration ended and how the lane stands
    report (state, data)              -> dict             the point it stands on and the result fields that it knows

`data` is the method's own record of traced numbers (tolerances, bounds, a first matrix, an LP's operands). It is handed
to every function instead of being kept in the state, so that under vmap what the lanes share stays shared. Its fields
`lower` and `upper`, where it has them, are bounds on x: no finite difference leaves them.

A method never sees the user's function, holds no counters, and knows no budget: that is the loop's work (`core/loop.py`).
One evaluation per turn: what other codes write as inner loops (a line search, a bracket) is a phase of the state.

What is evaluated at a point is the method's `Need`. The core knows none by name: they stand in `_needs/`, a file for each
kind of function (values and their derivatives, residuals, constraints), and a method may bring its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.rank import LEAST, Rank


class Query(NamedTuple):
    """What to evaluate: a point (n,), or a static number of points (k, n), whatever is needed there.

    Some needs ask for more: a vector that a derivative is multiplied with, multipliers of constraints. Of k points each part
    has k rows.
    """

    x: Array
    vector: Any = None


Maybe = Any  # an array, or None where it is not needed


class Answer(NamedTuple):
    """What was found at the asked point, of k points with k rows each; parts that were not needed are None.

    `finite` says whether all of it is finite. Where it is not, the loop has put `fun` to +inf and the other numbers to
    zero: a method reads such a trial as "too far" and can store nothing that is not a number.

    A need with other parts answers with a record of its own that has `fun` and `finite`.
    """

    fun: Maybe = None  # ()
    grad: Maybe = None  # (n,)
    hess: Maybe = None  # (n, n)
    hvp: Maybe = None  # (n,)
    residual: Maybe = None  # (m,)
    jacobian: Maybe = None  # (m, n)
    curvature: Maybe = None  # (m,)
    finite: Maybe = None  # () bool


def least_value(x0: Array, data: Any) -> Answer:
    """Of the best point its value is kept: +inf, as long as none was seen."""
    return Answer(fun=jnp.full((), jnp.inf, x0.dtype))


def point_of(layout: Any, query: Query) -> Any:
    """The asked point in the structure of x, to who evaluates by hand; of k points with an axis of k in front."""
    return layout.unravel(query.x) if query.x.ndim == 1 else jax.vmap(layout.unravel)(query.x)


class Need(NamedTuple):
    """What has to be known of an asked point, and how it is found. Two needs are the same if their functions are."""

    name: str
    answer: Callable[[Any, Query, Any], Any]  # (oracle, query of one point, traced) -> Answer; calls the user's functions
    told: Callable[[Any, dict[str, Any]], Any]  # (layout, parts by name) -> Answer, of who evaluates by hand
    parts: tuple[str, ...]  # what is told by hand, in this order
    order: int  # of the highest derivative that is taken of the user's functions
    follow: Callable[..., dict[str, Array]]  # (oracle, fields, operands) -> the fields that follow from a solution
    asked: Callable[[Any, Query], Any] = point_of  # (layout, query) -> what is asked of who evaluates by hand
    keep: Callable[[Array, Any], Any] = least_value  # (x0, data) -> the parts of an answer that the best point keeps
    shown: tuple[tuple[str, str], ...] = (("fun", "fun"),)  # of these, (part, field of the result)
    counts: tuple[str, ...] = ()  # fields of the result that count evaluations, besides nfev and njev
    remedy: str = ""  # what the user can give where JAX cannot derive a function so often


class Told(NamedTuple):
    """What a method answers when it has learnt a value."""

    state: Any
    status: Array  # () int32: RUNNING, or how the lane ended; with CLAIM added where a certificate has to decide
    iterated: Array  # () bool: this turn completed an iteration (counted by the loop as nit)


class Method(NamedTuple):
    """See the module's docstring. Two methods built from the same static options compare equal."""

    name: str
    needs: Need
    init: Callable[[Array, Any], Any]
    ask: Callable[[Any, Any], Query]
    tell: Callable[[Any, Query, Any, Any], Told]
    report: Callable[[Any, Any], dict[str, Array]]
    implicit: Callable[..., dict[str, Array]]  # the derivative of a solution: a rule, see core/implicit.py
    solution: tuple[str, ...] = ("x",)  # the reported fields that are the solution: those that the rule moves
    show: Callable[[Any, Any], dict[str, Array]] | None = None  # (state, data) -> what a callback may see besides
    workspace: Callable[[Any], int] | None = None  # data -> bytes that a turn of a lane works on besides its state
    certificate: Callable[..., dict[str, Any]] | None = None  # what decides its claims: see core/certificate.py
    rank: Rank = LEAST  # which of two answers is better: the best point is of that
    doubts: Callable[[dict[str, Array], Any, Array], Array] | None = None
    # (reported fields, the best answer, iterations) -> () bool: is a success no more than a claim?
    stands: bool = False  # does a claim stand where nothing can decide it? So it is where values alone are the evidence
