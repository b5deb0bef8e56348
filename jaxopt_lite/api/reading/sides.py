"""The sides of constraints that are evaluated by hand: no function says how many rows there are, or which are equalities."""

from typing import Any

import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.constraints import Sides
from jaxopt_lite.core.layout import Layout


def read_sides(given: Any, layout: Layout, equalities: bool) -> Sides:
    """The sides from (lb, ub), arrays (m,), in the dtype of x; raises ValueError and TypeError for what is no such pair.

    The rows with lb == ub are equalities, and come first. None: no rows. `equalities`: does the method take them?
    """
    none: Any = np.zeros(0, layout.dtype)
    if given is None:
        return Sides(none, none, none)
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"constraints is a {type(given).__name__}; give the pair (lb, ub), arrays of one length.")
    if any(isinstance(side, Tracer) for side in given):
        raise TypeError("constraints are traced, and which rows are equalities must be known; give NumPy arrays (lb, ub).")
    sides: Any = [np.atleast_1d(np.asarray(side, layout.dtype)) for side in given]
    lower, upper = sides
    if lower.ndim > 1 or lower.shape != upper.shape:
        raise ValueError(f"constraints have sides of shapes {lower.shape} and {upper.shape}; give two arrays of one length.")
    crossed = np.flatnonzero(~(lower <= upper))
    if crossed.size:
        raise ValueError(f"constraints have lb > ub, or NaN, in row {crossed[0]}; give lb <= ub.")
    equal = np.flatnonzero(lower == upper)
    p = equal.size
    if p and not equalities:
        raise ValueError(f"constraint row {equal[0]} is an equality, and the method takes inequalities; give lb < ub.")
    if not np.array_equal(equal, np.arange(p)):
        raise ValueError(f"constraint row {equal[-1]} is an equality and follows an inequality; give the equalities first.")
    return Sides(lower[:p], lower[p:], upper[p:])
