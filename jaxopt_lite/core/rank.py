"""Which of two answers is better: the loop keeps the best point that was evaluated, and ends with it where a method fails.

A rank makes numbers of an answer. The better of two answers has the smaller first number; where these are equal the
second decides, and so on. A method says by which rank its points are judged (`Method.rank`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array


class Rank(NamedTuple):
    """An order of answers."""

    key: Callable[[Any], tuple[Array, ...]]  # of an answer, or of what is kept of one: each ()
    bottom: bool = False  # is a value of minus infinity the end of the search, an unbounded problem?


LEAST = Rank(lambda answer: (answer.fun,), bottom=True)  # a minimum
NEAREST_ZERO = Rank(lambda answer: (jnp.abs(answer.fun),))  # a zero of fun
# Constraints: the least violation, and of equal ones the least value. What was not finite has a value of +inf.
FEASIBLE = Rank(lambda answer: (jnp.where(answer.fun < jnp.inf, answer.violation, jnp.inf), answer.fun))


def is_better(rank: Rank, a: Any, b: Any) -> Array:
    """() bool: is the answer `a` better than `b`?"""
    *first, last = zip(rank.key(a), rank.key(b), strict=True)
    better = last[0] < last[1]
    for mine, other in reversed(first):
        better = (mine < other) | ((mine == other) & better)
    return better
