"""Tolerances that each dtype can hold.

SciPy's defaults are meant for float64. The rounding of a gradient is some eps times the curvature and the size of x. A
tolerance of eps^(2/3) leaves room for a curvature of eps^(-1/3), 200 in float32. Where a run meets a smaller tolerance only
to rounding, the status is 8 (PRECISION), never 0 (CONVERGED).
"""

import jax.numpy as jnp
import numpy as np


def gradient_tolerance(dtype: np.dtype) -> float:
    """Default of gtol: SciPy's 1e-5, or what the dtype can hold (2.4e-5 in float32)."""
    return max(1e-5, float(jnp.finfo(dtype).eps) ** (2 / 3))


def objective_tolerance(dtype: np.dtype) -> float:
    """Default of ftol under constraints: SciPy's 1e-6, or what values of size 1 resolve with room (6.4e-6 in float32)."""
    return max(1e-6, float(jnp.finfo(dtype).eps) ** 0.75)


def abscissa_tolerance(dtype: np.dtype) -> float:
    """Default of xatol for a minimizer of one variable: SciPy's 1e-5. In float32 only |x| below 0.03 can meet it."""
    return 1e-5


def simplex_tolerance() -> float:
    """Default of xatol and fatol of a simplex: SciPy's 1e-4, in every dtype."""
    return 1e-4


def value_resolution(dtype: np.dtype) -> float:
    """Relative distance in x below which the values of a smooth function do not differ: the square root of eps."""
    return float(jnp.finfo(dtype).eps) ** 0.5


ROOT_XTOL = 2e-12  # default absolute accuracy of a root in a bracket: SciPy's, in every dtype, for roots near zero
OPEN_XTOL = 1.48e-8  # of a step without a bracket: SciPy's; the next step would be about its square


def root_rtol(dtype: np.dtype) -> float:
    """Default relative accuracy of a root: SciPy's 4 eps, with the eps of the dtype (4.8e-7 in float32)."""
    return 4 * float(jnp.finfo(dtype).eps)
