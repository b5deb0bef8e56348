"""The audit of claims: thousands of random lanes a family, each claim judged by code that shares nothing with the library.

`python -m tests.audit` runs it and prints, for each family of problems, method and dtype, how many lanes claim success,
how many of these claims are false, how many lanes are solved (claimed, and rightly), and how many failed honestly.

A module of this package is a part of the audit if it has

    ROWS: tuple[str, ...]                                     what is audited, mostly methods
    audit(row, lanes, dtype, seed) -> dict[str, Outcome]      family -> what became of `lanes` lanes of it

and the runner finds it. A part whose families are many programs takes `part=(i, k)` as well: the i-th of k parts of them.
All families of a row should be one compiled program, or few: a switch over the kinds of function is evaluated whole under
vmap, and that is cheaper than a compilation. Data are rounded to the lane's dtype before anything is judged, and judged in
float64 or longdouble. A judge must neither excuse a false claim nor accuse a true one: how it avoids both is in the
docstring of its module.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Outcome(NamedTuple):
    """What became of the lanes of a family."""

    claimed: np.ndarray  # (lanes,) bool: success
    right: np.ndarray  # (lanes,) bool: the claim is true; of no meaning where none is made
    show: Callable[[int], str]  # lane -> a line from which it can be reproduced

    @property
    def false(self) -> np.ndarray:
        """(lanes,) bool: the lanes whose claim is false."""
        return self.claimed & ~self.right
