"""The judges themselves: they accept what is true to rounding, and refuse what is not, without the library."""

import numpy as np
import pytest
from scipy.optimize import minimize

from tests.audit import constrained, minima, nonlinear, roots, scalar
from tests.audit.least import LONG, exact, known
from tests.audit.objectives import Data, draw, kinds

LANES = 200
DTYPES = ("float32", "float64")
CLOSED = ("kink", "lad", "minimax", "hinge", "valley", "near_singular")


def _lanes(which, dtype, boxed):
    """Lanes of a kind whose least value is enumerated, at the best of many random points of each."""
    kind = kinds(2)[which]
    rng = np.random.default_rng(which)
    data, x0 = draw(kind, rng, LANES, 2, dtype)
    lower, upper = minima._box(rng, x0, boxed)
    return kind, minima._Lanes(2, which, data, x0, x0, np.full(LANES, 8), x0[:, 0], lower, upper), rng


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("name", CLOSED)
def test_no_point_is_lower_than_the_least_value(name, boxed):
    which = [kind.name for kind in kinds(2)].index(name)
    kind, lanes, rng = _lanes(which, "float64", boxed)
    least = known(kind, lanes.data, lanes.lower, lanes.upper)
    points = lanes.x0[:, None] + 10.0 ** rng.uniform(-3, 1, (LANES, 500, 1)) * rng.normal(size=(LANES, 500, 2))
    values = exact(kind, lanes.data)(np.clip(points, lanes.lower[:, None], lanes.upper[:, None]))
    assert np.all(values.min(1) >= least * (1 - 1e-12) - 1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_kink_a_thousandth_away_is_no_minimum_and_its_rounded_minimizer_is_one(dtype):
    kind, lanes, _ = _lanes(0, dtype, False)
    d = Data(*(v.astype(LONG) for v in lanes.data))
    a, aa = d.A[:, 0], (d.A[:, 0] ** 2).sum(-1)
    s = (a * d.z).sum(-1) - d.b[:, 0]
    x = d.z + np.clip(-s / aa, -d.k[:, 0] / 2, d.k[:, 0] / 2)[:, None] * a
    for point, right in ((x, True), (x + 1e-2 * a / np.sqrt(aa)[:, None], False)):
        o = minima._Lanes(2, 0, lanes.data, lanes.x0, point.astype(dtype), *lanes.fields[2:])
        f = exact(kind, lanes.data)(o.x[:, None])[:, 0]
        gained = f - known(kind, lanes.data, o.lower, o.upper) > minima._allowance(kind, o, f)
        assert np.mean(gained) == 0 if right else np.mean(gained) > 0.9


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_pole_is_no_root_and_a_rounded_root_is(dtype):
    pole = roots.KINDS[1]
    p = pole.draw(np.random.default_rng(0), LANES, dtype == "float32").p.astype(dtype)
    root = (p[:, 0].astype(LONG) - 1 / p[:, 1].astype(LONG)).astype(dtype)
    none = np.zeros(LANES, dtype)
    assert roots._right(pole, p, root, none).all()
    assert not roots._right(pole, p, np.nextafter(p[:, 0], np.inf, dtype=dtype), none).any()


def test_values_that_are_small_beside_rounding_only_are_no_root():
    none = roots.KINDS[4]
    p = np.zeros((1, 4), np.float32)
    assert not roots._right(none, p, np.float32([0.5**0.5]), np.float32([0.0])).any()


@pytest.mark.parametrize("row", ["brent", "bounded"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_flat_because_of_rounding_is_no_minimum_and_a_flat_minimum_is_one(row, dtype):
    by_name = {kind.name: kind for kind in scalar.KINDS}
    eps = np.finfo(dtype).eps
    high = 16 / eps
    p = np.array([[0.0, 1.0, high], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]], dtype)
    d = scalar.Drawn(p, np.array([0.0, -1.0, -1.0], dtype), np.array([3.0, 2.0, 2.0], dtype))
    tol = np.zeros(3, dtype)
    x = np.array([1.0, 0.3 * eps**0.25, 0.5], dtype)
    at = lambda name: scalar._right(by_name[name], row, d, x, tol)
    assert not at("line")[0]
    assert list(at("quartic")[1:]) == [True, False]


def test_a_minimum_under_constraints_is_one_and_a_feasible_point_is_none():
    kind = nonlinear.EQUAL[0]
    rng = np.random.default_rng(0)
    drawn = nonlinear.base(rng, 40, 2, 5)
    ends = lambda x, status: constrained.Lanes(drawn, np.full(40, 1e-6), x, np.full(40, status))
    start = ends(drawn.data.z, 0)
    values = [constrained._of_lane(kind, start, i) for i in range(40)]
    best = np.stack([_solved(part, x) for part, x in zip(values, drawn.data.z, strict=True)])
    right = lambda x, status: constrained._right(kind, 2, ends(x, status))
    assert np.all(right(best, 0))
    gained = np.array([part(x)[0] - part(y)[0] for part, x, y in zip(values, drawn.data.z, best, strict=True)])
    assert np.mean(gained > 1e-4) >= 0.8  # the others of these feasible points are corners, and the minimum
    assert np.array_equal(right(drawn.data.z, 0), gained <= 1e-4)
    assert not np.any(right(best + 1e-3, 0))
    assert not np.any(right(best + 1e-3, 2))


def _solved(part, x):
    """SciPy's minimizer of a lane with two equations."""
    held = [{"type": "eq", "fun": lambda y: part(y)[2][:2], "jac": lambda y: part(y)[3][:2]}]
    held += [{"type": "ineq", "fun": lambda y: part(y)[2][2:], "jac": lambda y: part(y)[3][2:]}]
    fun = lambda y: (float(part(y)[0]), part(y)[1])
    options = {"ftol": 1e-15, "maxiter": 200}
    return minimize(fun, x, jac=True, method="SLSQP", constraints=held, options=options).x
