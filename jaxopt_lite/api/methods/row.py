"""What a method is to a front door: a row of its table, and how a row is found by its name."""

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxopt_lite.core.batching import Schedule
from jaxopt_lite.core.options import Option
from jaxopt_lite.core.protocol import Method

NO_OPTIONS: dict[str, Option] = {}  # of its own


class Row(NamedTuple):
    """A method as a front door knows it.

    Attributes
    ----------
    name : str
        As SciPy spells it.
    build : callable
        ``build(options) -> Method``, from the static options; `bounded` among them says whether there are bounds or a
        bracket, and `size` how many variables, None where it may not depend on them. For equal options it returns the same
        object.
    prepare : callable
        ``prepare(options, x0) -> data``, the method's record of traced numbers; called inside the program. Default: the
        traced options themselves, by name.
    options : dict
        The method's own options, `Option` by name.
    takes : frozenset of str
        Of the door's keywords those that this method takes: jac, hess, hessp, bounds, bracket, constraints, equalities (that
        is constraints of equality), keep_feasible (of rows), state (a callback may take SciPy's state of the run), loss, x0,
        x1, fprime, fprime2.
    maxiter : callable
        ``maxiter(n)``, the default of the option.
    tol : tuple of str
        The options that the keyword `tol` of the door sets, if it has one.
    schedule : Schedule
        How a batch is driven, where the options of a call leave it open.
    """

    name: str
    build: Callable[[dict[str, Any]], Method]
    prepare: Callable[..., Any] = lambda options, x0: options
    options: dict[str, Option] = NO_OPTIONS
    takes: frozenset[str] = frozenset({"jac"})
    maxiter: Callable[[int], int] = lambda n: 200 * n
    tol: tuple[str, ...] = ()
    schedule: Schedule = Schedule()


def find(table: tuple[Row, ...], method: Any, door: str, others: tuple[str, ...] = ()) -> Row:
    """The row of a method by its name, in any case, or the row that is given itself.

    Raises ValueError listing the known names, and `others` of the door.
    """
    names = [*(row.name for row in table), *others]
    if isinstance(method, Row):
        return method
    if isinstance(method, str):
        for row in table:
            if row.name.lower() == method.lower():
                return row
        near = difflib.get_close_matches(method.lower(), [n.lower() for n in names], 1)
        hint = f" Did you mean {names[[n.lower() for n in names].index(near[0])]!r}?" if near else ""
        raise ValueError(f"unknown method {method!r} for {door}.{hint} Known methods: {', '.join(names)}.")
    raise TypeError(f"method is {method!r}; give the name of a method ({', '.join(names)}), a callable, or a Row.")


def refuse(row: Row, sentences: dict[str, str], table: tuple[Row, ...] = (), **given: bool) -> None:
    """Raises ValueError for the first keyword that is given and that the method does not take: by its sentence.

    A sentence may name the {keyword}, the {method}, the {takers} (methods of the table that take it), and a {remedy}.
    """
    for keyword, is_given in given.items():
        if is_given and keyword not in row.takes:
            takers = [other.name for other in table if keyword in other.takes]
            remedy = f"use one of {', '.join(takers)}" if takers else "no method of this version does"
            quoted = ", ".join(map(repr, takers))
            raise ValueError(sentences[keyword].format(keyword=keyword, method=row.name, takers=quoted, remedy=remedy))
