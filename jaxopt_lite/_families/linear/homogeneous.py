"""One iteration on the homogeneous self-dual model of a linear program, with bounds as they are.

The program min c'x, A x + s = b (s >= 0 on the p inequalities, absent on the equalities), lower <= x <= upper is replaced
by the homogeneous model of Goldman & Tucker (Xu, Hung & Ye 1996; Andersen & Andersen 2000)

    A x + s = b tau,     A'y + z_l - z_u = c tau,     x - v = lower tau,     x + w = upper tau              (1)
    b'y + lower'z_l - upper'z_u - c'x = kappa                                                               (2)
    v z_l = 0,  w z_u = 0,  s (-y) = 0,  tau kappa = 0,  all of these nonnegative.                          (3)

The model always has a solution. With tau > 0, (x, y) / tau is optimal. With kappa > 0, either y proves infeasibility, or the
objective falls without end along x. Each bound is a pair (v, z_l) or (w, z_u) of its own. So bounds need no rows, x is not
shifted by a large bound, and free variables are not split. All pairs are in one vector t . q, so that a ratio test or a
product is one operation.

Newton's equations for (1) and (2) reduce the residuals by the factor 1 - eta; those for (3) have a right-hand side r. What
is left after elimination is

    A'dy - Theta^{-1} dx - (c - G_l lower - G_u upper) dtau = f,   G_l = z_l / v, G_u = z_u / w             (4)
    A dx + D dy - b dtau = g,                                      Theta^{-1} = G_l + G_u,  D = s / (-y)    (5)

Two right-hand sides give dx = x_2 + x_1 dtau, and dy likewise; (2) then gives dtau (Andersen & Andersen, eqs. 8.30-8.31).
x_1 is solved for once, together with the predictor. To eliminate dx leaves (A Theta A' + D) dy, a system as large as the
number of rows. Where all rows are inequalities and outnumber the variables, dy is eliminated instead, which leaves
(Theta^{-1} + A' D^{-1} A) dx.

Theta^{-1} of a free variable is 0, and so is D of an equality. In the factor the proximal terms RHO and DELTA take their
place. Refinement removes the effect of these terms where the system determines the direction (Friedlander & Orban 2012). It
does not determine it for contradictory equal rows, for example. There dtau must belong to the direction as it was computed:
the denominator of dtau is (2) evaluated at that direction. Without proximal terms the denominator would equal a sum of
squares; to use that sum instead lost the rays.

Centering is Mehrotra's (1992): sigma = (mu_affine / mu)^3, and the second order term of the predictor. There is one step
length for everything, because the residuals of (1) and (2) fall together.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.linear.normal import factor, gram, solve
from jaxopt_lite._families.linear.program import parted
from jaxopt_lite.core.dense import dot

DAMPING, DAMPING_SINGLE = 0.995, 0.99  # share of the longest step; in float32 pairs must stay farther from zero
REFINEMENTS, REFINEMENTS_SINGLE = 2, 6
RHO, DELTA = 1e-6, 1e-8  # for data of size 1: nearly dependent rows with free variables need them so large
RHO_SINGLE, DELTA_SINGLE = 1e-4, 1e-5  # in float32; ten times more, or two refinements, lost Netlib's kb2 and adlittle


class Model(NamedTuple):
    """The scaled data of (1) and (2): the matrix is R A C."""

    A: Array  # (m, n)
    R: Array  # (m,) 0 for an absent row
    C: Array  # (n,) 0 for a fixed variable
    b: Array  # (m,)
    c: Array  # (n,)
    bound: Array  # (2, n) lower, upper; 0 where infinite
    has: Array  # (k,) 1 for each pair that exists, 0 for infinite bounds

    def times(self, x: Array) -> Array:
        """The matrix times columns (n, k)."""
        return self.R[:, None] * jnp.dot(self.A, self.C[:, None] * x, precision=lax.Precision.HIGHEST)

    def transposed(self, y: Array) -> Array:
        """Its transpose times columns (m, k)."""
        return self.C[:, None] * jnp.dot(self.A.T, self.R[:, None] * y, precision=lax.Precision.HIGHEST)

    def rows(self, s: Array, rest: float = 0.0) -> Array:
        """Numbers of the inequalities (p,) as a vector of all rows (m,), with `rest` for the equalities."""
        return jnp.concatenate([s, jnp.full(self.b.shape[0] - s.shape[0], rest, s.dtype)])


class Point(NamedTuple):
    """An iterate, or a direction. Pairs in the order: lower bounds (n), upper bounds (n), slacks (p), tau and kappa."""

    x: Array  # (n,)
    y: Array  # (m,)
    t: Array  # (k,) v, w, s, tau; 1 for an infinite bound
    q: Array  # (k,) z_l, z_u, -y, kappa; 0 for an infinite bound


def split(t: Array, n: int) -> tuple[Array, Array, Array]:
    """The parts of t: bounds (2, n), slacks (p,), and the last entry ()."""
    return t[: 2 * n].reshape(2, n), parted(t[:-1], 2 * n)[1], t[-1]


def join(bounds: Array, slacks: Array, last: Array) -> Array:
    """The inverse of `split`."""
    return jnp.concatenate([bounds.reshape(-1), slacks, last[None]])


def distances(x: Array, bound: Array) -> Array:
    """(2, n): x - lower, upper - x."""
    return jnp.stack([x - bound[0], bound[1] - x])


def net(z: Array) -> Array:
    """Lower minus upper."""
    return z[0] - z[1]


def step(at: Point, model: Model) -> tuple[Point, Array]:
    """The next iterate, and whether its direction was finite; where not, the iterate stays."""
    n, c = model.c.shape[0], model.c
    V, slack, tau = split(at.t, n)
    Z, price, kappa = split(at.q, n)
    has = model.has[: 2 * n].reshape(2, n)
    pairs = jnp.sum(model.has)
    G, D = Z / V, model.rows(slack / price)
    mu = dot(at.t, at.q) / pairs
    solved = _system(model, G[0] + G[1], D, slack.shape[0])

    r_p = model.b * tau - model.times(at.x[:, None])[:, 0] - model.rows(slack)
    r_d = c * tau - model.transposed(at.y[:, None])[:, 0] - net(Z)
    r_b = has * (V - distances(at.x, model.bound * tau))
    r_g = kappa - _dual_minus_primal(model, at.x, at.y, Z)

    def right_side(eta: Array | float, r: Array) -> tuple[Array, Array]:
        B, S, _ = split(r, n)
        return eta * r_d - net(B / V + eta * G * r_b), eta * r_p - model.rows(S / price)

    def complete(x2: Array, y2: Array, eta: Array | float, r: Array) -> Point:
        B, S, K = split(r, n)
        short = eta * r_b
        z2 = B / V - G * (jnp.stack([x2, -x2]) - short)
        dtau = (eta * r_g + K / tau - _dual_minus_primal(model, x2, y2, z2)) / (kappa / tau + denominator)
        dx, dy = x2 + x1 * dtau, y2 + y1 * dtau
        dV = has * (distances(dx, model.bound * dtau) - short)
        dy_ub, _ = parted(dy, S.shape[0])
        dt = join(dV, (S + slack * dy_ub) / price, dtau)
        dq = (r - at.q * dt) / at.t
        return Point(dx, dy, dt, join(dq[: 2 * n].reshape(2, n), -dy_ub, dq[-1]))

    r = -at.t * at.q
    f, g = right_side(1.0, r)
    X, Y = solved(jnp.stack([c - jnp.sum(G * model.bound, 0), f], 1), jnp.stack([model.b, g], 1))
    x1, y1 = X[:, 0], Y[:, 0]
    away = distances(x1, model.bound)
    squares = dot(D, y1 * y1) + jnp.sum(G * away**2)
    denominator = jnp.maximum(squares, _dual_minus_primal(model, x1, y1, -G * away))
    affine = complete(X[:, 1], Y[:, 1], 1.0, r)
    length = jnp.minimum(_longest(at, affine), 1.0)
    after = dot(at.t + length * affine.t, at.q + length * affine.q) / pairs
    sigma = jnp.clip((after / mu) ** 3, 1e-8, 1.0)
    r = model.has * (sigma * mu - affine.t * affine.q) + r
    f, g = right_side(1 - sigma, r)
    X, Y = solved(f[:, None], g[:, None])
    by = complete(X[:, 0], Y[:, 0], 1 - sigma, r)
    length = jnp.minimum(1.0, (DAMPING if c.dtype == jnp.float64 else DAMPING_SINGLE) * _longest(at, by))
    sound = jnp.isfinite(sum(jnp.sum(a) for a in by))
    return Point._make(jnp.where(sound, a + length * da, a) for a, da in zip(at, by, strict=True)), sound


def _system(model: Model, inverse_theta: Array, D: Array, p: int) -> Callable[[Array, Array], tuple[Array, Array]]:
    """Solves A'y - Theta^{-1} x = f, A x + D y = g, (4) and (5) without dtau, for columns f (n, k), g (m, k)."""
    m, n = model.A.shape
    single = D.dtype != jnp.float64
    proximal = inverse_theta + (RHO_SINGLE if single else RHO)
    theta = (1.0 / proximal)[:, None]
    if m == 0:
        return lambda f, g: (-theta * f, g)
    if m == p and n < m:
        weight = (1.0 / D)[:, None]
        M = gram(model.A.T, model.R**2 / D) * model.C[:, None] * model.C[None, :] + jnp.diag(proximal)
        F = factor(M)

        def once(f: Array, g: Array) -> tuple[Array, Array]:
            x = solve(F, model.transposed(weight * g) - f)
            return x, weight * (g - model.times(x))
    else:
        M = gram(model.A, model.C**2 * theta[:, 0]) * model.R[:, None] * model.R[None, :]
        F = factor(M + jnp.diag(model.rows(parted(D, p)[0], DELTA_SINGLE if single else DELTA)))

        def once(f: Array, g: Array) -> tuple[Array, Array]:
            y = solve(F, g + model.times(theta * f))
            return theta * (model.transposed(y) - f), y

    def refined(f: Array, g: Array) -> tuple[Array, Array]:
        x, y = once(f, g)
        for _ in range(REFINEMENTS_SINGLE if single else REFINEMENTS):
            dx, dy = once(f - model.transposed(y) + inverse_theta[:, None] * x, g - model.times(x) - D[:, None] * y)
            x, y = x + dx, y + dy
        return x, y

    return refined


def _dual_minus_primal(model: Model, x: Array, y: Array, Z: Array) -> Array:
    """The left side of (2)."""
    return dot(model.b, y) + jnp.sum(net(model.bound * Z)) - dot(model.c, x)


def _longest(at: Point, by: Point) -> Array:
    """The length of the longest step that leaves all pairs nonnegative."""
    there = at.q > 0
    rate = jnp.maximum(jnp.max(-by.t / at.t), jnp.max(jnp.where(there, -by.q / jnp.where(there, at.q, 1.0), 0.0)))
    return 1.0 / jnp.maximum(rate, float(jnp.finfo(rate.dtype).tiny) ** 0.25)
