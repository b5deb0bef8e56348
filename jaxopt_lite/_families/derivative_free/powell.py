"""Powell's method: line searches along n directions, which become conjugate, from values alone.

An iteration is a sweep (Powell, Comput. J. 7 (1964) 155; with the test of Brent 1973, chapter 7, as in Press, Teukolsky,
Vetterling & Flannery, Numerical Recipes, 3rd ed. 2007, section 10.7). From x_0 the function is minimized along d_1, ..., d_n
in turn, which ends at x_n. With f_0, f_n and f_e the values at x_0, x_n and 2 x_n - x_0, and Delta the largest decrease
along one of the directions, d_m, the sweep's own direction x_n - x_0 takes the place of d_m where

    f_e < f_0   and   2 (f_0 - 2 f_n + f_e) (f_0 - f_n - Delta)^2 < (f_0 - f_e)^2 Delta                 (1)

and a last search goes along it. The end is where a sweep gains no more than f resolves or was asked to,

    2 (f_0 - f_n) <= ftol (|f_0| + |f_n|)                                                               (2)

*Line searches* are walks to a bracket, and narrowing it, by the ideas of `scalar/bracketing.py`; here equal values close a
bracket, for a direction may have no effect. A search begins with the step that it took last time, because its direction is
kept as long as that step: where f is nearly quadratic it takes three or four evaluations (SciPy's some twelve). It ends
where the vertex of the parabola is within LINE of the step from the best point.

*Changed for batches.* A turn evaluates one point. Searches, the point 2 x_n - x_0 and the last search are phases of the
state. Inside of bounds a search is one of the segment that its line has in the box.

*No false end.* Directions become dependent (Brent, section 7.2), and a sweep along such ones gains nothing. So where
(2) holds the axes take the place of the directions, and only a sweep along them that gains nothing too makes a claim. Equal
values everywhere show no minimum, and end with status 4. `core/neighborhood.py` then decides a claim, from derivatives where
there are any.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.derivative_free import given
from jaxopt_lite._families.scalar.bracketing import GROWTH, LIMIT, BracketState, to_vertex
from jaxopt_lite._families.scalar.golden import SECTION
from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core import implicit
from jaxopt_lite.core.dense import settled
from jaxopt_lite.core.implicit import Asked
from jaxopt_lite.core.neighborhood import by_values
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import simplex_tolerance

LINE = 0.05  # of the step of a line search: how near to the vertex it ends
RESOLVED = 4.0  # times eps |f|: a sweep that gains less has gained nothing
SHRINK, GROW = 0.1, 10.0  # most changes of the length of a direction at once
RESTART = 30.0  # times xtol of the size of x: the length of the axes that replace the directions


class PowellData(NamedTuple):
    """Traced numbers of a run."""

    xtol: Array  # () relative accuracy of x
    ftol: Array  # () relative decrease of a sweep that ends the run
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    directions: Array  # (n, n) the first ones, a row each
    x0: Array  # (n,) the start
    good: Array  # () bool: they span the space, and the bounds are not crossed


class PowellState(NamedTuple):
    """A sweep at work."""

    x: Array  # (n,) where the line search began
    line: BracketState  # the search, in units of its direction; f at x is its first value
    directions: Array  # (n, n) a row each
    start: Array  # (n,) where the sweep began
    fun: Array  # () f there
    before: Array  # () f at x
    drop: Array  # () largest decrease along one direction of this sweep
    top: Array  # () highest value so far that is finite; -inf while there is none
    gained: Array  # () f when the axes last took the place of the directions; +inf before
    phase: Array  # () int32: the direction of the search; n: the point 2 x - start; n + 1: along x - start; -1: the start
    dropped: Array  # () int32: the direction with the largest decrease


DIRECTIONS = given.rows("the first directions, a row each (n, n)", lambda n: n)
OPTIONS = {
    "xtol": Option(None, POSITIVE_OR_ZERO, "Relative accuracy of x that is wanted. Default 1e-4."),
    "ftol": Option(None, POSITIVE_OR_ZERO, "End where a sweep gains no more than this part of f. Default 1e-4."),
    "direc": Option(None, DIRECTIONS, "The first directions, a row each. Default: the axes."),
}


def prepare(options: dict[str, Any], x0: Array) -> PowellData:
    """The data record from options; None takes the default."""
    number = lambda name: jnp.asarray(simplex_tolerance() if options[name] is None else options[name]).astype(x0.dtype)
    lower, upper = box.sides(options.get("bounds"), x0)
    good = jnp.ones((), bool)
    directions = jnp.eye(x0.shape[0], dtype=x0.dtype)
    if options["direc"] is not None:
        directions = jnp.asarray(options["direc"]).astype(x0.dtype)
        good = given.span(directions)
    data = PowellData(number("xtol"), number("ftol"), lower, upper, directions, x0, good)
    return data._replace(good=good & ~box.crossed(data))


def _search_from(fun: Array) -> BracketState:
    """A search that has one value, at 0, and asks for 1."""
    zero, inf = jnp.zeros_like(fun), jnp.full_like(fun, jnp.inf)
    return BracketState(-inf, inf, zero, zero, zero, fun, fun, fun, jnp.ones_like(fun), inf)


def _segment(x: Array, d: Array, data: PowellData) -> tuple[Array, Array]:
    """The least and the largest t for which x + t d is in the box."""
    inf = jnp.full((), jnp.inf, x.dtype)
    if data.lower is None or data.upper is None:
        return -inf, inf
    moves = d != 0
    safe = jnp.where(moves, d, 1.0)
    to_lower, to_upper = (data.lower - x) / safe, (data.upper - x) / safe
    least = jnp.max(jnp.where(moves, jnp.minimum(to_lower, to_upper), -inf))
    largest = jnp.min(jnp.where(moves, jnp.maximum(to_lower, to_upper), inf))
    return jnp.minimum(least, 0.0), jnp.maximum(largest, 0.0)


def _learnt(s: BracketState, fu: Array) -> BracketState:
    """The search with f(u): x is the lower of x and u, and the other one is an end. Equal values leave x."""
    best = fu < s.fx
    x, fx = jnp.where(best, s.u, s.x), jnp.where(best, fu, s.fx)
    w, fw = jnp.where(best, s.x, s.u), jnp.where(best, s.fx, fu)
    a, b = jnp.where(w < x, w, s.a), jnp.where(w > x, w, s.b)
    return s._replace(a=a, b=b, x=x, w=w, v=s.w, fx=fx, fw=fw, fv=s.fw)


def _first(s: BracketState, low: Array, high: Array) -> BracketState:
    """The search; its first step is 1, or where a bound is nearer as far as that, or the other way if that is farther."""
    up, down = jnp.minimum(1.0, high), jnp.maximum(-1.0, low)
    u = jnp.where(up >= -down, up, down)
    return s._replace(u=jnp.where((s.x == 0) & (s.w == 0), u, s.u))


def _next(s: BracketState, last: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The next point of a search from `low` to `high`, the e of Brent's rule, and whether the search is done."""
    d, h = to_vertex(s), s.x - s.w
    walking = (s.a == -jnp.inf) | (s.b == jnp.inf)
    most = (LIMIT - 1.0) * h
    ahead = (d * h > 0) & (jnp.abs(d) > GROWTH * jnp.abs(h))
    onward = jnp.where(jnp.abs(d) >= jnp.abs(most), most, jnp.where(ahead, d, GROWTH * h))
    to_a, to_b = s.a - s.x, s.b - s.x
    larger = jnp.where(-to_a > to_b, to_a, to_b)
    inside = (d > to_a) & (d < to_b)
    parabolic = inside & (jnp.abs(d) < 0.5 * jnp.abs(s.e))
    step, e = jnp.where(parabolic, d, SECTION * larger), jnp.where(parabolic, last, larger)
    u = jnp.clip(s.x + jnp.where(walking, onward, step), low, high)
    tol = LINE * jnp.maximum(jnp.abs(s.x), SHRINK)
    near = (inside & (jnp.abs(d) <= tol)) | (jnp.abs(larger) <= 2 * tol) | (jnp.maximum(s.fw, s.fv) <= s.fx)
    ahead_is_none = jnp.abs(u - s.x) <= jnp.finfo(u.dtype).eps * jnp.abs(s.x)
    return u, e, (~walking & near) | ahead_is_none | ~jnp.isfinite(u)


