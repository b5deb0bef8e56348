"""The orthogonal factorization of a Jacobian against singular values: ranks, covariances, projections, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite._families.lsq.orthogonal import UNROLLED, covariance, factor
from tests.tolerances import eps

M = 30
SIZES = (3, 20)  # unrolled, and looped
both = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
sizes = pytest.mark.parametrize("n", SIZES)


def conditioned(n, condition, seed=5):
    """(M, n) with singular values from 1 to 1 / condition."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((rows, n)))[0] for rows in (M, n))
    return U * np.geomspace(1.0, 1.0 / condition, n)[None, :] @ V.T


def regular(n):
    """Name -> J: well and ill conditioned, and with columns of all sizes."""
    scales = np.geomspace(1e-6, 1e6, n)[None, :]
    return {
        "well": conditioned(n, 10.0),
        "ill": conditioned(n, 1e3),
        "badly scaled": conditioned(n, 10.0) * scales,
        "ill and badly scaled": conditioned(n, 1e3) * scales,
    }


def deficient(n):
    """Name -> (J, rank, parameters that are undetermined)."""
    J = conditioned(n, 10.0)
    zero, dependent, nothing = J.copy(), J.copy(), np.zeros_like(J)
    zero[:, 1] = 0.0
    dependent[:, n - 1] = 3.0 * dependent[:, 0]  # exact in both dtypes up to one rounding
    return {
        "a column of zeros": (zero, n - 1, [1]),
        "two columns alike": (dependent, n - 1, [0, n - 1]),
        "nothing": (nothing, 0, list(range(n))),
    }


@jax.jit
def facts(J, r):
    f = factor(J, r)
    return *covariance(f), f.projected, f.kept


def residual(dtype):
    return np.cos(np.arange(float(M))).astype(dtype)


def scaled(J):
    """J with columns of unit length, and the lengths."""
    size = np.linalg.norm(J, axis=0)
    size = np.where(size > 0, size, 1.0)
    return J / size, size


@both
@sizes
def test_covariance_rank_and_projection_are_those_of_singular_values(n, dtype):
    assert (n <= UNROLLED) == (n == SIZES[0])
    for name, J in regular(n).items():
        J = J.astype(dtype)
        S, size = scaled(J.astype(float))
        U, s, _ = np.linalg.svd(S, full_matrices=False)
        inverse = np.linalg.pinv(S, rcond=0.0)
        known = inverse @ inverse.T / np.outer(size, size)
        cov, rank, projected, _ = facts(J, residual(dtype))
        assert cov.dtype == dtype
        assert int(rank) == n, name
        deviations = np.sqrt(np.diag(known))
        # a relative error of eps times the condition in R, twice, and the sum of n terms
        near = 16 * n * eps(dtype) * s[0] / s[-1]
        np.testing.assert_allclose(
            np.asarray(cov, float) / np.outer(deviations, deviations), known / np.outer(deviations, deviations), atol=near
        )
        length = np.linalg.norm(U.T @ residual(float))
        assert float(jnp.linalg.norm(projected)) == pytest.approx(length, rel=near), name


@both
@sizes
def test_a_parameter_that_is_not_determined_is_infinite_and_the_others_are_not(n, dtype):
    for name, (J, wanted, undetermined) in deficient(n).items():
        J = J.astype(dtype)
        cov, rank, projected, kept = (np.asarray(value) for value in facts(J, residual(dtype)))
        S, size = scaled(J.astype(float))
        assert (int(rank), int(kept.sum())) == (wanted, wanted), name
        assert np.linalg.matrix_rank(S, tol=1e2 * eps(dtype)) == wanted, name
        infinite = np.zeros((n, n), bool)
        infinite[undetermined] = infinite[:, undetermined] = True
        np.testing.assert_array_equal(np.isinf(cov), infinite, err_msg=name)
        inverse = np.linalg.pinv(S, rcond=1e2 * eps(dtype))
        known = inverse @ inverse.T / np.outer(size, size)
        np.testing.assert_allclose(
            cov[~infinite], known[~infinite], rtol=0, atol=1e3 * n * eps(dtype) * np.max(np.abs(known))
        )
        U, s, _ = np.linalg.svd(S, full_matrices=False)
        length = np.linalg.norm(U[:, s > 1e2 * eps(dtype)].T @ residual(float))
        assert float(np.linalg.norm(projected)) == pytest.approx(length, rel=1e3 * n * eps(dtype)), name


@both
def test_the_condition_is_not_squared(dtype):
    """Singular values of eps^(-0.7): their squares, in J'J, are below rounding."""
    J = conditioned(3, eps(dtype) ** -0.7).astype(dtype)
    cov, rank, _, _ = facts(J, residual(dtype))
    inverse = np.linalg.pinv(J.astype(float), rcond=0.0)
    assert int(rank) == 3
    np.testing.assert_allclose(np.diag(cov), np.diag(inverse @ inverse.T), rtol=64 * eps(dtype) ** 0.3)


@both
@sizes
def test_derivatives_are_finite_where_the_rank_is_not_full(n, dtype):
    def measure(J):
        f = factor(J, jnp.asarray(residual(dtype)))
        cov, _ = covariance(f)
        finite = jnp.isfinite(cov)
        return jnp.sum(jnp.where(finite, cov, 0.0)) + jnp.sum(f.projected) + jnp.sum(f.inverse)

    run = jax.jit(jax.value_and_grad(measure))
    for name, (J, _, _) in deficient(n).items():
        value, slope = run(J.astype(dtype))
        assert np.isfinite(value), name
        assert np.all(np.isfinite(slope)), name
    _, slope = run(conditioned(n, 10.0).astype(dtype))
    assert np.any(np.asarray(slope) != 0)


@sizes
def test_the_derivative_of_the_covariance_is_true(n):
    """d (J'J)^{-1} = -C (dJ'J + J'dJ) C."""
    J, d = conditioned(n, 10.0), conditioned(n, 10.0, seed=9)
    C, moved = jax.jit(lambda J, d: jax.jvp(lambda J: covariance(factor(J, jnp.zeros(M)))[0], (J,), (d,)))(J, d)
    known = -np.asarray(C) @ (d.T @ J + J.T @ d) @ np.asarray(C)
    np.testing.assert_allclose(moved, known, atol=1e4 * n * eps(float) * np.max(np.abs(known)))
