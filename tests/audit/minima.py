"""`minimize`: are its claims of a minimum true? Kinks, valleys, walls, plateaus, saddles, boxes (`objectives.py`).

A claim at x is right in either of two ways.

**(A) The gradient is within gtol**, status 0 alone. That is the promise, whatever f could still gain: of a plateau or a
saddle it is true. The exact gradient of the variables that no bound holds must be within 1.1 gtol, at least without its
components along axes of the Hessian whose minimizer lies within 4 eps |x| along the axis: these are rounding of x. (To allow
all components 4 eps |H||x| would excuse a slope along a stiff and rotated valley.)

**(B) There is nothing left to gain**, status 0 or 8: the value that `least.py` finds is not lower than f(x) by more than

    100 eps |f|  +  16 (noise + spread)

where noise is the largest difference between f in the lane's dtype and f in longdouble at 24 points within two units in the
last place of x, and spread the largest change of f, exact, when x and all data change by as much: what the dtype makes of
f, and what the rounding of x and of what is computed from it makes of f, across a kink or a stiff valley too. Both are
measured, not estimated, and both are small where f is resolved: on the wall of a kink they are some eps of f itself, so that
they excuse no false claim. What a sound test at x estimates to within a factor of ten is allowed ten times over; most false
claims exceed it a hundred times. A value near another minimum is no reproach: where there are several, descent starts at x.
A saddle with status 8 is no minimum.

Methods that search by values alone are asked for an accuracy of x and of f instead of a gradient. They are right by (B),
where f may be higher than the least value by TENFOLD what was asked of it, too: fatol, or Powell's ftol of the larger of
|f| and 1. At kinks they promise no more than that no point within the accuracy that was asked of x is lower by as much.

A point outside of the box, or where f is not finite, is never right. Options are part of the random data: gtol is the
default in half of the lanes, else smaller or zero.
"""

import functools
from typing import Any

import jax
import numpy as np

from jaxopt_lite import Bounds, minimize
from tests.audit import Outcome
from tests.audit.least import LONG, batched, derivatives, descend, exact, known, switched, take
from tests.audit.objectives import Data, Kind, draw, kinds

BOX = " box"
BY_VALUES = {"Nelder-Mead": ("xatol", "fatol"), "Powell": ("xtol", "ftol")}  # methods and their tolerances
ROWS = ("BFGS", "CG", "Newton-CG", "L-BFGS-B", "L-BFGS-B" + BOX, "TNC", "TNC" + BOX)
ROWS += ("dogleg", "trust-ncg", "trust-krylov", "trust-exact")
ROWS += tuple(name + box for name in BY_VALUES for box in ("", BOX))
SIZES = (2, 4)  # variables: kinks and boxes are judged in two
BUDGET = {"maxiter": 300, "maxfev": 1500}  # ends what wanders: an honest failure
NEAR = 24  # points about x
AROUND = 64  # points around x, in two variables
TENFOLD = 10.0  # of what was asked of f: a sound test estimates what is left to gain to within a factor of ten
GTOL = {"float32": 2.4e-5, "float64": 1e-5}  # the defaults that the package promises
ASKED = 1e-4  # the default of what searches by values


def audit(row: str, lanes: int, dtype: str, seed: int, part: tuple[int, int] = (0, 1)) -> dict[str, Outcome]:
    """All families of a method, each with `lanes` lanes, the larger functions with as many; the i-th of k parts of them."""
    boxed = row.endswith(BOX)
    found: dict[str, Outcome] = {}
    for n in SIZES[:1] if boxed else SIZES[part[0] :: part[1]]:
        found |= _of_size(n, row.removesuffix(BOX), boxed, lanes, dtype, seed)
    return found


