"""trust-constr: worked examples, its parts by hand, infeasible rows, kept rows, callbacks, options, batches, float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from jaxopt_lite import BFGS, SR1, Bounds, NonlinearConstraint, Status, minimize, rosen, stepper
from jaxopt_lite._families.constrained import barrier
from jaxopt_lite._families.constrained.barrier_parameter import row_units
from jaxopt_lite._families.constrained.composite import composite, restored
from jaxopt_lite._families.constrained.trust_constr_options import BarrierData
from tests.methods.test_slsqp import THREE, near, nearest, stationarity

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)


def solve(fun, x0, **given):
    return minimize(fun, x0, method="trust-constr", **given)


# --- worked examples -----------------------------------------------------------------------------------------------------


@DTYPES
def test_the_three_constraint_example(dtype):
    """(1.4, 1.7), by one active row with the multiplier 0.8; SciPy's names beside ours."""
    res = solve(nearest, np.array([2.0, 0.0], dtype), constraints=THREE, bounds=[(0, None)] * 2)
    assert res.success
    assert res.x.dtype == res.multipliers.dtype == res.lagrangian_grad.dtype == dtype
    np.testing.assert_allclose(res.x, [1.4, 1.7], atol=near(dtype))
    np.testing.assert_allclose(res.multipliers, [-0.8, 0.0, 0.0], atol=near(dtype))
    assert [part.shape for part in res.v] == [(1,), (1,), (1,), (2,)]
    np.testing.assert_array_equal(jnp.concatenate(res.v[:3]), res.multipliers)
    np.testing.assert_array_equal(res.grad, res.jac)
    assert res.method == "tr_interior_point"
    assert res.optimality <= near(dtype)
    assert res.constr_violation == res.maxcv <= near(dtype)
    assert res.nfev <= 20


@DTYPES
def test_equalities_inequalities_and_bounds_together(dtype):
    """Hock and Schittkowski 71: an equation, an inequality, and a variable at its bound."""
    rows = [
        {"type": "ineq", "fun": lambda x: x[0] * x[1] * x[2] * x[3] - 25},
        {"type": "eq", "fun": lambda x: jnp.sum(x * x) - 40},
    ]
    fun = lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
    res = solve(fun, np.array([1.0, 5.0, 5.0, 1.0], dtype), bounds=[(1, 5)] * 4, constraints=rows)
    assert res.success
    np.testing.assert_allclose(res.fun, 17.0140173, rtol=1e-7 if dtype == np.float64 else 1e-4)
    assert res.x[0] == 1  # exactly
    equal, above = (jax.jacobian(rows[k]["fun"])(res.x) for k in (1, 0))
    slope = stationarity(res.jac, np.stack([equal, above]), res.multipliers, np.asarray(res.x), 1.0, 5.0)
    assert slope <= 16 * near(dtype)
    assert res.v[-1][0] < 0  # of a lower bound, as of the lower side of a row


def test_without_sides_it_is_a_trust_region_method():
    res = solve(rosen, np.array([-1.2, 1.0]))
    assert res.success
    np.testing.assert_allclose(res.x, 1.0, atol=1e-8)
    circle = {"type": "eq", "fun": lambda x: jnp.sum(x * x) - 2}
    res = solve(lambda x: x[0] + x[1], np.array([1.5, -0.3]), constraints=circle)
    assert res.success
    np.testing.assert_allclose(res.x, -1.0, atol=1e-8)


def test_a_variable_whose_bounds_meet_does_not_move():
    res = solve(rosen, np.array([0.5, 0.5, 0.5]), bounds=[(0.5, 0.5), (None, None), (None, 0.2)])
    assert res.success
    assert res.x[0] == 0.5
    np.testing.assert_allclose(res.x[2], 0.0625 if res.x[1] ** 2 < 0.2 else 0.2, atol=1e-2)


# --- its parts, by hand --------------------------------------------------------------------------------------------------

