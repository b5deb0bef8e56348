"""Options of a call: known names, checked numbers, what is traced stays traced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core.options import COUNT, FRACTION, MATRIX, POSITIVE_OR_ZERO, STATIC, Option, read

KNOWN = {
    "gtol": Option(None, POSITIVE_OR_ZERO, "..."),
    "c2": Option(0.9, FRACTION, "..."),
    "norm": Option(float("inf"), STATIC, "..."),
    "H": Option(None, MATRIX, "..."),
}


def given(**options):
    return read(options, KNOWN, "toy", 2)


def test_defaults():
    values = read(None, KNOWN, "toy", 2)
    assert values["c2"] == 0.9
    assert values["norm"] == np.inf
    assert values["gtol"] is values["H"] is values["maxiter"] is values["maxfev"] is values["lanes"] is None
    assert values["disp"] is False


def test_none_means_the_default():
    assert given(c2=None)["c2"] == 0.9


def test_an_unknown_name_is_answered_with_the_known_ones_and_a_guess():
    with pytest.raises(ValueError, match=r"unknown option 'gtoll' for method 'toy'\. Did you mean 'gtol'\?.*maxiter.*c2"):
        given(gtoll=1.0)
    with pytest.raises(ValueError, match="unknown option 3"):
        read({3: 1.0}, KNOWN, "toy", 2)


def test_what_was_given_is_left_alone():
    options = {"gtol": 1.0}
    read(options, KNOWN, "toy", 2)
    assert options == {"gtol": 1.0}


NUMBERS = [1, 1.0, np.float32(1), np.float64(1), np.int32(1), np.asarray(1.0), jnp.asarray(1.0), jnp.asarray(1, np.float32)]


@pytest.mark.parametrize("value", NUMBERS, ids=lambda v: f"{type(v).__name__}")
def test_concrete_numbers_become_python_numbers(value):
    assert type(given(gtol=value)["gtol"]) is float
    assert type(given(maxiter=value)["maxiter"]) is int


def test_zero_and_infinity_are_tolerances():
    assert given(gtol=0)["gtol"] == 0.0
    assert given(gtol=np.inf)["gtol"] == np.inf


def test_counts_are_cut_to_what_an_integer_holds():
    assert given(maxiter=np.inf)["maxiter"] == given(maxiter=10**12)["maxiter"] == np.iinfo(np.int32).max
    assert given(maxiter=0)["maxiter"] == 0
    assert given(maxfev=3.0)["maxfev"] == 3


REFUSED = [
    ("gtol", -1e-9),
    ("gtol", np.nan),
    ("gtol", "1e-5"),
    ("gtol", True),
    ("gtol", [1e-5]),
    ("gtol", np.ones(2)),
    ("gtol", 1j),
    pytest.param("gtol", object(), id="an object"),
    ("c2", 1.1),
    ("c2", -0.1),
    ("maxiter", -1),
    ("maxiter", np.nan),
    ("maxiter", "many"),
    ("lanes", -1),
    ("lanes", 2.5),
    ("lanes", True),
    ("turns_per_refill", 0),
    ("turns_per_refill", "8"),
    ("H", np.ones(2)),
    ("H", np.eye(3)),
    ("H", -np.eye(2)),
    ("H", np.zeros((2, 2))),
    ("H", np.array([[1.0, 0.5], [0.0, 1.0]])),
    ("H", np.full((2, 2), np.nan)),
]


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=lambda v: str(v).replace("\n", " ")[:30])
def test_wrong_values_are_refused_by_name(name, value):
    with pytest.raises((ValueError, TypeError), match=f"option '{name}'"):
        given(**{name: value})


def test_tracers_pass_unchecked():
    def inside(tol, H):
        values = given(gtol=tol, H=H, maxiter=tol)
        assert all(isinstance(values[name], jax.core.Tracer) for name in ("gtol", "H", "maxiter"))
        return values["gtol"]

    assert jax.jit(inside)(-1.0, jnp.zeros((2, 2))) == -1.0


@pytest.mark.parametrize("name", ["norm", "lanes", "disp"])
def test_a_static_option_cannot_be_traced(name):
    with pytest.raises(TypeError, match=f"option '{name}' is static"):
        jax.jit(lambda v: given(**{name: v}))(1)


def test_a_traced_array_where_a_number_is_wanted_is_refused():
    with pytest.raises(ValueError, match="gtol"):
        jax.jit(lambda v: given(gtol=v))(jnp.ones(2))


def test_a_matrix_keeps_its_kind():
    assert isinstance(given(H=np.eye(2))["H"], np.ndarray)
    assert isinstance(given(H=jnp.eye(2))["H"], jax.Array)
    np.testing.assert_array_equal(given(H=[[2.0, 0.0], [0.0, 1.0]])["H"], np.diag([2.0, 1.0]))


def test_a_number_is_named_in_its_sentence():
    with pytest.raises(ValueError, match="option 'tol' is -1; give a number >= 0"):
        POSITIVE_OR_ZERO(-1, "tol")
    assert COUNT(3, "n") == 3
