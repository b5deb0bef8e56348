"""What proves an answer: relative errors of an optimal pair, of a Farkas ray, of a direction of recession.

All errors are measured on the program as it was given (`Ranged`). An error of at most the tolerance is a proof at that
tolerance; inf proves nothing. Multipliers have SciPy's signs, y = d fun / d (row bound), and z = c - A'y are the reduced
costs. y_i and z_j may be positive only at a finite lower bound, and negative only at a finite upper one (there z_j itself is
the multiplier of the upper bound). A multiplier of an infinite row bound is set to zero, and x is clipped to its bounds.
These conditions then hold exactly, and all error shows in the measured errors.

*Units.* A program says the same in other units of its rows, columns, costs and right sides, and its certificate must say the
same too. So an error is measured in units that follow from the data. With |b_i| and |c_j| the sizes of a row's bound and of
a cost,

    u_j = geometric mean of |b_i| / |a_ij| over the rows with b_i != 0, at least the least |x_j| within its bounds     (1)
    v_i = geometric mean of |c_j| / |a_ij| over the columns with c_j != 0                                              (2)
    r_i = |b_i| + mean of |a_ij| u_j,   s_j = |c_j| + mean of |a_ij| v_i,   f = geometric mean of |c_j| u_j            (3)

u_j is the size of x_j at which rows begin to bind, v_i that of y_i. r_i, s_j and f are the sizes of row i, of column j and
of the objective (means are over what is not zero). Multiply row i by t: r_i is multiplied by t, v_i by 1/t, and all else
stays; for columns, c and b likewise. The mean is geometric because one huge right side or cost hardly moves it. A variable
without such a row takes its lesser bound as its unit. A variable without any datum of its own (one of homogeneous rows
alone) gets a unit in proportion to the others, by the least squares fit |a_ij| = 2^(rho_i - sigma_j) of the logarithms
(Curtis & Reid 1972). The sizes of x and y excuse nothing: an infeasible program has near solutions at infinity, whose errors
relative to |A| |x| look small.

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
P d = 0 as well. With u of the rows A x and of P x = -c, and v of the costs |c_j| + mean of |p_jk| u_k, (3) gives the sizes. (8)

Where a pair and a ray both pass, the pair wins, because it is a point that can be looked at.

The functions take arrays of JAX. For programs that are solved on the host they take arrays of NumPy, and matrices of
scipy.sparse.
"""

from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite.core.dense import matvec

ROUNDING = 16.0  # a sum counts as exact to this many eps of its terms
SWEEPS = 4  # of Gauss-Seidel; one is exact where A has no zeros
MOST_EXCUSED = 0.375  # power of eps: rounding excuses no larger error than 1e-6, in float32 2.5e-3


class Units(NamedTuple):
    """Sizes that follow from the data alone, computed once a problem."""

    row: Array  # (m,) r of (3)
    column: Array  # (n,) s of (3)
    x: Array  # (n,) u of (1)
    y: Array  # (m,) v of (2)
    objective: Array  # () f of (3)


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
        xp = _space(self.gap)
        return xp.maximum(xp.maximum(self.primal, self.dual), self.gap)


def units(lp: Ranged) -> Units:
    """The units (1) to (3); of a quadratic program by (8)."""
    if lp.P is not None:
        m = lp.A.shape[0]
        with_slopes = _units(flat(lp, lp.c))
        cost = _space(lp.c).abs(lp.c) + _mean(lp.P, with_slopes.x)
        return _units(lp._replace(c=cost))._replace(x=with_slopes.x, row=with_slopes.row[:m])
    return _units(lp)


def flat(lp: Ranged, sides: Array) -> Ranged:
    """A linear program of the cost c whose rows are those of A and the equations P x = -sides."""
    xp = _space(lp.c)
    lower, upper = (xp.concatenate([side, -sides]) for side in (lp.row_lower, lp.row_upper))
    return Ranged(lp.c, xp.concatenate([lp.A, lp.P]), lower, upper, lp.lower, lp.upper)


def _mean(A: Array, x: Array) -> Array:
    """(m,): the mean of |a_ij| x_j over what is not zero."""
    size = abs(A)
    there = (size > 0).astype(size.dtype)
    return _times(size, x) / _space(x).maximum(_times(there, _ones(there)), 1.0)


