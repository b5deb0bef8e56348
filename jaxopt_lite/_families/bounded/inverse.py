"""The inverse Hessian that a method has learnt: an operator, and a pytree."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded.memory import Pairs, two_loops
from jaxopt_lite.core.dense import matvec


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class InverseHessian:
    """The approximate inverse Hessian over the raveled free variables; rows and columns of held ones are zero.

    NaN where the method has learnt nothing. Where the status of the result is 8 (PRECISION) and there is a matrix, it is the
    exact one at x.

    Attributes
    ----------
    matrix : (n, n) float or None
        The matrix itself; None where the method kept pairs.
    pairs : Pairs or None
        The last steps and changes of the gradient, which make the products; None where there is a matrix.
    free : (n,) bool
        The variables that no bound holds.
    """

    matrix: Any
    pairs: Pairs | None
    free: Array

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.free.shape[-1], self.free.shape[-1]

    @property
    def dtype(self) -> jnp.dtype:
        """The dtype of the entries."""
        return (self.matrix if self.pairs is None else self.pairs.S).dtype

    def matvec(self, v: Array) -> Array:
        """The product with a vector (n,)."""
        v = jnp.where(self.free, v, 0.0)
        if self.pairs is None:
            return jnp.where(self.free, matvec(self.matrix, v), 0.0)
        known = jnp.where(self.free & self.pairs.unlearnt, jnp.nan, 1.0).astype(v.dtype)
        return known * two_loops(self.pairs, v, self.free)

    def __matmul__(self, other: Array) -> Array:
        other = jnp.asarray(other)
        if other.ndim == 1:
            return self.matvec(other)
        return jax.vmap(self.matvec, in_axes=1, out_axes=1)(other)

    def todense(self) -> Array:
        """The matrix (n, n); of a batch, one for each lane."""
        if self.free.ndim > 1:
            return jax.vmap(type(self).todense)(self)
        return self @ jnp.eye(self.shape[0], dtype=self.dtype)

    def __repr__(self) -> str:
        return f"<{self.shape[0]}x{self.shape[1]} InverseHessian of {self.dtype}>"
