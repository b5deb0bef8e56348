"""The code space of statuses: SciPy's numbers, a sentence for each, two of them successes."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core import status

CODES = {name: value for name, value in vars(status).items() if name.isupper() and isinstance(value, int)}
CLAIM = CODES.pop("CLAIM")  # added to a code, and never shown
BELIEVED = CODES.pop("BELIEVED")


def test_the_codes_are_what_was_promised():
    assert CODES == {
        "RUNNING": -1,
        "CONVERGED": 0,
        "BUDGET": 1,
        "INFEASIBLE": 2,
        "UNBOUNDED": 3,
        "NUMERICAL": 4,
        "NOT_FINITE": 5,
        "STOPPED": 6,
        "BAD_INPUT": 7,
        "PRECISION": 8,
    }


def test_every_code_has_its_own_sentence():
    assert set(status.MESSAGES) == set(CODES.values())
    assert len(set(status.MESSAGES.values())) == len(CODES)
    assert all(text.endswith(".") for text in status.MESSAGES.values())


@pytest.mark.parametrize("name", CODES)
def test_success_is_convergence_or_working_precision(name):
    assert bool(status.is_success(jnp.asarray(CODES[name]))) == (name in ("CONVERGED", "PRECISION"))


def test_success_of_a_batch():
    np.testing.assert_array_equal(status.is_success(jnp.array([[0, 1], [8, -1]])), [[True, False], [True, False]])


def test_a_claim_becomes_what_was_claimed_only_if_it_is_proved():
    claims = jnp.array([CLAIM + status.CONVERGED, CLAIM + status.PRECISION, CLAIM + status.NUMERICAL, status.BUDGET])
    np.testing.assert_array_equal(status.is_claim(claims), [True, True, True, False])
    assert not np.any(status.is_success(claims))
    np.testing.assert_array_equal(status.decided(claims), [4, 4, 4, 1])
    np.testing.assert_array_equal(status.decided(claims, jnp.array([True, True, True, True])), [0, 8, 4, 1])


def test_what_is_believed_holds_unless_a_certificate_objects():
    believed = jnp.array([BELIEVED + status.CONVERGED, status.BUDGET])
    np.testing.assert_array_equal(status.is_claim(believed), [True, False])
    np.testing.assert_array_equal(status.decided(believed), [status.CONVERGED, status.BUDGET])
