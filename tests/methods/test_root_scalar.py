"""The root finders: what they promise, on hand-made functions and at the ends of the dtypes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import root_scalar, stepper
from tests import tolerances

BRACKETED = ("bisect", "brentq", "brenth", "ridder", "toms748", "chandrupatla")
SAFE = (*BRACKETED, "newton", "halley")
OPEN = ("newton", "secant", "halley")
QUICK = ("brentq", "newton")  # the others share their parts: by `make test-slow`


def _each(methods):
    return [pytest.param(m, marks=[] if m in QUICK else [pytest.mark.slow]) for m in methods]


in_brackets = pytest.mark.parametrize("method", _each(BRACKETED))
safe = pytest.mark.parametrize("method", _each(SAFE))
one_derivative = pytest.mark.parametrize("method", _each([m for m in SAFE if m != "halley"]))  # f'' is not a number there
from_starts = pytest.mark.parametrize("method", OPEN)
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda d: d.__name__)


def cubic(x, p=1.0):
    return x**3 - x - p


def batch(method, f, *columns, **options):
    """The results of f(x, *args) in the brackets of the first two columns."""

    def solve(a, b, *args):
        return root_scalar(f, args, method=method, bracket=(a, b), **options)

    return jax.tree.map(np.asarray, jax.vmap(solve)(*columns))


def by_hand(method, f, bracket, **options):
    """The points that the method asks for, the brackets after each that the signs there allow, and its result."""
    machine = stepper(method, bounds=bracket, options=options)
    state, points, values, brackets = machine.init(), [], [], []
    while not machine.done(state):
        x = float(machine.ask(state))
        points.append(x)
        values.append(f(x))
        state = machine.tell(state, values[-1])
        below, above = ([p for p, v in zip(points, values, strict=True) if (v < 0) == s] for s in (True, False))
        if below and above:
            brackets.append((max(below), min(above)))  # of a rising f
    return points, brackets, machine.result(state)


@safe
@dtypes
def test_a_root_at_an_end_or_at_the_middle_is_found(method, dtype):
    """Bisection on x - 0.5 in [0, 1] once ended at 0.75 elsewhere; x = 0.5 is the first midpoint."""
    lower, upper = np.array([[0.5, 1.0], [0.0, 0.5], [0.0, 1.0], [-1.5, 2.5], [1.0, 0.0]], dtype).T
    res = batch(method, lambda x: x - 0.5, lower, upper)
    np.testing.assert_array_equal(res.x, dtype(0.5))
    np.testing.assert_array_equal(res.status, 0)
    np.testing.assert_array_equal(res.fun, 0.0)
    np.testing.assert_array_equal(res.nfev[:2], [1, 2])


@safe
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_values_of_any_size_have_the_same_root(method, scale):
    """Signs are compared: a product of two values of 1e-200 would be zero."""
    lower, upper = np.array([[1.0, 3.0], [0.5, 2.0], [-1.0, 5.0]]).T
    solve = lambda size: batch(method, lambda x, size: size * (x - 1.3247) * (0.5 + 0.1 * x * x), lower, upper, size)
    plain, scaled = solve(np.full(3, 2.0**-3)), solve(np.full(3, 2.0 ** round(math.log2(scale))))
    assert scaled.converged.all()
    np.testing.assert_allclose(scaled.x, 1.3247, atol=tolerances.root_asked() * 2)
    if scale < 1e-280:  # near the root values are below the least number and count as zero
        assert np.all(scaled.nfev <= plain.nfev)
    else:
        np.testing.assert_array_equal(scaled.nfev, plain.nfev)


@one_derivative
@pytest.mark.parametrize("unit", [2.0**-900, 2.0**-300, 2.0**300, 2.0**1000])  # 4 eps of the first is a number
def test_points_of_any_size_have_the_same_run(method, unit):
    """The relative tolerance alone: a problem in other units of x takes the same steps."""
    solve = lambda unit: batch(
        method, lambda x, unit: cubic(x / unit), np.array([1.0]) * unit, np.array([3.0]) * unit, np.array([unit]), xtol=0.0
    )
    plain, other = solve(1.0), solve(unit)
    assert other.converged.all()
    assert plain.nfev == other.nfev
    np.testing.assert_allclose(other.x / unit, plain.x, rtol=tolerances.eps(np.float64))


@safe
def test_a_mirrored_problem_takes_the_mirrored_steps(method):
    lower, upper, theta = (np.array(v) for v in ([0.0, -1.0, 1.0], [3.0, 4.0, 2.0], [1.0, 2.0, 3.0]))
    plain = batch(method, cubic, lower, upper, theta)
    mirrored = batch(method, lambda x, p: -cubic(-x, p), -lower, -upper, theta)
    np.testing.assert_array_equal(mirrored.x, -plain.x)
    np.testing.assert_array_equal(mirrored.nfev, plain.nfev)
    negated = batch(method, lambda x, p: -cubic(x, p), lower, upper, theta)
    np.testing.assert_array_equal(negated.x, plain.x)


@safe
@dtypes
def test_a_bracket_far_from_zero(method, dtype):
    """The tolerance is what the dtype resolves there."""
    far = dtype(2.0**20)
    res = batch(method, lambda x: (x - far - dtype(0.25)) * (1 + (x - far) ** 2), np.array([far - 1]), np.array([far + 2]))
    assert res.converged.all()
    np.testing.assert_allclose(res.x, far + 0.25, rtol=8 * tolerances.eps(dtype))


@one_derivative
def test_a_bracket_as_wide_as_the_dtype(method):
    res = batch(method, lambda x: jnp.arctan(x - 2.0), np.array([-1.7e308]), np.array([1.7e308]), maxiter=3000)
    assert res.converged.all()
    np.testing.assert_allclose(res.x, 2.0, rtol=tolerances.root_asked())


@safe
@dtypes
def test_defaults_are_within_what_the_dtype_holds(method, dtype):
    theta = np.linspace(0.5, 5.0, 50, dtype=dtype)
    res = batch(method, cubic, np.full(50, 1.0, dtype), np.full(50, 3.0, dtype), theta)
    np.testing.assert_array_equal(res.status, 0)
    assert res.x.dtype == res.fun.dtype == dtype
    true = [np.real(r[np.isreal(r)][0]) for r in (np.roots([1.0, 0.0, -1.0, -p]) for p in theta.astype(float))]
    np.testing.assert_allclose(res.x, true, rtol=8 * tolerances.eps(dtype), atol=2 * tolerances.root_asked())


@safe
def test_what_the_dtype_cannot_resolve_is_said(method):
    res = root_scalar(cubic, bracket=(np.float32(1.0), np.float32(3.0)), method=method, xtol=0.0, rtol=1e-12)
    assert int(res.status) in (8, 0)
    assert int(res.status) == 8 or float(res.fun) == 0.0
    assert bool(res.converged)


@in_brackets
def test_points_stay_in_the_bracket_and_the_bracket_shrinks(method):
    points, brackets, result = by_hand(method, lambda x: x**3 - 2.0, (-1.0, 5.0))
    assert bool(result.converged)
    for point, (low, high) in zip(points[2:], brackets, strict=False):
        assert low <= point <= high
    widths = [high - low for low, high in brackets]
    assert widths == sorted(widths, reverse=True)


WORST = {"bisect": 1.0, "ridder": 2.0, "toms748": 3.0, "chandrupatla": 3.0}  # evaluations a halving; a little is added


@pytest.mark.parametrize("method", _each([*WORST, "brentq", "brenth"]))
def test_the_worst_case_is_bounded(method):
    """Cliffs, flat ends and huge ratios of slopes; brentq's bound is the square of bisection's."""
    powers, tol = np.array([1.0, 9.0, 19.0, 101.0]), 1e-9
    for f in (
        lambda x, n: jnp.sign(x - 0.3) * jnp.abs(x - 0.3) ** n,
        lambda x, n: jnp.where(x < 0.3, -1e-9, jnp.exp(n)),
        lambda x, n: jnp.exp(n * (x - 0.3)) - 1.0,
    ):
        res = batch(method, f, np.full(4, -1.0), np.full(4, 2.0), powers, xtol=tol, rtol=0.0, maxiter=5000)
        halvings = math.ceil(math.log2(3.0 / tol))
        assert res.converged.all()
        most = WORST[method] * halvings + 4 if method in WORST else halvings**2
        assert res.nfev.max() <= most


def test_bisection_takes_the_halvings_that_it_must():
    for tol in (1e-3, 1e-9):
        res = root_scalar(lambda x: x - math.pi, bracket=(0.0, 10.0), method="bisect", xtol=tol, rtol=0.0)
        assert int(res.nit) == math.ceil(math.log2(10.0 / tol))


@safe
def test_bad_lanes_say_so_and_change_no_other(method):
    """No sign change, NaN, a pole, an infinite or an equal bracket, a function that ends: among good lanes."""

    def f(x, p, kind):
        value = jnp.where(kind == 1, 1.0 / (x - 1.5), cubic(x, p))
        return jnp.where((kind == 2) & (x > 1.2), jnp.nan, jnp.where((kind == 3) & (x < 1.5), -jnp.inf, value))

    n = 64
    rng = np.random.default_rng(0)
    a, b, p, kind = np.full(n, 1.0), np.full(n, 3.0), rng.uniform(0.5, 5.0, n), np.zeros(n, np.int32)
    clean = batch(method, f, a, b, p, kind)
    assert clean.converged.all()
    wanted = {3: 5, 7: 5, 8: 5, 20: 7, 21: 7, 33: 7, 40: 7, 63: 7}
    kind[[3, 7, 8]] = 1, 2, 3
    p[20], b[21], a[33], b[40], a[63] = 1e9, np.inf, np.nan, 1.0, -np.inf
    got = batch(method, f, a, b, p, kind)
    assert {i: int(got.status[i]) for i in wanted} == wanted
    rest = np.setdiff1d(np.arange(n), list(wanted))
    for name in ("status", "nit", "nfev"):
        np.testing.assert_array_equal(got[name][rest], clean[name][rest])
    np.testing.assert_allclose(got.x[rest], clean.x[rest], rtol=tolerances.same_value(np.float64))


@safe
@dtypes
@pytest.mark.parametrize("power", [1, 3])
def test_a_pole_is_no_root(method, dtype, power):
    res = batch(method, lambda x: 1 / (x - dtype(0.3)) ** power, np.array([-1.0], dtype), np.array([2.0], dtype))
    assert not res.converged.any()
    assert int(res.status[0]) == 5


@pytest.mark.parametrize("method", OPEN)
@pytest.mark.parametrize("x0", [1e-9, 1e-3, 0.7])
def test_an_open_method_takes_no_pole_for_a_root(method, x0):
    assert not bool(root_scalar(lambda x: 1 / x, x0=x0, method=method).converged)


@from_starts
@pytest.mark.parametrize("x0", [0.8, 5.0, 1e3])
def test_open_methods_see_the_value_that_they_return(method, x0):
    res = root_scalar(lambda x: x * x - 2.0, x0=x0, method=method)
    assert bool(res.converged)
    error = 4 * tolerances.eps(np.float64) if method != "secant" else tolerances.open_root_asked() ** 1.6  # its order
    np.testing.assert_allclose(float(res.x), math.sqrt(2.0), rtol=error)
    np.testing.assert_allclose(float(res.fun), float(res.x) ** 2 - 2.0, atol=4 * tolerances.eps(np.float64))


@from_starts
def test_a_tolerance_of_zero_ends_at_working_precision(method):
    res = root_scalar(lambda x: jnp.exp(x) - 3.0, x0=1.5, method=method, xtol=0.0)
    assert int(res.status) in (0, 8)
    np.testing.assert_allclose(float(res.x), math.log(3.0), rtol=4 * tolerances.eps(np.float64))


@pytest.mark.parametrize(("method", "x0"), [("newton", 0.0), ("halley", 0.0), ("secant", None)])
def test_a_slope_of_zero_is_numerical_difficulties(method, x0):
    start = {"x0": -0.5, "x1": 0.5} if x0 is None else {"x0": x0}
    assert int(root_scalar(lambda x: x * x + 1.0, method=method, **start).status) == 4


@pytest.mark.parametrize("method", ["newton", "halley"])
def test_a_bracket_makes_an_open_method_safe(method):
    """Newton's method alone flees from this start, and cycles from that one."""
    for f, x0 in ((jnp.arctan, 3.0), (lambda x: x**3 - 2 * x + 2, 0.0)):
        assert method == "halley" or not bool(root_scalar(f, x0=x0, method=method).converged)
        res = root_scalar(f, bracket=(-4.0, 5.0), x0=x0, method=method)
        assert bool(res.converged)
        assert abs(float(res.fun)) <= 1e-10


