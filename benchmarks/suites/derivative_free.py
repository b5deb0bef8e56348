"""Suite `derivative_free`: 10,000 uniform starts in [-2, 2]^4 of the Rosenbrock function, by values alone.

Nelder-Mead and Powell beside a loop over SciPy's methods of the same name, and the former beside `jax.vmap` of Optimistix's.
All have their default tolerances; Optimistix, which has none, gets SciPy's 1e-4 of x and f. `reached` counts lanes with a
value within 1e-4 of one of the function's two minima (0 and 3.70); `wrong` those that are claimed and not reached.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from scipy.optimize import minimize as scipy_minimize
from scipy.optimize import rosen

from benchmarks.contenders import outer_jit
from benchmarks.problems import rosenbrock, uniform_starts
from benchmarks.records import OURS, Row, Settings
from benchmarks.rows import Outputs, Timed, judged
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
    return rows


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
