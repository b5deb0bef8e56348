"""When are two traced functions the same? A hashable key of a jaxpr.

SciPy's users write `minimize(lambda p: loss(p, data_i), p0)` in a loop: a new function object each time, the same code.
Captured arrays have become operands (`core/function.py`), so the jaxprs are equal but for the names of variables. The
printed text of a jaxpr does not do as a key: it names the rule of a `custom_jvp` without showing it, so that two
functions with different derivatives may print alike. Here every equation is taken structurally; what cannot be compared
by value is compared by identity, which may compile once too often but never hands out another function's program.
"""

from collections.abc import Hashable
from types import CellType, CodeType, FunctionType
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var
from jax.tree_util import PyTreeDef

from jaxopt_lite.core.names import names_read

IMPLIED = ("out_trees",)  # parameters that follow from the others, and hold a memo that never compares equal
DEPTH = 12  # of functions within functions; deeper ones are compared by identity


def jaxpr_key(jaxpr: Jaxpr) -> Hashable:
    """Equal keys mean: the same function, derivatives included, of the same shapes and dtypes."""
    names: dict[Var, int] = {}

    def atom(a: Any) -> Hashable:
        if isinstance(a, Literal):
            return "literal", str(a.aval), np.asarray(a.val).tobytes()
        return names.setdefault(a, len(names))

    ends = [(atom(v), str(v.aval)) for v in (*jaxpr.constvars, *jaxpr.invars)]
    equations = []
    for e in jaxpr.eqns:
        inputs = tuple(atom(a) for a in e.invars)
        outputs = tuple((atom(v), str(v.aval)) for v in e.outvars)
        params = tuple((name, _value_key(e.params[name], 0)) for name in sorted(e.params) if name not in IMPLIED)
        equations.append((e.primitive.name, inputs, outputs, params))
    return len(jaxpr.constvars), tuple(ends), tuple(equations), tuple(atom(a) for a in jaxpr.outvars)


class _Same:
    """A value compared by identity, and kept alive so that its identity is not given away."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _value_key(value: Any, depth: int) -> Hashable:
    if isinstance(value, ClosedJaxpr):
        return "closed", jaxpr_key(value.jaxpr), tuple(_value_key(c, depth) for c in value.consts)
    if isinstance(value, Jaxpr):
        return "open", jaxpr_key(value)
    if isinstance(value, np.ndarray | np.generic):
        return "array", value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, tuple | list | dict):
        items = tuple(value.items()) if isinstance(value, dict) else value
        # Captured by a function that may write to it, a list is this list: two empty ones are two.
        own = _Same(value) if depth > 0 and not isinstance(value, tuple) else None
        return type(value).__name__, own, tuple(_value_key(v, depth) for v in items)
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.dtype | CodeType):
        return type(value).__name__, repr(value) if isinstance(value, float | complex) else value
    if depth < DEPTH and not isinstance(value, type):
        inner = _function_parts(value)
        if inner is not None:
            return type(value).__name__, _value_key(inner, depth + 1)
    if isinstance(value, type) or (_by_value(type(value)) and not callable(value)):
        try:
            hash(value)
        except TypeError:
            return _Same(value)
        return type(value).__name__, value
    return _Same(value)


def _by_value(kind: type) -> bool:
    """Does this type compare by value?"""
    return kind.__eq__ is not object.__eq__ and kind.__hash__ is not None


def _function_parts(value: Any) -> tuple | None:
    """A function as its code and all that it captured; jax's wrapper of a derivative rule as the rule inside."""
    if isinstance(value, FunctionType):
        cells = tuple(_cell(c) for c in value.__closure__ or ())
        read = tuple((name, value.__globals__[name]) for name in names_read(value.__code__) if name in value.__globals__)
        return value.__code__, cells, value.__defaults__, tuple((value.__kwdefaults__ or {}).items()), read
    if type(value).__name__ == "WrappedFun":
        rule = _find_rule(value)
        return None if rule is None else (rule,)
    return None


def _cell(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _find_rule(wrapped: Any) -> tuple | None:
    """The user's derivative rule behind what jax puts into a jaxpr, or None where it is not recognized.

    A wrapped function with transformations is the rule itself. One without is a thunk, in whose closure the rule waits;
    what else is there (avals, a trace) follows from the equation.
    """
    seen: set[int] = set()
    todo = [wrapped]
    while todo and len(seen) < 64:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if type(item).__name__ == "WrappedFun":
            transforms = getattr(item, "transforms", ())
            if transforms:
                parameters = [
                    getattr(p, "val", p) for _, of_one in transforms for p in _flat(of_one) if not _is_bookkeeping(p)
                ]
                return item.f, tuple(str(p) if isinstance(p, PyTreeDef) else p for p in parameters)
            todo.append(item.f)
        elif isinstance(item, FunctionType):
            todo.extend(c for c in map(_cell, item.__closure__ or ()) if c is not None)
    return None


def _flat(parameters: Any) -> list[Any]:
    return [q for p in parameters for q in (_flat(p) if type(p) in (tuple, list) else [p])]


def _is_bookkeeping(parameter: Any) -> bool:
    """Parameters of jax's transformations that say nothing about the rule: debug records and stores of trees."""
    return type(parameter).__name__ == "DebugInfo" or getattr(parameter, "__module__", "") == "jax._src.linear_util"


def without_floats(jaxpr: Jaxpr) -> tuple[Jaxpr, list[np.ndarray]]:
    """The same function with its outermost floating constants as leading constvars, and their values.

    A Python or NumPy number in a closure is a constant of the jaxpr; as an operand it may change without compiling anew.
    Integers stay: they are indices and sizes, which XLA uses.
    """
    variables: list[Var] = []
    values: list[np.ndarray] = []

    def hoisted(a: Any) -> Any:
        if not isinstance(a, Literal) or jax.typeof(a.val).dtype.kind != "f":
            return a
        variables.append(Var(a.aval))
        values.append(np.asarray(a.val, jax.typeof(a.val).dtype))
        return variables[-1]

    equations = [e.replace(invars=[hoisted(a) for a in e.invars]) for e in jaxpr.eqns]
    return jaxpr.replace(constvars=[*variables, *jaxpr.constvars], eqns=equations), values
