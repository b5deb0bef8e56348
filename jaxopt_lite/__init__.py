"""scipy.optimize as pure functions on JAX: vmap is a batch solver, grad goes through solutions, lanes tell the truth."""

from importlib import metadata as _metadata
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import NoReturn as _NoReturn

from jaxopt_lite.api.absent import why_absent as _why_absent
from jaxopt_lite.api.doors.curve_fit import curve_fit
from jaxopt_lite.api.doors.least_squares import least_squares
from jaxopt_lite.api.doors.linprog import linprog
from jaxopt_lite.api.doors.minimize import minimize
from jaxopt_lite.api.doors.minimize_scalar import minimize_scalar
from jaxopt_lite.api.doors.quadprog import quadprog
from jaxopt_lite.api.doors.root_scalar import root_scalar
from jaxopt_lite.api.doors.rosen import rosen, rosen_der, rosen_hess, rosen_hess_prod
from jaxopt_lite.api.doors.show_options import show_options
from jaxopt_lite.api.doors.stepper import Stepper, stepper
from jaxopt_lite.api.reading.bounds import Bounds
from jaxopt_lite.api.reading.constraint_classes import LinearConstraint, NonlinearConstraint
from jaxopt_lite.api.reading.strategies import BFGS, SR1
from jaxopt_lite.api.result import OptimizeResult, RootResults
from jaxopt_lite.core.program import compiler_options
from jaxopt_lite.core.status import Status
from jaxopt_lite.core.warn import OptimizeWarning

__all__ = [
    "BFGS",
    "SR1",
    "Bounds",
    "LinearConstraint",
    "NonlinearConstraint",
    "OptimizeResult",
    "OptimizeWarning",
    "RootResults",
    "Status",
    "Stepper",
    "compiler_options",
    "curve_fit",
    "least_squares",
    "linprog",
    "minimize",
    "minimize_scalar",
    "quadprog",
    "root_scalar",
    "rosen",
    "rosen_der",
    "rosen_hess",
    "rosen_hess_prod",
    "show_options",
    "stepper",
]

try:
    __version__ = _metadata.version("jaxopt_lite")
except _metadata.PackageNotFoundError:  # run from its sources, without being installed
    __version__ = "0+unknown"

if not _TYPE_CHECKING:  # which tells of missing names by itself

    def __getattr__(name: str) -> _NoReturn:
        """A name of SciPy's that is not here is answered with what to use instead."""
        raise AttributeError(_why_absent(name, __all__))
