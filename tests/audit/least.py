"""How much lower a function can be made from a point: closed forms, enumeration, and descent in exact enough arithmetic.

Three ways, each of which gives values that are really taken (or a known infimum), so that none can accuse a minimizer:

- `Kind.least`, where the least value of all of space is known and there is no box;
- enumeration, for convex piecewise quadratic functions of two variables, in a box or not: a minimizer lies on two planes
  (where pieces meet, or bounds), or is the minimizer of a piece on one plane or on none. All such points are clipped into
  the box and tried. Of a convex quadratic in a box the pieces are its interior and its edges;
- descent from the point itself: of many Newton-like steps (eigenvalues made positive, damped from nothing to steepest
  descent) and steps along negative curvature the lowest is taken, projected into the box, until nothing is gained. It finds
  local minima, which are valid answers: where there is little slope the steps are short.

Derivatives are JAX's of the function itself in float64; they only propose, values in longdouble decide.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tests.audit.objectives import Data, Kind, kinds

LONG = np.longdouble
ROUNDS = 100  # of a descent; Rosenbrock's function takes some 20
GAIN = 1e-3  # of what is allowed: a round that gains less ends the descent
DAMPING = np.concatenate([[0.0], 10.0 ** np.arange(-15.0, 4.0, 1.5)])  # of the largest eigenvalue
BEND = 10.0 ** np.arange(-8.0, 1.0, 2.0)  # lengths of steps along negative curvature, of 1 + |x|
CHUNK = 512  # lanes of a compiled batch

Value = Callable[[np.ndarray], np.ndarray]  # (lanes, points, n) -> (lanes, points), in longdouble


def batched(d: Data) -> Data:
    """The data with an axis for several points a lane."""
    return Data(*(v[:, None] for v in d))


def take(d: Data, index: np.ndarray | slice) -> Data:
    """The data of some lanes."""
    return Data(*(v[index] for v in d))


def exact(kind: Kind, d: Data) -> Value:
    """The function in longdouble; +inf where it is no number."""
    wide = batched(Data(*(v.astype(LONG) for v in d)))

    def value(x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            f = kind.fun(x.astype(LONG), wide, np)
        return np.where(np.isnan(f), np.inf, f)

    return value


def switched(n: int, xp: ModuleType = jnp) -> Callable[..., Any]:
    """fun(x, which, data): all kinds of n variables as one function."""
    branches = [lambda x, d, fun=kind.fun: fun(x, d, xp) for kind in kinds(n)]
    return lambda x, which, d: jax.lax.switch(which, branches, x, d)


@functools.cache
def _compiled(n: int) -> Callable[..., Any]:
    fun = switched(n)
    return jax.jit(jax.vmap(lambda x, which, d: (jax.grad(fun)(x, which, d), jax.hessian(fun)(x, which, d))))


def derivatives(n: int, which: int, d: Data, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradients (lanes, n) and Hessians (lanes, n, n) in float64, by batches of one size."""
    out = []
    with jax.enable_x64(True):
        for start in range(0, len(x), CHUNK):
            index = np.minimum(np.arange(start, start + CHUNK), len(x) - 1)
            one = Data(*(v.astype(np.float64) for v in take(d, index)))
            out.append(
                [np.asarray(v) for v in _compiled(n)(x[index].astype(np.float64), np.full(CHUNK, which, np.int32), one)]
            )
    return tuple(np.concatenate(v)[: len(x)] for v in zip(*out, strict=True))  # type: ignore[return-value]


def known(kind: Kind, d: Data, lower: np.ndarray, upper: np.ndarray) -> np.ndarray | None:
    """The least value (lanes,) by closed form or enumeration; None where there is none for this kind."""
    wide = Data(*(v.astype(LONG) for v in d))
    with np.errstate(all="ignore"):
        if kind.pieces is not None:
            return _lowest(kind, d, _corners(kind, wide, lower, upper), lower, upper)
        if np.isinf(lower).all() and np.isinf(upper).all():
            return None if kind.least is None else kind.least(wide)
        if kind.name in ("valley", "near_singular"):
            return _lowest(kind, d, _edges(kind, wide, lower, upper), lower, upper)
    return None


