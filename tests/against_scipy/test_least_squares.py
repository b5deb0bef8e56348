"""`least_squares` through both doors: SciPy's documented examples, its fields, its corners."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import least_squares
from tests.tolerances import eps, same_value, solution

TIGHT = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
NEAR = solution(np.float64, 1e-14)  # of x, where the curvature is of order one
LOSSES = ("linear", "soft_l1", "huber", "cauchy", "arctan")
METHODS = ("lm", "trf", "dogbox")
methods = pytest.mark.parametrize("method", METHODS)
bounded = pytest.mark.parametrize("method", METHODS[1:])


def quick(f):
    """f under a jit that skips LLVM's optimizations: a third of the time to compile."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def ours(fun, *args, **kw):
    """One call; what is given is concrete, as in an eager call. The function is a new one each time."""
    return quick(lambda: least_squares(lambda *x, **more: fun(*x, **more), *args, **kw))()


def scipys(fun, x0, **kw):
    """SciPy's, on the same function and its exact Jacobian."""
    value, jac = jax.jit(fun), jax.jit(jax.jacfwd(fun))
    host = lambda f: lambda x: np.asarray(f(jnp.asarray(x)))
    return scipy.optimize.least_squares(host(value), x0, jac=host(jac), **({"max_nfev": 2000} | TIGHT | kw))


