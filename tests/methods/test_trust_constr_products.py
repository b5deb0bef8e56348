"""trust-constr by products: nothing of n x m numbers, the same answers as with matrices, and no false success."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import BFGS, Bounds, LinearConstraint, NonlinearConstraint, minimize
from jaxopt_lite._families.constrained import nearest, trust_constr, trust_constr_products
from jaxopt_lite._needs.products import PRODUCTS, Vectors
from jaxopt_lite.api import methods
from jaxopt_lite.api.oracles.constrained import constrained
from jaxopt_lite.api.oracles.scalar import scalar_oracle
from jaxopt_lite.core import conjugate
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.protocol import Query
from tests.methods.test_slsqp import THREE, near
from tests.methods.test_slsqp import nearest as aim

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
BY = {"factorization_method": "products"}


def solve(fun, x0, options=BY, **given):
    return minimize(fun, x0, method="trust-constr", options=options, **given)


# --- its parts -----------------------------------------------------------------------------------------------------------


def curved(x):
    return jnp.stack([jnp.sum(x * x), x[0] * x[1] + jnp.sin(x[2])])


def quartic(x):
    return jnp.sum((x - 1.0) ** 4) + x[0] * x[2]


SPACE = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])


@pytest.mark.parametrize(
    "means", [{}, {"jac": jax.jacobian(curved)}, {"hess": lambda x, v: jax.hessian(lambda x: jnp.dot(v, curved(x)))(x)}],
    ids=["autodiff", "jac", "hess"],
)  # fmt: skip
def test_products_are_those_of_the_matrices(means):
    """In canonical order: the row with equal sides comes first."""
    start, layout = parse(np.array([0.3, -0.7, 1.1]))
    row = methods.find(methods.MINIMIZE, "trust-constr", "minimize")
    rows = [LinearConstraint(SPACE, -1.0, 1.0), NonlinearConstraint(curved, [-np.inf, 0.5], [2.0, 0.5], **means)]
    (oracle, traced), _ = constrained(scalar_oracle(PRODUCTS, layout, quartic, ()), rows, layout, row)
    x = jnp.asarray(start[0])
    every = lambda x: jnp.concatenate([curved(x)[1:], SPACE @ x, curved(x)[:1]])
    A, y, w = jax.jacobian(every)(x), jnp.array([1.0, -2.0, 0.5, 3.0]), jnp.array([0.2, 0.1, -1.0, 2.0])
    v, squares = jnp.array([1.0, 0.5, -2.0]), jnp.array([1.0, 0.25, 4.0])
    H = jax.hessian(lambda x: quartic(x) + jnp.dot(y, every(x)))(x)
    told = oracle.evaluate(Query(x, Vectors(y, v, w, squares)), traced)
    np.testing.assert_allclose(told.constraints, every(x), rtol=1e-14)
    for found, wanted in (
        (told.jv, A @ v),
        (told.jtw, A.T @ w),
        (told.normal, A @ (squares * (A.T @ w))),
        (told.hvp, H @ v),
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


@pytest.mark.parametrize("shortest", [False, True], ids=["projection", "shortest step"])
def test_a_search_ends_at_the_nearest_point(rng, shortest):
    """Turn by turn, with one slack that has a unit of its own and two that do not move."""
    n, m = 6, 3
    A, D = jnp.asarray(rng.normal(size=(m, n))), jnp.asarray(np.r_[rng.uniform(0.1, 1.0, n), 0.0, 0.3, 0.0])
    J = jnp.concatenate([A * D[None, :n], -jnp.diag(D[n:])], 1)
    base = jnp.zeros(n + m) if shortest else jnp.asarray(rng.normal(size=n + m))
    b = jnp.asarray(rng.normal(size=m)) if shortest else jnp.zeros(m)
    q = nearest.begun(nearest.empty(n, m, base.dtype), base, jnp.zeros(m), jnp.zeros(n), b, 0)
    done = solving = False
    for _ in range(40):
        jv = A @ nearest.asked(q, D, jnp.asarray(solving))
        if solving:
            jtw = A.T @ q.p
            q, ends = nearest.moved(q, D, jtw, A @ (D[:n] ** 2 * jtw), jv)
            solving = not ends
        else:
            q, done = nearest.afresh(q, D, jv)
            solving = True
        if done:
            break
    assert done
    wanted = base - J.T @ jnp.linalg.solve(J @ J.T, J @ base + b)
    np.testing.assert_allclose(q.rho, wanted, atol=1e-7)
    np.testing.assert_allclose(q.rho, base + J.T @ q.y, atol=1e-14)
    np.testing.assert_allclose(q.pull, A.T @ q.y, atol=1e-13)


def test_the_judge_finds_nearest_points_and_minimizers_of_its_own(rng):
    A, base = jnp.asarray(rng.normal(size=(3, 7))), jnp.asarray(rng.normal(size=7))
    A = jnp.concatenate([A, A[:1] + A[1:2]])  # the last row depends on the first ones
    along, across, none = (lambda x: A @ x), (lambda w: A.T @ w), jnp.zeros(4)
    P = np.eye(7) - np.linalg.pinv(A) @ A
    found = conjugate.nearest(base, none, along, across)
    assert found.held
    np.testing.assert_allclose(found.x, P @ base, atol=1e-11)
    np.testing.assert_allclose(base + A.T @ found.y, found.x, atol=1e-13)
    assert not conjugate.nearest(base, jnp.array([1.0, 1.0, 0.0, 5.0]), along, across).held  # these contradict

    project = lambda v: conjugate.nearest(v, none, along, across).x
    H, slope = np.diag([3.0, 1.0, 2.0, 5.0, 1.0, 4.0, 2.0]), project(base)
    best = conjugate.minimizer(slope, lambda v: H @ v, project)
    exact = -np.linalg.pinv(P @ H @ P, rcond=1e-10) @ np.asarray(slope)
    assert best.solved
    np.testing.assert_allclose(best.p, exact, atol=1e-6)
    np.testing.assert_allclose(best.gain, -0.5 * slope @ exact, rtol=1e-9)
    assert conjugate.minimizer(slope, lambda v: -v, project).saddle
    assert conjugate.minimizer(slope, jnp.zeros_like, project).flat


# --- worked examples -----------------------------------------------------------------------------------------------------


def example(x0, right=2.0):
    """SciPy's tutorial problem, with another right side of the row that holds."""
    rows = [{"type": "ineq", "fun": lambda x: x[0] - 2 * x[1] + right}, *THREE[1:]]
    return solve(aim, x0, constraints=rows, bounds=[(0, None)] * 2)


