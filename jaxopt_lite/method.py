"""Methods of your own: what a method is made of, in public.

A method asks for points and is told values; it never calls the user's function. What you write is a `Method`, a record of
four pure functions, and a `Row`, which says how a front door builds it. Then

    minimize(fun, x0, method=ROW)

runs it like any other: under `jax.vmap` as a batch whose finished lanes take the next problem, with budgets and counters,
with the best finite point of each lane and its status, and with derivatives of the solution by the rule that the method
names. CONTRIBUTING.md has an example of forty lines.

**What a method is**: `Method`, `Query` (what it asks), `Answer` (what it is told), `Told` (what it says then); `Row`,
`Option` and the checks of options.

**What it needs at a point**: values and derivatives of a scalar function (`VALUE`, `GRADIENT`, `HESSIAN`, `HVP`, and
`SLOPE_PRODUCT`, which multiplies with the unit gradient where the asked vector is zero), of residuals (`RESIDUAL`,
`JACOBIAN`, `CURVATURE`), of a system of equations (`SYSTEM`, `SYSTEM_JACOBIAN`, `SYSTEM_PRODUCT`), or of a function under
constraints (`CONSTRAINED_VALUE`, `CONSTRAINED`, `LAGRANGIAN`, `LAGRANGIAN_PRODUCT` with `Along`). A `Need` of your own is a
record of what an oracle has to answer.

**Which of two points is better**: `LEAST`, `NEAREST_ZERO`, `FEASIBLE`, or a `Rank` of your own.

**What moves the solution**: the rules `stationary`, `in_box`, `kkt` and `system` of the implicit function theorem.

**What proves a claim**: `minimum`, the certificate of minimizers; a status with `CLAIM` added is decided by it.

**Composers**: `descent` makes a line-search method from a `Direction`; `trust_region` a trust-region method from a
`Subproblem`; `gauss_newton` one for residuals from a `Rule`.
"""

from jaxopt_lite._families.line_search.descent import Direction, descent
from jaxopt_lite._families.lsq.gauss_newton import Rule, gauss_newton
from jaxopt_lite._families.trust_region.radius import Place, Proposal, Subproblem, trust_region
from jaxopt_lite._needs.constrained import CONSTRAINED, CONSTRAINED_VALUE, LAGRANGIAN, LAGRANGIAN_PRODUCT, Along
from jaxopt_lite._needs.kkt import kkt
from jaxopt_lite._needs.residuals import CURVATURE, JACOBIAN, RESIDUAL
from jaxopt_lite._needs.systems import SYSTEM, SYSTEM_JACOBIAN, SYSTEM_PRODUCT
from jaxopt_lite._needs.values import GRADIENT, HESSIAN, HVP, SLOPE_PRODUCT, VALUE
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.core.batching import Schedule
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.implicit import box as in_box
from jaxopt_lite.core.implicit import stationary, system
from jaxopt_lite.core.options import COUNT, FRACTION, MATRIX, POSITIVE_OR_ZERO, SIZE, STATIC, Check, Option
from jaxopt_lite.core.protocol import Answer, Method, Need, Query, Told
from jaxopt_lite.core.rank import FEASIBLE, LEAST, NEAREST_ZERO, Rank
from jaxopt_lite.core.status import CLAIM, RUNNING, Status

__all__ = [
    "CLAIM",
    "CONSTRAINED",
    "CONSTRAINED_VALUE",
    "COUNT",
    "CURVATURE",
    "FEASIBLE",
    "FRACTION",
    "GRADIENT",
    "HESSIAN",
    "HVP",
    "JACOBIAN",
    "LAGRANGIAN",
    "LAGRANGIAN_PRODUCT",
    "LEAST",
    "MATRIX",
    "NEAREST_ZERO",
    "POSITIVE_OR_ZERO",
    "RESIDUAL",
    "RUNNING",
    "SIZE",
    "SLOPE_PRODUCT",
    "STATIC",
    "SYSTEM",
    "SYSTEM_JACOBIAN",
    "SYSTEM_PRODUCT",
    "VALUE",
    "Along",
    "Answer",
    "Check",
    "Direction",
    "Method",
    "Need",
    "Option",
    "Place",
    "Proposal",
    "Query",
    "Rank",
    "Row",
    "Rule",
    "Schedule",
    "Status",
    "Subproblem",
    "Told",
    "descent",
    "gauss_newton",
    "in_box",
    "kkt",
    "minimum",
    "stationary",
    "system",
    "trust_region",
]
