"""trust-constr for many variables: the same steps, with the rows and the Hessian known by products alone.

The barrier problem, the merit function, the radius and the composite step are those of `trust_constr.py`, `barrier.py` and
`composite.py`. What is factored there is iterated here, as Lalee, Nocedal and Plantenga (1998) meant it for large problems:
one turn asks for one set of products at a point (`_needs/products.py`), and the iterations are phases of the state,

    TRIAL    f and c at the end of the step: accepted, corrected to second order, or refused                     -> (1)
    FRESH    J rho, at the start and the end of a search for the nearest point where rows hold (`nearest.py`)
    SOLVE    J'p and J J'p, an iteration of it
    CAUCHY   J'h and J J'h: Cauchy's point of the rows h                                                         -> (2)
    BENT     W n of the normal part n                                                                            -> (3)
    CURVED   W d of a direction of the tangential part, an iteration of it                                       -> (3)
    WHOLE    W p and J p of the whole step p: what it promises                                                   -> TRIAL

and what a search is for says what its end is:

    (1) multipliers: the y with which |D (grad + A'y - z)| is least. They say whether mu falls. -> CAUCHY
    (2) normal part: the shortest step to the linearized rows; its dogleg with Cauchy's point is n. -> BENT
    (3) tangential part: a residual along the rows, first of g + W n, then of each iteration. -> CURVED, WHOLE
    (4) correction: the rows at a refused trial point, brought to zero.  -> TRIAL

So every turn evaluates the functions, and nfev counts turns: a step takes some hundred of them, while `nit` counts accepted
steps as ever. A refused step takes the normal part again from the same two points of (2). The state holds O(n + m) numbers.

The multipliers at the end of a step are those of its last residual, so that they cost nothing; the Hessian is that of the
Lagrangian with these. The certificate is by products too (`_needs/products_certificate.py`).

Source: M. Lalee, J. Nocedal, T. Plantenga, SIAM J. Optim. 8 (1998) 682; R. H. Byrd, M. E. Hribar, J. Nocedal, SIAM J. Optim.
9 (1999) 877; N. I. M. Gould, M. E. Hribar, J. Nocedal, SIAM J. Sci. Comput. 23 (2001) 1376. Changed for batches: phases
instead of loops.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained import barrier, merit, nearest
from jaxopt_lite._families.constrained.barrier import TAU, Units, room
from jaxopt_lite._families.constrained.composite import FORCING, HALF, NORMAL
from jaxopt_lite._families.constrained.nearest import Nearest
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData
from jaxopt_lite._families.trust_region.radius import on_the_way
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.products import PRODUCTS, Multiplied, Vectors
from jaxopt_lite._needs.products_certificate import optimum
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE
from jaxopt_lite.core.status import BAD_INPUT, RUNNING

TRIAL, FRESH, SOLVE, CAUCHY, BENT, CURVED, WHOLE = range(7)  # phases
OF_MULTIPLIERS, OF_NORMAL, OF_TANGENT, OF_CORRECTION = range(4)  # what a search is for
MOST = 500  # most products of a tangential part, and at most 2 n: with FORCING few take more than 50


class ProductsState(NamedTuple):
    """An accepted point, the step from there as far as it is known, and what the next turn is for."""

    phase: Array  # () int32
    aim: Array  # () int32: what the search is for
    v: Array  # (N,) x and the slacks
    fun: Array  # () +inf before the first evaluation
    grad: Array  # (n,)
    c: Array  # (m,)
    z: Array  # (2, N) multipliers of the sides
    y: Array  # (m,) multipliers of the rows
    pull: Array  # (n,) A'y
    bent_by: Array  # (m,) the multipliers of the Hessian
    mu: Array  # ()
    nu: Array  # ()
    radius: Array  # ()
    noise: Array  # () of phi
    slight: Array  # () bool: was the last step a slight one?
    search: Nearest
    newton: Array  # (N,) the shortest step to the linearized rows; this and all below in the units of v
    cauchy: Array  # (N,) Cauchy's point of the rows
    ahead: Array  # (2, m) the rows h at both
    normal: Array  # (N,) the normal part
    t: Array  # (N,) the tangential part
    kept: Array  # (N,) its last point between the sides
    way: Array  # (N,) its next direction
    square: Array  # () of its residual
    enough: Array  # () the residual at which it ends
    made: Array  # () int32: its products
    p: Array  # (N,) the step
    d: Array  # (N,) the same in the variables
    y_try: Array  # (m,) multipliers at its end
    gain: Array  # () what it promises of phi
    length: Array  # () |p|
    correctable: Array  # () bool: if it is refused, is its second-order correction to be tried?
    bends: Array  # () curvature of the Lagrangian along it
    products: Array  # () int32 with the Hessian, of all steps


def _init(x0: Array, data: BarrierData) -> ProductsState:
    n, m = x0.shape[0], data.row_lower.shape[0]
    x = x0 if data.lower is None or data.upper is None else barrier.inside(x0, data.lower, data.upper)
    rows, long, zero = jnp.zeros(m, x0.dtype), jnp.zeros(n + m, x0.dtype), jnp.zeros((), x0.dtype)
    none, no = jnp.zeros((), jnp.int32), jnp.zeros((), bool)
    start = dict.fromkeys(("newton", "cauchy", "normal", "t", "kept", "way", "p", "d"), long)
    start |= dict.fromkeys(("noise", "square", "enough", "gain", "length", "bends"), zero)
    start |= dict.fromkeys(("c", "y", "bent_by", "y_try"), rows) | dict.fromkeys(("phase", "aim", "made", "products"), none)
    return ProductsState(
        **start,
        v=jnp.concatenate([x, rows]),
        fun=zero + jnp.inf,
        grad=jnp.zeros_like(x0),
        z=jnp.zeros((2, n + m), x0.dtype),
        pull=jnp.zeros_like(x0),
        mu=data.mu,
        nu=data.penalty,
        radius=data.radius,
        slight=no,
        correctable=no,
        ahead=jnp.zeros((2, m), x0.dtype),
        search=nearest.empty(n, m, x0.dtype),
    )


def _at(s: ProductsState, data: BarrierData) -> Units:
    n = s.grad.shape[0]
    return barrier.units(s.v, n, merit.sides(data, n))


def _easing(s: ProductsState, at: Units) -> Array:
    """E (N,) of (5)."""
    bent = jnp.sum(s.z * at.nearness, axis=0)
    own = (jnp.arange(s.v.shape[0]) < s.grad.shape[0]).astype(s.v.dtype)
    square = at.D * at.D * (own + bent)
    return jnp.where(square > 0, lax.rsqrt(jnp.where(square > 0, square, 1.0)), 1.0)


def _units(s: ProductsState, at: Units) -> Array:
    """D (N,) of the search: the units of v, or of (5)."""
    return at.D * jnp.where(s.search.kind == 0, _easing(s, at), 1.0)


def _rows(s: ProductsState) -> Array:
    """h (m,)."""
    return s.c - s.v[s.grad.shape[0] :]


def _ask(s: ProductsState, data: BarrierData) -> Query:
    n, at = s.grad.shape[0], _at(s, data)
    D, searched = at.D, _units(s, at)
    pick = lambda phase, vector, other: jnp.where(s.phase == phase, vector, other)
    along = D[:n] * pick(BENT, s.normal, pick(CURVED, s.way, pick(WHOLE, s.p, 0.0)))[:n]
    searches = (s.phase == FRESH) | (s.phase == SOLVE)
    along = jnp.where(searches, nearest.asked(s.search, searched, s.phase == SOLVE), along)
    across = pick(TRIAL, s.y_try, pick(SOLVE, s.search.p, pick(CAUCHY, _rows(s), 0.0)))
    x = s.v[:n] + pick(TRIAL, s.d[:n], 0.0)
    return Query(box.project(x, data), Vectors(pick(TRIAL, s.y_try, s.bent_by), along, across, pick(SOLVE, searched, D)[:n] ** 2))


def _tell(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    phases = (_tried, _afresh, _moved, _pointed, _bent, _curved, _judged)
    learn = lambda phase: lambda s: phase(s, query, answer, data)
    return lax.switch(s.phase, [learn(phase) for phase in phases], s)


def _goes_on(s: ProductsState, phase: int, **parts: Any) -> ProductsState:
    return s._replace(phase=jnp.full((), phase, jnp.int32), **parts)


def _searches(s: ProductsState, aim: int, base: Array, y: Array, pull: Array, b: Array) -> ProductsState:
    """The state at the start of a search."""
    search = nearest.begun(s.search, base, y, pull, b, int(aim in (OF_NORMAL, OF_CORRECTION)))
    return _goes_on(s, FRESH, aim=jnp.full((), aim, jnp.int32), search=search)


def _either(first: Array, a: ProductsState, b: ProductsState) -> ProductsState:
    return jax.tree.map(lambda a, b: jnp.where(first, a, b), a, b)


def _running(s: ProductsState) -> Told:
    return Told(s, jnp.full((), RUNNING, jnp.int32), jnp.zeros((), bool))


def _tried(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    n, fresh = s.grad.shape[0], jnp.isinf(s.fun)
    sides, trial = merit.sides(data, n), merit.tried(s, query.x, answer, data)
    accepted, primal = trial.accepted, norm(answer.constraints - trial.v[n:])
    strays = fresh & trial.strays
    corrects = ~accepted & s.correctable & answer.finite & ~trial.strays
    radius = merit.next_radius(s, trial, answer.finite, fresh | corrects)

    # accepted: which multipliers?
    at = barrier.units(trial.v, n, sides)
    z = barrier.moved_multipliers(s.z, s.mu, trial.near, trial.v - s.v, at.nearness)
    z = jnp.where(fresh, s.mu * at.nearness, z)
    whole = jnp.concatenate([answer.grad + answer.jtw, -s.y_try]) - z[0] + z[1]
    slight = merit.is_slight(s, primal, trial.noise, data)
    point = {"v": trial.v, "fun": answer.fun, "grad": answer.grad, "c": answer.constraints, "z": z, "noise": trial.noise}
    point |= {"y": s.y_try, "pull": answer.jtw, "bent_by": s.y_try, "radius": radius, "slight": slight}
    point |= {"search": nearest.at_new_point(s.search)}
    none = jnp.zeros_like(answer.constraints)
    there = s._replace(**point)
    there = _searches(there, OF_MULTIPLIERS, _easing(there, at) * at.D * whole, s.y_try, answer.jtw, none)

    # refused: a correction, or another step
    rows = jnp.where(answer.finite, answer.constraints - (s.v + s.d)[n:], 0.0)
    corrected = _searches(s, OF_CORRECTION, jnp.zeros_like(s.v), none, jnp.zeros_like(s.grad), rows)
    slight, no = merit.is_slight(s, norm(_rows(s)), trial.noise, data), jnp.zeros((), bool)
    mu = merit.lowered(s.mu, (radius, norm(_rows(s)), s.y, s.z, trial.near), no, slight, data)
    refused = _wider(s._replace(radius=radius, noise=trial.noise), mu, data)
    new = _either(accepted, there, _either(corrects, corrected, _cut(refused, Units(trial.near, _at(s, data).D))))

    feasible = norm(violations(s.c, data.row_lower, data.row_upper)) <= data.ftol
    unseen = fresh & ~accepted
    stuck = (~accepted & ~corrects & (new.radius <= data.xtol)) | unseen
    status = merit.status_of(no, stuck, no, feasible | fresh, merit.is_last(s.mu, trial.near, data))
    status = jnp.where(data.flawed | strays, BAD_INPUT, status).astype(jnp.int32)
    return Told(new, status, accepted & ~fresh)


def _wider(s: ProductsState, mu: Array, data: BarrierData) -> ProductsState:
    """The state after mu fell, or did not."""
    lowered = mu < s.mu
    radius = jnp.where(lowered, jnp.maximum(merit.WIDER * s.radius, data.radius), s.radius)
    return s._replace(mu=mu, radius=radius, nu=jnp.where(lowered, data.penalty, s.nu))


def _afresh(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = _at(s, data)
    search, small = nearest.afresh(s.search, _units(s, at), answer.jv)
    s = s._replace(search=search)
    ends = (_multiplied, _restored, _projected, _corrected)
    found = lambda s: lax.switch(s.aim, [lambda s, end=end: end(s, at, data) for end in ends], s)
    done = small | ((s.aim == OF_NORMAL) & (norm(search.rho, 2) > NORMAL * s.radius))
    return _running(lax.cond(done, found, lambda s: _goes_on(s, SOLVE), s))


def _moved(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    search, ends = nearest.moved(s.search, _units(s, _at(s, data)), answer.jtw, answer.normal, answer.jv)
    ends |= (s.aim == OF_NORMAL) & (norm(search.rho, 2) > NORMAL * s.radius)
    return _running(s._replace(search=search, phase=jnp.where(ends, FRESH, SOLVE).astype(jnp.int32)))


def _multiplied(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """(1): what is left of the conditions of optimality, and the next mu."""
    n, y, pull = s.grad.shape[0], s.search.y, s.search.pull
    slope = jnp.concatenate([s.grad + pull, -y]) - s.z[0] + s.z[1]
    slope = norm(jnp.where(merit.sides(data, n).still, 0.0, slope))
    left = slope, norm(_rows(s)), y, s.z, at.nearness
    s = _wider(s, merit.lowered(s.mu, left, jnp.ones((), bool), s.slight, data), data)
    return _goes_on(s, CAUCHY, y=y, pull=pull)


def _pointed(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at, h, n = _at(s, data), _rows(s), s.grad.shape[0]
    slope = jnp.concatenate([at.D[:n] * answer.jtw, -at.D[n:] * h])
    bend = answer.normal + at.D[n:] ** 2 * h
    curved = dot(bend, bend)
    far = dot(slope, slope) / jnp.where(curved > 0, curved, 1.0)
    ahead = jnp.stack([h, h - far * bend])
    zero = jnp.zeros_like(s.v)
    new = s._replace(cauchy=-far * slope, ahead=ahead)
    new = _searches(new, OF_NORMAL, zero, jnp.zeros_like(h), jnp.zeros_like(s.grad), h)
    feasible = norm(violations(s.c, data.row_lower, data.row_upper)) <= data.ftol
    no = jnp.zeros((), bool)
    status = merit.status_of(no, no, ~feasible & merit.is_stationary(slope, h), feasible, no)
    return Told(new, status, no)


def _restored(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """(2): both points are known."""
    return _cut(s._replace(newton=s.search.rho, ahead=s.ahead.at[0].set(s.search.s)), at)


def _cut(s: ProductsState, at: Units) -> ProductsState:
    """The normal part for the radius: the dogleg of `composite.py`, or Cauchy's point where that is better."""
    h, limit, zero = _rows(s), NORMAL * s.radius, jnp.zeros_like(s.v)
    size = norm(s.cauchy, 2)
    short = jnp.minimum(1.0, limit / jnp.where(size > 0, size, 1.0))
    cauchy, there = short * s.cauchy, h + short * (s.ahead[1] - h)
    share = jnp.minimum(on_the_way(cauchy, s.newton - cauchy, limit), 1.0)
    share = jnp.where(norm(s.newton, 2) <= limit, 1.0, share)
    path, end = cauchy + share * (s.newton - cauchy), there + share * (s.ahead[0] - there)
    far, near = (room(at, zero, p, HALF * TAU) for p in (path, cauchy))
    better = norm(h + far * (end - h), 2) <= norm(h + near * (there - h), 2)
    return _goes_on(s, BENT, normal=jnp.where(better, far * path, near * cauchy), t=zero, kept=zero, made=jnp.zeros_like(s.made))


