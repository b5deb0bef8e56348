"""One step of the simplex method with bounded variables: which variable enters, how far it moves, which variable leaves.

With basic values x_B and multipliers y the reduced costs are d = c - (A I)'y. A variable at its lower bound may enter
upward if d_j < 0, one at its upper bound downward if d_j > 0, a free one either way, a fixed one never.

*Phase one* needs no extra variables: it minimizes the sum of infeasibilities of the basic variables (Maros 2003, section
9.3), with gradient -1 below a lower bound and +1 above an upper bound. The logical variable of an equation is fixed at zero;
others call it artificial. It leaves the basis, and because it is fixed it never comes back. The logical variable of a
redundant row stays in the basis, at zero.

*Entering*: the variable with the greatest d_j^2 / w_j. The w are the Devex reference weights (Harris 1973; Forrest &
Goldfarb 1992, section 3):

    w_j <- max(w_j, (alpha_rj / alpha_rq)^2 w_q),   w_leaving <- max(w_q / alpha_rq^2, 1).               (1)

*Leaving*: along x_q += t the basic variables move by -alpha t, alpha = B^{-1} a_q. Harris (1973) makes two passes. The first
finds the longest t at which no variable is more than a tolerance beyond its bound. The second takes, among the variables
that block before that t, the one with the greatest |alpha_i|. An infeasible variable blocks where it becomes feasible. If
the entering variable comes to its own other bound first, it flips to that bound, and the basis stays.

*Cycling*: see `basis.py`. Bland's (1977) rule is the last resort: the entering and the leaving variable are those of least
index, until a step has a length. It cannot cycle, and from one step with a length to the next the objective strictly falls.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.linear.bounded_form import BASIC, FREE, BoundedForm
from jaxopt_lite.core.dense import matvec

NOISE = 8.0  # times eps of the greatest value or multiplier: rounding of a basic value or a reduced cost


class Tolerances(NamedTuple):
    """The numbers of the scaled program that count as zero."""

    feasible: Array  # () violation of a basic variable, relative to 1 + |bound|
    price: Array  # () reduced cost, relative to 1 + |c_j| (in phase one to 1)
    pivot: Array  # () element of B^{-1} a_q, relative to the greatest


class Rows(NamedTuple):
    """The basic variables."""

    x: Array  # (m,) values
    lower: Array  # (m,)
    upper: Array  # (m,)
    cost: Array  # (m,)


class Move(NamedTuple):
    """The next step, before it is taken."""

    phase: Array  # () int32: 1 or 2
    y: Array  # (m,) multipliers of the phase
    entering: Array  # () int32: the entering variable
    sign: Array  # (): +1 where the entering variable rises, -1 where it falls
    alpha: Array  # (m,) B^{-1} a_q
    row: Array  # () int32: the row of the leaving variable
    length: Array  # (): inf where nothing blocks
    priced: Array  # () bool: there is an entering variable
    flips: Array  # () bool: the entering variable comes to its own other bound first
    to_upper: Array  # () bool: the leaving variable leaves at its upper bound


def infeasibility(rows: Rows, tol: Tolerances) -> Array:
    """(m,): -1 below the lower bound, +1 above the upper, 0 inside."""
    noise = NOISE * jnp.finfo(rows.x.dtype).eps * jnp.max(jnp.abs(rows.x))
    slack = lambda bound: noise + tol.feasible * (1.0 + jnp.abs(jnp.where(jnp.isfinite(bound), bound, 0.0)))
    below, above = rows.x < rows.lower - slack(rows.lower), rows.x > rows.upper + slack(rows.upper)
    return jnp.where(below, -1.0, jnp.where(above, 1.0, 0.0)).astype(rows.x.dtype)


def first_of(mask: Array) -> Array:
    """() int32: the least index where `mask` is true; the length of `mask` where none is."""
    size = mask.shape[0]
    return jnp.min(jnp.where(mask, jnp.arange(size, dtype=jnp.int32), size))


def greatest(score: Array) -> Array:
    """() int32: the first index of the greatest score. Two plain reductions are faster than argmax on a CPU."""
    return jnp.minimum(first_of(score == jnp.max(score)), score.shape[0] - 1)


def move(
    form: BoundedForm,
    inverse: Array,
    rows: Rows,
    basis: Array,
    place: Array,
    weight: Array,
    bland: Array,
    tol: Tolerances,
    at: Array,
    y: Array | None = None,
) -> Move:
    """The next step from a basis. `at` (N,) are the values of nonbasic variables; y (m,) are the multipliers, if given."""
    wrong = infeasibility(rows, tol)
    first = jnp.any(wrong != 0)
    y = matvec(inverse.T, jnp.where(first, wrong, rows.cost)) if y is None else y
    cost = jnp.where(first, 0.0, form.cost)
    d = cost - matvec(form.columns, y)
    noise = NOISE * jnp.finfo(d.dtype).eps * jnp.max(jnp.abs(y))
    d = jnp.where(jnp.abs(d) > noise + tol.price * (1.0 + jnp.abs(cost)), d, 0.0)
    may = (form.lower < form.upper) & (((place <= FREE) & (d < 0)) | ((place >= FREE) & (place < BASIC) & (d > 0)))
    score = jnp.where(may, jnp.where(bland, 1.0, d * d / weight), 0.0)
    q = greatest(score)
    sign = jnp.where(d[q] < 0, 1.0, -1.0).astype(d.dtype)
    alpha = matvec(inverse, form.columns[q])
    start = at[q]

    fall = alpha * sign  # x_B falls by this per unit
    size = jnp.abs(fall)
    counts = size > tol.pivot * jnp.maximum(1.0, 1e-2 * jnp.max(size))
    down = fall > 0
    goal = jnp.where(
        down,
        jnp.where(wrong > 0, rows.upper, jnp.where(wrong < 0, -jnp.inf, rows.lower)),
        jnp.where(wrong < 0, rows.lower, jnp.where(wrong > 0, jnp.inf, rows.upper)),
    )
    blocks = counts & jnp.isfinite(goal)
    goal, per = jnp.where(blocks, goal, 0.0), jnp.where(blocks, size, 1.0)
    room = jnp.maximum(jnp.where(down, rows.x - goal, goal - rows.x), 0.0)
    slack = jnp.where(bland, 0.0, tol.feasible * (1.0 + jnp.abs(goal)))
    ratio = jnp.where(blocks, room / per, jnp.inf)
    farthest = jnp.min(jnp.where(blocks, (room + slack) / per, jnp.inf))
    tied = blocks & (ratio <= farthest)
    by_size = jnp.where(tied, size, 0.0)
    by_index = jnp.where(tied, form.cost.shape[0] - basis, 0).astype(d.dtype)
    r = greatest(jnp.where(bland, by_index, by_size))
    span = jnp.where(place[q] == FREE, jnp.inf, jnp.where(sign > 0, form.upper[q] - start, start - form.lower[q]))
    blocked = jnp.any(tied)
    length = jnp.where(blocked, ratio[r], jnp.inf)
    flips = span <= length
    phase = jnp.where(first, 1, 2).astype(jnp.int32)
    leaves_up = goal[r] == rows.upper[r]
    return Move(phase, y, q, sign, alpha, r, jnp.minimum(length, span), jnp.max(score) > 0, flips, leaves_up)


def exchanged(inverse: Array, alpha: Array, r: Array) -> tuple[Array, Array]:
    """B^{-1} after column r of B is replaced; and the old row r of B^{-1} over the pivot, which (1) needs."""
    here = jnp.arange(alpha.shape[0], dtype=jnp.int32) == r
    pivot = inverse[r] / alpha[r]
    column = jnp.where(here, alpha - 1.0, alpha)
    return inverse - column[:, None] * pivot[None, :], pivot


def reweighted(form: BoundedForm, weight: Array, pivot: Array, q: Array, leaving: Array, alpha_r: Array) -> Array:
    """Devex weights (1) after the exchange; `pivot` is row r of the new B^{-1}."""
    index = jnp.arange(weight.shape[0], dtype=jnp.int32)
    ratio = matvec(form.columns, pivot)  # alpha_rj / alpha_rq
    grown = jnp.maximum(weight, ratio * ratio * weight[q])
    return jnp.where(index == leaving, jnp.maximum(weight[q] / (alpha_r * alpha_r), 1.0), grown)
