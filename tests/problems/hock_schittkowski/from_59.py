"""Problems 59 to 81 of Hock and Schittkowski; 67 simulates a refinery, and 70 is misprinted: both are left out."""

import math
from typing import Any

import jax.numpy as jnp
from jax.scipy.special import ndtr

from tests.problems.hock_schittkowski.book import ROOT_2, hs


def _fitted_59(x1: Any, x2: Any) -> Any:
    cubic = 3.8112 * x1 - 0.12694 * x1**2 + 0.0020567 * x1**3 - 1.0345e-5 * x1**4
    other = 6.8306 * x2 - 0.25645 * x2**2 + 0.0034604 * x2**3 - 1.3514e-5 * x2**4 + 28.106 / (x2 + 1.0)
    mixed = x1 * x2 * (-0.030234 + 1.28134e-3 * x1 - 3.5256e-5 * x1**2 + 2.266e-7 * x1**3)
    squares = x1 * x2**2 * (-3.405e-4 + 5.2375e-6 * x1 + 6.3e-8 * x1**2)
    cubes = x1 * x2**3 * (1.6638e-6 - 7e-10 * x1**2)
    return -75.196 + cubic + other + mixed + squares + cubes + 2.8673 * jnp.exp(0.0005 * x1 * x2)


def _reactor(x1: Any, x2: Any, x3: Any) -> Any:
    b = (x1 + x2 + x3 + 0.03, x2 + x3 + 0.03, x3 + 0.03)
    below = (0.09 * x1 + x2 + x3 + 0.03, 0.07 * x2 + x3 + 0.03, 0.13 * x3 + 0.03)
    return -32.174 * sum(c * jnp.log(up / low) for c, up, low in zip((255.0, 280.0, 290.0), b, below, strict=True))


def _inspection(a: float, b: float, n: float) -> Any:
    """Cost of a control chart: the objective of 68 and 69."""
    return lambda x1, x2, x3, x4: (a * n - (b * (jnp.exp(x1) - 1.0) - x3) * x4 / (jnp.exp(x1) - 1.0 + x4)) / x1


def _chart(d: float, n: float) -> Any:
    """Its equations."""
    shift = d * math.sqrt(n)
    return lambda x1, x2, x3, x4: (x3 - 2.0 * ndtr(-x2), x4 - ndtr(-x2 + shift) - ndtr(-x2 - shift))


