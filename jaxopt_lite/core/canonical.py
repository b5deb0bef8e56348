"""When are two traced functions the same? A hashable key of a jaxpr.

SciPy's users write `minimize(lambda p: loss(p, data_i), p0)` in a loop: a new function object each time, with the same code.
Captured arrays have become operands (`core/function.py`), so the jaxprs differ only in the names of variables. The printed
text of a jaxpr cannot be the key. It names the rule of a `custom_jvp` without showing it, so that two functions with
different derivatives may print alike. Here the key is made from the structure of every equation. What cannot be compared by
value is compared by identity. That may compile a program once too often, but never uses the program of another function.
"""

from collections.abc import Hashable
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from jaxopt_lite.core.jax_internals import (
    ClosedJaxpr,
    Jaxpr,
    Literal,
    Var,
    contents,
    derivative_rule,
    is_function_of_jax,
)
from jaxopt_lite.core.names import names_read

IMPLIED = ("out_trees",)  # parameters that follow from the others; these hold a memo that never compares equal
DEPTH = 12  # of functions within functions; deeper ones are compared by identity


def jaxpr_key(jaxpr: Jaxpr) -> Hashable:
    """A key. Equal keys mean the same function, with the same derivatives, of the same shapes and dtypes."""
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
    """A value compared by identity. It is kept alive, so that no other object gets its identity."""

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
        # A function may write to a list or dict that it captured. So that object counts by identity: two empty ones differ.
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
    """The parts of a function: its code and all that it captured. Of JAX's wrapper of a derivative rule: the rule."""
    if isinstance(value, FunctionType):
        cells = tuple(contents(c) for c in value.__closure__ or ())
        read = tuple((name, value.__globals__[name]) for name in names_read(value.__code__) if name in value.__globals__)
        return value.__code__, cells, value.__defaults__, tuple((value.__kwdefaults__ or {}).items()), read
    if is_function_of_jax(value):
        rule = derivative_rule(value)
        return None if rule is None else (rule,)
    return None
