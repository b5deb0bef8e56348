"""`curve_fit` through both doors, and what SciPy's has no word for: masks, batches, derivatives, reasons."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import curve_fit
from tests.tolerances import central_difference, derivative, same_run, same_value, solution

T = np.linspace(0.0, 4.0, 12)
NOISE = 0.05 * np.sin(17.0 * np.arange(12.0))
Y = 2.5 * np.exp(-1.3 * T) + 0.5 + NOISE
SIGMA = 0.05 + 0.01 * np.arange(12.0) % 0.04
COVARIANCE = np.diag(SIGMA**2) + 0.3 * np.sqrt(np.outer(SIGMA[:-1], SIGMA[1:]) ** 2).mean() * (
    np.eye(12, k=1) + np.eye(12, k=-1)
)
TIGHT = {"ftol": 1e-13, "xtol": 1e-13, "gtol": 1e-13}


def decay(t, a, k, c):
    return a * jnp.exp(-k * t) + c


def decay_in_numpy(t, a, k, c):
    return a * np.exp(-k * t) + c


def jacobian(xp):
    return lambda t, a, k, c: xp.stack([xp.exp(-k * t), -a * t * xp.exp(-k * t), xp.ones_like(t)], axis=1)


def quick(f):
    """f under a jit that skips LLVM's optimizations: a third of the time to compile."""
    return jax.jit(f, compiler_options={"xla_backend_optimization_level": 0})


def fit(*args, f=decay, **kw):
    """One call; what is given is concrete, as in an eager call."""
    return quick(lambda: curve_fit(f, *args, **kw))()


def full(*args, **kw):
    popt, pcov, info, mesg, ier = fit(*args, full_output=True, **kw)
    return popt, pcov, jax.tree.map(np.asarray, info), str(mesg), int(ier)


def same_fit(ours, theirs):
    """popt to what the tolerances ask, pcov to what follows from that."""
    np.testing.assert_allclose(ours[0], theirs[0], rtol=solution(np.float64, TIGHT["xtol"]))
    np.testing.assert_allclose(ours[1], theirs[1], rtol=derivative(np.float64), atol=1e-9 * np.max(np.abs(theirs[1])))


PARITY = {
    "default start": {},
    "sigma": {"sigma": SIGMA},
    "absolute sigma": {"sigma": SIGMA, "absolute_sigma": True},
    "one sigma": {"sigma": 0.1},
    "one absolute sigma": {"sigma": 0.1, "absolute_sigma": True},
    "covariance": {"sigma": COVARIANCE},
    "absolute covariance": {"sigma": COVARIANCE, "absolute_sigma": True},
    "bounds, one holds": {"bounds": ([0.0, 0.0, 0.6], [5.0, np.inf, 1.0])},
    "wide bounds": {"bounds": (-10.0, [10.0, 9.0, 8.0])},
    "dogbox": {"method": "dogbox", "bounds": ([0.0, 0.0, 0.6], [5.0, np.inf, 1.0])},
    "robust": {"method": "trf", "loss": "soft_l1", "f_scale": 0.1, "p0": [2.0, 1.0, 0.0]},
    "x_scale": {"method": "trf", "x_scale": [1.0, 2.0, 0.5], "p0": [2.0, 1.0, 0.0]},
}


@pytest.mark.parametrize("case", PARITY)
def test_parameters_and_covariance_are_scipys(case):
    keywords = PARITY[case]
    # SciPy's door breaks on a number with a callable jac; the same sigma for all data is what it means
    theirs_take = {
        name: np.full(12, 0.1) if name == "sigma" and np.ndim(value) == 0 else value for name, value in keywords.items()
    }
    theirs = scipy.optimize.curve_fit(decay_in_numpy, T, Y, jac=jacobian(np), **theirs_take, **TIGHT)
    same_fit(fit(T, Y, **keywords, **TIGHT), theirs)


