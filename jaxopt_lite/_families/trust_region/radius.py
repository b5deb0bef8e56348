"""Trust-region methods: a model of f at the accepted point, a step inside of a radius, and what becomes of the radius.

    m(p) = g.p + p'H p / 2,   |p| <= radius                                                         (1)

A *subproblem* (`Subproblem`) proposes a step p and the gain -m(p) that (1) promises for it; the four differ in that alone.
The trial point x + p is judged by its gain ratio (Nocedal & Wright 2006, algorithm 4.1)

    rho = (f(x) - f(x + p)) / -m(p)                                                                 (2)

It is accepted where rho > eta. The next radius is |p| / 4 where rho < 1/4, and twice the radius, at most
`max_trust_radius`, where rho > 3/4 and p is as long as the radius. (The book's is radius / 4; with a step far inside, that
would ask for the same point again.)

*Rounding.* Where the values differ by no more than rounding (`wolfe.noise`), the slopes at both ends tell the change of f,
-(g + g+).p / 2, which is exact for a quadratic. This lets float32 finish. A step that promises no gain comes from a model
whose small curvatures are rounding. It is rejected like others: H + lambda of a shorter step is better conditioned.

A lane ends with

    CONVERGED           where the norm of the gradient is at most gtol, and the subproblem knows of no negative curvature
    CLAIM + PRECISION   where a step was rejected that moves no large component of x, or an accepted one gained nothing, and
                        the gradient looks like rounding (`descent.is_rounding`)
    CLAIM + NUMERICAL   where a step moves no component of x, or the first value is not finite

So a saddle, or a maximum, is no answer: where the gradient is small and the curvature is not, the subproblem proposes a
step along the negative curvature. What a claim is worth decides the certificate (`core/certificate.py`).

Source: Conn, Gould & Toint, Trust-Region Methods (2000), algorithm 6.1.1; Nocedal & Wright (2006), chapter 4. Changed for
batches: a turn evaluates f, its gradient and its second derivatives together, so that an accepted trial needs no more turn;
the products of an iterative subproblem are turns of their own, in which x stays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.line_search import wolfe
from jaxopt_lite._families.line_search.descent import is_rounding, resolved_steps
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.dense import dot, norm
from jaxopt_lite.core.implicit import stationary
from jaxopt_lite.core.options import DIFFERENCES, POSITIVE_OR_ZERO, STATIC, Check, Option
from jaxopt_lite.core.protocol import Answer, Method, Need, Query, Told
from jaxopt_lite.core.status import CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import gradient_tolerance

POOR, GOOD = 0.25, 0.75  # gain ratios, Nocedal & Wright's
SHRINK, GROW = 0.25, 2.0
LONG = 0.99  # a step of this share of the radius is as long as the radius
MOST_ETA = 0.25  # eta stays below


def _below_a_quarter(value: Any, name: str, wanted: str, n: int) -> Any:
    value = POSITIVE_OR_ZERO.read(value, name, wanted, n)
    if isinstance(value, float) and not value < MOST_ETA:
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return value


def _positive(value: Any, name: str, wanted: str, n: int) -> Any:
    value = POSITIVE_OR_ZERO.read(value, name, wanted, n)
    if isinstance(value, float) and not value > 0:
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return value


RADIUS = Check("a number > 0", _positive)
OPTIONS = {
    "initial_trust_radius": Option(1.0, RADIUS, "First radius, at most max_trust_radius."),
    "max_trust_radius": Option(1000.0, RADIUS, "Largest radius: no step is longer."),
    "eta": Option(
        0.15,
        Check("a number >= 0 and < 0.25", _below_a_quarter),
        "A trial is accepted where f falls by more than this share of what the model promises.",
    ),
    "gtol": Option(
        None, POSITIVE_OR_ZERO, "Stop when no component of the gradient is larger. Default 1e-5; 2.4e-5 in float32."
    ),
    "return_all": Option(False, STATIC, "Keep the point of every iteration in `allvecs`; eager calls only."),
} | DIFFERENCES


class TrustData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the gradient's largest component
    first: Array  # () first radius
    most: Array  # () largest radius
    eta: Array  # () least gain ratio of a step that is accepted
    limit: Any = None  # () int32: most steps of work on one subproblem; None: its own


def check(options: dict[str, Any]) -> None:
    """Raises ValueError where known radii are out of order."""
    first, most = options["initial_trust_radius"], options["max_trust_radius"]
    if isinstance(first, float) and isinstance(most, float) and not first < most:
        raise ValueError(f"options initial_trust_radius = {first} and max_trust_radius = {most}: the first must be smaller.")


def prepare(options: dict[str, Any], x0: Array) -> TrustData:
    """The data record from options; None takes the default of the dtype."""
    gtol = gradient_tolerance(x0.dtype) if options["gtol"] is None else options["gtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    most, limit = number(options["max_trust_radius"]), options.get("subproblem_maxiter")
    first = jnp.minimum(number(options["initial_trust_radius"]), most)
    limit = None if limit is None else jnp.asarray(limit, jnp.int32)
    return TrustData(number(gtol), first, most, number(options["eta"]), limit)


class Proposal(NamedTuple):
    """What a subproblem says after a turn."""

    p: Array  # (n,) the step
    gain: Array  # () -m(p)
    convex: Array  # () bool: no negative curvature was found, as far as the subproblem looks for it


class Place(NamedTuple):
    """Where the run stands after a turn."""

    x: Array  # (n,)
    grad: Array  # (n,)
    radius: Array  # ()
    accepted: Array  # () bool: this turn was a trial, and x is its point
    rejected: Array  # () bool: this turn was a trial, and x stays
    fresh: Array  # () bool: this turn was the first
    flat: Array  # () bool: the gradient is within gtol


class Subproblem(NamedTuple):
    """How a step follows from second derivatives: at once from a Hessian, or from products of several turns."""

    needs: Need
    init: Callable[[Array, Any], Any]  # (x0, data) -> memory
    trying: Callable[[Any], Array]  # memory -> () bool: is the next turn a trial? else it is a product at x
    vector: Callable[[Any], Array | None]  # memory -> (n,) what the next product is along; 0: the gradient
    advance: Callable[[Any, Array, Place, Answer, Any], tuple[Any, Proposal]]  # (memory, p, place, answer, data)
    report: Callable[[Any], dict[str, Array]]


class TrustState(NamedTuple):
    """An accepted point, and the step that is tried from there."""

    x: Array  # (n,) accepted point
    fun: Array  # () f(x); +inf before the first evaluation
    grad: Array  # (n,) gradient at x
    p: Array  # (n,) the step, as far as it is known
    gain: Array  # () -m(p)
    radius: Array  # ()
    memory: Any  # of the subproblem


def trust_region(name: str, sub: Subproblem) -> Method:
    """A method from a subproblem."""

    def init(x0: Array, data: Any) -> TrustState:
        zero, flat = jnp.zeros((), x0.dtype), jnp.zeros_like(x0)
        return TrustState(x0, zero + jnp.inf, flat, flat, zero, data.first, sub.init(x0, data))

    def ask(s: TrustState, data: Any) -> Query:
        return Query(s.x + jnp.where(sub.trying(s.memory), s.p, 0.0), sub.vector(s.memory))

    def tell(s: TrustState, query: Query, answer: Answer, data: Any) -> Told:
        trying, fresh, finite = sub.trying(s.memory), jnp.isinf(s.fun), answer.finite
        actual = _fall(s, answer)
        accepted = trying & finite & (fresh | ((actual > data.eta * s.gain) & (actual >= 0) & (s.gain > 0)))
        pick = lambda new, old: jnp.where(accepted, new, old)
        x, fun, grad = pick(query.x, s.x), pick(answer.fun, s.fun), pick(answer.grad, s.grad)
        radius = jnp.where(trying & ~fresh, _next_radius(s, actual, accepted, data), s.radius)
        place = Place(x, grad, radius, accepted, trying & ~accepted, fresh, norm(grad) <= data.gtol)
        memory, proposal = sub.advance(s.memory, s.p, place, answer, data)
        status = _status(s, query, answer, place, proposal, fun, data.gtol)
        return Told(TrustState(x, fun, grad, proposal.p, proposal.gain, radius, memory), status, accepted & ~fresh)

    def report(s: TrustState, data: Any) -> dict[str, Array]:
        return {"x": s.x, "fun": s.fun, "jac": s.grad, **sub.report(s.memory)}

    return Method(name, sub.needs, init, ask, tell, report, stationary, certificate=minimum())


def _fall(s: TrustState, answer: Answer) -> Array:
    """f(x) - f(x + p), by the slopes where the values differ by rounding."""
    fall, by_slopes = s.fun - answer.fun, -0.5 * dot(s.p, s.grad + answer.grad)
    return jnp.where(jnp.abs(fall) <= wolfe.noise(s.fun), by_slopes, fall)


def _next_radius(s: TrustState, actual: Array, accepted: Array, data: Any) -> Array:
    length = norm(s.p, 2)
    poor = ~accepted | (actual < POOR * s.gain)
    more = (actual > GOOD * s.gain) & (length >= LONG * s.radius)
    grown = jnp.where(more, jnp.minimum(GROW * s.radius, data.most), s.radius)
    return jnp.where(poor, SHRINK * jnp.minimum(length, s.radius), grown)


def _status(s: TrustState, query: Query, answer: Answer, place: Place, proposal: Proposal, fun: Array, gtol: Array) -> Array:
    """How the lane stands, by the rules of the module's docstring."""
    least, coarse = resolved_steps(s.x, s.p)
    fresh = place.fresh
    rejected, moved = place.rejected & ~fresh, place.accepted & ~fresh
    rounded = answer.finite & is_rounding(s.x, place.grad, s.p, answer.grad - s.grad, gtol)
    narrow = (rejected & (coarse >= 1.0)) | (moved & (fun >= s.fun))
    still = (least >= 1.0) | jnp.all(query.x == s.x)
    dead = ((rejected | moved) & still) | (rejected & ~jnp.isfinite(s.gain)) | (fresh & ~answer.finite)
    status = jnp.where(narrow & rounded, CLAIM + PRECISION, jnp.where(dead, CLAIM + NUMERICAL, RUNNING))
    stationary_point = place.flat & proposal.convex & ~(fresh & ~place.accepted)
    return jnp.where(stationary_point, CONVERGED, status)