def _units(lp: Ranged) -> Units:
    xp = _space(lp.c)
    size = abs(lp.A)
    there, logs = _pattern(size)
    rho, sigma = _balance(there, logs)
    side, cost = xp.maximum(_size(lp.row_lower), _size(lp.row_upper)), xp.abs(lp.c)
    low, high = _size(lp.lower), _size(lp.upper)
    least = xp.maximum(xp.maximum(lp.lower, -lp.upper), 0.0)
    nearer = xp.where((low > 0) & (high > 0), xp.minimum(low, high), xp.maximum(low, high))
    x, row, known = _sizes(size.T, there.T, logs.T, sigma, side, nearer, least)
    y, column, _ = _sizes(size, there, logs, -rho, cost, xp.zeros_like(side), xp.zeros_like(side))
    counts = ((cost > 0) & known).astype(cost.dtype)
    money = xp.sum(counts * (_log(cost) + _log(x))) / xp.maximum(xp.sum(counts), 1.0)
    return Units(row, column, x, y, _power(money))


def _balance(there: Any, logs: Any) -> tuple[Array, Array]:
    """rho (m,) and sigma (n,) with |a_ij| near 2^(rho_i - sigma_j): from A alone, so that a batch with one A shares them."""
    ones = _ones(there)
    per_row, per_column = (
        _space(ones).maximum(_times(P, one), 1.0) for P, one in ((there, ones), (there.T, _ones(there.T)))
    )
    row_logs, column_logs, sigma = _times(logs, ones), _times(logs.T, _ones(there.T)), 0.0 * ones
    for _ in range(SWEEPS):
        rho = (row_logs + _times(there, sigma)) / per_row
        sigma = (_times(there.T, rho) - column_logs) / per_column
    return rho, sigma


def _sizes(
    size: Any, there: Any, logs: Any, scale: Array, known: Array, own: Array, least: Array
) -> tuple[Array, Array, Array]:
    """The sizes of unknowns (k,), and of the sums (l,) that they stand in; and which unknowns have a datum, (k,) bool.

    `size` (k, l) are the coefficients, `there` and `logs` its pattern and logarithms, `known` (l,) the right sides. Where no
    sum of an unknown has a right side, its size is `own` (k,). Where that is zero too, `scale` (k,) gives it in proportion
    to the other unknowns. No size is less than `least` (k,).
    """
    xp = _space(known)
    holds = (known > 0).astype(known.dtype)
    sums = _times(there, xp.stack([_log(known), holds], 1))
    count = sums[:, 1]
    mean = (sums[:, 0] - _times(logs, holds)) / xp.maximum(count, 1.0)
    datum = xp.where(count > 0, mean, _log(own))
    anchored = (count > 0) | (own > 0)
    weight = anchored.astype(known.dtype)
    typical = xp.sum(weight * (datum - scale)) / xp.maximum(xp.sum(weight), 1.0)
    unit = xp.maximum(_power(xp.where(anchored, datum, scale + typical)), least)
    return unit, known + _times(size.T, unit) / xp.maximum(_times(there.T, _ones(there.T)), 1.0), anchored


def _pattern(size: Any) -> tuple[Any, Any]:
    """Ones where |A| is not zero, and its logarithms there."""
    if hasattr(size, "tocsr"):
        there, logs = size.copy(), size.copy()
        there.data, logs.data = np.ones_like(size.data), _log(size.data)
        return there, logs
    return (size > 0).astype(size.dtype), _log(size)


def possible(a: Array, low: Array, high: Array) -> Array:
    """The multipliers a; 0 where the bound that belongs to the sign, `low` or `high`, is infinite."""
    xp = _space(a)
    return xp.where(low > -xp.inf, xp.maximum(a, 0.0), 0.0) + xp.where(high < xp.inf, xp.minimum(a, 0.0), 0.0)


def pair(lp: Ranged, x: Array, y: Array) -> Pair:
    """The pair at x (n,) and y (m,), x clipped to the bounds and y to possible signs."""
    xp, size = _space(x), abs(lp.A)
    x, y = xp.clip(x, lp.lower, lp.upper), possible(y, lp.row_lower, lp.row_upper)
    slope, row_terms, column_terms = lp.slope(x), _times(size, xp.abs(x)), _times(size.T, xp.abs(y))
    if lp.P is not None:
        column_terms += _times(abs(lp.P), xp.abs(x))
    return Pair(x, y, _times(lp.A, x), slope, slope - _times(lp.A.T, y), row_terms, column_terms)


