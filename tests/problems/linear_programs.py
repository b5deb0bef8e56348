"""Families of linear programs with known answers: what every method of `linprog` is tried on.

Each function returns the arguments of `scipy.optimize.linprog` (c, A_ub, b_ub, A_eq, b_eq, bounds, all NumPy, infinities
where there is no bound) with two more: `status`, SciPy's number, and `fun`, the optimum in closed form, None where there
is none or it is not known. `arguments` takes the two away. `PROGRAMS` has one or more of every family by name.

Sources: E. M. L. Beale (1955), "Cycling in the dual simplex algorithm", Naval Research Logistics Quarterly 2, 269-275;
M. L. Balinski, A. W. Tucker (1969), "Duality theory of linear programs", SIAM Review 11, 347-377 (Kuhn's example);
V. Chvatal (1983), Linear Programming, p. 31; K. T. Marshall, J. W. Suurballe (1969), "A note on cycling in the simplex
method", NRLQ 16, 121-137; V. Klee, G. J. Minty (1972), "How good is the simplex algorithm?", Inequalities III, 159-175.
"""

from typing import Any

import numpy as np

INF = np.inf
Program = dict[str, Any]


def program(
    c, A_ub=None, b_ub=None, A_eq=None, b_eq=None, bounds=None, *, fun: float | None = None, status: int = 0
) -> Program:
    """The dict, with empty matrices for what is missing and the bounds (0, inf) by default."""
    c = np.asarray(c, float)
    n = c.size
    matrix = lambda A: np.zeros((0, n)) if A is None else np.asarray(A, float)
    vector = lambda b: np.zeros(0) if b is None else np.asarray(b, float)
    bounds = np.tile([0.0, INF], (n, 1)) if bounds is None else np.asarray(bounds, float)
    rows = dict(A_ub=matrix(A_ub), b_ub=vector(b_ub), A_eq=matrix(A_eq), b_eq=vector(b_eq))
    return dict(c=c, **rows, bounds=bounds, fun=fun, status=status)


def arguments(problem: Program) -> Program:
    """What linprog takes."""
    return {name: value for name, value in problem.items() if name not in ("fun", "status")}


def transportation(sources: int, sinks: int, seed: int = 0) -> Program:
    """Ship whole supplies to whole demands; costs u_i + v_j + d_ij with d = 0 where the northwest corner rule ships.

    So that plan is optimal, and costs u'supply + v'demand. One of the equations follows from the others.
    """
    rng = np.random.default_rng(seed)
    supply, demand = rng.integers(1, 9, sources).astype(float), rng.integers(1, 9, sinks).astype(float)
    excess = supply.sum() - demand.sum()
    demand[-1], supply[-1] = demand[-1] + max(excess, 0.0), supply[-1] + max(-excess, 0.0)
    u, v = rng.integers(0, 9, sources).astype(float), rng.integers(0, 9, sinks).astype(float)
    d, left, right, i, j = rng.integers(0, 5, (sources, sinks)).astype(float), supply.copy(), demand.copy(), 0, 0
    while i < sources and j < sinks:
        d[i, j] = 0.0
        shipped = min(left[i], right[j])
        left[i], right[j] = left[i] - shipped, right[j] - shipped
        i, j = (i + 1, j) if left[i] == 0.0 else (i, j + 1)
    A = np.concatenate([np.kron(np.eye(sources), np.ones(sinks)), np.kron(np.ones(sources), np.eye(sinks))])
    cost = (u[:, None] + v[None, :] + d).ravel()
    return program(cost, A_eq=A, b_eq=np.concatenate([supply, demand]), fun=float(u @ supply + v @ demand))


def assignment(size: int, seed: int = 0) -> Program:
    """The relaxed assignment problem, every vertex highly degenerate; costs u_i + v_j + d_ij, d = 0 on a permutation."""
    rng = np.random.default_rng(seed)
    u, v, d = rng.integers(0, 9, size), rng.integers(0, 9, size), rng.integers(0, 5, (size, size))
    d[np.arange(size), rng.permutation(size)] = 0
    A = np.concatenate([np.kron(np.eye(size), np.ones(size)), np.kron(np.ones(size), np.eye(size))])
    cost = (u[:, None] + v[None, :] + d).ravel()
    return program(cost, A_eq=A, b_eq=np.ones(2 * size), fun=float(u.sum() + v.sum()))


def klee_minty(size: int) -> Program:
    """The cube that Dantzig's rule visits corner by corner: max sum_j 2^(n-j) x_j, the answer is x_n = 5^n."""
    i, j = np.mgrid[1 : size + 1, 1 : size + 1]
    A = np.where(i > j, 2.0 ** (i - j + 1), np.where(i == j, 1.0, 0.0))
    return program(-(2.0 ** np.arange(size - 1, -1, -1)), A, 5.0 ** np.arange(1, size + 1), fun=-(5.0**size))


