"""What proves an answer: relative errors of an optimal pair, of a Farkas ray, of a direction of recession.

All errors are measured on the program as it was given (`Ranged`), in units that follow from its data (`units.py`, (1) to
(3)). An error of at most the tolerance is a proof at that tolerance; inf proves nothing. Multipliers have SciPy's signs,
y = d fun / d (row bound), and z = c - A'y are the reduced costs. y_i and z_j may be positive only at a finite lower bound,
and negative only at a finite upper one (there z_j itself is the multiplier of the upper bound). A multiplier of an infinite
row bound is set to zero, and x is clipped to its bounds. These conditions then hold exactly, and all error shows in the
measured errors.

*Optimal.* With violations p_i of the rows and w_j of the dual (the part of z_j that has no finite bound to stand at),

    primal = max_i p_i / r_i,     dual = max_j w_j / s_j                                                               (4)
    gap    = (sum_i |y_i| |a_i x - bound_i| + sum_j |z_j| |x_j - bound_j|) / (|c'x| + f)                               (5)

`bound` is the bound that belongs to the sign of the multiplier; an infinite one counts as 0. The sum in (5) bounds c'x - min
and does not let terms cancel. At working precision the rounding of the sums may be subtracted, but never more than eps^(3/8)
of the denominators. Where the eps of the sums is larger than that, a small measured error is an accident of rounding: it
counts as no less than that eps, unless the bound is cleared by more than that eps.

*Infeasible* (Farkas 1902). For every x within its bounds y'Ax <= sup, and the rows need y'Ax >= inf; sup and inf both come
from finite bounds. The part of (A'y)_j that meets an infinite bound is the violation e_j. A point that passes (4) at `tol`
may miss its rows, and needs less than inf by up to tol sum_i |y_i| r_i. So a ray proves something at this tolerance only by
what exceeds that sum and its own rounding:

    margin = inf - sup - rounding - tol sum_i |y_i| r_i > 0                                                            (6)
    error  = max(sum_j f_j, max_j min(e_j / sum_i |a_ij y_i|, f_j^(2/3))),   f_j = e_j u_j / margin                    (7)

Every point that passes (4) then has some |x_j| >= u_j / error: no point of a size that the data suggest passes it. The first
term of (7) says so. The second has no units, and the third takes its place where the terms |a_ij y_i| vanish. A huge bound
enters sup as it is, with the rounding of (A'y)_j times that bound. So a ray that relies on a huge bound proves nothing.

*Unbounded, if feasible.* Let d be a direction in the recession cone of the bounds (exactly so) with c'd < 0, and e_i the
violations of the rows' recession cone by Ad. The error is that of a Farkas ray, with -c'd for inf - sup, s_j |d_j| for
r_i |y_i|, v_i for u_j, and the terms sum_j |a_ij d_j|. The tolerance on the costs is counted by their sum along d. Every y
that passes (4) then has some |y_i| >= v_i / error.

*A convex quadratic program.* x is optimal where it is optimal for the linear program of the cost c + P x, and (4) and (5)
are those of this program. The directions along which it falls without limit are those of the linear program with the rows
P d = 0 as well (`flat`).

*Length of a ray.* A ray has none: it is brought to a largest entry between 1/2 and 1, by a power of two, before it is
judged. A ray of 1e-33 would prove what it likes in float32, where XLA sets a violation below 1e-38 to zero.

Where a pair and a ray both pass, the pair wins, because it is a point that can be looked at.

The functions take arrays of JAX. For programs that are solved on the host they take arrays of NumPy, and matrices of
scipy.sparse.
"""

from typing import NamedTuple

import numpy as np
from jax import Array

from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite._families.linear.units import Units, back, finite, size_of, space, times

ROUNDING = 16.0  # a sum counts as exact to this many eps of its terms
MOST_EXCUSED = 0.375  # power of eps: rounding excuses no larger error than 1e-6, in float32 2.5e-3


class Pair(NamedTuple):
    """A primal-dual pair, and its products with A."""

    x: Array  # (n,) within the bounds
    y: Array  # (m,) with signs that have a finite bound
    Ax: Array  # (m,)
    slope: Array  # (n,) of the objective: c, and P x of a quadratic program
    z: Array  # (n,) slope - A'y
    row_terms: Array  # (m,) sum_j |a_ij x_j|
    column_terms: Array  # (n,) sum_i |a_ij y_i|


class Errors(NamedTuple):
    """The errors (4) and (5)."""

    primal: Array  # ()
    dual: Array  # ()
    gap: Array  # ()

    def worst(self) -> Array:
        xp = space(self.gap)
        return xp.maximum(xp.maximum(self.primal, self.dual), self.gap)


def possible(a: Array, low: Array, high: Array) -> Array:
    """The multipliers a; 0 where the bound that belongs to the sign, `low` or `high`, is infinite."""
    xp = space(a)
    return xp.where(low > -xp.inf, xp.maximum(a, 0.0), 0.0) + xp.where(high < xp.inf, xp.minimum(a, 0.0), 0.0)


def pair(lp: Ranged, x: Array, y: Array) -> Pair:
    """The pair at x (n,) and y (m,), x clipped to the bounds and y to possible signs."""
    xp, size = space(x), abs(lp.A)
    x, y = xp.clip(x, lp.lower, lp.upper), possible(y, lp.row_lower, lp.row_upper)
    slope, row_terms, column_terms = lp.slope(x), times(size, xp.abs(x)), back(size, xp.abs(y))
    if lp.P is not None:
        column_terms += times(abs(lp.P), xp.abs(x))
    return Pair(x, y, times(lp.A, x), slope, slope - back(lp.A, y), row_terms, column_terms)


