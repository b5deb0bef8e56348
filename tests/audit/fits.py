"""Families of random fits, and a judge that shares nothing with the library: are claims of success true?

    families(rng, lanes)            models, data and starts of NumPy and JAX alone
    judge(family, points, dtype)    how far each point is from the minimum below it, in float64
    audit(row, lanes, dtype, seed)  the claims of `curve_fit` by a method over all of them

The judge goes down from a point by a Levenberg-Marquardt method of its own (NumPy, float64, Householder's QR of the
Jacobian) until nothing is gained, and compares the costs: with the least cost f* below x,

    distance = (2 (f(x) - f*))^(1/2) / s,   s^2 = 2 f* / (m - n)                                (1)

is the distance to the minimum in standard errors, the same in all parametrizations. What the dtype cannot resolve is no
distance: `noise` is the change of (2 f)^(1/2) that a few roundings of model and parameters make at the minimum.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite import curve_fit
from tests.audit import Outcome

ROWS = ("lm", "trf", "dogbox")
QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}  # a quarter of the time to compile
ROUNDINGS = 32.0  # roundings of model and parameters that excuse a distance
CLOSE = 1e-3  # standard errors: a claim farther away than this, and than rounding, is false
STEPS = 300  # of the judge; most lanes take a dozen


class Family(NamedTuple):
    """Lanes of one model."""

    name: str
    model: Callable[..., Any]  # (x, *p) -> (m,), with JAX
    x: np.ndarray  # what all lanes are evaluated at
    y: np.ndarray  # (lanes, m)
    starts: np.ndarray  # (lanes, n)
    box: tuple[np.ndarray, np.ndarray] | None = None  # (n,) each, of a problem with bounds
    loss: str = "linear"


class Verdict(NamedTuple):
    """Of each lane."""

    distance: np.ndarray  # standard errors to the minimum below
    noise: np.ndarray  # of it that rounding of the dtype excuses
    cost: np.ndarray  # at the point
    least: np.ndarray  # of the minimum below
    x: np.ndarray  # (lanes, n) the minimum below

    @property
    def near(self) -> np.ndarray:
        """Is this point a minimum, as far as its dtype can tell?"""
        return np.isfinite(self.distance) & (self.distance <= np.maximum(CLOSE, self.noise))


# --- models ---------------------------------------------------------------------------------------------------------


def _exponential(t, a, k, c):
    return a * jnp.exp(k * t) + c


def _two_decays(t, a, k, b, h):
    return a * jnp.exp(-k * t) + b * jnp.exp(-h * t)


def _peak(t, a, x, w, c):
    return a * jnp.exp(-0.5 * ((t - x) / w) ** 2) + c


def _two_peaks(t, a, x, w, b, z, v, c):
    return _peak(t, a, x, w, c) + b * jnp.exp(-0.5 * ((t - z) / v) ** 2)


def _tilted(xy, a, x, y, u, v, angle, c):
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    along, across = cos * (xy[0] - x) + sin * (xy[1] - y), cos * (xy[1] - y) - sin * (xy[0] - x)
    return a * jnp.exp(-0.5 * ((along / u) ** 2 + (across / v) ** 2)) + c


def _resonator(f, center, inner, coupling, level):
    total = 1.0 / (1.0 / inner + 1.0 / coupling)
    detuning = 2.0 * total * (f - center) / center
    return level * jnp.sqrt(((1.0 - total / coupling) ** 2 + detuning**2) / (1.0 + detuning**2))


def _wave(t, a, w, phase, c):
    return a * jnp.sin(w * t + phase) + c


def _waves(t, c, a, b, w, d, e, v):
    """Of the kind of NIST's ENSO: large residuals."""
    return (
        c
        + a * jnp.cos(2 * jnp.pi * t / w)
        + b * jnp.sin(2 * jnp.pi * t / w)
        + d * jnp.cos(2 * jnp.pi * t / v)
        + e * jnp.sin(2 * jnp.pi * t / v)
    )


def _hill(t, top, half, steep, c):
    return c + top * t**steep / (half**steep + t**steep)


