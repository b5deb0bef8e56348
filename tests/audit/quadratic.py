"""Random convex quadratic programs whose verdict is known by construction, and a judge that shares no code with them.

    optimal      x, y and z with complementary slackness; q = A'y + z - P x, and the optimum is known at x
    infeasible   two rows that contradict each other by 1 to 3 of their size
    unbounded    a feasible x and a direction d with P d = 0, A_eq d = 0, A_ub d <= 0 and q'd < 0, in small integers
    indefinite   a P with a negative eigenvalue: no program to be solved (status 7, BAD_INPUT)

The optimal ones have a P of full or of small rank, or none; equations that depend on one another; units of their own. A
claim of optimality is judged by the objective and the violations at x in float64, against the witness; SLACK says how far.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite import quadprog
from tests.audit import Outcome

ROWS = ("interior-point in quadprog",)
N, INEQUALITIES, EQUATIONS = 5, 4, 2
SLACK = {"float64": 1e-6, "float32": 2e-2}  # 100 times the default tolerance, relative to the terms of a sum
CLAIMS = (0, 2, 3, 7, 8)


class Program(NamedTuple):
    """Lanes of a kind; the status that is right, and a feasible point, an optimal one where that is 0."""

    P: np.ndarray  # (lanes, n, n)
    q: np.ndarray  # (lanes, n)
    A_ub: np.ndarray
    b_ub: np.ndarray
    A_eq: np.ndarray
    b_eq: np.ndarray
    lower: np.ndarray  # (lanes, n)
    upper: np.ndarray
    x: np.ndarray


def _box(rng: np.random.Generator, lanes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds, of which three in ten are not there on each side, and a point within them."""
    lower = np.where(rng.random((lanes, N)) < 0.3, -np.inf, rng.normal(size=(lanes, N)) - 1)
    width = rng.exponential(size=(lanes, N)) + 0.1
    upper = np.where(
        rng.random((lanes, N)) < 0.3, np.inf, np.where(lower > -np.inf, lower + 2 * width, rng.normal(size=(lanes, N)))
    )
    low, high = (
        np.where(lower > -np.inf, lower, np.where(upper < np.inf, upper - 3, -1.5)),
        np.where(upper < np.inf, upper, 1.5),
    )
    high = np.maximum(high, low)
    return lower, upper, low + rng.random((lanes, N)) * (high - low)


def optimal(rng: np.random.Generator, lanes: int, rank: int, dependent: bool = False, units: float = 0.0) -> Program:
    """From a pair with complementary slackness; units of rows, columns and the objective are powers of two."""
    G = rng.standard_normal((lanes, N, rank))
    P = G @ G.transpose(0, 2, 1)
    A_ub, A_eq = rng.standard_normal((lanes, INEQUALITIES, N)), rng.standard_normal((lanes, EQUATIONS, N))
    if dependent:
        A_eq[:, 1] = -2 * A_eq[:, 0]
    lower, upper, x = _box(rng, lanes)
    held, push = rng.random((lanes, N)) < 0.3, rng.exponential(size=(lanes, N))
    low, high = held & (lower > -np.inf), held & (lower == -np.inf) & (upper < np.inf)
    x = np.where(low, lower, np.where(high, upper, x))
    z = np.where(low, push, np.where(high, -push, 0.0))
    active = rng.random((lanes, INEQUALITIES)) < 0.3
    y_ub = np.where(active, -rng.exponential(size=active.shape), 0.0)
    y_eq = rng.normal(size=(lanes, EQUATIONS))
    power = lambda *shape: 2.0 ** np.round(rng.uniform(-units, units, (lanes, *shape)))
    S, T, E, K = power(N), power(INEQUALITIES), power(EQUATIONS), power(1)
    if dependent:
        E = np.ones_like(E)
    A_ub, A_eq = A_ub * T[:, :, None] / S[:, None], A_eq * E[:, :, None] / S[:, None]
    P, z = K[:, :, None] * P / S[:, :, None] / S[:, None], K * z / S
    lower, upper, x, y_ub, y_eq = lower * S, upper * S, x * S, K * y_ub / T, K * y_eq / E
    times = lambda A, v: np.einsum("kij,kj->ki", A, v)
    q = times(A_ub.transpose(0, 2, 1), y_ub) + times(A_eq.transpose(0, 2, 1), y_eq) + z - times(P, x)
    room = np.where(active, 0.0, rng.exponential(size=active.shape) * T)
    return Program(P, q, A_ub, times(A_ub, x) + room, A_eq, times(A_eq, x), lower, upper, x)


def infeasible(rng: np.random.Generator, lanes: int) -> Program:
    """The second row is the first one, turned around, with a right side that contradicts it."""
    made = optimal(rng, lanes, 3)
    A, b = made.A_ub.copy(), made.b_ub.copy()
    A[:, 1] = -A[:, 0]
    b[:, 1] = -b[:, 0] - rng.uniform(1, 3, lanes) * (np.abs(b[:, 0]) + np.abs(A[:, 0]).sum(1))
    return made._replace(A_ub=A, b_ub=b)


