"""The trust-region family: each subproblem alone, against an eigenvalue solution; the radius; saddles; options; counts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxopt_lite import minimize, rosen, rosen_hess, rosen_hess_prod, stepper
from jaxopt_lite._families.trust_region import dogleg, exact, krylov, ncg
from jaxopt_lite._families.trust_region.radius import Place, TrustData
from jaxopt_lite._needs.values import direction
from jaxopt_lite.core.protocol import Answer
from tests.core.tolerance import DTYPES, shapes
from tests.problems import MGH

METHODS = ("dogleg", "trust-ncg", "trust-krylov", "trust-exact")
each = pytest.mark.parametrize("method", METHODS)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
N, CASES = 5, 10_000
START = np.array([-1.2, 1.0])


# --- the subproblems alone -------------------------------------------------------------------------------------------


def models(seed=0):
    """H (cases, n, n), g (cases, n) and radii: convex, indefinite, hard, nearly hard, double eigenvalues, of any size."""
    rng = np.random.default_rng(seed)
    kind = np.arange(CASES) % 6
    values = rng.standard_normal((CASES, N))
    values[kind == 0] = np.abs(values[kind == 0]) + 1e-3
    values = np.sort(values, axis=1)
    values[kind == 3, 1] = values[kind == 3, 0]
    axes = np.linalg.qr(rng.standard_normal((CASES, N, N)))[0]
    along = rng.standard_normal((CASES, N)) * 10.0 ** rng.uniform(-4, 2, (CASES, 1))
    along[kind == 2, 0] = 0.0
    along[kind == 3, :2] = 0.0
    along[kind == 4, 0] *= 10.0 ** rng.uniform(-14, -4, np.sum(kind == 4))
    size = 10.0 ** rng.uniform(-3, 3, (CASES, 1))
    H = np.einsum("kij,kj,klj->kil", axes, size * values, axes)
    g = np.einsum("kij,kj->ki", axes, size * along)
    return 0.5 * (H + H.transpose(0, 2, 1)), g, 10.0 ** rng.uniform(-2, 2, CASES)


def least(H, g, radius):
    """The global minimum of the model inside of the radius, from eigenvalues and bisection for lambda."""
    w, axes = np.linalg.eigh(H)
    c = np.einsum("kji,kj->ki", axes, g)
    low = np.maximum(-w[:, 0], 0.0)
    above = w + low[:, None]  # zero to the last bit, where the least is negative
    length = lambda shift: np.sqrt(np.sum((c / np.maximum(above + shift[:, None], 1e-100)) ** 2, axis=1))
    inside = (w[:, 0] > 0) & (length(np.zeros(len(w))) <= radius)
    size = np.abs(w).max(1)
    lower, upper = np.log(1e-18 * size), np.log(2 * np.linalg.norm(g, axis=1) / radius + 1e-17 * size)
    for _ in range(120):
        middle = 0.5 * (lower + upper)
        long = length(np.exp(middle)) > radius
        lower, upper = np.where(long, middle, lower), np.where(long, upper, middle)
    p = -c / (above + np.where(inside, 0.0, np.exp(upper))[:, None])
    rest = np.where(inside, 0.0, np.maximum(radius**2 - np.sum(p * p, axis=1), 0.0))  # the hard case: along the first axis
    p[:, 0] += np.where(p[:, 0] < 0, -1.0, 1.0) * (np.sqrt(p[:, 0] ** 2 + rest) - np.abs(p[:, 0]))
    return np.sum(c * p, axis=1) + 0.5 * np.sum(w * p * p, axis=1)


def cauchy(H, g, radius):
    """The least value along steepest descent inside of the radius."""
    length = np.linalg.norm(g, axis=1)
    u = g / length[:, None]
    bend = np.einsum("ki,kij,kj->k", u, H, u)
    far = np.where(bend > 0, np.minimum(length / np.where(bend > 0, bend, 1.0), radius), radius)
    return -far * length + 0.5 * far * far * bend


def by_products(sub, H, g, radius):
    """The step of a subproblem that takes products, told them one by one as if by turns."""
    zero, yes = jnp.zeros_like(g), jnp.ones((), bool)
    data = TrustData(*jnp.zeros(4))
    at = lambda new: Place(zero, g, radius, new, ~yes, ~yes, ~yes)

    def turn(k, carry):
        memory, p, gain = carry
        new = k == 0
        v = direction(jnp.where(new, 0.0, sub.vector(memory)), g)
        after, proposal = sub.advance(memory, p, at(new), Answer(hvp=H @ v), data)
        goes = new | ~sub.trying(memory)
        keep = lambda a, b: jnp.where(goes, a, b)
        return jax.tree.map(keep, after, memory), keep(proposal.p, p), keep(proposal.gain, gain)

    _, p, gain = lax.fori_loop(0, N + 1, turn, (sub.init(zero, data), zero, jnp.zeros(())))
    return p, gain


SOLVERS = {
    "dogleg": lambda H, g, radius: dogleg.step(H, g, radius)[:2],
    "trust-ncg": functools.partial(by_products, ncg.STEIHAUG),
    "trust-krylov": functools.partial(by_products, krylov.subproblem(N, True)),
    "trust-krylov, exact": functools.partial(by_products, krylov.subproblem(N, False)),
    "trust-exact": lambda H, g, radius: exact.minimizer(H, g, radius)[:2],
}


@pytest.mark.parametrize("name", SOLVERS)
def test_the_model_falls_as_much_as_is_promised_and_at_least_to_cauchys_point(name):
    """And to the global minimum of 10,000 models, hard ones included, where the subproblem is solved exactly."""
    H, g, radius = models()
    p, gain = map(np.asarray, jax.jit(jax.vmap(SOLVERS[name]))(H, g, radius))
    assert np.all(np.linalg.norm(p, axis=1) <= radius * (1 + 1e-9))
    value = np.sum(g * p, axis=1) + 0.5 * np.einsum("ki,kij,kj->k", p, H, p)
    lowest = least(H, g, radius)
    np.testing.assert_allclose(-gain, value, rtol=1e-6, atol=0)
    assert np.all(value <= cauchy(H, g, radius) * (1 - 1e-9))
    assert np.all(value >= lowest * (1 + 1e-9))
    if name in ("trust-krylov, exact", "trust-exact"):
        assert np.max((value - lowest) / np.abs(lowest)) <= 1e-8


def graded(kind, cases=2_000, seed=1):
    """Models whose curvatures lie decades apart, or whose variables do: where bounds of eigenvalues are far off."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((cases, N, N)))[0]
    values = 10.0 ** rng.uniform(-10, 0, (cases, N)) * np.where(rng.random((cases, N)) < 0.3, -1, 1)
    if kind == "convex":
        values = np.abs(values)
    if kind == "one large":
        values = np.concatenate([np.ones((cases, 1)), 1e-6 * rng.standard_normal((cases, N - 1))], axis=1)
    if kind == "scaled":
        values = rng.standard_normal((cases, N))
    size = np.sqrt(np.abs(values)) * 10.0 ** rng.uniform(-3, 2, (cases, 1))
    H = np.einsum("kij,kj,klj->kil", axes, values, axes)
    g = np.einsum("kij,kj->ki", axes, rng.standard_normal((cases, N)) * size)
    units = 10.0 ** rng.uniform(-5, 0, (cases, N)) if kind == "scaled" else np.ones((cases, N))
    H, g = 0.5 * (H + H.transpose(0, 2, 1)) * units[:, :, None] * units[:, None, :], g * units
    return H, g, 10.0 ** rng.uniform(-3, 3, cases)


