"""`linprog` beside SciPy: its documented examples, marginals, bounds in every form, derivatives, and wrong calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from jaxopt_lite import linprog

METHODS = ("interior-point", "simplex", "highs")
methods = pytest.mark.parametrize("method", METHODS)

A, B, C = np.array([[-3.0, 1.0], [1.0, 2.0]]), np.array([6.0, 4.0]), np.array([-1.0, 4.0])
BOUNDS = [(None, None), (-3.0, None)]  # SciPy's documented example: -22 at (10, -3)


@methods
def test_documented_example(method):
    res = linprog(C, A_ub=A, b_ub=B, bounds=BOUNDS, method=method)
    assert bool(res.success)
    assert int(res.status) == 0
    np.testing.assert_allclose(res.x, [10.0, -3.0], atol=1e-7)
    np.testing.assert_allclose(res.fun, -22.0, rtol=1e-8)
    np.testing.assert_allclose(res.slack, [39.0, 0.0], atol=1e-6)
    assert res.con.shape == (0,)


@methods
def test_all_fields_are_scipys(method):
    """A program with every kind of constraint and a unique, nondegenerate solution."""
    c = np.array([1.0, -2.0, 0.5, 3.0])
    rows = {"A_ub": np.array([[1.0, 1.0, 0.0, -1.0], [0.0, 2.0, -1.0, 0.0]]), "b_ub": np.array([4.0, 3.0])}
    rows |= {"A_eq": np.array([[1.0, -1.0, 2.0, 1.0]]), "b_eq": np.array([1.5])}
    bounds = [(0.0, None), (None, 2.5), (-1.0, 1.0), (0.25, None)]
    ours, theirs = linprog(c, **rows, bounds=bounds, method=method), scipy.optimize.linprog(c, **rows, bounds=bounds)
    assert int(ours.status) == theirs.status == 0
    for name in ("x", "fun", "slack", "con"):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-6, err_msg=name)
    for name in ("ineqlin", "eqlin", "lower", "upper"):
        for part in ("residual", "marginals"):
            np.testing.assert_allclose(getattr(ours[name], part), theirs[name][part], atol=1e-6, err_msg=f"{name}.{part}")
    assert float(ours.maxcv) <= 1e-7
    assert "Converged" in ours.message


@pytest.mark.parametrize(
    "bounds",
    [
        [(None, None), (-3, None)],
        [(-np.inf, np.inf), (-3.0, np.inf)],
        np.array([[-np.inf, np.inf], [-3.0, np.inf]]),
        jnp.array([[-jnp.inf, jnp.inf], [-3.0, jnp.inf]]),
        scipy.optimize.Bounds([-np.inf, -3.0], [np.inf, np.inf]),
        ((None, None), (-3.0, None)),
    ],
    ids=["None", "inf", "numpy", "jax", "Bounds", "tuples"],
)
def test_bounds_in_every_form(bounds):
    np.testing.assert_allclose(linprog(C, A, B, bounds=bounds).x, [10.0, -3.0], atol=1e-7)


def test_one_pair_for_all_variables_and_none_at_all():
    one = linprog([1.0, 1.0], bounds=(-2.0, 3.0))
    np.testing.assert_allclose(one.x, [-2.0, -2.0], atol=1e-6)
    np.testing.assert_allclose(linprog([1.0, 1.0]).x, [0.0, 0.0], atol=1e-7)
    np.testing.assert_allclose(linprog([1.0, 1.0], bounds=None).x, [0.0, 0.0], atol=1e-7)


@methods
def test_infeasible_and_unbounded_say_so(method):
    infeasible = linprog([1.0, 1.0], [[1.0, 1.0]], [-1.0], method=method)
    assert int(infeasible.status) == 2
    assert not bool(infeasible.success)
    assert float(infeasible.ray_dual[0]) < 0  # y (x1 + x2) <= -y has no solution with x >= 0
    unbounded = linprog([-1.0, 1.0], [[-1.0, 1.0]], [1.0], method=method)
    assert int(unbounded.status) == 3
    assert float(C[0] * unbounded.ray_primal[0]) < 0


@methods
def test_derivatives_of_the_optimum_are_the_multipliers(method):
    solve = lambda c, A, b, low: linprog(
        c, A, b, bounds=jnp.stack([jnp.array([-jnp.inf, low]), jnp.full(2, jnp.inf)], -1), method=method
    )
    point = jnp.asarray(C), jnp.asarray(A), jnp.asarray(B), jnp.asarray(-3.0)
    dc, dA, db, dlow = jax.grad(lambda *args: solve(*args).fun, (0, 1, 2, 3))(*point)
    res = solve(*point)
    np.testing.assert_allclose(dc, res.x, rtol=1e-7)
    np.testing.assert_allclose(db, [0.0, -1.0], atol=1e-7)
    np.testing.assert_allclose(dA, -np.outer([0.0, -1.0], [10.0, -3.0]), atol=1e-6)
    np.testing.assert_allclose(dlow, 6.0, rtol=1e-6)
    h = 1e-3
    for k in range(4):
        grad = (dc, dA, db, dlow)[k]
        for i in np.ndindex(grad.shape):
            values = [float(solve(*(p.at[i].add(s * h) if j == k else p for j, p in enumerate(point))).fun) for s in (1, -1)]
            np.testing.assert_allclose(grad[i], (values[0] - values[1]) / (2 * h), atol=1e-4)


@methods
def test_a_vertex_moves_with_its_basis(method):
    """x = (4 - 2 x2, x2) with x2 at its bound: forward, reverse and second derivatives."""
    solve = lambda t: linprog(t[:2], A, t[2:], bounds=BOUNDS, method=method)
    point = jnp.concatenate([jnp.asarray(C), jnp.asarray(B)])
    expected = [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    np.testing.assert_allclose(jax.jacfwd(lambda t: solve(t).x)(point), expected, atol=1e-7)
    np.testing.assert_allclose(jax.jacrev(lambda t: solve(t).x)(point), expected, atol=1e-7)
    hessian = jax.hessian(lambda t: solve(t).fun)(point)
    mixed = np.zeros((4, 4))
    mixed[0, 3] = mixed[3, 0] = 1.0  # d fun / d b = c1 there
    np.testing.assert_allclose(hessian, mixed, atol=1e-7)
    multipliers = jax.jacfwd(lambda t: solve(t).ineqlin.marginals)(point)
    np.testing.assert_allclose(multipliers, [[0, 0, 0, 0], [1.0, 0, 0, 0]], atol=1e-7)


def test_no_vertex_no_derivative_of_x_but_of_the_optimum():
    """min x1 + x2 on x1 + x2 >= 1: an edge of solutions."""
    solve = lambda b: linprog([1.0, 1.0], [[-1.0, -1.0]], -b[None])
    assert np.all(np.isnan(jax.jacfwd(lambda b: solve(b).x)(jnp.asarray(1.0))))
    np.testing.assert_allclose(jax.grad(lambda b: solve(b).fun)(jnp.asarray(1.0)), 1.0, rtol=1e-6)


def test_no_success_no_derivative():
    solve = lambda b: linprog([1.0, 1.0], [[1.0, 1.0]], b[None])
    assert np.isnan(jax.grad(lambda b: solve(b).fun)(jnp.asarray(-1.0)))
    assert np.isfinite(jax.grad(lambda b: solve(b).fun)(jnp.asarray(1.0)))


def test_a_callback_of_simplex_sees_the_tableau():
    seen = []
    res = linprog(
        [-3.0, -2.0],
        [[1.0, 1.0], [1.0, 0.0]],
        [4.0, 3.0],
        method="simplex",
        callback=lambda xk, **more: seen.append((xk, more)),
    )
    np.testing.assert_allclose(res.x, [3.0, 1.0], atol=1e-9)
    assert len(seen) == int(res.nit)
    for k, (xk, more) in enumerate(seen):
        assert xk.shape == (2,)
        assert set(more) == {"nit", "tableau", "phase", "pivot", "basis"}
        assert more["nit"] == k + 1
        assert more["tableau"].shape[0] == 3
        assert more["basis"].shape == (2,)
    np.testing.assert_allclose(seen[-1][0], res.x, atol=1e-9)


def test_a_callback_may_stop_the_run():
    def callback(xk):
        raise StopIteration

    res = linprog(C, A, B, bounds=BOUNDS, callback=callback)
    assert int(res.status) == 6
    assert int(res.nit) == 1


def test_highs_takes_sparse_matrices_and_integers():
    sparse = scipy.sparse.csr_array(A)
    res = linprog(C, sparse, B, bounds=BOUNDS, method="highs")
    np.testing.assert_allclose(res.x, [10.0, -3.0])
    np.testing.assert_allclose(res.lower.marginals, [0.0, 6.0])
    whole = linprog([-1.0, -1.0], [[2.0, 2.0]], [5.0], method="highs", integrality=1)
    np.testing.assert_allclose(whole.fun, -2.0)
    for door in ("highs-ds", "highs-ipm"):
        np.testing.assert_allclose(linprog(C, A, B, bounds=BOUNDS, method=door).fun, -22.0, rtol=1e-7)


def test_highs_under_vmap_is_a_loop():
    c = np.array([[-1.0, 4.0], [-2.0, 4.0], [1.0, np.nan]])
    res = jax.vmap(lambda c: linprog(c, A, B, bounds=BOUNDS, method="highs"))(jnp.asarray(c))
    np.testing.assert_array_equal(res.status, [0, 0, 7])
    np.testing.assert_allclose(res.fun[:2], [-22.0, -32.0])


WRONG = {
    "c is None": ((None,), {}, "c is None"),
    "empty c": (([],), {}, "c is empty"),
    "matrix c": ((np.ones((2, 2)),), {}, "c has shape"),
    "A_ub of other width": (([1.0, 2.0], [[1.0, 2.0, 3.0]], [1.0]), {}, "A_ub has shape"),
    "b_ub of other length": (([1.0, 2.0], [[1.0, 2.0]], [1.0, 2.0]), {}, "b_ub has shape"),
    "A_eq of other width": (([1.0],), {"A_eq": [[1.0, 2.0]], "b_eq": [1.0]}, "A_eq has shape"),
    "b_eq without A_eq": (([1.0],), {"b_eq": [1.0]}, "b_eq is given"),
    "A_ub without b_ub": (([1.0], [[1.0]]), {}, "A_ub is given"),
    "NaN in A_ub": (([1.0], [[np.nan]], [1.0]), {}, "A_ub holds NaN"),
    "inf in b_ub": (([1.0], [[1.0]], [np.inf]), {}, "b_ub holds NaN"),
    "inf in c": (([np.inf],), {}, "c holds NaN"),
    "complex": (([1j],), {}, "c is complex"),
    "text": ((["a"],), {}, "c"),
    "crossed": (([1.0, 1.0],), {"bounds": [(0, 1), (2, 1)]}, "crossed"),
    "NaN bound": (([1.0],), {"bounds": [(np.nan, 1)]}, "NaN"),
    "three pairs for two": (([1.0, 1.0],), {"bounds": [(0, 1)] * 3}, "bounds"),
    "triples": (([1.0, 1.0],), {"bounds": [(0, 1, 2)] * 2}, "bounds"),
    "method": (([1.0],), {"method": "interior_pont"}, "interior-point"),
    "option": (([1.0],), {"options": {"toll": 1.0}}, "tol"),
    "option of highs": (([1.0],), {"method": "highs", "options": {"tol": 1e-9}}, "HiGHS refuses option 'tol'"),
    "value of highs": (([1.0],), {"method": "highs", "options": {"time_limit": -1.0}}, "'time_limit' with the value -1.0"),
    "sparse": (([1.0], scipy.sparse.csr_array([[1.0]]), [1.0]), {}, "highs"),
    "integers": (([1.0],), {"integrality": 1}, "highs"),
    "x0": (([1.0],), {"x0": [1.0]}, "x0"),
    "maxfev": (([1.0],), {"options": {"maxfev": 3}}, "maxiter"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_calls_name_the_operand(kind):
    args, keywords, words = WRONG[kind]
    with pytest.raises(ValueError, match=words):
        linprog(*args, **keywords)


def test_highs_refuses_an_option_before_it_is_called():
    """Under jit too: the sentence is a ValueError of the trace, not of a callback."""
    with pytest.raises(ValueError, match="HiGHS refuses option 'presolve'"):
        jax.eval_shape(lambda c: linprog(c, A, B, method="highs", options={"presolve": "none"}).fun, jnp.asarray(C))


def test_traced_bad_data_are_bad_input_in_their_lane():
    b = jnp.array([[4.0], [jnp.nan], [-1.0]])
    high = jnp.array([1.0, 1.0, 1.0])
    low = jnp.array([0.0, 0.0, 2.0])
    solve = lambda b, low, high: linprog([1.0], [[1.0]], b, bounds=jnp.stack([low, high])[None])
    np.testing.assert_array_equal(jax.vmap(solve)(b, low, high).status, [0, 7, 7])


@pytest.mark.parametrize("method", METHODS)
def test_float32_in_float32_out(method):
    args = (jnp.asarray(a, jnp.float32) for a in (C, A, B))
    res = linprog(*args, bounds=BOUNDS, method=method)
    assert {res.x.dtype, res.fun.dtype, res.slack.dtype, res.lower.marginals.dtype} == {jnp.dtype("float32")}
    np.testing.assert_allclose(res.x, [10.0, -3.0], rtol=1e-3)


def test_the_budget_is_the_budget():
    res = linprog(C, A, B, bounds=BOUNDS, options={"maxiter": 2})
    assert int(res.status) == 1
    assert int(res.nit) == 2
    assert not bool(res.success)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["interior-point", "simplex"])
def test_random_programs_end_as_with_highs(method):
    """Small integers, bounds of every kind, degenerate, infeasible and unbounded ones: 150 programs of one shape."""
    rng = np.random.default_rng(11)
    programs = [random_program(rng, n=5, p=3, q=2) for _ in range(150)]
    batch = [jnp.asarray(np.stack(part)) for part in zip(*programs, strict=True)]
    res = jax.vmap(lambda *program: linprog(*program, method=method))(*batch)
    for k, program in enumerate(programs):
        theirs = scipy.optimize.linprog(*program)
        if theirs.status == 4:  # HiGHS could not tell either
            continue
        assert int(res.status[k]) == theirs.status, program
        if theirs.status == 0:
            np.testing.assert_allclose(res.fun[k], theirs.fun, rtol=1e-6, atol=1e-6)


def random_program(rng, n, p, q):
    """(c, A_ub, b_ub, A_eq, b_eq, bounds); two in three were feasible at a vertex of small integers."""
    A_ub, A_eq = (rng.integers(-2, 3, (rows, n)) * (rng.random((rows, n)) < 0.8) for rows in (p, q))
    x = rng.integers(-2, 3, n)
    kind = rng.integers(0, 5, n)  # free, lower, upper, both, fixed
    lower = np.where((kind == 0) | (kind == 2), -np.inf, x - rng.integers(0, 2, n) * (kind < 4))
    upper = np.where((kind == 0) | (kind == 1), np.inf, x + rng.integers(0, 2, n) * (kind < 4))
    feasible = rng.random() < 0.67
    b_ub = A_ub @ x + rng.integers(0, 3, p) if feasible else rng.integers(-3, 4, p)
    b_eq = A_eq @ x if feasible else rng.integers(-3, 4, q)
    c = rng.integers(-3, 4, n)
    return tuple(np.asarray(part, float) for part in (c, A_ub, b_ub, A_eq, b_eq, np.stack([lower, upper], 1)))
