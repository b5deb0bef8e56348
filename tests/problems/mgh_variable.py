"""The variable-dimension problems of More, Garbow and Hillstrom: numbers 20 to 35, each a factory of its dimension n.

As in `tests.problems.mgh`, each is f(x) = sum_i r_i(x)**2, given by its residual; j and i count from 1 in the formulas
as in the paper. Where the minimizer has a closed form or is the root of one polynomial it is computed here for every n,
with NumPy; where the paper only prints a value for some n, `MINIMIZER` holds the point for those n, polished in
float64, and for other n the minimizer is not given.

Same reference as `tests.problems.mgh`.
"""

import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import Array

from .minimizers import MINIMIZER
from .problem import Point, Problem, count, least_squares, repeat

PENALTY_WEIGHT = 1e-5  # the paper's a of problems 23 and 24


def watson(n: int) -> Problem:
    """20 (2 <= n <= 31, m = 31): a polynomial for y' - y**2 = 1; ill conditioned from n = 9 on."""

    def residual(x: Array) -> Array:
        t = count(1, 29, x) / 29.0
        powers = jnp.stack([t**j for j in range(n)])  # (n, 29)
        value = jnp.sum(x[:, None] * powers, axis=0)
        slope = jnp.sum((count(1, n - 1, x) * x[1:])[:, None] * powers[:-1], axis=0)
        return jnp.concatenate([slope - jnp.square(value) - 1.0, jnp.stack([x[0], x[1] - x[0] ** 2 - 1.0])])

    known = {
        6: (0.002287670053552427, "2.28767e-3"),
        9: (1.399760138095556e-06, "1.39976e-6"),
        12: (4.722381105350062e-10, "4.72238e-10"),
    }
    fun_star, published = known.get(n, (None, None))
    return _mgh(20, "watson", n, residual, (0.0,), fun_star, published=published, tags="badly_scaled")


def extended_rosenbrock(n: int) -> Problem:
    """21 (n even): n/2 separate Rosenbrock functions."""

    def residual(x: Array) -> Array:
        return jnp.concatenate([10.0 * (x[1::2] - jnp.square(x[::2])), 1.0 - x[::2]])

    return _mgh(21, "extended_rosenbrock", n, residual, (-1.2, 1.0), x_star=repeat((1.0,), n))


def extended_powell_singular(n: int) -> Problem:
    """22 (n a multiple of 4): n/4 separate Powell singular functions."""

    def residual(x: Array) -> Array:
        a, b, c, d = x[::4], x[1::4], x[2::4], x[3::4]
        linear = [a + 10.0 * b, math.sqrt(5.0) * (c - d)]
        return jnp.concatenate([*linear, jnp.square(b - 2.0 * c), math.sqrt(10.0) * jnp.square(a - d)])

    start = (3.0, -1.0, 0.0, 1.0)
    return _mgh(22, "extended_powell_singular", n, residual, start, x_star=repeat((0.0,), n), tags="singular")


def penalty_1(n: int) -> Problem:
    """23: sqrt(a) (x_j - 1) and sum x_j**2 - 1/4; nearly flat along the sphere of radius 1/2.

    At the minimizer all x_j = s with a (s - 1) + 2 s (n s**2 - 1/4) = 0, the gradient divided by two.
    """

    def residual(x: Array) -> Array:
        return jnp.append(math.sqrt(PENALTY_WEIGHT) * (x - 1.0), jnp.sum(jnp.square(x)) - 0.25)

    s = _positive_root([2.0 * n, 0.0, PENALTY_WEIGHT - 0.5, -PENALTY_WEIGHT], near=0.5 / math.sqrt(n))
    fun_star = PENALTY_WEIGHT * n * (s - 1.0) ** 2 + (n * s**2 - 0.25) ** 2
    published = {4: "2.24997e-5", 10: "7.08765e-5"}.get(n)
    x0 = tuple(float(j) for j in range(1, n + 1))
    x_star = repeat((s,), n)
    return _mgh(23, "penalty_1", n, residual, x0, fun_star, x_star=x_star, published=published, tags="badly_scaled")


def penalty_2(n: int) -> Problem:
    """24 (m = 2n): x_1 - 1/5; sqrt(a) (e_j + e_{j-1} - y_j) and sqrt(a) (e_j - exp(-1/10)), j = 2 ... n; and
    sum_j (n - j + 1) x_j**2 - 1, where e_j = exp(x_j / 10) and y_j = exp(j/10) + exp((j - 1)/10)."""

    def residual(x: Array) -> Array:
        j = count(1, n, x)
        e, grown = jnp.exp(x / 10.0), jnp.exp(j / 10.0)
        pairs = e[1:] + e[:-1] - (grown[1:] + grown[:-1])
        small = math.sqrt(PENALTY_WEIGHT) * jnp.concatenate([pairs, e[1:] - math.exp(-0.1)])
        sphere = jnp.sum((n + 1.0 - j) * jnp.square(x)) - 1.0
        return jnp.concatenate([jnp.stack([x[0] - 0.2]), small, jnp.stack([sphere])])

    fun_star, published = {4: (9.376293007355439e-06, "9.37629e-6"), 10: (0.00029366053745674605, "2.93660e-4")}.get(
        n, (None, None)
    )
    return _mgh(24, "penalty_2", n, residual, (0.5,), fun_star, published=published, tags="badly_scaled")


