"""Problems 28 to 50 of Hock and Schittkowski."""

from typing import Any

import jax.numpy as jnp

from tests.problems.hock_schittkowski.book import INF, ROOT_2, banana, hs


def _wood(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    crossed = 10.1 * ((x2 - 1.0) ** 2 + (x4 - 1.0) ** 2) + 19.8 * (x2 - 1.0) * (x4 - 1.0)
    return banana(x1, x2) + 90.0 * (x4 - x3**2) ** 2 + (1.0 - x3) ** 2 + crossed


def _saddle_44(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    return x1 - x2 - x3 - x1 * x3 + x1 * x4 + x2 * x3 - x2 * x4


def _rosen_suzuki_rows(x1: Any, x2: Any, x3: Any, x4: Any) -> Any:
    return (
        8.0 - x1**2 - x2**2 - x3**2 - x4**2 - x1 + x2 - x3 + x4,
        10.0 - x1**2 - 2.0 * x2**2 - x3**2 - 2.0 * x4**2 + x1 + x4,
        5.0 - 2.0 * x1**2 - x2**2 - x3**2 - 2.0 * x1 + x2 + x4,
    )


PROBLEMS = (
    hs(
        28,
        (-4, 1, 1),
        "0",
        lambda x1, x2, x3: (x1 + x2) ** 2 + (x2 + x3) ** 2,
        equal=lambda x1, x2, x3: (x1 + 2.0 * x2 + 3.0 * x3 - 1.0,),
        tags="linear",
    ),
    hs(
        29,
        (1, 1, 1),
        "-22.627417",
        lambda x1, x2, x3: -x1 * x2 * x3,
        above=lambda x1, x2, x3: (48.0 - x1**2 - 2.0 * x2**2 - 4.0 * x3**2,),
    ),
    hs(
        30,
        (1, 1, 1),
        "1",
        lambda x1, x2, x3: x1**2 + x2**2 + x3**2,
        above=lambda x1, x2, x3: (x1**2 + x2**2 - 1.0,),
        lower=(1.0, -10.0, -10.0),
        upper=10.0,
        tags="singular",
    ),
    hs(
        31,
        (1, 1, 1),
        "6",
        lambda x1, x2, x3: 9.0 * x1**2 + x2**2 + 9.0 * x3**2,
        above=lambda x1, x2, x3: (x1 * x2 - 1.0,),
        lower=(-10.0, 1.0, -10.0),
        upper=(10.0, 10.0, 1.0),
    ),
    hs(
        32,
        (0.1, 0.7, 0.2),
        "1",
        lambda x1, x2, x3: (x1 + 3.0 * x2 + x3) ** 2 + 4.0 * (x1 - x2) ** 2,
        equal=lambda x1, x2, x3: (1.0 - x1 - x2 - x3,),
        above=lambda x1, x2, x3: (6.0 * x2 + 4.0 * x3 - x1**3 - 3.0,),
        lower=0.0,
    ),
    hs(
        33,
        (0, 0, 3),
        "-4.585786438",
        lambda x1, x2, x3: (x1 - 1.0) * (x1 - 2.0) * (x1 - 3.0) + x3,
        above=lambda x1, x2, x3: (x3**2 - x2**2 - x1**2, x1**2 + x2**2 + x3**2 - 4.0),
        lower=0.0,
        upper=(INF, INF, 5.0),
    ),
    hs(
        34,
        (0, 1.05, 2.9),
        "-0.8340324452",
        lambda x1, x2, x3: -x1,
        above=lambda x1, x2, x3: (x2 - jnp.exp(x1), x3 - jnp.exp(x2)),
        lower=0.0,
        upper=(100.0, 100.0, 10.0),
    ),
    hs(
        35,
        (0.5, 0.5, 0.5),
        "0.1111111111",
        lambda x1, x2, x3: (
            9.0 - 8.0 * x1 - 6.0 * x2 - 4.0 * x3 + 2.0 * x1**2 + 2.0 * x2**2 + x3**2 + 2.0 * x1 * x2 + 2.0 * x1 * x3
        ),
        above=lambda x1, x2, x3: (3.0 - x1 - x2 - 2.0 * x3,),
        lower=0.0,
        tags="linear",
    ),
    hs(
        36,
        (10, 10, 10),
        "-3300",
        lambda x1, x2, x3: -x1 * x2 * x3,
        above=lambda x1, x2, x3: (72.0 - x1 - 2.0 * x2 - 2.0 * x3,),
        lower=0.0,
        upper=(20.0, 11.0, 42.0),
        tags="linear",
    ),
    hs(
        37,
        (10, 10, 10),
        "-3456",
        lambda x1, x2, x3: -x1 * x2 * x3,
        above=lambda x1, x2, x3: (72.0 - x1 - 2.0 * x2 - 2.0 * x3, x1 + 2.0 * x2 + 2.0 * x3),
        lower=0.0,
        upper=42.0,
        tags="linear",
    ),
    hs(38, (-3, -1, -3, -1), "0", _wood, lower=-10.0, upper=10.0, tags="bounds"),
    hs(
        39,
        (2, 2, 2, 2),
        "-1",
        lambda x1, x2, x3, x4: -x1,
        equal=lambda x1, x2, x3, x4: (x2 - x1**3 - x3**2, x1**2 - x2 - x4**2),
    ),
    hs(
        40,
        (0.8, 0.8, 0.8, 0.8),
        "-0.25",
        lambda x1, x2, x3, x4: -x1 * x2 * x3 * x4,
        equal=lambda x1, x2, x3, x4: (x1**3 + x2**2 - 1.0, x1**2 * x4 - x3, x4**2 - x2),
    ),
    hs(
        41,
        (2, 2, 2, 2),
        "1.9259259259",
        lambda x1, x2, x3, x4: 2.0 - x1 * x2 * x3,
        equal=lambda x1, x2, x3, x4: (x1 + 2.0 * x2 + 2.0 * x3 - x4,),
        lower=0.0,
        upper=(1.0, 1.0, 1.0, 2.0),
        tags="linear",
    ),
    hs(
        42,
        (1, 1, 1, 1),
        "13.8578644",
        lambda x1, x2, x3, x4: (x1 - 1.0) ** 2 + (x2 - 2.0) ** 2 + (x3 - 3.0) ** 2 + (x4 - 4.0) ** 2,
        equal=lambda x1, x2, x3, x4: (x1 - 2.0, x3**2 + x4**2 - 2.0),
    ),
    hs(
        43,
        (0, 0, 0, 0),
        "-44",
        lambda x1, x2, x3, x4: x1**2 + x2**2 + 2.0 * x3**2 + x4**2 - 5.0 * x1 - 5.0 * x2 - 21.0 * x3 + 7.0 * x4,
        above=_rosen_suzuki_rows,
    ),
    hs(
        44,
        (0, 0, 0, 0),
        "-15",
        _saddle_44,
        above=lambda x1, x2, x3, x4: (
            8.0 - x1 - 2.0 * x2,
            12.0 - 4.0 * x1 - x2,
            12.0 - 3.0 * x1 - 4.0 * x2,
            8.0 - 2.0 * x3 - x4,
            8.0 - x3 - 2.0 * x4,
            5.0 - x3 - x4,
        ),
        lower=0.0,
        tags="linear",
    ),
    hs(
        45,
        (2, 2, 2, 2, 2),
        "1",
        lambda x1, x2, x3, x4, x5: 2.0 - x1 * x2 * x3 * x4 * x5 / 120.0,
        lower=0.0,
        upper=(1.0, 2.0, 3.0, 4.0, 5.0),
        tags="bounds",
    ),
    hs(
        46,
        (ROOT_2 / 2, 1.75, 0.5, 2, 2),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - x2) ** 2 + (x3 - 1.0) ** 2 + (x4 - 1.0) ** 4 + (x5 - 1.0) ** 6,
        equal=lambda x1, x2, x3, x4, x5: (x1**2 * x4 + jnp.sin(x4 - x5) - 1.0, x2 + x3**4 * x4**2 - 2.0),
        tags="singular",
    ),
    hs(
        47,
        (2, ROOT_2, -1, 2 - ROOT_2, 0.5),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - x2) ** 2 + (x2 - x3) ** 3 + (x3 - x4) ** 4 + (x4 - x5) ** 4,
        equal=lambda x1, x2, x3, x4, x5: (x1 + x2**2 + x3**3 - 3.0, x2 - x3**2 + x4 - 1.0, x1 * x5 - 1.0),
        tags="singular",
    ),
    hs(
        48,
        (3, 5, -3, 2, -2),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - 1.0) ** 2 + (x2 - x3) ** 2 + (x4 - x5) ** 2,
        equal=lambda x1, x2, x3, x4, x5: (x1 + x2 + x3 + x4 + x5 - 5.0, x3 - 2.0 * (x4 + x5) + 3.0),
        tags="linear",
    ),
    hs(
        49,
        (10, 7, 2, -3, 0.8),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - x2) ** 2 + (x3 - 1.0) ** 2 + (x4 - 1.0) ** 4 + (x5 - 1.0) ** 6,
        equal=lambda x1, x2, x3, x4, x5: (x1 + x2 + x3 + 4.0 * x4 - 7.0, x3 + 5.0 * x5 - 6.0),
        tags="linear singular",
    ),
    hs(
        50,
        (35, -31, 11, 5, -5),
        "0",
        lambda x1, x2, x3, x4, x5: (x1 - x2) ** 2 + (x2 - x3) ** 2 + (x3 - x4) ** 4 + (x4 - x5) ** 2,
        equal=lambda x1, x2, x3, x4, x5: (
            x1 + 2.0 * x2 + 3.0 * x3 - 6.0,
            x2 + 2.0 * x3 + 3.0 * x4 - 6.0,
            x3 + 2.0 * x4 + 3.0 * x5 - 6.0,
        ),
        tags="linear",
    ),
)
