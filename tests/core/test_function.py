"""Closing a function: all that it captured becomes operands, equal code becomes one instance, the memo spares the trace."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core import function
from jaxopt_lite.core.function import Arguments, close, is_traceable

POINT = (jax.ShapeDtypeStruct((2,), np.float64),)


def closed(fun, args=(), inputs=POINT):
    return close(fun, "fun", lambda *a: fun(*a[:-1], *a[-1]), inputs, Arguments(args))


def apply(fun, x, args=()):
    made, consts = closed(fun, args)
    return made(consts, x, *Arguments(args).dynamic)[0]


def test_a_captured_array_is_an_operand():
    data = jnp.array([2.0, 5.0])
    made, consts = closed(lambda x: x * data)
    assert [c is data for c in consts] == [True]
    np.testing.assert_array_equal(made([jnp.array([1.0, 0.0])], jnp.array([3.0, 3.0]))[0], [3.0, 0.0])


ARRAYS = (
    (jnp.zeros(2), jnp.ones(2)),
    (np.zeros(2), np.ones(2)),
    (jnp.array([1, 2]), jnp.array([3, 4])),
    (jnp.array([True, False]), jnp.array([False, False])),
    (jnp.asarray(1.5), jnp.asarray(2.5)),
    (np.asarray(1.5), np.asarray(2.5)),
)


@pytest.mark.parametrize(("one", "other"), ARRAYS, ids=lambda a: f"{type(a).__name__}-{a.dtype}-{a.ndim}d")
def test_fresh_functions_of_one_code_that_capture_other_arrays_are_one_instance(one, other):
    make = lambda data: lambda x: x * jnp.asarray(data).astype(x.dtype)
    assert closed(make(one))[0] is closed(make(other))[0]


def test_functions_that_capture_other_numbers_are_not_the_same():
    make = lambda number: lambda x: x * number
    np.testing.assert_array_equal(apply(make(2.0), jnp.ones(2)), [2.0, 2.0])
    np.testing.assert_array_equal(apply(make(3.0), jnp.ones(2)), [3.0, 3.0])


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.uint8, np.float64], ids=lambda d: d.__name__)
def test_a_tracer_captured_under_vmap_is_an_operand(dtype):
    labels = jnp.array([0, 1, 1], dtype)
    points = jnp.arange(6.0).reshape(3, 2)

    def lane(label, x):
        made, consts = closed(lambda x: jnp.where(label.astype(bool), x, -x))
        assert len(consts) == 1
        return made(consts, x)[0]

    np.testing.assert_array_equal(jax.vmap(lane)(labels, points), points * np.array([[-1.0], [1.0], [1.0]]))


def test_tracers_captured_under_jit_and_grad_are_operands():
    def value(scale):
        return jnp.sum(apply(lambda x: x * scale, jnp.array([1.0, 2.0])))

    assert jax.grad(value)(4.0) == 3.0
    assert jax.jit(value)(4.0) == 12.0


def test_what_captured_a_tracer_is_not_remembered():
    held = [None]
    fun = lambda x: x * held[0]

    def lane(scale):
        held[0] = scale
        return apply(fun, jnp.ones(2))

    for value in (1.0, 2.0):
        np.testing.assert_array_equal(jax.vmap(lane)(jnp.full(3, value)), np.full((3, 2), value))


def test_args_are_operands_wherever_they_stand():
    args = ({"b": np.array([1, 2]), "a": 3.0}, "power", None, [jnp.ones(2), True])

    def fun(x, table, name, nothing, rest):
        assert name == "power"
        assert nothing is None
        assert rest[1] is True
        return (x * table["a"] + rest[0]) * table["b"].astype(x.dtype)

    np.testing.assert_array_equal(apply(fun, jnp.ones(2), args), [4.0, 8.0])


def test_arguments_split_into_traced_and_static_leaves():
    arguments = Arguments((1.0, "a", (np.ones(2), None, True), {"k": jnp.ones(1), "f": len}))
    assert len(arguments.dynamic) == 3
    rebuilt = arguments.rebuild([10.0, 20.0, 30.0])
    assert rebuilt == (10.0, "a", (20.0, None, True), {"f": len, "k": 30.0})


@pytest.mark.parametrize("args", [5.0, [1.0, 2.0], {"a": 1.0}, np.ones(3), "text"], ids=lambda a: type(a).__name__)
def test_args_that_are_no_tuple_are_one_argument_as_in_scipy(args):
    arguments = Arguments(args)
    assert len(arguments.rebuild(arguments.dynamic)) == 1


def test_signature_tells_dtypes_shapes_structure_and_static_leaves_apart():
    cases = [
        (1,),
        (1.0,),
        (np.float32(1),),
        (np.ones(2),),
        (np.ones(3),),
        ([1.0],),
        ("a",),
        ("b",),
        (True,),
        (False,),
        (None,),
    ]
    assert len({Arguments(case).signature() for case in cases}) == len(cases)
    assert Arguments((2.0, "a")).signature() == Arguments((7.0, "a")).signature()


TRACEABLE = [1, 1.0, 1j, np.float32(1), np.bool_(True), np.ones(2), jnp.ones(2)]
STATIC = [True, "a", None, len, object(), np.array(["a"], object), np.array(["a"])]


@pytest.mark.parametrize("leaf", TRACEABLE, ids=lambda v: type(v).__name__)
def test_numbers_and_arrays_are_traced(leaf):
    assert is_traceable(leaf)


@pytest.mark.parametrize("leaf", STATIC, ids=lambda v: type(v).__name__)
def test_everything_else_is_static(leaf):
    assert not is_traceable(leaf)


class Counted:
    """A function that knows how often it was traced; its own state is no input of the trace."""

    traces = 0

    @classmethod
    def of(cls, fun):
        cls.traces = 0

        def counted(*a):
            Counted.traces += 1
            return fun(*a)

        return counted


def test_a_second_call_does_not_trace_again():
    fun = Counted.of(lambda x, a: x * a)
    for a in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(apply(fun, jnp.ones(2), (a,)), [a, a])
    assert Counted.traces == 1
    apply(fun, jnp.ones(2), (np.ones(2),))
    assert Counted.traces == 2


def test_a_static_argument_that_cannot_be_hashed_is_traced_at_each_call():
    class Unhashable:
        __hash__ = None
        scale = 1.0

    setting = Unhashable()
    fun = lambda x, s: x * s.scale
    np.testing.assert_array_equal(apply(fun, jnp.ones(2), (setting,)), [1.0, 1.0])
    setting.scale = 2.0
    np.testing.assert_array_equal(apply(fun, jnp.ones(2), (setting,)), [2.0, 2.0])


def test_an_object_in_args_that_changed_is_seen():
    class Settings:
        scale = 1.0

    settings = Settings()
    fun = lambda x, s: x * s.scale
    np.testing.assert_array_equal(apply(fun, jnp.ones(2), (settings,)), [1.0, 1.0])
    settings.scale = 2.0
    np.testing.assert_array_equal(apply(fun, jnp.ones(2), (settings,)), [2.0, 2.0])


def test_fresh_functions_in_args_do_not_pile_up():
    """`minimize(loss, p0, args=(lambda x: ..., data))` in a loop, with a loss that lives as long as its module."""
    fun = lambda x, model: model(x)
    for _ in range(50):
        apply(fun, jnp.ones(2), (lambda x: x * 2.0,))
    gc.collect()
    _, entries = function._MEMO._of.get(id(fun), (None, {}))
    assert len(entries) < 50


def test_the_table_of_functions_is_bounded(monkeypatch):
    monkeypatch.setattr(function, "KEPT", 4)
    monkeypatch.setattr(function, "_CANONICAL", type(function._CANONICAL)())
    funs = [closed(lambda x, k=k: x**k)[0] for k in range(2, 8)]
    assert len(function._CANONICAL) == 4
    assert closed(lambda x: x**7)[0] is funs[5]


def test_x64_is_part_of_the_memo():
    fun = lambda x: x * jnp.asarray([1.5, 2.5])
    wide = closed(fun)[1]
    with jax.enable_x64(False):
        narrow = closed(fun, inputs=(jax.ShapeDtypeStruct((2,), np.float32),))[1]
        again = close(fun, "fun", lambda x, args: fun(x), (jax.ShapeDtypeStruct((2,), np.float32),), Arguments(()))[1]
    assert [c.dtype for c in (*wide, *narrow, *again)] == [np.float64, np.float32, np.float32]


def test_functions_with_control_flow_and_callbacks_close():
    def fun(x):
        y = jax.lax.fori_loop(0, 3, lambda i, x: x * 2.0, x)
        return jax.lax.cond(x[0] > 0, lambda y: y, lambda y: -y, y)

    np.testing.assert_array_equal(apply(fun, jnp.array([1.0, 2.0])), [8.0, 16.0])
    np.testing.assert_array_equal(apply(fun, jnp.array([-1.0, 2.0])), [8.0, -16.0])
