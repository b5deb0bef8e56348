"""Powers of two have to be exact: only then does scaling round nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite._families.linear.scaling import exact_power, power_of_two, ruiz

dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])


def powers(dtype):
    """Every exponent of a normal number, and its power, from its bits in NumPy."""
    exponent = np.arange(np.finfo(dtype).minexp, np.finfo(dtype).maxexp)
    return exponent, np.ldexp(np.ones(exponent.size, dtype), exponent)


@dtypes
def test_powers_of_two_are_exact(dtype, rng):
    exponent, exact = powers(dtype)
    off = rng.uniform(-0.49, 0.49, exponent.size)
    np.testing.assert_array_equal(jax.jit(exact_power)(jnp.asarray(exponent + off, dtype)), exact)
    inside = slice(1, -1)  # so that 2^off times the power is a normal number
    near = jnp.asarray(exact * np.exp2(off).astype(dtype))[inside]
    np.testing.assert_array_equal(jax.jit(power_of_two)(near), exact[inside])
    np.testing.assert_array_equal(jax.jit(power_of_two)(exact), exact)
    np.testing.assert_array_equal(power_of_two(jnp.zeros(2, dtype)), np.ones(2))


@dtypes
def test_scaling_rounds_nothing(dtype, rng):
    """R A C and back is A, to the last bit, and the mantissas of R and C are those of 1."""
    A = jnp.asarray(rng.standard_normal((7, 11)) * 10.0 ** rng.uniform(-6, 6, (7, 11)), dtype)
    R, C = jax.jit(ruiz)(A)
    for factors in (R, C):
        np.testing.assert_array_equal(np.frexp(np.asarray(factors))[0], 0.5)
    scaled = R[:, None] * A * C[None, :]
    np.testing.assert_array_equal(scaled / R[:, None] / C[None, :], A)
