"""Values made from a function, kept while the function lives and reads the same things (`captured.py`)."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from types import MethodType
from typing import Any

from jaxopt_lite.core.captured import Snapshot, snapshot, unchanged

FUNCTIONS, KEYS = 1024, 32  # most functions that are remembered, and most keys of each


class Memo:
    """A table of values made from functions. It is bounded in size, and threads may share it."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, tuple[Any, OrderedDict[Any, tuple[Snapshot | None, Any]]]] = OrderedDict()
        self._lock = threading.RLock()  # entered again where garbage collection inside of it ends a function

    def get(self, fun: Callable, key: Any) -> Any:
        """The value stored for this function and key; None if there is none, or if the function now reads something else."""
        owner, part = _owner(fun)
        with self._lock:
            entry = self._of.get(id(owner))
            stored = entry[1].get((part, key)) if entry else None
        if stored is None or stored[0] is None or not unchanged(stored[0], fun):
            return None
        return stored[1]

    def put(self, fun: Callable, key: Any, value: Any) -> None:
        """Store a value, unless the function reads what may change unseen. It is forgotten when the function dies."""
        owner, part = _owner(fun)
        identity = id(owner)
        with self._lock:
            entry = self._of.get(identity)
            if entry and (part, key) in entry[1] and entry[1][part, key][0] is None:
                return  # it was opaque before, so it is not walked again
        seen = snapshot(fun)
        with self._lock:
            if identity not in self._of:
                try:
                    reference = weakref.ref(owner, lambda _: self._forget(identity))
                except TypeError:  # without a weak reference nobody would tell when the function dies
                    return
                self._of[identity] = (reference, OrderedDict())
            entries = self._of[identity][1]
            entries[part, key] = (seen, None if seen is None else value)
            _shorten(entries, KEYS)
            _shorten(self._of, FUNCTIONS)

    def _forget(self, identity: int) -> None:
        with self._lock:
            self._of.pop(identity, None)


def _shorten(table: OrderedDict, most: int) -> None:
    while len(table) > most:
        table.popitem(last=False)


def _owner(fun: Callable) -> tuple[Any, Any]:
    """The object that lives as long as the function, and a part of it: Python makes a new bound method at every access."""
    if isinstance(fun, MethodType):
        return fun.__self__, fun.__func__
    return fun, None
