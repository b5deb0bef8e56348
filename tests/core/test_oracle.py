"""Every kind of need, by every means that a user may give, against derivatives by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize._numdiff import approx_derivative

from jaxopt_lite._needs.residuals import JACOBIAN, RESIDUAL
from jaxopt_lite._needs.values import GRADIENT, HESSIAN, HVP, VALUE
from jaxopt_lite.api.oracles.scalar import scalar_oracle
from jaxopt_lite.core.function import Arguments, close
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.oracle import SCHEMES, Oracle, Traced
from jaxopt_lite.core.protocol import Query
from tests.core.tolerance import DTYPES, assert_close, primitives

A = np.array([1.0, -2.0, 0.5])
X = np.array([0.3, -1.7, 2.5])
P = np.array([1.0, 0.5, -2.0])
MEANS = ("autodiff", "jac", "paired", *SCHEMES)

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
means = pytest.mark.parametrize("mean", MEANS)


def fun(x, a):
    """sum a sin x + (x.x)^2 / 2."""
    return jnp.sum(a.astype(x.dtype) * jnp.sin(x)) + 0.5 * jnp.sum(x * x) ** 2


def grad(x, a):
    return a * jnp.cos(x) + 2.0 * jnp.sum(x * x) * x


def hess(x, a):
    return jnp.diag(-a * jnp.sin(x) + 2.0 * jnp.sum(x * x)) + 4.0 * x[:, None] * x[None, :]


def hessp(x, p, a):
    return -a * jnp.sin(x) * p + 2.0 * jnp.sum(x * x) * p + 4.0 * jnp.sum(x * p) * x


def numbers(dtype):
    a, x, p = (jnp.asarray(v, dtype) for v in (A, X, P))
    return {
        "x": x,
        "p": p,
        "a": a,
        "fun": fun(x, a),
        "grad": grad(x, a),
        "hess": hess(x, a),
        "hvp": hessp(x, p, a),
    }


def oracle(need, mean, dtype, **functions):
    given = {"autodiff": None, "jac": grad, "paired": True}.get(mean, mean)
    target = (lambda x, a: (fun(x, a), grad(x, a))) if mean == "paired" else fun
    _, layout = parse(np.asarray(X, dtype))
    return scalar_oracle(need, layout, target, (jnp.asarray(A, dtype),), given, **functions)


@functools.cache
def answers(mean, dtype):
    """The answers to all needs by one means, in one compilation."""
    if mean in ("hess", "hessp"):
        needs = (HESSIAN, HVP) if mean == "hess" else (HVP,)
        cases = {need: oracle(need, "autodiff", dtype, **{mean: {"hess": hess, "hessp": hessp}[mean]}) for need in needs}
    else:
        cases = {need: oracle(need, mean, dtype) for need in (GRADIENT, HESSIAN, HVP)}
    known = numbers(dtype)
    query = Query(known["x"], known["p"])
    evaluate = lambda ts: [made.evaluate(query, t) for (made, _), t in zip(cases.values(), ts, strict=True)]
    return dict(zip(cases, jax.jit(evaluate)([traced for _, traced in cases.values()]), strict=True))


FIELDS = {
    GRADIENT: ("fun", "grad"),
    HESSIAN: ("fun", "grad", "hess"),
    HVP: ("fun", "grad", "hvp"),
}
CASES = [
    *((need, mean) for need in (GRADIENT, HESSIAN, HVP) for mean in MEANS),
    *((HESSIAN, "hess"), (HVP, "hess"), (HVP, "hessp")),
]


@pytest.mark.parametrize(("need", "mean"), CASES, ids=lambda c: c if isinstance(c, str) else c.name)
@dtypes
def test_answers_are_the_derivatives(need, mean, dtype):
    known, answer = numbers(dtype), answers(mean, dtype)[need]
    for name in ("fun", "grad", "hess", "hvp"):
        value = getattr(answer, name)
        if name not in FIELDS[need]:
            assert value is None
            continue
        assert value.dtype == dtype
        quantity = "rounding" if name == "fun" else ("autodiff" if mean in ("hess", "hessp") else mean)
        assert_close(value, known[name], dtype, quantity)


@dtypes
@pytest.mark.parametrize("given", ["jac", "paired", "hess", "hessp"])
def test_what_the_user_gave_is_what_is_used(given, dtype):
    """A derivative that is wrong on purpose comes through unchanged."""
    known = numbers(dtype)
    _, layout = parse(known["x"])
    wrong = lambda f: lambda *a: f(*a) + 1.0
    need, target, functions, name = {
        "jac": (GRADIENT, fun, {"jac": wrong(grad)}, "grad"),
        "paired": (GRADIENT, lambda x, a: (fun(x, a), wrong(grad)(x, a)), {"jac": True}, "grad"),
        "hess": (HESSIAN, fun, {"hess": wrong(hess)}, "hess"),
        "hessp": (HVP, fun, {"hessp": wrong(hessp)}, "hvp"),
    }[given]
    made, traced = scalar_oracle(need, layout, target, (known["a"],), **functions)
    answer = made.evaluate(Query(known["x"], known["p"]), traced)
    assert_close(getattr(answer, name), known[name] + 1.0, dtype, "derivative")


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 1e6])
def test_differences_take_scipys_steps(scheme, scale):
    x = np.array([0.3, -1.7]) * scale
    value = lambda x: np.sin(x[0]) * x[1] + x[1] ** 2
    made, traced = scalar_oracle(GRADIENT, parse(x)[1], lambda x: jnp.sin(x[0]) * x[1] + x[1] ** 2, (), scheme)
    ours = made.evaluate(Query(jnp.asarray(x)), traced).grad
    step = np.finfo(float).eps ** (0.5 if scheme == "2-point" else 1 / 3) * np.maximum(1.0, np.abs(x))
    rounding = 10 * np.finfo(float).eps * max(abs(value(x)), np.max(np.abs(x)), 1e-300)
    np.testing.assert_allclose(ours, approx_derivative(value, x, method=scheme), rtol=1e-14, atol=np.max(rounding / step))


@pytest.mark.parametrize("scheme", ["2-point", "3-point"])
def test_steps_of_differences_can_be_given(scheme):
    """On x^3 the error of a difference with step h is 3 x h + h^2, or h^2: it tells the step that was taken."""
    x, h = np.array([1.0, -2.0]), 2.0**-6
    cube = lambda x: jnp.sum(x**3)
    error = {"2-point": lambda h: 3 * x * h + h**2, "3-point": lambda h: h**2 + 0 * x}[scheme]
    made, traced = scalar_oracle(GRADIENT, parse(x)[1], cube, (), scheme, abs_step=h)
    assert_close(made.evaluate(Query(jnp.asarray(x)), traced).grad, 3 * x**2 + error(h), np.float64, "derivative")
    made, traced = scalar_oracle(GRADIENT, parse(x)[1], cube, (), scheme, rel_step=h)
    assert_close(made.evaluate(Query(jnp.asarray(x)), traced).grad, 3 * x**2 + error(h * x), np.float64, "derivative")


def test_complex_steps_have_no_cancellation():
    """exp(x) / sqrt(sin^3 x + cos^3 x), the example of Squire & Trapp (SIAM Rev. 40, 1998, p. 111)."""
    x = np.array([1.5])
    value = lambda x: jnp.sum(jnp.exp(x) / jnp.sqrt(jnp.sin(x) ** 3 + jnp.cos(x) ** 3))
    made, traced = scalar_oracle(GRADIENT, parse(x)[1], value, (), "cs")
    assert_close(made.evaluate(Query(jnp.asarray(x)), traced).grad, jax.grad(value)(jnp.asarray(x)), np.float64, "cs")


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("n", [1, 4])
def test_the_evaluations_of_a_turn_are_counted(mean, n):
    value = lambda x: jnp.sum(x * x)
    target = (lambda x: (value(x), 2.0 * x)) if mean == "paired" else value
    jac = {"autodiff": None, "jac": lambda x: 2.0 * x, "paired": True}.get(mean, mean)
    made, traced = scalar_oracle(GRADIENT, parse(np.ones(n))[1], target, (), jac)
    wanted = {"2-point": n + 1, "3-point": 2 * n + 1, "cs": n + 1}.get(mean, 1)
    assert made.evaluations(n) == wanted
    points = {s[0] for s in _square_shapes(made, traced, n)} or {1}
    assert max(points) == wanted
    assert Oracle(VALUE, made.fun, scheme=made.scheme).evaluations(n) == 1


def _square_shapes(made, traced, n):
    """Shapes (points, n) of the products x * x in a turn: how many points the function is evaluated at."""
    jaxpr = jax.make_jaxpr(lambda x: made.evaluate(Query(x), traced))(jnp.ones(n))
    inner = [e for e in jaxpr.eqns if e.primitive.name in ("pjit", "jit", "closed_call")]
    eqns = [*jaxpr.eqns, *(i for e in inner for i in e.params["jaxpr"].eqns)]
    return {
        e.outvars[0].aval.shape
        for e in eqns
        if e.primitive.name == "mul" and len(set(map(id, e.invars))) == 1 and e.outvars[0].aval.ndim == 2
    }


@pytest.mark.parametrize("need", [VALUE, GRADIENT, HESSIAN, HVP], ids=lambda n: n.name)
@means
def test_the_function_stands_once_in_the_program(need, mean):
    """Counted by a primitive that differentiation does not repeat: the derivatives of a logarithm are rational."""
    value = lambda x: jnp.sum(jnp.log(x))
    target = (lambda x: (value(x), 1.0 / x)) if mean == "paired" else value
    jac = {"autodiff": None, "jac": lambda x: 1.0 / x, "paired": True}.get(mean, mean)
    made, traced = scalar_oracle(need, parse(np.ones(3))[1], target, (), jac)
    jaxpr = jax.make_jaxpr(lambda x: made.evaluate(Query(x, x), traced))(jnp.ones(3))
    assert primitives(jaxpr)["log"] == 1


@means
def test_the_function_is_traced_once_to_close_and_never_to_evaluate(mean):
    traces = []

    def target(x):
        traces.append(x.shape)
        value = jnp.sum(x * x)
        return (value, 2.0 * x) if mean == "paired" else value

    jac = {"autodiff": None, "jac": lambda x: 2.0 * x, "paired": True}.get(mean, mean)
    made, traced = scalar_oracle(GRADIENT, parse(np.ones(3))[1], target, (), jac)
    for _ in range(2):
        made.evaluate(Query(jnp.ones(3)), traced)
    assert traces == [(3,)]


@dtypes
@pytest.mark.parametrize("mean", MEANS)
def test_a_value_alone(mean, dtype):
    made, traced = oracle(VALUE, mean, dtype)
    answer = made.evaluate(Query(jnp.asarray(X, dtype)), traced)
    assert answer.grad is None
    assert answer.fun.dtype == dtype
    assert_close(answer.fun, numbers(dtype)["fun"], dtype, "rounding")


def test_a_value_oracle_takes_several_points_at_once():
    made, traced = scalar_oracle(VALUE, parse(np.ones(3))[1], fun, (jnp.asarray(A),))
    points = jnp.asarray(np.stack([X, P, X + P]))
    together = made.evaluate(Query(points), traced).fun
    assert together.shape == (3,)
    assert_close(together, [fun(x, A) for x in points], np.float64, "rounding")


def residual_oracle(need, residual, n, dtype, mean, jacobian=None):
    point = (jax.ShapeDtypeStruct((n,), dtype),)
    made = lambda f, name: close(f, name, lambda x, args: f(x), point, Arguments(()))
    scheme = mean if mean in SCHEMES else None
    if scheme == "cs":
        point = (jax.ShapeDtypeStruct((n,), np.result_type(dtype, np.complex64)),)
    target = (lambda x: (residual(x), jacobian(x))) if mean == "paired" else residual
    f, consts = made(target, f"fun {mean}")
    j, jac_consts = made(jacobian, "jac") if mean == "jac" else (None, [])
    traced = Traced(consts, jac_consts, [], [], [], [], None, None)
    return Oracle(need, f, j, paired=mean == "paired", scheme=scheme), traced


def tall(x):
    return jnp.stack([x[0] * x[1], jnp.exp(x[0]), x[1] ** 3, x[0] - x[1]])


def tall_jacobian(x):
    zero, one = jnp.zeros_like(x[0]), jnp.ones_like(x[0])
    rows = [[x[1], x[0]], [jnp.exp(x[0]), zero], [zero, 3.0 * x[1] ** 2], [one, -one]]
    return jnp.stack([jnp.stack(row) for row in rows])


def wide(x):
    return jnp.stack([x[0] * x[1] * x[2], jnp.sin(x[0]) + x[2] ** 2])


def wide_jacobian(x):
    rows = [[x[1] * x[2], x[0] * x[2], x[0] * x[1]], [jnp.cos(x[0]), jnp.zeros_like(x[0]), 2.0 * x[2]]]
    return jnp.stack([jnp.stack(row) for row in rows])


@dtypes
@means
@pytest.mark.parametrize(
    ("residual", "jacobian", "n"), [(tall, tall_jacobian, 2), (wide, wide_jacobian, 3)], ids=["tall", "wide"]
)
def test_residuals_and_jacobians(residual, jacobian, n, mean, dtype):
    x = jnp.asarray(X[:n], dtype)
    made, traced = residual_oracle(JACOBIAN, residual, n, dtype, mean, jacobian)
    answer = made.evaluate(Query(x), traced)
    assert_close(answer.fun, 0.5 * jnp.sum(residual(x) ** 2), dtype, "rounding")
    assert answer.residual.dtype == answer.jacobian.dtype == dtype
    assert_close(answer.residual, residual(x), dtype, "rounding")
    assert_close(answer.jacobian, jacobian(x), dtype, mean)


@dtypes
def test_a_residual_alone(dtype):
    x = jnp.asarray(X[:2], dtype)
    made, traced = residual_oracle(RESIDUAL, tall, 2, dtype, "autodiff")
    answer = made.evaluate(Query(x), traced)
    assert answer.jacobian is None
    assert_close(answer.residual, tall(x), dtype, "rounding")


@pytest.mark.parametrize("mean", ["autodiff", "jac", "paired"])
def test_products_with_the_hessian_can_be_asked_for_alone(mean):
    made, traced = oracle(GRADIENT, mean, np.float64)
    known = numbers(np.float64)
    assert_close(made.hessian_product(known["x"], known["p"], traced), known["hvp"], np.float64, "derivative")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_differentiated_again_is_exact_whatever_the_scheme(scheme):
    """The implicit function theorem needs a derivative that is none of a difference."""
    made, traced = oracle(GRADIENT, scheme, np.float64)
    known = numbers(np.float64)
    assert_close(made.derivative(known["x"], traced), known["grad"], np.float64, "derivative")
    assert_close(made.hessian_product(known["x"], known["p"], traced), known["hvp"], np.float64, "derivative")
