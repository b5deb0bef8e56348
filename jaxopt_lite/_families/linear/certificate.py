"""What proves an answer: relative errors of an optimal pair, of a Farkas ray, of a direction of recession.

Everything is measured on the program as it was given (`Ranged`), and a number at most the tolerance is a proof at that
tolerance; inf is none. Multipliers have SciPy's signs, y = d fun / d (row bound), and z = c - A'y are reduced costs: y_i
and z_j may be positive only at a finite lower bound, negative only at a finite upper one (there the multiplier of the
upper bound is z_j itself). A multiplier of an infinite row bound is put to zero, and x is clipped to its bounds, so that
these hold exactly and all error shows in what is measured.

*Units.* A program says the same in other units of its rows, columns, costs and right sides, and so must its certificate:
an error is told in units that the data themselves have. With |b_i| and |c_j| the sizes of a row's bound and of a cost,

    u_j = geometric mean of |b_i| / |a_ij| over the rows with b_i != 0, at least the least |x_j| within its bounds     (1)
    v_i = geometric mean of |c_j| / |a_ij| over the columns with c_j != 0                                              (2)
    r_i = |b_i| + mean of |a_ij| u_j,   s_j = |c_j| + mean of |a_ij| v_i,   f = geometric mean of |c_j| u_j            (3)

are the size of x_j at which rows begin to bind, that of y_i, and those of row i, of column j and of the objective (means
are over what is not zero). Multiply a row by t: r_i takes t, v_i takes 1/t, all else stays; columns, c and b alike. A
geometric mean, because one huge right side or cost hardly moves it. A variable without such a row takes its lesser bound
as its unit. What has no datum of its own (a variable of homogeneous rows alone) has a unit in proportion to the others, by
the least squares fit |a_ij| = 2^(rho_i - sigma_j) of the logarithms (Curtis & Reid 1972). The sizes of x and y excuse
nothing: an infeasible program has near solutions at infinity, and relative to |A| |x| these look good.

*Optimal.* With violations p_i of the rows and w_j of the dual (the part of z_j that has no finite bound to stand at),

    primal = max_i p_i / r_i,     dual = max_j w_j / s_j                                                               (4)
    gap    = (sum_i |y_i| |a_i x - bound_i| + sum_j |z_j| |x_j - bound_j|) / (|c'x| + f)                               (5)

where `bound` is the one at which the sign of the multiplier stands, and an infinite one counts as 0. The sum in (5) bounds
c'x - min and does not let terms cancel. At working precision the rounding of the sums may be taken off, but never more
than eps^(3/8) of the denominators; where the sums' own eps exceeds that, what is measured is an accident of rounding:
unless it clears the bound by more, it counts as no less.

*Infeasible* (Farkas 1902). For every x within its bounds y'Ax <= sup, and rows need y'Ax >= inf, both from finite bounds;
what is left of (A'y)_j at an infinite bound is the violation e_j. A point that (4) lets pass at `tol` needs less, by up to
tol sum_i |y_i| r_i, so that a ray proves something at this tolerance only by what exceeds that, and its rounding:

    margin = inf - sup - rounding - tol sum_i |y_i| r_i > 0                                                            (6)
    error  = max(sum_j f_j, max_j min(e_j / sum_i |a_ij y_i|, f_j^(2/3))),   f_j = e_j u_j / margin                    (7)

Every point that passes (4) then has some |x_j| >= u_j / error: no point of a size that the data know is both. The first
term of (7) says so, the second is free of units, and the third stands for it where the terms themselves vanish. A huge
bound enters sup as it is, with the rounding of (A'y)_j times that bound: a ray that relies on it is no ray.

*Unbounded, if feasible.* A direction d of the bounds' recession cone (exactly so) with c'd < 0 and violations e_i of
the rows' recession cone by Ad: the same with -c'd for inf - sup, s_j |d_j| for r_i |y_i|, v_i for u_j, and the terms
sum_j |a_ij d_j|. What is excused of the costs is excused of their sum along d: every y that passes (4) then has some
|y_i| >= v_i / error.

Where a pair and a ray both hold, the pair is a point that can be looked at, and wins.

The functions take arrays of JAX, or of NumPy with matrices of scipy.sparse for programs that are solved on the host.
"""

from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite.core.dense import matvec

ROUNDING = 16.0  # a sum counts as known to this many eps of its terms
SWEEPS = 4  # of Gauss-Seidel's; with no zeros in A one is exact
MOST_EXCUSED = 0.375  # the power of eps that bounds what rounding excuses: 1e-6, in float32 2.5e-3


class Units(NamedTuple):
    """Sizes that depend on the data alone: made once a problem."""

    row: Array  # (m,) r of (3)
    column: Array  # (n,) s of (3)
    x: Array  # (n,) u of (1)
    y: Array  # (m,) v of (2)
    objective: Array  # () f of (3)


