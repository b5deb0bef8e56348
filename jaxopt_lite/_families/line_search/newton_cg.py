"""Truncated Newton: conjugate gradients on H d = -g, one Hessian-vector product a turn, then a search along the result.

The outer iteration is algorithm 7.1 of Nocedal & Wright (2006). Conjugate gradients minimize the model
m(z) = g.z + z.H z / 2. They stop when the residual r = H z + g has

    |r| <= eta |g|                                                                              (1)

or when a direction p has no positive curvature. The search then goes along z, and its first step is 1. Where z is still
zero, the search goes along steepest descent, as far as the curvature of the model along it suggests. One step of conjugate
gradients, from z along the direction p, is

    a = -r.p / p.H p,   z+ = z + a p,   r+ = r + a H p,   p+ = -r+ + (r+.r+ / r.r) p             (2)

One call of the oracle gives f, g and H v at one point, and every call counts. So a trial step x + t d asks for H d too.
Where the trial is accepted, H d is the first product of the next solve: (2) with z = 0, r = g+, p = d finds the exact
minimum of the new model along the last direction. Conjugate gradients then start afresh from that point. In a curved valley
this first step is most of the way: 4-D Rosenbrock functions took 173 turns a solve without it and 121 with it (eta of the
book). An iteration whose first product satisfies (1) takes one turn.

The first step, along d, is not conjugate to the later ones. For an indefinite H the slope along z may therefore be upward:
where g.z is not negative, steepest descent takes the place of z. The book's eta = min(1/2, sqrt |g|) changes when f is
multiplied by a number. A constant does not change, and it also takes fewer evaluations. Turns a solve on 4-D Rosenbrock
functions: 126 with 1/2, 121 with the book's, 121 with 0.3, 105 with 0.1, 100 with 0.01. Median of evaluations over SciPy's
in the problem library: 0.79 with 1/2, 0.75 with the book's, 0.68 with 0.1.

Where a search fails, and at the end of the run, the rules are those of `descent.py`. A start with a small gradient is only
believed to be a minimum: no product was made there. The certificate looks for negative curvature.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.line_search import wolfe
from jaxopt_lite._families.line_search.descent import is_rounding, read_constants, resolved_steps, search_options
from jaxopt_lite._needs.values import HVP
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.dense import dot, norm, settled
from jaxopt_lite.core.implicit import stationary as stationary_rule
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BELIEVED, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import gradient_tolerance

FORCING = 0.1  # eta of (1)
MOST_INNER = 20  # times n: the most products for one direction (SciPy's bound); then the search goes along z as it is


class NewtonCGData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the gradient's norm
    xtol: Array  # () bound on the mean |change of x| of the last step; inf: no bound
    c1: Array  # () sufficient decrease
    c2: Array  # () flatness


OPTIONS = {
    "xtol": Option(
        None,
        POSITIVE_OR_ZERO,
        "If given, go on until the mean |change of x| of an iteration is at most xtol too. Unlike SciPy's, a short step "
        "alone is no success.",
    ),
} | search_options(c2=0.9)


def prepare(options: dict[str, Any], x0: Array) -> NewtonCGData:
    """The data record from options; None takes the default of the dtype."""
    gtol = gradient_tolerance(x0.dtype) if options["gtol"] is None else options["gtol"]
    xtol = jnp.inf if options["xtol"] is None else options["xtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    return NewtonCGData(number(gtol), number(xtol), number(options["c1"]), number(options["c2"]))


class NewtonCGState(NamedTuple):
    """An accepted point, and the linear solve or the search that goes on from there."""

    x: Array  # (n,) accepted point
    fun: Array  # () f(x); +inf before the first evaluation
    grad: Array  # (n,) gradient at x
    z: Array  # (n,) iterate of the solve; after the solve, the search direction
    r: Array  # (n,) residual H z + grad of the solve
    p: Array  # (n,) next direction of the solve
    search: wolfe.Search  # the step is 0 during a solve
    products: Array  # () int32: products of this solve; -1 where z is steepest descent


class Solve(NamedTuple):
    """The linear solve after one more product."""

    z: Array
    r: Array
    p: Array
    curvature: Array  # () p.H p of the product
    curved: Array  # () bool: the curvature is positive, by more than rounding
    enough: Array  # () bool: (1) holds


def advance(z: Array, r: Array, p: Array, Hp: Array, afresh: Array, gg: Array) -> Solve:
    """One step (2) along p; where `afresh`, the next direction is steepest descent of the model."""
    eps = jnp.finfo(z.dtype).eps
    curvature, rr = dot(p, Hp), dot(r, r)
    # Multiply f by c: p takes c, and Hp takes c^2. The square of Hp then overflows float32 from c = 1e9 on, so Hp is scaled.
    size, length = jnp.maximum(norm(Hp), jnp.finfo(z.dtype).tiny), jnp.sqrt(dot(p, p))
    curved = curvature > eps * size * (length * jnp.sqrt(dot(Hp / size, Hp / size)))
    a = jnp.where(curved, -dot(r, p) / jnp.where(curved, curvature, 1.0), 0.0)
    z, r = z + a * p, r + a * Hp
    left = dot(r, r)
    beta = jnp.where(afresh | (rr == 0), 0.0, left / jnp.where(rr > 0, rr, 1.0))
    return Solve(z, r, beta * p - r, curvature, curved, left <= FORCING**2 * gg)


class Trial(NamedTuple):
    """What a turn was for, and what the search says of the trial step if there was one."""

    fresh: Array  # () bool: it was the first evaluation of the run
    solving: Array  # () bool: it made a product for the solve; x stays
    searching: Array  # () bool: it tried a step along z
    accepted: Array  # () bool: the trial point is the new x
    failed: Array  # () bool: the search failed
    spent: Array  # () bool: the search accepted its last step only for its progress
    steepest: Array  # () bool: z was steepest descent
    restart: Array  # () bool: z led nowhere; the next search goes along steepest descent
    search: wolfe.Search  # how the search goes on
    coarse: Array  # () a shorter step moves no large component of x, to rounding
    x_size: Array  # () max |x|


class Heading(NamedTuple):
    """Where the next turn goes."""

    z: Array  # (n,) iterate of the solve, or the search direction
    slope: Array  # () g.z
    begins: Array  # () bool: a search along z begins
    falls: Array  # () bool: z is steepest descent


def _judged(s: NewtonCGState, answer: Answer, data: Any) -> Trial:
    """What this turn was for, and the verdict of the search."""
    d = s.z
    fresh = jnp.isinf(s.fun)
    solving = ~fresh & (s.search.step == 0)
    searching = ~fresh & ~solving
    x_size, slope0, slope = norm(s.x), dot(s.grad, d), dot(answer.grad, d)
    least, coarse = resolved_steps(s.x, d)
    verdict = wolfe.judge(s.search, s.fun, slope0, answer.fun, slope, least, data.c1, data.c2)
    accepted = jnp.where(fresh, answer.finite, verdict.accepted & searching)
    flags = [accepted, verdict.failed & searching, verdict.spent & searching, solving, searching]
    accepted, failed, spent, solving, searching = settled(jnp.stack(flags), answer.fun.dtype)
    steepest = s.products < 0
    restart = (failed | spent) & ~steepest
    return Trial(fresh, solving, searching, accepted, failed, spent, steepest, restart, verdict.search, coarse, x_size)


def _advanced(s: NewtonCGState, query: Query, answer: Answer, trial: Trial, gg: Array) -> tuple[Solve, Array, Array]:
    """The solve with the product of this turn, how many products it has made, and whether it is done."""
    assert query.vector is not None
    pick = lambda new, old: jnp.where(trial.accepted, new, old)
    solve = advance(pick(0.0, s.z), pick(answer.grad, s.r), query.vector, answer.hvp, trial.accepted, gg)
    products = jnp.where(trial.accepted, 0, s.products + 1)
    full = products >= MOST_INNER * s.x.shape[0]
    done = (trial.solving & (solve.enough | full | ~solve.curved)) | (trial.accepted & solve.enough & solve.curved)
    return solve, products, done


def _heading(s: NewtonCGState, trial: Trial, solve: Solve, done: Array, grad: Array, gg: Array) -> Heading:
    """The direction after this turn: what the solve has found, or steepest descent where that does not descend."""
    slope = dot(grad, solve.z)
    falls = trial.restart | (done & (slope >= 0))
    begins = done | trial.restart
    bent = trial.solving & (solve.curvature < 0)
    length = jnp.where(bent, gg / jnp.where(bent, -solve.curvature, 1.0), 1.0)
    tiny = jnp.finfo(gg.dtype).tiny
    length = jnp.minimum(length, jnp.maximum(1.0, trial.x_size) / jnp.maximum(jnp.sqrt(gg), tiny))
    z = jnp.where(falls, -length * grad, jnp.where(trial.accepted | trial.solving, solve.z, s.z))
    return Heading(z, jnp.where(falls, -length * gg, slope), begins, falls)


def _search(trial: Trial, heading: Heading) -> wolfe.Search:
    """The search of the next turn: a new one at step 1, or the same one; the step is 0 where a solve goes on."""
    keep = lambda new, old: jnp.where(heading.begins, new, old)
    search = wolfe.Search(*map(keep, wolfe.start(jnp.ones_like(trial.search.step), heading.slope), trial.search))
    return search._replace(step=jnp.where((trial.accepted | trial.solving) & ~heading.begins, 0.0, search.step))


def _status(s: NewtonCGState, trial: Trial, grad: Array, answer: Answer, data: Any, order: float) -> Array:
    """How the lane stands; the rules are those of `descent.py`. `grad` is the gradient at the point after this turn."""
    t, d = s.search.step, s.z
    stationary = norm(grad, order) <= data.gtol
    still = trial.fresh | (t * jnp.sum(jnp.abs(d)) <= data.xtol * s.x.shape[0])
    rounded = answer.finite & is_rounding(s.x, grad, t * d, answer.grad - s.grad, data.gtol)
    idle = trial.accepted & trial.searching & (answer.fun >= s.fun)
    unresolved = trial.searching & ~trial.accepted & (trial.search.hi - trial.search.lo <= trial.coarse)
    narrow = trial.failed | unresolved
    dead = ((trial.failed | trial.spent) & trial.steepest) | (trial.fresh & ~answer.finite)
    status = jnp.where((narrow | idle) & rounded, CLAIM + PRECISION, jnp.where(dead, CLAIM + NUMERICAL, RUNNING))
    unseen = jnp.where(trial.fresh, BELIEVED + CONVERGED, CONVERGED)  # a first point: no curvature was seen
    return jnp.where(trial.accepted & stationary & still, unseen, status)


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where the constants of the line search are not in order."""
    return newton_cg(read_constants(options))