def _of_size(n: int, method: str, boxed: bool, lanes: int, dtype: str, seed: int) -> dict[str, Outcome]:
    """All kinds of n variables in one program."""
    names = kinds(n)
    draws = [np.random.default_rng([seed, n, i]) for i in range(len(names))]
    drawn = [draw(kind, rng, lanes, n, dtype) for kind, rng in zip(names, draws, strict=True)]
    data = Data(*(np.concatenate(v) for v in zip(*(d for d, _ in drawn), strict=True)))
    x0 = np.concatenate([x for _, x in drawn])
    asked = ASKED if method in BY_VALUES else GTOL[dtype]
    gtol = np.concatenate([_tolerances(rng, lanes, asked, dtype) for rng in draws])
    boxes = [_box(rng, start, boxed) for rng, (_, start) in zip(draws, drawn, strict=True)]
    lower, upper = (np.concatenate(side) for side in zip(*boxes, strict=True))
    which = np.repeat(np.arange(len(names), dtype=np.int32), lanes)
    maxls = np.repeat(np.array([kind.options.get("maxls", 20) for kind in names], np.int32), lanes)
    x, status, success = (np.asarray(v) for v in _solve(method, n, boxed)(x0, which, data, gtol, maxls, lower, upper))
    found = {}
    for i, kind in enumerate(names):
        part = slice(i * lanes, (i + 1) * lanes)
        lane = _Lanes(n, i, take(data, part), x0[part], x[part], status[part], gtol[part], lower[part], upper[part])
        right = np.zeros(lanes, bool)
        claims = np.flatnonzero(success[part])
        right[claims] = _right(kind, lane.some(claims), method) if len(claims) else False
        found[f"{kind.name} {n}"] = Outcome(success[part], right, functools.partial(_show, lane))
    return found


def _tolerances(rng: np.random.Generator, lanes: int, default: float, dtype: str) -> np.ndarray:
    return (rng.choice([1.0, 1.0, 1e-2, 0.0], lanes) * default).astype(dtype)


def _box(rng: np.random.Generator, x0: np.ndarray, boxed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bounds about the starts, a third of them absent; all of them where there is no box."""
    size = np.maximum(np.abs(x0), 1e-6) * 10.0 ** rng.uniform(-1, 1, (2, *x0.shape))
    open_ = (rng.random((2, *x0.shape)) < (1 / 3)) | (not boxed)
    low, high = np.where(open_, np.inf, size)
    return (x0 - low).astype(x0.dtype), (x0 + high).astype(x0.dtype)


@functools.cache
def _solve(method: str, n: int, boxed: bool) -> Any:
    """The batch of one method: (x0, which, data, gtol, maxls, lower, upper) -> x, status, success."""
    fun = jax.jit(switched(n))  # JAX keeps the derivatives of a jit: less to trace

    def one(x0: Any, which: Any, d: Any, gtol: Any, maxls: Any, lower: Any, upper: Any) -> Any:
        options = (
            dict.fromkeys(BY_VALUES.get(method, ("gtol",)), gtol)
            | BUDGET
            | ({"maxls": maxls} if method in ("L-BFGS-B", "TNC") else {})
        )
        bounds = Bounds(lower, upper) if boxed else None
        res = minimize(fun, x0, args=(which, d), method=method, bounds=bounds, options=options)
        return res.x, res.status, res.success

    return jax.jit(jax.vmap(one))


class _Lanes:
    """The lanes of one kind: what they were given and where they ended."""

    def __init__(self, n: int, which: int, data: Data, *fields: np.ndarray) -> None:
        self.n, self.which, self.data, self.fields = n, which, data, fields
        self.x0, self.x, self.status, self.gtol, self.lower, self.upper = fields

    def some(self, index: np.ndarray) -> "_Lanes":
        """Some of them."""
        return _Lanes(self.n, self.which, take(self.data, index), *(v[index] for v in self.fields))


def _right(kind: Kind, s: _Lanes, method: str) -> np.ndarray:
    """(lanes,) bool: is the claim true, by (A) or (B)?"""
    f = exact(kind, s.data)(s.x[:, None])[:, 0]
    valid = np.isfinite(f) & np.all((s.x >= s.lower) & (s.x <= s.upper), -1)
    flat = (s.status == 0) & (_resolved_slope(s) <= 1.1 * s.gtol.astype(np.float64) + np.finfo(s.x.dtype).tiny)

    allowed = _allowance(kind, s, f)
    if method in BY_VALUES:
        flat = np.zeros_like(flat)
        asked = s.gtol * (np.maximum(1.0, np.abs(f)) if method == "Powell" else 1.0)
        allowed = allowed + TENFOLD * asked
        if kind.pieces is not None:
            flat = _none_lower_near(kind, s, f, asked)
    rest = np.flatnonzero(valid & ~flat)
    right = valid & flat
    if len(rest):
        o = s.some(rest)
        least = known(kind, o.data, o.lower, o.upper)
        if least is None:
            least = descend(s.n, s.which, o.data, o.x, o.lower, o.upper, allowed[rest])
        right[rest] = f[rest] - least <= allowed[rest]
    return right


def _none_lower_near(kind: Kind, s: _Lanes, f: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(lanes,) bool: is no point at the distance that was asked of x lower by more than was asked of f?"""
    turn = np.linspace(0.0, 2.0 * np.pi, AROUND, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], -1)
    near = np.clip(s.x[:, None] + s.gtol[:, None, None] * circle[None], s.lower[:, None], s.upper[:, None])
    return f - exact(kind, s.data)(near).min(1) <= asked


