"""`minimize`: SciPy's front door to the minimization of a scalar function of several variables."""

import functools
from collections.abc import Callable
from typing import Any

from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import lined, solve, with_state
from jaxopt_lite.api.pose import Posed, pose_minimum
from jaxopt_lite.api.result import OptimizeResult, Word, with_extra
from jaxopt_lite.api.telling import show, told_of_narrowing
from jaxopt_lite.core.constraints import by_part
from jaxopt_lite.core.program import is_alone


def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: str | methods.Row | Callable | None = None,
    jac: Callable | str | bool | None = None,
    hess: Callable | str | None = None,
    hessp: Callable | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: Any = None,
    callback: Callable | None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Minimize a scalar function of one or more variables.

    Pure: it can be called eagerly, under `jax.jit`, and under `jax.vmap`, where a lane that has finished takes the next
    problem from a queue. It can be differentiated: `x` and `fun` have derivatives with respect to everything that `fun`
    captures or is given in `args`.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> scalar`` of the dtype of x, written with JAX. Traced once a compile.
    x0 : array or pytree of floats
        The start. A list of numbers is an array. Traced. Integers are promoted to the default float, of every method, those
        from values alone too: steps are no integers, and a state of integers would round each of them. SciPy does likewise.
    args : tuple
        More arguments of `fun` and its derivatives, any pytrees. Numbers and arrays are traced, so that new ones do not
        recompile; bools, strings and other objects are static.
    method : str, Row, callable or None
        'BFGS' (the default); 'L-BFGS-B' (the default with bounds; L-BFGS without) and 'TNC'; 'SLSQP' (the default with
        constraints), sequential quadratic programming, and 'trust-constr', barrier problems by trust-region SQP; 'CG',
        nonlinear conjugate gradients, which keeps no matrix; 'Newton-CG', truncated Newton with Hessian-vector products; of
        trust regions 'dogleg' and 'trust-exact' with Hessians, 'trust-ncg' and 'trust-krylov' with products. From values
        alone: 'Nelder-Mead', a simplex, for functions with kinks, jumps and noise, 'Powell', line searches along conjugate
        directions, and under constraints 'COBYLA', linear models on a simplex. A `Row` is a method of your own, which runs
        like these (`jaxopt_lite.method`). A callable is called as ``method(fun, x0, args, **kwargs, **options)``, where the
        keywords are jac, hess, hessp, bounds, constraints and callback.
    jac : callable, bool, str or None
        None: autodiff. A callable ``jac(x, *args)`` returning the gradient in the structure of x; True: `fun` returns
        (value, gradient); '2-point', '3-point', 'cs': finite differences. `gtol` is then tested on the differences, and the
        status does not account for their error. In float32 they are of little use.
    hess, hessp : callable, str or None
        ``hess(x, *args)`` (n, n), of which the symmetric part counts, and ``hessp(x, p, *args)``, for methods that use
        them: Newton-CG, TNC, trust-ncg, trust-krylov, trust-constr; dogleg and trust-exact take `hess` alone. None:
        autodiff. `hess` may be '2-point', '3-point' or 'cs', differences of the gradient, or `BFGS()` or `SR1()`: it is
        then learnt from how the gradient changes, under constraints that of the Lagrangian.
    bounds : Bounds, sequence of pairs, or (n, 2) array, optional
        For 'L-BFGS-B', 'TNC', 'SLSQP', 'trust-constr', 'COBYLA', 'Nelder-Mead' and 'Powell': `Bounds`, or one (min, max) for
        each variable, None where there is no bound. Traced. The function is never evaluated outside of them. Equal bounds
        fix a variable. A start outside is clipped.
    constraints : LinearConstraint, NonlinearConstraint, dict, or a list of them
        For 'SLSQP', 'trust-constr', 'COBYLA', and methods of your own that take them (`jaxopt_lite.method`). A dict is
        ``{'type': 'eq' | 'ineq', 'fun': fun, 'jac': jac, 'args': args}``, where 'ineq' means fun >= 0. Derivatives are by
        autodiff where none are given. What the sides are is traced.
    tol : float, optional
        Sets the method's own tolerance: gtol; of 'SLSQP' ftol; of 'COBYLA' tol; of 'Nelder-Mead' xatol and fatol, of
        'Powell' xtol and ftol. Traced.
    callback : callable or None
        ``callback(xk)`` or ``callback(intermediate_result=OptimizeResult)`` after every iteration; it ends the run by
        raising StopIteration (status 6, STOPPED). Of 'trust-constr' it may be ``callback(xk, state)``, which sees what the
        method reports, and ends the run by returning True. The run is then driven from the host: eager calls only, one
        problem at a time.
    options : dict, optional
        Options of the method (see `show_options`), and of all methods: `maxiter`, `maxfev`, `lanes` (width of a batch;
        0 is one lane a problem) and `turns_per_refill`. Numbers are traced.

    Returns
    -------
    OptimizeResult
        With x, fun, jac, nfev, njev, nit, status, success and message; of 'SLSQP' and 'COBYLA' multipliers (one for each row
        of the constraints, the equalities first: positive where the upper side holds, negative where the lower one does) and
        maxcv, the largest violation; of 'trust-constr' these and v (multipliers of each constraint, those of the bounds
        last), method ('tr_interior_point' where there are bounds or inequalities, else 'equality_constrained_sqp'), grad,
        lagrangian_grad, optimality (its largest component), constr_violation, tr_radius, constr_penalty,
        barrier_parameter, barrier_tolerance and cg_niter; hess_inv (BFGS: an array; L-BFGS-B: an operator with `@` and
        `todense()`; NaN where the method has learnt nothing, as at the start); hess (dogleg, trust-exact: at x); nhev
        (methods with second derivatives: each evaluation gives fun, gradient and Hessian or product together);
        final_simplex (Nelder-Mead: the vertices (n + 1, n) in order, and their values, where the search ended), direc
        (Powell: the directions (n, n), a row each). Methods from values alone have no jac and njev. `x` and `jac` have the
        structure of x0.

    Raises
    ------
    ValueError
        Bounds that do not fit x; concrete (not traced) bounds that cross or hold NaN. Unknown method or option, a number out
        of its range, `fun` not scalar, a derivative of another shape than x.
    TypeError
        x0 or the value of `fun` without floats or of another dtype; a `fun` that JAX cannot trace, or for methods with
        second derivatives cannot derive twice where neither hess nor hessp is given.

    Notes
    -----
    Statuses that can occur (`Status`): 0 (CONVERGED), 1 (BUDGET), 3 (UNBOUNDED), 4 (NUMERICAL), 5 (NOT_FINITE), 6 (STOPPED),
    7 (BAD_INPUT: crossed bounds in a lane), 8 (PRECISION). A hard problem never raises: its lane has a status, and the best
    finite point that was evaluated. Derivatives are NaN in lanes that failed.

    0 (CONVERGED) means that the gradient is within gtol. A method may end elsewhere, and believe that it has converged or
    that it can do no more. After the run the exact Newton step at its point, from second derivatives of `fun`, decides: 8
    (PRECISION) where the decrease that this step promises is rounding, else 4 (NUMERICAL). From a point that is refused a
    few Newton steps may go on. All these evaluations are counted, and bounded by `maxfev`.

    Under constraints 0 (CONVERGED) means that no row is violated by more than ftol (of 'trust-constr' gtol, 1e-8) and that
    the exact Newton step of the conditions of Karush, Kuhn and Tucker promises to gain no more than ftol (1e-6; 6.4e-6 in
    float32), slacks and bounds accounted for, with no negative curvature along the rows that hold; 8 (PRECISION) that it
    promises rounding. From there Newton's steps go on, so that x, the multipliers and their derivatives are known better
    than ftol says. 2 (INFEASIBLE) means that a weighted sum of the violations is stationary: near x no point satisfies the
    constraints. With finite differences of `fun`, and in a `stepper`, the method's own test decides. Rows may depend on one
    another, and their linearizations may contradict one another. Every point that is evaluated is in the bounds.

    COBYLA's 0 and 8 mean the same, with `ftol` for the step and `catol` for the rows. Where JAX cannot derive the functions
    (and in a `stepper`) 0 means that the last simplex, of size `tol`, found nothing lower from a point within `catol`. Its
    `maxiter` is 1000.

    From values alone 0 (CONVERGED) means that the simplex is within xatol and fatol, or that a sweep along the axes gains no
    more than ftol, and that derivatives do not contradict: the exact Newton step at the point is within what was asked, or
    the function does not fall along it. A claim that they refute goes on by Newton's steps. Where JAX cannot derive the
    function (and in a `stepper`) the values decide. A claim of 'Powell' at a kink is refused. The default tolerances are
    SciPy's in every dtype; `maxiter` is 400 n and 1000 n, and `maxfev` is not limited.

    Unlike SciPy's, `jac=None` means autodiff; an unknown option is an error; the default gtol depends on the dtype (1e-5;
    2.4e-5 in float32); a search that ends because the dtype resolves no further decrease is a success with a status of its
    own, 8 (PRECISION). A saddle or a maximum is no success of the methods with second derivatives, as far as they see it:
    dogleg and trust-exact by the whole Hessian, trust-ncg and trust-krylov by two products (up to 20 at the start),
    Newton-CG and TNC at the start. Newton-CG's success means a gradient within gtol, where SciPy's means a short step.

    References
    ----------
    J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006: chapters 4, 6, 7 and 18.
    R. H. Byrd, M. E. Hribar, J. Nocedal, SIAM J. Optim. 9 (1999) 877: trust-constr.
    D. Kraft, A software package for sequential quadratic programming, DFVLR-FB 88-28 (1988): SLSQP.
    J. C. Lagarias, J. A. Reeds, M. H. Wright, P. E. Wright, SIAM J. Optim. 9 (1998) 112: the simplex and its ties.
    M. J. D. Powell, Comput. J. 7 (1964) 155: conjugate directions; Advances in Optimization and Numerical Analysis (1994)
    51: linear models under constraints.
    W. W. Hager, H. Zhang, SIAM J. Optim. 16 (2005) 170: the approximate Wolfe conditions, and the direction of CG.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import minimize, rosen
    >>> res = minimize(rosen, jnp.array([1.3, 0.7, 0.8, 1.9, 1.2]))
    >>> bool(res.success), bool(jnp.allclose(res.x, 1.0, atol=1e-2))
    (True, True)

    Constraints, by SciPy's dicts; multipliers are the derivatives of fun with respect to the sides, up to their sign:

    >>> row = {"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + 2}
    >>> res = minimize(lambda x: (x[0] - 1) ** 2 + (x[1] - 2.5) ** 2, jnp.array([2.0, 0.0]), constraints=row)
    >>> print(res.x.round(3), res.multipliers.round(3))
    [1.4 1.7] [-0.8]

    A batch, and the derivative of a solution:

    >>> solve = lambda a: minimize(lambda x: jnp.sum((x - a) ** 4 + (x - a) ** 2), jnp.zeros(2)).x
    >>> jax.vmap(solve)(jnp.arange(3.0)).shape
    (3, 2)
    >>> print(jax.jacobian(solve)(2.0).round(3))
    [1. 1.]
    """
    if callable(method):
        keywords = {"jac": jac, "hess": hess, "hessp": hessp, "bounds": bounds}
        keywords |= {"constraints": constraints, "callback": callback} | ({} if tol is None else {"tol": tol})
        return method(fun, x0, args if isinstance(args, tuple) else (args,), **(keywords | (options or {})))
    constrained = constraints is not None and (not isinstance(constraints, tuple | list) or len(constraints) > 0)
    row = _choose(method, bounds is not None, constrained)
    given = {"bounds": bounds is not None, "constraints": constrained, "jac": jac is not None and jac is not False}
    given |= {"hess": hess is not None, "hessp": hessp is not None}
    methods.refuse(row, _REFUSED, methods.MINIMIZE, **given)
    told_of_narrowing(x0=x0, args=args, bounds=bounds)
    given_functions = {"jac": jac, "hess": hess, "hessp": hessp, "constraints": constraints}
    posed = pose_minimum(row, fun, x0, args, options, tol, bounds, **given_functions)
    if "state" not in row.takes:
        return solve(posed, callback)
    named = functools.partial(_with_scipys_names, posed)
    present, lines = with_state(named), posed.lines and is_alone(posed.call)
    if lines and callback is None:
        callback = lambda xk: None
    result = named(solve(posed._replace(disp=False), callback, present=lined(present) if lines else present))
    if posed.disp:
        show(result, posed.call)
    return result


def _with_scipys_names(posed: Posed, result: OptimizeResult) -> OptimizeResult:
    """The result of a method that reports multipliers as trust-constr does, with SciPy's names for what it holds."""
    extra, rows = dict(result.extra), posed.plan.oracle.more
    bounds = extra.pop("bound_multipliers", None)
    v = [] if rows is None else by_part(rows, extra["multipliers"])
    extra |= {"v": v + ([] if bounds is None else [bounds]), "grad": result.jac, "constr_violation": result.maxcv}
    sided = bounds is not None or (rows is not None and rows.m > rows.p)
    extra["method"] = Word("tr_interior_point" if sided else "equality_constrained_sqp")
    return with_extra(result, extra)


_REFUSED = dict.fromkeys(
    ("bounds", "constraints"),
    "{keyword} are given, but method {method!r} cannot handle {keyword}; {remedy}, or leave them out.",
) | dict.fromkeys(
    ("jac", "hess", "hessp"),
    "{keyword} is given, but method {method!r} does not use it; leave it out.",
)


def _choose(method: str | methods.Row | None, bounded: bool, constrained: bool) -> methods.Row:
    """The row of the method; SciPy's choice where none is named."""
    if method is None and constrained:
        method = "SLSQP"
    if method is None:
        method = "L-BFGS-B" if bounded else "BFGS"
    return methods.find(methods.MINIMIZE, method, "minimize")
