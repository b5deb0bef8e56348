"""One linear program by HiGHS (Huangfu & Hall 2018), on the host: HiGHS gets the program as it is given.

An answer of HiGHS is only a claim, as the answers of the other methods are. Its point and multipliers go through the same
certificate (`certificate.py`), in NumPy and float64, on the program as given. HiGHS may also say "infeasible", "unbounded"
or, after its presolve, "one of the two". Often it gives no ray with that. Two more programs then find the ray, and both
always have solutions:

    minimize sum_i (s_i + t_i)  with  row_lower <= A x + s - t <= row_upper,  lower <= x <= upper,  s, t >= 0         (1)
    minimize c'd  with  Ad and d in the recession cones of rows and bounds,  -1 <= d <= 1                             (2)

x and the rows are in the certificate's units there, because HiGHS's tolerances are absolute. The multipliers of (1) are a
Farkas ray, or its x is a feasible point; d of (2) is the direction. What is not proved in this way ends with status 4
(NUMERICAL). With integer variables multipliers prove nothing: the point is tested, and the verdict is HiGHS's.
"""

from typing import Any, NamedTuple

import numpy as np

from jaxopt_lite._families.linear import certificate
from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite._families.linear.units import Units, units
from jaxopt_lite.core.status import BAD_INPUT, BUDGET, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, UNBOUNDED

Numbers = Any  # an array of NumPy, where programs and certificates are typed for those of JAX
EITHER = -1  # infeasible or unbounded: presolve cannot always tell which
STATUS = {
    "kOptimal": CONVERGED,
    "kModelEmpty": CONVERGED,
    "kInfeasible": INFEASIBLE,
    "kUnbounded": UNBOUNDED,
    "kUnboundedOrInfeasible": EITHER,
    "kIterationLimit": BUDGET,
    "kTimeLimit": BUDGET,
    "kSolutionLimit": BUDGET,
}  # all else is NUMERICAL
TOLERANCES = ("primal_feasibility_tolerance", "dual_feasibility_tolerance", "ipm_optimality_tolerance")  # of HiGHS
TOLERANCE = 1e-7  # their defaults in HiGHS. They are absolute, and hold for the program as HiGHS scales it. So the
LEEWAY = 10.0  # certificate allows this many times as much, in units of the program


class HighsRequest(NamedTuple):
    """How HiGHS is to be called; static."""

    solver: str
    options: tuple[tuple[str, Any], ...]  # of HiGHS, by its own names
    integrality: tuple[int, ...] | None  # 0 continuous, 1 integer, 2 semicontinuous, 3 semi-integer


def run(program: Any, asked: HighsRequest) -> dict[str, Any]:
    """One program of NumPy arrays, or of matrices of scipy.sparse, by HiGHS; the raw fields, of float64."""
    n, m = program.c.shape[0], program.b_ub.shape[0] + program.b_eq.shape[0]
    found = {"x": np.full(n, np.nan), "y": np.zeros(m), "nit": 0, "mip_gap": np.nan}
    found |= {"ray_dual": np.full(m, np.nan), "ray_primal": np.full(n, np.nan)}
    lp = _ranged(program)
    if _is_flawed(lp):
        return found | {"status": BAD_INPUT}
    answer = _answered(lp, asked)
    found |= {"status": answer.status, "nit": answer.nit}
    found |= {} if answer.x is None else {"x": np.clip(answer.x, lp.lower, lp.upper)}
    if asked.integrality is not None:
        return _tested(lp, asked, found, answer) | {"mip_gap": answer.gap}
    return _proved(lp, asked, found | ({} if answer.y is None else {"y": answer.y}))


class _Answer(NamedTuple):
    """An answer of HiGHS."""

    status: int
    nit: int
    gap: float  # of integer programs
    x: Numbers | None  # (n,)
    y: Numbers | None  # (m,)


def _answered(lp: Ranged, asked: HighsRequest) -> _Answer:
    highspy = library()
    solver = solver_of(highspy, asked)
    solver.passModel(_model(highspy, lp, asked.integrality))
    solver.run()
    info, solution = solver.getInfo(), solver.getSolution()
    there = solution.value_valid and len(solution.col_value) == lp.c.shape[0]
    return _Answer(
        STATUS.get(solver.getModelStatus().name, NUMERICAL),
        max(0, info.simplex_iteration_count) + max(0, info.ipm_iteration_count),
        info.mip_gap,
        np.asarray(solution.col_value, float) if there else None,
        np.asarray(solution.row_dual, float) if solution.dual_valid else None,
    )


