"""The oracle of a function of one variable whose zero is sought: from `f`, `fprime` and `fprime2`, or by autodiff."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array

from jaxopt_lite.api.oracles.close import check_callable, close_function, scalar_of
from jaxopt_lite.core.function import Arguments
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.oracle import Loss, Oracle, Traced
from jaxopt_lite.core.protocol import Need

# A function whose zero is sought, as a residual of one entry: its own value is what the loop sees, sign and all.
SIGNED = Loss(cost=lambda residual, t: residual[0], weigh=lambda residual, jacobian, t: (residual, jacobian))


def root_oracle(
    needs: Need, layout: Layout, f: Callable, args: Any, fprime: Any = None, fprime2: Any = None
) -> tuple[Oracle, Traced]:
    """The oracle of a function of one variable whose zero is sought, and its traced part.

    fprime=True: f returns its derivative too; fprime2=True: and its second one.
    """
    arguments = Arguments(args)
    parts = 3 if fprime2 is True else 2 if fprime is True else 1
    given = {"fprime": None if fprime is True else fprime, "fprime2": None if fprime2 is True else fprime2}
    check_callable(f=f, **given)
    point = jax.ShapeDtypeStruct((layout.size,), layout.dtype)

    def part(out: Any, k: int) -> Array:
        """The value (k = 0) or a derivative, of what f returned."""
        if parts > 1 and (not isinstance(out, tuple | list) or len(out) != parts):
            wanted = "(f, f'), as fprime=True says" if parts == 2 else "(f, f', f''), as fprime2=True says"
            raise ValueError(f"f returned a {type(out).__name__}; it must return {wanted}.")
        return scalar_of(out[k] if parts > 1 else out, "f", layout)

    def closed(function: Callable, name: str, read: Callable, mode: str) -> tuple[Any, list[Array]]:
        return close_function(function, name, read, layout, (point,), arguments, (mode, parts))

    if needs.order == 0:
        fun, captured = closed(f, "f", lambda out: part(out, 0), "value")
        return Oracle(needs, fun), Traced(captured, [], [], [], [], arguments.dynamic, None, None)
    paired = parts > 1
    first, second = (lambda d: d.reshape(1, 1)), (lambda d: d.reshape(1, 1, 1))
    pair = lambda out: (part(out, 0)[None], first(part(out, 1)))
    fun, captured = closed(f, "f", pair if paired else (lambda out: part(out, 0)[None]), "root")
    jac, of_jac, hess, of_hess = None, list[Array](), None, list[Array]()
    if given["fprime"] is not None and not paired:
        jac, of_jac = closed(fprime, "fprime", lambda out: first(scalar_of(out, "fprime", layout)), "fprime")
    if parts == 3:
        hess, of_hess = closed(f, "f", lambda out: second(part(out, 2)), "f''")
    elif given["fprime2"] is not None:
        hess, of_hess = closed(fprime2, "fprime2", lambda out: second(scalar_of(out, "fprime2", layout)), "fprime2")
    oracle = Oracle(needs, fun, jac, hess, paired=paired, loss=SIGNED)
    return oracle, Traced(captured, of_jac, of_hess, [], [], arguments.dynamic, None, None)
