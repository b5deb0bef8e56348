"""One function for every tolerance: what a dtype can hold of a quantity, and helpers that several tests share."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

# Powers of eps that the error analysis of each quantity gives, and a factor for the sizes of the numbers involved.
_POWER = {
    "rounding": (1.0, 50.0),  # a handful of operations
    "derivative": (1.0, 1e3),  # autodiff, complex step: some hundred operations
    "2-point": (0.5, 50.0),  # truncation h f''/2 with h = sqrt(eps)
    "3-point": (2 / 3, 50.0),  # truncation h^2 f'''/6 with h = eps^(1/3)
    "solve": (0.75, 10.0),  # a linear system of condition eps^(-1/4)
    "x from values": (0.5, 10.0),  # values tell a minimizer no better than sqrt(eps)
}
DTYPES = (np.float32, np.float64)


def tolerance(dtype: Any, quantity: str) -> float:
    """Relative error that this quantity may have in this dtype."""
    if quantity == "x from slopes":  # the default gtol over a curvature of one half
        return 2 * max(1e-5, float(np.finfo(dtype).eps) ** (2 / 3))
    power, factor = _POWER["derivative" if quantity in ("autodiff", "jac", "paired", "cs") else quantity]
    return factor * float(np.finfo(dtype).eps) ** power


def assert_close(actual: Any, wanted: Any, dtype: Any, quantity: str) -> None:
    """Close in the norm of the wanted array: entries near zero are as good as the largest allows."""
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert actual.shape == wanted.shape
    size = max(1.0, float(np.max(np.abs(wanted), initial=0.0)))
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=tolerance(dtype, quantity) * size)


def jaxprs(jaxpr: Any) -> Iterator[Jaxpr]:
    """A jaxpr and all that are nested in it."""
    jaxpr = jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    yield jaxpr
    for equation in jaxpr.eqns:
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda v: isinstance(v, ClosedJaxpr | Jaxpr)):
            if isinstance(value, ClosedJaxpr | Jaxpr):
                yield from jaxprs(value)


def primitives(jaxpr: Any) -> Counter:
    """How often each primitive stands in a jaxpr, nested ones included."""
    return Counter(e.primitive.name for inner in jaxprs(jaxpr) for e in inner.eqns)


def shapes(jaxpr: Any) -> set[tuple[int, ...]]:
    """The shapes of all intermediate values, nested ones included."""
    return {tuple(v.aval.shape) for inner in jaxprs(jaxpr) for e in inner.eqns for v in e.outvars}
