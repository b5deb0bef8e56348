"""Suite `scalar`: a million problems of one variable, beside SciPy's loops and SciPy's own vectorized solvers.

    f(x) = x^3 - x - p,   F(x) = x^4/4 - x^2/2 - p x,   p uniform in [0.5, 5]: the zero of f is the minimizer of F   (1)

- `brentq`: the zero in the bracket (1, 2). SciPy loop: `root_scalar(method="brentq")`. elementwise: `find_root`.
- `newton`: the zero from x0 = 2. SciPy loop: `root_scalar(method="newton")` with f'. SciPy array: one `newton` of all.
- `brent`: the minimizer, from the points (0, 1). SciPy loop: `minimize_scalar`. elementwise: `bracket_minimum` from the
  same points and `find_minimum`; or `find_minimum` alone, its brackets made off the clock.

All with their default tolerances; ours and the loop evaluate the same expressions. `reached` counts lanes with
|f(x)| <= 1e-9 (for `brent`, which knows x to sqrt(eps), 1e-6; in float32 1e-4 and 0.05).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import outer_jit
from benchmarks.records import OURS, Row, Settings
from benchmarks.rows import Outputs, Timed, judged
from benchmarks.timing import Timing, interleave

LOOP, GIVEN = "SciPy loop", "elementwise, brackets given"
LOOP_LANES = 5_000  # problems that a call of a loop solves: about a quarter of a second
BRACKET, START, FIRST = (1.0, 2.0), 2.0, (0.0, 1.0)
ROOT = {"float64": 1e-9, "float32": 1e-4}  # |f| of a right answer, see above
MINIMUM = {"float64": 1e-6, "float32": 5e-2}
AIMS = {
    ("brent", LOOP): ">= 150x",
    ("brent", GIVEN): ">= 2x",
}
Call = Callable[[Any], dict[str, Any]]  # p (lanes,) -> x, failed and, where it is known, turns


def f(x: Any, p: Any) -> Any:
    """The function of (1) whose zero is sought."""
    return x**3 - x - p


def slope(x: Any, p: Any) -> Any:
    """Its derivative."""
    return 3 * x**2 - 1


def potential(x: Any, p: Any) -> Any:
    """The function of (1) whose minimum is sought."""
    return x**4 / 4 - x**2 / 2 - p * x


def run(settings: Settings) -> list[Row]:
    """All cases."""
    rng = [np.random.default_rng(r) for r in range(settings.repeats)]
    batches = [g.uniform(0.5, 5.0, settings.lanes).astype(settings.dtype) for g in rng]
    return [row for case, table in CASES.items() for row in _race(case, table, batches, settings)]


def _race(case: str, table: dict[str, Callable[[], Call]], batches: list[np.ndarray], settings: Settings) -> list[Row]:
    lanes = {name: min(settings.lanes, LOOP_LANES) if name == LOOP else settings.lanes for name in table}
    build = {name: _runner(name, make, batches, lanes[name]) for name, make in table.items()}
    timings = interleave(build, settings.repeats, settings.budget_s)
    return [_row(case, name, timings[name], timings[OURS], lanes, batches, settings) for name in table]


def _runner(
    name: str, make: Callable[[], Call], batches: list[np.ndarray], lanes: int
) -> Callable[[], Callable[[int], Any]]:
    def build() -> Callable[[int], Any]:
        call = make()
        here: list[Any] = [jnp.asarray(p) if name == OURS else np.asarray(p[:lanes], float) for p in batches]
        if name == GIVEN:
            here = [(p, _bracket(p)) for p in here]
        return lambda r: call(here[r])

    return build


def _row(
    case: str, name: str, timing: Timing, ours: Timing, lanes: dict[str, int], batches: list[np.ndarray], settings: Settings
) -> Row:
    mine = lanes[name]

    def judge(outputs: Outputs) -> tuple[np.ndarray, dict[str, Any]]:
        pairs = [(np.asarray(out["x"], float), p[:mine].astype(float)) for out, p in zip(outputs, batches, strict=False)]
        residual = np.concatenate([np.abs(f(x, p)) for x, p in pairs])
        rounds = [seconds / mine * 1e6 for seconds in timing.rounds_s]
        right = residual <= (MINIMUM if case == "brent" else ROOT)[settings.dtype]
        return right, {"worst_residual": float(np.max(residual)), "rounds_us": rounds}

    both = Timed(timing, mine), Timed(ours, lanes[OURS])
    return judged("scalar", case, name, *both, judge, aim=AIMS.get((case, name)), compiles=name == OURS)


def _ours_root(method: str, **start: Any) -> Call:
    from jaxopt_lite import root_scalar

    def one(p: Any) -> dict[str, Any]:
        at = {name: jax.tree.map(lambda v: jnp.asarray(v, p.dtype), value) for name, value in start.items()}
        res = root_scalar(f, (p,), method=method, **at)
        return {"x": res.root, "failed": ~res.converged, "turns": res.function_calls}

    return outer_jit(jax.vmap(one))


def _ours_minimum() -> Call:
    from jaxopt_lite import minimize_scalar

    def one(p: Any) -> dict[str, Any]:
        bracket = tuple(jnp.asarray(v, p.dtype) for v in FIRST)
        res = minimize_scalar(potential, bracket, args=(p,), method="brent")
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return outer_jit(jax.vmap(one))


def _loop(solve: Callable[[float], tuple[float, bool, int]]) -> Call:
    """SciPy called once a problem, on Python numbers."""

    def call(p: np.ndarray) -> dict[str, Any]:
        x, success, turns = zip(*map(solve, p.tolist()), strict=True)
        return {"x": np.array(x), "failed": ~np.array(success), "turns": np.array(turns)}

    return call


def _brentq_loop() -> Call:
    from scipy.optimize import root_scalar

    def solve(p: float) -> tuple[float, bool, int]:
        res = root_scalar(f, (p,), method="brentq", bracket=BRACKET)
        return res.root, res.converged, res.function_calls

    return _loop(solve)


def _newton_loop() -> Call:
    from scipy.optimize import root_scalar

    def solve(p: float) -> tuple[float, bool, int]:
        res = root_scalar(f, (p,), method="newton", x0=START, fprime=slope)
        return res.root, res.converged, res.function_calls

    return _loop(solve)


def _brent_loop() -> Call:
    from scipy.optimize import minimize_scalar

    def solve(p: float) -> tuple[float, bool, int]:
        res = minimize_scalar(potential, FIRST, args=(p,), method="brent")
        return res.x, res.success, res.nfev

    return _loop(solve)


def _find_root() -> Call:
    from scipy.optimize import elementwise

    def call(p: np.ndarray) -> dict[str, Any]:
        res = elementwise.find_root(f, BRACKET, args=(p,))
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return call


def _array_newton() -> Call:
    from scipy.optimize import newton

    def call(p: np.ndarray) -> dict[str, Any]:
        res = newton(f, np.full(p.shape, START), slope, (p,), full_output=True, disp=False)
        return {"x": res.root, "failed": ~res.converged}

    return call


def _bracket(p: np.ndarray) -> Any:
    from scipy.optimize import elementwise

    xl, xr = (np.full(p.shape, x) for x in FIRST)
    return elementwise.bracket_minimum(potential, xl, xr0=xr, args=(p,)).bracket


def _find_minimum() -> Call:
    from scipy.optimize import elementwise

    def call(p: np.ndarray | tuple[np.ndarray, Any]) -> dict[str, Any]:
        p, bracket = p if isinstance(p, tuple) else (p, _bracket(p))
        res = elementwise.find_minimum(potential, bracket, args=(p,))
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return call


CASES: dict[str, dict[str, Callable[[], Call]]] = {
    "brentq": {OURS: lambda: _ours_root("brentq", bracket=BRACKET), LOOP: _brentq_loop, "elementwise.find_root": _find_root},
    "newton": {OURS: lambda: _ours_root("newton", x0=START), LOOP: _newton_loop, "SciPy array newton": _array_newton},
    "brent": {
        OURS: _ours_minimum,
        LOOP: _brent_loop,
        "elementwise": _find_minimum,
        GIVEN: _find_minimum,
    },
}
