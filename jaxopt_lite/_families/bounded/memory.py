"""The memory of a quasi-Newton method, for the curvature on the free variables: a matrix for few variables, pairs for many.

**The matrix** H approximates the inverse of B_FF, the Hessian's block of the free variables F. Let s be a step and y the
change of the gradient, both on F. BFGS updates H with them (Nocedal & Wright 2006, eq. 6.17)

    H+ = H + s a' + b s',    a = rho (1 + rho y'Hy) s - rho Hy,    b = -rho Hy,    rho = 1 / y's     (1)

Before that H is multiplied by max(1, y's / y'Hy): it grows where it has proved too small along y (self-scaling in one
direction only, Al-Baali 1998). On the Rosenbrock functions this saves 7 and 20 % of the evaluations at n = 4 and 10, and in
a box 15 and 45 %. To let H shrink as well took more evaluations than no scaling at all.

A variable i that becomes held is taken out of the inverse by one step of elimination. With h the i-th column,

    (B_without_i)^-1 = H - h h' / h_i                                                                (2)

(the block inverse; the Schur complement of h_i). Each accepted step takes out one variable. Where several become held at
once, the others wait. Until then the block of H on F serves: the step is too long, but its direction is not wrong. The
diagonal entry of a variable that was taken out stays in H, for the day when the variable becomes free.

**Pairs** are the last m steps and changes of the gradient. Two loops over them make the product with the gradient (Nocedal
1980; N&W algorithm 7.4). On a face of the box every pair is restricted to the free variables, and its curvature s'y is
computed anew there, as in Schmidt's minConf_TMP. A pair whose curvature is not positive there is skipped. All of this is
O(n m), where the compact form (Byrd, Nocedal & Schnabel 1994) needs O(n m^2) whenever the face changes.

Without a box there are no faces, and the compact form is used. Each step adds a row and a column to the products S'Y and
Y'Y. With R the upper triangle of S'Y (by age), D its diagonal and gamma = s'y / y'y of the newest pair,

    R a = S'g,    R'c = D a - gamma (Y'g - Y'Y a),    H g = gamma (g - Y a) + S c                (3)

(their theorem 2.2, solved in the order of the two loops). The compact form reads the pairs seven times, where the loops read
and write vectors forty times. A turn takes half of the time at n = 100,000, and four fifths of it in a batch with n = 30.

The matrix is used where it is smaller than the pairs, n^2 <= 2 m n. It then remembers every step, not m of them.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from jaxopt_lite._families.bounded import rows
from jaxopt_lite.core.dense import dot, matvec


class Learnt(NamedTuple):
    """A step, as it is given to a memory to learn from."""

    s: Array  # (n,) x+ - x
    y: Array  # (n,) grad(x+) - grad(x)
    grad: Array  # (n,) gradient at the point where the next direction starts
    was_free: Array | None  # (n,) bool: free at x; None: there is no box
    free: Array | None  # (n,) bool: free at that point; None: there is no box
    accepted: Array  # () bool: there is a pair to learn
    restart: Array  # () bool: forget everything


class Matrix(NamedTuple):
    """The memory for few variables."""

    H: Array  # (n, n) inverse Hessian on the free variables
    inside: Array | None  # (n,) bool: the variables that (2) has not taken out; None: there is no box, all are in
    unlearnt: Array  # () bool: H is the identity


class Pairs(NamedTuple):
    """The memory for many variables, in rows as `rows.py` keeps them. A step without positive curvature is not kept."""

    S: Array  # (m, n) steps
    Y: Array  # (m, n) changes of the gradient
    at: Array  # () int32: how many pairs were put in so far
    used: Array  # () int32: the products use so many of the newest pairs
    SY: Array | None = None  # (m, m) products s_i'y_j of the rows; None in a box, where they change with the face
    YY: Array | None = None  # (m, m) products y_i'y_j

    @property
    def unlearnt(self) -> Array:
        """() bool: there is no pair."""
        return self.used == 0


def masked(v: Array, free: Array | None) -> Array:
    """v on the free variables, zero elsewhere."""
    return v if free is None else jnp.where(free, v, 0.0)


def start(x0: Array, m: int, boxed: bool) -> Matrix | Pairs:
    """A memory without anything in it."""
    n = x0.shape[0]
    if n <= 2 * m:
        return Matrix(jnp.eye(n, dtype=x0.dtype), jnp.ones(n, bool) if boxed else None, jnp.ones((), bool))
    products = (None if boxed else jnp.zeros((m, m), x0.dtype),) * 2
    return Pairs(*(jnp.zeros((m, n), x0.dtype),) * 2, *(jnp.zeros((), jnp.int32),) * 2, *products)


def learn(memory: Matrix | Pairs, step: Learnt) -> tuple[Matrix | Pairs, Array]:
    """The memory with the step in it, and -H grad on the free variables (n,)."""
    return _learn_matrix(memory, step) if isinstance(memory, Matrix) else _learn_pair(memory, step)


def _curved(ys: Array, yy: Array, ss: Array) -> Array:
    """() bool: is the curvature of this pair positive, by more than rounding? (Li & Fukushima's cautious update, 2001.)"""
    return (ys > 0) & (ys * ys > jnp.finfo(ys.dtype).eps * yy * ss)


def _learn_matrix(memory: Matrix, step: Learnt) -> tuple[Matrix, Array]:
    H, s, y, g = memory.H, step.s, masked(step.y, step.was_free), masked(step.grad, step.free)
    n = s.shape[0]
    ys, yy = dot(y, s), dot(y, y)
    curved = step.accepted & _curved(ys, yy, dot(s, s))
    ys = jnp.where(curved, ys, 1.0)
    scale = jnp.where(memory.unlearnt & curved, ys / jnp.where(curved, yy, 1.0), 1.0)
    rho = jnp.where(curved, 1.0 / ys, 0.0)
    Hy, Hg = matvec(H, y), matvec(H, g)
    longer = jnp.maximum(1.0, ys / jnp.maximum(dot(y, Hy), jnp.finfo(ys.dtype).tiny))
    scale = jnp.where(memory.unlearnt, scale, jnp.where(curved, longer, 1.0))
    Hy, Hg = scale * Hy, scale * Hg
    a = rho * ((1.0 + rho * dot(y, Hy)) * s - Hy)
    b = -rho * Hy
    p = -(Hg + s * dot(a, g) + b * dot(s, g))
    H = scale * H + (s[:, None] * a[None, :] + b[:, None] * s[None, :])
    inside = memory.inside
    if inside is not None:
        assert step.free is not None
        H, p, inside = _eliminated(H, p, g, step.free, inside | step.free)
    p = masked(p, step.free)
    broken = ~(dot(p, g) < 0) & (dot(g, g) > 0)  # rounding or overflow: H is not positive definite, or has NaN in it
    forget = step.restart | (step.accepted & broken)
    inside = None if inside is None else inside | forget
    H = jnp.where(forget, jnp.eye(n, dtype=s.dtype), H)
    p = jnp.where(forget, -g, p)
    return Matrix(H, inside, forget | (memory.unlearnt & ~curved)), p


def _eliminated(H: Array, p: Array, g: Array, free: Array, inside: Array) -> tuple[Array, Array, Array]:
    """H after (2) for the last held variable that is still in it, the direction from that, and the variables now in H."""
    index = jnp.arange(p.shape[0])
    waiting = inside & ~free
    last = waiting & (index == jnp.max(jnp.where(waiting, index, -1)))
    one = last.astype(p.dtype)
    h = matvec(H, one)
    pivot = dot(h, one)
    share = jnp.where(pivot > 0, 1.0 / jnp.where(pivot > 0, pivot, 1.0), 0.0)
    rest = (pivot * one)[:, None] * one[None, :]
    return H - h[:, None] * (share * h)[None, :] + rest, p + h * (share * dot(h, g)), inside & ~last


def _learn_pair(memory: Pairs, step: Learnt) -> tuple[Pairs, Array]:
    s, y = step.s, step.y
    curved = step.accepted & _curved(dot(y, s), dot(y, y), dot(s, s))
    more = curved.astype(jnp.int32)
    at = memory.at + more
    used = jnp.where(step.restart, 0, jnp.minimum(memory.used + more, memory.S.shape[0]))
    put = lambda old, new: rows.put(old, memory.at, new, curved)
    border = lambda old, row, column: rows.put_border(old, memory.at, row, column, curved)
    pairs = Pairs(put(memory.S, s), put(memory.Y, y), at, used, memory.SY, memory.YY)
    g = masked(step.grad, step.free)
    anew = step.accepted | step.restart  # a single problem skips a direction that it does not need
    if memory.SY is None:
        return pairs, lax.cond(anew, lambda: -two_loops(pairs, g, step.free), lambda: -g)
    SY, YY, p = lax.cond(anew, lambda: _direction(pairs, s, y, g, border), lambda: (memory.SY, memory.YY, -g))
    broken = anew & ~(dot(p, g) < 0) & (dot(g, g) > 0)  # rounding or overflow
    used, p = jnp.where(broken, 0, used), jnp.where(broken, -g, p)
    return pairs._replace(SY=SY, YY=YY, used=used), p


def _direction(pairs: Pairs, s: Array, y: Array, g: Array, put: Callable) -> tuple[Array, Array, Array]:
    """S'Y and Y'Y with the newest pair, and -H g by (3). `put` writes its row and column into the products."""
    assert pairs.SY is not None
    assert pairs.YY is not None
    S, Y = pairs.S, pairs.Y
    Yy = matvec(Y, y)  # five products; one with an (n, 3) matrix takes five times as long (the columns lie badly)
    SY, YY = put(pairs.SY, matvec(Y, s), matvec(S, y)), put(pairs.YY, Yy, Yy)
    Sg, Yg = matvec(S, g), matvec(Y, g)
    by_age = lambda v: rows.in_order(v, pairs.at)
    used = jnp.arange(len(Sg), dtype=jnp.int32) >= len(Sg) - pairs.used  # oldest first
    both = used[:, None] & used[None, :]
    R = jnp.triu(jnp.where(both, by_age(by_age(SY).T).T, jnp.eye(len(Sg), dtype=g.dtype)))
    C = jnp.where(both, by_age(by_age(YY).T).T, 0.0)
    scale = jnp.where(used[-1], R[-1, -1] / jnp.where(used[-1], C[-1, -1], 1.0), 1.0)
    a = solve_triangular(R, jnp.where(used, by_age(Sg), 0.0))
    left = jnp.where(used, by_age(Yg), 0.0) - matvec(C, a)
    c = solve_triangular(R, jnp.diagonal(R) * a - scale * left, trans=1)
    in_place = lambda v: rows.in_rows(v, pairs.at)
    return SY, YY, matvec(Y.T, scale * in_place(a)) - matvec(S.T, in_place(c)) - scale * g


def two_loops(pairs: Pairs, v: Array, free: Array | None) -> Array:
    """H v on the free variables, for a vector v (n,) that is zero on the held ones."""
    m = pairs.S.shape[0]
    curvature, weight, scale = [], [], jnp.zeros((), v.dtype)
    for j in range(m):
        s, y = rows.newest(pairs.S, pairs.at, j), masked(rows.newest(pairs.Y, pairs.at, j), free)
        sy, yy = dot(s, y), dot(y, y)
        good = (j < pairs.used) & (sy > jnp.finfo(v.dtype).eps * yy)
        curvature.append(jnp.where(good, 1.0 / jnp.where(good, sy, 1.0), 0.0))
        scale = jnp.where((scale == 0) & good, sy / jnp.where(good, yy, 1.0), scale)
        weight.append(curvature[j] * dot(s, v))
        v = v - weight[j] * y
    v = jnp.where(scale == 0, 1.0, scale) * v
    for j in reversed(range(m)):
        y = rows.newest(pairs.Y, pairs.at, j)
        v = v + (weight[j] - curvature[j] * dot(y, v)) * masked(rows.newest(pairs.S, pairs.at, j), free)
    return v


def ordered(pairs: Pairs) -> Pairs:
    """The pairs with the newest row last, as a ring or a shift may have kept them; `at` then says that too."""
    m = pairs.S.shape[0]
    S, Y = (rows.in_order(v, pairs.at) for v in (pairs.S, pairs.Y))
    return Pairs(S, Y, jnp.full_like(pairs.at, m), pairs.used)  # the operator makes its products itself
