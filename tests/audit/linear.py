"""Families of random linear programs whose verdict is known by construction, and a judge that shares no code with them.

    families(rng, lanes)            programs of one shape, in small integers and then in other units, in NumPy alone
    judge(family, claim, tol)       which claims are false, in float64, on the program in small integers
    audit(row, lanes, dtype, seed)  the claims of `linprog` by a method over all of them

A program is made from its proof, so that the verdict is exact:

    optimal      x, y and z with complementary slackness; c = A'y + z, and the optimum is c'x
    infeasible   a ray y; the last row that it weighs makes A'y one that the bounds allow, its right side a margin of 1 to 3
    unbounded    a feasible x and a direction d; the last column that moves makes Ad one that the rows allow, c'd is -1 to -3
    near         infeasible or unbounded, but by 2^-k alone, where the tolerance that is asked excuses 2^-k

Variables are free, bounded on either side or on both, or fixed; rows and columns may be empty, double, or follow from
others; vertices are degenerate. Then every row, column, the objective and the right sides may get a unit of its own, 10^-6
to 10^6, as a power of two: nothing is rounded, in float32 neither, and the judge divides by the units again.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxopt_lite import linprog
from tests.audit import Outcome

ROWS = ("interior-point", "simplex")
TOL = {("interior-point", np.float64): 1e-8, ("simplex", np.float64): 1e-8}
TOL |= {("interior-point", np.float32): 1e-4, ("simplex", np.float32): 1e-5}  # the defaults
ASKED = {np.float64: (1e-4, 22), np.float32: (1e-2, 14)}  # tolerances, and k: programs fail by 2^-k, a hundredth of them
INF = np.inf
VARIABLES, INEQUALITIES, EQUATIONS = 7, 4, 3
OPTIMAL, INFEASIBLE, UNBOUNDED, BAD = 0, 2, 3, 7
FREE, LOWER, UPPER, BOXED, FIXED = range(5)
CLAIMS = (0, 2, 3, 7, 8)
SLACK = {np.float64: 100.0, np.float32: 20.0}  # times tol: what a true claim may be off, relative to all terms of a sum


class Program(NamedTuple):
    """One program; A has the rows of A_ub first."""

    c: np.ndarray  # (n,)
    A: np.ndarray  # (m, n)
    b: np.ndarray  # (m,)
    lower: np.ndarray  # (n,)
    upper: np.ndarray  # (n,)
    status: int
    fun: float  # NaN where there is no optimum


class Family(NamedTuple):
    """Lanes of one kind, as given to the library and as they were made; every array has the lanes first."""

    name: str
    given: Program  # in units
    base: Program  # in small integers
    column: np.ndarray  # (lanes, n): x of the base is x / column
    money: np.ndarray  # (lanes,): fun of the base is fun / money
    near: int = 0  # k where the proof's margin is 2^-k, and no verdict is expected

    def operands(self, dtype: Any) -> tuple[np.ndarray, ...]:
        """c, A_ub, b_ub, A_eq, b_eq, bounds, each with the lanes first."""
        g, p = self.given, INEQUALITIES
        parts = g.c, g.A[:, :p], g.b[:, :p], g.A[:, p:], g.b[:, p:], np.stack([g.lower, g.upper], -1)
        return tuple(part.astype(dtype) for part in parts)


class Verdict(NamedTuple):
    """Of each lane, bool."""

    claimed: np.ndarray  # a status that says something about the program
    false: np.ndarray  # and is wrong
    solved: np.ndarray  # and is right


# --- programs in small integers -------------------------------------------------------------------------------------


def _matrix(rng: np.random.Generator) -> np.ndarray:
    """Small integers, some of them zero; now and then an empty or a double row, a row from others, an empty column."""
    m, n = INEQUALITIES + EQUATIONS, VARIABLES
    A = rng.integers(-3, 4, (m, n)) * (rng.random((m, n)) < rng.choice([0.4, 0.8]))
    i, j = rng.integers(0, m, 2)
    match rng.integers(0, 8):
        case 0:
            A[i] = 0
        case 1:
            A[i] = rng.choice([-1, 1, 2]) * A[j]
        case 2:
            A[m - 1] = A[m - 2] - 2 * A[m - 3]
        case 3:
            A[:, rng.integers(0, n)] = 0
    return A.astype(float)


def _bounds(rng: np.random.Generator, x: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of these kinds around x, some of them at x."""
    room = lambda: rng.integers(0, 3, x.size)
    lower = np.where((kind == FREE) | (kind == UPPER), -INF, x - np.where(kind == FIXED, 0, room()))
    upper = np.where((kind == FREE) | (kind == LOWER), INF, x + np.where(kind == FIXED, 0, room()))
    return lower, upper


