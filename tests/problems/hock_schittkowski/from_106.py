"""Problems 106 to 114 of Hock and Schittkowski: heat exchangers, power flow, a hexagon, chemical equilibrium.

Left out are 116 to 119, which have 13 to 16 variables; there is no 115.
"""

import math
from typing import Any

import jax.numpy as jnp

from tests.problems.hock_schittkowski.book import INF, hs
from tests.problems.problem import table

SINE, COSINE = math.sin(0.25), math.cos(0.25)
FREE_ENERGIES = (-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179)  # 111, 112
A, B = 0.99, 0.9  # of 114


def _exchangers(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any) -> Any:
    return (
        1.0 - 0.0025 * (x4 + x6),
        1.0 - 0.0025 * (x5 + x7 - x4),
        1.0 - 0.01 * (x8 - x5),
        x1 * x6 - 833.33252 * x4 - 100.0 * x1 + 83333.333,
        x2 * x7 - 1250.0 * x5 - x2 * x4 + 1250.0 * x4,
        x3 * x8 - 1.25e6 - x3 * x5 + 2500.0 * x5,
    )


def _flow(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any) -> Any:
    """Active and reactive power at the three nodes of 107."""
    c, d = 48.4 / 50.176 * SINE, 48.4 / 50.176 * COSINE
    y1, y2, y3, y4 = jnp.sin(x8), jnp.cos(x8), jnp.sin(x9), jnp.cos(x9)
    y5, y6 = jnp.sin(x8 - x9), jnp.cos(x8 - x9)
    return (
        0.4 - x1 + 2.0 * c * x5**2 - x5 * x6 * (d * y1 + c * y2) - x5 * x7 * (d * y3 + c * y4),
        0.4 - x2 + 2.0 * c * x6**2 + x5 * x6 * (d * y1 - c * y2) + x6 * x7 * (d * y5 - c * y6),
        0.8 + 2.0 * c * x7**2 + x5 * x7 * (d * y3 - c * y4) - x6 * x7 * (d * y5 + c * y6),
        0.2 - x3 + 2.0 * d * x5**2 + x5 * x6 * (c * y1 - d * y2) + x5 * x7 * (c * y3 - d * y4),
        0.2 - x4 + 2.0 * d * x6**2 - x5 * x6 * (c * y1 + d * y2) - x6 * x7 * (c * y5 + d * y6),
        -0.337 + 2.0 * d * x7**2 - x5 * x7 * (c * y3 + d * y4) + x6 * x7 * (c * y5 - d * y6),
    )


def _hexagon(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any) -> Any:
    """Rows of 108: no two corners are farther apart than 1, and the triangles are turned one way."""
    return (
        1.0 - x3**2 - x4**2,
        1.0 - x9**2,
        1.0 - x5**2 - x6**2,
        1.0 - x1**2 - (x2 - x9) ** 2,
        1.0 - (x1 - x5) ** 2 - (x2 - x6) ** 2,
        1.0 - (x1 - x7) ** 2 - (x2 - x8) ** 2,
        1.0 - (x3 - x5) ** 2 - (x4 - x6) ** 2,
        1.0 - (x3 - x7) ** 2 - (x4 - x8) ** 2,
        1.0 - x7**2 - (x8 - x9) ** 2,
        x1 * x4 - x2 * x3,
        x3 * x9,
        -x5 * x9,
        x5 * x8 - x6 * x7,
    )


