"""A run by hand: the same method through the stepping interface, every evaluation recorded."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite import OptimizeResult
from jaxopt_lite._needs.values import direction
from tests.laws.case import host
from tests.laws.cases import Case


class Driven(NamedTuple):
    """What was seen."""

    points: list[np.ndarray]
    values: list[float]
    result: OptimizeResult


@functools.cache
def _evaluator(case: Case):
    if case.with_product:
        return jax.jit(lambda at, theta: _with_product(lambda x: case.model(x, theta), *at, case.of_slope))
    if case.with_hessian and case.with_rows:  # asked at a point with multipliers, of which there are none
        with_slope = lambda x, theta: jax.value_and_grad(case.model)(x, theta)
        bend = lambda x, theta: jax.hessian(case.model)(x, theta)
        return jax.jit(lambda at, theta: (*with_slope(at[0], theta), *_no_rows(at[0]), bend(at[0], theta)))
    if case.with_hessian:
        return jax.jit(lambda x, theta: (*jax.value_and_grad(case.model)(x, theta), jax.hessian(case.model)(x, theta)))
    if case.with_rows and not case.with_gradient:
        return jax.jit(lambda x, theta: (case.model(x, theta), *_no_rows(x)[::2]))
    if case.with_rows:
        return jax.jit(lambda x, theta: (*jax.value_and_grad(case.model)(x, theta), *_no_rows(x)))
    return jax.jit(jax.value_and_grad(case.model) if case.with_gradient else case.model)


def _no_rows(x):
    """Constraints, their Jacobian, and the largest violation."""
    return jnp.zeros(0, x.dtype), jnp.zeros((0, x.size), x.dtype), jnp.zeros((), x.dtype)


def _with_product(model, x, vector, of_slope):
    (value, gradient), tangent = jax.linearize(jax.value_and_grad(model), x)
    return value, gradient, tangent(direction(vector, gradient) if of_slope else vector)[1]


def drive(case: Case, start: np.ndarray, theta: np.ndarray, dtype: Any, **options: Any) -> Driven:
    """The model problem, step by step to its end."""
    machine, state = case.stepper(start.astype(dtype), options)
    points, values = [], []
    while not machine.done(state):
        x = machine.ask(state)
        out = _evaluator(case)(x, theta.astype(dtype))
        value, *rest = out if case.with_gradient or case.with_rows else (out,)
        points.append(np.asarray(x[0] if case.with_product or (case.with_rows and case.with_hessian) else x))
        values.append(float(value))
        state = machine.tell(state, value, *rest)
    return Driven(points, values, host(machine.result(state)))
