"""Claims of a root and of a minimum of one variable that are not true: poles, cycles, flat places, rounding.

Each test solves hundreds of lanes in one program, and judges every claim in float64 on the formula, without the library.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize_scalar, root_scalar
from jaxopt_lite.core.status import CLAIM, CONVERGED
from tests import tolerances

BRACKETED = ("bisect", "brentq", "brenth", "ridder", "toms748", "chandrupatla", "newton", "halley")
QUICK = ("brentq", "newton")
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda d: d.__name__)
in_brackets = pytest.mark.parametrize(
    "method", [pytest.param(m, marks=[] if m in QUICK else [pytest.mark.slow]) for m in BRACKETED]
)
LANES = 500


def solved(f, *columns, **given):
    """The results of lanes of f(x, *args); `given` are columns too where they are arrays."""
    arrays = {name: v for name, v in given.items() if isinstance(v, np.ndarray | tuple)}
    plain = {name: v for name, v in given.items() if name not in arrays}
    run = jax.vmap(lambda args, points: root_scalar(f, args, **plain, **points))
    return jax.tree.map(np.asarray, run(columns, arrays))


def distance(x, roots):
    """Of each x to the nearest of its real roots (lanes, k), relative to its size."""
    near = np.where(np.abs(roots.imag) <= 1e-9 * (1 + np.abs(roots)), roots.real, np.inf)
    return np.min(np.abs(near - x[:, None].astype(float)), 1) / np.maximum(np.abs(x.astype(float)), 1.0)


@in_brackets
@dtypes
def test_a_pole_far_below_the_ends_is_no_root(method, dtype):
    """Between ends where |f| is 1e9, |f| is smaller beside the pole. And bracket after bracket, with its pole at an end."""
    s = np.random.default_rng(0).normal(size=(3, LANES)).astype(dtype)
    wide = np.full(LANES, 1e3, dtype)
    f = lambda x, a, b, c: a * x**3 + b * x + 1 / (x - c)
    for xtol in (2e-12, 1e-3):
        res = solved(f, *s, method=method, bracket=(-wide, wide), xtol=xtol)
        a, b, c = s.astype(float)
        roots = np.stack([np.roots(p) for p in np.stack([a, -a * c, b, -b * c, np.ones(LANES)], 1)])  # of (x - c) f
        claims = res.converged
        assert np.all(distance(res.x, roots)[claims] <= 4 * xtol + 1e3 * tolerances.eps(dtype))
        assert np.all(np.isin(res.status[~claims], [1, 5, 7]))  # with Newton's budget a pole may not be narrow yet
        assert claims.sum() > LANES // 4


@in_brackets
@dtypes
def test_tiny_values_at_both_ends_are_no_sign_of_a_pole(method, dtype):
    """x exp(-x^2) is 1e-17 or less at the ends, and more than that in any narrow bracket of its root."""
    c = np.random.default_rng(1).normal(size=LANES).astype(dtype)
    far = dtype(6.5 if dtype == np.float64 else 5.0)
    f = lambda x, c: (x - c) * jnp.exp(-((x - c) ** 2))
    res = solved(f, c, method=method, bracket=(c - far, c + dtype(0.9) * far))
    assert res.converged.all()
    assert np.all(np.abs(res.x - c.astype(float)) <= tolerances.root_asked() + 8 * tolerances.eps(dtype) * (1 + np.abs(c)))


def test_a_bracket_that_is_narrow_at_a_pole_from_the_start():
    c = np.linspace(0.5, 2.0, LANES)
    res = solved(lambda x, c: 1 / (x - c), c, method="brentq", bracket=(c - 1e-4, c + 2e-4), xtol=1e-2)
    np.testing.assert_array_equal(res.status, 5)
    res = solved(lambda x, c: jnp.where(x < c, -1.0, 2.0), c, method="brentq", bracket=(c - 1e-4, c + 2e-4), xtol=1e-2)
    np.testing.assert_array_equal(res.status, 0)  # a jump counts


@pytest.mark.parametrize("method", ["newton", "halley"])
@dtypes
def test_a_cycle_among_large_numbers_is_no_root(method, dtype):
    """(x - c)^3 - 2 (x - c) + 2 takes Newton's method from c to c + 1 and back; sqrt(eps) c is more than that."""
    most = 4e3 if dtype == np.float32 else 1e8
    c = np.linspace(0.1 * most, most, LANES).astype(dtype)
    f = lambda x, c: (x - c) ** 3 - 2 * (x - c) + 2
    root = c.astype(float) - 1.7692923542386314
    for given in ({"x0": c}, {"x0": c, "bracket": (c - 5, c + 4)}):
        res = solved(f, c, method=method, **given)
        error = np.abs(res.x - root) / np.abs(root)
        assert np.all(error[res.converged] <= 8 * tolerances.eps(dtype) + tolerances.open_root_asked() / most)
        assert "bracket" not in given or res.converged.all()


