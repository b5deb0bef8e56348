"""The question that is answered is the one that is asked: whatever a function reads may change between two calls.

Each row makes a function whose minimizer is a number that it reads somewhere, and a way to change that number. What is
remembered of functions is a matter of the doors, not of the methods: one row of the table of methods will do.
"""

import dataclasses
import functools
import gc
import itertools
import sys
import tracemalloc
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import curve_fit, least_squares, minimize, root_scalar
from tests.laws.counting import compilations

START = jnp.zeros(2)
PARAMS = {"k": 1.0}
NUMBER = 1.0
SETTINGS = types.ModuleType("settings_of_a_user")
SETTINGS.k = 1.0
SETTINGS.inner = types.ModuleType("inner_settings_of_a_user")
SETTINGS.inner.k = 1.0


def bowl(x, k):
    return jnp.sum((x - k) ** 2)


def a_dict():
    held = {"k": 1.0}
    return lambda x: bowl(x, held["k"]), lambda k: held.update(k=k)


def a_global_dict():
    return lambda x: bowl(x, PARAMS["k"]), lambda k: PARAMS.update(k=k)


def a_dict_in_a_dict():
    held = {"inner": {"k": 1.0}}
    return lambda x: bowl(x, held["inner"]["k"]), lambda k: held["inner"].update(k=k)


def an_item_of_a_list():
    held = [1.0, 7.0]
    return lambda x: bowl(x, held[0]), lambda k: held.__setitem__(0, k)


def an_array_of_a_list():
    held = [np.ones(2)]
    return lambda x: bowl(x, held[0]), lambda k: held[0].fill(k)


def a_list_that_grows():
    held = [1.0]
    return lambda x: bowl(x, sum(held)), lambda k: held.append(k - 1.0)


def a_set():
    held = {1.0}
    return lambda x: bowl(x, sum(held)), lambda k: held.add(k - 1.0)


def a_namespace():
    held = types.SimpleNamespace(k=1.0)
    return lambda x: bowl(x, held.k), lambda k: setattr(held, "k", k)


def an_attribute_of_a_module():
    SETTINGS.k = 1.0
    return lambda x: bowl(x, SETTINGS.k), lambda k: setattr(SETTINGS, "k", k)


def an_attribute_of_a_module_in_a_module():
    SETTINGS.inner.k = 1.0
    return lambda x: bowl(x, SETTINGS.inner.k), lambda k: setattr(SETTINGS.inner, "k", k)


def an_imported_module():
    sys.modules[SETTINGS.__name__], SETTINGS.k = SETTINGS, 1.0

    def fun(x):
        import settings_of_a_user

        return bowl(x, settings_of_a_user.k)

    return fun, lambda k: setattr(SETTINGS, "k", k)


class Model:
    shared = 1.0

    def __init__(self):
        self.cfg = types.SimpleNamespace(k=1.0)

    def loss(self, x):
        return bowl(x, self.cfg.k)

    def of_class(self, x):
        return bowl(x, self.shared)

    @property
    def doubled(self):
        return 2 * self.cfg.k

    def by_property(self, x):
        return bowl(x, self.doubled / 2)

    def __call__(self, x):
        return self.loss(x)


class Slotted:
    __slots__ = ("k",)


@dataclasses.dataclass
class Record:
    k: float = 1.0


def an_attribute_two_deep():
    model = Model()
    return model.loss, lambda k: setattr(model.cfg, "k", k)


def an_attribute_replaced():
    model = Model()
    return model.loss, lambda k: setattr(model, "cfg", types.SimpleNamespace(k=k))


def an_attribute_of_the_class():
    Model.shared = 1.0
    return Model().of_class, lambda k: setattr(Model, "shared", k)


def a_property():
    model = Model()
    return model.by_property, lambda k: setattr(model.cfg, "k", k)


def a_callable_object():
    model = Model()
    return model, lambda k: setattr(model.cfg, "k", k)


def a_slot():
    held = Slotted()
    held.k = 1.0
    return lambda x: bowl(x, held.k), lambda k: setattr(held, "k", k)


def a_dataclass():
    held = Record()
    return lambda x: bowl(x, held.k), lambda k: setattr(held, "k", k)


def a_dataframe():
    class Frame:  # as a table of another library: columns behind `__getattr__`, held by C
        def __init__(self):
            self.store = memoryview(np.ones(2))

        def __getattr__(self, name):
            return self.store[0]

    held = Frame()
    return lambda x: bowl(x, held.k), lambda k: held.store.__setitem__(0, k)


def a_partial():
    held = {"k": 1.0}
    return functools.partial(lambda table, x: bowl(x, table["k"]), held), lambda k: held.update(k=k)


def a_default():
    def fun(x, k=1.0):
        return bowl(x, k)

    return fun, lambda k: setattr(fun, "__defaults__", (k,))


def a_default_dict():
    held = {"k": 1.0}

    def fun(x, *, table=held):
        return bowl(x, table["k"])

    return fun, lambda k: held.update(k=k)


def a_global():
    globals()["NUMBER"] = 1.0
    return lambda x: bowl(x, NUMBER), lambda k: globals().update(NUMBER=k)


