"""Has a function changed since it was traced? A snapshot of what it captures.

A second call with the same function must not trace again; but a script that rebinds a global or a closed-over variable
between two calls expects the new value, as it would get from SciPy. So a traced function is remembered together with what
it read: closure cells, globals of its own module, defaults, attributes of a bound instance, and so on for the functions
of the same module that it calls. JAX arrays and other values are compared by identity; NumPy arrays, which can change in
place, by content. What is hidden deeper (inside a list, behind two attributes) is not seen: pass such data through
`args`.
"""

import functools
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

import numpy as np

Snapshot = tuple[tuple[Any, Any], ...]


def snapshot(fun: Callable) -> Snapshot:
    """What `fun` captures now; take it after tracing, so that a counter that the trace moved is seen as it stands."""
    found: list[tuple[Any, Any]] = []
    _collect(fun, found, set(), fun)
    return tuple(found)


def unchanged(before: Snapshot, after: Snapshot) -> bool:
    """Is everything captured as it was?"""
    return len(before) == len(after) and all(
        a is b and (copy_a is None or (copy_a.shape == copy_b.shape and np.array_equal(copy_a, copy_b)))
        for (a, copy_a), (b, copy_b) in zip(before, after, strict=True)
    )


def _collect(value: Any, found: list[tuple[Any, Any]], seen: set[int], root: Any) -> None:
    if isinstance(value, np.ndarray):
        found.append((value, value.copy()))
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if value is not root:
        found.append((value, None))
    if isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            try:
                _collect(cell.cell_contents, found, seen, root)
            except ValueError:  # a cell that is not filled yet
                continue
        for name in value.__code__.co_names:
            if name in value.__globals__:
                inner = value.__globals__[name]
                if not isinstance(inner, FunctionType) or inner.__globals__ is value.__globals__:
                    _collect(inner, found, seen, root)
        for default in (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            _collect(default, found, seen, root)
    elif isinstance(value, MethodType):
        _collect(value.__func__, found, seen, root)
        for attribute in list(getattr(value.__self__, "__dict__", {}).values()):
            _collect(attribute, found, seen, root)
    elif isinstance(value, functools.partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            _collect(part, found, seen, root)


class Memo:
    """What was made from a function, as long as the function lives and is unchanged."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[Any, dict[Any, tuple[Snapshot, Any]]]] = {}

    def get(self, fun: Callable, key: Any) -> Any:
        """The value stored for this function and key, or None."""
        owner, part = _owner(fun)
        entry = self._of.get(id(owner))
        stored = entry[1].get((part, key)) if entry else None
        if stored is None or not unchanged(stored[0], snapshot(fun)):
            return None
        return stored[1]

    def put(self, fun: Callable, key: Any, value: Any) -> None:
        """Store; forgotten when the function dies. A function without weak references is not stored."""
        owner, part = _owner(fun)
        identity = id(owner)
        if identity not in self._of:
            try:
                reference = weakref.ref(owner, lambda _: self._of.pop(identity, None))
            except TypeError:
                return
            self._of[identity] = (reference, {})
        self._of[identity][1][part, key] = (snapshot(fun), value)


def _owner(fun: Callable) -> tuple[Any, Any]:
    """The object whose life bounds the function's: a bound method is made anew at every access."""
    if isinstance(fun, MethodType):
        return fun.__self__, fun.__func__
    return fun, None
