"""Bounded Brent: the minimizer of a function of one variable in an interval, from values alone.

Golden section steps and steps to the vertex of the parabola through the three best points, in Brent's arrangement
(Algorithms for Minimization without Derivatives, 1973, chapter 5, procedure `localmin`; Forsythe, Malcolm & Moler 1977,
`fmin`). With the interval [a, b], the best point x, the second best w and the previous w, called v,

    p / q = vertex of the parabola through (v, f), (w, f), (x, f), relative to x                (Brent, p. 73)
    tol1  = sqrt(eps) |x| + xatol / 3                                                           (1)
    done when |x - (a + b) / 2| <= 2 tol1 - (b - a) / 2                                         (2)

The parabolic step is taken if it lies inside (a, b) and is shorter than half the step before last. Otherwise the larger
part is cut by the golden section. No two evaluations are closer than tol1, and none is at or outside of a bound. Brent's
loop has one evaluation in it. Here the loop is cut at that evaluation: a turn takes in the value of the point that the turn
before asked for, and asks for the next point.

Where sqrt(eps) |x| exceeds xatol the lane ends with PRECISION: values alone do not locate a minimizer better.

Equal values everywhere do not show a minimum. Rounding may make them equal, as on a plateau where f has underflowed. So some
value of the run must be higher than the best one, by more than RISE eps of it; else the lane ends with NUMERICAL. The
exception is an interval that is as narrow as asked from the start.

A value that is not finite counts as higher than any other: the interval then shrinks away from it.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.scalar.golden import SECTION
from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core.implicit import interval
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CONVERGED, NOT_FINITE, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import abscissa_tolerance, value_resolution

RISE = 4.0  # times eps |f|: rounding of a sum of two terms; one step of the staircase that rounding makes of f is 1 or 2


class BoundedData(NamedTuple):
    """Traced numbers of a run."""

    lower: Array  # ()
    upper: Array  # ()
    xatol: Array  # () wanted absolute accuracy of x


class BoundedState(NamedTuple):
    """Brent's three points in their interval."""

    a: Array  # () lower end
    b: Array  # () upper end
    x: Array  # () best point
    w: Array  # () second best
    v: Array  # () previous w
    fx: Array  # ()
    fw: Array  # ()
    fv: Array  # ()
    u: Array  # () point asked for
    d: Array  # () last step
    e: Array  # () the step before
    top: Array  # () highest value; -inf while nothing is evaluated


OPTIONS = {
    "xatol": Option(
        None, POSITIVE_OR_ZERO, "Absolute accuracy of x that is wanted. Default 1e-5; never less than sqrt(eps) |x|."
    ),
}


def prepare(options: dict[str, Any], x0: Array) -> BoundedData:
    """The data record from options; `bounds` are the two ends."""
    xatol = abscissa_tolerance(x0.dtype) if options["xatol"] is None else options["xatol"]
    return BoundedData(*(jnp.asarray(v).astype(x0.dtype) for v in (*options["bounds"], xatol)))


def _init(x0: Array, data: BoundedData) -> BoundedState:
    x = data.lower + SECTION * (data.upper - data.lower)
    zero, inf = jnp.zeros_like(x), jnp.full_like(x, jnp.inf)
    return BoundedState(data.lower, data.upper, x, x, x, inf, inf, inf, x, zero, zero, -inf)


def _ask(s: BoundedState, data: BoundedData) -> Query:
    return Query(s.u[None])


