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

*A convex quadratic program* has P x + c tau in place of c tau in (1), and -x'P x / tau on the left side of (2), which is
linearized (Andersen & Ye, Math. Program. 84 (1999) 375; Goulart & Chen, Clarabel, 2024). Theta^{-1} + P stands for
Theta^{-1}.

Two right-hand sides give dx = x_2 + x_1 dtau, and dy likewise; (2) then gives dtau (Andersen & Andersen, eqs. 8.30-8.31).
x_1 is solved for once. To eliminate dx leaves (A Theta A' + D) dy, a system as large as the number of rows. Where all rows
are inequalities and outnumber the variables, dy is eliminated instead, which leaves (Theta^{-1} + A' D^{-1} A) dx.

Theta^{-1} of a free variable is 0, and so is D of an equality. In the factor the proximal terms RHO and DELTA take their
place. Refinement removes the effect of these terms where the system determines the direction (Friedlander & Orban 2012). It
stops where what is left is a small part of mu or of the tolerance. The system does not determine the direction for
contradictory equal rows, for example. There dtau must belong to the direction as it was computed: the denominator of dtau
is (2) evaluated at that direction. Without proximal terms the denominator would equal a sum of squares; to use that sum
instead lost the rays.

Centering is Mehrotra's (1992): sigma = (mu_affine / mu)^3, and the second order term of the predictor. There is one step
length for everything, because the residuals of (1) and (2) fall together.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxopt_lite._families.linear.normal import HIGHEST, factor, gram, half, rest, rowwise, solve
from jaxopt_lite._families.linear.program import parted
from jaxopt_lite.core.dense import dot, norm

DAMPING, DAMPING_SINGLE = 0.995, 0.99  # share of the longest step; in float32 pairs must stay farther from zero
REFINEMENTS, REFINEMENTS_SINGLE = 2, 6  # at most
INEXACT, INEXACT_SINGLE = 0.1, 0.01  # times the larger of mu and the tolerance: what a direction may miss of its right sides
ASTRAY, CENTERED = (
    0.03,
    0.5,
)  # of a quadratic program: with a pair below this share of mu, sigma is at least so large; without
# it 3 of 1,000 programs with a narrow box jump from one end of it to the other until they stall
RHO, DELTA = 1e-6, 1e-8  # for data of size 1: nearly dependent rows with free variables need them so large
RHO_SINGLE, DELTA_SINGLE = 1e-4, 1e-5  # in float32; ten times more, or two refinements, lost Netlib's kb2 and adlittle


Solver = Callable[[Array, Array], tuple[Array, Array]]  # f (n,), g (m,) -> x (n,), y (m,)


class Model(NamedTuple):
    """The scaled data of (1) and (2): the matrix is R A C."""

    A: Array  # (m, n)
    R: Array  # (m,) 0 for an absent row
    C: Array  # (n,) 0 for a fixed variable
    b: Array  # (m,)
    c: Array  # (n,)
    bound: Array  # (2, n) lower, upper; 0 where infinite
    has: Array  # (k,) 1 for each pair that exists, 0 for infinite bounds
    P: Array | None = None  # (n, n) of a quadratic program; the matrix is weight C P C
    weight: Array | None = None  # ()

    def curved(self, x: Array) -> Array:
        """P x for x (n,)."""
        assert self.P is not None
        assert self.weight is not None
        return self.weight * self.C * rowwise(self.C * x, self.P)

    def times(self, x: Array) -> Array:
        """The matrix times x (n,)."""
        return self.R * rowwise(self.C * x, self.A)

    def transposed(self, y: Array) -> Array:
        """Its transpose times y (m,)."""
        return self.C * jnp.dot(self.R * y, self.A, precision=HIGHEST)

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


def step(at: Point, model: Model, tol: Array) -> tuple[Point, Array]:
    """The next iterate, and whether its direction was finite; where not, the iterate stays. With tol = 0 it is exact."""
    n, c, quadratic = model.c.shape[0], model.c, model.P is not None
    V, slack, tau = split(at.t, n)
    Z, price, kappa = split(at.q, n)
    has = model.has[: 2 * n].reshape(2, n)
    pairs = jnp.sum(model.has)
    G, D = Z / V, model.rows(slack / price)
    mu = dot(at.t, at.q) / pairs
    enough = (INEXACT if c.dtype == jnp.float64 else INEXACT_SINGLE) * jnp.maximum(mu, tol)
    solved = _system(model, G[0] + G[1], D, slack.shape[0], jnp.where(tol > 0, enough, 0.0))

    r_p = model.b * tau - model.times(at.x) - model.rows(slack)
    r_d = c * tau - model.transposed(at.y) - net(Z)
    r_b = has * (V - distances(at.x, model.bound * tau))
    r_g = kappa - _dual_minus_primal(model, at.x, at.y, Z)
    if quadratic:
        Px = model.curved(at.x)
        r_d, r_g = r_d + Px, r_g + dot(at.x, Px) / tau

    def right_side(eta: Array | float, r: Array) -> tuple[Array, Array]:
        B, S, _ = split(r, n)
        return eta * r_d - net(B / V + eta * G * r_b), eta * r_p - model.rows(S / price)

    def complete(x2: Array, y2: Array, eta: Array | float, r: Array) -> Point:
        B, S, K = split(r, n)
        short = eta * r_b
        z2 = B / V - G * (jnp.stack([x2, -x2]) - short)
        change = _dual_minus_primal(model, x2, y2, z2)
        if quadratic:
            change -= 2.0 * dot(Px, x2) / tau
        dtau = (eta * r_g + K / tau - change) / (kappa / tau + denominator)
        dx, dy = x2 + x1 * dtau, y2 + y1 * dtau
        dV = has * (distances(dx, model.bound * dtau) - short)
        dy_ub, _ = parted(dy, S.shape[0])
        dt = join(dV, (S + slack * dy_ub) / price, dtau)
        dq = (r - at.q * dt) / at.t
        return Point(dx, dy, dt, join(dq[: 2 * n].reshape(2, n), -dy_ub, dq[-1]))

    r = -at.t * at.q
    f, g = right_side(1.0, r)
    x1, y1 = solved(c - (G[0] * model.bound[0] + G[1] * model.bound[1]), model.b)
    away = distances(x1, model.bound)
    squares = dot(D, y1 * y1) + jnp.sum(G * away**2)
    change = _dual_minus_primal(model, x1, y1, -G * away)
    if quadratic:
        apart = x1 - at.x / tau
        squares += dot(apart, model.curved(apart))
        change += dot(Px, at.x / tau - 2.0 * x1) / tau
    denominator = jnp.maximum(squares, change)
    affine = complete(*solved(f, g), 1.0, r)
    length = jnp.minimum(_longest(at, affine), 1.0)
    after = dot(at.t + length * affine.t, at.q + length * affine.q) / pairs
    least_sigma: Array | float = 1e-8
    if quadratic:
        least = jnp.min(jnp.where(model.has > 0, at.t * at.q, jnp.inf))
        least_sigma = jnp.where(least < ASTRAY * mu, CENTERED, 1e-8)
    sigma = jnp.clip((after / mu) ** 3, least_sigma, 1.0)
    r = model.has * (sigma * mu - affine.t * affine.q) + r
    f, g = right_side(1 - sigma, r)
    by = complete(*solved(f, g), 1 - sigma, r)
    length = jnp.minimum(1.0, (DAMPING if c.dtype == jnp.float64 else DAMPING_SINGLE) * _longest(at, by))
    sound = jnp.isfinite(sum(jnp.sum(a) for a in by))
    return Point._make(jnp.where(sound, a + length * da, a) for a, da in zip(at, by, strict=True)), sound


def _system(model: Model, inverse_theta: Array, D: Array, p: int, enough: Array) -> Solver:
    """Solves A'y - Theta^{-1} x = f, A x + D y = g, (4) and (5) without dtau, for f (n,), g (m,)."""
    m, n = model.A.shape
    single = D.dtype != jnp.float64
    proximal = inverse_theta + (RHO_SINGLE if single else RHO)
    theta = 1.0 / proximal
    if model.P is not None:
        return _refined(model, inverse_theta, D, enough, _quadratic(model, proximal, D, p))
    if m == 0:
        return lambda f, g: (-theta * f, g)
    if m == p and n < m:
        weight = 1.0 / D
        F = factor(gram(model.A.T, model.R**2 * weight), model.C, proximal)

        def once(f: Array, g: Array) -> tuple[Array, Array]:
            x = solve(F, model.transposed(weight * g) - f)
            return x, weight * (g - model.times(x))
    else:
        F = factor(
            gram(model.A, model.C**2 * theta), model.R, model.rows(parted(D, p)[0], DELTA_SINGLE if single else DELTA)
        )

        def once(f: Array, g: Array) -> tuple[Array, Array]:
            y = solve(F, g + model.times(theta * f))
            return theta * (model.transposed(y) - f), y

    return _refined(model, inverse_theta, D, enough, once)


def _refined(model: Model, inverse_theta: Array, D: Array, enough: Array, once: Solver) -> Solver:
    """`once`, and then corrections by what it leaves of (4) and (5), while that is more than `enough` of their right sides.

    In a batch a correction is computed if one lane needs it.
    """
    most = REFINEMENTS if D.dtype == jnp.float64 else REFINEMENTS_SINGLE

    def refined(f: Array, g: Array) -> tuple[Array, Array]:
        most_left = enough * jnp.maximum(norm(f), norm(g))

        def with_rest(k: Array | int, x: Array, y: Array) -> tuple[Array, ...]:
            bent = inverse_theta * x
            if model.P is not None:
                bent += model.curved(x)
            return jnp.asarray(k, jnp.int32), x, y, f - model.transposed(y) + bent, g - model.times(x) - D * y

        def corrected(at: tuple[Array, ...]) -> tuple[Array, ...]:
            k, x, y, f_left, g_left = at
            dx, dy = once(f_left, g_left)
            return with_rest(k + 1, x + dx, y + dy)

        too_much = lambda at: (at[0] < most) & (jnp.maximum(norm(at[3]), norm(at[4])) > most_left)
        _, x, y, _, _ = lax.while_loop(too_much, corrected, with_rest(0, *once(f, g)))
        return x, y

    return refined


def _quadratic(model: Model, proximal: Array, D: Array, p: int) -> Solver:
    """The same with P: inequalities are eliminated, then x, and what is left is as large as the number of equations.

    H = P + Theta^{-1} + A_ub' D^{-1} A_ub is positive definite, and so is A_eq H^{-1} A_eq'.
    """
    assert model.P is not None
    assert model.weight is not None
    single = D.dtype != jnp.float64
    (A_ub, A_eq), (R_ub, R_eq), (D_ub, _) = (parted(a, p) for a in (model.A, model.R, D))
    C = model.C
    H = model.weight * model.P
    if p > 0:
        H += gram(A_ub.T, R_ub**2 / D_ub)
    F = factor(H, C, proximal)
    q = A_eq.shape[0]
    if q > 0:
        E = R_eq[:, None] * A_eq * C[None, :]
        W = jax.vmap(lambda row: half(F, row))(E)
        ones = jnp.ones(q, D.dtype)
        FS = factor(jnp.dot(W, W.T, precision=HIGHEST), ones, (DELTA_SINGLE if single else DELTA) * ones)

    def once(f: Array, g: Array) -> tuple[Array, Array]:
        g_ub, g_eq = parted(g, p)
        if p > 0:
            f = f - C * jnp.dot(R_ub * g_ub / D_ub, A_ub, precision=HIGHEST)
        h, y_eq = -half(F, f), g_eq
        if q > 0:
            y_eq = solve(FS, g_eq - rowwise(h, W))
            h = h + jnp.dot(y_eq, W, precision=HIGHEST)
        x = rest(F, h)
        y_ub = (g_ub - R_ub * rowwise(C * x, A_ub)) / D_ub if p > 0 else g_ub
        return x, jnp.concatenate([y_ub, y_eq])

    return once


def _dual_minus_primal(model: Model, x: Array, y: Array, Z: Array) -> Array:
    """The left side of (2)."""
    return dot(model.b, y) + jnp.sum(net(model.bound * Z)) - dot(model.c, x)


def _longest(at: Point, by: Point) -> Array:
    """The length of the longest step that leaves all pairs nonnegative."""
    there = at.q > 0
    rate = jnp.maximum(jnp.max(-by.t / at.t), jnp.max(jnp.where(there, -by.q / jnp.where(there, at.q, 1.0), 0.0)))
    return 1.0 / jnp.maximum(rate, float(jnp.finfo(rate.dtype).tiny) ** 0.25)
