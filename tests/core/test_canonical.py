"""Keys of jaxprs: equal for the same code with other captured arrays, different wherever a value or derivative differs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxopt_lite.core.canonical import jaxpr_key

X = np.ones(3)


def key(fun, *inputs):
    return jaxpr_key(jax.make_jaxpr(fun)(*(inputs or (X,))).jaxpr)


def jvp_rule(scale, extra=None):
    """x^2 whose derivative is scaled by a captured number, the rule made anew at each call."""

    @jax.custom_jvp
    def square(x):
        return x * x

    @square.defjvp
    def _(primals, tangents):
        (x,), (t,) = primals, tangents
        return square(x), scale * x * t if extra is None else scale * x * t + extra.sum() * t

    return lambda x: jnp.sum(square(x))


def vjp_rule(forward, backward):
    @jax.custom_vjp
    def square(x):
        return x * x

    square.defvjp(lambda x: (square(x), x * forward), lambda kept, ct: (backward * kept * ct,))
    return lambda x: jnp.sum(square(x))


def partial_rule(scale):
    def rule(scale, primals, tangents):
        return primals[0] ** 2, scale * tangents[0]

    square = jax.custom_jvp(lambda x: x**2)
    square.defjvp(functools.partial(rule, scale))
    return lambda x: jnp.sum(square(x))


def nondiff_rule(power):
    @functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
    def raised(p, x):
        return x**2

    raised.defjvp(lambda p, primals, tangents: (primals[0] ** 2, p * tangents[0]))
    return lambda x: jnp.sum(raised(power, x))


def default_rule(scale):
    square = jax.custom_jvp(lambda x: x**2)
    square.defjvp(lambda primals, tangents, scale=scale: (primals[0] ** 2, scale * tangents[0]))
    return lambda x: jnp.sum(square(x))


def branch(value):
    return lambda x: lax.cond(x[0] > 0, lambda x: x[1] * value, lambda x: x[2], x)


def callback(value):
    return lambda x: jax.pure_callback(lambda x: x * value, jax.ShapeDtypeStruct(X.shape, X.dtype), x).sum()


# A factory and two values that must not be told the same.
DIFFERENT = {
    "literal": (lambda v: lambda x: x * v, 2.0, 3.0),
    "literal by one ulp": (lambda v: lambda x: x * v, 1.0, np.nextafter(1.0, 2.0)),
    "sign of zero": (lambda v: lambda x: x + v, 0.0, -0.0),
    "exponent": (lambda v: lambda x: x**v, 2, 3),
    "dtype of a literal": (lambda v: lambda x: x.astype(v), jnp.float32, jnp.int32),
    "axis": (lambda v: lambda x: jnp.sum(x[:, None] * x[None, :], axis=v), 0, 1),
    "index": (lambda v: lambda x: x[v], 0, 1),
    "captured shape": (lambda v: lambda x: x.sum() * jnp.ones(v), 2, 3),
    "captured array's shape": (lambda v: lambda x: x.sum() * v, jnp.ones(2), jnp.ones(3)),
    "captured array's dtype": (
        lambda v: lambda x: x * v.astype(x.dtype),
        jnp.ones(3, jnp.int32),
        jnp.ones(3, jnp.float32),
    ),
    "branch": (branch, 2.0, 3.0),
    "scan length": (lambda v: lambda x: lax.scan(lambda c, _: (c * 2.0, None), x, length=v)[0], 2, 3),
    "scan body": (lambda v: lambda x: lax.scan(lambda c, _: (c * v, None), x, length=2)[0], 2.0, 3.0),
    "scan order": (lambda v: lambda x: lax.scan(lambda c, y: (c * y, c), x[0], x, reverse=v)[1], False, True),
    "while predicate": (lambda v: lambda x: lax.while_loop(lambda x: x[0] < v, lambda x: x + 1.0, x), 2.0, 3.0),
    "nested jit": (lambda v: jax.jit(lambda x: x * v), 2.0, 3.0),
    "jit in jit": (lambda v: jax.jit(lambda x: jax.jit(lambda x: x * v)(x)), 2.0, 3.0),
    "callback": (callback, 2.0, 3.0),
    "custom_jvp capturing a number": (jvp_rule, 2.0, 3.0),
    "custom_jvp capturing a NumPy array": (lambda v: jvp_rule(2.0, v), np.ones(2), np.zeros(2)),
    "custom_jvp through partial": (partial_rule, 2.0, 3.0),
    "custom_jvp with a nondiff argument": (nondiff_rule, 2.0, 3.0),
    "custom_jvp through a default": (default_rule, 2.0, 3.0),
    "custom_vjp forward": (lambda v: vjp_rule(v, 2.0), 1.0, 5.0),
    "custom_vjp backward": (lambda v: vjp_rule(1.0, v), 2.0, 3.0),
    "rule under jit": (lambda v: jax.jit(jvp_rule(v)), 2.0, 3.0),
    "rule under vmap": (lambda v: lambda x: jax.vmap(jvp_rule(v))(x[:, None]), 2.0, 3.0),
    "rule in a branch": (lambda v: lambda x: lax.cond(x[0] > 0, jvp_rule(v), jnp.sum, x), 2.0, 3.0),
}


@pytest.mark.parametrize("case", DIFFERENT, ids=str)
def test_what_differs_has_another_key(case):
    factory, one, other = DIFFERENT[case]
    assert key(factory(one)) != key(factory(other))


# Functions that jax compares by identity, directly or through a rule that names itself, are new when they are made anew.
BY_IDENTITY = ("callback", "custom_jvp capturing", "custom_jvp through partial", "custom_vjp", "rule ")
EQUAL = {name: (make, value) for name, (make, value, _) in DIFFERENT.items() if not name.startswith(BY_IDENTITY)} | {
    "a rule that is made once": (lambda rule: lambda x: rule(x), jvp_rule(2.0)),
    "a rule that is made once, under jit": (lambda rule: jax.jit(lambda x: rule(x)), vjp_rule(1.0, 2.0)),
    "a rule that is made once, with a nondiff argument": (lambda rule: lambda x: rule(x), nondiff_rule(2.0)),
    "library rules": (lambda _: lambda x: jnp.sum(jax.nn.relu(x) + jax.nn.softplus(x)) + jax.nn.logsumexp(x), None),
    "linear solve": (lambda _: lambda x: jnp.linalg.solve(jnp.diag(x), x), None),
    "cholesky and norm": (lambda _: lambda x: jnp.linalg.norm(jnp.linalg.cholesky(jnp.diag(x))), None),
    "checkpoint": (lambda _: jax.checkpoint(lambda x: jnp.sin(x).sum()), None),
    "gradient in the function": (lambda _: lambda x: jax.grad(lambda y: jnp.sum(y**3))(x), None),
    "random numbers": (lambda _: lambda x: x + jax.random.normal(jax.random.key(1), (3,)), None),
    "custom_root": (
        lambda _: (
            lambda x: lax.custom_root(lambda y: y - x, jnp.zeros(3), lambda f, y: y - f(y), lambda g, y: y / g(jnp.ones(3)))
        ),
        None,
    ),
}


@pytest.mark.parametrize("case", EQUAL, ids=str)
def test_a_fresh_function_of_the_same_code_has_the_same_key(case):
    factory, value = EQUAL[case]
    one, other = key(factory(value)), key(factory(value))
    assert one == other
    assert hash(one) == hash(other)


def test_captured_arrays_do_not_count():
    make = lambda a: lambda x: jnp.sum((x - a) ** 2)
    assert key(make(jnp.zeros(3))) == key(make(jnp.ones(3))) == key(make(np.full(3, 7.0)))


def test_names_do_not_count():
    def one(x, y):
        product = x * y
        return product - y

    def other(u, v):
        w = u * v
        return w - v

    assert key(one, X, X) == key(other, X, X)


def test_which_input_goes_where_counts():
    assert key(lambda x, y: x - y, X, X) != key(lambda x, y: y - x, X, X)
    assert key(lambda x, y: (x, y), X, X) != key(lambda x, y: (y, x), X, X)
    assert key(lambda x, y: x * x, X, X) != key(lambda x, y: x * y, X, X)


def test_an_unused_input_counts():
    assert key(lambda x: x * 2.0) != key(lambda x, y: x * 2.0, X, X)


@pytest.mark.parametrize("other", [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32), np.ones(3, np.int32)], ids=str)
def test_shape_and_dtype_of_inputs_count(other):
    assert key(lambda x: x + x, X) != key(lambda x: x + x, other)


FACTOR = 2.0


@jax.custom_jvp
def ruled_by_a_global(x):
    return x * x


@ruled_by_a_global.defjvp
def _(primals, tangents):
    return ruled_by_a_global(primals[0]), FACTOR * tangents[0]


def test_a_rule_that_reads_a_rebound_global_has_another_key(monkeypatch):
    before = key(ruled_by_a_global)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert key(ruled_by_a_global) != before


def test_a_rule_whose_captured_array_changed_in_place_has_another_key():
    data = np.ones(2)
    fun = jvp_rule(2.0, data)
    before = key(fun)
    data[0] = 5.0
    assert key(fun) != before


def test_a_rule_whose_captured_list_changed_has_another_key():
    factor = [2.0]
    square = jax.custom_jvp(lambda x: x**2)
    square.defjvp(lambda primals, tangents: (primals[0] ** 2, factor[0] * tangents[0]))
    before = key(square)
    factor[0] = 3.0
    assert key(square) != before


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.floats(), st.floats())
def test_literals_are_compared_bit_by_bit(a, b):
    same = np.float64(a).tobytes() == np.float64(b).tobytes()
    assert (key(lambda x: x * a) == key(lambda x: x * b)) == same
