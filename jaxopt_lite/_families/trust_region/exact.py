"""trust-exact: the model's global minimizer inside of the radius, whatever the signs of its curvatures.

A positive definite H whose Newton step -H^{-1} g fits is done with: that step is the minimizer, from the factors L D L',
whose accuracy does not depend on the units of the variables.

Else the minimizer lies on the boundary, and solves (H + lambda) p = -g with H + lambda positive semidefinite. More &
Sorensen (1983) factorize H + lambda for each lambda that they try. Here one reduction comes first: n - 1 of Householder's
reflections take the bordered matrix

    [0 g']      [0        gamma e_1']
    [g H]  to   [gamma e_1   T      ]                                                               (1)

with T tridiagonal (Golub & Van Loan 2013, section 8.3.1). In these coordinates each factorization takes n divisions, and
`tridiagonal.py` finds lambda, or the hard case, in a fixed number of them. p = Q h by the same reflections.

Source: J. J. More, D. C. Sorensen, Computing a trust region step, SIAM J. Sci. Stat. Comput. 4 (1983) 553. Changed for
batches: the reduction (1), and fixed numbers of steps in place of bounds that are narrowed until they are close.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.trust_region import radius, tridiagonal
from jaxopt_lite._families.trust_region.radius import Proposal
from jaxopt_lite._needs.values import HESSIAN
from jaxopt_lite.core.dense import UNROLLED, dot, ldl, ldl_solve, matvec, norm
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import COUNT, Option
from jaxopt_lite.core.protocol import Method

OPTIONS = radius.OPTIONS | {
    "subproblem_maxiter": Option(
        None, COUNT, f"Most Newton steps for lambda, of a subproblem; default and most: {tridiagonal.SECULAR}."
    ),
}
ROUNDINGS = 64.0  # times n eps of the size of H: an eigenvalue that is no more negative is rounding


def minimizer(H: Array, g: Array, limit: Array, most: Array | int = tridiagonal.SECULAR) -> Proposal:
    """The global minimizer of g.p + p'H p / 2 inside of |p| <= limit."""
    n, eps = g.shape[0], float(jnp.finfo(g.dtype).eps)
    factor = ldl(H)
    newton = -ldl_solve(factor, g)
    inside = factor.positive & (norm(newton, 2) <= limit)
    size, slope = n * norm(H.reshape(-1)), norm(g)
    size, slope = jnp.where(size > 0, size, 1.0), jnp.where(slope > 0, slope, 1.0)
    T, V = _reduced(H / size, g / slope)
    gamma, a, b = T
    found = tridiagonal.solve(jnp.abs(gamma) * (slope / size), a, b, limit, most)
    p = _back(V, jnp.where(gamma < 0, -found.h, found.h))
    p = jnp.where(dot(g, p) > 0, -p, p)  # where g has no part in the step, either sign is as good
    p = jnp.where(inside, newton, p)
    gain = -(dot(g, p) + 0.5 * dot(p, matvec(H, p)))
    return Proposal(p, gain, factor.positive | (found.leftmost >= -ROUNDINGS * eps))


def _reduced(H: Array, g: Array) -> tuple[tuple[Array, Array, Array], Array]:
    """(1): gamma (), the diagonal of T (n,), what stands beside it (n,); and the reflections' unit vectors (n - 1, n)."""
    n = g.shape[0]
    index = jnp.arange(n, dtype=jnp.int32)

    def reflect(k: Any, M: Array) -> tuple[Array, Array, Array]:
        """M after a reflection, its unit vector, and what stands beside the diagonal then."""
        x = jnp.where(index >= k, jnp.where(k == 0, g, M[:, k - 1]), 0.0)
        length, head = jnp.sqrt(dot(x, x)), x[k]
        beside = jnp.where(head < 0, length, -length)
        v = x - jnp.where(index == k, beside, 0.0)
        size = jnp.sqrt(2.0 * length * (length + jnp.abs(head)))
        v = v / jnp.where(size > 0, size, 1.0)
        w = 2.0 * matvec(M, v)
        w = w - dot(v, w) * v
        return M - v[:, None] * w[None, :] - w[:, None] * v[None, :], v, beside

    def next_one(k: Any, at: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        M, v, beside = reflect(k, at[0])
        return M, at[1].at[k].set(v), at[2].at[k].set(beside)

    if n == 1:
        return (g[0], H[0], jnp.zeros_like(g)), jnp.zeros_like(H)
    if n <= UNROLLED:
        M = H
        vs: list[Array] = []
        bs: list[Array] = []
        for k in range(n - 1):
            M, v, beside = reflect(k, M)
            vs, bs = [*vs, v], [*bs, beside]
        V, b = jnp.stack(vs), jnp.stack(bs)
    else:
        M, V, b = lax.fori_loop(0, n - 1, next_one, (H, jnp.zeros_like(H[1:]), jnp.zeros_like(g[1:])))
    last = M[n - 1, n - 2]
    beside = jnp.concatenate([b[1:], last[None], jnp.zeros_like(b[:1])])
    return (b[0], jnp.sum(jnp.where(index[:, None] == index[None, :], M, 0.0), axis=1), beside), V


def _back(V: Array, h: Array) -> Array:
    """Q h: the reflections, the last first.

    A few of them are taken at once, h - V'c, where c_k = 2 v_k.(h - the later c_j v_j) comes from products alone. XLA would
    compute each v_k again in every kernel that uses it.
    """
    n = h.shape[0]
    if n > UNROLLED:
        one = lambda k, p: p - 2.0 * dot(V[n - 2 - k], p) * V[n - 2 - k]
        return lax.fori_loop(0, n - 1, one, h)
    if n == 1:
        return h
    parts, cosines = matvec(V, h), matvec(V, V.T)
    c: list[Array] = []
    for k in reversed(range(n - 1)):
        later = sum(cosines[k, n - 2 - j] * at for j, at in enumerate(c))
        c.append(2.0 * (parts[k] - later))
    return h - matvec(V.T, jnp.stack(c[::-1]))


def _propose(H: Array, g: Array, limit: Array, data: radius.TrustData) -> Proposal:
    return minimizer(H, g, limit, tridiagonal.SECULAR if data.limit is None else data.limit)


@kept()
def trust_exact() -> Method:
    """The method, always the same object."""
    return radius.trust_region("trust-exact", radius.by_hessian(HESSIAN, _propose))


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where radii are out of order."""
    radius.check(options)
    return trust_exact()
