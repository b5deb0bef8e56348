"""Random problems with constraints on which a claim is easily false: four variables, two equations or none, bounds.

An objective and the rows are chosen from two short lists, written once for JAX and NumPy (`xp`) over the last axis. Most
rows are conic, s_i (C_i x + e_i |x - w_i|^2 - d_i): lines, spheres, discs, in any units and repeated as often as one likes.
The first rows of a group are equations, the others are to be >= 0. All problems but the infeasible ones are feasible at z,
by construction; those are infeasible by a gap that no rounding closes.

`lifted` has the same problem without its kinks: |u| is a variable t with t >= u and t >= -u (Boyd & Vandenberghe 2004,
section 6.1.1), so that the judge can use derivatives where the problem itself has none.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

N, SQUARES = 4, 4
INF = np.inf


class Data(NamedTuple):
    """What the functions of a batch are made of."""

    A: Any  # (..., SQUARES, n) u = A x - b
    b: Any  # (..., SQUARES)
    C: Any  # (..., rows, n)
    d: Any  # (..., rows)
    e: Any  # (..., rows)
    w: Any  # (..., rows, n)
    s: Any  # (..., rows) units
    z: Any  # (..., n)
    k: Any  # (..., 2)


class Drawn(NamedTuple):
    """Lanes of a kind."""

    data: Data
    x0: np.ndarray  # (lanes, n)
    lower: np.ndarray
    upper: np.ndarray


class Kind(NamedTuple):
    """A family of problems."""

    name: str
    objective: int  # in OBJECTIVES
    rows: int  # in ROWS
    draw: Callable[[np.random.Generator, Drawn, bool], Drawn]  # the last: for float32?
    feasible: bool = True


def _u(x: Any, p: Data) -> Any:
    return (p.A * x[..., None, :]).sum(-1) - p.b


def _squares(x: Any, p: Data, xp: ModuleType) -> Any:
    return 0.5 * (_u(x, p) ** 2).sum(-1) + p.k[..., 0]


def _linear(x: Any, p: Data, xp: ModuleType) -> Any:
    return (p.b * x).sum(-1)


def _banana(x: Any, p: Data, xp: ModuleType) -> Any:
    return (100.0 * (x[..., 1::2] - x[..., ::2] ** 2) ** 2 + (1.0 - x[..., ::2]) ** 2).sum(-1)


def _wells(x: Any, p: Data, xp: ModuleType) -> Any:
    """A well near +1 and -1 of each variable."""
    return (0.25 * x**4 - 0.5 * x**2 + 0.1 * p.b * x).sum(-1)


def _saddle(x: Any, p: Data, xp: ModuleType) -> Any:
    u = _u(x, p)
    return u[..., 0] ** 2 - u[..., 1] ** 2 + 0.1 * (x**4).sum(-1)


def _kink(x: Any, p: Data, xp: ModuleType) -> Any:
    """|u_0| + |u_1| + |x - z|^2 / 2."""
    return xp.abs(_u(x, p)[..., :2]).sum(-1) + 0.5 * ((x - p.z) ** 2).sum(-1)


OBJECTIVES = (_squares, _linear, _banana, _wells, _saddle, _kink)
SQUARES_OF_U, LINEAR, BANANA, WELLS, SADDLE, KINK = range(6)


def _conic(x: Any, p: Data, xp: ModuleType) -> Any:
    away = ((x[..., None, :] - p.w) ** 2).sum(-1)
    return p.s * ((p.C * x[..., None, :]).sum(-1) + p.e * away - p.d)


def _first(made: Any, x: Any, p: Data, xp: ModuleType) -> Any:
    """Rows of which the first ones are others."""
    made = xp.stack(made, -1)
    return xp.concatenate([made, _conic(x, p, xp)[..., made.shape[-1] :]], -1)


def _products(x: Any, p: Data, xp: ModuleType) -> Any:
    return _first([x[..., 0] * x[..., 1] - p.d[..., 0], x[..., 2] * x[..., 3] - p.d[..., 1]], x, p, xp)


def _cusp(x: Any, p: Data, xp: ModuleType) -> Any:
    """x_1 <= (1 - x_0)^3 and x_1 >= 0: at their cusp (1, 0) there are no multipliers."""
    return _first([(1.0 - x[..., 0]) ** 3 - x[..., 1]], x, p, xp)


def _logarithm(x: Any, p: Data, xp: ModuleType) -> Any:
    """NaN where x_0 is negative, which the bounds forbid."""
    return _first([xp.log(x[..., 0]) + x[..., 1] - p.d[..., 0]], x, p, xp)


def _diamond(x: Any, p: Data, xp: ModuleType) -> Any:
    return _first([p.d[..., 0] - xp.abs(x[..., :2] - p.z[..., :2]).sum(-1)], x, p, xp)


def _exponential(x: Any, p: Data, xp: ModuleType) -> Any:
    return _first([p.d[..., 0] - xp.exp((p.C[..., 0, :] * x).sum(-1))], x, p, xp)


ROWS = (_conic, _products, _cusp, _logarithm, _diamond, _exponential)
CONIC, PRODUCTS, CUSP, LOGARITHM, DIAMOND, EXPONENTIAL = range(6)


class Smooth(NamedTuple):
    """A problem without its kinks, of y = (x, t)."""

    fun: Callable[[Any, Data, ModuleType], Any]
    rows: Callable[[Any, Data, ModuleType], Any]
    start: Callable[[Any, Data], Any]  # x -> y


def lifted(kind: Kind) -> Smooth:
    """The same problem where there is no kink."""
    fun, rows = OBJECTIVES[kind.objective], ROWS[kind.rows]
    if kind.objective == KINK:
        ends = lambda x, p: _u(x, p)[..., :2]
        fun = lambda y, p, xp: 0.5 * ((y[..., :N] - p.z) ** 2).sum(-1) + y[..., N:].sum(-1)
    elif kind.rows == DIAMOND:
        ends = lambda x, p: x[..., :2] - p.z[..., :2]
        rows = lambda x, p, xp: _first([p.d[..., 0]], x, p, xp)
        fun = lambda y, p, xp: OBJECTIVES[kind.objective](y[..., :N], p, xp)
    else:
        return Smooth(fun, rows, lambda x, p: x)

    def all_rows(y: Any, p: Data, xp: ModuleType) -> Any:
        x, t = y[..., :N], y[..., N:]
        made, end = rows(x, p, xp), ends(x, p)
        if kind.rows == DIAMOND:
            made = xp.concatenate([made[..., :1] - t.sum(-1, keepdims=True), made[..., 1:]], -1)
        return xp.concatenate([made, t - end, t + end], -1)

    return Smooth(fun, all_rows, lambda x, p: np.concatenate([x, np.abs(ends(x, p))], -1))


def base(rng: np.random.Generator, lanes: int, equations: int, rows: int) -> Drawn:
    """Random lines, feasible at z; a start near or far; no bounds."""
    normal = lambda *shape: rng.normal(size=(lanes, *shape))
    C, z = normal(rows, N), normal(N)
    room = np.where(rng.random((lanes, rows)) < 0.4, 0.0, rng.exponential(size=(lanes, rows)))
    room[:, :equations] = 0.0
    d = (C * z[:, None]).sum(-1) - room
    none, one = np.zeros((lanes, rows)), np.ones((lanes, rows))
    data = Data(normal(SQUARES, N), normal(SQUARES), C, d, none, normal(rows, N), one, z, np.zeros((lanes, 2)))
    x0 = z + 10.0 ** rng.uniform(-2, 1, (lanes, 1)) * normal(N)
    return Drawn(data, x0, np.full((lanes, N), -INF), np.full((lanes, N), INF))


def _with(made: Drawn, **parts: np.ndarray) -> Drawn:
    return made._replace(data=made.data._replace(**parts))


def _plain(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    return made


def _flat(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Squares of two forms only: the minimizers are many."""
    A, b = made.data.A.copy(), made.data.b.copy()
    A[:, 2:], b[:, 2:] = 0.0, 0.0
    return _with(made, A=A, b=b)