def _product(s: ProductsState, at: Units, hvp: Array, p: Array) -> Array:
    """W p (N,) of a p in the units of v, from the product with the Hessian (n,)."""
    bent = jnp.sum(s.z * at.nearness, axis=0)
    return at.D * (jnp.concatenate([hvp, jnp.zeros_like(s.c)]) + bent * at.D * p)


def _slope(s: ProductsState, at: Units) -> Array:
    """g (N,) of the barrier function, in the units of v."""
    return at.D * (jnp.concatenate([s.grad, jnp.zeros_like(s.c)]) + s.mu * (at.nearness[1] - at.nearness[0]))


def _bent(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = _at(s, data)
    base = _slope(s, at) + _product(s, at, answer.hvp, s.normal) + at.D * jnp.concatenate([s.pull, -s.y])
    return _running(_searches(s, OF_TANGENT, _easing(s, at) * base, s.y, s.pull, jnp.zeros_like(s.c)))


def _projected(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """(3): a residual along the rows; the next direction, or the end."""
    r, first = s.search.rho, s.made == 0
    square = dot(r, r)
    length = jnp.sqrt(square)
    enough = jnp.where(first, FORCING * jnp.minimum(1.0, jnp.sqrt(length)) * length, s.enough)
    share = jnp.where(first | (s.square <= 0), 0.0, square / jnp.where(s.square > 0, s.square, 1.0))
    most = min(MOST, 2 * s.grad.shape[0], s.v.shape[0])
    ends = (square <= enough * enough) | (s.made >= most)
    s = s._replace(way=share * s.way - _easing(s, at) * r, square=square, enough=enough)
    return _either(ends, _composed(s, at), _goes_on(s, CURVED))


def _curved(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = _at(s, data)
    Wd = _product(s, at, answer.hvp, s.way)
    curvature = dot(s.way, Wd)
    reach = on_the_way(s.normal + s.t, s.way, s.radius)
    a = s.square / jnp.where(curvature > 0, curvature, 1.0)
    leaves = ~(curvature > 0) | (a >= reach)
    a = jnp.where(leaves, reach, a)
    t = s.t + a * s.way
    kept = jnp.where(room(at, s.normal, t, TAU) >= 1.0, t, s.kept)
    s = s._replace(t=t, kept=kept, made=s.made + 1)
    on = _searches(s, OF_TANGENT, s.search.rho + a * _easing(s, at) * Wd, s.search.y, s.search.pull, jnp.zeros_like(s.c))
    return _running(_either(leaves, _composed(s, at), on))


def _composed(s: ProductsState, at: Units) -> ProductsState:
    """Both parts together, between the sides."""
    rest = s.t - s.kept
    return _goes_on(s, WHOLE, p=s.normal + s.kept + room(at, s.normal + s.kept, rest, TAU) * rest, y_try=s.search.y)


def _judged(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    """What the step promises, and whether that is nothing."""
    at, n, h = _at(s, data), s.grad.shape[0], _rows(s)
    bend = _product(s, at, answer.hvp, s.p)
    mends = norm(h, 2) - norm(h + answer.jv - at.D[n:] * s.p[n:], 2)
    gain = -(dot(_slope(s, at), s.p) + 0.5 * dot(s.p, bend))
    nu, length, way = merit.needed_weight(s.nu, gain, mends), norm(s.p, 2), norm(query.vector.v, 2)
    promise = gain + nu * mends
    correctable = (norm(s.normal, 2) <= merit.CURVED * length) & (s.c.shape[0] > 0)
    bends = jnp.where(way > 0, norm(answer.hvp, 2) / jnp.where(way > 0, way, 1.0), s.bends)
    found = {"nu": nu, "gain": promise, "length": length, "correctable": correctable, "bends": bends}
    new = _goes_on(s, TRIAL, **found, d=at.D * s.p, products=s.products + s.made)
    no = jnp.zeros((), bool)
    solved = merit.is_solved(new, norm(h), promise, length, s.noise, data)
    status = merit.status_of(solved, no, no, no, merit.is_last(s.mu, at.nearness, data))
    return Told(new, status, no)


def _corrected(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """(4): the shortest step that would make the rows at the trial point zero is added."""
    more = room(at, s.p, s.search.rho, 0.5 * (1.0 + TAU)) * s.search.rho
    return _goes_on(s, TRIAL, d=at.D * (s.p + more), correctable=jnp.zeros((), bool))


def _report(s: ProductsState, data: BarrierData) -> dict[str, Array]:
    n, sides = s.grad.shape[0], merit.sides(data, s.grad.shape[0])
    holds = barrier.holding_by(s.v, s.z, s.grad, s.bends, sides)
    x = jnp.where(holds[0, :n], sides.low[:n], jnp.where(holds[1, :n], sides.high[:n], s.v[:n]))
    return merit.fields(s, s.pull, holds, data) | {"cg_niter": s.products, "_x": x}


METHOD = Method(
    "trust-constr",
    PRODUCTS,
    _init,
    _ask,
    _tell,
    _report,
    kkt,
    solution=("x", "multipliers"),
    certificate=optimum,
    rank=FEASIBLE,
)
