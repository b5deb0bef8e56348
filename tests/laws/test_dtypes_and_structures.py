"""Law 7: dtype in is dtype out, structure in is structure out, and `args` may hold anything."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import minimize, minimize_scalar
from tests import tolerances
from tests.laws.case import host
from tests.laws.cases import batch, each_door

MOVED = 0.5  # where the minimum of `bowl` lies


def bowl(x):
    """The sum over all leaves of (x - 1/2)**2 (1 + (x - 1/2)**2), in the widest of their dtypes."""
    leaves = [jnp.square(leaf - MOVED) for leaf in jax.tree.leaves(x)]
    widest = max((leaf.dtype for leaf in leaves), key=lambda d: d.itemsize)
    return sum(jnp.sum((square * (1.0 + square)).astype(widest)) for square in leaves)


@each_door
def test_integer_start_is_promoted_to_the_default_float(case):
    start = np.round(batch(case, np.float64, 1)[0][0]).astype(np.int32)
    res = host(case.solve(case.pose(bowl), start))
    assert res.x.dtype == np.float64
    np.testing.assert_allclose(res.x, MOVED, atol=tolerances.solution(np.float64, 1e-5))


@each_door
def test_args_of_any_kind(case):
    """Numbers and arrays are traced; strings, None, bools and callables are part of the code."""
    start, theta = (a[0] for a in batch(case, np.float64, 1))

    def fun(x, how, flag, nothing, number, nested, function):
        assert (how, flag, nothing) == ("squared", True, None)
        assert isinstance(number, jax.Array)
        return function(x, nested["theta"][0]) * number + case.lift * nested["offset"].astype(x.dtype)

    nested = {"theta": [theta], "offset": np.int32(2), "name": "unused"}
    res = case.solve(fun, start, ("squared", True, None, 2.0, nested, case.model))
    np.testing.assert_allclose(res.x, case.solution(theta), atol=1e-4)
    np.testing.assert_allclose(res.fun, 2.0 * case.lift, atol=1e-7)


@each_door
def test_static_args_choose_the_code(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))

    def fun(x, sign, flip):
        return case.model(x, theta * 0.5 if flip else theta) + case.lift * (1.0 if sign == "plus" else -1.0)

    found = [case.solve(fun, start, (sign, flip)) for sign in ("plus", "minus") for flip in (False, True)]
    np.testing.assert_allclose([res.fun for res in found], case.lift * np.array([1.0, 1.0, -1.0, -1.0]), atol=1e-7)
    for res, scale in zip(found, (1.0, 0.5, 1.0, 0.5), strict=True):
        np.testing.assert_allclose(res.x, case.solution(scale * theta), atol=1e-4)


@each_door
def test_a_single_argument_needs_no_tuple(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    np.testing.assert_array_equal(case.solve(case.model, start, theta).x, case.solve(case.model, start, (theta,)).x)


@each_door
def test_empty_captured_arrays_and_unused_args(case):
    start, theta = (a[0] for a in batch(case, np.float64, 1))
    empty = np.zeros((0, 3))
    fun = lambda x, unused: case.model(x, jnp.asarray(theta)) + jnp.sum(jnp.asarray(empty))
    np.testing.assert_allclose(case.solve(fun, start, (np.arange(3),)).x, case.solution(theta), atol=1e-4)


class Pose(NamedTuple):
    """A structure of a user's own."""

    shift: jax.Array
    angle: jax.Array


STRUCTURES = {
    "array": np.zeros(3),
    "matrix": np.zeros((2, 3)),
    "scalar": np.zeros(()),
    "one": np.zeros(1),
    "jax_array": jnp.asarray,
    "python_number": 2.0,
    "python_integer": 2,
    "numpy_number": np.float32(2.0),
    "list": [0.0, 1.0, 2.0],
    "integer_list": [0, 1, 2],
    "nested_list": [[0.0, 1.0], [2.0, 3.0]],
    "tuple": (0.0, 1.0),
    "list_of_arrays": [np.zeros(2), np.ones(3)],
    "tuple_of_arrays": (np.zeros(()), np.ones((2, 2))),
    "dict": {"b": np.zeros(2), "a": np.ones(())},
    "namedtuple": Pose(np.zeros(2), np.ones(1)),
    "nested": {"pose": Pose(np.zeros(2), np.ones(())), "rest": [np.zeros((1, 2))]},
    "mixed_dtypes": {"wide": np.zeros(2), "narrow": np.zeros(2, np.float32)},
    "integers_and_floats": {"i": np.zeros(2, np.int64), "f": np.zeros(2, np.float32)},
    "with_none": {"a": np.zeros(2), "b": None},
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_minimize_keeps_the_structure_of_x0(name):
    x0 = STRUCTURES[name]
    x0 = np.zeros(3) if callable(x0) else x0
    given = jnp.asarray(x0) if name == "jax_array" else x0
    plain = name in ("list", "integer_list", "nested_list", "tuple")  # numbers alone: an array, as SciPy has it
    like = jax.tree.map(np.asarray, np.asarray(x0) if plain else x0)
    promoted = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype if a.dtype.kind == "f" else np.float64), like)
    res = host(minimize(bowl, given))
    assert res.success
    for found in (res.x, res.jac):
        assert jax.tree.structure(found) == jax.tree.structure(promoted)
        assert jax.tree.all(jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), found, promoted))
    for leaf in jax.tree.leaves(res.x):
        np.testing.assert_allclose(leaf, MOVED, atol=tolerances.solution(leaf.dtype, tolerances.gradient_asked(leaf.dtype)))
    n = sum(leaf.size for leaf in jax.tree.leaves(promoted))
    assert res.hess_inv.shape == (n, n)


def test_minimize_batches_a_pytree():
    starts = {"b": np.zeros((4, 2)), "a": np.arange(4.0)}
    res = host(jax.vmap(lambda x0: minimize(bowl, x0))(starts))
    assert jax.tree.map(np.shape, res.x) == {"b": (4, 2), "a": (4,)}
    assert res.success.all()


BOUNDS = {
    "python": ((0.0, 2.0), np.float64),
    "integers": ((0, 2), np.float64),
    "list": ([0.0, 2.0], np.float64),
    "array": (np.array([0.0, 2.0], np.float32), np.float32),
    "numpy": ((np.float32(0.0), np.float32(2.0)), np.float32),
    "python_and_float32": ((0, np.float32(2.0)), np.float32),
    "python_and_float64": ((np.float64(0.0), 2), np.float64),
    "jax": ((np.zeros((), np.float32), 2.0), np.float32),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_minimize_scalar_takes_its_dtype_from_the_bounds(name):
    bounds, dtype = BOUNDS[name]
    res = host(minimize_scalar(bowl, bounds=bounds))
    assert (res.x.dtype, res.fun.dtype, res.x.shape) == (dtype, dtype, ())
    assert res.success
    np.testing.assert_allclose(res.x, MOVED, atol=tolerances.solution(dtype, 1e-5))


def test_python_floats_in_the_function_do_not_widen_float32():
    res = minimize(lambda x: 0.5 * jnp.sum((x - 0.25) ** 2) + 1.0, np.zeros(2, np.float32))
    assert res.x.dtype == jnp.float32


def test_start_is_not_changed():
    x0 = np.array([1.0, 2.0])
    minimize(bowl, x0)
    np.testing.assert_array_equal(x0, [1.0, 2.0])
