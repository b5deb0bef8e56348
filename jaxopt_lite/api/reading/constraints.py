"""Constraints as SciPy's users write them, checked where they are known: what is said of each names it by its place."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.api.reading.constraint_classes import static_flags
from jaxopt_lite.core.constraints import Sides
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import SCHEMES

KEYS = ("type", "fun", "jac", "args")  # of a dict
TYPES = {"eq": (0.0, 0.0), "ineq": (0.0, np.inf)}  # of a dict, with its two sides
FORMS = (
    "LinearConstraint(A, lb, ub), NonlinearConstraint(fun, lb, ub), {'type': 'eq' or 'ineq', 'fun': fun}, or a list of them"
)
NO_BOUND = "give numbers, and -inf or inf where there is no bound"


class Constraint(NamedTuple):
    """One constraint as it was read: a function `fun`, or a `matrix`, between two sides."""

    place: int | None  # in the list, from 0; None: it was given alone
    fun: Callable | None  # fun(x, *args), x in the structure of x0
    jac: Callable | None  # jac(x, *args)
    hess: Callable | None  # hess(x, v)
    args: Any
    scheme: str | None  # of finite differences
    rel_step: Any  # () or (n,): relative step of finite differences, or None
    matrix: Any  # (m_i, n) of the dtype of x
    lower: Any  # (1,) for all rows, or one a row; a NumPy array of the dtype of x where it is known, else traced
    upper: Any
    keep_feasible: tuple[bool, ...]  # (1,) for all rows, or one a row
    equality: bool  # does a dict say so, or are both sides the same object?

    @property
    def name(self) -> str:
        """For sentences."""
        return _name(self.place)


def read_constraints(constraints: Any, layout: Layout) -> tuple[Constraint, ...]:
    """The constraints on x of a layout: one alone, or a list or tuple of them; None and an empty list are none.

    Each is a `LinearConstraint`, a `NonlinearConstraint`, SciPy's object of either class, or a dict. Raises TypeError,
    ValueError and KeyError, the last where a dict has no 'type', as SciPy does; the sentence says which constraint it is.
    """
    if constraints is None:
        return ()
    if isinstance(constraints, list | tuple) and _class(constraints) is None:
        return tuple(_read(given, place, layout) for place, given in enumerate(constraints))
    return (_read(constraints, None, layout),)


def _name(place: int | None) -> str:
    return "the constraint" if place is None else f"constraint {place}"


def _class(given: Any) -> str | None:
    """Which of SciPy's classes an object is of, by its attributes; None where it is of neither."""
    sided = hasattr(given, "lb") and hasattr(given, "ub")
    return next((kind for kind in ("A", "fun") if sided and hasattr(given, kind)), None)


def _read(given: Any, place: int | None, layout: Layout) -> Constraint:
    name = _name(place)
    if isinstance(given, Mapping):
        return _from_dict(given, place, layout)
    kind = _class(given)
    if kind is None:
        hint = ", or pass bounds on x as bounds" if hasattr(given, "lb") and hasattr(given, "ub") else ""
        if place is None and not callable(given) and not hint:
            raise TypeError(f"constraints is a {type(given).__name__}; give {FORMS}.")
        raise TypeError(f"{name}: a {type(given).__name__} is no constraint; give {FORMS}{hint}.")
    lower, upper = (_side(getattr(given, side), side, name, layout) for side in ("lb", "ub"))
    flags = _flags(getattr(given, "keep_feasible", False), name)
    same = given.lb is given.ub  # of traced sides the numbers are not known, but that they are one and the same is
    if kind == "A":
        matrix = _matrix(given.A, name, layout)
        return Constraint(place, None, None, None, (), None, None, matrix, lower, upper, flags, same)
    jac, scheme = _jacobian(getattr(given, "jac", None), name)
    hess = _hessian(getattr(given, "hess", None), name)
    rel_step = _step(getattr(given, "finite_diff_rel_step", None), name, layout)
    fun = _callable(given.fun, "fun", name)
    return Constraint(place, fun, jac, hess, (), scheme, rel_step, None, lower, upper, flags, same)


