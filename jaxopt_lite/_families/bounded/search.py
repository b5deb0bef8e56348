"""The search along a projected path, which the methods in a box share.

From x along a direction d the path is P(x + t d). It is straight until a variable arrives at its bound, and bends there
(Bertsekas 1982). The search of `line_search/wolfe.py` judges the values on it, with

    phi'(t) = sum of g_i(t) d_i over the variables that have not stopped                            (1)
    f(P(x + t d)) <= f + c1 g . (P(x + t d) - x)                                                    (2)

for its slope and for its sufficient decrease. A trial at which a variable has stopped is accepted as soon as it is low
enough: at a bend the slope jumps, and a flat point need not exist. The search does not try a longer step there, which may
bring any number of variables to their bounds at once; a shorter step bends less. Every point of the path is inside of the
box exactly, and a variable that has arrived at a bound is at it exactly.

When a search fails, the method forgets what it has learnt and tries steepest descent. When that fails too, the run ends.
The method claims PRECISION where every component of the projected gradient is within gtol or explained by the rounding of x
(the rule of `line_search/descent.py`), else NUMERICAL. The certificate decides.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.bounded import box
from jaxopt_lite._families.line_search import wolfe
from jaxopt_lite._families.line_search.descent import is_rounding, resolved_steps
from jaxopt_lite.core.dense import dot, norm, settled
from jaxopt_lite.core.options import COUNT, DIFFERENCES, POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Answer
from jaxopt_lite.core.status import BAD_INPUT, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import gradient_tolerance

C1, C2 = 1e-4, 0.9  # sufficient decrease and flatness for Newton-like steps (Nocedal & Wright 2006, section 3.1)


class BoxData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the projected gradient
    ftol: Array  # () relative reduction below which the run ends
    maxls: Array  # () int32: trial steps of a search
    lower: Any  # (n,); None: there is no box
    upper: Any  # (n,)


OPTIONS = {
    "ftol": Option(
        0.0,
        POSITIVE_OR_ZERO,
        "End where an iteration reduces f by at most ftol max(|f|, |f+|, 1); a success only where gtol holds.",
    ),
    "gtol": Option(
        None, POSITIVE_OR_ZERO, "Stop when the projected gradient is at most gtol. Default 1e-5; 2.4e-5 in float32."
    ),
    "maxls": Option(20, COUNT, "Most trial steps of one line search."),
    "maxfun": Option(None, COUNT, "Most evaluations of fun: SciPy's name for maxfev."),
} | DIFFERENCES


def prepare(options: dict[str, Any], x0: Array) -> BoxData:
    """The data record from options; None takes the default of the dtype."""
    gtol = gradient_tolerance(x0.dtype) if options["gtol"] is None else options["gtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    maxls = jnp.maximum(1, jnp.asarray(options["maxls"], jnp.int32))
    return BoxData(number(gtol), number(options["ftol"]), maxls, *box.sides(options.get("bounds"), x0))


class Path(NamedTuple):
    """An accepted point and the search that starts there."""

    x: Array  # (n,) accepted point
    fun: Array  # () f(x); +inf before the first evaluation
    grad: Array  # (n,) gradient at x
    d: Array  # (n,) direction
    search: wolfe.Search
    trials: Array  # () trial steps left


class Outcome(NamedTuple):
    """What a turn makes of its trial point."""

    fresh: Array  # () bool: it was the first evaluation of the run
    accepted: Array  # () bool: it is the new point
    broken: Array  # () bool: the search along this direction has ended without a new point, or is spent
    narrow: Array  # () bool: the trial was not accepted, and a shorter step would not move x, to rounding
    x: Array  # (n,) accepted point after this turn
    fun: Array  # () f there
    grad: Array  # (n,) gradient there
    moved: Array  # (n,) from the old point to the trial
    change: Array  # (n,) change of the gradient from the old point to the trial
    search: wolfe.Search  # how the search goes on, where it does


def start(x0: Array, data: Any) -> Path:
    """Before the first evaluation."""
    zero, flat = jnp.zeros((), x0.dtype), jnp.zeros_like(x0)
    inf = jnp.full((), jnp.inf, x0.dtype)
    return Path(box.project(x0, data), inf, flat, flat, wolfe.start(zero, zero), data.maxls)


def trial(path: Path, data: Any) -> Array:
    """The point to evaluate."""
    return box.along(path.x, path.d, path.search.step, data)


def judge(path: Path, there: Array, answer: Answer, data: Any, flat: bool, c2: Array | float = C2) -> Outcome:
    """The outcome of the trial point `there`; not `flat`: once a step was too long, low enough will do."""
    x, d, t, f, g = path.x, path.d, path.search.step, answer.fun, answer.grad
    fresh, moved = jnp.isinf(path.fun), t * d  # not there - x, which for a short step is mostly the rounding of x
    if data.lower is None:
        arrived, slope, slope0 = jnp.zeros((), bool), dot(g, d), dot(path.grad, d)
    else:
        stopped = box.outward(there, d, data)
        moved = jnp.where(stopped, there - x, moved)
        arrived, slope = jnp.any(stopped), dot(g, jnp.where(stopped, 0.0, d))
        slope0 = dot(path.grad, moved) / jnp.where(t > 0, t, 1.0)
    least, coarse = resolved_steps(x, d)
    least = jnp.where(path.trials <= 1, jnp.inf, least)
    verdict = wolfe.judge(path.search, path.fun, slope0, f, slope, least, C1, c2)
    progress = verdict.low & (f < path.fun - wolfe.noise(path.fun))  # without flatness, smaller gains need not end
    taken = verdict.accepted | (progress & (arrived if flat else arrived | jnp.isfinite(path.search.hi)))
    accepted = jnp.where(fresh, answer.finite, taken)
    failed = verdict.failed & ~fresh & ~taken
    broken = failed | (verdict.spent & ~arrived & ~fresh)
    narrow = (failed & (path.trials > 1)) | (~fresh & ~accepted & (verdict.search.hi - verdict.search.lo <= coarse))
    fresh, accepted, broken, narrow = settled(jnp.stack([fresh, accepted, broken, narrow]), f.dtype)
    pick = lambda new, old: jnp.where(accepted, new, old)
    x, fun, grad = pick(there, x), pick(f, path.fun), pick(g, path.grad)
    return Outcome(fresh, accepted, broken, narrow, x, fun, grad, moved, g - path.grad, verdict.search)


def go_on(path: Path, o: Outcome, d: Array, slope: Array, step: Array, anew: Array, data: Any) -> Path:
    """The path after a trial: where `anew` a new search along d, from the accepted point; else the same search."""
    keep = lambda new, old: jnp.where(anew, new, old)
    search = wolfe.Search(*map(keep, wolfe.start(step, slope), o.search))
    return Path(o.x, o.fun, o.grad, keep(d, path.d), search, keep(data.maxls, path.trials - 1))


def status(
    path: Path, o: Outcome, free: Array | None, answer: Answer, hopeless: Array, data: Any, still: Array | bool = False
) -> Array:
    """() int32: how the lane stands after a trial.

    `hopeless`: the direction that failed was steepest descent. `still`: the step was too short for the run to go on.
    """
    left = o.grad if free is None else jnp.where(free, o.grad, 0.0)
    stationary = norm(left) <= data.gtol
    size = jnp.maximum(jnp.maximum(jnp.abs(path.fun), jnp.abs(o.fun)), 1.0)
    short = o.accepted & ~o.fresh & ((data.ftol > 0) & (path.fun - o.fun <= data.ftol * size) | still)
    rounding = lambda: answer.finite & is_rounding(path.x, left, o.moved, o.change, data.gtol)
    idle = o.accepted & ~o.fresh & (o.fun >= path.fun)
    unresolved = lax.cond(o.narrow | short | idle, rounding, lambda: jnp.zeros((), bool))  # seldom for one problem
    dead = (o.broken & hopeless) | (o.fresh & ~answer.finite)
    claim = (o.narrow | short | idle) & unresolved
    ended = jnp.where(dead, CLAIM + NUMERICAL, jnp.where(short, NUMERICAL, RUNNING))
    status = jnp.where(claim, CLAIM + PRECISION, ended)
    status = jnp.where(o.accepted & stationary, CONVERGED, status)
    return status if data.lower is None else jnp.where(box.crossed(data), BAD_INPUT, status)


def descending(x: Array, grad: Array, p: Array, free: Array | None, data: Any) -> tuple[Array, Array, Array]:
    """p without the components that point out of the box, its slope, and whether steepest descent had to replace it."""
    steepest = -grad if free is None else jnp.where(free, -grad, 0.0)
    p = p if free is None else jnp.where(box.outward(x, p, data), 0.0, p)
    slope = dot(grad, p)
    wrong = ~(slope < 0)
    return jnp.where(wrong, steepest, p), jnp.where(wrong, dot(grad, steepest), slope), wrong
