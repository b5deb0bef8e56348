"""Claims of fits: faults that were measured, judged in float64 by `tests/audit/fits.py`, which shares no code with us."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import curve_fit
from tests.audit.fits import QUICK, bounded, families, fit, judge

LANES = 200


def quick(f):
    """A jit that compiles in a quarter of the time, and less optimized."""
    return jax.jit(f, compiler_options=QUICK)


@functools.cache
def fitted(name, method, dtype):
    """A family of the audit, popt, infodict and the verdict."""
    rng = np.random.default_rng(7)
    (family,) = [*families(rng, LANES, only=(name,)), *bounded(rng, LANES, only=(name,))]
    popt, info = fit(family, method, dtype)
    return family, popt, info, judge(family, popt, dtype)


@pytest.mark.parametrize(
    ("end", "method", "dtype"),
    [(15, "lm", np.float32), (15, "dogbox", np.float32), (40, "dogbox", np.float64), (40, "trf", np.float64)],
)
def test_a_scale_that_remembers_a_growth_too_long_is_forgotten_and_the_fit_is_made(end, method, dtype):
    """y = 2 e^(t/10) + 1 + 0.05 sin 7t from ones: the first column of the rate is e^T, the last one 1e2."""
    family, _, info, verdict = fitted(f"growth to {end}", method, dtype)
    assert np.all(info["success"]), np.unique(info["status"], return_counts=True)
    assert np.all(verdict.near), verdict.distance.max()
    spread = np.sum((family.y - family.y.mean(axis=1, keepdims=True)) ** 2, axis=1)
    assert np.all(2 * verdict.cost <= 0.01 * spread), "another local minimum, without the growth, costs as much as the data"


@pytest.mark.parametrize("name", ["resonator", "two decays"])
def test_each_parameter_is_measured_by_its_own_size(name):
    """A frequency of 4.5e9 beside a level of 1; a rate that runs away beside one that does not."""
    _, _, info, verdict = fitted(name, "lm", np.float64)
    assert np.all(verdict.near[info["success"]]), verdict.distance[info["success"]].max()
    assert np.mean(info["success"]) >= 0.75


def test_a_decay_that_is_over_before_the_second_datum_is_no_answer():
    _, _, info, verdict = fitted("decay", "lm", np.float64)
    assert np.all(verdict.near[info["success"]])
    assert np.mean(info["success"]) >= 0.65


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_an_angle_that_nothing_determines_stays_where_it_is_and_is_called_undetermined(dtype):
    """Of a round peak: every angle is as good, and none of 1e14 is to be reported."""
    family, popt, info, verdict = fitted("round peak, exact", "lm", dtype)
    assert np.all(info["success"])
    assert np.all(verdict.near)
    moved = np.abs(popt[:, 5] - family.starts[:, 5])
    assert np.max(moved) <= 100.0, "a turn or two on the way in, not a flight"
    assert np.mean(info["rank"] == 6) >= 0.95
    assert np.all(np.isin(info["cov_status"][info["rank"] == 6], 1))


@pytest.mark.parametrize("name", ["peak in a box", "decay, cauchy"])
def test_a_box_and_a_loss_are_part_of_the_problem_that_is_solved(name):
    _, _, info, verdict = fitted(name, "trf", np.float64)
    assert np.all(verdict.near[info["success"]]), verdict.distance[info["success"]].max()
    assert np.mean(info["success"]) >= 0.97


T = np.linspace(0.0, 4.0, 12)
Y = 2.5 * np.exp(-1.3 * T) + 0.05 * np.sin(17.0 * T)
decay = lambda t, a, k: a * jnp.exp(-k * t)


@pytest.mark.parametrize("method", ["lm", "dogbox"])
def test_a_fit_without_data_is_no_success(method):
    """Lanes: all data; all masked; one counts; all are NaN; two count, as many as there are parameters."""
    mask = np.ones((5, 12), bool)
    mask[1], mask[2, 1:], mask[4, 2:] = False, False, False
    y = np.stack([Y] * 5)
    y[3] = np.nan
    fit = lambda y, mask: curve_fit(decay, T, y, np.ones(2), mask=mask, nan_policy="omit", method=method, full_output=True)
    popt, pcov, info, _, ier = quick(jax.vmap(fit))(y, mask)
    np.testing.assert_array_equal(info["success"], [True, False, False, False, True])
    np.testing.assert_array_equal(info["status"][1:4], 7)
    np.testing.assert_array_equal(info["cov_status"], [0, 3, 3, 3, 2])
    np.testing.assert_array_equal(np.asarray(ier)[1:4], 0)
    assert np.all(np.isinf(pcov[1:]))
    assert np.all(np.isfinite(pcov[0]))
    np.testing.assert_array_equal(popt[np.array([1, 3])], 1.0)


NOTHING = {
    "no data": (ValueError, "ydata is empty", {"xdata": T[:0], "ydata": Y[:0]}),
    "all masked": (ValueError, "no datum counts", {"mask": np.zeros(12, bool)}),
    "all NaN": (ValueError, "no datum counts", {"ydata": np.full(12, np.nan), "nan_policy": "omit"}),
    "one for two": (TypeError, "at least as many residuals", {"xdata": T[:1], "ydata": Y[:1]}),
    "one of twelve for two": (TypeError, "1 data count for 2", {"mask": np.arange(12) == 3}),
}


@pytest.mark.parametrize("case", NOTHING)
def test_data_that_are_known_to_be_too_few_raise_as_in_scipy(case):
    kind, words, given = NOTHING[case]
    with pytest.raises(kind, match=words):
        curve_fit(decay, **({"xdata": T, "ydata": Y} | given))
