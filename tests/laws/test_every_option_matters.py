"""Each option of each row of each door changes what comes out, or a sentence says why it is refused or has no effect.

How a batch is driven (`lanes`, `turns_per_refill`) changes no answer by design; `test_batching.py` looks at it.
"""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import OptimizeWarning, least_squares, linprog, minimize, minimize_scalar, quadprog, root_scalar
from jaxopt_lite.api import methods
from jaxopt_lite.core.options import COMMON

SCHEDULE = ("lanes", "turns_per_refill")
T = np.linspace(0.0, 4.0, 12)


def valley(x):
    return 20.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 4 + (1.0 - x[0]) ** 2 + 5.0 + jnp.sum(x[2:] ** 2)


THREE = np.array([-1.2, 1.0, 0.5])  # with two variables `adaptive` changes nothing, nor does one pair in place of a matrix
START = {"": THREE[:2], "Nelder-Mead": THREE, "L-BFGS-B": np.array([-1.2, 1.0, 8.0])}


def residual(p):
    return p[0] * jnp.exp(-p[1] * T) + 0.1 * jnp.sin(5.0 * T) - 2.0 * np.exp(-0.7 * T)


# What is given instead of the default; BESIDE: options that both calls have, so that there is something to see.
GIVEN = {
    "maxiter": 1,
    "maxfev": 3,
    "maxfun": 3,
    "disp": True,
    "return_all": True,
    "gtol": 0.5,
    "xtol": 0.5,
    "rtol": 0.1,
    "xatol": 0.1,
    "ftol": 0.1,
    "xrtol": 0.5,
    "norm": -np.inf,
    "c1": 0.3,
    "c2": 0.47,
    "eta": 0.2,
    "hess_inv0": np.diag([0.1, 5.0]),
    "maxcor": 1,
    "maxls": 1,
    "maxCGit": 1,
    "scale": np.array([1.0, 10.0]),
    "stepmx": 0.01,
    "eps": 0.3,
    "finite_diff_rel_step": 0.3,
    "factor": 0.01,
    "geodesic": True,
    "k": 2,
    "tol": 0.3,
    "vertex": True,
    "rhobeg": 0.3,
    "initial_trust_radius": 0.1,
    "max_trust_radius": 0.2,
    "subproblem_maxiter": 1,
    ("trust-exact", "subproblem_maxiter"): 0,
    **{(method, "eta"): 0.0 for method in ("dogleg", "trust-ncg", "trust-krylov", "trust-exact")},
    "inexact": False,
    "fatol": 0.1,
    "adaptive": True,
    "initial_simplex": np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]),
    "direc": np.array([[1.0, 2.0], [0.0, 1.0]]),
    ("Newton-CG", "c1"): 0.45,
    ("Powell", "ftol"): 1e-12,
    ("Newton-CG", "xtol"): 1e-9,
    ("trust-constr", "xtol"): 1.5,
    "barrier_tol": 0.05,
    "initial_tr_radius": 0.1,
    "initial_constr_penalty": 500.0,
    "initial_barrier_parameter": 1.0,
    "initial_barrier_tolerance": 1.0,
    "verbose": 1,
    "factorization_method": "SVDFactorization",
    ("COBYLA", "ftol"): 1.0,
}
BESIDE = {"max_trust_radius": {"initial_trust_radius": 0.1}, "subproblem_maxiter": {"initial_trust_radius": 0.1}}
BESIDE |= {(method, "eta"): {"initial_trust_radius": 10.0} for method in ("trust-ncg", "trust-krylov")}
RADIUS = {"dogleg": float(np.geomspace(0.001, 0.15, 100)[84]), "trust-exact": float(np.linspace(0.05, 4, 160)[4])}
BESIDE |= {
    (method, "eta"): {"initial_trust_radius": radius} for method, radius in RADIUS.items()
}  # a step with a ratio between the two
BESIDE |= {
    "fatol": {"xatol": 9.0},
    "norm": {"gtol": 0.5},
    ("Newton-CG", "c1"): {"c2": 0.9},
    ("Newton-CG", "xtol"): {"gtol": 0.5},
}
LOOP = {"type": "ineq", "fun": lambda x: 2.0 - jnp.sum(x * x)}
UNDER = {  # what else a row needs, to have an effect; of COBYLA what counts as feasible decides which point is returned
    "trust-constr": {"bounds": [(-2.0, 0.9), (-2.0, 2.0)], "constraints": LOOP},
    "COBYLA": {"constraints": {"type": "ineq", "fun": lambda x: jnp.stack([x[0] - 1.0, 0.9 - x[0]])}},
}
DOORS = {
    "minimize": (
        methods.MINIMIZE,
        lambda row, **how: minimize(valley, START.get(row, START[""]), method=row, **UNDER.get(row, {}), **how),
    ),
    "minimize_scalar": (
        methods.MINIMIZE_SCALAR,
        lambda row, **how: minimize_scalar(
            lambda x: (x - 1.3) ** 2 + 0.2 * x**4, method=row, **({"bounds": (-5.0, 9.0)} if row == "bounded" else {}), **how
        ),
    ),
    "root_scalar": (
        methods.ROOT_SCALAR,
        lambda row, **how: root_scalar(
            lambda x: x**3 - 2.0 * x - 5.0, method=row, **({"x0": 9.0} if row in OPEN else {"bracket": (0.0, 9.0)}), **how
        ),
    ),
    "least_squares": (
        methods.LEAST_SQUARES,
        lambda row, **how: least_squares(residual, np.array([5.0, 3.0]), method=row, **how),
    ),
    "quadprog": (
        methods.QUADPROG,
        lambda row, **how: quadprog(np.eye(2), [-1.0, -1.0], [[1.0, 1.0], [3.0, 1.0]], [4.0, 1.0], method=row, **how),
    ),
    "linprog": (
        methods.LINPROG,
        lambda row, **how: linprog([-1.0, -1.0], [[1.0, 1.0], [3.0, 1.0]], [4.0, 6.0], method=row, **how),
    ),
}
OPEN = ("newton", "halley", "secant")
PAIRS = [
    (door, row.name, name)
    for door, (rows, _) in DOORS.items()
    for row in rows
    for name in (*COMMON, *row.options)
    if name not in SCHEDULE
]


@functools.cache
def plain(door, row, jac, others):
    return call(door, row, jac, dict(others))


def call(door, row, jac, options):
    """All fields of the result, as plain lists."""
    res = DOORS[door][1](row, options=options, **({"jac": jac} if jac else {}))
    leaves = lambda field: [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(field)]
    return {name: leaves(res[name]) for name in res if name != "message"}


@pytest.mark.parametrize(("door", "row", "name"), PAIRS)
def test_an_option_changes_what_comes_out_or_says_why_not(door, row, name, capfd):
    jac = "2-point" if name in ("eps", "finite_diff_rel_step") else None
    others = tuple(BESIDE.get((row, name), BESIDE.get(name, {})).items())
    before, said = plain(door, row, jac, others), ""
    capfd.readouterr()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            after = call(door, row, jac, dict(others) | {name: GIVEN.get((row, name), GIVEN.get(name, 1.0))})
        except ValueError as error:
            after, said = before, str(error)
    said += " ".join(str(w.message) for w in caught if issubclass(w.category, OptimizeWarning))
    effect = after != before or capfd.readouterr().out != "" or f"option {name!r} is given" in said
    assert effect, f"{name} is taken by {row} and ignored"
