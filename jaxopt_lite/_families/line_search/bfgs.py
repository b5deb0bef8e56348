"""BFGS on the inverse Hessian, with one matrix-vector product and one pass over H per accepted step.

With s = x+ - x, y = g+ - g and rho = 1 / (y . s) the update of the inverse Hessian (Nocedal & Wright 2006, eq. 6.17) is

    H+ = H + s a' + b s',    a = rho (1 + rho y'Hy) s - rho Hy,    b = -rho Hy                   (1)

The direction that led here was d = -H g. Hence

    Hy = Hg+ - Hg = Hg+ + d                                                                      (2)
    H+ g+ = Hg+ + s (a . g+) + b (s . g+)                                                        (3)

so that the one product Hg+ serves the update and the next direction. The plain form takes two or three products. The memory
traffic of H limits a batch: here H is read twice and written once a turn.

H starts as the identity and is scaled by y's / y'y before its first update (N&W eq. 6.20). A pair with y's <= sqrt(eps)
|y| |s| is skipped, because its curvature is rounding (Li & Fukushima's cautious update, 2001). Where (3) does not descend, H
is set back to the identity.

The result reports H as the inverse Hessian where H has learnt a step since it was last the identity, and NaN where it has
not: the identity is no estimate. Where the certificate proved the point, the result reports the exact inverse Hessian there
(`core/newton_step.py`).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.line_search.descent import Direction, Step, descent, read_constants, search_options
from jaxopt_lite.core.dense import dot, matvec
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import MATRIX, POSITIVE_OR_ZERO, Option
from jaxopt_lite.core.protocol import Method
from jaxopt_lite.core.stopping import gradient_tolerance


class BFGSData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () bound on the gradient's norm
    xrtol: Array  # () bound on the step relative to x; 0: not used
    c1: Array  # () sufficient decrease
    c2: Array  # () flatness
    hess_inv0: Array | None  # (n, n) first inverse Hessian; None: the identity, scaled by the first step


OPTIONS = {
    "xrtol": Option(
        0.0,
        POSITIVE_OR_ZERO,
        "Stop when a step is shorter than xrtol times (xrtol + max|x|); a success where the exact Newton step is too.",
    ),
    "hess_inv0": Option(
        None, MATRIX, "First inverse Hessian, (n, n), symmetric and positive definite. Default: the identity, scaled."
    ),
} | search_options(c2=0.9)


def prepare(options: dict[str, Any], x0: Array) -> BFGSData:
    """The data record from options; None takes the default of the dtype."""
    gtol = gradient_tolerance(x0.dtype) if options["gtol"] is None else options["gtol"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    first = options["hess_inv0"]
    return BFGSData(
        gtol=number(gtol),
        xrtol=number(options["xrtol"]),
        c1=number(options["c1"]),
        c2=number(options["c2"]),
        hess_inv0=None if first is None else number(first),
    )


class BFGSMemory(NamedTuple):
    """The memory of BFGS."""

    H: Array  # (n, n) inverse Hessian
    unscaled: Array  # () bool: H is the identity, and its first pair will scale it


def _init(x0: Array, data: BFGSData) -> BFGSMemory:
    H = jnp.eye(x0.shape[0], dtype=x0.dtype) if data.hess_inv0 is None else data.hess_inv0
    return BFGSMemory(H, jnp.full((), data.hess_inv0 is None))


def _learn(memory: BFGSMemory, step: Step, data: BFGSData) -> tuple[BFGSMemory, Array, Array]:
    H, t, d, y, g = memory.H, step.t, step.d, step.grad_change, step.grad
    s, sg, ys = t * d, t * step.slope, t * (step.slope - step.slope0)
    yy, size = dot(y, y), t * step.d_size
    eps = jnp.finfo(d.dtype).eps
    curved = step.accepted & (ys > 0) & (ys * ys > eps * yy * size * size)
    ys = jnp.where(curved, ys, 1.0)
    scale = jnp.where(memory.unscaled & curved, ys / jnp.where(curved, yy, 1.0), 1.0)
    rho = jnp.where(curved, 1.0 / ys, 0.0)
    Hg = matvec(H, g)
    Hy, Hg = scale * (Hg + d), scale * Hg
    weight = rho * (1.0 + rho * dot(y, Hy))
    ag = weight * sg - rho * dot(Hy, g)
    d_new = (rho * sg) * Hy - Hg - ag * s
    slope = dot(d_new, g)
    gg = dot(g, g)
    forget = step.restart | (step.accepted & ~(slope < 0) & (gg > 0))
    learn = jnp.where(forget, 0.0, 1.0)
    a = learn * (weight * s - rho * Hy)
    b = -(learn * rho) * Hy
    H = (learn * scale) * H + (s[:, None] * a[None, :] + b[:, None] * s[None, :])
    H = jnp.where(forget, jnp.eye(d.shape[0], dtype=d.dtype), H)
    d_new, slope = jnp.where(forget, -g, d_new), jnp.where(forget, -gg, slope)
    return BFGSMemory(H, forget | (memory.unscaled & ~curved)), d_new, slope


def _report(memory: BFGSMemory, data: BFGSData) -> dict[str, Array]:
    return {"hess_inv": jnp.where(memory.unscaled, jnp.nan, memory.H)}


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where the constants of the line search are not in order."""
    return bfgs(read_constants(options))


@kept()
def bfgs(order: float) -> Method:
    """The method, with the order of the gradient's norm; equal orders give the same object."""
    return descent("BFGS", Direction(_init, _learn, lambda memory: memory.unscaled, _report), order)
