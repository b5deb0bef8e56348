"""What proves an answer: relative errors of an optimal pair, of a Farkas ray, of a direction of recession.

Everything is measured on the program as it was given (`Ranged`), and a number at most the tolerance is a proof at that
tolerance; inf is none. Multipliers have SciPy's signs, y = d fun / d (row bound), and z = c - A'y are reduced costs: y_i
and z_j may be positive only at a finite lower bound, negative only at a finite upper one (there the multiplier of the
upper bound is z_j itself). A multiplier of an infinite row bound is put to zero, and x is clipped to its bounds, so that
these hold exactly and all error shows in what is measured.

*Optimal.* With violations v_i of the rows and w_j of the dual (the part of z_j that has no finite bound to stand at),

    primal = max_i v_i / (min(|a_i|, 1) unit_x + |bound_i|)                                                       (1)
    dual   = max_j w_j / (|A_j| unit_y + |c_j|)                                                             (2)
    gap    = (sum_i |y_i| |a_i x - bound_i| + sum_j |z_j| |x_j - bound_j|) / (|c'x| + unit_f)               (3)

where |a_i|, |A_j| are largest entries, `bound` is the one at which the sign of the multiplier stands, and an infinite
one counts as 0. The sum in (3) bounds c'x - min and does not let terms cancel. The units are 1, or less where all data are
small, so that neither a row in other units nor a small objective passes unseen. The sizes of x and y excuse nothing: an
infeasible program has near solutions at infinity, and relative to |A| |x| these look good. At working precision the
rounding of the sums may be taken off, but never more than eps^(3/8) of the denominators.

*Infeasible* (Farkas 1902). For every x within its bounds y'Ax <= sup, and rows need y'Ax >= inf, both from finite bounds;
what is left of (A'y)_j at an infinite bound is the violation e_j. With margin = inf - sup, which must exceed its rounding,

    error = max_j max(f_j, min(e_j / sum_i |a_ij y_i|, f_j^(2/3))),   f_j = e_j unit_x / margin                (4)

The first says how far away a feasible point would have to be (1 / error units), the second is free of units, and the third
stands for it where the terms themselves vanish: then no feasible point is nearer than error^-1.5 units. A huge bound
enters sup as it is, with the rounding of (A'y)_j times that bound: a ray that relies on it is no ray.

*Unbounded, if feasible.* A direction d of the bounds' recession cone (exactly so) with c'd < 0 and violations e_i of
the rows' recession cone by Ad: (4) with f_i = e_i unit_y / |c'd| and the terms sum_j |a_ij d_j|.                       (5)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.dense import dot, matvec
from jaxopt_lite.linear.program import Ranged

ROUNDING = 16.0  # a sum counts as known to this many eps of its terms
MOST_EXCUSED = 0.375  # the power of eps that bounds what rounding excuses: 1e-6, in float32 2.5e-3


class Units(NamedTuple):
    """Sizes that depend on the data alone: made once a problem."""

    row: Array  # (m,) min(|a_i|, 1) unit_x + |bound_i|
    column: Array  # (n,) |A_j| unit_y + |c_j|
    x: Array  # ()
    y: Array  # ()
    objective: Array  # ()


class Pair(NamedTuple):
    """A primal-dual pair with its products."""

    x: Array  # (n,) within the bounds
    y: Array  # (m,) of possible signs
    Ax: Array  # (m,)
    z: Array  # (n,) c - A'y
    row_terms: Array  # (m,) sum_j |a_ij x_j|
    column_terms: Array  # (n,) sum_i |a_ij y_i|


class Errors(NamedTuple):
    """(1), (2), (3)."""

    primal: Array  # ()
    dual: Array  # ()
    gap: Array  # ()

    def worst(self) -> Array:
        return jnp.maximum(jnp.maximum(self.primal, self.dual), self.gap)


def units(lp: Ranged) -> Units:
    """The units of (1) to (5)."""
    size = jnp.abs(lp.A)
    row, column = jnp.max(size, 1, initial=0.0), jnp.max(size, 0, initial=0.0)
    row, column = jnp.where(row > 0, row, 1.0), jnp.where(column > 0, column, 1.0)
    bound, cost = jnp.maximum(_size(lp.row_lower), _size(lp.row_upper)), jnp.abs(lp.c)
    largest = lambda a: jnp.max(a, initial=0.0)
    unit_x = _unit(jnp.maximum(largest(bound / row), largest(jnp.maximum(_size(lp.lower), _size(lp.upper)))))
    unit_y = _unit(largest(cost / column))
    unit_f = _unit(largest(cost) * unit_x)
    return Units(jnp.minimum(row, 1.0) * unit_x + bound, column * unit_y + cost, unit_x, unit_y, unit_f)


def possible(a: Array, low: Array, high: Array) -> Array:
    """Multipliers of signs that have a finite bound in `low <= . <= high`."""
    return jnp.where(low > -jnp.inf, jnp.maximum(a, 0.0), 0.0) + jnp.where(high < jnp.inf, jnp.minimum(a, 0.0), 0.0)


def pair(lp: Ranged, x: Array, y: Array) -> Pair:
    """The pair at x (n,) and y (m,), x clipped to the bounds and y to possible signs."""
    x, y, size = jnp.clip(x, lp.lower, lp.upper), possible(y, lp.row_lower, lp.row_upper), jnp.abs(lp.A)
    return Pair(x, y, matvec(lp.A, x), lp.c - matvec(lp.A.T, y), matvec(size, jnp.abs(x)), matvec(size.T, jnp.abs(y)))


def errors(lp: Ranged, unit: Units, at: Pair, rounding: float = 0.0) -> Errors:
    """The errors (1) to (3); what `rounding` eps of the terms explain is taken off first."""
    eps = float(jnp.finfo(at.x.dtype).eps)
    y_low, y_high = jnp.maximum(at.y, 0.0), jnp.maximum(-at.y, 0.0)
    z_low, z_high = jnp.maximum(at.z, 0.0), jnp.maximum(-at.z, 0.0)
    outside = jnp.maximum(jnp.maximum(lp.row_lower - at.Ax, at.Ax - lp.row_upper), 0.0)
    astray = jnp.where(lp.lower == -jnp.inf, z_low, 0.0) + jnp.where(lp.upper == jnp.inf, z_high, 0.0)
    gap = jnp.sum(y_low * jnp.abs(at.Ax - _finite(lp.row_lower)) + y_high * jnp.abs(at.Ax - _finite(lp.row_upper)))
    gap += jnp.sum(z_low * jnp.abs(at.x - _finite(lp.lower)) + z_high * jnp.abs(at.x - _finite(lp.upper)))
    gap_terms = jnp.sum(jnp.abs(lp.c * at.x)) + dot(jnp.abs(at.y), at.row_terms)

    def relative(excess: Array, terms: Array, size: Array) -> Array:
        known = jnp.minimum(rounding * eps * terms, eps**MOST_EXCUSED * size) if rounding else 0.0
        return jnp.maximum(excess - known, 0.0) / size

    return Errors(
        jnp.max(relative(outside, at.row_terms, unit.row), initial=0.0),
        jnp.max(relative(astray, at.column_terms, unit.column), initial=0.0),
        relative(gap, gap_terms, jnp.abs(dot(lp.c, at.x)) + unit.objective),
    )


def farkas(lp: Ranged, unit: Units, y: Array) -> tuple[Array, Array]:
    """The ray (m,) that y gives, and its error (4) as a proof that the program is infeasible."""
    y = possible(y, lp.row_lower, lp.row_upper)
    pull, terms = matvec(lp.A.T, y), matvec(jnp.abs(lp.A).T, jnp.abs(y))
    up, down = jnp.maximum(pull, 0.0), jnp.maximum(-pull, 0.0)
    rows = jnp.where(y > 0, y * _finite(lp.row_lower), y * _finite(lp.row_upper))
    columns = up * _finite(lp.upper) - down * _finite(lp.lower)
    margin = jnp.sum(rows) - jnp.sum(columns)
    reach = jnp.maximum(_size(lp.lower), _size(lp.upper))
    uncertain = _known(y) * (jnp.sum(jnp.abs(rows)) + dot(terms, reach))
    violation = jnp.where(lp.upper == jnp.inf, up, 0.0) + jnp.where(lp.lower == -jnp.inf, down, 0.0)
    return y, _ray_error(violation, terms, unit.x, margin, uncertain)


def recession(lp: Ranged, unit: Units, d: Array) -> tuple[Array, Array]:
    """The direction (n,) that d gives, and its error (5) as a proof that a feasible program is unbounded."""
    rises = jnp.where(lp.upper == jnp.inf, jnp.maximum(d, 0.0), 0.0)
    d = rises + jnp.where(lp.lower == -jnp.inf, jnp.minimum(d, 0.0), 0.0)
    pull, terms = matvec(lp.A, d), matvec(jnp.abs(lp.A), jnp.abs(d))
    cost = lp.c * d
    violation = jnp.where(lp.row_upper < jnp.inf, jnp.maximum(pull, 0.0), 0.0)
    violation += jnp.where(lp.row_lower > -jnp.inf, jnp.maximum(-pull, 0.0), 0.0)
    return d, _ray_error(violation, terms, unit.y, -jnp.sum(cost), _known(d) * jnp.sum(jnp.abs(cost)))


def _ray_error(violation: Array, terms: Array, unit: Array, margin: Array, uncertain: Array) -> Array:
    proves = (margin > uncertain) & jnp.isfinite(margin)
    relative = violation / jnp.where(terms > 0, terms, 1.0)
    near = violation * unit / jnp.where(proves, margin, 1.0)
    error = jnp.max(jnp.maximum(near, jnp.minimum(relative, jnp.cbrt(near) ** 2)), initial=0.0)
    return jnp.where(proves, error, jnp.inf)


def _known(a: Array) -> float:
    return ROUNDING * float(jnp.finfo(a.dtype).eps)


def _finite(bound: Array) -> Array:
    return jnp.where(jnp.isfinite(bound), bound, 0.0)


def _size(bound: Array) -> Array:
    return jnp.abs(_finite(bound))


def _unit(size: Array) -> Array:
    return jnp.where(size > 0, jnp.minimum(size, 1.0), 1.0)
