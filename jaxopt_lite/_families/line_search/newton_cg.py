"""Truncated Newton: conjugate gradients on H d = -g, a Hessian-vector product a turn, and a search along what they found.

The outer iteration is algorithm 7.1 of Nocedal & Wright (2006): the linear method runs on the model m(z) = g.z + z.H z / 2
until its residual r = H z + g has

    |r| <= eta |g|                                                                              (1)

or until a direction p without positive curvature appears. Then z is searched along with the step 1 first; where z is
still zero, it is steepest descent, as long as the model's curvature along it suggests. From z with the direction p

    a = -r.p / p.H p,   z+ = z + a p,   r+ = r + a H p,   p+ = -r+ + (r+.r+ / r.r) p             (2)

The oracle gives f, g and H v at one point in one call, and every call counts. So a trial step x + t d asks for H d too,
and where it is accepted that product is the first of the next solve: (2) with z = 0, r = g+, p = d is the exact minimum of
the new model along the last direction, and the linear method starts afresh from there. In a curved valley that is most of
the way: 4-D Rosenbrock functions took 173 turns a solve without it and 121 with it (eta of the book). An iteration whose
first product satisfies (1) is one turn.

The start along d is not conjugate to what follows, so that z might rise for an indefinite H: where g.z is not negative,
steepest descent takes its place. The book's eta = min(1/2, sqrt |g|) changes when f is multiplied by a number. A constant
does not, and is better besides: turns a solve on 4-D Rosenbrock functions 126 with 1/2, 121 with the book's, 121 with 0.3,
105 with 0.1, 100 with 0.01; the library's median of evaluations over SciPy's 0.79 with 1/2, 0.75 with the book's, 0.68
with 0.1.

Where a search fails, and at the end, the rules are those of `descent.py`.
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
from jaxopt_lite.core.status import CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import gradient_tolerance

FORCING = 0.1  # eta of (1)
MOST_INNER = 20  # times n products for one direction (SciPy's bound); what there is by then is searched along


class NewtonCGData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the gradient's norm
    xtol: Array  # () bound on the mean |change of x| of the last step; inf: not asked
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
    """An accepted point, and the linear solve or the search that goes on from it."""

    x: Array  # (n,) accepted point
    fun: Array  # () f(x); +inf before the first evaluation
    grad: Array  # (n,) gradient at x
    z: Array  # (n,) iterate of the solve; then the search direction
    r: Array  # (n,) its residual H z + grad
    p: Array  # (n,) its next direction
    search: wolfe.Search  # its step is 0 during a solve
    products: Array  # () int32: products of this solve; -1 where z is steepest descent


class Solve(NamedTuple):
    """The linear solve after one more product."""

    z: Array
    r: Array
    p: Array
    curvature: Array  # () p.H p of the product
    curved: Array  # () bool: it is positive beyond its rounding
    enough: Array  # () bool: (1)


def advance(z: Array, r: Array, p: Array, Hp: Array, afresh: Array, gg: Array) -> Solve:
    """One step (2) along p; where `afresh`, the next direction is steepest descent of the model."""
    eps = jnp.finfo(z.dtype).eps
    curvature, rr = dot(p, Hp), dot(r, r)
    # p, Hp go with the first and second power of the units of f; squared unscaled, Hp overflows float32 for units of 1e9
    size, length = jnp.maximum(norm(Hp), jnp.finfo(z.dtype).tiny), jnp.sqrt(dot(p, p))
    curved = curvature > eps * size * (length * jnp.sqrt(dot(Hp / size, Hp / size)))
    a = jnp.where(curved, -dot(r, p) / jnp.where(curved, curvature, 1.0), 0.0)
    z, r = z + a * p, r + a * Hp
    left = dot(r, r)
    beta = jnp.where(afresh | (rr == 0), 0.0, left / jnp.where(rr > 0, rr, 1.0))
    return Solve(z, r, beta * p - r, curvature, curved, left <= FORCING**2 * gg)


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
        f, g, t, d = answer.fun, answer.grad, s.search.step, s.z
        tiny = jnp.finfo(f.dtype).tiny
        fresh = jnp.isinf(s.fun)
        solving = ~fresh & (t == 0)
        searching = ~fresh & ~solving

        x_size, slope0, slope = norm(s.x), dot(s.grad, d), dot(g, d)
        least, coarse = resolved_steps(s.x, d)
        verdict = wolfe.judge(s.search, s.fun, slope0, f, slope, least, data.c1, data.c2)
        accepted = jnp.where(fresh, answer.finite, verdict.accepted & searching)
        flags = [accepted, verdict.failed & searching, verdict.spent & searching, solving, searching]
        accepted, failed, spent, solving, searching = settled(jnp.stack(flags), f.dtype)
        steepest = s.products < 0
        restart = (failed | spent) & ~steepest
        pick = lambda new, old: jnp.where(accepted, new, old)
        x_new, f_new, g_new = pick(query.x, s.x), pick(f, s.fun), pick(g, s.grad)

        gg = dot(g_new, g_new)
        assert query.vector is not None
        solve = advance(pick(0.0, s.z), pick(g, s.r), query.vector, answer.hvp, accepted, gg)
        products = jnp.where(accepted, 0, s.products + 1)
        full = products >= MOST_INNER * s.x.shape[0]
        solved = (solving & (solve.enough | full | ~solve.curved)) | (accepted & solve.enough & solve.curved)
        slope_z = dot(g_new, solve.z)
        fall = restart | (solved & (slope_z >= 0))
        begin = solved | restart

        bent = solving & (solve.curvature < 0)
        length = jnp.where(bent, gg / jnp.where(bent, -solve.curvature, 1.0), 1.0)
        length = jnp.minimum(length, jnp.maximum(1.0, x_size) / jnp.maximum(jnp.sqrt(gg), tiny))
        z_new = jnp.where(fall, -length * g_new, jnp.where(accepted | solving, solve.z, d))
        slope_z = jnp.where(fall, -length * gg, slope_z)
        keep = lambda new, old: jnp.where(begin, new, old)
        search = wolfe.Search(*map(keep, wolfe.start(jnp.ones_like(t), slope_z), verdict.search))
        search = search._replace(step=jnp.where((accepted | solving) & ~begin, 0.0, search.step))
        products = jnp.where(fall, -1, jnp.where(accepted | solving, products, s.products)).astype(jnp.int32)

        stationary = norm(g_new, order) <= data.gtol
        still = fresh | (t * jnp.sum(jnp.abs(d)) <= data.xtol * s.x.shape[0])
        rounded = answer.finite & is_rounding(s.x, g_new, t * d, g - s.grad, data.gtol)
        idle = accepted & searching & (f >= s.fun)
        narrow = failed | (searching & ~accepted & (verdict.search.hi - verdict.search.lo <= coarse))
        dead = ((failed | spent) & steepest) | (fresh & ~answer.finite)
        status = jnp.where((narrow | idle) & rounded, CLAIM + PRECISION, jnp.where(dead, CLAIM + NUMERICAL, RUNNING))
        status = jnp.where(accepted & stationary & still, CONVERGED, status)
        state = NewtonCGState(x_new, f_new, g_new, z_new, solve.r, solve.p, search, products)
        return Told(state, status, accepted & ~fresh)

    def report(s: NewtonCGState, data: Any) -> dict[str, Array]:
        return {"x": s.x, "fun": s.fun, "jac": s.grad}

    return Method("Newton-CG", HVP, init, ask, tell, report, stationary_rule, certificate=minimum(order))
