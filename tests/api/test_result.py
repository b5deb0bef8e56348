"""OptimizeResult: a frozen record, a pytree, a mapping to read from, a print like SciPy's."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import OptimizeResult
from jaxopt_lite.api.result import make_result
from jaxopt_lite.core.status import MESSAGES


def result(batch=(), **extra):
    status = jnp.zeros(batch, jnp.int32)
    full = lambda shape, value: jnp.full((*batch, *shape), value)
    return make_result({"x": full((2,), 1.5), "fun": full((), 0.25), "success": status == 0, "status": status} | extra)


def test_fields_read_as_attributes_and_as_items():
    res = result(nit=jnp.asarray(3), tr_radius=jnp.asarray(0.5))
    for name in ("x", "fun", "success", "status", "nit", "tr_radius"):
        assert res[name] is getattr(res, name)
        assert name in res
        assert res.get(name) is res[name]
    assert res["message"] == res.message == MESSAGES[0]


def test_a_field_that_the_method_lacks_is_none_and_no_key():
    res = result()
    for name in ("jac", "hess", "hess_inv", "nfev", "njev", "nhev", "nit", "maxcv"):
        assert getattr(res, name) is None
        assert name not in res
        assert res.get(name, "default") == "default"
        with pytest.raises(KeyError, match=name):
            res[name]


def test_an_unknown_attribute_says_what_there_is():
    with pytest.raises(AttributeError, match=r"no field 'tr_radius'; it has x, fun, success, status, message"):
        _ = result().tr_radius
    with pytest.raises(KeyError):
        result()["tr_radius"]


def test_keys_are_what_iterating_gives():
    res = result(nit=jnp.asarray(3), v=jnp.ones(1))
    assert list(res) == res.keys() == ["x", "fun", "success", "status", "nit", "message", "v"]
    assert dict(zip(res, (res[k] for k in res), strict=True)).keys() == set(res.keys())


def test_a_result_cannot_be_changed():
    res = result()
    with pytest.raises(dataclasses.FrozenInstanceError):
        res.x = jnp.zeros(2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        del res.x
    with pytest.raises(TypeError):
        res["x"] = jnp.zeros(2)


def test_a_result_is_no_tuple():
    assert not isinstance(result(), tuple)


def test_a_pytree_comes_back_with_all_its_fields():
    res = result(jac=jnp.ones(2), own={"a": jnp.ones(1)})
    leaves, structure = jax.tree.flatten(res)
    again = jax.tree.unflatten(structure, leaves)
    assert again.keys() == res.keys()
    for name in set(res) - {"message"}:
        jax.tree.map(np.testing.assert_array_equal, again[name], res[name])
    assert again.hess is None
    assert jax.tree.map(lambda leaf: leaf[None], res).x.shape == (1, 2)


def test_paths_name_the_fields():
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(result(own=jnp.ones(1)))[0]]
    assert {".x", ".fun", ".success", ".status"} < set(paths)
    assert any("own" in path for path in paths)


def test_structures_tell_methods_apart():
    assert jax.tree.structure(result()) == jax.tree.structure(result())
    assert jax.tree.structure(result()) != jax.tree.structure(result(jac=jnp.ones(2)))


def test_results_pass_through_jit_vmap_and_grad():
    make = lambda t: result(jac=jnp.ones(2) * t)
    assert isinstance(jax.jit(make)(2.0), OptimizeResult)
    batch = jax.vmap(make)(jnp.arange(3.0))
    assert batch.jac.shape == (3, 2)
    assert batch.hess is None
    assert jax.grad(lambda t: jnp.sum(make(t).jac))(1.0) == 2.0


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_results_can_be_copied_and_stored(copier):
    again = copier(result(own=jnp.ones(1)))
    assert again.keys() == result(own=jnp.ones(1)).keys()
    np.testing.assert_array_equal(again.own, [1.0])


def test_the_message_of_one_problem_is_a_sentence():
    for status, text in MESSAGES.items():
        assert make_result({"x": 0, "fun": 0, "success": 0, "status": jnp.asarray(status)}).message == text


def test_the_message_of_a_batch_is_a_list_in_its_shape():
    batch = lambda status: make_result({"x": 0, "fun": 0, "success": 0, "status": jnp.asarray(status)}).message
    assert batch([0, 5]) == [MESSAGES[0], MESSAGES[5]]
    assert batch([[0, 1], [3, 8]]) == [[MESSAGES[0], MESSAGES[1]], [MESSAGES[3], MESSAGES[8]]]
    assert batch([]) == []


def test_the_message_of_a_traced_result_is_refused():
    with pytest.raises(TypeError, match="outside of jit"):
        jax.jit(lambda s: make_result({"x": s, "fun": s, "success": s, "status": s}).message)(0)


def test_the_print_of_one_problem():
    text = repr(result(nit=jnp.asarray(3), jac=jnp.ones(2), own=jnp.ones(1))).splitlines()
    assert text[0].endswith(MESSAGES[0]) or MESSAGES[0] in text[0]
    heads = [line.split(":")[0] for line in text]
    assert [h.strip() for h in heads] == ["message", "success", "status", "fun", "x", "nit", "jac", "own"]
    assert len({len(h) for h in heads}) == 1
    assert "fun: 0.25" in text[3]


def test_the_print_of_a_matrix_is_aligned():
    text = repr(result(hess_inv=jnp.eye(3))).splitlines()
    first = next(i for i, line in enumerate(text) if "hess_inv" in line)
    rows = text[first : first + 3]
    assert rows[0].index("[[") + 1 == rows[1].index("[") == rows[2].index("[")


def test_the_print_of_a_batch_counts_its_endings():
    status = jnp.asarray([0, 5, 0, 0], jnp.int32)
    text = repr(make_result({"x": jnp.ones((4, 2)), "fun": jnp.ones(4), "success": status == 0, "status": status}))
    assert f"3 x {MESSAGES[0]}; 1 x {MESSAGES[5]}" in text.splitlines()[0]


def test_the_print_of_a_large_batch_is_short():
    assert len(repr(result((1000,)))) < 2000


def test_a_traced_result_can_be_printed():
    seen = []
    jax.jit(lambda s: (seen.append(repr(make_result({"x": s, "fun": s, "success": s, "status": s}))), s)[1])(0)
    assert "x:" in seen[0]


def test_a_pytree_x_is_printed():
    res = make_result({"x": {"a": jnp.ones(2)}, "fun": jnp.asarray(1.0), "success": True, "status": jnp.asarray(0)})
    assert "'a'" in repr(res)
