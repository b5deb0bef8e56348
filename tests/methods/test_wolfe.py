"""The search alone, on functions of one variable, told its values by hand."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxopt_lite._families.line_search import wolfe
from tests.core.tolerance import DTYPES

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)
judge = jax.jit(wolfe.judge)


class End(NamedTuple):
    """How a search ended."""

    step: float
    fun: float
    slope: float
    accepted: bool
    failed: bool
    turns: int
    steps: list


def search(phi, step, dtype=np.float64, c1=1e-4, c2=0.9, least=1e-14, most=2000):
    """Drive the search on phi(t) -> (value, slope); what is not finite is told as the loop tells it."""
    cast = lambda v: jnp.asarray(v, dtype)
    f0, s0 = map(cast, phi(0.0))
    state, steps = wolfe.start(cast(step), s0), []
    for turn in range(1, most + 1):
        t = float(state.step)
        with np.errstate(all="ignore"):
            f, slope = (dtype(v) for v in phi(t))
        if f == -np.inf:  # the loop ends here
            return End(t, float(f), float(slope), False, False, turn, steps)
        if not (np.isfinite(f) and np.isfinite(slope)):
            f, slope = np.inf, 0.0
        steps.append(t)
        verdict = judge(state, f0, s0, cast(f), cast(slope), cast(least), cast(c1), cast(c2))
        if bool(verdict.accepted) or bool(verdict.failed):
            return End(t, float(f), float(slope), bool(verdict.accepted), bool(verdict.failed), turn, steps)
        state = verdict.search
    raise AssertionError(f"no end after {most} turns; last steps {steps[-5:]}")


def is_acceptable(phi, end, dtype, c1, c2):
    """The strong Wolfe conditions, up to the rounding of f."""
    f0, s0 = (float(dtype(v)) for v in phi(0.0))
    hidden = float(wolfe.noise(jnp.asarray(f0, dtype)))
    rounding = 4 * np.finfo(dtype).eps
    low = end.fun <= f0 + c1 * end.step * s0 + hidden + rounding * abs(f0)
    return low and abs(end.slope) <= c2 * abs(s0) * (1 + rounding)


def more_thuente_1(t, b=2.0):
    return -t / (t * t + b), (t * t - b) / (t * t + b) ** 2


def more_thuente_2(t, b=0.004):
    return (t + b) ** 5 - 2 * (t + b) ** 4, 5 * (t + b) ** 4 - 8 * (t + b) ** 3


def more_thuente_3(t, b=0.01, oscillations=39):
    if t <= 1 - b:
        value, slope = 1 - t, -1.0
    elif t >= 1 + b:
        value, slope = t - 1, 1.0
    else:
        value, slope = (t - 1) ** 2 / (2 * b) + b / 2, (t - 1) / b
    angle = oscillations * math.pi * t / 2
    size = 2 * (1 - b) / (oscillations * math.pi)
    return value + size * math.sin(angle), slope + (1 - b) * math.cos(angle)


def yanai(b1, b2):
    def phi(t):
        gamma = lambda b: math.sqrt(1 + b * b) - b
        left, right = math.hypot(1 - t, b2), math.hypot(t, b1)
        return gamma(b1) * left + gamma(b2) * right, -gamma(b1) * (1 - t) / left + gamma(b2) * t / right

    return phi


# More & Thuente (1994), section 5: the functions with their (mu, eta), which are our (c1, c2).
MORE_THUENTE = {
    "1": (more_thuente_1, 1e-3, 0.1),
    "2": (more_thuente_2, 0.1, 0.1),
    "3": (more_thuente_3, 0.1, 0.1),
    "4": (yanai(1e-3, 1e-3), 1e-3, 1e-3),
    "5": (yanai(1e-2, 1e-3), 1e-3, 1e-3),
    "6": (yanai(1e-3, 1e-2), 1e-3, 1e-3),
}
# Evaluations of the paper's own search, which interpolates values too (tables I to VI), from the four starts.
STARTS = (1e-3, 1e-1, 1e1, 1e3)
THEIRS = {
    "1": (6, 3, 1, 4),
    "2": (12, 8, 8, 11),
    "3": (12, 12, 10, 13),
    "4": (4, 1, 3, 4),
    "5": (6, 3, 7, 8),
    "6": (13, 11, 8, 11),
}


def most_turns(name, start):
    """Three times what the paper took, and a few more: slopes alone say less than slopes and values."""
    return 3 * THEIRS[name][STARTS.index(start)] + 4


@pytest.mark.parametrize("name", MORE_THUENTE)
@pytest.mark.parametrize("start", STARTS)
def test_more_and_thuentes_functions_are_solved_from_near_and_far(name, start):
    phi, c1, c2 = MORE_THUENTE[name]
    end = search(phi, start, c1=c1, c2=c2)
    assert end.accepted
    assert end.step > 0
    assert is_acceptable(phi, end, np.float64, c1, c2)
    assert end.turns <= most_turns(name, start)


@dtypes
@pytest.mark.parametrize("name", MORE_THUENTE)
@pytest.mark.parametrize("start", STARTS)
def test_the_default_numbers_are_easily_met(name, start, dtype):
    phi, *_ = MORE_THUENTE[name]
    end = search(phi, start, dtype, least=1e-6)
    assert end.accepted
    last_resort = end.step in end.steps[:-1]  # the interval is as narrow as the dtype's numbers: its lower end is taken
    assert is_acceptable(phi, end, dtype, 1e-4, 0.9) or (last_resort and end.fun < phi(0.0)[0])
    assert end.turns <= most_turns(name, start)


def test_a_good_first_step_is_taken_at_once():
    end = search(lambda t: ((t - 1) ** 2, 2 * (t - 1)), 1.0)
    assert (end.accepted, end.turns) == (True, 1)


@dtypes
def test_a_quadratic_needs_one_interpolation(dtype):
    """The secant of the slopes of a parabola is exact."""
    for start in (0.1, 0.01, 10.0):
        end = search(lambda t: ((t - 1) ** 2, 2 * (t - 1)), start, dtype, c2=0.1)
        assert end.accepted
        assert end.turns <= 2 + math.ceil(abs(math.log10(start)))


@dtypes
@pytest.mark.parametrize("offset", [1e3, 1e8])
def test_a_decrease_that_drowns_in_rounding_is_accepted_by_its_slope(offset, dtype):
    """offset + t^2 - t / 1e6: all values near 0 round to the same number, the slopes do not."""
    phi = lambda t: (offset + t * t - 1e-6 * t, 2 * t - 1e-6)
    end = search(phi, 1e-9, dtype, least=1e-30)
    assert end.accepted
    assert abs(end.slope) <= 0.9e-6


def step_up(t):
    return (-t if t < 0.3 else 5.0 - t), -1.0


DISCONTINUOUS = {
    "step up": step_up,
    "nan beyond": lambda t: (-t, -1.0) if t < 1e-3 else (np.nan, np.nan),
    "inf beyond": lambda t: (-t, -1.0) if t < 1e-3 else (np.inf, 0.0),
    "nan slope beyond": lambda t: (-t, -1.0) if t < 1e-3 else (-t, np.nan),
    "nan but at the start": lambda t: (1.0, -1.0) if t == 0 else (np.nan, np.nan),
    "rises though the slope falls": lambda t: (1.0 + t, -1.0),
    "constant though the slope falls": lambda t: (1.0, -1.0),
    "kink": lambda t: (abs(t - 0.3), -1.0 if t < 0.3 else 1.0),
    "noise": lambda t: (1.0 - t + (1e-3 * np.sin(1e9 * t)), -1.0 + 0.9 * np.cos(1e5 * t)),
}


@dtypes
@pytest.mark.parametrize("name", DISCONTINUOUS)
@pytest.mark.parametrize("start", [1e-6, 1.0, 1e6])
def test_every_search_ends(name, start, dtype):
    least = 1e-6 if dtype == np.float32 else 1e-12
    end = search(DISCONTINUOUS[name], start, dtype, least=least)
    # Growth by ten to the end of the numbers at most, for what falls for ever; then the interval loses a part each turn.
    growths = math.log10(float(np.finfo(dtype).max)) + 10
    widths = math.log(10 * max(start, 1.0) / least) + math.log(10 / np.finfo(dtype).eps)
    falls = name in ("step up", "noise")
    assert end.turns <= 40 + (growths if falls else 0) + widths / -math.log(1 - wolfe.EDGE)
    if end.accepted:
        assert math.isfinite(end.fun)


@dtypes
def test_a_point_that_nothing_finite_follows_is_given_up_soon(dtype):
    """Bisection down to the rounding of x: a turn a bit."""
    end = search(DISCONTINUOUS["nan but at the start"], 1.0, dtype, least=float(np.finfo(dtype).eps))
    assert end.failed
    assert end.turns <= np.finfo(dtype).nmant + 5


@dtypes
def test_the_edge_of_a_cliff_is_taken_when_it_lies_lower(dtype):
    end = search(step_up, 1.0, dtype, least=1e-6)
    assert end.accepted
    assert end.step == pytest.approx(0.3, abs=1e-5)
    assert end.fun < 0


@dtypes
@pytest.mark.parametrize("phi", [lambda t: (-t, -1.0), lambda t: (-t * t - t, -2 * t - 1)], ids=["linear", "concave"])
def test_without_a_minimum_the_step_grows_to_the_end_of_the_numbers(phi, dtype):
    end = search(phi, 1e-3, dtype)
    assert end.fun <= -0.01 * float(np.finfo(dtype).max)  # minus infinity, or the last number before it
    # the last steps may be cut off by the end of the numbers
    steps = np.array([t for t in end.steps if t < 0.1 * float(np.finfo(dtype).max)])
    growth = steps[1:] / steps[:-1]
    assert np.all(growth >= wolfe.GROWTH_LEAST * (1 - 1e-6))
    assert np.all(growth <= wolfe.GROWTH_MOST * (1 + 1e-6))


@dtypes
def test_a_step_that_overflows_is_the_end(dtype):
    """x0 + x1^2 from (0, 0): infinity times the zero of the direction is NaN, and no value was ever minus infinity."""
    phi = lambda t: (-t, -1.0) if np.isfinite(dtype(t)) else (np.nan, np.nan)
    end = search(phi, 1.0, dtype, most=1000)
    assert end.turns <= 400


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(
    st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), min_size=1, max_size=30),
    st.floats(1e-3, 1e3),
    st.floats(1e-6, 0.4),
    st.floats(0.5, 0.99),
)
def test_whatever_it_is_told_it_ends_and_what_it_accepts_is_acceptable(answers, start, c1, c2):
    told = {}

    def phi(t):
        return (0.0, -1.0) if t == 0 else told.setdefault(t, answers[len(told) % len(answers)])

    end = search(phi, start, c1=c1, c2=c2, least=1e-9)
    assert end.accepted != end.failed
    if end.accepted:
        assert is_acceptable(phi, end, np.float64, c1, c2) or end.fun < 0.0


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.floats(0.1, 10.0), st.floats(0.0, 3.0), st.floats(0.5, 20.0), st.floats(1e-3, 1e3), st.floats(0.1, 0.9))
def test_smooth_functions_that_are_bounded_below_are_always_solved(curvature, wave, frequency, start, c2):
    """A parabola with waves on it, falling at zero."""

    def phi(t):
        angle = frequency * t
        slope = curvature * t - 1.0 - wave * frequency * math.cos(angle)
        return 0.5 * curvature * t * t - t - wave * math.sin(angle), slope

    end = search(phi, start, c1=1e-4, c2=c2)
    assert end.accepted
    assert is_acceptable(phi, end, np.float64, 1e-4, c2)
    assert end.turns <= 60