def _on_sphere(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """The first equation is a sphere through z."""
    p = made.data
    C, d, e = p.C.copy(), p.d.copy(), p.e.copy()
    C[:, 0], e[:, 0], d[:, 0] = 0.0, 1.0, ((p.z - p.w[:, 0]) ** 2).sum(-1)
    return _with(made, C=C, d=d, e=e)


def _in_balls(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """The first two rows are balls that hold z, some at their surface."""
    p = made.data
    C, d, e, room = p.C.copy(), p.d.copy(), p.e.copy(), np.where(rng.random((len(p.z), 2)) < 0.3, 0.0, 1.0)
    C[:, :2], e[:, :2], d[:, :2] = 0.0, -1.0, -((p.z[:, None] - p.w[:, :2]) ** 2).sum(-1) - room
    return _with(made, C=C, d=d, e=e)


def _off_balls(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """The first row wants x outside of a ball: not convex."""
    p = made.data
    C, d, e = p.C.copy(), p.d.copy(), p.e.copy()
    C[:, 0], e[:, 0], d[:, 0] = 0.0, 1.0, ((p.z - p.w[:, 0]) ** 2).sum(-1) * rng.uniform(0.2, 1.0, len(p.z))
    return _with(made, C=C, d=d, e=e)


def _on_products(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    d, z = made.data.d.copy(), made.data.z
    d[:, 0], d[:, 1] = z[:, 0] * z[:, 1], z[:, 2] * z[:, 3]
    return _with(made, d=d)


def _redundant(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Row 1 is row 0 in other units, and so is row 3 row 2."""
    p = made.data
    C, d, e, w = (v.copy() for v in (p.C, p.d, p.e, p.w))
    times = rng.choice([-2.0, 0.5, 4.0], len(d)) if p.d.shape[1] == 5 else rng.choice([0.5, 2.0, 4.0], len(d))
    C[:, 1], d[:, 1], e[:, 1], w[:, 1] = times[:, None] * C[:, 0], times * d[:, 0], times * e[:, 0], w[:, 0]
    C[:, 3], d[:, 3], e[:, 3], w[:, 3] = C[:, 2], d[:, 2], e[:, 2], w[:, 2]
    return _with(made, C=C, d=d, e=e, w=w)


def _nearly_dependent(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Row 1 is row 0 turned by a small angle, both through z."""
    C, d, z = made.data.C.copy(), made.data.d.copy(), made.data.z
    angle = 10.0 ** rng.uniform(-3 if single else -7, -1, (len(z), 1))
    C[:, 1] = C[:, 0] + angle * C[:, 1]
    d[:, :2] = (C[:, :2] * z[:, None]).sum(-1)
    return _with(made, C=C, d=d)


def _units(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    power = 2.0 if single else 6.0
    return _with(made, s=10.0 ** rng.uniform(-power, power, made.data.s.shape))


def _offset(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """A large constant in f, and rows that are differences of large numbers."""
    p = made.data
    k = p.k.copy()
    k[:, 0] = 10.0 ** rng.uniform(2, 4 if single else 9, len(k))
    far = 10.0 ** rng.uniform(0, 2 if single else 5, (len(k), 1))
    z = p.z + far
    d, b = p.d + (p.C * far[:, None]).sum(-1), p.b + (p.A * far[:, None]).sum(-1)
    return _with(made, k=k, z=z, d=d, b=b, w=p.w + far[:, None])._replace(x0=made.x0 + far)


def _at_kink(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """The start lies on the first kink."""
    p, x0 = made.data, made.x0
    a = p.A[:, 0]
    at = x0 - ((a * x0).sum(-1) - p.b[:, 0])[:, None] * a / (a * a).sum(-1)[:, None]
    return made._replace(x0=at)


def _boxed(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Bounds that hold z, some of them at it, some equal."""
    z = made.data.z
    room = lambda: np.where(rng.random(z.shape) < 0.3, 0.0, rng.exponential(size=z.shape))
    none = rng.random((2, *z.shape)) < 0.3
    lower, upper = np.where(none[0], -INF, z - room()), np.where(none[1], INF, z + room())
    return made._replace(lower=lower, upper=upper)


def _both(*draws: Callable[..., Drawn]) -> Callable[..., Drawn]:
    def draw(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
        for one in draws:
            made = one(rng, made, single)
        return made

    return draw


def _at_cusp(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """The objective pulls to x_0 > 1; rows 1 and above are far."""
    p = made.data
    eye = np.broadcast_to(np.eye(N), p.A.shape)
    b = np.concatenate([rng.uniform(1.5, 3.0, (len(p.z), 1)), 0.0 * p.z[:, 1:]], -1)
    lower = np.concatenate([np.full((len(p.z), 1), -INF), np.zeros((len(p.z), 1)), np.full((len(p.z), 2), -INF)], -1)
    z = np.concatenate([0.0 * p.z[:, :1], np.full((len(p.z), 1), 0.5), p.z[:, 2:]], -1)
    d = np.concatenate([p.d[:, :1], np.full((len(p.z), p.d.shape[1] - 1), -100.0)], -1)
    return _with(made, A=eye, b=b, z=z, d=d)._replace(lower=lower)


def _walled(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """x_0 >= 1e-3 is a bound, and log x_0 + x_1 >= d holds at z."""
    p = made.data
    z = p.z.copy()
    z[:, 0] = np.exp(z[:, 0])
    d = (p.C * z[:, None]).sum(-1) - rng.exponential(size=p.d.shape)
    d[:, 0] = np.log(z[:, 0]) + z[:, 1] - rng.exponential(size=len(z))
    lower = made.lower.copy()
    lower[:, 0] = 1e-3
    return _with(made, z=z, d=d)._replace(lower=lower)


def _in_diamond(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """A diamond about z, and a start at its center or on its axis."""
    d, x0, z = made.data.d.copy(), made.x0.copy(), made.data.z
    d[:, 0] = rng.uniform(0.1, 2.0, len(d))
    x0[:, 0] = z[:, 0]
    return _with(made, d=d)._replace(x0=x0)


def _under_exponential(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    p, d = made.data, made.data.d.copy()
    d[:, 0] = np.exp((p.C[:, 0] * p.z).sum(-1)) + np.where(rng.random(len(d)) < 0.3, 0.0, 1.0)
    return _with(made, d=d)


def _apart(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Row 1 contradicts row 0: of equations and of inequalities alike."""
    p = made.data
    C, d = p.C.copy(), p.d.copy()
    gap = rng.uniform(0.5, 3.0, len(d)) * (1.0 + np.abs(d[:, 0]))
    C[:, 1], d[:, 1] = -C[:, 0], -d[:, 0] + gap
    return _with(made, C=C, d=d)


def _sphere_apart(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """Row 0 is a ball about w, or its surface, and row 1 a half-space, or a plane, that is a radius or more away."""
    p = made.data
    C, d, e = p.C.copy(), p.d.copy(), p.e.copy()
    radius, normal = rng.uniform(0.5, 2.0, len(d)), C[:, 1] / np.linalg.norm(C[:, 1], axis=-1, keepdims=True)
    sign = 1.0 if p.d.shape[1] == 5 else -1.0
    C[:, 0], e[:, 0], d[:, 0] = 0.0, sign, sign * radius**2
    C[:, 1], d[:, 1] = normal, (normal * p.w[:, 0]).sum(-1) + radius * rng.uniform(2.0, 4.0, len(d))
    return _with(made, C=C, d=d, e=e)


def _below_nothing(rng: np.random.Generator, made: Drawn, single: bool) -> Drawn:
    """-|x - w|^2 - d >= 0 with d > 0: the linearization is feasible everywhere but at w."""
    p = made.data
    C, d, e = p.C.copy(), p.d.copy(), p.e.copy()
    C[:, 0], e[:, 0], d[:, 0] = 0.0, -1.0, rng.uniform(0.1, 2.0, len(d))
    return _with(made, C=C, d=d, e=e)


EQUAL = (
    Kind("qp", SQUARES_OF_U, CONIC, _plain),
    Kind("flat qp", SQUARES_OF_U, CONIC, _flat),
    Kind("sphere", SQUARES_OF_U, CONIC, _on_sphere),
    Kind("line, sphere", LINEAR, CONIC, _on_sphere),
    Kind("products", SQUARES_OF_U, PRODUCTS, _on_products),
    Kind("redundant", SQUARES_OF_U, CONIC, _redundant),
    Kind("redundant sphere", SQUARES_OF_U, CONIC, _both(_on_sphere, _redundant)),
    Kind("near dependent", SQUARES_OF_U, CONIC, _nearly_dependent),
    Kind("units", SQUARES_OF_U, CONIC, _units),
    Kind("units, sphere", SQUARES_OF_U, CONIC, _both(_on_sphere, _units)),
    Kind("offset", SQUARES_OF_U, CONIC, _offset),
    Kind("kink", KINK, CONIC, _at_kink),
    Kind("wells", WELLS, CONIC, _boxed),
    Kind("saddle", SADDLE, CONIC, _boxed),
    Kind("apart", SQUARES_OF_U, CONIC, _apart, feasible=False),
    Kind("sphere apart", SQUARES_OF_U, CONIC, _sphere_apart, feasible=False),
)
ABOVE = (
    Kind("qp", SQUARES_OF_U, CONIC, _boxed),
    Kind("banana in balls", BANANA, CONIC, _in_balls),
    Kind("banana off a ball", BANANA, CONIC, _off_balls),
    Kind("line in balls", LINEAR, CONIC, _in_balls),
    Kind("wells", WELLS, CONIC, _boxed),
    Kind("saddle", SADDLE, CONIC, _both(_boxed, _in_balls)),
    Kind("redundant balls", SQUARES_OF_U, CONIC, _both(_in_balls, _redundant)),
    Kind("near dependent", SQUARES_OF_U, CONIC, _nearly_dependent),
    Kind("units", BANANA, CONIC, _both(_in_balls, _units)),
    Kind("offset", SQUARES_OF_U, CONIC, _offset),
    Kind("kink", KINK, CONIC, _both(_in_balls, _at_kink)),
    Kind("diamond", SQUARES_OF_U, DIAMOND, _in_diamond),
    Kind("cusp", SQUARES_OF_U, CUSP, _at_cusp),
    Kind("wall", SQUARES_OF_U, LOGARITHM, _walled),
    Kind("exponential", LINEAR, EXPONENTIAL, _both(_boxed, _under_exponential)),
    Kind("apart", SQUARES_OF_U, CONIC, _apart, feasible=False),
    Kind("balls apart", BANANA, CONIC, _sphere_apart, feasible=False),
    Kind("below nothing", LINEAR, CONIC, _below_nothing, feasible=False),
)
GROUPS = {"equations": (EQUAL, 2, 5), "inequalities": (ABOVE, 0, 4)}  # kinds, equations, rows