@pytest.mark.parametrize("jac", [jacobian(jnp), "2-point", "3-point", "cs"], ids=["callable", "2-point", "3-point", "cs"])
def test_every_kind_of_jacobian_gives_the_same_fit(jac):
    theirs = scipy.optimize.curve_fit(decay_in_numpy, T, Y, jac=jacobian(np), sigma=SIGMA, **TIGHT)
    with jax.numpy_dtype_promotion("standard"):  # the complex step mixes its dtype with that of xdata
        popt, pcov, info, _, _ = full(T, Y, jac=jac, sigma=SIGMA)
    assert info["success"]
    # a forward difference is wrong by sqrt(eps); what it stops at is as far from the solution as from a default tolerance
    np.testing.assert_allclose(popt, theirs[0], rtol=1e-4)
    np.testing.assert_allclose(pcov, theirs[1], rtol=1e-3)


def test_a_given_jacobian_is_weighed_like_the_model():
    """With a covariance, whose factor is applied to residuals and Jacobian alike."""
    same_fit(fit(T, Y, sigma=COVARIANCE, jac=jacobian(jnp), **TIGHT), fit(T, Y, sigma=COVARIANCE, **TIGHT))


def test_full_output_is_scipys_where_it_has_it():
    theirs = scipy.optimize.curve_fit(decay_in_numpy, T, Y, sigma=SIGMA, full_output=True, **TIGHT)
    popt, _, info, mesg, ier = full(T, Y, sigma=SIGMA, **TIGHT)
    np.testing.assert_allclose(info["fvec"], theirs[2]["fvec"], atol=solution(np.float64, 1e-13) / SIGMA.min())
    np.testing.assert_allclose(info["fvec"], (decay_in_numpy(T, *np.asarray(popt)) - Y) / SIGMA, atol=1e-12)
    np.testing.assert_allclose(info["cost"], 0.5 * np.sum(info["fvec"] ** 2), rtol=1e-12)
    assert (int(info["rank"]), int(info["cov_status"])) == (3, 0)
    assert "onverged" in mesg
    assert ier in (1, 4)
    assert info["nfev"] > info["nit"] > 0


def test_data_of_two_predictors():
    x = np.stack([T, np.cos(T)])
    plane = lambda xp: lambda x, a, b: xp.exp(-a * x[0]) + b * x[1]
    y = plane(np)(x, 0.7, 1.5) + NOISE
    same_fit(fit(x, y, f=plane(jnp), **TIGHT), scipy.optimize.curve_fit(plane(np), x, y, **TIGHT))


def test_one_datum_stands_for_all():
    """scipy#7018: a constant ydata equals the full array."""
    f = lambda x, a, b: a * x + b
    ours, constant = fit(T, 0.75, f=f, **TIGHT), fit(T, np.full(12, 0.75), f=f, **TIGHT)
    np.testing.assert_allclose(ours[0], constant[0], atol=1e-14)
    np.testing.assert_allclose(ours[0], [0.0, 0.75], atol=1e-12)


@pytest.mark.parametrize("truth", [(0.0, 2.0), (3.0, 0.0), (0.0, 0.0)], ids=["a = 0", "b = 0", "both 0"])
def test_the_covariance_of_a_parameter_that_is_zero_is_the_same_for_all_methods(truth):
    """scipy#21995; a linear model, of which the covariance is known."""
    J = np.stack([np.ones(12), T**2], axis=1)
    y = J @ truth + NOISE
    popt, rss = np.linalg.lstsq(J, y)[:2]
    known = np.linalg.inv(J.T @ J) * rss[0] / 10
    f = lambda x, a, b: a + b * x**2
    three = quick(lambda y: [curve_fit(f, T, y, method=method) for method in ("lm", "trf", "dogbox")])
    for found, pcov in three(y):
        np.testing.assert_allclose(found, popt, atol=1e-7)
        np.testing.assert_allclose(pcov, known, rtol=derivative(np.float64))


