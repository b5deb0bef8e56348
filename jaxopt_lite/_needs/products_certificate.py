"""The certificate of a minimum under constraints, by products: for many variables, where no matrix can be stored.

It judges a claim x with multipliers y as `kkt_certificate.py` does, by the same Newton step and the same promise (3) there.
One linearization at x gives the products; no product of the method's is used, and none of its conjugate gradients. Let A be
the rows that hold, on the free variables, and P the projection along them. Then

    y + dy      makes |P0 grad L| least, P0 on the free variables           by `nearest` of `core/conjugate.py`
    v           is the shortest step with A v = side - c                    likewise                            (1)
    p           minimizes slope'p + p'H p / 2 along the rows, with slope = P (grad L + H v), by `minimizer`

*What cannot be known by products* is answered so that a claim is refused rather than believed:

- A search that does not end (of many dependent rows, of an ill-conditioned Hessian) proves nothing.
- Negative curvature along the rows is found where a search meets it. So besides that of (1) a second one starts from a
  fixed vector, `somewhere`, whose PROBES directions meet it, however little the slope has of it: with as many directions as
  there are variables, and among many variables the more surely, the farther below zero it is (Kuczynski & Wozniakowski
  1992). Of thousands of variables one direction of tiny negative curvature may pass.
- Lengths of rows |A_i|, by which multipliers and slacks are compared, are estimated from PRODUCTS products with vectors of
  signs: sum_j A_ij^2 is the mean of (A e)_i^2.
- Sums of absolute values, as |A||x| for rounding, are replaced by what is less: roots of sums of squares, and norms.
- That constraints contradict one another is never proved: such a run ends with NUMERICAL.

Source: J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed. (2006), section 18.3; N. I. M. Gould, M. E. Hribar, J.
Nocedal, SIAM J. Sci. Comput. 23 (2001) 1376.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.kkt_certificate import ROUNDINGS, Judged, decided_by
from jaxopt_lite._needs.kkt_verdict import Newton, far_of, verdict_of, what_holds
from jaxopt_lite._needs.products import rows
from jaxopt_lite.core.conjugate import Product, minimizer, nearest
from jaxopt_lite.core.dense import dot, norm, signs, somewhere
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle

PRODUCTS = 8  # the estimate of a length is then wrong by a factor of 2 in one of 100 rows
PROBES = 50  # directions from a fixed vector
NO_WAY = 0.5  # power of eps: what the rows leave of that vector is rounding where it is no longer, as at a vertex


def optimum(oracle: Oracle, fields: dict[str, Any], operands: Operands) -> dict[str, Any]:
    """The fields after the claim of a minimum has been decided at the point `_x`."""
    return decided_by(_looked, oracle, fields, operands)


def _looked(oracle: Oracle, x: Array, y: Array, operands: Operands) -> Judged:
    t, eps = operands.function, float(jnp.finfo(x.dtype).eps)
    fun, g, columns = oracle.second_order(x, t)
    at = rows(oracle, x, y, t)
    c, times = at.c, lambda v: columns(v[:, None])[:, 0] + at.bend(v)
    steep, terms = _sizes(at.along, jnp.ones_like(x)), _sizes(at.along, x)
    held = what_holds(oracle, x, y, c, g, steep, at.across, operands)

    # (1)
    free, there = (lambda v: jnp.where(held.bounds, 0.0, v)), (lambda w: jnp.where(held.holding, w, 0.0))
    along, across = (lambda v: there(at.along(free(v)))), (lambda w: free(at.across(there(w))))
    none = jnp.zeros_like(c)
    project = lambda v: nearest(free(v), none, along, across).x
    priced = nearest(free(held.force), none, along, across)
    y = held.y + there(priced.y)
    pull = at.across(y)
    restored = nearest(jnp.zeros_like(x), there(at.along(held.to_bound) + c - held.side), along, across)
    normal = held.to_bound + restored.x
    bent, force = times(normal), g + pull
    slope = free(jnp.where(jnp.abs(force) <= ROUNDINGS * eps * (jnp.abs(g) + jnp.abs(pull)), 0.0, force) + bent)
    level = ROUNDINGS * eps * (jnp.maximum(norm(g), norm(y * steep)) + norm(bent))
    first = nearest(slope, none, along, across)
    slope = project(first.x)
    slope = jnp.where(jnp.abs(slope) <= level, 0.0, slope)
    product = lambda v: free(times(v))
    tangent = minimizer(slope, product, project)
    probe = project(somewhere(x.shape[0], x.dtype))
    probe = jnp.where(norm(probe, 2) > eps**NO_WAY, probe, 0.0)
    saddle = tangent.saddle | minimizer(probe, product, project, PROBES).saddle

    gain = jnp.where(tangent.flat, norm(slope, 1) * far_of(x, operands), jnp.inf)
    gain = jnp.where(tangent.solved, tangent.gain, gain)
    sound = ~saddle & priced.held & restored.held & first.held
    newton = Newton(y, force, normal + tangent.p, gain, dot(jnp.abs(x), jnp.abs(times(x))), sound, steep, terms)
    verdict = verdict_of(held, newton, x, fun, g, c, operands)
    return Judged(fun, g, verdict, at.across(verdict.y), None, jnp.zeros((), bool))


def _sizes(along: Product, x: Array) -> Array:
    """About (sum_j A_ij^2 x_j^2)^(1/2), (m,)."""
    each = jax.vmap(lambda k: along(signs(k, x.shape[0], x.dtype) * x) ** 2)(jnp.arange(PRODUCTS, dtype=x.dtype))
    return jnp.sqrt(jnp.mean(each, axis=0))
