"""`minimize_scalar`: SciPy's front door to the minimization of a function of one variable."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.api import methods
from jaxopt_lite.api.minimize import plan_call, solve
from jaxopt_lite.api.result import OptimizeResult


def minimize_scalar(
    fun: Callable,
    bracket: Any = None,
    bounds: Any = None,
    args: Any = (),
    method: str | Callable | None = None,
    tol: Any = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Minimize a scalar function of one variable.

    One lane is one scalar problem: use `jax.vmap` over what `fun` captures, its `args` or the bounds for many.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> scalar`` of a scalar x, written with JAX. Traced once a compile.
    bracket : None
        For methods 'brent' and 'golden', which this version does not have.
    bounds : pair of floats
        The ends of the interval, finite. Traced; the function is never evaluated at or outside of them. Their dtype (the
        default float for Python numbers) is the dtype of x.
    args : tuple
        More arguments of `fun`, any pytrees; see `minimize`.
    method : str, callable or None
        'bounded', the default where bounds are given. A callable is called as
        ``method(fun, args=args, bracket=bracket, bounds=bounds, **options)``.
    tol : float, optional
        Sets `xatol`. Traced.
    options : dict, optional
        `xatol` (absolute accuracy of x, 1e-5), `maxiter` (500), `maxfev`, `lanes`, `turns_per_refill`.

    Returns
    -------
    OptimizeResult
        With x, fun, nfev, nit, status, success and message; x and fun are scalars. The derivatives of x and fun with
        respect to what `fun` captures or is given, and to the bounds where the minimum lies at one of them, follow the
        implicit function theorem.

    Raises
    ------
    ValueError
        No bounds, bounds that are not two finite numbers in order, unknown method or option.

    Notes
    -----
    Statuses that can occur: 0, 1, 3 (a value of minus infinity), 5 (no finite value), 7 (traced bounds that are crossed
    or not finite), 8 (sqrt(eps) |x| exceeds xatol). Success means that the interval that holds x is as narrow as asked
    (0), or as the dtype resolves (8): values alone tell a minimizer no better than sqrt(eps) |x|.

    References
    ----------
    R. P. Brent, Algorithms for Minimization without Derivatives, Prentice-Hall 1973: chapter 5.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from jaxopt_lite import minimize_scalar
    >>> res = minimize_scalar(lambda x: 3 * x**4 - 2 * x + 1, bounds=(0, 1), method="bounded")
    >>> round(float(res.x), 2), bool(res.success)
    (0.55, True)
    """
    if callable(method):
        keywords = {"bracket": bracket, "bounds": bounds} | ({} if tol is None else {"tol": tol})
        return method(fun, args=args if isinstance(args, tuple) else (args,), **(keywords | (options or {})))
    if method is None:
        if bounds is None:
            raise ValueError(
                "bounds are not given: SciPy's rule takes method 'brent', which this version lacks; give bounds=(a, b)."
            )
        method = "bounded"
    row = methods.find(methods.MINIMIZE_SCALAR, method, "minimize_scalar")
    if bounds is None:
        raise ValueError(f"bounds are not given, and method {row.name!r} needs them; give bounds=(a, b).")
    if bracket is not None:
        raise ValueError(f"bracket is given, but method {row.name!r} uses bounds; leave it out.")
    lower, upper = read_interval(bounds)
    plan, call = plan_call(
        row, fun, start_of_interval(lower, upper), args, None, None, None, tol, options, extra={"bounds": (lower, upper)}
    )
    return solve(plan, call, options)


def read_interval(bounds: Any) -> tuple[Any, Any]:
    """The two ends; raises where they are known not to be an interval."""
    try:
        lower, upper = bounds
    except (TypeError, ValueError) as error:
        raise ValueError(f"bounds is {bounds!r}; give two numbers (a, b) with a <= b.") from error
    for end in (lower, upper):
        number = isinstance(end, int | float | np.generic | np.ndarray | jax.Array)
        if not number or isinstance(end, bool) or jnp.shape(end) != () or jnp.iscomplexobj(end):
            raise ValueError(f"bounds is {bounds!r}; give two real scalars (a, b) with a <= b.")
    dtypes = {str(end.dtype) for end in (lower, upper) if hasattr(end, "dtype") and jnp.issubdtype(end.dtype, jnp.floating)}
    if len(dtypes) > 1 or not dtypes <= {"float32", "float64"}:
        raise TypeError(f"bounds have dtypes {' and '.join(sorted(dtypes))}; give both in float32 or both in float64.")
    known = not isinstance(lower, Tracer) and not isinstance(upper, Tracer)
    if known and not (np.isfinite(lower) and np.isfinite(upper)):
        raise ValueError(f"bounds is {bounds!r}; both ends must be finite for a bounded method.")
    if known and lower > upper:
        raise ValueError(f"bounds are crossed: {lower} > {upper}; give (a, b) with a <= b.")
    return lower, upper


def start_of_interval(lower: Any, upper: Any) -> Any:
    """Stands for x where only its dtype is needed: the method's first point follows from the bounds."""
    ends = [e for e in (lower, upper) if hasattr(e, "dtype") and jnp.issubdtype(e.dtype, jnp.floating)]
    dtype = jnp.result_type(*ends) if ends else jnp.result_type(float)
    return np.zeros((), dtype)
