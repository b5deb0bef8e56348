"""What methods by models of values share: units, the order of points, the resolution rho, and how a run ends.

Points carry values of the objective f and of the rows c, as rows of F (N, 1 + m), and the best one, the *pole*, is that of
the least

    f + mu sum of violations.                                                                         (1)

*Units*. All of it is in u = x / unit. A box that is narrower than twice the first radius has a unit in which it is not, so
that the first points fit, and all later ones. A variable with equal bounds has the unit 1 and no bounds in these units: the
points differ there too, but every point is evaluated at the bound, and so the models find that nothing depends on it.

*The end*. The method believes in its pole where the rows hold, and gives up elsewhere; `_needs/kkt_certificate.py` decides.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained.qp import largest
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.status import (
    BAD_INPUT,
    BELIEVED,
    CLAIM,
    CONVERGED,
    INFEASIBLE,
    NOT_FINITE,
    NUMERICAL,
    PRECISION,
    RUNNING,
)
from jaxopt_lite.core.stopping import objective_tolerance

FTOL = Option(
    None,
    POSITIVE_OR_ZERO,
    "What the exact Newton step may promise to gain where derivatives prove a success. Default 1e-6; 6.4e-6 in float32.",
)
RESOLVED = 32.0  # times eps |x|: rho goes no lower
STIFFEST = 1e3  # of the ranges of rows: those that are so much smaller than the largest do not make mu larger


def largest_value(dtype: Any) -> float:
    """Beyond this size values have no models."""
    return float(jnp.finfo(dtype).max) ** 0.9


class ValuesData(NamedTuple):
    """Traced numbers of a run."""

    rhobeg: Array  # () the first rho
    tol: Array  # () the last rho
    catol: Array  # () a violation that is no larger is none
    ftol: Array  # () what the certificate lets the exact Newton step promise
    row_lower: Array  # (m,) sides of the rows
    row_upper: Array  # (m,)
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    unit: Array | None  # (n,) the unit of each variable: u = x / unit. None: 1
    flawed: Array  # () bool: sides, bounds or radii that cross


def data_of(rhobeg: Any, tol: Any, catol: Any, options: dict[str, Any], x0: Array) -> ValuesData:
    """The data record from the radii, and the bounds and constraints of the options; catol is the root of eps by default."""
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    eps = float(jnp.finfo(x0.dtype).eps)
    catol = eps**0.5 if catol is None else catol
    rhobeg, tol = number(rhobeg), number(tol)
    lower, upper = box.sides(options.get("bounds"), x0)
    equal, low, high = (number(side) for side in options["constraints"])
    low, high = jnp.concatenate([equal, low]), jnp.concatenate([equal, high])
    unit = None
    if lower is not None and upper is not None:
        width = upper - lower
        moves = width > RESOLVED * eps * jnp.minimum(jnp.abs(lower), jnp.abs(upper))
        unit = jnp.where(moves, jnp.minimum(width / (2 * rhobeg), 1.0), 1.0)
    flawed = ~jnp.all(low <= high) | ~(tol <= rhobeg) | ~(rhobeg > 0)
    ftol = objective_tolerance(x0.dtype) if options["ftol"] is None else options["ftol"]
    data = ValuesData(rhobeg, tol, number(catol), number(ftol), low, high, lower, upper, unit, flawed)
    return data._replace(flawed=flawed | box.crossed(data))


def at(u: Array, data: ValuesData) -> Array:
    """x (n,) at a point in units: in the bounds."""
    return u if data.unit is None else box.project(u * data.unit, data)


def sides(data: ValuesData) -> tuple[Array, Array]:
    """Bounds in units; variables that do not move have none."""
    assert data.lower is not None
    assert data.upper is not None
    assert data.unit is not None
    fixed = data.upper - data.lower < data.unit * data.rhobeg
    return jnp.where(fixed, -jnp.inf, data.lower / data.unit), jnp.where(fixed, jnp.inf, data.upper / data.unit)


def inside(u: Array, data: ValuesData) -> Array:
    return u if data.lower is None else jnp.clip(u, *sides(data))


def pick(which: Array, rows: Array) -> Array:
    """The row that a mask (n + 1,) with one true entry picks."""
    return jnp.sum(jnp.where(which if rows.ndim == 1 else which[:, None], rows, 0.0), axis=0)


def total_violation(F: Array, data: ValuesData) -> Array:
    """The sum of the violations of each vertex, (n + 1,)."""
    return jnp.sum(jax.vmap(lambda c: violations(c, data.row_lower, data.row_upper))(F[:, 1:]), axis=1)


def pole_of(F: Array, violated: Array, mu: Array) -> Array:
    """(n + 1,) bool: the vertex of the least f + mu violation; f is compared from its least value on, not to lose mu."""
    least = jnp.min(F[:, 0])
    return largest(-((F[:, 0] - jnp.where(least < jnp.inf, least, 0.0)) + mu * violated))


def spread(F: Array, data: ValuesData) -> Array:
    """The range of f at the points over the least range of a row that is violated at one of them, but no slight one; > 0."""
    f = jnp.where(F[:, 0] < jnp.inf, F[:, 0], jnp.min(F[:, 0]))
    c, eps = F[:, 1:], float(jnp.finfo(f.dtype).eps)
    rises = jnp.max(c, axis=0) - jnp.min(c, axis=0)
    counts = jnp.any(jax.vmap(lambda c: violations(c, data.row_lower, data.row_upper))(c) > 0, axis=0) & (rises > 0)
    least = jnp.min(jnp.where(counts, rises, jnp.inf), initial=jnp.inf)
    least = jnp.maximum(least, jnp.max(jnp.where(counts, rises, 0.0), initial=0.0) / STIFFEST)
    ranged = jnp.max(f) - jnp.min(f)
    ranged = jnp.where((ranged > 0) & (ranged < jnp.inf), ranged, 1.0)
    return jnp.maximum(ranged / least, eps * ranged)


def reduced(rho: Array, last: Array) -> Array:
    """The rho after this one: a tenth, and in two steps to the last one (Powell's and PRIMA's)."""
    far = rho / last
    return jnp.where(far > 250, 0.1 * rho, jnp.where(far <= 16, last, jnp.sqrt(rho) * jnp.sqrt(last)))


def status(F: Array, pole: Array, rho: Array, done: Array, filling: Array, data: ValuesData) -> Array:
    """How the lane stands; where the rows hold at the pole, (N,) bool, the method believes in it."""
    worst = jnp.max(violations(pick(pole, F)[1:], data.row_lower, data.row_upper), initial=0.0)
    success = BELIEVED + jnp.where(rho <= data.tol, CONVERGED, PRECISION)
    ended = jnp.where(done, jnp.where(worst <= data.catol, success, CLAIM + INFEASIBLE), RUNNING)
    least = jnp.min(F[:, 0])
    ended = jnp.where(filling, RUNNING, jnp.where(least < jnp.inf, ended, NUMERICAL))
    ended = jnp.where(least < -largest_value(least.dtype), NOT_FINITE, ended)
    return jnp.where(data.flawed, BAD_INPUT, ended).astype(jnp.int32)


def differ(F: Array, fun: Array) -> Array:
    """() bool: does a value of f differ from those of F (N, 1 + m), of all that are known?"""
    return (fun < jnp.inf) & jnp.any((F[:, 0] < jnp.inf) & (F[:, 0] != fun))


def report(V: Array, F: Array, mu: Array, y: Array, varied: Array, data: ValuesData) -> dict[str, Array]:
    """The fields of the result, at the pole of the points V (N, n); `varied`, () bool: have values of f ever differed?"""
    pole = pole_of(F, total_violation(F, data), mu)
    x, rows = at(pick(pole, V), data), pick(pole, F)
    worst = jnp.max(violations(rows[1:], data.row_lower, data.row_upper), initial=0.0)
    # the last models may be those of another pole: a row that holds here, without a multiplier of theirs, has that of (1)
    above, below = jnp.abs(data.row_upper - rows[1:]) <= data.catol, jnp.abs(rows[1:] - data.row_lower) <= data.catol
    given = jnp.where((y == 0) & (above != below), jnp.where(above, mu, -mu), y)
    return {"x": x, "fun": rows[0], "maxcv": worst, "multipliers": y, "_x": x, "_y": given, "_varies": varied}
