"""What was made from a function, kept for as long as it lives and reads what it read (`captured.py`)."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from types import MethodType
from typing import Any

from jaxopt_lite.core.captured import Snapshot, snapshot, unchanged

FUNCTIONS, KEYS = 1024, 32  # functions remembered, and calls of different kinds of each


class Memo:
    """What was made from a function, as long as the function lives and reads what it read. Bounded; safe in threads."""

    def __init__(self) -> None:
        self._of: OrderedDict[int, tuple[Any, OrderedDict[Any, tuple[Snapshot | None, Any]]]] = OrderedDict()
        self._lock = threading.RLock()  # entered again where a collection inside of it ends the life of a function

    def get(self, fun: Callable, key: Any) -> Any:
        """The value stored for this function and key, or None."""
        owner, part = _owner(fun)
        with self._lock:
            entry = self._of.get(id(owner))
            stored = entry[1].get((part, key)) if entry else None
        if stored is None or stored[0] is None or not unchanged(stored[0], fun):
            return None
        return stored[1]

    def put(self, fun: Callable, key: Any, value: Any) -> None:
        """Store, if all that the function reads is known; forgotten when it dies."""
        owner, part = _owner(fun)
        identity = id(owner)
        with self._lock:
            entry = self._of.get(identity)
            if entry and (part, key) in entry[1] and entry[1][part, key][0] is None:
                return  # opaque once, and not walked again
        seen = snapshot(fun)
        with self._lock:
            if identity not in self._of:
                try:
                    reference = weakref.ref(owner, lambda _: self._forget(identity))
                except TypeError:  # without weak references its end would not be known
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
    """The object whose life bounds the function's: a bound method is made anew at every access."""
    if isinstance(fun, MethodType):
        return fun.__self__, fun.__func__
    return fun, None
