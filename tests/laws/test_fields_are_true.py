"""Every field of every result of every row of every door is true, or None: a number of the result is no decoration.

Each is computed again, by NumPy and SciPy in float64, from x and from what was asked; evaluations are counted on the host.
A field that the law does not know is a failure: whoever adds one adds here what it means.

Every program runs to its end, and cut by a budget: what a lane without success says of its point is true as well. The
minimizers run once more with a tolerance of zero, so that what the certificate makes is judged too.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import (
    LinearConstraint,
    OptimizeResult,
    curve_fit,
    least_squares,
    linprog,
    minimize,
    minimize_scalar,
    quadprog,
    root_scalar,
)
from jaxopt_lite.api import methods
from tests import tolerances
from tests.laws.cases import all_dtypes

SENTENCES = {0: "converged", 1: "budget", 2: "infeasible", 3: "unbounded", 8: "precision"}  # a word of each message
STEP = 1e-6  # of central differences in float64


class Seen(NamedTuple):
    """A result, and what is needed to judge it."""

    res: Any
    ran: dict[str, int]  # calls of the user's functions, by name
    problem: Any
    asked: dict[str, Any]  # what the call was given
    dtype: Any

    @property
    def x(self) -> np.ndarray:
        """In float64."""
        return np.asarray(self.res.x, np.float64)


class Counter:
    """Functions that count on the host how often they run."""

    def __init__(self) -> None:
        self.ran: dict[str, int] = {}

    def __call__(self, name: str, fun: Any) -> Any:
        def add(_: Any) -> None:
            self.ran[name] = self.ran.get(name, 0) + 1

        def counted(x: Any, *args: Any) -> Any:
            jax.debug.callback(add, x)
            return fun(x, *args)

        return counted

    def read(self) -> dict[str, int]:
        jax.effects_barrier()
        ran, self.ran = dict(self.ran), {}
        return ran


def near(found: Any, wanted: Any, dtype: Any, size: Any = 0.0) -> None:
    """Equal to the rounding of sums of some hundred terms, each of the given size at most; what follows from NaN is NaN."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    slack = 64 * tolerances.eps(dtype) * np.maximum(np.abs(wanted), size)
    assert found.shape == wanted.shape
    assert np.all((np.abs(found - wanted) <= slack) | (np.isnan(found) & np.isnan(wanted))), (found, wanted)


def judge(truths: dict[str, Any], seen: Seen) -> None:
    """All fields of a result by the truths of its door."""
    names = set(seen.res.keys())
    unknown = names - set(truths)
    assert not unknown, f"the law does not know what {sorted(unknown)} means"
    for name in sorted(names):
        if seen.res[name] is not None:
            truths[name](seen, seen.res[name])


# --- what all doors have ----------------------------------------------------------------------------------------------


def status_is_true(seen: Seen, status: Any) -> None:
    assert int(status) in SENTENCES
    cut = seen.asked.get("maxfev", seen.asked.get("max_nfev"))
    if int(status) == 1:
        assert cut is not None
    if cut is None and "fails" not in seen.asked:
        assert int(status) in (0, 8)


def success_is_status(seen: Seen, success: Any) -> None:
    assert bool(success) == (int(seen.res.status) in (0, 8))


def message_is_status(seen: Seen, message: Any) -> None:
    assert SENTENCES[int(seen.res.status)] in message.lower()


def nit_is_possible(seen: Seen, nit: Any) -> None:
    """An iteration takes an evaluation at least; the laws of counts compare it with the run by hand."""
    assert 0 <= int(nit) <= int(seen.res.nfev)
    assert int(nit) > 0 or not bool(seen.res.success)


def counted(name: str) -> Any:
    def check(seen: Seen, count: Any) -> None:
        assert int(count) == seen.ran.get(name, 0), (name, int(count), seen.ran)

    return check


COMMON = {
    "status": status_is_true,
    "success": success_is_status,
    "message": message_is_status,
    "nit": nit_is_possible,
    "nfev": counted("fun"),
}


# --- minimize ---------------------------------------------------------------------------------------------------------

N = 5
ENOUGH = (
    2000  # evaluations; with a tolerance of 0 a method in a float32 box may go on among points that rounding makes equal
)
TURN = np.linalg.qr(np.random.default_rng(0).standard_normal((N, N)))[0]
CURVATURE = TURN @ np.diag([1.0, 2.0, 3.0, 5.0, 8.0]) @ TURN.T
CURVATURE = 0.5 * (CURVATURE + CURVATURE.T)
PULL = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
FREE = np.linalg.solve(CURVATURE, PULL)
UPPER = np.where(np.arange(N) == int(np.argmax(FREE)), np.max(FREE) - 0.4, 9.0)  # one of the variables is held
BOX = (np.full(N, -9.0), UPPER)
MOST = FREE.sum() - 1.0  # upper side of a row on the sum of the variables
ON_THE_ROW = FREE - np.linalg.solve(CURVATURE, np.ones(N)) / np.linalg.solve(CURVATURE, np.ones(N)).sum()


def quadratic(x, A, b):
    return 0.5 * jnp.sum(x * jnp.sum(A * x[None, :], axis=1)) - jnp.sum(b * x) + 2.0