def test_parameters_that_the_data_do_not_determine_are_infinite_and_only_they():
    f = lambda x, a, b, c: (a + b) * x + c
    _, pcov, info, _, _ = full(T, Y, f=f)
    J = np.stack([T, np.ones(12)], axis=1)
    rss = np.linalg.lstsq(J, Y)[1][0]
    assert info["success"]
    assert (int(info["rank"]), int(info["cov_status"])) == (2, 1)
    np.testing.assert_array_equal(np.isinf(pcov), np.array([[1, 1, 1], [1, 1, 1], [1, 1, 0]], bool))
    variance = (np.linalg.inv(J.T @ J) * rss)[1, 1]
    assert any(float(pcov[2, 2]) == pytest.approx(variance / freedom, rel=1e-6) for freedom in (12 - 3, 12 - 2))
    assert float(pcov[2, 2]) == pytest.approx(variance / 9, rel=1e-6)  # s^2 = |r|^2 / (m - n), as documented


@pytest.mark.parametrize("absolute", [False, True])
def test_as_many_parameters_as_data_leave_no_freedom(absolute):
    f = lambda x, a, b: a * x + b
    x, y = np.array([0.0, 2.0]), np.array([1.0, 2.0])
    popt, pcov, info, _, _ = full(x, y, f=f, sigma=np.array([0.1, 0.1]), absolute_sigma=absolute)
    np.testing.assert_allclose(popt, [0.5, 1.0], atol=1e-8)
    assert int(info["cov_status"]) == (0 if absolute else 2)
    if absolute:
        J = np.stack([x, np.ones(2)], axis=1)
        np.testing.assert_allclose(pcov, 0.01 * np.linalg.inv(J.T @ J), rtol=1e-6)
    else:
        assert np.all(np.isinf(pcov))


def test_a_parameter_at_its_bound_is_told():
    _, _, info, _, _ = full(T, Y, bounds=([0.0, 0.0, 0.6], [5.0, np.inf, 1.0]), p0=[1.0, 1.0, 0.7])
    assert (int(info["cov_status"]), bool(info["success"])) == (4, True)


KEEP = np.array([True, True, False, True, True, True, False, True, True, True, True, False])
WEIGHTS = {"none": None, "sigma": SIGMA, "covariance": COVARIANCE}


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_masked_fit_is_the_fit_of_the_data_that_count(weights):
    """Whatever the others hold: NaN, infinity, a sigma of zero."""
    sigma = WEIGHTS[weights]
    short = None if sigma is None else sigma[np.ix_(*[KEEP] * sigma.ndim)]
    if weights == "sigma":
        sigma = np.where(KEEP, sigma, 1e-30)
    x, y = np.where(KEEP, T, np.inf), np.where(KEEP, Y, np.nan)
    found, other = (
        full(x, y, sigma=sigma, mask=KEEP, check_finite=False, **TIGHT),
        full(T[KEEP], Y[KEEP], sigma=short, **TIGHT),
    )
    same_fit(found, other)
    np.testing.assert_array_equal(found[2]["fvec"][~KEEP], 0.0)
    np.testing.assert_allclose(found[2]["cost"], other[2]["cost"], rtol=1e-9)


@pytest.mark.parametrize("where", ["ydata", "xdata", "both"])
def test_data_with_nan_are_omitted_as_by_scipy(where):
    x = np.where(KEEP | (where == "ydata"), T, np.nan)
    y = np.where(KEEP | (where == "xdata"), Y, np.nan)
    theirs = scipy.optimize.curve_fit(decay_in_numpy, x, y, nan_policy="omit", sigma=None, jac=None, **TIGHT)
    np.testing.assert_allclose(fit(x, y, nan_policy="omit", **TIGHT)[0], theirs[0], rtol=1e-6)


