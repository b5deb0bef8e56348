"""Names of `scipy.optimize` that are not here, and what to use instead."""

import difflib
from collections.abc import Iterable

_AT_A_DOOR = {
    **{
        name: f"minimize(fun, x0, method={method!r})"
        for name, method in {
            "fmin_bfgs": "BFGS",
            "fmin_cg": "CG",
            "fmin_l_bfgs_b": "L-BFGS-B",
            "fmin_ncg": "Newton-CG",
            "fmin_tnc": "TNC",
            "fmin": "Nelder-Mead",
            "fmin_powell": "Powell",
            "fmin_slsqp": "SLSQP",
        }.items()
    },
    "brent": "minimize_scalar(fun, method='brent')",
    "golden": "minimize_scalar(fun, method='golden')",
    "fminbound": "minimize_scalar(fun, bounds=(a, b), method='bounded')",
    "bracket": "minimize_scalar(fun, method='brent'), which finds its own bracket",
    **{
        name: f"root_scalar(f, bracket=(a, b), method={name!r})"
        for name in ("bisect", "brenth", "brentq", "ridder", "toms748")
    },
    "newton": "root_scalar(f, x0=x0, method='newton')",
    "fixed_point": "root_scalar(lambda x: f(x) - x, x0=x0)",
    "leastsq": "least_squares(fun, x0, method='lm')",
    "lsq_linear": "least_squares(lambda x: A @ x - b, x0, bounds=(lower, upper))",
    "nnls": "least_squares(lambda x: A @ x - b, x0, bounds=(0, inf))",
    "milp": "linprog(c, A_ub, b_ub, integrality=integrality, method='highs')",
    "linprog_verbose_callback": "linprog(c, A_ub, b_ub, callback=callback)",
    "LbfgsInvHessProduct": "the field hess_inv of minimize(fun, x0, method='L-BFGS-B'), which has @ and todense()",
    "approx_fprime": "jax.grad, or minimize(fun, x0, jac='3-point')",
    "check_grad": "jax.test_util.check_grads",
    "fmin_cobyla": "minimize(fun, x0, method='COBYLA', constraints=constraints)",
    "fmin_slsqp": "minimize(fun, x0, method='SLSQP', constraints=constraints)",
    "brute": "jax.vmap(fun) over the points of a grid, and jnp.argmin",
}
_NOT_YET = {
    "HessianUpdateStrategy": "strategies of your own cannot be handed over. The nearest are BFGS and SR1, as in "
    "minimize(fun, x0, method='trust-exact', hess=BFGS())",
    **dict.fromkeys(
        (
            "root",
            "fsolve",
            "broyden1",
            "broyden2",
            "anderson",
            "linearmixing",
            "diagbroyden",
            "excitingmixing",
            "newton_krylov",
        ),
        "systems of equations are not here yet. The nearest are least_squares(fun, x0), whose cost is zero at a root, and "
        "root_scalar for one equation",
    ),
    **dict.fromkeys(
        ("basinhopping", "differential_evolution", "dual_annealing", "shgo", "direct"),
        "global methods are not here yet. The nearest is minimize from many starts at once, by jax.vmap",
    ),
}
_NEVER = {
    "line_search": "line searches are part of the methods BFGS, CG and L-BFGS-B: use minimize(fun, x0)",
    "NoConvergence": "nothing is raised for a hard problem: look at success and status of the result",
    **dict.fromkeys(
        ("InverseJacobian", "KrylovJacobian", "BroydenFirst"),
        "there is no approximate Jacobian to hand over: derivatives are exact, by autodiff. Use least_squares(fun, x0)",
    ),
    "linear_sum_assignment": "assignments have no door of their own. The nearest is linprog(c, A_eq=A, b_eq=b, "
    "method='simplex'), whose vertices are assignments",
    "quadratic_assignment": "combinatorial problems have no door. The nearest is linprog with integrality, method='highs'",
    "isotonic_regression": "it has no door of its own. The nearest is least_squares over the increments, bounds=(0, inf)",
    "elementwise": "every door is elementwise under jax.vmap; its find_root is root_scalar(f, bracket=(a, b), "
    "method='chandrupatla')",
    **dict.fromkeys(
        (
            "cobyla",
            "lbfgsb",
            "linesearch",
            "minpack",
            "minpack2",
            "moduleTNC",
            "nonlin",
            "optimize",
            "slsqp",
            "tnc",
            "zeros",
        ),
        "SciPy's inner modules have no counterpart: all public names stand at the top, see dir(jaxopt_lite)",
    ),
}
INSTEAD = {name: f"use {what}" for name, what in _AT_A_DOOR.items()} | _NOT_YET | _NEVER


def why_absent(name: str, public: Iterable[str]) -> str:
    """The sentence for a name that the package does not have; of an unknown one with the nearest `public` name."""
    if name in INSTEAD:
        return f"jaxopt_lite has no {name!r}; {INSTEAD[name]}."
    near = difflib.get_close_matches(name, public, 1)
    return f"module 'jaxopt_lite' has no attribute {name!r}" + (f". Did you mean {near[0]!r}?" if near else "")
