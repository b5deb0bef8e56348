"""The laws of lanes: functions that read a book and raise where a row breaks its promise. They compile next to nothing.

Each takes a `Book` and is named after what it protects; `of` says for which rows it has a meaning. `README.md` here lists
them, made by `python -m tests.laws`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from tests import tolerances
from tests.laws.book import CUT, SOLO, TOUGH_EVALUATIONS, USERS_FLAGS, WEIGHTS, Book, stacked, take
from tests.laws.case import Case
from tests.laws.cases import SIDE
from tests.laws.objective import (
    AMPLITUDE,
    GOOD,
    LOW,
    NAMES,
    NOISE,
    QUANTIZED,
    SIX_DIGITS,
    SOME_INF,
    SOME_LOW,
    SOME_NAN,
    TOUGH,
    outer,
)

SOLVED = "plain", "reordered", "moved", "larger", "smaller", "huge", "tiny", "lifted", "lowered", "permuted", "sheared"


class Law(NamedTuple):
    """A promise and how it is held."""

    number: str  # of the plan's list
    name: str
    check: Callable[[Book], None]
    of: Callable[[Case], bool]
    of_programs: bool  # is it a matter of how XLA compiles? Then it is read once more under the flags that users get
    double_alone: bool  # is there something to see in float64 alone?

    def holds_over(self, case: Case, dtype: Any) -> bool:
        """Does this row stand under this law in this dtype, and this time?"""
        seen = not self.double_alone or np.dtype(dtype) == np.float64
        return self.of(case) and seen and (self.of_programs or not USERS_FLAGS)


LAWS: list[Law] = []


def law(
    number: str, of: Callable[[Case], bool] = lambda case: True, programs: bool = False, double: bool = False
) -> Callable[[Callable], Callable]:
    """Enter a law."""

    def enter(check: Callable[[Book], None]) -> Callable[[Book], None]:
        LAWS.append(Law(number, check.__name__, check, of, programs, double))
        return check

    return enter


# --- what laws have in common -----------------------------------------------------------------------------------------


def lanes_of(book: Book, *names: str) -> np.ndarray:
    """The lanes of the sections whose names start so."""
    none = np.zeros(0, int)
    return np.concatenate([none, *(at for name, at in book.page.at.items() if name.startswith(names))])


def value(book: Book, res: Any) -> np.ndarray:
    """What the row ranks, and what is least."""
    return book.case.rank(np.asarray(book.case.value(res)))


def solution(book: Book, lanes: np.ndarray) -> np.ndarray:
    """The known answers of healthy lanes."""
    k = take(book.page.knobs, lanes)
    return outer(book.case.solution(k.theta.astype(np.float64)), k)


def far(book: Book, x: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(lanes,): the largest distance of a variable."""
    return np.max(np.abs(x - wanted).reshape(len(x), -1), axis=1)


def same(book: Book, got: Any, wanted: Any, scale: Any = 1.0, forks: bool = True) -> None:
    """Counts and statuses are equal, x and what is least are so to the rounding of another compilation.

    Where the row says that rounding may choose another path, in so many lanes success and the solution alone are the same.
    Values of `scale` 1 are compared.
    """
    tolerance = tolerances.same_run(book.dtype)
    share = book.case.share_that_forks(book.dtype) if forks else 0.0  # not of lanes of one program
    counts = ["status", "nit"] + ["nfev"] * book.case.evaluates
    differs = np.any([np.asarray(got[c]) != np.asarray(wanted[c]) for c in counts], axis=0)
    total = len(np.asarray(wanted.status))
    for a, b in ((got.x, wanted.x), (book.case.value(got) / scale, book.case.value(wanted) / scale)):
        close = np.isclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
        differs |= ~np.all(close.reshape(total, -1), axis=1)
    allowed = share * total + 3 * (share * total) ** 0.5
    assert differs.sum() <= allowed, f"{differs.sum()} of {total} lanes differ, the first: {_first(differs, got, wanted)}"
    decided = np.ones(total, bool)
    if share and book.case.forks_at_the_budget:
        decided = (np.asarray(got.status) != 1) & (np.asarray(wanted.status) != 1)
    success = (np.asarray(res.success)[decided] for res in (got, wanted))
    np.testing.assert_array_equal(*success)  # and success is true, by the law of that name


