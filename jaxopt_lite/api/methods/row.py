"""What a method is to a front door: a row of its table, and how a row is found by its name."""

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxopt_lite.core.batching import Schedule
from jaxopt_lite.core.options import Option
from jaxopt_lite.core.protocol import Method


class Row(NamedTuple):
    """A method as a front door knows it."""

    name: str  # as SciPy spells it
    build: Callable[[dict[str, Any]], Method]  # from the static options; equal options, the same object
    prepare: Callable[..., Any]  # (options, x0) -> data, inside the program
    options: dict[str, Option]
    tol: tuple[str, ...]  # options that `tol` sets
    takes: frozenset[str]  # of jac, hess, hessp, bounds, bracket, constraints, loss, x0, x1, fprime, fprime2
    maxiter: Callable[[int], int]  # default, from n
    turns_per_refill: int | None = None  # of a batch; None: the machine's default
    most: int | None = None  # lanes on a CPU at most; None: the machine's default

    def schedule(self, options: dict[str, Any]) -> Schedule:
        """How a batch is driven, as far as the options and this row say."""
        turns = options["turns_per_refill"]
        return Schedule(options["lanes"], self.turns_per_refill if turns is None else turns, self.most)


def find(table: tuple[Row, ...], method: Any, door: str, others: tuple[str, ...] = ()) -> Row:
    """The row of a method by its name, in any case; raises ValueError listing the known ones, and `others` of the door."""
    names = [*(row.name for row in table), *others]
    if isinstance(method, str):
        for row in table:
            if row.name.lower() == method.lower():
                return row
        near = difflib.get_close_matches(method.lower(), [n.lower() for n in names], 1)
        hint = f" Did you mean {names[[n.lower() for n in names].index(near[0])]!r}?" if near else ""
        raise ValueError(f"unknown method {method!r} for {door}.{hint} Known methods: {', '.join(names)}.")
    raise TypeError(f"method is {method!r}; give the name of a method ({', '.join(names)}) or a callable.")
