"""The records that the parts hand to one another: what was asked (Settings, Task) and what came out (Row)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

OURS = "jaxopt_lite"  # the contender that every ratio is taken against


@dataclass(frozen=True)
class Settings:
    """What the command line asked for; one value for all suites of a run."""

    lanes: int  # problems in a batch, where the suite or the contender's cap sets no fewer
    repeats: int  # timed calls of each contender; the median is reported
    out: Path  # folder of the results
    dtype: str  # "float64" | "float32"
    tol: float  # that every contender is asked for: of the gradient (infinity norm); in `spots` of the sum of squares
    quick: bool  # small sizes, to see that everything runs; not for publication
    width: int | None  # lanes that our refilling loop runs at once; None: the package chooses
    turns: int | None  # turns between two refills; None: the package chooses
    budget_s: float  # a contender is called again until it has spent this, or `repeats` is reached (at least twice)


@dataclass(frozen=True)
class Task:
    """One problem family as every contender sees it."""

    fun: Callable[..., Any]  # fun(x, *params), traceable
    host: Callable[..., Any]  # the same function in numpy, for the SciPy loop
    host_gradient: Callable[..., Any]  # and its analytic gradient
    tol: float  # gradient tolerance, infinity norm
    maxiter: int  # iteration budget, generous: it should stop nobody who makes progress
    width: int | None = None  # see Settings
    turns: int | None = None  # see Settings
    method: str = "BFGS"  # of ours and of SciPy's
    host_product: Callable[..., Any] | None = None  # the Hessian times a vector in numpy, for SciPy's Newton-CG
    host_hessian: Callable[..., Any] | None = None  # the Hessian in numpy, for SciPy's dogleg and trust-exact
    box: tuple[Any, Any] | None = None  # bounds (n,) below and above; the methods in a box only


@dataclass(frozen=True)
class Row:
    """One line of a result table; fields that a suite does not measure stay None."""

    suite: str
    case: str  # which problem: "n=4"
    contender: str
    value: float | None = None  # median, in `unit`; None when the contender was not available
    unit: str = ""  # "us a problem" | "us a fit" | "ms" | "s" | "MB"
    ratio: float | None = None  # value / the value of ours in the same case: above 1, ours is faster
    lanes: int | None = None  # problems in the timed call
    compile_s: float | None = None  # first call minus a steady one
    reached: float | None = (
        None  # share of lanes whose recomputed (projected) gradient is within 10 x tol (spots: chi-square)
    )
    failed: int | None = None  # lanes that the contender itself reports as failed
    wrong: int | None = None  # lanes reported as solved whose gradient is neither within 10 x tol nor within rounding
    extra: dict[str, Any] = field(default_factory=dict)  # what only this suite measures
    note: str = ""  # how this row was obtained, where it differs from the others


class Line(NamedTuple):
    """What a method did with a problem."""

    problem: str
    solved: bool
    claimed: bool
    excused: bool  # claimed, not solved, and true in another way

    @property
    def wrong(self) -> bool:
        """Claimed, and not true."""
        return self.claimed and not (self.solved or self.excused)
