"""The rows of the minimizers of one variable: 'bounded' between its bounds, 'brent' and 'golden' from a bracket."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, Stepper, minimize_scalar, stepper
from tests import tolerances
from tests.laws.case import Case
from tests.problems import SCALAR, ScalarProblem

# --- bounded --------------------------------------------------------------------------------------------------------


def _bounded(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
    return minimize_scalar(fun, bounds=(start[0], start[1]), args=args, method="bounded", tol=tol, options=options)


def _bounded_stepper(start: np.ndarray, options: dict) -> tuple[Stepper, Any]:
    machine = stepper("bounded", bounds=(start[0], start[1]), options=options)
    return machine, machine.init()


def well(x: Array, theta: Array) -> Array:
    """A quartic well with its minimum at t1, of curvature 1 + t2."""
    away = x - theta[0]
    return 0.5 * (1.0 + theta[1]) * away**2 + 0.1 * away**3 + 0.2 * away**4


def _minimizers(problem: ScalarProblem) -> tuple[np.ndarray, float]:
    """The minimizers in the interval, and how well they are known: from a fine grid where there are several."""
    if "multimodal" not in problem.tags:
        return np.array([problem.x_star]), 0.0
    grid = np.linspace(*problem.bounds, 1_000_001)
    values = np.pad(np.asarray(jax.jit(jax.vmap(problem.fun))(grid)), 1, constant_values=np.inf)
    return grid[(values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:])], float(grid[1] - grid[0])


def _abscissa_untrue(problem: ScalarProblem, x: np.ndarray, values: tuple, status: int, dtype: Any) -> float:
    """The distance to a minimizer against xatol (status 0), or against what the dtype resolves (status 8)."""
    if "flat" in problem.tags:
        return 0.0
    points, known_to = _minimizers(problem)
    permitted = tolerances.abscissa_asked(dtype) + known_to + tolerances.eps(dtype) * abs(float(x))
    if status == 8:
        permitted += tolerances.abscissa_resolved(dtype, float(x))
    return float(np.min(np.abs(points - float(x))) / permitted)


BOUNDED = Case(
    name="bounded",
    door="minimize_scalar",
    sloped=False,
    solve=_bounded,
    stepper=_bounded_stepper,
    with_gradient=False,
    certified=False,
    model=well,
    starts=lambda rng, k: np.stack([rng.uniform(-3.0, 0.0, k), rng.uniform(2.0, 4.0, k)], -1),
    thetas=lambda rng, k: rng.uniform(0.5, 1.5, (k, 2)),
    solution=lambda theta: theta[..., 0],
    problems=tuple(p for p in SCALAR if "flat" not in p.tags),
    hard=tuple(p for p in SCALAR if "flat" in p.tags),  # values that are equal everywhere are no minimum
    start_of=lambda problem: np.array(problem.bounds),
    first_point=lambda start: start[0] + 0.5 * (3.0 - 5.0**0.5) * (start[1] - start[0]),
    group_of=lambda problem: (),
    untrue=_abscissa_untrue,
    tol_name="xatol",
    bad_start_status=7,
    shape=(),
)


# --- brent and golden ------------------------------------------------------------------------------------------------


def _local_untrue(problem: ScalarProblem, x: np.ndarray, values: tuple, status: int, dtype: Any) -> float:
    """How much lower than at x the function is within the accuracy that the package promises: a minimum lies there."""
    near = tolerances.abscissa_resolved(dtype, float(x))
    beside = min(float(problem.fun(np.float64(x + side * near))) for side in (-1, 1))
    noise = tolerances.value_noise(dtype, values[0]) + float(np.finfo(dtype).tiny)  # less is zero to the dtype
    return max(values[0] - beside, 0.0) / noise


def _bracketed(name: str) -> Case:
    """The row of a method that walks to a bracket from the two ends that the row of 'bounded' searches between."""

    def solve(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
        return minimize_scalar(fun, bracket=(start[0], start[1]), args=args, method=name, tol=tol, options=options)

    def step(start: np.ndarray, options: dict) -> tuple[Stepper, Any]:
        machine = stepper(name, bracket=(start[0], start[1]), options=options)
        return machine, machine.init()

    without = [p for p in SCALAR if "flat" in p.tags or p.name in ("rising", "falling")]  # no minimum outside of the bounds
    return replace(
        BOUNDED,
        name=name,
        solve=solve,
        stepper=step,
        problems=tuple(p for p in SCALAR if p not in without),
        hard=tuple(without),
        first_point=lambda start: start[1],
        untrue=_local_untrue,
        tol_name="xtol",
        certified=name == "brent",
    )


BRENT = _bracketed("brent")
GOLDEN = replace(_bracketed("golden"), known=0.5)  # comparisons of values tell no more
