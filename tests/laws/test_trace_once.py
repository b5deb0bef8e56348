"""Law 1: the user's function is traced once a compile; new numbers trace and compile nothing; changed code is seen."""

import gc
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import tolerances
from tests.laws.cases import all_dtypes, batch, each_door
from tests.laws.counting import compilations, occurrences

REPETITIONS = 300
LEFT_OVER = 256 * REPETITIONS  # bytes: what interpreter and jax keep in caches; a program or a jaxpr is kilobytes


def counted(case):
    """The model under a name of its own, and the list that grows with every trace."""
    traces, model = [], case.model  # what reads the whole case reads more than can be compared

    def fun(x, theta):
        traces.append(x)
        return model(x, theta)

    return fun, traces


@all_dtypes
@each_door
def test_second_eager_vmap_traces_and_compiles_nothing(case, dtype):
    fun, traces = counted(case)
    starts, thetas = batch(case, dtype, 12)

    def run(starts, thetas, tol):
        return jax.vmap(lambda start, theta: case.solve(fun, start, (theta,), tol=tol))(starts, thetas)

    run(starts[:6], thetas[:6], 1e-3)
    assert len(traces) == 1
    with compilations() as count:
        res = run(starts[6:], thetas[6:], 1e-4)
    assert (len(traces), count()) == (1, 0)
    assert np.all(np.asarray(res.success))


@each_door
def test_new_budgets_and_options_compile_nothing(case):
    (start, *_), (theta, *_) = batch(case, np.float64, 1)
    case.solve(case.model, start, (theta,), options={"maxiter": 3, "maxfev": 7})
    with compilations() as count:
        case.solve(case.model, start, (theta,), options={"maxiter": np.int64(50), "maxfev": np.int32(9)})
    assert count() == 0


@pytest.mark.parametrize("put", [jnp.asarray, np.asarray], ids=["jax", "numpy"])
@all_dtypes
@each_door
def test_fresh_lambda_capturing_other_arrays_traces_once_and_compiles_nothing(case, dtype, put):
    starts, thetas = batch(case, dtype, 3)
    traces = []

    def solve(start, theta):
        def fun(x):
            traces.append(0)
            return case.model(x, jnp.asarray(theta))

        return case.solve(fun, start)

    captured = [put(theta) for theta in thetas]
    first = solve(starts[0], captured[0])
    with compilations() as count:
        others = [solve(start, theta) for start, theta in zip(starts[1:], captured[1:], strict=True)]
    assert (len(traces), count()) == (3, 0)
    for res, theta in zip((first, *others), thetas, strict=True):
        wanted = case.solution(theta)
        np.testing.assert_allclose(res.x, wanted, atol=10 * tolerances.solution(dtype, tolerances.gradient_asked(dtype)))


@each_door
def test_fresh_lambda_reading_elements_of_other_numpy_arrays_compiles_nothing(case):
    """`data[0]` of a captured NumPy array is a number by the time that JAX sees it."""
    starts, thetas = batch(case, np.float64, 3)

    def solve(start, theta):
        return case.solve(lambda x: case.model(x, theta), start)

    first = solve(starts[0], thetas[0])
    with compilations() as count:
        others = [solve(start, theta) for start, theta in zip(starts[1:], thetas[1:], strict=True)]
    assert count() == 0
    for res, theta in zip((first, *others), thetas, strict=True):
        np.testing.assert_allclose(res.x, case.solution(theta), atol=10 * tolerances.solution(np.float64, 1e-5))


@pytest.mark.parametrize(("put", "numbers"), [(float, (0.5, 0.75)), (np.float64, (0.625, 1.25))], ids=["python", "numpy"])
@each_door
def test_fresh_lambda_capturing_other_numbers_compiles_nothing(case, put, numbers):
    """`for c in numbers: minimize(lambda x: loss(x, c), x0)`: a number is no more code than an array is."""
    start = batch(case, np.float64, 1)[0][0]

    def solve(number):
        return case.solve(case.pose(lambda x: jnp.sum((x - number) ** 2 + number * (x - number) ** 4)), start)

    solve(put(numbers[0]))
    with compilations() as count:
        res = solve(put(numbers[1]))
    assert count() == 0
    np.testing.assert_allclose(res.x, numbers[1], atol=1e-4)