def _from_dict(given: Mapping, place: int | None, layout: Layout) -> Constraint:
    name = _name(place)
    for key in given:
        if key not in KEYS:
            near = difflib.get_close_matches(str(key), KEYS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{name}: unknown key {key!r}.{hint} Known keys: {', '.join(KEYS)}.")
    if "type" not in given:
        raise KeyError(f"{name}: the dict has no 'type'; give 'eq' for fun(x) = 0, or 'ineq' for fun(x) >= 0.")
    kind = given["type"]
    if not isinstance(kind, str):
        raise TypeError(f"{name}: type is {kind!r}; give the string 'eq' or 'ineq'.")
    if kind.lower() not in TYPES:
        raise ValueError(f"{name}: unknown type {kind!r}; give 'eq' for fun(x) = 0, or 'ineq' for fun(x) >= 0.")
    if "fun" not in given:
        raise ValueError(f"{name}: the dict has no 'fun'; give a callable of x.")
    fun = _callable(given["fun"], "fun", name)
    jac, scheme = _jacobian(given.get("jac"), name)
    args = given.get("args", ())
    args = () if args is None else args
    lower, upper = (np.full(1, side, layout.dtype) for side in TYPES[kind.lower()])
    return Constraint(place, fun, jac, None, args, scheme, None, None, lower, upper, (False,), kind.lower() == "eq")


def _callable(given: Any, what: str, name: str) -> Callable:
    if not callable(given):
        raise TypeError(f"{name}: {what} is a {type(given).__name__}; give a callable.")
    return given


def _jacobian(jac: Any, name: str) -> tuple[Callable | None, str | None]:
    """A callable or a scheme of finite differences; neither: autodiff."""
    if jac is None:
        return None, None
    if isinstance(jac, str):
        if jac not in SCHEMES:
            raise ValueError(f"{name}: jac is {jac!r}; give a callable, None (autodiff), or one of {', '.join(SCHEMES)}.")
        return None, jac
    if not callable(jac):
        raise TypeError(
            f"{name}: jac is a {type(jac).__name__}; give a callable, None (autodiff), or one of {', '.join(SCHEMES)}."
        )
    return jac, None


def _hessian(hess: Any, name: str) -> Callable | None:
    if hess is None or (hasattr(hess, "initialize") and hasattr(hess, "update")):  # SciPy's default, an update strategy
        return None
    if not callable(hess):
        kind, said = (ValueError, repr(hess)) if isinstance(hess, str) else (TypeError, f"a {type(hess).__name__}")
        raise kind(f"{name}: hess is {said}; give a callable hess(x, v), or leave it out: autodiff is exact.")
    return hess


def _flags(flags: Any, name: str) -> tuple[bool, ...]:
    flags = static_flags(flags)
    flags = flags if isinstance(flags, tuple) else (flags,)
    if not flags or not all(isinstance(flag, bool) for flag in flags):
        raise TypeError(f"{name}: keep_feasible is {flags!r}; give True or False, or one of them for each row.")
    return flags


def _step(step: Any, name: str, layout: Layout) -> Any:
    """A relative step, () or (n,), of the dtype of x."""
    if step is None:
        return None
    wanted = f"give a number > 0, or one for each variable ({layout.size},)"
    _check_numbers([step] if not isinstance(step, list | tuple) else list(step), "finite_diff_rel_step", name, wanted)
    array = step.astype(layout.dtype) if isinstance(step, Tracer) else np.asarray(step, layout.dtype)
    if array.shape not in ((), (layout.size,)):
        raise ValueError(f"{name}: finite_diff_rel_step has shape {array.shape}; {wanted}.")
    if not isinstance(array, Tracer) and not np.all(array > 0):
        raise ValueError(f"{name}: finite_diff_rel_step is {step!r}; {wanted}.")
    return array


def _check_numbers(leaves: list[Any], what: str, name: str, wanted: str) -> None:
    for leaf in leaves:
        if not isinstance(leaf, int | float | np.generic | np.ndarray | jax.Array) or isinstance(leaf, bool):
            raise TypeError(f"{name}: {what} holds {'None' if leaf is None else f'a {type(leaf).__name__}'}; {wanted}.")
        if not _is_real(leaf):
            raise TypeError(f"{name}: {what} holds {getattr(leaf, 'dtype', type(leaf).__name__)}; {wanted}.")


def _is_real(leaf: Any) -> bool:
    """Does an array or a number hold floats or integers?"""
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    return bool(jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer))


