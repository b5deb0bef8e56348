"""The oracle of a residual of x, (m,) for (n,): from `fun` and `jac`; and the closed function of a user's loss."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.api.oracles.close import (
    check_callable,
    check_dtype,
    close_function,
    plainly,
    points_of,
    same_kind,
    scheme_of,
)
from jaxopt_lite.core.function import Arguments, close
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Need


def residual_oracle(
    needs: Need,
    layout: Layout,
    fun: Callable,
    args: tuple,
    jac: Any = None,
    kwargs: dict[str, Any] | None = None,
    how: tuple[Callable, Callable] | None = None,
    rel_step: Any = None,
) -> tuple[Oracle, Traced, int]:
    """The oracle of a residual of x, its traced part, and m; with jac=True fun returns (residuals, Jacobian).

    `how` holds two functions `(user's function, x, args) -> array`, for fun and for jac, where they are not called plainly.
    """
    of_fun, of_jac = how or ((_with_keywords,) * 2 if kwargs else (plainly,) * 2)
    arguments = Arguments((*args, dict(kwargs)) if kwargs else args)
    paired = jac is True and how is None  # what a model returns is its value alone
    scheme = scheme_of(jac, "a callable, True, None" if how is None else "a callable, None")
    check_callable(fun=fun, jac=None if scheme or paired else jac)
    n, (point, at) = layout.size, points_of(layout, scheme)
    complex_values = lambda out: jnp.ravel(jnp.asarray(out))
    plain: Callable[..., Any] = _pair if paired else _residual
    read: Callable[[Any], Any] = complex_values if scheme == "cs" else (lambda out: plain(out, layout))
    mode = ("residual", paired or scheme, of_fun)
    function, captured = close_function(fun, "fun", read, layout, (at,), arguments, mode, of_fun)
    m = function.shapes[0][0]
    if m == 0:
        raise ValueError("fun returned no residuals; return at least one.")
    derivative, of_derivative = None, list[Array]()
    if jac is not None and scheme is None and not paired:
        square = lambda out: _jacobian(out, m, n, layout)
        derivative, of_derivative = close_function(
            jac, "jac", square, layout, (point,), arguments, ("jacobian", m, of_jac), of_jac
        )
    oracle = Oracle(needs, function, derivative, paired=paired, scheme=scheme)
    return oracle, Traced(captured, of_derivative, [], [], [], arguments.dynamic, rel_step, None), m


def close_loss(rho: Callable, m: int, dtype: Any) -> tuple[Any, list[Array]]:
    """The closed function of a user's loss, z (m,) -> (3, m), and what it captured."""

    def flat(z: Array, args: tuple) -> Array:
        try:
            out = rho(z)
            rows = jnp.stack(list(out)) if isinstance(out, tuple | list) else jnp.asarray(out)
        except Exception as error:
            raise same_kind(error)(
                f"loss raised {type(error).__name__} when called with z of shape ({m},): {error}"
            ) from error
        if rows.shape != (3, m):
            raise ValueError(
                f"loss returned shape {rows.shape} for z of shape ({m},); return rho, rho' and rho'', (3, {m})."
            )
        return rows.astype(dtype)

    return close(rho, ("loss", m, str(dtype)), flat, (jax.ShapeDtypeStruct((m,), dtype),), Arguments(()))


def _with_keywords(function: Callable, *points_and_args: Any) -> Any:
    *points, args = points_and_args
    return function(*points, *args[:-1], **args[-1])


def _residual(out: Any, layout: Layout) -> Array:
    leaves = jax.tree.leaves(out)
    if out is None or not leaves:
        raise TypeError(f"fun returned {out!r}; return an array of residuals.")
    for leaf in leaves:
        check_dtype(leaf, "residuals", "fun", layout)
    return jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(layout.dtype) for leaf in leaves])


def _pair(out: Any, layout: Layout) -> tuple[Array, Array]:
    if not isinstance(out, tuple | list) or len(out) != 2:
        raise ValueError(f"fun returned a {type(out).__name__}; with jac=True it must return (residuals, Jacobian).")
    residual = _residual(out[0], layout)
    return residual, _jacobian(out[1], residual.shape[0], layout.size, layout, "fun (its second value, the Jacobian)")


def _jacobian(out: Any, m: int, n: int, layout: Layout, name: str = "jac") -> Array:
    """(m, n), from that, from (m, *shape of x), or from a pytree of these in the structure of x."""
    leaves, structure = jax.tree.flatten(out)
    fits = structure == layout.structure and all(
        jnp.size(a) == m * math.prod(s) for a, s in zip(leaves, layout.shapes, strict=True)
    )
    if not fits and not (len(leaves) == 1 and jnp.size(leaves[0]) == m * n):
        shapes = [tuple(jnp.shape(leaf)) for leaf in leaves]
        raise ValueError(
            f"{name} returned {shapes} for {m} residuals and {n} parameters; return an array of shape {(m, n)}."
        )
    return jnp.concatenate([jnp.reshape(jnp.asarray(leaf), (m, -1)).astype(layout.dtype) for leaf in leaves], axis=1)
