"""A snapshot of all that a function reads: would the function, traced again, give the same program?

A second call with the same function should not trace again. But a script that changes `params["k"]` between two calls
expects the new answer, as from SciPy. So a traced function is remembered only where `walk` finds all that the function can
read. The walk goes through closure cells, globals, defaults, attributes, containers and the functions that are called. At
the next call the things found are compared: numbers and strings by value, NumPy arrays by content (some 0.2 ms a megabyte;
one copy is kept), JAX arrays by identity, because nobody can change them.

The walk may meet a thing that may change unseen: a random generator, a table of another library, an open file, a name
looked up by `globals()`. Or it may meet more than `MOST` things. The function is then not remembered. It is traced at every
call, in some milliseconds, and its program is found by its jaxpr (`function.py`).

Not walked: modules of JAX and NumPy and the functions in them, which count as constant (`numpy.random` does not). Not
compared: names that the function assigns, or only appends to. These are counters and records, and no input.
"""

import enum
import functools
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.names import CONSTANT, Names, names_of

MOST = 2000  # a function that reads more things than this is not remembered
CHUNK = 1 << 16  # words (8 bytes) of an array that are compared at a time
PLAIN = frozenset({int, bool, str, bytes, complex, type(None), type(...), type(NotImplemented), range, slice})
UNSEEN = frozenset(
    {"eval", "exec", "globals", "locals", "vars", "open", "input", "next", "iter", "id", "__import__", "compile"}
)
AS_ONE = (jax.Array, Tracer, np.generic, np.ufunc, np.dtype, enum.Enum)  # nothing inside of them changes
DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
)
MAKING = frozenset({"__init__", "__new__", "__post_init__", "__repr__", "__str__", "__init_subclass__", "__class_getitem__"})


class Opaque(Exception):
    """A function reads something that may change unseen."""


class _Seen:
    """One thing as it was at the snapshot. It holds objects weakly, so that a memo keeps no function alive."""

    __slots__ = ("kind", "value")

    def __init__(self, value: Any) -> None:
        self.kind, self.value = type(value), value
        if isinstance(value, np.ndarray):
            self.value = value.copy()
        elif not (self.kind in PLAIN or isinstance(value, float | np.generic | tuple)):
            try:
                self.value = weakref.ref(value)
            except TypeError:
                self.kind = _BY_IDENTITY

    def is_still(self, value: Any) -> bool:
        mine = self.value
        if self.kind is _BY_IDENTITY:
            return mine is value
        if self.kind is not type(value):
            return False
        if isinstance(value, np.ndarray):
            return _same_array(mine, value)
        if isinstance(value, float | np.generic):
            return mine is value or repr(mine) == repr(value)
        if isinstance(mine, weakref.ref):
            return mine() is value
        return bool(mine == value)


Snapshot = tuple[_Seen, ...]
_BY_IDENTITY = object


def snapshot(fun: Callable) -> Snapshot | None:
    """What `fun` reads now; None where it may change unseen. Take it after tracing, which may move a counter."""
    try:
        return tuple(map(_Seen, walk(fun)))
    except Opaque:
        return None


def unchanged(before: Snapshot, fun: Callable) -> bool:
    """Does `fun` read the same things as at the snapshot?"""
    try:
        now = walk(fun)
        return all(seen.is_still(value) for seen, value in zip(before, now, strict=True))
    except (Opaque, ValueError):  # ValueError is zip's: there are more things, or fewer
        return False


def walk(fun: Callable) -> Iterator[Any]:
    """All that a function reads, the function first, always in the same order.

    Raises
    ------
    Opaque
        Where it meets something that may change unseen.
    """
    seen: dict[Any, Any] = {}  # by id; it also keeps the things alive, so that no id is used again
    for count, value in enumerate(_walk(fun, seen)):
        if count == MOST:
            raise Opaque
        yield value


def _is_constant(name: Any) -> bool:
    """Do the contents of a module of this name count as constant?"""
    return isinstance(name, str) and name.split(".")[0] in CONSTANT and not name.startswith("numpy.random")


def _walk(value: Any, seen: dict[Any, Any]) -> Iterator[Any]:
    kind = type(value)
    if kind in PLAIN or kind is float:
        yield value
        return
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, AS_ONE):
        yield value
    elif isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            yield kind, value.shape
            yield from _each(value.ravel().tolist(), seen)
        else:
            yield value
    elif kind in (list, tuple, set, frozenset, deque) or (isinstance(value, tuple) and hasattr(value, "_fields")):
        yield kind, len(value)
        yield from _each(value, seen)
    elif isinstance(value, dict):
        yield kind, len(value)
        yield from _each(value.keys(), seen)
        yield from _each(value.values(), seen)
    else:
        if not isinstance(value, MethodType):  # Python makes a new one at every access
            yield value
        yield from _parts(value, seen)


def _each(values: Any, seen: dict[Any, Any]) -> Iterator[Any]:
    for value in values:
        yield from _walk(value, seen)


