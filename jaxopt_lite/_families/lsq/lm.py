"""Levenberg-Marquardt as a trust region: every lane has its own radius, in the norm of the column scales.

A step is the minimizer of the linear model inside |D^(1/2) p| <= radius (`normal.py`). D holds the squares of the largest
column norms seen (Moré 1978, section 3; `gauss_newton.py` says what it forgets), unless `x_scale` gives the scales. The
first radius is the scaled length of the start, |D^(1/2) x0|. MINPACK's is a hundred times as long; with that a first step
may leap onto a plateau (NIST's BoxBOD).

With a gain ratio rho (actual over promised reduction) the radius becomes

    |p| / 4          for rho < 1/4, and after a rejected step
    max(., 3 |p|)    for rho > 3/4                                                              (1)

A damping that follows rho directly, without a radius (Marquardt 1963, Nielsen 1999), needs one inverse less a turn. It was
tried first: from NIST's starts it took four times as many evaluations, and failed on MGH10 and BoxBOD.

Source: Levenberg 1944; Marquardt 1963; Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.gauss_newton import Proposal, Rule, gauss_newton, geodesic
from jaxopt_lite._families.lsq.normal import Model, restricted
from jaxopt_lite.core.dense import norm
from jaxopt_lite.core.implicit import stationary
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Method

ERRORS = 1e-5  # standard errors: five digits of the smallest thing that the data can tell
POOR, GOOD = 0.25, 0.75  # gain ratios of (1), Moré's
SHRINK, GROW = 0.25, 3.0


class FitData(NamedTuple):
    """Traced numbers of a run of any of the three methods."""

    errors: Array  # () wanted distance to the solution in standard errors; 0 where the next three are all given
    ftol: Array  # () 0 where not given
    xtol: Array  # ()
    gtol: Array  # ()
    factor: Array  # () first radius, in units of |x0|
    scale: Any  # (n,) 1 / x_scale^2; None: the scales follow the columns of J
    lower: Any  # (n,) None without bounds
    upper: Any


_OWN = "Default: until the distance to the solution is 1e-5 standard errors, or rounding."
OPTIONS = {
    "ftol": Option(None, POSITIVE_OR_ZERO, f"Relative reduction of the cost that is still worth a step. {_OWN}"),
    "xtol": Option(None, POSITIVE_OR_ZERO, f"Step of each parameter relative to its size. {_OWN}"),
    "gtol": Option(None, POSITIVE_OR_ZERO, f"Cosine of the residual and a column of the Jacobian. {_OWN}"),
    "factor": Option(1.0, POSITIVE_OR_ZERO, "First radius of the trust region, in units of the scaled length of x0."),
}
ACCELERATED = OPTIONS | {
    "geodesic": Option(False, STATIC, "Geodesic acceleration: fewer steps in curved valleys, of two turns each."),
}


def prepare(options: dict[str, Any], x0: Array) -> FitData:
    """The data record from options."""
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    asked = [options[name] for name in ("ftol", "xtol", "gtol")]
    errors = number(ERRORS if any(value is None for value in asked) else 0.0)
    ftol, xtol, gtol = (number(0.0 if value is None else value) for value in asked)
    given, box = options["x_scale"], options["bounds"] or (None, None)
    scale = None if given is None else jnp.broadcast_to(number(given), x0.shape) ** -2
    whole = lambda side: jnp.broadcast_to(jnp.concatenate([jnp.ravel(number(leaf)) for leaf in side]), x0.shape)
    lower, upper = (None if side is None else whole(side) for side in box)
    return FitData(errors, ftol, xtol, gtol, number(options["factor"]), scale, lower, upper)


def adjust(radius: Array, ratio: Array, stride: Array) -> Array:
    """The radius (1) after a step of this gain ratio and length; a negative ratio means that the step was rejected."""
    stride = jnp.minimum(stride, 10.0 * radius)
    return jnp.where(ratio < POOR, SHRINK * stride, jnp.where(ratio > GOOD, jnp.maximum(radius, GROW * stride), radius))


def first_radius(data: FitData, x: Array, scale: Array, size: Array) -> Array:
    """The scaled length of the start; where the start is 0, the length of the residual."""
    length = norm(jnp.sqrt(scale) * x, 2)
    return data.factor * jnp.where(length > 0, length, size)


def _propose(x: Array, m: Model, radius: Array, mu: Array, data: FitData) -> Proposal:
    step = restricted(m.A, m.c, radius, mu)
    return Proposal(step.y, m.reduction(step.y), step.offset, step.full, norm(m.c), norm(step.y, 2), step.mu)


RULE = Rule(lambda x0, data: x0, first_radius, _propose, adjust, lambda x, p, data: x + p)


@kept()
def lm(accelerated: bool) -> Method:
    """The method; the same object for the same options."""
    plain = gauss_newton("lm", RULE, stationary)
    return geodesic(plain) if accelerated else plain


def build(options: dict[str, Any]) -> Method:
    """The method from its options."""
    return lm(bool(options["geodesic"]))