def _units(t, p, q, r):
    return 1e-6 * p + q * t + 1e6 * r * t**2


def _rational(t, a, b, c, d):
    return a * (t**2 + b * t) / (t**2 + c * t + d)


def _meyer(t, a, b, c):
    return a * jnp.exp(b / (t + c))


def _power(t, a, b, c):
    return a * (b + t) ** (-1.0 / c)


def _polynomial(t, *p):
    out = jnp.zeros_like(t)
    for coefficient in reversed(p):
        out = out * t + coefficient
    return out


def _growth(t, top, rate, middle):
    return top / (1.0 + jnp.exp(-rate * (t - middle)))


# --- families -------------------------------------------------------------------------------------------------------


Only = Collection[str] | None  # names of the families that are wanted; None: all


def _maker(rng: np.random.Generator, only: Only) -> Callable[..., Iterator[Family]]:
    """What makes the data of a model at `truth` (lanes, n), with noise relative to the spread of each lane's values."""

    def made(name, model, x, truth, starts, noise, more=None, **keywords) -> Iterator[Family]:
        if only is not None and name not in only:
            return
        x = np.asarray(x, float)
        with jax.enable_x64(True):
            clean = np.asarray(jax.jit(jax.vmap(lambda p: model(x, *p)))(truth))
        size = np.std(clean, axis=1, keepdims=True)
        y = clean + noise * np.where(size > 0, size, 1.0) * rng.standard_normal(clean.shape)
        yield Family(name, model, x, y if more is None else y + more(y.shape), starts, **keywords)

    return made


def _near(rng, truth, spread):
    """Starts off the truth by factors of up to exp(spread)."""
    return truth * np.exp(spread * rng.uniform(-1.0, 1.0, truth.shape))


def _columns(*columns) -> np.ndarray:
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(float)


