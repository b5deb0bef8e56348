"""`minimize` through both doors: scipy.optimize's and ours, on SciPy's own examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize, rosen, rosen_der, rosen_hess, rosen_hess_prod
from tests.core.tolerance import assert_close, tolerance

START = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
DOORS = pytest.mark.parametrize("door", [scipy.optimize.minimize, minimize], ids=["scipy", "ours"])


def rosen_with_args(x, a, b):
    """SciPy's tutorial: sum a (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 + b."""
    return (a * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0).sum() + b


@DOORS
def test_rosenbrock_of_the_manual(door):
    res = door(rosen, START, method="BFGS", jac=rosen_der, options={"gtol": 1e-6, "disp": False})
    assert bool(res.success)
    np.testing.assert_allclose(res.x, np.ones(5), atol=1e-5)
    assert int(res.status) == 0
    assert np.max(np.abs(res.jac)) <= 1e-6
    assert np.asarray(res.hess_inv)[0, 0] == pytest.approx(0.0075, rel=0.1)


@DOORS
def test_rosenbrock_with_arguments(door):
    jac = jax.grad(rosen_with_args)
    res = door(rosen_with_args, START, args=(0.5, 1.0), method="BFGS", jac=jac, tol=1e-8)
    assert bool(res.success)
    np.testing.assert_allclose(res.x, np.ones(5), atol=1e-6)
    assert float(res.fun) == pytest.approx(1.0, abs=1e-12)


@DOORS
def test_a_function_that_returns_its_gradient(door):
    res = door(lambda x: (rosen(x), rosen_der(x)), START, jac=True, method="BFGS")
    assert bool(res.success)
    np.testing.assert_allclose(res.x, np.ones(5), atol=1e-4)


@DOORS
@pytest.mark.parametrize("args", [2.0, (2.0,), np.float64(2.0)], ids=["number", "tuple", "NumPy number"])
def test_args_that_are_no_tuple(door, args):
    res = door(lambda x, c: ((x - c) ** 2).sum(), np.zeros(2), args=args, jac=lambda x, c: 2 * (x - c), method="BFGS")
    np.testing.assert_allclose(res.x, [2.0, 2.0], atol=1e-5)


@DOORS
@pytest.mark.parametrize("name", ["BFGS", "bfgs", "Bfgs", "bFGS", None])
def test_methods_are_called_by_name_in_any_case(door, name):
    assert bool(door(rosen, START, jac=rosen_der, method=name).success)


@DOORS
@pytest.mark.parametrize(
    "x0", [[1.3, 0.7], (1.3, 0.7), [2, 1], np.array([2, 1])], ids=["list", "tuple", "integers", "int array"]
)
def test_starts_of_any_kind(door, x0):
    res = door(rosen, x0, jac=rosen_der, method="BFGS")
    assert np.asarray(res.x).dtype == np.float64
    np.testing.assert_allclose(res.x, np.ones(2), atol=1e-4)


def both(**kw):
    return (
        scipy.optimize.minimize(rosen, START, jac=rosen_der, method="BFGS", **kw),
        minimize(rosen, START, jac=rosen_der, method="BFGS", **kw),
    )


def test_the_result_has_scipys_fields_with_scipys_shapes_and_kinds():
    theirs, ours = both()
    assert set(theirs.keys()) <= set(ours.keys())
    for name in theirs:
        one, other = np.asarray(theirs[name]), np.asarray(ours[name])
        assert one.shape == other.shape, name
        assert one.dtype.kind == other.dtype.kind, name
    for name in ("hess", "maxcv", "nhev"):
        assert name not in theirs
        assert name not in ours


def test_the_answers_are_scipys():
    theirs, ours = both(options={"gtol": 1e-8})
    assert_close(ours.x, theirs.x, np.float64, "x from slopes")
    assert float(ours.fun) == pytest.approx(theirs.fun, abs=tolerance(np.float64, "x from slopes"))
    # two inverse Hessians that were learnt on two paths
    assert np.linalg.norm(ours.hess_inv - theirs.hess_inv) <= 0.2 * np.linalg.norm(theirs.hess_inv)


