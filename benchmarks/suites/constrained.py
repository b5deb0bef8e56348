"""Suite `constrained`: SLSQP and trust-constr beside a loop over SciPy's method of the same name, at its default tolerance.

- projection: (x0 - a)^2 + (x1 - b)^2 with three linear inequalities as functions and x >= 0, SciPy's example of two
  variables with random a, b and right sides. Judged by enumeration: the nearest feasible one of the point, its projections
  on the five lines, and the corners.
- share seller: sell so many shares to ten buyers at their prices, each within his money. Judged by serving the highest
  prices first.

SciPy's loop has functions in NumPy and their derivatives by hand. `reached` counts lanes that are feasible within 1e-5 (1e-4
in float32) and whose value is within as much of the optimum, relatively where that is above 1.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize as scipy_minimize

from benchmarks.contenders import outer_jit
from benchmarks.records import OURS, Row, Settings
from benchmarks.rows import Outputs, Timed, judged
from benchmarks.timing import interleave

LOOP, CAP = "SciPy loop", 100
AIM = {"SLSQP": ">= 25x", "trust-constr": ">= 600x", "COBYLA": ">= 1000x"}
ROWS = np.array([[1.0, -2.0], [-1.0, -2.0], [-1.0, 2.0]])
BUYERS = 10
Batch = tuple[np.ndarray, ...]
Call = Callable[[Batch], dict[str, Any]]


class Case(NamedTuple):
    """A family of problems."""

    name: str
    method: str
    draw: Callable[[np.random.Generator, int], Batch]
    ours: Callable[[str], Call]  # method -> the batch
    loop: Callable[[str], Call]
    error: Callable[[Batch, np.ndarray], np.ndarray]  # (lanes,) the larger of violation and excess over the optimum


def run(settings: Settings) -> list[Row]:
    """Both families."""
    return [row for case in CASES for row in race("constrained", case, settings)]


def race(suite: str, case: Case, settings: Settings) -> list[Row]:
    """Ours and SciPy's loop, of one family; in that at most 100 problems, and 20 where each takes long."""
    rngs = [np.random.default_rng([19, r]) for r in range(settings.repeats)]
    batches = [tuple(v.astype(settings.dtype) for v in case.draw(rng, settings.lanes)) for rng in rngs]
    lanes = {OURS: settings.lanes, LOOP: min(settings.lanes, CAP if case.method == "SLSQP" else CAP // 5)}

    def runner(make: Callable[[str], Call], count: int) -> Callable[[], Callable[[int], Any]]:
        def build() -> Callable[[int], Any]:
            call = make(case.method)
            return lambda r: call(tuple(v[:count] for v in batches[r]))

        return build

    table = {OURS: runner(case.ours, lanes[OURS]), LOOP: runner(case.loop, lanes[LOOP])}
    timings = interleave(table, settings.repeats, settings.budget_s)
    timed = {name: Timed(timings[name], lanes[name]) for name in table}

    def row(name: str) -> Row:
        judge = functools.partial(_judge, case, name, lanes[name], batches, settings.dtype)
        aim = AIM[case.method] if name == LOOP else None
        return judged(suite, case.name, name, timed[name], timed[OURS], judge, aim=aim, compiles=name == OURS)

    return [row(name) for name in table]


def _judge(
    case: Case, name: str, lanes: int, batches: list[Batch], dtype: str, outputs: Outputs
) -> tuple[np.ndarray, dict[str, Any]]:
    given = [tuple(v[:lanes].astype(float) for v in batch) for batch in batches]
    errors = [case.error(b, np.asarray(out["x"], float)) for b, out in zip(given, outputs, strict=False)]
    error = np.concatenate(errors)
    return error <= (1e-5 if dtype == "float64" or name == LOOP else 1e-4), {"worst_error": float(np.max(error))}


def vmapped(one: Callable[..., Any]) -> Call:
    """The batch of ours."""

    def each(*data: Any) -> dict[str, Any]:
        res = one(*data)
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    solve = outer_jit(jax.vmap(each))
    return lambda batch: solve(*batch)


def looped(one: Callable[..., Any]) -> Call:
    """The loop of SciPy's."""

    def call(batch: Batch) -> dict[str, Any]:
        each = [one(*(np.asarray(v, float) for v in lane)) for lane in zip(*batch, strict=True)]
        turns = np.array([res.nfev for res in each])
        return {
            "x": np.stack([res.x for res in each]),
            "failed": np.array([not res.success for res in each]),
            "turns": turns,
        }

    return call


def _points(rng: np.random.Generator, lanes: int) -> Batch:
    """The point that is sought for, and right sides about (2, 6, 2)."""
    return rng.uniform(-1.0, 5.0, (lanes, 2)), np.array([2.0, 6.0, 2.0]) + rng.uniform(-1.0, 1.0, (lanes, 3))


def _nearest(method: str) -> Call:
    from jaxopt_lite import Bounds, minimize

    def one(point: Any, side: Any) -> Any:
        rows = jnp.asarray(ROWS, point.dtype)
        constraints = [{"type": "ineq", "fun": lambda x, i=i: jnp.dot(rows[i], x) + side[i]} for i in range(3)]
        start = jnp.array([2.0, 0.0], point.dtype)
        bounds = Bounds(jnp.zeros_like(start), jnp.full_like(start, jnp.inf))
        fun = lambda x: jnp.sum((x - point) ** 2)
        return minimize(fun, start, method=method, bounds=bounds, constraints=constraints)

    return vmapped(one)


def _nearest_loop(method: str) -> Call:
    def one(point: np.ndarray, side: np.ndarray) -> Any:
        constraints = [
            {"type": "ineq", "fun": lambda x, i=i: ROWS[i] @ x + side[i], "jac": lambda x, i=i: ROWS[i]} for i in range(3)
        ]
        fun, slope = lambda x: np.sum((x - point) ** 2), lambda x: 2.0 * (x - point)
        bounds = [(0.0, None)] * 2
        bend = {} if method == "SLSQP" else {"hess": lambda x: 2.0 * np.eye(2)}
        return scipy_minimize(fun, [2.0, 0.0], jac=slope, method=method, bounds=bounds, constraints=constraints, **bend)

    return looped(one)


def _nearest_error(batch: Batch, x: np.ndarray) -> np.ndarray:
    point, side = batch
    rows = np.concatenate([ROWS, np.eye(2)])
    sides = np.concatenate([side, np.zeros((len(side), 2))], axis=1)
    room = lambda at: at @ rows.T + sides
    on_lines = [point - (room(point)[:, k] / (rows[k] @ rows[k]))[:, None] * rows[k] for k in range(5)]
    pairs = [(i, j) for i, j in itertools.combinations(range(5), 2) if abs(np.linalg.det(rows[[i, j]])) > 1e-9]
    corners = [-sides[:, [i, j]] @ np.linalg.inv(rows[[i, j]]).T for i, j in pairs]
    candidates = np.stack([point, *on_lines, *corners], axis=1)
    feasible = np.all(candidates @ rows.T + sides[:, None] >= -1e-9, axis=-1)
    away = np.where(feasible, np.sum((candidates - point[:, None]) ** 2, axis=-1), np.inf).min(axis=1)
    return worse(np.sum((x - point) ** 2, axis=1), away, -room(x).min(axis=1))


def _sales(rng: np.random.Generator, lanes: int) -> Batch:
    """Prices, what each buyer can pay for, and how many shares there are: a part of what all can pay for."""
    prices, money = rng.uniform(0.05, 1.0, (lanes, BUYERS)), rng.integers(1, 4, (lanes, BUYERS))
    most = money / prices
    return prices, most, rng.uniform(0.1, 0.9, lanes) * most.sum(axis=1)


def _sold(method: str) -> Call:
    from jaxopt_lite import Bounds, minimize

    def one(prices: Any, most: Any, shares: Any) -> Any:
        constraint = {"type": "eq", "fun": lambda x: jnp.sum(x) - shares}
        bounds = Bounds(jnp.zeros_like(most), most)
        start = jnp.full_like(most, 0.5)
        return minimize(lambda x: -jnp.dot(prices, x), start, method=method, bounds=bounds, constraints=constraint)

    return vmapped(one)


def _sold_loop(method: str) -> Call:
    ones = np.ones(BUYERS)

    def one(prices: np.ndarray, most: np.ndarray, shares: np.ndarray) -> Any:
        constraint = {"type": "eq", "fun": lambda x: np.sum(x) - shares, "jac": lambda x: ones}
        bounds = [(0.0, top) for top in most]
        fun, slope = lambda x: -(prices @ x), lambda x: -prices
        return scipy_minimize(fun, 0.5 * ones, jac=slope, method=method, bounds=bounds, constraints=constraint)

    return looped(one)


def _sold_error(batch: Batch, x: np.ndarray) -> np.ndarray:
    prices, most, shares = batch
    order = np.argsort(-prices, axis=1)
    in_order = np.take_along_axis(most, order, axis=1)
    before = np.cumsum(in_order, axis=1) - in_order
    served = np.clip(shares[:, None] - before, 0.0, in_order)
    earned = np.sum(np.take_along_axis(prices, order, axis=1) * served, axis=1)
    violated = np.maximum(np.abs(x.sum(axis=1) - shares), np.maximum(-x, x - most).max(axis=1))
    return worse(-np.sum(prices * x, axis=1), -earned, violated)


def worse(value: np.ndarray, optimum: np.ndarray, violated: np.ndarray) -> np.ndarray:
    """The larger of the violation and the difference in value; inf where it is not finite."""
    error = np.maximum(np.abs(value - optimum) / np.maximum(1.0, np.abs(optimum)), violated)
    return np.where(np.isfinite(error), error, np.inf)


CASES = (
    Case("projection, n=2", "SLSQP", _points, _nearest, _nearest_loop, _nearest_error),
    Case("share seller, n=10", "SLSQP", _sales, _sold, _sold_loop, _sold_error),
    Case("projection, n=2, trust-constr", "trust-constr", _points, _nearest, _nearest_loop, _nearest_error),
)
