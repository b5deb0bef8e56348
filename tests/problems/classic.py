"""Well-known smooth test functions outside the set of More, Garbow and Hillstrom, and small statistical losses.

The n-dimensional `rosenbrock` is the true one, coupled along the whole vector: from n = 4 on it has a second minimum
near (-1, 1, ..., 1). The statistical losses are there because they are what users minimize; their minimizers are
found here with NumPy, by Newton's method on the stationarity equations, apart from the JAX formula under test.

Sources: S. Kok, C. Sandrock (2009), "Locating and characterizing the stationary points of the extended Rosenbrock
function", Evolutionary Computation 17(3), 437-453; M. Jamil, X.-S. Yang (2013), "A literature survey of benchmark
functions for global optimisation problems", Int. J. Mathematical Modelling and Numerical Optimisation 4(2), 150-194.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from .problem import Point, Problem, count, least_squares, repeat, table

# Value of the minimum near (-1, 1, ..., 1), by Newton's method from there in float64.
ROSENBROCK_LOCAL = {4: 3.701428610430, 5: 3.930839434133, 6: 3.973940500930, 7: 3.983600536425, 10: 3.986579112347}


def rosenbrock(n: int) -> Problem:
    """sum_{i<n} 100 (x_{i+1} - x_i**2)**2 + (1 - x_i)**2."""

    def residual(x: Array) -> Array:
        return jnp.concatenate([10.0 * (x[1:] - jnp.square(x[:-1])), 1.0 - x[:-1]])

    return least_squares(
        f"rosenbrock_{n}",
        residual,
        repeat((-1.2, 1.0), n),
        fun_star=0.0,
        x_star=repeat((1.0,), n),
        minima=(ROSENBROCK_LOCAL[n],) if n in ROSENBROCK_LOCAL else (),
        source="Kok, Sandrock 2009, variant B; scipy.optimize.rosen",
        tags=frozenset({"classic"}),
    )


def quadratic(n: int, condition: float, seed: int = 0) -> Problem:
    """(x - c)' Q diag(lambda) Q' (x - c) / 2, lambda geometric from 1 to `condition`, Q a random rotation."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.standard_normal((n, n)))
    center = rng.standard_normal(n)
    root = np.sqrt(np.geomspace(1.0, condition, n) / 2.0)[:, None] * rotation.T

    def residual(x: Array) -> Array:
        return jnp.sum(table(root, x) * (x - table(center, x))[None, :], axis=1)

    return least_squares(
        f"quadratic_cond{condition:.0e}_{n}".replace("e+0", "e"),
        residual,
        repeat((0.0,), n),
        fun_star=0.0,
        x_star=tuple(center.tolist()),
        source=f"random rotation, seed {seed}",
        tags=frozenset({"classic", "convex"}),
    )


def quartics(n: int) -> Problem:
    """sum_i i (x_i - 1)**4, whose Hessian vanishes at the minimizer: Newton's method is only linear here."""

    def residual(x: Array) -> Array:
        return jnp.sqrt(count(1, n, x)) * jnp.square(x - 1.0)

    return least_squares(
        f"quartics_{n}",
        residual,
        repeat((3.0, -1.0), n),
        fun_star=0.0,
        x_star=repeat((1.0,), n),
        source="De Jong's function 4, shifted",
        tags=frozenset({"classic", "convex", "singular"}),
    )


def logistic_regression(m: int = 40, n: int = 4, ridge: float = 0.1, seed: int = 1) -> Problem:
    """mean_i log(1 + exp(-s_i a_i' x)) + ridge |x|**2 / 2 for labels s_i = +-1 and features a_i."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((m, n))
    sign = np.where(features @ rng.standard_normal(n) + rng.standard_normal(m) > 0.0, 1.0, -1.0)
    signed = sign[:, None] * features

    x = np.zeros(n)
    for _ in range(20):  # quadratic convergence from 0; the ridge keeps every step well defined
        p = 1.0 / (1.0 + np.exp(signed @ x))
        grad = -signed.T @ p / m + ridge * x
        x = x - np.linalg.solve(signed.T @ (signed * (p * (1.0 - p))[:, None]) / m + ridge * np.eye(n), grad)

    def fun(x: Array) -> Array:
        margin = jnp.sum(table(signed, x) * x[None, :], axis=1)
        return jnp.mean(jax.nn.softplus(-margin)) + ridge / 2.0 * jnp.sum(jnp.square(x))

    return Problem(
        f"logistic_regression_{n}",
        fun,
        repeat((0.0,), n),
        fun_star=float(np.mean(np.log1p(np.exp(-signed @ x))) + ridge / 2.0 * x @ x),
        x_star=tuple(x.tolist()),
        source=f"{m} random rows, seed {seed}",
        tags=frozenset({"classic", "convex"}),
    )


def poisson(counts: Point = (1.0, 2.0, 3.0, 5.0, 8.0, 20.0)) -> Problem:
    """sum_j exp(a_j) - k_j a_j, Poisson's negative log likelihood in the log rates; least at a = log k."""

    def fun(x: Array) -> Array:
        return jnp.sum(jnp.exp(x) - table(counts, x) * x)

    return Problem(
        f"poisson_{len(counts)}",
        fun,
        repeat((0.0,), len(counts)),
        fun_star=sum(k - k * math.log(k) for k in counts),
        x_star=tuple(math.log(k) for k in counts),
        source="one observation a rate",
        tags=frozenset({"classic", "convex"}),
    )