def _first(differs: np.ndarray, got: Any, wanted: Any) -> str:
    i = int(np.argmax(differs))
    of = lambda r: " ".join(f"{n}={np.asarray(r[n])[i]}" for n in ("status", "nit", "nfev", "x") if r[n] is not None)
    return f"lane {i}: {of(got)}; {of(wanted)}"


# --- 1: trace once; 2: vmap is the loop; 12: jit is eager --------------------------------------------------------------


@law("1")
def a_second_call_traces_and_compiles_nothing(book: Book) -> None:
    """But what decides claims, once, when an eager call is the first that claims anything: seen in float32 alone."""
    claims = int(book.case.certified and book.dtype == np.float32)
    for (_, traces, compiled), first_claim in ((book.alone, claims), (book.jitted, 0)):
        assert traces == 0
        assert compiled[0] <= first_claim
        assert compiled[1] == 0


@law("2", programs=True)
def a_lane_is_its_solo_run(book: Book) -> None:
    """Refilled, in lockstep, at the package's width: as one after the other."""
    lanes = np.setdiff1d(np.arange(len(book.page.twin)), lanes_of(book, "theta"))
    for got in book.batches:
        same(book, take(got, lanes), take(book.loop, lanes), book.page.knobs.scale[lanes])


@law("2", programs=True)
def an_eager_call_is_a_lane(book: Book) -> None:
    same(book, stacked(book.alone[0]), take(book.loop, np.arange(SOLO)))


@law("2", programs=True)
def the_order_of_lanes_changes_nothing(book: Book) -> None:
    at = book.page.at["reordered"]
    for res in book.batches:
        same(book, take(res, at), take(res, book.page.twin[at]))


@law("2", programs=True)
def lanes_are_the_same_bits_in_another_place(book: Book) -> None:
    """One program, the same width, another slot and other neighbors."""
    at = book.page.at["reordered"]
    x = np.asarray(book.refilled.x)
    np.testing.assert_array_equal(x[at], x[book.page.twin[at]])


@law("2")
def nested_vmap_is_one_batch(book: Book) -> None:
    """Operands of the inner level alone, of the outer one alone, and of none."""
    assert book.nested.x.shape == (5, 3, *book.case.shape)
    same(book, jax.tree.map(lambda a: a.reshape(15, *a.shape[2:]), book.nested), book.flat)


@law("12")
def jit_is_eager(book: Book) -> None:
    eager, jitted = book.alone[0], book.jitted[0]
    assert eager[0].keys() == jitted[0].keys()
    kind = lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype)
    assert jax.tree.all(jax.tree.map(kind, eager[0], jitted[0]))
    assert [res.message for res in eager] == [res.message for res in jitted]
    same(book, stacked(jitted), stacked(eager))


# --- 3: lanes are strangers ---------------------------------------------------------------------------------------------


@law("3", programs=True)
def bad_lanes_have_their_own_status(book: Book) -> None:
    wanted = {f"poison {kind}": status for kind, status in book.case.poison.items()}
    wanted |= {"no start": book.case.bad_start_status, "cut": 1}
    for res in (*book.batches, book.loop):
        for name, status in wanted.items():
            if name in book.page.at:
                np.testing.assert_array_equal(book.page.of(name, res).status, status, err_msg=name)


@law("3", programs=True)
def bad_lanes_change_no_neighbor(book: Book) -> None:
    """Noisy ones, spiked ones and those without a function are beside the healthy ones, or are not."""
    healthy = np.setdiff1d(np.arange(len(book.page.twin)), book.bad)
    same(book, take(book.refilled, healthy), take(book.clean, healthy), book.page.knobs.scale[healthy], forks=False)
    for name in ("status", "nit", "x") if not USERS_FLAGS else ():
        got, wanted = (np.asarray(res[name])[healthy] for res in (book.lockstep, book.clean_lockstep))
        np.testing.assert_array_equal(got, wanted, err_msg=name)