def _power_109(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any) -> Any:
    a, b, c, loss = 50.176, SINE, COSINE, 0.7533e-3 * 50.176
    sine, cosine = lambda angle: jnp.sin(angle - 0.25), lambda angle: jnp.cos(angle - 0.25)
    x56, x57, x67 = x5 * x6, x5 * x7, x6 * x7
    return (
        x56 * sine(-x3) + x57 * sine(-x4) + 2.0 * b * x5**2 - a * x1 + 400.0 * a,
        x56 * sine(x3) + x67 * sine(x3 - x4) + 2.0 * b * x6**2 - a * x2 + 400.0 * a,
        x57 * sine(x4) + x67 * sine(x4 - x3) + 2.0 * b * x7**2 + 881.779 * a,
        a * x8 + x56 * cosine(-x3) + x57 * cosine(-x4) - 200.0 * a - 2.0 * c * x5**2 + loss * x5**2,
        a * x9 + x56 * cosine(x3) + x67 * cosine(x3 - x4) - 200.0 * a - 2.0 * c * x6**2 + loss * x6**2,
        x57 * cosine(x4) + x67 * cosine(x4 - x3) - 2.0 * c * x7**2 + 22.938 * a + loss * x7**2,
    )


def _logarithms(*x: Any) -> Any:
    x = jnp.stack(x)
    return jnp.sum(jnp.log(x - 2.0) ** 2 + jnp.log(10.0 - x) ** 2) - jnp.prod(x) ** 0.2


def _gibbs(*x: Any) -> Any:
    """Free energy of a mixture of amounts x."""
    x = jnp.stack(x)
    return jnp.sum(x * (table(FREE_ENERGIES, x) + jnp.log(x) - jnp.log(jnp.sum(x))))