@each_door
def test_fresh_lambdas_in_a_loop_leave_memory_flat(case):
    starts, thetas = batch(case, np.float64, 1)

    def solve(i):
        theta = jnp.asarray(thetas[0] + 1e-3 * i)
        return case.solve(lambda x: case.model(x, theta), starts[0])

    def levels(first, last):
        for i in range(first, last):
            solve(i)
        gc.collect()
        return len(jax.live_arrays()), tracemalloc.get_traced_memory()[0]

    jax.clear_caches()  # full of other tests' entries, they would be replaced by ours one by one: a growth that ends
    tracemalloc.start()
    try:
        levels(0, 50)
        arrays, memory = levels(50, 100)
        with compilations() as count:
            arrays_after, memory_after = levels(100, 100 + REPETITIONS)
    finally:
        tracemalloc.stop()
    assert count() == 0
    assert arrays_after == arrays
    assert memory_after - memory < LEFT_OVER


SCALE = 1.0


def rescaled(x):
    """A parabola about a global."""
    return jnp.sum((x - SCALE) ** 2)


@pytest.fixture
def global_scale():
    def put(value):
        globals()["SCALE"] = value

    yield put
    put(1.0)


def _unit_start(case):
    return case.starts(np.random.default_rng(0), 1)[0]


@each_door
def test_rebound_global_is_seen(case, global_scale):
    start, fun = _unit_start(case), case.pose(rescaled)
    for value in (1.0, 0.5):
        global_scale(value)
        np.testing.assert_allclose(case.solve(fun, start).x, value, atol=1e-4)


@each_door
def test_rebound_closure_variable_is_seen(case):
    start = _unit_start(case)
    center = 1.0

    def fun(x):
        return jnp.sum((x - center) ** 2)

    posed = case.pose(fun)
    np.testing.assert_allclose(case.solve(posed, start).x, 1.0, atol=1e-4)
    center = 0.5
    np.testing.assert_allclose(case.solve(posed, start).x, 0.5, atol=1e-4)


@each_door
def test_array_changed_in_place_is_seen(case):
    start = _unit_start(case)
    center = np.ones(case.shape)

    def fun(x):
        return jnp.sum((x - center) ** 2)

    posed = case.pose(fun)
    np.testing.assert_allclose(case.solve(posed, start).x, 1.0, atol=1e-4)
    center[...] = 0.5
    np.testing.assert_allclose(case.solve(posed, start).x, 0.5, atol=1e-4)


@each_door
def test_attribute_of_a_bound_method_is_seen(case):
    class Model:
        center = 1.0

        def fun(self, x):
            return jnp.sum((x - self.center) ** 2)

    start, model = _unit_start(case), Model()
    np.testing.assert_allclose(case.solve(case.pose(model.fun), start).x, 1.0, atol=1e-4)
    model.center = 0.5
    np.testing.assert_allclose(case.solve(case.pose(model.fun), start).x, 0.5, atol=1e-4)


@each_door
def test_attribute_of_a_callable_object_is_seen(case):
    class Model:
        def __init__(self, center):
            self.center = center

        def __call__(self, x):
            return jnp.sum((x - self.center) ** 2)

    start, model = _unit_start(case), Model(1.0)
    fun = case.pose(model)
    np.testing.assert_allclose(case.solve(fun, start).x, 1.0, atol=1e-4)
    model.center = 0.5
    np.testing.assert_allclose(case.solve(fun, start).x, 0.5, atol=1e-4)


@each_door
def test_same_text_with_another_derivative_rule_is_another_function(case):
    """The derivative of the solution comes from the rule: a program found by text alone would use the first one's."""

    def make(factor):
        @jax.custom_jvp
        def shift(theta):
            return theta

        shift.defjvp(lambda primals, tangents: (primals[0], factor * tangents[0]))
        return lambda x, theta: case.model(x, shift(theta))

    start, theta = (a[0] for a in batch(case, np.float64, 1))
    slopes = [
        jax.jvp(lambda t, f=fun: jnp.sum(case.solve(f, start, (t,)).x), (theta,), (np.ones_like(theta),))[1]
        for fun in (make(1.0), make(3.0))
    ]
    assert abs(slopes[0]) > 0.1
    np.testing.assert_allclose(slopes[1], 3.0 * slopes[0], rtol=1e-6)


@each_door
@pytest.mark.parametrize("batched", [False, True], ids=["one", "vmap"])
def test_one_call_site_of_the_function(case, batched):
    """The objective's own operation (atan, in no derivative of itself): once in the loop, once in the certificate."""
    starts, thetas = batch(case, np.float64, 3)

    def solve(start, theta):
        return case.solve(lambda x: case.model(x, theta) + jnp.sum(jnp.arctan(x - theta[0])) ** 2, start)

    program = jax.make_jaxpr(jax.vmap(solve) if batched else solve)(
        *((starts, thetas) if batched else (starts[0], thetas[0]))
    )
    assert occurrences(program, "atan") == 1 + case.certified
    if not case.certified:
        assert occurrences(program, "while") == 1