def _mixture(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    spread = jnp.sqrt(0.28 * x1**2 + 0.19 * x2**2 + 20.5 * x3**2 + 0.62 * x4**2)
    protein = 12.0 * x1 + 11.9 * x2 + 41.8 * x3 + 52.1 * x4 - 21.0 - 1.645 * spread
    return (2.3 * x1 + 5.6 * x2 + 11.1 * x3 + 1.3 * x4 - 5.0, protein)


def _network(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    return (
        1000.0 * jnp.sin(-x3 - 0.25) + 1000.0 * jnp.sin(-x4 - 0.25) + 894.8 - x1,
        1000.0 * jnp.sin(x3 - 0.25) + 1000.0 * jnp.sin(x3 - x4 - 0.25) + 894.8 - x2,
        1000.0 * jnp.sin(x4 - 0.25) + 1000.0 * jnp.sin(x4 - x3 - 0.25) + 1294.8,
    )


def _power(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    return 3.0 * x1 + 1e-6 * x1**3 + 2.0 * x2 + 2e-6 / 3.0 * x2**3


def _quadratic_76(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    squares = x1**2 + 0.5 * x2**2 + x3**2 + 0.5 * x4**2 - x1 * x3 + x3 * x4
    return squares - x1 - 3.0 * x2 + x3 - x4


def _powell_rows(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (x1**2 + x2**2 + x3**2 + x4**2 + x5**2 - 10.0, x2 * x3 - 5.0 * x4 * x5, x1**3 + x2**3 + 1.0)


POWELL_LOWER, POWELL_UPPER = (-2.3, -2.3, -3.2, -3.2, -3.2), (2.3, 2.3, 3.2, 3.2, 3.2)

PROBLEMS = (
    hs(
        59,
        (90, 10),
        "-7.804226324",
        _fitted_59,
        above=lambda x1, x2: (x1 * x2 - 700.0, x2 - x1**2 / 125.0, (x2 - 50.0) ** 2 - 5.0 * (x1 - 55.0)),
        lower=0.0,
        upper=(75.0, 65.0),
    ),
    hs(
        60,
        (2, 2, 2),
        "0.03256820025",
        lambda x1, x2, x3: (x1 - 1.0) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 4,
        equal=lambda x1, x2, x3: (x1 * (1.0 + x2**2) + x3**4 - 4.0 - 3.0 * ROOT_2,),
        lower=-10.0,
        upper=10.0,
    ),
    hs(
        61,
        (0, 0, 0),
        "-143.6461422",
        lambda x1, x2, x3: 4.0 * x1**2 + 2.0 * x2**2 + 2.0 * x3**2 - 33.0 * x1 + 16.0 * x2 - 24.0 * x3,
        equal=lambda x1, x2, x3: (3.0 * x1 - 2.0 * x2**2 - 7.0, 4.0 * x1 - x3**2 - 11.0),
    ),
    hs(
        62,
        (0.7, 0.2, 0.1),
        "-26272.51448",
        _reactor,
        equal=lambda x1, x2, x3: (x1 + x2 + x3 - 1.0,),
        lower=0.0,
        upper=1.0,
        tags="linear badly_scaled",
    ),
    hs(
        63,
        (2, 2, 2),
        "961.7151721",
        lambda x1, x2, x3: 1000.0 - x1**2 - 2.0 * x2**2 - x3**2 - x1 * x2 - x1 * x3,
        equal=lambda x1, x2, x3: (8.0 * x1 + 14.0 * x2 + 7.0 * x3 - 56.0, x1**2 + x2**2 + x3**2 - 25.0),
        lower=0.0,
    ),
    hs(
        64,
        (1, 1, 1),
        "6299.842428",
        lambda x1, x2, x3: 5.0 * x1 + 5e4 / x1 + 20.0 * x2 + 7.2e4 / x2 + 10.0 * x3 + 1.44e5 / x3,
        above=lambda x1, x2, x3: (1.0 - 4.0 / x1 - 32.0 / x2 - 120.0 / x3,),
        lower=1e-5,
        tags="badly_scaled",
    ),
    hs(
        65,
        (-5, 5, 0),
        "0.9535288567",
        lambda x1, x2, x3: (x1 - x2) ** 2 + (x1 + x2 - 10.0) ** 2 / 9.0 + (x3 - 5.0) ** 2,
        above=lambda x1, x2, x3: (48.0 - x1**2 - x2**2 - x3**2,),
        lower=(-4.5, -4.5, -5.0),
        upper=(4.5, 4.5, 5.0),
    ),
    hs(
        66,
        (0, 1.05, 2.9),
        "0.5181632741",
        lambda x1, x2, x3: 0.2 * x3 - 0.8 * x1,
        above=lambda x1, x2, x3: (x2 - jnp.exp(x1), x3 - jnp.exp(x2)),
        lower=0.0,
        upper=(100.0, 100.0, 10.0),
    ),
    hs(
        68,
        (1, 1, 1, 1),
        "-0.920425026",
        _inspection(1e-4, 1.0, 24.0),
        equal=_chart(1.0, 24.0),
        lower=(1e-4, 0.0, 0.0, 0.0),
        upper=(100.0, 100.0, 2.0, 2.0),
    ),
    hs(
        69,
        (1, 1, 1, 1),
        "-956.71288",
        _inspection(0.1, 1000.0, 4.0),
        equal=_chart(1.0, 4.0),
        lower=(1e-4, 0.0, 0.0, 0.0),
        upper=(100.0, 100.0, 2.0, 2.0),
        tags="badly_scaled",
    ),
    hs(
        71,
        (1, 5, 5, 1),
        "17.0140173",
        lambda x1, x2, x3, x4: x1 * x4 * (x1 + x2 + x3) + x3,
        equal=lambda x1, x2, x3, x4: (x1**2 + x2**2 + x3**2 + x4**2 - 40.0,),
        above=lambda x1, x2, x3, x4: (x1 * x2 * x3 * x4 - 25.0,),
        lower=1.0,
        upper=5.0,
    ),
    hs(
        72,
        (1, 1, 1, 1),
        "727.67937",
        lambda x1, x2, x3, x4: 1.0 + x1 + x2 + x3 + x4,
        above=lambda x1, x2, x3, x4: (
            0.0401 - 4.0 / x1 - 2.25 / x2 - 1.0 / x3 - 0.25 / x4,
            0.010085 - 0.16 / x1 - 0.36 / x2 - 0.64 / x3 - 0.64 / x4,
        ),
        lower=0.001,
        upper=(4e5, 3e5, 2e5, 1e5),
        tags="badly_scaled",
    ),
    hs(
        73,
        (1, 1, 1, 1),
        "29.894378",
        lambda x1, x2, x3, x4: 24.55 * x1 + 26.75 * x2 + 39.0 * x3 + 40.5 * x4,
        equal=lambda x1, x2, x3, x4: (x1 + x2 + x3 + x4 - 1.0,),
        above=_mixture,
        lower=0.0,
    ),
    hs(
        74,
        (0, 0, 0, 0),
        "5126.4981",
        _power,
        equal=_network,
        above=lambda x1, x2, x3, x4: (x4 - x3 + 0.55, x3 - x4 + 0.55),
        lower=(0.0, 0.0, -0.55, -0.55),
        upper=(1200.0, 1200.0, 0.55, 0.55),
        tags="badly_scaled",
    ),
    hs(
        75,
        (0, 0, 0, 0),
        "5174.4129",
        _power,
        equal=_network,
        above=lambda x1, x2, x3, x4: (x4 - x3 + 0.48, x3 - x4 + 0.48),
        lower=(0.0, 0.0, -0.48, -0.48),
        upper=(1200.0, 1200.0, 0.48, 0.48),
        tags="badly_scaled",
    ),
    hs(
        76,
        (0.5, 0.5, 0.5, 0.5),
        "-4.681818181",
        _quadratic_76,
        above=lambda x1, x2, x3, x4: (
            5.0 - x1 - 2.0 * x2 - x3 - x4,
            4.0 - 3.0 * x1 - x2 - 2.0 * x3 + x4,
            x2 + 4.0 * x3 - 1.5,
        ),
        lower=0.0,
        tags="linear",
    ),
    hs(
        77,
        (2, 2, 2, 2, 2),
        "0.24150513",
        lambda x1, x2, x3, x4, x5: (x1 - 1.0) ** 2 + (x1 - x2) ** 2 + (x3 - 1.0) ** 2 + (x4 - 1.0) ** 4 + (x5 - 1.0) ** 6,
        equal=lambda x1, x2, x3, x4, x5: (
            x1**2 * x4 + jnp.sin(x4 - x5) - 2.0 * ROOT_2,
            x2 + x3**4 * x4**2 - 8.0 - ROOT_2,
        ),
    ),
    hs(
        78,
        (-2, 1.5, 2, -1, -1),
        "-2.91970041",
        lambda x1, x2, x3, x4, x5: x1 * x2 * x3 * x4 * x5,
        equal=_powell_rows,
    ),
    hs(
        79,
        (2, 2, 2, 2, 2),
        "0.0787768209",
        lambda x1, x2, x3, x4, x5: (x1 - 1.0) ** 2 + (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 4,
        equal=lambda x1, x2, x3, x4, x5: (
            x1 + x2**2 + x3**3 - 2.0 - 3.0 * ROOT_2,
            x2 - x3**2 + x4 + 2.0 - 2.0 * ROOT_2,
            x1 * x5 - 2.0,
        ),
    ),
    hs(
        80,
        (-2, 2, 2, -1, -1),
        "0.0539498478",
        lambda x1, x2, x3, x4, x5: jnp.exp(x1 * x2 * x3 * x4 * x5),
        equal=_powell_rows,
        lower=POWELL_LOWER,
        upper=POWELL_UPPER,
    ),
    hs(
        81,
        (-2, 2, 2, -1, -1),
        "0.0539498478",
        lambda x1, x2, x3, x4, x5: jnp.exp(x1 * x2 * x3 * x4 * x5) - 0.5 * (x1**3 + x2**3 + 1.0) ** 2,
        equal=_powell_rows,
        lower=POWELL_LOWER,
        upper=POWELL_UPPER,
    ),
)