def unbounded(rng: np.random.Generator, lanes: int) -> Program:
    """All that is orthogonal to d is so in integers."""
    d = rng.integers(-1, 2, (lanes, N)).astype(float)
    d[:, 0] = rng.choice([-1.0, 1.0], lanes)
    small = lambda *shape: rng.integers(-3, 4, (lanes, *shape)).astype(float)

    def level(a: np.ndarray) -> np.ndarray:
        """Rows (lanes, k, n) with a d = 0: the first entry is chosen so."""
        a[:, :, 0] -= np.einsum("kij,kj->ki", a, d) * d[:, :1]
        return a

    G, A_eq, A_ub = level(small(3, N)), level(small(EQUATIONS, N)), small(INEQUALITIES, N)
    A_ub *= np.where(np.einsum("kij,kj->ki", A_ub, d) > 0, -1.0, 1.0)[:, :, None]
    q = small(N)
    q[:, 0] -= (np.sum(q * d, 1) + rng.integers(1, 4, lanes)) * d[:, 0]
    lower, upper, x = _box(rng, lanes)
    lower, upper = np.where(d < 0, -np.inf, lower), np.where(d > 0, np.inf, upper)
    b_ub = np.einsum("kij,kj->ki", A_ub, x) + rng.exponential(size=(lanes, INEQUALITIES))
    return Program(G.transpose(0, 2, 1) @ G, q, A_ub, b_ub, A_eq, np.einsum("kij,kj->ki", A_eq, x), lower, upper, x)


def indefinite(rng: np.random.Generator, lanes: int) -> Program:
    """A convex one, bent down along a direction by a tenth of its size."""
    made = optimal(rng, lanes, N)
    d = rng.standard_normal((lanes, N))
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    along = np.einsum("ki,kij,kj->k", d, made.P, d)
    size = np.linalg.norm(made.P, axis=(1, 2))
    return made._replace(P=made.P - (along + 0.1 * size)[:, None, None] * d[:, :, None] * d[:, None])


def families(rng: np.random.Generator, lanes: int) -> dict[str, tuple[Program, int]]:
    """Each with its status."""
    return {
        "definite": (optimal(rng, lanes, N), 0),
        "flat": (optimal(rng, lanes, 2), 0),
        "linear": (optimal(rng, lanes, 0), 0),
        "dependent": (optimal(rng, lanes, 3, dependent=True), 0),
        "units": (optimal(rng, lanes, 3, units=10.0), 0),
        "infeasible": (infeasible(rng, lanes), 2),
        "unbounded": (unbounded(rng, lanes), 3),
        "indefinite": (indefinite(rng, lanes), 7),
    }


def _optimum_holds(p: Program, x: np.ndarray, slack: float) -> np.ndarray:
    """(lanes,) bool: violations and objective, relative to the terms of each sum."""

    def value(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bent = np.einsum("ki,kij->kj", x, p.P) * x
        return np.sum(0.5 * bent + p.q * x, 1), np.sum(np.abs(bent) + np.abs(p.q * x), 1)

    rows = lambda A: (np.einsum("kij,kj->ki", A, x), np.einsum("kij,kj->ki", np.abs(A), np.abs(x)))
    (ub, ub_terms), (eq, eq_terms) = rows(p.A_ub), rows(p.A_eq)
    typical = lambda A: np.einsum("kij,kj->ki", np.abs(A), np.abs(p.x))
    holds = np.all(ub - p.b_ub <= slack * (ub_terms + np.abs(p.b_ub) + typical(p.A_ub)), 1)
    holds &= np.all(np.abs(eq - p.b_eq) <= slack * (eq_terms + np.abs(p.b_eq) + typical(p.A_eq)), 1)
    beyond = np.maximum(p.lower - x, x - p.upper)
    holds &= np.all(beyond <= slack * (np.abs(x) + np.abs(p.x)), 1)
    (f, terms), (best, best_terms) = value(x), value(p.x)
    return holds & (np.abs(f - best) <= slack * (terms + best_terms))


def audit(row: str, lanes: int, dtype: str, seed: int) -> dict[str, Outcome]:
    """All families; one program."""
    rng = np.random.default_rng(seed)

    def one(P: Any, q: Any, A: Any, b: Any, E: Any, e: Any, lower: Any, upper: Any) -> Any:
        res = quadprog(P, q, A, b, E, e, jnp.stack([lower, upper], 1))
        return res.x, res.status

    solve, found = jax.jit(jax.vmap(one)), {}
    for name, (made, wanted) in families(rng, lanes).items():
        given = Program(*(part.astype(dtype) for part in made))
        x, status = (np.asarray(v) for v in solve(*given[:-1]))
        exact = Program(*(part.astype(float) for part in given))._replace(x=made.x)
        success = np.isin(status, (0, 8))
        right = np.where(success, (wanted == 0) & _optimum_holds(exact, x.astype(float), SLACK[dtype]), status == wanted)
        found[name] = Outcome(np.isin(status, CLAIMS), right, functools.partial(_show, given, x, status))
    return found


def _show(given: Program, x: np.ndarray, status: np.ndarray, lane: int) -> str:
    parts = " ".join(f"{name}={part[lane].tolist()}" for name, part in zip(Program._fields, given, strict=True))
    return f"status {status[lane]} at x {x[lane].tolist()} of {parts}"