def slope(x, A, b):
    return jnp.sum(A * x[None, :], axis=1) - b


def product(x, p, A, b):
    return jnp.sum(A * p[None, :], axis=1)


def held(seen: Seen) -> np.ndarray:
    """Variables at a bound that the gradient pushes against."""
    grad = CURVATURE @ seen.x - PULL
    return (seen.x >= UPPER.astype(seen.dtype)) & (grad < 0) if seen.asked["boxed"] else np.zeros(N, bool)


def fun_of_quadratic(seen: Seen, fun: Any) -> None:
    x = seen.x
    near(fun, 0.5 * x @ CURVATURE @ x - PULL @ x + 2.0, seen.dtype, 2.0 + np.abs(x) @ np.abs(CURVATURE) @ np.abs(x))


def jac_of_quadratic(seen: Seen, jac: Any) -> None:
    near(jac, CURVATURE @ seen.x - PULL, seen.dtype, np.abs(CURVATURE) @ np.abs(seen.x) + np.abs(PULL))


def x_of_quadratic(seen: Seen, x: Any) -> None:
    """The minimizer where the lane says so: by SciPy in the box."""
    assert x.dtype == seen.dtype
    if seen.res.success:
        box = scipy.optimize.lsq_linear(
            np.linalg.cholesky(CURVATURE).T, np.linalg.solve(np.linalg.cholesky(CURVATURE), PULL), BOX
        )
        wanted = box.x if seen.asked["boxed"] else ON_THE_ROW if seen.asked["under"] else FREE
        by_gain = (
            tolerances.eps(seen.dtype) ** 0.5 if seen.asked["method"] in ("SLSQP", "COBYLA") else 0.0
        )  # of values: half of x's digits
        np.testing.assert_allclose(x, wanted, atol=4 * tolerances.gradient_asked(seen.dtype) + by_gain)
        assert held(seen).sum() == seen.asked["boxed"]


def inverse_of_quadratic(seen: Seen, hess_inv: Any) -> None:
    """Learnt: a matrix (of the free variables) in which every curvature is known to a factor of 2 at the end.

    Of two pairs, which may be rounding at the end, to a factor of 32. Before the end it is positive definite, or NaN where
    nothing was learnt. Never an identity.
    """
    dense = np.asarray(hess_inv.todense() if hasattr(hess_inv, "todense") else hess_inv, np.float64)
    if np.all(np.isnan(dense)):
        assert not seen.res.success
        return
    free = ~held(seen)
    np.testing.assert_array_equal(dense[~free], 0.0)
    np.testing.assert_allclose(dense, dense.T, atol=1e3 * tolerances.eps(seen.dtype))
    inner = dense[np.ix_(free, free)]
    assert np.linalg.eigvalsh(inner)[0] > 0
    assert not np.array_equal(inner, np.eye(len(inner)))
    if seen.res.success:
        seen_curvatures = np.linalg.eigvals(inner @ CURVATURE[np.ix_(free, free)]).real
        factor = seen.asked["known"]
        assert np.all((seen_curvatures > 1 / factor) & (seen_curvatures < factor)), seen_curvatures


def hess_of_quadratic(seen: Seen, hess: Any) -> None:
    near(hess, CURVATURE, seen.dtype, np.abs(CURVATURE))


def nhev_is_counted(seen: Seen, nhev: Any) -> None:
    """A turn asks for one product; the certificate takes twice as many as it needs, and counts a point once."""
    name = "hess" if seen.asked["method"] in BY_HESSIAN else "hessp"
    if int(seen.res.status) == 8:
        assert int(nhev) < seen.ran["hessp"] <= 2 * int(nhev) if name == "hessp" else int(nhev) == seen.ran["hess"]
    elif seen.asked["method"] in ("trust-ncg", "trust-krylov"):  # a claim may end with 0 too
        assert int(nhev) <= seen.ran["hessp"] <= 2 * int(nhev)
    else:
        counted(name)(seen, nhev)


def simplex_is_true(seen: Seen, final_simplex: Any) -> None:
    """Vertices in order, the best one first, with their values; +inf where one was not evaluated."""
    simplex, values = (np.asarray(part, np.float64) for part in final_simplex)
    assert simplex.shape == (N + 1, N)
    assert np.all(np.diff(values[np.isfinite(values)]) >= 0)
    for vertex, value in zip(simplex, values, strict=True):
        if np.isfinite(value):
            size = 2.0 + np.abs(vertex) @ np.abs(CURVATURE) @ np.abs(vertex)
            near(value, 0.5 * vertex @ CURVATURE @ vertex - PULL @ vertex + 2.0, seen.dtype, size)
    if int(seen.res.status) == 0:  # with 8 the point may have been proved, and made exact, from elsewhere
        assert np.max(np.abs(simplex - seen.x)) <= 1e-2 + 256 * tolerances.eps(seen.dtype) ** 0.5


def directions_span(seen: Seen, direc: Any) -> None:
    """A row each; they have stayed independent."""
    rows = np.asarray(direc, np.float64)
    assert np.linalg.matrix_rank(rows / np.linalg.norm(rows, axis=1)[:, None]) == N


