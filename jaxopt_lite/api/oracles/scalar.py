"""The oracle of a scalar function of x: from `fun`, `jac`, `hess` and `hessp`, or by autodiff."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.api.oracles.close import check_callable, close_function, points_of, scalar_of, scheme_of
from jaxopt_lite.core.function import Arguments
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Need


def scalar_oracle(
    needs: Need,
    layout: Layout,
    fun: Callable,
    args: Any,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    rel_step: Any = None,
    abs_step: Any = None,
) -> tuple[Oracle, Traced]:
    """The oracle of a scalar function of x and its traced part; raises what a wrong call deserves."""
    arguments = Arguments(args)
    if jac is False:
        jac = None
    paired, scheme = jac is True, scheme_of(jac, "a callable, True, None")
    bends = scheme_of(hess, "a callable, None", "hess")
    if bends is not None:
        _check_differences_of_slopes(scheme, hessp, hess)
        hess = None
    check_callable(fun=fun, jac=None if paired or scheme else jac, hess=hess, hessp=hessp)
    point, at = points_of(layout, bends if bends == "cs" else scheme)

    def value(out: Any) -> Array:
        return scalar_of(out, "fun", layout)

    def pair(out: Any) -> tuple[Array, Array]:
        if not isinstance(out, tuple | list) or len(out) != 2:
            raise ValueError(f"fun returned a {type(out).__name__}; with jac=True it must return (value, gradient).")
        return value(out[0]), layout.ravel_like(out[1], "fun (its second value, the gradient)")

    def complex_value(out: Any) -> Array:
        return jnp.asarray(out).reshape(())

    def square(out: Any) -> Array:
        n = layout.size
        if jnp.shape(out) != (n, n):
            raise ValueError(f"hess returned shape {jnp.shape(out)}; return an array of shape {(n, n)}.")
        return jnp.asarray(out).astype(layout.dtype)

    def complex_gradient(out: Any) -> Array:
        return jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(at.dtype) for leaf in jax.tree.leaves(out)])

    def complex_pair(out: Any) -> tuple[Array, Array]:
        return complex_value(out[0]), complex_gradient(out[1])

    complex_ = at.dtype != point.dtype
    gradient = complex_gradient if complex_ else (lambda out: layout.ravel_like(out, "jac"))
    product = lambda out: layout.ravel_like(out, "hessp")
    read = (complex_pair if complex_ else pair) if paired else (complex_value if complex_ else value)
    closed = {"fun": close_function(fun, "fun", read, layout, (at,), arguments, (paired or scheme, bends == "cs"))}
    for name, given, how, inputs in (
        ("jac", None if paired or scheme else jac, gradient, (at if bends == "cs" else point,)),
        ("hess", hess, square, (point,)),
        ("hessp", hessp, product, (point, point)),
    ):
        if given is not None:
            closed[name] = close_function(given, name, how, layout, inputs, arguments, None)
    functions = {name: function for name, (function, _) in closed.items()}
    captured: dict[str, Any] = {name: closed[name][1] if name in closed else [] for name in ("fun", "jac", "hess", "hessp")}
    oracle = Oracle(needs, **functions, paired=paired, scheme=scheme, bends=bends)
    return oracle, Traced(**captured, loss=[], args=arguments.dynamic, rel_step=rel_step, abs_step=abs_step)


def _check_differences_of_slopes(scheme: str | None, hessp: Any, hess: str) -> None:
    """Raises ValueError where a Hessian by differences makes no sense beside what else is given."""
    if scheme is not None:
        raise ValueError(
            f"jac is {scheme!r} and hess is {hess!r}: differences of differences have no digits; leave one to autodiff."
        )
    if hessp is not None:
        raise ValueError(f"hess is {hess!r} and hessp is given too; leave one of them out.")
