"""Finite differences: a function's value and derivative from its values alone, at points of one vmapped evaluation.

Steps (Press et al., Numerical Recipes, 5.7): eps^(1/2) for '2-point', eps^(1/3) for '3-point', times max(1, |x|), with the
sign of x. For 'cs', the complex step Im f(x + ih) / h, it is eps: its error is of second order in the step, without any
cancellation. No point leaves a box that is given: steps turn around or are cut there.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

POWERS = {"2-point": 0.5, "3-point": 1 / 3, "cs": 1.0}  # of eps, in the step


def differences(
    fun: Callable[[Array], Array],
    x: Array,
    scheme: str,
    rel_step: Any = None,
    abs_step: Any = None,
    box: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]:
    """fun(x), () or (m,), and its derivative, (n,) or (m, n), by the scheme; for 'cs' fun takes complex vectors.

    Steps are () or (n,): relative to |x|, or absolute ones, which go first. None is the scheme's own.
    """
    n = x.shape[0]
    h = _steps(x, POWERS[scheme], rel_step, abs_step)
    origin = jnp.zeros((1, n), x.dtype)
    if scheme == "cs":
        shifts = jnp.concatenate([origin, jnp.diag(h)])
        there = jax.vmap(fun)(jax.lax.complex(jnp.broadcast_to(x, shifts.shape), shifts))
        return jnp.real(there[0]), _columns(jnp.imag(there[1:]), h)
    h = _inside(x, h, box, 2 if scheme == "3-point" else 1)
    far = -h
    if box is not None:  # where the box is too narrow for both sides, both points lie on one
        far = jnp.where((x - h < box[0]) | (x - h > box[1]), 2 * h, -h)
    steps = [origin, jnp.diag(h), *([jnp.diag(far)] if scheme == "3-point" else [])]
    inside = (lambda x: x) if box is None else (lambda x: jnp.clip(x, *box))
    there = jax.vmap(lambda x: fun(inside(x)))(x[None, :] + jnp.concatenate(steps))
    near = _columns(there[1 : n + 1] - there[:1], h)
    if scheme == "2-point":
        return there[0], near
    beyond = _columns(there[n + 1 :] - there[:1], far)
    apart = jnp.where(h == 0, 1.0, far - h)
    return there[0], near * _along(far / apart, near) - beyond * _along(h / apart, beyond)


def _steps(x: Array, power: float, rel_step: Any, abs_step: Any) -> Array:
    """Steps (n,) as they were asked for; the scheme's own where that is nothing, or zero."""
    sign = jnp.where(x < 0, -1.0, 1.0).astype(x.dtype)
    own = jnp.finfo(x.dtype).eps ** power * jnp.maximum(1.0, jnp.abs(x)) * sign
    if abs_step is not None:
        return jnp.broadcast_to(jnp.asarray(abs_step), x.shape).astype(x.dtype)
    h = own if rel_step is None else jnp.asarray(rel_step).astype(x.dtype) * jnp.abs(x) * sign
    return jnp.where(h == 0, own, h)


def _inside(x: Array, h: Array, box: tuple[Array, Array] | None, points: int) -> Array:
    """Steps h (n,) as they are represented: turned around, or cut, where so many points would leave the box."""
    if box is not None:
        lower, upper = box
        fits = lambda h: (x + h >= lower) & (x + h <= upper) & (x + points * h >= lower) & (x + points * h <= upper)
        room = jnp.where(upper - x > x - lower, upper - x, lower - x) / points
        h = jnp.where(fits(h), h, jnp.where(fits(-h), -h, room))
    return (x + h) - x


def _along(weights: Array, derivative: Array) -> Array:
    """Weights (n,) as the last axis of a derivative (..., n)."""
    return weights.reshape(*[1] * (derivative.ndim - 1), -1)


def _columns(differences: Array, steps: Array) -> Array:
    """Differences (n, ...) over steps (n,) as a derivative (..., n); zero where there was no room for a step."""
    per_step = differences / jnp.where(steps == 0, 1.0, steps).reshape(-1, *[1] * (differences.ndim - 1))
    return jnp.moveaxis(per_step, 0, -1)
