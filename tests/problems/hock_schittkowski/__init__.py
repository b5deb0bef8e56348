"""The problems of Hock and Schittkowski: 102 of numbers 1 to 114, with 2 to 10 variables.

Each is the book's formula with its x_1 ... x_n: functions take the coordinates one by one, constraints return a tuple of
rows; `equal` is to be 0, `above` to be >= 0. `published` is the minimum as the book prints it; `fun_star` and `x_star` are
that minimum polished in float64 (`minimizers.py`), which `test_hock_schittkowski.py` checks by feasibility and multipliers.

W. Hock, K. Schittkowski (1981), Test Examples for Nonlinear Programming Codes, Lecture Notes in Economics and Mathematical
Systems 187, Springer.
"""

from tests.problems.constrained import Constrained
from tests.problems.hock_schittkowski import from_1, from_28, from_51, from_59, from_83, from_106

PROBLEMS: tuple[Constrained, ...] = (
    from_1.PROBLEMS + from_28.PROBLEMS + from_51.PROBLEMS + from_59.PROBLEMS + from_83.PROBLEMS + from_106.PROBLEMS
)

__all__ = ["PROBLEMS"]
