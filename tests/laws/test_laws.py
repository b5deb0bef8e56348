"""Every law for every row of every door, in both dtypes."""

import numpy as np
import pytest

from jaxopt_lite.api import methods
from tests.laws.book import book
from tests.laws.cases import DTYPES, ROWS
from tests.laws.laws import LAWS
from tests.laws.table import PAGE, page

CASES = [
    pytest.param(case, dtype, law, id=f"{case.name}-{dtype.__name__}-{law.name}")
    for case in ROWS
    for dtype in DTYPES
    for law in LAWS
    if law.holds_over(case, dtype)
]


@pytest.mark.parametrize(("case", "dtype", "law"), CASES)
def test_law(case, dtype, law):
    law.check(book(case, np.dtype(dtype)))


def test_every_row_of_every_door_stands_under_the_laws():
    """Whoever adds a method to a table adds a row here."""
    tables = {
        "minimize": methods.MINIMIZE,
        "minimize_scalar": methods.MINIMIZE_SCALAR,
        "root_scalar": methods.ROOT_SCALAR,
        "least_squares": methods.LEAST_SQUARES,
        "linprog": methods.LINPROG,
        "quadprog": methods.QUADPROG,
    }
    assert {name for name in vars(methods) if name.isupper() and not name.startswith("_")} == {
        *map(str.upper, tables),
        "UNLIMITED",
    }
    under = {(case.door, case.name.split(" in ")[0]) for case in ROWS}
    assert {(door, row.name) for door, table in tables.items() for row in table} == under


def test_names_of_the_rows_are_unique():
    assert len({case.name for case in ROWS}) == len(ROWS)


def test_the_table_is_what_the_code_says():
    """Else: `python -m tests.laws`."""
    assert PAGE.read_text() == page()
