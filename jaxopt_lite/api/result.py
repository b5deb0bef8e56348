"""The result of every door: a frozen record and a pytree, with one status per lane."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.status import MESSAGES


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class OptimizeResult:
    """The result of an optimization, or of a batch of them.

    A pytree with SciPy's field names: it passes through `jit`, `vmap` and `grad`. Under `vmap` every field has the batch
    axes in front and every lane its own status. Fields that a method does not have are None.

    Attributes
    ----------
    x : array or pytree
        The solution, in the structure of x0. If `success` is False, the best finite point that was evaluated.
    fun : () float
        The function there.
    success : () bool
        Whether the optimality measure holds at x: `status` is 0 (CONVERGED) or 8 (PRECISION).
    status : () int32
        How the lane ended (`Status`): 0 (CONVERGED), 1 (BUDGET) of iterations or evaluations spent, 2 (INFEASIBLE),
        3 (UNBOUNDED), 4 (NUMERICAL) difficulties, 5 (NOT_FINITE), 6 (STOPPED) by the callback, 7 (BAD_INPUT) in this
        lane, 8 (PRECISION): converged to working precision. That is a success too: the tolerance that was asked for is
        below what the dtype resolves here.
    message : str, or nested list of str for a batch
        `status` in words; looked up on the host.
    jac : like x
        The gradient at x.
    hess : (n, n) float
        The Hessian at x, from methods that use it.
    hess_inv : (n, n) float
        The approximate inverse Hessian, over the raveled x. From BFGS it is the exact one at x where status is 8
        (PRECISION), and NaN where the method has learnt nothing.
    nfev, njev, nhev : () int32
        Evaluations of the function, its gradient and its Hessian (or products) that this lane made. The certificate, which
        decides a claim, counts each of its points once, however many products it makes there.
    nit : () int32
        Iterations.
    maxcv : () float
        Largest violation of a constraint.
    extra : dict
        Fields that only some methods have. They are attributes too.
    """

    x: Any
    fun: Any
    success: Any
    status: Any
    jac: Any = None
    hess: Any = None
    hess_inv: Any = None
    nfev: Any = None
    njev: Any = None
    nhev: Any = None
    nit: Any = None
    maxcv: Any = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def message(self) -> Any:
        """The status in words: a sentence, or a nested list of sentences for a batch."""
        if isinstance(self.status, Tracer):
            raise TypeError("message is looked up on the host: read it outside of jit and vmap, or use status inside.")
        return self.__dict__.get("_message") or in_words(self.status)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "extra" not in self.__dict__:
            raise AttributeError(name)
        if name in self.extra:
            return self.extra[name]
        raise AttributeError(f"this result has no field {name!r}; it has {', '.join(self.keys())}.")

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def keys(self) -> list[str]:
        """The names of the fields that this result has."""
        own = [name for name in _FIELDS if getattr(self, name) is not None]
        return [*own, "message", *self.extra]

    def get(self, name: str, default: Any = None) -> Any:
        """The field of this name, or a default."""
        return self[name] if name in self.keys() else default

    def __repr__(self) -> str:
        rows = [("message", None if isinstance(self.status, Tracer) else in_short(self.message))]
        first = ("success", "status", "fun", "x", "nit", "jac", "hess", "hess_inv", "nfev", "njev", "nhev", "maxcv")
        rows += [(name, getattr(self, name)) for name in first] + list(self.extra.items())
        rows = [(name, value) for name, value in rows if value is not None]
        width = max(len(name) for name, _ in rows) + 1
        return "\n".join(f"{name:>{width}}: {_text(value, width + 2)}" for name, value in rows)

    def tree_flatten_with_keys(self) -> tuple[list[tuple[Any, Any]], None]:
        """For JAX."""
        return [(jax.tree_util.GetAttrKey(name), getattr(self, name)) for name in (*_FIELDS, "extra")], None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any, ...]) -> "OptimizeResult":
        """For JAX."""
        return cls(*children)


class Word(str):
    """A string in a result: for JAX a part of its structure, so that it passes through `jit` and `vmap`."""


jax.tree_util.register_pytree_node(Word, lambda word: ((), str(word)), lambda text, _: Word(text))


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class RootResults(OptimizeResult):
    """The result of `root_scalar`, or of a batch of it: an `OptimizeResult` that answers to SciPy's names for roots too.

    Attributes
    ----------
    root : () float
        The zero that was found; the same as x.
    converged : () bool
        Whether it is a zero; the same as success.
    iterations, function_calls : () int32
        The same as nit and nfev.
    flag : str, or nested list of str for a batch
        The status in words; the same as message. Looked up on the host.
    """

    @property
    def root(self) -> Any:
        """The zero."""
        return self.x

    @property
    def converged(self) -> Any:
        """Is it a zero?"""
        return self.success

    @property
    def iterations(self) -> Any:
        """How many iterations were made."""
        return self.nit

    @property
    def function_calls(self) -> Any:
        """Points at which f was evaluated."""
        return self.nfev

    @property
    def flag(self) -> Any:
        """The status in words."""
        return self.message

    def keys(self) -> list[str]:
        """The names of the fields, both kinds."""
        return ["root", "converged", "iterations", "function_calls", "flag", *super().keys()]


def as_root(result: OptimizeResult) -> RootResults:
    """The same result under the names of a root."""
    return RootResults(*(getattr(result, field.name) for field in dataclasses.fields(result)))


def with_extra(result: OptimizeResult, extra: dict[str, Any]) -> OptimizeResult:
    """The same result, its message too, with these fields of its method."""
    new = dataclasses.replace(result, extra=extra)
    if "_message" in result.__dict__:
        object.__setattr__(new, "_message", result.__dict__["_message"])
    return new


_FIELDS = tuple(f.name for f in dataclasses.fields(OptimizeResult) if f.name != "extra")


def make_result(fields: dict[str, Any]) -> OptimizeResult:
    """A result from a program's fields."""
    known = {name: value for name, value in fields.items() if name in _FIELDS}
    extra = {name: value for name, value in fields.items() if name not in _FIELDS}
    return OptimizeResult(**known, extra=extra)


def in_words(status: Any) -> Any:
    """A concrete status () as a sentence; of a batch (...), a nested list of sentences."""
    status = np.asarray(status)
    return MESSAGES[status.item()] if status.ndim == 0 else [in_words(one) for one in status]


def in_short(message: Any) -> str:
    """The message; of a batch, the different messages and how often each occurs."""
    if isinstance(message, str):
        return message
    flat = np.ravel(np.asarray(message, dtype=object)).tolist()
    counts = {text: flat.count(text) for text in dict.fromkeys(flat)}
    return "; ".join(f"{n} x {text}" for text, n in counts.items())


def _text(value: Any, indent: int) -> str:
    if isinstance(value, Tracer):
        return str(value)
    if isinstance(value, jax.Array):
        value = np.asarray(value)
        text = (
            f"{value:.16g}"
            if value.ndim == 0 and value.dtype.kind == "f"
            else np.array2string(value, precision=4, threshold=50)
        )
    else:
        text = repr(value)
    return text.replace("\n", "\n" + " " * indent)
