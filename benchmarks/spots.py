"""Gaussian spots, `perf_5x5`: the published comparison of Gpufit. Model, seeded data, and how fits are judged.

    f(x, y; A, x0, y0, s, b) = A exp(-((x - x0)^2 + (y - y0)^2) / (2 s^2)) + b                          (1)

on 5 x 5 pixels, x, y = 0..4. Truth (500, 2, 2, 1, 10), each times U(0.9, 1.1) a fit; Gaussian noise of standard
deviation 17.05; start = truth times U(0.9, 1.1). M. Przybylski, A. Thylwe, M. Hense et al. (2017), "Gpufit: An
open-source toolkit for GPU-accelerated curve fitting", Scientific Reports 7, 15722.

Answers are judged in NumPy and float64 alone: chi-square of the stored parameters against that of `reference`, and x0
against the truth in units of the Cramer-Rao bound, the least standard deviation that an unbiased estimate can have:

    bound^2 = noise^2 [(J'J)^{-1}]_{x0, x0},   J the Jacobian of (1) at the truth                        (2)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

TRUTH = (500.0, 2.0, 2.0, 1.0, 10.0)  # A, x0, y0, s, b
NOISE = 17.05
LOWER, UPPER = (0.0, -1.0, -1.0, 0.3, -50.0), (2000.0, 5.0, 5.0, 3.0, 200.0)
PIXELS = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0))).reshape(2, 25)  # x and y of each pixel
SEED = 0
SAMPLE = 10_000  # fits of a batch that are judged: the first ones
CLOSE = 1e-3  # a fit is as good as the reference if its chi-square is at most this part larger
TURNS = 30  # of `reference`: after 12 no chi-square of 10,000 fell by more than 2e-14 of itself


def spot(xy: Any, A: Any, x0: Any, y0: Any, s: Any, b: Any) -> Array:
    """(1) for JAX; xy (2, 25), scalars A, x0, y0, s, b -> (25,)."""
    return A * jnp.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * s**2)) + b


def host_spot(xy: Any, A: Any, x0: Any, y0: Any, s: Any, b: Any) -> np.ndarray:
    """(1) in NumPy; parameters are scalars, or (lanes, 1) for (lanes, 25)."""
    return A * np.exp(-((xy[0] - x0) ** 2 + (xy[1] - y0) ** 2) / (2 * s * s)) + b


def host_jacobian(xy: Any, A: Any, x0: Any, y0: Any, s: Any, b: Any) -> np.ndarray:
    """Derivatives of (1) with respect to the parameters, (..., 25, 5)."""
    dx, dy = xy[0] - x0, xy[1] - y0
    square = dx * dx + dy * dy
    bell = np.exp(square / (-2 * s * s))
    slope = A / (s * s) * bell
    J = np.empty((*bell.shape, 5))
    J[..., 0] = bell
    J[..., 1] = slope * dx
    J[..., 2] = slope * dy
    J[..., 3] = slope * square / s
    J[..., 4] = 1.0
    return J


@dataclass(frozen=True)
class Spots:
    """A batch of spots, on the device."""

    data: Array  # (lanes, 25) noisy pixels
    start: Array  # (lanes, 5)
    truth: Array  # (lanes, 5)


@partial(jax.jit, static_argnums=(1, 2))
def _drawn(key: Array, lanes: int, dtype: str) -> tuple[Array, Array, Array]:
    of_truth, of_start, of_noise = jax.random.split(key, 3)
    truth = jnp.asarray(TRUTH, dtype) * jax.random.uniform(of_truth, (lanes, 5), dtype, 0.9, 1.1)
    start = truth * jax.random.uniform(of_start, (lanes, 5), dtype, 0.9, 1.1)
    clean = jax.vmap(lambda p: spot(jnp.asarray(PIXELS, dtype), *p))(truth)
    return clean + jnp.asarray(NOISE, dtype) * jax.random.normal(of_noise, (lanes, 25), dtype), start, truth


def draw(lanes: int, dtype: str, batch: int = 0) -> Spots:
    """Batch number `batch`, drawn on the device."""
    return Spots(*jax.block_until_ready(_drawn(jax.random.key(SEED + batch), lanes, dtype)))


def _columns(p: np.ndarray) -> list[np.ndarray]:
    return [p[:, i : i + 1] for i in range(p.shape[1])]


def chi_square(data: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Sum of squared residuals in float64; data (lanes, 25), p (lanes, 5) -> (lanes,), inf where p is not finite."""
    with np.errstate(all="ignore"):  # a fit that ran away overflows
        chi = np.sum((host_spot(PIXELS, *_columns(np.asarray(p, np.float64))) - data) ** 2, axis=1)
    return np.where(np.isfinite(chi), chi, np.inf)


