"""The methods of `least_squares` and `curve_fit`."""

import functools

from jaxopt_lite._families.lsq import dogbox, lm, trf
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.core.batching import Schedule

UNLIMITED = (1 << 31) - 1  # iterations; the budget of a fit is its evaluations

_FIT = functools.partial(
    Row,
    prepare=lm.prepare,
    options=lm.OPTIONS,
    takes=frozenset({"jac", "bounds", "loss"}),
    maxiter=lambda n: UNLIMITED,
    # a fit takes some five turns; with refills every 8 turns half of the lanes would wait
    schedule=Schedule(turns_per_refill=2),
)
LEAST_SQUARES = (
    _FIT(name="trf", build=trf.build),
    _FIT(name="dogbox", build=dogbox.build),
    _FIT(name="lm", build=lm.build, options=lm.ACCELERATED, takes=frozenset({"jac"})),
)
