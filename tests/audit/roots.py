"""`root_scalar`: are its claims of a root true? Poles, cycles, flat tails, jumps, multiple roots, functions without a root.

Every function is written once for JAX and NumPy (`xp`); the judge evaluates it in longdouble. A claim at x is right if

    the numerator of f changes its sign, or is zero, within  m (2 (xtol + rtol |x|) + 8 eps |x|)  of x,     (1)
    or |f(x)| is at most 4 times what the dtype makes of f there.                                         (2)

The numerator is f without its poles: a pole changes the sign of f, and not that of its numerator. Of a multiple root it is
the simple factor, and m its multiplicity, for a step is the m-th part of what is left. In (1) twice the tolerance is for the
two steps, or the two ends, that were as short as asked; the points of comparison are 65 in that distance. A jump over zero
changes the sign and is documented to count. In (2), the largest difference between f in the lane's dtype and f in longdouble
at 16 points within two units in the last place of x: many roots of an expanded polynomial are known no better. Where f
underflows to zero, it is zero to the dtype, which is documented to count as well; nothing else that is small does: x^4 - x^2
+ 1 is nowhere within its rounding of zero.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite import root_scalar
from tests.audit import Outcome

IN_BRACKET = " bracket"
BRACKETED = ("bisect", "brentq", "brenth", "ridder", "toms748", "chandrupatla")
ROWS = (*BRACKETED, "newton", "newton" + IN_BRACKET, "halley", "halley" + IN_BRACKET, "secant")
LONG = np.longdouble
NEAR, APART = 16, 65  # points about x: within its rounding, and within the tolerance
XTOL = {True: 2e-12, False: 1.48e-8}  # the defaults that the package promises, with a bracket and without


class Drawn(NamedTuple):
    """Problems of a kind, with a bracket and with starts."""

    p: np.ndarray  # (lanes, 4) numbers of the function
    a: np.ndarray  # (lanes,) ends of the bracket
    b: np.ndarray
    x0: np.ndarray  # starts
    x1: np.ndarray


class Kind(NamedTuple):
    """A family of functions."""

    name: str
    fun: Callable[[Any, Any, ModuleType], Any]  # (x, p (..., 4), xp) -> f
    draw: Callable[[np.random.Generator, int, bool], Drawn]  # single: for float32?
    numerator: Callable[[Any, Any, ModuleType], Any] | None = None  # None: f has no poles and simple roots
    multiplicity: Callable[[Any], Any] | None = None  # p -> m


def _p(p: Any, i: int) -> Any:
    return p[..., i]


def _random(rng: np.random.Generator, lanes: int, width: float = 10.0) -> Drawn:
    """Normal numbers, and brackets and starts about the origin; a fifth of the brackets may lie beside it."""
    ends = np.sort(rng.normal(size=(2, lanes)), 0) * width * 10.0 ** rng.uniform(-2, 0, lanes)
    around = rng.random(lanes) < 0.8
    a, b = np.where(around, -np.abs(ends[0]), ends[0]), np.where(around, np.abs(ends[1]), ends[1])
    return Drawn(rng.normal(size=(lanes, 4)), a, b, *(width * rng.normal(size=(2, lanes))))


def _about(d: Drawn, center: np.ndarray, scale: Any = 1.0) -> Drawn:
    """The same about another point, which is p0."""
    p = d.p.copy()
    p[:, 0] = center
    return Drawn(p, *(center + scale * v for v in d[1:]))


def _power(rng: np.random.Generator, low: float, high: float, lanes: int) -> np.ndarray:
    return 10.0 ** rng.uniform(low, high, lanes)


def _with(d: Drawn, **numbers: np.ndarray) -> Drawn:
    """With some of the numbers p1, p2, p3 replaced."""
    p = d.p.copy()
    for name, value in numbers.items():
        p[:, int(name[1])] = value
    return d._replace(p=p)


def _draw_pole(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    d = _random(rng, lanes)
    wide = 1e3 * rng.choice([1.0, 1.0, 0.1, 1e-2], lanes)
    return d._replace(a=-wide, b=wide)


def _draw_cycle(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """Started at the cycle c, c + 1, or beside it; the root is at c - 1.77."""
    c = _power(rng, 0, 3.6 if single else 8.0, lanes)
    d = _about(_random(rng, lanes, 3.0), c)
    beside = np.where(rng.random(lanes) < 0.5, 0.0, 0.05 * rng.normal(size=lanes))
    return d._replace(a=c - rng.uniform(2, 20, lanes), b=c + rng.uniform(1, 20, lanes), x0=c + beside, x1=c + 1 + beside)


def _draw_saturating(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """p0 (exp(-p1 x) - 1), from far out where it is flat; a root at 0."""
    d, k = _random(rng, lanes), rng.uniform(0.03, 0.6, lanes)
    far = rng.choice([150.0, 40.0, 15.0], lanes)
    d = _with(d, p0=rng.choice([100.0, 1.0, 1e4], lanes), p1=k)
    return d._replace(a=-far * rng.uniform(0.01, 0.5, lanes), b=far, x0=far, x1=far * rng.choice([0.5, 0.9], lanes))


def _draw_none(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """Where x^4 - x^2 + 1 is least, closer and closer."""
    d = _about(_random(rng, lanes), np.round(10 * rng.normal(size=lanes)) * (rng.random(lanes) < 0.5))
    spread = _power(rng, -7, 0, lanes)
    x0, x1 = (d.p[:, 0] + rng.choice([-1, 1], lanes) * 0.5**0.5 + spread * rng.normal(size=lanes) for _ in range(2))
    return d._replace(x0=x0, x1=x1)


def _draw_multiple(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    d = _about(_random(rng, lanes, 3.0), 3 * rng.normal(size=lanes))
    return _with(d, p1=_power(rng, -3, 3, lanes), p2=rng.choice([2.0, 3.0, 5.0, 9.0], lanes))


def _draw_centered(width: float, *powers: tuple[float, float]) -> Callable[..., Drawn]:
    """About a random point p0; p1, p2, ... are powers of ten."""

    def draw(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
        d = _about(_random(rng, lanes, width), 3 * rng.normal(size=lanes))
        return _with(d, **{f"p{i + 1}": _power(rng, *range_, lanes) for i, range_ in enumerate(powers)})

    return draw


def _draw_hyperbola(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """A pole at p0, and a root 1 / p1 below it: brackets with the one or the other."""
    d = _draw_centered(10.0, (-3, 3))(rng, lanes, single)
    away, below = 1 / d.p[:, 1], rng.random(lanes) < 0.5
    a = d.p[:, 0] - away * np.where(below, rng.uniform(1, 10, lanes), rng.uniform(0, 1, lanes))
    b = d.p[:, 0] + away * np.where(below, -rng.uniform(0, 1, lanes), rng.uniform(0, 10, lanes))
    return d._replace(a=a, b=b)


def _draw_tiny(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    """(x - p0) exp(p1 (x - p0)): as good as zero at the lower end."""
    d = _draw_centered(3.0, (-0.5, 1.0))(rng, lanes, single)
    low = rng.uniform(5, 80 if single else 600, lanes) / d.p[:, 1]
    return d._replace(a=d.p[:, 0] - low, b=d.p[:, 0] + rng.uniform(0.01, 5, lanes))


def _draw_zero(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    d = _with(_random(rng, lanes), p1=_power(rng, -6, 6, lanes))
    return d._replace(a=-_power(rng, -8, 3, lanes), b=_power(rng, -8, 3, lanes))


def _draw_scales(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    size, most = _power(rng, -6, 6, lanes), 15 if single else 200
    return _with(
        _about(_random(rng, lanes, 3.0), size * rng.normal(size=lanes), size), p1=_power(rng, -most, most, lanes), p2=size
    )


def _draw_log(rng: np.random.Generator, lanes: int, single: bool) -> Drawn:
    root = _power(rng, -3, 3, lanes)
    d = _with(_random(rng, lanes), p0=np.log(root))
    near = lambda: root * _power(rng, -1, 2, lanes)
    return d._replace(a=root * _power(rng, -3, 0, lanes), b=near(), x0=near(), x1=near())


def _cycle(x: Any, p: Any, xp: ModuleType) -> Any:
    y = x - _p(p, 0)
    return y**3 - 2.0 * y + 2.0


def _none(x: Any, p: Any, xp: ModuleType) -> Any:
    y2 = (x - _p(p, 0)) ** 2
    return y2 * y2 - y2 + 1.0


def _multiple(x: Any, p: Any, xp: ModuleType) -> Any:
    """p1 y^m, by products that no dtype makes a logarithm of."""
    y, m = x - _p(p, 0), _p(p, 2)
    power = xp.where(m == 2, y**2, xp.where(m == 3, y**3, xp.where(m == 5, y**5, y**9)))
    return _p(p, 1) * power


def _jump(x: Any, p: Any, xp: ModuleType) -> Any:
    y = x - _p(p, 0)
    return xp.where(y < 0, -_p(p, 1), _p(p, 2)) + 0.1 * y


def _rational(x: Any, p: Any, xp: ModuleType) -> Any:
    return _p(p, 0) * x**3 + _p(p, 1) * x + 1.0 / (x - _p(p, 2))


def _scales(x: Any, p: Any, xp: ModuleType) -> Any:
    y = (x - _p(p, 0)) / _p(p, 2)
    return _p(p, 1) * (y + y**3)


def _tail(x: Any, p: Any, xp: ModuleType) -> Any:
    y = x - _p(p, 0)
    return y * xp.exp(-y * y / _p(p, 1))


def _simple(x: Any, p: Any, xp: ModuleType) -> Any:
    return x - _p(p, 0)


KINDS = (
    Kind("pole", _rational, _draw_pole, lambda x, p, xp: (_p(p, 0) * x**3 + _p(p, 1) * x) * (x - _p(p, 2)) + 1.0),
    Kind(
        *("hyperbola", lambda x, p, xp: 1.0 / (x - _p(p, 0)) + _p(p, 1), _draw_hyperbola),
        numerator=lambda x, p, xp: 1.0 + _p(p, 1) * (x - _p(p, 0)),
    ),
    Kind("cycle", _cycle, _draw_cycle),
    Kind("saturating", lambda x, p, xp: _p(p, 0) * xp.exp(-_p(p, 1) * x) - _p(p, 0), _draw_saturating),
    Kind("no_root", _none, _draw_none),
    Kind("multiple", _multiple, _draw_multiple, _simple, lambda p: _p(p, 2)),
    Kind("jump", _jump, _draw_centered(3.0, (-3, 3), (-3, 3))),
    Kind("flat_tail", _tail, _draw_centered(10.0, (-1, 1)), _simple),
    Kind("tiny_end", lambda x, p, xp: (x - _p(p, 0)) * xp.exp(_p(p, 1) * (x - _p(p, 0))), _draw_tiny, _simple),
    Kind("root_at_0", lambda x, p, xp: _p(p, 1) * x + _p(p, 0) * x**3, _draw_zero),
    Kind("steep", lambda x, p, xp: xp.arctan(_p(p, 1) * (x - _p(p, 0))), _draw_centered(10.0, (-1, 7)), _simple),
    Kind("scales", _scales, _draw_scales, _simple),
    Kind("cubic", lambda x, p, xp: x**3 - x - _p(p, 0), lambda rng, lanes, single: _random(rng, lanes)),
    Kind("log", lambda x, p, xp: xp.log(x) - _p(p, 0), _draw_log),
)


def audit(row: str, lanes: int, dtype: str, seed: int) -> dict[str, Outcome]:
    """All families of a method in one program."""
    single = dtype == "float32"
    draws = [np.random.default_rng([seed, i]) for i in range(len(KINDS))]
    drawn = [Drawn(*(v.astype(dtype) for v in k.draw(r, lanes, single))) for k, r in zip(KINDS, draws, strict=True)]
    asked = XTOL[row in BRACKETED or row.endswith(IN_BRACKET)]
    xtol = [(rng.choice([asked, asked, 1e-3, 0.0], lanes)).astype(dtype) for rng in draws]
    which = np.repeat(np.arange(len(KINDS), dtype=np.int32), lanes)
    together = Drawn(*(np.concatenate(v) for v in zip(*drawn, strict=True)))
    out = (np.asarray(v) for v in _solve(row)(which, together, np.concatenate(xtol)))
    x, status, success = (v.reshape(len(KINDS), lanes) for v in out)
    found = {}
    for i, kind in enumerate(KINDS):
        right = _right(kind, drawn[i].p, x[i], xtol[i])
        found[kind.name] = Outcome(success[i], right, functools.partial(_show, kind, drawn[i], x[i], status[i], xtol[i]))
    return found


@functools.cache
def _solve(row: str) -> Any:
    """The batch of one method: (which, drawn, xtol) -> x, status, success."""
    branches = [lambda x, p, fun=kind.fun: fun(x, p, jnp) for kind in KINDS]
    fun = lambda x, which, p: jax.lax.switch(which, branches, x, p)
    method = row.removesuffix(IN_BRACKET)

    def one(which: Any, d: Drawn, xtol: Any) -> Any:
        if row in BRACKETED or row.endswith(IN_BRACKET):
            points: dict[str, Any] = {"bracket": (d.a, d.b)}
        else:
            points = {"x0": d.x0} | ({"x1": d.x1} if method == "secant" else {})
        res = root_scalar(fun, (which, d.p), method=method, xtol=xtol, **points)
        return res.root, res.status, res.converged

    return jax.jit(jax.vmap(one))


def _right(kind: Kind, p: np.ndarray, x: np.ndarray, xtol: np.ndarray) -> np.ndarray:
    """(lanes,) bool: would a claim be true, by (1) or (2)?"""
    eps, tiny = np.finfo(x.dtype).eps, np.finfo(x.dtype).tiny
    wide, numbers = x.astype(LONG)[:, None], p.astype(LONG)[:, None]
    numerator = kind.numerator or kind.fun
    m = 1.0 if kind.multiplicity is None else kind.multiplicity(p.astype(LONG))
    span = m * (2 * xtol.astype(LONG) + 8 * eps * np.abs(x.astype(LONG)) + tiny)
    near = (x[:, None] * (1 + eps * np.random.default_rng(0).integers(-2, 3, NEAR)).astype(x.dtype)).astype(x.dtype)
    near[:, 0] = x
    with np.errstate(all="ignore"):
        side = np.sign(numerator(wide + span[:, None] * np.linspace(-1, 1, APART), numbers, np))
        crossed = ((side < 0).any(1) & (side > 0).any(1)) | (side == 0).any(1)
        value = kind.fun(near.astype(LONG), numbers, np)
        noise = np.abs(kind.fun(near, p[:, None], np).astype(LONG) - value)
    zero = 16 * tiny * (1 + np.abs(p).max(1)) * (1 + np.abs(x))  # a factor has underflowed: XLA flushes what is below tiny
    worst = np.where(np.isfinite(noise), noise, 0.0).max(1)
    return np.isfinite(x) & (crossed | (np.abs(value[:, 0]) <= 4 * worst + zero))


def _show(kind: Kind, d: Drawn, x: np.ndarray, status: np.ndarray, xtol: np.ndarray, lane: int) -> str:
    """The lane's problem and answer, in digits that reproduce it."""
    f = kind.fun(x[lane].astype(LONG), d.p[lane].astype(LONG), np)
    given = " ".join(f"{name}={v[lane].tolist()}" for name, v in zip(Drawn._fields, d, strict=True))
    return f"status {status[lane]} x {x[lane]!r} f {float(f):.9g} xtol {xtol[lane]} {given}"
