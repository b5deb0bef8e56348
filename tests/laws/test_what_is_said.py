"""What a call says besides its result: failures, what was not finite, options, iterations, digits that data lose."""

import functools
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import OptimizeWarning, curve_fit, least_squares, linprog, minimize, minimize_scalar, root_scalar
from jaxopt_lite.api import methods

T = np.linspace(0.0, 4.0, 12)
Y = 2.0 * np.exp(-0.7 * T)
decay = lambda t, a, k: a * jnp.exp(-k * t)
residual = lambda p: decay(T, *p) - Y
ones = jnp.ones(2)

FAILING = {
    "curve_fit": lambda **how: curve_fit(decay, T, Y, ones, max_nfev=2, **how),
    "root_scalar": lambda **how: root_scalar(lambda x: x**3 - 7.0, bracket=(0.0, 50.0), maxiter=2, **how),
    "least_squares": lambda: least_squares(residual, ones, max_nfev=2),
}
found = {"curve_fit": lambda out: out[0], "root_scalar": lambda out: out.root}
doors = pytest.mark.parametrize("door", list(found))


@pytest.mark.parametrize("door", list(FAILING))
def test_an_eager_call_that_fails_warns_with_the_sentence_and_the_callers_line(door):
    with pytest.warns(OptimizeWarning, match=rf"{door} found no solution. Stopped: the budget") as caught:
        FAILING[door]()
    assert [warning.filename for warning in caught] == [__file__]


@doors
def test_on_failure_chooses_what_is_returned(door):
    with pytest.warns(OptimizeWarning, match="the best point"):
        best = found[door](FAILING[door](on_failure="best"))
    with pytest.warns(OptimizeWarning, match="NaN"):
        nothing = found[door](FAILING[door](on_failure="nan"))
    assert np.all(np.isfinite(best))
    assert np.all(np.isnan(nothing))
    with pytest.raises(RuntimeError, match=f"{door} found no solution"):
        FAILING[door](on_failure="raise")
    with pytest.raises(ValueError, match="on_failure is 'none'; give 'best', 'nan' or 'raise'"):
        FAILING[door](on_failure="none")


def test_a_batch_marks_the_lanes_without_a_fit_and_says_nothing(recwarn):
    most = jnp.array([2, 50])
    fit = lambda most, how: curve_fit(decay, T, Y, ones, max_nfev=most, full_output=True, on_failure=how)
    for run in (lambda f: jax.vmap(f)(most), lambda f: jax.jit(jax.vmap(f))(most)):
        popt, pcov, info, *_ = run(functools.partial(fit, how="nan"))
        np.testing.assert_array_equal(info["success"], [False, True])
        assert np.all(np.isnan(popt[0]))
        assert np.all(np.isinf(pcov[0]))
        np.testing.assert_allclose(popt[1], [2.0, 0.7], rtol=1e-5)
    root = jax.vmap(lambda n: root_scalar(lambda x: x**3 - 7.0, bracket=(0.0, 50.0), maxiter=n, on_failure="nan").root)
    np.testing.assert_array_equal(np.isnan(root(most)), [True, False])
    assert [w for w in recwarn if issubclass(w.category, OptimizeWarning)] == []


@pytest.mark.parametrize("wrapped", [jax.jit, jax.vmap], ids=["jit", "vmap"])
def test_a_batch_cannot_raise_and_says_what_to_use(wrapped):
    with pytest.raises(ValueError, match="on_failure='raise' needs an eager call of one problem; use 'nan'"):
        wrapped(lambda y: curve_fit(decay, T, y, ones, on_failure="raise")[0])(Y[None] if wrapped is jax.vmap else Y)


# --- what was not finite ---------------------------------------------------------------------------------------------

dose = np.array([0.0, 1.0, 2.0, 3.0])


def test_a_derivative_that_is_not_finite_is_told_from_a_value_and_by_which_argument():
    """A power at dose 0 has a value, and no derivative by its exponent."""
    power = lambda t, a, b: a * jnp.sqrt(t * b)
    with pytest.warns(OptimizeWarning, match=r"the function is finite, but its Jacobian is not: the derivative by x\[1\]"):
        *_, mesg, ier = curve_fit(power, dose, dose, np.array([1.0, 0.5]), full_output=True)
    assert "the derivative by x[1]" in str(mesg)
    assert ier == 0


@pytest.mark.parametrize("method", [row.name for row in methods.MINIMIZE])
def test_the_message_names_what_was_not_finite(method):
    if "jac" in methods.find(methods.MINIMIZE, method, "minimize").takes:
        res = minimize(lambda x: jnp.sum(jnp.sqrt(x)), jnp.array([0.0, 1.0]), method=method)
        assert res.status == 5
        assert "the function is finite, but its gradient is not: the derivative by x[0]." in res.message
    res = minimize(lambda x: jnp.sum(jnp.log(x)), jnp.array([-1.0, 1.0]), method=method)
    assert res.status == 5
    assert "At the start the value is nan, which is not finite." in res.message


def test_entries_of_a_pytree_are_named():
    res = minimize(lambda p: jnp.sum(jnp.sqrt(p["b"])) + p["a"] ** 2, {"a": jnp.ones(()), "b": jnp.array([1.0, 0.0])})
    assert "the derivative by x['b'][1]." in res.message


# --- options, disp, verbose --------------------------------------------------------------------------------------------


