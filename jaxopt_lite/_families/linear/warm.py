"""A warm start of the interior point method: the point that x and y say, moved into the interior by as much as it errs.

A solution is a bad start, because one number of each pair (t, q) of distance and multiplier is zero, and the steps from
there are short. But v = t - q says where the pair is to go: to (v, 0) or (0, -v). With

    t = (v + (v^2 + 4 mu)^(1/2)) / 2,     q = t - v                                                   (1)

every product is mu, so that the point is perfectly centered, whatever x and y are, and near the given one where mu is small
(the smoothing of Chen & Harker, SIAM J. Matrix Anal. Appl. 14 (1993) 1168). The multipliers of the bounds are the reduced
costs, so that the dual equations of variables in bounds nearly hold at the start.

mu follows from the error of what is given: the largest of |min(t, q)| over pairs, of the equations, and of the reduced costs
of free variables, in the scaled program, whose data are of size 1. Where that is larger than FAR, or not a number, the run
starts as it does without. A run that gets stuck after a warm start begins again, from the center of the bounds.
"""

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.linear.homogeneous import Model, Point, distances, join, split
from jaxopt_lite._families.linear.program import parted
from jaxopt_lite.core.dense import norm

FAR = 1.0  # an error of the size of the data
PART, LEAST = 0.01, 1e-8  # mu is this part of the error, and at least that; parts of 1, 0.1, 0.001 take more iterations


def warm(model: Model, x: Array, y: Array, p: int) -> tuple[Point, Array]:
    """The start from x (n,) and y (m,) in scaled units, and () bool: is it any good? The first p rows are inequalities."""
    n, eps = x.shape[0], float(jnp.finfo(x.dtype).eps)
    known = jnp.all(jnp.isfinite(x)) & jnp.all(jnp.isfinite(y))
    x, y = jnp.where(known, x, 0.0), jnp.where(known, y, 0.0)
    z = model.c - model.transposed(y)
    if model.P is not None:
        z += model.curved(x)
    has, exists = model.has[: 2 * n].reshape(2, n) > 0, model.has > 0
    (slack, left), (price, y_eq) = parted(model.b - model.times(x), p), parted(-y, p)
    one = jnp.ones((), x.dtype)
    own = jnp.maximum(jnp.stack([z, -z]), 0.0)
    t, q = join(distances(x, model.bound), slack, one), join(own, jnp.maximum(price, 0.0), 0.0 * one)
    astray = jnp.maximum(jnp.where(has[0], 0.0, z), jnp.where(has[1], 0.0, -z))
    error = norm(jnp.concatenate([jnp.where(exists, jnp.minimum(t, q), 0.0), left, astray, jnp.minimum(price, 0.0)]))
    mu = jnp.maximum(PART * error, max(LEAST, eps))
    v = jnp.where(exists, t - q, 0.0)
    root = jnp.sqrt(v * v + 4.0 * mu)
    large = 0.5 * (jnp.abs(v) + root)  # the smaller of the pair without cancellation: mu / large
    t, q = jnp.where(v > 0, large, mu / large), jnp.where(v > 0, mu / large, large)
    t, q = jnp.where(exists, t, 1.0).at[-1].set(1.0), jnp.where(exists, q, 0.0).at[-1].set(mu)
    at = Point(x, jnp.concatenate([-split(q, n)[1], -y_eq]), t, q)
    return at, known & (error <= FAR)