def _tell(s: BoundedState, query: Query, answer: Answer, data: BoundedData) -> Told:
    narrow, s = s.top == -jnp.inf, _learnt(s, answer.fun)  # if done after one value, no point is farther than asked
    middle = 0.5 * (s.a + s.b)
    tol1 = value_resolution(s.x.dtype) * jnp.abs(s.x) + data.xatol / 3.0
    tol1 = jnp.maximum(tol1, jnp.finfo(s.x.dtype).tiny)
    done = jnp.abs(s.x - middle) <= 2 * tol1 - 0.5 * (s.b - s.a)
    s = _next_point(s, middle, tol1)
    good = jnp.isfinite(data.lower) & jnp.isfinite(data.upper) & (data.lower <= data.upper)
    asked = value_resolution(s.x.dtype) * jnp.abs(s.x) <= data.xatol
    risen = s.top - s.fx > RISE * jnp.finfo(s.x.dtype).eps * jnp.abs(s.fx)
    ended = jnp.where(risen | narrow, jnp.where(asked, CONVERGED, PRECISION), NUMERICAL)
    ended = jnp.where(jnp.isfinite(s.fx), ended, NOT_FINITE)
    status = jnp.where(good, jnp.where(done, ended, RUNNING), BAD_INPUT)
    return Told(s, status, jnp.ones((), bool))  # as in SciPy, an evaluation is an iteration


def _learnt(s: BoundedState, fu: Array) -> BoundedState:
    """The three points and their interval, with the value at u taken in."""
    u = s.u
    fresh = s.top == -jnp.inf
    best = (fu <= s.fx) | fresh
    right = u >= s.x
    a = jnp.where(fresh, s.a, jnp.where(best, jnp.where(right, s.x, s.a), jnp.where(right, s.a, u)))
    b = jnp.where(fresh, s.b, jnp.where(best, jnp.where(right, s.b, s.x), jnp.where(right, u, s.b)))
    second = ~best & ((fu <= s.fw) | (s.w == s.x))
    third = ~best & ~second & ((fu <= s.fv) | (s.v == s.x) | (s.v == s.w))
    v, fv = (jnp.where(best | second, w, jnp.where(third, n, o)) for w, n, o in ((s.w, u, s.v), (s.fw, fu, s.fv)))
    w, fw = (jnp.where(best, x, jnp.where(second, n, o)) for x, n, o in ((s.x, u, s.w), (s.fx, fu, s.fw)))
    x, fx = jnp.where(best, u, s.x), jnp.where(best, fu, s.fx)
    v, fv, w, fw = (jnp.where(fresh, new, old) for new, old in ((u, v), (fu, fv), (u, w), (fu, fw)))
    return s._replace(a=a, b=b, x=x, w=w, v=v, fx=fx, fw=fw, fv=fv, top=jnp.maximum(s.top, fu))


def _next_point(s: BoundedState, middle: Array, tol1: Array) -> BoundedState:
    """The next point to ask for."""
    r = (s.x - s.w) * (s.fx - s.fv)
    q = (s.x - s.v) * (s.fx - s.fw)
    p = (s.x - s.v) * q - (s.x - s.w) * r
    q = 2 * (q - r)
    p = jnp.where(q > 0, -p, p)
    q = jnp.abs(q)
    three = (s.v != s.w) & (s.v != s.x) & (s.w != s.x)  # of two points the parabola is rounding, fused or not
    usable = three & jnp.isfinite(p) & jnp.isfinite(q) & (q > 0) & (jnp.abs(s.e) > tol1)
    inside = (jnp.abs(p) < 0.5 * q * jnp.abs(s.e)) & (p > q * (s.a - s.x)) & (p < q * (s.b - s.x))
    parabolic = usable & inside
    step = jnp.where(parabolic, p, 0.0) / jnp.where(parabolic, q, 1.0)
    u = s.x + step
    toward = jnp.where(middle >= s.x, 1.0, -1.0)
    at_end = ((u - s.a) < 2 * tol1) | ((s.b - u) < 2 * tol1)
    step = jnp.where(at_end, tol1 * toward, step)
    larger = jnp.where(s.x >= middle, s.a - s.x, s.b - s.x)
    step, before = jnp.where(parabolic, step, SECTION * larger), jnp.where(parabolic, s.d, larger)
    away = jnp.where(step < 0, -1.0, 1.0) * jnp.maximum(jnp.abs(step), tol1)
    return s._replace(u=jnp.clip(s.x + away, s.a, s.b), d=step, e=before)


def _report(s: BoundedState, data: BoundedData) -> dict[str, Array]:
    return {"x": s.x[None], "fun": s.fx}


BOUNDED = Method("bounded", VALUE, _init, _ask, _tell, _report, interval)