def test_derivatives_may_be_given_in_every_way():
    f, d, dd = (lambda x, p: x**3 - p), (lambda x, p: 3 * x**2), (lambda x, p: 6 * x)
    pair, triple = (lambda x, p: (f(x, p), d(x, p))), (lambda x, p: (f(x, p), d(x, p), dd(x, p)))
    for g, given in (
        (f, {}),
        (f, {"fprime": d}),
        (pair, {"fprime": True}),
        (f, {"fprime": d, "fprime2": dd}),
        (triple, {"fprime2": True}),
        (triple, {"fprime": True, "fprime2": True}),
        (f, {"fprime2": dd, "method": "halley"}),
        (pair, {"fprime": True, "bracket": (1.0, 3.0), "method": "brentq"}),
    ):
        root = lambda p, g=g, given=given: root_scalar(g, (p,), x0=1.4, **given).root
        np.testing.assert_allclose(root(2.0), 2.0 ** (1 / 3), rtol=1e-12)
        np.testing.assert_allclose(jax.grad(root)(2.0), 2.0 ** (-2 / 3) / 3, rtol=1e-9)


def test_a_wrong_derivative_is_used_as_it_is():
    """So that the tests above say something."""
    f = lambda x: x**3 - 2.0
    right, wrong = (root_scalar(f, x0=1.4, fprime=lambda x, c=c: c * x**2) for c in (3.0, 6.0))
    assert int(wrong.nfev) > 2 * int(right.nfev)
    second = [root_scalar(f, x0=3.0, fprime=lambda x: 3 * x**2, fprime2=lambda x, c=c: c * x) for c in (6.0, 0.0)]
    assert int(second[0].nfev) < int(second[1].nfev)


