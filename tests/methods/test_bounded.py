"""Bounded Brent: the iterates of SciPy's, its promises at the bounds, and honest ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize_scalar, stepper
from tests.core.tolerance import DTYPES, tolerance
from tests.problems import SCALAR

problems = pytest.mark.parametrize("problem", SCALAR, ids=lambda p: p.name)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
SUCCESS = (0, 8)


def drive(fun, bounds, dtype=np.float64, **options):
    """The points that the method asks for on a host function, and its result."""
    opt = stepper("bounded", bounds=tuple(np.asarray(b, dtype) for b in bounds), options=options)
    state, asked = opt.init(), []
    while not opt.done(state):
        x = np.asarray(opt.ask(state))
        asked.append(x[()])
        state = opt.tell(state, np.asarray(fun(x), dtype))
    return np.array(asked), opt.result(state)


def scipys(fun, bounds, **options):
    asked = []

    def recorded(x):
        asked.append(float(x))
        return float(fun(np.asarray(x)))

    with np.errstate(all="ignore"):
        result = scipy.optimize.minimize_scalar(recorded, bounds=bounds, method="bounded", options=options)
    return np.array(asked), result


def host(problem):
    """The problem's function on the host, the same rounding for both."""
    compiled = jax.jit(problem.fun)
    return lambda x: np.asarray(compiled(jnp.asarray(x)))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@problems
def test_the_iterates_are_scipys(problem):
    fun = host(problem)
    asked, result = drive(fun, problem.bounds)
    wanted, reference = scipys(fun, problem.bounds)
    # SciPy writes sqrt(2.2e-16) for sqrt(eps): where x is large for its interval that may be the last turn
    spare = 1 if "far" in problem.tags else 0
    assert len(asked) == int(result.nfev)
    assert abs(len(asked) - reference.nfev) <= spare
    both = min(len(asked), len(wanted))
    asked, wanted = asked[:both], wanted[:both]
    # Steps are the same up to rounding, but for those of the last tolerance, whose sign may hang on rounding.
    same = 2 * (np.finfo(float).eps ** 0.5 * abs(reference.x) + 1e-5 / 3) * 1.01
    np.testing.assert_allclose(asked, wanted, rtol=tolerance(np.float64, "x from values"), atol=same)
    np.testing.assert_allclose(asked[:3], wanted[:3], rtol=tolerance(np.float64, "rounding"))
    if "flat" in problem.tags:  # SciPy claims a minimum where all values are equal
        assert int(result.status) == 4
        return
    assert abs(float(result.x) - reference.x) <= same
    assert bool(result.success) == reference.success


@pytest.mark.parametrize("xatol", [1e-1, 1e-3, 1e-6])
def test_the_iterates_are_scipys_at_any_accuracy(xatol):
    fun = lambda x: np.exp(x) - 2.0 * x
    asked, _ = drive(fun, (-1.0, 3.0), xatol=xatol)
    wanted, _ = scipys(fun, (-1.0, 3.0), xatol=xatol)
    np.testing.assert_allclose(asked, wanted, rtol=tolerance(np.float64, "x from values"))


@problems
@dtypes
def test_no_point_at_or_outside_of_the_bounds(problem, dtype):
    lower, upper = (dtype(b) for b in problem.bounds)
    asked, _ = drive(host(problem), problem.bounds, dtype)
    assert asked.dtype == dtype
    assert np.all(asked > lower)
    assert np.all(asked < upper)


# another minimum than the least may be found; in float32 the plain around the narrow well is all rounding; of equal values
# none is a minimum
NOT_FOUND = {np.float32: {"multimodal", "flat", "narrow"}, np.float64: {"multimodal", "flat"}}
FOUND = [(p, d) for p in SCALAR for d in DTYPES if not p.tags & NOT_FOUND[d]]


@pytest.mark.parametrize(("problem", "dtype"), FOUND, ids=[f"{p.name}-{d.__name__}" for p, d in FOUND])
def test_the_minimum_is_found_as_well_as_values_tell(problem, dtype):
    _, result = drive(host(problem), problem.bounds, dtype)
    assert int(result.status) in SUCCESS
    assert result.x.dtype == result.fun.dtype == dtype
    # xatol, what values can tell, and the flat bottom of (x - 1)^4, whose values vanish below eps^(1/4)
    near = 2e-5 + 4 * np.finfo(dtype).eps ** 0.5 * max(abs(problem.x_star), 1.0)
    near = max(near, 2 * np.finfo(dtype).eps ** 0.25) if "singular" in problem.tags else near
    assert abs(float(result.x) - problem.x_star) <= near
    beside = max(float(problem.fun(jnp.asarray(problem.x_star + side * near))) for side in (-1, 1))
    assert float(result.fun) <= beside + 10 * np.finfo(dtype).eps * abs(beside)


WORKED = {
    "quartic": (lambda x: 3 * x**4 - 2 * x + 1, (0.0, 1.0), 0.5503212087, 0.17451818777634),
    "double well": (lambda x: x**4 - x**2, (-1.0, 0.0), -0.7071067, -0.25),
    "scipy's": (lambda x: (x - 2) * x * (x + 2) ** 2, (-3.0, -1.0), -2.0, 0.0),
}