@dtypes
def test_newton_in_a_bracket_finds_a_steep_step(dtype):
    """Steps across arctan(k y) shorter than sqrt(eps) |x| are no rounding."""
    rng = np.random.default_rng(2)
    c, k = rng.normal(size=LANES).astype(dtype), (10.0 ** rng.uniform(0, 7, LANES)).astype(dtype)
    f = lambda x, c, k: jnp.arctan(k * (x - c))
    res = solved(f, c, k, method="newton", bracket=(c - 3, c + 2))
    assert res.converged.all()
    assert np.all(np.abs(res.x - c.astype(float)) <= 8 * tolerances.eps(dtype) * np.abs(c) + tolerances.root_asked())


@dtypes
def test_a_secant_step_that_is_rounded_away_is_no_root(dtype):
    """From 150 and 75 the first step leads to 1e24, the second one back to 75 itself. And x^4 - x^2 + 1 has no root."""
    k = np.linspace(0.03, 0.04, LANES).astype(dtype)
    full = np.full(LANES, 150.0, dtype)
    res = solved(lambda x, k: 100 * jnp.exp(-k * x) - 100, k, method="secant", x0=full, x1=full / 2)
    assert np.all(np.abs(res.x[res.converged]) <= 1e-4)
    near = (0.5**0.5 + 10.0 ** np.linspace(-7, -1, LANES)).astype(dtype)
    res = solved(lambda x: x**4 - x**2 + 1, method="secant", x0=near, x1=near[::-1].copy())
    assert not res.converged.any()


def test_a_short_step_on_a_curved_slope_is_no_root():
    """log x + 4.47 at 2.4e-4: Newton's step is 9e-4, the root 0.011 away; the secant knows."""
    low = np.linspace(2.0e-4, 2.2e-4, LANES)
    f = lambda x: jnp.log(x) + 4.468188699037818
    res = solved(f, method="newton", bracket=(low, np.full(LANES, 0.0616503)), x0=low, xtol=1e-3)
    assert res.converged.all()
    assert np.all(np.abs(res.x - np.exp(-4.468188699037818)) <= 2e-3)


@dtypes
def test_a_root_known_no_better_than_rounding_is_one(dtype):
    """x^2 - 2 c x + c^2 - 1e-6 c in float32: steps of 1e-4 to both sides of the root, for ever."""
    c = np.random.default_rng(3).uniform(0.5, 3.0, LANES).astype(dtype)
    res = solved(lambda x, c: x * x - 2 * c * x + (c * c - dtype(1e-6) * c), c, method="newton", x0=c + dtype(0.5))
    assert res.converged.mean() > 0.99
    exact = c + np.sqrt(1e-6 * c.astype(float))
    noise = 8 * tolerances.eps(dtype) * c.astype(float) ** 2  # of f
    off = np.abs((res.x.astype(float) - c) ** 2 - 1e-6 * c)
    assert np.all(off[res.converged] <= noise[res.converged] + 1e-9)
    assert np.all(np.abs(res.x - exact)[res.converged] < 2e-3)


def test_a_claim_by_hand_is_refused_at_a_pole():
    """A stepper has no function to prove a root with."""
    from jaxopt_lite import stepper

    machine = stepper("brentq", bracket=(-1.0, 2.0))
    state = machine.init()
    while not machine.done(state):
        state = machine.tell(state, 1 / (float(machine.ask(state)) - 0.3))
    assert int(state.status) == int(machine.result(state).status) == 4
    assert CLAIM + CONVERGED not in (int(state.status),)


# --- minima -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["brent", "golden"])
@dtypes
def test_what_is_level_by_rounding_is_no_minimum(method, dtype):
    """A line, an exponential and an arctangent beside numbers that swallow them."""
    rng = np.random.default_rng(4)
    top = 9 if dtype == np.float32 else 17
    offset = (10.0 ** rng.uniform(3, top, LANES)).astype(dtype)
    kind = np.arange(LANES, dtype=np.int32) % 3
    ends = rng.normal(size=(2, LANES)).astype(dtype)

    def f(x, offset, kind):
        return offset + jnp.where(kind == 0, x, jnp.where(kind == 1, jnp.exp(jnp.minimum(x, 50.0)), -jnp.arctan(x)))

    run = jax.vmap(lambda a, b, o, k: minimize_scalar(f, (a, b), args=(o, k), method=method))
    res = jax.tree.map(np.asarray, run(*ends, offset, kind))
    assert not res.success.any()
    assert np.all(np.isin(res.status, [3, 4]))
    assert res.nfev.max() < 1000


