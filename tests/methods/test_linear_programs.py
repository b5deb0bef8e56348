"""Both batched methods of `linprog` on every family of `tests/problems/linear_programs.py`: statuses, optima, proofs.

All families are padded to one shape, by variables that are fixed at 0 and rows that bind nothing, and solved as one
batch: one compilation a method and dtype. What is claimed is recomputed in NumPy, in float64, on the program without the
padding. Shapes that padding would hide (no rows at all, only equations, only inequalities) are solved alone.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import linprog
from tests.laws import counting
from tests.problems.linear_programs import PROGRAMS, box, infeasible, known_optimum, no_constraints, transportation
from tests.tolerances import eps

METHODS = ("interior-point", "simplex")
DTYPES = (np.float64, np.float32)
VARIABLES, INEQUALITIES, EQUATIONS = 100, 12, 26
HARD_IN_FLOAT32 = {"klee_minty_10", "known_scaled", "magic_square_3"}  # numbers from 1 to 1e7; these may end honestly at 4
OPTIMUM = {np.float64: 1e-6, np.float32: 2e-3}  # relative to 1 + |fun|: what the default tolerances leave
FEASIBLE = {np.float64: 1e-6, np.float32: 2e-3}  # relative to the terms of a row

methods = pytest.mark.parametrize("method", METHODS)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=["float64", "float32"])
names = pytest.mark.parametrize("name", PROGRAMS)


def padded(problem):
    """(c, A_ub, b_ub, A_eq, b_eq, bounds) of the one shape."""
    n = problem["c"].size
    c, bounds = np.zeros(VARIABLES), np.zeros((VARIABLES, 2))
    c[:n], bounds[:n] = problem["c"], problem["bounds"]
    sides = []
    for kind, rows, room in (("ub", INEQUALITIES, 1.0), ("eq", EQUATIONS, 0.0)):
        A, b = problem[f"A_{kind}"], problem[f"b_{kind}"]
        whole, right = np.zeros((rows, VARIABLES)), np.full(rows, room)
        whole[: len(b), :n], right[: len(b)] = A, b
        sides += [whole, right]
    return c, *sides, bounds


@functools.cache
def solved(method, dtype):
    """{name: result of its lane}, the padding taken off again."""
    stacked = [np.stack(part).astype(dtype) for part in zip(*map(padded, PROGRAMS.values()), strict=True)]
    res = jax.vmap(functools.partial(linprog, method=method))(*map(jnp.asarray, stacked))
    assert res.x.dtype == dtype
    lanes = jax.tree.map(np.asarray, res)
    return {name: jax.tree.map(lambda a, k=k: a[k], lanes) for k, name in enumerate(PROGRAMS)}


def unpadded(res, problem):
    """x (n,), y_ub (p,), y_eq (q,) in float64."""
    n, p, q = problem["c"].size, len(problem["b_ub"]), len(problem["b_eq"])
    parts = (res.x, n), (res.ineqlin.marginals, p), (res.eqlin.marginals, q)
    return tuple(np.asarray(a, float)[:size] for a, size in parts)


@methods
@dtypes
@names
def test_every_family_ends_as_it_must(name, method, dtype):
    problem, res = PROGRAMS[name], solved(method, dtype)[name]
    allowed = {0: (0, 8), 2: (2,), 3: (3,)}[problem["status"]]
    if dtype == np.float32:
        allowed += (4,) * (name in HARD_IN_FLOAT32)
    assert int(res.status) in allowed
    if problem["fun"] is not None and res.success:
        assert abs(res.fun - problem["fun"]) <= OPTIMUM[dtype] * (1 + abs(problem["fun"]))


@methods
@dtypes
@names
def test_success_is_true(name, method, dtype):
    """Feasible, dual feasible and without a gap, as recomputed."""
    problem, res = PROGRAMS[name], solved(method, dtype)[name]
    if not res.success:
        return
    x, y_ub, y_eq = unpadded(res, problem)
    lower, upper = problem["bounds"].T
    scale = lambda A, b: (
        np.abs(A) @ np.abs(x) + np.where(np.isfinite(b), np.abs(b), 0.0) + np.max(np.abs(A), 1, initial=0.0) + 1e-300
    )
    over = problem["A_ub"] @ x - problem["b_ub"]
    apart = np.abs(problem["A_eq"] @ x - problem["b_eq"])
    assert np.all(over <= FEASIBLE[dtype] * scale(problem["A_ub"], problem["b_ub"]))
    assert np.all(apart <= FEASIBLE[dtype] * scale(problem["A_eq"], problem["b_eq"]))
    assert np.all((x >= lower.astype(dtype)) & (x <= upper.astype(dtype)))
    assert np.all(y_ub <= 0)
    A, y = np.concatenate([problem["A_ub"], problem["A_eq"]]), np.concatenate([y_ub, y_eq])
    z, terms = problem["c"] - A.T @ y, np.abs(A).T @ np.abs(y) + np.abs(problem["c"])
    noise = FEASIBLE[dtype] * (terms + np.max(np.abs(A), 0, initial=0.0))
    assert np.all((z >= -noise) | np.isfinite(upper))
    assert np.all((z <= noise) | np.isfinite(lower))
    at_bound = np.where(z > 0, np.where(np.isfinite(lower), lower, 0.0), np.where(np.isfinite(upper), upper, 0.0))
    b = np.concatenate([np.where(np.isfinite(problem["b_ub"]), problem["b_ub"], 0.0), problem["b_eq"]])
    dual = y @ b + z @ at_bound
    size = np.abs(problem["c"]) @ np.abs(x) + np.abs(y) @ np.abs(b) + 1.0
    assert abs(problem["c"] @ x - dual) <= FEASIBLE[dtype] * size


@methods
@dtypes
@names
def test_rays_prove_what_they_are_returned_for(name, method, dtype):
    problem, res = PROGRAMS[name], solved(method, dtype)[name]
    n, p = problem["c"].size, len(problem["b_ub"])
    dual, primal = np.asarray(res.ray_dual, float), np.asarray(res.ray_primal, float)
    assert np.all(np.isnan(dual)) == (res.status != 2)
    assert np.all(np.isnan(primal)) == (res.status != 3)
    lower, upper = problem["bounds"].T
    if res.status == 2:
        y_ub, y_eq = dual[:p], dual[INEQUALITIES:][: len(problem["b_eq"])]
        pull = problem["A_ub"].T @ y_ub + problem["A_eq"].T @ y_eq
        finite = lambda b: np.where(np.isfinite(b), b, 0.0)
        most = np.sum(np.where(pull > 0, pull * finite(upper), pull * finite(lower)))
        margin = finite(problem["b_ub"]) @ y_ub + problem["b_eq"] @ y_eq - most
        assert np.all(y_ub <= 0)
        assert margin > 0
        endless = np.maximum(np.where(np.isinf(upper), pull, 0.0), np.where(np.isinf(lower), -pull, 0.0))
        assert np.all(endless <= 10 * FEASIBLE[dtype] * margin)
    if res.status == 3:
        d = primal[:n]
        size = np.max(np.abs(d))
        assert problem["c"] @ d < 0
        assert np.all(problem["A_ub"] @ d <= FEASIBLE[dtype] * np.max(np.abs(problem["A_ub"]), initial=1.0) * size)
        assert np.all(np.abs(problem["A_eq"] @ d) <= FEASIBLE[dtype] * np.max(np.abs(problem["A_eq"]), initial=1.0) * size)
        assert np.all((d >= 0) | np.isinf(lower))
        assert np.all((d <= 0) | np.isinf(upper))


ALONE = {
    "no rows": box(6),
    "no rows, unbounded": no_constraints(1.0),
    "equations": transportation(3, 4),
    "inequalities": known_optimum(3, 7, 0),
    "inequalities, infeasible": infeasible(3, 5),
}


@methods
@pytest.mark.parametrize("kind", ALONE)
def test_shapes_that_padding_hides(kind, method):
    problem = ALONE[kind]
    res = linprog(*(problem[name] for name in ("c", "A_ub", "b_ub", "A_eq", "b_eq", "bounds")), method=method)
    assert int(res.status) == problem["status"]
    if problem["status"] == 0:
        assert abs(res.fun - problem["fun"]) <= 1e-6 * (1 + abs(problem["fun"]))


def knapsack(rng, lanes):
    """Small feasible programs (c, b) for one A, and that A."""
    A = rng.uniform(0.1, 2.0, (3, 6))
    return A, rng.uniform(0.5, 2.0, (lanes, 3)), -rng.uniform(0.1, 2.0, (lanes, 6))


@methods
def test_lanes_are_strangers(method, rng):
    """Infeasible, unbounded, not a number and crossed bounds among 400 others, which end as they do without them."""
    A, b, c = knapsack(rng, 400)
    lower, upper = np.zeros((400, 6)), np.full((400, 6), np.inf)
    solve = jax.vmap(lambda b, c, lower, upper: linprog(c, A, b, bounds=jnp.stack([lower, upper], -1), method=method))
    clean = solve(b, c, lower, upper)
    assert np.all(clean.status == 0)
    poison = {3: np.arange(7, 400, 20), 2: np.arange(9, 400, 20), 7: np.arange(11, 400, 20)}
    lower[poison[3], 0], c[poison[3], 0] = -np.inf, 1.0
    lower[poison[2], 0] = 100.0
    b[poison[7][::2], 1] = np.nan
    lower[poison[7][1::2], 2], upper[poison[7][1::2], 2] = 1.0, 0.0
    mixed = solve(b, c, lower, upper)
    for status, lanes in poison.items():
        np.testing.assert_array_equal(mixed.status[lanes], status)
    others = np.setdiff1d(np.arange(400), np.concatenate(list(poison.values())))
    np.testing.assert_array_equal(mixed.status[others], 0)
    np.testing.assert_allclose(mixed.fun[others], clean.fun[others], rtol=1e-7)
    assert np.all(np.isnan(jax.tree.leaves(jax.tree.map(lambda a: a[poison[2]], mixed.ray_primal))))


@methods
def test_vmap_is_loop(method, rng):
    A, b, c = knapsack(rng, 5)
    solve = lambda b, c: linprog(c, A, b, method=method)
    batch = jax.vmap(solve)(b, c)
    for lane in range(5):
        alone = solve(b[lane], c[lane])
        assert int(alone.status) == int(batch.status[lane]) == 0
        assert int(alone.nit) == int(batch.nit[lane])
        np.testing.assert_allclose(alone.x, batch.x[lane], atol=1e-6)
        np.testing.assert_allclose(alone.fun, batch.fun[lane], rtol=100 * eps(np.float64) ** 0.5)


@pytest.mark.slow
@methods
def test_a_shared_matrix_is_not_copied(method):
    """The compiled batch of 20,000 programs holds less than half of what 20,000 copies of A would take."""
    A = np.ones((40, 80))
    solve = jax.vmap(lambda b: linprog(jnp.ones(80), A_eq=A, b_eq=b, method=method).fun)
    compiled = jax.jit(solve).lower(jnp.ones((20_000, 40))).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 20_000 * A.nbytes / 2


@methods
def test_new_numbers_neither_trace_nor_compile_and_jit_is_eager(method, rng):
    A, b, c = knapsack(rng, 2)
    solve = lambda b, c: linprog(c, A, b, method=method, options={"tol": 1e-8})
    first, jitted = solve(b[0], c[0]), jax.jit(solve)(b[0], c[0])
    np.testing.assert_allclose(first.x, jitted.x, atol=1e-7)
    assert int(first.nit) == int(jitted.nit)
    with counting.compilations() as made:
        solve(b[1], c[1])
        linprog(c[1], 2 * A, b[0], method=method, options={"tol": 1e-7})
    assert made() == 0


@pytest.mark.slow
def test_a_problem_that_its_first_basis_solves_starves_nobody():
    """Idle lanes of the simplex method ask for a judgment for ever; those that wait longest are served first."""
    rng = np.random.default_rng(5)
    A = rng.integers(-2, 3, (4, 8)).astype(float)
    b, c = (A @ rng.integers(0, 3, (8, 100))).T.astype(float), rng.integers(0, 4, (100, 8)).astype(float)
    b, c = np.concatenate([b, np.zeros((30, 4))]), np.concatenate([c, np.ones((30, 8))])
    res = jax.vmap(lambda b, c: linprog(c, A_eq=A, b_eq=b, method="simplex"))(b, c)
    np.testing.assert_array_equal(res.status, 0)


@pytest.mark.slow
@dtypes
def test_a_vertex_is_one_of_many_solutions(dtype):
    """Transportation, whose solutions are a face, and an edge: as many variables between their bounds as rows, at most."""
    for problem in (transportation(3, 4), known_optimum(3, 7, 0)):
        args = [jnp.asarray(problem[name], dtype) for name in ("c", "A_ub", "b_ub", "A_eq", "b_eq", "bounds")]
        res = linprog(*args, options={"vertex": True})
        assert bool(res.success)
        between = (np.asarray(res.lower.residual) > 0) & (np.asarray(res.upper.residual) > 0)
        assert np.sum(between) <= res.basis.shape[0]
        assert np.all(np.asarray(res.basis) >= 0)
        np.testing.assert_allclose(res.fun, problem["fun"], rtol=1e-3 if dtype == np.float32 else 1e-7)
    edge = linprog(jnp.ones(2, dtype), -jnp.ones((1, 2), dtype), -jnp.ones(1, dtype), options={"vertex": True})
    np.testing.assert_allclose(np.sort(edge.x), [0.0, 1.0], atol=1e-5)
