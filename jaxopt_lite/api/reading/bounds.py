"""Bounds as SciPy's users write them, checked where they are concrete numbers (not traced)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.layout import Layout, describe


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds on the variables, lb <= x <= ub: SciPy's class, as a pytree.

    Attributes
    ----------
    lb, ub : float, array or pytree
        A number for all variables, an array of the shape of x, or a pytree in the structure of x. Use -inf and inf for no
        bound, and equal bounds to fix a variable. May be traced.
    keep_feasible : bool
        Of no effect: no method here that takes bounds evaluates anything outside of them.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from jaxopt_lite import Bounds, minimize, rosen
    >>> print(minimize(rosen, jnp.zeros(2), bounds=Bounds(0.0, 0.5)).x.round(4))
    [0.5  0.25]
    """

    lb: Any = -np.inf
    ub: Any = np.inf
    keep_feasible: bool = dataclasses.field(default=False, metadata={"static": True})


Side = list[Any]  # the leaves of one side: a scalar for all variables, or arrays that ravel to (n,)


def pair_of(bounds: Any) -> tuple[Any, Any] | None:
    """(lower, upper) from a pair, or from an object with `lb` and `ub`; None where `bounds` is neither."""
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        return bounds.lb, bounds.ub
    if isinstance(bounds, tuple | list | np.ndarray | jax.Array) and len(bounds) == 2:
        return bounds[0], bounds[1]
    return None


def read_box(bounds: Any, leaves: list[Any], layout: Layout, name: str = "x0") -> tuple[Side, Side] | None:
    """The lower and the upper side of `bounds` = (lower, upper); None where both are concrete and infinite.

    Each side is a number, an array of the shape of x, or a pytree in the structure of x. An object with `lb` and `ub` may
    take the place of the pair. Raises ValueError for shapes that do not fit; and, of concrete numbers, for crossed bounds
    and a start outside.
    """
    pair = pair_of(bounds)
    if pair is None:
        raise ValueError(
            f"bounds is {bounds!r}; give a pair (lower, upper), each a number or an array of the shape of {name}."
        )
    box = _sides(pair, layout, name)
    start = None if box is None else _concrete(leaves, layout)
    if box is not None and start is not None:
        low, high = (_concrete(side, layout) for side in box)
        for bound, beyond in ((low, np.less), (high, np.greater)):
            if bound is not None and np.any(beyond(start, bound)):
                worst = int(np.argmax(beyond(start, bound)))
                raise ValueError(
                    f"{name} is infeasible: parameter {worst} starts at {start[worst]}, outside of its bound "
                    f"{bound[worst]}; give a start inside of the bounds."
                )
    return box


def read_bounds(bounds: Any, layout: Layout) -> tuple[Side, Side] | None:
    """The sides of `bounds` as `minimize` takes them: one (min, max) pair for each variable, or `Bounds`.

    In a pair None stands for no bound. The start may lie outside: the method clips it.
    """
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):
        return _sides((bounds.lb, bounds.ub), layout, "x0")
    n, wanted = layout.size, "give Bounds(lb, ub), or one (min, max) pair for each variable, None where there is no bound"
    if isinstance(bounds, np.ndarray | jax.Array):
        if bounds.shape != (n, 2):
            raise ValueError(f"bounds have shape {bounds.shape} for x0 of {n} variables; {wanted}, (n, 2).")
        return _sides((bounds[:, 0], bounds[:, 1]), layout, "x0")
    try:
        pairs = [tuple(pair) for pair in bounds]
    except TypeError as error:
        raise ValueError(f"bounds is {bounds!r}; {wanted}.") from error
    if len(pairs) != n or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"bounds hold {len(pairs)} entries for x0 of {n} variables; {wanted}.")
    columns = [[none if pair[side] is None else pair[side] for pair in pairs] for side, none in ((0, -np.inf), (1, np.inf))]
    for column in columns:
        if any(isinstance(leaf, str) or np.shape(leaf) not in ((), (1,)) for leaf in column):
            raise ValueError(f"bounds hold a pair that is not of numbers; {wanted}.")
    known = [c if any(isinstance(leaf, Tracer) for leaf in c) else np.asarray(c, float).reshape(n) for c in columns]
    return _sides((known[0], known[1]), layout, "x0")


def _sides(pair: tuple[Any, Any], layout: Layout, name: str) -> tuple[Side, Side] | None:
    """Both sides, checked where they are concrete; None where both are concrete and infinite."""
    lower, upper = (_side(side, which, layout, name) for side, which in zip(pair, ("lower", "upper"), strict=True))
    low, high = _concrete(lower, layout), _concrete(upper, layout)
    check_sides(low, high)
    if low is not None and high is not None and np.all(low == -np.inf) and np.all(high == np.inf):
        return None
    return lower, upper


def _side(side: Any, which: str, layout: Layout, name: str) -> Side:
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(side))
    if isinstance(side, list | tuple) and jax.tree.structure(side) != layout.structure and not traced:
        side = np.asarray(side, float)
    side_leaves = jax.tree.leaves(side)
    for leaf in side_leaves:
        if not isinstance(leaf, int | float | np.generic | np.ndarray | jax.Array) or isinstance(leaf, bool):
            raise TypeError(f"the {which} bound holds a {type(leaf).__name__}; give numbers.")
    sizes = [int(np.prod(jnp.shape(leaf))) for leaf in side_leaves]
    alone = len(side_leaves) == 1 and jnp.shape(side_leaves[0]) in ((), (1,))
    if not alone and sum(sizes) != layout.size:
        raise ValueError(
            f"the {which} bound is {describe(side)} for {name} of {layout.describe()}; give a number, or one a parameter."
        )
    return side_leaves


def _concrete(leaves: list[Any], layout: Layout) -> np.ndarray | None:
    """The numbers (n,) of one side; None where they are traced."""
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return None
    flat = np.concatenate([np.ravel(np.asarray(leaf, float)) for leaf in leaves])
    return np.broadcast_to(flat, (layout.size,)).astype(layout.dtype).astype(float)


def check_sides(low: np.ndarray | None, high: np.ndarray | None) -> None:
    """Raises ValueError for NaN in a side (n,), and for crossed bounds; None stands for a traced side."""
    for side in (low, high):
        if side is not None and np.any(np.isnan(side)):
            raise ValueError("bounds hold NaN; give numbers, and -inf or inf where there is no bound.")
    if low is not None and high is not None and np.any(low > high):
        worst = int(np.argmax(low > high))
        raise ValueError(
            f"bounds are crossed: {low[worst]} > {high[worst]} for parameter {worst}; each lower bound must not exceed "
            "its upper bound."
        )
