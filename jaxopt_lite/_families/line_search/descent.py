"""Descent methods: a direction, and a search along it.

`descent(direction)` joins two parts to a `Method` that needs values and gradients. The `Direction` makes the next direction
from the accepted points. The search of `line_search/wolfe.py` finds a step along it. Every turn is one trial step.

A search *fails* where it finds no step. It is *spent* where it takes its last step only because f is lower there. In both
cases the direction is reset to steepest descent. A lane ends with

    CONVERGED           where the norm of the gradient at an accepted point is at most gtol
    CLAIM + CONVERGED   where an accepted step is as short as xrtol says
    CLAIM + PRECISION   where a search shows that no more can be done, and the gradient looks like rounding
    CLAIM + NUMERICAL   where steepest descent leads nowhere, or the first value is not finite

A search shows that no more can be done in three ways: it fails; or its interval is so short that no step in it moves a
large component of x, to rounding; or it accepts a point where f is not lower.

The gradient looks like rounding (`is_rounding`) where every component of it is within gtol, or as small as the rounding of x
could make it. That size is estimated from the last trial step: the change of the component over this step, scaled down to
two roundings of x, times a few. A trial that is not finite says nothing about rounding, and is no reason for a claim. After
the loop the certificate (`core/certificate.py`) decides every claim.

Source: Nocedal & Wright, Numerical Optimization, 2nd ed. (2006), chapters 3 and 6. Changed for batches: the search is a
phase of the state, so that lanes in different phases never wait for each other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.line_search import wolfe
from jaxopt_lite._needs.values import GRADIENT
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.dense import dot, norm, settled
from jaxopt_lite.core.implicit import stationary as stationary_rule
from jaxopt_lite.core.options import DIFFERENCES, FRACTION, POSITIVE_OR_ZERO, STATIC, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING

LEAST_EPS = 2.0  # two points closer than this many eps |x| are the same to a search
SAME = 8.0  # and a component of the gradient is rounding below this many times its own change over that distance


class Step(NamedTuple):
    """A trial step x+ = x + t d, as it is given to a direction to learn from."""

    t: Array  # () step length
    d: Array  # (n,) the direction that was searched
    d_size: Array  # () max |d|
    grad_change: Array  # (n,) y = grad(x+) - grad(x)
    grad: Array  # (n,) gradient at x+ where accepted, else at x
    slope0: Array  # () grad(x) . d
    slope: Array  # () grad(x+) . d
    accepted: Array  # () bool: x+ is the new point; where it is not, the memory stays as it is
    restart: Array  # () bool: forget everything; the next direction is steepest descent from `grad`


class Direction(NamedTuple):
    """How accepted points shape the next direction."""

    init: Callable[[Array, Any], Any]  # (x0, data) -> memory
    learn: Callable[[Any, Step, Any], tuple[Any, Array, Array]]  # (memory, step, data) -> memory, d (n,), grad . d
    unlearnt: Callable[[Any], Array]  # memory -> () bool: no step was learnt yet, so that d is the first direction
    report: Callable[[Any, Any], dict[str, Array]]  # (memory, data) -> fields of the result


class DescentState(NamedTuple):
    """An accepted point and the search that starts there."""

    x: Array  # (n,) accepted point
    fun: Array  # () f(x); +inf before the first evaluation
    grad: Array  # (n,) gradient at x
    d: Array  # (n,) search direction
    search: wolfe.Search
    memory: Any  # of the direction


def search_options(c2: float) -> dict[str, Option]:
    """The options of methods that search along a line; `c2` is the default of their flatness."""
    return {
        "gtol": Option(
            None, POSITIVE_OR_ZERO, "Stop when the norm of the gradient is at most gtol. Default 1e-5; 2.4e-5 in float32."
        ),
        "norm": Option(float("inf"), STATIC, "Order of that norm (static)."),
        "c1": Option(1e-4, FRACTION, "Sufficient decrease in the line search, 0 < c1 < c2."),
        "c2": Option(c2, FRACTION, "Flatness in the line search, c1 < c2 < 1."),
        "return_all": Option(False, STATIC, "Keep the point of every iteration in `allvecs`; eager calls only."),
    } | DIFFERENCES


def read_constants(options: dict[str, Any]) -> float:
    """The order of the gradient's norm; ValueError where it or the constants of the line search are not in order."""
    c1, c2, order = options["c1"], options["c2"], options["norm"]
    if isinstance(c1, float) and isinstance(c2, float) and not 0 < c1 < c2 < 1:
        raise ValueError(f"options c1 = {c1} and c2 = {c2} do not satisfy 0 < c1 < c2 < 1; give such constants.")
    if not isinstance(order, int | float) or isinstance(order, bool) or order == 0 or order != order:
        raise ValueError(f"option 'norm' is {order!r}; give the order of a norm, a number other than 0.")
    return float(order)


def unit_step(d: Array) -> Array:
    """The step () that makes t d at most of length 1. It starts a search where the scale of f is unknown."""
    return jnp.minimum(1.0, 1.0 / jnp.maximum(norm(d, 2), jnp.finfo(d.dtype).tiny))


