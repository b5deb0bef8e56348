"""The form that the simplex method works on: equations with bounded variables, scaled, and its bases.

Every row gets a logical variable s_i (Maros, Computational Techniques of the Simplex Method, 2003, section 1.3):

    min c'x   with   A x + s = b,   l <= (x, s) <= u,                                               (1)

    s_i in [0, inf) for a row of A_ub,   s_i = 0 for a row of A_eq,   s_i free where b_ub = +inf.

The N = n + m columns of (A I) are kept as the rows of one array. A column is then a contiguous read, and y -> (A I)'y is one
product that lanes with the same A share. Bounds need no rows. A basis is a list of m columns B. A variable outside of it
stands at its lower bound, at its upper bound, or, if free, at zero.

Rows and columns are scaled by powers of two, so that scaling rounds nothing: some sweeps of geometric means
(Curtis & Reid 1972; Maros 2003, section 7.2), then columns to a greatest element near one. The right-hand side and the
bounds are divided by their geometric mean, and the costs by theirs: a single huge bound hardly moves a geometric mean.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxopt_lite._families.linear.program import LinearProgram, parted
from jaxopt_lite._families.linear.scaling import exact_power, power_of_two
from jaxopt_lite.core.dense import matvec

SWEEPS = 4  # of geometric scaling; further ones change little
LOWER, FREE, UPPER, BASIC = -1, 0, 1, 3  # places of a variable: negative at the lower, 1 and 2 at the upper bound
REFINEMENTS = 3  # the first one starts from zero
SHIFT = {True: 1e-6, False: 1e-3}  # relative move of bounds in float64 (True), else; greater than the tolerances
GOLDEN = 0.5 * 5.0**0.5 - 0.5  # the fractional parts of its multiples are spread evenly
SHIFTED = 2  # times LOWER or UPPER: the place of a variable at a bound that is moved outward


class BoundedForm(NamedTuple):
    """Problem (1), scaled: the true x is x * unit * column, the true y is y * row * price."""

    columns: Array  # (N, m) the columns of (A I), each a row
    cost: Array  # (N,)
    rhs: Array  # (m,)
    lower: Array  # (N,)
    upper: Array  # (N,)
    row: Array  # (m,) factors of the rows
    column: Array  # (n,) factors of the columns
    unit: Array  # () unit of x
    price: Array  # () unit of c


def bounded_form(lp: LinearProgram) -> BoundedForm:
    """The scaled form; a program without rows gets an empty one, 0'x = 0."""
    n, p, q = lp.c.shape[0], lp.b_ub.shape[0], lp.b_eq.shape[0]
    dtype = lp.c.dtype
    void = 1 if p + q == 0 else 0
    A = jnp.concatenate([lp.A_ub, lp.A_eq, jnp.zeros((void, n), dtype)])
    m = p + q + void
    row, column = _factors(A)
    A = A * row[:, None] * column[None, :]
    absent = lp.b_ub == jnp.inf
    rhs = jnp.concatenate([jnp.where(absent, 0.0, lp.b_ub), lp.b_eq, jnp.zeros(void, dtype)]) * row
    lower = jnp.concatenate([lp.lower / column, jnp.where(absent, -jnp.inf, 0.0), jnp.zeros(q + void, dtype)])
    upper = jnp.concatenate([lp.upper / column, jnp.full(p, jnp.inf, dtype), jnp.zeros(q + void, dtype)])
    unit = _typical(rhs, lower, upper)
    cost = jnp.concatenate([lp.c * column, jnp.zeros(m, dtype)])
    price = _typical(cost)
    columns = jnp.concatenate([A.T, jnp.eye(m, dtype=dtype)])
    return BoundedForm(columns, cost / price, rhs / unit, lower / unit, upper / unit, row, column, unit, price)


def original(form: BoundedForm, x: Array) -> Array:
    """The first n of scaled variables (N,) in the user's units."""
    return x[: form.column.shape[0]] * form.column * form.unit


def original_prices(form: BoundedForm, y: Array, rows: int) -> Array:
    """Scaled multipliers (m,) in the user's units, without a row that `bounded_form` has added."""
    return parted(y * form.row * form.price, rows)[0]


def moved(form: BoundedForm, rounds: Array) -> tuple[Array, Array]:
    """The bounds (N,), moved outward by one to two times SHIFT (1 + |bound|), at random; each round has other numbers."""
    size, dtype = form.cost.shape[0], form.cost.dtype
    number = jnp.asarray(np.random.default_rng(size).random(size), dtype) + GOLDEN * rounds.astype(dtype)
    part = SHIFT[dtype == jnp.float64] * (1.0 + number - jnp.floor(number))
    out = lambda bound: part * (1.0 + jnp.abs(jnp.where(jnp.isfinite(bound), bound, 0.0)))
    return form.lower - out(form.lower), form.upper + out(form.upper)


