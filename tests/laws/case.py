"""What a row of the laws is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, Stepper


def _itself(given: Any) -> Any:
    return given


@dataclass(frozen=True, eq=False)
class Case:
    """A method under the laws."""

    name: str  # as the door spells it
    solve: Callable[..., OptimizeResult]  # (fun, start, args=(), tol=None, options=None); start: one vector
    stepper: Callable[[np.ndarray, dict], tuple[Stepper, Any]]  # (start, options) -> the stepper and its first state
    with_gradient: bool  # tell takes a gradient too
    model: Callable[[Array, Array], Array]  # (x, theta (2,)) -> value: smooth, solved from every start below
    starts: Callable[[np.random.Generator, int], np.ndarray]  # (k, s) float64
    thetas: Callable[[np.random.Generator, int], np.ndarray]  # (k, 2) float64, of size about one
    solution: Callable[[np.ndarray], np.ndarray]  # theta -> x*
    problems: tuple[Any, ...]  # of the library, to be solved
    hard: tuple[Any, ...]  # of the library, not to be claimed falsely
    start_of: Callable[[Any], np.ndarray]  # problem -> start
    first_point: Callable[[np.ndarray], np.ndarray]  # start -> the point that is evaluated first
    group_of: Callable[[Any], Any]  # problems of one group have the same shapes: solved by one program
    untrue: Callable[..., float]  # (problem, x, values, status, dtype): true residual / permitted one, at most 1
    tol_name: str  # the option that tol sets
    bad_start_status: int  # of a start that is not a number
    shape: tuple[int, ...]  # of x in the model problem
    certified: bool = True  # its claims are decided after the loop, with one more evaluation of the function
    with_product: bool = False  # ask gives a vector too, and tell takes the Hessian times it
    known: float = 0.75  # x of the model problem is known to this power of eps, under a tight tolerance
    forks: tuple[float, float] = (
        0.0,
        0.0,
    )  # share of lanes that end elsewhere under another program's rounding: 64, 32 bits
    pose: Callable[[Callable], Callable] = _itself  # a convex function -> the function to give: its minimum is the answer
    rank: Callable[[Any], Any] = _itself  # of values: the best point has the least
    lift: float = 1.0  # what may be added to fun without moving the answer: 1 times anything, or for a root 0 times

    def share_that_forks(self, dtype: Any) -> float:
        """Of lanes; see `forks`."""
        return self.forks[int(np.dtype(dtype) == np.float32)]