@pytest.mark.parametrize("name", ["trust-krylov, exact", "trust-exact"])
def test_the_minimum_is_found_where_curvatures_are_decades_apart(name):
    """Laguerre's steps from Gershgorin's circles stayed far from the least one: 2 to 17 in 100 of these were not minima."""
    solve = jax.jit(jax.vmap(SOLVERS[name]))
    for kind in ("mixed", "convex", "one large", "scaled"):
        H, g, radius = graded(kind)
        p, gain = map(np.asarray, solve(H, g, radius))
        value, lowest = np.sum(g * p, axis=1) + 0.5 * np.einsum("ki,kij,kj->k", p, H, p), least(H, g, radius)
        assert np.all(gain > 0), kind
        assert np.max((value - lowest) / np.abs(lowest)) <= 1e-6, kind


def test_many_variables_are_factorized_by_loops():
    """More than UNROLLED of them: the same answers from the other code."""
    rng = np.random.default_rng(3)
    n = 20
    H = rng.standard_normal((40, n, n))
    H = H + H.transpose(0, 2, 1) + np.where(np.arange(40) % 2, 0.0, 15.0)[:, None, None] * np.eye(n)
    g, radius = rng.standard_normal((40, n)), 10.0 ** rng.uniform(-1, 1, 40)
    _, gain, _ = map(np.asarray, jax.jit(jax.vmap(exact.minimizer))(H, g, radius))
    np.testing.assert_allclose(-gain, least(H, g, radius), rtol=1e-8)
    step, fall, convex = map(np.asarray, jax.jit(jax.vmap(dogleg.step))(H, g, radius))
    np.testing.assert_array_equal(convex, np.linalg.eigvalsh(H)[:, 0] > 0)
    assert np.all(-fall <= cauchy(H, g, radius) * (1 - 1e-9))
    assert np.all(np.linalg.norm(step, axis=1) <= radius * (1 + 1e-9))


