"""`minimize` under constraints: are its claims true? The problems are those of `nonlinear.py`.

A claim of a minimum at x (status 0 or 8) is right if three things hold, in float64 of the data as they were given.

**x is feasible.** It is in the bounds exactly, and no row is violated by more than 1.1 ftol + 16 (noise + spread): noise is
the largest difference between the row in the lane's dtype and in longdouble at 24 points within two units in the last place
of x, and spread its largest change when x and all data change by as much. Both are measured.

**Nothing is left to gain**, in either of two ways. (A) There are multipliers (SciPy's NNLS) with which the gradient of the
Lagrangian, on a way as long as x or as the way from x0, and the slacks are worth no more than

    10 ftol  +  100 eps |f|  +  16 (noise + spread of f)  +  16 sum_i |y_i| (noise + spread of row i).

(B) SciPy's SLSQP, started at x with bounds a tenth of x away, finds no feasible point that is lower by more than that. At
kinks both judge the same problem without them (`nonlinear.lifted`). A value far away is no reproach, and a saddle is none.

COBYLA is asked for a last radius. Its promise of f and of the rows is the default ftol.

**There is something to be feasible for.** Of an infeasible problem no claim of a minimum is right.

A claim that the constraints contradict each other (status 2) is right where they do; elsewhere it is where least squares of
the violations, started at x, end at more than ftol: then x is a minimum of the violation that is not zero.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from jaxopt_lite import Bounds, NonlinearConstraint, minimize
from tests.audit import Outcome
from tests.audit.nonlinear import GROUPS, OBJECTIVES, Data, Drawn, Kind, N, base, lifted
from tests.audit.nonlinear import ROWS as ROW_KINDS

ROWS = ("SLSQP", "trust-constr", "COBYLA")
FTOL = {"float64": 1e-6, "float32": 6.4e-6}  # the defaults that the package promises
MAXITER = {"SLSQP": 200, "trust-constr": 200, "COBYLA": 1000}
NEAR, CLOSE = 24, 0.1  # points about x; the part of x that (B) may move
TENFOLD, ROUNDED = 10.0, 16.0
ACTIVE = 1e-3  # rows with less slack than this, in units of their slope, may have a multiplier
LONG = np.longdouble


class Lanes:
    """What was given, and what came back."""

    def __init__(self, drawn: Drawn, ftol: np.ndarray, x: np.ndarray, status: np.ndarray) -> None:
        self.drawn, self.ftol, self.x, self.status = drawn, ftol, x, status
        self.exact = Data(*(v.astype(np.float64) for v in drawn.data))

    def lane(self, i: int) -> Data:
        """The data of one lane."""
        return Data(*(v[i] for v in self.exact))


def audit(row: str, lanes: int, dtype: str, seed: int, part: tuple[int, int] = (0, 1)) -> dict[str, Outcome]:
    """All kinds, each with `lanes` lanes, a program a group; or the i-th of k parts of the groups."""
    found: dict[str, Outcome] = {}
    for group, (kinds, equations, rows) in list(GROUPS.items())[part[0] :: part[1]]:
        for i, kind in enumerate(kinds):
            rng = np.random.default_rng([seed, equations, i])
            drawn = kind.draw(rng, base(rng, lanes, equations, rows), dtype == "float32")
            drawn = jax.tree.map(lambda v: v.astype(dtype), drawn)
            given = FTOL[dtype] * np.where(rng.random(lanes) < 0.5, 1.0, 10.0 ** rng.uniform(-6, 2, lanes))
            ftol = np.where(rng.random(lanes) < 0.1, 0.0, given).astype(dtype)
            which = np.tile(np.array([kind.objective, kind.rows], np.int32), (lanes, 1))
            x, status = (np.asarray(v) for v in _solver(row, equations, rows)(which, *drawn, ftol))
            promised = ftol if row != "COBYLA" else np.full_like(ftol, FTOL[dtype])
            ended = Lanes(drawn, promised, x, status)
            claimed = np.isin(status, (0, 2, 8))
            show = functools.partial(_show, kind, equations, ended)
            found[f"{group[:2]} {kind.name}"[:16]] = Outcome(claimed, _right(kind, equations, ended), show)
    return found


@functools.cache
def _solver(row: str, equations: int, rows: int) -> Callable[..., Any]:
    """The compiled batch of a group."""
    upper = np.where(np.arange(rows) < equations, 0.0, np.inf)

    def one(which: Any, data: Data, x0: Any, low: Any, high: Any, ftol: Any) -> Any:
        branches = lambda table: [functools.partial(lambda f, x: f(x, data, jnp), f) for f in table]
        fun = lambda x: jax.lax.switch(which[0], branches(OBJECTIVES), x)
        held = NonlinearConstraint(lambda x: jax.lax.switch(which[1], branches(ROW_KINDS), x), np.zeros(rows), upper)
        given = {"maxiter": MAXITER[row]} | (_radii(ftol) if row == "COBYLA" else {})
        tol = None if row == "COBYLA" else ftol
        res = minimize(fun, x0, method=row, bounds=Bounds(low, high), constraints=held, tol=tol, options=given)
        return res.x, res.status

    return jax.jit(jax.vmap(one))


def _radii(ftol: Any) -> dict[str, Any]:
    """COBYLA's options: a last radius that is drawn as ftol is; what it promises is constant."""
    promise = FTOL[ftol.dtype.name]
    return {"tol": jnp.minimum(1e-4 * ftol / promise, 1.0), "catol": promise}


