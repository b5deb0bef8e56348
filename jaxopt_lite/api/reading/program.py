"""The operands of a linear program as SciPy's users write them, checked where they are concrete (not traced)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite._families.linear.program import LinearProgram
from jaxopt_lite.api.reading.bounds import check_sides, pair_of
from jaxopt_lite.core.layout import FLOATS


def read_program(
    c: Any, A_ub: Any, b_ub: Any, A_eq: Any, b_eq: Any, bounds: Any, P: Any = None, name: str = "c"
) -> LinearProgram:
    """The program with operands of one floating dtype: arrays of NumPy where they are concrete, else of JAX.

    The door calls the linear part of the objective by `name`. Raises ValueError, naming the operand, for shapes that do not
    fit, numbers that make no sense and crossed bounds.
    """
    given = {"c": c, "A_ub": A_ub, "b_ub": b_ub, "A_eq": A_eq, "b_eq": b_eq, "P": P}
    called = lambda key: name if key == "c" else key
    arrays = {key: _array(value, called(key)) for key, value in given.items() if value is not None}
    if "c" not in arrays:
        raise ValueError(f"{name} is None; give the coefficients of the objective, (n,).")
    arrays["c"] = _vector(arrays["c"], name)
    n = arrays["c"].shape[0]
    if n == 0:
        raise ValueError(f"{name} is empty; give at least one coefficient.")
    if P is not None:
        if arrays["P"].shape != (n, n):
            raise ValueError(f"P has shape {arrays['P'].shape}; {name} has {n} coefficients: give a matrix ({n}, {n}).")
        arrays["P"] = 0.5 * (arrays["P"] + arrays["P"].T)
    for kind in ("ub", "eq"):
        _read_rows(arrays, f"A_{kind}", f"b_{kind}", n)
    lower, upper = _sides(bounds, n)
    dtype = _dtype(list(arrays.values()), [lower, upper])
    for key, array in arrays.items():
        if not isinstance(array, Tracer) and not np.all(np.isfinite(np.asarray(array))):
            raise ValueError(
                f"{called(key)} holds NaN or infinity; give finite numbers, and leave out rows that bound nothing."
            )
    cast = lambda array: array if array.dtype == dtype else array.astype(dtype)
    operands = {key: cast(array) for key, array in arrays.items()}
    return LinearProgram(**operands, lower=cast(lower), upper=cast(upper))


def read_warm(x0: Any, multipliers: Any, program: LinearProgram) -> tuple[Any, Any] | None:
    """x0 (n,) and multipliers (p + q,) of the program's dtype, zeros for what is not given; None: neither is.

    Raises ValueError, naming the argument, for a shape that does not fit and concrete numbers that are not finite.
    """
    if x0 is None and multipliers is None:
        return None
    rows = program.b_ub.shape[0] + program.b_eq.shape[0]

    def read(value: Any, name: str, size: int, of: str) -> Any:
        array = np.zeros(size) if value is None else _array(value, name)
        if array.shape != (size,):
            raise ValueError(f"{name} has shape {array.shape}; give {of}, ({size},).")
        if not isinstance(array, Tracer) and not np.all(np.isfinite(np.asarray(array))):
            raise ValueError(f"{name} holds NaN or infinity; give finite numbers, or leave it out.")
        return array.astype(program.c.dtype)

    x = read(x0, "x0", program.c.shape[0], "a start for each variable")
    return x, read(multipliers, "multipliers", rows, "the marginals of the inequalities, and then of the equations")


def read_sparse(A: Any) -> tuple[Any, Any]:
    """(zeros, A) for a matrix of scipy.sparse, with zeros of the shape of A that take no memory; else (A, None)."""
    if not hasattr(A, "tocsr"):
        return A, None
    if not np.all(np.isfinite(A.tocoo().data)):
        raise ValueError("a sparse matrix holds NaN or infinity; give finite numbers.")
    return np.broadcast_to(np.zeros(()), A.shape), A


def _array(value: Any, name: str) -> Any:
    if hasattr(value, "tocsr"):
        raise ValueError(f"{name} is sparse; give {name}.toarray(), or use method='highs'.")
    if not isinstance(value, np.ndarray | jax.Array | Tracer):
        try:
            value = jnp.stack(value) if _holds_tracers(value) else np.asarray(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name} is no array of numbers: {error}") from error
    kind = np.dtype(value.dtype).kind if not jnp.issubdtype(value.dtype, jnp.floating) else "f"
    if kind == "c":
        raise ValueError(f"{name} is complex ({value.dtype}); give real numbers.")
    if kind not in "biuf":
        raise ValueError(f"{name} holds {value.dtype}; give numbers.")
    return value


def _holds_tracers(value: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value))


def _vector(array: Any, name: str) -> Any:
    if array.ndim != 1 and array.size != max(array.shape, default=0):
        raise ValueError(f"{name} has shape {array.shape}; give a vector.")
    return array if array.ndim == 1 else array.reshape(-1)


def _read_rows(arrays: dict[str, Any], A: str, b: str, n: int) -> None:
    """Fills in A (m, n) and b (m,) where they are missing, and brings them into these shapes."""
    if A not in arrays:
        if b in arrays and arrays[b].size > 0:
            raise ValueError(f"{b} is given, but {A} is not; give both or neither.")
        arrays[A] = np.zeros((0, n), arrays["c"].dtype)
        arrays[b] = np.zeros(0, arrays["c"].dtype)
        return
    if arrays[A].size == 0 and arrays[A].shape != (0, n):
        arrays[A] = np.zeros((0, n), arrays["c"].dtype)
    shape = arrays[A].shape
    if len(shape) != 2 or shape[1] != n:
        raise ValueError(f"{A} has shape {shape}; c has {n} coefficients, so that {A} must have the shape (m, {n}).")
    if b not in arrays:
        if shape[0] > 0:
            raise ValueError(f"{A} is given, but {b} is not; give both or neither.")
        arrays[b] = np.zeros(0, arrays["c"].dtype)
    arrays[b] = _vector(arrays[b], b)
    if arrays[b].shape[0] != shape[0]:
        raise ValueError(f"{b} has shape {arrays[b].shape}; {A} has {shape[0]} rows, so that {b} must have ({shape[0]},).")


def _sides(bounds: Any, n: int) -> tuple[Any, Any]:
    """Lower and upper bounds, each (n,), from None, a pair for all variables, n pairs, or an object with `lb` and `ub`."""
    if bounds is None or (isinstance(bounds, list | tuple) and len(bounds) == 0):
        bounds = (0.0, None)
    if hasattr(bounds, "lb"):
        lower, upper = pair_of(bounds) or (None, None)
    elif isinstance(bounds, np.ndarray | jax.Array | Tracer):
        if bounds.shape not in ((2,), (1, 2), (n, 2)):
            raise ValueError(f"bounds has shape {bounds.shape}; give a pair, or {n} pairs ({n}, 2).")
        lower, upper = bounds[..., 0], bounds[..., 1]
    else:
        lower, upper = _pairs(bounds, n)
    lower, upper = _side(lower, -np.inf, "lower", n), _side(upper, np.inf, "upper", n)
    low, high = (None if isinstance(side, Tracer) else np.asarray(side) for side in (lower, upper))
    check_sides(low, high)
    if (low is not None and np.any(low == np.inf)) or (high is not None and np.any(high == -np.inf)):
        raise ValueError("bounds hold a lower bound of inf, or an upper one of -inf; no number satisfies that.")
    return lower, upper


def _pairs(bounds: Any, n: int) -> tuple[Any, Any]:
    try:
        pairs = [bounds] if len(bounds) == 2 and all(_is_number(side) for side in bounds) else list(bounds)
        if len(pairs) not in (1, n) or any(len(pair) != 2 for pair in pairs):
            raise ValueError
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"bounds is {bounds!r}; give one pair (lower, upper) for all variables, or {n} pairs, with None for no bound."
        ) from error
    lower, upper = ([pair[k] for pair in pairs] for k in (0, 1))
    return (lower[0], upper[0]) if len(pairs) == 1 else (lower, upper)


def _is_number(value: Any) -> bool:
    return value is None or np.ndim(value) == 0


def _side(side: Any, none: float, which: str, n: int) -> Any:
    if isinstance(side, list | tuple):
        side = [none if one is None else one for one in side]
        side = jnp.stack([jnp.asarray(one) for one in side]) if _holds_tracers(side) else _numbers(side, which)
    elif not isinstance(side, np.ndarray | jax.Array | Tracer):
        side = _numbers(none if side is None else side, which)
    side = _array(side, f"the {which} bound")
    if side.shape not in ((), (1,), (n,)):
        raise ValueError(f"the {which} bound has shape {side.shape} for {n} variables; give a number, or one a variable.")
    if side.shape == (n,):
        return side
    return jnp.broadcast_to(side, (n,)) if isinstance(side, Tracer) else np.broadcast_to(np.asarray(side), (n,))


def _numbers(value: Any, which: str) -> np.ndarray:
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the {which} bound is {value!r}; give numbers, or None where there is none.") from error


def _dtype(arrays: list[Any], sides: list[Any]) -> np.dtype:
    """The widest floating dtype of JAX's arrays; else of the other operands; the default where all are integers.

    Bounds that are not arrays of JAX do not count: a plain number fits any dtype.
    """
    floating = [a for a in arrays if jnp.issubdtype(a.dtype, jnp.floating)]
    strong = [a for a in [*arrays, *sides] if isinstance(a, jax.Array) and jnp.issubdtype(a.dtype, jnp.floating)]
    dtypes = {np.dtype(jax.dtypes.canonicalize_dtype(a.dtype)) for a in strong or floating}
    if dtypes - set(FLOATS):
        raise ValueError(f"an operand has dtype {(dtypes - set(FLOATS)).pop()}; the methods work in float32 and float64.")
    return max(dtypes, key=lambda d: d.itemsize, default=np.dtype(jnp.result_type(float)))