def families(rng: np.random.Generator, lanes: int, only: Only = None) -> Iterator[Family]:
    """All families, each of so many lanes."""
    made = _maker(rng, only)
    u = lambda low, high: rng.uniform(low, high, lanes)
    ones = np.ones(lanes)

    for end in (15.0, 40.0):
        t = np.linspace(0.0, end, 40)
        truth = _columns(2.0 * u(0.8, 1.25), 0.1 * u(0.9, 1.1), u(0.5, 1.5))
        wiggle = lambda shape, t=t: np.broadcast_to(0.05 * np.sin(7 * t), shape)
        yield from made(f"growth to {end:.0f}", _exponential, t, truth, np.ones((lanes, 3)), 0.01, wiggle)

    t = np.linspace(0.0, 10.0, 50)
    truth = _columns(u(1, 5), -u(0.3, 3), u(-1, 1))
    yield from made("decay", _exponential, t, truth, _columns(u(-3, 3), u(-8, 2), u(-3, 3)), 0.03)
    yield from made("decay, exact", _exponential, t, truth, _near(rng, truth, 1.0), 0.0)

    truth = _columns(u(1, 5), u(0.2, 0.6), u(1, 5), u(1, 3))
    starts = _columns(ones, 10.0 ** u(-2, 1.5), ones, 10.0 ** u(-2, 1.5))
    yield from made("two decays", _two_decays, t, truth, starts, 0.01)

    truth = _columns(u(1, 5), u(3, 7), u(0.5, 1.5), u(-1, 1))
    yield from made("peak", _peak, t, truth, _columns(u(0.5, 5), u(0, 10), u(0.3, 3), u(-1, 1)), 0.05)
    yield from made("peak, exact", _peak, t, truth, _near(rng, truth, 0.3), 0.0)
    truth = _columns(u(1, 5), u(2, 4), u(0.4, 1), u(1, 5), u(6, 8), u(0.4, 1), u(-1, 1))
    yield from made("two peaks", _two_peaks, t, truth, _near(rng, truth, 0.4), 0.03)

    xy = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0), indexing="ij")).reshape(2, -1)
    width = u(1, 2)
    truth = _columns(u(5, 20), u(3, 4), u(3, 4), width, np.where(u(0, 1) < 0.5, width, u(1, 2)), u(0, 3), u(0, 2))
    starts = _near(rng, truth, 0.1)
    starts[:, 4] = np.where(u(0, 1) < 0.5, starts[:, 3], starts[:, 4])  # round ones leave the angle open
    yield from made("tilted peak", _tilted, xy, truth, starts, 0.02)
    truth[:, 4] = truth[:, 3]
    starts = _near(rng, truth, 0.1)
    yield from made("round peak, exact", _tilted, xy, truth, starts, 0.0)

    center = 4.5e9
    inner, coupling = 10.0 ** u(5, 7.5), 10.0 ** u(5, 6.5)
    f = center * (1.0 + np.linspace(-1.0, 1.0, 60) * 3e-5)
    truth = _columns(center * (1 + 1e-6 * u(-1, 1)), inner, coupling, u(0.5, 2))
    starts = _columns(center * ones, inner * u(0.3, 3), coupling * u(0.5, 2), ones)
    yield from made("resonator", _resonator, f, truth, starts, 0.003)

    t = np.linspace(0.0, 12.0, 60)
    truth = _columns(u(1, 3), u(0.5, 4), u(0, 6), u(-1, 1))
    yield from made("wave", _wave, t, truth, truth + 0.4 * rng.standard_normal(truth.shape), 0.2)
    t = np.arange(1.0, 121.0)
    truth = _columns(u(8, 12), u(1, 3), u(-2, 2), u(11, 13), u(-1, 1), u(0.5, 1.5), u(35, 50))
    yield from made("waves", _waves, t, truth, truth + 0.3 * rng.standard_normal(truth.shape), 1.0)

    t = np.geomspace(0.05, 50.0, 24)
    truth = _columns(u(1, 5), u(0.5, 5), u(0.7, 3), u(0, 1))
    yield from made("hill", _hill, t, truth, _columns(ones, u(0.1, 10), ones, 0.0 * ones), 0.03)
    t = np.linspace(0.1, 1.0, 30)
    yield from made("units", _units, t, _columns(1e6 * u(1, 3), u(1, 3), 1e-6 * u(1, 3)), np.ones((lanes, 3)), 0.02)
    t = np.linspace(0.06, 4.0, 20)
    truth = _columns(u(0.15, 0.25), u(0.1, 0.3), u(0.05, 0.2), u(0.1, 0.2))
    yield from made("rational", _rational, t, truth, _near(rng, truth, 1.5), 0.01)
    t = np.linspace(50.0, 125.0, 16)
    truth = _columns(0.005 * u(0.8, 1.2), 6000.0 * u(0.98, 1.02), 345.0 * u(0.98, 1.02))
    yield from made("meyer", _meyer, t, truth, _near(rng, truth, 0.05), 1e-4)
    t = np.linspace(7.0, 52.0, 60)
    truth = _columns(-2500.0 * u(0.8, 1.2), 46.0 * u(0.9, 1.1), 0.93 * u(0.95, 1.05))
    yield from made("power", _power, t, truth, _near(rng, truth, 0.1), 1e-3)
    t = np.linspace(-1.0, 3.0, 25)
    yield from made("polynomial", _polynomial, t, rng.standard_normal((lanes, 6)), np.zeros((lanes, 6)), 0.1)
    t = np.linspace(0.0, 20.0, 30)
    truth = _columns(10.0 ** u(-4, 4), u(0.3, 1), u(6, 14))
    yield from made("logistic", _growth, t, truth, _columns(truth[:, 0] * u(0.1, 10), u(0.05, 5), u(0, 20)), 0.02)
    t = np.linspace(0.0, 4.0, 2 * 3)
    truth = _columns(u(1, 5), -u(0.3, 3), u(-1, 1))
    yield from made("few data", _exponential, t, truth, _near(rng, truth, 1.5), 0.05)


