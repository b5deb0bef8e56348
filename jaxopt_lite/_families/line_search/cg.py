"""Nonlinear conjugate gradients with guaranteed descent, and with a first step that fits.

With y = g+ - g the direction of Hager & Zhang (2005, eq. 1.3 and 1.4; "CG_DESCENT") is

    d+ = -g+ + max(beta, eta) d,    beta = y.g+ / d.y - 2 (y.y) (d.g+) / (d.y)^2                 (1)

For exact searches on a quadratic d.g+ vanishes, and (1) is the linear method. For any search with d.y > 0, which the Wolfe
conditions give, g+.d+ <= -7/8 g+.g+ (their theorem 1.1). The truncation eta = 0.4 d.g / d.d is that of Hager & Zhang 2013
(section 5; Dai & Kou 2013). It scales with f; the truncation of 2005 does not.

Changed for batches. A turn costs the same whatever it finds, so an iteration should take few trial steps. But (1) has no
natural step of 1. Two steps are known to fit. The first, t1, repeats the last predicted change of f (Nocedal & Wright 2006,
section 3.5). The second, t2, comes from the curvature between the last two points (Barzilai & Borwein 1988; Shanno 1978
scales the memoryless direction by it):

    t1 = t d.g / d+.g+,    t2 = s.y / y.y,    s = t d                                             (2)

t1 fits where consecutive iterations are alike. t2 is never too long. The method takes the smaller one. It does not hand that
step to the search, but multiplies d+ by it: (1) does not depend on the length of d. So every search begins at a step of 1,
and the method remembers nothing but its direction. Evaluations a solve on 4-D Rosenbrock functions: t1 189, t2 161, the
smaller 161, their geometric mean 164, t2 with the memoryless BFGS direction in place of (1) 135. Over the library's 69
problems t1, t2, the smaller and the mean take 1.53, 1.01, 1.05 and 1.15 times SciPy's, and t2 alone solves three problems
less.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.line_search.descent import Direction, Step, descent, read_constants, search_options
from jaxopt_lite.core.dense import dot
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Method
from jaxopt_lite.core.stopping import gradient_tolerance

TRUNCATION = 0.4  # eta of (1), Hager & Zhang's value
DESCENT = 0.5  # least descent -d.g, as a share of g.g; (1) gives 7/8, so that less is rounding


class CGData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the gradient's norm
    c1: Array  # () sufficient decrease
    c2: Array  # () flatness
    xrtol: Array  # () 0: the step is not tested


OPTIONS = search_options(c2=0.4)


def prepare(options: dict[str, Any], x0: Array) -> CGData:
    """The data record from options; None takes the default of the dtype."""
    gtol = gradient_tolerance(x0.dtype) if options["gtol"] is None else options["gtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    return CGData(number(gtol), number(options["c1"]), number(options["c2"]), number(0.0))


def _init(x0: Array, data: CGData) -> Array:
    """The memory, () bool: is there no step yet that the direction has learnt from?"""
    return jnp.ones((), bool)


def _learn(unlearnt: Array, step: Step, data: CGData) -> tuple[Array, Array, Array]:
    d, y, g, t = step.d, step.grad_change, step.grad, step.t
    dg, dy = step.slope, step.slope - step.slope0
    yy, yg, gg, dd = dot(y, y), dot(y, g), dot(g, g), dot(d, d)
    curved = (dy > 0) & ~step.restart
    dy = jnp.where(curved, dy, 1.0)
    beta = yg / dy - 2.0 * (yy / dy) * (dg / dy)  # fourth powers of a gradient of 1e12 would overflow float32
    beta = jnp.maximum(beta, TRUNCATION * step.slope0 / jnp.where(dd > 0, dd, 1.0))
    d_new = jnp.where(curved, beta, 0.0) * d - g
    slope = dot(d_new, g)
    descends = curved & (slope <= -DESCENT * gg) & (gg > 0)
    alike = t * step.slope0 / jnp.where(slope < 0, slope, -1.0)
    curvature = t * dy / jnp.where(yy > 0, yy, 1.0)
    scale = jnp.minimum(alike, curvature)
    scale = jnp.where(descends & (scale > 0), scale, 1.0)
    d_new, slope = jnp.where(descends, d_new, -g), jnp.where(descends, slope, -gg)
    forget = step.restart | (step.accepted & ~descends & (gg > 0))
    return forget | (unlearnt & ~step.accepted), scale * d_new, scale * slope


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where the constants of the line search are not in order."""
    return cg(read_constants(options))


@kept()
def cg(order: float) -> Method:
    """The method, with the order of the gradient's norm; equal orders give the same object."""
    return descent("CG", Direction(_init, _learn, lambda unlearnt: unlearnt, lambda unlearnt, data: {}), order)
