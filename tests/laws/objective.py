"""The one objective of the books: a row's model, moved, scaled, reordered, sheared, and made treacherous by numbers.

    value = scale * model(y, theta) + offset,   y_i = z_{order(i)} + mix * z_{order(i) + 1},   z = x - shift

All of it is an operand, so that whatever a law asks of a method is a lane of the same program. `kind` says what the function
does besides: nothing, or one of the faults below. Faults that hit single points choose them by a number that the bits of x
decide: deterministic, and as good as random.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

GOOD = 0
NOWHERE, BOTTOMLESS, INFINITE = POISON = 1, 2, 3  # NaN everywhere; falls forever; +inf everywhere
NOISE, SOME_NAN, SOME_INF, SOME_LOW, SIX_DIGITS, QUANTIZED, WALL = TOUGH = tuple(range(4, 11))
NAMES = ("good", "nowhere", "bottomless", "infinite", "noise", "some NaN", "some inf", "some -1e30", "six digits")
NAMES += ("quantized", "wall")
SHARE = 0.05  # of the points that a fault hits
LOW = -1e30
AMPLITUDE = 1e-6  # of the noise, beside scale
QUANTUM = 2.0**-20  # of quantized values, beside scale
APART = 2.0  # the wall's distance from the origin of y: behind it the function is NaN


class Knobs(NamedTuple):
    """What a lane is asked; of a batch every field has the lanes first."""

    start: Array  # (s,): a point, or the ends of an interval
    theta: Array  # (2,)
    shift: Array  # ()
    scale: Array  # ()
    offset: Array  # ()
    mix: Array  # ()
    order: Array  # (n,) int32
    kind: Array  # () int32
    tol: Array  # ()
    maxiter: Array  # () int32
    maxfev: Array  # () int32


def random_number(x: Array) -> Array:
    """In [0, 1), from the bits of x, of any shape."""
    bits = lax.bitcast_convert_type(jnp.atleast_1d(x), jnp.uint32).reshape(-1)
    odd = jnp.asarray((2 * np.arange(1, bits.size + 1, dtype=np.uint64) * 0x9E3779B1 + 1) % (1 << 32), jnp.uint32)
    h = jnp.sum(bits * odd, dtype=jnp.uint32)
    for shift, odd_factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> shift)) * jnp.uint32(odd_factor)
    return ((h ^ (h >> 16)) >> 8).astype(x.dtype) * x.dtype.type(2.0**-24)


def inner(x: Array, k: Knobs) -> Array:
    """The point of the model that x is."""
    z = x - k.shift
    if z.ndim == 0:
        return (1.0 + k.mix) * z
    z = z[k.order]
    return z + k.mix * jnp.concatenate([z[1:], jnp.zeros_like(z[:1])])


def outer(y: np.ndarray, k: Knobs) -> np.ndarray:
    """The way back: (lanes, ...) with NumPy, for known solutions."""
    own = lambda v: np.asarray(v, np.float64).reshape(-1, *[1] * (y.ndim - 1))
    if y.ndim == 1:
        return y / (1.0 + np.asarray(k.mix, np.float64)) + np.asarray(k.shift, np.float64)
    z = np.array(y, np.float64)
    for i in reversed(range(z.shape[1] - 1)):
        z[:, i] -= np.asarray(k.mix, np.float64) * z[:, i + 1]
    x = np.empty_like(z)
    np.put_along_axis(x, np.asarray(k.order), z, 1)
    return x + own(k.shift)


def universal(model: Any, tough: bool = False) -> Any:
    """(x, knobs) -> the value, or the residuals. Without `tough` the function knows GOOD and POISON alone."""

    def poisoned(x: Array, k: Knobs) -> tuple[Array, Array]:
        y = inner(x, k)
        falls = k.kind == BOTTOMLESS
        calm, wild = jnp.where(falls, jnp.zeros_like(y), y), jnp.where(falls, y, jnp.zeros_like(y))  # both sides stay finite
        value = jnp.where(falls, -jnp.exp(1e3 * jnp.sum(jnp.abs(wild))), k.scale * model(calm, k.theta) + k.offset)
        value = jnp.where(k.kind == NOWHERE, jnp.nan, value)
        return y, jnp.where(k.kind == INFINITE, jnp.inf, value)

    def objective(x: Array, k: Knobs) -> Array:
        y, smooth = poisoned(x, k)
        if not tough:
            return smooth
        number = random_number(x)
        rough = {
            NOISE: smooth + (AMPLITUDE * k.scale) * (number - 0.5),
            SIX_DIGITS: _six_digits(smooth),
            QUANTIZED: (QUANTUM * k.scale) * jnp.round(smooth / (QUANTUM * k.scale)),
        }
        value = smooth
        for kind, cut in rough.items():  # values are rough; slopes are what a user's own formula gives
            value = jnp.where(k.kind == kind, smooth + lax.stop_gradient(cut - smooth), value)
        hit = number < SHARE
        behind = (k.kind == WALL) & (jnp.max(y) > APART + jnp.max(k.theta))
        value = jnp.where(behind | (hit & (k.kind == SOME_NAN)), jnp.nan, value)
        value = jnp.where(hit & (k.kind == SOME_INF), jnp.inf, value)
        return jnp.where(hit & (k.kind == SOME_LOW), LOW, value)

    return objective


def _six_digits(v: Array) -> Array:
    """Of which six decimal digits are left."""
    size = jnp.where(v == 0, jnp.ones_like(v), jnp.abs(v))
    unit = jnp.exp2(jnp.round(jnp.log2(size)) - 20.0)
    return unit * jnp.round(v / unit)