def multipliers_balance(seen: Seen, multipliers: Any) -> None:
    """One of each row: positive at its upper side. At a solution it balances the gradient."""
    assert multipliers.shape == (int(seen.asked["under"]),)
    if seen.asked["under"] and seen.res.success:
        assert multipliers[0] > 0
        force = CURVATURE @ seen.x - PULL + float(multipliers[0])
        by_values = 4 * tolerances.eps(seen.dtype) ** 0.5 if seen.asked["method"] == "COBYLA" else 0.0  # what f resolves
        np.testing.assert_allclose(force, 0.0, atol=16 * tolerances.gradient_asked(seen.dtype) + by_values)


def violation_is_that_of_x(seen: Seen, maxcv: Any) -> None:
    beyond = max(seen.x.sum() - float(seen.dtype(MOST)), 0.0) if seen.asked["under"] else 0.0
    near(maxcv, beyond, seen.dtype, np.abs(seen.x).sum() + MOST)


def parts_of_multipliers(seen: Seen, v: Any) -> None:
    """Those of the row, and then those of the bounds, which push like the gradient in reverse where a bound holds."""
    assert len(v) == seen.asked["under"] + seen.asked["boxed"]
    if seen.asked["under"]:
        near(v[0], seen.res.multipliers, seen.dtype)
    if seen.asked["boxed"] and seen.res.success:
        grad = CURVATURE @ seen.x - PULL
        wanted = np.where(held(seen), -grad, 0.0)
        np.testing.assert_allclose(v[-1], wanted, atol=16 * tolerances.gradient_asked(seen.dtype))


def slope_is_balanced(seen: Seen, left: Any) -> None:
    """The gradient of the Lagrangian, by the multipliers that are reported."""
    if seen.res.success:
        np.testing.assert_allclose(left, 0.0, atol=16 * tolerances.gradient_asked(seen.dtype))


def optimality_is_the_largest(seen: Seen, optimality: Any) -> None:
    near(optimality, np.max(np.abs(np.asarray(seen.res.lagrangian_grad, np.float64))), seen.dtype)


def same_as(name: str) -> Any:
    return lambda seen, value: near(value, seen.res[name], seen.dtype)


def positive(seen: Seen, value: Any) -> None:
    assert float(value) > 0


def names_the_problem(seen: Seen, method: str) -> None:
    sided = seen.asked["boxed"] or seen.asked["under"]
    assert method == ("tr_interior_point" if sided else "equality_constrained_sqp")


def counts_products(seen: Seen, count: Any) -> None:
    assert 0 < int(count) <= 2 * N * int(seen.res.nfev)


OF_MINIMIZE = COMMON | {
    "multipliers": multipliers_balance,
    "maxcv": violation_is_that_of_x,
    "v": parts_of_multipliers,
    "lagrangian_grad": slope_is_balanced,
    "optimality": optimality_is_the_largest,
    "grad": same_as("jac"),
    "constr_violation": same_as("maxcv"),
    "cg_niter": counts_products,
    "method": names_the_problem,
    **dict.fromkeys(("tr_radius", "constr_penalty", "barrier_parameter", "barrier_tolerance"), positive),
    "final_simplex": simplex_is_true,
    "direc": directions_span,
    "x": x_of_quadratic,
    "fun": fun_of_quadratic,
    "jac": jac_of_quadratic,
    "njev": counted("jac"),
    "nhev": nhev_is_counted,
    "hess_inv": inverse_of_quadratic,
    "hess": hess_of_quadratic,
}
BY_HESSIAN = ("dogleg", "trust-exact", "trust-constr")
BY_PRODUCTS = ("Newton-CG", "TNC", "trust-ncg", "trust-krylov")
MINIMIZERS = {row.name: {"method": row.name} for row in methods.MINIMIZE}
MANY = 4000  # evaluations of a search by values
BOXED = ("L-BFGS-B", "TNC", "SLSQP", "trust-constr", "COBYLA", "Nelder-Mead", "Powell")
TIGHT = {"Nelder-Mead": ("xatol", "fatol"), "Powell": ("xtol", "ftol"), "COBYLA": ("tol",)}  # of methods from values
MINIMIZERS |= {f"{name} in a box": {"method": name, "boxed": True} for name in BOXED}
MINIMIZERS |= {f"{name} under a row": {"method": name, "under": True} for name in ("SLSQP", "trust-constr", "COBYLA")}
MINIMIZERS |= {"L-BFGS-B by pairs": {"method": "L-BFGS-B", "maxcor": 2, "known": 32.0}}


