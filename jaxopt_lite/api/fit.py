"""What `least_squares` and `curve_fit` share: how a fit is to be made, and how it is posed."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.core import Tracer

from jaxopt_lite._families.lsq import losses, solution
from jaxopt_lite.api.methods.row import Row, refuse
from jaxopt_lite.api.oracles.residual import close_loss, residual_oracle
from jaxopt_lite.api.pose import Posed, pose, read_settings
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.options import COUNT, POSITIVE_OR_ZERO

_REFUSED = {
    "bounds": "method {method!r} does not support bounds; use 'trf' or 'dogbox', or leave them out.",
    "loss": "method {method!r} supports only the 'linear' loss; use 'trf' or 'dogbox'.",
    "jac": "jac is given, but method {method!r} does not use it; leave it out.",
}


class FitKeywords(NamedTuple):
    """How a fit is to be made: the keywords that `least_squares` and `curve_fit` share."""

    ftol: Any = "auto"
    xtol: Any = "auto"
    gtol: Any = "auto"
    x_scale: Any = None
    max_nfev: Any = None
    diff_step: Any = None
    loss: Any = "linear"
    f_scale: Any = 1.0
    options: dict[str, Any] | None = None


def pose_fit(
    row: Row,
    fun: Callable,
    leaves: list[Any],
    layout: Layout,
    args: Any,
    jac: Any,
    box: Any,
    keywords: FitKeywords,
    kwargs: dict[str, Any] | None = None,
    how: tuple[Callable, Callable] | None = None,
    derived: Callable = solution.fields,
    too_few: type[Exception] = ValueError,
) -> Posed:
    """A fit that starts at x0, given by its `leaves`, inside of the `box`.

    `how` and `kwargs` say how `fun` and `jac` are called (`residual_oracle`). `derived` makes the fields that follow from
    the solution. `too_few` is raised where 'lm' has fewer residuals than parameters.
    """
    refuse(row, _REFUSED, bounds=box is not None, jac=jac is not None)
    n = layout.size
    tolerances = {name: _tolerance(getattr(keywords, name), name) for name in ("ftol", "xtol", "gtol")}
    settings = read_settings(row, n, keywords.options, tolerances)
    method = settings.build(bounded=box is not None)
    args = args if isinstance(args, tuple) else (args,)
    oracle, traced, m = residual_oracle(method.needs, layout, fun, args, jac, kwargs, how, keywords.diff_step)
    if row.name == "lm" and m < n:
        raise too_few(
            f"method 'lm' needs at least as many residuals as parameters, and there are {m} for {n}; use 'trf' or 'dogbox'."
        )
    measure, captured = _measure(keywords.loss, keywords.f_scale, m, layout, row)
    functions = oracle._replace(loss=measure), traced._replace(loss=captured)
    data = {"x_scale": _scale(keywords.x_scale, layout), "bounds": box}
    most = _most(settings.maxfev, keywords.max_nfev, 200 * (n + 1) * oracle.evaluations(n))
    return pose(settings._replace(maxfev=most), method, layout, leaves, functions, data, derived)


def _most(maxfev: Any, max_nfev: Any, default: int) -> Any:
    """Most evaluations: as the option says, or the keyword, or by default."""
    if max_nfev is None:
        return default if maxfev is None else maxfev
    if maxfev is not None:
        raise ValueError("max_nfev and option 'maxfev' are the same; give one of them.")
    return COUNT(max_nfev, "max_nfev")


def _tolerance(value: Any, name: str) -> Any:
    if isinstance(value, str):
        if value != "auto":
            raise ValueError(f"{name} is {value!r}; give a number >= 0, None for off, or 'auto'.")
        return None
    return 0.0 if value is None else POSITIVE_OR_ZERO(value, name)


def _scale(x_scale: Any, layout: Layout) -> Any:
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return None
    if isinstance(x_scale, str):
        raise ValueError(f"x_scale is {x_scale!r}; give 'jac', or positive numbers.")
    if isinstance(x_scale, Tracer):
        return x_scale
    value = np.asarray(x_scale, float)
    if value.shape not in ((), (layout.size,)) or not np.all(value > 0) or not np.all(np.isfinite(value)):
        raise ValueError(f"x_scale is {x_scale!r}; give 'jac', or one positive number, or one for each parameter.")
    return value


def _measure(loss: Any, f_scale: Any, m: int, layout: Layout, row: Row) -> tuple[Any, list[Any]]:
    if not callable(loss) and (not isinstance(loss, str) or loss not in losses.LOSSES):
        raise ValueError(f"loss is {loss!r}; give a callable or one of {', '.join(losses.LOSSES)}.")
    refuse(row, _REFUSED, loss=loss != "linear")
    if not isinstance(f_scale, Tracer) and not np.all(np.asarray(f_scale) > 0):
        raise ValueError(f"f_scale is {f_scale!r}; give a number > 0.")
    if callable(loss):
        rho, captured = close_loss(loss, m, layout.dtype)
        return losses.of_user(rho), [*captured, f_scale]
    return losses.LOSSES[loss], [] if loss == "linear" else [f_scale]
