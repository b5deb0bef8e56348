"""An active set in a box: variables stand at their bounds exactly, and the others take the steps of `lm`.

Variables at a bound that the gradient pushes against are held; the others are free. The step of the free ones minimizes
the linear model inside the trust region |y| <= radius (`normal.py`). Where the step leaves the bounds there are two
candidates: every variable is stopped at its own bound, or the whole step is cut short at the first bound. The step that
reduces the model more is taken. A variable that meets its bound is at it exactly. From the next turn on it is held, until
the gradient pushes it inside.

SciPy's name for the method comes from the dogleg step of Voglis & Lagaris. Their active set is used here, but not their
step. Their trust region is a box too, and their step follows the dogleg (from Cauchy's point to the full Gauss-Newton step)
to its wall. A growth a e^(kt) + c was fitted 200 times from k = 1 in each dtype (t to 15 in float32, to 40 in float64). The
dogleg solved 169 and 88, whatever radii, scales and growth of the radius were tried: its step runs onto a plateau. The step
inside a ball turns away from the plateau, and solves all 400. Without bounds the method is `lm`.

Source: Voglis & Lagaris, A rectangular trust region dogleg approach for unconstrained and bound constrained nonlinear
optimization, 2004, for the active set; Moré 1978 for the step.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.gauss_newton import Proposal, Rule, gauss_newton
from jaxopt_lite._families.lsq.lm import FitData, adjust, first_radius, lm
from jaxopt_lite._families.lsq.normal import Model, restricted
from jaxopt_lite._families.lsq.trf import land, room, until
from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.implicit import box
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Method


def _propose(x: Array, m: Model, radius: Array, mu: Array, data: FitData) -> Proposal:
    down, up = room(x, m, data)
    held = ((down >= 0) & (m.c > 0)) | ((up <= 0) & (m.c < 0)) | (data.lower == data.upper)
    free = jnp.where(held, 0.0, 1.0)
    A, c = m.A * free[:, None] * free[None, :], m.c * free
    step = restricted(A, c, radius, mu)
    y = step.y
    stopped, cut = (jnp.clip(part, down, up) for part in (y, jnp.minimum(1.0, until(y, down, up)) * y))
    gains = m.reduction(stopped), m.reduction(cut)
    better = gains[0] >= gains[1]
    y, gain = jnp.where(better, stopped, cut), jnp.where(better, *gains)
    return Proposal(y, gain, step.offset, step.full, norm(c), norm(step.y, 2), step.mu)


RULE = Rule(lambda x0, data: jnp.clip(x0, data.lower, data.upper), first_radius, _propose, adjust, land)


@kept()
def dogbox(bounded: bool) -> Method:
    """The method; without bounds it is `lm` by another name."""
    return gauss_newton("dogbox", RULE, box) if bounded else lm(False)._replace(name="dogbox")


def build(options: dict[str, Any]) -> Method:
    """The method from its options."""
    return dogbox(options["bounded"])
