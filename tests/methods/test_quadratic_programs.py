"""`quadprog`: worked examples, SciPy's SLSQP beside it, proofs, derivatives, and what is said of wrong calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import Status, quadprog
from tests.audit.quadratic import optimal, unbounded

P, Q = np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([-2.0, -5.0])
A, B = np.array([[-1.0, 2.0], [1.0, 2.0], [1.0, -2.0]]), np.array([2.0, 6.0, 2.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_three_constraint_example(dtype):
    """(x0 - 1)^2 + (x1 - 2.5)^2 in its polygon: (1.4, 1.7), by one active row with the multiplier 0.8."""
    res = quadprog(*(a.astype(dtype) for a in (P, Q, A, B)), bounds=(0, None))
    assert res.status == Status.CONVERGED
    tol = 1e-7 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=tol)
    np.testing.assert_allclose(res.fun, -6.45, atol=tol)
    np.testing.assert_allclose(res.ineqlin.marginals, [-0.8, 0.0, 0.0], atol=10 * tol)
    np.testing.assert_allclose(res.slack, B - A @ np.array([1.4, 1.7]), atol=4 * tol)
    assert res.x.dtype == dtype


def test_there_may_be_no_constraint_at_all():
    np.testing.assert_allclose(quadprog(P, Q).x, [1.0, 2.5], rtol=1e-8)
    np.testing.assert_allclose(quadprog(P, [0.0, 0.0]).x, 0.0, atol=1e-12)


def test_bounds_are_not_those_of_linprog():
    """By default there are none."""
    assert quadprog(P, -Q).x[0] < 0
    np.testing.assert_allclose(quadprog(P, -Q, bounds=(0, None)).x, 0.0, atol=1e-8)


def test_a_matrix_is_its_symmetric_part():
    skew = np.array([[0.0, 3.0], [-3.0, 0.0]])
    np.testing.assert_allclose(quadprog(P + skew, Q).x, quadprog(P, Q).x, rtol=1e-8)


def test_a_linear_program_and_a_fixed_variable():
    res = quadprog(np.zeros((2, 2)), [1.0, -1.0], bounds=[(0, 1), (0.25, 0.25)])
    assert res.success
    np.testing.assert_allclose(res.x, [0.0, 0.25], atol=1e-7)


def test_the_optimum_is_slsqps():
    """Of random programs, some of whose P is singular."""
    made = optimal(np.random.default_rng(5), 12, 3)
    solve = jax.jit(jax.vmap(lambda *a: quadprog(*a[:6], jnp.stack(a[6:], 1))))
    res = solve(*made[:-1])
    assert np.all(res.success)
    for i in range(12):
        p = type(made)(*(part[i] for part in made))
        theirs = scipy.optimize.minimize(
            lambda x, p=p: 0.5 * x @ p.P @ x + p.q @ x,
            np.clip(np.zeros(5), p.lower, p.upper),
            jac=lambda x, p=p: p.P @ x + p.q,
            method="SLSQP",
            bounds=scipy.optimize.Bounds(p.lower, p.upper),
            constraints=[
                {"type": "ineq", "fun": lambda x, p=p: p.b_ub - p.A_ub @ x},
                {"type": "eq", "fun": lambda x, p=p: p.A_eq @ x - p.b_eq},
            ],
            options={"ftol": 1e-12, "maxiter": 500},
        )
        assert res.fun[i] <= theirs.fun + 1e-6 * (1 + abs(theirs.fun))


def test_rays_prove_what_is_said():
    """Along `ray_primal` the objective falls and does not curve; `ray_dual` adds the rows to a contradiction."""
    made = unbounded(np.random.default_rng(2), 40)
    res = jax.jit(jax.vmap(lambda *a: quadprog(*a[:6], jnp.stack(a[6:], 1))))(*made[:-1])
    proved = np.asarray(res.status) == Status.UNBOUNDED
    assert proved.sum() >= 39
    d = np.asarray(res.ray_primal)[proved]
    d /= np.abs(d).max(1, keepdims=True)
    assert np.all(np.einsum("ki,ki->k", made.q[proved], d) < -1e-3)
    assert np.all(np.abs(np.einsum("kij,kj->ki", made.P[proved], d)) < 1e-6 * np.abs(made.P).max())
    none = quadprog(P, Q, [[1.0, 1.0], [-1.0, -1.0]], [-1.0, -1.0])
    y = np.asarray(none.ray_dual)
    assert none.status == Status.INFEASIBLE
    np.testing.assert_allclose(
        y @ np.array([[1.0, 1.0], [-1.0, -1.0]]), 0.0, atol=1e-7 * np.abs(y).max()
    )  # the tolerance is 1e-8
    assert y @ np.array([-1.0, -1.0]) > 0


def test_an_indefinite_matrix_is_bad_input_in_its_lane():
    bend = jnp.array([1.0, -1.0, 0.0])
    res = jax.vmap(lambda a: quadprog(jnp.diag(jnp.stack([1.0 + 0 * a, a])), [1.0, 0.0], bounds=(-1, 1)))(bend)
    assert list(res.status) == [Status.CONVERGED, Status.BAD_INPUT, Status.CONVERGED]


# --- derivatives ------------------------------------------------------------------------------------------------------


def program(t):
    """Everything moves; one row, one bound and the equation are active."""
    a, b = t
    bent = jnp.stack([jnp.stack([2 + a, b, 0 * a]), jnp.stack([b, 3 - a, 0 * a]), jnp.stack([0 * a, 0 * a, 1 + b])])
    q = jnp.stack([-1 + b, -4 - a, 2 * b + 3])
    rows, sides = jnp.stack([jnp.stack([a, 1 + 0 * a, b])]), jnp.stack([0.7 + b])
    total, sums = jnp.stack([jnp.stack([1 + 0 * a, 1 + b, 1 + 0 * a])]), jnp.stack([1 + a])
    return quadprog(
        bent,
        q,
        rows,
        sides,
        total,
        sums,
        bounds=jnp.stack([jnp.stack([-2 + 0 * a, 0 * a - 2, b - 0.1]), 9 * jnp.ones(3)], 1),
    )


def test_derivatives_are_differences_of_solves():
    t = jnp.array([0.2, 0.3])
    res = program(t)
    active = [res.slack[0] < 1e-7, res.x[2] - 0.2 < 1e-7]
    assert res.success
    assert all(active)

    @jax.jit
    def every(t):
        res = program(t)
        marginals = {"row": res.ineqlin.marginals, "equation": res.eqlin.marginals, "bound": res.lower.marginals[2]}
        return {"x": res.x, "fun": res.fun} | marginals

    forward, backward = jax.jit(jax.jacfwd(every))(t), jax.jit(jax.jacrev(every))(t)
    for i in range(2):
        h = 1e-3 * np.eye(2)[i]
        up, down = every(t + h), every(t - h)
        for name in up:
            difference = (np.asarray(up[name]) - np.asarray(down[name])) / 2e-3
            for mode in (forward, backward):
                np.testing.assert_allclose(np.asarray(mode[name])[..., i], difference, atol=2e-4, err_msg=name)


def test_the_multipliers_are_derivatives_of_the_optimum():
    value = lambda b: quadprog(P, Q, A, b, bounds=(0, None)).fun
    res = quadprog(P, Q, A, B, bounds=(0, None))
    np.testing.assert_allclose(jax.grad(value)(B), res.ineqlin.marginals, atol=1e-12)


def test_what_is_not_unique_has_no_derivative_but_the_optimum_has():
    """An equation stands twice: the multipliers are not unique."""
    twice = lambda b: quadprog(P, Q, A_eq=[[1.0, 1.0], [1.0, 1.0]], b_eq=jnp.stack([b, b]))
    res = twice(1.0)
    assert res.success
    np.testing.assert_allclose(res.x, [-0.25, 1.25], atol=1e-7)
    assert np.all(np.isnan(jax.jacobian(lambda b: twice(b).x)(1.0)))
    np.testing.assert_allclose(jax.grad(lambda b: twice(b).fun)(1.0), 2 * -0.25 - 2.0, rtol=1e-6)
    edge = lambda b: quadprog([[1.0]], jnp.stack([b]), bounds=(0, None)).x[0]
    assert np.isnan(jax.grad(edge)(0.0))


def test_one_matrix_for_a_batch_is_not_copied():
    """A lane takes less than one copy of P or A would."""
    lanes, n, m = 1024, 60, 100
    rng = np.random.default_rng(0)
    G, rows, x = rng.standard_normal((n, n)), rng.standard_normal((m, n)), rng.standard_normal((lanes, n))
    solve = jax.jit(jax.vmap(lambda q, b: quadprog(G @ G.T, q, rows, b).x))
    compiled = solve.lower(x, x @ rows.T + 1).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < lanes * n * n * 8


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: quadprog(np.eye(3), Q), r"P has shape \(3, 3\); q has 2 coefficients: give a matrix \(2, 2\)"),
        (lambda: quadprog(None, Q), "P is None; give the matrix of the objective"),
        (lambda: quadprog(P, None), "q is None; give the coefficients"),
        (lambda: quadprog(P, [1.0, np.nan]), "q holds NaN or infinity"),
        (lambda: quadprog(np.full((2, 2), np.inf), Q), "P holds NaN or infinity"),
        (lambda: quadprog(P, Q, A_ub=A), "A_ub is given, but b_ub is not"),
        (lambda: quadprog(P, Q, bounds=(1, 0)), "lower|bound"),
        (lambda: quadprog(P, Q, method="osqp"), "unknown method 'osqp' for quadprog"),
        (lambda: quadprog(P, Q, options={"maxfev": 3}), "a program has no function to evaluate; use 'maxiter'"),
        (lambda: quadprog(P, Q, options={"vertex": True}), "vertex"),
    ],
)
def test_wrong_calls_raise_with_the_remedy(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def _warmed(res):
    return {"x0": res.x, "multipliers": jnp.concatenate([res.ineqlin.marginals, res.eqlin.marginals])}


def _in_boxes(seed, lanes=24):
    rng = np.random.default_rng(seed)
    G, rows = rng.standard_normal((lanes, 6, 6)), rng.standard_normal((lanes, 3, 6))
    inside = rng.uniform(-0.5, 0.5, (lanes, 6))
    sides = np.einsum("kij,kj->ki", rows, inside)
    return G @ G.transpose(0, 2, 1) / 6, rng.standard_normal((lanes, 6)), rows, sides


def _of_boxes(P, q, rows, sides, **start):
    return quadprog(P, q, rows[1:], sides[1:], rows[:1], sides[:1], bounds=(-1.0, 1.0), **start)


def test_a_warm_start_saves_iterations_and_keeps_the_solution():
    P, q, rows, sides = _in_boxes(0)
    cold = jax.vmap(_of_boxes)(P, q, rows, sides)
    again = jax.vmap(lambda res, *a: _of_boxes(*a, **_warmed(res)))
    near = q * (1 + 1e-3 * np.random.default_rng(1).standard_normal(q.shape))
    fresh, warm = jax.vmap(_of_boxes)(P, near, rows, sides), again(cold, P, near, rows, sides)
    assert np.all(cold.success & fresh.success & warm.success)
    assert np.mean(warm.nit) <= 0.5 * np.mean(fresh.nit)
    np.testing.assert_allclose(warm.fun, fresh.fun, rtol=1e-6, atol=1e-6)
    assert np.mean(again(cold, P, q, rows, sides).nit) <= 2


def test_a_bad_warm_start_costs_no_truth():
    """Numbers from nowhere, huge ones and NaN: the statuses and values of a run without them."""
    P, q, rows, sides = _in_boxes(2)
    sides[::4, 0] = 100.0  # no point of the box satisfies the equation
    cold = jax.vmap(_of_boxes)(P, q, rows, sides)
    assert set(np.asarray(cold.status)) == {Status.CONVERGED, Status.INFEASIBLE}
    rng = np.random.default_rng(3)
    solve = jax.jit(jax.vmap(lambda x0, y, *a: _of_boxes(*a, x0=x0, multipliers=y)))
    for size in (1.0, 1e8, np.nan):
        res = solve(size * rng.standard_normal(q.shape), size * rng.standard_normal(sides.shape), P, q, rows, sides)
        np.testing.assert_array_equal(res.status, cold.status)
        np.testing.assert_allclose(
            np.asarray(res.fun)[cold.success], np.asarray(cold.fun)[cold.success], rtol=1e-6, atol=1e-6
        )


def test_half_a_warm_start_and_wrong_ones():
    res = quadprog(P, Q, A, B, x0=[1.4, 1.7])
    np.testing.assert_allclose(res.x, quadprog(P, Q, A, B).x, atol=1e-7)
    assert quadprog(P, Q, A, B, multipliers=[-0.8, 0.0, 0.0]).success
    assert quadprog(P, Q, x0=[1.0, 2.5]).success
    with pytest.raises(ValueError, match=r"x0 has shape \(3,\)"):
        quadprog(P, Q, A, B, x0=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="multipliers has shape"):
        quadprog(P, Q, A, B, multipliers=[1.0])
    with pytest.raises(ValueError, match="x0 holds NaN"):
        quadprog(P, Q, A, B, x0=[np.nan, 1.0])


def test_derivatives_do_not_ask_where_a_run_started():
    solve = lambda q, x0: quadprog(P, q, A, B, bounds=(0, None), x0=x0).x
    q, near = jnp.asarray(Q), jnp.array([1.0, 1.0])
    np.testing.assert_allclose(
        jax.jacobian(solve)(q, near), jax.jacobian(lambda q: quadprog(P, q, A, B, bounds=(0, None)).x)(q)
    )
    assert np.all(np.asarray(jax.jacobian(solve, 1)(q, near)) == 0)
