"""Large functions, evaluated in parts that XLA compiles one by one.

A function that is written out term by term (a Python sum of a hundred) has thousands of operations on numbers. XLA makes one
kernel of most of them, and the time to compile it grows with the square of its length, or worse. A sum of 99 terms with two
powers each took half a minute with value and gradient, and seven minutes with a product of the Hessian. Parts of `PART`
operations take time in proportion. XLA does not look across the border of a conditional, so each part is a conditional: "if
any lane is still at work". The price is that numbers which later parts need are written to memory: some 20 us a thousand
operations for a single lane, and nothing for many.

Where the package compiles by itself, `program.py` asks XLA for its older emitters instead, whose time is in proportion to
the length anyway. The parts are for programs inside of a user's `jax.jit`, where the package cannot set compiler options.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

from jaxopt_lite.core import jax_internals
from jaxopt_lite.core.jax_internals import Jaxpr, Literal

LARGE = 1500  # equations of function and derivatives; one more takes 2 ms to compile at 1,000, and 10 ms at 3,000
PART = 500  # parts of 200, 400 and 800 compile in the same time; fewer borders cost less


@custom_vmap
def anywhere(flag: Array) -> Array:
    """The flag (); under vmap, for all lanes: is the flag of any lane set?"""
    return flag


@anywhere.def_vmap
def _(size: int, batched: list[bool], flag: Array) -> tuple[Array, bool]:
    return anywhere(jnp.any(flag)), False


def in_parts(function: Callable[..., Any], going: Array) -> Callable[..., Any]:
    """The function of arrays, in parts where it is large. Its values are zeros where no lane is `going`."""

    def evaluate(*arguments: Any) -> Any:
        leaves, structure = jax.tree.flatten(arguments)
        flat = lambda *leaves: function(*jax.tree.unflatten(structure, leaves))
        closed, shapes = jax.make_jaxpr(flat, return_shape=True)(*leaves)
        if closed.jaxpr.effects or jax_internals.size(closed.jaxpr) <= LARGE:
            return function(*arguments)
        try:
            values = _evaluate(closed.jaxpr, closed.consts, leaves, anywhere(going))
        except (AttributeError, TypeError):  # a version of JAX whose jaxprs cannot be taken apart
            return function(*arguments)
        return jax.tree.unflatten(jax.tree.structure(shapes), values)

    return evaluate


def _evaluate(jaxpr: Jaxpr, consts: list[Any], inputs: list[Any], going: Array) -> list[Any]:
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *inputs), strict=True))
    value = lambda a: a.val if isinstance(a, Literal) else known[a]
    last = {a: k for k, e in enumerate(jaxpr.eqns) for a in e.invars if not isinstance(a, Literal)}
    last |= {a: len(jaxpr.eqns) for a in jaxpr.outvars if not isinstance(a, Literal)}
    equations: list[Any] = []

    def end_part(at: int) -> None:
        """Evaluate the equations of the part, the last of which is number `at`."""
        made = dict.fromkeys(v for e in equations for v in e.outvars)
        inputs = list(dict.fromkeys(a for e in equations for a in e.invars if not isinstance(a, Literal) and a not in made))
        outputs = [v for v in made if last.get(v, -1) > at]
        one = jax_internals.part(jaxpr, list(equations), inputs, outputs)
        equations.clear()
        known.update(zip(outputs, _if(going, one, outputs, [known[a] for a in inputs]), strict=True))

    count = 0
    for at, equation in enumerate(jaxpr.eqns):
        inner, inside = jax_internals.called(equation), jax_internals.size_of(equation)
        if inner is not None and inside > PART:
            if equations:
                end_part(at - 1)
            count = 0
            made = _evaluate(inner.jaxpr, inner.consts, [value(a) for a in equation.invars], going)
            known.update(zip(equation.outvars, made, strict=True))
            continue
        equations.append(equation)
        count += inside
        if count >= PART:
            end_part(at)
            count = 0
    if equations:
        end_part(len(jaxpr.eqns) - 1)
    return [value(a) for a in jaxpr.outvars]


def _if(going: Array, one: Callable[..., Any], outputs: list[Any], inputs: list[Any]) -> list[Any]:
    nothing = lambda *inputs: [lax.full(v.aval.shape, 0, v.aval.dtype) for v in outputs]
    return lax.cond(going, lambda *inputs: list(one(*inputs)), nothing, *inputs)
