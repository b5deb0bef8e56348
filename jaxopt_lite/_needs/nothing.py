"""Nothing: the data of a problem say it all, as those of a linear program do."""

from typing import Any, cast

from jax import Array

from jaxopt_lite.core.function import Function
from jaxopt_lite.core.loop import Operands
from jaxopt_lite.core.oracle import Oracle, Traced
from jaxopt_lite.core.protocol import Answer, Need, Query


def _answer(oracle: Oracle, query: Query, t: Traced) -> Answer:
    return Answer()


def _told(layout: Any, parts: dict[str, Any]) -> Answer:
    return Answer()


def _follow(oracle: Oracle, fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
    return {}


NOTHING = Need("nothing", _answer, _told, parts=(), order=0, follow=_follow, shown=())
NO_FUNCTIONS = Oracle(NOTHING, fun=cast(Function, None)), Traced([], [], [], [], [], [], None, None)
