"""`show_options` shows every option of every method with what it is for."""

import pytest

from jaxopt_lite import show_options
from jaxopt_lite.api import methods
from jaxopt_lite.core.options import COMMON

ROWS = [
    (door, row)
    for door, table in (("minimize", methods.MINIMIZE), ("minimize_scalar", methods.MINIMIZE_SCALAR))
    for row in table
]


@pytest.mark.parametrize(("door", "row"), ROWS, ids=lambda v: getattr(v, "name", v))
def test_every_option_has_its_line(door, row):
    text = show_options(door, row.name, disp=False)
    lines = text.splitlines()
    assert lines[0] == f"{door}(method={row.name!r})"
    for name, option in (row.options | COMMON).items():
        assert [line for line in lines if line.strip().startswith((f"{name}:", f"{name} [")) and option.doc in line]
    assert len(lines) == 1 + len(row.options | COMMON)


def test_without_a_method_all_are_shown():
    text = show_options(disp=False)
    assert [line for line in text.splitlines() if line.startswith("minimize")] == [
        f"{d}(method={r.name!r})" for d, r in ROWS
    ]
    assert show_options("minimize_scalar", disp=False).startswith("minimize_scalar(method='brent')")


def test_it_prints_unless_told_not_to(capsys):
    assert show_options("minimize", "bfgs") is None
    assert capsys.readouterr().out.strip() == show_options("minimize", "bfgs", disp=False)


def test_a_method_of_any_door_can_be_named():
    assert "xatol" in show_options("minimize_scalar", "BOUNDED", disp=False)


@pytest.mark.parametrize(
    ("solver", "method", "words"),
    [("minimise", None, "unknown solver 'minimise'.*minimize"), ("minimize", "bfg", "unknown method 'bfg'.*BFGS")],
)
def test_unknown_names(solver, method, words):
    with pytest.raises(ValueError, match=words):
        show_options(solver, method)
