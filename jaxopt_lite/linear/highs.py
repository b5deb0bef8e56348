"""The HiGHS library on the host, for large sparse programs and for integer variables; one program after the other.

HiGHS (Huangfu & Hall 2018) is an optional extra: ``pip install jaxopt_lite[highs]``. It sees the program as it is given, and
its answers hold at its own tolerances (1e-7 on primal and dual feasibility). The point, the multipliers and the rays that
it gives are reported as those of the other methods; with integer variables there are no multipliers.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.core.implicit import constant, tangents
from jaxopt_lite.core.loop import Budget, Operands
from jaxopt_lite.core.oracle import NO_FUNCTIONS
from jaxopt_lite.core.status import (
    BAD_INPUT,
    BUDGET,
    CONVERGED,
    INFEASIBLE,
    NUMERICAL,
    UNBOUNDED,
    is_success,
)
from jaxopt_lite.linear.program import LinearProgram, Ranged, ranged
from jaxopt_lite.linear.solution import following, vertex

SOLVERS = {"highs": "choose", "highs-ds": "simplex", "highs-ipm": "ipm"}
STATUS = {
    "kOptimal": CONVERGED,
    "kInfeasible": INFEASIBLE,
    "kUnbounded": UNBOUNDED,
    "kIterationLimit": BUDGET,
    "kTimeLimit": BUDGET,
    "kSolutionLimit": BUDGET,
    "kModelEmpty": CONVERGED,
}  # all else is NUMERICAL


class HostData(NamedTuple):
    """What derivatives need to know."""

    lp: Ranged


class Asked(NamedTuple):
    """How HiGHS is to be called; static."""

    solver: str
    options: tuple[tuple[str, Any], ...]  # of HiGHS, by its own names
    integrality: tuple[int, ...] | None  # 0 continuous, 1 integer, 2 semicontinuous, 3 semi-integer


def solve(program: LinearProgram, asked: Asked) -> dict[str, Any]:
    """The fields of the result; traced programs are handed to the host one by one. Differentiable as the other methods.

    With matrices of scipy.sparse the program must be known. Raises here, and not from inside of a callback, where the
    library is missing or refuses an option.
    """
    _solver(_library(), asked)
    sparse = any(hasattr(A, "tocsr") for A in (program.A_ub, program.A_eq))
    if not any(isinstance(leaf, Tracer) for leaf in program):
        return jax.tree.map(jnp.asarray, _known(program, asked))
    if sparse:
        raise ValueError("a sparse matrix is given under jit, vmap or grad; give a dense array, or make an eager call.")
    p = program.b_ub.shape[0]
    fields, (oracle, _) = following(p), NO_FUNCTIONS

    @jax.custom_jvp
    def on_host(program: LinearProgram) -> dict[str, Array]:
        n, m, dtype = program.c.shape[0], p + program.b_eq.shape[0], program.c.dtype
        number, count = jax.ShapeDtypeStruct((), dtype), jax.ShapeDtypeStruct((), jnp.int32)
        vector = lambda size: jax.ShapeDtypeStruct((size,), dtype)
        shapes = {"x": vector(n), "y": vector(m), "status": count, "nit": count}
        shapes |= {"ray_dual": vector(m), "ray_primal": vector(n), "mip_gap": number}
        call = lambda *leaves: _cast(run(LinearProgram._make(map(np.asarray, leaves)), asked), shapes)
        solved = jax.pure_callback(call, shapes, *program, vmap_method="sequential")
        return solved | {"success": is_success(solved["status"])} | fields(oracle, solved, _operands(program))

    @on_host.defjvp
    def rule(primals: tuple[LinearProgram], d_primals: tuple[LinearProgram]) -> tuple[dict, dict]:
        solved = on_host(*primals)
        operands, d_operands = jax.jvp(_operands, primals, d_primals)
        at = {name: solved[name] for name in ("x", "y", "status")}
        moved = tangents(oracle, vertex, fields, at, operands, d_operands)
        return solved, {name: moved[name] if name in moved else constant(solved[name]) for name in solved}

    return on_host(jax.tree.map(jnp.asarray, program))


def _known(program: LinearProgram, asked: Asked) -> dict[str, Any]:
    """The same fields from a known program, whose matrices may be sparse."""
    dtype = program.c.dtype
    program = LinearProgram._make(A if hasattr(A, "tocsr") else np.asarray(A, float) for A in program)
    solved = run(program, asked)
    p, x, y, c = program.b_ub.shape[0], solved["x"], solved["y"], program.c
    slack, con = program.b_ub - program.A_ub @ x, program.b_eq - program.A_eq @ x
    z = c - program.A_ub.T @ y[:p] - program.A_eq.T @ y[p:]
    above, below = x - program.lower, program.upper - x
    rooms = {"slack": slack, "con": con, "above": above, "below": below}
    z_lower, z_upper = np.where(above < np.inf, np.maximum(z, 0.0), 0.0), np.where(below < np.inf, np.minimum(z, 0.0), 0.0)
    outside = np.concatenate([np.maximum(-slack, 0.0), np.abs(con), np.maximum(-above, 0.0), np.maximum(-below, 0.0)])
    made = rooms | {
        "y_ub": y[:p],
        "y_eq": y[p:],
        "z_lower": z_lower,
        "z_upper": z_upper,
        "maxcv": np.max(outside, initial=0.0),
    }
    cast = {name: np.asarray(value, dtype) for name, value in (solved | made | {"fun": c @ x}).items()}
    status, nit = np.asarray(solved["status"], np.int32), np.asarray(solved["nit"], np.int32)
    return cast | {"status": status, "nit": nit, "success": status == CONVERGED}


def _operands(program: LinearProgram) -> Operands:
    none = jnp.zeros((), jnp.int32)
    return Operands(program.c, HostData(ranged(program)), Budget(none, none), NO_FUNCTIONS[1])


def _cast(solved: dict[str, Any], shapes: dict[str, jax.ShapeDtypeStruct]) -> dict[str, np.ndarray]:
    return {name: np.asarray(solved[name], shape.dtype) for name, shape in shapes.items()}


def run(program: Any, asked: Asked) -> dict[str, Any]:
    """One program of NumPy arrays, or of matrices of scipy.sparse, by HiGHS; the raw fields, of float64."""
    highspy = _library()
    n, p, q = program.c.shape[0], program.b_ub.shape[0], program.b_eq.shape[0]
    nothing = {"x": np.full(n, np.nan), "y": np.zeros(p + q), "nit": 0, "mip_gap": np.nan}
    nothing |= {"ray_dual": np.full(p + q, np.nan), "ray_primal": np.full(n, np.nan)}
    if _is_flawed(program):
        return nothing | {"status": BAD_INPUT}
    solver = _solver(highspy, asked)
    solver.passModel(_model(highspy, program, asked.integrality))
    solver.run()
    status = STATUS.get(solver.getModelStatus().name, NUMERICAL)
    if solver.getModelStatus().name == "kUnboundedOrInfeasible":  # presolve could not tell
        solver.setOptionValue("presolve", "off")
        solver.run()
        status = STATUS.get(solver.getModelStatus().name, NUMERICAL)
    info, solution = solver.getInfo(), solver.getSolution()
    found = dict(nothing, status=status)
    found["nit"] = max(0, info.simplex_iteration_count) + max(0, info.ipm_iteration_count)
    if len(solution.col_value) == n and solution.value_valid:
        found["x"] = np.clip(solution.col_value, program.lower, program.upper)
    if solution.dual_valid and asked.integrality is None:
        found["y"] = np.asarray(solution.row_dual)
    if asked.integrality is not None:
        found["mip_gap"] = info.mip_gap
    if asked.integrality is None:
        for name, code, ray in (("ray_dual", INFEASIBLE, "getDualRay"), ("ray_primal", UNBOUNDED, "getPrimalRay")):
            _, exists, values = getattr(solver, ray)() if status == code else (None, False, None)
            found |= {name: np.asarray(values)} if exists else {}
    return found


def _library() -> Any:
    try:
        import highspy
    except ImportError as error:
        raise ImportError("method 'highs' needs the HiGHS library: pip install jaxopt_lite[highs].") from error
    return highspy


def _solver(highspy: Any, asked: Asked) -> Any:
    """HiGHS with the options that it is asked to take."""
    solver = highspy.Highs()
    for name, value in (("output_flag", False), ("solver", asked.solver), *asked.options):
        if solver.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise ValueError(
                f"HiGHS refuses option {name!r} with the value {value!r}; give its own names, such as 'time_limit' or "
                "'primal_feasibility_tolerance', and values of their type and range."
            )
    return solver


def _is_flawed(program: LinearProgram) -> bool:
    values = (program.c, program.b_ub, program.b_eq, program.lower, program.upper)
    entries = [getattr(A, "data", A) if hasattr(A, "tocsr") else A for A in (program.A_ub, program.A_eq)]
    broken = any(np.any(np.isnan(v)) for v in (*values, *entries)) or not np.all(np.isfinite(program.c))
    return broken or bool(np.any(program.lower > program.upper))


def _model(highspy: Any, program: LinearProgram, integrality: tuple[int, ...] | None) -> Any:
    n, p, q = program.c.shape[0], program.b_ub.shape[0], program.b_eq.shape[0]
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, p + q
    lp.col_cost_ = np.asarray(program.c, float)
    lp.col_lower_, lp.col_upper_ = np.asarray(program.lower, float), np.asarray(program.upper, float)
    lp.row_lower_ = np.concatenate([np.full(p, -np.inf), program.b_eq]).astype(float)
    lp.row_upper_ = np.concatenate([program.b_ub, program.b_eq]).astype(float)
    start, index, value = _columns(program.A_ub, program.A_eq)
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = start, index, value
    if integrality is not None:
        names = ("kContinuous", "kInteger", "kSemiContinuous", "kSemiInteger")
        kinds = [getattr(highspy.HighsVarType, name) for name in names]
        lp.integrality_ = [kinds[k] for k in integrality]
    return lp


def _columns(A_ub: Any, A_eq: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both matrices, one above the other, by columns: where each starts (n + 1,), rows and values."""
    rows, columns, values = [], [], []
    for A, first in ((A_ub, 0), (A_eq, A_ub.shape[0])):
        triples = A.tocoo() if hasattr(A, "tocoo") else None
        i, j = (triples.row, triples.col) if triples is not None else np.nonzero(A)
        rows.append(np.asarray(i) + first)
        columns.append(np.asarray(j))
        values.append(np.asarray(triples.data if triples is not None else A[i, j], float))
    row, column, value = (np.concatenate(part) for part in (rows, columns, values))
    order = np.lexsort((row, column))
    start = np.concatenate([[0], np.cumsum(np.bincount(column, minlength=A_ub.shape[1]))])
    return start.astype(np.int32), row[order].astype(np.int32), value[order]