def _rows(rng: np.random.Generator, A: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Right sides that x satisfies, some inequalities with room."""
    room = rng.integers(0, 4, INEQUALITIES)
    return A @ x + np.concatenate([room, np.zeros(EQUATIONS)])


def _kinds(rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.3:  # the usual program, x >= 0
        return np.full(VARIABLES, LOWER)
    return rng.choice(5, VARIABLES, p=[0.2, 0.3, 0.2, 0.2, 0.1])


def optimal(rng: np.random.Generator) -> Program:
    """With a primal-dual pair of small integers."""
    A, kind = _matrix(rng), _kinds(rng)
    x = rng.integers(-3, 4, VARIABLES).astype(float)
    lower, upper = _bounds(rng, x, kind)
    b = _rows(rng, A, x)
    tight = b == A @ x
    y = rng.integers(-3, 4, b.size) * (rng.random(b.size) < 0.7) * tight
    y[:INEQUALITIES] = -np.abs(y[:INEQUALITIES])
    z = rng.integers(0, 3, VARIABLES) * (lower == x) - rng.integers(0, 3, VARIABLES) * (upper == x)
    c = A.T @ y + z
    return Program(c, A, b, lower, upper, OPTIMAL, float(c @ x))


def infeasible(rng: np.random.Generator) -> Program:
    """With a Farkas ray of small integers; without the last row that it weighs a point satisfies everything."""
    A, kind = _matrix(rng), _kinds(rng)
    x = rng.integers(-3, 4, VARIABLES).astype(float)
    lower, upper = _bounds(rng, x, kind)
    b = _rows(rng, A, x)
    y, k = _weights(rng, b.size)
    pull = rng.integers(-1, 2, VARIABLES) * (rng.random(VARIABLES) < 0.5)
    pull = np.where(np.isinf(upper), np.minimum(pull, 0), pull)
    pull = np.where(np.isinf(lower), np.maximum(pull, 0), pull)
    A[k] = _last(y, A, pull, k)
    ends = np.where(pull > 0, upper, np.where(pull < 0, lower, 0.0))
    b[k] = _last(y, b, rng.integers(1, 4) + pull @ ends, k)
    c = rng.integers(-3, 4, VARIABLES) * rng.integers(0, 2)
    return Program(c.astype(float), A, b, lower, upper, INFEASIBLE, np.nan)


def infeasible_by(rng: np.random.Generator, margin: float) -> Program:
    """By so little: a pair of small integers with complementary slackness, of which one row that binds is moved."""
    while True:
        A, kind = _matrix(rng), _kinds(rng)
        x = rng.integers(-3, 4, VARIABLES).astype(float)
        lower, upper = _bounds(rng, x, kind)
        y, k = _weights(rng, A.shape[0])
        pull = rng.integers(0, 2, VARIABLES) * ((upper == x) * 1.0 - (lower == x))
        A[k] = _last(y, A, pull, k)
        b = np.where(y != 0, A @ x, _rows(rng, A, x))
        if b[k] == 0:  # in units of its own it would be infeasible by all that there is
            continue
        b[k] += margin * y[k]
        w, _ = _weights(rng, b.size)
        c = A.T @ w + rng.integers(0, 3, VARIABLES) * (np.isfinite(lower) * 1.0 - np.isfinite(upper))
        return Program(c, A, b, lower, upper, INFEASIBLE, np.nan)


def unbounded(rng: np.random.Generator) -> Program:
    """With a feasible point and a direction of small integers."""
    A, x, lower, upper, d, k = _open(rng)
    c = rng.integers(-3, 4, VARIABLES) * (rng.random(VARIABLES) < 0.7)
    c = np.where(np.arange(VARIABLES) == k, _last(d, c, -rng.integers(1, 4), k), c)
    return Program(c.astype(float), A, _rows(rng, A, x), lower, upper, UNBOUNDED, np.nan)


def unbounded_by(rng: np.random.Generator, margin: float) -> Program:
    """By so little: c is dual feasible, with multipliers that vanish where d leaves a bound, but for one entry."""
    while True:
        A, x, lower, upper, d, k = _open(rng)
        w, _ = _weights(rng, A.shape[0])
        c = A.T @ (w * (A @ d == 0))
        c += rng.integers(0, 3, VARIABLES) * (d == 0) * (np.isfinite(lower) * 1.0 - np.isfinite(upper))
        if c[k] == 0:
            continue
        c[k] -= margin * d[k]
        return Program(c, A, _rows(rng, A, x), lower, upper, UNBOUNDED, np.nan)


def _weights(rng: np.random.Generator, size: int) -> tuple[np.ndarray, int]:
    """Multipliers of possible signs, and the index of one that is 1 or -1."""
    y = rng.integers(-2, 3, size) * (rng.random(size) < 0.5)
    k = int(rng.integers(0, size))
    y[k] = rng.choice([-1, 1])
    y[:INEQUALITIES] = -np.abs(y[:INEQUALITIES])
    return y.astype(float), k


def _last(y: np.ndarray, rows: np.ndarray, total: Any, k: int) -> Any:
    """Row k such that y'rows is `total`; y_k is 1 or -1."""
    return (total - (y @ rows - y[k] * rows[k])) / y[k]


def _open(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
    """A, a point, bounds, and a direction in which all of them let the point go, with an index where it is 1 or -1."""
    A, kind = _matrix(rng), _kinds(rng)
    k = int(rng.integers(0, VARIABLES))
    kind[k] = rng.choice([FREE, LOWER, UPPER])
    x = rng.integers(-3, 4, VARIABLES).astype(float)
    lower, upper = _bounds(rng, x, kind)
    d = rng.integers(-2, 3, VARIABLES) * (rng.random(VARIABLES) < 0.5)
    d[k] = rng.choice([-1, 1])
    d = np.select([kind == FREE, kind == LOWER, kind == UPPER], [d, np.abs(d), -np.abs(d)], 0).astype(float)
    target = np.zeros(A.shape[0])
    target[:INEQUALITIES] = -rng.integers(0, 3, INEQUALITIES) * (rng.random(INEQUALITIES) < 0.5)
    A[:, k] = _last(d, A.T, target, k)
    return A, x, lower, upper, d, k


def bare(rng: np.random.Generator) -> Program:
    """What nothing has to be solved for: rows of zeros that bind or contradict, columns of zeros, crossed bounds, NaN."""
    base = optimal(rng)
    A, b, c, lower, upper = base.A.copy(), base.b.copy(), base.c.copy(), base.lower.copy(), base.upper.copy()
    i, e, j = rng.integers(0, INEQUALITIES), rng.integers(INEQUALITIES, A.shape[0]), rng.integers(0, VARIABLES)
    case, status, fun = rng.integers(0, 7), OPTIMAL, base.fun
    if case == 0:  # 0'x = 3
        A[e], b[e], status = 0, rng.choice([-3, -1, 1, 3]), INFEASIBLE
    elif case == 1:  # 0'x <= -1
        A[i], b[i], status = 0, -rng.integers(1, 4), INFEASIBLE
    elif case in (2, 3):  # a column of zeros whose cost draws it where there is no bound; or a program of such columns
        x = rng.integers(-3, 4, VARIABLES).astype(float)
        A[:, j] = 0
        A *= case == 2
        lower, upper = _bounds(rng, x, _kinds(rng))
        b, sign = _rows(rng, A, x), rng.choice([-1, 1])
        c[j], status = -sign, UNBOUNDED
        lower[j], upper[j] = (rng.choice([-INF, 0]), INF) if sign > 0 else (-INF, rng.choice([INF, 0]))
    elif case == 4:
        lower[j], upper[j], status = 1.0, 0.0, BAD
    elif case == 5:
        c[j], status = np.nan, BAD
    else:  # 0'x <= 0 or 1, and nothing to minimize
        A[i], b[i], c, fun = 0, rng.integers(0, 2), np.zeros_like(c), 0.0
    return Program(c, A, b, lower, upper, status, fun if status == OPTIMAL else np.nan)


# --- units ----------------------------------------------------------------------------------------------------------

UNITS = ("none", "rows", "small rows", "columns", "cost", "sides", "all")


def _powers(rng: np.random.Generator, size: int, most: int) -> np.ndarray:
    return 2.0 ** rng.integers(-most, most + 1, size)


def _in_units(rng: np.random.Generator, base: Program, units: str) -> tuple[Program, np.ndarray, float]:
    """The program, the units of x (n,) and that of fun."""
    m, n = base.A.shape
    row, column, money, side = np.ones(m), np.ones(n), 1.0, 1.0
    if units == "small rows":
        row = np.full(m, 2.0 ** -rng.integers(10, 21))
    if units in ("rows", "all"):
        row = _powers(rng, m, 20 if units == "rows" else 10)
    if units in ("columns", "all"):
        column = _powers(rng, n, 20 if units == "columns" else 10)
    if units in ("cost", "all"):
        money = float(_powers(rng, 1, 20)[0])
    if units in ("sides", "all"):
        side = float(_powers(rng, 1, 20)[0])
    to_x = side * column
    A, b = row[:, None] * base.A / column, row * base.b * side
    given = Program(money * base.c / column, A, b, base.lower * to_x, base.upper * to_x, base.status, base.fun)
    return given, to_x, money * side


def _family(name: str, make: Callable[[], Program], units: str, rng: np.random.Generator, lanes: int, near: int) -> Family:
    with np.errstate(invalid="ignore"):
        bases = [make() for _ in range(lanes)]
        given, column, money = zip(*(_in_units(rng, base, units) for base in bases), strict=True)
    stack = lambda programs: Program(*(np.stack(part) for part in zip(*programs, strict=True)))
    return Family(f"{name}, {units}", stack(given), stack(bases), np.stack(column), np.array(money), near)


def families(rng: np.random.Generator, lanes: int) -> Iterator[Family]:
    """Every kind in every unit, `lanes` each; all of one shape."""
    for kind in (optimal, infeasible, unbounded, bare):
        for units in UNITS:
            yield _family(kind.__name__, lambda kind=kind: kind(rng), units, rng, lanes, 0)


def near(rng: np.random.Generator, lanes: int, k: int) -> Iterator[Family]:
    """Infeasible or unbounded by 2^-k alone, in every unit."""
    for kind in (infeasible_by, unbounded_by):
        for units in UNITS:
            yield _family(f"{kind.__name__} 2^-{k}", lambda kind=kind: kind(rng, 2.0**-k), units, rng, lanes, k)


# --- the judge ------------------------------------------------------------------------------------------------------


def judge(family: Family, status: np.ndarray, x: np.ndarray, fun: np.ndarray, tol: float, dtype: Any) -> Verdict:
    """False: another verdict than the one by construction, or an optimum that is not feasible or not the least.

    Of a program that is infeasible or unbounded by less than `tol` excuses (`near`), "optimal" with a point that violates
    no row by more is as true as any, and "infeasible" and "unbounded" are false.
    """
    base, status = family.base, np.asarray(status)
    claimed, success = np.isin(status, CLAIMS), np.isin(status, (0, 8))
    with np.errstate(invalid="ignore"):
        x, fun = np.asarray(x, float) / family.column, np.asarray(fun, float) / family.money
        allowed = SLACK[np.dtype(dtype).type] * tol
        Ax = np.einsum("lmn,ln->lm", base.A, x)
        terms = np.abs(base.b) + np.sum(np.abs(base.A), axis=2)
        over = Ax - base.b
        over[:, INEQUALITIES:] = np.abs(over[:, INEQUALITIES:])
        feasible = np.all(over <= allowed * terms, axis=1)
        edge = 4 * np.finfo(dtype).eps * np.abs(x)
        feasible &= np.all((x >= base.lower - edge) & (x <= base.upper + edge), axis=1)
        least = np.abs(fun - base.fun) <= allowed * (1.0 + np.abs(base.fun) + np.sum(np.abs(base.c), axis=1))
    if family.near:
        true = success & feasible
    else:
        true = np.where(success, (base.status == OPTIMAL) & feasible & least, status == base.status)
    return Verdict(claimed, claimed & ~true, claimed & true)


def audit(row: str, lanes: int, dtype: str, seed: int) -> dict[str, Outcome]:
    """All families, and those that fail by less than the tolerance excuses; one program."""
    rng, kind = np.random.default_rng(seed), np.dtype(dtype).type
    asked, k = ASKED[kind]
    given = [(family, TOL[row, kind]) for family in families(rng, lanes)]
    given += [(family, asked) for family in near(rng, lanes, k)]
    solve = jax.jit(jax.vmap(lambda *a: linprog(*a[:-1], method=row, options={"tol": a[-1]})))
    found = {}
    for family, tol in given:
        res = solve(*family.operands(kind), np.full(lanes, tol, kind))
        status, x = np.asarray(res.status), np.asarray(res.x)
        verdict = judge(family, status, x, np.asarray(res.fun), tol, kind)
        show = lambda lane, family=family, status=status, x=x: (
            f"lane {lane}: status {status[lane]}, by construction {family.base.status[lane]}; x {x[lane]}"
        )
        found[family.name] = Outcome(verdict.claimed, ~verdict.false, show)
    return found
