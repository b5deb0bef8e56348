"""The guard on figures: what is a loss, and what is noise."""

import json

import pytest

from benchmarks.gate import FIGURES, Found, is_loss, report

TIME = {"value": 1.0, "direction": "lower", "tolerance": 0.05}
COUNT = {"value": 49, "direction": "higher", "tolerance": 0}


@pytest.mark.parametrize(
    ("now", "was", "lost"),
    [
        (Found(1.2, 1.1), TIME, True),
        (Found(1.2, 1.0), TIME, False),  # in a quarter of the rounds nothing was lost: noise
        (Found(1.04, 1.03), TIME, False),
        (Found(0.7, 0.6), TIME, False),
        (Found(48, 48), COUNT, True),
        (Found(49, 49), COUNT, False),
        (Found(50, 50), COUNT, False),
    ],
)
def test_a_loss_is_beyond_its_tolerance_and_beyond_noise(now, was, lost):
    assert is_loss(now, was) is lost


def test_a_loss_is_an_exit_status_of_one(capsys):
    assert report({"time: a": Found(1.0, 1.0), "solved: b": Found(48, 48)}, {"time: a": TIME, "solved: b": COUNT}) == 1
    assert "LOSS" in capsys.readouterr().out
    assert report({"time: a": Found(1.0, 1.0)}, {"time: a": TIME}) == 0


def test_every_figure_of_the_file_says_what_is_better_and_what_is_noise():
    figures = json.loads(FIGURES.read_text())
    assert figures
    for figure in figures.values():
        assert set(figure) == {"value", "direction", "tolerance"}
        assert figure["direction"] in ("lower", "higher")
