"""What follows from the solution of a least-squares problem: one evaluation at x, SciPy's fields, and a second opinion."""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.dense import matvec, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Measured, Oracle
from jaxopt_lite.core.status import NUMERICAL, is_success
from jaxopt_lite.lsq.orthogonal import Factor, factor

LENIENT = 10.0  # a second opinion differs from the first where the numbers that it confirms are ten times too large
NOISE = 16.0  # residuals carry this many times the rounding of x


def fields(oracle: Oracle, solved: dict[str, Array], operands: Operands) -> dict[str, Array]:
    """cost, fun (the residuals), jac and grad (as the loss sees them), optimality, active_mask; and the status, checked."""
    x, data = solved["x"], operands.data
    at = oracle.measured(x, operands.function)
    grad = matvec(at.jacobian.T, at.weighed)
    scaled, mask = grad, jnp.zeros(x.shape, jnp.int32)
    if data.lower is not None:
        scaled, mask = grad * distance(x, grad, data.lower, data.upper), active(x, data.lower, data.upper)
    return {
        "cost": at.cost,
        "fun": at.residual,
        "jac": at.jacobian,
        "grad": grad,
        "optimality": norm(scaled),
        "active_mask": mask,
        "status": checked(
            solved["status"],
            x,
            at,
            factor(at.jacobian * free(x, grad, data)[None, :], at.weighed),
            data,
            solved.get("_rounding", 0.0),
        ),
    }


def checked(status: Array, x: Array, at: Measured, f: Factor, data: Any, rounding: Array | float) -> Array:
    """The status, a success only if the orthogonal factorization `f` of the free columns confirms it.

    One of these must hold: the full step promises no more than the tolerances leave, or is no longer than `xtol`; or the
    projection of the residual is within its rounding.
    """
    eps = jnp.finfo(x.dtype).eps
    x_size = norm(f.size * f.kept * x, 2)
    projected = norm(f.projected, 2)
    size = jnp.sqrt(2.0 * at.cost)
    asked = LENIENT * jnp.maximum(jnp.maximum(data.ftol, data.gtol), eps)
    little = projected**2 <= asked * size**2
    full = norm(matvec(f.inverse * f.kept[None, :] * f.kept[:, None], f.projected), 2)
    short = full <= LENIENT * jnp.maximum(data.xtol, eps) * x_size
    noise = projected <= NOISE * eps * (size + x_size) * x.shape[0] ** 0.5
    noise = noise | (projected <= rounding)  # of the last steps: x may be zero
    true = (little | short | noise) & jnp.isfinite(at.cost)
    return jnp.where(is_success(status) & ~true, NUMERICAL, status).astype(jnp.int32)


def free(x: Array, grad: Array, data: Any) -> Array:
    """1.0 for variables that no bound holds, (n,); 0.0 for those at a bound, or as good as there, that are pushed to it."""
    lower, upper = data.lower, data.upper
    if lower is None:
        return jnp.ones_like(x)
    ahead = jnp.where(grad > 0, x - lower, jnp.where(grad < 0, upper - x, jnp.inf))
    near = jnp.finfo(x.dtype).eps ** 0.5 * jnp.maximum(jnp.abs(x), 1.0)
    return jnp.where((ahead <= near) | (lower == upper), 0.0, 1.0)


def distance(x: Array, grad: Array, lower: Array, upper: Array) -> Array:
    """Coleman and Li's v (n,): the distance to the finite bound that steepest descent goes to, 1 where there is none."""
    down, up = (grad > 0) & jnp.isfinite(lower), (grad < 0) & jnp.isfinite(upper)
    return jnp.where(down, x - jnp.where(down, lower, 0.0), jnp.where(up, jnp.where(up, upper, 0.0) - x, 1.0))


def active(x: Array, lower: Array, upper: Array) -> Array:
    """-1 where x is at its lower bound, 1 at its upper one, 0 elsewhere, (n,) int32."""
    return jnp.where(x <= lower, -1, jnp.where(x >= upper, 1, 0)).astype(jnp.int32)
