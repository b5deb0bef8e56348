"""`curve_fit`: SciPy's front door to fitting a model to data, with the covariance of the parameters."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxopt_lite._families.lsq.uncertainty import fitted
from jaxopt_lite.api import methods
from jaxopt_lite.api.drive import fields_of
from jaxopt_lite.api.fit import FitKeywords, pose_fit
from jaxopt_lite.api.reading.bounds import read_box
from jaxopt_lite.api.reading.fit_data import (
    array,
    concrete_leaves,
    covered,
    enough,
    read_mask,
    read_xdata,
    refuse,
    residuals,
    spread,
    start,
)
from jaxopt_lite.api.result import in_short, in_words, make_result
from jaxopt_lite.api.telling import check_on_failure, explained, failed, show, told_of_narrowing
from jaxopt_lite.core.layout import parse
from jaxopt_lite.core.status import BUDGET, PRECISION

KEYWORDS = (*FitKeywords._fields, "maxfev")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Message:
    """A status in words, looked up on the host when it is read: `str(mesg)`."""

    status: Any

    def __str__(self) -> str:
        return self.__dict__.get("_message") or in_short(in_words(self.status))


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
    on_failure: str = "best",
    **kwargs: Any,
) -> Any:
    """Fit a model to data by least squares, and estimate the covariance of its parameters.

    One call is one fit; `jax.vmap` over ydata, p0, sigma or mask makes a batch of fits that share the arguments that are not
    mapped.

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
        Raise where concrete (not traced) xdata or ydata hold NaN or infinity. Default True, unless nan_policy is given.
    bounds : pair
        (lower, upper), see `least_squares`.
    method : str, optional
        'lm' (the default without bounds), 'trf' (the default with bounds) or 'dogbox'.
    jac : callable or str, optional
        ``jac(xdata, *params) -> (m, n)``, the Jacobian of the model; '2-point', '3-point', 'cs'. Default autodiff.
    full_output : bool
        Return infodict, mesg and ier too.
    nan_policy : str, optional
        'raise': raise where concrete data hold NaN; 'omit': leave out data with NaN in xdata or ydata, each lane its own.
        None: a lane with NaN ends with status 5 (NOT_FINITE).
    mask : (m,) bool, optional
        False for data that do not count, whatever they hold, so that data sets of different lengths share a
        compilation. Traced.
    on_failure : str
        What popt is where the fit did not succeed: 'best', the best parameters that were seen; 'nan', so that a map of popt
        shows no plausible numbers where nothing was found; or 'raise', a RuntimeError as in SciPy, for an eager call of one
        problem. With the first two such a call warns (`OptimizeWarning`).
    kwargs : keywords
        ftol, xtol, gtol, max_nfev (or maxfev), x_scale, loss, f_scale, diff_step and options of `least_squares`.

    Returns
    -------
    popt : (n,) float
        The parameters. They have derivatives with respect to the data, sigma and what `f` captures.
    pcov : (n, n) float
        Their covariance, from the undamped Jacobian. Infinite in the rows and columns of parameters that the data do not
        determine; everywhere if m <= n and sigma is not absolute, or if the fit failed. Equal bounds fix a parameter: its
        row and column are 0, the others are those of the fit without it, and n does not count it.
    infodict : dict
        With full_output: nfev, nit, fvec (the weighted residuals), cost, status and success as in `OptimizeResult`;
        rank of the Jacobian (of its columns that are not fixed); and cov_status, which says by what formula pcov was made:
        0 estimated for all parameters, 1 some combination of parameters is undetermined, 2 no degrees of freedom, 3 the fit
        did not succeed, 4 a parameter is at a bound that does not fix it (pcov is that of the problem without that bound),
        5 estimated for the free parameters alone, others are fixed.
    mesg : Message
        With full_output: `str(mesg)` is the status in words.
    ier : () int32
        With full_output: 1 converged, 4 converged to working precision, 5 budget spent, 0 else: 1 to 4 are successes.

    Raises
    ------
    ValueError
        Data, sigma, p0, mask or bounds that do not fit one another; concrete sigma that is not positive (definite);
        p0 outside of the bounds; unknown method, nan_policy or loss; bounds with 'lm'; NaN where
        nan_policy is 'raise'; no data, or a concrete mask under which none count.
    TypeError
        More parameters than data that count, for 'lm'; an unknown keyword; a model that JAX cannot trace.

    Notes
    -----
    Where a fit fails pcov is infinite, and infodict says why. An eager call of one problem also warns. It raises only where
    `on_failure` says so; SciPy raises RuntimeError. Where fewer data count in a lane than there are parameters, there is no
    fit: status 7 (BAD_INPUT), with the best parameters found, and an infinite pcov. Without tolerances a fit ends within
    1e-5 standard errors of its solution, or at the rounding of the dtype (status 8, PRECISION; ier 4). popt then has five
    digits of all that the data can tell. `least_squares` says what else ends a fit, and which statuses there are.

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

    >>> Y = y[None] + 0.01 * jax.random.normal(jax.random.key(0), (1000, 50))
    >>> popt, pcov = jax.vmap(lambda y: curve_fit(model, t, y))(Y)
    >>> popt.shape, pcov.shape
    ((1000, 2), (1000, 2, 2))
    """
    unknown = sorted(set(kwargs) - set(KEYWORDS))
    if unknown:
        raise TypeError(f"unknown keyword {unknown[0]!r}; curve_fit takes {', '.join(KEYWORDS)} beside its own.")
    check_on_failure(on_failure)
    told_of_narrowing(xdata=xdata, ydata=ydata, p0=p0, sigma=sigma)
    if nan_policy not in (None, "raise", "omit"):
        raise ValueError(f"nan_policy is {nan_policy!r}; give 'raise', 'omit' or None.")
    ydata, xdata = array(ydata, "ydata"), read_xdata(xdata)
    if np.size(ydata) == 0:
        raise ValueError("ydata is empty; give at least one datum.")
    finite = nan_policy is None if check_finite is None else check_finite
    for name, data in (("xdata", xdata), ("ydata", ydata)):
        refuse(name, concrete_leaves(data), finite, nan_policy == "raise")
    leaves, layout = parse(start(f, p0, bounds, ydata))
    box = read_box(bounds, leaves, layout, "p0")
    row = methods.find(methods.LEAST_SQUARES, method or ("lm" if box is None else "trf"), "curve_fit")
    deviations = spread(sigma, ydata)
    masked = mask is not None or nan_policy == "omit"
    keep = read_mask(mask, ydata) if masked else None
    if keep is not None:
        xdata, ydata, deviations, keep = covered(xdata, ydata, deviations, keep, nan_policy == "omit")
        enough(keep, layout.size, row.name)
    args = (xdata, ydata, *(part for part in (deviations, keep) if part is not None))
    kwargs = {"max_nfev" if name == "maxfev" else name: value for name, value in kwargs.items()}
    posed = pose_fit(
        row,
        f,
        leaves,
        layout,
        args,
        jac,
        box,
        FitKeywords(**kwargs),
        how=residuals(deviations is not None, masked),
        derived=fitted(bool(absolute_sigma), masked, full_output),
        too_few=TypeError,
    )
    fields = fields_of(posed)
    status, success = fields["status"], fields["success"]
    message = explained(Message(status), posed.plan, posed.call)
    if posed.disp:
        show(make_result({"fun": None} | fields), posed.call)
    failed("curve_fit", posed.call, status, lambda: str(message), on_failure)
    if on_failure == "nan":
        fields = fields | {"x": jnp.where(success, fields["x"], jnp.nan)}
    if not full_output:
        return fields["x"], fields["pcov"]
    info = {name: fields[name] for name in ("nfev", "nit", "fvec", "cost", "status", "success", "cov_status", "rank")}
    ier = jnp.where(status == PRECISION, 4, jnp.where(success, 1, jnp.where(status == BUDGET, 5, 0)))
    return fields["x"], fields["pcov"], info, message, ier.astype(jnp.int32)