class Pair(NamedTuple):
    """A primal-dual pair with its products."""

    x: Array  # (n,) within the bounds
    y: Array  # (m,) of possible signs
    Ax: Array  # (m,)
    z: Array  # (n,) c - A'y
    row_terms: Array  # (m,) sum_j |a_ij x_j|
    column_terms: Array  # (n,) sum_i |a_ij y_i|


class Errors(NamedTuple):
    """(4), (5)."""

    primal: Array  # ()
    dual: Array  # ()
    gap: Array  # ()

    def worst(self) -> Array:
        xp = _space(self.gap)
        return xp.maximum(xp.maximum(self.primal, self.dual), self.gap)


def units(lp: Ranged) -> Units:
    """(1) to (3)."""
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
    """rho (m,) and sigma (n,) with |a_ij| near 2^(rho_i - sigma_j): of A alone, for a batch with one A made once."""
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
    """Of unknowns (k,) and of the sums (l,) that they stand in, and which unknowns have a datum.

    `size` (k, l) are the coefficients, `there` and `logs` its pattern and logarithms, `known` (l,) the right sides. An
    unknown whose sums have none takes `own` (k,), and where that is zero what `scale` (k,) tells from the others; `least`
    (k,) is the least that it may have.
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
    """Where |A| is not zero, as numbers, and its logarithms there."""
    if hasattr(size, "tocsr"):
        there, logs = size.copy(), size.copy()
        there.data, logs.data = np.ones_like(size.data), _log(size.data)
        return there, logs
    return (size > 0).astype(size.dtype), _log(size)


def possible(a: Array, low: Array, high: Array) -> Array:
    """Multipliers of signs that have a finite bound in `low <= . <= high`."""
    xp = _space(a)
    return xp.where(low > -xp.inf, xp.maximum(a, 0.0), 0.0) + xp.where(high < xp.inf, xp.minimum(a, 0.0), 0.0)


def pair(lp: Ranged, x: Array, y: Array) -> Pair:
    """The pair at x (n,) and y (m,), x clipped to the bounds and y to possible signs."""
    xp, size = _space(x), abs(lp.A)
    x, y = xp.clip(x, lp.lower, lp.upper), possible(y, lp.row_lower, lp.row_upper)
    return Pair(x, y, _times(lp.A, x), lp.c - _times(lp.A.T, y), _times(size, xp.abs(x)), _times(size.T, xp.abs(y)))


def errors(lp: Ranged, unit: Units, at: Pair, rounding: float = 0.0) -> Errors:
    """The errors (4) and (5); what `rounding` eps of the terms explain is taken off first."""
    xp = _space(at.x)
    eps = float(np.finfo(at.x.dtype).eps)
    y_low, y_high = xp.maximum(at.y, 0.0), xp.maximum(-at.y, 0.0)
    z_low, z_high = xp.maximum(at.z, 0.0), xp.maximum(-at.z, 0.0)
    outside = xp.maximum(lp.row_lower - at.Ax, at.Ax - lp.row_upper)
    astray = xp.maximum(xp.where(lp.lower == -xp.inf, at.z, -xp.inf), xp.where(lp.upper == xp.inf, -at.z, -xp.inf))
    gap = xp.sum(y_low * xp.abs(at.Ax - finite(lp.row_lower)) + y_high * xp.abs(at.Ax - finite(lp.row_upper)))
    gap += xp.sum(z_low * xp.abs(at.x - finite(lp.lower)) + z_high * xp.abs(at.x - finite(lp.upper)))
    gap_terms = xp.sum(xp.abs(lp.c * at.x)) + xp.sum(xp.abs(at.y) * at.row_terms)

    def relative(excess: Array, terms: Array, size: Array) -> Array:
        most = eps**MOST_EXCUSED * size
        known = xp.minimum(rounding * eps * terms, most) if rounding else 0.0
        accident = xp.minimum(eps * terms - most, excess + eps * terms)
        left = xp.maximum(xp.maximum(excess - known, accident), 0.0)
        return left / xp.where(size > 0, size, float(np.finfo(at.x.dtype).tiny))

    return Errors(
        xp.max(relative(outside, at.row_terms, unit.row), initial=0.0),
        xp.max(relative(astray, at.column_terms, unit.column), initial=0.0),
        relative(gap, gap_terms, xp.abs(xp.sum(lp.c * at.x)) + unit.objective),
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
    """The functions for this array: of NumPy for one of NumPy, else of JAX."""
    return np if isinstance(a, np.ndarray | np.generic) else jnp


def _times(A: Any, x: Array) -> Array:
    return A @ x if isinstance(x, np.ndarray) else matvec(A, x)


def _ones(A: Any) -> Array:
    """Ones (n,) for A (m, n)."""
    xp = np if hasattr(A, "tocsr") else _space(A)
    return xp.ones(A.shape[1], A.dtype)


def _log(a: Array) -> Array:
    """The binary logarithm, linear between powers of two: what the bits of a number spell, to 0.09; 0 for 0."""
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