@all_dtypes
@pytest.mark.parametrize("row", MINIMIZERS)
def test_fields_of_minimize(row, dtype):
    asked = {"boxed": False, "under": False, "known": 2.0} | MINIMIZERS[row]
    counter = Counter()
    fun, jac, hessp = counter("fun", quadratic), counter("jac", slope), counter("hessp", product)
    hess = counter("hess", lambda x, A, b: A)
    by_values = asked["method"] in TIGHT
    keywords = ({} if by_values else {"jac": jac}) | ({"hessp": hessp} if asked["method"] in BY_PRODUCTS else {})
    keywords |= {"hess": hess} if asked["method"] in BY_HESSIAN else {}
    if asked["boxed"]:
        keywords["bounds"] = list(zip(*(side.astype(dtype) for side in BOX), strict=True))
    if asked["under"]:
        keywords["constraints"] = LinearConstraint(np.ones((1, N), dtype), -np.inf, dtype(MOST))
    options = {name: asked[name] for name in ("maxcor",) if name in asked}
    args = (CURVATURE.astype(dtype), PULL.astype(dtype))
    for maxfev, tol in ((None, None), (3, None), (1, None), (None, 0.0)):
        limit = {} if maxfev is None and tol is None else {"maxfev": maxfev or ENOUGH}
        asked_tol = tolerances.gradient_asked(dtype) if tol is None else tol
        stops = {"ftol": 0.1 * asked_tol**2} if asked["method"] == "SLSQP" else {"gtol": asked_tol}
        given = options | ({} if by_values else stops) | {"maxfev": maxfev or (MANY if by_values else ENOUGH)}
        if by_values:
            given |= dict.fromkeys(TIGHT[asked["method"]], 0.1 * asked_tol)
        res = minimize(fun, np.zeros(N, dtype), args, method=asked["method"], options=given, **keywords)
        judge(OF_MINIMIZE, Seen(res, counter.read(), None, asked | limit, dtype))


# --- minimize_scalar and root_scalar ----------------------------------------------------------------------------------


def valley(x, a):
    return jnp.cosh(x - a) + 0.1 * x


def valley_at(x: float, a: float) -> float:
    return float(np.cosh(x - a) + 0.1 * x)


def fun_of_valley(seen: Seen, fun: Any) -> None:
    near(fun, valley_at(float(seen.x), seen.problem), seen.dtype, 2.0)


def x_of_valley(seen: Seen, x: Any) -> None:
    if seen.res.success:
        wanted = scipy.optimize.brentq(lambda x: np.sinh(x - seen.problem) + 0.1, -3.0, 3.0)
        permitted = tolerances.abscissa_asked(seen.dtype) + 4 * tolerances.eps(seen.dtype) ** 0.5
        assert abs(float(x) - wanted) <= permitted


OF_SCALAR = COMMON | {"x": x_of_valley, "fun": fun_of_valley}


@all_dtypes
@pytest.mark.parametrize("row", [row.name for row in methods.MINIMIZE_SCALAR])
def test_fields_of_minimize_scalar(row, dtype):
    counter = Counter()
    fun, a = counter("fun", valley), dtype(0.7)
    where = {"bounds": (dtype(-2.0), dtype(3.0))} if row == "bounded" else {"bracket": (dtype(0.0), dtype(1.0))}
    for maxfev in (None, 4):
        limit = {} if maxfev is None else {"maxfev": maxfev}
        res = minimize_scalar(fun, args=(a,), method=row, options={"maxfev": maxfev or 10_000}, **where)
        judge(OF_SCALAR, Seen(res, counter.read(), float(a), limit, dtype))


def rise(x, a):
    return jnp.sinh(x - a) + 0.1 * (x - a)


def fun_of_rise(seen: Seen, fun: Any) -> None:
    """The rounding of x - a moves it, times the slope."""
    away = float(seen.x) - seen.problem
    near(fun, np.sinh(away) + 0.1 * away, seen.dtype, np.cosh(away))


def x_of_rise(seen: Seen, x: Any) -> None:
    if seen.res.success:
        assert abs(float(x) - seen.problem) <= 4 * tolerances.root_resolved(seen.dtype, float(x)) + 1e-8


def same_as(name: str) -> Any:
    def check(seen: Seen, value: Any) -> None:
        assert value == seen.res[name]

    return check


OF_ROOT = COMMON | {
    "x": x_of_rise,
    "fun": fun_of_rise,
    "root": same_as("x"),
    "converged": same_as("success"),
    "iterations": same_as("nit"),
    "function_calls": counted("fun"),
    "flag": same_as("message"),
}
SLOPES = {
    "fprime": lambda x, a: jnp.cosh(x - a) + 0.1,
    "fprime2": lambda x, a: jnp.sinh(x - a),
}  # given to the methods that use them: autodiff of the second one runs f twice at a point, and XLA once
ROOTS = {row.name: row.name for row in methods.ROOT_SCALAR}
ROOTS |= {f"{name} in a bracket": name for name in ("newton", "halley")}


@all_dtypes
@pytest.mark.parametrize("row", ROOTS)
def test_fields_of_root_scalar(row, dtype):
    counter = Counter()
    f, a, name = counter("fun", rise), dtype(0.7), ROOTS[row]
    is_open = name in ("newton", "halley", "secant") and name == row
    where = {"x0": dtype(3.0)} if is_open else {"bracket": (dtype(-2.0), dtype(3.0))}
    row_takes = next(row.takes for row in methods.ROOT_SCALAR if row.name == name)
    where |= {key: slope for key, slope in SLOPES.items() if key in row_takes}
    for maxfev in (None, 3):
        limit = {} if maxfev is None else {"maxfev": maxfev}
        res = root_scalar(f, (a,), method=name, options={"maxfev": maxfev or 10_000}, **where)
        judge(OF_ROOT, Seen(res, counter.read(), float(a), limit, dtype))


