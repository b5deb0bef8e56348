"""Constraints as SciPy's users write them: its two classes, as pytrees. Nothing is checked before they are read."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

_static = {"static": True}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class LinearConstraint:
    """A linear constraint on the variables, lb <= A x <= ub: SciPy's class, as a pytree.

    Equal sides make an equality where they are known numbers. Traced sides are those of an inequality.

    Attributes
    ----------
    A : array (m, n)
        The matrix; x is raveled to (n,). An array (n,) is one row, a sparse matrix is made dense. May be traced.
    lb, ub : float or array (m,)
        A number for all rows, or one for each; -inf and inf (the defaults) where there is no bound. May be traced.
    keep_feasible : bool or sequence of bool (m,)
        Must the rows hold wherever the objective is evaluated? Static; of no effect for equalities.

    Examples
    --------
    x_0 + 2 x_1 <= 3:

    >>> LinearConstraint([[1.0, 2.0]], ub=3.0)
    LinearConstraint(A=[[1.0, 2.0]], lb=-inf, ub=3.0, keep_feasible=False)
    """

    A: Any
    lb: Any = -np.inf
    ub: Any = np.inf
    keep_feasible: Any = dataclasses.field(default=False, metadata=_static)

    def __post_init__(self) -> None:
        """Static fields are compared under `jit`: arrays become tuples."""
        object.__setattr__(self, "keep_feasible", static_flags(self.keep_feasible))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class NonlinearConstraint:
    """A nonlinear constraint on the variables, lb <= fun(x) <= ub: SciPy's class, as a pytree.

    Equal sides make an equality where they are known numbers. Traced sides are those of an inequality; for an equality
    with a traced right side give the dict ``{'type': 'eq', 'fun': lambda x: c(x) - right}``. Unlike SciPy's, whose default
    `jac` is '2-point', derivatives are exact by default: autodiff.

    Attributes
    ----------
    fun : callable
        ``fun(x)`` of x in the structure of x0, written with JAX. It returns a number, an array or a pytree of them, which
        are raveled to (m,). What it captures may be traced.
    lb, ub : float or array (m,)
        A number for all rows, or one for each; -inf and inf where there is no bound. May be traced.
    jac : callable, str or None
        None: autodiff. A callable ``jac(x)`` returning (m, n), or the Jacobian of each leaf of x in the structure of x;
        '2-point', '3-point', 'cs': finite differences.
    hess : callable or None
        ``hess(x, v)``, the Hessian (n, n) of v'fun for v (m,). None: autodiff. An update strategy of SciPy's (BFGS, SR1)
        counts as None: second derivatives are exact.
    keep_feasible : bool or sequence of bool (m,)
        Must the rows hold wherever the objective is evaluated? Static; of no effect for equalities.
    finite_diff_rel_step : float or array (n,), optional
        Relative step of finite differences. None: the scheme's own.

    Examples
    --------
    |x|^2 <= 1:

    >>> import jax.numpy as jnp
    >>> disk = NonlinearConstraint(lambda x: jnp.sum(x * x), -jnp.inf, 1.0)
    >>> disk.ub, disk.jac
    (1.0, None)
    """

    fun: Callable = dataclasses.field(metadata=_static)
    lb: Any
    ub: Any
    jac: Callable | str | None = dataclasses.field(default=None, metadata=_static)
    hess: Callable | None = dataclasses.field(default=None, metadata=_static)
    keep_feasible: Any = dataclasses.field(default=False, metadata=_static)
    finite_diff_rel_step: Any = None

    def __post_init__(self) -> None:
        """Static fields are compared under `jit`: arrays become tuples."""
        object.__setattr__(self, "keep_feasible", static_flags(self.keep_feasible))


def static_flags(flags: Any) -> Any:
    """Arrays and lists of bools as a tuple of them, or as one bool; what else is given is left to those who read it."""
    if isinstance(flags, np.generic | np.ndarray | jax.Array | list) and not isinstance(flags, jax.core.Tracer):
        flags = np.asarray(flags).tolist()
    return tuple(flags) if isinstance(flags, list) else flags