@functools.cache
def _evaluated(kind: Kind) -> Callable[..., Any]:
    """(y, data) of many lanes -> value, gradient, rows and their Jacobian, without kinks."""
    smooth = lifted(kind)
    fun, rows = (lambda y, p: smooth.fun(y, p, jnp)), (lambda y, p: smooth.rows(y, p, jnp))
    each = lambda y, p: (*jax.value_and_grad(fun)(y, p), rows(y, p), jax.jacobian(rows)(y, p))
    return jax.jit(jax.vmap(each))


def _right(kind: Kind, equations: int, s: Lanes) -> np.ndarray:
    """(lanes,) bool: is the claim true?"""
    success = np.isin(s.status, (0, 8))
    right = np.full(len(s.x), not kind.feasible)
    if not kind.feasible:
        return right & ~success
    feasible, of_rows, of_fun = _feasible(kind, equations, s)
    x = s.x.astype(np.float64)
    y = lifted(kind).start(x, s.exact)
    with np.errstate(all="ignore"):
        at = [np.asarray(v) for v in _evaluated(kind)(y, s.exact)]
    for i in np.flatnonzero(success & feasible):
        right[i] = _optimal(kind, equations, s, i, y[i], [v[i] for v in at], of_rows[i], of_fun[i])
    for i in np.flatnonzero(s.status == 2):
        right[i] = _least_violation(kind, equations, s, i, y[i]) > s.ftol[i]
    return right