def resolved_steps(x: Array, d: Array) -> tuple[Array, Array]:
    """Two bounds on the step t, each (): a shorter step than the first leaves every component of x as it is, to rounding.

    A shorter step than the second leaves the large components as they are. A search fails by the first bound alone, so that
    small variables go on when large ones are done. A component smaller than eps max |x| counts as eps max |x|. Neither
    bound is ever zero.
    """
    eps, tiny = jnp.finfo(x.dtype).eps, jnp.finfo(x.dtype).tiny
    size = norm(x)
    sizes = jnp.maximum(jnp.maximum(jnp.abs(x), eps * size), tiny)
    return jnp.maximum(LEAST_EPS * eps / norm(d / sizes), 8 * tiny), LEAST_EPS * eps * size / jnp.maximum(norm(d), tiny)


def is_rounding(x: Array, grad: Array, step: Array, grad_change: Array, gtol: Array) -> Array:
    """() bool: is every component of the gradient at x within gtol, or as small as the rounding of x could make it?

    This proves nothing; it is the reason for a claim. `grad_change` (n,) is the change of the gradient over a trial `step`
    (n,) from x.
    """
    resolved = LEAST_EPS * jnp.finfo(x.dtype).eps * jnp.abs(x)
    span = jnp.max(jnp.abs(step) / jnp.where(resolved > 0, resolved, jnp.inf))  # length of the trial step, in roundings of x
    rounding = SAME * jnp.abs(grad_change) / jnp.maximum(span, 1.0)
    return jnp.all(jnp.abs(grad) <= jnp.maximum(gtol, rounding))


def descent(name: str, direction: Direction, order: float) -> Method:
    """A method from a direction; `order` is the norm of the gradient test (static)."""

    def init(x0: Array, data: Any) -> DescentState:
        zero, flat = jnp.zeros((), x0.dtype), jnp.zeros_like(x0)
        inf = jnp.full((), jnp.inf, x0.dtype)
        return DescentState(x0, inf, flat, flat, wolfe.start(zero, zero), direction.init(x0, data))

    def ask(s: DescentState, data: Any) -> Query:
        return Query(s.x + s.search.step * s.d)

    def tell(s: DescentState, query: Query, answer: Answer, data: Any) -> Told:
        f, g = answer.fun, answer.grad
        fresh = jnp.isinf(s.fun)
        x_size, d_size, slope0, slope = norm(s.x), norm(s.d), dot(s.grad, s.d), dot(g, s.d)
        least, coarse = resolved_steps(s.x, s.d)
        verdict = wolfe.judge(s.search, s.fun, slope0, f, slope, least, data.c1, data.c2)
        accepted = jnp.where(fresh, answer.finite, verdict.accepted)
        flags = jnp.stack([fresh, accepted, verdict.failed & ~fresh, verdict.spent & ~fresh])
        fresh, accepted, failed, spent = settled(flags, f.dtype)
        unlearnt = direction.unlearnt(s.memory)
        restart = (failed | spent) & ~unlearnt

        pick = lambda new, old: jnp.where(accepted, new, old)
        x_new, f_new, g_new, y = pick(query.x, s.x), pick(f, s.fun), pick(g, s.grad), g - s.grad
        step = Step(s.search.step, s.d, d_size, y, g_new, slope0, slope, accepted & ~fresh, restart)
        memory, d_new, slope_new = direction.learn(s.memory, step, data)
        anew = accepted | restart
        keep = lambda new, old: jnp.where(anew, new, old)
        t0 = jnp.where(direction.unlearnt(memory), unit_step(g_new), 1.0)
        search = wolfe.Search(*map(keep, wolfe.start(t0, slope_new), verdict.search))

        stationary = norm(g_new, order) <= data.gtol
        still = ~fresh & (s.search.step * d_size <= data.xrtol * (data.xrtol + x_size))
        rounded = answer.finite & is_rounding(s.x, g_new, s.search.step * s.d, y, data.gtol)
        idle = accepted & ~fresh & (f >= s.fun)
        narrow = failed | (~fresh & ~accepted & (verdict.search.hi - verdict.search.lo <= coarse))
        dead = ((failed | spent) & unlearnt) | (fresh & ~answer.finite)
        status = jnp.where((narrow | idle) & rounded, CLAIM + PRECISION, jnp.where(dead, CLAIM + NUMERICAL, RUNNING))
        status = jnp.where(accepted & still, CLAIM + CONVERGED, status)
        status = jnp.where(accepted & stationary, CONVERGED, status)
        return Told(DescentState(x_new, f_new, g_new, keep(d_new, s.d), search, memory), status, accepted & ~fresh)

    def report(s: DescentState, data: Any) -> dict[str, Array]:
        return {"x": s.x, "fun": s.fun, "jac": s.grad, **direction.report(s.memory, data)}

    return Method(name, GRADIENT, init, ask, tell, report, stationary_rule, certificate=minimum(order))