def himmelblau(x: Array) -> Array:
    """Four minimizers, all of value zero."""
    return jnp.stack([x[0] ** 2 + x[1] - 11.0, x[0] + x[1] ** 2 - 7.0])


def booth(x: Array) -> Array:
    """A linear residual."""
    return jnp.stack([x[0] + 2.0 * x[1] - 7.0, 2.0 * x[0] + x[1] - 5.0])


def matyas(x: Array) -> Array:
    """A quadratic of condition number 25."""
    return 0.26 * jnp.sum(jnp.square(x)) - 0.48 * x[0] * x[1]


def rastrigin(x: Array) -> Array:
    """A bowl covered with a lattice of local minima."""
    return jnp.sum(10.0 + jnp.square(x) - 10.0 * jnp.cos(2.0 * math.pi * x))


def ackley(x: Array) -> Array:
    """A funnel whose minimizer is the tip of a cone; there the gradient is taken as 0, not NaN."""
    mean_square = jnp.mean(jnp.square(x))
    at_tip = mean_square == 0.0
    norm = jnp.where(at_tip, 0.0, jnp.sqrt(jnp.where(at_tip, 1.0, mean_square)))
    return 20.0 + math.e - 20.0 * jnp.exp(-0.2 * norm) - jnp.exp(jnp.mean(jnp.cos(2.0 * math.pi * x)))


def mccormick(x: Array) -> Array:
    """A channel of minima: the one of the usual box is given, the next is lower by pi, and so on without end."""
    return jnp.sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1.0


def three_hump_camel(x: Array) -> Array:
    """Three minima, the global one between two equal others."""
    return 2.0 * x[0] ** 2 - 1.05 * x[0] ** 4 + x[0] ** 6 / 6.0 + x[0] * x[1] + x[1] ** 2


def styblinski_tang(x: Array) -> Array:
    """Separable, a global and a local minimum a coordinate."""
    return 0.5 * jnp.sum(x**4 - 16.0 * x**2 + 5.0 * x)


def _well_known(
    fun: Callable[[Array], Array], x0: Point, x_star: Point, fun_star: float = 0.0, tags: str = "", minima: Point = ()
) -> Problem:
    known = {"source": "Jamil, Yang 2013; start ours", "tags": frozenset({"classic", *tags.split()}), "minima": minima}
    return Problem(fun.__name__, fun, x0, fun_star, x_star, **known)


def _zero_residual(residual: Callable[[Array], Array], x0: Point, x_star: Point, tags: str = "") -> Problem:
    known = {"source": "Jamil, Yang 2013; start ours", "tags": frozenset({"classic", *tags.split()})}
    return least_squares(residual.__name__, residual, x0, fun_star=0.0, x_star=x_star, **known)


MCCORMICK_X = (0.5 - math.pi / 3.0, -0.5 - math.pi / 3.0)
MCCORMICK_FUN = -math.sqrt(3.0) / 2.0 - math.pi / 3.0
# Roots of 4 x**3 - 32 x + 5, the derivative of twice a coordinate's share, and that share's values there.
TANG_X, TANG_LOW, TANG_HIGH = -2.9035340277711775, -39.16616570377142, -25.029446655283938

PROBLEMS = (
    rosenbrock(4),
    rosenbrock(10),
    quadratic(5, 1e1),
    quadratic(5, 1e3),
    quadratic(8, 1e6),
    quartics(4),
    logistic_regression(),
    poisson(),
    _zero_residual(himmelblau, (0.0, 0.0), (3.0, 2.0), "nonunique"),
    _zero_residual(booth, (0.0, 0.0), (1.0, 3.0), "convex"),
    _well_known(matyas, (5.0, -3.0), (0.0, 0.0), 0.0, "convex"),
    _well_known(rastrigin, (0.8, -1.3), (0.0, 0.0), 0.0, "multimodal"),
    _well_known(ackley, (1.5, -0.5), (0.0, 0.0), 0.0, "multimodal nonsmooth"),
    _well_known(mccormick, (0.0, 0.0), MCCORMICK_X, MCCORMICK_FUN, "multimodal unbounded"),
    _well_known(three_hump_camel, (2.0, -1.0), (0.0, 0.0), 0.0, minima=(0.298638442236859,)),
    _well_known(
        styblinski_tang, (-1.0, -2.0), (TANG_X, TANG_X), 2.0 * TANG_LOW, minima=(TANG_LOW + TANG_HIGH, 2.0 * TANG_HIGH)
    ),
)