# --- the methods -----------------------------------------------------------------------------------------------------


def bump(x):
    return 2.0 * jnp.exp(-jnp.sum(x * x)) + 0.05 * jnp.sum(x * x)


def pass_(x):
    return x[0] ** 2 - x[1] ** 2 + 0.1 * x[1] ** 4


def monkey(x):
    return x[0] ** 3 - 3.0 * x[0] * x[1] ** 2 + 0.01 * jnp.sum(x**4)


def valley(x):
    return rosen(x)


def flat(x):
    return jnp.sum(x**4) + x[0] * 1e-2 + jnp.sum((x[0] - x[1]) ** 4)


PLACES = (bump, pass_, monkey, valley, flat)
STARTS = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.1, 0.0], [-1.2, 1.0], [0.0, 2.0], [0.0, 0.0]])
WHICH = np.array([0, 1, 1, 2, 3, 3, 4], np.int32)
LOW = np.array([0.3, -2.4, -2.4, -1e4, 1e-3, 1e-3, 0.0])


@each
@dtypes
def test_saddles_maxima_and_flat_sides_are_left(method, dtype):
    """From a maximum, a saddle, the ridge to it, beside a monkey saddle, Rosenbrock's flat sides, a singular Hessian."""
    fun = lambda x, which: lax.switch(which, PLACES, x)
    res = jax.vmap(lambda x, which: minimize(fun, x, (which,), method=method))(STARTS.astype(dtype), WHICH)
    assert np.all(res.success), res.status
    assert np.all(np.asarray(res.fun) < LOW), res.fun
    assert np.all(np.asarray(res.nfev) < 150)


def test_meyers_fit_of_three_scales_is_solved_by_exact_steps():
    """Its Hessian has a condition of 1e10: a step promised less than nothing, and the run gave up after 55 evaluations."""
    meyer = next(problem for problem in MGH if problem.name == "meyer")
    res = minimize(meyer.fun, np.asarray(meyer.x0), method="trust-exact", options={"maxiter": 1000})
    assert bool(res.success)
    np.testing.assert_allclose(res.fun, meyer.fun_star, rtol=1e-8)


@each
def test_evaluations_of_the_valley_and_counts(method):
    starts = np.random.default_rng(0).uniform(-2, 2, (64, 4))
    res = jax.vmap(lambda x: minimize(rosen, x, method=method))(starts)
    assert np.all(res.success)
    assert np.all(np.abs(res.jac) <= 1e-5)
    assert np.median(res.nfev) <= (22 if method in ("dogleg", "trust-exact") else 80)
    np.testing.assert_array_equal(res.nfev, res.nhev)
    if method in ("dogleg", "trust-exact"):
        np.testing.assert_allclose(res.hess, jax.vmap(jax.hessian(rosen))(res.x), rtol=1e-9, atol=1e-9)
    else:
        assert res.hess is None


