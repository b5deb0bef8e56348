"""dogleg: Powell's path from the accepted point by Cauchy's point to Newton's, as far as the radius.

With a positive definite H the two points are

    Cauchy:  p_C = -(g.g / g'H g) g      the model's minimizer along steepest descent
    Newton:  p_N = -H^{-1} g             the model's minimizer                                      (1)

Along the path 0 -> p_C -> p_N the length grows and the model falls (Nocedal & Wright 2006, lemma 4.2). The step is p_N where
that fits, else the path's point at the radius.

Where H is not positive definite there is no Newton point, and the step is the model's minimizer along steepest descent
inside of the radius: Cauchy's, which where g'H g <= 0 lies on the boundary. SciPy raises an error instead. Beside a saddle
steepest descent slows down, and at one it stands still. So where the gradient is within gtol the step goes along negative
curvature, to the boundary. The factors know such a direction: with d_k the first pivot that is not positive,

    L' v = e_k   has   v'H v = d_k                                                                  (2)

where L has no entries below its diagonal from column k on (More & Sorensen 1983, section 3, use it for a bound).

Source: M. J. D. Powell, A hybrid method for nonlinear equations (1970); Nocedal & Wright (2006), section 4.1. Changed for
batches: all branches are computed, from one factorization.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.trust_region import radius
from jaxopt_lite._families.trust_region.radius import Proposal
from jaxopt_lite._needs.values import HESSIAN
from jaxopt_lite.core.dense import dot, ldl, ldl_solve, matvec, norm, unit_upper_solve
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Method

OPTIONS = radius.OPTIONS
ROUNDINGS = 64.0  # times n eps of the sizes that it is made of: a curvature that is no more negative is rounding


def step(H: Array, g: Array, limit: Array, gtol: Array) -> Proposal:
    """The step inside of |p| <= limit, along negative curvature where no component of g is larger than gtol."""
    n, eps, tiny = g.shape[0], float(jnp.finfo(g.dtype).eps), float(jnp.finfo(g.dtype).tiny)
    factor = ldl(H)
    length, slope = norm(g, 2), norm(g)
    unit = g / jnp.maximum(length, tiny)
    bend = dot(unit, matvec(H, unit))
    far = jnp.minimum(length / jnp.where(bend > 0, bend, 1.0), limit)
    cauchy = -jnp.where(bend > 0, far, limit) * unit
    newton = -ldl_solve(factor, g)
    p = jnp.where(factor.positive, _bent(cauchy, newton, limit), cauchy)

    v = unit_upper_solve(factor.L, factor.first)
    Hv = matvec(H, v)
    terms = dot(jnp.abs(v), matvec(jnp.abs(H), jnp.abs(v)))
    convex = factor.positive | (dot(v, Hv) >= -ROUNDINGS * n * eps * terms)
    v = v * (limit / jnp.maximum(norm(v, 2), tiny))
    p = jnp.where((slope <= gtol) & ~convex, jnp.where(dot(g, v) > 0, -v, v), p)
    return Proposal(p, -(dot(g, p) + 0.5 * dot(p, matvec(H, p))), convex)


def _bent(cauchy: Array, newton: Array, limit: Array) -> Array:
    """The end of the path 0 -> cauchy -> newton inside of the limit; cauchy is inside."""
    way = newton - cauchy
    aa, ab, bb = dot(way, way), dot(way, cauchy), dot(cauchy, cauchy)
    left = jnp.maximum(limit * limit - bb, 0.0)
    root = jnp.sqrt(jnp.maximum(ab * ab + aa * left, 0.0))
    down = ab + root
    share = jnp.where(down > 0, left / jnp.where(down > 0, down, 1.0), 0.0)  # of a share^2 aa + 2 ab share = left
    return jnp.where(norm(newton, 2) <= limit, newton, cauchy + jnp.minimum(share, 1.0) * way)


def _propose(H: Array, g: Array, limit: Array, data: radius.TrustData) -> Proposal:
    return step(H, g, limit, data.gtol)


@kept()
def dogleg() -> Method:
    """The method, always the same object."""
    return radius.trust_region("dogleg", radius.by_hessian(HESSIAN, _propose))


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where radii are out of order."""
    radius.check(options)
    return dogleg()
