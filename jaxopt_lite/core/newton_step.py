"""The exact Newton step at a point, from products with the Hessian, and how much it would still gain.

    decrement = g' H^-1 g / 2                                                                       (1)

on the variables that no bound stops (Nocedal & Wright 2006, eq. 3.30; half of the square of Nesterov and Nemirovskii's
decrement).

*How far H can be trusted.* In a stiff valley the smallest eigenvalue of H as a matrix is rounding from a condition of 1 /
eps on. But a product of H with a vector is exact to the last digits *of that product*, and a direction along the valley has
a small product. So H is made diagonal twice. With the columns of V as coordinates,

    M = V'(H V),   A = D M D with D = |diag M|^(-1/2),   A = U'S U,   V <- V D U^-1                 (2)

by elimination (U is unit upper triangular, S diagonal; a pivot that is rounding eliminates nothing). The first pass starts
with V = 1. The second starts with the V that came out, and makes the products H V along these directions. The A of the
second pass is nearly diagonal, with a diagonal of +-1. So every curvature is exact to its own last digits, as long as the
condition is below 1 / eps^2. In these coordinates (1) is the sum of y_i^2 / (2 M_ii), y = V'g. A slope y_i within the
rounding of its own sum counts as zero. Where a slope meets no positive curvature the claim is refused. Where all curvatures
are positive, V |diag M|^-1 V' is the inverse Hessian.

For many variables conjugate gradients solve H p = -g by products, as far as needed. The claim is refused where they meet
negative curvature, or do not solve the system.

*In a box* a variable at its bound must be pushed against the bound. In a stiff valley the sign of its own gradient is
rounding too. What counts is the slope of f along the direction in which this variable leaves the bound and the free
variables follow. (2) makes this direction conjugate to those of the free variables. A slope that leads inside then counts in
(1) as the slope of a free variable does.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite.core.dense import dot, somewhere

DENSE = 128  # up to here (2); beyond, conjugate gradients
MOST_PRODUCTS = 500  # of conjugate gradients; a claim is refused where they need more


class Newton(NamedTuple):
    """The Newton step at a point."""

    decrement: Array  # () (1); inf where a slope meets no positive curvature
    step: Array  # (n,)
    bend: Array  # () |x|'|H||x|, or for many variables |x|'|H x|, which is less
    inverse: Array | None  # (n, n) of the free variables; NaN without positive curvature; None: too many variables
    # what is asked for besides, with `bent`; else None
    saddle: Array | None = None  # () bool: negative curvature was seen
    hess: Array | None = None  # (n, n); None: too many variables
    escape: Array | None = None  # (n,) a direction of negative curvature, downhill or level; 0: there is none, or n is large


class Stops(NamedTuple):
    """The variables that a bound stops on the way down, and up, each (n,) bool; both where the bounds meet."""

    down: Array
    up: Array


def newton_step(x: Array, g: Array, stops: Stops | None, times: Callable[[Array], Array], bent: bool = False) -> Newton:
    """The step at x with the gradient g (n,); `times` multiplies the Hessian with columns (n, k).

    With `bent` also what is negative about the curvature.
    """
    return (_dense if x.shape[0] <= DENSE else _large)(x, g, stops, times, bent)


def free_slope(slope: Array, stops: Stops | None) -> Array:
    """The slopes (n,), with 0 for those that push against a bound."""
    if stops is None:
        return slope
    return jnp.where((stops.down & (slope > 0)) | (stops.up & (slope < 0)), 0.0, slope)


def _dense(x: Array, g: Array, stops: Stops | None, times: Callable[[Array], Array], bent: bool) -> Newton:
    """The step by (2). Directions of variables at a bound are made conjugate to the free ones, but not to one another."""
    n, eps = x.shape[0], float(jnp.finfo(x.dtype).eps)
    own, index = jnp.eye(n, dtype=x.dtype), jnp.arange(n, dtype=jnp.int32)
    held = jnp.zeros(n, bool) if stops is None else stops.down | stops.up

    def eliminate(k: Array, S: Array) -> Array:
        """[M; V] with the directions after k made conjugate to direction k, unless its curvature is rounding."""
        column, row = S[:, k], S[k]
        sure = (jnp.abs(row[k]) > n * eps) & ~held[k]
        share = jnp.where(sure & ((index > k) | held), row / jnp.where(sure, row[k], 1.0), 0.0)
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
    y = free_slope(jnp.where(jnp.abs(y) <= n * eps * jnp.sum(jnp.abs(parts), axis=0), 0.0, y), stops)
    terms = jnp.sum(jnp.abs(V[:, None, :] * H[:, :, None] * V[None, :, :]), axis=(0, 1))
    curved = curvature > 4 * n * eps
    saddle = ~held & (curvature < -4 * n * eps * jnp.maximum(terms, 1.0))
    along = y / jnp.where(curved, curvature, 1.0)
    lost = jnp.any((~curved & (y != 0)) | saddle)
    bend = jnp.sum(jnp.abs(x[:, None] * H * x[None, :]))
    W = V * jnp.where(held, 0.0, jnp.where(curved, lax.rsqrt(jnp.where(curved, curvature, 1.0)), jnp.nan))[None, :]
    inverse = jnp.sum(W[:, None, :] * W[None, :, :], axis=2)
    step = -jnp.sum(V * along[None, :], axis=1)
    found = Newton(jnp.where(lost, jnp.inf, 0.5 * jnp.sum(y * along)), step, bend, inverse)
    if not bent:
        return found
    most = saddle & (index == jnp.argmin(jnp.where(saddle, curvature, jnp.inf)).astype(jnp.int32))
    escape = -jnp.sum(V * jnp.where(most, jnp.where(y < 0, -1.0, 1.0), 0.0).astype(x.dtype)[None, :], axis=1)
    return found._replace(saddle=jnp.any(saddle) | _mixed(H, held), hess=0.5 * (H + H.T), escape=escape)


def _mixed(H: Array, held: Array) -> Array:
    """() bool: do two variables without curvature of their own have one together, as in x_1 x_2?"""
    n, eps = H.shape[0], float(jnp.finfo(H.dtype).eps)
    M = H / jnp.maximum(jnp.max(jnp.abs(H)), jnp.finfo(H.dtype).tiny)
    own = jnp.diagonal(M)
    together = jnp.abs(M) - jnp.sqrt(jnp.maximum(own, 0.0))[:, None] * jnp.sqrt(jnp.maximum(own, 0.0))[None, :]
    apart = ~jnp.eye(n, dtype=bool) & ~held[:, None] & ~held[None, :]
    return jnp.any(apart & (together > 4 * n * eps**0.5))


def _large(x: Array, g: Array, stops: Stops | None, times: Callable[[Array], Array], bent: bool) -> Newton:
    """The step by conjugate gradients (Nocedal & Wright 2006, algorithm 5.2) on the variables that may move."""
    eps = jnp.finfo(x.dtype).eps
    moves = None if stops is None else ~((stops.down & (g >= 0)) | (stops.up & (g <= 0)))
    free = (lambda v: v) if moves is None else (lambda v: jnp.where(moves, v, 0.0))
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
    found = Newton(jnp.where(solved, -0.5 * dot(g, p), jnp.inf), p, bend, None)
    if not bent:
        return found
    fixed = free(somewhere(x.shape[0], x.dtype))
    return found._replace(saddle=(curvature < 0) | (dot(fixed, product(fixed)) < 0), escape=jnp.zeros_like(x))
