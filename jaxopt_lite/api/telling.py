"""What a call tells besides its result: that it failed, which value was not finite, that data lost digits.

No program tells anything while it runs. An eager call of one problem is looked at after it has ended. A batch, and a program
under a user's jit, tell everything by their statuses.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.core.jax_internals import unbatched
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.program import Call, Plan, is_alone, is_plain, operands_of
from jaxopt_lite.core.protocol import Answer, Query
from jaxopt_lite.core.status import CONVERGED, MESSAGES, NOT_FINITE, PRECISION
from jaxopt_lite.core.warn import warn

Starts = Sequence[Any]  # concrete points, scalars or vectors
Record = TypeVar("Record", bound=Any)

ON_FAILURE = ("best", "nan", "raise")
FEW = 100  # roundings: a model cannot tell neighbors of an argument apart well if they are closer than this
OFFSET = 0.1  # data that spread over more than this share of their size have no offset, and may be dense
LOOKED_AT = 1 << 20  # most numbers of an array that are looked at
SHOWN = 5  # most entries that a sentence names

_told_of_float32 = False


def check_on_failure(on_failure: Any) -> None:
    """Raises ValueError where `on_failure` is none of the three words."""
    if on_failure not in ON_FAILURE:
        raise ValueError(f"on_failure is {on_failure!r}; give 'best', 'nan' or 'raise'.")


def failed(door: str, call: Call, status: Any, message: Callable[[], str], on_failure: str = "best") -> None:
    """Warn, or raise, where an eager call of one problem has failed. `message()` says why."""
    concrete = not isinstance(status, Tracer)
    if concrete and np.asarray(status) in (CONVERGED, PRECISION):
        return
    if not concrete or not is_alone(call):
        if on_failure == "raise":
            raise ValueError("on_failure='raise' needs an eager call of one problem; use 'nan', or look at the status.")
        return
    sentence = f"{door} found no solution. {message()}"
    if on_failure == "raise":
        raise RuntimeError(sentence)
    what = "NaN, as on_failure='nan' asks" if on_failure == "nan" else "the best point that was seen"
    warn(f"{sentence} What is returned is {what}.")


def explained(record: Record, plan: Plan, call: Call, starts: Starts = ()) -> Record:
    """The record (a result, or a message). If an eager call of one problem was not finite, it then says what and where.

    `starts` are the first points of the call, where x0 is not the first one.
    """
    if isinstance(record.status, Tracer) or np.asarray(record.status) != NOT_FINITE or not is_alone(call):
        return record
    found = (_not_finite(plan, call, x) for x in starts or (None,))
    object.__setattr__(record, "_message", " ".join((MESSAGES[NOT_FINITE], *next(filter(None, found), ()))))
    return record


def _not_finite(plan: Plan, call: Call, x: Any) -> tuple[str, ...]:
    """One sentence that says what is not finite at the point x; empty where everything is finite."""
    answer = _evaluated(plan, call, x)
    part = lambda name: getattr(answer, name, None)  # needs differ in what they have
    for name, value in (("residuals", part("residual")), ("value", part("fun")), ("constraints", part("constraints"))):
        if value is not None and not np.all(np.isfinite(value)):
            return (f"At the start {_which(name, value)} not finite.",)
    for name, derivative in (("gradient", part("grad")), ("Jacobian", part("jacobian")), ("Hessian", part("hess"))):
        if derivative is None or np.all(np.isfinite(derivative)):
            continue
        bad = ~np.isfinite(np.asarray(derivative))
        bad = bad.reshape(-1, bad.shape[-1]).any(axis=0)
        if name == "Jacobian":  # made by columns, zero times infinity gives NaN in all of them
            bad = np.asarray(~np.isfinite(_sum_of_slopes(plan, call, x))) if np.all(bad) else bad
        names = _entries(plan.layout)
        entries = ", ".join(names[i] for i in np.flatnonzero(bad)[:SHOWN])
        return (f"At the start the function is finite, but its {name} is not: the derivative by {entries}.",)
    return ()


def _evaluated(plan: Plan, call: Call, x: Any) -> Answer:
    """The answer of the user's functions at a concrete point, x0 where x is None. Nothing is compiled."""
    x, function = _at(plan, call, x)
    operands = operands_of(plan, call)
    asked = plan.method.ask(plan.method.init(operands.x0, operands.data), operands.data)
    return plan.oracle.evaluate(Query(x, asked.vector), function)