@each
def test_no_step_is_longer_than_the_radius_and_the_radius_follows_the_ratio(method):
    """By hand: after a rejection a step is at most a quarter as long, and never longer than max_trust_radius."""
    machine = stepper(method, options={"initial_trust_radius": 0.3, "max_trust_radius": 0.5})
    state, seen = machine.init(START), []
    both = jax.jit(lambda x: (*jax.value_and_grad(rosen)(x), jax.hessian(rosen)(x)))
    while not machine.done(state):
        asked = machine.ask(state)
        x, v = asked if isinstance(asked, tuple) else (asked, None)
        f, g, H = both(x)
        if v is None or not np.any(v):
            seen.append((np.asarray(x), float(f)))
        state = machine.tell(state, f, g, H if v is None else H @ direction(v, g))
    best, last, rejected = seen[0], np.inf, 0
    for x, f in seen[1:]:
        length = np.linalg.norm(x - best[0])
        assert length <= 0.5 * (1 + 1e-12)
        assert length <= last * (1 + 1e-9)
        accepted = f < best[1]
        last = np.inf if accepted else 0.25 * length
        rejected += not accepted
        best = (x, f) if accepted else best
    assert rejected > 0
    assert bool(machine.result(state).success)


@each
def test_derivatives_of_the_user_take_the_place_of_autodiff(method):
    given = {"hess": rosen_hess}
    if method in ("trust-ncg", "trust-krylov"):
        given = {"hessp": rosen_hess_prod}
    plain = minimize(rosen, START, method=method)
    res = minimize(rosen, START, method=method, **given)
    assert int(res.nit) == int(plain.nit)
    np.testing.assert_allclose(res.x, plain.x, rtol=1e-9)


# --- bad input -------------------------------------------------------------------------------------------------------

bowl = lambda x: jnp.sum(x * x)


def test_a_hessian_of_another_shape_is_refused_and_one_that_is_not_symmetric_made_so():
    with pytest.raises(ValueError, match=r"hess returned shape \(2,\); return an array of shape \(2, 2\)"):
        minimize(bowl, np.ones(2), method="trust-exact", hess=lambda x: x)
    crooked = lambda x: jnp.array([[2.0, 1.0], [-1.0, 2.0]])
    res = minimize(bowl, np.ones(2), method="dogleg", hess=crooked)
    np.testing.assert_array_equal(res.hess, 2 * np.eye(2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"initial_trust_radius": 2.0, "max_trust_radius": 1.0}, "the first must be smaller"),
        ({"initial_trust_radius": 0.0}, "give a number > 0"),
        ({"max_trust_radius": -1.0}, "give a number > 0"),
        ({"eta": 0.25}, "give a number >= 0 and < 0.25"),
        ({"eta": -0.1}, "give a number >= 0 and < 0.25"),
    ],
)
def test_radii_out_of_order_and_eta_out_of_range_are_refused(options, sentence):
    for method in METHODS:
        with pytest.raises(ValueError, match=sentence):
            minimize(bowl, np.ones(2), method=method, options=options)


@each
def test_a_hessian_that_is_nan_in_one_lane_ends_that_lane_with_status_5(method):
    bad = lambda x, scale: scale * x @ x
    hess = {"hess": lambda x, scale: scale * 2.0 * jnp.eye(2) * jnp.where(scale > 2, jnp.nan, 1.0)}
    res = jax.vmap(lambda s: minimize(bad, jnp.ones(2), (s,), method=method, **hess))(jnp.array([1.0, 3.0, 2.0]))
    np.testing.assert_array_equal(res.status, [0, 5, 0])


@pytest.mark.parametrize("method", ["trust-ncg", "trust-krylov"])
def test_a_hundred_thousand_variables_take_no_matrix(method):
    n = 100_000
    curvature = jnp.asarray(np.geomspace(1.0, 50.0, n))
    fun = lambda x: jnp.sum(0.5 * curvature * jnp.square(x - 1.0) + 0.1 * (x - 1.0) ** 4)
    solve = lambda x: minimize(fun, x, method=method)
    res = solve(np.zeros(n))
    assert bool(res.success)
    assert int(res.nfev) < 150
    assert max(int(np.prod(shape)) for shape in shapes(jax.make_jaxpr(solve)(jnp.zeros(n)))) <= 20 * n


# --- Hessians by differences, and what Newton-CG and TNC see of curvature ---------------------------------------------


