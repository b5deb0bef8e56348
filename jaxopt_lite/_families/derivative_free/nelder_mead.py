"""Nelder-Mead: a simplex of n + 1 points that moves downhill, from values alone.

Names and rules are those of Lagarias, Reeds, Wright & Wright (SIAM J. Optim. 9 (1998) 112, section 2). The vertices are
ordered, f(x_1) <= ... <= f(x_(n+1)). With c the mean of the n best, an iteration tries

    x(t) = c + t (c - x_(n+1))                                                                      (2.4)-(2.7)

    reflection   t = rho           f_r < f_1: expand; f_r < f_n: accepted; f_r < f_(n+1): contract outside; else inside
    expansion    t = rho chi       accepted if f_e < f_r, else x_r is accepted
    outside      t = psi rho       accepted if f_c <= f_r, else shrink
    inside       t = -psi          accepted if f_c < f_(n+1), else shrink
    shrink       x_i <- x_1 + sigma (x_i - x_1), i = 2 ... n + 1

*Ties.* An accepted vertex takes the last place among equal ones (their nonshrink rule). After a shrink x_1 stays first where
no new value is less (their shrink rule). Coefficients are rho, chi, psi, sigma = 1, 2, 1/2, 1/2, or where `adaptive`
(Gao & Han, Comput. Optim. Appl. 51 (2012) 259, eq. 4.1) 1, 1 + 2/n, 3/4 - 1/(2n), 1 - 1/n.

*Changed for batches.* A turn evaluates one point. Reflection, expansion and contraction are phases of the state; so are the
vertices of the first simplex, of a shrunk one and of a restarted one, which are filled in one a turn. The simplex is kept
in order by insertion: a vertex goes behind all that are not worse, by n comparisons and no sort.

*The end.* A simplex is small where its vertices are within xatol of the best one, and their values within fatol: SciPy's
test. A small simplex is no proof: simplices also shrink where there is no minimum (McKinnon, SIAM J. Optim. 9 (1998) 148),
and lose a dimension in narrow valleys. So a new simplex is started about the best point, RESTART times as large as xatol
along the axes (Kelley, SIAM J. Optim. 10 (1999) 43, restarts alike). Only where that one too becomes small, and has gained
no more than fatol, the lane claims its minimum. `core/neighborhood.py` then decides, from derivatives where there are any.
Below what x and f resolve no simplex becomes smaller: where f still differs there, as at a jump, the status is 4.

Values that are not finite rank worst (the loop makes them +inf), and a simplex of such values alone ends the lane. Bounds
are kept as SciPy does: points are clipped, and a first simplex is mirrored at its upper bounds.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.bounded import box
from jaxopt_lite._needs.values import VALUE
from jaxopt_lite.core import implicit
from jaxopt_lite.core.neighborhood import by_values
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import POSITIVE_OR_ZERO, STATIC, Check, Option
from jaxopt_lite.core.protocol import Answer, Method, Query, Told
from jaxopt_lite.core.status import BAD_INPUT, CLAIM, CONVERGED, NUMERICAL, PRECISION, RUNNING
from jaxopt_lite.core.stopping import simplex_tolerance

STRETCH, FROM_ZERO = 0.05, 0.00025  # the first simplex: 5 % of a variable, and of a variable that is 0 this: SciPy's numbers
RESTART = 30.0  # times xatol: the edges of a restarted simplex
RESOLVED = 4.0  # times eps |x| and eps |f|: a simplex that is no larger is as small as it gets


class NelderMeadData(NamedTuple):
    """Traced numbers of a run."""

    xatol: Array  # () largest distance of a vertex from the best one, by component
    fatol: Array  # () largest difference of their values
    lower: Array | None  # (n,) bounds; None: there are none
    upper: Array | None
    simplex: Array  # (n + 1, n) the first one
    good: Array  # () bool: it has a volume


class NelderMeadState(NamedTuple):
    """A simplex in order, and the point that comes next."""

    simplex: Array  # (n + 1, n) vertices, the best one first
    values: Array  # (n + 1,) f there; +inf where it is not evaluated yet
    reflected: Array  # () f at the reflected point, in the phases after it
    gained: Array  # () least value when this simplex was started; +inf in the first one
    phase: Array  # () int32: the vertex to be filled in, or n + one of the next


REFLECT, EXPAND, OUTSIDE, INSIDE = 1, 2, 3, 4


class Shape(NamedTuple):
    """The coefficients of an iteration."""

    rho: float
    chi: float
    psi: float
    sigma: float


def _simplex(value: Any, name: str, wanted: str, n: int) -> Any:
    value = value if isinstance(value, jax.Array) else jnp.asarray(value)
    if value.shape != (n + 1, n):
        raise ValueError(f"option {name!r} has shape {value.shape}; give {wanted}, of shape {(n + 1, n)} for n = {n}.")
    if not jnp.issubdtype(value.dtype, jnp.floating) and not jnp.issubdtype(value.dtype, jnp.integer):
        raise TypeError(f"option {name!r} has dtype {value.dtype}; give {wanted}.")
    return value


SIMPLEX = Check("the vertices of a simplex (n + 1, n)", _simplex)
OPTIONS = {
    "xatol": Option(None, POSITIVE_OR_ZERO, "Largest distance of the vertices from the best one, at the end. Default 1e-4."),
    "fatol": Option(None, POSITIVE_OR_ZERO, "Largest difference of their values, at the end. Default 1e-4."),
    "adaptive": Option(False, STATIC, "Coefficients that follow n, for many variables (Gao & Han 2012)."),
    "initial_simplex": Option(None, SIMPLEX, "The first simplex, in place of one about x0. Default: SciPy's about x0."),
}


def prepare(options: dict[str, Any], x0: Array) -> NelderMeadData:
    """The data record from options; None takes the default."""
    number = lambda name: jnp.asarray(simplex_tolerance() if options[name] is None else options[name]).astype(x0.dtype)
    lower, upper = box.sides(options.get("bounds"), x0)
    given, n = options["initial_simplex"], x0.shape[0]
    good = jnp.ones((), bool)
    if given is not None:
        simplex = jnp.asarray(given).astype(x0.dtype)
        good = _has_volume(simplex)
    else:
        x = x0 if lower is None else jnp.clip(x0, lower, upper)
        moved = jnp.where(x == 0, FROM_ZERO, (1 + STRETCH) * x)
        simplex = jnp.concatenate([x[None], jnp.where(jnp.eye(n, dtype=bool), moved[None], x[None])])
    if lower is not None:
        simplex = jnp.clip(jnp.where(simplex > upper, 2 * upper - simplex, simplex), lower, upper)
    data = NelderMeadData(number("xatol"), number("fatol"), lower, upper, simplex, good)
    return data._replace(good=good & ~box.crossed(data))


def _has_volume(simplex: Array) -> Array:
    """() bool: do the edges span the space, to rounding, whatever their lengths are?"""
    edges = simplex[1:] - simplex[:1]
    size = jnp.max(jnp.abs(edges), axis=1, keepdims=True)
    lu, _ = jax.scipy.linalg.lu_factor(edges / jnp.where(size > 0, size, 1.0))
    return jnp.min(jnp.abs(jnp.diagonal(lu))) > edges.shape[0] * jnp.finfo(edges.dtype).eps


def _inserted(s: NelderMeadState, x: Array, fun: Array, last: Array, does: Array) -> tuple[Array, Array]:
    """The simplex with a new vertex in its place, in place of the one with index `last`, where it `does` come in."""
    index = jnp.arange(s.values.shape[0], dtype=jnp.int32)
    ahead = (s.values <= fun) & (index < last)  # these stay where they are; the others move back by one
    stays = ahead | (index > last) | ~does
    here = ~stays & jnp.concatenate([jnp.ones(1, bool), ahead[:-1]])
    put = lambda old, new: jnp.where(stays, old, jnp.where(here, new, jnp.concatenate([old[:1], old[:-1]])))
    simplex = jax.vmap(put, (1, 0), 1)(s.simplex, x)
    return simplex, put(s.values, fun)


def _along(simplex: Array, t: Array | float, data: NelderMeadData) -> Array:
    """x(t), clipped."""
    n = simplex.shape[1]
    center = jnp.sum(simplex[:n], axis=0) / n
    return box.project(center + t * (center - simplex[n]), data)


def build(options: dict[str, Any]) -> Method:
    """The method from its static options."""
    return nelder_mead(bool(options["adaptive"]), bool(options["bounded"]))


@kept()
def nelder_mead(adaptive: bool, bounded: bool) -> Method:
    """The method; equal options give the same object."""

    def shape(n: int) -> Shape:
        n = max(n, 2) if adaptive else n
        return Shape(1.0, 1 + 2 / n, 0.75 - 0.5 / n, 1 - 1 / n) if adaptive else Shape(1.0, 2.0, 0.5, 0.5)

    def init(x0: Array, data: NelderMeadData) -> NelderMeadState:
        inf = jnp.full((), jnp.inf, x0.dtype)
        values = jnp.full(x0.shape[0] + 1, jnp.inf, x0.dtype)
        return NelderMeadState(data.simplex, values, inf, inf, jnp.zeros((), jnp.int32))

    def ask(s: NelderMeadState, data: NelderMeadData) -> Query:
        n = s.simplex.shape[1]
        rho, chi, psi, _ = shape(n)
        at = s.phase - n
        t = jnp.where(at == REFLECT, rho, jnp.where(at == EXPAND, rho * chi, jnp.where(at == OUTSIDE, psi * rho, -psi)))
        own = jnp.sum(jnp.where((jnp.arange(n + 1, dtype=jnp.int32) == s.phase)[:, None], s.simplex, 0.0), axis=0)
        return Query(jnp.where(at <= 0, own, _along(s.simplex, t.astype(own.dtype), data)))

    def tell(s: NelderMeadState, query: Query, answer: Answer, data: NelderMeadData) -> Told:
        n, f = s.simplex.shape[1], answer.fun
        rho, _, _, sigma = shape(n)
        at = s.phase - n
        filling, reflecting, expanding = at <= 0, at == REFLECT, at == EXPAND
        best, worst = s.values[0], s.values[n]
        second = s.values[n - 1] if n > 1 else worst
        expand = reflecting & (f < best)
        contract = reflecting & ~(f < second) & ~expand
        shrink = ((at == OUTSIDE) & ~(f <= s.reflected)) | ((at == INSIDE) & ~(f < worst))
        back = expanding & ~(f < s.reflected)
        x = jnp.where(back, _along(s.simplex, rho, data), query.x)
        fun = jnp.where(back, s.reflected, f)
        comes = filling | ~(expand | contract | shrink)
        simplex, values = _inserted(s, x, fun, jnp.where(filling, s.phase, n), comes)
        filled = jnp.where(filling, at == 0, comes)

        spread = jnp.where(values[0] < jnp.inf, values[n] - jnp.where(values[0] < jnp.inf, values[0], 0.0), jnp.inf)
        size = jnp.max(jnp.abs(simplex[1:] - simplex[:1]))
        eps = jnp.finfo(size.dtype).eps
        finest = jnp.maximum(RESOLVED * eps * jnp.max(jnp.abs(simplex[0])), jnp.finfo(size.dtype).tiny)
        rounding = RESOLVED * eps * jnp.abs(values[0])
        small = filled & (size <= jnp.maximum(data.xatol, finest)) & (spread <= jnp.maximum(data.fatol, rounding))
        stuck = filled & (size <= finest) & ~small
        gained = ~(s.gained - values[0] <= jnp.maximum(data.fatol, rounding))
        again = small & gained & (RESTART > 0)
        asked = (size <= data.xatol) & (spread <= data.fatol)
        ends = jnp.where(asked, CLAIM + CONVERGED, CLAIM + PRECISION)
        status = jnp.where(small & ~again, ends, jnp.where(stuck, CLAIM + NUMERICAL, RUNNING))
        status = jnp.where(filled & (values[0] == jnp.inf), NUMERICAL, status)
        status = jnp.where(data.good, status, BAD_INPUT)

        edge = RESTART * jnp.maximum(data.xatol, finest)
        aside = simplex[0] + edge
        if data.upper is not None:
            aside = jnp.where(aside > data.upper, simplex[0] - edge, aside)
        fresh = box.project(jnp.where(jnp.eye(n, dtype=bool), aside[None], simplex[:1]), data)
        shrunk = simplex[:1] + sigma * (simplex[1:] - simplex[:1])
        rest = jnp.where(again, fresh, jnp.where(shrink, shrunk, simplex[1:]))
        anew = again | shrink
        simplex = jnp.concatenate([simplex[:1], rest])
        values = jnp.concatenate([values[:1], jnp.where(anew, jnp.inf, values[1:])])
        phase = jnp.where(f < worst, n + OUTSIDE, n + INSIDE)
        phase = jnp.where(expand, n + EXPAND, jnp.where(contract, phase, n + REFLECT))
        phase = jnp.where(anew, 1, jnp.where(filling & ~filled, s.phase + 1, phase)).astype(jnp.int32)
        reflected = jnp.where(reflecting, f, s.reflected)
        gained = jnp.where(again, values[0], s.gained)
        state = NelderMeadState(simplex, values, reflected, gained, phase)
        return Told(state, status, ~filling & (comes | shrink))

    def report(s: NelderMeadState, data: NelderMeadData) -> dict[str, Any]:
        return {"x": s.simplex[0], "fun": s.values[0], "final_simplex": (s.simplex, s.values)}

    rule = implicit.found_by_values(implicit.box if bounded else implicit.stationary, _accuracy)
    return Method(
        "Nelder-Mead", VALUE, init, ask, tell, report, rule, certificate=by_values(_accuracy), stands=True
    )


def _accuracy(x: Array, data: NelderMeadData, size: Array) -> tuple[Array, Array]:
    """How far x and f may be from the minimum: what was asked for, by component."""
    return data.xatol, data.fatol
