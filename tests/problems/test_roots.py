"""The problems of the root finders are what they say."""

import jax
import numpy as np
import pytest

from tests.problems import FAMILIES, ROOTS


@pytest.mark.parametrize("problem", ROOTS, ids=lambda p: p.name)
def test_the_root_is_one(problem):
    """The sign changes within rounding of it, and in the bracket; or f is zero there."""
    low, high = (float(problem.fun(np.float64(x))) for x in problem.bracket)
    assert low * high <= 0
    near = 16 * np.finfo(float).eps * max(1.0, abs(problem.root))
    below, at, above = (float(problem.fun(np.float64(problem.root + side * near))) for side in (-1, 0, 1))
    assert at == 0 or below * above < 0 or "multiple" in problem.tags
    assert min(problem.bracket) <= problem.root <= max(problem.bracket)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.name)
def test_every_bracket_of_a_family_has_a_change_of_sign(family):
    n, a, low, high = np.array(family.table).T
    fun = jax.jit(jax.vmap(family.fun))
    np.testing.assert_array_equal(np.sign(fun(low, n, a)) * np.sign(fun(high, n, a)), -1.0)
