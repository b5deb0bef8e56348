"""Parameters of any structure as one vector, and back.

`x0` is an array of any shape or any pytree of floats. A (nested) list or tuple of plain numbers is an array, as SciPy's
users write it; a list or tuple of arrays is a pytree. Integers are promoted to the default float. Where leaves are of
float32 and of float64, the methods work in float64, and the function and the result get each leaf in its own dtype.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

FLOATS = (np.dtype("float32"), np.dtype("float64"))


class Layout(NamedTuple):
    """How a vector (n,) of `dtype` is laid out; hashable."""

    structure: Any  # pytree structure
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype, ...]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the vector."""
        return max(self.dtypes, key=lambda d: d.itemsize)

    @property
    def size(self) -> int:
        """The length n of the vector."""
        return sum(math.prod(s) for s in self.shapes)

    @property
    def is_array(self) -> bool:
        """Is it a single array rather than a pytree?"""
        return self.structure == jax.tree.structure(0)

    def ravel(self, leaves: list[Any]) -> Array:
        """The vector of these leaves."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(leaf).astype(self.dtype)) for leaf in leaves])

    def unravel(self, vector: Array) -> Any:
        """The pytree of this vector. Floats take the leaves' own dtypes; complex numbers and integers keep theirs."""
        leaves, at = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            size = math.prod(shape)
            leaf = vector[at : at + size].reshape(shape)
            leaves.append(leaf.astype(dtype) if jnp.issubdtype(vector.dtype, jnp.floating) else leaf)
            at += size
        return jax.tree.unflatten(self.structure, leaves)

    def ravel_like(self, value: Any, name: str) -> Array:
        """The vector of a user's answer that should look like x (a gradient), checked."""
        leaves, structure = jax.tree.flatten(value)
        shapes = tuple(jnp.shape(leaf) for leaf in leaves)
        if structure != self.structure or shapes != self.shapes:
            raise ValueError(
                f"{name} returned {describe(value)} where x is {self.describe()}; return an array (or pytree) of the "
                "structure and shapes of x."
            )
        for leaf in leaves:
            dtype = jnp.result_type(leaf)
            if dtype not in self.dtypes and not (jnp.issubdtype(dtype, jnp.floating) and is_weak(leaf)):
                raise TypeError(f"{name} returned dtype {dtype} for x of {self.dtype}; return floats of the dtype of x.")
        return self.ravel(leaves)

    def describe(self) -> str:
        """The structure and the shapes in words, for error messages."""
        return describe(jax.tree.unflatten(self.structure, [np.empty(s) for s in self.shapes]))


def is_weak(value: Any) -> bool:
    """Is this a Python number, or an array made from Python numbers alone (weakly typed)?"""
    return isinstance(value, int | float) or (
        isinstance(value, jax.Array) and bool(getattr(jax.typeof(value), "weak_type", False))
    )


def describe(value: Any) -> str:
    """The shape of an array, or of every leaf of a pytree, in words, for error messages."""
    shapes = jax.tree.map(lambda leaf: tuple(jnp.shape(leaf)), value)
    if isinstance(value, np.ndarray | jax.Array | Tracer | float | int):
        return f"an array of shape {shapes}"
    return f"a {type(value).__name__} of leaves of shapes {shapes}"


def parse(x0: Any, name: str = "x0") -> tuple[list[Any], Layout]:
    """The leaves of x0 and their layout; raises TypeError or ValueError where x0 holds no floats."""
    if isinstance(x0, list | tuple) and _plain_numbers(x0):
        try:
            x0 = np.asarray(x0)
        except ValueError as error:
            raise ValueError(f"{name} is a ragged list of numbers; give rows of one length, or a pytree.") from error
    leaves, structure = jax.tree.flatten(x0)
    if not leaves:
        raise ValueError(f"{name} holds no numbers; give an array or a pytree of floats.")
    leaves = [_leaf(leaf, name) for leaf in leaves]
    shapes = tuple(tuple(leaf.shape) for leaf in leaves)
    default = np.dtype(jax.dtypes.canonicalize_dtype(float))
    dtypes = tuple(d if d in FLOATS else default for d in (_dtype(leaf) for leaf in leaves))
    layout = Layout(structure, shapes, dtypes)
    if layout.size == 0:
        raise ValueError(f"{name} is empty (shapes {shapes}); give at least one number.")
    return leaves, layout


def _plain_numbers(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and len(value) > 0 and all(_plain_numbers(v) for v in value)
    return isinstance(value, int | float | complex | np.number) and not isinstance(value, bool)


def _dtype(leaf: Any) -> np.dtype:
    return np.dtype(jax.dtypes.canonicalize_dtype(leaf.dtype))


def _leaf(leaf: Any, name: str) -> Any:
    if not isinstance(leaf, np.ndarray | jax.Array | Tracer):
        if not isinstance(leaf, int | float | complex | np.generic) or isinstance(leaf, bool):
            raise TypeError(f"{name} holds a {type(leaf).__name__}; give an array or a pytree of floats.")
        leaf = np.asarray(leaf)
    kind = np.dtype(leaf.dtype).kind if not jnp.issubdtype(leaf.dtype, jnp.floating) else "f"
    if kind == "c":
        raise TypeError(f"{name} is complex ({leaf.dtype}); give real numbers, e.g. real and imaginary parts as two leaves.")
    if kind not in "iuf":
        raise TypeError(f"{name} has dtype {leaf.dtype}; give an array or a pytree of floats.")
    if kind == "f" and _dtype(leaf) not in FLOATS:
        raise TypeError(f"{name} has dtype {leaf.dtype}; the methods work in float32 and float64: convert it.")
    return leaf
