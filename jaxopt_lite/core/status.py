"""One code space for how a lane ended; the sentences are looked up on the host.

SciPy's linprog codes keep their numbers (0 to 4). A lane that is still at work has RUNNING, which no result ever shows.
"""

from jax import Array

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


def is_success(status: Array) -> Array:
    """() bool: is this the status of a success?"""
    return (status == CONVERGED) | (status == PRECISION)


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
