"""Brackets, intervals and starts of a function of one variable, checked where they are concrete (not traced)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.api import methods
from jaxopt_lite.core.layout import is_weak

_REFUSED = {
    "bounds": "bounds are given, but method {method!r} uses none; leave it out, or use {takers}.",
    "bracket": "bracket is given, but method {method!r} uses none; leave it out, or use {takers}.",
}


def interval_or_bracket(row: methods.Row, bounds: Any, bracket: Any) -> dict[str, tuple[Any, ...]]:
    """The points that a method starts from, under their name: 'bounds', an interval, or 'bracket'."""
    methods.refuse(row, _REFUSED, methods.MINIMIZE_SCALAR, bounds=bounds is not None, bracket=bracket is not None)
    if "bracket" in row.takes:
        return {"bracket": (0.0, 1.0) if bracket is None else read_bracket(bracket)}
    if bounds is None:
        raise ValueError(f"bounds are not given, and method {row.name!r} needs them; give bounds=(a, b).")
    return {"bounds": read_interval(bounds)}


def read_bracket(bracket: Any) -> tuple[Any, ...]:
    """The two or three points; raises where concrete ones cannot be a bracket."""
    try:
        points = tuple(bracket)
    except TypeError as error:
        raise ValueError(f"bracket is {bracket!r}; give two or three numbers.") from error
    if len(points) not in (2, 3):
        raise ValueError(f"bracket has {len(points)} points; give two, (a, b), or three, (a, b, c) with a < b < c.")
    _check_numbers(points, "bracket", "two or three real scalars")
    if any(isinstance(point, Tracer) for point in points):
        return points
    if not np.all(np.isfinite(points)):
        raise ValueError(f"bracket is {bracket!r}; its points must be finite.")
    steps = np.diff([float(point) for point in points])
    if not (np.all(steps > 0) or np.all(steps < 0)):
        wanted = "a != b" if len(points) == 2 else "a < b < c, or a > b > c"
        raise ValueError(f"bracket is {bracket!r}; give points with {wanted}.")
    return points


def read_interval(bounds: Any) -> tuple[Any, Any]:
    """The two ends; raises where concrete ones are not an interval."""
    try:
        lower, upper = bounds
    except (TypeError, ValueError) as error:
        raise ValueError(f"bounds is {bounds!r}; give two numbers (a, b) with a <= b.") from error
    _check_numbers((lower, upper), "bounds", "two real scalars (a, b) with a <= b")
    concrete = not isinstance(lower, Tracer) and not isinstance(upper, Tracer)
    if concrete and not (np.isfinite(lower) and np.isfinite(upper)):
        raise ValueError(f"bounds is {bounds!r}; both ends must be finite for a bounded method.")
    if concrete and lower > upper:
        raise ValueError(f"bounds are crossed: {lower} > {upper}; give (a, b) with a <= b.")
    return lower, upper


def start_of(points: dict[str, tuple[Any, ...]]) -> Any:
    """A zero in the dtype of x. It stands for x0, because the method makes its first point from its own points."""
    (numbers,) = points.values()
    floats = [p for p in numbers if hasattr(p, "dtype") and jnp.issubdtype(p.dtype, jnp.floating)]
    dtype = jnp.result_type(*floats) if floats else jnp.result_type(float)
    return np.zeros((), dtype)


def _check_numbers(points: tuple[Any, ...], name: str, wanted: str) -> None:
    for point in points:
        number = isinstance(point, int | float | np.generic | np.ndarray | jax.Array)
        if not number or isinstance(point, bool) or jnp.shape(point) != () or jnp.iscomplexobj(point):
            raise ValueError(f"{name} is {points!r}; give {wanted}.")
    dtypes = {str(p.dtype) for p in points if hasattr(p, "dtype") and jnp.issubdtype(p.dtype, jnp.floating)}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        found = " and ".join(sorted(dtypes))
        raise TypeError(f"{name} have dtypes {found}; give all in float32 or all in float64.")


def read_points(bracket: Any = None, x0: Any = None, x1: Any = None) -> dict[str, Any]:
    """The bracket and the starts that are given; raises where concrete ones cannot be a bracket or a start."""
    ends: tuple[Any, ...] = () if bracket is None else _pair(bracket)
    for name, value in (*(("bracket", end) for end in ends), ("x0", x0), ("x1", x1)):
        if value is None:
            continue
        if not isinstance(value, int | float | np.generic | np.ndarray | jax.Array) or isinstance(value, bool | np.bool):
            raise TypeError(f"{name} holds a {type(value).__name__}; give real numbers.")
        if jnp.shape(value) != ():
            raise ValueError(f"{name} has shape {jnp.shape(value)}; give scalars, and use jax.vmap for many problems.")
        if jnp.result_type(value).kind not in "iuf":
            raise TypeError(f"{name} has dtype {jnp.result_type(value)}; give real numbers.")
    concrete = not any(isinstance(end, Tracer) for end in ends)
    if concrete and not (all(map(np.isfinite, ends)) and len(set(map(float, ends))) == len(ends)):
        raise ValueError(f"bracket is {bracket!r}; give two different finite numbers (a, b).")
    return {"bracket": ends or None, "x0": x0, "x1": x1}


def _pair(bracket: Any) -> tuple[Any, Any]:
    try:
        a, b = bracket
    except (TypeError, ValueError) as error:
        raise ValueError(f"bracket is {bracket!r}; give two numbers (a, b) where f has opposite signs.") from error
    return a, b


def stand_in(points: dict[str, Any]) -> Any:
    """x0, or a zero where only a bracket is given, in the dtype of all numbers that are given."""
    given = [v for v in (*(points["bracket"] or ()), points["x0"], points["x1"]) if v is not None]
    typed = [v for v in given if hasattr(v, "dtype") and not (isinstance(v, jax.Array) and is_weak(v))]
    dtypes = {str(v.dtype) for v in typed if jnp.issubdtype(v.dtype, jnp.floating)}
    if len(dtypes) > 1:
        raise TypeError(f"bracket and starts have dtypes {' and '.join(sorted(dtypes))}; give all in one of them.")
    dtype = np.dtype(dtypes.pop()) if dtypes else np.dtype(jnp.result_type(float))
    x0 = points["x0"]
    if isinstance(x0, Tracer | jax.Array):
        return x0.astype(dtype)
    return np.asarray(0.0 if x0 is None else x0, dtype)