def errors(lp: Ranged, unit: Units, at: Pair, rounding: float = 0.0) -> Errors:
    """The errors (4) and (5), after `rounding` eps of the terms are subtracted."""
    xp = _space(at.x)
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
    xp = _space(y)
    y = possible(y, lp.row_lower, lp.row_upper)
    pull, terms = _times(lp.A.T, y), _times(abs(lp.A).T, xp.abs(y))
    up, down = xp.maximum(pull, 0.0), xp.maximum(-pull, 0.0)
    rows = xp.where(y > 0, y * finite(lp.row_lower), y * finite(lp.row_upper))
    columns = up * finite(lp.upper) - down * finite(lp.lower)
    reach = xp.maximum(_size(lp.lower), _size(lp.upper))
    uncertain = _known(y) * (xp.sum(xp.abs(rows)) + xp.sum(terms * reach)) + tol * xp.sum(xp.abs(y) * unit.row)
    violation = xp.where(lp.upper == xp.inf, up, 0.0) + xp.where(lp.lower == -xp.inf, down, 0.0)
    return y, _ray_error(violation, terms, unit.x, xp.sum(rows) - xp.sum(columns), uncertain)


def recession(lp: Ranged, unit: Units, d: Array, tol: Array | float) -> tuple[Array, Array]:
    """The direction (n,) that d gives, and its error as a proof that a feasible program is unbounded, at `tol`."""
    xp = _space(d)
    rises = xp.where(lp.upper == xp.inf, xp.maximum(d, 0.0), 0.0)
    d = rises + xp.where(lp.lower == -xp.inf, xp.minimum(d, 0.0), 0.0)
    pull, terms = _times(lp.A, d), _times(abs(lp.A), xp.abs(d))
    cost = lp.c * d
    violation = xp.where(lp.row_upper < xp.inf, xp.maximum(pull, 0.0), 0.0)
    violation += xp.where(lp.row_lower > -xp.inf, xp.maximum(-pull, 0.0), 0.0)
    uncertain = _known(d) * xp.sum(xp.abs(cost)) + tol * xp.sum(xp.abs(d) * unit.column)
    return d, _ray_error(violation, terms, unit.y, -xp.sum(cost), uncertain)


def _ray_error(violation: Array, terms: Array, unit: Array, value: Array, uncertain: Array) -> Array:
    xp = _space(violation)
    margin = value - uncertain
    proves = (margin > 0) & xp.isfinite(margin)
    relative = violation / xp.where(terms > 0, terms, 1.0)
    near = violation * unit / xp.where(proves, margin, 1.0)
    error = xp.maximum(xp.sum(near), xp.max(xp.minimum(relative, xp.cbrt(near) ** 2), initial=0.0))
    return xp.where(proves, error, xp.inf)


def _space(a: Any) -> ModuleType | Any:
    """The module whose functions take this array: NumPy, or jax.numpy."""
    return np if isinstance(a, np.ndarray | np.generic) else jnp


def _times(A: Any, x: Array) -> Array:
    return A @ x if isinstance(x, np.ndarray) else matvec(A, x)


def _ones(A: Any) -> Array:
    """Ones (n,) for A (m, n)."""
    xp = np if hasattr(A, "tocsr") else _space(A)
    return xp.ones(A.shape[1], A.dtype)


def _log(a: Array) -> Array:
    """The binary logarithm, linear between powers of two, read from the bits of the number: right to 0.09; 0 for 0."""
    kind = np.finfo(a.dtype)
    whole = np.int64 if kind.bits == 64 else np.int32
    bits = a.view(whole) if isinstance(a, np.ndarray) else lax.bitcast_convert_type(a, whole)
    return _space(a).where(a > 0, bits.astype(a.dtype) / 2.0**kind.nmant - (kind.maxexp - 1), 0.0)


def _power(exponent: Array) -> Array:
    """The inverse of `_log`."""
    kind, xp = np.finfo(exponent.dtype), _space(exponent)
    whole = np.int64 if kind.bits == 64 else np.int32
    spelled = xp.clip(exponent, kind.minexp, kind.maxexp - 2) + (kind.maxexp - 1)
    bits = (spelled * 2.0**kind.nmant).astype(whole)
    return bits.view(exponent.dtype) if xp is np else lax.bitcast_convert_type(bits, exponent.dtype)


def _known(a: Array) -> float:
    return ROUNDING * float(np.finfo(a.dtype).eps)


def finite(bound: Array) -> Array:
    xp = _space(bound)
    return xp.where(xp.isfinite(bound), bound, 0.0)


def _size(bound: Array) -> Array:
    return _space(bound).abs(finite(bound))
