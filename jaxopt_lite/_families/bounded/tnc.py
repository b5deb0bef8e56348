"""TNC: truncated Newton steps on the free variables, and a search along their projection onto the box.

At an accepted point conjugate gradients (Hestenes & Stiefel 1952; Nocedal & Wright 2006, algorithm 7.1) solve

    H_FF d = -g_F,      F = the variables that no bound holds                                       (1)

They stop where the residual r = -g_F - H_FF d is small,

    |r| <= eta |g_F|                                                                                (2)

with the eta of Newton-CG (4-D Rosenbrock functions took 128 turns a solve with Eisenstat & Walker's second choice, 125 with
0.3, 101 with 0.1). They also stop where the curvature v'Hv of a direction v is not positive. Then d takes a last step
rr / |v'Hv| along v, at most as long as the larger of |d| and 1, because f falls ever more steeply along v. Nash stops before
v. Beside a saddle that step is too short: runs of thousands of evaluations ended there. The path P(x + t d) is then searched
as `search.py` says, and a new point makes a new system. (Newton-CG begins a system with the product along the last
direction. Here that took 283 turns for 101, because the last step was not flat.) Where a Newton direction leads nowhere,
steepest descent is tried. Where that leads nowhere too, the run has ended.

With `scale` D all this happens in the variables x / D: gradients are multiplied by D, and so are directions on their way
back.

Every product Hv is an evaluation (it returns f and g at x again). So one iteration of conjugate gradients is one turn of the
loop, and lanes in different phases do not wait for each other.

Source: S. G. Nash, Newton-type minimization via the Lanczos method, SIAM J. Numer. Anal. 21 (1984) 770; D. P. Bertsekas,
Projected Newton methods for optimization problems with simple constraints, SIAM J. Control 20 (1982) 221, for the box.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box, search
from jaxopt_lite._families.bounded.search import C2, Path
from jaxopt_lite._families.line_search.descent import unit_step
from jaxopt_lite._needs.values import HVP
from jaxopt_lite.core import implicit
from jaxopt_lite.core.certificate import minimum
from jaxopt_lite.core.dense import dot, norm, settled
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import COUNT, FRACTION, IGNORED, POSITIVE_OR_ZERO, SIZE, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BELIEVED, CONVERGED, RUNNING

_PLAIN = "Of no effect, a warning says so: nothing here depends on "
OPTIONS = {
    "maxCGit": Option(None, COUNT, "Most products of the Hessian for one direction. Default: min(n, 50)."),
    "scale": Option(
        None, SIZE, "Typical sizes of the variables, in which (1) is solved. Default: 1, where SciPy's is 1 + |x|."
    ),
    "eta": Option(C2, FRACTION, "Flatness that ends a line search; SciPy's default is 0.25."),
    "stepmx": Option(0.0, POSITIVE_OR_ZERO, "Longest first trial step of a line search, in scaled variables. 0: any."),
    "xtol": Option(
        0.0,
        POSITIVE_OR_ZERO,
        "End where no scaled variable moves by more than xtol; a success only where gtol holds. 0: not asked.",
    ),
    "offset": Option(None, IGNORED, _PLAIN + "where x is counted from."),
    "rescale": Option(None, IGNORED, _PLAIN + "the scale of f."),
    "minfev": Option(None, IGNORED, _PLAIN + "a guess of the least value."),
    "accuracy": Option(None, IGNORED, _PLAIN + "differences of gradients; see `finite_diff_rel_step`."),
} | search.OPTIONS

FORCING = 0.1  # eta of (2)
RESOLVED = 16.0  # a curvature below this many eps of the largest one is rounding, as of a sum of a few terms
STEEPEST = -1  # a value of `Newton.left`: the search goes along steepest descent


class TNCData(NamedTuple):
    """Traced numbers of a run."""

    gtol: Array  # () as in BoxData, and so on
    ftol: Array
    maxls: Array
    lower: Any
    upper: Any
    products: Array  # () int32: most products for one direction
    scale: Array | None  # (n,) sizes of the variables; None: 1
    eta: Array  # () flatness
    stepmx: Array  # () longest first step of a search; 0: any
    xtol: Array  # () a step as short as this ends the run; 0: none does


class Newton(NamedTuple):
    """A search, or the conjugate gradients (1) that make its direction."""

    path: Path  # its direction is the d of (1), as far as it is solved
    r: Array  # (n,) residual of (1)
    v: Array  # (n,) direction of conjugate gradients
    left: Array  # () int32: products that may still be made; 0 in a search along d, STEEPEST in one along -g_F


def prepare(options: dict[str, Any], x0: Array) -> TNCData:
    """The data record from options; None takes the default."""
    most = min(x0.shape[0], 50) if options["maxCGit"] is None else options["maxCGit"]
    number = lambda value: jnp.asarray(value).astype(x0.dtype)
    scale = None if options["scale"] is None else jnp.broadcast_to(number(options["scale"]), x0.shape)
    rest = (number(options[name]) for name in ("eta", "stepmx", "xtol"))
    return TNCData(*search.prepare(options, x0), jnp.maximum(1, jnp.asarray(most, jnp.int32)), scale, *rest)


def _scaled(v: Array, data: TNCData) -> Array:
    """A gradient in scaled variables, or a direction from them."""
    return v if data.scale is None else data.scale * v


def _unscaled(d: Array, data: TNCData) -> Array:
    """A direction in scaled variables."""
    return d if data.scale is None else d / data.scale


def _init(x0: Array, data: TNCData) -> Newton:
    flat = jnp.zeros_like(x0)
    return Newton(search.start(x0, data), flat, flat, jnp.zeros((), jnp.int32))


def _ask(s: Newton, data: TNCData) -> Query:
    inner = s.left > 0
    return Query(jnp.where(inner, s.path.x, search.trial(s.path, data)), jnp.where(inner, _scaled(s.v, data), 0.0))


def _tell(s: Newton, query: Query, answer: Answer, data: TNCData) -> Told:
    path, inner = s.path, s.left > 0
    o = search.judge(path, query.x, answer, data, flat=False, c2=data.eta)
    o = o._replace(accepted=o.accepted & ~inner, broken=o.broken & ~inner, narrow=o.narrow & ~inner)
    stay = lambda old, new: jnp.where(inner, old, new)
    o = o._replace(x=stay(path.x, o.x), fun=stay(path.fun, o.fun), grad=stay(path.grad, o.grad))
    o = o._replace(search=type(o.search)(*map(stay, path.search, o.search)))
    free = None if data.lower is None else box.free(o.x, o.grad, data)
    g = _scaled(o.grad if free is None else jnp.where(free, o.grad, 0.0), data)
    gg = dot(g, g)

    d, r, v, ended = _conjugate(s, answer.hvp, free, g, gg, data)
    restart = o.broken & (s.left != STEEPEST)
    search_on = inner & (ended | (s.left == 1))
    p, slope, wrong = search.descending(o.x, o.grad, jnp.where(restart, 0.0, d), free, data)
    steep = restart | wrong
    step = jnp.where(steep, unit_step(p), 1.0)
    longest = data.stepmx / jnp.maximum(norm(_unscaled(p, data), 2), jnp.finfo(p.dtype).tiny)
    step = jnp.where(data.stepmx > 0, jnp.minimum(step, longest), step)
    new = search.go_on(path, o, p, slope, step, search_on | restart, data)
    begin = o.accepted
    d = jnp.where(begin, 0.0, jnp.where(inner & ~search_on, d, new.d))
    new = new._replace(d=d, trials=jnp.where(inner & ~search_on, path.trials, new.trials))
    left = jnp.where(search_on | restart, jnp.where(steep, STEEPEST, 0), jnp.where(inner, s.left - 1, s.left))
    state = Newton(
        new,
        jnp.where(begin, -g, jnp.where(inner, r, s.r)),
        jnp.where(begin, -g, jnp.where(inner, v, s.v)),
        jnp.where(begin, data.products, left).astype(jnp.int32),
    )
    still = (data.xtol > 0) & (norm(_unscaled(o.moved, data)) <= data.xtol)
    status = jnp.where(inner, RUNNING, search.status(path, o, free, answer, s.left == STEEPEST, data, still))
    moves = jnp.ones((), bool) if free is None else jnp.any(free)
    unseen = o.fresh & (status == CONVERGED) & moves  # a first point: no curvature was seen
    status = jnp.where(unseen, BELIEVED + CONVERGED, status)
    return Told(state, status, o.accepted & ~o.fresh)


def _conjugate(
    s: Newton, Hv: Array, free: Array | None, g: Array, gg: Array, data: TNCData
) -> tuple[Array, Array, Array, Array]:
    """One iteration of conjugate gradients: the new d, r and v, and whether it was the last.

    A curvature counts as flat where it is no more than its rounding. That rounding follows from the sizes of the rows of H,
    and these follow from the steps so far, H d = -g - r: row i counts as |H d|_i / |d_i|, and as no more than |H d| / |d|.
    So a variable is not called flat because its curvature is 1e12 times smaller than another's (Brown's badly scaled
    function).
    """
    Hv = _scaled(Hv if free is None else jnp.where(free, Hv, 0.0), data)
    curvature, rr, vv = dot(s.v, Hv), dot(s.r, s.r), dot(s.v, s.v)
    way, change, tiny = jnp.abs(_unscaled(s.path.d, data)), jnp.abs(g + s.r), jnp.finfo(rr.dtype).tiny
    length = norm(way, 2)
    rows = jnp.minimum(change / jnp.maximum(way, tiny), norm(change, 2) / jnp.maximum(length, tiny))
    rounding = jnp.where(length > 0, RESOLVED * jnp.finfo(rr.dtype).eps * dot(s.v * s.v, rows), 0.0)
    flat = settled((~((curvature > 0) & (curvature >= rounding)))[None], rr.dtype)[0]
    size = jnp.where(curvature == 0, 1.0, jnp.abs(curvature))
    most = jnp.maximum(1.0, length) / jnp.maximum(jnp.sqrt(vv), tiny)
    alpha = jnp.where(flat, jnp.where(curvature == 0, most, jnp.minimum(rr / size, most)), rr / size)
    r = s.r - alpha * Hv
    new = dot(r, r)
    v = r + (new / jnp.where(rr > 0, rr, 1.0)) * s.v
    return s.path.d + alpha * _scaled(s.v, data), r, v, flat | (new <= FORCING**2 * gg)


def _report(s: Newton, data: TNCData) -> dict[str, Any]:
    return {"x": s.path.x, "fun": s.path.fun, "jac": s.path.grad}


def build(options: dict[str, Any]) -> Method:
    """The method from its options."""
    return tnc(options.get("bounded", False))


@kept()
def tnc(bounded: bool) -> Method:
    """The method; equal arguments give the same object."""
    rule = implicit.box if bounded else implicit.stationary
    return Method("TNC", HVP, _init, _ask, _tell, _report, rule, certificate=minimum(second_order=True))
