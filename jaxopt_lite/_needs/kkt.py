"""The derivative of a solution under constraints: the implicit function theorem on the conditions of Karush, Kuhn, Tucker.

At a solution x with multipliers y of the rows lower <= c <= upper and in bounds l <= x <= u,

    grad f + A'y + z = 0,   c_i = the side that holds, for active rows i,   x_j = the bound that holds, for held j     (1)

where z are multipliers of the bounds. Where the gradients of what is active are independent, the second-order condition
holds, and every active inequality has a multiplier that is not zero (strict complementarity), (1) says how x and y move:

    [H  A'] [dx]     [d_theta (grad f + A'y)]
    [A  0 ] [dy] = - [d_theta c - d side    ]                                                     (2)

on the active rows and the variables that no bound holds (Fiacco 1976; Nocedal & Wright 2006, section 18.1). An inactive row
has dy = 0.

*Which rows are active.* A multiplier is compared with the slack, the distance to its side, each in units of its own: the
force |y_i| |A_i| relative to the largest force and to |grad f|, the slack relative to c_i, its side, and |A_i| |x|. A row is
active if its force is larger than its slack. Where both are less than eps^(1/3), the solution has a kink, and its
derivatives are NaN. So they are where (2) is singular.
"""

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core import constraints
from jaxopt_lite.core.dense import lengths, norm
from jaxopt_lite.core.implicit import held_by_bounds, silent, solve_regular
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle, Traced

DEGENERATE = 1 / 3  # the power of eps below which a multiplier, and a slack, are zero


def kkt(oracle: Oracle, fields: dict[str, Array], operands: Operands, d_operands: Operands) -> dict[str, Array]:
    """dx* and the tangents of the `multipliers`, by (2); the rule of methods that report both."""
    x, y, theta, d_theta = fields["x"], fields["multipliers"], operands.function, d_operands.function
    n, parts = x.shape[0], oracle.more

    def slope(x: Array, t: Traced) -> Array:
        """The gradient of the Lagrangian without the bounds."""
        grad = oracle.derivative(x, t)
        return grad if parts is None else grad + constraints.gradient(parts, t.more, x, y)

    g, A = slope(x, theta), jnp.zeros((0, n), x.dtype)
    holding = jnp.zeros(0, bool)
    moved = jnp.zeros(0, x.dtype)
    unsure = jnp.zeros((), bool)
    if parts is not None:
        rows = lambda x, t: constraints.values(parts, t.more, x)
        A = jax.jacfwd(lambda x: rows(x, theta))(x)
        holding, upper, unsure = active_rows(parts.p, x, rows(x, theta), A, y, oracle.derivative(x, theta), theta.more)
        _, d_rows = jax.jvp(lambda t: rows(x, t), (theta,), (d_theta,))
        moved = jnp.where(upper, d_theta.more.upper, d_theta.more.lower) - d_rows
    held, d_bound = jnp.zeros(n, bool), jnp.zeros_like(x)
    if getattr(operands.data, "lower", None) is not None:
        held, d_bound = held_by_bounds(x, g, operands.data, d_operands.data)
    hess = jax.jacfwd(lambda x: slope(x, theta))(x)
    _, force = jax.jvp(lambda t: slope(x, t), (theta,), (d_theta,))
    force = force + silent(x.dtype, d_operands)
    m, own = A.shape[0], jnp.eye(n, dtype=x.dtype)
    top = jnp.where(held[:, None], jnp.concatenate([own, jnp.zeros((n, m), x.dtype)], 1), jnp.concatenate([hess, A.T], 1))
    inactive = jnp.concatenate([jnp.zeros((m, n), x.dtype), jnp.eye(m, dtype=x.dtype)], 1)
    below = jnp.where(holding[:, None], jnp.concatenate([A, jnp.zeros((m, m), x.dtype)], 1), inactive)
    right = jnp.concatenate([jnp.where(held, d_bound, -force), jnp.where(holding, moved, 0.0)])
    d = solve_regular(jnp.concatenate([top, below]), right)
    d = d * jnp.where(unsure, jnp.nan, 1.0).astype(x.dtype)
    return {"x": d[:n], "multipliers": d[n:]}


def active_rows(
    p: int, x: Array, c: Array, A: Array, y: Array, grad: Array, t: constraints.Traced
) -> tuple[Array, Array, Array]:
    """Which rows hold (m,), which of them by their upper side (m,), and whether any is neither active nor inactive ()."""
    return active_by_slopes(p, x, c, lengths(A.T), y, grad, t)


def active_by_slopes(
    p: int, x: Array, c: Array, steep: Array, y: Array, grad: Array, t: constraints.Traced
) -> tuple[Array, Array, Array]:
    """The same from the lengths (m,) of the rows' gradients."""
    tol = float(jnp.finfo(x.dtype).eps) ** DEGENERATE
    force = jnp.abs(y) * steep
    largest = jnp.maximum(norm(force), norm(grad, 2))
    force = force / jnp.where(largest > 0, largest, 1.0)
    upper = jnp.where(y == 0, t.upper - c < c - t.lower, y > 0)
    side = jnp.where(upper, t.upper, t.lower)
    known = jnp.isfinite(side)
    size = jnp.maximum(jnp.maximum(jnp.abs(c), jnp.where(known, jnp.abs(side), 0.0)), steep * norm(x, 2))
    slack = jnp.where(known, jnp.abs(c - jnp.where(known, side, 0.0)), jnp.inf) / jnp.where(size > 0, size, 1.0)
    equal = (jnp.arange(c.shape[0]) < p) | (t.lower == t.upper)
    holding = equal | (force > slack)
    return holding, upper, jnp.any(~equal & (force <= tol) & (slack <= tol))
