"""The problems of Hock and Schittkowski, numbers 1 to 50; `hock_schittkowski_51.py` and `hock_schittkowski_83.py` go on.

Each is the book's formula with its x_1 ... x_n: functions take the coordinates one by one, constraints return a tuple of
rows. `equal` is to be 0, `above` to be >= 0. `published` is the minimum as the book prints it; `fun_star` and `x_star` are
that minimum polished in float64 (`hock_schittkowski_minimizers.py`), which the test checks by feasibility and multipliers.

W. Hock, K. Schittkowski (1981), Test Examples for Nonlinear Programming Codes, Lecture Notes in Economics and Mathematical
Systems 187, Springer.
"""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from .constrained import Constrained, Rows
from .hock_schittkowski_minimizers import MINIMIZER
from .mgh import gulf
from .problem import Point, repeat

INF = math.inf
ROOT_2, ROOT_3 = math.sqrt(2.0), math.sqrt(3.0)
Side = Point | float | None


def hs(
    number: int,
    x0: Point,
    published: str,
    fun: Callable[..., Array],
    *,
    equal: Callable[..., tuple[Array, ...]] | None = None,
    above: Callable[..., tuple[Array, ...]] | None = None,
    lower: Side = None,
    upper: Side = None,
    tags: str = "",
) -> Constrained:
    """A problem of the book from functions of x_1, ..., x_n."""
    n = len(x0)
    side = lambda v: () if v is None else tuple(v) if isinstance(v, tuple) else repeat((v,), n)
    fun_star, x_star = MINIMIZER.get(number, (float(published), None))
    return Constrained(
        name=f"hs{number}",
        fun=lambda x: fun(*x),
        x0=tuple(map(float, x0)),
        equal=_rows(equal),
        above=_rows(above),
        lower=side(lower),
        upper=side(upper),
        fun_star=fun_star,
        x_star=x_star,
        published=published,
        tags=frozenset({"hs", *tags.split()}),
    )


def _rows(rows: Callable[..., tuple[Array, ...]] | None) -> Rows | None:
    return None if rows is None else lambda x: jnp.stack(rows(*x))


def banana(x1: Any, x2: Any) -> Any:
    """Rosenbrock's function, the objective of ten of the problems."""
    return 100.0 * (x2 - x1**2) ** 2 + (1.0 - x1) ** 2


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


