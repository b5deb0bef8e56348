"""`root_scalar` through both doors."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import root_scalar
from tests import tolerances
from tests.problems import FAMILIES

DOORS = pytest.mark.parametrize("door", [scipy.optimize.root_scalar, root_scalar], ids=["scipy", "ours"])
IN_BRACKETS = ("bisect", "brentq", "brenth", "ridder", "toms748")


def manual(x):
    """The function of SciPy's manual page."""
    return x**3 - 1


@DOORS
@pytest.mark.parametrize("method", [None, *IN_BRACKETS])
def test_documented_example_in_a_bracket(door, method):
    res = door(manual, bracket=[0, 3], method=method)
    assert bool(res.converged)
    assert float(res.root) == pytest.approx(1.0, abs=1e-11)


@DOORS
def test_documented_examples_from_a_start(door):
    slope, bend = (lambda x: 3 * x**2), (lambda x: 6 * x)
    for given in (
        {"fprime": slope, "method": "newton"},
        {"fprime": slope, "fprime2": bend, "method": "halley"},
        {"fprime": slope},
        {"fprime": slope, "fprime2": bend},
        {},
        {"x1": 0.3},
        {"x1": 0.3, "method": "secant"},
    ):
        res = door(manual, x0=0.2, **given)
        assert bool(res.converged)
        assert float(res.root) == pytest.approx(1.0, abs=1e-9)
    both = lambda x: (x**3 - 1, 3 * x**2)
    all_three = lambda x: (x**3 - 1, 3 * x**2, 6 * x)
    assert float(door(both, x0=0.2, fprime=True, method="newton").root) == pytest.approx(1.0)
    assert float(door(all_three, x0=0.2, fprime=True, fprime2=True).root) == pytest.approx(1.0)
    assert float(door(both, bracket=[0.5, 3], fprime=True, method="brentq").root) == pytest.approx(1.0)


@DOORS
def test_arguments_and_budgets(door):
    f = lambda x, a, b: a * x - b
    assert float(door(f, args=(2.0, 3.0), bracket=(0, 4), method="bisect").root) == pytest.approx(1.5)
    assert float(door(lambda x, a: x - a, args=1.5, bracket=(0, 4)).root) == pytest.approx(1.5)
    spent = door(lambda x: jnp.cos(x) - x, bracket=(0.0, 2.0), method="bisect", maxiter=3)
    assert not bool(spent.converged)
    assert int(spent.iterations) == 3
    loose, tight = (door(lambda x: jnp.exp(x) - 2, bracket=(0.0, 2.0), xtol=xtol, rtol=1e-15) for xtol in (1e-2, 1e-12))
    assert int(loose.function_calls) < int(tight.function_calls)
    assert float(tight.root) == pytest.approx(math.log(2.0), abs=1e-11)


@DOORS
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "neither"),
        ({"method": "brentq"}, "[Bb]racket"),
        ({"method": "newton"}, "x0"),
        ({"method": "halley", "fprime": lambda x: 3 * x**2, "fprime2": lambda x: 6 * x}, "x0"),
        ({"method": "secant"}, "x0"),
        ({"method": "brent", "bracket": (0, 3)}, "[Uu]nknown"),
    ],
    ids=["nothing", "brentq", "newton", "halley", "secant", "unknown"],
)
def test_what_a_method_needs(door, given, words):
    with pytest.raises(ValueError, match=words):
        door(manual, **given)


@pytest.mark.parametrize("x0", [0.2, 3.0, 40.0])
@pytest.mark.parametrize("method", ["newton", "halley", "secant"])
def test_open_methods_take_scipys_steps(method, x0):
    """One evaluation more than SciPy, at the point that is returned: as many iterations."""
    f, given = (lambda x: x**3 - 1), {"fprime": lambda x: 3 * x**2, "fprime2": lambda x: 6 * x}
    given = {name: d for name, d in given.items() if method == "halley" or (method == "newton" and name == "fprime")}
    theirs, ours = (door(f, x0=x0, method=method, **given) for door in (scipy.optimize.root_scalar, root_scalar))
    assert bool(ours.converged) == bool(theirs.converged)
    assert int(ours.iterations) <= 1.2 * theirs.iterations
    np.testing.assert_allclose(ours.root, theirs.root, rtol=4 * tolerances.eps(np.float64))