def _parts(value: Any, seen: dict[Any, Any]) -> Iterator[Any]:
    """The things inside of a function, a bound method, a class or an instance."""
    if isinstance(value, FunctionType):
        yield from _of_function(value, seen)
    elif isinstance(value, MethodType):
        yield from _each((value.__func__, value.__self__), seen)
    elif isinstance(value, functools.partial):
        yield from _each((value.func, value.args, value.keywords), seen)
    elif isinstance(value, types.BuiltinFunctionType):
        owner = value.__self__
        if owner is None or isinstance(owner, ModuleType):
            if not _is_constant(value.__module__ or getattr(owner, "__name__", None)) and value.__module__ != "builtins":
                raise Opaque
        else:
            yield from _walk(owner, seen)
    elif isinstance(value, ModuleType):  # captured as a whole: it is not known here which of its names are read
        if not _is_constant(value.__name__):
            raise Opaque
    elif isinstance(value, type):
        yield from _of_class(value, seen)
    elif isinstance(value, property):
        yield from _walk(value.fget, seen)
    elif isinstance(value, staticmethod | classmethod) or hasattr(value, "__wrapped__"):  # jit, lru_cache, NumPy's functions
        yield from _walk(value.__wrapped__, seen)
        yield from _each(getattr(value, "__dict__", {}).values(), seen)
    elif not isinstance(value, DESCRIPTORS):
        yield from _of_instance(value, seen)


def _of_function(fun: FunctionType, seen: dict[Any, Any]) -> Iterator[Any]:
    names = names_of(fun.__code__)
    of_package = _is_constant(
        fun.__globals__.get("__name__")
    )  # what `jax.grad(f)` gives: of f's module by name, not by code
    if names.imports and not of_package:
        raise Opaque
    for name, cell in zip(fun.__code__.co_freevars, fun.__closure__ or (), strict=True):
        if name in names.records:
            continue
        try:
            held = cell.cell_contents
        except ValueError:  # not filled yet
            yield "unfilled", name
        else:
            yield from _captured(held, names, seen)
    for name in () if of_package else names.of_globals:
        if name in names.records:
            continue
        if name in fun.__globals__:
            yield from _captured(fun.__globals__[name], names, seen)
        elif name in UNSEEN:
            raise Opaque
        else:
            yield "builtin", name
    yield from _each(fun.__defaults__ or (), seen)
    for name, held in (fun.__kwdefaults__ or {}).items():
        yield name
        yield from _walk(held, seen)


def _captured(value: Any, names: Names, seen: dict[Any, Any]) -> Iterator[Any]:
    """The things behind a name that a function reads; of a module, those that the function may read in it."""
    if not isinstance(value, ModuleType):
        yield from _walk(value, seen)
        return
    yield value
    if value.__name__.startswith("numpy") and "random" in names.attributes:
        raise Opaque
    if _is_constant(value.__name__) or (id(value), id(names)) in seen:
        return
    seen[id(value), id(names)] = value, names
    if hasattr(value, "__getattr__"):
        raise Opaque
    for name in sorted(names.attributes):
        if name in vars(value):
            yield name
            yield from _captured(vars(value)[name], names, seen)


def _of_class(kind: type, seen: dict[Any, Any]) -> Iterator[Any]:
    """The methods of a class and its bases, and the values that it holds."""
    for base in kind.__mro__:
        if base is object or base.__module__ in ("builtins", "abc", "enum", "types") or _is_constant(base.__module__):
            continue
        for name, held in list(vars(base).items()):
            special = name.startswith("__") and name.endswith("__")
            if name in MAKING or name == "_abc_impl" or (special and not isinstance(held, FunctionType | property)):
                continue
            yield name
            yield from _walk(held, seen)


def _of_instance(value: Any, seen: dict[Any, Any]) -> Iterator[Any]:
    """The attributes of an instance, and its class."""
    kind = type(value)
    slots = [name for base in kind.__mro__ for name, d in vars(base).items() if isinstance(d, types.MemberDescriptorType)]
    if not (hasattr(value, "__dict__") or slots):
        if kind.__module__.split(".")[0] in ("jax", "jaxlib"):
            return
        raise Opaque  # a generator, a file, something written in C
    yield from _walk(kind, seen)
    if hasattr(value, "__dict__"):
        yield from _walk(vars(value), seen)
    for name in slots:
        yield name
        if hasattr(value, name):
            yield from _walk(getattr(value, name), seen)


def _same_array(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal bits of equal shape and dtype."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    one, other = (np.ascontiguousarray(a).reshape(-1).view(np.uint8) for a in (one, other))
    whole = len(one) - len(one) % 8
    a, b = one[:whole].view(np.uint64), other[:whole].view(np.uint64)
    parts = (slice(at, at + CHUNK) for at in range(0, whole // 8, CHUNK))
    return all(np.array_equal(a[part], b[part]) for part in parts) and np.array_equal(one[whole:], other[whole:])