def variably_dimensioned(n: int) -> Problem:
    """25: x_j - 1, then s = sum_j j (x_j - 1), then s**2."""

    def residual(x: Array) -> Array:
        s = jnp.sum(count(1, n, x) * (x - 1.0))
        return jnp.concatenate([x - 1.0, jnp.stack([s, s**2])])

    x0 = tuple(1.0 - j / n for j in range(1, n + 1))
    return _mgh(25, "variably_dimensioned", n, residual, x0, x_star=repeat((1.0,), n))


def trigonometric(n: int) -> Problem:
    """26: n - sum_j cos x_j + i (1 - cos x_i) - sin x_i; from the start most methods reach a local minimum."""

    def residual(x: Array) -> Array:
        cos = jnp.cos(x)
        return n - jnp.sum(cos) + count(1, n, x) * (1.0 - cos) - jnp.sin(x)

    minima = {10: (2.7950561218804128e-05,)}.get(n, ())
    x_star = repeat((0.0,), n)
    return _mgh(26, "trigonometric", n, residual, (1.0 / n,), x_star=x_star, minima=minima, tags="nonunique")


def brown_almost_linear(n: int) -> Problem:
    """27: x_i + sum_j x_j - (n + 1) for i < n, and prod_j x_j - 1.

    Zero at (s, ..., s, s**(1 - n)) for each root s of n s**n - (n + 1) s**(n - 1) + 1, s = 1 among them.
    """

    def residual(x: Array) -> Array:
        # Multiplied one by one: the derivative of `jnp.prod` would run a scan.
        product = math.prod(x[j] for j in range(n))
        return jnp.append(x[:-1] + jnp.sum(x) - (n + 1.0), product - 1.0)

    known = {"x_star": repeat((1.0,), n), "minima": (1.0,)}
    return _mgh(27, "brown_almost_linear", n, residual, (0.5,), tags="nonunique", **known)


def discrete_boundary_value(n: int) -> Problem:
    """28: 2 x_i - x_{i-1} - x_{i+1} + h**2 (x_i + t_i + 1)**3 / 2, t_i = i h, h = 1/(n + 1), x_0 = x_{n+1} = 0."""
    h = 1.0 / (n + 1)

    def residual(x: Array) -> Array:
        padded = jnp.pad(x, 1)
        cubic = (x + h * count(1, n, x) + 1.0) ** 3
        return 2.0 * x - padded[:-2] - padded[2:] + h**2 * cubic / 2.0

    return _mgh(28, "discrete_boundary_value", n, residual, _parabola(n))


def discrete_integral_equation(n: int) -> Problem:
    """29: x_i + h/2 [(1 - t_i) sum_{j<=i} t_j c_j + t_i sum_{j>i} (1 - t_j) c_j], c_j = (x_j + t_j + 1)**3."""
    h = 1.0 / (n + 1)

    def residual(x: Array) -> Array:
        t = h * count(1, n, x)
        cubic = (x + t + 1.0) ** 3
        up_to = jnp.cumsum(t * cubic)
        beyond = jnp.sum((1.0 - t) * cubic) - jnp.cumsum((1.0 - t) * cubic)
        return x + h / 2.0 * ((1.0 - t) * up_to + t * beyond)

    return _mgh(29, "discrete_integral_equation", n, residual, _parabola(n))


def broyden_tridiagonal(n: int) -> Problem:
    """30: (3 - 2 x_i) x_i - x_{i-1} - 2 x_{i+1} + 1, x_0 = x_{n+1} = 0."""

    def residual(x: Array) -> Array:
        padded = jnp.pad(x, 1)
        return (3.0 - 2.0 * x) * x - padded[:-2] - 2.0 * padded[2:] + 1.0

    return _mgh(30, "broyden_tridiagonal", n, residual, (-1.0,))


def broyden_banded(n: int) -> Problem:
    """31: x_i (2 + 5 x_i**2) + 1 - sum_j x_j (1 + x_j), over j from i - 5 to i + 1 without i and within 1 ... n."""
    rows, columns = np.indices((n, n))
    offset = columns - rows
    band = (offset >= -5) & (offset <= 1) & (offset != 0)

    def residual(x: Array) -> Array:
        near = jnp.sum(jnp.where(band, (x * (1.0 + x))[None, :], 0.0), axis=1)
        return x * (2.0 + 5.0 * jnp.square(x)) + 1.0 - near

    return _mgh(31, "broyden_banded", n, residual, (-1.0,))


