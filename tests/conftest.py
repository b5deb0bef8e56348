"""Strict settings for every test: float64, no implicit promotion of dtypes or ranks, fixed seeds.

XLA's backend does little of its work here, so that programs compile in a quarter of the time. With JAXOPT_LITE_FLAGS=users
it does what it does for users: `make test` runs the laws so in one dtype. Tracing makes millions of Python's objects, which
live long: its garbage collector looks at them seldom.
"""

import gc
import os
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from xdist.scheduler import LoadScopeScheduling

MAPS = Path("/proc/self/maps")  # Linux alone
MOST = 40_000  # of the 65,530 memory maps that a process may have; a compiled program takes some 130
EVERY = 20  # tests between two looks
FAST = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
SELDOM = (50_000, 20, 50)  # allocations, and collections of the younger generation, between two collections: 700, 10, 10
LIBRARY = ("test_never_worse_than_start", "test_success_is_true")  # one program each problem group and row
BY_ROW = ("test_laws", "test_laws_can_fail", "test_audit")  # minutes each: a row shares one book, or one program
_count = pytest.StashKey[int]()

if os.environ.get("JAXOPT_LITE_FLAGS") != "users":
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FAST}"  # read when the first array is made

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20261121)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported and collected stays to the end: the garbage collector need not look at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Drop compiled programs before the process has too many memory maps, which kills it in the middle of a compilation."""
    stash = item.session.stash
    stash[_count] = stash.get(_count, 0) + 1
    if stash[_count] % EVERY == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MOST:
        jax.clear_caches()


class TogetherByWhatTheyShare(LoadScopeScheduling):
    """A file's tests run in one process, which compiles once what they share; of the largest files, the tests of a row."""

    def _split_scope(self, nodeid: str) -> str:
        if any(name in nodeid for name in LIBRARY):
            return "library"
        shared = re.search(r"(test_\w+)\.py::test_\w+\[(.+?-float\d\d|[^\]]*)", nodeid)
        if shared is None or shared.group(1) not in BY_ROW:
            return nodeid.split("::")[0]
        return " ".join(shared.groups())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What falls into small groups comes last, so that all processes end together."""
    items.sort(key=lambda item: item.path.stem in BY_ROW)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> TogetherByWhatTheyShare:
    """(xdist's own groups are not seen under pytest 9.2.)"""
    config.option.loadscopereorder = False
    return TogetherByWhatTheyShare(config, log)
