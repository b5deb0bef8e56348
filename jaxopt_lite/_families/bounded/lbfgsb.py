"""L-BFGS-B: quasi-Newton steps on the free variables, and a search along their projection onto the box.

    F = the variables that no bound holds,   d_F = -H_F g_F,   x(t) = P(x + t d)                    (1)

P is the projection (`box.py`), H_F the memory's matrix on the free variables (`memory.py`), and `search.py` searches the
path x(t). This is two-metric projection (Bertsekas 1982, eq. 32) with a quasi-Newton matrix (Schmidt, Kim & Sra 2011,
section 11.4). Byrd, Lu, Nocedal & Zhu (1995) instead walk along the breakpoints of the projected gradient to find a face,
and minimize the quadratic model on it. In a batch every lane would wait for the longest of these walks. Here the path itself
finds the face: in one step any number of variables arrive at their bounds, and every variable that the gradient pulls
inside leaves its bound.

A component of d that points out of the box where x is at its bound is dropped. If d then does not descend, it is replaced by
steepest descent on the free variables. Without a box this is L-BFGS (Liu & Nocedal 1989).

Success is claimed where max |P(x - g) - x| <= gtol, and at working precision as `search.py` says. A small reduction of f
alone is no success. `ftol` may end a run by it, as in SciPy, but the status then says what the projected gradient says.
"""

import functools
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box, memory, search
from jaxopt_lite._families.bounded.inverse import InverseHessian
from jaxopt_lite._families.bounded.search import BoxData, Path
from jaxopt_lite._families.line_search.descent import unit_step
from jaxopt_lite._needs.values import GRADIENT
from jaxopt_lite.core import implicit
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import STATIC, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told

OPTIONS = {
    "maxcor": Option(10, STATIC, "Steps that are remembered (static). With n <= 2 maxcor all of them are, in a matrix."),
} | search.OPTIONS

prepare = search.prepare


class QuasiNewton(NamedTuple):
    """A search, and the memory that makes the next direction."""

    path: Path
    memory: memory.Matrix | memory.Pairs


def _init(m: int, x0: Array, data: BoxData) -> QuasiNewton:
    return QuasiNewton(search.start(x0, data), memory.start(x0, m, data.lower is not None))


def _ask(s: QuasiNewton, data: BoxData) -> Query:
    return Query(search.trial(s.path, data))


def _tell(s: QuasiNewton, query: Query, answer: Answer, data: BoxData) -> Told:
    path, unlearnt = s.path, s.memory.unlearnt
    o = search.judge(path, query.x, answer, data, flat=True)
    restart = o.broken & ~unlearnt
    was_free = is_free = None
    if data.lower is not None:
        was_free, is_free = box.free(path.x, path.grad, data), box.free(o.x, o.grad, data)
    step = memory.Learnt(o.moved, o.change, o.grad, was_free, is_free, o.accepted & ~o.fresh, restart)
    mind, p = memory.learn(s.memory, step)
    d, slope, wrong = search.descending(o.x, o.grad, p, is_free, data)
    first = jnp.where(mind.unlearnt | wrong, unit_step(d), 1.0)
    new = QuasiNewton(search.go_on(path, o, d, slope, first, o.accepted | restart, data), mind)
    return Told(new, search.status(path, o, is_free, answer, unlearnt, data), o.accepted & ~o.fresh)


def _report(s: QuasiNewton, data: BoxData) -> dict[str, Any]:
    path = s.path
    free = box.free(path.x, path.grad, data)
    matrix = None
    if isinstance(s.memory, memory.Matrix):  # while H is the identity, there is no estimate
        matrix = jnp.where(s.memory.unlearnt, jnp.nan, s.memory.H)
    pairs = memory.ordered(s.memory) if isinstance(s.memory, memory.Pairs) else None
    return {"x": path.x, "fun": path.fun, "jac": path.grad, "hess_inv": InverseHessian(matrix, pairs, free)}


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where maxcor is no count."""
    m = options["maxcor"]
    if not isinstance(m, int) or isinstance(m, bool) or m < 1:
        raise ValueError(f"option 'maxcor' is {m!r}; give an integer >= 1.")
    return lbfgsb(m, options.get("bounded", False))


@kept()
def lbfgsb(m: int, bounded: bool) -> Method:
    """The method; equal arguments give the same object."""
    rule = implicit.box if bounded else implicit.stationary
    return Method("L-BFGS-B", GRADIENT, functools.partial(_init, m), _ask, _tell, _report, rule, certificate=minimum())
