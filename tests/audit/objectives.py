"""Functions of 2 or 4 variables on which a claim of a minimum is easily false, at random.

Every function is written once for JAX and NumPy (`xp`), over the last axis, so that it runs in float32 and float64 in the
solver and in longdouble in the judge. All take the same data, of which each uses what it needs: rows A and offsets b, which
make u = A x - b, a point z and three numbers k. The functions are kinks along no axis (kink, lad, minimax, hinge), stiff and
near-singular valleys, walls (exponential, of NaN, of infinity), flat minima (quartic), flat surroundings (plateau, far,
tail, rational), bad scales, big offsets, and saddles.

Where the least value is known in closed form, `least` is it, for a problem without a box. Of functions that are convex and
piecewise quadratic in two variables, `pieces` gives what their minimizers lie on, see `tests/audit/least.py`.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

ROWS = 4  # of A


class Data(NamedTuple):
    """What the functions of a batch are made of."""

    A: Any  # (..., ROWS, n)
    b: Any  # (..., ROWS)
    z: Any  # (..., n)
    k: Any  # (..., 3)


class Pieces(NamedTuple):
    """A function that is convex and piecewise quadratic: q |x - z|^2 / 2 plus linear pieces that meet in planes."""

    planes: np.ndarray  # (lanes, planes, n), across which the slope jumps
    offsets: np.ndarray  # (lanes, planes): plane . x = offset
    centers: np.ndarray  # (lanes, combinations, n): minimizers of each quadratic piece, if they were alone


class Kind(NamedTuple):
    """A family of functions with its random data."""

    name: str
    fun: Callable[[Any, Data, ModuleType], Any]  # (x (..., n), data, xp) -> (...)
    draw: Callable[[np.random.Generator, Data, np.ndarray, bool], tuple[Data, np.ndarray]]  # single: for float32?
    least: Callable[[Data], np.ndarray] | None = None  # () of all of space, where known
    pieces: Callable[[Data], Pieces] | None = None
    options: dict[str, Any] = {}  # noqa: RUF012 - never written to


def rows(x: Any, d: Data) -> Any:
    """u = A x - b, (..., ROWS)."""
    return (d.A * x[..., None, :]).sum(-1) - d.b


def _away(x: Any, d: Data) -> Any:
    """|x - z|^2."""
    return ((x - d.z) ** 2).sum(-1)


def _k(d: Data, i: int) -> Any:
    return d.k[..., i]


def _banana(y: Any) -> Any:
    """Rosenbrock's function of each pair of variables, summed: one minimum, 0."""
    return (100.0 * (y[..., 1::2] - y[..., ::2] ** 2) ** 2 + (1.0 - y[..., ::2]) ** 2).sum(-1)


def _bend(y: Any) -> Any:
    """(y0 - 2)^2 (1 + y1^2) + (y1 + 1)^2 of each pair: stationary on y0 = 2 alone."""
    return ((y[..., ::2] - 2.0) ** 2 * (1.0 + y[..., 1::2] ** 2) + (y[..., 1::2] + 1.0) ** 2).sum(-1)


def _wide(x: Any, d: Data, xp: ModuleType) -> Any:
    u = rows(x, d)[..., : x.shape[-1]]
    return (u * u).sum(-1)


def _barrier(x: Any, d: Data, xp: ModuleType) -> Any:
    inside = x > 0.0
    value = d.z * x - xp.log(xp.where(inside, x, 1.0))
    return xp.where(inside, value, np.inf).sum(-1)


def _saddle(x: Any, d: Data, xp: ModuleType) -> Any:
    u = rows(x, d)
    rest = (u[..., 2:] ** 2).sum(-1) if x.shape[-1] > 2 else 0.0
    return _k(d, 0) * u[..., 0] ** 2 - u[..., 1] ** 2 + _k(d, 1) * u[..., 1] ** 4 + rest


def _power(rng: np.random.Generator, low: float, high: float, shape: Any) -> np.ndarray:
    return 10.0 ** rng.uniform(low, high, shape)


