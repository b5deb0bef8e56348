"""Snapshots see what a function captured change, and the memo forgets functions that nobody holds any more."""

import functools
import gc
import weakref

import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core.captured import snapshot, unchanged
from jaxopt_lite.core.memo import Memo

NUMBER = 1.0
TABLE = np.ones(3)


def reads_a_global(x):
    return x * NUMBER


def reads_a_global_table(x):
    return x * TABLE


def calls_a_reader(x):
    return reads_a_global(x) + 1.0


def reads_in_a_lambda(x):
    return (lambda t: t * NUMBER)(x)


def reads_in_a_comprehension(x):
    return sum([x * NUMBER for _ in range(2)])


def reads_in_a_nested_function(x):
    def inner(t):
        return t * NUMBER

    return inner(x)


class Model:
    def __init__(self, scale):
        self.scale = scale

    def loss(self, x):
        return x * self.scale

    def __call__(self, x):
        return x * self.scale


def seen(fun, change):
    before = snapshot(fun)
    assert before is not None
    assert unchanged(before, fun)
    change()
    return not unchanged(before, fun)


READERS = (
    reads_a_global,
    calls_a_reader,
    reads_in_a_lambda,
    reads_in_a_comprehension,
    reads_in_a_nested_function,
)


@pytest.mark.parametrize("fun", READERS, ids=lambda f: f.__name__)
def test_a_rebound_global_is_seen(fun, monkeypatch):
    assert seen(fun, lambda: monkeypatch.setitem(globals(), "NUMBER", 2.0))


def test_a_global_array_changed_in_place_is_seen(monkeypatch):
    monkeypatch.setitem(globals(), "TABLE", np.ones(3))
    assert seen(reads_a_global_table, lambda: TABLE.__setitem__(1, 5.0))


def test_a_rebound_closure_variable_is_seen():
    scale = 1.0

    def rebind():
        nonlocal scale
        scale = 2.0

    assert seen(lambda x: x * scale, rebind)


def test_a_rebound_variable_of_an_inner_function_is_seen():
    scale = 1.0

    def rebind():
        nonlocal scale
        scale = 2.0

    def inner(x):
        return x * scale

    assert seen(lambda x: inner(x), rebind)


def test_a_captured_array_changed_in_place_is_seen():
    data = np.zeros((2, 2))
    assert seen(lambda x: x * data, lambda: data.__setitem__((1, 1), 1.0))


def test_a_default_that_changed_is_seen():
    def fun(x, scale=1.0):
        return x * scale

    assert seen(fun, lambda: setattr(fun, "__defaults__", (2.0,)))


def test_a_keyword_default_that_changed_is_seen():
    def fun(x, *, scale=1.0):
        return x * scale

    assert seen(fun, lambda: fun.__kwdefaults__.update(scale=2.0))


def test_an_attribute_of_a_bound_instance_is_seen():
    model = Model(1.0)
    assert seen(model.loss, lambda: setattr(model, "scale", 2.0))


def test_an_attribute_of_a_callable_instance_is_seen():
    model = Model(1.0)
    assert seen(model, lambda: setattr(model, "scale", 2.0))


def test_an_array_bound_by_partial_is_seen():
    data = np.zeros(2)
    assert seen(functools.partial(lambda data, x: x * data, data), lambda: data.__setitem__(0, 1.0))
    assert seen(functools.partial(lambda x, data: x * data, data=data), lambda: data.__setitem__(0, 2.0))


@pytest.mark.parametrize(
    "held",
    [jnp.ones(2), np.ones(2), np.array([1.0, np.nan]), np.array(["a"], dtype=object), 1.5, "text", (1, 2), {"a": 1}, jnp],
    ids=lambda v: type(v).__name__,
)
def test_what_did_not_change_is_unchanged(held):
    fun = lambda x: (x, held)
    assert unchanged(snapshot(fun), fun)


def test_recursion_ends():
    def fun(x):
        return fun(x) if x is None else other(x)

    def other(x):
        return fun(x)

    assert unchanged(snapshot(fun), fun)


def test_a_cell_that_is_not_filled_yet_is_no_obstacle():
    fun = lambda x: x * later
    assert unchanged(snapshot(fun), fun)
    before = snapshot(fun)
    later = 1.0
    assert not unchanged(before, fun)


def test_memo_gives_back_what_was_stored_for_function_and_key():
    memo, fun, other = Memo(), lambda x: x, lambda x: x
    memo.put(fun, "key", "value")
    assert memo.get(fun, "key") == "value"
    assert memo.get(fun, "another key") is None
    assert memo.get(other, "key") is None


def test_memo_has_nothing_for_a_changed_function_until_it_is_stored_again():
    data = np.zeros(2)
    memo, fun = Memo(), lambda x: x * data
    memo.put(fun, "key", "old")
    data[0] = 1.0
    assert memo.get(fun, "key") is None
    memo.put(fun, "key", "new")
    assert memo.get(fun, "key") == "new"


def test_memo_knows_a_bound_method_again():
    memo, one, other = Memo(), Model(1.0), Model(1.0)
    memo.put(one.loss, "key", "value")
    assert memo.get(one.loss, "key") == "value"
    assert memo.get(one.__call__, "key") is None
    assert memo.get(other.loss, "key") is None


def test_memo_takes_functions_without_weak_references_as_unknown():
    memo = Memo()

    class Slotted:
        __slots__ = ()

        def __call__(self, x):
            return x

    fun = Slotted()
    memo.put(fun, "key", "value")
    assert memo.get(fun, "key") is None


def plain():
    data = np.ones(3)
    return lambda x: x * data


def recursive():
    def fun(x):
        return fun(x)

    return fun


def mutually_recursive():
    def fun(x):
        return other(x)

    def other(x):
        return fun(x)

    return fun


def bound():
    return Model(2.0).loss


def bound_to_an_instance_that_holds_itself():
    model = Model(2.0)
    model.me = model
    return model.loss


def bound_to_a_child_of_its_parent():
    parent, child = Model(1.0), Model(2.0)
    child.parent, parent.child = parent, child
    return child.loss


def partial():
    return functools.partial(lambda data, x: x * data, np.ones(3))


MAKERS = (
    plain,
    recursive,
    mutually_recursive,
    bound,
    bound_to_an_instance_that_holds_itself,
    bound_to_a_child_of_its_parent,
    partial,
)


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__)
def test_a_dead_function_is_forgotten(make):
    memo = Memo()

    def use():
        fun = make()
        memo.put(fun, "key", "value")
        assert memo.get(fun, "key") == "value"
        return weakref.ref(getattr(fun, "__self__", fun))

    reference = use()
    gc.collect()
    assert reference() is None
    assert not memo._of


def test_many_short_lived_functions_leave_nothing():
    memo = Memo()
    for i in range(200):
        memo.put(lambda x, i=i: x * i, "key", i)
    gc.collect()
    assert not memo._of
