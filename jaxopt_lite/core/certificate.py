"""Certificates: the exact Newton step at a claimed point, taken on paper.

What a method believes of itself is no proof. A lane that ends by anything but the tolerance that was asked on its
optimality measure (a search found no further step, a step was short) only *claims*, by `CLAIM` in its status; so does one
that gives up. After the loop its claim is decided here, once a problem, from derivatives of the user's own function at the
point that is returned. Nothing is shared with the methods: neither their matrices nor their tests.

**A minimum.** With g and H of f at x, on the variables that no bound holds, a Newton step would still gain

    decrement = g' H^-1 g / 2                                                                       (1)

(Nocedal & Wright 2006, eq. 3.30; half of the square of Nesterov and Nemirovskii's decrement). The claim holds where that
is no more than f and x resolve in their dtype,

    decrement <= C (eps |f| + eps^2 |x|'|H||x|)                                                     (2)

Both sides are the same in all units and, but for the last term, under all rotations. A kink is seen, for H does not know
it and the slope stays; so is a saddle, by its sign.

*How far H can be trusted.* Across a stiff valley the smallest eigenvalue of H as a matrix is rounding from a condition of
1 / eps on. But its product with a vector is exact to the last digits *of that product*: a direction along the valley has a
small one. So H is made diagonal twice. With the columns of V as coordinates,

    M = V'(H V),   A = D M D with D = |diag M|^(-1/2),   A = U'S U,   V <- V D U^-1                 (3)

by elimination (U is unit upper triangular, S diagonal; a pivot that is rounding eliminates nothing), first from V = 1 and
then again from what came out, by products with H along these directions. The second A is nearly diagonal, its diagonal
+-1: every curvature is known to its own last digits, as long as the condition is below 1 / eps^2. In these coordinates (1)
is the sum of y_i^2 / (2 M_ii), y = V'g. A slope y_i within the rounding of its own sum is none. Where there is a slope and
no positive curvature the claim is refused.

For many variables conjugate gradients on products solve H p = -g, as far as needed; negative curvature, and a system that
they do not solve, refuse.

**A short step.** What claims by the length of its steps (`xrtol`) is judged by the length of the exact Newton step
instead.

**A zero of one variable.** A bracket [a, b] with a change of sign shrinks to a pole as well as to a zero. At a pole f / f'
is as small as at a zero, but f' has the other sign: Newton's step leads out of the bracket. So the method's own point x, an
end of its last bracket, is a zero where

    f'(x) (f(b) - f(a)) (b - a) > 0  and  |f / f'| <= 2 tol(x)                                           (4)

with the bracket that was given, for the direction of the change of sign is the same in all, and the accuracy that was asked.
A slope of zero is that of a jump over zero, which counts. A method without a bracket proves its zeros in the turn, from the
exact Newton step or from values on both sides, and claims none.

A function that JAX cannot derive (twice) has no certificate, and its claims end as numerical difficulties.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle
from jaxopt_lite.core.status import BUDGET, CLAIM, CONVERGED, NOT_FINITE, PRECISION, decided

Certificate = Callable[[Oracle, dict[str, Any], Operands], dict[str, Any]]  # (oracle, fields, operands) -> fields, decided

TRUSTED = 1.0  # C of (2): where x is rounded to half a unit, its own rounding makes an eighth of the last term
MOST_STEPS = 20  # evaluations of a claim at most
SHORTER = 0.25  # of a Newton step that did not descend
DENSE = 128  # up to here (3); beyond, conjugate gradients
MOST_PRODUCTS = 500  # of conjugate gradients; what they do not solve by then is refused
NOT_DERIVED = (TypeError, ValueError, NotImplementedError)  # what JAX raises for functions without the derivative asked for


class Newton(NamedTuple):
    """The Newton step at a point."""

    decrement: Array  # () (1); inf where there is slope without positive curvature
    step: Array  # (n,)
    bend: Array  # () |x|'|H||x|, or what is known of it


class Finish(NamedTuple):
    """A point with its verdict, and the trial that goes on from it."""

    x: Array  # (n,)
    fun: Array  # ()
    grad: Array  # (n,)
    trial: Array  # (n,) where to evaluate next
    step: Array  # (n,) Newton's from x
    proved: Array  # () bool: (2) holds at x
    short: Array  # () bool: Newton's step from the first point is as short as was asked
    goes_on: Array  # () bool
    made: Array  # () int32: evaluations


@functools.lru_cache
def minimum(order: float = jnp.inf) -> Certificate:
    """The certificate of a minimizer that is claimed, or given up at; `order` is the norm of the gradient that gtol bounds.

    Of a point that is refused Newton's steps are taken for real, as long as they descend; what they find is judged alike.
    """

    def decide(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
        x, t, data, status = fields["x"], operands.function, operands.data, fields["status"]
        eps, claim = jnp.finfo(x.dtype).eps, status
        left = jnp.minimum(operands.budget.maxturns - fields["turns"], MOST_STEPS)
        xrtol = getattr(data, "xrtol", 0.0)

        def one(at: Finish) -> Finish:
            fun, grad, times = oracle.second_order(at.trial, t)
            held = _held(at.trial, grad, data, eps * jnp.abs(fun))
            newton = (_dense if x.shape[0] <= DENSE else _large)(at.trial, grad, held, times)
            resolved = TRUSTED * (eps * jnp.abs(fun) + eps**2 * newton.bend)
            first = at.made == 0
            better = jnp.isfinite(fun) & jnp.all(jnp.isfinite(grad)) & (first | (fun < at.fun))
            pick = lambda new, old: jnp.where(better, new, old)
            point, step = pick(at.trial, at.x), pick(newton.step, SHORTER * at.step)
            proved = better & (newton.decrement <= resolved)
            short = first & (newton.decrement < jnp.inf) & (norm(newton.step) <= xrtol * (xrtol + norm(x)))
            trial = _inside(point + step, data)
            goes_on = ~proved & jnp.where(better, newton.decrement < jnp.inf, ~first) & jnp.any(trial != point)
            return Finish(
                point, pick(fun, at.fun), pick(grad, at.grad), trial, step, proved, at.short | short, goes_on, at.made + 1
            )

        no, yes, none = jnp.zeros((), bool), jnp.ones((), bool), jnp.zeros((), jnp.int32)
        start = Finish(x, fields["fun"], fields["jac"], x, jnp.zeros_like(x), no, no, yes, none)
        try:
            end = lax.while_loop(lambda at: at.goes_on & (at.made < left), one, start)
        except NOT_DERIVED:
            return {"status": decided(status)}
        held = _held(end.x, end.grad, data, jnp.zeros((), x.dtype))
        left_over = end.grad if held is None else jnp.where(held, 0.0, end.grad)
        reached = end.proved & (norm(left_over, order) <= data.gtol)
        by_step = (claim == CLAIM + CONVERGED) & end.short & ~end.proved
        refused = jnp.where(end.made == 0, BUDGET, decided(claim))  # with no evaluation left nothing can be proved
        status = jnp.where(reached | by_step, CONVERGED, jnp.where(end.proved, PRECISION, refused))
        found = {"x": end.x, "fun": end.fun, "jac": end.grad, "turns": fields["turns"] + end.made}
        return found | {"status": status.astype(jnp.int32)}

    return decide


def _inside(x: Array, data: Any) -> Array:
    """The nearest point of the box, where there is one."""
    lower = getattr(data, "lower", None)
    return x if lower is None else jnp.clip(x, lower, data.upper)


def _held(x: Array, grad: Array, data: Any, unseen: Array) -> Array | None:
    """(n,) bool: variables at a bound that steepest descent pushes against, or so near that the way there gains nothing."""
    lower = getattr(data, "lower", None)
    if lower is None:
        return None
    room = jnp.where(grad > 0, x - lower, data.upper - x)
    return ((grad != 0) & ((room <= 0) | (room * jnp.abs(grad) <= unseen))) | (lower == data.upper)


def _dense(x: Array, g: Array, held: Array | None, times: Callable[[Array], Array]) -> Newton:
    """By (3)."""
    n, eps = x.shape[0], float(jnp.finfo(x.dtype).eps)
    own = jnp.eye(n, dtype=x.dtype) if held is None else jnp.diag(jnp.where(held, 0.0, 1.0).astype(x.dtype))
    index = jnp.arange(n, dtype=jnp.int32)

    def eliminate(k: Array, S: Array) -> Array:
        """[M; V] with the directions after k made conjugate to direction k, unless its curvature is rounding."""
        column, row = S[:, k], S[k]
        sure = jnp.abs(row[k]) > n * eps
        share = jnp.where(sure & (index > k), row / jnp.where(sure, row[k], 1.0), 0.0)
        return S - column[:, None] * share[None, :]

    def again(k: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        S, H = at
        V = S[n:]
        HV = times(V)
        M = jnp.sum(V[:, :, None] * HV[:, None, :], axis=0)
        size = jnp.abs(jnp.diagonal(M))
        D = jnp.where(size > 0, lax.rsqrt(jnp.where(size > 0, size, 1.0)), 1.0)
        S = jnp.concatenate([M * D[:, None], V]) * D[None, :]
        return lax.fori_loop(0, n, eliminate, S), jnp.where(k == 0, HV, H)

    S, H = lax.fori_loop(0, 2, again, (jnp.concatenate([own, own]), own))
    V, curvature = S[n:], jnp.diagonal(S[:n])
    parts = V * g[:, None]
    y = jnp.sum(parts, axis=0)
    y = jnp.where(jnp.abs(y) <= n * eps * jnp.sum(jnp.abs(parts), axis=0), 0.0, y)
    terms = jnp.sum(jnp.abs(V[:, None, :] * H[:, :, None] * V[None, :, :]), axis=(0, 1))
    curved = curvature > 4 * n * eps
    saddle = curvature < -4 * n * eps * jnp.maximum(terms, 1.0)
    along = y / jnp.where(curved, curvature, 1.0)
    lost = jnp.any((~curved & (y != 0)) | saddle)
    bend = jnp.sum(jnp.abs(x[:, None] * H * x[None, :]))
    return Newton(jnp.where(lost, jnp.inf, 0.5 * jnp.sum(y * along)), -jnp.sum(V * along[None, :], axis=1), bend)


def _large(x: Array, g: Array, held: Array | None, times: Callable[[Array], Array]) -> Newton:
    """By conjugate gradients (Nocedal & Wright 2006, algorithm 5.2)."""
    eps = jnp.finfo(x.dtype).eps
    free = (lambda v: v) if held is None else (lambda v: jnp.where(held, 0.0, v))
    g, product = free(g), lambda p: free(times(free(p)[:, None])[:, 0])
    enough = float(eps) * dot(g, g)  # |r| <= eps^(1/2) |g|

    def goes_on(at: Any) -> Array:
        _, _, r, curvature, k = at
        return (dot(r, r) > enough) & (curvature > 0) & (k < MOST_PRODUCTS)

    def one(at: Any) -> Any:
        p, v, r, _, k = at
        Hv, rr = product(v), dot(r, r)
        curvature = dot(v, Hv)
        alpha = jnp.where(curvature > 0, rr / jnp.where(curvature > 0, curvature, 1.0), 0.0)
        r = r - alpha * Hv
        return p + alpha * v, r + (dot(r, r) / rr) * v, r, curvature, k + 1

    start = (jnp.zeros_like(x), -g, -g, jnp.ones((), x.dtype), jnp.zeros((), jnp.int32))
    p, _, r, curvature, _ = lax.while_loop(goes_on, one, start)
    solved = (dot(r, r) <= enough) & (curvature > 0)
    bend = dot(jnp.abs(x), jnp.abs(times(x[:, None])[:, 0]))
    return Newton(jnp.where(solved, -0.5 * dot(g, p), jnp.inf), p, bend)


def zero(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
    """The status of a zero that a method in a bracket claims at its own point `_x`, decided by (4), and the point."""
    x, t, data = fields["_x"], operands.function, operands.data
    affordable = fields["turns"] + 2 <= operands.budget.maxturns
    along = lambda x: jax.jvp(lambda x: oracle.merit(x, t), (x,), (jnp.ones_like(x),))
    try:
        value, slopes = jax.vmap(along)(jnp.stack([x, data.a[None]]))
    except NOT_DERIVED:
        return {"status": decided(fields["status"])}
    fun, slope = value[0], slopes[0]
    tol = jnp.maximum(data.xtol + data.rtol * jnp.abs(x[0]), 4 * jnp.finfo(x.dtype).eps * jnp.abs(x[0]))
    inward = (slope > 0) == ((value[1] < 0) == (data.a < data.b))
    proved = (slope == 0) | (inward & (jnp.abs(fun) <= 2 * tol * jnp.abs(slope)))
    proved &= jnp.isfinite(fun) & jnp.isfinite(slope) & affordable
    refused = jnp.where(affordable, NOT_FINITE, BUDGET)
    return {
        "x": jnp.where(proved, x, fields["x"]),
        "fun": jnp.where(proved, fun, fields["fun"]),
        "status": jnp.where(proved, fields["status"] - CLAIM, refused).astype(jnp.int32),
        "turns": fields["turns"] + jnp.where(affordable, 2, 0),
    }