def bounded(rng: np.random.Generator, lanes: int, only: Only = None) -> Iterator[Family]:
    """Families with bounds, some of which hold at the solution, and with robust losses."""
    made = _maker(rng, only)
    u = lambda low, high: rng.uniform(low, high, lanes)
    t = np.linspace(0.0, 10.0, 50)
    box = np.array([0.5, -2.0, -0.3]), np.array([4.0, -0.1, 0.3])
    truth = _columns(u(1, 5), -u(0.3, 3), u(-1, 1))
    starts = _columns(u(0.6, 3.9), u(-1.9, -0.2), u(-0.2, 0.2))
    yield from made("decay in a box", _exponential, t, truth, starts, 0.03, box=box)
    box = np.array([0.0, 1.0, 0.2, -0.5]), np.array([4.0, 9.0, 1.2, 0.5])
    truth = _columns(u(1, 5), u(3, 7), u(0.5, 1.5), u(-1, 1))
    starts = _columns(u(0.5, 3.9), u(2, 8), u(0.3, 1.1), u(-0.4, 0.4))
    yield from made("peak in a box", _peak, t, truth, starts, 0.05, box=box)
    for loss in ("soft_l1", "cauchy"):
        truth = _columns(u(1, 5), -u(0.3, 3), u(-1, 1))
        outliers = lambda shape: 3.0 * (rng.uniform(size=shape) < 0.1)
        yield from made(f"decay, {loss}", _exponential, t, truth, _near(rng, truth, 0.5), 0.03, outliers, loss=loss)


# --- the judge ------------------------------------------------------------------------------------------------------


def _measured(residual, loss: str):
    """Residuals whose half sum of squares is the robust cost."""
    if loss == "linear":
        return residual
    z = residual**2
    rho = 2.0 * z / (1.0 + jnp.sqrt(1.0 + z)) if loss == "soft_l1" else jnp.log1p(z)
    small = z < 1e-12
    return residual * jnp.where(small, 1.0, jnp.sqrt(rho / jnp.where(small, 1.0, z)))


def _evaluator(family: Family, x):
    """(p (lanes, n), y) -> residuals and Jacobians in float64."""
    of = lambda p, y: _measured(family.model(x, *p) - y, family.loss)
    run = jax.jit(jax.vmap(lambda p, y: (of(p, y), jax.jacfwd(of)(p, y))))
    return lambda p, y: tuple(np.asarray(part) for part in run(p, y))


def _step(J, r, held, mu):
    """The damped step of each lane, by QR of the scaled Jacobian over a multiple of the identity."""
    n = J.shape[2]
    size = np.linalg.norm(J, axis=1)
    size = np.where(size > 0, size, 1.0)
    free = np.where(held, 0.0, 1.0)
    scaled = J * (free / size)[:, None, :]
    below = np.sqrt(mu)[:, None, None] * np.eye(n)[None]
    Q, R = np.linalg.qr(np.concatenate([scaled, below], axis=1))
    rhs = np.concatenate([-r, np.zeros((len(r), n))], axis=1)
    z = np.linalg.solve(R + 1e-300 * np.eye(n)[None], (np.swapaxes(Q, 1, 2) @ rhs[..., None]))[..., 0]
    return z * free / size


def _descend(family: Family, evaluate, p, y):
    """The minimum below p: (x, cost)."""
    low, high = family.box if family.box is not None else (np.full(p.shape[1], -np.inf), np.full(p.shape[1], np.inf))
    mu = np.full(len(p), 1e-10)
    r, J = evaluate(p, y)
    cost, quiet = 0.5 * np.sum(r**2, axis=1), np.zeros(len(p), int)
    for _ in range(STEPS):
        g = np.einsum("lmn,lm->ln", J, r)
        held = ((p <= low) & (g > 0)) | ((p >= high) & (g < 0))
        trial = np.clip(p + _step(J, r, held, mu), low, high)
        r_try, J_try = evaluate(trial, y)
        cost_try = np.where(np.all(np.isfinite(r_try), axis=1), 0.5 * np.sum(r_try**2, axis=1), np.inf)
        cost_try = np.where(np.all(np.isfinite(J_try), axis=(1, 2)), cost_try, np.inf)
        better = cost_try < cost
        gained = np.where(better, cost - np.where(better, cost_try, 0.0), 0.0)
        quiet = np.where(better & (gained > 1e-13 * cost), 0, quiet + 1)
        p = np.where(better[:, None], trial, p)
        r, J = np.where(better[:, None], r_try, r), np.where(better[:, None, None], J_try, J)
        cost = np.where(better, cost_try, cost)
        mu = np.clip(np.where(better, mu / 10, mu * 8), 1e-15, 1e10)
        if np.all(quiet > 25):
            break
    return p, cost, r, J


