"""Large functions: each operation stands once in a compiled turn, parts give the same numbers, and small ones are whole."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxopt_lite import minimize
from jaxopt_lite.api import methods
from jaxopt_lite.api.pose import pose_minimum
from jaxopt_lite.core import apart
from jaxopt_lite.core.apart import anywhere, in_parts
from jaxopt_lite.core.program import _program
from tests.laws.counting import occurrences

TERMS = 60  # with a gradient 1,811 equations: more than LARGE
SHARE = np.arange(1, TERMS + 1) / (TERMS + 1.0)
U = 25.0 + (-50.0 * np.log(SHARE)) ** (2 / 3)
QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


def by_terms(x):
    """Gulf research and development, term by term."""
    a, b, c = x[0], x[1], x[2]
    terms = ((jnp.exp(-((u - b) ** c) / a) - s) ** 2 for u, s in zip(U.tolist(), SHARE.tolist(), strict=True))
    return sum(terms, start=jnp.zeros(()))


def at_once(x):
    return jnp.sum((jnp.exp(-((U - x[1]) ** x[2]) / x[0]) - SHARE) ** 2)


def written(text, operation):
    """How often an operation stands in the text of a compiled program."""
    return len(re.findall(rf" {operation}\(", text))


FORMS = {"by terms": by_terms, "at once": at_once}
X = np.array([50.0, 20.0, 1.5])


@pytest.mark.parametrize("row", methods.MINIMIZE, ids=lambda row: row.name)
@pytest.mark.parametrize("form", FORMS)
def test_the_dearest_operations_stand_once_in_a_compiled_turn(row, form):
    """Of what value, gradient and a product of the Hessian need, which is one exp and three pow a term."""
    posed = pose_minimum(row, FORMS[form], X)
    compiled = _program(posed.plan).plain._call.lower(posed.call).compile(compiler_options=QUICK).as_text()
    terms = TERMS if form == "by terms" else 1
    assert written(compiled, "exponential") == terms
    assert terms <= written(compiled, "power") <= 3 * terms + 5


def test_parts_give_the_same_numbers(monkeypatch):
    monkeypatch.setattr(apart, "LARGE", 100)
    monkeypatch.setattr(apart, "PART", 60)
    grad = jax.value_and_grad(by_terms)
    parts = jax.jit(lambda x, going: in_parts(grad, going)(x), compiler_options=QUICK)
    want = jax.jit(grad, compiler_options=QUICK)(X)
    np.testing.assert_allclose(jnp.hstack(parts(X, jnp.array(True))), jnp.hstack(want), rtol=1e-13)
    assert not np.any(np.hstack(parts(X, jnp.array(False))))


def test_a_large_function_inside_of_a_jit_is_taken_apart_too(monkeypatch):
    """By lanes too: the border stays a conditional, for its flag is the same for all."""
    monkeypatch.setattr(apart, "LARGE", 30)
    monkeypatch.setattr(apart, "PART", 10)
    inner = jax.jit(lambda x: sum((jnp.sin(x * k) for k in range(1, 40)), start=jnp.zeros(())))
    lanes = jax.vmap(lambda x, going: in_parts(lambda x: inner(x) * 2.0, going)(x))
    x, going = jnp.linspace(0.0, 1.0, 3), jnp.array([True, False, False])
    traced = jax.make_jaxpr(lanes)(x, going)
    assert occurrences(traced, "cond") > 5
    np.testing.assert_allclose(lanes(x, going), 2.0 * jax.vmap(inner)(x))


def test_a_small_function_is_left_whole():
    assert occurrences(jax.make_jaxpr(lambda x: in_parts(jnp.sin, x > 0)(x))(1.0), "cond") == 0


def test_anywhere_is_shared_by_all_lanes():
    some = jax.vmap(lambda f, x: lax.cond(anywhere(f), lambda: x, lambda: -x))
    np.testing.assert_array_equal(some(jnp.array([False, True]), jnp.ones(2)), [1.0, 1.0])
    np.testing.assert_array_equal(some(jnp.array([False, False]), jnp.ones(2)), [-1.0, -1.0])


@pytest.mark.parametrize("method", ["BFGS", "TNC", "L-BFGS-B"])
def test_in_parts_a_minimum_is_the_same(method, monkeypatch):
    """Eager, where the compiler is asked for its older emitters, and under a jit, in parts, with the claims decided."""
    limits = {"LARGE": 100, "PART": 40}
    for name, value in limits.items():
        monkeypatch.setattr(apart, name, value)
    monkeypatch.setattr("jaxopt_lite.core.program.LARGE", 100)
    weights = np.linspace(1.0, 3.0, 8).tolist()

    def fun(x):
        terms = (w * jnp.cosh(x[0] - x[1] * w) + (x[1] - w) ** 2 for w in weights)
        return sum(terms, start=jnp.zeros(()))

    solve = lambda x0: minimize(fun, x0, method=method)
    alone, inside = solve(np.ones(2)), jax.jit(solve)(np.ones(2))
    many = jax.jit(jax.vmap(solve))(np.ones((3, 2)) * np.array([[1.0], [0.5], [2.0]]))
    assert alone.success
    assert inside.success
    assert np.all(many.success)
    np.testing.assert_allclose(inside.x, alone.x, atol=1e-5)
    np.testing.assert_allclose(many.x, np.broadcast_to(alone.x, (3, 2)), atol=1e-5)
