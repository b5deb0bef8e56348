"""`minimize_scalar` through both doors."""

import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize_scalar

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


def test_methods_of_scipy_that_are_not_here_yet_are_named():
    with pytest.raises(ValueError, match="brent"):
        minimize_scalar(quartic)
    for method in ("brent", "golden"):
        with pytest.raises(ValueError, match=f"unknown method '{method}'.*Known methods: bounded"):
            minimize_scalar(quartic, method=method)