def errors(lp: Ranged, unit: Units, at: Pair, rounding: float = 0.0) -> Errors:
    """The errors (4) and (5), after `rounding` eps of the terms are subtracted."""
    xp = space(at.x)
    eps = float(np.finfo(at.x.dtype).eps)
    y_low, y_high = xp.maximum(at.y, 0.0), xp.maximum(-at.y, 0.0)
    z_low, z_high = xp.maximum(at.z, 0.0), xp.maximum(-at.z, 0.0)
    outside = xp.maximum(lp.row_lower - at.Ax, at.Ax - lp.row_upper)
    astray = xp.maximum(xp.where(lp.lower == -xp.inf, at.z, -xp.inf), xp.where(lp.upper == xp.inf, -at.z, -xp.inf))
    gap = xp.sum(y_low * xp.abs(at.Ax - finite(lp.row_lower)) + y_high * xp.abs(at.Ax - finite(lp.row_upper)))
    gap += xp.sum(z_low * xp.abs(at.x - finite(lp.lower)) + z_high * xp.abs(at.x - finite(lp.upper)))
    gap_terms = xp.sum(xp.abs(at.slope * at.x)) + xp.sum(xp.abs(at.y) * at.row_terms)

    def relative(excess: Array, terms: Array, size: Array) -> Array:
        most = eps**MOST_EXCUSED * size
        known = xp.minimum(rounding * eps * terms, most) if rounding else 0.0
        accident = xp.minimum(eps * terms - most, excess + eps * terms)
        left = xp.maximum(xp.maximum(excess - known, accident), 0.0)
        return left / xp.where(size > 0, size, float(np.finfo(at.x.dtype).tiny))

    return Errors(
        xp.max(relative(outside, at.row_terms, unit.row), initial=0.0),
        xp.max(relative(astray, at.column_terms, unit.column), initial=0.0),
        relative(gap, gap_terms, xp.abs(xp.sum(at.slope * at.x)) + unit.objective),
    )


def farkas(lp: Ranged, unit: Units, y: Array, tol: Array | float) -> tuple[Array, Array]:
    """The ray (m,) that y gives, and its error (7) as a proof that the program is infeasible, at `tol`."""
    xp = space(y)
    y = _of_length_one(possible(y, lp.row_lower, lp.row_upper))
    pull, terms = back(lp.A, y), back(abs(lp.A), xp.abs(y))
    up, down = xp.maximum(pull, 0.0), xp.maximum(-pull, 0.0)
    rows = xp.where(y > 0, y * finite(lp.row_lower), y * finite(lp.row_upper))
    columns = up * finite(lp.upper) - down * finite(lp.lower)
    reach = xp.maximum(size_of(lp.lower), size_of(lp.upper))
    uncertain = _known(y) * (xp.sum(xp.abs(rows)) + xp.sum(terms * reach)) + tol * xp.sum(xp.abs(y) * unit.row)
    violation = xp.where(lp.upper == xp.inf, up, 0.0) + xp.where(lp.lower == -xp.inf, down, 0.0)
    return y, _ray_error(violation, terms, unit.x, xp.sum(rows) - xp.sum(columns), uncertain)


def recession(lp: Ranged, unit: Units, d: Array, tol: Array | float) -> tuple[Array, Array]:
    """The direction (n,) that d gives, and its error as a proof that a feasible program is unbounded, at `tol`."""
    xp = space(d)
    rises = xp.where(lp.upper == xp.inf, xp.maximum(d, 0.0), 0.0)
    d = _of_length_one(rises + xp.where(lp.lower == -xp.inf, xp.minimum(d, 0.0), 0.0))
    pull, terms = times(lp.A, d), times(abs(lp.A), xp.abs(d))
    cost = lp.c * d
    violation = xp.where(lp.row_upper < xp.inf, xp.maximum(pull, 0.0), 0.0)
    violation += xp.where(lp.row_lower > -xp.inf, xp.maximum(-pull, 0.0), 0.0)
    uncertain = _known(d) * xp.sum(xp.abs(cost)) + tol * xp.sum(xp.abs(d) * unit.column)
    return d, _ray_error(violation, terms, unit.y, -xp.sum(cost), uncertain)


def _of_length_one(ray: Array) -> Array:
    """The ray, times a power of two, which rounds nothing; its largest entry is then between 1/2 and 1."""
    xp = space(ray)
    _, power = xp.frexp(xp.max(xp.abs(ray), initial=0.0))
    most = -np.finfo(ray.dtype).minexp  # 2^most and its inverse are normal numbers
    return ray * xp.ldexp(ray.dtype.type(1), -xp.clip(power, -most, most))


def _ray_error(violation: Array, terms: Array, unit: Array, value: Array, uncertain: Array) -> Array:
    xp = space(violation)
    margin = value - uncertain
    proves = (margin > 0) & xp.isfinite(margin)
    relative = violation / xp.where(terms > 0, terms, 1.0)
    near = violation * unit / xp.where(proves, margin, 1.0)
    error = xp.maximum(xp.sum(near), xp.max(xp.minimum(relative, xp.cbrt(near) ** 2), initial=0.0))
    return xp.where(proves, error, xp.inf)


def _known(a: Array) -> float:
    return ROUNDING * float(np.finfo(a.dtype).eps)
