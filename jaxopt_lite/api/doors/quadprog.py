"""`quadprog`: the front door to convex quadratic programs."""

from collections.abc import Callable
from typing import Any

from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import fields_of
from jaxopt_lite.api.program import pose_program, result_of, show_iteration
from jaxopt_lite.api.reading.program import read_program, read_warm
from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.api.telling import show, told_of_narrowing

FREE = (None, None)


def quadprog(
    P: Any,
    q: Any,
    A_ub: Any = None,
    b_ub: Any = None,
    A_eq: Any = None,
    b_eq: Any = None,
    bounds: Any = None,
    method: str = "interior-point",
    callback: Callable | None = None,
    options: dict[str, Any] | None = None,
    x0: Any = None,
    multipliers: Any = None,
) -> OptimizeResult:
    """Minimize x'P x / 2 + q'x subject to A_ub x <= b_ub, A_eq x = b_eq and bounds on x, for a convex objective.

    One call is one program; `jax.vmap` over any of the operands makes a batch. Operands that are not mapped are shared: one
    P or A with many q, b or bounds is never copied.

    Parameters
    ----------
    P : (n, n) float
        Symmetric and positive semidefinite; the symmetric part of what is given counts. Traced, as are all operands; they
        may be batched or shared. Where it is indefinite the status is 7 (BAD_INPUT).
    q : (n,) float
        The linear part of the objective.
    A_ub, b_ub : (p, n) and (p,) float, optional
        Inequalities.
    A_eq, b_eq : (q, n) and (q,) float, optional
        Equations; they may depend on one another.
    bounds : None, a pair, n pairs, an (n, 2) array, or an object with `lb` and `ub`
        Lower and upper bounds, with None or infinity where there is none. Default: there are none (unlike `linprog`).
    method : str
        'interior-point'.
    callback : callable, optional
        ``callback(xk, **kwargs)`` after each iteration of an eager call, with `nit` if it has a parameter for it.
        StopIteration ends the run (status 6, STOPPED).
    options : dict, optional
        `tol` (relative primal and dual residual and gap; 1e-8, or 1e-4 in float32), `maxiter`, `disp`, `lanes`,
        `turns_per_refill`.

    x0, multipliers : (n,) and (p + q,) float, optional
        A warm start: x of a program like this one, and its marginals, ``jnp.concatenate([res.ineqlin.marginals,
        res.eqlin.marginals])``; what is left out is 0. It saves iterations where it is near the solution, and decides
        nothing: where it is far away, or leads nowhere, the run starts as it does without.

    Returns
    -------
    OptimizeResult
        x (n,), fun, slack (p,) = b_ub - A_ub x, con (q,) = b_eq - A_eq x, nit, status, success, message; `ineqlin`, `eqlin`,
        `lower` and `upper`, each with `residual` and `marginals`: the multipliers, which are the derivatives of fun with
        respect to b_ub, b_eq and the bounds; maxcv, the largest violation of a constraint.
        Statuses (`Status`): 0 (CONVERGED): optimal. 1 (BUDGET). 2 (INFEASIBLE): `ray_dual` (p + q,) proves it (Farkas).
        3 (UNBOUNDED): fun falls without limit along `ray_primal` (n,). 4 (NUMERICAL): difficulties, or infeasible or
        unbounded without a proof. 6 (STOPPED) by the callback. 7 (BAD_INPUT): NaN, crossed bounds or an indefinite P in this
        lane. 8 (PRECISION): optimal to working precision. Rays are NaN in all other lanes.

    Raises
    ------
    ValueError
        Operands that do not fit one another, complex ones, concrete ones that are not finite, crossed bounds; an unknown
        method or option; a sparse matrix.

    Notes
    -----
    Every verdict is proved on the program as it was given, without scaling: 0 (CONVERGED) by primal and dual feasibility and
    the gap at `tol`, 2 (INFEASIBLE) by a Farkas ray, 3 (UNBOUNDED) by a feasible point and a direction. Errors are measured
    in units that follow from the data (`_families/linear/certificate.py`).

    fun has derivatives with respect to all operands, exactly so from the multipliers. x and the marginals have them where
    it is clear which constraints are active and the multipliers are unique, and NaN elsewhere. A lane without success has
    NaN derivatives.

    References
    ----------
    E. D. Andersen, Y. Ye, On a homogeneous algorithm for the monotone complementarity problem, Math. Program. 84 (1999) 375.
    P. J. Goulart, Y. Chen, Clarabel: an interior-point solver for conic programs with quadratic objectives, 2024.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import quadprog
    >>> P, q = [[2.0, 0.0], [0.0, 2.0]], [-2.0, -5.0]
    >>> A, b = [[-1.0, 2.0], [1.0, 2.0], [1.0, -2.0]], [2.0, 6.0, 2.0]
    >>> res = quadprog(P, q, A, b, bounds=(0, None))
    >>> print(res.x.round(4), res.ineqlin.marginals.round(3))
    [1.4 1.7] [-0.8 -0.  -0. ]

    A batch with many right sides and one P and A, and how x moves with them:

    >>> b = jnp.array([[2.0, 6.0, 2.0], [1.0, 6.0, 2.0]])
    >>> print(jax.vmap(lambda b: quadprog(P, q, A, b, bounds=(0, None)).x)(b).round(3))
    [[1.4 1.7]
     [1.6 1.3]]
    >>> print(jax.jacobian(lambda b: quadprog(P, q, A, b, bounds=(0, None)).x)(b[0]).round(3)[:, 0])
    [-0.2  0.4]
    """
    told_of_narrowing(P=P, q=q, A_ub=A_ub, b_ub=b_ub, A_eq=A_eq, b_eq=b_eq, bounds=bounds, x0=x0, multipliers=multipliers)
    row = methods.find(methods.QUADPROG, method, "quadprog")
    if P is None:
        raise ValueError("P is None; give the matrix of the objective, (n, n), or use linprog for a linear program.")
    program = read_program(q, A_ub, b_ub, A_eq, b_eq, FREE if bounds is None else bounds, P, "q")
    posed = pose_program(row, program, options, read_warm(x0, multipliers, program))
    result = result_of(fields_of(posed, callback, show_iteration))
    if posed.disp:
        show(result, posed.call)
    return result
