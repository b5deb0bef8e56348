"""Quality under constraints: 102 problems of Hock and Schittkowski, and 14 that no point solves, from their starts.

Ours and SciPy's method of the same name have the same tolerance, SciPy's default (in float32 the package's), the same
budget, and derivatives by autodiff; but SciPy's trust-constr learns second ones, as it does by default. SciPy's are always
in float64. A problem is solved where the value, recomputed in float64, is the book's within 1e-5 (relative if it is above
1; 1e-4 by methods from values alone, whose tolerance is 1e-6) and no constraint is violated by more than 1e-6; both are
1e-3 in float32, where a violation counts in units of the row's terms |A||x| if they are above 1 (a row with terms of 1e6 is
not known better than to 0.1). Another point that is claimed is excused if it is feasible and has multipliers: many of the
problems have several minima. An infeasible problem is solved where the method says so at a finite point, and wrong where it
claims a minimum. Problems of the same shape are one program.
"""

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.library import near
from benchmarks.records import Line

SCIPY = ("SciPy SLSQP", "SciPy trust-constr", "SciPy COBYLA")
MAXITER = {"SLSQP": 500, "trust-constr": 1000, "COBYLA": 2000}
TOL = {
    "SLSQP": {"float64": 1e-6, "float32": 6.4e-6},
    "trust-constr": {"float64": 1e-8, "float32": 6.4e-6},
    "COBYLA": {"float64": 1e-6, "float32": 1e-4},
}
NAMED = {"SLSQP": "ftol", "trust-constr": "gtol", "COBYLA": "tol"}  # SciPy's option for it
BY_VALUES = {"COBYLA": 1e-4}  # how near the value is to be, of methods from values alone
VIOLATED = {"float64": 1e-6, "float32": 1e-3}
STATIONARY = {"float64": 1e-4, "float32": 1e-2}  # residual of the multipliers, of the gradient: for an excuse
CONTRADICTING = {"SLSQP": 4}  # SciPy's status for it; ours: 2
Ended = tuple[np.ndarray, bool, bool, int]  # x, success, infeasible, evaluations


def solved(method: str, dtype: str) -> Iterator[Line]:
    """The problems with an answer."""
    from tests.problems.constrained import kkt_residual
    from tests.problems.hock_schittkowski import PROBLEMS

    for problem in PROBLEMS:
        x, success, infeasible, _ = _run(problem, method, dtype)
        feasible, right = _right(problem, method, x, dtype)
        excused = success and not right and feasible and kkt_residual(problem, x, 1e-4) <= STATIONARY[dtype]
        yield Line(problem.name, right, success or infeasible, excused)


def evaluations(method: str) -> Iterator[tuple[int, int]]:
    """Ours and SciPy's, in float64, of the problems that both solve."""
    from tests.problems.hock_schittkowski import PROBLEMS

    for problem in PROBLEMS:
        ended = [_run(problem, name, "float64") for name in (method, f"SciPy {method}")]
        if all(_right(problem, method, x, "float64")[1] for x, *_ in ended):
            yield ended[0][3], ended[1][3]


def _right(problem: Any, method: str, x: np.ndarray, dtype: str) -> tuple[bool, bool]:
    """Is x feasible, and is its value the book's too?"""
    from tests.problems.constrained import evaluate

    finite = bool(np.all(np.isfinite(x)))
    feasible = finite and _violated(problem, x, dtype) <= VIOLATED[dtype]
    within = BY_VALUES.get(method.split()[-1]) if dtype == "float64" else None
    return feasible, feasible and near(float(evaluate(problem, x)[0]), problem.fun_star, dtype, within)


def _violated(problem: Any, x: np.ndarray, dtype: str) -> float:
    """The largest violation; in float32 of rows in units of their terms, if those are above 1."""
    from tests.problems.constrained import evaluate, violation

    if dtype == "float64":
        return violation(problem, x)
    _, _, equal, of_equal, above, of_above = (np.asarray(part) for part in evaluate(problem, x))
    terms = lambda A: np.maximum(1.0, np.abs(A) @ np.abs(x)) if A.size else np.ones(0)
    low, high = problem.box
    parts = [np.abs(equal) / terms(of_equal), np.maximum(-above, 0.0) / terms(of_above), low - x, x - high]
    return float(max(np.max(part, initial=0.0) for part in parts))