def rosenbrock(x):
    return jnp.stack([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def broyden(x):
    low, high = jnp.concatenate([jnp.zeros(1), x[:-1]]), jnp.concatenate([x[1:], jnp.zeros(1)])
    return (3.0 - x) * x + 1.0 - low - 2.0 * high


def complex_as_two_reals(x):
    """SciPy's example: z - (0.5 + 0.5j)."""
    return jnp.stack([x[0] - 0.5, x[1] - 0.5])


HOURS = np.linspace(0.0, 10.0, 15)
OUTLIERS = np.where(np.arange(15) % 6 == 4, 2.0, 0.0)
COUNTS = 0.5 + 2.0 * np.exp(-HOURS) + 0.1 * np.sin(40.0 * np.arange(15.0)) + OUTLIERS


def robust(x):
    return x[0] + x[1] * jnp.exp(x[2] * HOURS) - COUNTS


@functools.cache
def random_problem():
    """Quadratic residuals, two more than parameters."""
    rng = np.random.default_rng(12)
    A, b = rng.standard_normal((5, 3)), rng.standard_normal(5)
    return lambda x: jnp.dot(A, x) + 0.2 * jnp.dot(A, x) ** 2 - b


BOX = ([-np.inf, 1.5], np.inf)
PROBLEMS = {
    "Rosenbrock": (rosenbrock, [2.0, 2.0], {}),
    "Rosenbrock in bounds": (rosenbrock, [2.0, 2.0], {"bounds": BOX}),
    "Broyden": (broyden, [-1.0] * 6, {}),
    "two reals": (complex_as_two_reals, [2.0, 3.0], {}),
    "random": (random_problem(), [0.1, 0.2, -0.1], {}),
    "random in bounds": (random_problem(), [0.1, 0.05, -0.1], {"bounds": (-0.15, [0.2, 0.1, np.inf])}),
}
CASES = [(name, method) for name in PROBLEMS for method in METHODS if not (method == "lm" and "bounds" in name)]


def check_fields(res, fun, lower=-np.inf, upper=np.inf):
    """Each field from its definition, at x."""
    x, J = np.asarray(res.x), np.asarray(jax.jacfwd(fun)(res.x))
    near = same_value(np.float64)
    np.testing.assert_allclose(res.fun, fun(res.x), rtol=near, atol=near)
    np.testing.assert_allclose(res.jac, J, rtol=near, atol=near)
    np.testing.assert_allclose(res.cost, 0.5 * np.sum(np.asarray(res.fun) ** 2), rtol=near, atol=near**2)
    grad = J.T @ np.asarray(res.fun)
    np.testing.assert_allclose(res.grad, grad, atol=near * np.sum(np.abs(J)))
    lower, upper = np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape)
    np.testing.assert_array_equal(res.active_mask, np.where(x == lower, -1, np.where(x == upper, 1, 0)))
    with np.errstate(invalid="ignore"):
        v = np.where((grad > 0) & np.isfinite(lower), x - lower, np.where((grad < 0) & np.isfinite(upper), upper - x, 1.0))
    np.testing.assert_allclose(res.optimality, np.max(np.abs(v * grad)), atol=near * np.sum(np.abs(J)))


@pytest.mark.parametrize(("name", "method"), CASES)
def test_solutions_and_fields_are_scipys(name, method):
    fun, x0, keywords = PROBLEMS[name]
    theirs = scipys(fun, x0, method=method, **keywords)
    res = ours(fun, x0, method=method, **keywords, **TIGHT)
    assert bool(res.success)
    check_fields(res, fun, *keywords.get("bounds", (-np.inf, np.inf)))
    assert float(res.optimality) <= 1e-7 * (1 + np.sum(np.abs(res.jac)))
    np.testing.assert_allclose(res.cost, theirs.cost, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(res.x, theirs.x, atol=NEAR * (1 + np.max(np.abs(theirs.x))))
    if method == "dogbox" or "bounds" not in name:  # SciPy's trf stays off its bounds by a little
        np.testing.assert_array_equal(res.active_mask, theirs.active_mask)
    assert set(theirs.keys()) <= set(res.keys())


def test_rosenbrock_of_the_manual():
    res = ours(rosenbrock, [2.0, 2.0], bounds=BOX)
    np.testing.assert_allclose(res.x, [1.22437075, 1.5], atol=1e-6)
    np.testing.assert_allclose(res.cost, 0.02521309, atol=1e-8)
    np.testing.assert_array_equal(res.active_mask, [0, -1])


@bounded
@pytest.mark.parametrize("loss", LOSSES[1:])
def test_robust_losses_are_scipys(loss, method):
    x0 = [0.6, 1.9, -1.1]  # arctan's cost has other minima, and from afar two methods may find two
    theirs = scipys(robust, x0, loss=loss, f_scale=0.1)
    res = ours(robust, x0, loss=loss, f_scale=0.1, method=method, max_nfev=2000, **TIGHT)
    assert bool(res.success)
    np.testing.assert_allclose(res.cost, theirs.cost, rtol=1e-9)
    np.testing.assert_allclose(res.x, theirs.x, atol=NEAR * 16)  # curvature at the solution: 1 / 16 in c
    np.testing.assert_allclose(res.fun, robust(res.x), atol=1e-12)
    J, r = np.asarray(jax.jacfwd(robust)(res.x)), np.asarray(res.fun)
    z = (r / 0.1) ** 2
    slope = {"soft_l1": (1 + z) ** -0.5, "cauchy": 1 / (1 + z), "arctan": 1 / (1 + z**2)}
    weights = slope.get(loss, np.where(z <= 1, 1.0, np.maximum(z, 1.0) ** -0.5))
    np.testing.assert_allclose(res.grad, J.T @ (weights * r), atol=1e-12)


def test_a_loss_may_be_a_callable():
    """The same numbers as by name; 0.5 C^2 sum rho."""
    cauchy = lambda z: jnp.stack([jnp.log1p(z), 1.0 / (1.0 + z), -1.0 / (1.0 + z) ** 2])
    one = ours(robust, [1.0, 1.0, -0.7], loss=cauchy, f_scale=0.1, **TIGHT)
    other = ours(robust, [1.0, 1.0, -0.7], loss="cauchy", f_scale=0.1, **TIGHT)
    assert bool(one.success)
    np.testing.assert_allclose(one.x, other.x, atol=NEAR)
    np.testing.assert_allclose(one.cost, other.cost, rtol=1e-12)


def with_arguments(x, a, *, b=1.0):
    return jnp.stack([a * (x[1] - x[0] ** 2), b - x[0]])


@pytest.mark.parametrize("jac", ["callable", "2-point", "3-point", "cs"])
def test_every_kind_of_jacobian_with_args_and_kwargs(jac):
    derivative = lambda x, a, *, b=1.0: jnp.stack([jnp.stack([-2.0 * a * x[0], a]), jnp.stack([-1.0, 0.0])])
    given = derivative if jac == "callable" else jac
    with jax.numpy_dtype_promotion("standard"):  # the complex step mixes its dtype with that of args
        res = ours(with_arguments, [-1.2, 1.0], given, args=(np.float64(10.0),), kwargs={"b": np.float64(2.0)})
    assert bool(res.success)
    np.testing.assert_allclose(res.x, [2.0, 4.0], atol=1e-6)
    per_turn = {"callable": 1, "2-point": 3, "3-point": 5, "cs": 3}[jac]
    assert int(res.nfev) % per_turn == 0
    assert int(res.nfev) >= per_turn * int(res.njev)


@methods
@pytest.mark.parametrize("x_scale", ["jac", [1.0, 10.0]], ids=["jac", "numbers"])
def test_scales_lead_to_the_same_solution(method, x_scale):
    res = ours(rosenbrock, [-1.2, 1.0], x_scale=x_scale, method=method)
    assert bool(res.success)
    np.testing.assert_allclose(res.x, [1.0, 1.0], atol=1e-6)


def test_scales_move_the_path():
    counts = {int(ours(rosenbrock, [-1.2, 1.0], x_scale=scale).nfev) for scale in ("jac", [1.0, 10.0], [100.0, 1.0])}
    assert len(counts) > 1


@methods
def test_the_budget_of_evaluations_holds(method):
    run = quick(lambda most: least_squares(rosenbrock, [-1.2, 1.0], method=method, max_nfev=most))
    for most in (1, 3):
        res = run(most)
        assert (int(res.status), bool(res.success)) == (1, False)
        assert int(res.nfev) <= max(most, 2)  # the start, and the last one at x
        np.testing.assert_allclose(res.cost, 0.5 * np.sum(np.asarray(rosenbrock(res.x)) ** 2), rtol=1e-14)
    assert bool(run(200).success)


def test_geodesic_acceleration_reaches_the_same_minimum():
    plain, bent = (
        ours(robust, [1.0, 1.0, -0.7], method="lm", options={"geodesic": flag}, **TIGHT) for flag in (False, True)
    )
    assert bool(bent.success)
    np.testing.assert_allclose(bent.x, plain.x, atol=NEAR * 16)
    assert int(bent.nfev) != int(plain.nfev)


def corner(x, lower, upper):
    """NaN outside of the bounds."""
    inside = jnp.all((x >= lower) & (x <= upper))
    return jnp.where(inside, rosenbrock(x), jnp.nan)


ULP = np.nextafter(1.5, 2.0)
CORNERS = {  # start, lower, upper, solution
    "on the bound": ([2.0, 1.5], [-np.inf, 1.5], [np.inf, np.inf], [1.22437075, 1.5]),
    "an ulp off it": ([2.0, ULP], [-np.inf, 1.5], [np.inf, np.inf], [1.22437075, 1.5]),
    "in a corner": ([0.0, 2.0], [0.0, -1.0], [3.0, 2.0], [1.0, 1.0]),
    "one value": ([0.5, 0.3], [0.5, -np.inf], [0.5, np.inf], [0.5, 0.25]),
    "no bounds": ([2.0, 2.0], [-np.inf] * 2, [np.inf] * 2, [1.0, 1.0]),
    "one side": ([0.2, 0.2], [-np.inf] * 2, [0.5, np.inf], [0.5, 0.25]),
    "narrow": ([1.25, 2.0], [1.25, -5.0], [1.25 * (1 + 2 * eps(float)), 5.0], [1.25, 1.5625]),
}


@bounded
@pytest.mark.parametrize("jac", [None, "2-point", "3-point"], ids=["autodiff", "2-point", "3-point"])
def test_nothing_is_evaluated_outside_and_starts_on_bounds_are_solved(method, jac):
    """scipy#19103, #19180. A function that is NaN outside takes the same path as one that is not."""

    def solve(x0, lower, upper, strict):
        fun = lambda x: jnp.where(strict, corner(x, lower, upper), rosenbrock(x))
        return least_squares(fun, x0, jac, bounds=(lower, upper), method=method)

    x0, lower, upper, wanted = (np.array(column, float) for column in zip(*CORNERS.values(), strict=True))
    run = quick(jax.vmap(solve, in_axes=(0, 0, 0, None)))
    strict, free = (run(x0, lower, upper, np.array(flag)) for flag in (True, False))
    np.testing.assert_array_equal(strict.nfev, free.nfev)
    np.testing.assert_array_equal(strict.x, free.x)
    for i, name in enumerate(CORNERS):
        if jac is None or name != "narrow":  # where there is no room for a difference there is no derivative
            assert bool(strict.success[i]), (name, int(strict.status[i]))
            np.testing.assert_allclose(strict.x[i], wanted[i], atol=1e-6 if jac is None else 1e-4, err_msg=name)
        assert np.all((strict.x[i] >= lower[i]) & (strict.x[i] <= upper[i])), name
    held = list(CORNERS).index("on the bound")
    np.testing.assert_array_equal(strict.active_mask[held], [0, -1])


@bounded
def test_a_minimum_a_breath_from_its_bound(method):
    """scipy#18793: (x - 1e-12)^2 from 1.1e-12 with a lower bound of 0."""
    res = ours(lambda x: (x - 1e-12) ** 2, [1.1e-12], bounds=(0.0, np.inf), method=method)
    assert 0.0 <= float(res.x[0]) <= 1.2e-12
    assert float(res.cost) <= 0.5 * (1e-13) ** 4 * (1 + 1e-6)


def test_a_function_that_captured_an_array_may_be_used_in_two_jits():
    """What the first trace made of the array is no part of the second."""
    first, second = (
        jax.jit(lambda x0: least_squares(robust, x0, loss="huber").x)(np.array(x0)) for x0 in [(1.0, 1.0, -0.7)] * 2
    )
    np.testing.assert_array_equal(first, second)


def test_residuals_and_parameters_may_be_pytrees():
    res = ours(
        lambda p: {"a": 10.0 * (p["y"] - p["x"] ** 2), "b": 1.0 - p["x"]}, {"x": jnp.asarray(-1.2), "y": jnp.asarray(1.0)}
    )
    assert bool(res.success)
    np.testing.assert_allclose([res.x["x"], res.x["y"]], [1.0, 1.0], atol=1e-6)


START = [2.0, 2.0]
BAD = {
    "unknown method": (ValueError, "unknown method 'newton'", {"method": "newton"}),
    "unknown loss": (ValueError, "loss is 'l1'", {"loss": "l1"}),
    "loss with lm": (ValueError, "supports only the 'linear' loss", {"method": "lm", "loss": "huber"}),
    "bounds with lm": (ValueError, "does not support bounds", {"method": "lm", "bounds": (0.0, 5.0)}),
    "few residuals with lm": (ValueError, "at least as many residuals", {"method": "lm", "fun": lambda x: x[:1]}),
    "crossed bounds": (ValueError, "bounds are crossed: 3.0 > 1.0", {"bounds": (3.0, 1.0)}),
    "NaN in bounds": (ValueError, "bounds hold NaN", {"bounds": (np.nan, 1.0)}),
    "bounds of another shape": (ValueError, "lower bound", {"bounds": ([0.0] * 3, 5.0)}),
    "bounds that are no pair": (ValueError, "give a pair", {"bounds": (0.0, 1.0, 2.0)}),
    "x0 outside": (ValueError, "x0 is infeasible: parameter 0", {"bounds": (0.0, 1.0)}),
    "a Jacobian of another shape": (ValueError, r"jac returned .* for 2 residuals", {"jac": lambda x: jnp.ones((3, 2))}),
    "unknown jac": (ValueError, "jac is '4-point'", {"jac": "4-point"}),
    "integers in x0": (TypeError, "x0|float", {"x0": np.array(["a", "b"])}),
    "integer residuals": (TypeError, "fun returned dtype int", {"fun": lambda x: jnp.arange(3)}),
    "no JAX": (TypeError, "cannot be traced", {"fun": lambda x: np.sin(x)}),
    "no residuals": (ValueError, "no residuals", {"fun": lambda x: x[:0]}),
    "ftol in words": (ValueError, "ftol is 'small'", {"ftol": "small"}),
    "negative xtol": (ValueError, "xtol", {"xtol": -1.0}),
    "x_scale in words": (ValueError, "x_scale is 'hess'", {"x_scale": "hess"}),
    "x_scale of zero": (ValueError, "x_scale", {"x_scale": [1.0, 0.0]}),
    "f_scale of zero": (ValueError, "f_scale", {"loss": "huber", "f_scale": 0.0}),
    "a loss of another shape": (ValueError, "loss returned shape", {"loss": lambda z: z}),
    "sparse Jacobian": (ValueError, "jac_sparsity", {"jac_sparsity": np.ones((2, 2)).tolist()}),
    "lsmr": (ValueError, "tr_solver is 'lsmr'", {"tr_solver": "lsmr"}),
    "no evaluations": (ValueError, "max_nfev", {"max_nfev": -1}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_call_is_told_what_is_wrong(case):
    kind, words, keywords = BAD[case]
    with pytest.raises(kind, match=words):
        least_squares(**({"fun": rosenbrock, "x0": START} | keywords))
