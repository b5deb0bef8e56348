"""scipy.optimize as pure functions on JAX: vmap is a batch solver, grad goes through solutions, every lane tells the truth."""

from jaxopt_lite.api.minimize import minimize
from jaxopt_lite.api.minimize_scalar import minimize_scalar
from jaxopt_lite.api.result import OptimizeResult
from jaxopt_lite.core.program import compiler_options

__all__ = ["OptimizeResult", "compiler_options", "minimize", "minimize_scalar"]
