"""Interior point method for linear and convex quadratic programs: predictor-corrector steps on the self-dual model.

An iteration (`homogeneous.step`) works on scaled data: rows and columns are equilibrated by powers of two, and b and c are
brought to size 1 by one more power each. After each iteration the iterate is tested on the program as it was given
(`certificate.py`), and the lane ends when something is proved there:

    x / tau, y / tau    errors at most tol                              converged
    y                   a Farkas ray at most tol in error               infeasible, with the ray
    x                   a direction of recession at most tol in error   unbounded, if the program is feasible

Users compare a row's violation with 1 + |b|. The units of a row's data may be much larger than that where b is 0. So a run
goes on until each violation is at most 10 tol (1 + |b|) too. Where that cannot be reached, the units of the data decide, and
the status is 8 (PRECISION).

Where both a pair and a ray pass, the pair wins: it is a point that can be looked at, where the ray says only that there is
no point of a usual size. A direction of recession leaves one question open: is the program feasible? If x / tau is
feasible, the answer is yes. If not, the lane starts again with c = 0 (a second phase, in the same state), and a feasible
point or a Farkas ray answers it.

A lane also ends where nothing is proved and a direction is not finite, or for STALL iterations neither the error of the
iterate nor that of a ray has fallen by a tenth. The status is then 8 (PRECISION) if what is left of the errors is rounding,
else 4 (NUMERICAL). The best iterate is kept.

The first iterate is that of a warm start (`warm.py`) where there is one. Else it solves two least squares problems with one
factor (Mehrotra 1992, section 7): A x + s = b with least |x - anchor|, and A'y + z = c with least |z|. Then all that has to
be positive is shifted to positive values.

Fixed variables leave the program (their column is scaled by 0). Rows with an infinite right-hand side become 0 <= 1.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.linear import certificate
from jaxopt_lite._families.linear.certificate import ROUNDING
from jaxopt_lite._families.linear.homogeneous import Model, Point, distances, join, split, step
from jaxopt_lite._families.linear.normal import factor, gram, solve
from jaxopt_lite._families.linear.program import LinearProgram, Ranged, is_flawed, parted, ranged
from jaxopt_lite._families.linear.scaling import power_of_two, ruiz
from jaxopt_lite._families.linear.solution import active, vertex
from jaxopt_lite._families.linear.units import Stacked, Units, finite, flat, units
from jaxopt_lite._families.linear.warm import warm
from jaxopt_lite._needs.nothing import NOTHING
from jaxopt_lite.core.blocks import in_blocks
from jaxopt_lite.core.dense import dot, matvec
from jaxopt_lite.core.implicit import Rule
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, INFEASIBLE, NUMERICAL, PRECISION, RUNNING, UNBOUNDED

STALL = 15  # iterations without progress; from Netlib and random programs, none converged after 12
WARM_STALL = 4  # the same after a warm start: from the center it takes some eight
COPIES = 6  # of the normal equations' matrix that a turn makes
AS_MEASURED = 10.0  # times 1 + |b|: the largest unit of a row, as long as the error still falls
FIRST = 0.1  # least distance and multiplier at the start


class InteriorData(NamedTuple):
    """Traced numbers of a run. In a batch with one A, all that follows from A is shared too."""

    lp: Ranged  # as given
    unit: Units
    model: Model  # scaled: x = origin + beta C x_scaled, y = gamma R y_scaled
    origin: Array  # (n,) values of fixed variables, else 0
    beta: Array  # ()
    gamma: Array  # ()
    tol: Array  # ()
    flawed: Array  # () bool: NaN or crossed bounds
    inequalities: Array  # (p,) ones, whose number says how many rows A_ub has
    least: tuple[Array, Array]  # (m,), (m,): what a cold start is made of
    endless: Units | None = None  # of a quadratic program: the units of what proves that it is unbounded
    warm: tuple[Array, Array] | None = None  # x (n,) and y (m,) that a run starts from, scaled; None: it starts by itself


class InteriorState(NamedTuple):
    """An iterate and the best one."""

    at: Point
    best_x: Array  # (n,)
    best_y: Array  # (m,)
    ray: Array  # (n,) direction of recession, once found
    record: Array  # (5,) error of the best, the same less its rounding, error of the best ray, iterations since one of
    # them fell, phase (-1 after a warm start, 0, or 1 with c = 0)


OPTIONS = {
    "tol": Option(None, POSITIVE_OR_ZERO, "Relative primal, dual and gap error. Default 1e-8, or 1e-4 in float32."),
    "vertex": Option(False, STATIC, "Go on from a solution to a vertex of the face of solutions, and give its `basis`."),
}


def prepare(options: dict[str, Any], x0: Array) -> InteriorData:
    """The data record from options; `program` is the LinearProgram, x0 (n,) tells the dtype alone."""
    program: LinearProgram = options["program"]
    dtype, p = x0.dtype, program.b_ub.shape[0]
    tol = options.get("tol")
    tol = (1e-8 if dtype == jnp.float64 else 1e-4) if tol is None else tol
    given = ranged(program)
    lp = lax.stop_gradient(given)
    P, (R, C) = lp.P, _scales(lp.A, lp.P)
    fixed, present = lp.lower == lp.upper, jnp.isfinite(lp.row_upper)
    origin = jnp.where(fixed, lp.lower, 0.0)
    ends = jnp.stack([lp.lower, lp.upper])
    has = jnp.isfinite(ends) & ~fixed[None, :]
    bound = jnp.where(has, ends / C[None, :], 0.0)
    R, C = jnp.where(present, R, 0.0), jnp.where(fixed, 0.0, C)
    b = R * (jnp.where(present, lp.row_upper, 0.0) - matvec(lp.A, origin))
    nearer = jnp.where(has[0] & has[1], jnp.min(jnp.abs(bound), 0), jnp.max(jnp.abs(bound), 0))
    size, cost = jnp.maximum(_largest(b), _largest(nearer)), C * lp.slope(origin)
    price, weight = _largest(cost), None
    if P is not None:
        curvature = _curvature(P, C)
        size = jnp.where(size > 0, size, price / jnp.where(curvature > 0, curvature, 1.0))
        price = jnp.maximum(price, power_of_two(size) * curvature)
    beta, gamma = power_of_two(size), power_of_two(price)
    if P is not None:
        weight = beta / gamma
    pairs = jnp.concatenate([has.reshape(-1), jnp.ones(p + 1, bool)]).astype(dtype)
    model = Model(lp.A, R, C, jnp.where(present, b / beta, 1.0), cost / gamma, bound / beta, pairs, P, weight)
    tol, ones = jnp.asarray(tol).astype(dtype), jnp.ones(p, dtype)
    unit, endless = _units(lp)
    made = InteriorData(given, unit, model, origin, beta, gamma, tol, _flawed(lp), ones, _least(model, ones), endless)
    if options.get("multipliers") is None:
        return made
    inverse = lambda scale: jnp.where(scale > 0, 1.0 / jnp.where(scale > 0, scale, 1.0), 0.0)
    y = jnp.asarray(options["multipliers"]).astype(dtype)
    return made._replace(warm=((x0 - origin) * inverse(beta * C), y * inverse(gamma * R)))


@in_blocks
def _scales(A: Array, P: Array | None) -> tuple[Array, Array]:
    """Powers of two for the rows (m,) and the columns (n,)."""
    if P is None:
        return ruiz(A)
    alike = jnp.where(_largest(A) > 0, _largest(A), 1.0) / jnp.where(_largest(P) > 0, _largest(P), 1.0)
    R, C = ruiz(jnp.concatenate([A, power_of_two(alike) * P]))  # in other units of the objective the same
    return parted(R, A.shape[0])[0], C


@in_blocks
def _units(lp: Ranged) -> tuple[Units, Units | None]:
    """The units of the program; of a quadratic one, those that its directions of recession are measured in."""
    unread: Any = None
    return units(lp), None if lp.P is None else units(flat(lp, lp.c))._replace(row=unread, x=unread, objective=unread)


@in_blocks
def _least(model: Model, inequalities: Array) -> tuple[Array, Array]:
    """The multipliers (m,) of both least squares problems of the first iterate."""
    anchor, none = _central(model, inequalities).x, jnp.zeros_like(model.b)
    if none.shape[0] == 0:
        return none, none
    F = factor(gram(model.A, model.C**2), model.R, model.rows(inequalities))
    return solve(F, model.b - model.times(anchor)), solve(F, model.times(model.c))


_flawed = in_blocks(is_flawed)
_curvature = in_blocks(lambda P, C: _largest(C[:, None] * P * C[None, :]))


def _init(x0: Array, data: InteriorData) -> InteriorState:
    model = data.model
    at, phase = _central(model, data.inequalities), jnp.zeros((), x0.dtype)
    if data.warm is not None:
        there, good = warm(model, *data.warm, data.inequalities.shape[0])
        at = Point(*(jnp.where(good, new, old) for new, old in zip(there, at, strict=True)))
        phase = jnp.where(good, -1.0, 0.0).astype(x0.dtype)
    elif model.b.shape[0] > 0:
        at = _first(at.x, *data.least, model, data.inequalities.shape[0])
    nearest = jnp.clip(jnp.zeros_like(model.c), data.lp.lower, data.lp.upper)
    record = jnp.array([jnp.inf, jnp.inf, jnp.inf, 0.0, 0.0], x0.dtype).at[-1].set(phase)
    return InteriorState(at, nearest, jnp.zeros_like(model.b), jnp.zeros_like(nearest), record)


def _first(anchor: Array, shift: Array, y: Array, model: Model, p: int) -> Point:
    """The iterate that the two least squares problems give."""
    has, n = _bounded(model), anchor.shape[0]
    x, z = anchor + model.transposed(shift), model.c - model.transposed(y)
    if model.P is not None:
        z += model.curved(x)
    (s, _), (y_ub, y_eq), one = parted(shift, p), parted(y, p), jnp.ones((), x.dtype)
    share = jnp.where(has[0] & has[1], 0.5, 1.0) * z
    t = jnp.where(model.has > 0, _inside(join(distances(x, model.bound), s, one), model), 1.0)
    q = jnp.where(model.has > 0, _inside(join(jnp.stack([share, -share]), -y_ub, one), model), 0.0)
    mu = dot(t[:-1], q[:-1]) / jnp.maximum(jnp.sum(model.has) - 1.0, 1.0)
    q = q.at[-1].set(jnp.where(mu > 0, mu, 1.0))
    return Point(x, jnp.concatenate([-split(q, n)[1], y_eq]), t.at[-1].set(1.0), q)


def _tell(s: InteriorState, query: Query, answer: Answer, data: InteriorData) -> Told:
    best, best_known, best_ray, idle, phase = s.record
    second = phase > 0
    model = data.model._replace(c=jnp.where(second, 0.0, data.model.c))
    if model.weight is not None:
        model = model._replace(weight=jnp.where(second, 0.0, model.weight))
    at, sound = step(s.at, model, jnp.where(idle > 0, 0.0, data.tol))  # without progress directions are exact
    tau = at.t[-1]
    lp = data.lp._replace(c=jnp.where(second, 0.0, data.lp.c))
    y = data.gamma * (model.R * (at.y / tau))
    pair = certificate.pair(lp, data.origin + data.beta * (model.C * (at.x / tau)), y)
    asked = jnp.minimum(data.unit.row, AS_MEASURED * (1.0 + jnp.abs(finite(lp.row_upper))))
    strict = certificate.errors(lp, data.unit._replace(row=asked), pair)
    loose = certificate.errors(lp, data.unit, pair, ROUNDING)
    error = jnp.where(second, strict.primal, strict.worst())
    known = jnp.where(second, loose.primal, loose.worst())
    _, contradiction = certificate.farkas(lp, data.unit, y, data.tol)
    ray, descent = _falls_along(lp, data, model.C * at.x)
    endless = (descent <= data.tol) & ~second
    proof = jnp.minimum(contradiction, descent)

    better, falls = error < best, (error < 0.9 * best) | (proof < 0.9 * best_ray)
    idle = jnp.where(falls & sound, 0.0, idle + 1)
    stuck = (idle > jnp.where(phase < 0, WARM_STALL, STALL)) | ~sound
    answered = jnp.where(second, UNBOUNDED, CONVERGED)
    status = jnp.where(stuck, NUMERICAL, RUNNING)
    known = jnp.where(better, known, best_known)
    rounded = (known <= data.tol) & ((idle > 1) | stuck)
    status = jnp.where(rounded, jnp.where(second, UNBOUNDED, PRECISION), status)
    status = jnp.where(contradiction <= data.tol, INFEASIBLE, status)
    status = jnp.where(endless & (strict.primal <= data.tol), UNBOUNDED, status)
    status = jnp.where(error <= data.tol, answered, status)
    status = jnp.where(data.flawed, BAD_INPUT, status).astype(jnp.int32)

    cold = jnp.zeros((), bool)
    if data.warm is not None:
        cold = (phase < 0) & (status == NUMERICAL)
        status = jnp.where(cold, RUNNING, status)

    keep = lambda new, old: jnp.where(better, new, old)
    s = InteriorState(
        at=at,
        best_x=keep(pair.x, s.best_x),
        best_y=keep(pair.y, s.best_y),
        ray=jnp.where(endless, ray, s.ray),
        record=jnp.stack([keep(error, best), known, jnp.minimum(proof, best_ray), idle, phase]),
    )
    again = endless & (status == RUNNING)
    anew = jnp.array([jnp.inf, jnp.inf, jnp.inf, 0.0, 1.0], best.dtype)
    restart = s._replace(at=_central(data.model, data.inequalities), record=jnp.where(cold, anew.at[-1].set(0.0), anew))
    return Told(jax.tree.map(lambda new, old: jnp.where(again | cold, new, old), restart, s), status, jnp.ones((), bool))


def _falls_along(lp: Ranged, data: InteriorData, d: Array) -> tuple[Array, Array]:
    """The direction of recession (n,) that d gives, and its error."""
    if data.endless is None:
        return certificate.recession(lp, data.unit, d, data.tol)
    low, high = (jnp.concatenate([side, jnp.zeros_like(lp.c)]) for side in (lp.row_lower, lp.row_upper))
    both: Any = Stacked((lp.A, lp.P))
    return certificate.recession(Ranged(lp.c, both, low, high, lp.lower, lp.upper), data.endless, d, data.tol)


def _report(s: InteriorState, data: InteriorData) -> dict[str, Array]:
    ray = certificate.possible(data.gamma * (data.model.R * s.at.y), data.lp.row_lower, data.lp.row_upper)
    return {"x": s.best_x, "y": s.best_y, "ray_dual": ray, "ray_primal": s.ray}


def _central(model: Model, inequalities: Array) -> Point:
    """A point inside of the bounds: one unit away from a bound, or halfway between two; all multipliers are 1."""
    has, (low, high) = _bounded(model), model.bound
    one = jnp.ones((), low.dtype)
    single = jnp.where(has[0], low + 1.0, jnp.where(has[1], high - 1.0, 0.0))
    x = jnp.where(has[0] & has[1], jnp.minimum(low + 1.0, 0.5 * (low + high)), single)
    t = join(jnp.where(has, jnp.maximum(distances(x, model.bound), 1e-3), 1.0), inequalities, one)
    return Point(x, model.rows(-inequalities), t, model.has)


def _inside(a: Array, model: Model) -> Array:
    """a, shifted so that the entries of all pairs that exist are positive."""
    least = jnp.min(jnp.where(model.has > 0, a, jnp.inf))
    return jnp.maximum(a + jnp.maximum(-1.5 * least, 0.0), FIRST)


def _bounded(model: Model) -> Array:
    """(2, n) bool: the bounds that exist."""
    n = model.c.shape[0]
    return model.has[: 2 * n].reshape(2, n) > 0


def _largest(a: Array) -> Array:
    return jnp.max(jnp.abs(a), initial=0.0)


def _workspace(data: InteriorData) -> int:
    """Bytes that a turn writes for the normal equations. A program of 20x40 takes 79 us if they fit the cache, else 97."""
    return COPIES * data.model.b.shape[0] ** 2 * data.model.b.dtype.itemsize


def _method(rule: Rule) -> Method:
    ask = lambda s, data: Query(s.best_x)
    return Method("interior-point", NOTHING, _init, ask, _tell, _report, rule, solution=("x", "y"), workspace=_workspace)


METHOD = _method(vertex)
QUADRATIC = _method(active)
