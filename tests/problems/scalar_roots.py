"""Functions of one variable with a bracket: what root finders are tested on.

APS: the families of G. E. Alefeld, F. A. Potra, Y. Shi, ACM TOMS 21, 1995, table 1 (their numbers 1 to 15), with all of
their parameters but the longest rows of 14 and 15. CHANDRUPATLA: the nine functions of T. R. Chandrupatla, Adv. Eng.
Software 28, 1997. A family is one function of (x, parameters) and a table of parameters and brackets, so that a test
solves it by one program. ROOTS are single problems of both for the laws, with roots in closed form or polished in float64.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array


@dataclass(frozen=True, eq=False)
class RootFamily:
    """Problems of one function."""

    name: str  # unique in the library
    fun: Callable[[Array, Array, Array], Array]  # (x, n, a) -> f, in the dtype of x
    table: tuple[tuple[float, float, float, float], ...]  # n, a, and the two ends of each problem
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class RootProblem:
    """A function of one number, a bracket, a start for open methods, and the root.

    Tags in use: 'multiple' (a zero of the derivative too), 'flat' (f is zero, or as good as, around the root), 'jump'
    (f jumps near the root), 'wild' (open methods are not expected to arrive from the start).
    """

    name: str  # unique in the library
    fun: Callable[[Array], Array]  # () -> (), in the dtype of its argument
    bracket: tuple[float, float]
    x0: float
    root: float
    tags: frozenset[str] = frozenset()


def _poles(x: Array, n: Array, a: Array) -> Array:
    """Twenty poles of third order at i**2 (number 2)."""
    i = jnp.arange(1, 21, dtype=x.dtype)
    return -2.0 * jnp.sum((2.0 * i - 5.0) ** 2 / (x - i * i) ** 3)


def _wall(x: Array, n: Array, a: Array) -> Array:
    """Zero at 0 to all orders (number 13, and Chandrupatla's seventh)."""
    away = jnp.where(jnp.abs(x) < 3.8e-4, 1.0, x)
    return jnp.where(jnp.abs(x) < 3.8e-4, 0.0, away * jnp.exp(-1.0 / (away * away)))


def _shelf(x: Array, n: Array, a: Array) -> Array:
    """Constant to the left of 0, where it jumps nowhere but bends (number 14)."""
    return n / 20.0 * jnp.where(x >= 0.0, x / 1.5 + jnp.sin(x) - 1.0, -1.0)


def _cliff(x: Array, n: Array, a: Array) -> Array:
    """A steep exponential between two constants (number 15)."""
    top = 2e-3 / (1.0 + n)
    inside = jnp.clip(x, 0.0, top)
    return jnp.exp((n + 1.0) * inside / 2.0 * 1e3) - 1.859


def _rows(ns: list[float], low: float, high: float, a: float = 0.0) -> tuple[tuple[float, float, float, float], ...]:
    return tuple((float(n), a, low, high) for n in ns)


E = math.e
APS = (
    RootFamily("aps_1", lambda x, n, a: jnp.sin(x) - x / 2.0, _rows([0], math.pi / 2, math.pi)),
    RootFamily("aps_2", _poles, tuple((n, 0.0, n**2 + 1e-9, (n + 1) ** 2 - 1e-9) for n in range(1, 11))),
    RootFamily(
        "aps_3",
        lambda x, n, a: a * x * jnp.exp(n * x),
        tuple((n, a, -9.0, 31.0) for a, n in ((-40.0, -1.0), (-100.0, -2.0), (-200.0, -3.0))),
    ),
    RootFamily(
        "aps_4",
        lambda x, n, a: jnp.abs(x) ** n - a,  # the n are even
        _rows([4, 6, 8, 10, 12], 0.0, 5.0, 0.2)
        + _rows([4, 6, 8, 10, 12], 0.0, 5.0, 1.0)
        + _rows([8, 10, 12, 14], -0.95, 4.05, 1.0),
    ),
    RootFamily("aps_5", lambda x, n, a: jnp.sin(x) - 0.5, _rows([0], 0.0, 1.5)),
    RootFamily(
        "aps_6",
        lambda x, n, a: 2.0 * x * jnp.exp(-n) - 2.0 * jnp.exp(-n * x) + 1.0,
        _rows([1, 2, 3, 4, 5, 20, 40, 60, 80, 100], 0.0, 1.0),
    ),
    RootFamily("aps_7", lambda x, n, a: (1.0 + (1.0 - n) ** 2) * x - (1.0 - n * x) ** 2, _rows([5, 10, 20], 0.0, 1.0)),
    RootFamily("aps_8", lambda x, n, a: x**2 - (1.0 - x) ** n, _rows([2, 5, 10, 15, 20], 0.0, 1.0)),
    RootFamily(
        "aps_9", lambda x, n, a: (1.0 + (1.0 - n) ** 4) * x - (1.0 - n * x) ** 4, _rows([1, 2, 4, 5, 8, 15, 20], 0.0, 1.0)
    ),
    RootFamily("aps_10", lambda x, n, a: jnp.exp(-n * x) * (x - 1.0) + x**n, _rows([1, 5, 10, 15, 20], 0.0, 1.0)),
    RootFamily("aps_11", lambda x, n, a: (n * x - 1.0) / ((n - 1.0) * x), _rows([2, 5, 15, 20], 0.01, 1.0)),
    RootFamily(
        "aps_12",
        lambda x, n, a: x ** (1.0 / n) - n ** (1.0 / n),
        _rows([2, 3, 4, 5, 6, *range(7, 34, 2)], 1.0, 100.0),
    ),
    RootFamily("aps_13", _wall, _rows([0], -1.0, 4.0), frozenset({"flat"})),
    RootFamily("aps_14", _shelf, _rows(list(range(1, 41, 3)), -1e4, math.pi / 2)),
    RootFamily("aps_15", _cliff, _rows([*range(20, 41, 4), 100, 400, 700, 1000], -1e4, 1e-4)),
)


def _vapor(x: Array) -> Array:
    """Chandrupatla's eighth."""
    xi, decay = 0.61489, jnp.exp(-x)
    return -(3062.0 * (1.0 - xi) * decay) / (xi + (1.0 - xi) * decay) - 1013.0 + 1628.0 / x


def _near_pole(x: Array) -> Array:
    """Chandrupatla's ninth."""
    return jnp.exp(x) - 2.0 - 0.01 / (x * x) + 2e-6 / x**3


_CHANDRUPATLAS: tuple[tuple[Callable[[Array], Array], tuple[tuple[float, float], ...], str], ...] = (
    (lambda x: x**3 - 2.0 * x - 5.0, ((2.0, 3.0), (1.0, 10.0), (1.0, 100.0), (-1e4, 1e4), (-1e10, 1e10)), ""),
    (lambda x: 1.0 - 1.0 / x**2, ((0.5, 1.51), (1e-4, 1e4), (1e-6, 1e6), (1e-10, 1e10), (1e-12, 1e12)), ""),
    (lambda x: (x - 3.0) ** 3, ((0.0, 5.0), (-10.0, 10.0), (-1e4, 1e4), (-1e6, 1e6), (-1e10, 1e10)), "multiple"),
    (lambda x: 6.0 * (x - 2.0) ** 5, ((0.0, 5.0), (-10.0, 10.0), (-1e4, 1e4), (-1e6, 1e6), (-1e10, 1e10)), "multiple"),
    (lambda x: x**9, ((-1.0, 4.0), (-2.0, 5.0), (-1.0, 10.0), (-5.0, 50.0), (-10.0, 100.0)), "multiple"),
    (lambda x: x**19, ((-1.0, 4.0), (-2.0, 5.0), (-1.0, 10.0), (-5.0, 50.0), (-10.0, 100.0)), "multiple"),
    (lambda x: _wall(x, x, x), ((-1.0, 4.0), (-2.0, 5.0), (-1.0, 10.0), (-5.0, 50.0), (-10.0, 100.0)), "flat"),
    (_vapor, ((2e-4, 2.0), (2e-4, 3.0), (2e-4, 9.0), (2e-4, 27.0), (2e-4, 81.0)), ""),
    (_near_pole, ((2e-4, 1.0), (2e-4, 3.0), (2e-4, 9.0), (2e-4, 27.0), (2e-4, 81.0)), ""),
)
CHANDRUPATLA = tuple(
    RootFamily(
        f"chandrupatla_{i}",
        lambda x, n, a, fun=fun: fun(x),
        tuple((0.0, 0.0, *bracket) for bracket in brackets),
        frozenset(tags.split()),
    )
    for i, (fun, brackets, tags) in enumerate(_CHANDRUPATLAS, start=1)
)
FAMILIES = APS + CHANDRUPATLA


def _root(
    name: str, fun: Callable[[Array], Array], bracket: tuple[float, float], x0: float, root: float, tags: str = ""
) -> RootProblem:
    return RootProblem(name, fun, bracket, x0, root, frozenset(tags.split()))


ROOTS = (
    _root("cubic_of_wallis", lambda x: x**3 - 2.0 * x - 5.0, (2.0, 3.0), 2.0, 2.0945514815423265),
    _root("inverse_square", lambda x: 1.0 - 1.0 / x**2, (0.5, 1.51), 0.6, 1.0),
    _root("vapor", _vapor, (2e-4, 2.0), 1.0, 1.0375360332870403),
    _root("near_pole", _near_pole, (2e-4, 1.0), 0.5, 0.7032048403631358),
    _root("sine_half", lambda x: jnp.sin(x) - x / 2.0, (math.pi / 2, math.pi), 2.0, 1.8954942670339809),
    _root("sine", lambda x: jnp.sin(x) - 0.5, (0.0, 1.5), 0.2, math.pi / 6),
    _root("cosine", lambda x: jnp.cos(x) - x, (0.0, 2.0), 0.0, 0.7390851332151607),
    _root("twelfth_power", lambda x: x**12 - 1.0, (-0.95, 4.05), 1.5, 1.0),
    _root("hyperbola", lambda x: (5.0 * x - 1.0) / (4.0 * x), (0.01, 1.0), 0.1, 0.2),
    _root("cube_root", lambda x: jnp.cbrt(x) - 3.0 ** (1.0 / 3.0), (1.0, 100.0), 1.5, 3.0),
    _root("shelf", lambda x: _shelf(x, jnp.asarray(10.0, x.dtype), x), (-1e4, math.pi / 2), 0.5, 0.6238065189616123),
    _root("at_end", lambda x: x * (x - 3.0), (0.0, 1.0), -0.5, 0.0),
    _root("at_middle", lambda x: x - 0.5, (0.0, 1.0), 0.0, 0.5),
    _root("cube", lambda x: (x - 3.0) ** 3, (0.0, 5.0), 2.0, 3.0, "multiple"),
    _root("arctangent", jnp.arctan, (-1.0, 6.0), 3.0, 0.0, "wild"),
    _root("step", lambda x: jnp.where(x < 0.25, -1.0, 2.0).astype(x.dtype), (-1.0, 1.0), 0.0, 0.25, "jump wild"),
)