@law("3")
def a_bad_lane_is_what_it_is_alone(book: Book) -> None:
    for name, alone in book.poisoned_alone.items():
        lane = take(book.refilled, book.page.at[name][0])
        counts = ["status", "nit"] + ["nfev"] * book.case.evaluates
        assert [int(lane[c]) for c in counts] == [int(alone[c]) for c in counts], name
        tolerance = tolerances.same_run(book.dtype)
        np.testing.assert_allclose(lane.x, alone.x, rtol=tolerance, atol=tolerance, err_msg=name)


# --- 4: success is true; 5: never worse than the start -----------------------------------------------------------------


@law("4", programs=True)
def healthy_lanes_are_solved(book: Book) -> None:
    """Whatever their shift, scale, offset and order; against the closed form."""
    for name in (n for n in book.page.at if n.startswith(SOLVED)):
        lanes = book.page.at[name]
        res = take(book.refilled, lanes)
        assert np.all(res.success), (name, res.status)
        assert np.all(far(book, res.x, solution(book, lanes)) <= _error(book, take(book.page.knobs, lanes))), name


def _error(book: Book, k: Any) -> np.ndarray:
    """Of x, that the tolerance and an offset that takes digits of f permit."""
    lost = 8 * (2 * tolerances.value_noise(book.dtype, 1.0) * np.abs(k.offset.astype(float)) / k.scale) ** 0.5
    tol = k.tol.astype(float) / (k.scale if book.case.scales_tol else 1.0)
    asked = np.array([book.case.error(book.dtype, t) for t in tol])
    return 8 * asked + lost


@law("4", programs=True)
def success_is_true(book: Book) -> None:
    """Of every lane of the page, however short its budget and loose its tolerance."""
    every = np.setdiff1d(np.arange(len(book.page.twin)), lanes_of(book, "poison"))
    for res in (*book.batches, book.loop):
        np.testing.assert_array_equal(res.success, np.isin(res.status, (0, 8)))
        lanes = every[np.asarray(res.success)[every]]
        distance = far(book, np.asarray(res.x)[lanes], solution(book, lanes))
        allowed = _error(book, take(book.page.knobs, lanes))
        assert np.all(distance <= allowed), np.max(distance / allowed)


@law("5", of=lambda case: case.evaluates, programs=True)
def a_longer_run_has_no_worse_a_point(book: Book) -> None:
    """What is returned is the best that was seen, the first point among it; two lanes, cut after 1, 2, ... evaluations."""
    cut = value(book, book.page.of("evaluations", book.refilled)).reshape(2, -1)
    noise = 4 * tolerances.value_noise(book.dtype, 1.0) * np.abs(cut[:, :1])
    assert np.all(np.diff(cut, axis=1) <= noise)
    assert np.all(np.isfinite(book.page.of("evaluations", book.refilled).x))


@law("5", programs=True)
def the_value_belongs_to_x(book: Book) -> None:
    """Evaluated again at the point that is returned, of every lane that has one, the slope as well where it is returned."""
    lanes = np.setdiff1d(np.arange(len(book.page.twin)), lanes_of(book, "poison", "no start"))
    if not book.case.evaluates:
        lanes = np.setdiff1d(lanes, lanes_of(book, "moved"))  # c'x is not what the model's point costs
    k, res = take(book.page.knobs, lanes), take(book.refilled, lanes)
    measured = lambda x, k: book.case.measure(book.fun(x, k))
    again, slope = jax.jit(jax.vmap(jax.value_and_grad(measured)))(res.x, k)
    noise = tolerances.same_value(book.dtype)
    finite = np.isfinite(np.asarray(again))
    size = np.abs(k.scale) + np.abs(k.offset)
    found = np.asarray(book.case.value(res))
    assert np.all((np.abs(found - again) <= noise * (np.abs(again) + size))[finite])
    shape = np.shape(res.jac) if res.get("jac") is not None else ()
    if shape == np.shape(slope):
        apart, steep = (np.abs(v).reshape(len(lanes), -1).max(1)[finite] for v in (res.jac - slope, slope))
        assert np.all(apart <= noise * (steep + 100 * size[finite]))


