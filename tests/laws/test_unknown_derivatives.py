"""What the implicit function theorem cannot know is NaN, forward and backward, for every row of every door.

A NaN that multiplies a tangent which is zero by structure is lost backward: so the functions here depend on their
parameters in ways that JAX's derivatives do not see (a sign, a kink, not at all).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import least_squares, linprog, minimize, minimize_scalar, root_scalar
from tests import tolerances

START = np.array([0.2, -0.4])
A, UNUSED = 0.3, 2.0


def both(of, *numbers):
    """Forward and backward derivatives with respect to each number, (2, k, ...)."""
    every = tuple(range(len(numbers)))
    forward, backward = jax.jacfwd(of, every)(*numbers), jax.jacrev(of, every)(*numbers)
    return np.stack([np.stack([np.asarray(d) for d in mode]) for mode in (forward, backward)])


def kinked(x, a, b):
    """Of its kink JAX sees a slope that does not depend on a; the rest keeps any method from an early end."""
    return jnp.sum(jnp.abs(x - a)) + jnp.sum(jnp.cosh(x - 5.0))


def bent(x, a, b):
    """A residual whose parameters have no derivatives."""
    return jnp.concatenate([jnp.cosh(x - 5.0), jnp.sign(x - a)])


def crossing(x, a, b):
    """Zero near 1.3; a moves its steps, which have no derivatives."""
    return jnp.sinh(x - 1.3) + 0.1 * jnp.sign(x - a) - 0.1


CUT = {"options": {"maxiter": 1}}
MINIMIZERS = ("BFGS", "CG", "Newton-CG", "L-BFGS-B", "TNC", "dogleg", "trust-ncg", "trust-krylov", "trust-exact")
MINIMIZERS += ("Nelder-Mead", "Powell", "COBYLA")
ROOTS = ("bisect", "brentq", "brenth", "ridder", "toms748", "chandrupatla", "newton", "halley", "secant")
BOX = [(-9.0, 9.0), (-9.0, 9.0)]


def minimizer(method, **keywords):
    return lambda a, b: minimize(kinked, START, (a, b), method=method, **keywords, **CUT)


def scalar(method):
    where = {"bounds": (0.0, 9.0)} if method == "bounded" else {"bracket": (0.0, 1.0)}
    return lambda a, b: minimize_scalar(kinked, args=(a, b), method=method, **where, **CUT)


def zero(method):
    start = {"x0": 5.0} if method in ("newton", "halley", "secant") else {"bracket": (-2.0, 4.0)}
    return lambda a, b: root_scalar(crossing, (a, b), method=method, **start, **CUT)


def fit(method, **keywords):
    return lambda a, b: least_squares(bent, START, args=(a, b), method=method, max_nfev=2, **keywords)


ROWS = (
    {name: minimizer(name) for name in MINIMIZERS}
    | {f"{name} in a box": minimizer(name, bounds=BOX) for name in ("L-BFGS-B", "TNC", "Nelder-Mead", "Powell", "COBYLA")}
    | {name: scalar(name) for name in ("brent", "golden", "bounded")}
    | {name: zero(name) for name in ROOTS}
    | {name: fit(name) for name in ("lm", "trf", "dogbox")}
    | {f"{name} in a box": fit(name, bounds=(-9.0, 9.0)) for name in ("trf", "dogbox")}
)
OFTEN = ("BFGS", "TNC in a box", "bounded", "brent", "brentq", "dogbox in a box")


@pytest.mark.parametrize(
    "row", [pytest.param(name, marks=[] if name in OFTEN else [pytest.mark.slow]) for name in ROWS], ids=list(ROWS)
)
def test_no_success_is_nan_in_both_modes_for_all_that_was_given(row):
    """Also for what the function does not use: a lane that stopped somewhere is a function of nothing that is known."""
    solve = ROWS[row]

    def what_follows(a, b):
        res = solve(a, b)
        return jnp.concatenate([jnp.ravel(res[name]) for name in ("x", "fun", "jac", "grad", "cost") if name in res])

    assert not solve(A, UNUSED).success
    assert np.all(np.isnan(both(what_follows, A, UNUSED)))


# --- no curvature, and kinks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["x", "fun"])
@pytest.mark.parametrize("method", ["bounded", "brent", "golden"])
@pytest.mark.parametrize("curved", [0.0, 0.2], ids=["alone", "beside curvature"])
def test_kink_of_one_variable_has_no_derivative(curved, method, field):
    """dx/da is 1, but a slope that jumps tells nothing: neither 0 nor the motion of a bound."""
    fun = lambda x, a: jnp.abs(x - a) + curved * x * x
    if method == "bounded":
        of = lambda a, lower, upper: minimize_scalar(fun, args=(a,), bounds=(lower, upper))[field]
        assert np.all(np.isnan(both(of, 0.5, -4.0, 4.0)))
    else:
        assert np.all(np.isnan(both(lambda a: minimize_scalar(fun, args=(a,), method=method)[field], 0.3)))


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B"])
def test_kink_that_autodiff_calls_level_has_no_derivative(method):
    """At x = a the slope of max(x - a, a - x) is 0 to JAX, and so is its curvature: a success of which nothing is known."""
    fun = lambda x, a: jnp.sum(jnp.maximum(x - a, a - x))
    of = lambda a: minimize(fun, np.full(2, A), (a,), method=method).x
    assert minimize(fun, np.full(2, A), (A,), method=method).success
    assert np.all(np.isnan(both(of, A)))


def test_large_problem_without_curvature_has_no_derivative():
    """By conjugate gradients, which solve a singular system for a right-hand side of zero."""
    fun = lambda x, a, b: jnp.sum(x[:-1] ** 2) + jnp.sum(jnp.sign(a) * x[:-1]) * 0.0
    of = lambda a, b: minimize(fun, np.zeros(600), (a, b)).x[:2]
    assert minimize(fun, np.zeros(600), (A, UNUSED)).success
    assert np.all(np.isnan(both(of, A, UNUSED)))


def test_root_at_a_jump_has_no_derivative():
    """The slope beside the jump would say 0."""
    of = lambda a: root_scalar(lambda x, a: jnp.sign(x - a) + 0.1 * x, (a,), bracket=(-1.0, 1.0)).x
    assert root_scalar(lambda x: jnp.sign(x - A) + 0.1 * x, bracket=(-1.0, 1.0)).success
    assert np.all(np.isnan(both(of, A)))


def test_residual_that_does_not_move_has_no_derivative():
    fun = lambda x, a: jnp.stack([x[0] - 1.0, 0.0 * x[1]])
    of = lambda a: least_squares(lambda x, a: fun(x, jax.lax.stop_gradient(a)), np.ones(2), args=(a,), method="trf").x
    assert least_squares(lambda x: fun(x, 0.0), np.ones(2), method="trf").success
    assert np.all(np.isnan(both(of, A)))


def test_point_of_a_degenerate_program_has_no_derivative_with_respect_to_anything():
    """Its costs too, which have no part in a basic solution."""
    b = np.ones(1)

    def of(c, b):
        return linprog(jnp.stack([c, c]), A_eq=np.ones((1, 2)), b_eq=b[None], options={"vertex": False}).x

    assert np.all(np.isnan(both(of, 1.0, float(b[0]))))


# --- what is known stays so -------------------------------------------------------------------------------------------


def test_bound_that_holds_beside_a_kink_moves_the_solution():
    of = lambda a, lower, upper: minimize_scalar(lambda x: jnp.abs(x - a), bounds=(lower, upper)).x
    np.testing.assert_allclose(both(of, -1.0, 0.0, 2.0), [[0.0, 1.0, 0.0]] * 2)
    np.testing.assert_allclose(both(of, 3.0, 0.0, 2.0), [[0.0, 0.0, 1.0]] * 2)


@pytest.mark.parametrize("method", ["L-BFGS-B", "TNC"])
def test_gradient_at_a_bound_moves_and_elsewhere_stays_zero(method):
    """Of (x - a)^2 summed, where the first is held at 1: its slope is 2 (1 - a_0)."""
    fun = lambda x, a: jnp.sum((x - a) ** 2)
    of = lambda a: minimize(fun, np.zeros(2), (a,), method=method, bounds=[(None, 1.0), (None, 9.0)]).jac
    a, wanted = np.array([3.0, 2.0]), np.array([[-2.0, 0.0], [0.0, 0.0]])
    for mode in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(mode(of)(a), wanted, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda d: d.__name__)
@pytest.mark.parametrize("lift", [0.0, 1e3])
def test_smooth_minimum_known_from_values_has_its_derivative(lift, dtype):
    """Also where the rounding of a large value, or a loose tolerance, leaves x uncertain."""
    fun = lambda x, a: jnp.cosh(x - a) + lift
    bracket = {"bracket": (dtype(0.0), dtype(1.0))}
    for keywords in (bracket, bracket | {"tol": 1e-3}, {"bounds": (dtype(-2.0), dtype(3.0))}):
        of = functools.partial(lambda a, keywords: minimize_scalar(fun, args=(a,), **keywords).x, keywords=keywords)
        np.testing.assert_allclose(both(of, dtype(A)), 1.0, rtol=tolerances.derivative(dtype))


def test_start_of_a_second_run_may_come_from_a_first_one_without_success():
    """A solution does not depend on its start: the failed first run spoils no derivative, forward or backward."""
    fun = lambda x, a: jnp.sum(jnp.cosh(x - a))
    first = lambda a: minimize(fun, START, (a,), options={"maxiter": 1}).x
    np.testing.assert_allclose(both(lambda a: minimize(fun, first(a), (a,), tol=1e-9).x, A), 1.0, rtol=1e-6)