def linear_full_rank(n: int, m: int | None = None) -> Problem:
    """32 (m >= n): x_i - 2 s/m - 1 for i <= n and -2 s/m - 1 beyond, s = sum_j x_j; least (m - n) at all -1."""
    m = m or n

    def residual(x: Array) -> Array:
        return jnp.pad(x, (0, m - n)) - 2.0 / m * jnp.sum(x) - 1.0

    return _mgh(32, "linear_full_rank", n, residual, (1.0,), float(m - n), x_star=repeat((-1.0,), n), tags="convex")


def linear_rank_1(n: int, m: int | None = None) -> Problem:
    """33 (m >= n): i s - 1, s = sum_j j x_j; least wherever s = 3/(2m + 1)."""
    m = m or n

    def residual(x: Array) -> Array:
        return count(1, m, x) * jnp.sum(count(1, n, x) * x) - 1.0

    x_star = (3.0 / (2 * m + 1), *repeat((0.0,), n - 1))
    fun_star = m * (m - 1) / (2.0 * (2 * m + 1))
    tags = "convex singular nonunique"
    return _mgh(33, "linear_rank_1", n, residual, (1.0,), fun_star, x_star=x_star, tags=tags)


def linear_rank_1_zeros(n: int, m: int | None = None) -> Problem:
    """34 (m >= n >= 3): (i - 1) s - 1, s = sum_{j=2}^{n-1} j x_j, and -1 at i = 1, m; least where s = 3/(2m - 3)."""
    m = m or n

    def residual(x: Array) -> Array:
        s = jnp.sum(count(2, n - 1, x) * x[1:-1])
        return jnp.pad(count(1, m - 2, x) * s, 1) - 1.0

    x_star = (0.0, 1.5 / (2 * m - 3), *repeat((0.0,), n - 2))
    fun_star = (m**2 + 3 * m - 6) / (2.0 * (2 * m - 3))
    tags = "convex singular nonunique"
    return _mgh(34, "linear_rank_1_zeros", n, residual, (1.0,), fun_star, x_star=x_star, tags=tags)


def chebyquad(n: int) -> Problem:
    """35 (m = n): mean_j T_i(2 x_j - 1) - integral of T_i(2 t - 1) over [0, 1], T_i Chebyshev's polynomial of degree i.

    The integral is 0 for odd i and -1/(i**2 - 1) for even i. Any permutation of a minimizer is another.
    """

    def residual(x: Array) -> Array:
        y = 2.0 * x - 1.0
        chebyshev = [jnp.ones_like(y), y]
        for _ in range(n - 1):
            chebyshev.append(2.0 * y * chebyshev[-1] - chebyshev[-2])
        integral = [0.0 if i % 2 else -1.0 / (i**2 - 1.0) for i in range(1, n + 1)]
        return jnp.stack([jnp.mean(t) - c for t, c in zip(chebyshev[1:], integral, strict=True)])

    zero = (0.0, None)  # the equal-weight quadrature exists
    known = {n: zero for n in (1, 2, 3, 4, 5, 6, 7, 9)} | {
        8: (0.0035168737256779364, "3.51687e-3"),
        10: (0.006503954800882315, "6.50395e-3"),
    }
    fun_star, published = known.get(n, (None, None))
    x0 = tuple(j / (n + 1) for j in range(1, n + 1))
    return _mgh(35, "chebyquad", n, residual, x0, fun_star, published=published, tags="nonunique")


def _mgh(
    number: int,
    family: str,
    n: int,
    residual: Callable[[Array], Array],
    start: Point,
    fun_star: float | None = 0.0,
    *,
    x_star: Point | None = None,
    tags: str = "",
    **known,
) -> Problem:
    """The record named `family_n`, its start written as the paper does: the coordinates that repeat."""
    name = f"{family}_{n}"
    return least_squares(
        name,
        residual,
        repeat(start, n),
        fun_star=fun_star,
        x_star=MINIMIZER.get(name) if x_star is None else x_star,
        source=f"More, Garbow, Hillstrom 1981, number {number}",
        tags=frozenset({"mgh", *tags.split()}),
        **known,
    )


def _parabola(n: int) -> Point:
    """t_j (t_j - 1) at t_j = j/(n + 1): the start of problems 28 and 29."""
    t = np.arange(1, n + 1) / (n + 1)
    return tuple((t * (t - 1.0)).tolist())


def _positive_root(coefficients: list[float], near: float) -> float:
    """The real root of the polynomial that is nearest to `near`."""
    roots = np.roots(coefficients)
    real = roots[np.abs(roots.imag) < 1e-12].real
    return float(real[np.argmin(np.abs(real - near))])


PROBLEMS = (
    watson(6),
    extended_rosenbrock(6),
    extended_powell_singular(8),
    penalty_1(4),
    penalty_2(4),
    variably_dimensioned(6),
    trigonometric(10),
    brown_almost_linear(5),
    discrete_boundary_value(8),
    discrete_integral_equation(8),
    broyden_tridiagonal(8),
    broyden_banded(8),
    linear_full_rank(5, m=8),
    linear_rank_1(5, m=8),
    linear_rank_1_zeros(5, m=8),
    chebyquad(8),
)
