"""Method 'highs': the HiGHS library on the host, for large sparse programs and for integers; one program after the other.

HiGHS (Huangfu & Hall 2018) is an optional extra: ``pip install jaxopt_lite[highs]``. `host.py` runs one program and
tests the answer. This file hands programs to `host.py`, under `jit` and `vmap` by a callback, and gives derivatives to the
solutions.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite._families.linear.host import HighsRequest, library, run, solver_of
from jaxopt_lite._families.linear.program import LinearProgram, Ranged, ranged
from jaxopt_lite._families.linear.solution import following, vertex
from jaxopt_lite._needs.nothing import NO_FUNCTIONS
from jaxopt_lite.core.implicit import constant, tangents
from jaxopt_lite.core.loop import Budget, Operands
from jaxopt_lite.core.status import CONVERGED, PRECISION, is_success

SOLVERS = {"highs": "choose", "highs-ds": "simplex", "highs-ipm": "ipm"}


class HostData(NamedTuple):
    """The data that derivatives need."""

    lp: Ranged


def solve(program: LinearProgram, asked: HighsRequest) -> dict[str, Any]:
    """The fields of the result. Traced programs go to the host one by one. Derivatives are those of the other methods.

    A program with matrices of scipy.sparse must be concrete (not traced). Where the library is missing or refuses an option,
    this raises here, and not from inside of a callback.
    """
    solver_of(library(), asked)
    sparse = any(hasattr(A, "tocsr") for A in (program.A_ub, program.A_eq))
    if not any(isinstance(leaf, Tracer) for leaf in program):
        return jax.tree.map(jnp.asarray, _solve_concrete(program, asked))
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


def _solve_concrete(program: LinearProgram, asked: HighsRequest) -> dict[str, Any]:
    """The same fields from a concrete program, whose matrices may be sparse."""
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
    return cast | {"status": status, "nit": nit, "success": np.isin(status, (CONVERGED, PRECISION))}


def _operands(program: LinearProgram) -> Operands:
    none = jnp.zeros((), jnp.int32)
    return Operands(program.c, HostData(ranged(program)), Budget(none, none), NO_FUNCTIONS[1])


def _cast(solved: dict[str, Any], shapes: dict[str, jax.ShapeDtypeStruct]) -> dict[str, np.ndarray]:
    return {name: np.asarray(solved[name], shape.dtype) for name, shape in shapes.items()}
