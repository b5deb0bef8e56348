"""`minimize_scalar` through both doors."""

import jax
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize_scalar
from tests import tolerances
from tests.problems import SCALAR

DOORS = pytest.mark.parametrize("door", [scipy.optimize.minimize_scalar, minimize_scalar], ids=["scipy", "ours"])


def manual(x):
    """The function of SciPy's manual page; its minima are 0 at -2 and about -9.9 at 1.28."""
    return (x - 2) * x * (x + 2) ** 2


def quartic(x):
    return 3 * x**4 - 2 * x + 1


def double_well(x):
    return x**4 - x**2


EXAMPLES = {
    "manual": (manual, (-3, -1), -2.0000002026),
    "quartic": (quartic, (0, 1), 0.5503212087),
    "double well": (double_well, (-1, 0), -0.7071067),
}


@DOORS
@pytest.mark.parametrize("name", EXAMPLES)
def test_documented_examples(door, name):
    fun, bounds, x = EXAMPLES[name]
    res = door(fun, bounds=bounds, method="bounded")
    assert bool(res.success)
    assert float(res.x) == pytest.approx(x, abs=1e-5)
    assert float(res.fun) == pytest.approx(float(fun(x)), abs=1e-8)
    assert np.shape(res.x) == np.shape(res.fun) == ()


@DOORS
def test_more_accuracy_on_request(door):
    res = door(quartic, bounds=(0, 1), method="bounded", options={"xatol": 1e-10})
    assert float(res.x) == pytest.approx((1 / 6) ** (1 / 3), abs=1e-8)
    assert float(res.fun) == pytest.approx(0.17451818777634, abs=1e-13)


@DOORS
@pytest.mark.parametrize("name", ["bounded", "Bounded", "BOUNDED"])
def test_methods_are_called_by_name_in_any_case(door, name):
    assert bool(door(double_well, bounds=(-1, 0), method=name).success)


@DOORS
def test_bounds_choose_the_method(door):
    assert float(door(double_well, bounds=(-1, 0)).x) == pytest.approx(-0.7071067, abs=1e-5)


@DOORS
def test_arguments(door):
    res = door(lambda x, a, b: (x - a) ** 2 + b, bounds=(0, 4), args=(1.5, 2.0), method="bounded")
    assert float(res.x) == pytest.approx(1.5, abs=1e-5)
    assert float(res.fun) == pytest.approx(2.0, abs=1e-9)


@pytest.mark.filterwarnings("ignore:Method 'bounded' does not support relative tolerance:RuntimeWarning")
@DOORS
def test_tol_is_the_accuracy_of_x(door):
    loose, tight = (door(quartic, bounds=(0, 1), method="bounded", tol=tol) for tol in (1e-1, 1e-9))
    assert int(loose.nfev) < int(tight.nfev)
    assert abs(float(tight.x) - (1 / 6) ** (1 / 3)) < 1e-8


@DOORS
def test_a_spent_budget(door):
    res = door(quartic, bounds=(0, 1), method="bounded", options={"maxiter": 3})
    assert not bool(res.success)
    assert int(res.status) == 1
    assert int(res.nfev) == 3


@DOORS
@pytest.mark.parametrize("bounds", [(2.0, 1.0), (1.0,), (0.0, 1.0, 2.0)])
def test_bounds_that_are_none(door, bounds):
    with pytest.raises(ValueError, match=r"bound|elements|unpack"):
        door(quartic, bounds=bounds, method="bounded")


@DOORS
def test_bounded_needs_bounds(door):
    with pytest.raises(ValueError, match="bounds"):
        door(quartic, method="bounded")


def test_fields_shapes_and_kinds_are_scipys():
    theirs, ours = (d(quartic, bounds=(0, 1), method="bounded") for d in (scipy.optimize.minimize_scalar, minimize_scalar))
    assert set(theirs.keys()) == set(ours.keys())
    for name in theirs:
        one, other = np.asarray(theirs[name]), np.asarray(ours[name])
        assert one.shape == other.shape, name
        assert one.dtype.kind == other.dtype.kind, name
    heads = lambda res: [line.split(":")[0].strip() for line in str(res).splitlines() if ":" in line[:12]]
    assert heads(theirs) == heads(ours)


CUSTOM = {
    "plain": {},
    "arguments": {"args": (1.0,)},
    "one argument": {"args": 1.0},
    "bracket": {"bracket": (0.0, 1.0)},
    "bounds": {"bounds": (0.0, 1.0)},
    "options": {"options": {"own": 3}},
    "tol": {"tol": 1e-3},
}


@pytest.mark.parametrize("case", CUSTOM, ids=str)
def test_a_method_that_is_a_callable_receives_what_scipys_would(case):
    seen = []

    def method(fun, args=(), **kw):
        seen.append((fun, args, kw))
        return scipy.optimize.OptimizeResult(x=0.0, fun=0.0, success=True)

    for door in (scipy.optimize.minimize_scalar, minimize_scalar):
        door(quartic, method=method, **CUSTOM[case])
    assert seen[0] == seen[1]