SIDES = barrier.Sides(jnp.array([-jnp.inf, 0.0, 1.0]), jnp.array([jnp.inf, 2.0, jnp.inf]), jnp.zeros(3, bool))
V, A = jnp.array([0.5, 0.5, 1.5]), jnp.array([[2.0, -1.0]])


def test_units_are_small_near_a_side():
    at = barrier.place(V, A, SIDES)
    np.testing.assert_allclose(at.D, [1.0, (1 + 1 / 0.25 + 1 / 2.25) ** -0.5, 0.5])
    np.testing.assert_allclose(at.J, [[2.0, -float(at.D[1]), -0.5]])
    np.testing.assert_allclose(at.K @ at.M, np.eye(1), atol=1e-15)
    np.testing.assert_allclose(at.J @ barrier.along_rows(at, jnp.array([1.0, 2.0, 3.0])), 0.0, atol=1e-15)


def test_rows_that_depend_on_others_are_left_out():
    twice = jnp.array([[1.0, 2.0], [2.0, 4.0], [1.0, -1.0]])
    still = barrier.Sides(
        *(jnp.array([-jnp.inf] * 2 + [0.0] * 3) * sign for sign in (1, -1)), jnp.array([False] * 2 + [True] * 3)
    )
    at = barrier.place(jnp.zeros(5), twice, still)
    np.testing.assert_array_equal(at.K[1], 0.0)
    b = at.M @ jnp.array([1.0, 0.0, 2.0])
    np.testing.assert_allclose(at.M @ barrier.solved(at, b), b, rtol=1e-12)


def test_a_step_without_limits_is_newtons_step():
    """Normal and tangential part together solve the quadratic model on the linearized rows."""
    at = barrier.place(V, A, SIDES)
    H, g, h = jnp.diag(jnp.array([3.0, 1.0])), jnp.array([0.3, -0.1, 0.05]), jnp.array([0.01])
    W = jnp.diag(at.D) @ jnp.block([[H, jnp.zeros((2, 1))], [jnp.zeros((1, 2)), jnp.ones((1, 1))]]) @ jnp.diag(at.D)
    found = composite(at, h, g, lambda p: W @ p, jnp.asarray(100.0), 20)
    system = np.block([[np.asarray(W), np.asarray(at.J).T], [np.asarray(at.J), np.zeros((1, 1))]])
    p = np.linalg.solve(system, -np.concatenate([g, h]))
    np.testing.assert_allclose(
        found.p, p[:3], rtol=1e-3, atol=1e-6
    )  # the tangential part ends at a residual of 1e-2 of its first
    np.testing.assert_allclose(at.J @ found.p, -h, atol=1e-14)
    np.testing.assert_allclose(found.mends, 0.01, rtol=1e-9)


def test_parts_stay_inside_of_the_radius_and_of_the_sides():
    at = barrier.place(V, A, SIDES)
    for radius in (1e-3, 0.3, 5.0):
        found = composite(at, jnp.array([4.0]), jnp.array([9.0, -7.0, 5.0]), lambda p: -p, jnp.asarray(radius), 20)
        assert found.length <= radius * (1 + 1e-12)
        assert found.normal <= 0.8 * radius * (1 + 1e-12)
        d = np.asarray(at.D * found.p)
        assert np.all(np.stack([-d, d]) * np.asarray(at.nearness) <= 1)
        more = restored(at, found.p, jnp.array([3.0]))
        assert np.all((V + at.D * more)[1:] > SIDES.low[1:])


def rows_between(low, high, radius=1.0):
    """A data record that knows no more than this."""
    empty = BarrierData(*[None] * len(BarrierData._fields))
    return empty._replace(radius=jnp.asarray(radius, low.dtype), row_lower=low, row_upper=high)


