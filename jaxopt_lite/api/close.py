"""From what the user gave to an oracle: closing `fun`, `jac`, `hess`, `hessp` and saying what is wrong with them."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.function import Arguments, close
from jaxopt_lite.core.layout import Layout, is_weak
from jaxopt_lite.core.oracle import SCHEMES, Loss, Oracle, Traced, complex_like
from jaxopt_lite.core.protocol import Need

_NOT_TRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerBoolConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
)


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
    paired, scheme = jac is True, _scheme(jac, "a callable, True, None")
    _callable(fun=fun, jac=None if paired or scheme else jac, hess=hess, hessp=hessp)
    point, at = _points(layout, scheme)

    def value(out: Any) -> Array:
        return _scalar(out, "fun", layout)

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

    gradient = lambda out: layout.ravel_like(out, "jac")
    product = lambda out: layout.ravel_like(out, "hessp")
    read = pair if paired else (complex_value if scheme == "cs" else value)
    closed = {"fun": _close(fun, "fun", read, layout, (at,), arguments, paired or scheme)}
    for name, given, how, inputs in (
        ("jac", None if paired or scheme else jac, gradient, (point,)),
        ("hess", hess, square, (point,)),
        ("hessp", hessp, product, (point, point)),
    ):
        if given is not None:
            closed[name] = _close(given, name, how, layout, inputs, arguments, None)
    functions = {name: function for name, (function, _) in closed.items()}
    captured: dict[str, Any] = {name: closed[name][1] if name in closed else [] for name in ("fun", "jac", "hess", "hessp")}
    oracle = Oracle(needs, **functions, paired=paired, scheme=scheme)
    return oracle, Traced(**captured, loss=[], args=arguments.dynamic, rel_step=rel_step, abs_step=abs_step)


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
    """The oracle of a residual of x, its traced part, and m.

    `how` holds two functions `(user's function, x, args) -> array`, for fun and for jac, where they are not called plainly.
    """
    of_fun, of_jac = how or ((_with_keywords,) * 2 if kwargs else (_plainly,) * 2)
    arguments = Arguments((*args, dict(kwargs)) if kwargs else args)
    scheme = _scheme(jac, "a callable, None")
    _callable(fun=fun, jac=None if scheme else jac)
    n, (point, at) = layout.size, _points(layout, scheme)
    read = (lambda out: jnp.ravel(jnp.asarray(out))) if scheme == "cs" else (lambda out: _residual(out, layout))
    function, captured = _close(fun, "fun", read, layout, (at,), arguments, ("residual", scheme, of_fun), of_fun)
    m = function.shapes[0][0]
    if m == 0:
        raise ValueError("fun returned no residuals; return at least one.")
    derivative, of_derivative = None, list[Array]()
    if jac is not None and scheme is None:
        square = lambda out: _jacobian(out, m, n, layout)
        derivative, of_derivative = _close(jac, "jac", square, layout, (point,), arguments, ("jacobian", m, of_jac), of_jac)
    oracle = Oracle(needs, function, derivative, scheme=scheme)
    return oracle, Traced(captured, of_derivative, [], [], [], arguments.dynamic, rel_step, None), m


# A function whose zero is sought, as a residual of one entry: its own value is what the loop sees, sign and all.
SIGNED = Loss(cost=lambda residual, t: residual[0], weigh=lambda residual, jacobian, t: (residual, jacobian))


def root_oracle(
    needs: Need, layout: Layout, f: Callable, args: Any, fprime: Any = None, fprime2: Any = None
) -> tuple[Oracle, Traced]:
    """The oracle of a function of one variable whose zero is sought, and its traced part.

    fprime=True: f returns its derivative too; fprime2=True: and its second one.
    """
    arguments = Arguments(args)
    parts = 3 if fprime2 is True else 2 if fprime is True else 1
    given = {"fprime": None if fprime is True else fprime, "fprime2": None if fprime2 is True else fprime2}
    _callable(f=f, **given)
    point = jax.ShapeDtypeStruct((layout.size,), layout.dtype)

    def part(out: Any, k: int) -> Array:
        """The value (k = 0) or a derivative, of what f returned."""
        if parts > 1 and (not isinstance(out, tuple | list) or len(out) != parts):
            wanted = "(f, f'), as fprime=True says" if parts == 2 else "(f, f', f''), as fprime2=True says"
            raise ValueError(f"f returned a {type(out).__name__}; it must return {wanted}.")
        return _scalar(out[k] if parts > 1 else out, "f", layout)

    def closed(function: Callable, name: str, read: Callable, mode: str) -> tuple[Any, list[Array]]:
        return _close(function, name, read, layout, (point,), arguments, (mode, parts))

    if needs is Need.VALUE:
        fun, captured = closed(f, "f", lambda out: part(out, 0), "value")
        return Oracle(needs, fun), Traced(captured, [], [], [], [], arguments.dynamic, None, None)
    paired = parts > 1
    first, second = (lambda d: d.reshape(1, 1)), (lambda d: d.reshape(1, 1, 1))
    pair = lambda out: (part(out, 0)[None], first(part(out, 1)))
    fun, captured = closed(f, "f", pair if paired else (lambda out: part(out, 0)[None]), "root")
    jac, of_jac, hess, of_hess = None, list[Array](), None, list[Array]()
    if given["fprime"] is not None and not paired:
        jac, of_jac = closed(fprime, "fprime", lambda out: first(_scalar(out, "fprime", layout)), "fprime")
    if parts == 3:
        hess, of_hess = closed(f, "f", lambda out: second(part(out, 2)), "f''")
    elif given["fprime2"] is not None:
        hess, of_hess = closed(fprime2, "fprime2", lambda out: second(_scalar(out, "fprime2", layout)), "fprime2")
    oracle = Oracle(needs, fun, jac, hess, paired=paired, loss=SIGNED)
    return oracle, Traced(captured, of_jac, of_hess, [], [], arguments.dynamic, None, None)


def close_loss(rho: Callable, m: int, dtype: Any) -> tuple[Any, list[Array]]:
    """The closed function of a user's loss, z (m,) -> (3, m), and what it captured."""

    def flat(z: Array, args: tuple) -> Array:
        try:
            out = rho(z)
            rows = jnp.stack(list(out)) if isinstance(out, tuple | list) else jnp.asarray(out)
        except Exception as error:
            raise _same_kind(error)(
                f"loss raised {type(error).__name__} when called with z of shape ({m},): {error}"
            ) from error
        if rows.shape != (3, m):
            raise ValueError(
                f"loss returned shape {rows.shape} for z of shape ({m},); return rho, rho' and rho'', (3, {m})."
            )
        return rows.astype(dtype)

    return close(rho, ("loss", m, str(dtype)), flat, (jax.ShapeDtypeStruct((m,), dtype),), Arguments(()))


