"""The units of a program: sizes that follow from its data, in which its errors are measured.

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

*A convex quadratic program* has the rows P x = -c in (1) as well, and the costs |c_j| + mean of |p_jk| u_k in (2) and (3).

The functions take arrays of JAX. For programs that are solved on the host they take arrays of NumPy, and matrices of
scipy.sparse.
"""

from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxopt_lite._families.linear.normal import rowwise
from jaxopt_lite._families.linear.program import Ranged
from jaxopt_lite.core.dense import matvec

SWEEPS = 4  # of Gauss-Seidel; one is exact where A has no zeros


class Units(NamedTuple):
    """Sizes that follow from the data alone, computed once a problem."""

    row: Array  # (m,) r of (3)
    column: Array  # (n,) s of (3)
    x: Array  # (n,) u of (1)
    y: Array  # (m,) v of (2)
    objective: Array  # () f of (3)


class Stacked(NamedTuple):
    """Matrices one upon the other, which are not copied into one; for `times` and abs alone."""

    parts: tuple[Any, ...]

    def __abs__(self) -> "Stacked":
        return Stacked(tuple(map(abs, self.parts)))


def units(lp: Ranged) -> Units:
    """The units (1) to (3); of a quadratic program too."""
    if lp.P is not None:
        m = lp.A.shape[0]
        with_slopes = _units(flat(lp, lp.c))
        cost = space(lp.c).abs(lp.c) + _mean(lp.P, with_slopes.x)
        return _units(lp._replace(c=cost))._replace(x=with_slopes.x, row=with_slopes.row[:m])
    return _units(lp)


def flat(lp: Ranged, sides: Array) -> Ranged:
    """A linear program of the cost c whose rows are those of A and the equations P x = -sides."""
    xp = space(lp.c)
    lower, upper = (xp.concatenate([side, -sides]) for side in (lp.row_lower, lp.row_upper))
    return Ranged(lp.c, xp.concatenate([lp.A, lp.P]), lower, upper, lp.lower, lp.upper)


def _mean(A: Array, x: Array) -> Array:
    """(m,): the mean of |a_ij| x_j over what is not zero."""
    size = abs(A)
    there = (size > 0).astype(size.dtype)
    return times(size, x) / space(x).maximum(times(there, _ones(there)), 1.0)


def _units(lp: Ranged) -> Units:
    xp = space(lp.c)
    size = abs(lp.A)
    there, logs = _pattern(size)
    rho, sigma = _balance(there, logs)
    side, cost = xp.maximum(size_of(lp.row_lower), size_of(lp.row_upper)), xp.abs(lp.c)
    low, high = size_of(lp.lower), size_of(lp.upper)
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
    per_row, per_column = (space(ones).maximum(times(P, one), 1.0) for P, one in ((there, ones), (there.T, _ones(there.T))))
    row_logs, column_logs, sigma = times(logs, ones), times(logs.T, _ones(there.T)), 0.0 * ones
    for _ in range(SWEEPS):
        rho = (row_logs + times(there, sigma)) / per_row
        sigma = (times(there.T, rho) - column_logs) / per_column
    return rho, sigma


def _sizes(
    size: Any, there: Any, logs: Any, scale: Array, known: Array, own: Array, least: Array
) -> tuple[Array, Array, Array]:
    """The sizes of unknowns (k,), and of the sums (l,) that they stand in; and which unknowns have a datum, (k,) bool.

    `size` (k, l) are the coefficients, `there` and `logs` its pattern and logarithms, `known` (l,) the right sides. Where no
    sum of an unknown has a right side, its size is `own` (k,). Where that is zero too, `scale` (k,) gives it in proportion
    to the other unknowns. No size is less than `least` (k,).
    """
    xp = space(known)
    holds = (known > 0).astype(known.dtype)
    sums = times(there, xp.stack([_log(known), holds], 1))
    count = sums[:, 1]
    mean = (sums[:, 0] - times(logs, holds)) / xp.maximum(count, 1.0)
    datum = xp.where(count > 0, mean, _log(own))
    anchored = (count > 0) | (own > 0)
    weight = anchored.astype(known.dtype)
    typical = xp.sum(weight * (datum - scale)) / xp.maximum(xp.sum(weight), 1.0)
    unit = xp.maximum(_power(xp.where(anchored, datum, scale + typical)), least)
    return unit, known + times(size.T, unit) / xp.maximum(times(there.T, _ones(there.T)), 1.0), anchored


def _pattern(size: Any) -> tuple[Any, Any]:
    """Ones where |A| is not zero, and its logarithms there."""
    if hasattr(size, "tocsr"):
        there, logs = size.copy(), size.copy()
        there.data, logs.data = np.ones_like(size.data), _log(size.data)
        return there, logs
    return (size > 0).astype(size.dtype), _log(size)


def space(a: Any) -> ModuleType | Any:
    """The module whose functions take this array: NumPy, or jax.numpy."""
    return np if isinstance(a, np.ndarray | np.generic) else jnp


def times(A: Any, x: Array) -> Array:
    """A x."""
    if isinstance(A, Stacked):
        return space(x).concatenate([times(part, x) for part in A.parts])
    if isinstance(x, np.ndarray):
        return A @ x
    return rowwise(x, A) if x.ndim == 1 else matvec(A, x)


def back(A: Any, y: Array) -> Array:
    """A'y."""
    return A.T @ y if isinstance(y, np.ndarray) else jnp.dot(y, A, precision=lax.Precision.HIGHEST)


def _ones(A: Any) -> Array:
    """Ones (n,) for A (m, n)."""
    xp = np if hasattr(A, "tocsr") else space(A)
    return xp.ones(A.shape[1], A.dtype)


def _log(a: Array) -> Array:
    """The binary logarithm, linear between powers of two, read from the bits of the number: right to 0.09; 0 for 0."""
    kind = np.finfo(a.dtype)
    whole = np.int64 if kind.bits == 64 else np.int32
    bits = a.view(whole) if isinstance(a, np.ndarray) else lax.bitcast_convert_type(a, whole)
    return space(a).where(a > 0, bits.astype(a.dtype) / 2.0**kind.nmant - (kind.maxexp - 1), 0.0)


def _power(exponent: Array) -> Array:
    """The inverse of `_log`."""
    kind, xp = np.finfo(exponent.dtype), space(exponent)
    whole = np.int64 if kind.bits == 64 else np.int32
    spelled = xp.clip(exponent, kind.minexp, kind.maxexp - 2) + (kind.maxexp - 1)
    bits = (spelled * 2.0**kind.nmant).astype(whole)
    return bits.view(exponent.dtype) if xp is np else lax.bitcast_convert_type(bits, exponent.dtype)


def finite(bound: Array) -> Array:
    xp = space(bound)
    return xp.where(xp.isfinite(bound), bound, 0.0)


def size_of(bound: Array) -> Array:
    return space(bound).abs(finite(bound))