# --- 6: budgets and counts; 7: dtypes ------------------------------------------------------------------------------------


@law("6", of=lambda case: case.evaluates, programs=True)
def evaluations_are_budgeted(book: Book) -> None:
    for res in book.batches:
        cut, k = book.page.of("evaluations", res), book.page.of("evaluations", book.page.knobs)
        free = take(res, book.page.twin[book.page.at["evaluations"]])
        most = np.maximum(k.maxfev, book.case.least)
        np.testing.assert_array_equal(cut.nfev, np.minimum(most, free.nfev))
        np.testing.assert_array_equal(cut.status, np.where(most < free.nfev, 1, free.status))
        nit = cut.nit.reshape(2, -1)
        assert np.all(np.diff(nit, axis=1) >= 0)
        assert np.all(cut.nit <= cut.nfev)


@law("6", programs=True)
def iterations_are_budgeted(book: Book) -> None:
    for res in book.batches:
        cut, k = book.page.of("iterations", res), book.page.of("iterations", book.page.knobs)
        free = take(res, book.page.twin[book.page.at["iterations"]])
        assert np.all(cut.nit <= k.maxiter)
        ended = np.where(free.nit > k.maxiter, 1, free.status)
        between = book.case.ends_between & (free.nit == k.maxiter) & (cut.status == 1)
        np.testing.assert_array_equal(np.where(between, 1, ended), cut.status)
        if book.case.evaluates:
            np.testing.assert_array_equal(cut.nfev[k.maxiter == 0], book.case.least)


@law("6", of=lambda case: case.first_point is not None)
def no_iterations_evaluate_the_first_point_alone(book: Book) -> None:
    k = book.page.of("iterations", book.page.knobs)
    cut, none = book.page.of("iterations", book.refilled), k.maxiter == 0
    wanted = np.stack([book.case.first_point(start) for start in k.start[none]])
    np.testing.assert_allclose(cut.x[none].reshape(wanted.shape), wanted, rtol=tolerances.same_value(book.dtype))


@law("7")
def every_float_of_a_result_has_the_dtype_of_x(book: Book) -> None:
    for res, lead in ((book.alone[0][0], ()), (book.wide, (len(book.page.twin),)), (book.nested, (5, 3))):
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(res)]
        assert {leaf.dtype for leaf in leaves if leaf.dtype.kind == "f"} == {book.dtype}
        assert {leaf.dtype for leaf in leaves if leaf.dtype.kind == "i"} == {np.dtype(np.int32)}
        assert all(leaf.shape[: len(lead)] == lead for leaf in leaves)
        assert res.x.shape == (*lead, *book.case.shape)
        assert res.status.shape == res.nit.shape == lead


# --- 9: invariance; 10: tolerances -----------------------------------------------------------------------------------


@law("9")
def scaling_by_powers_of_two_changes_no_step(book: Book) -> None:
    """The first step of a minimizer that sees slopes has unit length, but only from slopes longer than that."""
    for name in ("larger", "smaller") if book.case.learns_scale else ("larger",):
        at = book.page.at[name]
        got, wanted = take(book.lockstep, at), take(book.lockstep, book.page.twin[at])
        counts = ["status", "nit"] + ["nfev"] * book.case.evaluates
        assert all(np.array_equal(got[c], wanted[c]) for c in counts), name
        tolerance = tolerances.same_run(book.dtype)
        np.testing.assert_allclose(got.x, wanted.x, rtol=tolerance, atol=tolerance)


