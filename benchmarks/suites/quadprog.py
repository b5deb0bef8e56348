"""Suite `quadprog`: batches of small convex quadratic programs, each lane with data of its own.

    minimize  x'P x / 2 + q'x   subject to   A x = b,   lower <= x <= upper

- 20 variables, 10 equations, boxes: ours beside `jax.vmap` of qpax and a loop over PIQP, a solver in C++ whose memory is set
  up once. Ours and PIQP are asked for 1e-8, qpax, which measures absolutely and stalls below, for 1e-6.
- The table: ours alone, for other numbers of equations, variables and lanes; `extra` has the programs a second.

What is reached is proved in float64. With the multipliers y of the equations that a contender gives, r = P x + q + A'y and
convexity, no point of the box with A x' = b has a value lower than that of x by more than

    gap = sum_i max(r_i (x_i - lower_i), -r_i (upper_i - x_i)) + |y'(A x - b)|.

The gap, relative to 1 + x'P x / 2 + sum |q_i x_i|, and the violations, relative to 1 + |b|, are at most 1e-6 (in float32
1e-3).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.contenders import outer_jit
from benchmarks.records import OURS, Row, Settings
from benchmarks.rows import Outputs, Timed, judged
from benchmarks.timing import interleave

RACE = (10, 20)  # equations, variables
TABLE = ((2, 5), (10, 20), (25, 50))
LANES = (1_000, 10_000)
MOST_NUMBERS = 1e7  # of the matrices of a batch
QPAX, PIQP = "qpax vmap", "PIQP loop"
TOL, QPAX_TOL, CAPS = 1e-8, {"float64": 1e-6, "float32": 1e-3}, {PIQP: 1000}
AIMS = {QPAX: ">= 3x", PIQP: ">= 2x"}


class Programs(NamedTuple):
    """One lane a program."""

    P: Any  # (lanes, n, n)
    q: Any  # (lanes, n)
    A: Any  # (lanes, m, n)
    b: Any  # (lanes, m)
    lower: Any  # (lanes, n)
    upper: Any


Call = Callable[[Programs], dict[str, Any]]


def run(settings: Settings) -> list[Row]:
    """The race, and the table."""
    return _race(settings) + _table(settings)


def draw(lanes: int, m: int, n: int, dtype: str, seed: int) -> Programs:
    """Programs with a point in the box that satisfies the equations; about a third of the bounds hold at the solution."""
    rng = np.random.default_rng([19, m, n, seed])
    G, A = rng.standard_normal((lanes, n, n)), rng.standard_normal((lanes, m, n))
    lower, width = -rng.exponential(size=(lanes, n)), rng.exponential(size=(lanes, n)) + 0.1
    inside = lower + width * rng.random((lanes, n))
    P, b = G @ G.transpose(0, 2, 1) / n, np.einsum("kij,kj->ki", A, inside)
    made = Programs(P, rng.standard_normal((lanes, n)), A, b, lower, lower + width)
    return Programs(*(v.astype(dtype) for v in made))


def _some(programs: Programs, lanes: int) -> Programs:
    return Programs(*(v[:lanes] for v in programs))


def _race(settings: Settings) -> list[Row]:
    batches = [draw(settings.lanes, *RACE, settings.dtype, r) for r in range(settings.repeats)]
    table: dict[str, Callable[[], Call]] = {OURS: _ours, QPAX: _qpax, PIQP: _piqp}
    lanes = {name: min(settings.lanes, CAPS.get(name, settings.lanes)) for name in table}

    here = {name: [_some(batch, lanes[name]) for batch in batches] for name in table}
    build = {name: functools.partial(_called, make, here[name], name == PIQP) for name, make in table.items()}
    timings = interleave(build, settings.repeats, settings.budget_s)
    case = f"{RACE[0]}x{RACE[1]}"
    timed = {name: Timed(timings[name], lanes[name]) for name in table}
    return [_row(case, name, timed[name], timed[OURS], batches, settings) for name in table]


def _called(make: Callable[[], Call], batches: list[Programs], on_host: bool = False) -> Callable[[int], Any]:
    """What solves the batch of a round, which lies where it is solved."""
    call, place = make(), (np.asarray if on_host else jnp.asarray)
    placed = [Programs(*(place(v) for v in batch)) for batch in batches]
    return lambda r: call(placed[r])


def _table(settings: Settings) -> list[Row]:
    rows = []
    for m, n in TABLE[:1] if settings.quick else TABLE:
        for lanes in (k for k in LANES if k <= 10 * settings.lanes and k * n * (n + m) <= MOST_NUMBERS):
            batches = [draw(lanes, m, n, settings.dtype, r) for r in range(min(3, settings.repeats))]
            timing = interleave({OURS: functools.partial(_called, _ours, batches)}, len(batches), settings.budget_s)[OURS]
            timed = Timed(timing, lanes)
            rows.append(_row(f"{m}x{n}, {lanes:,} lanes", OURS, timed, timed, batches, settings))
    return rows


def _row(case: str, name: str, mine: Timed, ours: Timed, batches: list[Programs], settings: Settings) -> Row:
    def judge(outputs: Outputs) -> tuple[np.ndarray, dict[str, Any]]:
        pairs = zip(batches, outputs, strict=False)
        error = np.concatenate([_error(_some(batch, mine.lanes), out) for batch, out in pairs])
        right = error <= (1e-6 if settings.dtype == "float64" or name == PIQP else 1e-3)
        rate = mine.lanes / mine.timing.median_s
        return right, {"worst": float(error.max()), "median": float(np.median(error)), "programs_a_second": rate}

    how = {"unit": "us a program", "aim": AIMS.get(name), "compiles": name != PIQP}
    return judged("quadprog", case, name, mine, ours, judge, **how)


def _error(programs: Programs, out: dict[str, Any]) -> np.ndarray:
    """(lanes,) the larger of gap and violations, in float64; inf where it is not finite."""
    p = Programs(*(np.asarray(v, float) for v in programs))
    x, y = (np.asarray(out[key], float) for key in ("x", "y"))
    times = lambda M, v: np.einsum("kij,kj->ki", M, v)
    bent, missed = times(p.P, x), times(p.A, x) - p.b
    r = bent + p.q + times(p.A.transpose(0, 2, 1), y)
    gap = np.sum(np.maximum(r * (x - p.lower), -r * (p.upper - x)), 1) + np.abs(np.sum(y * missed, 1))
    gap /= 1.0 + np.sum(0.5 * x * bent + np.abs(p.q * x), 1)
    violated = np.maximum(np.abs(missed).max(1) / (1.0 + np.abs(p.b).max(1)), np.maximum(p.lower - x, x - p.upper).max(1))
    error = np.maximum(gap, violated)
    return np.where(np.isfinite(error), error, np.inf)


def _ours() -> Call:
    from jaxopt_lite import quadprog

    def one(p: Programs) -> dict[str, Any]:
        res = quadprog(p.P, p.q, A_eq=p.A, b_eq=p.b, bounds=jnp.stack([p.lower, p.upper], axis=1))
        return {"x": res.x, "y": -res.eqlin.marginals, "failed": ~res.success, "turns": res.nit}

    return outer_jit(jax.vmap(one))


def _qpax() -> Call:
    import qpax

    def one(p: Programs) -> dict[str, Any]:
        eye = jnp.eye(p.q.shape[0], dtype=p.q.dtype)
        G, h = jnp.concatenate([eye, -eye]), jnp.concatenate([p.upper, -p.lower])
        tol = QPAX_TOL[p.q.dtype.name]
        x, _, _, y, converged, nit = qpax.solve_qp(p.P, p.q, p.A, p.b, G, h, solver_tol=tol)
        return {"x": x, "y": y, "failed": converged == 0, "turns": nit}

    return outer_jit(jax.vmap(one))


def _piqp() -> Call:
    import piqp

    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = TOL
    started: list[bool] = []

    def one(p: Programs) -> tuple[np.ndarray, np.ndarray, bool, int]:
        P, q, A, b, lower, upper = (np.asfortranarray(v, float) for v in p)
        (solver.update if started else solver.setup)(P=P, c=q, A=A, b=b, x_l=lower, x_u=upper)
        started.append(True)
        status = solver.solve()
        result = solver.result
        return result.x.copy(), result.y.copy(), status != piqp.PIQP_SOLVED, result.info.iter

    def call(programs: Programs) -> dict[str, Any]:
        each = [one(Programs(*lane)) for lane in zip(*programs, strict=True)]
        return dict(zip(("x", "y", "failed", "turns"), map(np.array, zip(*each, strict=True)), strict=True))

    return call