# --- least_squares ----------------------------------------------------------------------------------------------------

T = np.linspace(0.0, 3.0, 12)
Y = 2.0 * np.exp(-1.3 * T) + 0.05 * np.cos(5.0 * T) + np.where(np.arange(12) == 7, 0.8, 0.0)
FIT_BOX = (np.array([0.1, 0.1]), np.array([1.5, 4.0]))  # holds the first


def decay(p, t, y):
    return p[0] * jnp.exp(-p[1] * t) - y


def decay_jacobian(p, t, y):
    return jnp.stack([jnp.exp(-p[1] * t), -p[0] * t * jnp.exp(-p[1] * t)], 1)


class Fit(NamedTuple):
    """The residuals and their Jacobian in float64, and the loss's view of them, by SciPy."""

    r: np.ndarray
    J: np.ndarray
    cost: float
    grad: np.ndarray
    weighed: np.ndarray  # J'J of the Jacobian as the loss sees it


@functools.lru_cache
def at_fit(p: tuple[float, ...], loss: str) -> Fit:
    r = p[0] * np.exp(-p[1] * T) - Y
    J = np.stack([np.exp(-p[1] * T), -p[0] * T * np.exp(-p[1] * T)], 1)
    theirs = scipy.optimize.least_squares(
        lambda q: q[0] * np.exp(-q[1] * T) - Y,
        np.array(p),
        lambda q: np.stack([np.exp(-q[1] * T), -q[0] * T * np.exp(-q[1] * T)], 1),
        loss=loss,
        max_nfev=1,
    )
    np.testing.assert_array_equal(theirs.x, p)
    return Fit(r, J, float(theirs.cost), theirs.grad, theirs.jac.T @ theirs.jac)


def fit_of(seen: Seen) -> Fit:
    return at_fit(tuple(seen.x.tolist()), seen.asked["loss"])