def test_nan_that_nobody_looks_for_ends_the_fit():
    y = np.where(KEEP, Y, np.nan)
    popt, pcov, info, mesg, ier = full(T, y, check_finite=False)
    assert (int(info["status"]), int(info["cov_status"]), ier) == (5, 3, 0)
    assert np.all(np.isinf(pcov))
    assert mesg.startswith("Not finite")
    np.testing.assert_array_equal(popt, np.ones(3))


@functools.cache
def lanes():
    """Four data sets, starts, sigmas and masks."""
    rng = np.random.default_rng(8)
    return {
        "ydata": Y[None, :] + 0.02 * rng.standard_normal((4, 12)),
        "p0": np.array([2.0, 1.0, 0.3])[None, :] + 0.2 * rng.standard_normal((4, 3)),
        "sigma": SIGMA[None, :] * rng.uniform(0.5, 2.0, (4, 12)),
        "mask": rng.uniform(size=(4, 12)) < 0.8,
    }


def of_lanes(ydata, p0, sigma, mask):
    return curve_fit(decay, T, ydata, p0, sigma, mask=mask, full_output=True)[:3]


@pytest.fixture(scope="module")
def one_lane():
    return quick(of_lanes)


@pytest.mark.parametrize("over", ["ydata", "p0", "sigma", "mask", "all"])
def test_a_batch_is_a_loop(over, one_lane):
    mapped = list(lanes()) if over == "all" else [over]
    given = [lanes()[name] if name in mapped else lanes()[name][0] for name in lanes()]
    axes = [0 if name in mapped else None for name in lanes()]
    popt, pcov, info = quick(jax.vmap(of_lanes, in_axes=axes))(*given)
    near = same_run(np.float64)
    for i in range(4):
        alone = one_lane(*(lanes()[name][i if name in mapped else 0] for name in lanes()))
        np.testing.assert_allclose(popt[i], alone[0], rtol=near, atol=near)
        np.testing.assert_allclose(pcov[i], alone[1], rtol=derivative(np.float64))
        for name in ("status", "nfev", "rank", "cov_status"):
            assert int(info[name][i]) == int(alone[2][name]), name
    assert np.all(info["success"])


