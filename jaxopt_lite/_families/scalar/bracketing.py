"""Walk downhill to a bracket, then narrow it: what the minimizers of one variable share.

`x` is the best point, and `w` and `v` are the two others that were evaluated last. A minimum lies between the ends `a` and
`b`. An end that is not found yet is infinite. One rule takes in a new value f(u), in a walk and in a bracket alike:

    x <- the lower of x and u,  w <- the other,  v <- w;  w becomes the end on its side of x             (1)

A walk is then a record with an open (infinite) end, and needs no phase in the state. Only a value that is higher than f(x)
closes an open end, because rounding may make values level (1e16 + x). Where f(w) = f(x) the walk goes on beyond w, OVER
times as far. So a bracket has a rise on both sides of x. That may be a rise by the last digit of f. Where a search
leaps to the vertex of a parabola and f(w) or f(v) is f(x) in the end, success is but a claim, which `core/rises.py` decides.

From the user's two points the walk goes downhill (Press, Teukolsky, Vetterling & Flannery, Numerical Recipes, 3rd ed. 2007,
section 10.1). With h = x - w and the vertex of the parabola through the three points at x + d, the next point is x + s,

    s = d              if the vertex lies ahead, and farther than 1.618 h
    s = (LIMIT - 1) h  if |d| is larger than that: the three points lie on a line                        (2)
    s = 1.618 h        otherwise

until a value does not descend any more. If the user gives three points, they are the first three points of the walk.

    tol1 = max(xtol, sqrt(eps)) |x| + sqrt(eps) FLOOR min(1, |xb - xa|)                                  (3)
    done when no point of [a, b] is farther from x than 2 tol1

The second part of tol1 is for a minimizer at 0. It is about SciPy's 1e-11 in float64, and follows the bracket to smaller
scales. Where xtol is below sqrt(eps) the lane ends with PRECISION: values alone do not locate a minimizer better.

Changed for batches, where a turn costs what its operations cost. There is one evaluation a turn, also in the walk. (1) has
one comparison, where Brent ranks w and v by their values. In a walk the vertex is not asked for where it lies behind x or
near it, because the golden step beyond it closes the bracket.

Where a walk comes to the largest number and f still falls there, the lane ends with UNBOUNDED; where f is level there, with
NUMERICAL. If f is not finite far out, numbers count as ended from eps times the largest one on, because something that f
computes from x has overflown. Elsewhere a value that is not finite counts as higher than any other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core.implicit import valley
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.rises import rises_on_both_sides
from jaxopt_lite.core.status import BAD_INPUT, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING, UNBOUNDED
from jaxopt_lite.core.stopping import value_resolution

GROWTH = 1.618034  # the golden ratio: golden section goes on in the proportions of such a bracket
LIMIT = 110.0  # a parabola is trusted up to this many times the last step: SciPy's number (Numerical Recipes: 100)
OVER = 10.0  # walks end on a plain in 300 steps, and few step over a well in it (with 110, 2 % did)
FLOOR = 1e-3  # of (3)


class BracketData(NamedTuple):
    """Traced numbers of a run."""

    xa: Array  # ()
    xb: Array  # ()
    xc: Array | None  # (): the third point of a bracket; None: two points, to walk from
    xtol: Array  # () wanted relative accuracy of x


class BracketState(NamedTuple):
    """Three points between two ends."""

    a: Array  # () lower end, -inf while it is open
    b: Array  # () upper end, inf while it is open
    x: Array  # () best point
    w: Array  # () the point evaluated last, or the best point before it
    v: Array  # () previous w
    fx: Array  # ()
    fw: Array  # ()
    fv: Array  # ()
    u: Array  # () point asked for
    e: Array  # () the step before last, or the longest one possible


# (state, d, larger part, last step, tol1) -> (u - x, e): the next step inside of a bracket. d is the way to the vertex, and
# may be NaN. The larger part is the signed distance from x to the end that is farther away.
Inside = Callable[[BracketState, Array, Array, Array, Array], tuple[Array, Array]]

OPTIONS = {
    "xtol": Option(None, POSITIVE_OR_ZERO, "Relative accuracy of x that is wanted. Default, and least: sqrt(eps)."),
}


def prepare(options: dict[str, Any], x0: Array) -> BracketData:
    """The data record from options; `bracket` are two or three points."""
    xtol = value_resolution(x0.dtype) if options["xtol"] is None else options["xtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    xa, xb, *xc = map(number, options["bracket"])
    return BracketData(xa, xb, xc[0] if xc else None, number(xtol))


def search(name: str, inside: Inside, leaps: bool) -> Method:
    """The method that walks to a bracket and narrows it by the steps of `inside`.

    Does it `leap`, so that a short step may cut off most of the bracket? Then the last digit of a value may do so.
    """

    def tell(old: BracketState, query: Query, answer: Answer, data: BracketData) -> Told:
        s = _learnt(old, answer.fun)
        was_open, walking = _is_open(old), _is_open(s)
        tol1 = _accuracy(s.x, data)
        to_a, to_b = s.a - s.x, s.b - s.x
        larger = jnp.where(-to_a > to_b, to_a, to_b)
        d = to_vertex(s)
        step, e = inside(s, d, larger, old.u - old.x, tol1)
        most = jnp.finfo(s.x.dtype).max
        u = jnp.clip(s.x + jnp.where(walking, _onward(s, d), step), -most, most)
        first, second = old.u == old.x, jnp.isinf(old.a) & jnp.isinf(old.b)
        if data.xc is not None:
            u = jnp.where(second, data.xc, u)
        u = jnp.where(first, data.xa, u)
        ended = jnp.where(data.xtol >= value_resolution(s.x.dtype), CONVERGED, PRECISION)
        if leaps:
            ended += jnp.where(jnp.minimum(s.fw, s.fv) > s.fx, 0, CLAIM)
        status = jnp.where(~walking & (jnp.abs(larger) <= 2 * tol1), ended, RUNNING)
        nowhere, far = jnp.where(s.fx == s.fw, NUMERICAL, UNBOUNDED), jnp.abs(s.u)
        overflown = was_open & (answer.fun == jnp.inf) & (s.fx < jnp.inf) & (far > jnp.finfo(far.dtype).eps * most)
        status = jnp.where((walking & (far == most)) | overflown, nowhere, status)
        good = _is_bracket(data)
        if data.xc is not None:  # the middle one, evaluated first, is lower than both
            good &= ~was_open | first | (answer.fun > old.fx)
        status = jnp.where(good, status, BAD_INPUT)
        return Told(s._replace(u=u, e=e), status, ~was_open)  # as in SciPy, turns of the walk are no iterations

    looks = rises_on_both_sides(_accuracy) if leaps else None
    return Method(name, VALUE, _init, _ask, tell, _report, valley, certificate=looks, stands=True)


def _init(x0: Array, data: BracketData) -> BracketState:
    x, inf = data.xb, jnp.full_like(data.xb, jnp.inf)
    return BracketState(-inf, inf, x, x, x, inf, inf, inf, x, inf)


def _ask(s: BracketState, data: BracketData) -> Query:
    return Query(s.u[None])


def _report(s: BracketState, data: BracketData) -> dict[str, Array]:
    return {"x": s.x[None], "fun": s.fx}


def _learnt(s: BracketState, fu: Array) -> BracketState:
    """Rule (1). A value equal to f(x) leaves x, and makes an end in a bracket only. The first value has u = x: no end."""
    best = fu < s.fx
    x, fx = jnp.where(best, s.u, s.x), jnp.where(best, fu, s.fx)
    w, fw = jnp.where(best, s.x, s.u), jnp.where(best, s.fx, fu)
    ends = (fw > fx) | ~_is_open(s)
    a, b = jnp.where(ends & (w < x), w, s.a), jnp.where(ends & (w > x), w, s.b)
    return s._replace(a=a, b=b, x=x, w=w, v=s.w, fx=fx, fw=fw, fv=s.fw)


def to_vertex(s: BracketState) -> Array:
    """The way from x to the vertex of the parabola through the three points (Brent, p. 73); inf or NaN without a vertex."""
    r = (s.x - s.w) * (s.fx - s.fv)
    q = (s.x - s.v) * (s.fx - s.fw)
    p = (s.x - s.v) * q - (s.x - s.w) * r
    return 0.5 * p / (r - q)


def _onward(s: BracketState, d: Array) -> Array:
    """The step of a walk by (2)."""
    h = s.x - s.w
    most = (LIMIT - 1.0) * h
    ahead = (d * h > 0) & (jnp.abs(d) > GROWTH * jnp.abs(h))
    step = jnp.where(jnp.abs(d) >= jnp.abs(most), most, jnp.where(ahead, d, GROWTH * h))
    return jnp.where((s.fx == s.fw) & (s.fx < jnp.inf), -OVER * h, step)  # w is ahead, and h grows with it


def _accuracy(x: Array, data: BracketData) -> Array:
    """tol1 of (3), never zero."""
    least = value_resolution(x.dtype)
    floor = least * FLOOR * jnp.minimum(1.0, jnp.abs(data.xb - data.xa))
    return jnp.maximum(jnp.maximum(data.xtol, least) * jnp.abs(x) + floor, jnp.finfo(x.dtype).tiny)


def _is_open(s: BracketState) -> Array:
    return (s.a == -jnp.inf) | (s.b == jnp.inf)


def _is_bracket(data: BracketData) -> Array:
    """Can these points be a bracket? Their order says so; the values are tested later."""
    if data.xc is None:
        return jnp.isfinite(data.xa) & jnp.isfinite(data.xb) & (data.xa != data.xb)
    ordered = ((data.xa < data.xb) & (data.xb < data.xc)) | ((data.xa > data.xb) & (data.xb > data.xc))
    return jnp.isfinite(data.xa) & jnp.isfinite(data.xc) & ordered