def test_the_three_constraint_example_in_float32():
    res = example(np.array([2.0, 0.0], np.float32))
    assert res.success
    assert res.x.dtype == res.multipliers.dtype == res.lagrangian_grad.dtype == np.float32
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=near(np.float32))
    np.testing.assert_allclose(res.multipliers, [-0.8, 0.0, 0.0], atol=near(np.float32))


def test_lanes_of_a_batch_are_their_solo_runs():
    """In the last lane the row does not hold."""
    x0, right = jnp.array([2.0, 0.0]), jnp.array([2.0, 1.0, 6.0])
    batch = jax.vmap(lambda r: example(x0, r))(right)
    assert np.all(batch.success)
    np.testing.assert_allclose(batch.x[0], [1.4, 1.7], atol=near(np.float64))
    for k in range(3):
        alone = example(x0, right[k])
        np.testing.assert_allclose(batch.x[k], alone.x, atol=1e-10)
        assert batch.status[k] == alone.status
        assert batch.nit[k] == alone.nit <= 20
        assert alone.nfev == alone.nhev > 100  # each product is one
    assert [part.shape for part in alone.v] == [(1,), (1,), (1,), (2,)]


def test_nothing_is_believed_that_is_not_a_minimum():
    saddle = solve(lambda x: x[0] ** 2 - x[1] ** 2, np.zeros(2))
    assert not saddle.success
    rows = [{"type": "ineq", "fun": lambda x: x[0] + x[1] - 2}, {"type": "ineq", "fun": lambda x: 1 - x[0] - x[1]}]
    contradicting = solve(aim, np.zeros(2), constraints=rows)
    assert not contradicting.success
    assert contradicting.maxcv >= 0.5 * (1 - 1e-6)


