"""`root_scalar`: SciPy's front door to a zero of a function of one variable."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import fields_of
from jaxopt_lite.api.oracles.root import root_oracle
from jaxopt_lite.api.pose import pose, read_settings
from jaxopt_lite.api.reading.points import read_points, stand_in
from jaxopt_lite.api.result import RootResults, as_root, make_result
from jaxopt_lite.api.telling import check_on_failure, explained, failed, show, told_of_narrowing
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.options import COUNT, POSITIVE_OR_ZERO


def root_scalar(
    f: Callable,
    args: Any = (),
    method: str | None = None,
    bracket: Any = None,
    fprime: Callable | bool | None = None,
    fprime2: Callable | bool | None = None,
    x0: Any = None,
    x1: Any = None,
    xtol: Any = None,
    rtol: Any = None,
    maxiter: Any = None,
    options: dict[str, Any] | None = None,
    on_failure: str = "best",
) -> RootResults:
    """Find a zero of a scalar function of one variable.

    One call solves one scalar problem. For many, use `jax.vmap` over what `f` captures, its `args`, brackets or starts.

    Parameters
    ----------
    f : callable
        ``f(x, *args) -> scalar`` of a scalar x, written with JAX. Traced once a compile.
    args : tuple
        More arguments of `f`, `fprime` and `fprime2`, any pytrees. Numbers and arrays are traced.
    method : str, optional
        With a bracket 'bisect', 'brentq', 'brenth', 'ridder', 'toms748' or 'chandrupatla'; from a start 'newton',
        'secant' or 'halley'. Default, as in SciPy: 'brentq' where there is a bracket, else 'halley' where fprime2 (and
        fprime) are given, 'secant' where x1 is given without fprime, and else 'newton'.
    bracket : pair of floats, optional
        Two points, in any order, where f has opposite signs: a pair or an array (2,). Traced. A bracket makes 'newton' and
        'halley' safe: they start at x0, or at its midpoint, and never leave it.
    fprime, fprime2 : callable, bool or None
        ``fprime(x, *args)``, the derivative, and the second one. None: autodiff. fprime=True: f returns (f, f');
        fprime2=True: f returns (f, f', f''). Methods that use none ignore them.
    x0, x1 : float, optional
        Start, and for 'secant' the second one (default, as in SciPy, x0 + 1e-4 (1 + |x0|) away from zero). Traced. Methods
        that start from a bracket alone ignore them.
    xtol, rtol : float, optional
        Wanted accuracy of the root: xtol + rtol |x|. Traced. Defaults with a bracket: 2e-12 and 4 eps; without one, for the
        last step: 1.48e-8 and 0. An accuracy below 4 eps |x| counts as 4 eps |x|.
    maxiter : int, optional
        Most iterations; default 100 with a bracket, 50 without. Traced.
    options : dict, optional
        xtol, rtol and maxiter again (they override the arguments), `k` of 'toms748' (interpolations an iteration, 1),
        `maxfev`, `disp`, `lanes`, `turns_per_refill`.
    on_failure : str
        What `root` is where no zero was found: 'best', the point of the least |f|; 'nan'; or 'raise', a RuntimeError, for an
        eager call of one problem. With the first two such a call warns (`OptimizeWarning`).

    Returns
    -------
    RootResults
        With root, converged, flag, iterations and function_calls, which are also called x, success, message, nit and
        nfev; and fun, f there, and status. All are scalars of the dtype of the bracket or the start (the default float
        for Python numbers). The derivative of the root with respect to what `f` captures or is given is that of the
        implicit function theorem, -f_theta / f_x; NaN where the lane did not converge, f_x = 0, or f jumps over zero.

    Raises
    ------
    ValueError
        Unknown method or option; neither a bracket nor a start, or not what the method needs; a bracket that is not two
        different finite numbers; an f that returns no scalar.
    TypeError
        Numbers of another kind or of mixed dtypes; an f that JAX cannot trace.

    Notes
    -----
    Statuses that can occur (`Status`):

    - 0 (CONVERGED), 1 (BUDGET);
    - 4 (NUMERICAL): a derivative or a difference of zero stopped a method without a bracket;
    - 5 (NOT_FINITE): f is not finite at a point, or grows toward a change of sign as at a pole;
    - 7 (BAD_INPUT): no change of sign, or traced ends that are equal or not finite;
    - 8 (PRECISION): a success, but the accuracy asked for is less than 4 eps |x|, or than f resolves.

    Success means one of three things. f is zero at x. Or a bracket with a change of sign is as narrow as asked, and holds no
    pole. Or, without a bracket, a step and the Newton (or secant) step after it are both as short as asked, and contract. A
    jump over zero counts as a change of sign, and a value that underflows to zero counts as zero. Where |f| has grown in a
    bracket, the slope at x tells a pole from a zero. It takes two more evaluations, of f and its derivative by autodiff, in
    these lanes alone. 'newton' and 'halley' in a bracket already have the slope.

    Without success x is the point with the least |f| that was evaluated, or NaN (`on_failure`).

    Differs from SciPy: a bracket without a change of sign has status 7 (BAD_INPUT) and raises nothing; derivatives by
    autodiff where SciPy takes differences; 'newton', 'halley' and 'secant' evaluate f at the point that they return (one
    evaluation more, never an unchecked point); `function_calls` counts points, whatever is evaluated there; 'toms748' stops
    as soon as its bracket is narrow and returns the better end; 'chandrupatla' is `scipy.optimize.elementwise.find_root`'s.

    References
    ----------
    R. P. Brent, Algorithms for Minimization without Derivatives, 1973, chapter 4. J. C. P. Bus, T. J. Dekker, ACM TOMS 1,
    1975. C. J. F. Ridders, IEEE Trans. Circuits Syst. 26, 1979. G. E. Alefeld, F. A. Potra, Y. Shi, ACM TOMS 21, 1995.
    T. R. Chandrupatla, Adv. Eng. Software 28, 1997.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import root_scalar
    >>> sol = root_scalar(lambda x: x**3 - 1, bracket=[0, 3], method="brentq")
    >>> round(float(sol.root), 6), bool(sol.converged), int(sol.iterations)
    (1.0, True, 9)

    A batch, and the derivatives of its roots, 1 / (3 x**2 - 1):

    >>> root = lambda p: root_scalar(lambda x: x**3 - x - p, x0=2.0).root
    >>> print(jax.vmap(root)(jnp.array([0.0, 6.0])).round(4), jax.vmap(jax.grad(root))(jnp.array([0.0, 6.0])).round(4))
    [1. 2.] [0.5    0.0909]
    """
    check_on_failure(on_failure)
    told_of_narrowing(args=args, bracket=bracket, x0=x0, x1=x1)
    fprime, fprime2 = (None if given is False else given for given in (fprime, fprime2))
    row = _choose(method, bracket, fprime, fprime2, x0, x1)
    points = {"bracket": bracket if "bracket" in row.takes else None}
    points |= {name: given if name in row.takes else None for name, given in (("x0", x0), ("x1", x1))}
    points = read_points(**points)
    leaves, layout = parse(stand_in(points))
    asked = {"xtol": xtol, "rtol": rtol, "maxiter": maxiter}
    checks = {"maxiter": COUNT}
    asked = {n: checks.get(n, POSITIVE_OR_ZERO)(v, n) for n, v in asked.items() if v is not None}
    settings = read_settings(row, 1, options, asked)
    built = settings.build(bounded=points["bracket"] is not None)
    wanted = {name: given for name, given in (("fprime", fprime), ("fprime2", fprime2)) if name in row.takes}
    if fprime2 is True or (fprime is True and "fprime" not in row.takes):  # f returns more than its value
        wanted = {"fprime": fprime, "fprime2": fprime2}
    functions = root_oracle(built.needs, layout, f, args, **wanted)
    posed = pose(settings, built, layout, leaves, functions, points)
    starts = [point for point in (*(points["bracket"] or ()), points["x0"]) if point is not None]
    result = unless_found(as_root(make_result(fields_of(posed))), on_failure)
    result = explained(result, posed.plan, posed.call, starts)
    if posed.disp:
        show(result, posed.call)
    failed("root_scalar", posed.call, result.status, lambda: result.message, on_failure)
    return result


def unless_found(result: RootResults, on_failure: str) -> RootResults:
    """The result, with NaN for the root of a lane without one where that is asked for."""
    if on_failure != "nan":
        return result
    return dataclasses.replace(result, x=jnp.where(result.success, result.x, jnp.nan))


_REFUSED = {"bracket": "bracket is given, but method {method!r} would leave it; use 'newton' or 'brentq', or leave it out."}


def _choose(method: Any, bracket: Any, fprime: Any, fprime2: Any, x0: Any, x1: Any) -> methods.Row:
    """The row of the method; SciPy's choice where `method` is None. Raises where an argument that it needs is missing."""
    if method is None:
        if bracket is None and x0 is None:
            raise ValueError("neither bracket nor x0 is given; give bracket=(a, b) with a change of sign, or a start x0.")
        derivative = fprime is not None or fprime2 is True
        open_one = "halley" if derivative and fprime2 is not None else "newton"
        method = "brentq" if bracket is not None else ("secant" if x1 is not None and not derivative else open_one)
    row = methods.find(methods.ROOT_SCALAR, method, "root_scalar")
    if "x0" not in row.takes and bracket is None:
        raise ValueError(f"bracket is not given, and method {row.name!r} needs one; give bracket=(a, b), or use 'newton'.")
    methods.refuse(row, _REFUSED, bracket=bracket is not None)
    if "x0" in row.takes and x0 is None and bracket is None:
        raise ValueError(f"x0 is not given, and method {row.name!r} needs a start; give x0.")
    return row
