"""Methods with second derivatives, from gradients alone: the Hessian is learnt from how the gradient changes.

`learning` makes a method out of one that asks for a Hessian, for products with it, or for the Hessian of the Lagrangian.
What the inner method asks for is answered by a matrix B, which the last two points that were evaluated teach,

    s = x+ - x,     u = slope(x+) - slope(x)                                                        (1)

whether the inner method accepted them or not: both slopes are true. Under constraints the slope is that of f + y'c with the
multipliers y that the method asks for. B starts as `init_scale` times the identity, or as a matrix that is given; of 'auto'
it is scaled by u'u / |s'u| before its first update (Nocedal & Wright 2006, (6.20), of the inverse). Then

    BFGS    B+ = B - B s s'B / s'B s + u u' / s'u                                                   (2)
    SR1     B+ = B + r r' / r's,   r = u - B s                                                      (3)

(N&W (6.19) and (6.24)). (2) keeps B positive definite where s'u is. Where s'u is at most `min_curvature` s'B s, it is left
out, or u gives way to theta u + (1 - theta) B s, with the theta that makes it as large (Powell; N&W procedure 18.2). (3) is
left out where |r's| is less than `min_denominator` |r| |s| (N&W (6.26)).

Changed for batches: nothing is stored in the strategy, B is a part of the lane's state.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._needs.constrained import CONSTRAINED, LAGRANGIAN, Constrained
from jaxopt_lite._needs.values import GRADIENT, HESSIAN, HVP, SLOPE_PRODUCT, direction
from jaxopt_lite.core.dense import dot, matvec, norm
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.protocol import Answer, Method, Query, Told

TAUGHT = {HESSIAN: GRADIENT, HVP: GRADIENT, SLOPE_PRODUCT: GRADIENT, LAGRANGIAN: CONSTRAINED}  # what is asked instead
DAMPED, SKIPPED = 0.2, 1e-8  # SciPy's defaults of min_curvature


class Strategy(NamedTuple):
    """How B is learnt. Static and hashable."""

    symmetric_rank_one: bool  # (3); else (2)
    damped: bool  # of (2): u gives way
    least: float  # min_curvature, or min_denominator
    scale: float | tuple[tuple[float, ...], ...] | None  # of the first B, or B itself; None: by the first step


class Learning(NamedTuple):
    """The inner method, and what was learnt."""

    inner: Any  # its state
    B: Array  # (n, n)
    x: Array  # (n,) the last point that was finite
    slope: Array  # (n,) the gradient there
    A: Array | None  # (m, n) the Jacobian of constraints there; None: there are no constraints
    seen: Array  # () int32: 0 no point yet, 1 one, 2 B has learnt


@kept()
def learning(method: Method, strategy: Strategy) -> Method:
    """The method with a Hessian that is learnt; always the same object. Of its fields `hess` is left out."""
    if method.needs not in TAUGHT:
        raise ValueError(
            "hess is a strategy, which learns a matrix (n, n), but this method takes products alone: of 'trust-constr' for "
            "many variables, or with option factorization_method='products'. Leave hess out, or give the option "
            "factorization_method='NormalEquation'."
        )
    under_rows = method.needs == LAGRANGIAN

    def init(x0: Array, data: Any) -> Learning:
        n = x0.shape[0]
        A = jnp.zeros((data.row_lower.shape[0], n), x0.dtype) if under_rows else None
        return Learning(
            method.init(x0, data), _first(strategy, n, x0.dtype), x0, jnp.zeros_like(x0), A, jnp.zeros((), jnp.int32)
        )

    def ask(s: Learning, data: Any) -> Query:
        return method.ask(s.inner, data)

    def tell(s: Learning, query: Query, answer: Any, data: Any) -> Told:
        moved, changed = query.x - s.x, answer.grad - s.slope
        if s.A is not None:
            changed = changed + matvec((answer.jacobian - s.A).T, query.vector)
        learns = answer.finite & (s.seen > 0) & jnp.any(moved != 0)
        unlearnt = s.seen < 2 if strategy.scale is None else jnp.zeros((), bool)
        new, learnt = _updated(strategy, s.B, moved, changed, unlearnt)
        B = jnp.where(learns, new, s.B)
        seen = jnp.where(learns & learnt, 2, jnp.where(answer.finite, jnp.maximum(s.seen, 1), s.seen)).astype(jnp.int32)
        told = method.tell(s.inner, query, _answered(method, query, answer, B), data)
        pick = lambda new, old: jnp.where(answer.finite, new, old)
        A = None if s.A is None else pick(answer.jacobian, s.A)
        return told._replace(state=Learning(told.state, B, pick(query.x, s.x), pick(answer.grad, s.slope), A, seen))

    def report(s: Learning, data: Any) -> dict[str, Array]:
        return {name: value for name, value in method.report(s.inner, data).items() if name != "hess"}

    show = method.show
    return method._replace(
        needs=TAUGHT[method.needs],
        init=init,
        ask=ask,
        tell=tell,
        report=report,
        show=None if show is None else lambda s, data: show(s.inner, data),
    )


def _first(strategy: Strategy, n: int, dtype: Any) -> Array:
    if isinstance(strategy.scale, tuple):
        return jnp.asarray(strategy.scale, dtype)
    return (1.0 if strategy.scale is None else strategy.scale) * jnp.eye(n, dtype=dtype)


def _answered(method: Method, query: Query, answer: Any, B: Array) -> Any:
    """What the inner method is told."""
    known = lambda part: jnp.where(answer.finite, part, jnp.zeros_like(part))
    if method.needs == LAGRANGIAN:
        return Constrained(*answer)._replace(hess=known(B))
    if method.needs == HESSIAN:
        return Answer(*answer)._replace(hess=known(B))
    along = direction(query.vector, answer.grad) if method.needs == SLOPE_PRODUCT else query.vector
    return Answer(*answer)._replace(hvp=known(matvec(B, along)))


def _updated(strategy: Strategy, B: Array, s: Array, u: Array, unlearnt: Array) -> tuple[Array, Array]:
    """B after the step, and whether it has learnt anything."""
    su, uu, ss = dot(s, u), dot(u, u), dot(s, s)
    scale = jnp.where(su != 0, uu / jnp.where(su != 0, jnp.abs(su), 1.0), 1.0)
    B = jnp.where(unlearnt & (scale > 0) & jnp.isfinite(scale), scale, 1.0) * B
    Bs = matvec(B, s)
    if strategy.symmetric_rank_one:
        r = u - Bs
        below = dot(r, s)
        learns = (jnp.abs(below) >= strategy.least * norm(r, 2) * jnp.sqrt(ss)) & (below != 0)
        new = B + r[:, None] * (r / jnp.where(learns, below, 1.0))[None, :]
    else:
        bent = dot(s, Bs)
        low = su <= strategy.least * bent
        if strategy.damped:
            theta = jnp.where(low, (1.0 - strategy.least) * bent / jnp.where(low & (bent > su), bent - su, 1.0), 1.0)
            u = theta * u + (1.0 - theta) * Bs
            su = dot(s, u)
            low = ~(su > 0)
        learns = (bent > 0) & ~low & (su > 0)
        part = lambda v, size: v[:, None] * (v / jnp.where(learns, size, 1.0))[None, :]
        new = B - part(Bs, bent) + part(u, su)
    learns &= jnp.all(jnp.isfinite(new))
    return jnp.where(learns, 0.5 * (new + new.T), B), learns
