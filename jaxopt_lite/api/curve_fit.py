"""`curve_fit`: SciPy's front door to fitting a model to data, with the covariance of the parameters."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.api import methods
from jaxopt_lite.api.bounds import read_box
from jaxopt_lite.api.least_squares import plan_call
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.program import run
from jaxopt_lite.core.status import BUDGET, MESSAGES, PRECISION, is_success
from jaxopt_lite.least_squares.uncertainty import fitted

KEYWORDS = ("ftol", "xtol", "gtol", "max_nfev", "maxfev", "x_scale", "loss", "f_scale", "diff_step", "options")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Message:
    """A status in words, looked up on the host when it is read: `str(mesg)`."""

    status: Any

    def __str__(self) -> str:
        status = np.asarray(self.status)
        return (
            MESSAGES[int(status)]
            if status.ndim == 0
            else "; ".join(f"{np.sum(status == s)} x {MESSAGES[s]}" for s in np.unique(status).tolist())
        )


def curve_fit(
    f: Callable,
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Callable | str | None = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    mask: Any = None,
    **kwargs: Any,
) -> Any:
    """Fit a model to data by least squares, and estimate the covariance of its parameters.

    One call is one fit; `jax.vmap` over ydata, p0, sigma or mask makes a batch of fits that share what is not mapped.

    Parameters
    ----------
    f : callable
        The model, ``f(xdata, *params) -> array`` of the shape of ydata, written with JAX. Each parameter is a scalar.
    xdata : any array or pytree of arrays
        What the model is evaluated at: of any shape. Traced.
    ydata : array
        The data, m numbers; or one, for a model of m values. Traced.
    p0 : (n,) float, optional
        The start. Default: ones, or inside of the bounds, with as many parameters as `f` has arguments after xdata. Its
        dtype, or that of ydata where p0 is a list, is the one that the fit runs in.
    sigma : float, (m,) or (m, m), optional
        Standard deviations of the data, or their covariance matrix. Traced.
    absolute_sigma : bool
        True: sigma is meant in absolute terms. False (the default): only the ratios count, and pcov is scaled so that
        the reduced chi-square is one.
    check_finite : bool, optional
        Raise where xdata or ydata are known to hold NaN or infinity. Default True, unless nan_policy is given.
    bounds : pair
        (lower, upper), see `least_squares`.
    method : str, optional
        'lm' (the default without bounds), 'trf' (the default with bounds) or 'dogbox'.
    jac : callable or str, optional
        ``jac(xdata, *params) -> (m, n)``, the Jacobian of the model; '2-point', '3-point', 'cs'. Default autodiff.
    full_output : bool
        Return infodict, mesg and ier too.
    nan_policy : str, optional
        'raise': raise where NaN is known to be there; 'omit': leave out data with NaN, in xdata or ydata, in every lane
        its own. None: a lane with NaN ends with status 5.
    mask : (m,) bool, optional
        False for data that do not count, whatever they hold, so that data sets of different lengths share a
        compilation. Traced.
    **kwargs
        ftol, xtol, gtol, max_nfev (or maxfev), x_scale, loss, f_scale, diff_step and options of `least_squares`.

    Returns
    -------
    popt : (n,) float
        The parameters. They have derivatives with respect to the data, sigma and what `f` captures.
    pcov : (n, n) float
        Their covariance, from the undamped Jacobian. Infinite in the rows and columns of parameters that the data do
        not determine, everywhere if the fit failed, or if m <= n and sigma is not absolute.
    infodict : dict
        With full_output: nfev, nit, fvec (the weighted residuals), cost, status and success as in `OptimizeResult`;
        rank of the Jacobian; and cov_status: 0 estimated, 1 some combination of parameters is undetermined, 2 no degrees
        of freedom, 3 the fit did not succeed, 4 a parameter is at a bound (pcov is that of the problem without bounds).
    mesg : Message
        With full_output: `str(mesg)` is the status in words.
    ier : () int32
        With full_output: 1 converged, 4 converged to working precision, 5 budget spent, 0 else: 1 to 4 are successes.

    Raises
    ------
    ValueError
        Data, sigma, p0, mask or bounds that do not fit one another; sigma that is known not to be positive (definite);
        p0 outside of the bounds; unknown method, nan_policy or loss; bounds with 'lm'; NaN where it is asked to raise.
    TypeError
        More parameters than data for 'lm'; an unknown keyword; a model that JAX cannot trace.

    Notes
    -----
    Nothing is raised and nobody is warned where a fit fails: pcov is infinite there, and infodict says why. SciPy raises
    RuntimeError.

    References
    ----------
    G. A. F. Seber, C. J. Wild, Nonlinear Regression, 1989: section 2.1. See `least_squares`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from jaxopt_lite import curve_fit
    >>> model = lambda t, a, k: a * jnp.exp(-k * t)
    >>> t = jnp.linspace(0.0, 4.0, 50)
    >>> y = model(t, 2.5, 1.3) + 0.01 * jnp.sin(20.0 * t)
    >>> popt, pcov = curve_fit(model, t, y)
    >>> print(popt.round(1), jnp.sqrt(jnp.diagonal(pcov)) < 0.02)
    [2.5 1.3] [ True  True]

    A thousand data sets:

    >>> Y = y + 0.01 * jax.random.normal(jax.random.key(0), (1000, 50))
    >>> popt, pcov = jax.vmap(lambda y: curve_fit(model, t, y))(Y)
    >>> popt.shape, pcov.shape
    ((1000, 2), (1000, 2, 2))
    """
    unknown = sorted(set(kwargs) - set(KEYWORDS))
    if unknown:
        raise TypeError(f"unknown keyword {unknown[0]!r}; curve_fit takes {', '.join(KEYWORDS)} beside its own.")
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy is {nan_policy!r}; give 'raise', 'omit' or None.")
    ydata = _array(ydata, "ydata")
    if np.size(ydata) == 0:
        raise ValueError("ydata is empty; give at least one datum.")
    xdata = (
        jax.tree.map(lambda leaf: _array(leaf, "xdata"), xdata) if not isinstance(xdata, list) else _array(xdata, "xdata")
    )
    known_x, known_y = _known(xdata), _known(ydata)
    for name, leaves in (("xdata", known_x), ("ydata", known_y)):
        _refuse(name, leaves, check_finite if check_finite is not None else nan_policy is None, nan_policy == "raise")
    leaves, layout = parse(_start(f, p0, bounds, ydata))
    box = read_box(bounds, leaves, layout, "p0")
    row = methods.find(methods.LEAST_SQUARES, method or ("lm" if box is None else "trf"), "curve_fit")
    if box is not None and "bounds" not in row.takes:
        raise ValueError(f"method {row.name!r} does not support bounds; use 'trf' or 'dogbox', or leave them out.")
    weights = _weights(sigma, ydata)
    masked = mask is not None or nan_policy == "omit"
    if masked:
        keep = jnp.ones(np.shape(ydata), bool) if mask is None else _mask(mask, ydata)
        xdata, ydata, weights, keep = _covered(xdata, ydata, weights, keep, nan_policy == "omit")
    else:
        keep = None
    args = (xdata, ydata, *(() if weights is None else (weights,)), *(() if keep is None else (keep,)))
    how = _residuals(weights is not None, masked)
    given = {name: kwargs.get(name, "auto") for name in ("ftol", "xtol", "gtol")}
    given |= {"x_scale": kwargs.get("x_scale"), "max_nfev": kwargs.get("max_nfev", kwargs.get("maxfev"))}
    derived = fitted(bool(absolute_sigma), masked, full_output)
    rest = [kwargs.get(name, default) for name, default in (("diff_step", None), ("loss", "linear"), ("f_scale", 1.0))]
    plan, call = plan_call(
        row, f, leaves, layout, args, jac, box, given, kwargs.get("options"), None, *rest, how, derived, TypeError
    )
    fields = run(plan, call)
    if not full_output:
        return fields["x"], fields["pcov"]
    status = fields["status"]
    info = {name: fields[name] for name in ("nfev", "nit", "fvec", "cost", "status", "success", "cov_status", "rank")}
    ier = jnp.where(status == PRECISION, 4, jnp.where(is_success(status), 1, jnp.where(status == BUDGET, 5, 0)))
    return fields["x"], fields["pcov"], info, Message(status), ier.astype(jnp.int32)


def _array(value: Any, name: str) -> Any:
    if isinstance(value, jax.Array | np.ndarray | Tracer):
        return value
    try:
        value = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is ragged: {error}") from error
    if value.dtype.kind not in "biufc":
        raise ValueError(f"{name} holds {value.dtype}; give numbers.")
    return value


def _known(data: Any) -> list[np.ndarray]:
    """The floating leaves whose numbers are known."""
    leaves = [leaf for leaf in jax.tree.leaves(data) if not isinstance(leaf, Tracer)]
    return [np.asarray(leaf) for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)]


def _refuse(name: str, leaves: list[np.ndarray], infinite: bool, nan: bool) -> None:
    if infinite and any(not np.all(np.isfinite(leaf)) for leaf in leaves):
        raise ValueError(
            f"{name} contains infs or NaNs; remove them, or pass nan_policy='omit', mask= or check_finite=False."
        )
    if nan and any(np.any(np.isnan(leaf)) for leaf in leaves):
        raise ValueError(f"{name} contains NaNs; remove them, or pass nan_policy='omit' or mask=.")


def _start(f: Callable, p0: Any, bounds: Any, ydata: Any) -> Any:
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
    n = len(parameters) - 1
    pair = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") and hasattr(bounds, "ub") else bounds
    if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(pair)):
        raise ValueError("p0 is not given, and cannot be chosen inside of bounds that are traced; give p0.")
    if not isinstance(pair, tuple | list | np.ndarray | jax.Array) or len(pair) != 2:
        return np.ones(n, dtype)  # what is wrong with the bounds is said where they are read
    sides = [np.ravel(np.asarray(side, float)) for side in pair]
    if any(side.size not in (1, n) for side in sides):
        return np.ones(n, dtype)
    low, high = (np.broadcast_to(side, n) for side in sides)
    finite = np.isfinite(low), np.isfinite(high)
    with np.errstate(invalid="ignore"):
        choices = [0.5 * (low + high), low + 1.0, high - 1.0]
    return np.select([finite[0] & finite[1], *finite], choices, 1.0).astype(dtype)


def _weights(sigma: Any, ydata: Any) -> Any:
    """1 / sigma, () or (m,), or the lower Cholesky factor (m, m) of a covariance; NaN where traced ones are not positive."""
    if sigma is None:
        return None
    sigma = _array(sigma, "sigma")
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
    return jnp.linalg.cholesky(jnp.asarray(sigma).astype(jnp.result_type(sigma.dtype, jnp.float32)))


def _mask(mask: Any, ydata: Any) -> Any:
    mask = _array(mask, "mask")
    if mask.shape != np.shape(ydata) or mask.dtype != bool:
        raise ValueError(
            f"mask is {mask.dtype} of shape {mask.shape}; give booleans of the shape of ydata, {np.shape(ydata)}."
        )
    return mask


@functools.partial(jax.jit, static_argnames="omit")
def _covered(xdata: Any, ydata: Array, weights: Array | None, keep: Array, omit: bool) -> tuple[Any, Array, Any, Array]:
    """Data that do not count replaced by some that do, so that neither they nor their derivatives can do harm."""
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

    if weights is not None and weights.ndim == 2:  # what is left out is left out of the covariance: marginalized
        sigma = jnp.dot(weights, weights.T, precision=jax.lax.Precision.HIGHEST)
        both = keep.reshape(-1)[:, None] & keep.reshape(-1)[None, :]
        weights = jnp.linalg.cholesky(jnp.where(both, sigma, jnp.eye(sigma.shape[0], dtype=sigma.dtype)))
    elif weights is not None and weights.shape[0] > 1:
        weights = jnp.where(keep.reshape(-1), weights, 1.0)
    return jax.tree.map(fill, xdata), jnp.where(keep, ydata, jnp.zeros_like(ydata)), weights, keep


def _floating(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


@functools.cache
def _residuals(weighted: bool, masked: bool) -> tuple[Callable, Callable]:
    """How the model, and its Jacobian, become weighted residuals: `(user's function, p (n,), args) -> array`."""

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

    def residuals(f: Callable, p: Array, args: tuple) -> Array:
        xdata, ydata, sigma, keep = split(p, args)
        out = jnp.asarray(f(xdata, *(p[i] for i in range(p.shape[0]))))
        if out.shape != ydata.shape and 1 not in (out.size, ydata.size):
            raise ValueError(f"the model gave shape {out.shape} for ydata of shape {ydata.shape}; make xdata and ydata fit.")
        shape = out.shape if out.size > ydata.size or ydata.ndim == 0 else ydata.shape
        difference = jnp.broadcast_to(out.reshape(-1), shape) if out.size == 1 else out
        data = jnp.broadcast_to(ydata.reshape(-1), shape) if ydata.size == 1 else ydata
        return weigh(jnp.ravel(difference.reshape(shape) - data.reshape(shape)), sigma, keep)

    def jacobian(jac: Callable, p: Array, args: tuple) -> Array:
        xdata, ydata, sigma, keep = split(p, args)
        J = jnp.asarray(jac(xdata, *(p[i] for i in range(p.shape[0]))))
        return weigh(J.reshape(-1, p.shape[0]), sigma, keep)

    return residuals, jacobian