def _resolved_slope(s: _Lanes) -> np.ndarray:
    """(lanes,): the largest component of the gradient of (A)."""
    g, H = derivatives(s.n, s.which, s.data, s.x)
    x = s.x.astype(np.float64)
    free = ~(((x <= s.lower) & (g > 0)) | ((x >= s.upper) & (g < 0)))
    g, H = np.where(free, g, 0.0), np.where(free[:, :, None] & free[:, None], H, 0.0)
    curvature, axes = np.linalg.eigh(np.nan_to_num(H, posinf=0.0, neginf=0.0))
    slope = (axes * g[:, :, None]).sum(1)
    rounding = 4 * np.finfo(s.x.dtype).eps * (np.abs(axes) * np.abs(x)[:, :, None]).sum(1)
    left = (axes * np.where(np.abs(slope) <= curvature * rounding, 0.0, slope)[:, None]).sum(-1)
    # A variable near its bound need not move farther than the bound; and a gradient that is small needs no excuse.
    both = [np.abs(np.clip(x - v, s.lower, s.upper) - x).max(-1) for v in (left, g)]
    return np.minimum(*both)


def _allowance(kind: Kind, s: _Lanes, f: np.ndarray) -> np.ndarray:
    """(lanes,): what the dtype does not resolve of f at x."""
    eps, rng = np.finfo(s.x.dtype).eps, np.random.default_rng(0)
    nudge = lambda v: (v[:, None] * (1 + eps * rng.integers(-2, 3, (1, NEAR, *v.shape[1:])))).astype(v.dtype)
    near = np.clip(nudge(s.x), s.lower[:, None], s.upper[:, None])
    near[:, 0] = s.x
    with np.errstate(all="ignore"):
        there = exact(kind, s.data)(near)
        noise = kind.fun(near, batched(s.data), np).astype(LONG) - there
        other = Data(*(nudge(v).astype(LONG) for v in s.data))
        spread = kind.fun(near.astype(LONG), other, np) - f[:, None]
    worst = lambda v: np.where(np.isfinite(v), np.abs(v), 0.0).max(1)
    return 100 * eps * np.abs(f) + 16 * (worst(noise) + worst(spread)) + np.finfo(s.x.dtype).tiny


def _show(s: _Lanes, lane: int) -> str:
    """The lane's problem and answer, in digits that reproduce it."""
    o = s.some(np.array([lane]))
    kind = kinds(s.n)[s.which]
    f = float(exact(kind, o.data)(o.x[:, None])[0, 0])
    least = known(kind, o.data, o.lower, o.upper)
    if least is None:
        least = descend(s.n, s.which, o.data, o.x, o.lower, o.upper, np.array([0.0]))
    text = lambda v: np.array2string(v[0], separator=",", floatmode="unique", max_line_width=10_000).replace("\n", "")
    box = "" if np.isinf(o.lower).all() and np.isinf(o.upper).all() else f" box {text(o.lower)} {text(o.upper)}"
    given = " ".join(f"{name}={text(v)}" for name, v in zip("Abzk", o.data, strict=True))
    ended = f"status {o.status[0]} f {f:.9g} least {float(least[0]):.9g} x {text(o.x)}"
    return f"{ended} gtol {o.gtol[0]} x0 {text(o.x0)}{box} {given}"