def test_bad_lanes_are_strangers_to_good_ones():
    """Poison in every second lane; the good ones are those of a clean batch, bit for bit."""

    def one(y, z, p0, lower):
        f = lambda x, a, k: a * jnp.exp(-k * x["t"] * x["z"])
        bounds = (jnp.stack([lower, jnp.zeros_like(lower)]), jnp.array([10.0, 20.0]))
        return curve_fit(f, {"t": T, "z": z}, y, p0, bounds=bounds, full_output=True)[:3]

    run = quick(jax.vmap(one))
    y = np.stack([2.0 * np.exp(-k * T) + NOISE for k in np.linspace(0.5, 1.5, 10)])
    clean = {"y": y, "z": np.ones(10), "p0": np.tile([1.0, 1.0], (10, 1)), "lower": np.full(10, -1.0)}
    bad = {name: value.copy() for name, value in clean.items()}
    bad["y"][1, 3] = np.nan
    bad["p0"][3] = [np.nan, 1.0]
    bad["z"][5] = 0.0  # k has no influence
    bad["p0"][7] = [-1.0, 20.0]  # a corner of the box
    bad["lower"][9] = 11.0  # crossed
    (popt, pcov, info), wanted = run(*bad.values()), run(*clean.values())
    for found, other in zip(jax.tree.leaves((popt, pcov, info)), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(found[::2], other[::2])
    assert np.all(wanted[2]["success"])
    status, cov_status, rank = (np.asarray(info[name]) for name in ("status", "cov_status", "rank"))
    assert status[1] == 5
    assert status[9] == 7
    assert status[3] in (5, 7)
    assert np.all(np.isin(status[[5, 7]], (0, 8)))
    np.testing.assert_array_equal(cov_status[[1, 3, 5, 7, 9]], [3, 3, 1, 0, 3])
    assert rank[5] == 1
    np.testing.assert_array_equal(np.isinf(pcov[5]), [[False, True], [True, True]])
    assert np.all(np.isinf(pcov[np.array([1, 3, 9])]))
    np.testing.assert_allclose(popt[7], wanted[0][7], rtol=1e-5)


@pytest.mark.parametrize("method", ["lm", "trf", "dogbox"])
def test_data_without_a_signal_are_fitted_and_leave_the_rate_open(method):
    """The amplitude becomes zero, the residual too, and the column of the rate with it: a perfect fit, not a plateau."""
    popt, pcov, info, _, _ = full(T, np.zeros(12), [1.0, 1.0], f=lambda t, a, k: a * jnp.exp(-k * t), method=method)
    np.testing.assert_allclose(popt[0], 0.0, atol=1e-8)
    assert bool(info["success"]), (int(info["status"]), int(info["nfev"]))
    assert (int(info["rank"]), int(info["cov_status"])) == (1, 1)
    np.testing.assert_array_equal(np.isinf(pcov), [[False, True], [True, True]])


UPPER = 2.0  # of the first parameter, which wants to be 2.5
THETA = {"ydata": Y, "sigma": SIGMA, "captured": np.array(0.1), "upper": np.array(UPPER)}


def of_theta(theta, most):
    """popt and pcov as functions of all that they depend on; the first parameter is held by its bound."""
    f = lambda t, a, k, c: decay(t, a, k, c) + theta["captured"] * t
    bounds = (jnp.zeros(3), jnp.stack([theta["upper"], jnp.asarray(50.0), jnp.asarray(9.0)]))
    options = {"max_nfev": most, "ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    return curve_fit(f, T, theta["ydata"], jnp.array([1.0, 1.0, 0.2]), theta["sigma"], bounds=bounds, **options)


@pytest.fixture(scope="module")
def derivatives():
    return quick(lambda theta, most: (jax.jacfwd(of_theta)(theta, most), jax.jacrev(of_theta)(theta, most)))


@pytest.fixture(scope="module")
def differences():
    """Central differences along one direction in each of the four."""
    h, _ = central_difference(np.float64)
    direction = {name: np.cos(3.0 * np.arange(np.size(value))).reshape(np.shape(value)) for name, value in THETA.items()}
    shifted = lambda name, sign: THETA | {name: THETA[name] + sign * h * direction[name] * np.mean(THETA[name])}
    points = [shifted(name, sign) for name in THETA for sign in (1, -1)]
    popt, pcov = quick(jax.vmap(of_theta, in_axes=(0, None)))({n: np.stack([p[n] for p in points]) for n in THETA}, 1000)
    slopes = {
        name: tuple(np.asarray(v[2 * i] - v[2 * i + 1]) / (2 * h) for v in (popt, pcov)) for i, name in enumerate(THETA)
    }
    return {name: direction[name] * np.mean(THETA[name]) for name in THETA}, slopes


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("name", THETA)
def test_derivatives_are_those_of_central_differences(name, mode, derivatives, differences):
    found = derivatives(THETA, 1000)[mode == "reverse"]
    direction, slopes = differences
    _, error = central_difference(np.float64)
    for exact, difference in zip(found, slopes[name], strict=True):
        along = np.tensordot(np.asarray(exact[name]), direction[name], axes=np.ndim(THETA[name]))
        size = np.max(np.abs(difference))
        assert size > 0
        np.testing.assert_allclose(along, difference, atol=error * size)


def test_what_a_bound_holds_moves_with_it(derivatives):
    forward, _ = derivatives(THETA, 1000)
    assert float(forward[0]["upper"][0]) == pytest.approx(1.0, rel=same_value(np.float64))
    np.testing.assert_allclose(forward[0]["ydata"][0], 0.0, atol=same_value(np.float64))


def test_a_fit_that_failed_has_no_derivatives(derivatives):
    for mode, found in zip(("forward", "reverse"), derivatives(THETA, 2), strict=True):
        for name in THETA:
            assert np.all(np.isnan(found[0][name])), (mode, name)


LINE = lambda x, a, b: a * x + b
BAD = {
    "more parameters than data": (TypeError, "at least as many residuals", (LINE, T[:1], Y[:1]), {}),
    "lengths that differ": (ValueError, r"the model gave shape \(12,\) for ydata of shape \(7,\)", (LINE, T, Y[:7]), {}),
    "no data": (ValueError, "ydata is empty", (LINE, T[:0], Y[:0]), {}),
    "p0 too long": ((TypeError, ValueError), "fun raised TypeError|p0", (LINE, T, Y, [1.0, 2.0, 3.0]), {}),
    "p0 too short": ((TypeError, ValueError), "fun raised TypeError|p0", (LINE, T, Y, [1.0]), {}),
    "p0 outside": (ValueError, "p0 is infeasible", (LINE, T, Y, [3.0, 0.0]), {"bounds": (-1.0, 1.0)}),
    "crossed bounds": (ValueError, "bounds are crossed", (LINE, T, Y), {"bounds": (1.0, -1.0)}),
    "bounds of another shape": (ValueError, "lower bound", (LINE, T, Y), {"bounds": ([0.0] * 3, 1.0)}),
    "bounds with lm": (ValueError, "does not support bounds", (LINE, T, Y), {"bounds": (0.0, 9.0), "method": "lm"}),
    "sigma of zero": (ValueError, "sigma must be positive", (LINE, T, Y), {"sigma": np.where(T > 1, 1.0, 0.0)}),
    "negative sigma": (ValueError, "sigma must be positive", (LINE, T, Y), {"sigma": -SIGMA}),
    "sigma not definite": (ValueError, "not positive definite", (LINE, T, Y), {"sigma": np.ones((12, 12))}),
    "sigma of another shape": (ValueError, "sigma has incorrect shape", (LINE, T, Y), {"sigma": np.ones(5)}),
    "unknown loss": (ValueError, "loss is 'l1'", (LINE, T, Y), {"method": "trf", "loss": "l1"}),
    "loss with lm": (ValueError, "only the 'linear' loss", (LINE, T, Y), {"method": "lm", "loss": "huber"}),
    "unknown method": (ValueError, "unknown method 'newton'", (LINE, T, Y), {"method": "newton"}),
    "unknown policy": (ValueError, "nan_policy is 'propagate'", (LINE, T, Y), {"nan_policy": "propagate"}),
    "unknown keyword": (TypeError, "unknown keyword 'epsfcn'", (LINE, T, Y), {"epsfcn": 1e-3}),
    "unknown number of parameters": (ValueError, "number of parameters", (lambda x, *p: p[0] * x, T, Y), {}),
    "NaN in ydata": (ValueError, "ydata contains infs or NaNs", (LINE, T, np.where(KEEP, Y, np.nan)), {}),
    "infinity in xdata": (ValueError, "xdata contains infs or NaNs", (LINE, np.where(KEEP, T, np.inf), Y), {}),
    "NaN to raise for": (ValueError, "NaNs", (LINE, T, np.where(KEEP, Y, np.nan)), {"nan_policy": "raise"}),
    "ragged ydata": (ValueError, "ydata is ragged", (LINE, T, [[1.0], [1.0, 2.0]]), {}),
    "mask of another shape": (ValueError, "mask is bool of shape", (LINE, T, Y), {"mask": KEEP[:5]}),
    "mask of numbers": (ValueError, "mask is float64", (LINE, T, Y), {"mask": np.ones(12)}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_call_is_told_what_is_wrong(case):
    kind, words, args, keywords = BAD[case]
    with pytest.raises(kind, match=words):
        curve_fit(*args, **keywords)
