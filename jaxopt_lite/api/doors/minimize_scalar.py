"""`minimize_scalar`: SciPy's front door to the minimization of a function of one variable."""

from collections.abc import Callable
from typing import Any

from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import solve
from jaxopt_lite.api.pose import pose_minimum
from jaxopt_lite.api.reading.points import interval_or_bracket, start_of
from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.api.telling import told_of_narrowing


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

    One call solves one scalar problem. For many, use `jax.vmap` over what `fun` captures, `args`, the bracket or the bounds.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> scalar`` of a scalar x, written with JAX. Traced once a compile.
    bracket : sequence of two or three floats, optional
        For 'brent' and 'golden'. Two different points, from which the search goes downhill until it has a bracket: the
        minimum need not lie between them. Or three points in order, up or down, of which the middle one has the lowest
        value: the minimum that is found lies among them. Default (0, 1). Traced. Their dtype (the default float for Python
        numbers) is the dtype of x.
    bounds : pair of floats, optional
        For 'bounded': the ends of the interval, finite. Traced; the function is never evaluated at or outside of them. Their
        dtype is the dtype of x.
    args : tuple
        More arguments of `fun`, any pytrees; see `minimize`.
    method : str, callable or None
        'bounded', the default where bounds are given; 'brent', the default where they are not: golden section and parabolas;
        'golden': golden section alone. A callable is called as
        ``method(fun, args=args, bracket=bracket, bounds=bounds, **options)``.
    tol : float, optional
        Sets `xtol`, or `xatol`. Traced.
    options : dict, optional
        `xtol` ('brent' and 'golden': relative accuracy of x, sqrt(eps) by default and at least) or `xatol` ('bounded':
        absolute accuracy of x, 1e-5); `maxiter` (500; 'golden' 5000), `maxfev`, `disp`, `lanes`, `turns_per_refill`.

    Returns
    -------
    OptimizeResult
        With x, fun, nfev, nit, status, success and message; x and fun are scalars. `nit` does not count the evaluations that
        made the bracket. The derivatives of x and fun with respect to what `fun` captures or is given, and to the bounds
        where the minimum lies at one of them, follow the implicit function theorem.

    Raises
    ------
    ValueError
        Bounds that are not two finite numbers in order; a bracket that is not two different or three ordered finite numbers;
        bounds for a method that takes a bracket, and the reverse; unknown method or option; `fun` not scalar.

    Notes
    -----
    Statuses that can occur (`Status`):

    - 0 (CONVERGED): the interval that holds x is as narrow as asked;
    - 1 (BUDGET);
    - 3 (UNBOUNDED): a value of minus infinity, or a function that still falls at the largest number;
    - 4 (NUMERICAL): no rise was seen, because values are level out to the largest number, or in all of the interval;
    - 5 (NOT_FINITE): no value was finite;
    - 7 (BAD_INPUT): traced bounds that are not an interval; traced points that are not a bracket; or a bracket of
      three points whose middle value is not the lowest (SciPy raises ValueError);
    - 8 (PRECISION): the interval is as narrow as the dtype resolves; the accuracy asked for is less than sqrt(eps) |x|.

    A success (0 or 8) also means that higher values were seen: on both sides of x, or somewhere between the bounds. Values
    alone do not locate a minimizer better than to sqrt(eps) |x|. They show no minimum where all are equal, by rounding
    (1e16 + x) or because the function is constant. If there are several minima, one of them is found.

    A value that is not finite counts as higher than any other. Derivatives are NaN in lanes without success, where x is
    neither stationary nor at a bound (as at the kink of |x - a|), and where f has no curvature at x.

    References
    ----------
    R. P. Brent, Algorithms for Minimization without Derivatives, Prentice-Hall 1973: chapter 5.
    J. Kiefer, Sequential minimax search for a maximum, Proc. AMS 4 (1953) 502.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import minimize_scalar
    >>> res = minimize_scalar(lambda x: 3 * x**4 - 2 * x + 1)
    >>> round(float(res.x), 3), bool(res.success)
    (0.55, True)
    >>> res = minimize_scalar(lambda x: x**4 - x**2, bounds=(-1, 0), method="bounded")
    >>> round(float(res.x), 2)
    -0.71

    A batch, and the derivative of a minimizer:

    >>> solve = lambda p: minimize_scalar(lambda x: x**4 / 4 - p * x).x
    >>> print(jax.vmap(solve)(jnp.array([1.0, 8.0, 27.0])).round(2))
    [1. 2. 3.]
    >>> print(f"{jax.grad(solve)(8.0):.3f}")
    0.083
    """
    if callable(method):
        keywords = {"bracket": bracket, "bounds": bounds} | ({} if tol is None else {"tol": tol})
        return method(fun, args=args if isinstance(args, tuple) else (args,), **(keywords | (options or {})))
    if method is None:
        method = "brent" if bounds is None else "bounded"
    row = methods.find(methods.MINIMIZE_SCALAR, method, "minimize_scalar")
    points = interval_or_bracket(row, bounds, bracket)
    told_of_narrowing(args=args, bounds=bounds, bracket=bracket)
    posed = pose_minimum(row, fun, start_of(points), args, options, tol, points=points)
    return solve(posed, starts=next(iter(points.values())))
