"""Things that are made once, however many threads ask for them together.

`functools.lru_cache` keeps its table in order when threads meet in it, but each of them makes its own value. Eight threads
that call `minimize` for the first time would make eight programs, and compile eight times. Eight threads that call the same
`jax.jit` compile eight times too. Here the first thread makes the value, and the others wait for it.
"""

import functools
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

import jax

from jaxopt_lite.core.jax_internals import known_options, unbatched

F = TypeVar("F", bound=Callable)

KEPT = 128
SIGNATURES = 256  # most compiled signatures of a program that are remembered; then all of them are forgotten together
PATIENCE = 600.0  # seconds; a thread that has waited for longer compiles for itself


def kept(maxsize: int = KEPT) -> Callable[[F], F]:
    """`functools.lru_cache(maxsize)`, but equal arguments give the same object in all threads."""

    def decorate(make: F) -> F:
        cached, lock = functools.lru_cache(maxsize)(make), threading.RLock()

        @functools.wraps(make)
        def get(*arguments: Hashable, **named: Hashable) -> Any:
            with lock:
                return cached(*arguments, **named)

        vars(get)["cache_info"] = cached.cache_info
        return cast(F, get)

    return decorate


class Compiled:
    """`jax.jit(function, compiler_options=options)`, compiled once a signature, with those options that this XLA knows.

    A thread that comes alone finds the gate open, and passes in a tenth of a microsecond. A thread that finds another one
    inside looks whether its own signature has been compiled, which takes some microseconds. It waits only if not.
    """

    def __init__(self, function: Callable, options: dict[str, Any]) -> None:
        self._function, self._options = function, options
        self._call = jax.jit(function, compiler_options=options) if options else jax.jit(function)
        self._gate = threading.RLock()  # entered again where a user's callback calls the same program
        self._compiled: set[Hashable] = set()

    def __call__(self, *operands: Any) -> Any:
        """The value of the function at the operands."""
        if self._gate.acquire(blocking=False):
            try:
                return self._run(operands)
            finally:
                self._gate.release()
        like = signature(operands)
        if like in self._compiled:
            return self._run(operands)
        entered = self._gate.acquire(timeout=PATIENCE)
        try:
            made = self._run(operands)
            if len(self._compiled) >= SIGNATURES:
                self._compiled.clear()
            self._compiled.add(like)
            return made
        finally:
            if entered:
                self._gate.release()

    def _run(self, operands: tuple) -> Any:
        try:
            return self._call(*operands)
        except Exception:
            known = known_options(**self._options)
            if known == self._options:
                raise
        self._options, self._call = known, jax.jit(self._function, compiler_options=known or None)
        return self._call(*operands)


def signature(operands: Any) -> Hashable:
    """All that a compilation depends on: the structure of the operands, and the shapes and dtypes of whole batches."""
    leaves, structure = jax.tree.flatten(operands)
    return structure, tuple((type(leaf), *_of_array(unbatched(leaf))) for leaf in leaves)


def _of_array(leaf: Any) -> tuple:
    return getattr(leaf, "shape", ()), getattr(leaf, "dtype", type(leaf)), getattr(leaf, "weak_type", False)