def _atoms(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
    return (
        x1 + 2.0 * x2 + 2.0 * x3 + x6 + x10 - 2.0,
        x4 + 2.0 * x5 + x6 + x7 - 1.0,
        x3 + x7 + x8 + 2.0 * x9 + x10 - 1.0,
    )


def _wong(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
    first = x1**2 + x2**2 + x1 * x2 - 14.0 * x1 - 16.0 * x2 + (x3 - 10.0) ** 2 + 4.0 * (x4 - 5.0) ** 2 + (x5 - 3.0) ** 2
    rest = 2.0 * (x6 - 1.0) ** 2 + 5.0 * x7**2 + 7.0 * (x8 - 11.0) ** 2 + 2.0 * (x9 - 10.0) ** 2 + (x10 - 7.0) ** 2
    return first + rest + 45.0


def _wong_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
    return (
        105.0 - 4.0 * x1 - 5.0 * x2 + 3.0 * x7 - 9.0 * x8,
        -10.0 * x1 + 8.0 * x2 + 17.0 * x7 - 2.0 * x8,
        8.0 * x1 - 2.0 * x2 - 5.0 * x9 + 2.0 * x10 + 12.0,
        -3.0 * (x1 - 2.0) ** 2 - 4.0 * (x2 - 3.0) ** 2 - 2.0 * x3**2 + 7.0 * x4 + 120.0,
        -5.0 * x1**2 - 8.0 * x2 - (x3 - 6.0) ** 2 + 2.0 * x4 + 40.0,
        -0.5 * (x1 - 8.0) ** 2 - 2.0 * (x2 - 4.0) ** 2 - 3.0 * x5**2 + x6 + 30.0,
        -(x1**2) - 2.0 * (x2 - 2.0) ** 2 + 2.0 * x1 * x2 - 14.0 * x5 + 6.0 * x6,
        3.0 * x1 - 6.0 * x2 - 12.0 * (x9 - 8.0) ** 2 + 7.0 * x10,
    )


def _alkylate(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
    """Rows of 114: four regressions, each to be right within its accuracy."""
    g1 = 35.82 - 0.222 * x10 - B * x9
    g2 = -133.0 + 3.0 * x7 - A * x10
    g5 = 1.12 * x1 + 0.13167 * x1 * x8 - 0.00667 * x1 * x8**2 - A * x4
    g6 = 57.425 + 1.098 * x8 - 0.038 * x8**2 + 0.325 * x6 - A * x7
    wide = 1.0 / A - A
    return (g1, g2, -g1 + x9 * (1.0 / B - B), -g2 + wide * x10, g5, g6, -g5 + wide * x4, -g6 + wide * x7)


def _alkylate_balance(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any, x7: Any, x8: Any, x9: Any, x10: Any) -> Any:
    return (1.22 * x4 - x1 - x5, 98000.0 * x3 / (x4 * x9 + 1000.0 * x3) - x6, (x2 + x5) / x1 - x8)


PROBLEMS = (
    hs(
        106,
        (5000, 5000, 5000, 200, 350, 150, 225, 425),
        "7049.330923",
        lambda x1, x2, x3, *_: x1 + x2 + x3,
        above=_exchangers,
        lower=(100.0, 1000.0, 1000.0, 10.0, 10.0, 10.0, 10.0, 10.0),
        upper=(1e4, 1e4, 1e4, 1e3, 1e3, 1e3, 1e3, 1e3),
        tags="badly_scaled",
    ),
    hs(
        107,
        (0.8, 0.8, 0.2, 0.2, 1.0454, 1.0454, 1.0454, 0, 0),
        "5055.011803",
        lambda x1, x2, *_: 3000.0 * x1 + 1000.0 * x1**3 + 2000.0 * x2 + 666.667 * x2**3,
        equal=_flow,
        lower=(0.0, 0.0, -INF, -INF, 0.90909, 0.90909, 0.90909, -INF, -INF),
        upper=(INF, INF, INF, INF, 1.0909, 1.0909, 1.0909, INF, INF),
        tags="badly_scaled",
    ),
    hs(
        108,
        (1,) * 9,
        "-0.8660254038",
        lambda x1, x2, x3, x4, x5, x6, x7, x8, x9: -0.5 * (x1 * x4 - x2 * x3 + x3 * x9 - x5 * x9 + x5 * x8 - x6 * x7),
        above=_hexagon,
        lower=(-INF,) * 8 + (0.0,),
        tags="singular",
    ),
    hs(
        109,
        (0,) * 9,
        "5362.06928",
        lambda x1, x2, *_: 3.0 * x1 + 1e-6 * x1**3 + 2.0 * x2 + 0.522074e-6 * x2**3,
        equal=_power_109,
        above=lambda x1, x2, x3, x4, x5, x6, x7, x8, x9: (
            x4 - x3 + 0.55,
            x3 - x4 + 0.55,
            2.25e6 - x1**2 - x8**2,
            2.25e6 - x2**2 - x9**2,
        ),
        lower=(0.0, 0.0, -0.55, -0.55, 196.0, 196.0, 196.0, -400.0, -400.0),
        upper=(INF, INF, 0.55, 0.55, 252.0, 252.0, 252.0, 800.0, 800.0),
        tags="badly_scaled",
    ),
    hs(110, (9,) * 10, "-45.77846971", _logarithms, lower=2.001, upper=9.999, tags="bounds"),
    hs(
        111,
        (-2.3,) * 10,
        "-47.76109026",
        lambda *x: _gibbs(*(jnp.exp(v) for v in x)),
        equal=lambda *x: _atoms(*(jnp.exp(v) for v in x)),
        lower=-100.0,
        upper=100.0,
    ),
    hs(112, (0.1,) * 10, "-47.76109026", _gibbs, equal=_atoms, lower=1e-6, tags="linear"),
    hs(113, (2, 3, 5, 5, 1, 2, 7, 3, 6, 10), "24.3062091", _wong, above=_wong_rows),
    hs(
        114,
        (1745, 12000, 110, 3048, 1974, 89.2, 92.8, 8, 3.6, 145),
        "-1768.80696",
        lambda x1, x2, x3, x4, x5, x6, x7, *_: 5.04 * x1 + 0.035 * x2 + 10.0 * x3 + 3.36 * x5 - 0.063 * x4 * x7,
        equal=_alkylate_balance,
        above=_alkylate,
        lower=(1e-5, 1e-5, 1e-5, 1e-5, 1e-5, 85.0, 90.0, 3.0, 1.2, 145.0),
        upper=(2000.0, 16000.0, 120.0, 5000.0, 2000.0, 93.0, 95.0, 12.0, 4.0, 162.0),
        tags="badly_scaled",
    ),
)
