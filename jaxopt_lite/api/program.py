"""What the doors to linear and quadratic programs share: how one is posed, and its result by SciPy's names."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxopt_lite._families.linear.program import LinearProgram
from jaxopt_lite._families.linear.solution import following
from jaxopt_lite.api import methods
from jaxopt_lite.api.pose import Posed, pose, read_settings
from jaxopt_lite.api.result import OptimizeResult, make_result
from jaxopt_lite.core.layout import parse


class Constraint(NamedTuple):
    """One kind of constraint at a solution."""

    residual: Any  # right-hand side less left-hand side, or the distance to the bound
    marginals: Any  # derivative of fun with respect to the right-hand side, or the bound


def pose_program(row: methods.Row, program: LinearProgram, options: Any, warm: tuple[Any, Any] | None = None) -> Posed:
    """The posed program: it has no function to evaluate, and is data of the method; `warm` are x and y to start from."""
    (n,), (p,), (q,) = program.c.shape, program.b_ub.shape, program.b_eq.shape
    settings = read_settings(row, n, options, size=n + p + q)
    if settings.maxfev is not None:
        raise ValueError("option 'maxfev' is given, but a program has no function to evaluate; use 'maxiter'.")
    x0, y0 = (np.zeros(n, program.c.dtype), None) if warm is None else warm
    start, layout = parse(x0)
    derived = following(p, bool(settings.values.get("vertex")))
    return pose(settings, settings.build(), layout, start, data={"program": program, "multipliers": y0}, derived=derived)


def show_iteration(callback: Callable, shown: dict[str, Any]) -> None:
    """Call ``callback(xk, **kwargs)`` with those keywords that it has parameters for."""
    parameters = inspect.signature(callback).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    names = ("nit", "tableau", "phase", "pivot", "basis")
    callback(shown["x"], **{name: shown[name] for name in names if name in shown and (takes_all or name in parameters)})


def result_of(fields: dict[str, Any]) -> OptimizeResult:
    """The result by SciPy's names: each kind of constraint with its residual and its marginals."""
    fields = dict(fields)
    del fields["y"]
    sides = {
        "ineqlin": Constraint(fields["slack"], fields.pop("y_ub")),
        "eqlin": Constraint(fields["con"], fields.pop("y_eq")),
        "lower": Constraint(fields.pop("above"), fields.pop("z_lower")),
        "upper": Constraint(fields.pop("below"), fields.pop("z_upper")),
    }
    return make_result(fields | sides)
