"""Strict settings for every test: float64, no implicit promotion of dtypes or ranks, fixed seeds."""

from pathlib import Path

import jax
import numpy as np
import pytest

MAPS = Path("/proc/self/maps")  # Linux alone
MOST = 40_000  # of the 65,530 memory maps that a process may have; a compiled program takes some 130
EVERY = 20  # tests between two looks
_count = pytest.StashKey[int]()

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20261121)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Drop compiled programs before the process has too many memory maps, which kills it in the middle of a compilation."""
    stash = item.session.stash
    stash[_count] = stash.get(_count, 0) + 1
    if stash[_count] % EVERY == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST:
        jax.clear_caches()
