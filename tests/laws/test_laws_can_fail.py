"""Each law fails where it is broken: methods that cheat, each caught by the law that it offends.

A cheat is a row whose runs are those of an honest method, but for one thing.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.custom_batching import custom_vmap

from tests.laws.book import Book
from tests.laws.cases import BRENT, ROWS
from tests.laws.laws import LAWS

BY_NAME = {law.name: law for law in LAWS}
BOXED = next(case for case in ROWS if case.name == "TNC in a box")


def honest(k, fun, options, case=BRENT):
    return case.run(case, fun, k, options)


def replaced(res, **fields):
    return dataclasses.replace(res, **fields)


@custom_vmap
def leaked(x):
    """x; in a batch every lane gets a thousandth of its neighbor."""
    return x


@leaked.def_vmap
def _(size, batched, x):
    return x + 1e-3 * jnp.roll(x, 1, axis=0), True


@custom_vmap
def counted(n):
    """n; in a batch one more."""
    return n


@counted.def_vmap
def _(size, batched, n):
    return n + 1, True


def claims_early(k, fun, options):
    """Two iterations, and success."""
    res = honest(k._replace(maxiter=jnp.minimum(k.maxiter, 2)), fun, options)
    early = (res.status == 1) & (res.nit == 2)
    return replaced(res, status=jnp.where(early, 0, res.status), success=res.success | early)


def claims_among_spikes(k, fun, options):
    """Where the function was nowhere finite, or spiked, the first point is the answer."""
    res = honest(k, fun, options)
    tough = k.kind >= 4
    return replaced(
        res, x=jnp.where(tough, k.start[1], res.x), success=res.success | tough, status=jnp.where(tough, 0, res.status)
    )


def claims_without_success(k, fun, options):
    """A success whose status says otherwise."""
    res = honest(k, fun, options)
    return replaced(res, success=res.success | (res.status == 1))


def leaks(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, x=leaked(res.x))


def leaks_trouble(k, fun, options):
    """What is not finite in a lane is not finite in the next one."""
    res = honest(k, fun, options)
    return replaced(res, x=leaked(jnp.where(k.kind == 1, jnp.inf, 0.0)) + res.x)


def leaks_from_tough_lanes(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, x=leaked(jnp.where(k.kind >= 4, 1.0, 0.0)) * 1e-2 + res.x)


def hides_trouble(k, fun, options):
    """All is well, whatever the function gave."""
    res = honest(k, fun, options)
    return replaced(res, status=jnp.where(res.status == 5, 4, res.status))


def miscounts(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, nfev=res.nfev + 1)


def miscounts_in_batches(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, nit=counted(res.nit))


def overspends(k, fun, options):
    """An iteration more than is allowed."""
    return honest(k._replace(maxiter=k.maxiter + 1), fun, options)


def keeps_a_stale_answer(k, fun, options):
    """The first parameters that it ever saw."""
    return honest(k._replace(theta=jnp.asarray([0.7, 0.9], k.theta.dtype)), fun, options)


def ignores_tolerances(k, fun, options):
    return honest(k._replace(tol=jnp.asarray(1e-5, k.tol.dtype)), fun, options)


def returns_the_last_point(k, fun, options):
    """Not the best one: where it is cut, a point beside."""
    res = honest(k, fun, options)
    x = jnp.where(res.status == 1, k.start[1] + 0.1 * res.nfev.astype(res.x.dtype), res.x)
    return replaced(res, x=x, fun=fun(x, k))


def wanders_off(k, fun, options):
    """Where the function is tough, the point is worse than the first."""
    res = honest(k, fun, options)
    return replaced(res, x=jnp.where(k.kind >= 4, k.start[1] + 7.0, res.x), success=res.success & (k.kind < 4))


def tells_another_value(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, fun=0.999 * res.fun + 1e-3)


def drops_derivatives(k, fun, options):
    res = honest(k, fun, options)
    return replaced(res, x=jax.lax.stop_gradient(res.x))


def bends_derivatives(k, fun, options):
    """A slope that is right, and moves as it should not."""
    res = honest(k, fun, options)
    return replaced(res, x=res.x + 0.5 * (k.theta[0] - jax.lax.stop_gradient(k.theta[0])) ** 2)


def differentiates_what_failed(k, fun, options):
    """Derivatives of a lane without success, given as if they were true."""
    res = honest(k, fun, options)
    calm = jnp.where(res.success, res.x, jax.lax.stop_gradient(res.x) + 0.0 * k.theta[0])
    return replaced(res, x=calm, fun=jax.lax.stop_gradient(res.fun) + k.offset)


def moves_with_the_start(k, fun, options):
    res = honest(k, fun, options)
    still = jax.lax.stop_gradient(k.start[0])
    return replaced(res, x=res.x + 1e-3 * (k.start[0] - still))


def widens(k, fun, options):
    """The value comes back in float64."""
    res = honest(k, fun, options)
    return replaced(res, fun=res.fun.astype(jnp.float64))


def depends_on_units(k, fun, options):
    """A tolerance beside the size of the function."""
    return honest(k._replace(tol=k.tol * jnp.sqrt(k.scale)), fun, options)


def leaves_the_box(k, fun, options):
    res = honest(k, fun, options, BOXED)
    return replaced(res, x=res.x + 1e-12 * k.scale)


CHEATS = {
    claims_early: ("success_is_true", "healthy_lanes_are_solved"),
    claims_without_success: ("success_is_true",),
    claims_among_spikes: ("nothing_false_is_claimed_of_tough_functions",),
    leaks: ("a_lane_is_its_solo_run", "the_order_of_lanes_changes_nothing", "lanes_are_the_same_bits_in_another_place"),
    leaks_trouble: ("bad_lanes_change_no_neighbor",),
    hides_trouble: ("bad_lanes_have_their_own_status",),
    miscounts: ("evaluations_are_budgeted",),
    miscounts_in_batches: ("a_lane_is_its_solo_run", "a_bad_lane_is_what_it_is_alone"),
    overspends: ("iterations_are_budgeted", "no_iterations_evaluate_the_first_point_alone"),
    keeps_a_stale_answer: ("healthy_lanes_are_solved",),
    ignores_tolerances: ("a_tolerance_is_a_lanes_own_and_changes_the_answer",),
    returns_the_last_point: ("a_longer_run_has_no_worse_a_point",),
    wanders_off: ("every_method_lives_through_tough_functions",),
    leaks_from_tough_lanes: ("tough_lanes_leave_their_neighbors_alone",),
    tells_another_value: ("the_value_belongs_to_x",),
    drops_derivatives: ("derivatives_are_those_of_the_closed_form", "derivatives_are_central_differences_of_solves"),
    bends_derivatives: ("second_derivatives_are_those_of_the_closed_form",),
    differentiates_what_failed: ("without_success_no_derivative_and_no_harm_to_others",),
    moves_with_the_start: ("start_and_tolerance_have_no_part_in_the_solution",),
    widens: ("every_float_of_a_result_has_the_dtype_of_x",),
    depends_on_units: ("scaling_by_powers_of_two_changes_no_step",),
    leaves_the_box: ("bounds_are_never_left",),
}
SINGLE = (widens,)  # seen in float32 alone


@functools.cache
def book_of(cheat):
    base = BOXED if cheat is leaves_the_box else BRENT
    run = lambda case, fun, k, options: cheat(k, fun, options)
    return Book(dataclasses.replace(base, run=run), np.float32 if cheat in SINGLE else np.float64)


@pytest.mark.parametrize(
    ("cheat", "name"),
    [pytest.param(cheat, name, id=f"{cheat.__name__}-{name}") for cheat, names in CHEATS.items() for name in names],
)
def test_a_cheat_is_caught(cheat, name):
    with pytest.raises(AssertionError):
        BY_NAME[name].check(book_of(cheat))


class Jitter:
    """Cheats that no single lane shows: a method that traces, compiles or differs from call to call."""

    def __init__(self):
        self.calls = 0

    def forgets_its_programs(self, k, fun, options):
        self.calls += 1
        fresh = lambda x, k, n=self.calls: fun(x, k) + 0.0 * jnp.arange(float(n)).sum()
        return honest(k, fresh, options)

    def differs_under_jit(self, k, fun, options):
        res = honest(k, fun, options)
        inside = isinstance(k.theta, jax.core.Tracer)
        return replaced(res, nit=res.nit + int(inside))


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("forgets_its_programs", "a_second_call_traces_and_compiles_nothing"),
        ("differs_under_jit", "jit_is_eager"),
        ("differs_under_jit", "an_eager_call_is_a_lane"),
    ],
)
def test_a_method_that_changes_from_call_to_call_is_caught(how, name):
    with pytest.raises(AssertionError):
        BY_NAME[name].check(book_of(getattr(Jitter(), how)))


def test_nested_batches_that_mix_their_levels_are_caught():
    """The lanes of one level in the other's order."""
    book = book_of(claims_without_success)
    honest_ones = book.nested
    book.__dict__["nested"] = jax.tree.map(lambda a: a[::-1], honest_ones)
    with pytest.raises(AssertionError):
        BY_NAME["nested_vmap_is_one_batch"].check(book)
    book.__dict__["nested"] = honest_ones


def test_every_law_has_a_cheat_that_it_catches():
    caught = {name for names in CHEATS.values() for name in names}
    caught |= {
        "a_second_call_traces_and_compiles_nothing",
        "jit_is_eager",
        "an_eager_call_is_a_lane",
        "nested_vmap_is_one_batch",
    }
    assert set(BY_NAME) == caught