PROBLEMS_1 = (
    hs(1, (-2, 1), "0", banana, lower=(-INF, -1.5), tags="bounds"),
    hs(2, (-2, 1), "0.0504261879", banana, lower=(-INF, 1.5), tags="bounds"),
    hs(3, (10, 1), "0", lambda x1, x2: x2 + 1e-5 * (x2 - x1) ** 2, lower=(-INF, 0.0), tags="bounds badly_scaled"),
    hs(4, (1.125, 0.125), "2.6666666667", lambda x1, x2: (x1 + 1.0) ** 3 / 3.0 + x2, lower=(1.0, 0.0), tags="bounds"),
    hs(
        5,
        (0, 0),
        "-1.9132229550",
        lambda x1, x2: jnp.sin(x1 + x2) + (x1 - x2) ** 2 - 1.5 * x1 + 2.5 * x2 + 1.0,
        lower=(-1.5, -3.0),
        upper=(4.0, 3.0),
        tags="bounds",
    ),
    hs(6, (-1.2, 1), "0", lambda x1, x2: (1.0 - x1) ** 2, equal=lambda x1, x2: (10.0 * (x2 - x1**2),)),
    hs(
        7,
        (2, 2),
        "-1.7320508076",
        lambda x1, x2: jnp.log(1.0 + x1**2) - x2,
        equal=lambda x1, x2: ((1.0 + x1**2) ** 2 + x2**2 - 4.0,),
    ),
    hs(8, (2, 1), "-1", lambda x1, x2: 0.0 * x1 - 1.0, equal=lambda x1, x2: (x1**2 + x2**2 - 25.0, x1 * x2 - 9.0)),
    hs(
        9,
        (0, 0),
        "-0.5",
        lambda x1, x2: jnp.sin(math.pi * x1 / 12.0) * jnp.cos(math.pi * x2 / 16.0),
        equal=lambda x1, x2: (4.0 * x1 - 3.0 * x2,),
        tags="linear",
    ),
    hs(10, (-10, 10), "-1", lambda x1, x2: x1 - x2, above=lambda x1, x2: (-3.0 * x1**2 + 2.0 * x1 * x2 - x2**2 + 1.0,)),
    hs(11, (4.9, 0.1), "-8.498464223", lambda x1, x2: (x1 - 5.0) ** 2 + x2**2 - 25.0, above=lambda x1, x2: (x2 - x1**2,)),
    hs(
        12,
        (0, 0),
        "-30",
        lambda x1, x2: x1**2 / 2.0 + x2**2 - x1 * x2 - 7.0 * x1 - 7.0 * x2,
        above=lambda x1, x2: (25.0 - 4.0 * x1**2 - x2**2,),
    ),
    hs(
        13,
        (-2, -2),
        "1",
        lambda x1, x2: (x1 - 2.0) ** 2 + x2**2,
        above=lambda x1, x2: ((1.0 - x1) ** 3 - x2,),
        lower=0.0,
        tags="no_kkt",
    ),
    hs(
        14,
        (2, 2),
        "1.3934649806",
        lambda x1, x2: (x1 - 2.0) ** 2 + (x2 - 1.0) ** 2,
        equal=lambda x1, x2: (x1 - 2.0 * x2 + 1.0,),
        above=lambda x1, x2: (1.0 - x1**2 / 4.0 - x2**2,),
    ),
    hs(15, (-2, 1), "306.5", banana, above=lambda x1, x2: (x1 * x2 - 1.0, x1 + x2**2), upper=(0.5, INF)),
    hs(16, (-2, 1), "0.25", banana, above=lambda x1, x2: (x1 + x2**2, x1**2 + x2), lower=(-0.5, -INF), upper=(0.5, 1.0)),
    hs(17, (-2, 1), "1", banana, above=lambda x1, x2: (x2**2 - x1, x1**2 - x2), lower=(-0.5, -INF), upper=(0.5, 1.0)),
    hs(
        18,
        (2, 2),
        "5",
        lambda x1, x2: 0.01 * x1**2 + x2**2,
        above=lambda x1, x2: (x1 * x2 - 25.0, x1**2 + x2**2 - 25.0),
        lower=(2.0, 0.0),
        upper=50.0,
    ),
    hs(
        19,
        (20.1, 5.84),
        "-6961.81381",
        lambda x1, x2: (x1 - 10.0) ** 3 + (x2 - 20.0) ** 3,
        above=lambda x1, x2: (
            (x1 - 5.0) ** 2 + (x2 - 5.0) ** 2 - 100.0,
            82.81 - (x2 - 5.0) ** 2 - (x1 - 6.0) ** 2,
        ),
        lower=(13.0, 0.0),
        upper=100.0,
    ),
    hs(
        20,
        (-2, 1),
        "38.198730",
        banana,
        above=lambda x1, x2: (x1 + x2**2, x1**2 + x2, x1**2 + x2**2 - 1.0),
        lower=(-0.5, -INF),
        upper=(0.5, INF),
    ),
    hs(
        21,
        (-1, -1),
        "-99.96",
        lambda x1, x2: 0.01 * x1**2 + x2**2 - 100.0,
        above=lambda x1, x2: (10.0 * x1 - x2 - 10.0,),
        lower=(2.0, -50.0),
        upper=50.0,
        tags="linear",
    ),
    hs(
        22,
        (2, 2),
        "1",
        lambda x1, x2: (x1 - 2.0) ** 2 + (x2 - 1.0) ** 2,
        above=lambda x1, x2: (2.0 - x1 - x2, x2 - x1**2),
    ),
    hs(
        23,
        (3, 1),
        "2",
        lambda x1, x2: x1**2 + x2**2,
        above=lambda x1, x2: (x1 + x2 - 1.0, x1**2 + x2**2 - 1.0, 9.0 * x1**2 + x2**2 - 9.0, x1**2 - x2, x2**2 - x1),
        lower=-50.0,
        upper=50.0,
    ),
    hs(
        24,
        (1, 0.5),
        "-1",
        lambda x1, x2: ((x1 - 3.0) ** 2 - 9.0) * x2**3 / (27.0 * ROOT_3),
        above=lambda x1, x2: (x1 / ROOT_3 - x2, x1 + ROOT_3 * x2, 6.0 - x1 - ROOT_3 * x2),
        lower=0.0,
        tags="linear",
    ),
    hs(
        25,
        (100, 12.5, 3),
        "0",
        lambda *x: jnp.sum(gulf(jnp.stack(x)) ** 2),
        lower=(0.1, 0.0, 0.0),
        upper=(100.0, 25.6, 5.0),
        tags="bounds badly_scaled",
    ),
    hs(
        26,
        (-2.6, 2, 2),
        "0",
        lambda x1, x2, x3: (x1 - x2) ** 2 + (x2 - x3) ** 4,
        equal=lambda x1, x2, x3: ((1.0 + x2**2) * x1 + x3**4 - 3.0,),
        tags="singular",
    ),
    hs(
        27,
        (2, 2, 2),
        "0.04",
        lambda x1, x2, x3: 0.01 * (x1 - 1.0) ** 2 + (x2 - x1**2) ** 2,
        equal=lambda x1, x2, x3: (x1 + x3**2 + 1.0,),
    ),
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
