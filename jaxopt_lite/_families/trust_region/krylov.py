"""trust-krylov: the model's global minimizer in the Krylov space of the gradient (GLTR).

Lanczos' process from q_1 = g / |g| takes one product a step, and makes the Hessian tridiagonal in the basis of the q's:

    H q_k = b_{k-1} q_{k-1} + a_k q_k + b_k q_{k+1},   Q'H Q = T,   Q'g = |g| e_1                   (1)

In this basis the model is the tridiagonal problem of `tridiagonal.py`, whose minimizer h gives p = Q h, on the boundary too.
Its residual in the whole space is known without a product, |(H + lambda) p + g| = b_k |h_k| (Gould, Lucidi, Roma & Toint
1999, theorem 5.1), and the solve ends where that is at most eta |g|, or where the space is exhausted.

*One product a turn*: the first one comes with the trial, along whatever its gradient will be (`SLOPE_PRODUCT`). The basis is
kept, (rows, n), and each q is made orthogonal to all of it, so that T holds what the products said: once where a solve ends
at a residual of a tenth of the gradient, which it has long before b_k is lost in rounding, else twice. So a rejected step
takes no product: the same T is solved for a smaller radius. The original keeps no basis, and makes the products again to
find p.

*The hard case*: where H has a direction of negative curvature that g does not see, the process ends before it is found.
With `inexact=False` it starts again from a fixed vector, orthogonal to the basis, with b_k = 0, and ends when the basis has
all its rows: n of them, or as many as are kept. With n rows the step is the global minimizer.

*A small gradient* is no minimum yet: the process begins from a fixed unit vector, with |g| = 0, for LOOKS products (as in
`ncg.py`). Where T then has a negative eigenvalue, its eigenvector is followed to the boundary, downhill.

Source: N. I. M. Gould, S. Lucidi, M. Roma, Ph. L. Toint, Solving the trust-region subproblem using the Lanczos method, SIAM
J. Optim. 9 (1999) 504.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.trust_region import radius, tridiagonal
from jaxopt_lite._families.trust_region.ncg import FORCING, LOOKS, LOOKS_AT_START
from jaxopt_lite._families.trust_region.radius import Place, Proposal, Subproblem
from jaxopt_lite._needs.values import SLOPE_PRODUCT, direction
from jaxopt_lite.core.dense import SHORT, dot, matvec, norm, somewhere
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import CODE, STATIC, Check, Option
from jaxopt_lite.core.protocol import Answer, Method

ROWS = 20  # of the basis, where the option says nothing: 20 n numbers of state
STEPS = 5  # for lambda, where the step is to be good and not the best: 18 of 10,000 models then end 1e-5 above their minimum
TRIAL = -1  # in place of the number of looks
ROUNDINGS = 64.0  # times n eps of the size of T: what is no larger is rounding


def _rows(value: Any, name: str, wanted: str, n: int) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return value


OPTIONS = radius.OPTIONS | {
    "subproblem_maxiter": Option(
        None,
        Check("an integer >= 1", _rows, CODE),
        f"Rows of the basis: most products for one step. Default {ROWS} (static).",
    ),
    "inexact": Option(
        True, STATIC, "End a solve at a residual of a tenth of the gradient; False: with all rows, hard cases too (static)."
    ),
}


class Lanczos(NamedTuple):
    """The process (1) after k products. Row k of the basis is what the next product is along; 0 before a trial."""

    Q: Array  # (rows, n) the basis, zero from row k + 1 on
    T: Array  # (2, rows): a and b
    products: Array  # () int32: k
    looks: Array  # () int32: products that may still look for negative curvature; 0 in a solve, TRIAL before a trial


def subproblem(rows: int, inexact: bool) -> Subproblem:
    def init(x0: Array, data: Any) -> Lanczos:
        m, none = min(rows, x0.shape[0]), jnp.zeros((), jnp.int32)
        return Lanczos(jnp.zeros((m, x0.shape[0]), x0.dtype), jnp.zeros((2, m), x0.dtype), none, none + TRIAL)

    def advance(s: Lanczos, p: Array, at: Place, answer: Answer, data: Any) -> tuple[Lanczos, Proposal]:
        g, n, m, eps = at.grad, p.shape[0], s.T.shape[1], float(jnp.finfo(p.dtype).eps)
        index, length, looking = jnp.arange(m, dtype=jnp.int32), norm(g, 2), s.looks > 0
        k = jnp.where(at.accepted, 0, s.products)
        own, learn = index == k, ~at.rejected
        first = jnp.where((index == 0)[:, None], direction(jnp.zeros_like(g), g)[None], 0.0)
        Q = jnp.where(at.accepted, first, s.Q)
        v = answer.hvp
        parts = matvec(Q, v)
        w = v - matvec(Q.T, parts)
        if not inexact:
            w = w - matvec(Q.T, matvec(Q, w))
        beta = norm(w, 2)
        a = jnp.where(own & learn, parts, s.T[0])
        k = jnp.where(learn, k + 1, k)
        known, inner = index < k, index < k - 1
        size = jnp.max(jnp.where(known, jnp.abs(a), 0.0) + 2.0 * jnp.where(inner, s.T[1], 0.0))
        size = jnp.maximum(size, jnp.where(k > 1, beta, 0.0))
        lost = beta <= ROUNDINGS * n * eps * size
        b = jnp.where(own & learn, jnp.where(lost, 0.0, beta), s.T[1])

        gamma = jnp.where(looking, 0.0, length)
        steps = STEPS if inexact else tridiagonal.SECULAR
        unit = jnp.where(size > 0, size, 1.0)
        alone, beside = jnp.where(known, a / unit, 1.0), jnp.where(inner, b / unit, 0.0)
        found = tridiagonal.solve(gamma / unit, alone, beside, at.radius, steps=steps)
        h = jnp.where(known, found.h, 0.0)
        step = matvec(Q.T, h)
        slope = dot(g, step)
        step = jnp.where(slope > 0, -step, step)
        negative = found.leftmost < -ROUNDINGS * n * eps

        begins = at.accepted & at.flat & ~negative
        bent = looking & negative & learn
        looks = jnp.where(begins, jnp.where(at.fresh, LOOKS_AT_START, LOOKS), s.looks - 1)
        looks = jnp.where(begins | (looking & learn & ~bent), jnp.minimum(looks, m), 0)
        over = looking & learn & ~bent & ((looks <= 0) | lost | (k >= m))
        residual = jnp.abs(dot(jnp.where(index == k - 1, b, 0.0), h))
        solved = (k >= m) | (inexact & (lost | (residual <= FORCING * length)))
        still = begins | (looking & ~bent & ~over & learn)
        trying = at.rejected | bent | over | (solved & ~still)

        fixed = somewhere(n, p.dtype)
        if not inexact:
            other = fixed - matvec(Q.T, matvec(Q, fixed))
            other = other - matvec(Q.T, matvec(Q, other))
            w = jnp.where(lost, other, w)
        following = w / jnp.maximum(norm(w, 2), jnp.finfo(p.dtype).tiny)
        following = jnp.where(trying, 0.0, jnp.where(begins, fixed, following))
        k = jnp.where(begins, 0, k).astype(jnp.int32)
        Q = _with_row(jnp.where(begins, 0.0, Q), following, k)
        looks = jnp.where(trying, TRIAL, looks).astype(jnp.int32)
        gain = unit * found.gain + jnp.where(looking, jnp.abs(slope), 0.0)
        return Lanczos(Q, jnp.stack([a, b]), k, looks), Proposal(step, gain, over)

    return Subproblem(
        SLOPE_PRODUCT, init, trying=lambda s: s.looks == TRIAL, vector=_next, advance=advance, report=lambda s: {}
    )


def _with_row(Q: Array, q: Array, k: Array) -> Array:
    """Q (rows, n) with q as row k; where there is no such row, Q."""
    if Q.shape[1] <= SHORT:
        return jnp.where((jnp.arange(Q.shape[0], dtype=jnp.int32) == k)[:, None], q[None], Q)
    return Q.at[k].set(q, mode="drop")


def _next(s: Lanczos) -> Array:
    """(n,) what the next product is along; 0: the gradient of a trial."""
    rows, n = s.Q.shape
    if n <= SHORT:
        return jnp.sum(jnp.where((jnp.arange(rows, dtype=jnp.int32) == s.products)[:, None], s.Q, 0.0), axis=0)
    return jnp.where(s.looks == TRIAL, 0.0, s.Q[jnp.minimum(s.products, rows - 1)])


@kept()
def trust_krylov(rows: int, inexact: bool) -> Method:
    """The method; the same object for the same static options."""
    return radius.trust_region("trust-krylov", subproblem(rows, inexact))


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where radii are out of order."""
    radius.check(options)
    return trust_krylov(options["subproblem_maxiter"] or ROWS, bool(options["inexact"]))
