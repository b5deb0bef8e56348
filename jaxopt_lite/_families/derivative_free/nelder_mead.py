"""Nelder-Mead: a simplex of n + 1 points that moves downhill, from values alone.

Names and rules are those of Lagarias, Reeds, Wright & Wright (SIAM J. Optim. 9 (1998) 112, section 2). The vertices are
ordered, f(x_1) <= ... <= f(x_(n+1)). With c the mean of the n best, an iteration tries

    x(t) = c + t (c - x_(n+1))                                                                      (2.4)-(2.7)

    reflection   t = rho           f_r < f_1: expand; f_r < f_n: accepted; f_r < f_(n+1): contract outside; else inside
    expansion    t = rho chi       accepted if f_e < f_r, else x_r is accepted
    outside      t = psi rho       accepted if f_c <= f_r, else shrink
    inside       t = -psi          accepted if f_c < f_(n+1), else shrink
    shrink       x_i <- x_1 + sigma (x_i - x_1), i = 2 ... n + 1

*Ties.* An accepted vertex takes the last place among equal ones (their nonshrink rule). After a shrink x_1 stays first where
no new value is less (their shrink rule). Coefficients are rho, chi, psi, sigma = 1, 2, 1/2, 1/2, or where `adaptive`
(Gao & Han, Comput. Optim. Appl. 51 (2012) 259, eq. 4.1) 1, 1 + 2/n, 3/4 - 1/(2n), 1 - 1/n.

*Changed for batches.* A turn evaluates one point. Reflection, expansion and contraction are phases of the state; so are the
vertices of the first simplex, of a shrunk one and of a restarted one, which are filled in one a turn. Vertices
stay where they are stored. Their places in the order are numbers, which a new vertex changes by n comparisons: no sort, no
shift, no gather.

*The end.* A simplex is small where its vertices are within xatol of the best one, and their values within fatol: SciPy's
test. A small simplex is no proof: simplices also shrink where there is no minimum (McKinnon, SIAM J. Optim. 9 (1998) 148),
and lose a dimension in narrow valleys. So a new simplex is started about the best point, RESTART times as large as xatol
along the axes (Kelley, SIAM J. Optim. 10 (1999) 43, restarts alike). Only where that one too becomes small, and has gained
no more than fatol, the lane claims its minimum. `core/neighborhood.py` then decides, from derivatives where there are any.
Below what x and f resolve no simplex becomes smaller: where f still differs there, as at a jump, the status is 4.

Equal values everywhere show no minimum: some value of the run must be higher than the best one by more than its rounding.
Values that are not finite rank worst (the loop makes them +inf), and a simplex of such values alone ends the lane. Bounds
are kept as SciPy does: points are clipped, and a first simplex is mirrored at its upper bounds.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.derivative_free import given
from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core import implicit
from jaxopt_lite.core.dense import settled
from jaxopt_lite.core.implicit import Asked
from jaxopt_lite.core.neighborhood import by_values
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import simplex_tolerance

STRETCH, FROM_ZERO = 0.05, 0.00025  # the first simplex: 5 % of a variable, and of a variable that is 0 this: SciPy's numbers
RESTART = 4.0  # times xatol: the edges of a restarted simplex; see docs/design.md
RESOLVED = 4.0  # times eps |x| and eps |f|: a simplex that is no larger is as small as it gets


class NelderMeadData(NamedTuple):
    """Traced numbers of a run."""

    xatol: Array  # () largest distance of a vertex from the best one, by component
    fatol: Array  # () largest difference of their values
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    simplex: Array  # (n + 1, n) the first one
    good: Array  # () bool: it has a volume


class NelderMeadState(NamedTuple):
    """A simplex, and the phase that it is in."""

    simplex: Array  # (n + 1, n) vertices
    values: Array  # (n + 1,) f there; +inf where it is not evaluated yet
    order: Array  # (n + 1,) int32: the place of each in the order, 0 is the best
    reflected: Array  # () f at the reflected point, in the phases after it
    gained: Array  # () least value when this simplex was started; +inf in the first one
    top: Array  # () highest value so far that is finite; -inf while there is none
    phase: Array  # () int32: the vertex to be filled in, or n + one of the next


REFLECT, EXPAND, OUTSIDE, INSIDE = 1, 2, 3, 4


class Shape(NamedTuple):
    """The coefficients of an iteration."""

    rho: float
    chi: float
    psi: float
    sigma: float


SIMPLEX = given.rows("the vertices of a simplex (n + 1, n)", lambda n: n + 1)
OPTIONS = {
    "xatol": Option(None, POSITIVE_OR_ZERO, "Largest distance of the vertices from the best one, at the end. Default 1e-4."),
    "fatol": Option(None, POSITIVE_OR_ZERO, "Largest difference of their values, at the end. Default 1e-4."),
    "adaptive": Option(False, STATIC, "Coefficients that follow n, for many variables (Gao & Han 2012)."),
    "initial_simplex": Option(None, SIMPLEX, "The first simplex, in place of one about x0. Default: SciPy's about x0."),
}


def prepare(options: dict[str, Any], x0: Array) -> NelderMeadData:
    """The data record from options; None takes the default."""
    number = lambda name: jnp.asarray(simplex_tolerance() if options[name] is None else options[name]).astype(x0.dtype)
    lower, upper = box.sides(options.get("bounds"), x0)
    first, n = options["initial_simplex"], x0.shape[0]
    if first is not None:
        simplex = jnp.asarray(first).astype(x0.dtype)
    else:
        x = x0 if lower is None else jnp.clip(x0, lower, upper)
        moved = jnp.where(x == 0, FROM_ZERO, (1 + STRETCH) * x)
        simplex = jnp.concatenate([x[None], jnp.where(jnp.eye(n, dtype=bool), moved[None], x[None])])
    if upper is not None:
        simplex = jnp.where(simplex > upper[None], 2 * upper[None] - simplex, simplex)
    good = jnp.ones((), bool) if first is None else given.span(simplex[1:] - simplex[:1])
    data = NelderMeadData(number("xatol"), number("fatol"), lower, upper, simplex, good)
    return data._replace(simplex=_clipped(simplex, data), good=good & ~box.crossed(data))


def _clipped(simplex: Array, data: NelderMeadData) -> Array:
    """The simplex with all vertices in the box."""
    return jax.vmap(lambda x: box.project(x, data))(simplex)


class Ends(NamedTuple):
    """What an iteration reads of a simplex."""

    first: Array  # (n + 1,) bool: the best vertex
    slot: Array  # (n + 1,) bool: the vertex that the new point may replace
    x1: Array  # (n,) the best vertex
    x: Array  # (n,) the vertex in the slot
    center: Array  # (n,) mean of all but the one in the slot


def _pick(which: Array, rows: Array) -> Array:
    """The row that a mask (n + 1,) with one true entry picks."""
    return jnp.sum(jnp.where(which if rows.ndim == 1 else which[:, None], rows, 0.0), axis=0)


def _ends(s: NelderMeadState) -> Ends:
    n = s.simplex.shape[1]
    first, slot = s.order == 0, s.order == jnp.minimum(s.phase, n)
    center = jnp.sum(jnp.where(slot[:, None], 0.0, s.simplex), axis=0) / n
    return Ends(first, slot, _pick(first, s.simplex), _pick(slot, s.simplex), center)


def _along(ends: Ends, t: Array | float, data: NelderMeadData) -> Array:
    """x(t), clipped."""
    return box.project(ends.center + t * (ends.center - ends.x), data)


class Verdict(NamedTuple):
    """How a whole simplex stands, and the new point beside it: flags () that most of a turn follows."""

    comes: Array  # the new point, or the reflected one, takes the slot
    back: Array  # it is the reflected one
    expand: Array  # the next phases
    contract: Array
    outside: Array
    shrink: Array
    again: Array  # the simplex is small, and another one is started


def _verdict(s: NelderMeadState, f: Array, again: Array) -> Verdict:
    n, at = s.simplex.shape[1], s.phase - s.simplex.shape[1]
    best, second, worst = (_pick(s.order == k, s.values) for k in (0, n - 1, n))
    second = second if n > 1 else worst
    filling, reflecting = at <= 0, at == REFLECT
    expand = reflecting & (f < best) & ~again
    contract = reflecting & ~(f < second) & ~(f < best) & ~again
    shrink = ((at == OUTSIDE) & ~(f <= s.reflected)) | ((at == INSIDE) & ~(f < worst))
    comes = ~again & (filling | ~(expand | contract | shrink))
    flags = Verdict(comes, (at == EXPAND) & ~(f < s.reflected), expand, contract, f < worst, shrink, again)
    return Verdict(*settled(jnp.stack(flags), f.dtype))


class Size(NamedTuple):
    """How small a whole simplex is."""

    f1: Array  # () the least value
    finest: Array  # () the smallest size that x resolves
    small: Array  # () bool: x and f are within what was asked, or resolved
    asked: Array  # () bool: within what was asked
    stuck: Array  # () bool: x is resolved, f differs still
    gains: Array  # () bool: this simplex has gained more than was asked since it was started


def _size(s: NelderMeadState, ends: Ends, data: NelderMeadData) -> Size:
    eps = jnp.finfo(s.values.dtype).eps
    f1 = _pick(ends.first, s.values)
    known = f1 < jnp.inf
    spread = jnp.where(known, jnp.max(s.values) - jnp.where(known, f1, 0.0), jnp.inf)
    size = jnp.max(jnp.abs(s.simplex - ends.x1[None]))
    finest = jnp.maximum(RESOLVED * eps * jnp.max(jnp.abs(ends.x1)), jnp.finfo(size.dtype).tiny)
    worth = jnp.maximum(data.fatol, RESOLVED * eps * jnp.abs(f1))
    small = (size <= jnp.maximum(data.xatol, finest)) & (spread <= worth)
    asked = (size <= data.xatol) & (spread <= data.fatol)
    return Size(f1, finest, small, asked, (size <= finest) & ~small, ~(s.gained - f1 <= worth))


def _restarted(s: NelderMeadState, x1: Array, edge: Array, data: NelderMeadData) -> Array:
    """A simplex about x1: the i-th vertex after it lies along the i-th axis, up, or down from an upper bound."""
    aside = x1 + edge
    if data.upper is not None:
        aside = jnp.where(aside > data.upper, x1 - edge, aside)
    axes = jnp.arange(1, s.simplex.shape[0], dtype=jnp.int32)
    return jnp.where(s.order[:, None] == axes[None], aside[None], x1[None])


def build(options: dict[str, Any]) -> Method:
    """The method from its static options."""
    return nelder_mead(bool(options["adaptive"]), bool(options["bounded"]))


@kept()
def nelder_mead(adaptive: bool, bounded: bool) -> Method:
    """The method; equal options give the same object."""

    def shape(n: int) -> Shape:
        n = max(n, 2) if adaptive else n
        return Shape(1.0, 1 + 2 / n, 0.75 - 0.5 / n, 1 - 1 / n) if adaptive else Shape(1.0, 2.0, 0.5, 0.5)

    def init(x0: Array, data: NelderMeadData) -> NelderMeadState:
        inf, order = jnp.full((), jnp.inf, x0.dtype), jnp.arange(x0.shape[0] + 1, dtype=jnp.int32)
        values = jnp.full(order.shape, jnp.inf, x0.dtype)
        return NelderMeadState(data.simplex, values, order, inf, inf, -inf, jnp.zeros((), jnp.int32))

    def ask(s: NelderMeadState, data: NelderMeadData) -> Query:
        n = s.simplex.shape[1]
        rho, chi, psi, _ = shape(n)
        at, ends = s.phase - n, _ends(s)
        t = jnp.where(at == REFLECT, rho, jnp.where(at == EXPAND, rho * chi, jnp.where(at == OUTSIDE, psi * rho, -psi)))
        return Query(jnp.where(at <= 0, ends.x, _along(ends, t.astype(ends.x.dtype), data)))

    def tell(s: NelderMeadState, query: Query, answer: Answer, data: NelderMeadData) -> Told:
        n, ends = s.simplex.shape[1], _ends(s)
        rho, _, _, sigma = shape(n)
        size = _size(s, ends, data)
        whole = s.phase == n + REFLECT
        f = answer.fun
        v = _verdict(s, f, whole & size.small & size.gains)

        last = jnp.minimum(s.phase, n)
        x = jnp.where(v.back, _along(ends, rho, data), query.x)
        fun = jnp.where(v.back, s.reflected, f)
        place = jnp.sum((s.order < last) & (s.values <= fun), dtype=jnp.int32)
        behind = (s.order >= place) & (s.order < last)
        order = jnp.where(ends.slot, place, jnp.where(behind, s.order + 1, s.order))
        enters, renewed = ends.slot & v.comes, (v.again | v.shrink) & ~ends.first
        edge = RESTART * jnp.maximum(data.xatol, size.finest)
        shrunk = ends.x1[None] + sigma * (s.simplex - ends.x1[None])
        anew = _clipped(jnp.where(v.again, _restarted(s, ends.x1, edge, data), shrunk), data)
        simplex = jnp.where(enters[:, None], x[None], jnp.where(renewed[:, None], anew, s.simplex))
        values = jnp.where(enters, fun, jnp.where(renewed, jnp.inf, s.values))

        filling = s.phase <= n
        following = jnp.where(v.contract, jnp.where(v.outside, n + OUTSIDE, n + INSIDE), n + REFLECT)
        following = jnp.where(s.phase < n, s.phase + 1, jnp.where(v.expand, n + EXPAND, following))
        phase = jnp.where(v.again | v.shrink, 1, following).astype(jnp.int32)
        order = jnp.where(v.comes, order, s.order)
        reflected, gained = jnp.where(whole, f, s.reflected), jnp.where(v.again, size.f1, s.gained)
        top = jnp.where(f < jnp.inf, jnp.maximum(s.top, f), s.top)
        state = NelderMeadState(simplex, values, order, reflected, gained, top, phase)
        status = jnp.where(size.asked, CLAIM + CONVERGED, CLAIM + PRECISION)
        status = jnp.where(size.small, status, jnp.where(size.stuck, CLAIM + NUMERICAL, RUNNING))
        risen = s.top - size.f1 > RESOLVED * jnp.finfo(f.dtype).eps * jnp.abs(size.f1)
        status = jnp.where((size.f1 < jnp.inf) & (risen | (status == RUNNING)), status, NUMERICAL)
        status = jnp.where(whole & ~v.again, status, RUNNING)
        return Told(state, jnp.where(data.good, status, BAD_INPUT), ~filling & (v.comes | v.shrink))

    def report(s: NelderMeadState, data: NelderMeadData) -> dict[str, Any]:
        place = jnp.arange(s.order.shape[0], dtype=jnp.int32)[:, None] == s.order[None]
        values = jnp.min(jnp.where(place, s.values[None, :], jnp.inf), axis=1)
        simplex = jnp.sum(jnp.where(place[:, :, None], s.simplex[None], 0.0), axis=1)
        return {"x": simplex[0], "fun": values[0], "final_simplex": (simplex, values)}

    rule = implicit.found_by_values(implicit.box if bounded else implicit.stationary, _accuracy)
    judge = by_values(_accuracy, sees_kinks=True)
    return Method("Nelder-Mead", VALUE, init, ask, tell, report, rule, certificate=judge, stands=True)


def _accuracy(x: Array, fun: Array, data: NelderMeadData, x0: Array) -> Asked:
    """What was asked for: absolute."""
    step = jnp.broadcast_to(data.xatol, x.shape)
    return Asked(step, data.fatol, step, data.fatol)