@DTYPES
def test_units_of_rows_round_nothing(dtype):
    """`jnp.exp2` of an integer may be no power of two."""
    A = jnp.asarray(np.outer(10.0 ** np.arange(-12, 13), [0.6, -0.8]), dtype)
    zero = jnp.zeros(25, dtype)
    w = np.asarray(jax.jit(row_units)(A, zero, rows_between(zero, zero)))
    np.testing.assert_array_equal(np.frexp(w)[0], 0.5)
    assert np.all((w * 10.0 ** np.arange(-12, 13) >= 0.7) & (w * 10.0 ** np.arange(-12, 13) <= 1.42))
    flawed = jnp.asarray([[0.0, 0.0], [np.inf, 1.0]], dtype)
    np.testing.assert_array_equal(row_units(flawed, zero[:2], rows_between(zero[:2], zero[:2])), 1.0)


@DTYPES
def test_a_slight_slope_far_inside_of_its_sides_is_no_unit(dtype):
    """Of four rows with the same slope of 1e-3 one is at 1, with sides at 0 and 9; the others have no room, or no side."""
    low, high = jnp.array([0.0, 2.0, 1.0, -jnp.inf], dtype), jnp.array([9.0, 9.0, 1.0, jnp.inf], dtype)
    w = np.asarray(row_units(jnp.full((4, 1), 1e-3, dtype), jnp.ones(4, dtype), rows_between(low, high, 0.5)))
    np.testing.assert_array_equal(w, [0.5, 1024.0, 1024.0, 1024.0])


def test_f_and_rows_in_other_units_are_the_same_run():
    """f times 2^20, and rows times 2^-7 and 2^9; but a violation is judged in the user's units, and may take a step more."""

    def one(f, first, second):
        rows = [
            {"type": "ineq", "fun": lambda x: first * (4 - x[0] ** 2 - x[1])},
            {"type": "eq", "fun": lambda x: second * (x[0] * x[1] - 0.5)},
        ]
        fun, scaled = (lambda x: f * nearest(x)), {"gtol": 1e-8 * f}
        return solve(fun, jnp.array([2.0, 1.0]), constraints=rows, bounds=[(0, 3)] * 2, options=scaled)

    res = jax.vmap(one)(*jnp.array([[1.0, 1.0, 1.0], [2.0**20, 1.0, 1.0], [1.0, 2.0**-7, 2.0**9]]).T)
    assert np.all(res.success)
    assert res.nit[1] == res.nit[0]
    assert abs(int(res.nit[2] - res.nit[0])) <= 1
    np.testing.assert_allclose(res.x, jnp.broadcast_to(res.x[0], res.x.shape), atol=1e-9)


# --- honest statuses -----------------------------------------------------------------------------------------------------


@DTYPES
def test_rows_that_contradict_one_another(dtype):
    rows = [{"type": "ineq", "fun": lambda x: x[0] + x[1] - 2}, {"type": "ineq", "fun": lambda x: 1 - x[0] - x[1]}]
    res = solve(nearest, np.zeros(2, dtype), constraints=rows)
    assert not res.success
    assert res.status == Status.INFEASIBLE
    np.testing.assert_allclose(res.maxcv, 0.5, atol=1e-2)


def test_a_saddle_is_no_success():
    res = solve(lambda x: x[0] ** 2 - x[1] ** 2, np.zeros(2))
    assert not res.success


def test_crossed_sides_of_a_lane_are_bad_input():
    one = lambda top: solve(nearest, jnp.zeros(2), bounds=Bounds(jnp.zeros(2), top * jnp.ones(2))).status
    np.testing.assert_array_equal(jax.vmap(one)(jnp.array([1.0, -1.0])), [Status.CONVERGED, Status.BAD_INPUT])


# --- keep_feasible, callbacks, options -----------------------------------------------------------------------------------


