"""x of any structure becomes a vector and comes back as it was; what cannot be a point is refused in a sentence."""

from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_lite.core.layout import parse

Pair = namedtuple("Pair", "a b")


def round_trip(x0):
    leaves, layout = parse(x0)
    return layout.unravel(layout.ravel(leaves)), layout


ARRAYS = {
    "number": (1.5, (), np.float64),
    "integer": (3, (), np.float64),
    "NumPy scalar": (np.float32(1.5), (), np.float32),
    "list": ([1.0, 2.0], (2,), np.float64),
    "list of integers": ([1, 2], (2,), np.float64),
    "tuple": ((1.0, 2), (2,), np.float64),
    "nested list": ([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], (3, 2), np.float64),
    "list of NumPy numbers": ([np.float64(1), np.float64(2)], (2,), np.float64),
    "integer array": (np.arange(3), (3,), np.float64),
    "unsigned array": (np.arange(3, dtype=np.uint8), (3,), np.float64),
    "float32 array": (np.ones(3, np.float32), (3,), np.float32),
    "jax array": (jnp.ones((2, 2)), (2, 2), np.float64),
}


@pytest.mark.parametrize("case", ARRAYS, ids=str)
def test_arrays_and_lists_of_numbers_are_arrays(case):
    x0, shape, dtype = ARRAYS[case]
    x, layout = round_trip(x0)
    assert layout.is_array
    assert (x.shape, x.dtype) == (shape, dtype)
    assert layout.size == int(np.prod(shape))
    np.testing.assert_array_equal(x, np.asarray(x0))


TREES = {
    "dict": {"b": np.ones(2), "a": 3.0},
    "namedtuple": Pair(1.0, np.zeros((2, 2))),
    "list of arrays": [np.ones(2), np.zeros(3)],
    "nested": {"layers": [(np.ones((2, 2)), np.ones(2)), (np.ones((1, 2)), np.ones(1))], "none": None},
    "scalars": {"a": 1, "b": np.float64(2)},
}


@pytest.mark.parametrize("case", TREES, ids=str)
def test_pytrees_come_back_as_they_were(case):
    x, layout = round_trip(TREES[case])
    assert not layout.is_array
    assert jax.tree.structure(x) == jax.tree.structure(TREES[case])
    jax.tree.map(np.testing.assert_array_equal, x, TREES[case])


def test_each_leaf_keeps_its_dtype_and_the_vector_has_the_widest():
    x0 = {"narrow": np.ones(2, np.float32), "wide": np.ones(1), "whole": np.arange(2)}
    x, layout = round_trip(x0)
    assert layout.dtype == np.float64
    assert {name: leaf.dtype for name, leaf in x.items()} == {"narrow": np.float32, "wide": np.float64, "whole": np.float64}
    assert parse({"a": np.ones(2, np.float32)})[1].dtype == np.float32


def test_layouts_of_equal_structure_are_equal_and_hash_alike():
    one, other = parse({"a": np.ones(2)})[1], parse({"a": jnp.zeros(2)})[1]
    assert one == other
    assert hash(one) == hash(other)
    assert one != parse({"a": np.ones(3)})[1]
    assert one != parse({"b": np.ones(2)})[1]
    assert one != parse({"a": np.ones(2, np.float32)})[1]


def test_a_complex_vector_unravels_to_complex_leaves():
    _, layout = parse({"a": np.ones(2), "b": np.ones(1, np.float32)})
    x = layout.unravel(jnp.ones(3, complex))
    assert {leaf.dtype for leaf in x.values()} == {np.dtype(np.complex128)}


def test_tracers_are_points():
    assert jax.jit(lambda x: jnp.sum(round_trip({"a": x})[0]["a"]))(jnp.ones(3)) == 3.0
    assert jax.vmap(lambda x: round_trip(x)[0])(jnp.ones((4, 3))).shape == (4, 3)


leaves = st.builds(
    lambda shape, dtype, seed: np.random.default_rng(seed).standard_normal(shape).astype(dtype),
    st.lists(st.integers(0, 3), max_size=3).map(tuple),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 9),
)
trees = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner) | st.lists(inner).map(tuple), max_leaves=5
)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(trees)
def test_any_pytree_of_floats_comes_back_bit_by_bit(tree):
    if sum(leaf.size for leaf in jax.tree.leaves(tree)) == 0:
        with pytest.raises(ValueError, match=r"x0 (holds no numbers|is empty)"):
            parse(tree)
        return
    x, layout = round_trip(tree)
    assert jax.tree.structure(x) == jax.tree.structure(tree)
    for back, leaf in zip(jax.tree.leaves(x), jax.tree.leaves(tree), strict=True):
        assert back.dtype == leaf.dtype
        np.testing.assert_array_equal(back, leaf)
    assert layout.size == sum(leaf.size for leaf in jax.tree.leaves(tree))


REFUSED = {
    "string": ("abc", TypeError, "x0 holds a str"),
    "bool": (True, TypeError, "x0 holds a bool"),
    "bool array": (np.array([True]), TypeError, "dtype bool"),
    "complex": (1j, TypeError, "complex"),
    "complex array": (np.ones(2) + 1j, TypeError, "complex"),
    "half": (np.ones(2, np.float16), TypeError, "float16"),
    "bfloat16": (jnp.ones(2, jnp.bfloat16), TypeError, "bfloat16"),
    "objects": (np.array([object()]), TypeError, "dtype object"),
    "function": (len, TypeError, "builtin_function"),
    "None": (None, ValueError, "holds no numbers"),
    "empty dict": ({}, ValueError, "holds no numbers"),
    "empty list": ([], ValueError, "holds no numbers"),
    "empty array": (np.ones((0, 2)), ValueError, "empty"),
    "ragged": ([[1.0, 2.0], [3.0]], ValueError, "ragged"),
    "bool in a pytree": ({"a": np.ones(2), "b": False}, TypeError, "bool"),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_is_no_point_is_refused(case):
    x0, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        parse(x0)


def test_an_answer_is_raveled_when_it_looks_like_x():
    _, layout = parse({"a": np.ones(2), "b": np.ones((1, 2), np.float32)})
    like = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([[3.0, 4.0]], jnp.float32)}
    vector = layout.ravel_like(like, "jac")
    assert vector.dtype == np.float64
    np.testing.assert_array_equal(vector, [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (np.ones(3), ValueError),
        ({"a": np.ones(2)}, ValueError),
        ({"a": np.ones(2), "b": np.ones(2)}, ValueError),
        ({"a": np.ones(3), "b": np.ones((1, 2))}, ValueError),
        ({"a": np.ones(2, int), "b": np.ones((1, 2))}, TypeError),
        ({"a": np.ones(2) * 1j, "b": np.ones((1, 2))}, TypeError),
    ],
    ids=["array", "leaf missing", "another rank", "another size", "integers", "complex"],
)
def test_an_answer_that_does_not_look_like_x_is_refused_by_name(answer, error):
    _, layout = parse({"a": np.ones(2), "b": np.ones((1, 2))})
    with pytest.raises(error, match="jac returned"):
        layout.ravel_like(answer, "jac")