def test_maxfev_of_a_fit_is_max_nfev():
    for method in ("lm", "trf", "dogbox"):
        with pytest.warns(OptimizeWarning):
            by_option = least_squares(residual, ones, method=method, options={"maxfev": 3})
        assert by_option.nfev <= 3
    with pytest.raises(ValueError, match="max_nfev and option 'maxfev' are the same"):
        least_squares(residual, ones, max_nfev=5, options={"maxfev": 3})


DISP = {
    "minimize": lambda o: minimize(lambda x: jnp.sum((x - 1) ** 2), ones, options=o),
    "minimize_scalar": lambda o: minimize_scalar(lambda x: (x - 1) ** 2, options=o),
    "root_scalar": lambda o: root_scalar(lambda x: x - 1, x0=3.0, options=o),
    "least_squares": lambda o: least_squares(residual, ones, options=o),
    "curve_fit": lambda o: curve_fit(decay, T, Y, ones, options=o),
    "linprog": lambda o: linprog([1.0], bounds=(1.0, 2.0), options=o),
}


@pytest.mark.parametrize("door", list(DISP))
def test_disp_prints_at_every_door(door, capfd):
    DISP[door]({"disp": True})
    assert len(re.findall(r"^ *status: ", capfd.readouterr().out, re.MULTILINE)) == 1
    DISP[door]({"disp": False})
    assert capfd.readouterr().out == ""


def test_an_eager_vmap_prints_numbers_and_no_tracers(capfd):
    starts = jnp.array([[3.0, 4.0], [5.0, 6.0]])
    jax.vmap(lambda x: minimize(lambda x: jnp.sum((x - 1) ** 2), x, options={"disp": True}))(starts)
    jax.vmap(lambda x: least_squares(residual, x, verbose=2))(0.1 * starts)
    said = capfd.readouterr().out
    assert said.count("2 x Converged") == 2
    assert "Tracer" not in said


def test_verbose_2_of_one_fit_shows_its_iterations(capfd):
    res = least_squares(residual, ones, verbose=2)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].split() == ["iteration", "cost", "step"]
    numbers = [row for row in map(str.split, lines[1:]) if row and row[0].isdigit()]
    assert len(numbers) == int(res.nit)
    costs = [float(row[1]) for row in numbers]
    assert costs == sorted(costs, reverse=True)
    assert any("status" in line for line in lines)


@pytest.mark.parametrize("name", ["offset", "rescale", "minfev", "accuracy"])
def test_an_option_without_effect_says_so(name):
    with pytest.warns(OptimizeWarning, match=f"option '{name}' is given. Of no effect"):
        minimize(lambda x: jnp.sum(x**2), ones, method="TNC", options={name: 1.0})


# --- signatures --------------------------------------------------------------------------------------------------------


def test_keyword_only_parameters_of_a_model_are_no_parameters_of_the_fit():
    popt, _ = curve_fit(lambda t, a, k, *, lift=1.0: lift * decay(t, a, k), T, Y)
    np.testing.assert_allclose(popt, [2.0, 0.7], rtol=1e-5)
    with pytest.raises(ValueError, match="f needs the keyword 'lift', which no fit passes"):
        curve_fit(lambda t, a, *, lift: lift * a, T, Y)


def test_a_sparse_pattern_is_refused_with_the_sentence():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="jac_sparsity is given, but the equations of a lane are dense"):
        least_squares(residual, ones, jac_sparsity=sparse.eye(12, 2))


# --- float64 that becomes float32 ----------------------------------------------------------------------------------------

NARROWED = """
import warnings, numpy as np, jax.numpy as jnp
from jaxopt_lite import OptimizeWarning, curve_fit, linprog, minimize
def said(f):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        f()
    return [str(w.message) for w in caught if issubclass(w.category, OptimizeWarning)]
line = lambda t, a, b: a + b * t
bowl = lambda x: jnp.sum((x - 1.0) ** 2)
first = said(lambda: minimize(bowl, np.zeros(2)))
assert len(first) == 1 and "x0 holds float64, and is narrowed to float32" in first[0] and "jax_enable_x64" in first[0], first
assert said(lambda: minimize(bowl, np.zeros(2))) == []
days = 2459000.5 + np.arange(200) / 20.0
lost = said(lambda: curve_fit(line, days, np.arange(200.0), p0=[1.0, 1.0]))
assert any("xdata loses what tells its values apart in float32: 200 different numbers become 41" in s for s in lost), lost
seconds = 1.7e9 + 3600.0 * np.arange(100)
lost = said(lambda: curve_fit(line, seconds, np.arange(100.0), p0=[1.0, 1.0]))
assert any("xdata" in s and "roundings" in s for s in lost), lost
assert said(lambda: curve_fit(line, np.linspace(0, 1, 50), np.linspace(0, 1, 50), p0=[1.0, 1.0])) == []
rng = np.random.default_rng(0)
assert said(lambda: minimize(lambda x, d: bowl(x) + 0 * d[0], [0.0, 0.0], (rng.normal(size=20_000),))) == []
lost = said(lambda: minimize(lambda x, d: bowl(x) + 0 * d["t"][0], [0.0, 0.0], ({"t": days},)))
assert len(lost) == 1 and "args[0]['t']" in lost[0], lost
"""


def test_data_that_lose_digits_are_named_once_a_process_and_where_they_collapse():
    done = subprocess.run([sys.executable, "-c", NARROWED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_is_said_of_float64_where_it_stays(recwarn):
    days = 2459000.5 + np.arange(200) / 20.0
    curve_fit(lambda t, a, b: a + b * (t - 2459000.5), days, np.arange(200.0), p0=[1.0, 1.0])
    assert [str(w.message) for w in recwarn if issubclass(w.category, OptimizeWarning)] == []