# --- brent and golden -------------------------------------------------------------------------------------------------

unbounded = pytest.mark.parametrize("method", ["brent", "golden"])


@DOORS
@unbounded
def test_documented_examples_without_bounds(door, method):
    res = door(quartic, method=method)
    assert bool(res.success)
    assert float(res.x) == pytest.approx(0.5503212087, abs=2e-8)
    assert float(res.fun) == pytest.approx(0.17451818777634, abs=1e-14)
    res = door(manual, method=method)
    assert float(res.x) == pytest.approx(1.28077640403, abs=2e-8)
    assert float(res.fun) == pytest.approx(-9.9149495908, abs=1e-9)


@DOORS
def test_brent_is_the_default(door):
    res = door(double_well)
    assert abs(float(res.x)) == pytest.approx(0.7071067853, abs=2e-8)
    assert float(res.fun) == pytest.approx(-0.25, abs=1e-15)
    assert abs(float(door(double_well, bracket=(-1, 0)).x)) == pytest.approx(0.7071067853, abs=2e-8)  # either well


@DOORS
@unbounded
@pytest.mark.parametrize("bracket", [(0.1, 0.3, 1.0), (1.0, 0.3, 0.1), [0.0, 2.0], np.array([3.0, 1.0])], ids=str)
def test_brackets(door, method, bracket):
    res = door(quartic, bracket=bracket, method=method)
    assert bool(res.success)
    assert float(res.x) == pytest.approx((1 / 6) ** (1 / 3), abs=2e-8)


@unbounded
def test_a_cubic_has_no_minimum(method):
    """SciPy's is a success at minus infinity."""
    res = minimize_scalar(lambda x: x**3, method=method)
    assert (int(res.status), bool(res.success)) == (3, False)
    assert np.isfinite(res.fun)


@DOORS
@unbounded
def test_a_constant_is_no_bracket(door, method):
    assert not bool(door(lambda x: 0.0 * x + 2.0, method=method).success)


@DOORS
@unbounded
@pytest.mark.parametrize("bracket", [(1.0,), (0.0, 2.0, 1.0), (0.0, 0.0, 1.0), (0.0, 1.0, 2.0, 3.0)], ids=str)
def test_brackets_that_are_none(door, method, bracket):
    with pytest.raises(ValueError, match=r"(?i)bracket"):
        door(quartic, bracket=bracket, method=method)


@DOORS
@unbounded
def test_bounds_are_an_error_for_a_method_without(door, method):
    with pytest.raises(ValueError, match="bounds"):
        door(quartic, bounds=(0, 1), method=method)


@DOORS
@unbounded
def test_xtol_and_maxiter(door, method):
    loose, tight = (door(quartic, method=method, options={"xtol": xtol}) for xtol in (1e-2, 1e-7))
    assert int(loose.nit) < int(tight.nit)
    assert abs(float(loose.x) - (1 / 6) ** (1 / 3)) < 2e-2
    cut = door(quartic, method=method, options={"maxiter": 3})
    assert (int(cut.nit), bool(cut.success)) == (3, False)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@unbounded
def test_as_many_evaluations_as_scipy(method):
    """Over the library, and over quartics; both doors are told the same values."""
    usual = [p for p in SCALAR if "flat" not in p.tags and p.name not in ("rising", "falling")]
    funs = tuple(p.fun for p in usual)
    fun = lambda x, which: jax.lax.switch(which, funs, x)
    numbers, bounds = np.arange(len(usual), dtype=np.int32), np.array([p.bounds for p in usual])
    ours = jax.vmap(lambda i, b: minimize_scalar(fun, (b[0], b[1]), args=(i,), method=method))(numbers, bounds)
    host = jax.jit(fun)
    theirs = [
        scipy.optimize.minimize_scalar(lambda x, i=i: float(host(x, i)), tuple(b), method=method)
        for i, b in zip(numbers, bounds, strict=True)
    ]
    assert np.all(ours.success)
    both = np.array([res.success for res in theirs])  # SciPy has no bracket where f is NaN
    assert np.sum(both) >= len(usual) - 1
    assert np.sum(np.asarray(ours.nfev)[both]) <= 1.2 * sum(res.nfev for res in theirs if res.success)
    for problem, found, res in zip(usual, np.asarray(ours.fun), theirs, strict=True):
        slope_times_accuracy = 1e-7 * ("nonsmooth" in problem.tags)
        if res.success and "multimodal" not in problem.tags:
            assert found <= res.fun + tolerances.value_noise(np.float64, max(1.0, abs(res.fun))) + slope_times_accuracy


@unbounded
def test_fields_are_scipys(method):
    theirs, ours = (d(quartic, method=method) for d in (scipy.optimize.minimize_scalar, minimize_scalar))
    assert set(theirs.keys()) <= set(ours.keys()) | {"message"}
