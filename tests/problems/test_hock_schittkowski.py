"""Every constrained problem has the minimum that its book prints, and multipliers prove it; the infeasible ones are so.

A typing error in a formula moves the minimum or leaves a point without multipliers: `x_star` is checked against (2) of
`constrained.py` with derivatives by JAX, and SciPy's SLSQP, started beside it, must find nothing lower there.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from tests.problems.constrained import evaluate, kkt_residual, violation
from tests.problems.hock_schittkowski import PROBLEMS
from tests.problems.infeasible import INFEASIBLE

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# The book's minima of 58 and 106 are not those of its formulas to all digits, that of 59 comes from longer coefficients, and
# that of 109 has two digits in the wrong order: other codes agree with what is found here.
AS_PRINTED = {"hs58": 2e-6, "hs59": 2e-4, "hs106": 2e-5, "hs109": 1e-2}
SAMPLES = 20_000


def by_id(group):
    return pytest.mark.parametrize("problem", group, ids=lambda p: p.name)


def slsqp(problem, x0):
    """What SciPy's SLSQP makes of it."""
    at = functools.lru_cache(4)(lambda x: evaluate(problem, x))
    part = lambda i: lambda x: at(tuple(x))[i]
    rows = [("eq", 2)] * (problem.equal is not None) + [("ineq", 4)] * (problem.above is not None)
    constraints = [{"type": kind, "fun": part(i), "jac": part(i + 1)} for kind, i in rows]
    bounds = list(zip(*problem.box, strict=True))
    value = lambda x: (float(at(tuple(x))[0]), at(tuple(x))[1])
    options = {"ftol": 1e-12, "maxiter": 50}
    return scipy.optimize.minimize(
        value, x0, jac=True, method="SLSQP", bounds=bounds, constraints=constraints, options=options
    )


@by_id(PROBLEMS)
def test_minimum_is_the_books(problem):
    value = float(evaluate(problem, problem.x_star)[0])
    size = 1.0 + abs(problem.fun_star)
    assert abs(value - problem.fun_star) <= 1e-12 * size
    assert abs(problem.fun_star - float(problem.published)) <= AS_PRINTED.get(problem.name, 1e-7) * size


@by_id(PROBLEMS)
def test_minimizer_is_feasible_and_has_multipliers(problem):
    x = np.array(problem.x_star)
    assert violation(problem, x) <= 1e-8
    if "no_kkt" in problem.tags:
        assert kkt_residual(problem, x) >= 0.1
    else:
        assert kkt_residual(problem, x) <= 1e-7


@by_id([p for p in PROBLEMS if "no_kkt" not in p.tags])  # there a small violation gains more than its size
def test_scipy_finds_nothing_lower_beside_the_minimizer(problem):
    noise = np.random.default_rng(0).normal(size=problem.n)
    x = np.array(problem.x_star)
    with np.errstate(all="ignore"):
        res = slsqp(problem, np.clip(x + 1e-3 * np.maximum(np.abs(x), 1.0) * noise, *problem.box))
    near = np.all(np.isfinite(res.x)) and violation(problem, res.x) <= 1e-9
    assert not near or res.fun >= problem.fun_star - 1e-7 * (1.0 + abs(problem.fun_star))


@by_id(PROBLEMS)
def test_start_is_finite_and_tags_are_true(problem):
    at, other = (evaluate(problem, np.clip(x, *problem.box)) for x in (np.array(problem.x0), np.array(problem.x_star)))
    assert all(np.all(np.isfinite(v)) for v in at)
    assert np.all(problem.box[0] <= problem.box[1])
    straight = all(np.allclose(at[i], other[i], rtol=1e-14, atol=0.0) for i in (3, 5))
    assert straight == bool(problem.tags & {"linear", "bounds"})
    assert ("bounds" in problem.tags) == (problem.equal is None and problem.above is None)


@by_id(PROBLEMS + INFEASIBLE)
def test_float32_in_gives_float32_out(problem):
    x = jax.ShapeDtypeStruct((problem.n,), jnp.float32)
    for fun in (problem.fun, problem.equal, problem.above):
        assert fun is None or jax.eval_shape(fun, x).dtype == jnp.float32


@by_id(INFEASIBLE)
def test_no_point_is_feasible(problem):
    """None of many points of the box violates the constraints by less than the least violation, and some by little more."""
    rng = np.random.default_rng(0)
    lower, upper = problem.box
    low, high = np.maximum(lower, -4.0), np.minimum(upper, 4.0)
    points = rng.uniform(low, high, (SAMPLES, problem.n))
    points[0] = high
    nothing = lambda x: jnp.zeros((0,), x.dtype)
    equal, above = (jax.vmap(rows or nothing)(points) for rows in (problem.equal, problem.above))
    worst = np.concatenate([np.abs(equal), -np.asarray(above)], axis=1).max(1)
    assert problem.least_violation > 0.1
    assert worst.min() >= problem.least_violation - 1e-12
    assert worst.min() <= 1.2 * problem.least_violation


def test_names_are_unique_and_there_are_enough():
    names = [problem.name for problem in PROBLEMS + INFEASIBLE]
    assert len(set(names)) == len(names)
    assert len(PROBLEMS) >= 100
    assert len(INFEASIBLE) >= 10