def a_closure_of_a_closure():
    number = 1.0

    def inner(x):
        return bowl(x, number)

    def change(k):
        nonlocal number
        number = k

    return lambda x: (lambda y: inner(y))(x), change


def an_array_changed_in_place():
    held = np.ones(2)
    return lambda x: bowl(x, held), lambda k: held.fill(k)


def an_array_with_gaps_changed_in_place():
    held = np.ones((2, 3))
    return lambda x: bowl(x, held.T[1]), lambda k: held.fill(k)


def a_function_that_is_looked_up():
    held = {"f": lambda: 1.0}
    return lambda x: bowl(x, held["f"]()), lambda k: held.update(f=lambda: k)


def globals_by_name():
    globals()["NUMBER"] = 1.0
    return lambda x: bowl(x, globals()["NUMBER"]), lambda k: globals().update(NUMBER=k)


def a_function_with_a_cache_of_jit():
    held = {"k": 1.0}
    inner = lambda x: bowl(x, held["k"])
    return lambda x: jax.tree.map(inner, x), lambda k: held.update(k=k)


def an_iterator():
    held = [1.0]
    values = map(lambda _: held[0], itertools.count())
    return lambda x: bowl(x, next(values)), lambda k: held.__setitem__(0, k)


ROWS = (
    *(a_dict, a_global_dict, a_dict_in_a_dict, an_item_of_a_list, an_array_of_a_list, a_list_that_grows, a_set, a_namespace),
    *(an_attribute_of_a_module, an_attribute_of_a_module_in_a_module, an_imported_module, an_attribute_two_deep),
    *(an_attribute_replaced, an_attribute_of_the_class, a_property, a_callable_object, a_slot, a_dataclass, a_dataframe),
    *(a_partial, a_default, a_default_dict, a_global, a_closure_of_a_closure, an_array_changed_in_place),
    *(an_array_with_gaps_changed_in_place, a_function_that_is_looked_up, globals_by_name, a_function_with_a_cache_of_jit),
    an_iterator,
)


@pytest.mark.parametrize("make", ROWS, ids=lambda make: make.__name__)
def test_what_a_function_reads_may_change_between_two_calls(make):
    fun, change = make()
    np.testing.assert_allclose(minimize(fun, START).x, 1.0, atol=1e-6)
    np.testing.assert_allclose(minimize(fun, START).x, 1.0, atol=1e-6)
    change(3.0)
    np.testing.assert_allclose(minimize(fun, START).x, 3.0, atol=1e-6)


@pytest.mark.parametrize("make", [a_dict, an_item_of_a_list, a_dataframe, an_attribute_two_deep], ids=lambda m: m.__name__)
def test_a_change_compiles_nothing(make):
    fun, change = make()
    minimize(fun, START)
    with compilations() as count:
        for k in (2.0, 3.0, 4.0):
            change(k)
            np.testing.assert_allclose(minimize(fun, START).x, k, atol=1e-6)
    assert count() == 0


def test_a_random_generator_draws_at_each_call():
    """NumPy's draws are constants of a trace: each call is another problem, and none is that of yesterday."""
    rng = np.random.default_rng(0)
    fun = lambda x: bowl(x, rng.standard_normal(2))
    assert len({float(minimize(fun, START).x[0]) for _ in range(4)}) == 4


def test_every_door_sees_a_change():
    held = {"k": 1.0}
    t = np.linspace(0.0, 1.0, 5)
    doors = {
        "minimize, jac": lambda: minimize(lambda x: bowl(x, held["k"]), START, jac=gradient).x[0],
        "least_squares": lambda: least_squares(residual, START).x[0],
        "curve_fit": lambda: curve_fit(model, t, 2.0 * t, p0=jnp.ones(1))[0][0] / 2.0,
        "root_scalar": lambda: root_scalar(root, bracket=(-10.0, 10.0)).root,
    }
    gradient = lambda x: 2 * (x - held["k"])
    residual = lambda x: x - held["k"]
    model = lambda t, p: p * t / held["k"]
    root = lambda x: x - held["k"]
    for k in (1.0, 3.0):
        held["k"] = k
        for name, solve in doors.items():
            np.testing.assert_allclose(solve(), k, atol=1e-6, err_msg=name)


def test_a_thousand_changed_dicts_leave_memory_flat_and_answers_right():
    held = {"k": 0.0}
    fun = lambda x: bowl(x, held["k"])

    def level(first, last):
        for k in range(first, last):
            held["k"] = float(k)
            assert abs(minimize(fun, START).x[0] - k) <= 1e-6 * max(k, 1)
        gc.collect()
        return len(jax.live_arrays()), tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = level(0, 50), level(50, 1050)
    finally:
        tracemalloc.stop()
    assert after[0] <= before[0]
    assert after[1] - before[1] <= 256 * 1000


def test_a_captured_array_is_copied_once_and_not_at_each_call():
    data = np.ones((1 << 21,))  # 16 MB
    fun = lambda x: bowl(x, data[0])
    minimize(fun, START)
    tracemalloc.start()
    try:
        for _ in range(3):
            minimize(fun, START)
        assert tracemalloc.get_traced_memory()[1] <= data.nbytes / 16
    finally:
        tracemalloc.stop()