def sides_of_fit(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = FIT_BOX if seen.asked["boxed"] else (np.full(2, -np.inf), np.full(2, np.inf))
    return lower.astype(seen.dtype).astype(float), upper.astype(seen.dtype).astype(float)


def optimality_of_fit(seen: Seen, optimality: Any) -> None:
    """The largest entry of the gradient, each times the distance to the finite bound that it leads to."""
    grad, (lower, upper) = np.asarray(seen.res.grad, float), sides_of_fit(seen)
    way = np.where((grad > 0) & np.isfinite(lower), seen.x - lower, 1.0)
    way = np.where((grad < 0) & np.isfinite(upper), upper - seen.x, way)
    near(optimality, np.max(np.abs(way * grad)), seen.dtype)
    if seen.res.success:
        assert float(optimality) <= 1e-3


def active_mask_of_fit(seen: Seen, mask: Any) -> None:
    lower, upper = sides_of_fit(seen)
    np.testing.assert_array_equal(mask, np.where(seen.x == lower, -1, np.where(seen.x == upper, 1, 0)))
    if seen.res.success and seen.asked["boxed"]:
        assert int(mask[0]) == 1


def x_of_fit(seen: Seen, x: Any) -> None:
    lower, upper = sides_of_fit(seen)
    assert np.all((lower <= seen.x) & (seen.x <= upper))
    if seen.res.success:
        wanted = scipy.optimize.least_squares(
            lambda q: q[0] * np.exp(-q[1] * T) - Y, np.ones(2), bounds=(lower, upper), loss=seen.asked["loss"], xtol=1e-14
        )
        np.testing.assert_allclose(x, wanted.x, rtol=max(1e-4, 8 * tolerances.eps(seen.dtype) ** 0.5))


JACOBIAN_SIZE = 8.0  # of the terms that make a gradient or a product of the Jacobian
OF_LEAST_SQUARES = COMMON | {
    "x": x_of_fit,
    "fun": lambda seen, fun: near(fun, fit_of(seen).r, seen.dtype, 2.0),
    "cost": lambda seen, cost: near(cost, fit_of(seen).cost, seen.dtype, 1.0),
    "jac": lambda seen, jac: near(np.asarray(jac, float).T @ np.asarray(jac, float), fit_of(seen).weighed, seen.dtype, 8.0),
    "grad": lambda seen, grad: near(grad, fit_of(seen).grad, seen.dtype, JACOBIAN_SIZE),
    "optimality": optimality_of_fit,
    "active_mask": active_mask_of_fit,
    "njev": counted("jac"),
}
FITS = {row.name: {"method": row.name} for row in methods.LEAST_SQUARES}
FITS |= {f"{name} in a box": {"method": name, "boxed": True} for name in ("trf", "dogbox")}
FITS |= {"trf with a loss": {"method": "trf", "loss": "soft_l1"}}


@all_dtypes
@pytest.mark.parametrize("row", FITS)
def test_fields_of_least_squares(row, dtype):
    asked = {"boxed": False, "loss": "linear"} | FITS[row]
    counter = Counter()
    fun, jac = counter("fun", decay), counter("jac", decay_jacobian)
    keywords = {"bounds": tuple(side.astype(dtype) for side in FIT_BOX)} if asked["boxed"] else {}
    for most in (None, 3):
        limit = {} if most is None else {"max_nfev": most}
        res = least_squares(
            fun,
            np.ones(2, dtype),
            jac,
            args=(T.astype(dtype), Y.astype(dtype)),
            method=asked["method"],
            loss=asked["loss"],
            max_nfev=most or 10_000,
            **keywords,
        )
        judge(OF_LEAST_SQUARES, Seen(res, counter.read(), None, asked | limit, dtype))


# --- curve_fit --------------------------------------------------------------------------------------------------------


class Info:
    """curve_fit's answer under the names of a result."""

    def __init__(self, popt: Any, pcov: Any, info: dict[str, Any], mesg: Any, ier: Any) -> None:
        self.fields = {"x": popt, "pcov": pcov, "message": str(mesg), "ier": ier} | info

    def __getattr__(self, name: str) -> Any:
        return self.fields[name]

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def keys(self) -> list[str]:
        return list(self.fields)


SIGMA = 0.1 + 0.05 * np.sin(T)


def line(t, a, k, c):
    return a * jnp.exp(-k * t) + c


def weighed_fit(seen: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Residuals and Jacobian over sigma."""
    a, k, c = seen.x
    rise, sigma = np.exp(-k * T), SIGMA.astype(seen.dtype).astype(float)
    r = (a * rise + c - Y) / sigma
    return r, np.stack([rise, -a * T * rise, np.ones(12)], 1) / sigma[:, None]


def pcov_of_fit(seen: Seen, pcov: Any) -> None:
    """s^2 (J'J)^-1 by a singular value decomposition, of the parameters that no equal bounds fix."""
    pcov = np.asarray(pcov, float)
    if not seen.res.success:
        assert np.all(np.isinf(pcov))
        return
    r, J = weighed_fit(seen)
    free = ~seen.asked["fixed"]
    freedom = len(r) - free.sum()
    inverse = np.linalg.pinv(J[:, free])
    wanted = np.zeros((3, 3))
    wanted[np.ix_(free, free)] = inverse @ inverse.T * (r @ r / freedom)
    size = np.sqrt(np.outer(np.diagonal(wanted), np.diagonal(wanted)))
    assert np.all(np.abs(pcov - wanted) <= 1e4 * tolerances.eps(seen.dtype) * size)
    np.testing.assert_array_equal(pcov[~free], 0.0)


def rank_of_fit(seen: Seen, rank: Any) -> None:
    _, J = weighed_fit(seen)
    J = J[:, ~seen.asked["fixed"]]
    assert int(rank) == np.linalg.matrix_rank(J / np.linalg.norm(J, axis=0), tol=16 * tolerances.eps(seen.dtype))


def cov_status_of_fit(seen: Seen, cov_status: Any) -> None:
    wanted = 3 if not seen.res.success else 5 if np.any(seen.asked["fixed"]) else 0
    assert int(cov_status) == wanted


def ier_of_fit(seen: Seen, ier: Any) -> None:
    assert int(ier) == {0: 1, 8: 4, 1: 5}[int(seen.res.status)]


def x_of_curve(seen: Seen, popt: Any) -> None:
    if seen.res.success:
        free = ~seen.asked["fixed"]
        r, J = weighed_fit(seen)
        Q, _ = np.linalg.qr(J[:, free])
        assert np.linalg.norm(Q.T @ r) <= max(1e-4, 64 * tolerances.eps(seen.dtype)) * np.linalg.norm(r)


OF_CURVE_FIT = COMMON | {
    "x": x_of_curve,
    "pcov": pcov_of_fit,
    "fvec": lambda seen, fvec: near(fvec, weighed_fit(seen)[0], seen.dtype, 30.0),
    "cost": lambda seen, cost: near(cost, 0.5 * np.sum(weighed_fit(seen)[0] ** 2), seen.dtype, 300.0),
    "rank": rank_of_fit,
    "cov_status": cov_status_of_fit,
    "ier": ier_of_fit,
}


@all_dtypes
@pytest.mark.parametrize("row", ["free", "fixed"])
def test_fields_of_curve_fit(row, dtype):
    counter = Counter()
    f = counter("fun", line)
    fixed = np.arange(3) == 2 if row == "fixed" else np.zeros(3, bool)
    lower, upper = (np.where(fixed, 0.2, side * np.ones(3)).astype(dtype) for side in (-np.inf, np.inf))
    bounds = (lower, upper) if row == "fixed" else (-np.inf, np.inf)
    start = np.array([1.0, 1.0, 0.2], dtype)
    data = T.astype(dtype), Y.astype(dtype), start, SIGMA.astype(dtype)
    for most in (None, 3):
        limit = {} if most is None else {"max_nfev": most}
        answer = curve_fit(f, *data, bounds=bounds, max_nfev=most or 10_000, full_output=True)
        judge(OF_CURVE_FIT, Seen(Info(*answer), counter.read(), None, {"fixed": fixed} | limit, dtype))


# --- linprog ----------------------------------------------------------------------------------------------------------

PROGRAM = {
    "c": np.array([-1.0, 4.0, 0.5]),
    "A_ub": np.array([[-3.0, 1.0, 1.0], [1.0, 2.0, -1.0]]),
    "b_ub": np.array([6.0, 4.0]),
    "A_eq": np.array([[1.0, 1.0, 1.0]]),
    "b_eq": np.array([5.0]),
    "bounds": np.array([[-9.0, np.inf], [-3.0, np.inf], [0.0, 20.0]]),
}
PROGRAMS = {
    "optimal": PROGRAM,
    "infeasible": PROGRAM | {"b_eq": np.array([-20.0])},
    "unbounded": PROGRAM | {"A_ub": np.array([[0.0, 1.0, 1.0], [0.0, 2.0, -1.0]]), "A_eq": np.array([[0.0, 1.0, 1.0]])},
}
ENOUGH = 1e3  # times the tolerance that was asked: of an error in units of the data, none larger than 20


def program_tolerance(dtype: Any) -> float:
    return ENOUGH * (1e-8 if dtype == np.float64 else 1e-5)


@functools.cache
def by_highs(name: str) -> Any:
    return scipy.optimize.linprog(**PROGRAMS[name], method="highs")


def residual_of(kind: str) -> Any:
    def wanted(seen: Seen) -> np.ndarray:
        lp, x = seen.problem, seen.x
        return {
            "ineqlin": lp["b_ub"] - lp["A_ub"] @ x,
            "eqlin": lp["b_eq"] - lp["A_eq"] @ x,
            "lower": x - lp["bounds"][:, 0],
            "upper": lp["bounds"][:, 1] - x,
        }[kind]

    return wanted


def constraint_of(kind: str) -> Any:
    """The residual, and at an optimum the marginals, against HiGHS's: the vertex is not degenerate."""

    def check(seen: Seen, constraint: Any) -> None:
        assert constraint._fields == ("residual", "marginals")
        vector_of(kind)(seen, constraint.residual)
        if seen.res.success:
            theirs = by_highs("optimal")[kind].marginals
            np.testing.assert_allclose(constraint.marginals, theirs, atol=program_tolerance(seen.dtype))

    return check


def vector_of(kind: str) -> Any:
    def check(seen: Seen, value: Any) -> None:
        wanted = residual_of(kind)(seen)
        finite = ~np.isinf(wanted)
        np.testing.assert_array_equal(np.asarray(value)[~finite], wanted[~finite])
        near(np.asarray(value)[finite], wanted[finite], seen.dtype, 20.0 + 8.0 * np.max(np.abs(seen.x)))

    return check


def maxcv_of_program(seen: Seen, maxcv: Any) -> None:
    every = {kind: residual_of(kind)(seen) for kind in ("ineqlin", "eqlin", "lower", "upper")}
    worst = max(np.max(np.maximum(-r, 0)) for kind, r in every.items() if kind != "eqlin")
    near(maxcv, max(worst, np.max(np.abs(every["eqlin"]))), seen.dtype, 20.0 + 8.0 * np.max(np.abs(seen.x)))


def ray_dual_of_program(seen: Seen, ray: Any) -> None:
    """Farkas: with y (of rows, <= 0 of inequalities), what bounds leave of A'y x is less than what y'b promises."""
    if int(seen.res.status) != 2:
        assert np.all(np.isnan(ray))
        return
    lp, y = seen.problem, np.asarray(ray, float)
    y = y / np.max(np.abs(y))
    p = len(lp["b_ub"])
    z = -(lp["A_ub"].T @ y[:p] + lp["A_eq"].T @ y[p:])
    z = np.where(np.abs(z) <= program_tolerance(seen.dtype), 0.0, z)
    lower, upper = lp["bounds"].T
    assert np.all(y[:p] <= program_tolerance(seen.dtype))
    with np.errstate(invalid="ignore"):
        worth = lp["b_ub"] @ y[:p] + lp["b_eq"] @ y[p:] + np.sum(np.where(z > 0, z * lower, np.where(z < 0, z * upper, 0.0)))
    assert worth > 0


def ray_primal_of_program(seen: Seen, ray: Any) -> None:
    """A direction along which the costs fall and no constraint ends."""
    if int(seen.res.status) != 3:
        assert np.all(np.isnan(ray))
        return
    lp, d = seen.problem, np.asarray(ray, float)
    d, tol = d / np.max(np.abs(d)), program_tolerance(seen.dtype)
    lower, upper = lp["bounds"].T
    assert lp["c"] @ d < 0
    assert np.all(lp["A_ub"] @ d <= tol)
    assert np.all(np.abs(lp["A_eq"] @ d) <= tol)
    assert np.all(d[np.isfinite(lower)] >= -tol)
    assert np.all(d[np.isfinite(upper)] <= tol)


def basis_of_program(seen: Seen, basis: Any) -> None:
    """Variables first, then rows: what is not in it is at a bound, and its columns are independent; -1: there is none."""
    basis = np.asarray(basis)
    if np.all(basis == -1):
        assert not seen.res.success
        return
    lp, x = seen.problem, seen.x
    A = np.concatenate([lp["A_ub"], lp["A_eq"]])
    m, n = A.shape
    assert len(np.unique(basis)) == m
    assert np.linalg.matrix_rank(np.concatenate([A, np.eye(m)], axis=1)[:, basis]) == m
    if seen.res.success:
        room = np.concatenate([np.min(np.abs(lp["bounds"] - x[:, None]), axis=1), np.abs(residual_of("ineqlin")(seen))])
        rest = [j for j in range(n + 2) if j not in basis]
        assert np.all(room[rest] <= program_tolerance(seen.dtype))


def fun_of_program(seen: Seen, fun: Any) -> None:
    near(fun, seen.problem["c"] @ seen.x, seen.dtype, 4.0 * np.max(np.abs(seen.x)))
    if seen.res.success:
        assert abs(float(fun) - by_highs("optimal").fun) <= program_tolerance(seen.dtype)


def status_of_program(seen: Seen, status: Any) -> None:
    assert int(status) in {"optimal": (0, 8), "infeasible": (2,), "unbounded": (3,), "cut": (1,)}[seen.asked["fails"]]


def x_of_program(seen: Seen, x: Any) -> None:
    if seen.res.success:
        np.testing.assert_allclose(x, by_highs("optimal").x, atol=program_tolerance(seen.dtype))


OF_LINPROG = COMMON | {
    "status": status_of_program,
    "x": x_of_program,
    "fun": fun_of_program,
    "nit": lambda seen, nit: None if seen.asked["fails"] != "cut" else np.testing.assert_array_equal(nit, 1),
    "slack": vector_of("ineqlin"),
    "con": vector_of("eqlin"),
    "ineqlin": constraint_of("ineqlin"),
    "eqlin": constraint_of("eqlin"),
    "lower": constraint_of("lower"),
    "upper": constraint_of("upper"),
    "maxcv": maxcv_of_program,
    "ray_dual": ray_dual_of_program,
    "ray_primal": ray_primal_of_program,
    "basis": basis_of_program,
    "mip_gap": lambda seen, gap: np.testing.assert_array_equal(gap, np.nan),  # a program without integers has none
}
LINEAR = {row.name: {} for row in methods.LINPROG} | {"interior-point with a vertex": {"vertex": True}}


@all_dtypes
@pytest.mark.parametrize("row", LINEAR)
def test_fields_of_linprog(row, dtype):
    method = row.split()[0]
    for name in (*PROGRAMS, "cut"):
        lp = PROGRAMS.get(name, PROGRAM)
        operands = {key: value.astype(dtype) for key, value in lp.items()}
        res = linprog(**operands, method=method, options=LINEAR[row] | {"maxiter": 1 if name == "cut" else 200})
        judge(OF_LINPROG, Seen(res, {}, lp, {"fails": name}, dtype))


QUADRATIC = {
    "P": np.diag([2.0, 2.0]),
    "q": np.array([-2.0, -5.0]),
    "A_ub": np.array([[-1.0, 2.0], [1.0, 2.0]]),
    "b_ub": np.array([2.0, 6.0]),
    "A_eq": np.array([[0.0, 0.0]]),
    "b_eq": np.array([0.0]),
    "bounds": np.array([[0.0, np.inf], [-np.inf, 9.0]]),
}


@all_dtypes
def test_fields_of_quadprog(dtype):
    """Of (x0 - 1)^2 + (x1 - 2.5)^2, by hand: (1.4, 1.7), where the first row has the multiplier -0.8."""
    res = quadprog(**{name: value.astype(dtype) for name, value in QUADRATIC.items()})
    tol = program_tolerance(dtype)
    assert (int(res.status), bool(res.success)) == (0, True)
    assert int(res.nit) > 0
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=tol)
    np.testing.assert_allclose(res.fun, -6.45, atol=10 * tol)
    residuals = {"ineqlin": [0.0, 1.2], "eqlin": [0.0], "lower": [1.4, np.inf], "upper": [np.inf, 7.3]}
    marginals = {"ineqlin": [-0.8, 0.0], "eqlin": [res.eqlin.marginals[0]], "lower": [0.0, 0.0], "upper": [0.0, 0.0]}
    for name in residuals:
        np.testing.assert_allclose(res[name].residual, residuals[name], atol=10 * tol)
        np.testing.assert_allclose(res[name].marginals, marginals[name], atol=10 * tol)
    np.testing.assert_allclose(res.slack, residuals["ineqlin"], atol=10 * tol)
    np.testing.assert_array_equal(res.con, 0.0)
    assert float(res.maxcv) <= tol
    assert np.all(np.isnan(res.ray_dual))
    assert np.all(np.isnan(res.ray_primal))


def test_fields_of_linprog_by_highs():
    pytest.importorskip("highspy")
    for name, lp in PROGRAMS.items():
        res = linprog(**lp, method="highs")
        judge(OF_LINPROG, Seen(res, {}, lp, {"fails": name}, np.float64))


# --- the law itself ---------------------------------------------------------------------------------------------------


def test_field_that_the_law_does_not_know_is_a_failure():
    one = OptimizeResult(x=np.zeros(1), fun=0.0, success=True, status=0, extra={"charm": 1.0})
    with pytest.raises(AssertionError, match="charm"):
        judge(OF_MINIMIZE, Seen(one, {}, None, {}, np.float64))