def _sum_of_slopes(plan: Plan, call: Call, x: Any) -> Array:
    """The derivative (n,) of the sum of all residuals, in reverse mode: NaN by one argument stays in its own entry."""
    x, function = _at(plan, call, x)
    return jax.grad(lambda x: jnp.sum(plan.oracle.value(x, function)))(x)


def _at(plan: Plan, call: Call, x: Any) -> tuple[Array, Any]:
    operands = operands_of(plan, call)
    return operands.x0 if x is None else jnp.ravel(jnp.asarray(x, operands.x0.dtype)), operands.function


def _which(name: str, value: Any) -> str:
    value = np.asarray(value)
    if value.size == 1:
        owner = "of the constraint " if name == "constraints" else ""
        return f"the value {owner}is {value.item()}, which is"
    bad = np.flatnonzero(~np.isfinite(value))
    return f"{bad.size} of {value.size} {name} (number {', '.join(map(str, bad[:SHOWN]))}) are"


def _entries(layout: Layout) -> list[str]:
    """The names of the entries of x: x[0], x['rate'][1]."""
    names = []
    paths = jax.tree_util.tree_flatten_with_path(jax.tree.unflatten(layout.structure, layout.shapes), _is_shape)[0]
    for path, shape in paths:
        own = "x" + jax.tree_util.keystr(path)
        names += [own + (f"[{', '.join(map(str, index))}]" if index else "") for index in np.ndindex(*shape)]
    return names


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int) for size in value)


def show(result: OptimizeResult, call: Call) -> None:
    """Print the summary of an eager call; of an eager vmap, the summary of the whole batch."""
    if is_plain(call):
        print(result if is_alone(call) else jax.tree.map(unbatched, result))


def told_of_narrowing(**arguments: Any) -> None:
    """Warn where float64 data are about to become float32: once a process, and for each array in which numbers collapse.

    Only concrete NumPy arrays and numbers are data in float64; a Python number has the dtype that JAX gives it.
    """
    global _told_of_float32
    if jax.dtypes.canonicalize_dtype(np.float64) == np.float64:
        return
    for name, value in arguments.items():
        for path, leaf in jax.tree_util.tree_flatten_with_path(value)[0]:
            if not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype != np.float64 or leaf.size == 0:
                continue
            if not _told_of_float32:
                _told_of_float32 = True
                warn(
                    f"{name} holds float64, and is narrowed to float32, JAX's default: seven digits are left. For float64 "
                    "run jax.config.update('jax_enable_x64', True) before anything else. (Said once a process.)"
                )
            lost = _lost(np.ravel(leaf)[:LOOKED_AT])
            if lost:
                warn(
                    f"{name}{jax.tree_util.keystr(path)} loses what tells its values apart in float32: {lost}. Subtract an "
                    "offset, or run jax.config.update('jax_enable_x64', True) before anything else."
                )


def _lost(data: np.ndarray) -> str:
    """What these numbers lose in float32, in words; empty where they stay apart.

    A tenth of them may coincide: among many random numbers some do, which harms nobody.
    """
    numbers = np.unique(data[np.isfinite(data)])
    if numbers.size < 2:
        return ""
    with np.errstate(over="ignore"):
        left = np.unique(numbers.astype(np.float32)).size
    if left < 0.9 * numbers.size:
        return f"{numbers.size} different numbers become {left}"
    size = np.max(np.abs(numbers))
    spacing, rounding = float(np.median(np.diff(numbers))), float(np.finfo(np.float32).eps) * size
    if spacing < FEW * rounding and numbers[-1] - numbers[0] <= OFFSET * size:
        return f"their spacing, {spacing:.3g}, is {spacing / rounding:.0f} roundings"
    return ""