def _side(side: Any, which: str, name: str, layout: Layout) -> Any:
    """One side as an array (k,) of the dtype of x: of NumPy where it is known, else of JAX."""
    leaves = jax.tree.leaves(side, is_leaf=lambda leaf: leaf is None)
    _check_numbers(leaves or [None], which, name, NO_BOUND)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return jnp.concatenate([jnp.ravel(jnp.asarray(leaf)).astype(layout.dtype) for leaf in leaves])
    array = np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in leaves]).astype(layout.dtype)
    if np.any(np.isnan(array)):
        raise ValueError(f"{name}: {which} holds NaN; {NO_BOUND}.")
    never = np.inf if which == "lb" else -np.inf
    if np.any(array == never):
        raise ValueError(f"{name}: {which} holds {never}, which no number satisfies; {NO_BOUND}.")
    return array


def _matrix(A: Any, name: str, layout: Layout) -> Any:
    """A as (m, n) of the dtype of x: of NumPy or of JAX where it is known, else traced."""
    dense = getattr(A, "toarray", None) or getattr(A, "todense", None)
    A = A if dense is None else dense()
    if not isinstance(A, np.ndarray | jax.Array):
        try:
            traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(A))
            A = jnp.asarray(A, layout.dtype) if traced else np.asarray(A)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{name}: A is no array of numbers: {error}") from error
    A = np.asarray(A) if isinstance(A, np.ndarray) else A  # np.matrix, a subclass, has rules of its own
    if not _is_real(A):
        raise ValueError(f"{name}: A holds {A.dtype}; give real numbers.")
    A = A.reshape(1, -1) if A.ndim < 2 else A
    if A.ndim != 2 or A.shape[1] != layout.size:
        raise ValueError(f"{name}: A has shape {A.shape} for x of {layout.size} variables; give (m, {layout.size}).")
    if not isinstance(A, Tracer) and not np.all(np.isfinite(np.asarray(A, float))):
        raise ValueError(f"{name}: A holds NaN or infinity; give finite numbers.")
    return A if A.dtype == layout.dtype else A.astype(layout.dtype)


def read_sides(given: Any, layout: Layout, equalities: bool) -> Sides:
    """The sides (lb, ub), arrays (m,), of rows that are evaluated by hand, in canonical order; None: there are no rows.

    The rows with lb == ub are equalities, and come first. `equalities`: does the method take them?
    """
    none: Any = np.zeros(0, layout.dtype)
    if given is None:
        return Sides(none, none, none)
    name = "constraints"
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise TypeError(f"{name} is a {type(given).__name__}; give the pair (lb, ub), arrays of one length.")
    lower, upper = (_side(side, which, name, layout) for side, which in zip(given, ("lb", "ub"), strict=True))
    if isinstance(lower, Tracer) or isinstance(upper, Tracer):
        raise TypeError(f"{name} are traced, and which rows are equalities must be known; give NumPy arrays (lb, ub).")
    if lower.shape != upper.shape:
        raise ValueError(f"{name} have sides of shapes {lower.shape} and {upper.shape}; give two arrays of one length.")
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        raise ValueError(f"{name} have lb > ub in row {crossed[0]}; give lb <= ub.")
    equal = np.flatnonzero(lower == upper)
    p = equal.size
    if p and not equalities:
        raise ValueError(f"constraint row {equal[0]} is an equality, and the method takes inequalities; give lb < ub.")
    if not np.array_equal(equal, np.arange(p)):
        raise ValueError(f"constraint row {equal[-1]} is an equality and follows an inequality; give the equalities first.")
    return Sides(lower[:p], lower[p:], upper[p:])
