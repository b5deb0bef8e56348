"""The methods of `linprog` and `quadprog` that are programs of JAX; HiGHS has no row, for it runs on the host."""

from jaxopt_lite._families.linear import interior_point, simplex
from jaxopt_lite.api.methods.row import Row
from jaxopt_lite.core.batching import Schedule

QUADPROG = (
    Row(
        name="interior-point",
        build=lambda options: interior_point.QUADRATIC,
        prepare=interior_point.prepare,
        options={"tol": interior_point.OPTIONS["tol"]},
        takes=frozenset({"bounds"}),
        maxiter=lambda size: 200,
        schedule=Schedule(turns_per_refill=2),
    ),
)

LINPROG = (
    Row(
        name="interior-point",
        build=lambda options: interior_point.METHOD,
        prepare=interior_point.prepare,
        options=interior_point.OPTIONS,
        takes=frozenset({"bounds"}),
        maxiter=lambda size: 200,
        schedule=Schedule(turns_per_refill=2),
    ),
    Row(
        name="simplex",
        build=lambda options: simplex.build(),
        prepare=simplex.prepare,
        options=simplex.OPTIONS,
        takes=frozenset({"bounds"}),
        maxiter=lambda size: 50 * size + 100,
    ),
)
