"""The fields that follow from the solution of a linear program, by SciPy's names, and derivatives.

*The optimal value* is differentiable through its multipliers y and reduced costs z = z_lower + z_upper,

    d fun = dc'x + x'dP x / 2 + y'(db - dA x) + z_lower' d lower + z_upper' d upper                              (1)

which needs no derivative of x (Gal 1979; the envelope theorem). *The point and the multipliers* move with their basis: of
the n variables and m rows r = A x, those strictly between their bounds are basic. With N the rest, which moves with its
bounds, and B the columns of [A, -I] that belong to the basic ones,

    B dv_B = -dA x - [A, -I]_N dv_N,     B' dy = (dc - dA'y)_B                                      (2)

where B is square and regular and no multiplier of N vanishes: a nondegenerate vertex. Elsewhere x (or y) has a kink or
is not unique, and its derivatives are NaN; (1) is then one of several one-sided derivatives, as far as y is unique.

*Of a quadratic program* x and y move with the active set: variables at a bound and rows at a bound stay there, rows between
their bounds have no multiplier, and the slope of the other variables stays zero,

    (P dx - A'dy)_j = -(dc + dP x - dA'y)_j,   dx_j = d bound_j;   (A dx)_i = d bound_i - (dA x)_i,   dy_i = 0     (3)

where nothing is both at a bound and without a multiplier, and the system is regular; else they are NaN.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.linear import certificate
from jaxopt_lite._families.linear.bounded_form import bounded_form
from jaxopt_lite._families.linear.program import LinearProgram, Ranged, parted
from jaxopt_lite._families.linear.vertex import at_vertex
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.implicit import silent, solve_regular
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import INFEASIBLE, UNBOUNDED, is_success

RAYS = {"ray_dual": INFEASIBLE, "ray_primal": UNBOUNDED}  # which ray proves which status
CLEAR = 1e-3  # basic: the multiplier is at most this part of the distance to a bound, both in units; else the reverse


class Reduced(NamedTuple):
    """Reduced costs c + P x - A'y, positive ones at lower bounds, negative ones at upper bounds, 0 at infinite bounds."""

    lower: Array  # (n,) >= 0
    upper: Array  # (n,) <= 0


def reduced(lp: Ranged, x: Array, y: Array) -> Reduced:
    """The multipliers of the bounds on x (n,) that belong to y (m,)."""
    z = lp.slope(x) - matvec(lp.A.T, y)
    return Reduced(
        jnp.where(lp.lower > -jnp.inf, jnp.maximum(z, 0.0), 0.0), jnp.where(lp.upper < jnp.inf, jnp.minimum(z, 0.0), 0.0)
    )


@jax.custom_jvp
def optimum(lp: Ranged, x: Array, y: Array) -> Array:
    """c'x + x'P x / 2, whose derivative with respect to the program is (1)."""
    return dot(lp.c, x) if lp.P is None else dot(lp.c + 0.5 * matvec(lp.P, x), x)


@optimum.defjvp
def _(primals: tuple[Ranged, Array, Array], tangents: tuple[Ranged, Any, Any]) -> tuple[Array, Array]:
    (lp, x, y), (d, _, _) = primals, tangents
    z = reduced(lp, x, y)
    rows = dot(y, jnp.where(y > 0, d.row_lower, d.row_upper) - matvec(d.A, x))
    direct = dot(d.c, x) if d.P is None else dot(d.c + 0.5 * matvec(d.P, x), x)
    return optimum(lp, x, y), direct + rows + dot(z.lower, d.lower) + dot(z.upper, d.upper)


@kept()
def following(p: int, cleaned: bool = False) -> Callable[..., dict[str, Array]]:
    """`(oracle, solved, operands) -> fields` of a program whose first p rows are those of A_ub.

    With `cleaned`, x is moved to a vertex of the face of solutions, if the certificate holds there too.
    """

    def fields(oracle: Oracle, solved: dict[str, Array], operands: Operands) -> dict[str, Array]:
        lp: Ranged = operands.data.lp
        if cleaned and "ray_dual" in solved:  # not where derivatives are taken: `solved` then has no rays
            x, basis = _at_vertex(p, solved, operands)
            return {"x": x, "basis": basis} | plain({**solved, "x": x}, lp)
        return plain(solved, lp)

    def plain(solved: dict[str, Array], lp: Ranged) -> dict[str, Array]:
        x, y = solved["x"], solved["y"]
        left, z = lp.row_upper - matvec(lp.A, x), reduced(lp, x, y)
        (slack, con), (y_ub, y_eq) = parted(left, p), parted(y, p)
        outside = norm(jnp.concatenate([jnp.maximum(-slack, 0.0), con]))
        beyond = norm(jnp.maximum(jnp.maximum(lp.lower - x, x - lp.upper), 0.0))
        multipliers = {"y_ub": y_ub, "y_eq": y_eq, "z_lower": z.lower, "z_upper": z.upper}
        rooms = {"slack": slack, "con": con, "above": x - lp.lower, "below": lp.upper - x}
        rooms["maxcv"] = jnp.maximum(outside, beyond)
        told = {name: (solved[name], solved["status"] == code) for name, code in RAYS.items() if name in solved}
        proofs = {name: jnp.where(holds, ray, jnp.nan) for name, (ray, holds) in told.items()}
        return {"fun": optimum(lp, x, y)} | rooms | multipliers | proofs

    return fields