def theirs(method, function, low, high):
    """The root and the iterations of SciPy's method."""
    root, info = getattr(scipy.optimize, method)(function, low, high, maxiter=1000, full_output=True, disp=False)
    return root, info.iterations


def compare(method, families):
    """The iterations of both, on every problem; every root of ours is one."""
    ours, scipys = [], []
    for family in families:
        n, a, low, high = np.array(family.table).T
        fun = jax.jit(family.fun)
        solve = lambda n, a, low, high, f=family.fun: root_scalar(
            lambda x: f(x, n, a), bracket=(low, high), method=method, maxiter=1000
        )
        res = jax.vmap(solve)(n, a, low, high)
        assert np.asarray(res.converged).all(), family.name
        roots, iterations = np.array([
            theirs(method, lambda x, fun=fun, row=row: float(fun(x, row[0], row[1])), row[2], row[3])
            for row in np.stack([n, a, low, high], -1)
        ]).T  # fmt: skip
        if "flat" in family.tags:  # zero in a whole neighborhood: which point is found is chance
            np.testing.assert_allclose(res.fun, 0.0, atol=1e-300)
        else:
            error = 2 * tolerances.root_asked() + 8 * tolerances.eps(np.float64) * np.abs(roots)
            assert np.all(np.abs(np.asarray(res.root) - roots) <= error), family.name
        ours.append(np.asarray(res.iterations))
        scipys.append(iterations)
    return np.concatenate(ours), np.concatenate(scipys)


FEW = tuple(f for f in FAMILIES if f.name in ("aps_4", "aps_9", "aps_12", "aps_14", "chandrupatla_1", "chandrupatla_8"))


@pytest.mark.parametrize(
    ("method", "families"),
    [
        *(pytest.param(method, FEW, id=f"{method}-few") for method in ("brentq",)),
        *(pytest.param(method, FAMILIES, id=f"{method}-all", marks=pytest.mark.slow) for method in IN_BRACKETS),
    ],
)
def test_classical_test_sets_take_no_more_iterations_than_scipy(method, families):
    ours, scipys = compare(method, families)
    assert ours.sum() <= 1.2 * scipys.sum()
    assert np.median(ours) <= 1.2 * np.median(scipys)


@pytest.mark.parametrize("families", [pytest.param(FEW, id="few"), pytest.param(FAMILIES, id="all", marks=pytest.mark.slow)])
def test_chandrupatlas_method_is_that_of_scipys_elementwise_module(families):
    from scipy.optimize import elementwise

    ours, scipys = [], []
    for family in families:
        n, a, low, high = np.array(family.table).T
        fun = jax.jit(jax.vmap(family.fun))
        solve = lambda n, a, low, high, f=family.fun: root_scalar(
            lambda x: f(x, n, a), bracket=(low, high), method="chandrupatla", maxiter=1000
        )
        res = jax.vmap(solve)(n, a, low, high)
        tol = {"xatol": tolerances.root_asked(), "xrtol": 4 * tolerances.eps(np.float64)}
        known = elementwise.find_root(
            lambda x, n, a, fun=fun: np.asarray(fun(x, n, a)), (low, high), args=(n, a), tolerances=tol
        )
        assert np.asarray(res.converged).all()
        ours.append(np.asarray(res.iterations))
        scipys.append(known.nit)
    assert np.concatenate(ours).sum() <= 1.2 * np.concatenate(scipys).sum()
    assert np.median(np.concatenate(ours)) <= 1.2 * np.median(np.concatenate(scipys))


def test_shapes_and_kinds_are_scipys():
    theirs, ours = (d(manual, bracket=[0, 3]) for d in (scipy.optimize.root_scalar, root_scalar))
    for name in ("root", "converged", "iterations", "function_calls", "flag"):
        one, other = np.asarray(theirs[name]), np.asarray(ours[name])
        assert one.shape == other.shape, name
        assert one.dtype.kind == other.dtype.kind, name
