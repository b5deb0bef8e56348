"""What all oracles share: closing a function of the user's, and saying what is wrong with it."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.function import Arguments, close
from jaxopt_lite.core.layout import Layout, is_weak
from jaxopt_lite.core.oracle import SCHEMES, complex_like

_NOT_TRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
)


def plainly(function: Callable, *points_and_args: Any) -> Any:
    """The user's function, called as it is written: ``function(x, *args)``."""
    *points, args = points_and_args
    return function(*points, *args)


def close_function(
    fun: Callable,
    name: str,
    read: Callable,
    layout: Layout,
    inputs: tuple,
    arguments: Arguments,
    mode: Any,
    how: Callable = plainly,
    others: int = 0,
) -> tuple[Any, list[Array]]:
    """The closed function of a user's, and what it captured; `read` turns what it returns into the oracle's arrays.

    The inputs are vectors (n,), which the function takes in the structure of x; the last `others` it takes as they are.
    """

    def flat(*traced: Any) -> Any:
        *vectors, args = traced
        laid_out = len(vectors) - others
        points = [*(layout.unravel(v) for v in vectors[:laid_out]), *vectors[laid_out:]]
        try:
            out = how(fun, *points, args)
        except _NOT_TRACEABLE as error:
            raise TypeError(
                f"{name} cannot be traced by JAX: it turned a traced array into a NumPy array or a Python number. Write it "
                "with jax.numpy, or drive the method by hand with jaxopt_lite.stepper, which takes values from any code."
            ) from error
        except Exception as error:
            raise same_kind(error)(
                f"{name} raised {type(error).__name__} when called with x of {layout.describe()}{_and_args(args)}: {error}"
            ) from error
        return read(out)

    def call(*leaves: Any) -> Any:
        *vectors, args = leaves
        return flat(*vectors, args)

    return close(fun, (name, mode, layout), call, inputs, arguments)


def scheme_of(jac: Any, others: str, name: str = "jac") -> str | None:
    """The scheme of finite differences that `jac` names, or None where it is something else."""
    if isinstance(jac, str) and jac not in SCHEMES:
        raise ValueError(f"{name} is {jac!r}; give {others} or one of {', '.join(SCHEMES)}.")
    return jac if isinstance(jac, str) else None


def check_callable(**functions: Any) -> None:
    """Raises TypeError for what is given and cannot be called."""
    for name, given in functions.items():
        if given is not None and not callable(given):
            raise TypeError(f"{name} is a {type(given).__name__}; give a callable.")


def points_of(layout: Layout, scheme: str | None) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """What x looks like, and what it looks like to fun."""
    point = jax.ShapeDtypeStruct((layout.size,), layout.dtype)
    return point, point if scheme != "cs" else jax.ShapeDtypeStruct(point.shape, complex_like(point.dtype))


def check_dtype(out: Any, kind: str, name: str, layout: Layout) -> None:
    """Is what a function returned of the dtype of x, or a plain number?"""
    dtype = jnp.result_type(out)
    if not jnp.issubdtype(dtype, jnp.floating) or not (dtype in layout.dtypes or is_weak(out)):
        raise TypeError(
            f"{name} returned dtype {dtype} for x of {layout.dtype}; return {layout.dtype} {kind}: convert what it "
            "captures, its args or its value, e.g. with .astype(x.dtype)."
        )


def _and_args(args: tuple) -> str:
    return f" and {len(args)} args" if args else ""


def same_kind(error: Exception) -> type[Exception]:
    """What is raised in place of an error of the user's function: TypeError for one, else ValueError."""
    return TypeError if isinstance(error, TypeError) else ValueError


def scalar_of(out: Any, name: str, layout: Layout) -> Array:
    """What a function returned as a scalar () of the dtype of x; raises where it is none."""
    if isinstance(out, tuple | list | dict) or out is None:
        hint = " (to return the gradient too, pass jac=True)" if isinstance(out, tuple) and len(out) == 2 else ""
        raise TypeError(f"{name} returned a {type(out).__name__}; return a scalar{hint}.")
    try:
        value = jnp.asarray(out)
    except TypeError as error:
        raise TypeError(f"{name} returned a {type(out).__name__}; return a scalar.") from error
    if value.size != 1:
        raise ValueError(f"{name} returned an array of shape {value.shape}; return a scalar, e.g. jnp.sum of it.")
    check_dtype(out, "values", name, layout)
    return value.reshape(()).astype(layout.dtype)
