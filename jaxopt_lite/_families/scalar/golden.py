"""Golden section search: the minimizer of a function of one variable, from comparisons of its values alone.

Of the two parts that x makes of its bracket, the larger is cut in golden proportion (Kiefer, Proc. AMS 4 (1953) 502):

    u = x + SECTION (e - x),  e the end that is farther from x

If x cuts its bracket in that proportion, then the next best point cuts the next bracket so too, and each turn shortens the
bracket to 0.618 of its length. From a bracket of other proportions the search comes to this proportion within a few turns.
Only the order of the values matters, not their sizes: no parabola helps the search, and none misleads it. How the bracket is
made, and the tests: `bracketing.py`.

Changed from the textbook, which keeps two inner points and computes each from the ends: the new point is computed from x.
So neither rounding nor the place of the bracket can put the inner points in the wrong order.
"""

from jax import Array

from jaxopt_lite._families.scalar.bracketing import BracketState, search

SECTION = 0.5 * (3.0 - 5.0**0.5)  # the smaller part of the golden section, 0.381966


def _inside(s: BracketState, d: Array, larger: Array, last: Array, tol1: Array) -> tuple[Array, Array]:
    """The cut of the larger part."""
    return SECTION * larger, larger


GOLDEN = search("golden", _inside, leaps=False)