@pytest.mark.parametrize("name", WORKED)
def test_worked_examples(name):
    fun, bounds, x, value = WORKED[name]
    res = minimize_scalar(fun, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    assert bool(res.success)
    assert float(res.x) == pytest.approx(x, abs=2e-7)
    assert float(res.fun) == pytest.approx(value, abs=1e-9)


def shifted(x, c):
    return (x - c) ** 2


def solve(c=0.3, bounds=(-1.0, 2.0), **kw):
    return minimize_scalar(shifted, bounds=bounds, args=(c,), method="bounded", **kw)


def test_a_smaller_xatol_is_a_better_x():
    errors, counts = [], []
    for xatol in (1e-1, 1e-3, 1e-6):
        res = solve(options={"xatol": xatol})
        errors.append(abs(float(res.x) - 0.3))
        counts.append(int(res.nfev))
        assert errors[-1] <= xatol
    # a parabola is found at once; what costs is to show it
    assert counts == sorted(counts)


def test_tol_is_xatol_unless_it_is_given():
    assert solve(tol=1e-2).nfev == solve(options={"xatol": 1e-2}).nfev
    assert solve(tol=1e-2, options={"xatol": 1e-7}).nfev == solve(options={"xatol": 1e-7}).nfev


def test_an_accuracy_of_zero_ends_at_what_the_dtype_resolves():
    res = solve(options={"xatol": 0.0})
    assert bool(res.success)
    assert abs(float(res.x) - 0.3) <= 4 * np.finfo(float).eps ** 0.5
    assert int(res.nfev) < 100


@pytest.mark.parametrize("maxiter", [0, 1, 4])
def test_the_budget_holds_and_the_best_point_comes_back(maxiter):
    res = minimize_scalar(lambda x: jnp.exp(x) - 2 * x, bounds=(-4, 9), options={"maxiter": maxiter, "xatol": 1e-9})
    assert int(res.status) == 1
    assert not bool(res.success)
    assert int(res.nfev) == max(1, maxiter)
    assert float(res.fun) == float(jnp.exp(res.x) - 2 * res.x)


@pytest.mark.parametrize("c", [-5.0, 9.0], ids=["lower", "upper"])
@dtypes
def test_a_minimum_at_a_bound_is_approached_and_never_reached(c, dtype):
    res = solve(dtype(c), (dtype(-1.0), dtype(2.0)))
    bound = -1.0 if c < 0 else 2.0
    assert bool(res.success)
    assert -1.0 < float(res.x) < 2.0
    assert abs(float(res.x) - bound) <= 2e-5 + 4 * np.finfo(dtype).eps ** 0.5


def test_crossed_bounds_are_a_wrong_call():
    with pytest.raises(ValueError, match=r"bounds are crossed: 2\.0 > 1\.0"):
        solve(bounds=(2.0, 1.0))


@pytest.mark.parametrize("bounds", [(-np.inf, 1.0), (0.0, np.inf), (np.nan, 1.0), (0.0, np.nan)])
def test_bounds_that_are_not_finite_are_a_wrong_call(bounds):
    with pytest.raises(ValueError, match="finite"):
        solve(bounds=bounds)


@pytest.mark.parametrize("bounds", [1.0, (1.0,), (0.0, 1.0, 2.0), ("a", "b"), (np.zeros(2), np.ones(2)), (0.0, 1j), None])
def test_bounds_that_are_no_pair_of_numbers_are_a_wrong_call(bounds):
    with pytest.raises(ValueError, match="bounds"):
        solve(bounds=bounds)


def test_traced_bounds_have_a_status_each():
    lower = jnp.array([-1.0, 2.0, jnp.nan, -jnp.inf, 0.5, -1.0])
    upper = jnp.array([2.0, 1.0, 1.0, 1.0, 0.5, jnp.inf])
    res = jax.vmap(lambda a, b: solve(0.3, (a, b)))(lower, upper)
    np.testing.assert_array_equal(res.status, [0, 7, 7, 7, 0, 7])
    assert float(res.x[0]) == pytest.approx(0.3, abs=1e-5)
    assert float(res.x[4]) == 0.5


def test_equal_bounds_leave_one_point():
    res = solve(bounds=(0.5, 0.5))
    assert bool(res.success)
    assert (float(res.x), int(res.nfev)) == (0.5, 1)


def test_bounds_of_integers_are_floats():
    res = solve(bounds=(-1, 2))
    assert res.x.dtype == np.float64
    assert float(res.x) == pytest.approx(0.3, abs=1e-5)


@pytest.mark.parametrize(
    ("fun", "status"),
    [
        (lambda x, c: x * jnp.nan, 5),
        (lambda x, c: jnp.full((), jnp.inf, x.dtype), 5),
        (lambda x, c: jnp.where(x < 0.5, -jnp.inf, x), 3),
    ],
    ids=["nan", "inf", "-inf"],
)
def test_what_is_not_finite_has_a_status(fun, status):
    res = minimize_scalar(fun, bounds=(-1.0, 2.0), args=(0.0,), method="bounded")
    assert int(res.status) == status
    assert np.isfinite(float(res.x))


def test_a_hole_that_is_nan_is_walked_around():
    """NaN left of 0.2, the minimum at 0.3."""
    res = minimize_scalar(lambda x: jnp.where(x < 0.2, jnp.nan, (x - 0.3) ** 2), bounds=(-1.0, 2.0), method="bounded")
    assert bool(res.success)
    assert float(res.x) == pytest.approx(0.3, abs=2e-5)
