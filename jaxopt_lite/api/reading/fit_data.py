"""The data of a fit: the user's arguments, checked, and how a model and data become weighted residuals."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.api.reading.bounds import pair_of
from jaxopt_lite.core.once import kept


def array(value: Any, name: str) -> Any:
    """The value as an array of numbers; arrays of JAX and NumPy stay what they are."""
    if isinstance(value, jax.Array | np.ndarray | Tracer):
        return value
    try:
        value = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged: {error}") from error
    if value.dtype.kind not in "biufc":
        raise ValueError(f"{name} holds {value.dtype}; give numbers.")
    return value


def read_xdata(xdata: Any) -> Any:
    """xdata as an array, or a pytree of arrays; a list, or a tuple of plain numbers, is an array."""
    plain = isinstance(xdata, tuple) and all(isinstance(leaf, int | float | np.number) for leaf in xdata)
    if isinstance(xdata, list) or plain:
        return array(xdata, "xdata")
    return jax.tree.map(lambda leaf: array(leaf, "xdata"), xdata)


def concrete_leaves(data: Any) -> list[np.ndarray]:
    """The floating leaves that are concrete (not traced)."""
    leaves = [leaf for leaf in jax.tree.leaves(data) if not isinstance(leaf, Tracer)]
    return [np.asarray(leaf) for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def refuse(name: str, leaves: list[np.ndarray], infinite: bool, nan: bool) -> None:
    """Raises ValueError for NaN or infinity in concrete data, where `infinite` or `nan` says that they are refused."""
    if infinite and any(not np.all(np.isfinite(leaf)) for leaf in leaves):
        raise ValueError(
            f"{name} contains infs or NaNs; remove them, or pass nan_policy='omit', mask= or check_finite=False."
        )
    if nan and any(np.any(np.isnan(leaf)) for leaf in leaves):
        raise ValueError(f"{name} contains NaNs; remove them, or pass nan_policy='omit' or mask=.")


def start(f: Callable, p0: Any, bounds: Any, ydata: Any) -> Any:
    """p0 (n,). Where it is None, one number for each parameter of f: 1, or a number inside of the bounds."""
    dtype = ydata.dtype if jnp.issubdtype(ydata.dtype, jnp.floating) else jnp.result_type(float)
    dtype = np.dtype(jax.dtypes.canonicalize_dtype(dtype))
    if p0 is not None:
        if isinstance(p0, jax.Array | Tracer | np.ndarray) and jnp.issubdtype(p0.dtype, jnp.floating):
            return p0.reshape(-1)
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(p0)):
            return jnp.stack([jnp.asarray(leaf) for leaf in jax.tree.leaves(p0)])
        return np.atleast_1d(np.asarray(p0)).astype(dtype).reshape(-1)
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError) as error:
        raise ValueError("the number of parameters cannot be read from f; give p0.") from error
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters) or len(parameters) < 2:
        raise ValueError("the number of parameters cannot be read from the signature of f; give p0.")
    needed = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if needed:
        raise ValueError(f"f needs the keyword {needed[0]!r}, which no fit passes; bind it, by functools.partial.")
    n = sum(p.kind is not p.KEYWORD_ONLY for p in parameters) - 1  # a keyword with a default is no parameter of the fit
    pair = pair_of(bounds)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(pair)):
        raise ValueError("p0 is not given, and cannot be chosen inside of bounds that are traced; give p0.")
    if pair is None:
        return np.ones(n, dtype)  # the error in the bounds is raised where they are read
    sides = [np.ravel(np.asarray(side, float)) for side in pair]
    if any(side.size not in (1, n) for side in sides):
        return np.ones(n, dtype)
    low, high = (np.broadcast_to(side, n) for side in sides)
    finite = np.isfinite(low), np.isfinite(high)
    with np.errstate(invalid="ignore"):
        choices = [0.5 * (low + high), low + 1.0, high - 1.0]
    return np.select([finite[0] & finite[1], *finite], choices, 1.0).astype(dtype)


def spread(sigma: Any, ydata: Any) -> Any:
    """The divisor of the residuals: standard deviations (1,) or (m,), or the lower Cholesky factor (m, m) of a covariance.

    Raises ValueError where concrete ones are not positive. Traced ones that are not positive give NaN.
    """
    if sigma is None:
        return None
    sigma = array(sigma, "sigma")
    m = int(np.prod(np.shape(ydata)))
    if sigma.shape not in ((), (1,), (m,), (m, m)) and sigma.shape != np.shape(ydata):
        raise ValueError(
            f"sigma has incorrect shape {sigma.shape} for {m} data; give a number, ({m},), or a covariance ({m}, {m})."
        )
    matrix = sigma.shape == (m, m) and sigma.ndim == 2
    if not isinstance(sigma, Tracer):
        concrete = np.asarray(sigma, float)
        if matrix:
            try:
                np.linalg.cholesky(concrete)
            except np.linalg.LinAlgError as error:
                raise ValueError("sigma is a matrix that is not positive definite; give a covariance matrix.") from error
        elif not np.all(concrete > 0):
            raise ValueError("sigma must be positive; give standard deviations > 0 (leave data out with mask=).")
    return _factored(sigma) if matrix else sigma.reshape(-1)


@jax.jit
def _factored(sigma: Array) -> Array:
    dtype = sigma.dtype if _floating(sigma) else jnp.result_type(float)
    return jnp.linalg.cholesky(jnp.asarray(sigma).astype(dtype))


def read_mask(mask: Any, ydata: Any) -> Any:
    """Which data count, booleans of the shape of ydata."""
    if mask is None:
        return np.ones(np.shape(ydata), bool)
    mask = array(mask, "mask")
    if mask.shape != np.shape(ydata) or mask.dtype != bool:
        raise ValueError(
            f"mask is {mask.dtype} of shape {mask.shape}; give booleans of the shape of ydata, {np.shape(ydata)}."
        )
    return mask


@functools.partial(jax.jit, static_argnames="omit")
def covered(xdata: Any, ydata: Array, sigma: Array | None, keep: Array, omit: bool) -> tuple[Any, Array, Any, Array]:
    """The data; those that do not count are replaced by some that do, so that neither values nor derivatives do harm."""
    along = lambda leaf: leaf.ndim >= 1 and leaf.shape[-1] == keep.shape[-1] and keep.ndim == 1 and _floating(leaf)
    if omit:
        keep = keep & ~jnp.isnan(ydata) if _floating(ydata) else keep
        for leaf in jax.tree.leaves(xdata):
            if along(leaf):
                keep = keep & ~jnp.any(jnp.isnan(leaf.reshape(-1, keep.shape[0])), axis=0)

    def fill(leaf: Array) -> Array:
        if not along(leaf):
            return leaf
        counted = jnp.where(keep, leaf, jnp.inf)
        return jnp.where(keep, leaf, jnp.min(counted, axis=-1, keepdims=True))

    if sigma is not None and sigma.ndim == 2:  # data that are left out leave the covariance too: marginalized
        whole = jnp.dot(sigma, sigma.T, precision=jax.lax.Precision.HIGHEST)
        both = keep.reshape(-1)[:, None] & keep.reshape(-1)[None, :]
        sigma = jnp.linalg.cholesky(jnp.where(both, whole, jnp.eye(whole.shape[0], dtype=whole.dtype)))
    elif sigma is not None and sigma.shape[0] > 1:
        sigma = jnp.where(keep.reshape(-1), sigma, 1.0)
    return jax.tree.map(fill, xdata), jnp.where(keep, ydata, jnp.zeros_like(ydata)), sigma, keep


def enough(keep: Any, n: int, method: str) -> None:
    """Raises where a concrete mask shows that no datum counts, or too few for 'lm', as SciPy does."""
    if isinstance(keep, Tracer):
        return
    count = int(np.sum(keep))
    if count == 0:
        raise ValueError("no datum counts: all are masked or NaN; give at least one for each parameter.")
    if count < n and method == "lm":
        raise TypeError(f"{count} data count for {n} parameters; method 'lm' needs as many: give more, or fewer parameters.")


def _floating(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@kept()
def residuals(weighted: bool, masked: bool) -> tuple[Callable, Callable]:
    """Two functions `(user's function, p (n,), args) -> array`: weighted residuals from a model, and their Jacobian."""

    def split(p: Array, args: tuple) -> tuple[Any, Array, Any, Any]:
        xdata, ydata, *rest = args
        real = jnp.real(p).dtype
        cast = lambda leaf: jnp.asarray(leaf).astype(real) if not jnp.issubdtype(leaf.dtype, jnp.complexfloating) else leaf
        keep = rest.pop() if masked else None
        sigma = cast(rest.pop()) if weighted else None
        return jax.tree.map(lambda leaf: cast(leaf) if _floating(leaf) else leaf, xdata), cast(ydata), sigma, keep

    def weigh(rows: Array, sigma: Any, keep: Any) -> Array:
        """Rows (m, ...) of residuals or of their Jacobian."""
        if keep is not None:
            rows = jnp.where(keep.reshape(-1, *[1] * (rows.ndim - 1)), rows, jnp.zeros_like(rows))
        if sigma is None:
            return rows
        if sigma.ndim == 2:
            return jax.scipy.linalg.solve_triangular(sigma.astype(rows.dtype), rows, lower=True)
        inverse = jnp.where(sigma > 0, 1.0 / jnp.where(sigma > 0, sigma, 1.0), jnp.nan)
        return rows * inverse.reshape(-1, *[1] * (rows.ndim - 1))

    def of_model(f: Callable, p: Array, args: tuple) -> Array:
        xdata, ydata, sigma, keep = split(p, args)
        out = jnp.asarray(f(xdata, *(p[i] for i in range(p.shape[0]))))
        if out.shape != ydata.shape and 1 not in (out.size, ydata.size):
            raise ValueError(f"the model gave shape {out.shape} for ydata of shape {ydata.shape}; make xdata and ydata fit.")
        shape = out.shape if out.size > ydata.size or ydata.ndim == 0 else ydata.shape
        difference = jnp.broadcast_to(out.reshape(-1), shape) if out.size == 1 else out
        data = jnp.broadcast_to(ydata.reshape(-1), shape) if ydata.size == 1 else ydata
        return weigh(jnp.ravel(difference.reshape(shape) - data.reshape(shape)), sigma, keep)

    def of_jacobian(jac: Callable, p: Array, args: tuple) -> Array:
        xdata, _, sigma, keep = split(p, args)
        J = jnp.asarray(jac(xdata, *(p[i] for i in range(p.shape[0]))))
        return weigh(J.reshape(-1, p.shape[0]), sigma, keep)

    return of_model, of_jacobian
