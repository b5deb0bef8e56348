"""scipy.optimize as pure functions on JAX: vmap is a batch solver, grad goes through solutions, lanes tell the truth."""

from jaxopt_lite.api.bounds import Bounds
from jaxopt_lite.api.curve_fit import curve_fit
from jaxopt_lite.api.functions import rosen, rosen_der, rosen_hess, rosen_hess_prod
from jaxopt_lite.api.least_squares import least_squares
from jaxopt_lite.api.linprog import linprog
from jaxopt_lite.api.minimize import minimize
from jaxopt_lite.api.minimize_scalar import minimize_scalar
from jaxopt_lite.api.result import OptimizeResult, RootResults
from jaxopt_lite.api.root_scalar import root_scalar
from jaxopt_lite.api.show_options import show_options
from jaxopt_lite.api.stepping import Stepper, stepper
from jaxopt_lite.core.program import compiler_options
from jaxopt_lite.core.warn import OptimizeWarning

__all__ = [
    "Bounds",
    "OptimizeResult",
    "OptimizeWarning",
    "RootResults",
    "Stepper",
    "compiler_options",
    "curve_fit",
    "least_squares",
    "linprog",
    "minimize",
    "minimize_scalar",
    "root_scalar",
    "rosen",
    "rosen_der",
    "rosen_hess",
    "rosen_hess_prod",
    "show_options",
    "stepper",
]
