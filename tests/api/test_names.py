"""The names at the top: the version, the statuses, and what a name of SciPy's that is not here answers."""

import importlib.metadata

import jax
import jax.numpy as jnp
import pytest
import scipy.optimize

import jaxopt_lite
from jaxopt_lite import Status, minimize
from jaxopt_lite.api.absent import INSTEAD
from jaxopt_lite.core import status

ABSENT = sorted(set(scipy.optimize.__all__) - set(jaxopt_lite.__all__))


@pytest.mark.parametrize("name", ABSENT)
def test_every_other_name_of_scipy_says_what_to_use(name):
    with pytest.raises(AttributeError, match=f"^jaxopt_lite has no {name!r}; .+[^.]\\.$"):
        getattr(jaxopt_lite, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fmin_bfgs", r"use minimize\(fun, x0, method='BFGS'\)"),
        ("leastsq", r"use least_squares\(fun, x0, method='lm'\)"),
        ("brentq", r"use root_scalar\(f, bracket=\(a, b\), method='brentq'\)"),
        ("line_search", "part of the methods BFGS"),
        ("root", "not here yet.*least_squares.*root_scalar"),
        ("milp", "linprog.*integrality.*'highs'"),
        ("differential_evolution", "not here yet.*minimize from many starts"),
    ],
)
def test_the_sentence_names_the_nearest(name, words):
    with pytest.raises(AttributeError, match=words):
        getattr(jaxopt_lite, name)


@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_what_is_here_is_not_said_to_be_missing(name):
    assert name not in jaxopt_lite.__all__
    assert not hasattr(jaxopt_lite, name)


def test_an_unknown_name_is_answered_as_python_does_with_the_nearest_name():
    with pytest.raises(AttributeError, match=r"has no attribute 'minimise'\. Did you mean 'minimize'"):
        jaxopt_lite.minimise  # noqa: B018
    with pytest.raises(AttributeError, match=r"has no attribute '__wrapped__'$"):
        jaxopt_lite.__wrapped__  # noqa: B018


def test_families_are_no_public_names():
    assert not {"line_search", "bounded", "scalar", "lsq", "linear"} & set(dir(jaxopt_lite))


def test_the_version_is_that_of_the_distribution():
    assert jaxopt_lite.__version__ == importlib.metadata.version("jaxopt_lite")


def test_statuses_have_names_and_sentences():
    assert {int(member) for member in Status} == set(status.MESSAGES)
    for member in Status:
        constant = getattr(status, member.name)
        assert type(constant) is int
        assert constant == member


def test_a_status_of_a_batch_is_compared_by_name():
    batch = jax.jit(jax.vmap(lambda a: minimize(lambda x: (x - a) ** 2, jnp.zeros(())).status == Status.CONVERGED))
    assert bool(jnp.all(batch(jnp.arange(3.0))))
