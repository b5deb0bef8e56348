"""One code space for how a lane ended; the sentences are looked up on the host.

SciPy's linprog codes keep their numbers (0 to 4). A lane that is still at work has RUNNING. No result shows RUNNING, except
while a `stepper` still runs.

A method may believe in a status that it cannot prove by the tolerance that was asked for. It then adds CLAIM to the status.
After the loop a certificate (`core/certificate.py`) decides between that status and NUMERICAL. No result shows a claim.
With BELIEVED in place of CLAIM the status holds unless the certificate objects.
"""

from enum import IntEnum
from typing import Any

import jax.numpy as jnp
from jax import Array


class Status(IntEnum):
    """How a lane ended, by name: ``result.status == Status.CONVERGED``, for one problem or for a batch.

    Attributes
    ----------
    RUNNING : int
        -1. Of a `stepper` alone: more points are to be asked for and told.
    CONVERGED : int
        0. The optimality measure is within the tolerance that was asked for: a success.
    BUDGET : int
        1. The budget of iterations or evaluations is spent.
    INFEASIBLE : int
        2. No point satisfies the constraints.
    UNBOUNDED : int
        3. The objective decreases without limit.
    NUMERICAL : int
        4. No further progress could be made, and the point is not known to be stationary.
    NOT_FINITE : int
        5. The function gave NaN or infinity where a finite value is needed.
    STOPPED : int
        6. Stopped by the callback.
    BAD_INPUT : int
        7. The data of this lane are contradictory or outside of the domain.
    PRECISION : int
        8. The tolerance that was asked for is below what the dtype resolves here: a success.

    Examples
    --------
    >>> from jaxopt_lite import Status, minimize
    >>> result = minimize(lambda x: (x - 1.0) ** 2, 0.0)
    >>> bool(result.status == Status.CONVERGED), Status(int(result.status)).name
    (True, 'CONVERGED')
    """

    RUNNING = -1
    CONVERGED = 0
    BUDGET = 1
    INFEASIBLE = 2
    UNBOUNDED = 3
    NUMERICAL = 4
    NOT_FINITE = 5
    STOPPED = 6
    BAD_INPUT = 7
    PRECISION = 8


# The same numbers as plain ints, for code that JAX traces.
RUNNING = int(Status.RUNNING)
CONVERGED = int(Status.CONVERGED)
BUDGET = int(Status.BUDGET)
INFEASIBLE = int(Status.INFEASIBLE)
UNBOUNDED = int(Status.UNBOUNDED)
NUMERICAL = int(Status.NUMERICAL)
NOT_FINITE = int(Status.NOT_FINITE)
STOPPED = int(Status.STOPPED)
BAD_INPUT = int(Status.BAD_INPUT)
PRECISION = int(Status.PRECISION)
CLAIM = 16
BELIEVED = 64  # added to a status that holds unless the certificate objects


def is_success(status: Array) -> Array:
    """() bool: is this the status of a success?"""
    return (status == CONVERGED) | (status == PRECISION)


def is_claim(status: Any) -> Any:
    """() bool: is this status a claim, which a certificate has to decide?"""
    return status >= CLAIM


def decided(status: Array, proved: Array | bool = False) -> Array:
    """The status; a claim becomes the status that was claimed where `proved`, and NUMERICAL elsewhere."""
    judged = jnp.where(is_claim(status), jnp.where(proved, status - CLAIM, NUMERICAL), status)
    return jnp.where(status >= BELIEVED, status - BELIEVED, judged).astype(jnp.int32)


MESSAGES = {
    RUNNING: "Still running: more points are to be asked for and told.",
    CONVERGED: "Converged: the optimality measure is within the requested tolerance.",
    BUDGET: "Stopped: the budget of iterations or evaluations is spent.",
    INFEASIBLE: "Infeasible: no point satisfies the constraints.",
    UNBOUNDED: "Unbounded: the objective decreases without limit.",
    NUMERICAL: "Numerical difficulties: no further progress could be made, and the point is not known to be stationary.",
    NOT_FINITE: "Not finite: the function gave NaN or infinity where a finite value is needed.",
    STOPPED: "Stopped by the callback.",
    BAD_INPUT: "Bad input in this lane: its data are contradictory or outside the domain (crossed bounds, no bracket, NaN).",
    PRECISION: "Converged to working precision: the requested tolerance is below what this dtype can resolve here.",
}
