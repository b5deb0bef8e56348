"""Suite `derivative_free`: by values alone, the Rosenbrock function from 10,000 starts, and a problem under constraints.

*Rosenbrock*, uniform starts in [-2, 2]^4: Nelder-Mead and Powell beside a loop over SciPy's methods of the same name, and
the former beside `jax.vmap` of Optimistix's. All have their default tolerances; Optimistix, which has none, gets SciPy's
1e-4 of x and f. `reached` counts lanes with a value within 1e-4 of one of the function's two minima (0 and 3.70); `wrong`
those that are claimed and not reached.

*Quadratics*: COBYLA beside SciPy's, four variables and three curved rows, about the problem of Rosen and Suzuki (number 43
of Hock and Schittkowski) with random slopes and right sides. All terms are separable and convex, so that multipliers bound
the optimum from below in closed form: `reached` as in the suite `constrained`, by that bound.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen

from benchmarks.contenders import outer_jit
from benchmarks.problems import rosenbrock, uniform_starts
from benchmarks.records import OURS, Row, Settings
from benchmarks.rows import Outputs, Timed, judged
from benchmarks.suites import constrained
from benchmarks.timing import interleave

N, TOL, MAXITER = 4, 1e-4, 4096
MINIMA = (0.0, 3.7014288)  # values of the two minima of the function of four variables
LOOP, PEER = "SciPy loop", "Optimistix vmap"
LANES = {LOOP: 20}  # problems that a call of a contender solves, where not all
AIMS = {LOOP: ">= 400x", PEER: ">= 3x"}
Call = Callable[[Any], dict[str, Any]]  # starts (lanes, n) -> x, failed and, where it is known, turns


def run(settings: Settings) -> list[Row]:
    """Both methods."""
    batches = [uniform_starts(settings.lanes, N, settings.dtype, r) for r in range(settings.repeats)]
    rows = []
    for method, peers in (("Nelder-Mead", {LOOP: _loop, PEER: _optimistix}), ("Powell", {LOOP: _loop})):
        rows += _race(method, {OURS: _ours} | peers, batches, settings)
    return rows + constrained.race("derivative_free", QUADRATICS, settings)


def _race(method: str, table: dict[str, Callable[[str], Call]], batches: list[np.ndarray], settings: Settings) -> list[Row]:
    lanes = {name: min(settings.lanes, LANES.get(name, settings.lanes)) for name in table}

    def runner(name: str) -> Callable[[], Callable[[int], Any]]:
        def build() -> Callable[[int], Any]:
            call = table[name](method)
            return lambda r: call(batches[r][: lanes[name]])

        return build

    timings = interleave({name: runner(name) for name in table}, settings.repeats, settings.budget_s)
    timed = {name: Timed(timings[name], lanes[name]) for name in table}
    make = functools.partial(judged, "derivative_free", method)
    return [make(name, timed[name], timed[OURS], _judge, aim=AIMS.get(name), compiles=name == OURS) for name in table]


def _judge(outputs: Outputs) -> tuple[np.ndarray, dict[str, Any]]:
    value = rosen(np.concatenate([np.asarray(out["x"], float) for out in outputs]).T)
    return np.min([np.abs(value - least) for least in MINIMA], axis=0) <= TOL, {}


def _ours(method: str) -> Call:
    from jaxopt_lite import minimize

    def one(x0: Any) -> dict[str, Any]:
        res = minimize(rosenbrock, x0, method=method)
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return outer_jit(jax.vmap(one))


def _loop(method: str) -> Call:
    def call(starts: Any) -> dict[str, Any]:
        each = [scipy_minimize(rosen, np.asarray(x0, float), method=method) for x0 in starts]
        turns = np.array([r.nfev for r in each])
        return {"x": np.stack([r.x for r in each]), "failed": np.array([not r.success for r in each]), "turns": turns}

    return call


def _optimistix(method: str) -> Call:
    import optimistix

    solver = optimistix.NelderMead(rtol=TOL, atol=TOL)

    def one(x0: Any) -> dict[str, Any]:
        sol = optimistix.minimise(lambda x, _: rosenbrock(x), solver, x0, max_steps=MAXITER, throw=False)
        return {"x": sol.value, "failed": sol.result != optimistix.RESULTS.successful}

    return outer_jit(jax.vmap(one))


SQUARES = np.array([[1.0, 1.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 1.0, 2.0], [2.0, 1.0, 1.0, 0.0]])  # f and rows
SLOPES = np.array([[-5.0, -5.0, -21.0, 7.0], [1.0, -1.0, 1.0, -1.0], [-1.0, 0.0, 0.0, -1.0], [2.0, -1.0, 0.0, -1.0]])
SIDES = np.array([8.0, 10.0, 5.0])


def _quadratics(rng: np.random.Generator, lanes: int) -> constrained.Batch:
    """Slopes of f, and right sides."""
    return SLOPES[0] + rng.uniform(-3.0, 3.0, (lanes, 4)), SIDES + rng.uniform(-2.0, 2.0, (lanes, 3))


def _solved(method: str) -> constrained.Call:
    from jaxopt_lite import minimize

    def one(slope: Any, side: Any) -> Any:
        q, b = jnp.asarray(SQUARES, slope.dtype), jnp.asarray(SLOPES, slope.dtype)
        rows = {"type": "ineq", "fun": lambda x: side - jnp.sum(q[1:] * (x * x)[None] + b[1:] * x[None], axis=1)}
        fun = lambda x: jnp.sum(q[0] * x * x + slope * x)
        return minimize(fun, jnp.zeros_like(slope), method=method, constraints=rows)

    return constrained.vmapped(one)


def _solved_loop(method: str) -> constrained.Call:
    def one(slope: np.ndarray, side: np.ndarray) -> Any:
        rows = {"type": "ineq", "fun": lambda x: side - SQUARES[1:] @ (x * x) - SLOPES[1:] @ x}
        return scipy_minimize(lambda x: SQUARES[0] @ (x * x) + slope @ x, np.zeros(4), method=method, constraints=rows)

    return constrained.looped(one)


def _above_its_bound(batch: constrained.Batch, x: np.ndarray) -> np.ndarray:
    """The larger of the violation and what f is above its dual bound, by the best of the multipliers of each set of rows."""
    slope, side = batch
    fun = np.sum(SQUARES[0] * x * x + slope * x, axis=1)
    room = side - (x * x) @ SQUARES[1:].T - x @ SLOPES[1:].T
    g, A = 2 * SQUARES[0] * x + slope, 2 * SQUARES[1:] * x[:, None] + SLOPES[1:]  # (lanes, 4), (lanes, 3, 4)
    bound = np.full(len(x), -np.inf)
    for held in itertools.product((0.0, 1.0), repeat=3):
        y = np.maximum(-np.einsum("kji,kj->ki", np.linalg.pinv(A * np.array(held)[:, None]), g), 0.0)
        q, b = SQUARES[0] + y @ SQUARES[1:], slope + y @ SLOPES[1:]
        bound = np.maximum(bound, -np.sum(b * b / (4 * q), axis=1) - np.sum(y * side, axis=1))
    return constrained.worse(fun, bound, -room.min(axis=1))


QUADRATICS = constrained.Case("quadratics, n=4, COBYLA", "COBYLA", _quadratics, _solved, _solved_loop, _above_its_bound)
