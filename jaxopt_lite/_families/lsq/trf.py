"""Trust region reflective in its interior form: Levenberg-Marquardt in variables that shrink toward the bounds.

Let h_j be the distance to the bound that steepest descent would push variable j to, in the units of y (`normal.py`): a move
of 1 changes the residual by its own size. Let v_j be h_j over the radius of the trust region, or over 1 where the radius is
larger, and at most 1: a bound that is out of reach has no part in a step. With d = v^(1/2) and y = d z the model becomes

    z'(d A d + C) z / 2 + d c.z,   C_j = |c_j| dv_j/dy_j where v_j < 1, else 0                  (1)

(Coleman & Li 1996; Branch, Coleman & Li 1999, eq. 2.7: C comes of differentiating v). At a stationary point of the
constrained problem v c = 0, and near it the full step of (1) converges quadratically. The trust region is |z| <= radius. Far
from all bounds v = 1, and the method is `lm`.

A step may leave the box. Two steps inside are compared, and the one that reduces the model more is taken. The first is the
whole step, cut at 0.995 of the way to the first bound. In the second every variable is stopped at 0.995 of the way to its
own bound. The second takes the place of Branch, Coleman & Li's reflection: it too goes on beyond the first bound, and needs
no second line search.

Where the own step of a variable would cross its bound, the distance to the bound times the slope is still to be gained. That
gain counts when the lane is tested for its end. A slope may push a variable to its bound and stay. Where the rest of the way
is then worth less than `ftol` (1e-8 of the cost where none is given), the variable goes all the way, so that what ends at a
bound is at it exactly. A start on a bound is moved inside by eps^(2/3), for a model may have no derivative there. A variable
whose bounds meet has v = 0 and stays.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.gauss_newton import Proposal, Rule, gauss_newton
from jaxopt_lite._families.lsq.lm import FitData, adjust, first_radius, lm
from jaxopt_lite._families.lsq.normal import Model, restricted
from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.implicit import box
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Method

INSIDE = 0.995  # of the way to a bound (Branch, Coleman & Li 1999, section 6)
ROUND = 16.0  # roundings of the cost: the rest of a way may always be worth as much
WORTH = 1e-3  # times the wanted distance in standard errors: 1e-8 of the cost; a variable that went too early comes back


def strictly_inside(x0: Array, data: FitData) -> Array:
    """The start, off the bounds by eps^(2/3) of their size where there is room."""
    margin = lambda bound: (
        jnp.finfo(x0.dtype).eps ** (2 / 3) * jnp.maximum(1.0, jnp.abs(jnp.where(jnp.isfinite(bound), bound, 0.0)))
    )
    low, high = data.lower + margin(data.lower), data.upper - margin(data.upper)
    middle = 0.5 * (data.lower + data.upper)
    return jnp.where(low < high, jnp.clip(x0, low, high), middle)


def land(x: Array, p: Array, data: FitData) -> Array:
    """x + p inside of the bounds; at a bound exactly, where it is within 4 roundings of it."""
    there = jnp.clip(x + p, data.lower, data.upper)
    near = lambda bound: jnp.abs(there - bound) <= 4 * jnp.finfo(x.dtype).eps * jnp.maximum(jnp.abs(x), jnp.abs(p))
    there = jnp.where((p < 0) & near(data.lower), data.lower, there)
    return jnp.where((p > 0) & near(data.upper), data.upper, there)


def room(x: Array, m: Model, data: FitData) -> tuple[Array, Array]:
    """How far y may go down (<= 0) and up (>= 0), each (n,)."""
    unit = jnp.where(m.unit > 0, m.unit, 1.0)
    return (data.lower - x) / unit, (data.upper - x) / unit


def until(y: Array, down: Array, up: Array) -> Array:
    """The share of y after which it leaves [down, up], a number >= 0; inf where it never does."""
    way = jnp.where(y < 0, down, up) / jnp.where(y == 0, 1.0, y)
    return jnp.min(jnp.where(y == 0, jnp.inf, way))


def _propose(x: Array, m: Model, radius: Array, mu: Array, data: FitData) -> Proposal:
    down, up = room(x, m, data)
    ahead = jnp.where(m.c > 0, -down, jnp.where(m.c < 0, up, jnp.inf))
    v = jnp.minimum(ahead / jnp.minimum(radius, 1.0), 1.0)
    d = jnp.sqrt(v)
    bent = jnp.where(v < 1.0, jnp.abs(m.c) / jnp.minimum(radius, 1.0), 0.0)
    step = restricted(m.A * d[:, None] * d[None, :] + jnp.diag(bent), d * m.c, radius, mu)

    y, slope = d * step.y, norm(v * m.c)
    inside = jnp.maximum(INSIDE, 1.0 - slope)
    little = jnp.maximum(jnp.maximum(data.ftol, WORTH * data.errors), ROUND * jnp.finfo(x.dtype).eps)
    worth = ahead * jnp.abs(m.c) <= 0.5 * little
    arrives = (ahead > 0) & worth & (ahead <= jnp.abs(m.c))
    to_bound = jnp.where(m.c > 0, down, up)
    stopped = jnp.where(arrives, to_bound, jnp.clip(y, inside * down, inside * up))
    way = until(y, down, up)
    cut = y * jnp.where(way <= 1.0, inside * way, 1.0)
    gains = m.reduction(stopped), m.reduction(cut)
    better = jnp.any(arrives) | (gains[0] >= gains[1])
    y, gain = jnp.where(better, stopped, cut), jnp.where(better, *gains)
    unfinished = jnp.where(jnp.any(arrives), jnp.inf, 0.0)
    crosses = jnp.diagonal(m.A) * ahead < jnp.abs(m.c)
    left = 2.0 * jnp.abs(m.c) * jnp.where(crosses, ahead, 0.0)
    ends = (step.offset + jnp.sum(left) + unfinished, d * step.full + unfinished, slope)
    return Proposal(y, gain, *ends, norm(step.y, 2), step.mu)


RULE = Rule(strictly_inside, first_radius, _propose, adjust, land)


@kept()
def trf(bounded: bool) -> Method:
    """The method; without bounds it is `lm` by another name."""
    return gauss_newton("trf", RULE, box) if bounded else lm(False)._replace(name="trf")


def build(options: dict[str, Any]) -> Method:
    """The method from its options."""
    return trf(options["bounded"])