def _lowest(kind: Kind, d: Data, points: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    inside = np.clip(points, lower[:, None], upper[:, None])
    return exact(kind, d)(inside).min(1)


def _cross(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]


def _corners(kind: Kind, d: Data, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(lanes, points, 2): intersections of two planes, minimizers of pieces, and these on each plane."""
    assert kind.pieces is not None
    planes, offsets, centers = kind.pieces(d)
    axes = np.broadcast_to(np.tile(np.eye(2), (2, 1)), (len(planes), 4, 2))
    planes = np.concatenate([planes, axes.astype(LONG)], 1)
    offsets = np.concatenate([offsets, lower.astype(LONG), upper.astype(LONG)], 1)
    i, j = np.triu_indices(planes.shape[1], 1)
    p, q, s, t = planes[:, i], planes[:, j], offsets[:, i], offsets[:, j]
    met = np.stack([s * q[..., 1] - t * p[..., 1], p[..., 0] * t - q[..., 0] * s], -1) / _cross(p, q)[..., None]
    short = (offsets[:, None] - (centers[:, :, None] * planes[:, None]).sum(-1)) / (planes * planes).sum(-1)[:, None]
    on = centers[:, :, None] + short[..., None] * planes[:, None]
    return np.concatenate([met, centers, on.reshape(len(on), -1, 2)], 1)


def _edges(kind: Kind, d: Data, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(lanes, points, 2): minimizers of a sum of squares of rows in all of space, and on each edge of the box."""
    if kind.name == "valley":
        a, heavy = d.A[:, 0], d.k[:, :1]
        middle = d.z - (a * d.z).sum(-1, keepdims=True) / ((a * a).sum(-1, keepdims=True) + 1 / heavy) * a
        A = np.concatenate(
            [np.sqrt(heavy)[:, None] * a[:, None], np.broadcast_to(np.eye(2).astype(LONG), (len(a), 2, 2))], 1
        )
        b = np.concatenate([0 * heavy, d.z], 1)
    else:
        A, b = d.A[:, :2], d.b[:, :2]
        swapped = np.stack([b[:, 0] * A[:, 1, 1] - b[:, 1] * A[:, 0, 1], A[:, 0, 0] * b[:, 1] - A[:, 1, 0] * b[:, 0]], -1)
        middle = swapped / _cross(A[:, 0], A[:, 1])[:, None]
    points = [middle]
    for i in (0, 1):
        for bound in (lower[:, i].astype(LONG), upper[:, i].astype(LONG)):
            held, free = A[:, :, i] * bound[:, None], A[:, :, 1 - i]
            other = np.clip((free * (b - held)).sum(-1) / (free * free).sum(-1), lower[:, 1 - i], upper[:, 1 - i])
            points.append(np.stack([bound, other] if i == 0 else [other, bound], -1))
    return np.stack(points, 1)


def descend(
    n: int, which: int, d: Data, x: np.ndarray, lower: np.ndarray, upper: np.ndarray, allowed: np.ndarray
) -> np.ndarray:
    """The value (lanes,) that descent from x arrives at; a lane ends when it is lower by more than ten times `allowed`."""
    kind = kinds(n)[which]
    f0 = exact(kind, d)(x[:, None])[:, 0]
    f, at, active = f0.copy(), x.astype(np.float64), np.arange(len(x))
    for _ in range(ROUNDS):
        if not len(active):
            break
        some, low, high = take(d, active), lower[active], upper[active]
        points = _proposals(*derivatives(n, which, some, at[active]), at[active], low, high)
        values = exact(kind, some)(points)
        best = values.argmin(1)[:, None]
        lowest = np.take_along_axis(values, best, 1)[:, 0]
        gain = f[active] - lowest
        better = active[gain > 0]
        at[better] = np.take_along_axis(points, best[..., None], 1)[:, 0][gain > 0]
        f[better] = lowest[gain > 0]
        active = active[(gain > GAIN * allowed[active]) & (f0[active] - f[active] <= 10 * allowed[active])]
    return f


def _proposals(g: np.ndarray, H: np.ndarray, x: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(lanes, points, n): where it might be lower."""
    H, g = np.nan_to_num(H, posinf=0.0, neginf=0.0), np.nan_to_num(g, posinf=0.0, neginf=0.0)
    free = ~(((x <= lower) & (g > 0)) | ((x >= upper) & (g < 0)))
    H = np.where(free[:, :, None] & free[:, None], H, 0.0)
    g = np.where(free, g, 0.0)
    curvature, axes = np.linalg.eigh(H)
    size = np.maximum(np.abs(curvature).max(1), np.finfo(float).tiny)[:, None]
    slope = (axes * g[:, :, None]).sum(1)
    damped = np.abs(curvature)[:, None] + DAMPING[:, None] * size[:, None]
    with np.errstate(all="ignore"):
        newton = -(axes[:, None] * np.where(damped > 0, slope[:, None] / damped, 0.0)[:, :, None]).sum(-1)
    least = axes[:, :, 0] * np.where(curvature[:, :1] < 0, 1.0, 0.0) * (1 + np.abs(x).max(1, keepdims=True))
    least = np.where(free, least, 0.0)
    bends = np.concatenate([BEND, -BEND])[:, None] * least[:, None]
    steps = np.nan_to_num(np.concatenate([newton, bends], 1), posinf=0.0, neginf=0.0)
    return np.clip(x[:, None] + steps, lower[:, None], upper[:, None])
