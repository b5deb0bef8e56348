"""What follows from a fitted model: the covariance of its parameters, and how far it can be trusted.

    pcov = s^2 (J'J)^{-1},   s^2 = |r|^2 / (m - n), or 1 where sigma is absolute                (1)

with J the Jacobian of the weighted residuals at the solution, undamped and unscaled (`orthogonal.py`). Bounds that meet fix
a parameter. It then has no column in J, n does not count it, and its variance and covariances are 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.orthogonal import covariance, factor
from jaxopt_lite._families.lsq.solution import active, bounds_that_hold, certified, unknowns
from jaxopt_lite.core import certificate
from jaxopt_lite.core.dense import lengths, matvec, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Measured, Oracle
from jaxopt_lite.core.status import BAD_INPUT, is_success

# cov_status: which formula pcov comes from, or why there is none
ESTIMATED = 0  # (1) for all parameters
UNDETERMINED = 1  # the data do not determine some combination of parameters; pcov is infinite for those in it
NO_FREEDOM = 2  # as many parameters as data, and sigma is not absolute: nothing is left to estimate s^2 from
NOT_FITTED = 3  # the fit did not succeed
AT_BOUND = 4  # a parameter is at a bound that does not fix it: the numbers are those of the problem without that bound
FREE = 5  # (1) for the free parameters; bounds that meet fix the others, whose rows and columns are 0


@kept()
def fitted(absolute: bool, masked: bool, full: bool) -> Callable[..., dict[str, Array]]:
    """`(oracle, solved, operands) -> fields` of a fit; where `masked`, the last leaf of args says which data count."""

    def fields(oracle: Oracle, solved: dict[str, Array], operands: Operands) -> dict[str, Array]:
        x, data = solved["x"], operands.data
        at = oracle.measured(x, operands.function)
        grad = matvec(at.jacobian.T, at.weighed)
        pushed = bounds_that_hold(x, at, grad, data)
        start = solved.get("_start", at.cost)
        feels = felt(x, at, operands.x0, start)
        n, fixed, held = unknowns(x, data), jnp.zeros(x.shape, bool), jnp.zeros((), bool)
        if data.lower is not None:
            fixed = data.lower == data.upper
            held = jnp.any(~fixed & (active(x, data.lower, data.upper) != 0))
        f = factor(at.jacobian * jnp.where(fixed, 0.0, feels)[None, :], at.weighed)
        judged = f
        if data.lower is not None:
            judged = factor(at.jacobian * jnp.where(pushed.held, 0.0, feels)[None, :], at.weighed)
        m = jnp.sum(operands.function.args[-1]) if masked else jnp.asarray(at.residual.shape[0])
        status = certified(solved["status"], x, at, grad, oracle, operands, m, judged, pushed, feels, start)
        status = jnp.where(m < n, BAD_INPUT, status).astype(jnp.int32)  # too few data for a fit, whatever was found
        inverse, rank = covariance(f)
        freedom = (m - n).astype(x.dtype)
        variance = jnp.asarray(1.0, x.dtype) if absolute else 2.0 * at.cost / jnp.maximum(freedom, 1.0)
        none, failed = (freedom <= 0) & (not absolute), ~is_success(status)
        pcov = jnp.where(jnp.isfinite(inverse), variance * jnp.where(jnp.isfinite(inverse), inverse, 0.0), jnp.inf)
        pcov = jnp.where(fixed[:, None] | fixed[None, :], 0.0, jnp.where(none, jnp.inf, pcov))
        reasons = (
            (failed, NOT_FITTED),
            (none, NO_FREEDOM),
            (rank < jnp.asarray(n, jnp.int32), UNDETERMINED),
            (held, AT_BOUND),
            (jnp.any(fixed), FREE),
        )
        cov_status = jnp.select([when for when, _ in reasons], [code for _, code in reasons], ESTIMATED).astype(jnp.int32)
        out = {"pcov": jnp.where(failed, jnp.inf, pcov), "cov_status": cov_status, "rank": rank, "status": status}
        return out | ({"fvec": at.residual, "cost": at.cost} if full else {})

    return fields


def felt(x: Array, at: Measured, x0: Array, start: Array) -> Array:
    """(n,): 1.0 for a parameter that has an effect on the residuals, 0.0 where its effect is rounding.

    An example without an effect is the width of a peak without a height: its column of J is rounding, but still has a
    direction. The effect is the length of the column times the parameter, now or at the start, whichever is larger; so it
    has no units. A parameter that is 0 and was 0 at the start has no size of its own, and always counts as felt.

    The effect is compared with the rounding of the residuals as they are now. There is one exception. The residuals may have
    become as small as the rounding of what they were at the start (of cost `start`), and of what the parameters
    contributed there. Then that rounding of the start is compared instead. This happens with data that have no signal: the
    height goes to zero, and the slope of the width vanishes with it.
    """
    sizes = jax.lax.stop_gradient(lengths(at.jacobian))
    known = jnp.maximum(jnp.abs(x), jnp.abs(x0))
    effect = sizes * known
    left, eps = jnp.sqrt(2.0 * at.cost), certificate.ROUNDINGS * jnp.finfo(x.dtype).eps
    begun = eps * jnp.minimum(norm(effect, 2), jnp.sqrt(2.0 * start))
    noise = jnp.where(left <= begun, begun, eps * (left + norm(sizes * x, 2)))
    return jax.lax.stop_gradient(jnp.where((effect > noise) | (known == 0), 1.0, 0.0))