def _feasible(kind: Kind, equations: int, s: Lanes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(lanes,) bool: is x feasible; and what the dtype does not resolve of the rows (lanes, rows) and of f (lanes,)."""
    eps, rng = np.finfo(s.x.dtype).eps, np.random.default_rng(0)
    nudge = lambda v: (v[:, None] * (1 + eps * rng.integers(-2, 3, (1, NEAR, *v.shape[1:])))).astype(v.dtype)
    near = np.clip(nudge(s.x), s.drawn.lower[:, None], s.drawn.upper[:, None])
    near[:, 0] = s.x
    given = Data(*(v[:, None] for v in s.drawn.data))
    exact, moved = Data(*(v.astype(LONG) for v in given)), Data(*(nudge(v).astype(LONG) for v in s.drawn.data))

    def unresolved(f: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray]:
        with np.errstate(all="ignore"):
            at = f(s.x.astype(LONG)[:, None], exact, np)
            there = f(near.astype(LONG), exact, np)
            noise, spread = f(near, given, np).astype(LONG) - there, f(near.astype(LONG), moved, np) - at
        worst = lambda v: np.where(np.isfinite(v), np.abs(v), 0.0).max(1)
        return at[:, 0].astype(float), (ROUNDED * (worst(noise) + worst(spread))).astype(float)

    c, of_rows = unresolved(ROW_KINDS[kind.rows])
    f, of_fun = unresolved(OBJECTIVES[kind.objective])
    violated = np.where(np.arange(c.shape[1]) < equations, np.abs(c), -c)
    inside = np.all((s.x >= s.drawn.lower) & (s.x <= s.drawn.upper), -1)
    with np.errstate(invalid="ignore"):
        holds = np.all(violated <= 1.1 * s.ftol.astype(float)[:, None] + of_rows, -1)
    return inside & holds & np.isfinite(f), of_rows, of_fun + 100 * eps * np.abs(f)


def _optimal(
    kind: Kind,
    equations: int,
    s: Lanes,
    i: int,
    y: np.ndarray,
    at: list[np.ndarray],
    of_rows: np.ndarray,
    of_fun: float,
) -> bool:
    """Is (A) or (B) true of lane i?"""
    f, g, c, J = at
    box = _box(s, i, len(y))
    slope = np.linalg.norm(J, axis=-1)
    of_rows = np.concatenate([of_rows, np.zeros(len(c) - len(of_rows))])
    met = np.flatnonzero((np.arange(len(c)) >= equations) & (c <= ACTIVE * slope + of_rows))
    low, high = (np.flatnonzero(side) for side in (y <= box[0], y >= box[1]))
    eye = np.eye(len(y))
    columns = np.concatenate([J[:equations], -J[:equations], J[met], eye[low], -eye[high]])
    size = np.linalg.norm(columns, axis=-1)
    columns = columns / np.where(size > 0, size, 1.0)[:, None]
    multipliers = optimize.nnls(columns.T, g, maxiter=1000)[0] if len(columns) else np.zeros(0)
    rest = g - columns.T @ multipliers
    weights, v = multipliers / np.where(size > 0, size, 1.0), np.zeros(len(c))
    v[:equations] = weights[:equations] - weights[equations : 2 * equations]
    v[met] = weights[2 * equations : 2 * equations + len(met)]
    allowed = TENFOLD * float(s.ftol[i]) + of_fun + np.sum(np.abs(v) * of_rows)
    x, x0 = s.x[i].astype(float), s.drawn.x0[i].astype(float)
    way = max(np.max(np.abs(x)), np.max(np.abs(x - x0)))
    if np.sum(np.abs(rest)) * way <= allowed and np.sum(v[met] * np.maximum(c[met], 0.0)) <= allowed:
        return True
    return f - _lowest(kind, equations, s, i, y, box, v) <= allowed


def _box(s: Lanes, i: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of y (n,); those of its t are infinite."""
    sides = (s.drawn.lower[i], -np.inf), (s.drawn.upper[i], np.inf)
    low, high = (np.concatenate([side.astype(float), np.full(n - N, none)]) for side, none in sides)
    return low, high


def _lowest(
    kind: Kind, equations: int, s: Lanes, i: int, y: np.ndarray, box: tuple[np.ndarray, np.ndarray], v: np.ndarray
) -> float:
    """The lowest value that SciPy finds at a feasible point near y; what it violates counts by the multipliers v."""
    away = CLOSE * np.maximum(1.0, np.abs(y))
    bounds = optimize.Bounds(np.maximum(box[0], y - away), np.minimum(box[1], y + away))
    part = _of_lane(kind, s, i)
    held = [{"type": "eq", "fun": lambda y: part(y)[2][:equations], "jac": lambda y: part(y)[3][:equations]}]
    held += [{"type": "ineq", "fun": lambda y: part(y)[2][equations:], "jac": lambda y: part(y)[3][equations:]}]
    fun = lambda y: (float(part(y)[0]), part(y)[1])
    options = {"ftol": 1e-15, "maxiter": 100}
    with np.errstate(all="ignore"):
        res = optimize.minimize(
            fun, y, jac=True, method="SLSQP", bounds=bounds, constraints=held[equations == 0 :], options=options
        )
        f, _, c, J = part(res.x)
    violated = np.where(np.arange(len(c)) < equations, np.abs(c), -c)
    clean = np.all(violated <= 1e-13 * (1.0 + np.linalg.norm(J, axis=-1) * np.linalg.norm(res.x)))
    owed = float(np.sum(np.abs(v) * np.maximum(violated, 0.0)))
    return float(f) + owed if clean and np.isfinite(f) else np.inf


def _of_lane(kind: Kind, s: Lanes, i: int) -> Callable[[np.ndarray], list[np.ndarray]]:
    """y -> value, gradient, rows and Jacobian of one lane; the last points are kept."""
    data = Data(*(v[None] for v in s.lane(i)))

    @functools.lru_cache(maxsize=8)
    def at(y: tuple[float, ...]) -> list[np.ndarray]:
        return [np.asarray(v)[0] for v in _evaluated(kind)(np.array(y)[None], data)]

    return lambda y: at(tuple(y))


def _least_violation(kind: Kind, equations: int, s: Lanes, i: int, y: np.ndarray) -> float:
    """The largest violation where least squares of the violations end, started at y in the bounds."""
    part = _of_lane(kind, s, i)
    low, high = _box(s, i, len(y))
    free = low < high

    def whole(v: np.ndarray) -> np.ndarray:
        full = y.copy()
        full[free] = v
        return full

    def violations(v: np.ndarray) -> np.ndarray:
        c = part(whole(v))[2]
        return np.where(np.arange(len(c)) < equations, c, np.minimum(c, 0.0))

    def slopes(v: np.ndarray) -> np.ndarray:
        _, _, c, J = part(whole(v))
        return np.where(((np.arange(len(c)) < equations) | (c < 0.0))[:, None], J, 0.0)[:, free]

    if not np.any(free):
        return float(np.max(np.abs(violations(np.zeros(0)))))
    start = np.clip(y[free], low[free], high[free])
    with np.errstate(all="ignore"):
        res = optimize.least_squares(
            violations, start, slopes, bounds=(low[free], high[free]), xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac"
        )
    return float(np.max(np.abs(res.fun)))


def _show(kind: Kind, equations: int, s: Lanes, lane: int) -> str:
    """The lane's problem and answer, in digits that reproduce it."""
    p, x = s.lane(lane), s.x[lane].astype(float)
    c = ROW_KINDS[kind.rows](x, p, np)
    worst = np.max(np.where(np.arange(len(c)) < equations, np.abs(c), -c))
    f = OBJECTIVES[kind.objective](x, p, np)
    text = lambda v: np.array2string(v, separator=",", floatmode="unique", max_line_width=100_000).replace("\n", "")
    given = " ".join(f"{name}={text(v[lane])}" for name, v in zip(Data._fields, s.drawn.data, strict=True))
    d = s.drawn
    box = f"x0 {text(d.x0[lane])} lower {text(d.lower[lane])} upper {text(d.upper[lane])}"
    ended = f"lane {lane} status {s.status[lane]} f {f:.10g} violation {worst:.3g} x {text(s.x[lane])}"
    return f"{ended} ftol {s.ftol[lane]} {box} {given}"