def _scheme(jac: Any, others: str) -> str | None:
    """The scheme of finite differences that `jac` names, or None where it is something else."""
    if isinstance(jac, str) and jac not in SCHEMES:
        raise ValueError(f"jac is {jac!r}; give {others} or one of {', '.join(SCHEMES)}.")
    return jac if isinstance(jac, str) else None


def _callable(**functions: Any) -> None:
    for name, given in functions.items():
        if given is not None and not callable(given):
            raise TypeError(f"{name} is a {type(given).__name__}; give a callable.")


def _points(layout: Layout, scheme: str | None) -> tuple[jax.ShapeDtypeStruct, jax.ShapeDtypeStruct]:
    """What x looks like, and what it looks like to fun."""
    point = jax.ShapeDtypeStruct((layout.size,), layout.dtype)
    return point, point if scheme != "cs" else jax.ShapeDtypeStruct(point.shape, complex_like(point.dtype))


def _plainly(function: Callable, *points_and_args: Any) -> Any:
    *points, args = points_and_args
    return function(*points, *args)


def _with_keywords(function: Callable, *points_and_args: Any) -> Any:
    *points, args = points_and_args
    return function(*points, *args[:-1], **args[-1])


def _check_dtype(out: Any, kind: str, name: str, layout: Layout) -> None:
    """Is what a function returned of the dtype of x, or a plain number?"""
    dtype = jnp.result_type(out)
    if not jnp.issubdtype(dtype, jnp.floating) or not (dtype in layout.dtypes or is_weak(out)):
        raise TypeError(
            f"{name} returned dtype {dtype} for x of {layout.dtype}; return {layout.dtype} {kind}: convert what it "
            "captures, its args or its value, e.g. with .astype(x.dtype)."
        )


