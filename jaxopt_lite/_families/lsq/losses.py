"""Robust losses: how much a large residual weighs.

With a scale C and z = (r / C)^2 the cost is (C^2 / 2) sum rho(z) instead of (1 / 2) sum r^2. Its gradient is J' rho' r, and

    J' diag(rho' + 2 rho'' z) J                                                                 (1)

approximates its Hessian (Triggs et al. 2000, eq. 11). So a method for least squares also works on a robust cost, if it is
given the residual rho' r / w and the Jacobian w J with w = max(rho' + 2 rho'' z, rho' / 10) ^ (1/2). Their products are the
gradient and (1). The floor rho' / 10 keeps (1) positive where the loss bends down (at an outlier).

    linear    z                           huber    z for z <= 1, else 2 sqrt(z) - 1
    soft_l1   2 (sqrt(1 + z) - 1)         cauchy   log(1 + z)         arctan   arctan(z)
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.function import Function
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.oracle import Loss

LEAST = 0.1  # share of rho' that is the floor; 0 to 0.03 took up to twice the evaluations, 1 took half as many again
Rho = Callable[[Array, list[Array]], tuple[Array, Array, Array]]  # (z, captured) -> rho, rho', rho'', each (m,)


def _soft_l1(z: Array, _: list[Array]) -> tuple[Array, Array, Array]:
    t = 1.0 + z
    root = jnp.sqrt(t)
    return 2.0 * z / (1.0 + root), 1.0 / root, -0.5 / (t * root)


def _huber(z: Array, _: list[Array]) -> tuple[Array, Array, Array]:
    small = z <= 1.0
    far = jnp.where(small, 1.0, z)
    root = jnp.sqrt(far)
    return jnp.where(small, z, 2.0 * root - 1.0), 1.0 / root, jnp.where(small, 0.0, -0.5 / (far * root))


def _cauchy(z: Array, _: list[Array]) -> tuple[Array, Array, Array]:
    t = 1.0 + z
    return jnp.log1p(z), 1.0 / t, -1.0 / t**2


def _arctan(z: Array, _: list[Array]) -> tuple[Array, Array, Array]:
    t = 1.0 + z**2
    return jnp.arctan(z), 1.0 / t, -2.0 * z / t**2


def _from(rho: Rho) -> Loss:
    """A loss from rho; the last of the arrays is C, the others are what rho captured."""

    def at(r: Array, traced: list[Array]) -> tuple[Array, tuple[Array, Array, Array]]:
        scale = jnp.asarray(traced[-1]).astype(r.dtype)
        return scale, rho((r / scale) ** 2, traced[:-1])

    def cost(r: Array, traced: list[Array]) -> Array:
        scale, (value, _, _) = at(r, traced)
        return 0.5 * scale**2 * jnp.sum(value)

    def weigh(r: Array, J: Array, traced: list[Array]) -> tuple[Array, Array]:
        scale, (_, first, second) = at(r, traced)
        w = jnp.sqrt(jnp.maximum(first + 2.0 * second * (r / scale) ** 2, LEAST * first + jnp.finfo(r.dtype).tiny))
        return first * r / w, w[:, None] * J

    return Loss(cost, weigh)


LOSSES: dict[str, Loss | None] = {
    "linear": None,
    "soft_l1": _from(_soft_l1),
    "huber": _from(_huber),
    "cauchy": _from(_cauchy),
    "arctan": _from(_arctan),
}


@kept(128)
def of_user(rho: Function) -> Loss:
    """The loss of a closed function z (m,) -> (3, m); equal functions give the same object."""

    def rows(z: Array, captured: list[Array]) -> tuple[Array, Array, Array]:
        out = rho(captured, z)[0]
        return out[0], out[1], out[2]

    return _from(rows)
