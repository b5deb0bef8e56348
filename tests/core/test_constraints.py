"""Rows of constraints by every means that a user has, against derivatives by hand and SciPy's own objects."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from scipy.optimize._constraints import PreparedConstraint

from jaxopt_lite.api.oracles.constrained import close_constraints
from jaxopt_lite.api.reading.constraint_classes import LinearConstraint, NonlinearConstraint
from jaxopt_lite.api.reading.constraints import read_constraints
from jaxopt_lite.core.constraints import gradient, second_order, values, values_and_jacobian, violation
from jaxopt_lite.core.differences import differences
from jaxopt_lite.core.layout import parse
from tests.core.tolerance import DTYPES, assert_close, shapes
from tests.laws.counting import occurrences

X = np.array([0.3, -1.7, 2.5])
A = np.array([2.0, -0.5])
SCALE = 1.5
MATRIX = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]])
MEANS = ("autodiff", "jac", "2-point", "3-point", "cs")
SIDES = ([0.0, -np.inf], [0.0, 1.0])  # of `pair`: an equality, and one side

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def pair(x, a):
    """Two rows of three variables."""
    return jnp.stack([x[0] ** 2 + a[0] * x[1], x[0] * jnp.sin(a[1] * x[2])])


def jac_of_pair(x, a):
    return [[2 * x[0], a[0], 0], [jnp.sin(a[1] * x[2]), 0, a[1] * x[0] * jnp.cos(a[1] * x[2])]]


def hess_of_pair(x, v, a):
    cross, last = a[1] * jnp.cos(a[1] * x[2]), -(a[1] ** 2) * x[0] * jnp.sin(a[1] * x[2])
    return jnp.array([[2 * v[0], 0, v[1] * cross], [0, 0, 0], [v[1] * cross, 0, v[1] * last]])


def product(x, scale):
    """One row, a number."""
    return scale * x[0] * x[1] * x[2] - 1


def jac_of_product(x, scale):
    return scale * jnp.stack([x[1] * x[2], x[0] * x[2], x[0] * x[1]])


def hess_of_product(x, scale):
    return scale * jnp.array([[0, x[2], x[1]], [x[2], 0, x[0]], [x[1], x[0], 0]])


def mixed(mean, dtype, a=None, hess=False, upper=None):
    """Every form once: an inequality before equalities, and one object that is both."""
    a = jnp.asarray(A, dtype) if a is None else a
    jacs = {"autodiff": (None, None), "jac": (lambda x: jac_of_pair(x, a), jac_of_product)}.get(mean, (mean, mean))
    own = lambda x, v: hess_of_pair(x, v, a)
    fun = (lambda x: pair(x, a.astype(x.dtype))) if mean == "cs" else (lambda x: pair(x, a))
    return [
        {"type": "ineq", "fun": product, "jac": jacs[1], "args": (SCALE,)},
        NonlinearConstraint(fun, *SIDES, jacs[0], own if hess else None, [False, True]),
        LinearConstraint(MATRIX, [-1.0, 4.0], [2.0, 4.0] if upper is None else upper, keep_feasible=True),
        {"type": "EQ", "fun": product, "jac": jacs[1], "args": SCALE},
    ]


ORDER = (1, 4, 5, 0, 2, 3)  # rows of `mixed`, one after another: equalities first
LOWER, UPPER = np.array([0.0, 4, 0, 0, -np.inf, -1]), np.array([0.0, 4, 0, np.inf, 1, 2])


def layout_of(x):
    return parse(x)[1]


def close(constraints, x):
    return close_constraints(read_constraints(constraints, layout_of(x)), layout_of(x))


def by_hand(x, a):
    """c and its Jacobian in canonical order."""
    p, q = np.asarray(pair(x, a)), np.asarray(product(x, SCALE))
    rows = np.array([q, *p, *(MATRIX @ x), q])
    slope = np.asarray(jac_of_product(x, SCALE))
    jacobian = np.stack([slope, *np.array(jac_of_pair(x, a)), *MATRIX, slope])
    return rows[np.array(ORDER)], jacobian[np.array(ORDER)]


def curvature_by_hand(x, a, y):
    own = np.asarray(hess_of_pair(x, jnp.array([y[0], y[4]]), a))
    return own + (y[2] + y[3]) * np.asarray(hess_of_product(x, SCALE))


Y = np.array([1.0, -2.0, 0.5, 3.0, -1.0, 2.0])  # multipliers in canonical order
P = np.array([[1.0, 0.5], [-2.0, 1.0], [0.3, -1.0]])


@functools.cache
def answers(dtype):
    """Everything by every means, in one compilation."""
    x, y, p = (jnp.asarray(v, dtype) for v in (X, Y, P))
    closed = {mean: close(mixed(mean, dtype), x) for mean in MEANS} | {"hess": close(mixed("autodiff", dtype, hess=True), x)}

    def evaluate(traced):
        made = {}
        for mean, (parts, *_) in closed.items():
            t = traced[mean]
            slopes = jax.linearize(lambda x, parts=parts, t=t: gradient(parts, t, x, y), x)
            made[mean] = (values(parts, t, x), *values_and_jacobian(parts, t, x), slopes[0], slopes[1](p[:, 0]))
            made[mean] += (t.lower, t.upper)
            c, jacobian, times = second_order(parts, t, x, y)
            made[mean] += (c, jacobian, times(p))
        return made

    return jax.jit(evaluate)({mean: made.traced for mean, made in closed.items()})


@dtypes
@pytest.mark.parametrize("mean", [*MEANS, "hess"])
def test_values_jacobians_and_curvature_by_every_means(mean, dtype):
    c, same_c, jacobian, slope, bend, lower, upper, *second = answers(dtype)[mean]
    wanted_c, wanted_jacobian = by_hand(X, A)
    wanted_bend = curvature_by_hand(X, A, Y) @ P
    assert {array.dtype for array in (c, same_c, jacobian, slope, bend, lower, upper, *second)} == {np.dtype(dtype)}
    assert_close(c, wanted_c, dtype, "rounding")
    assert_close(same_c, wanted_c, dtype, "rounding")
    assert_close(jacobian, wanted_jacobian, dtype, "autodiff" if mean == "hess" else mean)
    assert_close(slope, wanted_jacobian.T @ Y, dtype, "autodiff")
    assert_close(bend, wanted_bend[:, 0], dtype, "autodiff")
    np.testing.assert_array_equal(lower, LOWER)
    np.testing.assert_array_equal(upper, UPPER)
    assert_close(second[0], wanted_c, dtype, "rounding")
    assert_close(second[1], wanted_jacobian, dtype, "autodiff" if mean == "hess" else mean)
    assert_close(second[2], wanted_bend, dtype, "autodiff")


def test_equalities_come_first_and_rows_keep_their_order():
    parts = close(mixed("autodiff", np.float64), jnp.asarray(X)).parts
    assert (parts.order, parts.p, parts.m) == (ORDER, 3, 6)
    assert parts.keep_feasible == (False, True, False, False, True, True)
    assert [part.rows for part in parts.each] == [1, 2, 2, 1]


def test_equal_constraints_have_equal_static_parts():
    first, again = (close(mixed("jac", np.float64, a=jnp.asarray(a)), jnp.asarray(X)).parts for a in (A, 2 * A))
    assert first == again
    assert hash(first) == hash(again)


def test_an_open_row_stays():
    parts, traced, _ = close(LinearConstraint(MATRIX, [-np.inf, 0.0]), jnp.asarray(X))
    assert (parts.p, parts.m) == (0, 2)
    np.testing.assert_array_equal(traced.lower, [-np.inf, 0.0])


@pytest.mark.parametrize("given", [None, (), [], LinearConstraint(np.zeros((0, 3)))], ids=str)
def test_no_constraints_are_none(given):
    assert close(given, jnp.asarray(X)) is None


@pytest.mark.parametrize("kind", ["nonlinear", "linear", "dict"])
def test_values_sides_and_violation_are_scipys(kind):
    fun = lambda x: pair(x, A)
    theirs = {
        "nonlinear": scipy.optimize.NonlinearConstraint(fun, [-1.0, 0.5], [-1.0, np.inf]),
        "linear": scipy.optimize.LinearConstraint(scipy.sparse.csr_array(MATRIX), -1.0, [2.0, 4.0]),
        "dict": scipy.optimize._constraints.old_constraint_to_new(0, {"type": "ineq", "fun": lambda x: fun(x) - 1}),
    }[kind]
    prepared = PreparedConstraint(theirs, X)
    parts, traced, _ = close([theirs], jnp.asarray(X))
    c, jacobian = values_and_jacobian(parts, traced, jnp.asarray(X))
    lower, upper = traced.lower, traced.upper
    dense = lambda J: J.toarray() if scipy.sparse.issparse(J) else J
    assert_close(c, prepared.fun.f, np.float64, "rounding")
    assert_close(jacobian, dense(prepared.fun.J), np.float64, "autodiff" if kind == "linear" else "2-point")
    np.testing.assert_array_equal([lower, upper], prepared.bounds)
    assert_close(violation(c, lower, upper), np.max(prepared.violation(X)), np.float64, "rounding")


def test_violation_is_the_largest_of_all_rows():
    side = lambda *numbers: jnp.array(numbers)
    free, one, two = side(-jnp.inf, 0.0, 1.0), side(jnp.inf, jnp.inf, 1.0), side(5.0, 3.0, 1.0)
    assert violation(two, free, one) == 0.0
    assert violation(side(5.0, -0.5, 3.0), free, one) == 2.0
    assert violation(side(5.0, -2.5, 3.0), free, one) == 2.5
    assert jnp.isnan(violation(side(jnp.nan, 0.0, 1.0), free, one))


TREE = {"u": np.array([0.3, -1.7]), "v": np.array(2.5)}
CIRCLE = {
    "array": lambda x: [2 * x["u"][0], 2 * x["u"][1], -1.0],
    "tree": lambda x: {"u": 2 * x["u"], "v": -1.0},
    "tree of rows": lambda x: {"u": 2 * x["u"][None, :], "v": jnp.full(1, -1.0)},
    "autodiff": None,
    "3-point": "3-point",
}


@pytest.mark.parametrize("jac", CIRCLE)
def test_x_has_the_structure_of_x0(jac):
    fun = lambda x: jnp.sum(x["u"] ** 2) - x["v"]
    hess = lambda x, v: v[0] * jnp.diag(jnp.array([2.0, 2.0, 0.0])) + 0.0 * x["v"]
    parts, traced, _ = close((NonlinearConstraint(fun, 0, 1, CIRCLE[jac], hess), LinearConstraint([1, 0, 2])), TREE)
    c, jacobian = values_and_jacobian(parts, traced, jnp.asarray(X))
    assert_close(c, [0.3**2 + 1.7**2 - 2.5, 5.3], np.float64, "rounding")
    assert_close(jacobian, [[0.6, -3.4, -1.0], [1.0, 0.0, 2.0]], np.float64, "3-point")
    *_, times = second_order(parts, traced, jnp.asarray(X), jnp.array([3.0, 9.0]))
    bend = times(jnp.ones((3, 1)))[:, 0]
    np.testing.assert_allclose(bend, [6.0, 6.0, 0.0])


ROWS = {
    "a number": (lambda x: x[0] * x[1], lambda x: [x[1], x[0]]),
    "a list of numbers": (lambda x: [x[0] * x[1]], lambda x: [[x[1], x[0]]]),
    "a matrix": (lambda x: x[:, None] * x[None, :], None),
    "a matrix, and its derivatives": (lambda x: x[:, None] * x[None, :], jax.jacfwd(lambda x: x[:, None] * x[None, :])),
    "a dict": (lambda x: {"b": x[0] ** 2, "a": x}, None),
}


@pytest.mark.parametrize("shape", ROWS)
def test_rows_of_any_shape_are_raveled(shape):
    fun, jac = ROWS[shape]
    x = jnp.array([0.3, -1.7])
    parts, traced, _ = close(NonlinearConstraint(fun, 0, 1, jac), x)
    flat = lambda x: jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(fun(x))])
    c, jacobian = values_and_jacobian(parts, traced, x)
    np.testing.assert_allclose(c, flat(x))
    np.testing.assert_allclose(jacobian, jax.jacobian(flat)(x))


def all_of(a, upper, scale, x):
    """What a lane of a batch makes of its own numbers."""
    constraints = mixed("autodiff", x.dtype, a=a, upper=upper)
    constraints[0]["args"] = (scale,)
    parts, traced, _ = close(constraints, x)
    return *values_and_jacobian(parts, traced, x), traced.lower, traced.upper


def test_everything_traced_may_be_batched():
    """Sides that vary are those of inequalities: the second row of the matrix is no equality here."""
    a, upper = A * np.array([[1.0], [2.0], [-1.0]]), np.array([[2.0, 4.0], [7.0, 8.0], [3.0, 5.0]])
    scale, x = np.array([1.5, 2.5, 0.5]), X + np.arange(3.0)[:, None]
    batch = jax.jit(jax.vmap(all_of))(a, upper, scale, x)
    rows = (1, 5, 0, 2, 3, 4)
    for lane in range(3):
        c, jacobian = by_hand(x[lane], a[lane])
        wanted_c, wanted_jacobian = np.empty(6), np.empty((6, 3))
        wanted_c[list(ORDER)], wanted_jacobian[list(ORDER)] = c, jacobian
        wanted_c[0] = product(x[lane], scale[lane])
        wanted_jacobian[0] = jac_of_product(x[lane], scale[lane])
        assert_close(batch[0][lane], wanted_c[list(rows)], np.float64, "rounding")
        assert_close(batch[1][lane], wanted_jacobian[list(rows)], np.float64, "autodiff")
        np.testing.assert_array_equal(batch[3][lane], [0.0, 0.0, np.inf, 1.0, *upper[lane]])


def test_constraints_are_pytrees():
    """A batch of sides and of matrices, handed over as constraints."""
    disk = NonlinearConstraint(lambda x: jnp.sum(x * x), jnp.arange(2.0), 9.0, "2-point", None, np.array([True]), 1e-3)
    planes = LinearConstraint(jnp.ones((2, 1, 3)), -jnp.ones(2), keep_feasible=[True])
    shared = dataclasses.replace(disk, lb=0, ub=None, finite_diff_rel_step=None), LinearConstraint(0, 0, None, [True])

    @jax.jit
    @functools.partial(jax.vmap, in_axes=shared)
    def lane(*constraints):
        parts, traced, _ = close(constraints, X)
        assert parts.keep_feasible == (True, True)
        return values(parts, traced, jnp.asarray(X)), traced.lower

    c, lower = lane(disk, planes)
    np.testing.assert_allclose(c, [[X @ X, X.sum()]] * 2)
    np.testing.assert_array_equal(lower, [[0.0, -1.0], [1.0, -1.0]])


def test_rows_have_derivatives_by_what_was_captured():
    slope = jax.jacobian(lambda a: all_of(a, jnp.array([2.0, 4.0]), SCALE, jnp.asarray(X))[0])(jnp.asarray(A))
    wanted = np.zeros((6, 2))
    wanted[0, 0], wanted[4, 1] = X[1], X[0] * X[2] * np.cos(A[1] * X[2])
    assert_close(slope, wanted, np.float64, "autodiff")


def test_a_function_is_traced_once_a_call_and_not_again_while_it_is_unchanged():
    traces = []

    def fun(x):
        traces.append(0)
        return jnp.sin(x)

    for _ in range(2):
        parts, traced, _ = close(NonlinearConstraint(fun, 0.0, 1.0), X)
        jax.make_jaxpr(values_and_jacobian, static_argnums=0)(parts, traced, jnp.asarray(X))
        assert len(traces) == 1


@pytest.mark.parametrize("mean", ["forward", "backward", "2-point", "3-point", "jac"])
def test_a_program_calls_a_function_once(mean):
    """The floor, whose derivative has none, stands once in a program for each call of `fun` or of `jac`."""
    rows, scheme = 1 if mean == "backward" else 3, mean if mean in ("2-point", "3-point") else None
    fun = lambda x: (jnp.floor(x) * x**3)[:rows]
    jac = (lambda x: jnp.diag(3 * jnp.floor(x) * x**2)) if mean == "jac" else scheme
    parts, traced, _ = close([NonlinearConstraint(fun, 0.0, 1.0, jac)], X)
    x, y, P = jnp.asarray(X), jnp.ones(parts.m), jnp.eye(3)
    together = lambda *given: (lambda c, A, times: (c, A, times(P)))(*second_order(*given))
    calls = lambda function, *given: occurrences(
        jax.make_jaxpr(function, static_argnums=0)(parts, traced, x, *given), "floor"
    )
    each = 1 + (mean == "jac")
    assert [calls(values), calls(values_and_jacobian)] == [1, each]
    assert calls(gradient, y) == 1
    assert calls(together, y) == each + (scheme is not None)


@pytest.mark.parametrize(("n", "rows"), [(2, 6), (6, 2), (3, 3)])
def test_a_jacobian_takes_the_fewer_passes(n, rows):
    """Forward they start from the identity (n, n), backward from that of the rows: the larger one is nowhere."""
    fun = lambda x: jnp.sin(jnp.sum(x)) * jnp.arange(1.0, rows + 1)
    parts, traced, _ = close(NonlinearConstraint(fun, 0.0, 1.0), np.ones(n))
    x, y = jnp.ones(n), jnp.ones(rows)
    wanted = jnp.broadcast_to((jnp.cos(n * 1.0) * jnp.arange(1.0, rows + 1))[:, None], (rows, n))
    for program in (values_and_jacobian, lambda *given: second_order(*given, y)[:2]):
        np.testing.assert_allclose(program(parts, traced, x)[1], wanted)
        made = shapes(jax.make_jaxpr(program, static_argnums=0)(parts, traced, x))
        assert n == rows or (max(n, rows),) * 2 not in made


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_differences_stay_in_the_box(scheme):
    """The function is NaN outside; x lies on a bound, and one variable has hardly any room."""
    lower, upper = jnp.array([0.0, -1.0, 0.0]), jnp.array([jnp.inf, 1.0, 1e-9])
    outside = lambda x: jnp.any((x < lower) | (x > upper))
    fun = lambda x: jnp.where(outside(x), jnp.nan, jnp.stack([jnp.sum(x**2), x[0] * x[1]]))
    x = jnp.array([0.0, 1.0, 1e-9])
    parts, traced, _ = close(NonlinearConstraint(fun, 0.0, 1.0, scheme), x)
    c, jacobian = values_and_jacobian(parts, traced, x, (lower, upper))
    assert_close(c, [1.0, 0.0], np.float64, "rounding")
    assert_close(jacobian, [[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]], np.float64, "2-point")


def test_steps_of_differences_can_be_given():
    """On x^3 the error of a difference with step h is 3 x h + h^2: it tells the step that was taken."""
    x, h = jnp.array([1.0, -2.0]), 2.0**-6
    parts, traced, _ = close(NonlinearConstraint(lambda x: x**3, 0.0, 1.0, "2-point", finite_diff_rel_step=h), x)
    step = h * x
    jacobian = values_and_jacobian(parts, traced, x)[1]
    assert_close(jacobian, jnp.diag(3 * x**2 + 3 * x * step + step**2), np.float64, "derivative")
    absolute = differences(lambda x: jnp.sum(x**3), x, "2-point", h, 2 * h)[1]
    assert_close(absolute, 3 * x**2 + 6 * x * h + 4 * h**2, np.float64, "derivative")