@law("9", of=lambda case: case.name.endswith(" in a box"), programs=True)
def bounds_are_never_left(book: Book) -> None:
    """By no lane, and half of them end there; exactly."""
    k = book.page.knobs
    upper = k.shift + book.dtype.type(SIDE)
    first = np.take_along_axis(np.asarray(book.refilled.x), k.order[:, :1], 1)[:, 0]
    assert np.all((first <= upper) | np.isnan(k.start).any(1))
    held = (first == upper)[book.page.at["plain"]]
    assert 0.2 < held.mean() < 0.8


@law("10", of=lambda case: case.approaches, programs=True)
def a_tolerance_is_a_lanes_own_and_changes_the_answer(book: Book) -> None:
    rows = [take(book.refilled, at) for name, at in book.page.at.items() if name.startswith("tolerance")]
    # without sides, what a method with exact curvature leaves undone takes as many looks, and ends at the same bits
    newton = book.case.looks_after and book.case.with_hessian and book.case.mixes
    effort = [(res.nfev if book.case.evaluates and not newton else res.nit).sum() for res in rows]
    assert effort == sorted(effort)
    assert effort[0] < effort[-1]
    assert newton or not np.array_equal(rows[0].x, rows[-1].x)
    assert all(np.all(res.success) for res in rows)


# --- 8: derivatives of solutions --------------------------------------------------------------------------------------


