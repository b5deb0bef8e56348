"""`minimize_scalar`: are its claims of a minimum true? Offsets, plateaus, flat minima, kinks, monotone functions, ends.

Every function is written once for JAX and NumPy (`xp`); the judge evaluates it in longdouble. It walks from the claimed x to
both sides, over points whose distances grow by a tenth, from eight times the accuracy that was asked for, to the bounds, or
very far, and asks what comes first:

    fall    f is lower than f(x) by more than 100 eps |f(x)| + 2 noise
    rise    f is higher by more than 2 eps |f(x)| + noise, or is no number; or, where neither comes, it is higher
            somewhere in the lane's dtype
    level   none of these, and it is lower somewhere, or nothing that longdouble tells
    even    none of these, and it is nowhere lower
    end     there is a bound before the first point

where noise is the largest difference between f in the lane's dtype and f in longdouble at 16 points near x. A fall makes
the claim false. What never rises is flat because of rounding, and that is no minimum (1e16 + x; an exponential that tends
to nothing): without bounds a minimum has a rise on both sides. Between bounds a level side is right only if the other one
rises, for then no point of the interval is lower by what f resolves. A function with a true plateau (`flat`) needs no rise.

What is within the accuracy asked of a minimizer, or in a flat minimum whose values do not differ, rises on both sides, at
once or after a while. Eight times: an interval of four times tol1 = sqrt(eps) |x| + ... is what is promised, and x may be at
its end, from where the minimizer is to be stepped over as far again. 100 eps: parabolas through values that differ by a few
eps stop so far away where the minimum is flat, and the values of minima are not judged more sharply in `minima.py`.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite import minimize_scalar
from tests.audit import Outcome

ROWS = ("brent", "golden", "bounded")
LONG = np.longdouble
NEAR, GROWTH = 16, 1.1
FAR, NEXT = 1e12, 1e-20  # times the distance of the two points: how far a side is followed without bounds, and from where
BLOCK = 1000  # lanes that are judged at once
ASKED = {"brent": 0.0, "golden": 0.0, "bounded": 1e-5}  # default xtol (its least is sqrt(eps)) and xatol


class Drawn(NamedTuple):
    """Problems of a kind; the two points are bounds, or where a walk begins."""

    p: np.ndarray  # (lanes, 3) numbers of the function: center, scale, offset
    a: np.ndarray  # (lanes,)
    b: np.ndarray


class Kind(NamedTuple):
    """A family of functions."""

    name: str
    fun: Callable[[Any, Any, ModuleType], Any]  # (x, p (..., 3), xp) -> f
    draw: Callable[[np.random.Generator, int, bool], Drawn]  # single: for float32?
    flat: bool = False  # has a plateau in exact arithmetic, all of whose points are minimizers


def _p(p: Any, i: int) -> Any:
    return p[..., i]


def _y(x: Any, p: Any) -> Any:
    return x - _p(p, 0)


def _power(rng: np.random.Generator, low: float, high: float, lanes: int) -> np.ndarray:
    return 10.0 ** rng.uniform(low, high, lanes)


def _draw(scale: tuple[float, float], offset: tuple[float, float] | None, center: float = 0.5) -> Callable[..., Drawn]:
    """Centers of all sizes; scales and offsets are powers of ten, a third without an offset; points about the center."""

    def draw(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
        size = _power(rng, -center, center, lanes)
        c = size * rng.normal(size=lanes) * (rng.random(lanes) < 0.9)
        high = None if offset is None else (offset[0], offset[1] / 2 if single else offset[1])
        up = np.zeros(lanes) if high is None else _power(rng, *high, lanes) * (rng.random(lanes) < 2 / 3)
        ends = np.sort(rng.normal(size=(2, lanes)), 0) * size * _power(rng, -1, 1, lanes)
        p = np.stack([c, _power(rng, *scale, lanes), up * rng.choice([-1, 1], lanes)], -1)
        inside = rng.random(lanes) < 0.7  # else the points may lie on one side, and a bound be the answer
        return Drawn(p, c + np.where(inside, -np.abs(ends[0]), ends[0]), c + np.where(inside, np.abs(ends[1]), ends[1]))

    return draw


def _draw_line(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """1e16 + x: offsets from where a slope of one is seen to where it is not."""
    d = _draw((-2, 2), None)(rng, lanes, single)
    d.p[:, 2] = _power(rng, 3, 10, lanes) if single else _power(rng, 12, 17.5, lanes)
    return d


def _draw_plateau(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """Points on one side, near the well or where its values have underflowed."""
    d = _draw((-1, 1), (-1, 1))(rng, lanes, single)
    far = d.p[:, 1] * _power(rng, -0.5, 2.0, lanes)
    return d._replace(a=d.p[:, 0] + far, b=d.p[:, 0] + far * rng.uniform(1.01, 4.0, lanes))


def _draw_positive(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    d = _draw((-2, 2), None)(rng, lanes, single)
    a = d.p[:, 1] * _power(rng, -2, 1, lanes)
    return d._replace(a=a, b=a * rng.uniform(1.1, 50.0, lanes))


def _plateau(x: Any, p: Any, xp: ModuleType) -> Any:
    return _p(p, 2) - xp.exp(-((_y(x, p) / _p(p, 1)) ** 2))


def _hinge(x: Any, p: Any, xp: ModuleType) -> Any:
    return _p(p, 1) * xp.maximum(_y(x, p), 0.0) ** 2 + _p(p, 2)


def _tilted(x: Any, p: Any, xp: ModuleType) -> Any:
    """Different slopes on the sides of a kink."""
    y = _y(x, p)
    return _p(p, 1) * xp.where(y < 0, -y, 1.5 * y) + _p(p, 2)


KINDS = (
    Kind("line", lambda x, p, xp: _p(p, 2) + x, _draw_line),
    Kind("plateau", _plateau, _draw_plateau),
    Kind("quartic", lambda x, p, xp: _p(p, 1) * _y(x, p) ** 4 + _p(p, 2), _draw((-3, 3), (-3, 6))),
    Kind("parabola", lambda x, p, xp: _p(p, 1) * _y(x, p) ** 2 + _p(p, 2), _draw((-10, 10), (-3, 18), 6.0)),
    Kind("kink", _tilted, _draw((-3, 3), (-3, 12))),
    Kind("hinge", _hinge, _draw((-3, 3), (-3, 6)), flat=True),
    Kind("rising", lambda x, p, xp: xp.exp(_y(x, p)) + _p(p, 2), _draw((0, 0), (-3, 6))),
    Kind("falling", lambda x, p, xp: xp.arctan(-_p(p, 1) * _y(x, p)) + _p(p, 2), _draw((-1, 1), (-1, 2))),
    Kind("waves", lambda x, p, xp: xp.sin(x) + xp.sin(_p(p, 1) * x) + 0.1 * x, _draw((-0.5, 1), None, 1.0)),
    Kind("two_wells", lambda x, p, xp: _y(x, p) ** 4 - _p(p, 1) * _y(x, p) ** 2 + _p(p, 2), _draw((-1, 1), (-3, 6))),
    Kind("nan_wall", lambda x, p, xp: x - _p(p, 1) * xp.log(x), _draw_positive),
    Kind("exponentials", lambda x, p, xp: xp.exp(-_p(p, 1) * _y(x, p)) + x, _draw((-1, 1), None)),
)


def audit(row: str, lanes: int, dtype: str, seed: int) -> dict[str, Outcome]:
    """All families of a method in one program."""
    draws = [np.random.default_rng([seed, i]) for i in range(len(KINDS))]
    drawn = [_rounded(k.draw(r, lanes, dtype == "float32"), dtype) for k, r in zip(KINDS, draws, strict=True)]
    tol = [(rng.choice([1.0, 1.0, 0.0, 1e2], lanes) * ASKED[row]).astype(dtype) for rng in draws]
    which = np.repeat(np.arange(len(KINDS), dtype=np.int32), lanes)
    together = Drawn(*(np.concatenate(v) for v in zip(*drawn, strict=True)))
    out = (np.asarray(v) for v in _solve(row)(which, together, np.concatenate(tol)))
    x, status, success = (v.reshape(len(KINDS), lanes) for v in out)
    found = {}
    for i, kind in enumerate(KINDS):
        right = _right(kind, row, drawn[i], x[i], tol[i])
        found[kind.name] = Outcome(success[i], right, functools.partial(_show, kind, drawn[i], x[i], status[i], tol[i]))
    return found


def _rounded(d: Drawn, dtype: str) -> Drawn:
    """In the dtype, with points that are still two."""
    p, a, b = (v.astype(dtype) for v in d)
    return Drawn(p, a, np.maximum(b, np.nextafter(a, np.inf, dtype=dtype)))


@functools.cache
def _solve(row: str) -> Any:
    """The batch of one method: (which, drawn, tol) -> x, status, success."""
    branches = [lambda x, p, fun=kind.fun: fun(x, p, jnp) for kind in KINDS]
    fun = lambda x, which, p: jax.lax.switch(which, branches, x, p)

    def one(which: Any, d: Drawn, tol: Any) -> Any:
        points: dict[str, Any] = {"bounds" if row == "bounded" else "bracket": (d.a, d.b)}
        res = minimize_scalar(fun, args=(which, d.p), method=row, tol=tol, **points)
        return res.x, res.status, res.success

    return jax.jit(jax.vmap(one))


def _right(kind: Kind, row: str, d: Drawn, x: np.ndarray, tol: np.ndarray) -> np.ndarray:
    """(lanes,) bool: would a claim be true?"""
    parts = [slice(start, start + BLOCK) for start in range(0, len(x), BLOCK)]
    with np.errstate(all="ignore"):
        return np.concatenate([_judged(kind, row, Drawn(*(v[i] for v in d)), x[i], tol[i]) for i in parts])


def _judged(kind: Kind, row: str, d: Drawn, x: np.ndarray, tol: np.ndarray) -> np.ndarray:
    eps = float(np.finfo(x.dtype).eps)
    wide, a, b, p = x.astype(LONG), d.a.astype(LONG), d.b.astype(LONG), d.p.astype(LONG)[:, None]
    if row == "bounded":
        asked, below, above = eps**0.5 * np.abs(wide) + tol, wide - a, b - wide
    else:
        asked = np.maximum(tol, eps**0.5) * np.abs(wide) + 1e-3 * eps**0.5 * np.minimum(1, b - a)
        below = above = FAR * (b - a) + np.abs(wide)
    first = np.maximum(8 * asked, NEXT * (b - a))
    near = (x[:, None] * (1 + eps * np.random.default_rng(0).integers(-2, 3, NEAR)).astype(x.dtype)).astype(x.dtype)
    near[:, 0] = x
    f = kind.fun(near.astype(LONG), p, np)
    noise = np.abs(kind.fun(near, d.p[:, None], np).astype(LONG) - f)
    flushed = np.finfo(x.dtype).tiny * (1 + np.abs(d.p).max(1))  # XLA flushes what is below tiny, a square times p too
    noise = np.where(np.isfinite(noise), noise, 0).max(1) + flushed
    size = eps * np.abs(f[:, 0])
    sides = [
        _side(kind, d.p, x, f[:, 0], sign, first, room, 2 * size + noise, 100 * size + 2 * noise)
        for sign, room in ((-1, below), (1, above))
    ]
    seen = lambda what: np.array([side == what for side in sides])
    poor = seen("level") if row == "bounded" else ~seen("rise")
    backed = seen("rise")[::-1] if row == "bounded" else np.zeros_like(poor)
    fine = kind.flat | ~(poor & ~backed).any(0)
    return np.isfinite(f[:, 0]) & ~seen("fall").any(0) & fine


def _side(kind: Kind, p: Any, x: Any, f: Any, sign: int, first: Any, room: Any, rise: Any, fall: Any) -> np.ndarray:
    """(lanes,) of str: what comes first on a side on which there is `room`."""
    count = max(2, int(np.ceil(np.log(float(np.max(room / first))) / np.log(GROWTH))) + 1)
    distance = np.minimum(first[:, None] * LONG(GROWTH) ** np.arange(count), room[:, None])
    points, p = x.astype(LONG)[:, None] + sign * distance, p[:, None]
    change = kind.fun(points, p.astype(LONG), np) - f[:, None]
    rises, falls = ~(change <= rise[:, None]), change < -fall[:, None]
    event = rises | falls
    falls_first = np.take_along_axis(falls, event.argmax(1)[:, None], 1)[:, 0]
    seen = (kind.fun(points.astype(x.dtype), p, np) > kind.fun(x[:, None], p, np)).any(1)
    level = np.where((change < 0).any(1) | (change == 0).all(1), "level", "even")
    found = np.where(event.any(1), np.where(falls_first, "fall", "rise"), np.where(seen, "rise", level))
    return np.where(room <= first, "end", found)


def _show(kind: Kind, d: Drawn, x: np.ndarray, status: np.ndarray, tol: np.ndarray, lane: int) -> str:
    """The lane's problem and answer, in digits that reproduce it."""
    f = kind.fun(x[lane].astype(LONG), d.p[lane].astype(LONG), np)
    given = " ".join(f"{name}={v[lane].tolist()}" for name, v in zip(Drawn._fields, d, strict=True))
    return f"status {status[lane]} x {x[lane]!r} f {float(f):.9g} tol {tol[lane]} {given}"
