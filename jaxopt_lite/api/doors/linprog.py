"""`linprog`: SciPy's front door to linear programs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax.core import Tracer

from jaxopt_lite._families.linear import highs
from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import fields_of
from jaxopt_lite.api.program import pose_program, result_of, show_iteration
from jaxopt_lite.api.reading.program import read_program, read_sparse
from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.api.telling import show, told_of_narrowing


def linprog(
    c: Any,
    A_ub: Any = None,
    b_ub: Any = None,
    A_eq: Any = None,
    b_eq: Any = None,
    bounds: Any = (0, None),
    method: str = "interior-point",
    callback: Callable | None = None,
    options: dict[str, Any] | None = None,
    x0: Any = None,
    integrality: Any = None,
) -> OptimizeResult:
    """Minimize c'x subject to A_ub x <= b_ub, A_eq x = b_eq and bounds on x.

    One call is one program; `jax.vmap` over any of the operands makes a batch. Operands that are not mapped are shared: one
    A with many b, c or bounds is never copied.

    Parameters
    ----------
    c : (n,) float
        Coefficients of the objective. Traced, as are all operands; they may be batched or shared.
    A_ub, b_ub : (p, n) and (p,) float, optional
        Inequalities.
    A_eq, b_eq : (q, n) and (q,) float, optional
        Equations; they may depend on one another.
    bounds : pair, n pairs, (n, 2) array, or an object with `lb` and `ub`
        Lower and upper bounds, with None or infinity where there is none. Default (0, None): x >= 0.
    method : str
        'interior-point' (the default), 'simplex' (a vertex and its basis), or the library HiGHS on the host: 'highs',
        'highs-ds', 'highs-ipm' (an extra, ``pip install jaxopt_lite[highs]``): for large sparse programs and integers, one
        program after the other under vmap. HiGHS alone takes matrices of scipy.sparse.
    callback : callable, optional
        ``callback(xk, **kwargs)`` after each iteration of an eager call, with `nit` and, from 'simplex', `tableau`, `phase`,
        `pivot` (row and column) and `basis`, as far as it has parameters for them. StopIteration ends the run (status 6,
        STOPPED).
    options : dict, optional
        Of 'interior-point' and 'simplex': `tol` (relative primal and dual residual and gap), `maxiter`, `disp`, `lanes`,
        `turns_per_refill`; of 'interior-point' also `vertex` (True: go on from a solution to a vertex, with its `basis`). Of
        'highs': HiGHS's own options by their names.
    x0 : None
        Not used: every method makes its own start.
    integrality : (n,) int, optional
        0 continuous, 1 integer, 2 semicontinuous, 3 semi-integer; 'highs' only.

    Returns
    -------
    OptimizeResult
        x (n,), fun, slack (p,) = b_ub - A_ub x, con (q,) = b_eq - A_eq x, nit, status, success, message; `ineqlin`, `eqlin`,
        `lower` and `upper`, each with `residual` and `marginals` (derivatives of fun with respect to b_ub, b_eq and the
        bounds, so that those of b_ub and of upper bounds are <= 0); maxcv, the largest violation of a constraint.
        Statuses (`Status`): 0 (CONVERGED): optimal. 1 (BUDGET). 2 (INFEASIBLE): `ray_dual` (p + q,) proves it (Farkas).
        3 (UNBOUNDED): fun falls without limit along `ray_primal` (n,). 4 (NUMERICAL): difficulties, or infeasible or
        unbounded without a proof. 6 (STOPPED) by the callback. 7 (BAD_INPUT): NaN or crossed bounds in this lane. 8
        (PRECISION): optimal to working precision. Rays are NaN in all other lanes.

    Raises
    ------
    ValueError
        Operands that do not fit one another, complex ones, concrete ones that are not finite, crossed bounds; an unknown
        method or option, or a value that HiGHS does not take; a sparse matrix or integrality with another method than
        'highs'.
    ImportError
        Method 'highs' without the library.

    Notes
    -----
    Every verdict is proved on the program as it was given, without scaling or presolve: 0 (CONVERGED) by primal and dual
    feasibility and the gap at `tol`, 2 (INFEASIBLE) by a Farkas ray, 3 (UNBOUNDED) by a feasible point and a direction.
    Errors are measured in units that follow from the data (`_families/linear/certificate.py`), so that no verdict depends on
    the units of rows, columns, costs or right sides. A program may be infeasible or unbounded by so little that `tol` hides
    it; it is then solved at `tol`. 'highs' needs the same certificate at 1e-6, ten times HiGHS's own tolerances; without it
    the status is 4 (NUMERICAL). With integer variables only the point is tested, and the verdict is HiGHS's.

    fun has derivatives with respect to all operands, exactly so from the multipliers; x and the marginals have them where
    the solution is a nondegenerate vertex, and NaN elsewhere. A lane without success has NaN derivatives.

    Differs from SciPy: the default method; one tolerance; crossed bounds raise where they are concrete.

    References
    ----------
    E. D. Andersen, K. D. Andersen, The MOSEK interior point optimizer for linear programming, 2000. I. Maros, Computational
    Techniques of the Simplex Method, 2003. Q. Huangfu, J. A. J. Hall, Parallelizing the dual revised simplex method, 2018.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import linprog
    >>> A, b, bounds = [[-3.0, 1.0], [1.0, 2.0]], [6.0, 4.0], [(None, None), (-3.0, None)]
    >>> res = linprog([-1.0, 4.0], A_ub=A, b_ub=b, bounds=bounds)
    >>> print(res.x.round(4), res.slack.round(3), res.fun.round(3))
    [10. -3.] [39.  0.] -22.0

    A batch with many prices and one A:

    >>> c = jnp.array([[-1.0, 4.0], [-2.0, 4.0], [1.0, 4.0]])
    >>> res = jax.vmap(lambda c: linprog(c, A_ub=A, b_ub=b, bounds=bounds))(c)
    >>> print(res.status, res.fun.round(3))
    [0 0 0] [-22. -32. -15.]
    """
    told_of_narrowing(c=c, A_ub=A_ub, b_ub=b_ub, A_eq=A_eq, b_eq=b_eq, bounds=bounds)
    if str(method).lower() in highs.SOLVERS:
        return _on_host(str(method).lower(), c, A_ub, b_ub, A_eq, b_eq, bounds, callback, options, x0, integrality)
    row = methods.find(methods.LINPROG, method, "linprog", (*highs.SOLVERS,))
    whole = integrality is not None and bool(np.any(np.asarray(integrality) != 0))
    methods.refuse(row, _REFUSED, x0=x0 is not None, integrality=whole)
    posed = pose_program(row, read_program(c, A_ub, b_ub, A_eq, b_eq, bounds), options)
    result = result_of(fields_of(posed, callback, show_iteration))
    if posed.disp:
        show(result, posed.call)
    return result


_REFUSED = {
    "x0": "x0 is given, but method {method!r} makes its own start; leave it out.",
    "integrality": "integrality is given, but method {method!r} has continuous variables only; use method='highs'.",
}


def _on_host(
    method: str,
    c: Any,
    A_ub: Any,
    b_ub: Any,
    A_eq: Any,
    b_eq: Any,
    bounds: Any,
    callback: Any,
    options: Any,
    x0: Any,
    integrality: Any,
) -> OptimizeResult:
    """The result by HiGHS."""
    for name, given in (("callback", callback), ("x0", x0)):
        if given is not None:
            raise ValueError(f"{name} is given, but method {method!r} does not use it; leave it out.")
    if options is not None and not isinstance(options, Mapping):
        raise TypeError(f"options is {options!r}; give a dict of option names and values.")
    (A_ub, ub), (A_eq, eq) = read_sparse(A_ub), read_sparse(A_eq)
    program = read_program(c, A_ub, b_ub, A_eq, b_eq, bounds)
    options = dict(options or {})
    disp = options.pop("disp", False)
    asked = highs.HighsRequest(
        highs.SOLVERS[method], tuple(sorted(options.items())), _kinds(integrality, program.c.shape[0])
    )
    program = program._replace(A_ub=program.A_ub if ub is None else ub, A_eq=program.A_eq if eq is None else eq)
    result = result_of(highs.solve(program, asked))
    if disp and not isinstance(result.fun, Tracer):
        print(result)
    return result


def _kinds(integrality: Any, n: int) -> tuple[int, ...] | None:
    if integrality is None or not np.any(np.asarray(integrality)):
        return None
    kinds = np.asarray(integrality)
    if kinds.shape not in ((), (n,)) or not np.all(np.isin(kinds, (0, 1, 2, 3))):
        raise ValueError(f"integrality is {integrality!r}; give 0, 1, 2 or 3, or one of them for each of {n} variables.")
    return tuple(np.broadcast_to(kinds, n).astype(int).tolist())
