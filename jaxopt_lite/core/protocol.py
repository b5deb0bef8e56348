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
"""

import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array


class Need(enum.Enum):
    """What is evaluated at an asked point."""

    NOTHING = "nothing"  # the data say it all (a linear program)
    VALUE = "value"  # fun
    GRADIENT = "gradient"  # fun, grad
    HESSIAN = "hessian"  # fun, grad, hess
    HVP = "hvp"  # fun, grad, and the Hessian times the asked vector
    RESIDUAL = "residual"  # residual; fun is half its sum of squares
    JACOBIAN = "jacobian"  # residual, jacobian and fun, all as the loss sees them (`Oracle.loss`)
    CURVATURE = "curvature"  # the same, and the second derivative of the residual along the asked vector


class Query(NamedTuple):
    """What to evaluate: a point (n,), or a static number of points (k, n); for HVP and CURVATURE also a vector (n,)."""

    x: Array
    vector: Array | None = None


Maybe = Any  # an array, or None where it is not needed


class Answer(NamedTuple):
    """What was found at the asked point; fields that were not needed are None.

    `finite` says whether all of it is finite. Where it is not, the loop has put `fun` to +inf and the other numbers to
    zero: a method reads such a trial as "too far" and can store nothing that is not a number.
    """

    fun: Maybe = None  # ()
    grad: Maybe = None  # (n,)
    hess: Maybe = None  # (n, n)
    hvp: Maybe = None  # (n,)
    residual: Maybe = None  # (m,)
    jacobian: Maybe = None  # (m, n)
    curvature: Maybe = None  # (m,)
    finite: Maybe = None  # () bool


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
    tell: Callable[[Any, Query, Answer, Any], Told]
    report: Callable[[Any, Any], dict[str, Array]]
    implicit: Callable[..., dict[str, Array]]  # the derivative of a solution: a rule, see core/implicit.py
    solution: tuple[str, ...] = ("x",)  # the reported fields that are the solution: those that the rule moves
    show: Callable[[Any, Any], dict[str, Array]] | None = None  # (state, data) -> what a callback may see besides
    workspace: Callable[[Any], int] | None = None  # data -> bytes that a turn of a lane works on besides its state
    certificate: Callable[..., dict[str, Any]] | None = None  # what decides its claims: see core/certificate.py
    zero: bool = False  # is a zero of fun sought, not its minimum? The best point is then that of the least |fun|
