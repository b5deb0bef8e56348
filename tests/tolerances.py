"""How closely two numbers must agree: every tolerance of the laws as a function of (dtype, quantity).

Each says what may differ and why. Where two runs of the same method are compared, they may differ by the rounding that
another compilation brings, amplified along the run; where a solution is compared with a known one, by what was asked.
"""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


def eps(dtype: DTypeLike) -> float:
    """Spacing of the dtype at 1."""
    return float(np.finfo(dtype).eps)


def same_value(dtype: DTypeLike) -> float:
    """Relative: one formula evaluated by two compilations; sums of some ten terms and fused multiply-adds."""
    return 64 * eps(dtype)


def same_run(dtype: DTypeLike) -> float:
    """Relative to 1 + |x|: the end of the same run in two compilations.

    Each iteration may multiply the differences by the condition of the problem, but the run contracts toward the
    minimizer; half of the digits is what survives in the worst of ten thousand lanes.
    """
    return eps(dtype) ** 0.5


def gradient_asked(dtype: DTypeLike) -> float:
    """The default gtol that the package promises: SciPy's 1e-5, eps^(2/3) in float32."""
    return max(1e-5, eps(dtype) ** (2 / 3))


def gain_asked(dtype: DTypeLike) -> float:
    """The default ftol under constraints that the package promises: SciPy's 1e-6, eps^(3/4) in float32."""
    return max(1e-6, eps(dtype) ** 0.75)


def gain_asked_tightly(dtype: DTypeLike) -> float:
    """The default gtol of trust-constr that the package promises: SciPy's 1e-8, eps^(3/4) in float32."""
    return max(1e-8, eps(dtype) ** 0.75)


def abscissa_asked(dtype: DTypeLike) -> float:
    """The default xatol that the package promises, in every dtype."""
    return 1e-5


def simplex_asked() -> float:
    """The default xatol, fatol, xtol and ftol of what minimizes by values in several variables, in every dtype."""
    return 1e-4


def root_asked() -> float:
    """The default xtol of a root in a bracket, in every dtype."""
    return 2e-12


def open_root_asked() -> float:
    """The default xtol of a root from a start, in every dtype."""
    return 1.48e-8


def root_resolved(dtype: DTypeLike, x: float) -> float:
    """Distance in x below which a root is not told: 4 eps |x|, and what rounding of terms of order one moves it."""
    return 4 * eps(dtype) * abs(x) + 16 * eps(dtype)


def offset_asked(dtype: DTypeLike) -> float:
    """Relative offset |Q'r| / |r| of a fit at the default ftol, 1e-8 and 10 eps: its square may be ten times as large."""
    return (10 * max(1e-8, 10 * eps(dtype))) ** 0.5


def gradient_noise(dtype: DTypeLike, hess: ArrayLike, x: ArrayLike) -> np.ndarray:
    """(n,): how far the rounding of x to the dtype, some ten times over, moves each component of the gradient."""
    return 16 * eps(dtype) * np.sum(np.abs(hess) * np.abs(x)[None, :], axis=1)


def value_noise(dtype: DTypeLike, fun: float) -> float:
    """How far rounding moves a value: a sum of some hundred terms loses eps for each in the worst case."""
    return 128 * eps(dtype) * abs(fun)


def abscissa_resolved(dtype: DTypeLike, x: float) -> float:
    """Distance in x below which values do not tell a minimizer: Brent's sqrt(eps) |x|, on both sides."""
    return 2 * eps(dtype) ** 0.5 * abs(x) + 4 * eps(dtype)


def solution(dtype: DTypeLike, asked: float) -> float:
    """Error of x where curvature is of order one and the tolerance `asked` holds; sqrt(eps) where values decide."""
    return 4 * asked + 4 * eps(dtype) ** 0.5


def derivative(dtype: DTypeLike) -> float:
    """Relative: two exact derivatives (forward, reverse, by hand) at solutions that differ by rounding."""
    return 16 * eps(dtype) ** 0.5


def central_difference(dtype: DTypeLike, known: float = 0.75) -> tuple[float, float]:
    """Step and relative error of a central difference of a solution that is known to about eps^known.

    Truncation h^2 and error eps^known / h balance at h = eps^(known / 3); the error is then h^2, times a hundred for the
    third derivative and the condition of the problem.
    """
    return eps(dtype) ** (known / 3), 100 * eps(dtype) ** (2 * known / 3)


def tightest(dtype: DTypeLike) -> float:
    """A tolerance that a well conditioned problem can still be solved to: eps^(3/4) of a gradient."""
    return eps(dtype) ** 0.75
