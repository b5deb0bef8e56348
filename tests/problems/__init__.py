"""The library of test problems: what every method is tried on, and itself tested in `test_problems.py`.

`MGH` and `CLASSIC` are smooth, `HARD` each has its own way to fail, `SCALAR` are one-dimensional with an interval.
`ROOTS` have a bracket and a root, `FAMILIES` are the classical test sets for root finders.
`ALL` is the part of the smooth ones that a sound gradient method solves from the standard start: it ends at `fun_star`
or at a value in `minima`. The factories in `mgh_variable` and `classic` give other dimensions, and `transforms` maps a
problem to one whose answer is known to move with it. `hock_schittkowski` and `infeasible` have problems with constraints,
records of `constrained`. Importing builds NumPy data only and starts no backend.
"""

from . import classic, hard, mgh, mgh_variable, scalar, transforms
from .problem import Problem, least_squares
from .scalar import ScalarProblem
from .scalar_roots import FAMILIES, ROOTS, RootFamily, RootProblem

MGH: tuple[Problem, ...] = mgh.PROBLEMS + mgh_variable.PROBLEMS
CLASSIC: tuple[Problem, ...] = classic.PROBLEMS
HARD: tuple[Problem, ...] = hard.PROBLEMS
SCALAR: tuple[ScalarProblem, ...] = scalar.PROBLEMS

_NOT_FOR_ALL = frozenset({"multimodal", "unbounded", "nonsmooth"})
ALL: tuple[Problem, ...] = tuple(p for p in MGH + CLASSIC if not p.tags & _NOT_FOR_ALL)

_BY_NAME = {p.name: p for p in MGH + CLASSIC + HARD + SCALAR}


def by_name(name: str) -> Problem | ScalarProblem:
    """The problem of that name; ValueError lists the names there are."""
    if name not in _BY_NAME:
        raise ValueError(f"no test problem {name!r}; there are {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


__all__ = [
    "ALL",
    "CLASSIC",
    "FAMILIES",
    "HARD",
    "MGH",
    "ROOTS",
    "SCALAR",
    "Problem",
    "RootFamily",
    "RootProblem",
    "ScalarProblem",
    "by_name",
    "classic",
    "hard",
    "least_squares",
    "mgh",
    "mgh_variable",
    "transforms",
]