def magic_square(size: int, seed: int = 0) -> Program:
    """Which number stands in which cell of a magic square, relaxed; the equations depend on each other, costs are random."""
    cells, total = size * size, size * (size * size + 1) / 2
    number, cell = np.divmod(np.arange(cells * cells), cells)
    row, column = np.divmod(cell, size)
    lines = [number == k for k in range(cells)] + [cell == k for k in range(cells)]
    sums = [row == k for k in range(size)] + [column == k for k in range(size)] + [row == column, row + column == size - 1]
    A = np.array([*map(np.asarray, lines), *((number + 1) * s for s in sums)], float)
    b = np.concatenate([np.ones(2 * cells), np.full(len(sums), total)])
    cost = np.random.default_rng(seed).random(cells * cells)
    return program(cost, A_eq=A, b_eq=b, bounds=np.tile([0.0, 1.0], (cells * cells, 1)))


def beale() -> Program:
    """Beale 1955: cycles under Dantzig's rule; -1/20."""
    A = [[0.25, -60.0, -0.04, 9.0], [0.5, -90.0, -0.02, 3.0], [0.0, 0.0, 1.0, 0.0]]
    return program([-0.75, 150.0, -0.02, 6.0], A, [0.0, 0.0, 1.0], fun=-0.05)


def kuhn(bounded: bool = True) -> Program:
    """Kuhn's example in Balinski & Tucker 1969: cycles; -2, or unbounded without its last row."""
    A = [[-2.0, -9.0, 1.0, 9.0], [1 / 3, 1.0, -1 / 3, -2.0], [2.0, 3.0, -1.0, -12.0]]
    rows = 3 if bounded else 2
    c = [-2.0, -3.0, 1.0, 12.0]
    return program(c, A[:rows], [0.0, 0.0, 2.0][:rows], fun=-2.0 if bounded else None, status=0 if bounded else 3)


def chvatal() -> Program:
    """Chvatal 1983, p. 31: cycles in six steps; -1."""
    A = [[0.5, -5.5, -2.5, 9.0], [0.5, -1.5, -0.5, 1.0], [1.0, 0.0, 0.0, 0.0]]
    return program([-10.0, 57.0, 9.0, 24.0], A, [0.0, 0.0, 1.0], fun=-1.0)


def marshall_suurballe() -> Program:
    """Marshall & Suurballe 1969: cycles and is unbounded."""
    A = [[0.6, -6.4, 4.8, 0.0], [0.2, -1.8, 0.6, 0.0], [0.4, -1.6, 0.2, 0.0]]
    return program([-0.4, -0.4, 1.8, 0.0], A, [0.0, 0.0, 0.0], status=3)


def known_optimum(n: int, inequalities: int, equations: int, seed: int = 0, spread: float = 0.0) -> Program:
    """A primal-dual pair made first, then the program: variables at a lower, at an upper bound, between, free, or fixed.

    Rows and columns are in units that differ by up to 10^spread each way.
    """
    rng = np.random.default_rng(seed)
    A, x = rng.standard_normal((inequalities + equations, n)), rng.standard_normal(n).round(2)
    y = np.concatenate([-rng.random(inequalities) * (rng.random(inequalities) < 0.5), rng.standard_normal(equations)])
    kind = rng.integers(0, 6, n)  # lower, upper, between, free, fixed, above a lower bound
    z = np.select([kind == 0, kind == 1, kind == 4], [rng.random(n), -rng.random(n), rng.standard_normal(n)], 0.0)
    lower = np.select([(kind == 0) | (kind == 4), (kind == 1) & (rng.random(n) < 0.5), kind == 3], [x, -INF, -INF], x - 1.0)
    upper = np.select([(kind == 1) | (kind == 4), (kind == 0) & (rng.random(n) < 0.5)], [x, INF], x + 1.0)
    upper = np.where((kind == 3) | (kind == 5), INF, upper)
    c, room = A.T @ y + z, np.where(y[:inequalities] < 0, 0.0, rng.random(inequalities))
    row, column = (10.0 ** (spread * rng.uniform(-1, 1, size)) for size in A.shape)
    A_ub, A_eq = A[:inequalities], A[inequalities:]
    r_ub, r_eq = row[:inequalities, None], row[inequalities:, None]
    b_ub, b_eq = r_ub[:, 0] * (A_ub @ x + room), r_eq[:, 0] * (A_eq @ x)
    bounds = np.stack([lower, upper], 1) / column[:, None]
    return program(c * column, r_ub * A_ub * column, b_ub, r_eq * A_eq * column, b_eq, bounds, fun=float(c @ x))


