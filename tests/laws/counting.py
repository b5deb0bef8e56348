"""Counting what must not happen twice: traces of a user's function, compilations, operations in a program."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

_COMPILED = [0]


def _listen(event: str, duration: float, **_: Any) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        _COMPILED[0] += 1


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextlib.contextmanager
def compilations() -> Iterator[Callable[[], int]]:
    """How many programs were compiled since: `with compilations() as count: ...; count()`."""
    before = _COMPILED[0]
    yield lambda: _COMPILED[0] - before


def occurrences(jaxpr: Any, primitive: str) -> int:
    """How often an operation is written in a program, all its inner programs included."""
    if isinstance(jaxpr, ClosedJaxpr):
        jaxpr = jaxpr.jaxpr
    if isinstance(jaxpr, Jaxpr):
        return sum(
            (e.primitive.name == primitive) + sum(occurrences(p, primitive) for p in e.params.values()) for e in jaxpr.eqns
        )
    if isinstance(jaxpr, tuple | list):
        return sum(occurrences(p, primitive) for p in jaxpr)
    return 0
