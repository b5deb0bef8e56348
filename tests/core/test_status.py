"""The code space of statuses: SciPy's numbers, a sentence for each, two of them successes."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core import status

CODES = {name: value for name, value in vars(status).items() if name.isupper() and isinstance(value, int)}


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