def _closed_form(book: Book) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the four plain lanes: dx / dtheta, d value / dtheta and the second derivatives of the total, from the solution."""
    theta, h = book.derivative_lanes.theta[:4].astype(np.float64), 1e-4
    w = WEIGHTS[: max(1, book.derivative_lanes.order.shape[1])]
    measure = jax.vmap(lambda y, t: book.case.measure(book.case.model(y, t)) + book.lifted(t))

    def both(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = book.case.solution(theta)
        return y, np.asarray(measure(y, theta))

    def total(theta: np.ndarray) -> np.ndarray:
        y, least = both(theta)
        return np.sum(w * np.sin(y.reshape(4, -1)), 1) + least

    step = h * np.eye(2)
    sides = [(both(theta + e), both(theta - e)) for e in step]
    dx = np.stack([(up[0] - down[0]) / (2 * h) for up, down in sides], -1)
    dvalue = np.stack([(up[1] - down[1]) / (2 * h) for up, down in sides], -1)
    mixed = lambda e, f: total(theta + e + f) - total(theta + e - f) - total(theta - e + f) + total(theta - e - f)
    second = np.stack([np.stack([mixed(e, f) / (4 * h * h) for f in step], -1) for e in step], -2)
    return dx, dvalue, second


@law("8")
def derivatives_are_those_of_the_closed_form(book: Book) -> None:
    """Forward and reverse, of x and of the least value (the envelope theorem), in a batch."""
    dx, dvalue, _ = _closed_form(book)
    found, tolerance = take(book.derivatives, np.arange(4)), tolerances.derivative(book.dtype)
    for mode in (found["forward"], {name: of[0] for name, of in found["reverse"].items()}):
        np.testing.assert_allclose(mode["x"], dx, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(mode["value"], dvalue, rtol=tolerance, atol=tolerance)


@law("8", double=True)
def derivatives_are_central_differences_of_solves(book: Book) -> None:
    x = lambda name: np.asarray(book.page.of(name, book.refilled).x)
    step, tolerance = tolerances.central_difference(book.dtype, book.case.known)
    differences = np.stack([(x(f"theta {i} +1") - x(f"theta {i} -1")) / (2 * step) for i in range(2)], -1)
    np.testing.assert_allclose(book.derivatives["forward"]["x"][:4], differences, rtol=tolerance, atol=tolerance)


@law("8", double=True)
def second_derivatives_are_those_of_the_closed_form(book: Book) -> None:
    """Forward over reverse, and reverse over forward."""
    _, _, second = _closed_form(book)
    tolerance = min(1e-4, tolerances.central_difference(book.dtype, book.case.known)[1])
    for mode in ("hessian", "backward"):
        np.testing.assert_allclose(book.derivatives[mode][:4], second, rtol=tolerance, atol=tolerance, err_msg=mode)


@law("8")
def without_success_no_derivative_and_no_harm_to_others(book: Book) -> None:
    """The lanes that were cut, or had no function, are NaN in every mode."""
    found = book.derivatives
    for mode in (found["forward"], {name: of[0] for name, of in found["reverse"].items()}):
        for of in mode.values():
            bad = np.isnan(np.asarray(of).reshape(len(of), -1))
            assert np.all(bad[4:].any(1)), CUT
            assert not bad[:4].any()


@law("8")
def start_and_tolerance_have_no_part_in_the_solution(book: Book) -> None:
    for of in book.derivatives["reverse"].values():
        for part in of[1:]:
            np.testing.assert_array_equal(np.asarray(part)[:4], 0.0)


# --- tough ---------------------------------------------------------------------------------------------------------------


@law("tough", of=lambda case: case.evaluates)
def every_method_lives_through_tough_functions(book: Book) -> None:
    """It ends within its budget, with the best point that it saw, no worse than the first."""
    for kind in TOUGH:
        at = book.tough_page.at[str(kind)]
        res = take(book.rough, at)
        assert np.all(np.isin(res.status, (0, 1, 3, 4, 5, 8))), NAMES[kind]
        assert np.all(res.nfev <= TOUGH_EVALUATIONS), NAMES[kind]
        assert np.all(np.isfinite(res.x)), NAMES[kind]
        if book.case.first_point is not None and kind != SOME_LOW:
            _no_worse_than_the_first(book, take(book.tough_page.knobs, at), res)


def _no_worse_than_the_first(book: Book, k: Any, res: Any) -> None:
    start = np.stack([book.case.first_point(s) for s in k.start]).reshape(np.shape(res.x)).astype(book.dtype)
    measured = jax.jit(jax.vmap(lambda x, k: book.case.measure(book.rough_fun(x, k))))
    first, last = (book.case.rank(np.asarray(measured(x, k))) for x in (start, res.x))
    known = np.isfinite(first)
    assert np.all((last <= first + tolerances.value_noise(book.dtype, 1.0) * (1 + np.abs(first)))[known])


@law("tough", of=lambda case: case.evaluates)
def nothing_false_is_claimed_of_tough_functions(book: Book) -> None:
    """A claim is near the answer of the smooth function, as near as values of such roughness tell."""
    for kind in TOUGH:
        at = book.tough_page.at[str(kind)]
        res, k = take(book.rough, at), take(book.tough_page.knobs, at)
        claims = np.asarray(res.success)
        if kind in (SOME_NAN, SOME_INF) and not book.case.sloped and book.case.lift:
            continue  # values alone do not tell such a hole from the edge of a function, which is a minimum (docs/design.md)
        if kind == SOME_LOW:  # a spike is the least that was seen, and flat; it changes the sign everywhere
            claims = claims & (np.abs(book.case.value(res)) < -LOW / 2) & (not book.case.claims_of_jumps)
        # values alone see no slope that changes them by less than their roughness over the distance that was asked for
        told = kind in (NOISE, SIX_DIGITS, QUANTIZED) and not book.case.sloped
        rough = 8 * AMPLITUDE**0.5 + 2 * AMPLITUDE / book.tol if told else 0.0
        distance = far(book, np.asarray(res.x), outer(book.case.solution(k.theta.astype(np.float64)), k))
        wrong = claims & (distance > _error(book, k) + rough)
        assert not wrong.any(), f"{NAMES[kind]}: {wrong.sum()} of {claims.sum()}, {distance[wrong].max()} away"


@law("tough", of=lambda case: case.evaluates)
def tough_lanes_leave_their_neighbors_alone(book: Book) -> None:
    at = book.tough_page.at[str(GOOD)]
    same(book, take(book.rough, at), take(book.smooth, at), forks=False)
    assert np.all(book.smooth.success)