def _proved(lp: Ranged, asked: HighsRequest, found: dict[str, Any]) -> dict[str, Any]:
    """The fields, with the status that the certificate proves, and the ray."""
    tol, unit, status = _tolerance(asked), units(lp), found["status"]
    if status == CONVERGED:
        at = certificate.pair(lp, found["x"], found["y"])
        strict, loose = (certificate.errors(lp, unit, at, rounding).worst() for rounding in (0.0, certificate.ROUNDING))
        status = CONVERGED if strict <= tol else PRECISION if loose <= tol else NUMERICAL
        return found | {"y": at.y, "status": status}
    if status not in (INFEASIBLE, UNBOUNDED, EITHER):
        return found
    x, y = _nearest(lp, unit, asked)
    ray, error = certificate.farkas(lp, unit, y, tol)
    if error <= tol:
        return found | {"status": INFEASIBLE, "ray_dual": ray}
    direction, error = certificate.recession(lp, unit, _steepest(lp, unit, asked), tol)
    at = certificate.pair(lp, x, 0.0 * y)
    feasible = certificate.errors(lp, unit, at).primal <= tol
    found |= {"x": at.x} if feasible else {}
    if error <= tol and feasible:
        return found | {"status": UNBOUNDED, "ray_primal": direction}
    return found | {"status": NUMERICAL}


def _tested(lp: Ranged, asked: HighsRequest, found: dict[str, Any], answer: _Answer) -> dict[str, Any]:
    """The fields of a program with integers: only its point is tested, against rows and bounds."""
    if answer.status == EITHER:
        relaxed = _proved(lp, asked._replace(integrality=None), found)
        return relaxed if relaxed["status"] == INFEASIBLE else found | {"status": NUMERICAL}
    if answer.status != CONVERGED or answer.x is None:
        return found
    bounds: list[Numbers] = [np.minimum(lp.lower, answer.x), np.maximum(lp.upper, answer.x)]  # 0 may be outside
    lp = lp._replace(lower=bounds[0], upper=bounds[1])
    at = certificate.pair(lp, answer.x, found["y"])
    primal = certificate.errors(lp, units(lp), at, certificate.ROUNDING).primal
    return found | {"x": at.x, "status": CONVERGED if primal <= _tolerance(asked) else NUMERICAL}


def _in_units(lp: Ranged, unit: Units) -> Ranged:
    """The program with x divided by the units of x, and rows by the units of the rows."""
    R = 1.0 / np.where(unit.row > 0, unit.row, 1.0)
    A: Any = lp.A
    A = A.multiply(R[:, None]).multiply(unit.x[None, :]).tocsr() if hasattr(A, "tocsr") else R[:, None] * A * unit.x
    return Ranged(lp.c * unit.x, A, lp.row_lower * R, lp.row_upper * R, lp.lower / unit.x, lp.upper / unit.x)


def _nearest(lp: Ranged, unit: Units, asked: HighsRequest) -> tuple[Numbers, Numbers]:
    """x (n,) and multipliers (m,) of (1)."""
    (m, n), scaled = lp.A.shape, _in_units(lp, unit)
    A: Any = scaled.A
    if hasattr(A, "tocsr"):
        i = np.arange(m)
        A = _assembled(
            A, [_triples(A), *(_Triples(i, n + k * m + i, np.full(m, 1.0 - 2 * k)) for k in (0, 1))], (m, n + 2 * m)
        )
    else:
        A = np.concatenate([A, np.eye(m), -np.eye(m)], axis=1)
    none = np.zeros(2 * m)
    sides: list[Numbers] = [np.concatenate([scaled.lower, none]), np.concatenate([scaled.upper, none + np.inf])]
    costs: Numbers = np.concatenate([np.zeros(n), np.ones(2 * m)])
    answer = _answered(scaled._replace(c=costs, A=A, lower=sides[0], upper=sides[1]), asked)
    x: Numbers = np.clip(0.0, lp.lower, lp.upper) if answer.x is None else answer.x[:n] * unit.x
    return x, np.zeros(m) if answer.y is None else answer.y / np.where(unit.row > 0, unit.row, 1.0)


def _steepest(lp: Ranged, unit: Units, asked: HighsRequest) -> Numbers:
    """d (n,) of (2)."""
    scaled = _in_units(lp, unit)
    cone = lambda low, high, most: (np.where(low > -np.inf, 0.0, -most), np.where(high < np.inf, 0.0, most))
    sides: list[Numbers] = [*cone(scaled.row_lower, scaled.row_upper, np.inf), *cone(scaled.lower, scaled.upper, 1.0)]
    answer = _answered(Ranged(scaled.c, scaled.A, *sides), asked)
    return np.zeros_like(lp.c) if answer.x is None else answer.x * unit.x


