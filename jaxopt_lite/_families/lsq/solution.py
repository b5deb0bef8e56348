"""What follows from the solution of a least-squares problem: one evaluation there, SciPy's fields, and the certificate."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.lsq.orthogonal import Factor, factor
from jaxopt_lite._families.lsq.undetermined import astray, ran_away
from jaxopt_lite.core import certificate
from jaxopt_lite.core.dense import lengths, matvec, norm
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Measured, Oracle
from jaxopt_lite.core.status import NUMERICAL, is_success

SMALL = 0.1  # of the residuals at the start: rounding that moves them by more hides what there was to fit


def fields(oracle: Oracle, solved: dict[str, Array], operands: Operands) -> dict[str, Array]:
    """cost, fun (the residuals), jac and grad (weighed by the loss), optimality, active_mask; and the certified status."""
    x, data = solved["x"], operands.data
    at = oracle.measured(x, operands.function)
    grad = matvec(at.jacobian.T, at.weighed)
    scaled, mask = grad, jnp.zeros(x.shape, jnp.int32)
    if data.lower is not None:
        scaled, mask = grad * distance(x, grad, data.lower, data.upper), active(x, data.lower, data.upper)
    pushed = bounds_that_hold(x, at, grad, data)
    f = factor(at.jacobian * jnp.where(pushed.held, 0.0, 1.0)[None, :], at.weighed)
    m, felt, start = at.residual.shape[0], jnp.ones_like(x), solved.get("_start", at.cost)
    return {
        "cost": at.cost,
        "fun": at.residual,
        "jac": at.jacobian,
        "grad": grad,
        "optimality": norm(scaled),
        "active_mask": mask,
        "status": certified(solved["status"], x, at, grad, oracle, operands, m, f, pushed, felt, start),
    }


def unknowns(x: Array, data: Any) -> Array | int:
    """How many parameters are not fixed by bounds that meet."""
    n = x.shape[0]
    return n if data.lower is None else n - jnp.sum(data.lower == data.upper)


class Pushed(NamedTuple):
    """Variables that the slope pushes to a bound."""

    held: Array  # (n,) bool: which they are
    worth: Array  # () at most how much the sum of squares would fall if they went to their bounds


def bounds_that_hold(x: Array, at: Measured, grad: Array, data: Any) -> Pushed:
    """A variable is held where its own step would cross its bound. The way there lowers the cost by at most slope * way."""
    if data.lower is None:
        return Pushed(jnp.zeros(x.shape, bool), jnp.zeros((), x.dtype))
    ahead = jnp.where(grad > 0, x - data.lower, jnp.where(grad < 0, data.upper - x, jnp.inf))
    held = (ahead <= 0) | (jnp.sum(at.jacobian**2, axis=0) * ahead <= jnp.abs(grad)) | (data.lower == data.upper)
    way = jnp.where(held & (data.lower != data.upper), jnp.maximum(ahead, 0.0), 0.0)
    return Pushed(held, 2.0 * jnp.sum(jnp.where(way > 0, jnp.abs(grad) * way, 0.0)))


def certified(
    status: Array,
    x: Array,
    at: Measured,
    grad: Array,
    oracle: Oracle,
    operands: Operands,
    m: Array | int,
    f: Factor,
    pushed: Pushed,
    felt: Array,
    start: Array,
) -> Array:
    """The status that the certificate gives to the point.

    `m` data count, and `f` is the factorization of J there. `felt` (n,) is 0.0 for a parameter whose column is rounding; `f`
    leaves that column out, and the column then counts by its own cosine with the residual. For a parameter that has lost its
    slope on a plateau need not be at its best value. A parameter may also run away from its start until it has no effect on
    the residuals. The fit then fails, unless nothing is left to fit: where an exponential has decayed before the first
    datum, every parameter of it looks stationary.

    Rounding excuses nothing where a parameter, rounded to its dtype, moves the residuals by as much as there was to fit at
    the start (of cost `start`): there the model cannot be evaluated, and any point looks as good as any other. A fit that
    has not left its start is excused, for it may have started at the solution.

    Of combinations of parameters that J does not determine, `undetermined.py` says whether the point is a minimum.
    """
    J, data, x0 = at.jacobian, operands.data, operands.x0
    sizes = lengths(J)
    cosines = jnp.where(pushed.held | (sizes == 0), 0.0, grad / jnp.where(sizes > 0, sizes, 1.0))
    out = jnp.where(felt > 0, 0.0, cosines)
    size, eps = jnp.sqrt(2.0 * at.cost), jnp.finfo(x.dtype).eps
    effect = sizes * x
    noise = certificate.ROUNDINGS * eps * (size + norm(effect, 2))
    stayed = jnp.all(jnp.abs(x - x0) <= jnp.sqrt(eps) * jnp.abs(x0))
    step = f.kept * matvec(f.inverse, f.projected * f.kept) / f.size
    near = jnp.abs(step) <= eps**certificate.NEAR * jnp.maximum(jnp.abs(x), jnp.abs(x - x0))
    freedom = jnp.asarray(m - unknowns(x, data), x.dtype)
    hidden = jnp.any(felt == 0) & (noise * jnp.sqrt(jnp.maximum(freedom, 1.0)) > size)  # by more than a standard error
    promise = certificate.Promise(
        decrement=jnp.sqrt(jnp.sum((f.projected * f.seen) ** 2) + jnp.sum(out**2) + pushed.worth),
        step=step,
        x=x,
        small=jnp.all(near) & ~hidden,
        moved=effect,
        size=size,
        slope=norm(cosines) / jnp.where(size > 0, size, 1.0),
        freedom=freedom,
        known=(noise <= SMALL * jnp.sqrt(2.0 * start)) | stayed,
    )
    plateau = jnp.any(ran_away(x, x0) & (jnp.abs(effect) <= noise)) & (size > noise)
    judged = certificate.fit(status, promise, certificate.FitTolerances(data.errors, data.ftol, data.xtol, data.gtol))
    refused = plateau | astray(oracle, x, at, f, ~pushed.held, promise.decrement + noise, operands)
    return jnp.where(refused & is_success(judged), NUMERICAL, judged).astype(jnp.int32)


def distance(x: Array, grad: Array, lower: Array, upper: Array) -> Array:
    """Coleman and Li's v (n,): the distance to the finite bound that steepest descent leads to, 1 where there is none."""
    down, up = (grad > 0) & jnp.isfinite(lower), (grad < 0) & jnp.isfinite(upper)
    return jnp.where(down, x - jnp.where(down, lower, 0.0), jnp.where(up, jnp.where(up, upper, 0.0) - x, 1.0))


def active(x: Array, lower: Array, upper: Array) -> Array:
    """-1 where x is at its lower bound, 1 at its upper one, 0 elsewhere, (n,) int32."""
    return jnp.where(x <= lower, -1, jnp.where(x >= upper, 1, 0)).astype(jnp.int32)
