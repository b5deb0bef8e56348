"""Quality: the 51 smooth problems of `tests/problems` from their standard starts, ours and SciPy's method of the same name.

Both get derivatives by autodiff, the tolerance of the gradient that is the package's default, and the same budgets. A
problem is solved where the value, recomputed in float64, is that of a minimum that the literature names. Evaluations: ours
count turns, each of which gives value, gradient and, to the methods that ask for it, a product with the Hessian together;
of SciPy's methods by products, values and products are counted (nfev + nhev), of its TNC nfev, among them those for its
differences.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import outer_jit, scipy_options
from benchmarks.records import OURS, Row, Settings

MAXITER = 5_000
GTOL = {"float64": 1e-5, "float32": 2.4e-5}  # the package's defaults; SciPy always works in float64
BY_VALUES, ASKED_OF_VALUES = ("Nelder-Mead", "Powell"), 1e-4  # and the default tolerance of f
BY_PRODUCTS, BY_HESSIAN = ("Newton-CG", "trust-ncg", "trust-krylov"), ("dogleg", "trust-exact")
NEAR = 1e-5  # a value within this of a minimum's, relative where that is above 1
NEAR_IN_FLOAT32 = 1e-3


def compare(suite: str, methods: tuple[str, ...], settings: Settings) -> list[Row]:
    """Two rows for each method."""
    from tests.problems import CLASSIC, MGH

    problems = (MGH + CLASSIC)[:: 12 if settings.quick else 1]
    rows = []
    for method in methods:
        ours = [_ours(problem, method, settings.dtype) for problem in problems]
        theirs = [_scipy(problem, method) for problem in problems]
        right = [
            np.array([solved(p, x, settings.dtype) for p, (x, *_) in zip(problems, side, strict=True)])
            for side in (ours, theirs)
        ]
        both = right[0] & right[1]
        ratio = np.median(np.array([a[1] / b[1] for a, b in zip(ours, theirs, strict=True)])[both])
        for name, side, good in ((OURS, ours, right[0]), ("SciPy loop", theirs, right[1])):
            failed = sum(not success for *_, success in side)
            extra: dict[str, Any] = {"solved": f"{good.sum()} of {len(problems)}", "checked": len(problems)}
            extra |= {"unsolved": [p.name for p, ok in zip(problems, good, strict=True) if not ok]}
            extra |= {"evaluations": float(ratio)} if name == OURS else {}
            rows.append(Row(suite, f"library, {method}", name, failed=failed, extra=extra))
    return rows


def _ours(problem: Any, method: str, dtype: str) -> tuple[np.ndarray, int, bool]:
    fun, same = together(problem.n)
    res = ours(fun, problem.x0, method, dtype, (jnp.asarray(same.index(problem), jnp.int32),))
    return np.asarray(res.x, np.float64), int(res.nfev), bool(res.success)


@functools.cache
def together(n: int) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """fun(x, which) of all problems of n variables, and these: one program for all of them."""
    from tests import problems

    same = tuple(p for p in problems.MGH + problems.CLASSIC + problems.HARD if p.n == n)
    return lambda x, which: jax.lax.switch(which, [p.fun for p in same], x), same


def ours(fun: Callable[..., Any], x0: Any, method: str, dtype: str, args: Any = (), bounds: Any = None) -> Any:
    """The package's result, at its default tolerance and a generous budget."""
    import jaxopt_lite

    options = {"maxiter": MAXITER} | ({} if method in BY_VALUES else {"gtol": GTOL[dtype]})
    return jaxopt_lite.minimize(fun, jnp.asarray(x0, dtype), args, method=method, bounds=bounds, options=options)


@functools.cache
def _compiled(problem: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Value and gradient, and the product with the Hessian, or of None all of it: the same for all of SciPy's methods."""
    hessian, slope = jax.hessian(problem.fun), jax.grad(problem.fun)
    second = lambda x, p: hessian(x) if p is None else jax.jvp(slope, (x,), (p,))[1]
    return outer_jit(jax.value_and_grad(problem.fun)), outer_jit(second)


def _scipy(problem: Any, method: str) -> tuple[np.ndarray, int, bool]:
    from scipy.optimize import minimize

    both, product = _compiled(problem)
    with jax.enable_x64(True):
        host = lambda x: tuple(np.asarray(v) for v in both(x))
        counted = method in BY_PRODUCTS
        hessp = (lambda x, p: np.asarray(product(x, p))) if counted else None
        hess = (lambda x: np.asarray(product(x, None))) if method in BY_HESSIAN else None
        options = scipy_options(method, GTOL["float64"], MAXITER)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # of what overflows in a long step
            res = minimize(host, np.array(problem.x0), jac=True, hess=hess, hessp=hessp, method=method, options=options)
    return res.x, res.nfev + (res.nhev if counted else 0), bool(res.success)


def solved(problem: Any, x: np.ndarray, dtype: str, within: float | None = None) -> bool:
    """Is the value there that of a minimum which the literature names, `within` so much where that is given?"""
    with jax.enable_x64(True):
        value = float(problem.fun(jnp.asarray(x)))
    return any(near(value, v, dtype, within) for v in (problem.fun_star, *problem.minima) if v is not None)


def near(value: float, wanted: float, dtype: str, within: float | None = None) -> bool:
    """Does a value agree with another?"""
    within = within or (NEAR if dtype == "float64" else NEAR_IN_FLOAT32)
    return abs(value - wanted) <= within * max(1.0, abs(wanted))
