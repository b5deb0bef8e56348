"""A call is posed in one place: what its options, its keywords and its row say together."""

from types import MappingProxyType

import jax.numpy as jnp
import pytest

from jaxopt_lite import minimize, root_scalar
from jaxopt_lite.api import methods
from jaxopt_lite.api.pose import pose_minimum, read_settings
from jaxopt_lite.core.batching import Schedule

BFGS = methods.find(methods.MINIMIZE, "BFGS", "minimize")
BRENTQ = methods.find(methods.ROOT_SCALAR, "brentq", "root_scalar")
START = jnp.array([3.0, -1.0])


def square(x):
    return jnp.sum(x * x)


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
def test_options_go_before_keywords(kind):
    settings = read_settings(BFGS, 2, kind({"gtol": 1e-3}), {"gtol": 1e-2, "maxiter": 7})
    assert settings.values["gtol"] == 1e-3
    assert settings.maxiter == 7
    assert settings.maxfev is None


def test_the_default_budget_follows_from_the_size():
    assert read_settings(BFGS, 3, None).maxiter == BFGS.maxiter(3)
    assert read_settings(BFGS, 3, None, size=5).maxiter == BFGS.maxiter(5)


def test_tol_holds_beside_options_that_are_no_dict():
    loose = minimize(square, START, tol=1e9, options=MappingProxyType({"maxiter": 50}))
    assert loose.nit == 0
    assert root_scalar(lambda x: x - 0.3, bracket=(0, 1), xtol=10.0, options=MappingProxyType({})).iterations <= 1


def test_the_options_of_a_call_go_before_the_schedule_of_its_row():
    assert BRENTQ.schedule == Schedule(None, 6, 4096)
    plain = pose_minimum(BRENTQ, square, 1.0)
    asked = pose_minimum(BRENTQ, square, 1.0, options={"lanes": 8, "turns_per_refill": 3})
    assert plain.plan.schedule == Schedule(None, 6, 4096)
    assert asked.plan.schedule == Schedule(8, 3, 4096)


def test_what_the_host_does_is_told_beside_plan_and_call():
    assert not pose_minimum(BFGS, square, START).disp
    posed = pose_minimum(BFGS, square, START, options={"disp": True, "return_all": True})
    assert posed.disp
    assert posed.keep_all


@pytest.mark.parametrize("keyword", ["jac", "hess", "bounds"])
def test_a_keyword_that_a_method_does_not_take_is_refused_by_its_sentence(keyword):
    row = BFGS._replace(takes=frozenset())
    sentences = {keyword: "{keyword} for {method}: {remedy}; {takers}."}
    methods.refuse(row, sentences, methods.MINIMIZE, **{keyword: False})
    with pytest.raises(ValueError, match=f"^{keyword} for BFGS: use one of "):
        methods.refuse(row, sentences, methods.MINIMIZE, **{keyword: True})
    with pytest.raises(ValueError, match="no method of this version does"):
        methods.refuse(row, sentences, (), **{keyword: True})
