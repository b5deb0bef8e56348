"""Problems 83 to 104 of Hock and Schittkowski; there is no 82 and no 94.

Left out are 85 and 87 to 92, which are long simulations, a discontinuous cost and integral equations, and 105: its 235
observations, as they are found, do not have the book's minimum.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from tests.problems.hock_schittkowski.book import hs
from tests.problems.problem import table

# Number 86, Colville's first: exponents and coefficients as printed.
ROWS_86 = (
    *((-16, 2, 0, 1, 0), (0, -2, 0, 4, 2), (-3.5, 0, 2, 0, 0), (0, -2, 0, -4, -1), (0, -9, -2, 1, -2.8)),
    *((2, 0, -4, 0, 0), (-1, -1, -1, -1, -1), (-1, -2, -3, -2, -1), (1, 2, 3, 4, 5), (1, 1, 1, 1, 1)),
)
SIDES_86 = (-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1)
BENT_86 = (
    (30, -20, -10, 32, -10),
    (-20, 39, -6, -31, 32),
    (-10, -6, 10, -6, -10),
    (32, -31, -6, 39, -20),
    (-10, 32, -10, -20, 30),
)
# Number 99: accelerations and times of a flight.
PUSH, TIMES = np.array([50.0, 50, 75, 75, 75, 100, 100]), np.array([0.0, 25, 50, 100, 150, 200, 290, 380])
# Numbers 101 to 103: a geometric program, posynomials as (coefficients, exponents).
ROWS_101 = (
    ((0.5, 0.7, 0.2), ((0.5, 0, -1, 0, 0, -2, 1), (3, 1, -2, 0, 0, 1, 0.5), (0, -1, 1, -0.5, 0, 2 / 3, 0.25))),
    ((1.3, 0.8, 3.1), ((-0.5, 1, -1, 0, -1, 1, 0), (0, 0, 1, -1, -1, 2, 0), (-1, 0.5, 0, -2, -1, 1 / 3, 0))),
    (
        (2.0, 0.1, 1.0, 0.65),
        ((1, 0, -1.5, 0, 1, -1, 1 / 3), (0, 1, -0.5, 0, 1, -1, -0.5), (-1, 1, 0.5, 0, 1, 0, 0), (0, -2, 1, 0, 1, -1, 1)),
    ),
    (
        (0.2, 0.3, 0.4, 0.5),
        (
            *((-2, 1, 0, -1, 0.5, 0, 1 / 3), (0.5, 2, 1, 1 / 3, -2 / 3, 0, 0.25)),
            *((-3, -2, 1, 0, 1, 0, 0.75), (0, 0, -2, 1, 0, 0, 0.5)),
        ),
    ),
)


def _alkylation(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Rows of 83: each of three responses in its interval."""
    a = 85.334407 + 0.0056858 * x2 * x5 + 0.0006262 * x1 * x4 - 0.0022053 * x3 * x5
    b = 80.51249 + 0.0071317 * x2 * x5 + 0.0029955 * x1 * x2 + 0.0021813 * x3**2 - 90.0
    c = 9.300961 + 0.0047026 * x3 * x5 + 0.0012547 * x1 * x3 + 0.0019085 * x3 * x4 - 20.0
    return (a, 92.0 - a, b, 20.0 - b, c, 5.0 - c)


