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

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.constrained import barrier, merit, nearest
from jaxopt_lite._families.constrained.barrier import Units
from jaxopt_lite._families.constrained.barrier_parameter import Left, lowered, scale_of, unit_of
from jaxopt_lite._families.constrained.composite import NORMAL
from jaxopt_lite._families.constrained.composite_products import bent, corrected, curved, cut, pointed, projected, restored
from jaxopt_lite._families.constrained.products_state import (
    BENT,
    CAUCHY,
    CURVED,
    FRESH,
    OF_CORRECTION,
    OF_MULTIPLIERS,
    OF_NORMAL,
    SOLVE,
    TRIAL,
    WHOLE,
    ProductsState,
    easing,
    either,
    goes_on,
    place,
    product,
    rows,
    running,
    searches,
    slope_of,
    units,
)
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData, sides_of
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.products import PRODUCTS, Multiplied, Vectors
from jaxopt_lite._needs.products_certificate import optimum
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.protocol import Method, Query, Told
from jaxopt_lite.core.rank import FEASIBLE
from jaxopt_lite.core.status import BAD_INPUT


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
        mu=zero,
        nu=zero,
        unit=zero + 1.0,
        radius=data.radius,
        slight=no,
        correctable=no,
        ahead=jnp.zeros((2, m), x0.dtype),
        search=nearest.empty(n, m, x0.dtype),
    )


def _ask(s: ProductsState, data: BarrierData) -> Query:
    n, at = s.grad.shape[0], place(s, data)
    D, searched = at.D, units(s, at)
    pick = lambda phase, vector, other: jnp.where(s.phase == phase, vector, other)
    along = D[:n] * pick(BENT, s.normal, pick(CURVED, s.way, pick(WHOLE, s.p, 0.0)))[:n]
    searching = (s.phase == FRESH) | (s.phase == SOLVE)
    along = jnp.where(searching, nearest.asked(s.search, searched, s.phase == SOLVE), along)
    across = pick(TRIAL, s.y_try, pick(SOLVE, s.search.p, pick(CAUCHY, rows(s), 0.0)))
    x = s.v[:n] + pick(TRIAL, s.d[:n], 0.0)
    return Query(
        box.project(x, data), Vectors(pick(TRIAL, s.y_try, s.bent_by), along, across, pick(SOLVE, searched, D)[:n] ** 2)
    )