def test_loops_in_the_function_are_differentiated_forward():
    def f(x):
        return jax.lax.while_loop(lambda c: c[0] < 3, lambda c: (c[0] + 1, jnp.cos(c[1])), (0, x))[1] - x

    np.testing.assert_allclose(root_scalar(f, x0=0.5).root, 0.7390851332151607, rtol=1e-12)


@safe
def test_a_lane_without_a_root_has_no_derivative(method):
    root = lambda p: root_scalar(cubic, (p,), method=method, bracket=(1.0, 3.0)).root
    slopes = np.asarray(jax.vmap(jax.grad(root))(np.array([1.0, 1e6, 5.0])))
    np.testing.assert_array_equal(np.isnan(slopes), [False, True, False])
    np.testing.assert_allclose(slopes[2], 1 / (3 * float(root(5.0)) ** 2 - 1), rtol=1e-9)


def test_a_flat_root_has_no_derivative():
    root = lambda p: root_scalar(lambda x: (x - 0.25) ** 3 * p, bracket=(0.0, 0.5)).root
    assert np.isnan(jax.grad(root)(1.0))


def test_the_result_answers_to_both_kinds_of_names():
    res = root_scalar(cubic, bracket=(1.0, 3.0))
    for one, other in (
        ("root", "x"),
        ("converged", "success"),
        ("flag", "message"),
        ("iterations", "nit"),
        ("function_calls", "nfev"),
    ):
        assert res[one] == res[other] == getattr(res, one)
        assert one in res
    inside = jax.jit(lambda p: root_scalar(cubic, (p,), bracket=(1.0, 3.0)))(2.0)
    assert inside.flag == res.flag
    lanes = jax.vmap(lambda p: root_scalar(cubic, (p,), bracket=(1.0, 3.0)))(np.array([1.0, 1e6]))
    assert [flag.split(":")[0].split(" ")[0] for flag in lanes.flag] == ["Converged", "Bad"]


