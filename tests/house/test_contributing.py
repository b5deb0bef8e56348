"""The example of CONTRIBUTING.md runs as it is printed there."""

import re
from pathlib import Path

import numpy as np

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_the_method_of_your_own_solves_a_batch_and_has_derivatives():
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.M | re.S)
    names: dict = {}
    exec(code, names)
    batch = names["batch"]
    assert np.all(batch.success)
    assert np.all(batch.status == 0)
    np.testing.assert_allclose(batch.x, 1.0 + np.linspace(0, 1, 100)[:, None] * np.ones(2), atol=1e-3)
    np.testing.assert_allclose(names["slopes"], 1.0, atol=1e-3)
    kinds = {"State", "init", "ask", "tell", "report", "METHOD", "ROW"}
    assert kinds <= set(names)