def _at_vertex(p: int, solved: dict[str, Array], operands: Operands) -> tuple[Array, Array]:
    """The vertex (n,) and its basis (m,), or x as it is and -1 where the certificate does not hold at the vertex."""
    data, x, y = operands.data, solved["x"], solved["y"]
    lp: Ranged = data.lp
    (A_ub, A_eq), (b_ub, b_eq) = parted(lp.A, p), parted(lp.row_upper, p)
    there, basis = at_vertex(bounded_form(LinearProgram(lp.c, A_ub, b_ub, A_eq, b_eq, lp.lower, lp.upper)), x, y)
    at = certificate.pair(lp, there, y)
    proved = is_success(solved["status"]) & (certificate.errors(lp, data.unit, at).worst() <= data.tol)
    return jnp.where(proved, at.x, x), jnp.where(proved, basis, -1)


def vertex(oracle: Oracle, solved: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """The tangents of x and y by (2); NaN where the solution is not a nondegenerate vertex."""
    lp, d = operands.data.lp, d_operands.data.lp
    x, y = solved["x"], solved["y"]
    m, n = lp.A.shape
    basic, clear = _basis(lp, x, y)
    joined = jnp.concatenate([lp.A, -jnp.eye(m, dtype=x.dtype)], axis=1)
    place, _ = parted(jnp.argsort(~basic, stable=True), m)  # the basic ones first
    B = joined[:, place]
    value, low, high = (
        jnp.concatenate(pair) for pair in ((x, matvec(lp.A, x)), (lp.lower, lp.row_lower), (lp.upper, lp.row_upper))
    )
    d_low, d_high = (jnp.concatenate(pair) for pair in ((d.lower, d.row_lower), (d.upper, d.row_upper)))
    at_low = jnp.abs(value - low) <= jnp.abs(value - high)  # the distance to an infinite bound is inf
    held = jnp.where(basic, 0.0, jnp.where(at_low, d_low, d_high))
    force = -matvec(d.A, x) - matvec(joined, held)
    known = jnp.where(clear & (jnp.sum(basic) == m), 1.0, jnp.nan).astype(x.dtype)
    dv = held.at[place].set(solve_regular(B, force), unique_indices=True) if m else held
    price = jnp.concatenate([d.c - matvec(d.A.T, y), jnp.zeros_like(y)])
    dy = solve_regular(B.T, price[place]) if m else jnp.zeros_like(y)
    way = silent(x.dtype, d_operands)  # neither of them reads all of the program
    return {"x": (dv[:n] + way) * known, "y": (dy + way) * known}


def _basis(lp: Ranged, x: Array, y: Array) -> tuple[Array, Array]:
    """Which of the n variables and m rows are basic, (n + m,) bool; and () bool: is that clear for all of them?"""
    row = jnp.max(jnp.abs(lp.A), axis=1, initial=0.0)
    unit_x = jnp.maximum(jnp.max(jnp.abs(x)), jnp.finfo(x.dtype).tiny)
    price = jnp.max(jnp.abs(lp.c)) if lp.P is None else jnp.max(jnp.abs(lp.c) + matvec(jnp.abs(lp.P), jnp.abs(x)))
    unit_c = jnp.maximum(price, jnp.finfo(x.dtype).tiny)
    Ax = matvec(lp.A, x)
    away = lambda value, low, high: jnp.minimum(jnp.abs(value - low), jnp.abs(high - value))
    unit_r = jnp.where(row > 0, row, 1.0) * unit_x
    distance = jnp.concatenate([away(x, lp.lower, lp.upper) / unit_x, away(Ax, lp.row_lower, lp.row_upper) / unit_r])
    push = jnp.concatenate([jnp.abs(lp.slope(x) - matvec(lp.A.T, y)), jnp.abs(y) * jnp.where(row > 0, row, 1.0)]) / unit_c
    fixed = jnp.concatenate([lp.lower == lp.upper, lp.row_lower == lp.row_upper])
    basic = (push <= CLEAR * distance) & ~fixed
    return basic, jnp.all(basic | fixed | (distance <= CLEAR * push))


def active(oracle: Oracle, solved: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """The tangents of x and y of a quadratic program by (3); NaN where the active set is not clear."""
    lp, d = operands.data.lp, d_operands.data.lp
    x, y = solved["x"], solved["y"]
    m, n = lp.A.shape
    between, clear = _basis(lp, x, y)
    free, idle = between[:n], between[n:]
    of_x, of_y = jnp.eye(n, dtype=x.dtype), jnp.eye(m, dtype=x.dtype)
    nearer = lambda v, low, high, d_low, d_high: jnp.where(jnp.abs(v - low) <= jnp.abs(v - high), d_low, d_high)
    top = jnp.where(
        free[:, None], jnp.concatenate([lp.P, -lp.A.T], 1), jnp.concatenate([of_x, jnp.zeros((n, m), x.dtype)], 1)
    )
    bottom = jnp.where(
        idle[:, None], jnp.concatenate([jnp.zeros((m, n), x.dtype), of_y], 1), jnp.pad(lp.A, ((0, 0), (0, m)))
    )
    force = -(d.c + matvec(d.P, x) - matvec(d.A.T, y))
    force = jnp.where(free, force, nearer(x, lp.lower, lp.upper, d.lower, d.upper))
    row = nearer(matvec(lp.A, x), lp.row_lower, lp.row_upper, d.row_lower, d.row_upper) - matvec(d.A, x)
    sides = jnp.concatenate([force, jnp.where(idle, 0.0, row)])
    known = jnp.where(clear, 1.0, jnp.nan).astype(x.dtype)
    both = (solve_regular(jnp.concatenate([top, bottom]), sides) + silent(x.dtype, d_operands)) * known
    return {"x": both[:n], "y": both[n:]}
