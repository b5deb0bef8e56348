"""The method tables: what a method is called, what it takes, and where it lives. One table a door, one row a method."""

from jaxopt_lite.api.methods.fits import LEAST_SQUARES, UNLIMITED
from jaxopt_lite.api.methods.linear import LINPROG, QUADPROG
from jaxopt_lite.api.methods.minimize import MINIMIZE
from jaxopt_lite.api.methods.row import Row, find, refuse
from jaxopt_lite.api.methods.scalar import MINIMIZE_SCALAR, ROOT_SCALAR

__all__ = [
    "LEAST_SQUARES",
    "LINPROG",
    "MINIMIZE",
    "MINIMIZE_SCALAR",
    "QUADPROG",
    "ROOT_SCALAR",
    "UNLIMITED",
    "Row",
    "find",
    "refuse",
]