def _tolerance(asked: HighsRequest) -> float:
    """The tolerance at which the certificate has to hold."""
    return LEEWAY * max([TOLERANCE, *(float(value) for name, value in asked.options if name in TOLERANCES)])


def library() -> Any:
    """`highspy`, or an ImportError that says how to get it."""
    try:
        import highspy
    except ImportError as error:
        raise ImportError("method 'highs' needs the HiGHS library: pip install jaxopt_lite[highs].") from error
    return highspy


def solver_of(highspy: Any, asked: HighsRequest) -> Any:
    """A HiGHS object with the user's options set."""
    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("solver", asked.solver), *asked.options):
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(
                f"HiGHS refuses option {name!r} with the value {value!r}; give its own names, such as 'time_limit' or "
                "'primal_feasibility_tolerance', and values of their type and range."
            )
    return solver


class _Triples(NamedTuple):
    """The entries of a matrix; several at one place add up."""

    row: Numbers
    column: Numbers
    value: Numbers


def _triples(A: Any, first: int = 0) -> _Triples:
    """The entries of a dense or a sparse matrix, with row numbers that begin at `first`."""
    if hasattr(A, "tocoo"):
        A = A.tocoo()
        return _Triples(A.row + first, A.col, np.asarray(A.data, float))
    row, column = np.nonzero(A)
    return _Triples(row + first, column, np.asarray(A, float)[row, column])


def _assembled(like: Any, parts: list[_Triples], shape: tuple[int, int]) -> Any:
    """A sparse matrix of the same class as `like`, without zeros. This way the package need not import scipy."""
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    A = type(like.tocsr())((value, (row, column)), shape=shape)
    A.sum_duplicates()
    A.eliminate_zeros()
    return A


def _ranged(program: Any) -> Ranged:
    """The ranged form, of NumPy arrays of float64 and, where one of the matrices is sparse, a sparse A."""
    c, b_ub, b_eq, lower, upper = (
        np.asarray(part, float) for part in (program.c, program.b_ub, program.b_eq, program.lower, program.upper)
    )
    matrices = program.A_ub, program.A_eq
    sparse = [matrix for matrix in matrices if hasattr(matrix, "tocsr")]
    if sparse:
        p, shape = b_ub.shape[0], (b_ub.shape[0] + b_eq.shape[0], c.shape[0])
        A = _assembled(sparse[0], [_triples(matrices[0]), _triples(matrices[1], p)], shape)
    else:
        A = np.concatenate([np.asarray(matrix, float) for matrix in matrices])
    row_lower = np.concatenate([np.full_like(b_ub, -np.inf), b_eq])
    parts: list[Numbers] = [c, A, row_lower, np.concatenate([b_ub, b_eq]), lower, upper]
    return Ranged(*parts)


def _is_flawed(lp: Ranged) -> bool:
    """`is_flawed` of `program.py`, for NumPy and sparse matrices."""
    A: Any = lp.A
    entries = A.data if hasattr(A, "tocsr") else A
    broken = not (np.all(np.isfinite(lp.c)) and np.all(np.isfinite(entries)))
    for low, high in ((lp.row_lower, lp.row_upper), (lp.lower, lp.upper)):
        broken |= bool(np.any(~(low <= high)) or np.any(low == np.inf) or np.any(high == -np.inf))
    return broken


def _model(highspy: Any, lp: Ranged, integrality: tuple[int, ...] | None) -> Any:
    m, n = lp.A.shape
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = n, m
    model.col_cost_, model.col_lower_, model.col_upper_ = lp.c, lp.lower, lp.upper
    model.row_lower_, model.row_upper_ = lp.row_lower, lp.row_upper
    start, index, value = _columns(lp.A)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = start, index, value
    if integrality is not None:
        names = ("kContinuous", "kInteger", "kSemiContinuous", "kSemiInteger")
        kinds = [getattr(highspy.HighsVarType, name) for name in names]
        model.integrality_ = [kinds[k] for k in integrality]
    return model


def _columns(A: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrix by columns: where each starts (n + 1,), rows and values."""
    if hasattr(A, "tocsr"):
        A = A.tocsc()
        return A.indptr.astype(np.int32), A.indices.astype(np.int32), A.data
    column, row = np.nonzero(A.T)
    start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=A.shape[1]))])
    return start.astype(np.int32), row.astype(np.int32), A[row, column]