def reference(data: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Chi-square (lanes,) of tightly converged fits: Levenberg's iteration in NumPy with a damping a lane."""
    data, p = np.asarray(data, np.float64), np.asarray(start, np.float64)
    chi, damping = chi_square(data, p), np.full(len(p), 1e-3)
    i = np.arange(5)
    for _ in range(TURNS):
        J = host_jacobian(PIXELS, *_columns(p))
        g = np.einsum("lmi,lm->li", J, host_spot(PIXELS, *_columns(p)) - data)
        H = J.swapaxes(1, 2) @ J
        H[:, i, i] *= 1 + damping[:, None]
        p_try = p - np.linalg.solve(H, g[..., None])[..., 0]
        chi_try = chi_square(data, p_try)
        better = chi_try < chi
        p, chi = np.where(better[:, None], p_try, p), np.where(better, chi_try, chi)
        damping = np.where(better, damping / 10, np.minimum(damping * 10, 1e12))
    return chi


def bound_of_x0(truth: np.ndarray) -> np.ndarray:
    """(2): the Cramer-Rao bound (lanes,) of x0 at the truth (lanes, 5)."""
    J = host_jacobian(PIXELS, *_columns(np.asarray(truth, np.float64)))
    return NOISE * np.sqrt(np.linalg.inv(np.einsum("lmi,lmj->lij", J, J))[:, 1, 1])


@dataclass(frozen=True)
class Verdict:
    """How good some fits are."""

    checked: int  # fits looked at by recomputed chi-square
    converged: float  # share of all fits that the contender itself reports as converged
    reached: float  # share of those checked with a chi-square within CLOSE of the reference's
    wrong: int  # of those checked: reported as converged, and not within CLOSE
    bias: float  # mean of (x0 - truth) / Cramer-Rao bound over the converged ones of those checked
    spread: float  # its standard deviation; 1 is the best that there is


@dataclass(frozen=True)
class Judge:
    """What the answers to one batch are compared with."""

    data: np.ndarray  # (sample, 25)
    chi: np.ndarray  # (sample,)
    x0: np.ndarray  # (sample,)
    bound: np.ndarray  # (sample,)

    def __call__(self, x: Any, failed: Sequence[Any]) -> Verdict:
        """Judge the parameters x (lanes, 5) of this batch; `failed` are the reports (lanes,) of all rounds."""
        n = min(len(x), len(self.chi))
        x, claimed = np.asarray(x, np.float64)[:n], ~np.asarray(failed[0], bool)[:n]
        good = chi_square(self.data[:n], x) <= (1 + CLOSE) * self.chi[:n]
        z = ((x[:, 1] - self.x0[:n]) / self.bound[:n])[claimed]
        return Verdict(
            checked=n,
            converged=float(1 - np.concatenate([np.asarray(f, bool) for f in failed]).mean()),
            reached=float(good.mean()),
            wrong=int((claimed & ~good).sum()),
            bias=float(z.mean()) if z.size else float("nan"),
            spread=float(z.std()) if z.size else float("nan"),
        )


def judge_of(spots: Spots) -> Judge:
    """The judge of a batch: its first SAMPLE fits, solved tightly on the host."""
    data, start, truth = (np.asarray(a[:SAMPLE], np.float64) for a in (spots.data, spots.start, spots.truth))
    return Judge(data, reference(data, start), truth[:, 1], bound_of_x0(truth))