def redundant(n: int, equations: int, copies: int, seed: int = 0) -> Program:
    """`known_optimum` with equations that are combinations of the others."""
    base = known_optimum(n, 0, equations, seed)
    mix = np.random.default_rng(seed).integers(-2, 3, (copies, equations))
    A, b = np.concatenate([base["A_eq"], mix @ base["A_eq"]]), np.concatenate([base["b_eq"], mix @ base["b_eq"]])
    return base | dict(A_eq=A, b_eq=b)


def empty_rows(feasible: bool = True) -> Program:
    """Rows of zeros: 0'x <= 1 and 0'x = 0, or 0'x = 3, which no x satisfies; an inequality without a bound."""
    A_ub, A_eq = [[0.0, 0.0], [1.0, 1.0], [1.0, -1.0]], [[0.0, 0.0], [1.0, 2.0]]
    b_eq = [0.0 if feasible else 3.0, 2.0]
    return program(
        [-1.0, 0.0], A_ub, [1.0, 1.5, INF], A_eq, b_eq, fun=-1.0 if feasible else None, status=0 if feasible else 2
    )


def box(n: int, seed: int = 0) -> Program:
    """Bounds alone, some of which meet: each variable goes to the end that its cost prefers."""
    rng = np.random.default_rng(seed)
    c, lower = rng.standard_normal(n), rng.integers(-3, 3, n).astype(float)
    upper = lower + rng.integers(0, 4, n)
    return program(c, bounds=np.stack([lower, upper], 1), fun=float(np.minimum(c * lower, c * upper).sum()))


def no_constraints(cost: float) -> Program:
    """Two free variables: unbounded unless the cost is zero."""
    return program([0.0, cost], bounds=[[-INF, INF]] * 2, fun=None if cost else 0.0, status=3 if cost else 0)


def zero_cost(seed: int = 0) -> Program:
    """c = 0: any feasible point."""
    base = known_optimum(8, 3, 3, seed)
    return base | dict(c=np.zeros(8), fun=0.0)


def infeasible(n: int, rows: int, seed: int = 0) -> Program:
    """Inequalities A x <= b whose combination with random positive weights is 0'x <= -1, x free."""
    rng = np.random.default_rng(seed)
    A, b, weight = rng.standard_normal((rows, n)), rng.standard_normal(rows), rng.random(rows) + 0.5
    A[-1] = -weight[:-1] @ A[:-1] / weight[-1]
    b[-1] = (-1.0 - weight[:-1] @ b[:-1]) / weight[-1]
    return program(rng.standard_normal(n), A, b, bounds=[[-INF, INF]] * n, status=2)


def infeasible_by_bounds() -> Program:
    """x1 + x2 = 5 with both at most 2."""
    return program([1.0, 1.0], A_eq=[[1.0, 1.0]], b_eq=[5.0], bounds=[[0.0, 2.0], [-1.0, 2.0]], status=2)


def unbounded(n: int, rows: int, seed: int = 0) -> Program:
    """A x <= b with A d < 0 for a d > 0 along which the cost falls; x >= 0 and feasible."""
    rng = np.random.default_rng(seed)
    d, A = rng.random(n) + 0.5, rng.standard_normal((rows, n))
    A -= np.outer(A @ d + rng.random(rows), d) / (d @ d)
    c = rng.standard_normal(n)
    c -= (c @ d + 1.0) * d / (d @ d)
    return program(c, A, A @ rng.random(n) + 0.1, status=3)


def documented() -> Program:
    """The example of scipy.optimize.linprog's docstring: -22 at (10, -3)."""
    return program([-1.0, 4.0], [[-3.0, 1.0], [1.0, 2.0]], [6.0, 4.0], bounds=[[-INF, INF], [-3.0, INF]], fun=-22.0)


PROGRAMS: dict[str, Program] = {
    "transportation": transportation(4, 6),
    "transportation_square": transportation(8, 8, 1),
    "assignment_5": assignment(5),
    "assignment_10": assignment(10, 1),
    "klee_minty_6": klee_minty(6),
    "klee_minty_10": klee_minty(10),
    "magic_square_3": magic_square(3),
    "beale": beale(),
    "kuhn": kuhn(),
    "kuhn_unbounded": kuhn(False),
    "chvatal": chvatal(),
    "marshall_suurballe": marshall_suurballe(),
    "known": known_optimum(12, 5, 4),
    "known_tall": known_optimum(4, 12, 1, 1),
    "known_scaled": known_optimum(12, 5, 4, 2, 3.0),
    "redundant": redundant(12, 4, 4),
    "empty_rows": empty_rows(),
    "empty_rows_infeasible": empty_rows(False),
    "box": box(6),
    "no_constraints": no_constraints(0.0),
    "no_constraints_unbounded": no_constraints(1.0),
    "zero_cost": zero_cost(),
    "infeasible": infeasible(5, 8),
    "infeasible_by_bounds": infeasible_by_bounds(),
    "unbounded": unbounded(6, 5),
    "documented": documented(),
}