def _plain(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    return d, x0


def _with_k(*ranges: tuple[float, float]) -> Callable[..., tuple[Data, np.ndarray]]:
    """A draw that makes each k a power of ten in its range; of zero width at infinity: 0."""

    def draw(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
        k = d.k.copy()
        for i, (low, high) in enumerate(ranges):
            k[:, i] = _power(rng, low, high, len(k))
        return d._replace(k=k), x0

    return draw


def _valley(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    c = rng.uniform(4.0, 9.0, len(x0)) if single else rng.uniform(12.0, 17.0, len(x0))
    return d._replace(b=0.0 * d.b, k=np.stack([10.0**c, c, c], -1)), x0


def _near_singular(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    size = _power(rng, -3.5 if single else -8.0, 0.0, d.b.shape)
    return d._replace(A=d.A * size[..., None], b=d.b * size), x0


def _scaled(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    z = _power(rng, -6.0, 6.0, d.z.shape)
    return d._replace(z=z), z * rng.uniform(-2.0, 2.0, x0.shape)


def _offset(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    k = np.stack([_power(rng, -3, 3, len(x0)), _power(rng, 0, 4 if single else 8, len(x0)), 0 * x0[:, 0]], -1)
    return d._replace(k=k), d.z + rng.uniform(-2.0, 2.0, x0.shape)


def _plateau(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    k = np.stack([_power(rng, -2, 2, len(x0)), _power(rng, -1, 1, len(x0)), _power(rng, -1, 1, len(x0))], -1)
    return d._replace(k=k), d.z + x0 * _power(rng, -1, 1, (len(x0), 1))


def _positive(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    return d._replace(z=_power(rng, -2, 2, d.z.shape)), _power(rng, -1, 1, x0.shape)


def _bent(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    """Half of the starts where the curvature along the gradient is nothing, y = (1, 1); the shift is exact."""
    z = np.round(d.z)
    return d._replace(z=z), z + np.where(rng.random((len(x0), 1)) < 0.5, 1.0, x0)


def _on_ridge(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    """Axes of small integers, and half of the starts on the ridge u1 = 0, from which rounding alone leads down."""
    turn = rng.integers(1, 4, (len(x0), 2)).astype(float)
    A = np.tile(np.eye(ROWS)[:, : x0.shape[1]], (len(x0), 1, 1))
    A[:, 0, :2], A[:, 1, :2] = turn, np.stack([-turn[:, 1], turn[:, 0]], -1)
    on = np.round(x0[:, :1]) * np.pad(turn, ((0, 0), (0, x0.shape[1] - 2)))
    k = np.stack([_power(rng, -1, 1, len(x0)), _power(rng, -2, 1, len(x0)), 0 * x0[:, 0]], -1)
    return d._replace(A=A, b=0 * d.b, k=k), np.where(rng.random((len(x0), 1)) < 0.5, on, x0)


def _far(rng: np.random.Generator, d: Data, x0: np.ndarray, single: bool) -> tuple[Data, np.ndarray]:
    k = np.stack([_power(rng, -3, 1, len(x0)), 0 * x0[:, 0], 0 * x0[:, 0]], -1)
    return d._replace(k=k), d.z + x0 * _power(rng, -1, 4, (len(x0), 1))


def _zero(d: Data) -> np.ndarray:
    return np.zeros(d.k.shape[:1], d.k.dtype)


def _least_valley(d: Data) -> np.ndarray:
    """s^2 / (a.a + 10^-c) with s = a.z: the minimum of 10^c (a.x)^2 + |x - z|^2 along a."""
    a = d.A[:, 0]
    return (a * d.z).sum(-1) ** 2 / ((a * a).sum(-1) + 1 / d.k[:, 0])


def _quadratic(center: np.ndarray, planes: np.ndarray, offsets: np.ndarray, slopes: np.ndarray, q: Any) -> Pieces:
    """Pieces of q |x - center|^2 / 2 + sum of c_i planes_i . x, over all combinations of the c_i in `slopes` (2,)."""
    signs = np.stack(np.meshgrid(*[slopes] * planes.shape[1], indexing="ij"), -1).reshape(-1, planes.shape[1])
    pulled = (signs[None, :, :, None] * planes[:, None]).sum(2)
    return Pieces(planes, offsets, center[:, None] - pulled / np.reshape(q, (-1, 1, 1)))


def _kink_pieces(d: Data) -> Pieces:
    a = d.A[:, :1] * d.k[:, :1, None]
    return _quadratic(d.z, a, d.b[:, :1] * d.k[:, :1], np.array([-1.0, 1.0]), 2.0)


def _hinge_pieces(d: Data) -> Pieces:
    return _quadratic(np.zeros_like(d.z), d.A, d.b + 1.0, np.array([-1.0, 0.0]), d.k[:, 0])


def _lad_pieces(d: Data) -> Pieces:
    return Pieces(d.A, d.b, d.z[:, None][:, :0])


def _minimax_pieces(d: Data) -> Pieces:
    """Two of the |u_i| are equal where u_i = u_j or u_i = -u_j."""
    i, j = np.triu_indices(ROWS, 1)
    planes = np.concatenate([d.A[:, i] - d.A[:, j], d.A[:, i] + d.A[:, j]], 1)
    return Pieces(planes, np.concatenate([d.b[:, i] - d.b[:, j], d.b[:, i] + d.b[:, j]], 1), d.z[:, None][:, :0])


def _lse(x: Any, d: Data, xp: ModuleType) -> Any:
    u = rows(x, d)
    return xp.log((xp.exp(u) + xp.exp(-u)).sum(-1))


def _hinge(x: Any, d: Data, xp: ModuleType) -> Any:
    return 0.5 * _k(d, 0) * (x * x).sum(-1) + xp.maximum(1.0 - rows(x, d), 0.0).sum(-1)


def _rational(x: Any, d: Data, xp: ModuleType) -> Any:
    u = rows(x, d)
    return (u * u / (1.0 + u * u)).sum(-1)


PIECEWISE = (  # in two variables
    Kind("kink", lambda x, d, xp: _k(d, 0) * xp.abs(rows(x, d)[..., 0]) + _away(x, d), _with_k((-1, 2)), None, _kink_pieces),
    Kind("lad", lambda x, d, xp: xp.abs(rows(x, d)).sum(-1), _plain, None, _lad_pieces),
    Kind("minimax", lambda x, d, xp: xp.abs(rows(x, d)).max(-1), _plain, None, _minimax_pieces),
    Kind("hinge", _hinge, _with_k((-2, 1)), None, _hinge_pieces),
)
SMOOTH = (
    Kind("valley", lambda x, d, xp: _k(d, 0) * rows(x, d)[..., 0] ** 2 + _away(x, d), _valley, _least_valley),
    Kind(
        *("wall", lambda x, d, xp: xp.exp(_k(d, 0) * rows(x, d)[..., 0]) + _away(x, d), _with_k((-0.5, 1))),
        options={"maxls": 1},
    ),
    Kind(
        *("quartic", lambda x, d, xp: _k(d, 0) * (rows(x, d)[..., : x.shape[-1]] ** 4).sum(-1), _with_k((-3, 3)), _zero),
    ),
    Kind("log_sum_exp", _lse, _plain),
    Kind("rational", _rational, _plain),
    Kind("near_singular", _wide, _near_singular, _zero),
    Kind("bad_scales", lambda x, d, xp: _banana(x / d.z), _scaled, _zero),
    Kind("offset", lambda x, d, xp: _k(d, 0) * _banana(x - d.z) + _k(d, 1), _offset, lambda d: d.k[:, 1]),
    Kind(
        *("plateau", lambda x, d, xp: _k(d, 1) - _k(d, 0) * xp.exp(-_away(x, d) / _k(d, 2)), _plateau),
        least=lambda d: d.k[:, 1] - d.k[:, 0],
    ),
    Kind("nan_wall", lambda x, d, xp: (d.z * x - xp.log(x)).sum(-1), _positive, lambda d: (1 + np.log(d.z)).sum(-1)),
    Kind("inf_wall", _barrier, _positive, lambda d: (1 + np.log(d.z)).sum(-1)),
    Kind("bend", lambda x, d, xp: _bend(x - d.z), _bent, _zero),
    Kind("saddle", _saddle, _on_ridge, lambda d: -0.25 / d.k[:, 1]),
    Kind("far", lambda x, d, xp: _k(d, 0) * xp.log(1.0 + _away(x, d)), _far, _zero),
    Kind("tail", lambda x, d, xp: xp.exp(-rows(x, d)[..., 0]) + rows(x, d)[..., 1] ** 2, _plain, _zero),
)


def kinds(n: int) -> tuple[Kind, ...]:
    """The kinds of functions of n variables."""
    return PIECEWISE + SMOOTH if n == 2 else SMOOTH


def draw(kind: Kind, rng: np.random.Generator, lanes: int, n: int, dtype: str) -> tuple[Data, np.ndarray]:
    """Data and starts of one kind, rounded to the dtype."""
    d = Data(rng.normal(size=(lanes, ROWS, n)), rng.normal(size=(lanes, ROWS)), 2 * rng.normal(size=(lanes, n)), None)
    d, x0 = kind.draw(rng, d._replace(k=np.ones((lanes, 3))), 3 * rng.normal(size=(lanes, n)), dtype == "float32")
    return Data(*(v.astype(dtype) for v in d)), x0.astype(dtype)