@pytest.mark.parametrize("method", ["brent", "golden", "bounded"])
@dtypes
def test_a_parabola_on_an_offset_is_found_as_well_as_values_tell(method, dtype):
    """Also from points between which no value differs: a claim is within what f resolves, and 'brent' always makes one."""
    rng = np.random.default_rng(5)
    c = rng.normal(size=LANES).astype(dtype)
    offset = (10.0 ** rng.uniform(-3, 5 if dtype == np.float32 else 13, LANES)).astype(dtype)
    width = (10.0 ** rng.uniform(-4, 1, LANES)).astype(dtype)
    a, b = c - width * dtype(0.7), c + width
    f = lambda x, c, o: jnp.square(x - c) + o
    points = lambda a, b: {"bounds" if method == "bounded" else "bracket": (a, b)}
    run = jax.vmap(lambda a, b, c, o: minimize_scalar(f, args=(c, o), method=method, **points(a, b)))
    res = jax.tree.map(np.asarray, run(a, b, c, offset))
    assert method == "bounded" or res.success.all()
    assert np.all(np.isin(res.status, [0, 4, 8]))
    gain = (res.x.astype(float) - c) ** 2
    near = (1e-5 + 4 * tolerances.eps(dtype) ** 0.5 * (np.abs(c) + 1)) ** 2
    assert np.all((gain <= near + 8 * tolerances.eps(dtype) * offset)[res.success])
    wide = 0.09 * width.astype(float) ** 2 > 16 * tolerances.eps(dtype) * offset
    assert res.success[wide].all()


@dtypes
def test_a_plateau_between_bounds_is_no_minimum(dtype):
    """Where exp(-x^2) has underflowed; but a monotone function is least at its end."""
    far = np.linspace(12.0, 30.0, LANES).astype(dtype) if dtype == np.float32 else np.linspace(28.0, 60.0, LANES)
    run = lambda f: jax.vmap(lambda a: minimize_scalar(f, bounds=(a, a + 3), method="bounded"))(far)
    plateau = run(lambda x: -jnp.exp(-(x**2)))
    np.testing.assert_array_equal(plateau.status, 4)
    line = run(lambda x: 2 * x)
    assert np.all(np.asarray(line.success))
    assert np.all(np.abs(np.asarray(line.x) - far) <= 2e-5 + 4 * tolerances.eps(dtype) ** 0.5 * far)


def test_a_function_that_falls_until_its_argument_overflows_is_unbounded():
    """sin(5 x) is no number at 1e308; the walk gets there by 0.1 x."""
    p = np.linspace(2.0, 9.0, LANES)
    res = jax.vmap(lambda p: minimize_scalar(lambda x: 10.0 * x + jnp.sin(x * p * p), (0.0, 1.0)))(p)
    np.testing.assert_array_equal(res.status, 3)


HIDDEN = {  # what was found of 240,000 lanes: a, b, center, scale, offset
    "kink on 1e11": (-0.6425437448110449, 0.13962529681774544, -0.18106097099089558, 0.16564714224915936, 96772136783.39038),
    "quartic on 1": (0.07174863048419233, 2.2018219769230236, -0.5054829206554022, 1.8342535818776713, -0.22283591394657212),
    "quartic on 1e5": (-1.1643327216813186, -0.9121137694544945, -0.8510357707841149, 0.592295724929584, -63034.89739714872),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_the_last_digit_of_a_value_is_no_rise(name):
    """An offset hides that brent's bracket has cut off the minimum: no claim, and no point worse than the bracket's."""
    a, b, center, scale, offset = HIDDEN[name]
    y = lambda x: x - center
    shape = (lambda x: jnp.where(y(x) < 0, -y(x), 1.5 * y(x))) if "kink" in name else (lambda x: y(x) ** 4)
    f = lambda x: scale * shape(x) + offset
    res = minimize_scalar(f, (a, b))
    gained = np.spacing(abs(offset)) * 100
    assert not res.success or res.fun <= offset + gained
    assert res.fun <= min(f(jnp.asarray(a)), f(jnp.asarray(b)))


def test_a_look_that_confirms_costs_a_few_evaluations():
    """Where values are level over many times the accuracy that was asked for: the minimizer is 0, the values are about 1."""
    shift = np.linspace(-1.0, 1.0, LANES)
    res = jax.vmap(lambda s: minimize_scalar(lambda x: jnp.cosh(x), (s - 1.1, s + 1.2)))(shift)
    assert res.success.all()
    np.testing.assert_allclose(res.x, 0.0, atol=2e-8)
    assert np.max(res.nfev) <= 40
