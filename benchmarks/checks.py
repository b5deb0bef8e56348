"""Everyone's answers, judged by the same independent measure: the gradient recomputed in float64 with numpy.

In a box it is the projected gradient, and a point outside is no answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.problems import chain_gradient, chain_rounding

Box = tuple[Any, Any]  # bounds (n,) below and above
SLACK = 10.0  # "reached" allows 10 x the tolerance: contenders differ in norm and in what they test
# A gradient within this many times its change by one eps of x is rounding: in x, its square, the residual, the product.
ROUNDING = 4.0
FAR = 10.0  # stationary points of the family lie in [-1, 1]^n: rounding excuses no lane that ran this far away


@dataclass(frozen=True)
class Verdict:
    """Counts over all lanes of all rounds."""

    checked: int  # lanes looked at
    reached: float  # share of them with a gradient within SLACK x tol
    failed: int  # reported as failed by the contender itself
    wrong: int  # reported as solved, but the gradient is neither within SLACK x tol nor rounding
    unsolved: int  # lanes whose gradient is neither, whatever was reported
    worst: float  # largest finite gradient norm; inf where a lane is not finite


def projected(x: np.ndarray, grad: np.ndarray, box: Box | None) -> np.ndarray:
    """The projected gradient P(x - g) - x, which is -g where there is no box; NaN for a point outside of it."""
    if box is None:
        return -grad
    inside = np.all((x >= box[0]) & (x <= box[1]), axis=-1, keepdims=True)
    return np.where(inside, np.clip(x - grad, *box) - x, np.nan)


def judge(
    outputs: Sequence[dict[str, Any]], kappas: Sequence[Any], tol: float, eps: float, box: Box | None = None
) -> Verdict:
    """Judge the results of some rounds on the chain function with the rounds' kappas."""
    norms, floors, failed = [], [], []
    for out, kappa in zip(outputs, kappas, strict=False):
        x = np.asarray(out["x"], np.float64)
        k = np.broadcast_to(kappa, (len(x),)) if np.ndim(kappa) == 0 else kappa[: len(x)]
        with np.errstate(all="ignore"):  # a lane that ran away overflows here; it is counted below
            norm = np.abs(projected(x, chain_gradient(x, k), box)).max(axis=-1)
            floor = ROUNDING * chain_rounding(x, k, eps)
        norms.append(np.where(np.isfinite(norm), norm, np.inf))
        floors.append(np.where(np.abs(x).max(axis=-1) < FAR, floor, 0.0))
        failed.append(np.asarray(out["failed"], bool))
    norm, floor, claimed_failed = map(np.concatenate, (norms, floors, failed))
    reached = norm <= SLACK * tol
    solved = norm <= np.maximum(SLACK * tol, floor)
    return Verdict(
        checked=len(norm),
        reached=float(reached.mean()),
        failed=int(claimed_failed.sum()),
        wrong=int((~solved & ~claimed_failed).sum()),
        unsolved=int((~solved).sum()),
        worst=float(norm.max()),
    )
