"""The linear programs of the suite `linprog`: random dense equalities with a known solution, one A for all lanes.

    minimize c'x   subject to   A x = b,  x >= 0

A is normal, b = A x0 with x0 half of it zero, c = A'y0 + z0 with z0 zero where x0 is not: x0 and y0 are optimal, and
nearly always alone.
"""

from typing import NamedTuple

import numpy as np


class Programs(NamedTuple):
    """A batch that shares A."""

    A: np.ndarray  # (m, n)
    b: np.ndarray  # (lanes, m)
    c: np.ndarray  # (lanes, n)
    fun: np.ndarray  # (lanes,) the optimal values


def draw(lanes: int, m: int, n: int, dtype: str, seed: int) -> Programs:
    """The programs of one round."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((m, n))
    basic = np.argsort(rng.random((lanes, n)), axis=1) < m
    x0 = np.where(basic, rng.uniform(0.5, 2.0, (lanes, n)), 0.0)
    z0 = np.where(basic, 0.0, rng.uniform(0.1, 1.0, (lanes, n)))
    c = rng.standard_normal((lanes, m)) @ A + z0
    return Programs(A.astype(dtype), (x0 @ A.T).astype(dtype), c.astype(dtype), np.sum(c * x0, axis=1))
