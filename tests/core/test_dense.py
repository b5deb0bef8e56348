"""Small dense algebra agrees with NumPy, in every lane the same, on both sides of the size where it changes its way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite.core.dense import SHORT, dot, ldl, ldl_solve, matvec, norm, unit_upper_solve
from tests.core.tolerance import DTYPES, assert_close, jaxprs

SIZES = (1, 3, SHORT, SHORT + 1, 200)
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def vectors(n, dtype):
    rng = np.random.default_rng(n)
    a, b, A = rng.standard_normal(n), rng.standard_normal(n), rng.standard_normal((n, n))
    return tuple(v.astype(dtype) for v in (a, b, A))


@dtypes
@pytest.mark.parametrize("n", SIZES)
def test_products_agree_with_numpy(n, dtype):
    a, b, A = vectors(n, dtype)
    scale = max(1.0, float(np.linalg.norm(a) * np.linalg.norm(b)))
    assert_close(dot(a, b) / dtype(scale), np.dot(a.astype(float), b.astype(float)) / scale, dtype, "rounding")
    assert dot(a, b).dtype == matvec(A, b).dtype == dtype
    assert_close(matvec(A, b), A.astype(float) @ b.astype(float), dtype, "rounding")


@pytest.mark.parametrize("n", SIZES)
def test_products_in_float32_run_at_highest_precision(n):
    """On an Ampere or later GPU a float32 product of any other precision is rounded to 10 bits."""
    a, b, A = vectors(n, np.float32)
    found = [e for f in (lambda: dot(a, b), lambda: matvec(A, b)) for j in jaxprs(jax.make_jaxpr(f)()) for e in j.eqns]
    products = [e for e in found if e.primitive.name == "dot_general"]
    assert products
    for e in products:
        assert set(np.ravel(e.params["precision"])) == {jax.lax.Precision.HIGHEST}


@dtypes
@pytest.mark.parametrize("order", [np.inf, -np.inf, 1, 2, 3, 1.5])
@pytest.mark.parametrize("n", [1, 4])
def test_norms_agree_with_numpy(order, n, dtype):
    a = vectors(n, dtype)[0]
    assert norm(jnp.asarray(a), order).dtype == dtype
    assert_close(norm(jnp.asarray(a), order), np.linalg.norm(a.astype(float), order), dtype, "rounding")


def test_the_norm_of_nothing_is_zero():
    assert norm(jnp.zeros(0)) == 0.0


@pytest.mark.parametrize("order", [np.inf, 1, 2])
def test_a_norm_of_numbers_that_are_not_finite_is_not_finite(order):
    for hole in (np.nan, np.inf):
        assert not np.isfinite(norm(jnp.array([1.0, hole]), order))


def test_the_largest_entry_does_not_overflow():
    """The default norm of a gradient of 1e25 in float32 is a number, though its square is not."""
    assert norm(jnp.full(2, np.float32(1e25))) == np.float32(1e25)


@pytest.mark.parametrize("n", [3, SHORT])
def test_short_products_round_alike_in_a_batch_of_any_width(n):
    a, b, _ = vectors(n, np.float32)
    alone = jax.jit(dot)(a, b)
    for width in (1, 2, 7):
        together = jax.jit(jax.vmap(dot))(jnp.tile(a, (width, 1)), jnp.tile(b, (width, 1)))
        np.testing.assert_array_equal(together, jnp.broadcast_to(alone, (width,)))


@pytest.mark.parametrize("n", [1, 4, 8, 13])
def test_ldl_of_positive_definite_matrices_solves_and_does_not_mind_units(n):
    """Written out up to UNROLLED columns, by a loop beyond; scaled by 1e12 as good as before."""
    rng = np.random.default_rng(n)
    root = rng.standard_normal((n, n))
    A, b = root @ root.T + np.eye(n), rng.standard_normal(n)
    units = 10.0 ** np.linspace(-6, 6, n)
    for D in (np.ones(n), units):
        factor = ldl(jnp.asarray(D[:, None] * A * D))
        assert bool(factor.positive)
        np.testing.assert_array_equal(factor.first, 0.0)
        L, d = np.asarray(factor.L), np.asarray(factor.d)
        np.testing.assert_allclose(L * d @ L.T, D[:, None] * A * D, rtol=1e-12, atol=0)
        np.testing.assert_allclose(D * ldl_solve(factor, jnp.asarray(D * b)), np.linalg.solve(A, b), rtol=1e-9)


@pytest.mark.parametrize("n", [4, 13])
def test_ldl_finds_a_direction_of_negative_curvature(n):
    rng = np.random.default_rng(n)
    for k in range(n):
        root = rng.standard_normal((n, n))
        A = root @ root.T + np.eye(n)
        A[k, k] -= 2 * A[k, k]
        factor = ldl(jnp.asarray(A))
        assert not bool(factor.positive)
        np.testing.assert_array_equal(factor.first, np.eye(n)[k])
        v = np.asarray(unit_upper_solve(factor.L, factor.first))
        assert v @ A @ v < 0
