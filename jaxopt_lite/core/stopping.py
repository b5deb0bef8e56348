"""Tolerances that each dtype can hold.

SciPy's defaults are meant for float64. A gradient carries rounding of some eps times the curvature and the size of x;
eps^(2/3) leaves room for a curvature of eps^(-1/3), 200 in float32. What lies below is reported as converged to working
precision by the methods, never as a success at the tolerance that was asked.
"""

import jax.numpy as jnp
import numpy as np


def gradient_tolerance(dtype: np.dtype) -> float:
    """Default of gtol: SciPy's 1e-5, or what the dtype can hold (2.4e-5 in float32)."""
    return max(1e-5, float(jnp.finfo(dtype).eps) ** (2 / 3))


def abscissa_tolerance(dtype: np.dtype) -> float:
    """Default of xatol for a minimizer of one variable: SciPy's 1e-5, which float32 holds only for |x| below 0.03."""
    return 1e-5


def value_resolution(dtype: np.dtype) -> float:
    """Relative distance in x below which the values of a smooth function do not differ: the square root of eps."""
    return float(jnp.finfo(dtype).eps) ** 0.5


ROOT_XTOL = 2e-12  # default absolute accuracy of a root in a bracket: SciPy's, in every dtype, for roots near zero
OPEN_XTOL = 1.48e-8  # of a step without a bracket: SciPy's; the step after it is its square


def root_rtol(dtype: np.dtype) -> float:
    """Default relative accuracy of a root: SciPy's 4 eps, of the dtype (4.8e-7 in float32)."""
    return 4 * float(jnp.finfo(dtype).eps)
