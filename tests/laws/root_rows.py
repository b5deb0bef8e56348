"""The rows of the laws for root finders."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, Stepper, root_scalar, stepper
from tests import tolerances
from tests.laws.case import OF_ROOTS, Case
from tests.problems import ROOTS, RootProblem

OPEN = ("newton", "halley", "secant")
INSIDE = " in a bracket"


def rise(x: Array, theta: Array) -> Array:
    """A rising cubic with its root at t1, of slope 1 + t2 there."""
    away = x - theta[0]
    return (1.0 + theta[1]) * away + 0.3 * away**2 + 0.8 * away**3


def _untrue(problem: RootProblem, x: np.ndarray, values: tuple, status: int, dtype: Any, asked: float) -> float:
    """The distance to the root against the tolerance, what the dtype resolves of x, and (status 8) of values."""
    if "flat" in problem.tags:
        return abs(values[0])
    size = abs(float(x))
    permitted = 4 * (asked + tolerances.root_resolved(dtype, size))  # a step's error is its length, times the multiplicity
    if status == 8:
        permitted += tolerances.abscissa_resolved(dtype, size)
    return abs(float(x) - problem.root) / permitted


def _row(row: str) -> Case:
    name = row.removesuffix(INSIDE)
    is_open = row in OPEN
    asked = tolerances.open_root_asked() if is_open else tolerances.root_asked()

    def solve(f: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
        points = {"x0": start[0]} if is_open else {"bracket": (start[0], start[1])}
        return root_scalar(f, args, method=name, xtol=tol, options=options, **points)

    def step(start: np.ndarray, options: dict) -> tuple[Stepper, Any]:
        machine = stepper(name, bounds=None if is_open else (start[0], start[1]), options=options)
        return machine, machine.init(start[0]) if is_open else machine.init()

    def starts(rng: np.random.Generator, k: int) -> np.ndarray:
        if is_open:
            return rng.uniform(4.0, 6.0, (k, 1))
        return np.stack([rng.uniform(-3.0, 0.0, k), rng.uniform(2.0, 4.0, k)], -1)

    wild = tuple(p for p in ROOTS if is_open and "wild" in p.tags)
    return Case(
        name=row,
        door="root_scalar",
        solve=solve,
        stepper=step if name == row and name != "halley" else None,
        with_gradient=name == "newton",
        sloped=name in ("newton", "halley"),
        poison=OF_ROOTS,
        claims_of_jumps=True,
        forks_fast=(
            0.03 if name == "bisect" else 0.0,
            0.05,
        ),  # in the evaluations that tell a pole from a root
        certified=not is_open,
        model=rise,
        starts=starts,
        thetas=lambda rng, k: rng.uniform(0.5, 1.5, (k, 2)),
        solution=lambda theta: theta[..., 0],
        problems=tuple(p for p in ROOTS if p not in wild),
        hard=wild,
        start_of=lambda problem: np.array([problem.x0] if is_open else problem.bracket),
        first_point=lambda start: start[0],
        group_of=lambda problem: (),
        untrue=lambda *seen: _untrue(*seen, asked),
        tol_name="xtol",
        bad_start_status=5 if is_open else 7,
        shape=(),
        pose=jax.grad,
        rank=np.abs,
        lift=0.0,
    )


NAMES = ("brentq", "brenth", "chandrupatla", "newton", "halley", "bisect", "ridder", "toms748", "secant")
ROOT_ROWS = tuple(map(_row, NAMES))
IN_BRACKET = tuple(_row(name + INSIDE) for name in ("newton", "halley"))
