"""A user's function as a pure function of operands.

`close` traces the function once and hoists every array that it captured, integer ones and outer tracers too, into an
operand (`jax.closure_convert` hoists only what autodiff may perturb: a batched label in a closure would be missed).
What is left is a jaxpr. Equal jaxprs (`core/canonical.py`) become one `Function` instance, so that programs compiled
for it are found again by a fresh lambda of the same code.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.core.canonical import jaxpr_key
from jaxopt_lite.core.jax_internals import ClosedJaxpr, Jaxpr, alone, jaxpr_as_fun, size, without_floats
from jaxopt_lite.core.memo import Memo

KEPT = 1024  # canonical functions remembered; the least recently used goes first
PLAIN = (bool, str, bytes, type(None))  # static leaves that cannot change unseen
SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion")  # a trace depends on these


class Function:
    """A closed function: `function(consts, *inputs)`. Compared by identity; equal ones are the same instance."""

    def __init__(self, jaxpr: Jaxpr) -> None:
        self._jaxpr = jaxpr
        self.size = size(jaxpr)  # equations
        self.shapes = [getattr(v.aval, "shape", ()) for v in jaxpr.outvars]  # of the outputs

    def __call__(self, consts: list[Array], *inputs: Any) -> Any:
        """Outputs of the traced function, a list of arrays, at these inputs (flat leaves)."""
        return jaxpr_as_fun(ClosedJaxpr(self._jaxpr, list(consts)))(*inputs)


class Arguments:
    """The `args` of a call, split into traced leaves (arrays and numbers) and static ones (all else)."""

    def __init__(self, args: Any) -> None:
        if not isinstance(args, tuple):
            args = (args,)
        leaves, self.structure = jax.tree.flatten(args)
        self.dynamic = [leaf for leaf in leaves if is_traceable(leaf)]
        self.static = tuple(_STAND_IN if is_traceable(leaf) else leaf for leaf in leaves)

    def rebuild(self, dynamic: list[Any]) -> tuple:
        """The args with these traced leaves."""
        mine = iter(dynamic)
        return jax.tree.unflatten(self.structure, [next(mine) if s is _STAND_IN else s for s in self.static])

    def signature(self) -> Hashable:
        """What a trace depends on; raises TypeError where a static leaf may change unseen, or is made anew each time."""
        if not all(leaf is _STAND_IN or isinstance(leaf, PLAIN) for leaf in self.static):
            raise TypeError("not to be remembered")
        avals = tuple(jax.typeof(leaf) for leaf in self.dynamic)
        key = (self.structure, self.static, avals)
        hash(key)
        return key


class _StandIn:
    """Takes the place of a traced leaf."""


_STAND_IN = _StandIn()
_MEMO = Memo()
_CANONICAL: OrderedDict[Hashable, Function] = OrderedDict()
_CANONICAL_LOCK = threading.RLock()  # entered again where a collection inside of it compares keys


def is_traceable(leaf: Any) -> bool:
    """Numbers and arrays are traced; a bool, a string, a function or any other object is part of the code."""
    if isinstance(leaf, bool):
        return False
    if isinstance(leaf, np.ndarray):
        return leaf.dtype.kind in "biufcV" and leaf.dtype != object
    return isinstance(leaf, int | float | complex | np.generic | jax.Array | Tracer)


def close(
    fun: Callable, role: Hashable, flat: Callable, inputs: tuple[jax.ShapeDtypeStruct, ...], args: Arguments
) -> tuple[Function, list[Any]]:
    """The user's function, closed, and the arrays that it captured.

    `flat(*inputs, args)` calls the user's `fun` on unraveled inputs, and checks and ravels what comes back. It is traced for
    `inputs` of these shapes. The result is called as ``function(captured, *inputs, *leaves)`` with the leaves of args.
    `role` names `flat`, and all that it depends on, for the memo: it is not traced again for an unchanged `fun`.
    """
    try:
        key = (role, inputs, args.signature(), *(getattr(jax.config, name, None) for name in SETTINGS))
        hash(key)
    except TypeError:
        key = None
    found = _MEMO.get(fun, key) if key is not None else None
    if found is not None:
        return found
    with alone():
        closed = jax.make_jaxpr(lambda *a: flat(*a[: len(inputs)], args.rebuild(list(a[len(inputs) :]))))(
            *inputs, *args.dynamic
        )
    traced = any(isinstance(c, Tracer) for c in closed.consts)
    with jax.ensure_compile_time_eval():  # arrays, not tracers of somebody's jit: they are remembered
        consts = [c if isinstance(c, jax.Array | Tracer) else jnp.asarray(np.asarray(c)) for c in closed.consts]
    jaxpr, floats = without_floats(closed.jaxpr)
    result = (_canonical(jaxpr), [*floats, *consts])  # NumPy scalars: constants again inside of an outer jit
    if key is not None and not traced:
        _MEMO.put(fun, key, result)
    return result


def _canonical(jaxpr: Jaxpr) -> Function:
    key = jaxpr_key(jaxpr)
    with _CANONICAL_LOCK:
        function = _CANONICAL.pop(key, None) or Function(jaxpr)
        _CANONICAL[key] = function
        while len(_CANONICAL) > KEPT:
            _CANONICAL.popitem(last=False)
    return function
