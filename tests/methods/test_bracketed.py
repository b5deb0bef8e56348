"""'brent' and 'golden': the walk to a bracket, the bracket that is given, honest ends, at any place and on any scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize_scalar, stepper
from tests import tolerances
from tests.core.tolerance import DTYPES
from tests.problems import SCALAR

METHODS = ("brent", "golden")
methods = pytest.mark.parametrize("method", METHODS)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
GROWTH, LIMIT = 1.618034, 110.0


def parabola(x, c, s):
    """Least at c, one at the distance s from there."""
    return jnp.square((x - c) / s)


def smooth(x, c, s):
    """Least at c, neither a parabola nor symmetric."""
    t = (x - c) / s
    return jnp.exp(t) - t


def asked_points(method, fun, bracket, most=100):
    """The points that a host function is asked at, in order, and the result."""
    opt = stepper(method, bracket=bracket)
    state, asked = opt.init(), []
    while not opt.done(state) and len(asked) < most:
        asked.append(float(opt.ask(state)))
        state = opt.tell(state, np.float64(fun(asked[-1])))
    return asked, opt.result(state)


# --- the walk -------------------------------------------------------------------------------------------------------


@methods
@pytest.mark.parametrize("bracket", [(0.0, 1.0), (1.0, 0.0), (-3.0, 2.5)], ids=str)
@pytest.mark.parametrize("slope", [-1.0, 1.0])
def test_a_walk_begins_beyond_the_lower_point(method, bracket, slope):
    asked, _ = asked_points(method, lambda x: slope * x, bracket, most=3)
    xa, xb = bracket if slope * (bracket[1] - bracket[0]) < 0 else bracket[::-1]
    assert set(asked[:2]) == set(bracket)
    assert asked[2] == pytest.approx(xb + GROWTH * (xb - xa), rel=1e-14)


@methods
def test_a_straight_line_is_followed_by_the_limit(method):
    asked, _ = asked_points(method, lambda x: 2.0 - x, (0.0, 1.0), most=4)
    assert asked == pytest.approx([1.0, 0.0, 1.0 + GROWTH, 1.0 + LIMIT * GROWTH], rel=1e-14)


@methods
def test_a_walk_goes_to_a_vertex_that_is_far_ahead(method):
    asked, res = asked_points(method, lambda x: (x - 50.0) ** 2, (0.0, 1.0))
    assert asked[3] == pytest.approx(50.0, rel=1e-12)
    assert asked[4] > asked[3]  # the golden step beyond closes the bracket
    assert bool(res.success)


@methods
def test_three_points_are_asked_for_and_no_walk_follows(method):
    asked, res = asked_points(method, lambda x: (x - 0.3) ** 4 + x**2, (-1.0, 0.5, 2.0))
    assert asked[:3] == [0.5, -1.0, 2.0]
    assert min(asked) >= -1.0
    assert max(asked) <= 2.0
    assert bool(res.success)
    assert int(res.nit) == int(res.nfev) - 3 == len(asked) - 3


# --- where the minimum lies, and where the bracket --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "dtype"),
    [("brent", np.float64), ("brent", np.float32), ("golden", np.float64)],
    ids=["brent-float64", "brent-float32", "golden"],
)
def test_any_bracket_finds_the_minimum(method, dtype):
    """200 brackets of every place, width, direction and proportion, of two points and of three."""
    rng = np.random.default_rng(1)
    c = rng.uniform(-5.0, 5.0, 200).astype(dtype)
    left, right = (
        c - dtype(10) ** rng.uniform(-2, 1, 200).astype(dtype),
        c + dtype(10) ** rng.uniform(-2, 1, 200).astype(dtype),
    )
    offset, width = rng.uniform(-8.0, 8.0, 200).astype(dtype), rng.uniform(0.1, 2.0, 200).astype(dtype)
    start = (offset, offset + width * np.where(rng.uniform(size=200) < 0.5, dtype(1), dtype(-1)))
    near = c + (dtype(0.05) * rng.uniform(-1, 1, 200).astype(dtype)) * np.minimum(c - left, right - c)
    one = dtype(1)
    two = jax.vmap(lambda c, a, b: minimize_scalar(smooth, (a, b), args=(c, one), method=method))(c, *start)
    three = jax.vmap(lambda c, *p: minimize_scalar(smooth, p, args=(c, one), method=method))(c, left, near, right)
    for res in (two, three):
        assert np.all(np.asarray(res.status) == 0)
        noise = (2 * tolerances.value_noise(dtype, 1.0)) ** 0.5  # f is 1 at the minimum
        np.testing.assert_allclose(res.x, c, atol=noise + tolerances.abscissa_resolved(dtype, 5.0))


@methods
@dtypes
@pytest.mark.parametrize("power", [-30, -8, 0, 8, 30])
def test_scale(method, dtype, power):
    """A problem in units of s: minimizers at 0 and away from it are found to the same share of s."""
    s, c = dtype(10.0) ** power, np.array([0.0, 1.0, -700.0], dtype)
    run = jax.vmap(lambda c: minimize_scalar(parabola, (c * s + s, c * s + 2 * s), args=(c * s, s), method=method))
    res = run(c)
    assert np.all(np.asarray(res.success))
    np.testing.assert_allclose(res.x / s, c, rtol=4 * tolerances.eps(dtype) ** 0.5, atol=4 * tolerances.eps(dtype) ** 0.5)


@methods
@dtypes
def test_translation(method, dtype):
    """By whole numbers, which rounds little: the answer moves along, as well as values far from 0 can tell."""
    shift = np.array([0.0, 8.0, -64.0, 4096.0], dtype)
    res = jax.vmap(lambda h: minimize_scalar(smooth, (h + 1, h + 3), args=(h + dtype(2.0), dtype(4.0)), method=method))(
        shift
    )
    assert np.all(np.asarray(res.success))
    near = 4 * (2 * tolerances.value_noise(dtype, 1.0)) ** 0.5 + tolerances.abscissa_resolved(dtype, 4096.0)
    np.testing.assert_allclose(res.x - shift, 2.0, atol=near)


@methods
@pytest.mark.parametrize("bracket", [(0.0, 1.0), (-1.0, 0.5, 2.0), (4.0, 3.0)], ids=str)
def test_the_mirrored_problem_has_the_mirrored_answer(method, bracket):
    run = lambda sign: minimize_scalar(
        lambda x, sign: smooth(sign * x, 0.3, 1.0), tuple(sign * p for p in bracket), args=(sign,), method=method
    )
    here, there = run(1.0), run(-1.0)
    assert bool(here.success)
    assert float(there.x) == -float(here.x)
    assert abs(int(there.nfev) - int(here.nfev)) <= 1  # the end of golden section may hang on a tie of values


@methods
def test_three_points_in_reverse_are_the_same_bracket(method):
    up, down = (minimize_scalar(smooth, p, args=(0.3, 1.0), method=method) for p in ((-1.0, 0.5, 2.0), (2.0, 0.5, -1.0)))
    assert bool(up.success)
    assert float(up.x) == pytest.approx(float(down.x), abs=1e-7)


# --- ends -----------------------------------------------------------------------------------------------------------

KINDS = {
    "cubic": (lambda x: x**3, 3),
    "line": (lambda x: x, 3),
    "line the other way": (lambda x: -3.0 * x, 3),
    "slower than a line": (lambda x: -jnp.log1p(jnp.abs(x)), 3),
    "constant": (lambda x: jnp.full_like(x, 2.0), 4),
    "nan": (lambda x: x * jnp.nan, 5),
    "infinite": (lambda x: jnp.full_like(x, jnp.inf), 5),
    "minus infinity": (lambda x: jnp.where(x > 2.0, -jnp.inf, -x), 3),
    "minimum": (lambda x: (x - 0.3) ** 2, 0),
    "nan on one side": (lambda x: jnp.where(x > 0.9, jnp.nan, (x - 0.3) ** 2), 0),
    "nan at both points": (lambda x: jnp.where(x < 2.0, jnp.nan, (x - 5.0) ** 2), 0),
    "infinite beyond": (lambda x: jnp.where(x > 0.4, jnp.inf, -x), 0),
}


@methods
@dtypes
def test_functions_without_a_minimum_end_with_a_status(method, dtype):
    """As lanes of one batch; nothing is raised, nothing runs on, and x is finite."""
    funs = tuple(fun for fun, _ in KINDS.values())
    run = jax.vmap(
        lambda i: minimize_scalar(lambda x, i: jax.lax.switch(i, funs, x), (dtype(0), dtype(1)), args=(i,), method=method)
    )
    res = run(np.arange(len(funs), dtype=np.int32))
    assert dict(zip(KINDS, np.asarray(res.status).tolist(), strict=True)) == {k: s for k, (_, s) in KINDS.items()}
    assert np.all(np.isfinite(res.x))
    assert np.max(res.nfev) < 3000


BAD = {
    "not a number": ((np.nan, 1.0), 7),
    "infinite": ((0.0, np.inf), 7),
    "equal": ((1.0, 1.0), 7),
    "good": ((0.0, 1.0), 0),
}
BAD_THREE = {
    "not a number": ((0.0, np.nan, 1.0), 7),
    "infinite": ((-np.inf, 0.0, 1.0), 7),
    "without order": ((0.0, 2.0, 1.0), 7),
    "equal": ((0.0, 0.0, 1.0), 7),
    "middle no lower than the first": ((0.5, 1.0, 3.0), 7),
    "middle no lower than the last": ((-3.0, -1.0, 0.0), 7),
    "good": ((-1.0, 0.5, 2.0), 0),
    "good in reverse": ((2.0, 0.5, -1.0), 0),
}


@methods
@pytest.mark.parametrize("table", [BAD, BAD_THREE], ids=["two", "three"])
def test_brackets_that_only_the_run_knows_have_a_status(method, table):
    points = np.array([p for p, _ in table.values()])
    res = jax.vmap(lambda p: minimize_scalar(parabola, tuple(p), args=(0.3, 1.0), method=method))(points)
    assert dict(zip(table, np.asarray(res.status).tolist(), strict=True)) == {k: s for k, (_, s) in table.items()}
    good = np.asarray(res.success)
    np.testing.assert_allclose(np.asarray(res.x)[good], 0.3, rtol=1e-7)


def test_a_middle_value_that_is_not_the_lowest_is_no_exception():
    """SciPy raises; here the values are known inside of the loop alone."""
    assert int(minimize_scalar(parabola, (0.5, 1.0, 3.0), args=(0.3, 1.0)).status) == 7


@methods
def test_bad_lanes_change_no_other(method):
    """NaN functions, and brackets that are none, among 100."""
    c = np.random.default_rng(3).uniform(-2.0, 2.0, 100)
    brackets, hurt = np.tile([0.0, 1.0], (100, 1)), np.array([3, 20, 50, 77])
    run = jax.vmap(lambda c, p: minimize_scalar(smooth, (p[0], p[1]), args=(c, 1.0), method=method, options={"lanes": 16}))
    clean = run(c, brackets)
    bad_c, bad_brackets = c.copy(), brackets.copy()
    bad_c[3], bad_brackets[20], bad_brackets[50], bad_brackets[77] = np.nan, (np.nan, 1.0), (0.0, np.inf), (1.0, 1.0)
    res = run(bad_c, bad_brackets)
    np.testing.assert_array_equal(np.asarray(res.status)[hurt], [5, 7, 7, 7])
    others = np.setdiff1d(np.arange(100), hurt)
    assert np.all(np.asarray(res.status)[others] == 0)
    np.testing.assert_allclose(np.asarray(res.x)[others], np.asarray(clean.x)[others], rtol=1e-12)


# --- accuracy -------------------------------------------------------------------------------------------------------


@methods
def test_a_smaller_xtol_is_a_better_x(method):
    errors, counts = [], []
    for xtol in (1e-1, 1e-3, 1e-6):
        res = minimize_scalar(smooth, (1.0, 2.0), args=(0.7, 1.0), method=method, options={"xtol": xtol})
        errors.append(abs(float(res.x) - 0.7))
        counts.append(int(res.nfev))
        assert int(res.status) == 0
        assert errors[-1] <= 2 * xtol
    assert counts == sorted(set(counts))


@methods
@dtypes
def test_an_accuracy_of_zero_ends_at_what_the_dtype_resolves(method, dtype):
    res = minimize_scalar(parabola, (dtype(1), dtype(2)), args=(dtype(0.7), dtype(1)), method=method, options={"xtol": 0.0})
    assert int(res.status) == 8
    assert abs(float(res.x) - 0.7) <= tolerances.abscissa_resolved(dtype, 0.7)
    assert int(res.nfev) <= 60


def test_tol_is_xtol_unless_it_is_given():
    run = lambda **kw: minimize_scalar(smooth, (1.0, 2.0), args=(0.7, 1.0), **kw)
    assert run(tol=1e-2).nfev == run(options={"xtol": 1e-2}).nfev
    assert run(tol=1e-2, options={"xtol": 1e-7}).nfev == run(options={"xtol": 1e-7}).nfev


@dtypes
def test_brent_takes_few_more_turns_than_golden_section(dtype):
    """Problem by problem of the library: its parabolas may fail, but not for long."""
    usual = [p for p in SCALAR if "flat" not in p.tags and p.name not in ("rising", "falling")]
    funs = tuple(p.fun for p in usual)
    fun = lambda x, which: jax.lax.switch(which, funs, x)
    numbers, bounds = np.arange(len(usual), dtype=np.int32), np.array([p.bounds for p in usual], dtype)
    brent, golden = (
        np.asarray(jax.vmap(lambda i, b, m=m: minimize_scalar(fun, (b[0], b[1]), args=(i,), method=m))(numbers, bounds).nfev)
        for m in METHODS
    )
    assert np.all(brent <= 1.5 * golden), dict(zip([p.name for p in usual], zip(brent, golden, strict=True), strict=True))
    assert np.mean(brent) < 0.7 * np.mean(golden)


# --- derivatives, printing --------------------------------------------------------------------------------------------


@methods
@pytest.mark.parametrize("bracket", [(0.0, 1.0), (0.5, 1.8, 4.0)], ids=["two", "three"])
def test_the_derivative_of_a_cube_root(method, bracket):
    """x^4 / 4 - p x is least at the cube root of p."""
    solve = lambda p: minimize_scalar(lambda x: x**4 / 4 - p * x, bracket, method=method).x
    assert float(jax.grad(solve)(8.0)) == pytest.approx(1 / 12, rel=1e-6)
    _, forward = jax.jvp(solve, (8.0,), (1.0,))
    assert float(forward) == pytest.approx(1 / 12, rel=1e-6)


def test_a_lane_without_a_minimum_has_no_derivative():
    slopes = jax.vmap(jax.grad(lambda p: minimize_scalar(lambda x: p * x**2 + x).x))(np.array([-1.0, 1.0]))
    assert np.isnan(slopes[0])
    assert float(slopes[1]) == pytest.approx(0.5, rel=1e-6)


def test_disp_prints_an_eager_call_alone(capsys):
    run = lambda c: minimize_scalar(parabola, args=(c, 1.0), options={"disp": True})
    run(0.3)
    assert "Converged" in capsys.readouterr().out
    jax.block_until_ready(jax.jit(lambda c: run(c).x)(0.3))
    assert capsys.readouterr().out == ""
