"""Strategies for Hessians that are learnt, `hess=BFGS()` and `hess=SR1()`: SciPy's two classes, without a state."""

import dataclasses
from typing import Any

import numpy as np
from jax.core import Tracer

from jaxopt_lite._families.line_search.updates import DAMPED, SKIPPED, Strategy
from jaxopt_lite.core.layout import Layout

EXCEPTIONS = ("skip_update", "damp_update")


@dataclasses.dataclass(frozen=True, eq=False)
class BFGS:
    """A Hessian that is learnt by BFGS updates, for ``minimize(fun, x0, hess=BFGS())``: it stays positive definite.

    An instance has no state: what is learnt belongs to the run, so that one instance serves any number of calls and lanes.

    Attributes
    ----------
    exception_strategy : str
        What happens where a step meets too little curvature: 'skip_update' leaves it out, 'damp_update' takes as much
        of it as leaves the matrix positive definite.
    min_curvature : float or None
        Least curvature along a step that is learnt as it is, in units of what the matrix says. None: 1e-8 of
        'skip_update', 0.2 of 'damp_update'.
    init_scale : float, array (n, n) or 'auto'
        The first matrix, or a multiple of the identity; 'auto': by the first step.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from jaxopt_lite import BFGS, minimize, rosen
    >>> res = minimize(rosen, jnp.zeros(2), method="trust-exact", hess=BFGS())
    >>> print(res.x.round(3), bool(res.success))
    [1. 1.] True
    """

    exception_strategy: str = "skip_update"
    min_curvature: float | None = None
    init_scale: Any = "auto"


@dataclasses.dataclass(frozen=True, eq=False)
class SR1:
    """A Hessian that is learnt by symmetric rank-one updates, for ``minimize(fun, x0, hess=SR1())``: it may be indefinite.

    An instance has no state, as of `BFGS`.

    Attributes
    ----------
    min_denominator : float
        Least cosine of a step with what it would change, for the step to be learnt.
    init_scale : float, array (n, n) or 'auto'
        The first matrix, or a multiple of the identity; 'auto': by the first step.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from jaxopt_lite import SR1, minimize, rosen
    >>> print(minimize(rosen, jnp.zeros(2), method="trust-exact", hess=SR1()).x.round(3))
    [1. 1.]
    """

    min_denominator: float = 1e-8
    init_scale: Any = "auto"


def read_strategy(hess: Any, hessp: Any, layout: Layout) -> Strategy | None:
    """The strategy that `hess` is, ours or SciPy's object of either class; None where it is something else.

    Raises TypeError and ValueError for what is wrong with it.
    """
    if isinstance(hess, type) and hess.__name__ in ("BFGS", "SR1"):
        raise TypeError(f"hess is the class {hess.__name__}; give an instance of it, {hess.__name__}().")
    if isinstance(hess, BFGS | SR1):
        given = vars(hess)
    elif hasattr(hess, "initialize") and hasattr(hess, "update") and type(hess).__name__ in ("BFGS", "SR1"):
        given = {
            name: getattr(hess, name)
            for name in ("min_denominator", "min_curvature", "exception_strategy")
            if hasattr(hess, name)
        }
        given["init_scale"] = hess.init_scale
    elif hasattr(hess, "initialize") and hasattr(hess, "update"):
        raise TypeError(f"hess is a {type(hess).__name__}; give BFGS(), SR1(), a callable, or None.")
    else:
        return None
    if hessp is not None:
        raise ValueError(f"hess is {type(hess).__name__}() and hessp is given too; leave one of them out.")
    scale = _scale(given["init_scale"], layout)
    if "min_denominator" in given:
        return Strategy(True, False, _number(given["min_denominator"], "min_denominator", 1.0), scale)
    how = given["exception_strategy"]
    if how not in EXCEPTIONS:
        raise ValueError(f"exception_strategy is {how!r}; give one of {', '.join(map(repr, EXCEPTIONS))}.")
    damped, least = how == "damp_update", given["min_curvature"]
    least = (DAMPED if damped else SKIPPED) if least is None else _number(least, "min_curvature", 1.0)
    return Strategy(False, damped, least, scale)


def _number(value: Any, name: str, most: float) -> float:
    if isinstance(value, Tracer):
        raise TypeError(f"{name} is traced, and a strategy is static; give a Python number.")
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating) or not 0 < float(value) < most:
        raise ValueError(f"{name} is {value!r}; give a number between 0 and {most:g}.")
    return float(value)


def _scale(value: Any, layout: Layout) -> Any:
    """`init_scale` as a float, a tuple of rows, or None for 'auto'."""
    n, wanted = layout.size, "give 'auto', a number > 0, or a symmetric positive definite matrix (n, n)"
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(f"init_scale is {value!r}; {wanted}.")
        return None
    if isinstance(value, Tracer):
        raise TypeError(f"init_scale is traced, and a strategy is static; {wanted}.")
    array = np.asarray(value, float)
    if array.ndim == 0:
        if not (np.isfinite(array) and array > 0):
            raise ValueError(f"init_scale is {value!r}; {wanted}.")
        return float(array)
    if array.shape != (n, n):
        raise ValueError(f"init_scale has shape {array.shape} for x of {n} variables; {wanted}.")
    if not np.allclose(array, array.T) or not np.all(np.linalg.eigvalsh(array) > 0):
        raise ValueError(f"init_scale is not symmetric and positive definite; {wanted}.")
    return tuple(map(tuple, array.tolist()))