def test_rows_that_are_kept_hold_at_every_iterate():
    seen = []
    disk = lambda keep: NonlinearConstraint(lambda x: x[0] ** 2 + x[1] ** 2, -np.inf, 1.0, keep_feasible=keep)
    fun = lambda x: (x[0] - 3) ** 2 + 10 * (x[1] - x[0] ** 2) ** 2
    res = solve(fun, np.array([0.0, 0.1]), constraints=disk(True), callback=lambda xk: seen.append(np.asarray(xk)))
    assert res.success
    assert all(np.sum(x**2) <= 1 for x in seen)
    assert solve(fun, np.array([2.0, 0.1]), constraints=disk(True)).status == Status.BAD_INPUT
    assert solve(fun, np.array([2.0, 0.1]), constraints=disk(False)).success


def test_a_callback_sees_the_state_and_ends_the_run():
    seen = []

    def look(xk, state):
        seen.append((float(state.tr_radius), float(state.constr_violation), state.method, len(state.v), int(state.nit)))
        return len(seen) == 3

    res = solve(nearest, np.array([2.0, 0.0]), constraints=THREE, callback=look)
    assert res.status == Status.STOPPED
    assert [nit for *_, nit in seen] == [1, 2, 3]
    assert seen[0][2:4] == ("tr_interior_point", 3)


def test_lines_are_printed_if_asked(capfd):
    solve(nearest, np.array([2.0, 0.0]), constraints=THREE, options={"verbose": 2})
    out = capfd.readouterr().out
    assert "iteration" in out
    assert "constr_violation" in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factorization_method": "QRFactorization"}, "QRFactorization.*NormalEquation"),
        ({"verbose": 7}, "verbose.*7.*0, 1, 2 or 3"),
        ({"initial_tr_radius": 0.0}, "initial_tr_radius.*number > 0"),
        ({"gtoll": 1.0}, "Did you mean 'gtol'"),
    ],
)
def test_wrong_options_say_what_to_give(options, words):
    with pytest.raises(ValueError, match=words):
        solve(nearest, np.zeros(2), options=options)


def test_by_hand_it_asks_for_multipliers_too():
    """The stepper asks at (x, y), and is told the Hessian of f + y'c last."""
    rows = (np.array([-np.inf]), np.array([1.0]))
    machine = stepper("trust-constr", constraints=rows)
    state = machine.init(np.array([2.0, 0.5]))
    c = lambda x: jnp.sum(x * x)[None]
    while not machine.done(state):
        x, y = machine.ask(state)
        hess = jax.hessian(lambda x, y=y: nearest(x) + jnp.dot(y, c(x)))(x)
        violation = jnp.maximum(c(x)[0] - 1.0, 0.0)
        state = machine.tell(state, nearest(x), jax.grad(nearest)(x), c(x), jax.jacobian(c)(x), violation, hess)
    res = machine.result(state)
    assert res.success
    np.testing.assert_allclose(res.x, np.array([1, 2.5]) / np.hypot(1, 2.5), atol=1e-3)


# --- strategies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy", [BFGS(), BFGS("damp_update"), SR1(), scipy.optimize.BFGS()], ids=["BFGS", "damped", "SR1", "SciPy's"]
)
def test_the_lagrangian_is_learnt(strategy):
    disk = NonlinearConstraint(lambda x: jnp.sum(x * x), -np.inf, 1.5)
    res = solve(rosen, np.array([0.2, 0.5]), hess=strategy, constraints=disk)
    exact = solve(rosen, np.array([0.2, 0.5]), constraints=disk)
    assert res.success
    assert res.nhev is None
    np.testing.assert_allclose(res.x, exact.x, atol=1e-6)


@pytest.mark.parametrize("method", ["trust-exact", "dogleg", "trust-ncg", "trust-krylov", "Newton-CG", "TNC"])
def test_every_method_with_hess_takes_a_strategy(method):
    res = minimize(rosen, np.array([-1.2, 1.0]), method=method, hess=BFGS())
    assert res.success
    np.testing.assert_allclose(res.x, 1.0, atol=1e-4)
    assert res.hess is None