def infeasible(method: str, dtype: str) -> Iterator[Line]:
    """The problems without a feasible point."""
    from tests.problems.infeasible import INFEASIBLE

    for problem in INFEASIBLE:
        x, success, contradicts, _ = _run(problem, method, dtype)
        right = contradicts and bool(np.all(np.isfinite(x)))
        yield Line(problem.name, right, success or contradicts, False)


def _run(problem: Any, method: str, dtype: str) -> Ended:
    return _scipy(problem, method.split()[1]) if method in SCIPY else _ours(problem, method, dtype)


@functools.cache
def _shape(problem: Any) -> tuple[int, int, int]:
    """Variables, equations, inequalities."""
    rows = lambda f: 0 if f is None else jax.eval_shape(f, jax.ShapeDtypeStruct((problem.n,), jnp.float32)).shape[0]
    return problem.n, rows(problem.equal), rows(problem.above)


@functools.cache
def _together(shape: tuple[int, int, int]) -> tuple[tuple[Any, ...], Callable[..., Any], list[dict[str, Any]]]:
    """All problems of a shape, their function (x, which), and their constraints."""
    from tests.problems.hock_schittkowski import PROBLEMS
    from tests.problems.infeasible import INFEASIBLE

    same = tuple(p for p in PROBLEMS + INFEASIBLE if _shape(p) == shape)
    switch = lambda branches: lambda x, which: jax.lax.switch(which, branches, x)
    kinds = [("eq", [p.equal for p in same]), ("ineq", [p.above for p in same])]
    held = [{"type": kind, "fun": switch(rows)} for kind, rows in kinds if rows[0] is not None]
    return same, switch([p.fun for p in same]), held


def _ours(problem: Any, method: str, dtype: str) -> Ended:
    from jaxopt_lite import Bounds, Status, minimize

    same, fun, held = _together(_shape(problem))
    which = jnp.asarray(same.index(problem), jnp.int32)
    low, high = (jnp.asarray(side, dtype) for side in problem.box)
    constraints = [rows | {"args": (which,)} for rows in held]
    x0, given = jnp.asarray(problem.x0, dtype), {"bounds": Bounds(low, high), "constraints": constraints}
    res = minimize(fun, x0, (which,), method, tol=TOL[method][dtype], options={"maxiter": MAXITER[method]}, **given)
    contradicts = int(res.status) == Status.INFEASIBLE
    return np.asarray(res.x, np.float64), bool(res.success), contradicts, int(res.nfev)


def _scipy(problem: Any, method: str) -> Ended:
    from scipy.optimize import minimize

    from tests.problems.constrained import evaluate

    at = functools.lru_cache(4)(lambda x: evaluate(problem, x))
    part = lambda i: lambda x: at(tuple(x))[i]
    rows = [("eq", 2)] * (problem.equal is not None) + [("ineq", 4)] * (problem.above is not None)
    derives = method not in BY_VALUES
    held = [{"type": kind, "fun": part(i)} | ({"jac": part(i + 1)} if derives else {}) for kind, i in rows]
    options = {"maxiter": MAXITER[method], NAMED[method]: TOL[method]["float64"]}
    given = {"bounds": list(zip(*problem.box, strict=True)), "constraints": held, "options": options}
    fun = lambda x: (float(at(tuple(x))[0]), at(tuple(x))[1]) if derives else float(at(tuple(x))[0])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            res = minimize(fun, problem.x0, jac=derives or None, method=method, **given)
        except (ValueError, np.linalg.LinAlgError):  # trust-constr, of steps that are not finite
            return np.full(problem.n, np.nan), False, False, 0
    return res.x, bool(res.success), res.status == CONTRADICTING.get(method), int(res.nfev)