def _sugar(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    """Rows of 84."""
    a = x1 * (-145421.402 + 2931.1506 * x2 - 40.427932 * x3 + 5106.192 * x4 + 15711.36 * x5)
    b = x1 * (-155011.1084 + 4360.53352 * x2 + 12.9492344 * x3 + 10236.884 * x4 + 13176.786 * x5)
    c = x1 * (-326669.5104 + 7390.68412 * x2 - 27.8986976 * x3 + 16643.076 * x4 + 30988.146 * x5)
    return (a, 294000.0 - a, b, 294000.0 - b, c, 277200.0 - c)


def _colville_1(*x: Any) -> Any:
    x = jnp.stack(x)
    linear, cubes = table((-15, -27, -36, -18, -12), x), table((4, 8, 10, 6, 2), x)
    return jnp.sum(linear * x + x * jnp.sum(table(BENT_86, x) * x[None], 1) + cubes * x**3)


def _colville_1_rows(*x: Any) -> Any:
    dot = lambda row: sum(a * xi for a, xi in zip(row, x, strict=True) if a)
    return tuple(dot(row) - side for row, side in zip(ROWS_86, SIDES_86, strict=True))


def _transformer(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
    core, coil = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return core * (0.0204 + 0.0607 * x5**2) + coil * (0.0187 + 0.0437 * x6**2)


def _transformer_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
    core, coil = x1 * x4 * (x1 + x2 + x3), x2 * x3 * (x1 + 1.57 * x2 + x4)
    return (0.001 * x1 * x2 * x3 * x4 * x5 * x6 - 2.07, 1.0 - 0.00062 * core * x5**2 - 0.00058 * coil * x6**2)


def _aquifer(b1: float, b2: float, b3: float, b4: float) -> Any:
    """Rows of 95 to 98, which differ in their right sides."""

    def rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
        a = 17.1 * x1 + 38.2 * x2 + 204.2 * x3 + 212.3 * x4 + 623.4 * x5 + 1495.5 * x6 - 169.0 * x1 * x3
        b = 17.9 * x1 + 36.8 * x2 + 113.9 * x3 + 169.7 * x4 + 337.8 * x5 + 1385.2 * x6 - 139.0 * x1 * x3
        return (
            a - 3580.0 * x3 * x5 - 3810.0 * x4 * x5 - 18500.0 * x4 * x6 - 24300.0 * x5 * x6 - b1,
            b - 2450.0 * x4 * x5 - 16600.0 * x4 * x6 - 17200.0 * x5 * x6 - b2,
            -273.0 * x2 - 70.0 * x4 - 819.0 * x5 + 26000.0 * x4 * x5 - b3,
            159.9 * x1 - 311.0 * x2 + 587.0 * x4 + 391.0 * x5 + 2198.0 * x6 - 14000.0 * x1 * x6 - b4,
        )

    return rows


def _pumping(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
    return 4.3 * x1 + 31.8 * x2 + 63.3 * x3 + 15.8 * x4 + 68.5 * x5 + 4.7 * x6


def _flight(*x: Any) -> tuple[Any, Any]:
    """Height and vertical speed at the end of 99."""
    x = jnp.stack(x)
    step = table(np.diff(TIMES), x)
    up = table(PUSH, x) * jnp.sin(x) - 32.0
    speed = jnp.cumsum(step * up)
    before = speed - step * up
    return jnp.sum(0.5 * step**2 * up + step * before), speed[-1]


def _range(*x: Any) -> Any:
    x = jnp.stack(x)
    return -(jnp.sum(table(PUSH * np.diff(TIMES), x) * jnp.cos(x)) ** 2)


def _hundred(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any) -> Any:
    squares = (x1 - 10.0) ** 2 + 5.0 * (x2 - 12.0) ** 2 + x3**4 + 3.0 * (x4 - 11.0) ** 2
    return squares + 10.0 * x5**6 + 7.0 * x6**2 + x7**4 - 4.0 * x6 * x7 - 10.0 * x6 - 8.0 * x7


def _hundred_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any) -> Any:
    return (
        127.0 - 2.0 * x1**2 - 3.0 * x2**4 - x3 - 4.0 * x4**2 - 5.0 * x5,
        282.0 - 7.0 * x1 - 3.0 * x2 - 10.0 * x3**2 - x4 + x5,
        196.0 - 23.0 * x1 - x2**2 - 6.0 * x6**2 + 8.0 * x7,
        -4.0 * x1**2 - x2**2 + 3.0 * x1 * x2 - 2.0 * x3**2 - 5.0 * x6 + 11.0 * x7,
    )


def _posynomial(coefficients: Any, exponents: Any, x: tuple[Any, ...]) -> Any:
    """sum_k c_k prod_i x_i^a_ki."""
    return sum(
        c * math.prod(xi**power for xi, power in zip(x, a, strict=True) if power)
        for c, a in zip(coefficients, exponents, strict=True)
    )


def _geometric(a: float, published: str, number: int) -> Any:
    """101 to 103 differ in one exponent."""
    exponents = ((1, -1, 0, 2, 0, -3, a), (-1, -2, 1, 1, -1, 0, -0.5), (-2, 1, 0, -1, -2, 1, 0), (2, 2, -1, 0, 0.5, -2, 1))
    fun = lambda *x: _posynomial((10.0, 15.0, 20.0, 25.0), exponents, x)
    rows = lambda *x: (*(1.0 - _posynomial(*row, x) for row in ROWS_101), fun(*x) - 100.0, 3000.0 - fun(*x))
    return hs(number, (6,) * 7, published, fun, above=rows, lower=(0.1,) * 6 + (0.01,), upper=10.0, tags="badly_scaled")


def _two_reactors(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any) -> Any:
    return 0.4 * x1**0.67 * x7**-0.67 + 0.4 * x2**0.67 * x8**-0.67 + 10.0 - x1 - x2


def _two_reactors_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any) -> Any:
    f = _two_reactors(x1, x2, x3, x4, x5, x6, x7, x8)
    return (
        1.0 - 0.0588 * x5 * x7 - 0.1 * x1,
        1.0 - 0.0588 * x6 * x8 - 0.1 * x1 - 0.1 * x2,
        1.0 - 4.0 * x3 / x5 - 2.0 * x3**-0.71 / x5 - 0.0588 * x3**-1.3 * x7,
        1.0 - 4.0 * x4 / x6 - 2.0 * x4**-0.71 / x6 - 0.0588 * x4**-1.3 * x8,
        f - 1.0,
        4.2 - f,
    )


AQUIFER_UPPER = (0.31, 0.046, 0.068, 0.042, 0.028, 0.0134)

PROBLEMS = (
    hs(
        83,
        (78, 33, 27, 27, 27),
        "-30665.53867",
        lambda x1, x2, x3, x4, x5: 5.3578547 * x3**2 + 0.8356891 * x1 * x5 + 37.293239 * x1 - 40792.141,
        above=_alkylation,
        lower=(78.0, 33.0, 27.0, 27.0, 27.0),
        upper=(102.0, 45.0, 45.0, 45.0, 45.0),
    ),
    hs(
        84,
        (2.52, 2, 37.5, 9.25, 6.8),
        "-5280335.133",
        lambda x1, x2, x3, x4, x5: (
            24345.0 + x1 * (8720288.849 - 150512.5253 * x2 + 156.6950325 * x3 - 476470.3222 * x4 - 729482.8271 * x5)
        ),
        above=_sugar,
        lower=(0.0, 1.2, 20.0, 9.0, 6.5),
        upper=(1000.0, 2.4, 60.0, 9.3, 7.0),
        tags="badly_scaled",
    ),
    hs(
        86,
        (0, 0, 0, 0, 1),
        "-32.34867897",
        _colville_1,
        above=_colville_1_rows,
        lower=0.0,
        tags="linear",
    ),
    hs(93, (5.54, 4.4, 12.02, 11.82, 0.702, 0.852), "135.075961", _transformer, above=_transformer_rows, lower=0.0),
    hs(95, (0,) * 6, "0.015619514", _pumping, above=_aquifer(4.97, -1.88, -29.08, -78.02), lower=0.0, upper=AQUIFER_UPPER),
    hs(96, (0,) * 6, "0.015619514", _pumping, above=_aquifer(4.97, -1.88, -69.08, -118.02), lower=0.0, upper=AQUIFER_UPPER),
    hs(97, (0,) * 6, "3.1358091", _pumping, above=_aquifer(32.97, 25.12, -29.08, -78.02), lower=0.0, upper=AQUIFER_UPPER),
    hs(98, (0,) * 6, "3.1358091", _pumping, above=_aquifer(32.97, 25.12, -124.08, -173.02), lower=0.0, upper=AQUIFER_UPPER),
    hs(
        99,
        (0.5,) * 7,
        "-831079891.6",
        _range,
        equal=lambda *x: (_flight(*x)[0] - 1e5, _flight(*x)[1] - 1e3),
        lower=0.0,
        upper=1.58,
        tags="badly_scaled",
    ),
    hs(100, (1, 2, 0, 4, 0, 1, 1), "680.6300573", _hundred, above=_hundred_rows),
    _geometric(-0.25, "1809.76476", 101),
    _geometric(0.125, "911.880571", 102),
    _geometric(0.5, "543.667958", 103),
    hs(104, (6, 3, 0.4, 0.2, 6, 6, 1, 0.5), "3.9511634396", _two_reactors, above=_two_reactors_rows, lower=0.1, upper=10.0),
)