def test_two_updates_make_the_hessian_of_a_quadratic():
    """Of two independent steps SR1 learns all; BFGS what lies along the last one."""
    from jaxopt_lite._families.line_search.updates import Strategy, _updated

    H, no = jnp.array([[3.0, 1.0], [1.0, 2.0]]), jnp.zeros((), bool)
    for symmetric, B in ((True, jnp.eye(2)), (False, jnp.eye(2))):
        strategy = Strategy(symmetric, False, 1e-8, 1.0)
        for s in (jnp.array([1.0, 0.0]), jnp.array([1.0, -2.0])):
            B, learnt = _updated(strategy, B, s, H @ s, no)
            assert learnt
            np.testing.assert_allclose(B @ s, H @ s, atol=1e-14)
        if symmetric:
            np.testing.assert_allclose(B, H, atol=1e-14)


def test_curvature_that_is_not_positive_is_left_out_or_damped():
    from jaxopt_lite._families.line_search.updates import Strategy, _updated

    s, u, no = jnp.array([1.0, 0.0]), jnp.array([-1.0, 0.5]), jnp.zeros((), bool)
    B, learnt = _updated(Strategy(False, False, 1e-8, 1.0), jnp.eye(2), s, u, no)
    assert not learnt
    np.testing.assert_array_equal(B, np.eye(2))
    B, learnt = _updated(Strategy(False, True, 0.2, 1.0), jnp.eye(2), s, u, no)
    assert learnt
    np.testing.assert_allclose(s @ B @ s, 0.2)
    assert np.all(np.linalg.eigvalsh(B) > 0)


@pytest.mark.parametrize(
    ("hess", "error", "words"),
    [
        (BFGS, TypeError, r"class BFGS; give an instance.*BFGS\(\)"),
        (BFGS("skip"), ValueError, "'skip'; give one of 'skip_update', 'damp_update'"),
        (BFGS(min_curvature=-1.0), ValueError, "min_curvature.*-1.0.*between 0 and 1"),
        (SR1(init_scale=np.eye(3)), ValueError, r"init_scale has shape \(3, 3\) for x of 2"),
        (SR1(init_scale="large"), ValueError, "init_scale is 'large'; give 'auto'"),
        (lambda x: jnp.eye(3), ValueError, r"hess returned shape \(3, 3\)"),
    ],
)
def test_wrong_strategies_say_what_to_give(hess, error, words):
    with pytest.raises(error, match=words):
        minimize(rosen, np.zeros(2), method="trust-exact", hess=hess)


def test_a_strategy_that_lanes_share_learns_in_each_by_itself():
    one = lambda a: minimize(lambda x: rosen(x) + a * x[0] ** 2, jnp.zeros(2), method="trust-exact", hess=SHARED).x
    SHARED = BFGS()
    a = jnp.array([0.0, 1.0, 5.0])
    np.testing.assert_allclose(jax.vmap(one)(a), jnp.stack([one(v) for v in a]), atol=1e-6)


# --- batches and derivatives ---------------------------------------------------------------------------------------------


def test_a_batch_and_the_derivative_of_its_solutions():
    def one(side):
        rows = {"type": "ineq", "fun": lambda x: side - jnp.sum(x * x)}
        return solve(nearest, jnp.array([0.1, 0.1]), constraints=rows)

    side = jnp.linspace(0.5, 9.0, 7)  # of the last the row does not hold
    res = jax.vmap(one)(side)
    assert np.all(res.success)
    assert jax.jit(one)(side[0]).method == res.method == "tr_interior_point"
    aim = np.array([1.0, 2.5])
    wanted = np.minimum(1.0, np.sqrt(np.asarray(side)) / np.linalg.norm(aim))[:, None] * aim
    np.testing.assert_allclose(res.x, wanted, atol=1e-7)
    price = jax.vmap(jax.grad(lambda s: one(s).fun))(side)
    np.testing.assert_allclose(price, np.asarray(res.multipliers)[:, 0], atol=1e-7)
