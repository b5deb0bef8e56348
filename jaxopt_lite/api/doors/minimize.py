"""`minimize`: SciPy's front door to the minimization of a scalar function of several variables."""

from collections.abc import Callable
from typing import Any

from jaxopt_lite.api import methods
from jaxopt_lite.api.oracles.scalar import scalar_oracle
from jaxopt_lite.api.reading.bounds import read_bounds
from jaxopt_lite.api.result import OptimizeResult, make_result
from jaxopt_lite.api.telling import Starts, explained, show, told_of_narrowing
from jaxopt_lite.api.watch import watch
from jaxopt_lite.core.batching import ShardedBatch
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, evaluations, number, read
from jaxopt_lite.core.options import traced as traced_options
from jaxopt_lite.core.program import Call, Plan, run
from jaxopt_lite.core.protocol import Need


def minimize(
    fun: Callable,
    x0: Any,
    args: Any = (),
    method: str | Callable | None = None,
    jac: Callable | str | bool | None = None,
    hess: Callable | None = None,
    hessp: Callable | None = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: Any = None,
    callback: Callable | None = None,
    options: dict[str, Any] | None = None,
) -> OptimizeResult:
    """Minimize a scalar function of one or more variables.

    Pure: it can be called eagerly, under `jax.jit`, under `jax.vmap` (a batch whose finished lanes take the next
    problem from a queue) and be differentiated: `x` and `fun` have derivatives with respect to everything that `fun`
    captures or is given in `args`.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args) -> scalar`` of the dtype of x, written with JAX. Traced once a compile.
    x0 : array or pytree of floats
        The start. A list of numbers is an array. Traced; integers are promoted to the default float.
    args : tuple
        More arguments of `fun` and its derivatives, any pytrees. Numbers and arrays are traced, so that new ones do not
        recompile; bools, strings and other objects are static.
    method : str, callable or None
        'BFGS' (the default); 'L-BFGS-B' (the default with bounds; L-BFGS without) and 'TNC'; 'CG', nonlinear conjugate
        gradients, which keeps no matrix; 'Newton-CG', truncated Newton with Hessian-vector products. A callable is called as
        ``method(fun, x0, args, **kwargs, **options)``, where the keywords are jac, hess, hessp, bounds, constraints and
        callback.
    jac : callable, bool, str or None
        None: autodiff. A callable ``jac(x, *args)`` returning the gradient in the structure of x; True: `fun` returns
        (value, gradient); '2-point', '3-point', 'cs': finite differences, whose error the status does not know: `gtol` is
        then tested on them. In float32 they are of little use.
    hess, hessp : callable or None
        ``hess(x, *args)`` (n, n) and ``hessp(x, p, *args)``, for methods that use them: Newton-CG, TNC. None: autodiff.
    bounds : Bounds, sequence of pairs, or (n, 2) array, optional
        For 'L-BFGS-B' and 'TNC': `Bounds`, or one (min, max) for each variable, None where there is no bound. Traced. The
        function is never evaluated outside, equal bounds fix a variable, and a start outside is clipped.
    constraints : None
        No method of this version takes them.
    tol : float, optional
        Sets the method's own tolerance, gtol. Traced.
    callback : callable or None
        ``callback(xk)`` or ``callback(intermediate_result=OptimizeResult)`` after every iteration; it ends the run by
        raising StopIteration (status 6). The run is then driven from the host: eager calls only, one problem at a time.
    options : dict, optional
        Options of the method (see `show_options`), and of all methods: `maxiter`, `maxfev`, `lanes` (width of a batch;
        0 is one lane a problem) and `turns_per_refill`. Numbers are traced.

    Returns
    -------
    OptimizeResult
        With x, fun, jac, nfev, njev, nit, status, success and message; hess_inv (BFGS: an array; L-BFGS-B: an operator with
        `@` and `todense()`; NaN where nothing was learnt of it, as at the start); nhev (Newton-CG, TNC: each evaluation
        gives fun, gradient and a product together). `x` and `jac` have the structure of x0.

    Raises
    ------
    ValueError
        Bounds that do not fit x, crossed ones or NaN among known ones. Unknown method or option, a number out of its
        range, `fun` not scalar, a derivative of another shape than x.
    TypeError
        x0 or the value of `fun` without floats or of another dtype; a `fun` that JAX cannot trace, or for Newton-CG and TNC
        cannot derive twice where neither hess nor hessp is given.

    Notes
    -----
    Statuses that can occur: 0, 1, 3, 4, 5, 6, 7 (crossed bounds in a lane), 8 (`OptimizeResult`). A hard problem never
    raises: its lane has a status, and the best finite point that was evaluated. Derivatives are NaN in lanes that failed.

    0 means that the gradient is within gtol. What a method believes beyond that is decided after the run by the exact Newton
    step at its point, from second derivatives of `fun`: 8 where the decrease that is still to be had is rounding, else 4.
    What is refused may go on by a few Newton steps. All of their evaluations are counted and bounded by `maxfev`.

    Unlike SciPy's, `jac=None` means autodiff; an unknown option is an error; the default gtol depends on the dtype (1e-5;
    2.4e-5 in float32); a search that ends because the dtype resolves no further decrease is a success of its own (8).
    Newton-CG's success means a gradient within gtol, where SciPy's means a short step.

    References
    ----------
    J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed., Springer 2006: sections 6.1 and 7.1.
    W. W. Hager, H. Zhang, SIAM J. Optim. 16 (2005) 170: the approximate Wolfe conditions, and the direction of CG.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import minimize, rosen
    >>> res = minimize(rosen, jnp.array([1.3, 0.7, 0.8, 1.9, 1.2]))
    >>> bool(res.success), bool(jnp.allclose(res.x, 1.0, atol=1e-2))
    (True, True)

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
    row = _choose(method, bounds, constraints)
    for name, given in (("hess", hess), ("hessp", hessp)):
        if given is not None and name not in row.takes:
            raise ValueError(f"{name} is given, but method {row.name!r} does not use it; leave it out.")
    told_of_narrowing(x0=x0, args=args, bounds=bounds)
    plan, call = plan_call(row, fun, x0, args, jac, hess, hessp, tol, options, bounds)
    return solve(plan, call, options, callback)


def solve(
    plan: Plan, call: Call, options: dict[str, Any] | None, callback: Callable | None = None, starts: Starts = ()
) -> OptimizeResult:
    """Run a call; from the host where somebody watches. `starts` are its first points, if they are not x0."""
    options = options or {}
    keep_all = bool(options.get("return_all"))
    watched = callback is not None or keep_all
    try:
        result = watch(plan, call, callback, keep_all) if watched else make_result(run(plan, call))
    except ShardedBatch:
        raise
    except (TypeError, ValueError, NotImplementedError) as error:
        # fun was traced before: what is raised now is JAX's, when it derives
        if plan.oracle.needs is not Need.HVP or plan.oracle.hess is not None or plan.oracle.hessp is not None or watched:
            raise
        raise TypeError(f"fun has no second derivatives in JAX; give hess or hessp. JAX says: {error}") from error
    result = explained(result, plan, call, starts)
    if options.get("disp"):
        show(result, call)
    return result


def plan_call(
    row: methods.Row,
    fun: Callable,
    x0: Any,
    args: Any,
    jac: Any,
    hess: Any,
    hessp: Any,
    tol: Any,
    options: Any,
    bounds: Any = None,
    extra: dict[str, Any] | None = None,
) -> tuple[Plan, Call]:
    """What is static and what is traced about a call; `extra` are traced data that are no options (an interval)."""
    leaves, layout = parse(x0)
    if tol is not None and isinstance(options, dict | None):
        options = dict.fromkeys(row.tol, number(tol, "tol", POSITIVE_OR_ZERO)) | (options or {})
    values = read(options, row.options, row.name, layout.size)
    box = None if bounds is None else read_bounds(bounds, layout)
    method = row.build(values | {"bounded": box is not None})
    steps = {"rel_step": values.get("finite_diff_rel_step"), "abs_step": values.get("eps")}
    oracle, traced = scalar_oracle(method.needs, layout, fun, args, jac, hess, hessp, **steps)
    maxiter = row.maxiter(layout.size) if values["maxiter"] is None else values["maxiter"]
    numbers = traced_options(values, row.options) | ({} if box is None else {"bounds": box}) | (extra or {})
    call = Call(leaves, numbers, maxiter, evaluations(values), traced)
    return Plan(method, row.prepare, oracle, layout, row.schedule(values)), call


def _choose(method: str | None, bounds: Any, constraints: Any) -> methods.Row:
    constrained = constraints is not None and (not isinstance(constraints, tuple | list) or len(constraints) > 0)
    if method is None:
        method = "SLSQP" if constrained else ("L-BFGS-B" if bounds is not None else "BFGS")
        if constrained:
            raise ValueError(
                f"constraints are given and no method: SciPy's rule takes {method!r}, which this version does not have. "
                f"Known methods: {', '.join(row.name for row in methods.MINIMIZE)}; none of them takes constraints."
            )
    row = methods.find(methods.MINIMIZE, method, "minimize")
    for name, given in (("bounds", bounds is not None), ("constraints", constrained)):
        if given and name not in row.takes:
            takers = [r.name for r in methods.MINIMIZE if name in r.takes]
            remedy = f"use one of {', '.join(takers)}" if takers else "no method of this version does"
            raise ValueError(f"{name} are given, but method {row.name!r} cannot handle {name}; {remedy}, or leave them out.")
    return row
