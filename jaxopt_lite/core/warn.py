"""Warnings of this package, shown at the line that called it."""

import sys
import warnings
from types import FrameType

_PACKAGE = __name__.split(".")[0]


class OptimizeWarning(UserWarning):
    """An eager call failed, an option has no effect, or data lost digits.

    Attributes
    ----------
    args : tuple of str
        The sentence: what happened, and what to do about it.
    """


def warn(sentence: str) -> None:
    """Warn with the line of the first caller outside of this package."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, OptimizeWarning, stacklevel=level)