def test_toms748_takes_its_number_of_interpolations():
    one, two = (root_scalar(jnp.cos, bracket=(0.0, 3.0), method="toms748", options={"k": k}) for k in (1, 2))
    assert bool(one.converged)
    assert bool(two.converged)
    assert int(two.nit) <= int(one.nit)


@pytest.mark.slow
@safe
def test_a_million_lanes_with_bad_ones_among_them(method):
    n, bad = 1_000_000, np.arange(0, 1_000_000, 1000)
    p = np.random.default_rng(0).uniform(0.5, 5.0, n)
    a, b = np.full(n, 1.0), np.full(n, 3.0)
    clean = batch(method, cubic, a, b, p)
    p[bad[::3]], b[bad[1::3]], a[bad[2::3]] = 1e9, np.inf, np.nan
    got = batch(method, cubic, a, b, p)
    np.testing.assert_array_equal(got.status[bad], 7)
    rest = np.setdiff1d(np.arange(n), bad)
    np.testing.assert_array_equal(got.status[rest], 0)
    np.testing.assert_allclose(got.x[rest], clean.x[rest], rtol=tolerances.same_value(np.float64))


@pytest.mark.parametrize("method", ["newton", "halley"])
def test_a_step_near_a_nearly_triple_root_is_a_part_of_the_way(method):
    """Within twice the xtol that was asked for, from 20,000 brackets."""
    rng = np.random.default_rng(9)
    lanes = 20_000
    c, a, b = 10.0 ** rng.uniform(-8, -5, lanes), -(10.0 ** rng.uniform(-3, 1, lanes)), 10.0 ** rng.uniform(-3, 1, lanes)
    solve = lambda c, a, b, x0: root_scalar(lambda x: x**3 + c * x, bracket=(a, b), x0=x0, method=method, xtol=1e-3)
    res = jax.jit(jax.vmap(solve))(c, a, b, a + (b - a) * rng.random(lanes))
    assert np.mean(res.converged) > 0.99
    assert np.max(np.abs(res.root)[res.converged]) <= 2e-3