def stand(form: BoundedForm, place: Array, rounds: Array) -> Array:
    """The values (N,) of variables at these places; zero where free or basic."""
    lower, upper = moved(form, rounds)
    low = jnp.where(place == LOWER, form.lower, lower)
    high = jnp.where(place == UPPER, form.upper, upper)
    return jnp.where(place < FREE, low, jnp.where((place > FREE) & (place < BASIC), high, 0.0))


def first_place(form: BoundedForm) -> Array:
    """The first places: structural variables at a finite bound, the lower one of two; logical variables in the basis."""
    n = form.column.shape[0]
    place = jnp.where(jnp.isfinite(form.lower), LOWER, jnp.where(jnp.isfinite(form.upper), UPPER, FREE))
    return jnp.where(jnp.arange(form.cost.shape[0]) < n, place, BASIC).astype(jnp.int32)


def inverted(form: BoundedForm, basis: Array) -> tuple[Array, Array]:
    """B^{-1} (m, m) by elimination with row exchanges, and () whether B is regular to working precision."""
    m = basis.shape[0]
    lu, order = jax.scipy.linalg.lu_factor(form.columns[basis].T)
    inverse = jax.scipy.linalg.lu_solve((lu, order), jnp.eye(m, dtype=lu.dtype))
    size = jnp.abs(jnp.diagonal(lu))
    return inverse, jnp.all(jnp.isfinite(inverse)) & (jnp.min(size) > jnp.finfo(lu.dtype).eps * jnp.max(size))


def solved(form: BoundedForm, inverse: Array, basis: Array, x: Array) -> Array:
    """x (N,) with the basic part that solves (A I) x = b. Each refinement multiplies the error by that of B^{-1}."""
    for _ in range(REFINEMENTS):
        residual = form.rhs - matvec(form.columns.T, x)
        x = x.at[basis].add(matvec(inverse, residual))
    return x


def multipliers(form: BoundedForm, inverse: Array, basis: Array, gradient: Array) -> Array:
    """y (m,) with B'y = gradient (m,) of the basic variables."""
    B = form.columns[basis]  # B' by rows
    y = jnp.zeros_like(gradient)
    for _ in range(REFINEMENTS):
        y = y + matvec(inverse.T, gradient - matvec(B, y))
    return y


def refined(form: BoundedForm, inverse: Array, basis: Array, entering: Array, alpha: Array) -> Array:
    """alpha (m,) = B^{-1} a_q after one refinement, which squares its error: a direction of recession is only as exact."""
    residual = form.columns[entering] - matvec(form.columns[basis].T, alpha)
    return alpha + matvec(inverse, residual)


def _factors(A: Array) -> tuple[Array, Array]:
    """Powers of two for rows and columns."""
    m, n = A.shape
    size = jnp.abs(A)
    row, column = jnp.ones(m, A.dtype), jnp.ones(n, A.dtype)

    def middle(scaled: Array, axis: int) -> Array:
        least = jnp.min(jnp.where(scaled > 0, scaled, jnp.inf), axis=axis)
        most = jnp.max(scaled, axis=axis)
        return jnp.where(most > 0, jnp.sqrt(least) * jnp.sqrt(most), 1.0)

    for _ in range(SWEEPS):
        row = row / middle(size * row[:, None] * column[None, :], 1)
        column = column / middle(size * row[:, None] * column[None, :], 0)
    most = jnp.max(size * row[:, None] * column[None, :], axis=0)
    column = column / jnp.where(most > 0, most, 1.0)
    return power_of_two(row), power_of_two(column)


def _typical(*parts: Array) -> Array:
    """The geometric mean of the entries that are neither zero nor infinite, as a power of two; 1 where there are none.

    Part by part: joined, they would be the largest array that a batch holds before its loop, 2 KB a lane of 40 x 80 numbers.
    """
    logs = count = jnp.zeros((), parts[0].dtype)
    for part in parts:
        size = jnp.abs(part)
        counts = (size > 0) & jnp.isfinite(size)
        logs += jnp.sum(jnp.where(counts, jnp.log2(jnp.where(counts, size, 1.0)), 0.0))
        count += jnp.sum(counts.astype(part.dtype))
    return exact_power(logs / jnp.maximum(count, 1.0))
