"""Law 4 over random problems: thousands of lanes a row, each claim judged by code that shares nothing with the package.

`python -m tests.audit` runs the same with more lanes and other seeds, and shows what it finds. What is dear to compile is
dealt out here: of the minima each row has the functions of two variables in one dtype, those of four in the other; under
constraints it has equations in one, inequalities in the other; of the fits each row and dtype has another sixth of the
families. The slow test has all.
"""

import numpy as np
import pytest

from tests.audit import constrained, fits, linear, minima, quadratic, roots, scalar
from tests.laws.cases import ROWS

SEED = 15
LANES = {
    minima: 64,
    scalar: 200,
    roots: 160,
    fits: 300,
    linear: 50,
    quadratic: 200,
    constrained: 44,
}  # of a family; of boxes, which have fewer, twice as many
PARTS = {minima: 2, fits: 6, constrained: 2}
AUDITED = [(part, row, dtype) for part in LANES for row in part.ROWS for dtype in ("float32", "float64")]
NAMES = [f"{row}-{dtype}" for _, row, dtype in AUDITED]


def no_claim_is_false(door, row, dtype, lanes, **dealt):
    false, claims = [], 0
    for family, outcome in door.audit(row, lanes, dtype, SEED, **dealt).items():
        claims += int(outcome.claimed.sum())
        false += [f"{family}: {outcome.show(int(i))}" for i in np.flatnonzero(outcome.false)[:3]]
    assert claims > 500
    assert not false, "\n".join(false)


@pytest.mark.parametrize(("part", "row", "dtype"), AUDITED, ids=NAMES)
def test_no_claim_is_false(part, row, dtype):
    lanes = LANES[part] * (2 if row.endswith(minima.BOX) else 1)
    turn = part.ROWS.index(row) + (dtype == "float64") * (len(part.ROWS) if len(part.ROWS) % 2 else 1)
    dealt = {"part": (turn % PARTS[part], PARTS[part])} if part in PARTS and not row.endswith(minima.BOX) else {}
    no_claim_is_false(part, row, dtype, lanes, **dealt)


@pytest.mark.slow
@pytest.mark.parametrize(("part", "row", "dtype"), AUDITED, ids=NAMES)
def test_no_claim_of_any_family_is_false(part, row, dtype):
    no_claim_is_false(part, row, dtype, LANES[part])


def test_every_row_is_audited():
    """Whoever adds a row adds it to the part of the audit for its door."""
    short = lambda name: name.replace(" in a box", minima.BOX).replace(" in a bracket", roots.IN_BRACKET)
    bare = lambda name: next((row for row in constrained.ROWS if name.startswith(row)), name)  # it has rows and bounds
    assert {short(bare(case.name)) for case in ROWS} <= {row for _, row, _ in AUDITED}