def test_the_print_has_scipys_form():
    theirs, ours = (str(res).splitlines() for res in both())
    heads = lambda lines: [line.split(":")[0] for line in lines if ":" in line[:12]]
    assert (
        heads(theirs)[:6]
        == heads(ours)[:6]
        == ["  message", "  success", "   status", "      fun", "        x", "      nit"]
    )
    assert set(heads(theirs)) == set(heads(ours))
    assert ours[1] == theirs[1] == "  success: True"


def test_a_spent_budget_is_no_success_in_both():
    for res in both(options={"maxiter": 2}):
        assert not bool(res.success)
        assert (int(res.status), int(res.nit)) == (1, 2)


@pytest.mark.parametrize("start", [START, np.array([-1.2, 1.0, -1.2, 1.0])], ids=["manual", "standard"])
def test_evaluations_are_counted_alike(start):
    """An evaluation is a call: counted by a host function in SciPy's, by the machine here."""
    calls = []
    fun = lambda x: (calls.append(1), float(scipy.optimize.rosen(x)))[1]
    theirs = scipy.optimize.minimize(fun, start, jac=scipy.optimize.rosen_der, method="BFGS")
    ours = minimize(rosen, start, jac=rosen_der)
    assert theirs.nfev == len(calls)
    assert int(ours.nfev) <= 1.5 * theirs.nfev


def recording(seen):
    def method(fun, x0, args=(), **kw):
        seen.append((fun, np.asarray(x0).tolist(), args, kw))
        return scipy.optimize.OptimizeResult(x=x0, fun=fun(x0, *args), success=True)

    return method


CUSTOM = {
    "plain": {},
    "arguments": {"args": (1.0, 2.0)},
    "one argument": {"args": 3.0},
    "derivatives": {"jac": rosen_der, "hess": rosen_hess, "hessp": rosen_hess_prod},
    "bounds": {"bounds": [(0.0, 1.0)] * 5},
    "constraints": {"constraints": ({"type": "eq", "fun": rosen},)},
    "callback": {"callback": print},
    "options": {"options": {"maxiter": 3, "own": "value"}},
    "tol": {"tol": 1e-3},
    "tol and options": {"tol": 1e-3, "options": {"tol": 1e-5}},
}


@pytest.mark.parametrize("case", CUSTOM, ids=str)
def test_a_method_that_is_a_callable_receives_what_scipys_would(case):
    fun = lambda x, *args: float(scipy.optimize.rosen(np.asarray(x)))
    seen = []
    for door in (scipy.optimize.minimize, minimize):
        res = door(fun, START, method=recording(seen), **CUSTOM[case])
        assert isinstance(res, scipy.optimize.OptimizeResult)
    (f, x0, args, kw), (our_f, our_x0, our_args, our_kw) = seen
    assert our_f is f
    assert our_x0 == x0
    assert our_args == args
    assert our_kw == kw


def test_methods_of_scipy_that_are_not_here_yet_are_named():
    for method in ("COBYQA",):
        with pytest.raises(ValueError, match=f"unknown method '{method}'.*Known methods: BFGS"):
            minimize(rosen, START, method=method)


ROSEN = {"rosen": rosen, "rosen_der": rosen_der, "rosen_hess": rosen_hess}


@pytest.mark.parametrize("name", ROSEN)
@pytest.mark.parametrize("n", [2, 3, 6])
def test_the_rosenbrock_family_is_scipys(name, n):
    x = np.random.default_rng(n).uniform(-2, 2, n)
    assert_close(ROSEN[name](jnp.asarray(x)), getattr(scipy.optimize, name)(x), np.float64, "rounding")
    p = np.arange(1.0, n + 1.0)
    assert_close(
        rosen_hess_prod(jnp.asarray(x), jnp.asarray(p)), scipy.optimize.rosen_hess_prod(x, p), np.float64, "rounding"
    )
