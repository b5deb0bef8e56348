"""Certificates: what a claim of convergence is worth, judged at the claimed point by what a Newton step would still do.

A method stops for reasons of its own. Whether the point where it stopped is the answer is decided here, once a problem
and after the loop, from derivatives at that point alone, with no memory of the path that led there.

**A fit** is judged by the full Gauss-Newton step p = -J^+ r at the point, from an orthogonal factorization of J. With
Q an orthonormal basis of the columns, the step promises to reduce the sum of squares |r|^2 by

    decrement^2 = |Q'r|^2,   and   distance^2 = decrement^2 / s^2,   s^2 = |r|^2 / (m - n),           (1)

is the squared distance to the solution in standard errors of the parameters: p' C^{-1} p with their covariance
C = s^2 (J'J)^{-1} (Bates & Watts 1988, section 2.2.3). It does not depend on the units of the data or of the parameters,
nor on how the model is parametrized. A step of a millionth of a standard error changes nothing that a datum could tell.

What a computer can tell is the other limit: no residual is known better than to a few roundings of the model's values
and of the parameters, and no decrement better than

    noise = NOISE eps (|r| + (sum_j |J_j|^2 x_j^2)^(1/2))                                      (2)

where the second term is how far x, rounded to its dtype, moves the residuals: of a linear model, the size of its values.
Where no freedom is left (m <= n) s^2 is taken as |r|^2: a step that changes nothing of a residual that stays.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.status import CONVERGED, NUMERICAL, PRECISION, is_success

NOISE = 4.0  # roundings that (2) allows; well-determined peaks in float32 then end within 4e-5 standard errors (8: 5e-5)


class Promise(NamedTuple):
    """What a full Gauss-Newton step at the claimed point of a fit would still do."""

    decrement: Array  # () |Q'r| of the parameters that are free, (1)
    step: Array  # (n,) the step
    x: Array  # (n,) the point
    moved: Array  # (n,) |J_j| |x_j|: how far each parameter, as large as it is, moves the residuals
    size: Array  # () |r|, the square root of twice the cost
    slope: Array  # () largest cosine between the residual and the column of a free parameter
    freedom: Array | int  # () data that count, less parameters


class Asked(NamedTuple):
    """The tolerances of a fit; 0 where one is off."""

    errors: Array  # () distance in standard errors
    ftol: Array  # () decrement^2 / |r|^2
    xtol: Array  # () step of each parameter, relative to its own size
    gtol: Array  # () slope


def fit(status: Array, p: Promise, asked: Asked) -> Array:
    """The status of a fit, () int32: what is kept of a claim, and of giving up.

    0 where a tolerance that was asked holds, 8 where rounding alone is left, else 4; other ways to end stay as they are.
    """
    eps = jnp.finfo(p.x.dtype).eps
    noise = NOISE * eps * (p.size + jnp.sqrt(jnp.sum(p.moved**2)))
    freedom = jnp.maximum(jnp.asarray(p.freedom, p.x.dtype), 1.0)
    near = (p.decrement * jnp.sqrt(freedom) <= asked.errors * p.size) & (asked.errors > 0)
    reduced = (p.decrement <= jnp.sqrt(asked.ftol) * p.size) & (asked.ftol > 0)
    short = jnp.all(jnp.abs(p.step) <= asked.xtol * jnp.abs(p.x)) & (asked.xtol > 0)
    flat = (p.slope <= asked.gtol) & (asked.gtol > 0)
    exact = p.size <= noise  # nothing is left to fit
    held = jnp.where(near | reduced | short | flat | exact, CONVERGED, PRECISION)
    judged = jnp.where((held == CONVERGED) | (p.decrement <= noise), held, NUMERICAL)
    judged = jnp.where(jnp.isfinite(p.decrement) & jnp.isfinite(p.size), judged, NUMERICAL)
    return jnp.where(is_success(status) | (status == NUMERICAL), judged, status).astype(jnp.int32)