def _residual(out: Any, layout: Layout) -> Array:
    leaves = jax.tree.leaves(out)
    if out is None or not leaves:
        raise TypeError(f"fun returned {out!r}; return an array of residuals.")
    for leaf in leaves:
        _check_dtype(leaf, "residuals", "fun", layout)
    return jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(layout.dtype) for leaf in leaves])


def _jacobian(out: Any, m: int, n: int, layout: Layout) -> Array:
    """(m, n), from that, from (m, *shape of x), or from a pytree of these in the structure of x."""
    leaves, structure = jax.tree.flatten(out)
    fits = structure == layout.structure and all(
        jnp.size(a) == m * math.prod(s) for a, s in zip(leaves, layout.shapes, strict=True)
    )
    if not fits and not (len(leaves) == 1 and jnp.size(leaves[0]) == m * n):
        shapes = [tuple(jnp.shape(leaf)) for leaf in leaves]
        raise ValueError(f"jac returned {shapes} for {m} residuals and {n} parameters; return an array of shape {(m, n)}.")
    return jnp.concatenate([jnp.reshape(jnp.asarray(leaf), (m, -1)).astype(layout.dtype) for leaf in leaves], axis=1)


def _close(
    fun: Callable,
    name: str,
    read: Callable,
    layout: Layout,
    inputs: tuple,
    arguments: Arguments,
    mode: Any,
    how: Callable = _plainly,
) -> tuple[Any, list[Array]]:
    def flat(*traced: Any) -> Any:
        *vectors, args = traced
        points = [layout.unravel(v) for v in vectors]
        try:
            out = how(fun, *points, args)
        except _NOT_TRACEABLE as error:
            raise TypeError(
                f"{name} cannot be traced by JAX: it turned a traced array into a NumPy array or a Python number. Write it "
                "with jax.numpy, or drive the method by hand with jaxopt_lite.stepper, which takes values from any code."
            ) from error
        except Exception as error:
            raise _same_kind(error)(
                f"{name} raised {type(error).__name__} when called with x of {layout.describe()}{_and_args(args)}: {error}"
            ) from error
        return read(out)

    def call(*leaves: Any) -> Any:
        *vectors, args = leaves
        return flat(*vectors, args)

    return close(fun, (name, mode, layout), call, inputs, arguments)


def _and_args(args: tuple) -> str:
    return f" and {len(args)} args" if args else ""


def _same_kind(error: Exception) -> type[Exception]:
    return TypeError if isinstance(error, TypeError) else ValueError


def _scalar(out: Any, name: str, layout: Layout) -> Array:
    if isinstance(out, tuple | list | dict) or out is None:
        hint = " (to return the gradient too, pass jac=True)" if isinstance(out, tuple) and len(out) == 2 else ""
        raise TypeError(f"{name} returned a {type(out).__name__}; return a scalar{hint}.")
    try:
        value = jnp.asarray(out)
    except TypeError as error:
        raise TypeError(f"{name} returned a {type(out).__name__}; return a scalar.") from error
    if value.size != 1:
        raise ValueError(f"{name} returned an array of shape {value.shape}; return a scalar, e.g. jnp.sum of it.")
    _check_dtype(out, "values", name, layout)
    return value.reshape(()).astype(layout.dtype)