# --- many variables ------------------------------------------------------------------------------------------------------


def circles(x):
    """A row for each pair of variables: m = n / 2."""
    return jnp.sum(x.reshape(-1, 2) ** 2, axis=1)


def bent_sum(x, a):
    return jnp.sum((x - a) ** 2) + 0.1 * jnp.sum((x[1:] - x[:-1]) ** 4)


def posed(n, dtype=np.float64):
    """Half of the disks are equations; variables lie in a box that some leave without it."""
    a, k = (2.0 * np.sin(0.9 * np.arange(n))).astype(dtype), np.arange(n // 2)
    disks = NonlinearConstraint(circles, np.where(k % 2, -np.inf, 1.0), np.ones(n // 2))
    start = (0.4 + 0.3 * np.cos(np.arange(n))).astype(dtype)
    return a, start, disks, Bounds(np.full(n, -0.9, dtype), np.full(n, 0.95, dtype))


@DTYPES
def test_a_thousand_variables(dtype):
    """The products are chosen by the number of variables, and what is found is a point of Karush, Kuhn and Tucker."""
    n = 1000
    a, start, disks, box = posed(n, dtype)
    fun = lambda x: bent_sum(x, a)
    res = solve(fun, start, options=None, constraints=disks, bounds=box)
    assert res.success
    assert res.nfev > 10 * res.nit
    x = jnp.asarray(np.asarray(res.x, np.float64))
    k = np.arange(n // 2)
    worst = np.where(k % 2, np.maximum(circles(x) - 1, 0), np.abs(circles(x) - 1))
    assert np.max(worst) <= near(dtype)
    order, y = np.argsort(k % 2, kind="stable"), np.asarray(res.multipliers, np.float64)  # equations first
    slope = jax.grad(lambda x: bent_sum(x, a.astype(np.float64)) + jnp.dot(y, circles(x)[order]))(x)
    low, high = (np.asarray(side) for side in (res.x <= box.lb, res.x >= box.ub))
    left = np.where(low, np.minimum(slope, 0), np.where(high, np.maximum(slope, 0), slope))
    assert np.max(np.abs(left)) <= 100 * near(dtype)
    assert np.min(y[n // 4 :]) >= -near(dtype)


def largest(jaxpr):
    """Numbers of the largest array that a program makes, its inner programs included."""
    sizes = [0]
    for equation in jaxpr.eqns:
        sizes += [getattr(v.aval, "size", 0) for v in equation.outvars]
        for value in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns") or hasattr(p, "jaxpr")
        ):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                sizes.append(largest(inner))
    return max(sizes)


def test_ten_thousand_variables_make_no_matrix():
    """No array of the solve, its certificate included, is a tenth of the Jacobian; that of 600 with matrices is."""

    def numbers(n, options):
        a, start, disks, box = posed(n)
        one = lambda x0: solve(lambda x: bent_sum(x, a), x0, options=options, constraints=disks, bounds=box).x
        return largest(jax.make_jaxpr(one)(start).jaxpr)

    n, m = 10_000, 5_000
    assert numbers(n, None) < 50 * (n + m) < n * m / 10
    assert numbers(600, {"factorization_method": "NormalEquation"}) >= 600 * 300


# --- what can be given ---------------------------------------------------------------------------------------------------


def test_the_number_of_variables_chooses():
    chosen = lambda size, given=None: trust_constr.build({"factorization_method": given, "verbose": 0, "size": size})
    assert chosen(500) is chosen(None) is chosen(10_000, "NormalEquation") is trust_constr.METHOD
    assert chosen(501) is chosen(2, "products") is trust_constr_products.METHOD


def test_a_strategy_learns_a_matrix_and_says_what_to_give():
    with pytest.raises(ValueError, match=r"strategy.*products alone.*NormalEquation"):
        solve(aim, np.zeros(2), hess=BFGS())
