"""The table of the laws: one row a method. A new method adds its row, and every law of `laws.py` holds for it.

A row says how to call the method with a start that is always one vector (for a method on an interval its two ends), a
smooth model problem with parameters for batches and derivatives, the problems of the library that it must solve, and an
independent measure of how true a claimed success is.
"""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array, lax

from jaxopt_lite import Bounds, OptimizeResult, Stepper, minimize, stepper
from tests import tolerances
from tests.laws.case import Case
from tests.laws.fit_rows import FIT_ROWS
from tests.laws.objective import BOTTOMLESS, INFINITE, NOWHERE, Knobs
from tests.laws.program_rows import PROGRAM_ROWS
from tests.laws.root_rows import IN_BRACKET, ROOT_ROWS
from tests.laws.scalar_rows import BOUNDED, BRENT, GOLDEN
from tests.problems import ALL, CLASSIC, HARD, Problem

DTYPES = (np.float64, np.float32)
GENEROUS = 5000  # iterations; the slowest of the library takes some 400


# --- BFGS -----------------------------------------------------------------------------------------------------------


def _bfgs(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
    return minimize(fun, start, args, method="BFGS", tol=tol, options=options)


def _bfgs_stepper(start: np.ndarray, options: dict) -> tuple[Stepper, Any]:
    machine = stepper("BFGS", options=options)
    return machine, machine.init(start)


def valley(x: Array, theta: Array) -> Array:
    """A curved valley (Rosenbrock's with 10 in place of 100) with its minimum 0 at (t1, t1**2 + t2)."""
    return 10.0 * (x[1] - x[0] ** 2 - theta[1]) ** 2 + (x[0] - theta[0]) ** 2


def _gradient_untrue(problem: Problem, x: np.ndarray, values: tuple, status: int, dtype: Any) -> float:
    """The gradient against gtol and the rounding of x; at working precision (status 8) what rounding of f explains too."""
    fun, grad, hess = values
    if "nonsmooth" in problem.tags and fun - problem.fun_star <= tolerances.value_noise(dtype, 1.0):
        return 0.0
    if not (np.all(np.isfinite(grad)) and np.all(np.isfinite(hess)) and np.isfinite(fun)):
        return np.inf
    noise = tolerances.gradient_noise(dtype, hess, x)
    by_component = float(np.max(np.abs(grad) / (tolerances.gradient_asked(dtype) + noise)))
    if status == 0 or by_component <= 1:
        return by_component
    left = np.maximum(np.abs(grad) - noise, 0.0) * np.sign(grad)
    scale = np.where(x == 0, 1.0, np.abs(x))  # the eigenvalues of a badly scaled Hessian would be rounding
    curvature, axes = np.linalg.eigh(scale[:, None] * hess * scale[None, :])
    along = axes.T @ (scale * left)
    with np.errstate(over="ignore", divide="ignore"):  # no curvature, no minimum: infinitely untrue
        decrement = np.sum(0.5 * along**2 / np.maximum(curvature, 0.0))  # what Newton's step would gain
        return float(np.float64(decrement) / tolerances.value_noise(dtype, fun))


BFGS = Case(
    name="BFGS",
    door="minimize",
    asked=tolerances.gradient_asked,
    scales_tol=True,
    learns_scale=False,
    solve=_bfgs,
    stepper=_bfgs_stepper,
    with_gradient=True,
    model=valley,
    starts=lambda rng, k: rng.uniform(-2.0, 2.0, (k, 2)),
    thetas=lambda rng, k: rng.uniform(0.5, 1.5, (k, 2)),
    solution=lambda theta: np.stack([theta[..., 0], theta[..., 0] ** 2 + theta[..., 1]], -1),
    problems=ALL,
    hard=HARD + tuple(p for p in CLASSIC if p not in ALL),
    start_of=lambda problem: np.array(problem.x0),
    first_point=lambda start: start,
    group_of=lambda problem: problem.n,
    untrue=_gradient_untrue,
    tol_name="gtol",
    bad_start_status=5,
    shape=(2,),
)


# --- CG and Newton-CG ------------------------------------------------------------------------------------------------


def _like_bfgs(name: str, unsuited: tuple[str, ...] = (), bounds: Any = None, **changes: Any) -> Case:
    """The row of another method for smooth functions; problems it is not suited for are not to be claimed falsely."""

    def solve(fun: Callable, start: Any, args: Any = (), tol: Any = None, options: dict | None = None) -> OptimizeResult:
        return minimize(fun, start, args, method=name, bounds=bounds, tol=tol, options=options)

    def step(start: np.ndarray, options: dict) -> tuple[Stepper, Any]:
        machine = stepper(name, bounds=bounds, options=options)
        return machine, machine.init(start)

    suited = tuple(p for p in BFGS.problems if p.name not in unsuited)
    rest = tuple(p for p in BFGS.problems if p.name in unsuited)
    return replace(BFGS, name=name, solve=solve, stepper=step, problems=suited, hard=BFGS.hard + rest, **changes)


# conditioned too badly for a method without a matrix (1e24 and more); SciPy's solves the first of them by a lucky long step
CG = _like_bfgs("CG", ("brown_badly_scaled", "meyer"), forks=(0.001, 0.6))
NEWTON_CG = _like_bfgs("Newton-CG", with_product=True, forks=(0.0, 0.02))
LBFGSB = _like_bfgs("L-BFGS-B")
TNC = _like_bfgs("TNC", with_product=True)
DOGLEG = _like_bfgs("dogleg", with_hessian=True)
TRUST_NCG = _like_bfgs("trust-ncg", with_product=True, of_slope=True, ends_between=True, forks=(0.0, 0.02))
TRUST_KRYLOV = _like_bfgs("trust-krylov", with_product=True, of_slope=True, ends_between=True, forks=(0.0, 0.02))
TRUST_EXACT = _like_bfgs("trust-exact", with_hessian=True, forks=(0.0, 0.02))
TRUST = (DOGLEG, TRUST_NCG, TRUST_KRYLOV, TRUST_EXACT)


def _gain_untrue(problem: Problem, x: np.ndarray, values: tuple, status: int, dtype: Any) -> float:
    """What the exact Newton step would gain, against ftol and the noise of fun; at status 8 against the noise alone."""
    fun, grad, hess = values
    if not (np.all(np.isfinite(grad)) and np.all(np.isfinite(hess)) and np.isfinite(fun)):
        return np.inf
    left = np.maximum(np.abs(grad) - tolerances.gradient_noise(dtype, hess, x), 0.0) * np.sign(grad)
    scale = np.where(x == 0, 1.0, np.abs(x))
    curvature, axes = np.linalg.eigh(scale[:, None] * hess * scale[None, :])
    along = axes.T @ (scale * left)
    met = along != 0
    with np.errstate(over="ignore", divide="ignore"):
        decrement = np.sum(0.5 * along[met] ** 2 / np.maximum(curvature[met], 0.0))
        asked = tolerances.gain_asked(dtype) if status == 0 else 0.0
        return float(np.float64(decrement) / (asked + tolerances.value_noise(dtype, fun)))


# tol is ftol: what the model promises of fun. Half of its digits are known of x; the certificate goes on from there
_BY_GAIN = {
    "asked": tolerances.gain_asked,
    "error": lambda dtype, tol: tolerances.solution(dtype, tol**0.5),
    "tol_name": "ftol",
    "untrue": _gain_untrue,
    "poison": {NOWHERE: 5, BOTTOMLESS: 5, INFINITE: 5},  # -inf counts as not finite: it may lie outside of the constraints
}
SLSQP = _like_bfgs("SLSQP", with_rows=True, looks_after=True, forks=(0.001, 0.03), **_BY_GAIN)
_BY_GAIN_OF_GTOL = _BY_GAIN | {"tol_name": "gtol", "asked": tolerances.gain_asked_tightly}
TRUST_CONSTR = _like_bfgs(
    "trust-constr", with_rows=True, with_hessian=True, looks_after=True, forks=(0.0, 0.02), **_BY_GAIN_OF_GTOL
)

SIDE = 1.0  # upper bound of the first variable of the valley: half of the lanes end there


def _promised(case: Case, k: Knobs) -> dict[str, Any]:
    """What a certificate asks for in units of fun, where the tolerance is one of x."""
    return {"ftol": k.scale * tolerances.gain_asked(k.scale.dtype)} if case.name.startswith("COBY") else {}


def _boxed(case: Case) -> Case:
    """The same method in a box, which is moved and reordered as the valley is."""

    def run(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
        first = jnp.arange(k.order.size, dtype=k.order.dtype) == k.order[0]
        upper = jnp.where(first, SIDE + k.shift, jnp.inf).astype(k.start.dtype)
        bounds = Bounds(jnp.full_like(upper, -jnp.inf), upper)
        budgets = {"maxiter": k.maxiter, "maxfev": k.maxfev} | _promised(case, k)
        return minimize(fun, k.start, (k,), method=case.name.split()[0], bounds=bounds, tol=k.tol, options=budgets | options)

    def solution(theta: np.ndarray) -> np.ndarray:
        x0 = np.minimum(theta[..., 0], SIDE)
        return np.stack([x0, x0**2 + theta[..., 1]], -1)

    name = f"{case.name} in a box"
    return replace(
        case, name=name, run=run, solution=solution, stepper=None, problems=(), hard=(), first_point=None, mixes=False
    )


def _under_a_row(case: Case) -> Case:
    """The same method with the side of the box as a constraint of inequality."""
    boxed = _boxed(case)

    def run(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
        first = (jnp.arange(k.order.size, dtype=k.order.dtype) == k.order[0]).astype(k.start.dtype)
        row = {"type": "ineq", "fun": lambda x, k: SIDE + k.shift - jnp.sum(first * x), "args": (k,)}
        budgets = {"maxiter": k.maxiter, "maxfev": k.maxfev} | _promised(case, k)
        name = case.name.split()[0]
        return minimize(fun, k.start, (k,), method=name, constraints=row, tol=k.tol, options=budgets | options)

    return replace(boxed, name=f"{case.name} in a half-space", run=run)


LBFGSB_IN_A_BOX = replace(_boxed(LBFGSB), forks=(0.0, 0.03))


# --- from values alone ------------------------------------------------------------------------------------------------


def _run_by_values(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
    """The tolerance is one of x, and in units of fun one of fun."""
    asked = {"xatol": k.tol, "fatol": k.tol * k.scale} if case.name == "Nelder-Mead" else {"xtol": k.tol, "ftol": k.tol}
    given = asked | {"maxiter": k.maxiter, "maxfev": k.maxfev} | options
    return minimize(fun, k.start, (k,), method=case.name, options=given)


def _values_untrue(problem: Problem, x: np.ndarray, values: tuple, status: int, dtype: Any) -> float:
    """As of a gradient; or how much lower a minimum is that the problem knows, against what was asked of fun."""
    known = [v for v in (problem.fun_star, *problem.minima) if v is not None]
    asked = tolerances.simplex_asked() + tolerances.value_noise(dtype, values[0])
    apart = min((abs(values[0] - v) for v in known), default=np.inf)
    return min(apart / asked, _gradient_untrue(problem, x, values, status, dtype))


_BY_VALUES = {
    "with_gradient": False,
    "sloped": False,
    "run": _run_by_values,
    "untrue": _values_untrue,
    "asked": lambda dtype: tolerances.simplex_asked(),
    "scales_tol": False,
    "learns_scale": True,
    "known": 0.5,
    "ends_between": True,
    "forks_at_the_budget": True,
}
NELDER_MEAD = _like_bfgs("Nelder-Mead", tol_name="xatol", forks=(0.01, 0.3), **_BY_VALUES)
POWELL = _like_bfgs("Powell", tol_name="xtol", forks=(0.05, 0.7), **_BY_VALUES)
BY_VALUES = (NELDER_MEAD, POWELL)


def bend(x: Array, theta: Array) -> Array:
    """The valley, less steep: linear models take 99 evaluations there, and 490 along the valley itself."""
    return 0.25 * (x[1] - x[0] ** 2 - theta[1]) ** 2 + (x[0] - theta[0]) ** 2


def _run_by_models(case: Case, fun: Callable, k: Knobs, options: dict[str, Any]) -> OptimizeResult:
    """tol is the last radius; what is promised of fun is ftol, as of SLSQP."""
    given = {"maxiter": k.maxiter, "maxfev": k.maxfev} | _promised(case, k) | options
    return minimize(fun, k.start, (k,), method=case.name, tol=k.tol, options=given)


_BY_MODELS: dict[str, Any] = {
    "run": _run_by_models,
    "with_rows": True,
    "looks_after": True,
    "with_gradient": False,
    "sloped": False,
    "untrue": _gain_untrue,
    "poison": _BY_GAIN["poison"],
    "asked": lambda dtype: tolerances.simplex_asked(),
    "scales_tol": False,
    "forks_at_the_budget": True,
}
COBYLA = _like_bfgs("COBYLA", model=bend, tol_name="tol", forks=(0.01, 0.6), **_BY_MODELS)
COBYQA = _like_bfgs("COBYQA", tol_name="final_tr_radius", forks=(0.1, 0.6), **_BY_MODELS)

OF_ONE_START = (
    BFGS,
    CG,
    NEWTON_CG,
    LBFGSB,
    TNC,
    SLSQP,
    TRUST_CONSTR,
    *TRUST,
    BOUNDED,
    BRENT,
    GOLDEN,
    *ROOT_ROWS,
    *BY_VALUES,
    COBYLA,
    COBYQA,
)  # called with a start alone
ROWS = (
    *OF_ONE_START,
    LBFGSB_IN_A_BOX,
    _boxed(TNC),
    _boxed(SLSQP),
    _under_a_row(SLSQP),
    _boxed(TRUST_CONSTR),
    _under_a_row(TRUST_CONSTR),
    _boxed(COBYLA),
    _under_a_row(COBYLA),
    _boxed(COBYQA),
    _under_a_row(COBYQA),
    *IN_BRACKET,
    *FIT_ROWS,
    *PROGRAM_ROWS,
)  # of the book
DOORS = (BFGS, BRENT, ROOT_ROWS[0])  # one row a door, for what is a matter of doors: closures, sentences, kinds of args


# --- the library, solved --------------------------------------------------------------------------------------------


@functools.cache
def group_fun(funs: tuple[Callable, ...]) -> Callable[[Array, Array], Array]:
    """One function for problems of one shape, chosen by an argument: one program instead of one a problem.

    Each problem is jitted, so that it is traced once for all rows and derivatives.
    """
    traced_once = tuple(map(jax.jit, funs))
    return lambda x, which: lax.switch(which, traced_once, x)


@functools.cache
def group_values(funs: tuple[Callable, ...]) -> Callable:
    """(x, which) -> value, gradient, Hessian."""
    fun = group_fun(funs)
    return jax.jit(lambda x, which: (fun(x, which), jax.grad(fun)(x, which), jax.hessian(fun)(x, which)))


def groups(case: Case) -> list[tuple[Any, ...]]:
    """The case's problems by shape."""
    found: dict[Any, list] = {}
    for problem in (*case.problems, *case.hard):
        found.setdefault(case.group_of(problem), []).append(problem)
    return [tuple(group) for group in found.values()]


def by_group(test: Callable) -> Callable:
    """Parametrize a test by (case, group)."""
    rows = [(case, group) for case in OF_ONE_START for group in groups(case)]
    ids = [f"{case.name}-{'_'.join(map(str, np.atleast_1d(case.group_of(group[0]))))}" for case, group in rows]
    marked = [pytest.param(*row, marks=of_library(row[0])) for row in rows]
    return pytest.mark.parametrize(("case", "group"), marked, ids=ids)(test)


def of_library(case: Case) -> list[Any]:
    """The library, over a minute a row, is solved in `make test` by a row of each door; random problems by every row."""
    return [] if case in DOORS else [pytest.mark.slow]


@functools.cache
def solve_group(case: Case, group: tuple[Any, ...], dtype: Any, maxiter: int) -> list[OptimizeResult]:
    """Each problem of a group from its start; one compilation for all budgets."""
    fun = group_fun(tuple(p.fun for p in group))
    numbers = range(len(group))
    results = [
        case.solve(fun, case.start_of(group[i]).astype(dtype), (np.int32(i),), options={"maxiter": maxiter}) for i in numbers
    ]
    return [jax.tree.map(np.asarray, res) for res in results]


def evaluate_group(group: tuple[Any, ...], which: int, x: Any) -> tuple[float, np.ndarray, np.ndarray]:
    """Value, gradient and Hessian in float64."""
    fun, grad, hess = group_values(tuple(p.fun for p in group))(np.asarray(x, np.float64), np.int32(which))
    return float(fun), np.asarray(grad), np.asarray(hess)


def _by_case(cases: tuple[Case, ...]) -> Callable:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def each_door(test: Callable) -> Callable:
    """Parametrize a test by one row of each door."""
    return _by_case(DOORS)(test)


def each_row(test: Callable) -> Callable:
    """Parametrize a test by the rows that are called with a start alone, over the library."""
    rows = [pytest.param(case, marks=of_library(case)) for case in OF_ONE_START]
    return pytest.mark.parametrize("case", rows, ids=[case.name for case in OF_ONE_START])(test)


def all_dtypes(test: Callable) -> Callable:
    """Parametrize a test by dtype."""
    return pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)(test)


def lane(result: OptimizeResult, *index: int) -> OptimizeResult:
    """One lane of a batch."""
    return jax.tree.map(lambda a: np.asarray(a)[index], result)


def batch(case: Case, dtype: Any, lanes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Starts (lanes, s) and parameters (lanes, 2) of model problems."""
    rng = np.random.default_rng(seed)
    return case.starts(rng, lanes).astype(dtype), case.thetas(rng, lanes).astype(dtype)


def assert_same_run(
    got: OptimizeResult, wanted: OptimizeResult, dtype: Any, where: Any = ..., case: Case | None = None
) -> None:
    """Counts and statuses are equal, x and fun are so to the rounding of another compilation.

    Where the case says that rounding may choose another path, in so many lanes only success and the solution are the same.
    """
    forks = 0.0 if case is None else case.share_that_forks(dtype)
    if forks:
        _assert_same_but_for(forks, got, wanted, dtype)
        return
    for name in ("status", "nit", "nfev"):
        np.testing.assert_array_equal(np.asarray(got[name])[where], np.asarray(wanted[name])[where], err_msg=name)
    tolerance = tolerances.same_run(dtype)
    for name in ("x", "fun"):
        np.testing.assert_allclose(
            np.asarray(got[name])[where], np.asarray(wanted[name])[where], rtol=tolerance, atol=tolerance, err_msg=name
        )


def _assert_same_but_for(forks: float, got: OptimizeResult, wanted: OptimizeResult, dtype: Any) -> None:
    tolerance = tolerances.same_run(dtype)
    lanes = np.asarray(wanted.status).size
    differs = np.zeros(lanes, bool)
    for name in ("status", "nit", "nfev"):
        differs |= np.ravel(np.asarray(got[name]) != np.asarray(wanted[name]))
    x, x_wanted = (np.asarray(res.x).reshape(lanes, -1) for res in (got, wanted))
    differs |= ~np.all(np.isclose(x, x_wanted, rtol=tolerance, atol=tolerance), 1)
    assert differs.sum() <= forks * lanes + 3 * (forks * lanes) ** 0.5, f"{differs.sum()} of {lanes} lanes took another path"
    np.testing.assert_array_equal(got.success, wanted.success)
    np.testing.assert_allclose(x, x_wanted, atol=tolerances.solution(dtype, tolerances.gradient_asked(dtype)))
