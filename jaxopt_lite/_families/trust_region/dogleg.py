"""dogleg: Powell's path from the accepted point by Cauchy's point to Newton's, as far as the radius.

With a positive definite H the two points are

    Cauchy:  p_C = -(g.g / g'H g) g      the model's minimizer along steepest descent
    Newton:  p_N = -H^{-1} g             the model's minimizer                                      (1)

Along the path 0 -> p_C -> p_N the length grows and the model falls (Nocedal & Wright 2006, lemma 4.2). The step is p_N where
that fits, else the path's point at the radius.

Where H is not positive definite there is no Newton point, and Cauchy's is the minimizer along steepest descent inside of the
radius, on the boundary where g'H g <= 0. From there the path goes on along a direction of negative curvature, downhill, to
the boundary. So a saddle is left too, where steepest descent stands still. The factors know such a direction: with d_k the
first pivot that is not positive,

    L' v = e_k   has   v'H v = d_k                                                                  (2)

where L has no entries below its diagonal from column k on (More & Sorensen 1983, section 3, use it for a bound). SciPy's
dogleg raises an error instead.

Source: M. J. D. Powell, A hybrid method for nonlinear equations (1970); Nocedal & Wright (2006), section 4.1. Changed for
batches: all branches are computed, from one factorization.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.trust_region import radius
from jaxopt_lite._families.trust_region.radius import Proposal, on_the_way
from jaxopt_lite._needs.values import HESSIAN
from jaxopt_lite.core.dense import dot, ldl, ldl_solve, matvec, norm, unit_upper_solve
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Method

OPTIONS = radius.OPTIONS
ROUNDINGS = 64.0  # times n eps of the sizes that it is made of: a curvature that is no more negative is rounding


def step(H: Array, g: Array, limit: Array) -> Proposal:
    """The step inside of |p| <= limit."""
    n, eps, tiny = g.shape[0], float(jnp.finfo(g.dtype).eps), float(jnp.finfo(g.dtype).tiny)
    factor = ldl(H)
    length = norm(g, 2)
    unit = g / jnp.maximum(length, tiny)
    Hu = matvec(H, unit)
    bend = dot(unit, Hu)
    far = jnp.minimum(length / jnp.where(bend > 0, bend, 1.0), limit)
    far = -jnp.where(bend > 0, far, limit)
    cauchy, slope = far * unit, g + far * Hu

    v = unit_upper_solve(factor.L, factor.first)
    terms = dot(jnp.abs(v), matvec(jnp.abs(H), jnp.abs(v)))
    convex = factor.positive | (dot(v, matvec(H, v)) >= -ROUNDINGS * n * eps * terms)
    v = v * (2.0 * limit / jnp.maximum(norm(v, 2), tiny))
    v = jnp.where(dot(slope, v) > 0, -v, v)
    end = jnp.where(factor.positive, -ldl_solve(factor, g), jnp.where(convex, cauchy, cauchy + v))
    p = _cut(cauchy, end, limit)
    return Proposal(p, -(dot(g, p) + 0.5 * dot(p, matvec(H, p))), convex)


def _cut(cauchy: Array, end: Array, limit: Array) -> Array:
    """The last point of the path 0 -> cauchy -> end inside of the limit; cauchy is inside."""
    share = jnp.minimum(on_the_way(cauchy, end - cauchy, limit), 1.0)
    return jnp.where(norm(end, 2) <= limit, end, cauchy + share * (end - cauchy))


def _propose(H: Array, g: Array, limit: Array, data: radius.TrustData) -> Proposal:
    return step(H, g, limit)


@kept()
def dogleg() -> Method:
    """The method, always the same object."""
    return radius.trust_region("dogleg", radius.by_hessian(HESSIAN, _propose))


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where radii are out of order."""
    radius.check(options)
    return dogleg()