def judge(family: Family, points: np.ndarray, dtype: Any) -> Verdict:
    """How far the points (lanes, n) are from the minima below them; the data are those that the dtype holds."""
    with jax.enable_x64(True), np.errstate(all="ignore"):
        x, y = (np.asarray(part, dtype).astype(float) for part in (family.x, family.y))
        points = np.asarray(points, float)
        finite = np.all(np.isfinite(points), axis=1)
        points = np.where(finite[:, None], points, 1.0)
        if family.box is not None:  # as the dtype holds it
            family = family._replace(box=tuple(np.asarray(side, dtype).astype(float) for side in family.box))
        evaluate = _evaluator(family, x)
        r0, J0 = evaluate(points, y)
        defined = finite & np.all(np.isfinite(r0), axis=1) & np.all(np.isfinite(J0), axis=(1, 2))
        safe = np.where(defined[:, None], points, np.median(points[defined], axis=0) if defined.any() else 1.0)
        best, least, r, J = _descend(family, evaluate, safe, y)
        cost = np.where(defined, 0.5 * np.sum(r0**2, axis=1), np.inf)
        freedom = max(y.shape[1] - points.shape[1], 1)
        s = np.sqrt(2.0 * least / freedom) + 1e-300
        excess = np.sqrt(np.maximum(2.0 * (cost - least), 0.0))
        moved = np.linalg.norm(np.linalg.norm(J, axis=1) * best, axis=1)
        rounding = ROUNDINGS * np.finfo(dtype).eps * (np.linalg.norm(y, axis=1) + np.linalg.norm(r, axis=1) + moved)
        return Verdict(np.where(defined, excess / s, np.inf), rounding / s, cost, least, best)


def fit(family: Family, method: str, dtype: Any) -> tuple[np.ndarray, dict[str, Any]]:
    """popt (lanes, n) and infodict of `curve_fit`."""
    x, starts, y = (part.astype(dtype) for part in (family.x, family.starts, family.y))
    how: dict[str, Any] = {"method": method} if family.loss == "linear" else {"method": method, "loss": family.loss}
    how |= {} if family.box is None else {"bounds": tuple(side.astype(dtype) for side in family.box)}
    one = lambda p0, y: curve_fit(family.model, x, y, p0, full_output=True, **how)[::2]
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one), compiler_options=QUICK)(starts, y)[:2])


def audit(row: str, lanes: int, dtype: str, seed: int, part: tuple[int, int] = (0, 1)) -> dict[str, Outcome]:
    """All families that the method takes, or the i-th of k parts of them: 'lm' has neither bounds nor losses."""
    drawn = [*families(np.random.default_rng([seed, 0]), lanes)]
    drawn += [] if row == "lm" else [*bounded(np.random.default_rng([seed, 1]), lanes)]
    return {family.name: _outcome(family, row, np.dtype(dtype)) for family in drawn[part[0] :: part[1]]}


def _outcome(family: Family, method: str, dtype: Any) -> Outcome:
    popt, info = fit(family, method, dtype)
    verdict = judge(family, popt, dtype)
    show = lambda lane: (
        f"lane {lane}: status {info['status'][lane]} at {popt[lane]}, {verdict.distance[lane]:.1e} standard errors "
        f"(noise {verdict.noise[lane]:.1e}) from {verdict.x[lane]}; start {family.starts[lane]}"
    )
    return Outcome(info["success"], verdict.near, show)