@pytest.mark.parametrize("method", [*METHODS, "Newton-CG", "TNC"])
def test_hessians_by_differences_of_the_gradient(method):
    """Each scheme, of the gradient by autodiff; complex steps are exact. By the user's own gradient where it is given."""
    scheme = {"dogleg": "2-point", "trust-krylov": "3-point", "TNC": "3-point"}.get(method, "cs")
    quartic = lambda x: jnp.sum((x - 1.0) ** 4 + (x - 1.0) ** 2) + x[0] * x[1]
    slope = lambda x: 4.0 * (x - 1.0) ** 3 + 2.0 * (x - 1.0) + x[::-1]
    known = minimize(quartic, np.zeros(2), method=method)
    res = minimize(quartic, np.zeros(2), method=method, hess=scheme, jac=slope if method in ("TNC", "trust-exact") else None)
    assert int(res.status) == 0
    assert int(res.nit) == int(known.nit)
    np.testing.assert_allclose(res.x, known.x, atol=1e-5)
    if res.hess is not None:
        np.testing.assert_allclose(res.hess, jax.hessian(quartic)(res.x), rtol=1e-6)


def test_differences_of_differences_are_refused():
    with pytest.raises(ValueError, match="differences of differences"):
        minimize(bowl, np.ones(2), method="trust-exact", jac="2-point", hess="2-point")
    with pytest.raises(ValueError, match="hessp is given too"):
        minimize(bowl, np.ones(2), method="trust-ncg", hess="cs", hessp=lambda x, p: 2 * p)
    with pytest.raises(ValueError, match="hess is '4-point'"):
        minimize(bowl, np.ones(2), method="trust-exact", hess="4-point")


@pytest.mark.parametrize("method", ["Newton-CG", "TNC"])
def test_a_start_at_a_maximum_or_a_saddle_is_no_success(method):
    """And one at a minimum, on a plateau, or within gtol of a slope is."""
    kinds = (bump, pass_, lambda x: x[0] * x[1], bowl, lambda x: jnp.sum(x**4), lambda x: 1e-6 * jnp.sum(x))
    fun = lambda x, which: lax.switch(which, kinds, x)
    res = jax.vmap(lambda which: minimize(fun, jnp.zeros(2), (which,), method=method))(np.arange(6, dtype=np.int32))
    np.testing.assert_array_equal(res.status, [4, 4, 4, 0, 0, 0])


def test_derivatives_of_a_solution_do_not_make_its_hessian_again():
    """Of a method that reports it; in second order too the derivatives are those of other methods."""
    fun = lambda x, a: jnp.sum(jnp.cosh(x - a)) + 0.1 * (x[0] * x[1] - a) ** 2
    x = lambda a, method: minimize(fun, np.array([0.5, 0.2]), (a,), method=method, options={"gtol": 1e-11}).x
    both = {
        m: jax.jit(lambda a, m=m: (jax.jacfwd(x)(a, m), jax.jacrev(jax.jacrev(x))(a, m))) for m in ("BFGS", "trust-exact")
    }
    for got, wanted in zip(both["trust-exact"](0.7), both["BFGS"](0.7), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-7)

    def made(method):
        alone, moved = lambda a: x(a, method), lambda a: jax.jvp(lambda a: x(a, method), (a,), (1.0,))
        written = [jax.jit(f).lower(0.7).as_text() for f in (alone, moved)]
        return sum(sign * text.count(name) for sign, text in zip((-1, 1), written, strict=True) for name in ("cosh", "sinh"))

    assert 0 < made("trust-exact") < made("BFGS")


def test_derivatives_of_many_variables_hold_where_a_certificate_has_moved_x():
    """It makes no Hessian there (128 variables and more): the rule makes its own."""
    n = 130
    tilt = np.linspace(0.1, 1.0, n)
    fun = lambda x, a: jnp.sum(jnp.cosh(x - a) - tilt * (x - a)) + 1e3
    x = lambda a: minimize(fun, np.linspace(0.0, 1.0, n), (a,), method="trust-exact", options={"gtol": 0.0})
    assert int(jax.jit(x)(0.7).status) == 8
    np.testing.assert_allclose(jax.jit(jax.jacfwd(lambda a: x(a).x))(0.7), 1.0, rtol=1e-9)
