"""Has a function changed since it was traced? A snapshot of what it captures.

A second call with the same function must not trace again; but a script that rebinds a global or a closed-over variable
between two calls expects the new value, as it would get from SciPy. So a traced function is remembered together with what
it read: closure cells, globals of its own module, defaults, attributes of a bound instance, and so on for the functions
of the same module that it calls. JAX arrays and other values are compared by identity; NumPy arrays, which can change in
place, by content. What is hidden deeper (inside a list, behind two attributes) is not seen: pass such data through
`args`.
"""

import contextlib
import dis
import functools
import weakref
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

Snapshot = tuple["_Seen", ...]


class _Seen:
    """A captured value as it was: referred to weakly where that is possible, so that a memo keeps no function alive."""

    __slots__ = ("content", "value", "weak")

    def __init__(self, value: Any) -> None:
        self.content = value.tobytes() if isinstance(value, np.ndarray) else None
        try:
            self.value, self.weak = weakref.ref(value), True
        except TypeError:
            self.value, self.weak = value, False

    def same_as(self, other: "_Seen") -> bool:
        mine, theirs = (s.value() if s.weak else s.value for s in (self, other))
        return mine is theirs and self.content == other.content and not (self.weak and mine is None)


def snapshot(fun: Callable) -> Snapshot:
    """What `fun` captures now; take it after tracing, so that a counter that the trace moved is seen as it stands."""
    found: list[_Seen] = []
    _collect(fun, found, set())
    return tuple(found[1:])  # the first is the function itself


def unchanged(before: Snapshot, after: Snapshot) -> bool:
    """Is everything captured as it was?"""
    return len(before) == len(after) and all(a.same_as(b) for a, b in zip(before, after, strict=True))


def names_read(code: CodeType) -> Iterator[str]:
    """Names that a function may read from its globals, those of the functions inside of it too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_read(constant)


@functools.lru_cache
def _names_written(code: CodeType) -> frozenset[str]:
    """Outer variables that a function assigns: counters and records, not what its value depends on."""
    written = {i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "STORE_GLOBAL")}
    return frozenset(written - set(code.co_cellvars))


def _collect(value: Any, found: list[_Seen], seen: set[int]) -> None:
    if id(value) in seen:
        return
    seen.add(id(value))
    found.append(_Seen(value))
    for part in _parts(value):
        _collect(part, found, seen)


def _parts(value: Any) -> Iterator[Any]:
    """What a function, a bound method, a partial or a callable instance holds."""
    if isinstance(value, FunctionType):
        counters = _names_written(value.__code__)
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a cell that is not filled yet
                if name not in counters:
                    yield cell.cell_contents
        for name in names_read(value.__code__):
            if name in counters:
                continue
            inner = value.__globals__.get(name, _NOTHING)
            if inner is not _NOTHING and getattr(inner, "__globals__", value.__globals__) is value.__globals__:
                yield inner
        yield from value.__defaults__ or ()
        yield from (value.__kwdefaults__ or {}).values()
    elif isinstance(value, MethodType):
        yield value.__func__
        yield from vars(value.__self__).values() if hasattr(value.__self__, "__dict__") else ()
    elif isinstance(value, functools.partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif "__call__" in vars(type(value)) and isinstance(vars(type(value))["__call__"], FunctionType):
        yield vars(type(value))["__call__"]
        yield from list(getattr(value, "__dict__", {}).values())


_NOTHING = object()


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
