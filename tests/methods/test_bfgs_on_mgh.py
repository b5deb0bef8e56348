"""BFGS beside SciPy on the problems of More, Garbow and Hillstrom: evaluations, values reached, what counts as success."""

import functools

import jax
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import minimize
from tests.problems import MGH

SUCCESS = (0, 8)


@functools.cache
def mgh_table():
    """For each problem: evaluations of SciPy and ours, the values reached, our status."""
    rows = {}
    for problem in MGH:
        x0 = np.array(problem.x0)
        both = jax.jit(jax.value_and_grad(problem.fun))
        host = lambda x, both=both: tuple(np.asarray(v) for v in both(x))
        with np.errstate(all="ignore"):
            theirs = scipy.optimize.minimize(host, x0, jac=True, method="BFGS")
        ours = minimize(problem.fun, x0)
        known = [v for v in (problem.fun_star, *problem.minima) if v is not None]
        rows[problem.name] = (
            theirs.nfev,
            int(ours.nfev),
            theirs.fun,
            float(ours.fun),
            int(ours.status),
            theirs.status,
            known,
        )
    return rows


def solved(value, known):
    return any(value <= v + 1e-5 * max(1.0, abs(v)) and value >= v - 1e-6 * max(1.0, abs(v)) for v in known)


def as_text():
    head = f"{'problem':34} scipy ours  scipy's f      our f  status  scipy's"
    rows = (f"{k:34} {a:5d} {b:4d} {c:10.3e} {d:10.3e} {e:7d} {f:8d}" for k, (a, b, c, d, e, f, _) in mgh_table().items())
    return "\n".join([head, *rows])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
def test_evaluations_on_more_garbow_hillstrom_are_not_many_more_than_scipys():
    rows = mgh_table().values()
    ratios = [ours / theirs for theirs, ours, f, g, *_, known in rows if solved(f, known) and solved(g, known)]
    assert len(ratios) >= 0.75 * len(rows), as_text()
    assert np.median(ratios) <= 1.3, as_text()


@pytest.mark.slow  # half a minute
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
def test_what_scipy_solves_of_more_garbow_hillstrom_is_solved_here():
    missed = [name for name, (_, _, f, g, *_, known) in mgh_table().items() if solved(f, known) and not solved(g, known)]
    assert not missed, as_text()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::scipy.optimize.OptimizeWarning")
def test_what_is_solved_of_more_garbow_hillstrom_is_called_a_success():
    denied = [k for k, (*_, g, status, _, known) in mgh_table().items() if solved(g, known) and status not in SUCCESS]
    assert not denied, as_text()
