"""What a row of the laws is."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, Stepper
from tests import tolerances
from tests.laws.objective import BOTTOMLESS, INFINITE, NOWHERE, POISON, Knobs

XLA_FLAGS = os.environ.get("XLA_FLAGS", "")


def _itself(given: Any) -> Any:
    return given


def _run(case: "Case", fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
    budgets = {"maxiter": k.maxiter, "maxfev": k.maxfev}
    return case.solve(fun, k.start, (k,), tol=k.tol, options=budgets | options)


@dataclass(frozen=True, eq=False)
class Case:
    """A method under the laws."""

    name: str  # as the door spells it, and in which state if it has two rows
    door: str
    solve: Callable[..., OptimizeResult]  # (fun, start, args=(), tol=None, options=None); start: one vector
    stepper: Callable[[np.ndarray, dict], tuple[Stepper, Any]] | None  # (start, options) -> the stepper and its first state
    with_gradient: bool  # tell takes a gradient too
    model: Callable[[Array, Array], Array]  # (x, theta (2,)) -> value: smooth, solved from every start below
    starts: Callable[[np.random.Generator, int], np.ndarray]  # (k, s) float64
    thetas: Callable[[np.random.Generator, int], np.ndarray]  # (k, 2) float64, of size about one
    solution: Callable[[np.ndarray], np.ndarray]  # theta -> x*
    problems: tuple[Any, ...]  # of the library, to be solved
    hard: tuple[Any, ...]  # of the library, not to be claimed falsely
    start_of: Callable[[Any], np.ndarray]  # problem -> start
    first_point: Callable[[np.ndarray], np.ndarray] | None  # start -> the point that is evaluated first
    group_of: Callable[[Any], Any]  # problems of one group have the same shapes: solved by one program
    untrue: Callable[..., float] | None  # (problem, x, values, status, dtype): true residual / permitted one, at most 1
    tol_name: str  # the option that tol sets
    bad_start_status: int | None  # of a start that is not a number
    shape: tuple[int, ...]  # of x in the model problem
    with_rows: bool = False  # tell takes the rows of constraints too, of which there are none
    looks_after: bool = False  # every success is looked at after the loop, by evaluations that count
    certified: bool = True  # its claims are decided after the loop, with one more evaluation of the function
    with_product: bool = False  # ask gives a vector too, and tell takes the Hessian times it
    of_slope: bool = False  # and where that vector is zero, the Hessian times the unit gradient
    with_hessian: bool = False  # tell takes the Hessian
    known: float = 0.75  # x of the model problem is known to this power of eps, under a tight tolerance
    forks: tuple[float, float] = (
        0.0,
        0.0,
    )  # share of lanes that end elsewhere under another program's rounding: 64, 32 bits
    forks_fast: tuple[float, float] = (
        0.0,
        0.05,
    )  # under the quick tests' flags: 3 of 15 of L-BFGS-B, none of most
    forks_at_the_budget: bool = False  # on another path a lane may end just before its budget, or just not: by values alone
    pose: Callable[[Callable], Callable] = _itself  # a convex function -> the function to give: its minimum is the answer
    rank: Callable[[Any], Any] = _itself  # of values: the best point has the least
    lift: float = 1.0  # what may be added to fun without moving the answer: 1 times anything, or for a root 0 times
    run: Callable[["Case", Callable, Knobs, dict], OptimizeResult] = _run  # a lane of the book
    value: Callable[[Any], Any] = field(default=lambda res: res.fun)  # of a result: the number that is least, or zero
    measure: Callable[[Any], Any] = _itself  # what the function gives -> that number
    evaluates: bool = True  # a program is not evaluated, and has no budget of evaluations
    asked: Callable[[Any], float] = tolerances.abscissa_asked  # dtype -> the tolerance of the book
    error: Callable[[Any, float], float] = tolerances.solution  # (dtype, tol) -> the error of x that tol allows
    scales_tol: bool = False  # the tolerance is one of a slope: it scales with fun
    learns_scale: bool = True  # powers of two in fun change no step
    poison: dict[int, int] = field(default_factory=lambda: dict(zip(POISON, (5, 3, 5), strict=True)))  # kind -> status
    sloped: bool = True  # the method sees derivatives
    mixes: bool = True  # variables may be sheared: there are no bounds that would not be bounds any more
    least: int = 1  # evaluations of any run: a fit makes its covariance by one more
    ends_between: bool = False  # a run may end by an evaluation that ends no iteration
    approaches: bool = True  # a looser tolerance is reached sooner: not by the simplex method
    claims_of_jumps: bool = False  # a change of sign is a root, where the function jumps too

    def share_that_forks(self, dtype: Any) -> float:
        """Of lanes; see `forks`. Under the flags of the quick tests multiply-adds are fused in vectorized loops alone."""
        single = int(np.dtype(dtype) == np.float32)
        return max(self.forks[single], self.forks_fast[single] if "optimization_level=0" in XLA_FLAGS else 0.0)


def host(result: Any) -> Any:
    """A result with NumPy leaves."""
    return jax.tree.map(np.asarray, result)


OF_ROOTS = {NOWHERE: 5, BOTTOMLESS: 5, INFINITE: 5}  # a zero has no bottom
