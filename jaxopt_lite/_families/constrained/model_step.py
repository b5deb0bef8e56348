"""The step of COBYQA: sequential quadratic programming on the quadratic models, inside of a trust region.

From the pole, with models f of the objective and c of the rows, Q(d) = g'd + d'H d / 2 each, the step d is sought that
solves

    min f(d)   subject to   lower <= c(d) <= upper,   |d|_inf <= radius,   d in the box.                (1)

Byrd and Omojokun take one step of SQP, in two parts: towards the linearized rows, and along them on the Lagrangian L
(Nocedal & Wright 2006, section 18.5). Here both parts are one quadratic program, whose rows have a price (`qp.py`): where
they cannot be met in the region its solution violates them least, and is the least there. And as the models cost nothing,
SQP goes on: at d it solves

    min (g + H d)'p + p'B p / 2   subject to   lower <= c(d) + A(d) p <= upper,   d + p in the region, |p| <= reach      (2)

and takes d + p where it lowers the merit of the models

    f + mu sum of violations,                                                                           (3)

which is (1) for a mu over the multipliers; else `reach` shrinks. So a step follows curved rows, and what other codes
evaluate as a second-order correction is in it before anything is evaluated.

B is the Hessian of L where that is positive definite, and else its absolute value |L| = L sign(L), by Newton's iteration for
the sign, S <- S (3 - S S) / 2 (Higham 2008, section 5.3): products alone, in which no direction is preferred.

Rows that contradict one another have no multipliers; then y are the prices at which their violations balance, times mu.

mu rises to twice the rate at which f rises by what the violation falls, and over the multipliers where the rows can be met.

*Units*. All of it is in units of the radius and of the slopes and curvatures there, so that nothing overflows.

Source: T. M. Ragonneau, thesis, The Hong Kong Polytechnic University (2022), chapters 5 and 6, for what surrounds (1);
(2) and B are ours.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.constrained import qp
from jaxopt_lite._families.constrained.qp import HIGHEST
from jaxopt_lite._families.constrained.quadratic_models import Models, swept
from jaxopt_lite.core.constraints import violations
from jaxopt_lite.core.dense import dot, matvec, norm

ROUNDS = 5  # most programs (2) of a step, each after one for the rows alone
SHARE = 0.8  # of the region, for the rows that cannot be met in it: Byrd and Omojokun's
SETTLED = 1e-2  # of the way: a shorter correction is the last one
SHORTER = 0.25  # of the reach, where a step of (2) does not lower (3)
ABOVE = 1.5  # mu over the largest multiplier
STEEP = 2.0  # mu over the rate at which f rises: Powell's
FLAT = 1e-3  # of the slope of L: B is no flatter
SIGNS = 24  # rounds of Newton's iteration: eigenvalues over 1e-4 of the largest have their sign


class Region(NamedTuple):
    """Where the step may end, and what the rows have to be there."""

    lower: Array  # (m,) sides of the rows, less their values at the pole
    upper: Array  # (m,)
    low: Array  # (n,) of d: the box, -inf: none
    high: Array  # (n,)
    radius: Array  # ()


class Step(NamedTuple):
    """The step, and what the models say of it."""

    d: Array  # (n,)
    y: Array  # (m,) multipliers
    mu: Array  # () such that (3) falls, where it can
    promise: Array  # () by which it falls
    rises: Array  # () f rises by this
    falls: Array  # () the sum of violations falls by this
    length: Array  # ()
    steep: Array  # () bool: mu has been raised, or would have been


class _Walk(NamedTuple):
    d: Array  # (n,) in units of the radius
    aim: Array  # (n,) p that the rows are relaxed for
    whole: Array  # () bool: it meets them
    normal: Array  # () bool: p for the rows alone is sought now
    y: Array  # (m,) in units
    mu: Array  # () as it was given
    reach: Array  # ()
    steep: Array  # () bool
    left: Array  # () int32: rounds that may still be made


def solve(models: Models, region: Region, y: Array, mu: Array) -> Step:
    """The step from the pole; y (m,) are the multipliers there, as far as they are known."""
    radius, tiny = region.radius, float(jnp.finfo(mu.dtype).tiny) ** 0.5
    slopes, bends = models.grad * radius, models.H * radius**2
    unit = jnp.maximum(jnp.max(jnp.abs(slopes), axis=1), 0.5 * jnp.max(jnp.abs(bends), axis=(1, 2)))
    unit = jnp.where(unit > tiny, unit, 1.0)
    q = Models(slopes / unit[:, None], bends / unit[:, None, None])
    of_row = unit[1:] / unit[0]
    sides = region.lower / unit[1:], region.upper / unit[1:]
    walls = region.low / radius, region.high / radius
    low, high = jnp.maximum(walls[0], -1.0), jnp.minimum(walls[1], 1.0)
    before = violations(jnp.zeros_like(y), *sides)

    def change(d: Array, mu: Array) -> tuple[Array, Array]:
        """By what f rises, and the violations fall, along d; in units of f, without mu."""
        at = q.at(d)
        return at[0], dot(of_row, before - violations(at[1:], *sides))

    def one(w: _Walk) -> _Walk:
        step = _program(q, sides, walls, w)
        # for the rows alone: as much of the way as the region and the reach allow
        least, most = jnp.maximum(low - w.d, -w.reach), jnp.minimum(high - w.d, w.reach)
        room = jnp.where(step.d > most, most / jnp.where(step.d > most, step.d, 1.0), 1.0)
        room = jnp.where(step.d < least, least / jnp.where(step.d < least, step.d, 1.0), room)
        part = jnp.maximum(jnp.min(room), 0.0)
        aim = jnp.where(part < 1, SHARE * part, 1.0) * step.d

        # and for all
        d = jnp.clip(w.d + step.d, low, high)
        whole = ~step.elastic & w.whole & ~w.normal
        y = jnp.where(whole & jnp.isfinite(step.y), step.y, w.y)
        priced = step.y * (w.mu / jnp.maximum(jnp.max(jnp.abs(step.y) / of_row, initial=0.0), tiny))
        y = jnp.where(step.elastic & w.normal & (w.reach == 1), priced, y)
        rises, falls = change(d, w.mu)
        steep = (falls > 0) & (rises > 0)
        weight = jnp.where(steep, jnp.maximum(w.mu, STEEP * rises / jnp.where(steep, falls, 1.0)), w.mu)
        force = jnp.max(jnp.abs(y) / of_row, initial=0.0)
        weight = jnp.where(whole, jnp.maximum(weight, ABOVE * force), weight)
        rose, fell = change(w.d, w.mu)
        better = ((weight * fell - rose) < (weight * falls - rises)) & ~w.normal
        pick = lambda new, old: jnp.where(better, new, old)
        goes_on = w.normal | (norm(step.d) > SETTLED * jnp.where(better, norm(d), 1.0))
        reach = jnp.where(better | w.normal, w.reach, SHORTER * jnp.minimum(w.reach, norm(step.d)))
        left = jnp.where(goes_on & (reach > 0), w.left - 1, 0)
        kept = pick(d, w.d), aim, (part >= 1) & (w.reach == 1) & ~step.elastic, ~w.normal
        return _Walk(*kept, y, pick(weight, w.mu), reach, pick(steep, w.steep), left)

    no, zero = jnp.zeros((), bool), jnp.zeros_like(low)
    start = _Walk(zero, zero, no, ~no, y * of_row, mu, jnp.ones_like(mu), no, jnp.full((), 2 * ROUNDS, jnp.int32))
    end = lax.while_loop(lambda w: w.left > 0, one, start)
    rises, falls = change(end.d, end.mu)
    weight = jnp.minimum(end.mu, float(jnp.finfo(mu.dtype).max) ** 0.5)
    d = end.d * radius
    rises, falls = rises * unit[0], falls * unit[0]
    slight = float(jnp.finfo(mu.dtype).eps) ** 0.5
    y = jnp.where(jnp.abs(end.y) > slight * jnp.minimum(norm(end.y), 1.0), end.y, 0.0)
    y = jnp.where(norm(y) > slight, y, 0.0) / of_row
    return Step(d, y, weight, weight * falls - rises, rises, falls, norm(d), end.steep)


def _program(q: Models, sides: tuple[Array, Array], walls: tuple[Array, Array], w: _Walk) -> qp.Step:
    """The step of (2), or the shortest one to its rows."""
    slopes = q.grad + matvec(q.H, w.d)
    values = q.at(w.d)[1:]
    g, A = slopes[0], slopes[1:]
    L = q.H[0] + jnp.sum(w.y[:, None, None] * q.H[1:], axis=0)
    size = jnp.maximum(norm(L.reshape(-1)), 1.0)
    eps = float(jnp.finfo(g.dtype).eps)
    least = FLAT * jnp.minimum(norm(g + matvec(A.T, w.y)), 1.0) + eps**0.5 * size
    inverse = jnp.where(w.normal, jnp.eye(g.shape[0], dtype=g.dtype), _inverse(L, least))
    eased = jnp.where(w.normal, 0.0, matvec(A, w.aim))
    lower, upper = sides[0] - values, sides[1] - values
    lower, upper = (
        jnp.where(w.normal, side, pick(side, eased)) for side, pick in ((lower, jnp.minimum), (upper, jnp.maximum))
    )
    reach = jnp.where(w.normal, jnp.inf, w.reach)
    edge = jnp.where(w.normal, jnp.inf, 1.0)
    low, high = jnp.maximum(walls[0], -edge) - w.d, jnp.minimum(walls[1], edge) - w.d
    box = jnp.maximum(low, -reach), jnp.minimum(high, reach)
    return qp.solve(qp.Subproblem(inverse, jnp.where(w.normal, 0.0, g), A, lower, upper, box))


def _inverse(L: Array, least: Array) -> Array:
    """The inverse of L (n, n), or of |L| where L is not positive definite; `least` is added to it."""
    n = L.shape[0]
    own = jnp.eye(n, dtype=L.dtype)
    size = jnp.sqrt(jnp.sum(L * L))
    unit = jnp.where(size > 0, size, 1.0)
    positive = swept(L / unit + least / unit * own, n, 1.0)[1] > 0

    def sign(_: Array, S: Array) -> Array:
        return 0.5 * jnp.dot(S, 3.0 * own - jnp.dot(S, S, precision=HIGHEST), precision=HIGHEST)

    S = lax.fori_loop(0, SIGNS, sign, L / unit)
    absolute = jnp.dot(L, S, precision=HIGHEST)
    B = jnp.where(positive, L, 0.5 * (absolute + absolute.T)) + least * own
    scale = lax.rsqrt(jnp.maximum(jnp.diagonal(B), float(jnp.finfo(L.dtype).tiny)))
    T, _ = swept(B * scale[:, None] * scale[None, :], n, 1.0)
    return -T * scale[:, None] * scale[None, :]
