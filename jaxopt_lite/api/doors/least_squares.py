"""`least_squares`: SciPy's front door to nonlinear least squares, with bounds and robust losses."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import solve, with_lines
from jaxopt_lite.api.fit import FitKeywords, pose_fit
from jaxopt_lite.api.reading.bounds import read_box
from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.api.telling import failed, told_of_narrowing
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.program import is_alone


def least_squares(
    fun: Callable,
    x0: Any,
    jac: Callable | str | bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str = "trf",
    ftol: Any = "auto",
    xtol: Any = "auto",
    gtol: Any = "auto",
    x_scale: Any = None,
    loss: str | Callable = "linear",
    f_scale: Any = 1.0,
    diff_step: Any = None,
    tr_solver: None = None,
    tr_options: None = None,
    jac_sparsity: None = None,
    max_nfev: Any = None,
    verbose: int = 0,
    args: Any = (),
    kwargs: dict[str, Any] | None = None,
    callback: Callable | None = None,
    workers: None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Minimize half the sum of squares of residuals, or a robust measure of them, with bounds on the parameters.

    Pure: it can be called eagerly, under `jax.jit`, and under `jax.vmap`, where a lane that has finished takes the next
    problem from a queue. It can be differentiated. The residuals and their Jacobian are evaluated once a turn, at one point.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args, **kwargs) -> residuals``, an array of any shape (or a pytree of arrays) of the dtype of x, written
        with JAX. Traced once a compile.
    x0 : array or pytree of floats
        The start, inside of the bounds. Traced.
    jac : callable, True, str or None
        None: autodiff. True: `fun` returns (residuals, Jacobian). A callable ``jac(x, *args, **kwargs)`` returning (m, n) or
        a pytree as `jax.jacobian` gives; '2-point', '3-point', 'cs': finite differences, which stay inside of the bounds.
    bounds : pair
        (lower, upper): each a number or an array of the shape of x (or a pytree like x); -inf and inf where there is
        none, equal ones to freeze a parameter. Traced. The function is never evaluated outside.
    method : str
        'trf' (the default), 'dogbox', or 'lm', which takes neither bounds nor losses and needs m >= n.
    ftol, xtol, gtol : float
        Tolerances, traced: of the relative reduction of the cost, of the step of each parameter relative to its own size,
        and of the cosine between the residuals and the columns of the Jacobian; None or 0 is off. Where one is 'auto', the
        fit also ends when its distance to the solution is 1e-5 standard errors of the parameters (see Notes).
    x_scale : 'jac', array_like or None
        Scales of the parameters. None and 'jac': from the norms of the columns of the Jacobian, for all methods.
    loss : str or callable
        'linear', 'soft_l1', 'huber', 'cauchy', 'arctan'; or a callable ``loss(z)`` of z = (residual / f_scale)^2, (m,),
        that returns rho, rho' and rho'' (3, m).
    f_scale : float
        The size of residual beyond which a loss takes it for an outlier. Traced.
    diff_step : float or (n,), optional
        Relative step of finite differences.
    tr_solver, tr_options, jac_sparsity, workers : None
        Not used here: the equations of a lane are dense.
    max_nfev : int, optional
        Most evaluations of fun, those for finite differences and the last one at x included, so that 2 turns' worth is the
        least. Default 200 (n + 1) turns.
    verbose : int
        1: print a summary when an eager call ends; 2: and a line an iteration, of an eager call of one problem.
    args : tuple
        More arguments of `fun` and `jac`, any pytrees. Numbers and arrays are traced.
    kwargs : dict, optional
        Keyword arguments of the same.
    callback : callable, optional
        As for `minimize`; eager calls only.
    options : dict, optional
        `factor` (first radius of the trust region in units of the scaled length of x0, 1.0), `geodesic` (acceleration, for
        'lm'), `maxiter`, `maxfev` (max_nfev by another name), `disp` (verbose=1), `lanes` and `turns_per_refill`.

    Returns
    -------
    OptimizeResult
        With x, cost, fun (the residuals (m,) at x), jac (m, n) and grad as the loss sees them, optimality (the largest
        entry of the gradient, scaled by the distance to bounds), active_mask (-1, 0, 1 for a parameter at its lower
        bound, inside, at its upper one), nfev, njev, nit, status, success and message.

    Raises
    ------
    ValueError
        Unknown method or loss; bounds or a loss with 'lm', fewer residuals than parameters there; bounds that are
        crossed, of another shape than x, or do not hold x0; a Jacobian of another shape.
    TypeError
        x0 or residuals without floats; a `fun` that JAX cannot trace.

    Notes
    -----
    Statuses that can occur (`Status`): 0 (CONVERGED), 1 (BUDGET), 4 (NUMERICAL), 5 (NOT_FINITE), 6 (STOPPED), 7 (BAD_INPUT:
    crossed bounds, or NaN in traced ones), 8 (PRECISION). The method's own belief does not decide a success. The full
    Gauss-Newton step at x decides, from an orthogonal factorization of the Jacobian there (weighed by the loss, of
    parameters that no bound holds). The status is 0 (CONVERGED) where that step would

    - bring x closer by at most 1e-5 standard errors, with s^2 = |r|^2 / (m - n) (where a tolerance is 'auto'), or
    - reduce the cost by at most ftol of it, or move each parameter by at most xtol of its own size (where given), or
    - where all cosines are at most gtol (where given), or the residuals are zero to rounding;

    It is 8 (PRECISION) where the step would do less than the rounding of model and parameters, the usual end in float32.
    Else it is 4 (NUMERICAL). A parameter that a bound holds counts with the reduction that is left up to its bound. A short
    step alone is no success. With fewer residuals than parameters ('trf', 'dogbox') a success means that the residuals are
    zero, to rounding, or that a given tolerance holds. A traced start outside of the bounds is moved inside.

    x and all fields that follow from it have derivatives with respect to everything that `fun` captures or is given, and
    to bounds that hold a parameter. They are NaN where the fit did not succeed.

    Differs from SciPy: one code space of statuses; autodiff by default; 'jac' scaling for all methods; the default
    tolerance is a distance in standard errors, and not three numbers of 1e-8; `gtol` is a cosine and has no units, `xtol`
    holds for each parameter by itself; `nfev` counts every evaluation, also for finite differences and the last one at x;
    'trf' stops at the bounds instead of being reflected there.

    References
    ----------
    J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978. M. A. Branch, T. F. Coleman, Y. Li, A
    subspace, interior, and conjugate gradient method for large-scale bound-constrained minimization problems, 1999.
    C. Voglis, I. E. Lagaris, A rectangular trust region dogleg approach, 2004.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import least_squares
    >>> residuals = lambda x: jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])
    >>> res = least_squares(residuals, jnp.array([-1.2, 1.0]))
    >>> print(res.x.round(3), bool(res.success))
    [1. 1.] True

    With a bound that holds, and a batch of it:

    >>> solve = lambda upper: least_squares(residuals, jnp.array([-1.2, 1.0]), bounds=(-jnp.inf, upper))
    >>> print(jax.vmap(solve)(jnp.array([1.5, 2.0])).x.round(3))
    [[1. 1.]
     [1. 1.]]
    """
    for name, given in (("tr_options", tr_options), ("jac_sparsity", jac_sparsity), ("workers", workers)):
        if given is not None and not (isinstance(given, dict) and not given):
            raise ValueError(f"{name} is given, but the equations of a lane are dense and solved in place; leave it out.")
    if tr_solver not in (None, "exact"):
        raise ValueError(f"tr_solver is {tr_solver!r}; only 'exact' is there: leave it out.")
    row = methods.find(methods.LEAST_SQUARES, method, "least_squares")
    leaves, layout = parse(x0)
    box = read_box(bounds, leaves, layout)
    keywords = FitKeywords(ftol, xtol, gtol, x_scale, max_nfev, diff_step, loss, f_scale, options)
    told_of_narrowing(x0=x0, args=args, kwargs=kwargs, bounds=bounds)
    posed = pose_fit(row, fun, leaves, layout, args, jac, box, keywords, kwargs)
    if verbose == 2 and is_alone(posed.call):
        callback = with_lines(callback)
    result = solve(posed._replace(disp=verbose or posed.disp), callback)
    failed("least_squares", posed.call, result.status, lambda: result.message)
    return result
