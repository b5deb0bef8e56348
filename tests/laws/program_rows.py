"""The rows of the laws for linear and quadratic programs.

    minimize  -y0 - 2 y1 + y2   subject to   y0 + y1 <= 1 + t0,   y1 + y2 <= t1,   y0 - y1 <= 3,   sum y = 4,   y >= 0

has its answer at the vertex (1 + t0 - t1, t1, 0, 3 - t0). A program is not evaluated; what a function's faults are elsewhere
are faults of its operands here.

    minimize  (2 (y0 - t0)^2 + (y1 - 6)^2 + y2^2 + (y3 - 1)^2) / 2   subject to   y1 + y2 <= 1 + t1,   sum y = 4,   y >= 0

has its answer at ((2 + 2 t0 - t1) / 3, 1 + t1, 0, (7 - 2 t0 - 2 t1) / 3).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite import OptimizeResult, linprog, quadprog
from tests import tolerances
from tests.laws.case import Case
from tests.laws.objective import BOTTOMLESS, INFINITE, NOWHERE, Knobs

COST = np.array([-1.0, -2.0, 1.0, 0.0])
A_UB = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, -1.0, 0.0, 0.0]])
SUM = 4.0


def cost(y: Array, theta: Array) -> Array:
    """At a point of the program."""
    return jnp.sum(jnp.asarray(COST, y.dtype) * y)


def _answer(theta: np.ndarray) -> np.ndarray:
    t0, t1 = theta[..., 0], theta[..., 1]
    return np.stack([1 + t0 - t1, t1, 0 * t0, SUM - 1 - t0], -1)


def _called(program: Callable) -> tuple[Callable, Callable]:
    """How the laws call a program: with a vector of parameters, and for a lane of the book."""

    def solve(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
        (theta,) = args
        one, zero = theta.dtype.type(1), theta.dtype.type(0)
        return program(jnp.asarray(theta), zero, one, jnp.arange(4), 0, {"tol": tol} | (options or {}))

    def run(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
        asked = {"tol": k.tol, "maxiter": k.maxiter} | options
        return program(k.theta, k.shift, k.scale, k.order, k.kind, asked)

    return solve, run


def _row(name: str) -> Case:
    def program(theta: Any, shift: Any, scale: Any, order: Any, kind: Any, options: dict[str, Any]) -> OptimizeResult:
        of = lambda a: jnp.asarray(a, theta.dtype)
        back = jnp.argsort(order)  # x_j is the variable y_back(j), moved
        endless = kind == INFINITE
        c = jnp.where(endless & (jnp.arange(4) == 3), of(-1.0), scale * of(COST))
        A_ub, A_eq = of(A_UB), jnp.where(endless & (jnp.arange(4) == 3), of(0.0), of(np.ones(4)))
        b_ub = jnp.stack([1 + theta[0], theta[1], of(3.0)]) + shift * jnp.sum(A_ub, 1)
        b_eq = jnp.where(kind == BOTTOMLESS, of(-1.0), jnp.where(endless, of(1.0), of(SUM))) + shift * jnp.sum(A_eq)
        c = jnp.where(kind == NOWHERE, jnp.nan, c)
        bounds = jnp.stack([jnp.full(4, shift), jnp.full(4, jnp.inf, theta.dtype)], -1)
        return linprog(c[back], A_ub[:, back], b_ub, A_eq[None, back], b_eq[None], bounds, method=name, options=options)

    solve, run = _called(program)

    return Case(
        name=name,
        door="linprog",
        solve=solve,
        stepper=None,
        with_gradient=False,
        model=cost,
        starts=lambda rng, k: np.zeros((k, 1)),
        thetas=lambda rng, k: rng.uniform(0.6, 1.4, (k, 2)),
        solution=_answer,
        problems=(),
        hard=(),
        start_of=np.asarray,
        first_point=None,
        group_of=lambda problem: (),
        untrue=None,
        tol_name="tol",
        bad_start_status=None,
        shape=(4,),
        certified=False,
        lift=0.0,
        run=run,
        evaluates=False,
        mixes=False,
        asked=lambda dtype: 1e-8 if np.dtype(dtype) == np.float64 else 1e-4,
        error=lambda dtype, tol: 100 * tol + 100 * tolerances.eps(dtype),
        poison={NOWHERE: 7, BOTTOMLESS: 2, INFINITE: 3},
        ends_between=name == "simplex",
        approaches=name != "simplex",
    )


# --- quadratic --------------------------------------------------------------------------------------------------------

CURVATURE = np.array([2.0, 1.0, 1.0, 1.0])
ROW = np.array([0.0, 1.0, 1.0, 0.0])


def _target(theta: Array) -> Array:
    return jnp.stack([theta[0], *(jnp.asarray(a, theta.dtype) for a in (6.0, 0.0, 1.0))])


def bent(y: Array, theta: Array) -> Array:
    """At a point of the quadratic program, without what does not depend on y."""
    return jnp.sum(jnp.asarray(CURVATURE, y.dtype) * (0.5 * y - _target(theta).astype(y.dtype)) * y)


def _answer_of_quadratic(theta: np.ndarray) -> np.ndarray:
    t0, t1 = theta[..., 0], theta[..., 1]
    return np.stack([(2 + 2 * t0 - t1) / 3, 1 + t1, 0 * t0, (7 - 2 * t0 - 2 * t1) / 3], -1)


def _quadratic(linear: Case) -> Case:
    def program(theta: Any, shift: Any, scale: Any, order: Any, kind: Any, options: dict[str, Any]) -> OptimizeResult:
        of = lambda a: jnp.asarray(a, theta.dtype)
        back = jnp.argsort(order)
        endless = (kind == INFINITE) & (jnp.arange(4) == 3)
        curvature = jnp.where(endless, of(0.0), scale * of(CURVATURE))
        c = jnp.where(endless, of(-1.0), -curvature * (_target(theta) + shift))
        A_eq = jnp.where(endless, of(0.0), of(np.ones(4)))
        b_ub = 1 + theta[1] + shift * jnp.sum(of(ROW))
        b_eq = jnp.where(kind == BOTTOMLESS, of(-1.0), of(SUM)) + shift * jnp.sum(A_eq)
        c = jnp.where(kind == NOWHERE, jnp.nan, c)
        bounds = jnp.stack([jnp.full(4, shift), jnp.full(4, jnp.inf, theta.dtype)], -1)
        P, A_ub = jnp.diag(curvature[back]), of(ROW)[back]
        return quadprog(P, c[back], A_ub[None], b_ub[None], A_eq[None, back], b_eq[None], bounds, options=options)

    solve, run = _called(program)

    return replace(
        linear,
        name="interior-point in quadprog",
        door="quadprog",
        solve=solve,
        run=run,
        model=bent,
        solution=_answer_of_quadratic,
    )


_LINEAR = tuple(_row(name) for name in ("interior-point", "simplex"))
PROGRAM_ROWS = (*_LINEAR, _quadratic(_LINEAR[0]))
