"""Problems 51 to 58 of Hock and Schittkowski."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from tests.problems.hock_schittkowski.book import INF, banana, hs
from tests.problems.problem import table

HALF_FULL = math.asin(math.sqrt(1 / 4.2))  # of number 56
# Numbers 57: available chlorine after so many weeks.
WEEKS = np.repeat(np.arange(8.0, 43.0, 2.0), (2, 4, 4, 3, 3, 2, 3, 3, 3, 3, 2, 3, 2, 1, 2, 2, 1, 1))
CHLORINE = (
    *(0.49, 0.49, 0.48, 0.47, 0.48, 0.47, 0.46, 0.46, 0.45, 0.43, 0.45, 0.43, 0.43, 0.44, 0.43, 0.43, 0.46, 0.45),
    *(0.42, 0.42, 0.43, 0.41, 0.41, 0.40, 0.42, 0.40, 0.40, 0.41, 0.40, 0.41, 0.41, 0.40, 0.40, 0.40, 0.38, 0.41),
    *(0.40, 0.40, 0.41, 0.38, 0.40, 0.40, 0.39, 0.39),
)


def _rows_52(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (x1 + 3.0 * x2, x3 + x4 - 2.0 * x5, x2 - x5)


def _quadratic_52(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (4.0 * x1 - x2) ** 2 + (x2 + x3 - 2.0) ** 2 + (x4 - 1.0) ** 2 + (x5 - 1.0) ** 2


def _quadratic_53(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> Any:
    return (x1 - x2) ** 2 + (x2 + x3 - 2.0) ** 2 + (x4 - 1.0) ** 2 + (x5 - 1.0) ** 2


def _bell(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any, x6: Any) -> Any:
    a, b = (x1 - 1e4) / 8e3, x2 - 1.0
    rest = ((x3 - 2e6) / 7e6) ** 2 + ((x4 - 10.0) / 50.0) ** 2 + ((x5 - 1e-3) / 0.05) ** 2 + ((x6 - 1e8) / 5e8) ** 2
    return -jnp.exp(-((a**2 + 0.4 * a * b + b**2) / 0.96 + rest) / 2.0)


def _chlorine(x1: Any, x2: Any) -> Any:
    decay = jnp.exp(-x2 * (table(WEEKS, x1) - 8.0))
    return jnp.sum((table(CHLORINE, x1) - x1 - (0.49 - x1) * decay) ** 2)


PROBLEMS = (
    hs(
        51,
        (2.5, 0.5, 2, -1, 0.5),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - x2) ** 2 + (x2 + x3 - 2.0) ** 2 + (x4 - 1.0) ** 2 + (x5 - 1.0) ** 2,
        equal=lambda x1, x2, x3, x4, x5: (x1 + 3.0 * x2 - 4.0, x3 + x4 - 2.0 * x5, x2 - x5),
        tags="linear",
    ),
    hs(52, (2, 2, 2, 2, 2), "5.326647564", _quadratic_52, equal=_rows_52, tags="linear"),
    hs(53, (2, 2, 2, 2, 2), "4.093023256", _quadratic_53, equal=_rows_52, lower=-10.0, upper=10.0, tags="linear"),
    hs(
        54,
        (6e3, 1.5, 4e6, 2, 3e-3, 5e7),
        "-0.90807476",
        _bell,
        equal=lambda x1, x2, x3, x4, x5, x6: (x1 + 4e3 * x2 - 1.76e4,),
        lower=(0.0, -10.0, 0.0, 0.0, -1.0, 0.0),
        upper=(2e4, 10.0, 1e7, 20.0, 1.0, 2e8),
        tags="linear badly_scaled",
    ),
    hs(
        55,
        (1, 2, 0, 0, 0, 2),
        "6.3333333333",
        lambda x1, x2, x3, x4, x5, x6: x1 + 2.0 * x2 + 4.0 * x5 + jnp.exp(x1 * x4),
        equal=lambda x1, x2, x3, x4, x5, x6: (
            x1 + 2.0 * x2 + 5.0 * x5 - 6.0,
            x1 + x2 + x3 - 3.0,
            x4 + x5 + x6 - 2.0,
            x1 + x4 - 1.0,
            x2 + x5 - 2.0,
            x3 + x6 - 2.0,
        ),
        lower=0.0,
        upper=(1.0, INF, INF, 1.0, INF, INF),
        tags="linear singular",
    ),
    hs(
        56,
        (1, 1, 1, HALF_FULL, HALF_FULL, HALF_FULL, math.asin(math.sqrt(5 / 7.2))),
        "-3.456",
        lambda x1, x2, x3, x4, x5, x6, x7: -x1 * x2 * x3,
        equal=lambda x1, x2, x3, x4, x5, x6, x7: (
            x1 - 4.2 * jnp.sin(x4) ** 2,
            x2 - 4.2 * jnp.sin(x5) ** 2,
            x3 - 4.2 * jnp.sin(x6) ** 2,
            x1 + 2.0 * x2 + 2.0 * x3 - 7.2 * jnp.sin(x7) ** 2,
        ),
        tags="singular",
    ),
    hs(
        57,
        (0.42, 5),
        "0.02845966972",
        _chlorine,
        above=lambda x1, x2: (0.49 * x2 - x1 * x2 - 0.09,),
        lower=(0.4, -4.0),
    ),
    hs(
        58,
        (-2, 1),
        "3.19033354957",
        banana,
        above=lambda x1, x2: (x2**2 - x1, x1**2 - x2, x1**2 + x2**2 - 1.0),
        lower=(-2.0, -INF),
        upper=(0.5, INF),
    ),
)