def _tell(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    if data.mu_last is None:  # no matrix says how x follows to its bounds: mu falls as far as it was asked
        least = float(jnp.finfo(s.unit.dtype).eps) * s.unit
        data = data._replace(mu_last=jnp.maximum(jnp.minimum(data.ftol, data.small * s.unit), least))
    phases = (_tried, _afresh, _moved, pointed, bent, curved, _judged)
    learn = lambda phase: lambda s: phase(s, query, answer, data)
    return lax.switch(s.phase, [learn(phase) for phase in phases], s)


def _tried(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    n, fresh = s.grad.shape[0], jnp.isinf(s.fun)
    unit = jnp.where(fresh, unit_of(norm(answer.grad), jnp.zeros_like(s.unit), data), s.unit)
    scale = scale_of(unit, data)
    s = s._replace(unit=unit, mu=jnp.where(fresh, scale.mu, s.mu), nu=jnp.where(fresh, scale.nu, s.nu))
    sides, trial = sides_of(data, n), merit.tried(s, query.x, answer, data)
    accepted, primal = trial.accepted, _missed(answer.constraints - trial.v[n:], answer.constraints)
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
    there = searches(there, OF_MULTIPLIERS, easing(there, at) * at.D * whole, s.y_try, answer.jtw, none)

    # refused: a correction, or another step
    h = jnp.where(answer.finite, answer.constraints - (s.v + s.d)[n:], 0.0)
    nearer = searches(s, OF_CORRECTION, jnp.zeros_like(s.v), none, jnp.zeros_like(s.grad), h)
    primal, no = _missed(rows(s), s.c), jnp.zeros((), bool)
    slight = merit.is_slight(s, primal, trial.noise, data)
    mu = lowered(s.mu, unit, Left(radius, primal, s.y, s.z, trial.near), no, slight, data)
    refused = _wider(s._replace(radius=radius, noise=trial.noise), mu, data)
    new = either(accepted, there, either(corrects, nearer, cut(refused, Units(trial.near, place(s, data).D))))

    feasible = _missed(violations(s.c, data.row_lower, data.row_upper), s.c) <= data.ftol
    unseen = fresh & ~accepted
    stuck = (~accepted & ~corrects & (new.radius <= data.xtol)) | unseen
    status = merit.status_of(no, stuck, no, feasible | fresh, merit.is_last(s.mu, trial.near, unit, data))
    status = jnp.where(data.flawed | strays, BAD_INPUT, status).astype(jnp.int32)
    return Told(new, status, accepted & ~fresh)


def _wider(s: ProductsState, mu: Array, data: BarrierData) -> ProductsState:
    """The state after mu fell, or did not."""
    fell = mu < s.mu
    radius = jnp.where(fell, jnp.maximum(merit.WIDER * s.radius, data.radius), s.radius)
    return s._replace(mu=mu, radius=radius, nu=jnp.where(fell, scale_of(s.unit, data).nu, s.nu))


def _missed(h: Array, c: Array) -> Array:
    """How far rows with values c (m,) are from their slacks, (), beyond their rounding."""
    return norm(merit.beyond_rounding(h, c, _terms(c)))


def _terms(c: Array) -> Array:
    """For the terms |A||x| of each row (m,), which no product gives: the largest value of a row."""
    return jnp.broadcast_to(norm(c), c.shape)


def _afresh(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    at = place(s, data)
    search, small = nearest.afresh(s.search, units(s, at), answer.jv)
    s = s._replace(search=search)
    ends = (_multiplied, restored, projected, corrected)
    found = lambda s: lax.switch(s.aim, [lambda s, end=end: end(s, at, data) for end in ends], s)
    done = small | ((s.aim == OF_NORMAL) & (norm(search.rho, 2) > NORMAL * s.radius))
    return running(lax.cond(done, found, lambda s: goes_on(s, SOLVE), s))


def _moved(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    search, ends = nearest.moved(s.search, units(s, place(s, data)), answer.jtw, answer.normal, answer.jv)
    ends |= (s.aim == OF_NORMAL) & (norm(search.rho, 2) > NORMAL * s.radius)
    return running(s._replace(search=search, phase=jnp.where(ends, FRESH, SOLVE).astype(jnp.int32)))


def _multiplied(s: ProductsState, at: Units, data: BarrierData) -> ProductsState:
    """(1): what is left of the conditions of optimality, and the next mu."""
    n, y, pull = s.grad.shape[0], s.search.y, s.search.pull
    slope = jnp.concatenate([s.grad + pull, -y]) - s.z[0] + s.z[1]
    slope = norm(jnp.where(sides_of(data, n).still, 0.0, slope))
    left = Left(slope, _missed(rows(s), s.c), y, s.z, at.nearness)
    s = _wider(s, lowered(s.mu, s.unit, left, jnp.ones((), bool), s.slight, data), data)
    return goes_on(s, CAUCHY, y=y, pull=pull, nu=merit.next_weight(s.nu, y))


def _judged(s: ProductsState, query: Query, answer: Multiplied, data: BarrierData) -> Told:
    """What the step promises, and whether that is nothing."""
    at, n, h = place(s, data), s.grad.shape[0], rows(s)
    bend = product(s, at, answer.hvp, s.p)
    mends = norm(h, 2) - norm(h + answer.jv - at.D[n:] * s.p[n:], 2)
    gain = -(dot(slope_of(s, at), s.p) + 0.5 * dot(s.p, bend))
    nu, length, way = merit.needed_weight(s.nu, gain, mends), norm(s.p, 2), norm(query.vector.v, 2)
    promise = gain + nu * mends
    correctable = (norm(s.normal, 2) <= merit.CURVED * length) & (s.c.shape[0] > 0)
    bends = jnp.where(way > 0, norm(answer.hvp, 2) / jnp.where(way > 0, way, 1.0), s.bends)
    found = {"nu": nu, "gain": promise, "length": length, "correctable": correctable, "bends": bends}
    new = goes_on(s, TRIAL, **found, d=at.D * s.p, products=s.products + s.made)
    no = jnp.zeros((), bool)
    solved = merit.is_solved(new, _missed(h, s.c), promise, length, s.noise, data)
    status = merit.status_of(solved, no, no, no, merit.is_last(s.mu, at.nearness, s.unit, data))
    return Told(new, status, no)


def _report(s: ProductsState, data: BarrierData) -> dict[str, Array]:
    n, sides = s.grad.shape[0], sides_of(data, s.grad.shape[0])
    holds = barrier.holding_by(s.v, s.z, s.grad, s.bends, sides)
    x = jnp.where(holds[0, :n], sides.low[:n], jnp.where(holds[1, :n], sides.high[:n], s.v[:n]))
    return merit.fields(s, s.pull, holds, jnp.ones_like(s.c), _terms(s.c), data) | {"cg_niter": s.products, "_x": x}


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