def build(options: dict[str, Any]) -> Method:
    """The method from its static options."""
    return powell(bool(options["bounded"]))


@kept()
def powell(bounded: bool) -> Method:
    """The method; equal options give the same object."""

    def init(x0: Array, data: PowellData) -> PowellState:
        x, zero, inf = box.project(x0, data), jnp.zeros((), x0.dtype), jnp.full((), jnp.inf, x0.dtype)
        none = jnp.zeros((), jnp.int32)
        return PowellState(x, _search_from(inf), data.directions, x, inf, inf, zero, -inf, inf, none - 1, none)

    def direction(s: PowellState) -> Array:
        """Of the search at work; of the point 2 x - start, and of the search after it, x - start."""
        n = s.x.shape[0]
        own = jnp.sum(jnp.where((jnp.arange(n, dtype=jnp.int32) == s.phase)[:, None], s.directions, 0.0), axis=0)
        return jnp.where(s.phase >= n, s.x - s.start, own)

    def at_work(s: PowellState, data: PowellData) -> tuple[BracketState, Array, Array, Array]:
        """The search at work, its direction, and the segment of its line."""
        d = direction(s)
        low, high = _segment(s.x, d, data)
        return (_first(s.line, low, high) if bounded else s.line), d, low, high

    def ask(s: PowellState, data: PowellData) -> Query:
        line, d, _, _ = at_work(s, data)
        return Query(box.project(s.x + line.u * d, data))

    def tell(s: PowellState, query: Query, answer: Answer, data: PowellData) -> Told:
        n, f = s.x.shape[0], answer.fun
        now, d, low, high = at_work(s, data)
        eps = jnp.finfo(f.dtype).eps
        first, beyond = s.phase < 0, s.phase == n
        searching = ~first & ~beyond
        line = _learnt(now, f)
        u, e, done = _next(line, now.u - now.x, low, high)
        done = (searching & done) | first
        # the end of a search
        t, fun = jnp.where(first, 0.0, line.x), jnp.where(first, f, line.fx)
        moves = done & (t != 0)
        x = jnp.where(moves, box.project(s.x + t * d, data), s.x)
        decrease = jnp.where(done & (s.phase < n) & ~first, s.before - fun, -1.0)
        larger = decrease > s.drop
        # the end of a sweep
        swept = done & (s.phase == n - 1)
        gain = 2 * (s.fun - fun)
        size = jnp.abs(s.fun) + jnp.abs(fun)
        rounding = 2 * RESOLVED * eps * size
        still = swept & (gain <= jnp.maximum(data.ftol * size, rounding))
        again = still & ~(2 * (s.gained - fun) <= jnp.maximum(data.ftol * size, rounding))
        asked = gain <= data.ftol * size
        ends = jnp.where(asked, CLAIM + CONVERGED, CLAIM + PRECISION)
        top = jnp.where(f < jnp.inf, jnp.maximum(s.top, f), s.top)
        ends = jnp.where(top - fun > RESOLVED * eps * jnp.abs(fun), ends, NUMERICAL)
        status = jnp.where(still & ~again, ends, RUNNING)
        # the point beyond the sweep, and the search along it
        f0, fn = s.fun, s.line.fx
        share = (f0 - fn - s.drop) / jnp.where(f < f0, f0 - f, 1.0)  # a cube of values would underflow
        along = beyond & (f < f0) & (2 * (f0 - 2 * fn + f) * share**2 < s.drop)
        # most of a turn follows these flags; made once, a turn takes three quarters of the time
        done, larger, still, again, along = settled(jnp.stack([done, larger, still, again, along]), f.dtype)
        swept = done & (s.phase == n - 1)
        drop, dropped = jnp.where(larger, decrease, s.drop), jnp.where(larger, s.phase, s.dropped)
        renewed = done & (s.phase == n + 1)
        begins = first | (beyond & ~along) | renewed | again  # a sweep

        index = jnp.arange(n, dtype=jnp.int32)
        scale = jnp.clip(jnp.abs(t), SHRINK, GROW)
        directions = jnp.where(((index == s.phase) & done)[:, None], scale * s.directions, s.directions)
        replaced = jnp.where((index == s.dropped)[:, None], s.directions[n - 1 :], s.directions)
        replaced = jnp.where((index == n - 1)[:, None], (scale * d)[None], replaced)
        directions = jnp.where(renewed & jnp.any(d != 0), replaced, directions)
        length = RESTART * jnp.maximum(data.xtol, eps**0.5) * jnp.maximum(jnp.max(jnp.abs(x)), jnp.max(jnp.abs(x - data.x0)))
        directions = jnp.where(again, length * jnp.eye(n, dtype=d.dtype), directions)

        phase = jnp.where(begins, 0, jnp.where(along, n + 1, jnp.where(done, s.phase + 1, s.phase))).astype(jnp.int32)
        anew = done | beyond
        at_end = jnp.where(beyond, fn, fun)
        before = jnp.where(anew, at_end, s.before)
        line = jax.tree.map(lambda new, old: jnp.where(anew, new, old), _search_from(at_end), line._replace(u=u, e=e))
        start, f_start = jnp.where(begins, x, s.start), jnp.where(begins, at_end, s.fun)
        drop = jnp.where(begins, 0.0, drop)
        gained = jnp.where(again, fun, s.gained)
        status = jnp.where(first & ~(f < jnp.inf), NUMERICAL, status)
        status = jnp.where(data.good, status, BAD_INPUT)
        state = PowellState(x, line, directions, start, f_start, before, drop, top, gained, phase, dropped)
        return Told(state, status, swept)

    def report(s: PowellState, data: PowellData) -> dict[str, Array]:
        return {"x": s.x, "fun": s.line.fx, "direc": s.directions}

    rule = implicit.found_by_values(implicit.box if bounded else implicit.stationary, _accuracy)
    return Method(
        "Powell", VALUE, init, ask, tell, report, rule, certificate=by_values(_accuracy, sees_kinks=False), stands=True
    )


def _accuracy(x: Array, fun: Array, data: PowellData, x0: Array) -> Asked:
    """xtol of x, by component. Of variables that become 0 it is that of the way from x0, and ftol of f, or of 1."""
    way = jnp.maximum(jnp.abs(x), jnp.abs(x - x0))
    anything = jnp.full((), jnp.inf, x.dtype)
    return Asked(data.xtol * jnp.abs(x), anything, data.xtol * way, data.ftol * jnp.maximum(1.0, jnp.abs(fun)))