def on_the_way(start: Array, way: Array, limit: Array) -> Array:
    """() the t >= 0 where start + t way reaches the radius; start is inside, and t is 0 where nothing is left."""
    aa, ab = dot(way, way), dot(way, start)
    left = jnp.maximum(limit * limit - dot(start, start), 0.0)
    root = jnp.sqrt(jnp.maximum(ab * ab + aa * left, 0.0))
    ahead = jnp.where(ab > 0, ab + root, root - ab)  # without cancellation: of aa t^2 + 2 ab t = left
    safe = jnp.where(ahead > 0, ahead, 1.0)
    t = jnp.where(ab > 0, left / safe, ahead / jnp.where(aa > 0, aa, 1.0))
    return jnp.where((ahead > 0) & (aa > 0), t, 0.0)


def by_hessian(needs: Need, propose: Callable[[Array, Array, Array, Any], Proposal]) -> Subproblem:
    """A subproblem that is solved at once: `propose(H, g, radius, data)`."""

    def advance(hess: Array, p: Array, place: Place, answer: Answer, data: Any) -> tuple[Array, Proposal]:
        hess = jnp.where(place.accepted, answer.hess, hess)
        return hess, propose(hess, place.grad, place.radius, data)

    return Subproblem(
        needs,
        init=lambda x0, data: jnp.zeros((x0.shape[0], x0.shape[0]), x0.dtype),
        trying=lambda hess: jnp.ones((), bool),
        vector=lambda hess: None,
        advance=advance,
        report=lambda hess: {"hess": hess},
    )
