"""All that leans on what JAX does not promise, and what is done where a version of JAX no longer has it.

Every name here has a fallback. Where a class is renamed, a module moves or a compiler option goes, calls get slower (a
program is compiled once more, or its loops wait for XLA's threads), and none fails. `tests/core/test_jax_internals.py` takes
each of them away and solves a problem all the same.
"""

import contextlib
import functools
from collections.abc import Callable
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
CHECK = "_check_vma"  # the setting under which a shard_map traces
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


# Inside of a `shard_map`.


def axes_of(tree: Any) -> frozenset[Any]:
    """The axes of a mesh along which any leaf varies, as `shard_map` with `check_vma` knows it."""
    return frozenset().union(*(_axes(jax.typeof(leaf)) for leaf in jax.tree.leaves(tree)))


def _axes(aval: Any) -> frozenset[Any]:
    kind = getattr(aval, "manual_axis_type", None)  # jax 0.10; before that `vma`
    return frozenset(getattr(kind, "varying", None) or getattr(aval, "vma", None) or ())


def varying(tree: Any, axes: frozenset[Any]) -> Any:
    """The same values, said to vary along these axes; where they come from, derivatives of all devices are summed."""

    def one(leaf: Any) -> Any:
        missing = axes - axes_of(leaf)
        if not missing or getattr(leaf, "dtype", None) == jax.dtypes.float0:
            return leaf
        return jax.lax.pcast(jnp.asarray(leaf), tuple(sorted(missing, key=str)), to="varying")

    return jax.tree.map(one, tree)


def alone() -> contextlib.AbstractContextManager:
    """A context in which what is traced knows of no axes of a `shard_map`: what it makes varies along none."""
    try:
        from jax._src import config

        return getattr(config, CHECK)(False)
    except (ImportError, AttributeError, TypeError):
        return contextlib.nullcontext()


def local(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose operands all vary along the same axes, traced as that of one device, which knows of no others.

    A loop that starts from zeros is refused by `shard_map`, because zeros are the same on all devices and what follows is
    not. What runs on one device alone need not be told: it is traced without the axes, and the floating numbers that come
    out vary along all of them. Integers are left to the caller: JAX has no tangent for one that varies.
    """

    def call(*operands: Any) -> Any:
        varied = [a for a in jax.tree.leaves(operands) if axes_of(a)]
        if not varied or _retype is None:
            return function(*operands)
        own = _kind(jax.typeof(varied[0]))
        inside = jax.tree.map(lambda a: _retype(a, _kind(jax.typeof(a)), _nowhere()) if axes_of(a) else a, operands)
        with alone():
            made = function(*inside)
        floating = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
        return jax.tree.map(lambda a: _retype(a, _nowhere(), own) if floating(a) else a, made)

    return call


def _kind(aval: Any) -> Any:
    """How an array varies along the axes of a mesh, in JAX's words."""
    return getattr(aval, KIND)


def _nowhere() -> Any:
    return _kind(jax.typeof(np.zeros((), np.float32)))


KIND = next((name for name in ("manual_axis_type", "vma") if hasattr(jax.typeof(np.zeros((), np.float32)), name)), "")


def _make_retype() -> Callable[[Any, Any, Any], Any] | None:
    """An operation that does nothing but say that an array varies as `new` where it varied as `old`; and back in reverse."""
    try:
        from jax.extend.core import Primitive
        from jax.interpreters import ad, batching, mlir

        same = Primitive("jaxopt_lite_varies")
        bind = lambda x, old, new: same.bind(x, old=old, new=new)
        same.def_impl(lambda x, old, new: x)
        same.def_abstract_eval(lambda aval, old, new: aval.update(**{KIND: new}))
        ad.deflinear2(same, lambda cotangent, x, old, new: [bind(cotangent, new, old)])
        batching.defvectorized(same)
        mlir.register_lowering(same, lambda context, x, old, new: [x])
    except (ImportError, AttributeError, TypeError):
        return None
    return bind if KIND else None


_retype = _make_retype()


def placement(array: Any) -> Any:
    """The explicit sharding of an array, with `mesh` and `spec`; None where it lies on no mesh, or JAX chooses by itself."""
    sharding = getattr(jax.typeof(array), "sharding", None)
    spec = getattr(sharding, "spec", None)
    return sharding if spec is not None and any(axis is not None for axis in spec) else None


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
    info = jaxpr.debug_info.with_unknown_names()
    parted = jaxpr.replace(constvars=[], invars=inputs, outvars=outputs, eqns=equations, debug_info=info)
    return jaxpr_as_fun(ClosedJaxpr(parted, []))
