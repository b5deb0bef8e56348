"""All that leans on what JAX does not promise, and what is done where a version of JAX no longer has it.

Every name here has a fallback. Where a class is renamed, a module moves or a compiler option goes, calls get slower (a
program is compiled once more, or its loops wait for XLA's threads), and none fails. `tests/core/test_jax_internals.py` takes
each of them away and solves a problem all the same.
"""

import functools
from types import CellType, FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.tree_util import PyTreeDef

try:
    from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun
except ImportError:  # where they have lived before
    from jax._src.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun

__all__ = ["ClosedJaxpr", "Jaxpr", "Literal", "Var", "jaxpr_as_fun"]

WRAPPED, BATCHED, DEBUG, BOOKKEEPING = "WrappedFun", "BatchTracer", "DebugInfo", "jax._src.linear_util"
CALLS = ("jit", "pjit", "closed_call", "core_call")  # equations that only call the program that they hold
SEARCHED = 64  # things that are looked at for a derivative rule


# Where a call stands.


def under_jit() -> bool:
    """Is this call being traced into somebody's jit? Then a new array is a tracer, in an eager vmap or grad it is not."""
    try:
        from jax.extend.core import unsafe_am_i_under_a_jit_DO_NOT_USE as told
    except ImportError:
        return isinstance(jnp.zeros(()), Tracer)
    return told()


def unbatched(leaf: Any) -> Any:
    """The whole batch behind the tracer of an eager vmap; what is not known to be one stays the tracer that it is."""
    while type(leaf).__name__ == BATCHED and hasattr(leaf, "val"):
        leaf = leaf.val
    return leaf


# What the compiler takes.


@functools.cache
def is_known_option(name: str, value: Any) -> bool:
    """Does the compiler of the default backend take this option? Asked once, by compiling next to nothing."""
    try:
        jax.jit(lambda x: x, compiler_options={name: value}).lower(np.zeros((), np.float32)).compile()
    except Exception:  # each version of jaxlib raises another kind
        return False
    return True


def known_options(**options: Any) -> dict[str, Any]:
    """Those of the options that the compiler takes; none where a program is compiled by other means than usual."""
    with jax.ensure_compile_time_eval():
        return {name: value for name, value in options.items() if is_known_option(name, value)}


# What stands in a jaxpr.


def is_function_of_jax(value: Any) -> bool:
    """Is this jax's wrapper of a function inside of an equation?"""
    return type(value).__name__ == WRAPPED


def derivative_rule(wrapped: Any) -> tuple | None:
    """The user's derivative rule behind what jax puts into a jaxpr, or None where it is not recognized.

    A wrapped function with transformations is the rule itself. One without is a thunk, in whose closure the rule waits;
    what else is there (avals, a trace) follows from the equation.
    """
    seen: set[int] = set()
    todo = [wrapped]
    while todo and len(seen) < SEARCHED:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if is_function_of_jax(item):
            transforms, function = getattr(item, "transforms", ()), getattr(item, "f", None)
            if transforms:
                try:
                    parameters = [
                        getattr(p, "val", p) for _, of_one in transforms for p in _flat(of_one) if not _is_bookkeeping(p)
                    ]
                except (TypeError, ValueError):
                    return None
                return function, tuple(str(p) if isinstance(p, PyTreeDef) else p for p in parameters)
            todo.append(function)
        elif isinstance(item, FunctionType):
            todo.extend(c for c in map(contents, item.__closure__ or ()) if c is not None)
    return None


def contents(cell: CellType) -> Any:
    """What a closure holds in a cell; None where it is not filled."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _flat(parameters: Any) -> list[Any]:
    return [q for p in parameters for q in (_flat(p) if type(p) in (tuple, list) else [p])]


def _is_bookkeeping(parameter: Any) -> bool:
    """Parameters of jax's transformations that say nothing about the rule: debug records and stores of trees."""
    return type(parameter).__name__ == DEBUG or getattr(parameter, "__module__", "") == BOOKKEEPING


def without_floats(jaxpr: Jaxpr) -> tuple[Jaxpr, list[np.ndarray]]:
    """The same function with its outermost floating constants as leading constvars, and their values.

    A Python or NumPy number in a closure is a constant of the jaxpr; as an operand it may change without compiling anew.
    Integers stay: they are indices and sizes, which XLA uses. Where a jaxpr cannot be rewritten all of them stay.
    """
    variables: list[Var] = []
    values: list[np.ndarray] = []

    def hoisted(a: Any) -> Any:
        if not isinstance(a, Literal) or jax.typeof(a.val).dtype.kind != "f":
            return a
        variables.append(Var(a.aval))
        values.append(np.asarray(a.val, jax.typeof(a.val).dtype))
        return variables[-1]

    try:
        equations = [e.replace(invars=[hoisted(a) for a in e.invars]) for e in jaxpr.eqns]
        return jaxpr.replace(constvars=[*variables, *jaxpr.constvars], eqns=equations), values
    except (AttributeError, TypeError):
        return jaxpr, []


def size(jaxpr: Any) -> int:
    """Equations of a jaxpr, and of the programs inside of it."""
    return sum(map(size_of, jaxpr.eqns))


def size_of(equation: Any) -> int:
    """One, and the equations of the programs inside of an equation."""
    return 1 + sum(map(_size_inside, equation.params.values()))


def _size_inside(parameter: Any) -> int:
    if isinstance(parameter, ClosedJaxpr):
        return size(parameter.jaxpr)
    if isinstance(parameter, Jaxpr):
        return size(parameter)
    return sum(map(_size_inside, parameter)) if isinstance(parameter, tuple | list) else 0


def called(equation: Any) -> Any:
    """The closed program that an equation calls once and does nothing else; None where it is any other."""
    inner = equation.params.get("jaxpr") if equation.primitive.name in CALLS else None
    return inner if isinstance(inner, ClosedJaxpr) else None


def part(jaxpr: Jaxpr, equations: list[Any], inputs: list[Var], outputs: list[Var]) -> Any:
    """Some equations of a jaxpr as a function of arrays; raises where a jaxpr cannot be taken apart."""
    parted = jaxpr.replace(constvars=[], invars=inputs, outvars=outputs, eqns=equations, debug_info=None)
    return jaxpr_as_fun(ClosedJaxpr(parted, []))