@kept()
def newton_cg(order: float) -> Method:
    """The method, with the order of the gradient's norm; equal orders give the same object."""

    def init(x0: Array, data: Any) -> NewtonCGState:
        zero, flat = jnp.zeros((), x0.dtype), jnp.zeros_like(x0)
        inf = jnp.full((), jnp.inf, x0.dtype)
        return NewtonCGState(x0, inf, flat, flat, flat, flat, wolfe.start(zero, zero), jnp.zeros((), jnp.int32))

    def ask(s: NewtonCGState, data: Any) -> Query:
        return Query(s.x + s.search.step * s.z, jnp.where(s.search.step == 0, s.p, s.z))

    def tell(s: NewtonCGState, query: Query, answer: Answer, data: Any) -> Told:
        trial = _judged(s, answer, data)
        pick = lambda new, old: jnp.where(trial.accepted, new, old)
        x, fun, grad = pick(query.x, s.x), pick(answer.fun, s.fun), pick(answer.grad, s.grad)
        gg = dot(grad, grad)
        solve, products, done = _advanced(s, query, answer, trial, gg)
        heading = _heading(s, trial, solve, done, grad, gg)
        search = _search(trial, heading)
        counted = jnp.where(trial.accepted | trial.solving, products, s.products)
        products = jnp.where(heading.falls, -1, counted).astype(jnp.int32)
        status = _status(s, trial, grad, answer, data, order)
        state = NewtonCGState(x, fun, grad, heading.z, solve.r, solve.p, search, products)
        return Told(state, status, trial.accepted & ~trial.fresh)

    def report(s: NewtonCGState, data: Any) -> dict[str, Array]:
        return {"x": s.x, "fun": s.fun, "jac": s.grad}

    return Method("Newton-CG", HVP, init, ask, tell, report, stationary_rule, certificate=minimum(order, second_order=True))
