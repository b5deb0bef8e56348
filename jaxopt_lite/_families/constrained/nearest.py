"""The nearest point at which rows hold, by conjugate gradients on products: one product a turn, of J'p and of J J'p.

Everything that trust-constr wants of its rows is one problem: from `base` (N,) find

    min |rho - base|   subject to   J rho + b = 0,     rho = base + J'y,     J J'y = -(J base + b).        (1)

With b = 0 this is the projection along the rows, and y are the multipliers with which base + J'y is least; with base = 0 and
b = h it is the shortest step to the linearized rows. J = [A, -1] D as in `barrier.py`. Conjugate gradients on (1), with
s = J rho + b and a diagonal matrix C near (J J')^-1 (Golub & Van Loan 2013, section 11.5.2),

    q = J'p,   a = s'C s / q'q,   rho -= a q,   y -= a p,   s -= a J q,   p <- C s + (s'C s)_new / (s'C s)_old p,     (2)

shorten the error of rho in each step. C is the inverse of the diagonal D_s^2 + l^2, with D_s of the slacks, and l the
lengths of the rows of A D_x. These are learnt while (2) runs: its turns ask for A D e, too, with vectors e of signs, and
l_i^2 is the mean of the squares (A D e)_i^2 that were seen (Bekas, Kokiopoulou & Saad 2007). At a new point what was learnt
at the one before counts as KNOWN products. The two kinds of units that searches have are learnt apart.

*Rounding.* What (2) says of s drifts away from J rho + b. So where it is small, s is computed afresh, and (2) goes on from
there if it is not: this is the iterative refinement of Gould, Hribar & Nocedal (2001, section 6). How small it has to be is
measured by what is left: |s| <= TIGHT |J| |rho|, where |J| is the largest |J'p| / |p| that was seen. Where the rows depend
on one another and contradict, s does not become small: then the last rho counts, after MOST products a round.

Source: N. I. M. Gould, M. E. Hribar, J. Nocedal, SIAM J. Sci. Comput. 23 (2001) 1376; C. Bekas, E. Kokiopoulou, Y. Saad,
Appl. Numer. Math. 57 (2007) 1214. Changed for batches: a product is a
turn of the run.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite.core.dense import dot, norm, signs

TIGHT = 0.5  # power of eps; see above
ROUNDED = 8.0  # times eps |J| |base|: a smaller s is rounding
ROUNDS = 3  # most of them: the third one is never needed where the rows are independent
KNOWN = 8.0  # see above; 32 and 100 make no difference of a twentieth
MOST = 2000  # most products of a round, and at most 2 m + 20


class Nearest(NamedTuple):
    """The nearest point, on the way to it."""

    rho: Array  # (N,)
    y: Array  # (m,)
    pull: Array  # (n,) A'y
    b: Array  # (m,)
    s: Array  # (m,)
    p: Array  # (m,) the direction of the next product
    square: Array  # () s'C s
    size: Array  # () |base|
    stretch: Array  # () |J|
    C: Array  # (m,) the same in all of a round
    kind: Array  # () int32: whose units D are
    squares: Array  # (2, m) l^2 of each kind
    seen: Array  # (2,) products that they are the mean of
    made: Array  # () int32: products of this round
    rounds: Array  # () int32: begun


def empty(n: int, m: int, dtype: Any) -> Nearest:
    """A search before any is begun."""
    zero, none, rows, x = jnp.zeros((), dtype), jnp.zeros((), jnp.int32), jnp.zeros(m, dtype), jnp.zeros(n, dtype)
    learnt = none, jnp.zeros((2, m), dtype), jnp.zeros(2, dtype)
    return Nearest(jnp.zeros(n + m, dtype), rows, x, rows, rows, rows, zero, zero, zero, rows + 1.0, *learnt, none, none)


def begun(last: Nearest, base: Array, y: Array, pull: Array, b: Array, kind: int) -> Nearest:
    """The start of (1) after the `last` search, rho = `base`; y and A'y are what `base` holds of J'y already."""
    none = jnp.zeros((), jnp.int32)
    start = last._replace(rho=base, y=y, pull=pull, b=b, s=b, size=norm(base, 2), made=none, rounds=none)
    return start._replace(kind=jnp.full((), kind, jnp.int32))


def at_new_point(q: Nearest) -> Nearest:
    """Of the last point some is kept."""
    return q._replace(stretch=jnp.zeros_like(q.stretch), seen=jnp.minimum(q.seen, KNOWN))


def asked(q: Nearest, D: Array, solving: Array) -> Array:
    """The vector (n,) whose product with A is wanted: D rho, and of a search that is `solving` D e."""
    n = q.pull.shape[0]
    return D[:n] * jnp.where(solving, signs(q.seen[q.kind], n, D.dtype), q.rho[:n])


def afresh(q: Nearest, D: Array, jv: Array) -> tuple[Nearest, Array]:
    """With s computed afresh, and whether it is small; from `jv` (m,), A D rho."""
    n = q.pull.shape[0]
    s = jv - D[n:] * q.rho[n:] + q.b
    squares = q.squares[q.kind]
    q = q._replace(C=1.0 / (D[n:] ** 2 + jnp.where(squares > 0, squares, 1.0)))
    scaled = q.C * s
    none = jnp.zeros((), jnp.int32)
    new = q._replace(s=s, p=scaled, square=dot(s, scaled), made=none, rounds=q.rounds + 1)
    return new, (norm(s, 2) <= _enough(q)) | (q.rounds >= ROUNDS)


def moved(q: Nearest, D: Array, jtw: Array, normal: Array, jv: Array) -> tuple[Nearest, Array]:
    """(2), and whether the round ends; from A'p (n,), A D^2 A'p (m,) and A D e (m,)."""
    n, m = q.pull.shape[0], q.p.shape[0]
    step = jnp.concatenate([D[:n] * jtw, -D[n:] * q.p])
    length, size = dot(step, step), dot(q.p, q.p)
    a = jnp.where(length > 0, q.square / jnp.where(length > 0, length, 1.0), 0.0)
    s = q.s - a * (normal + D[n:] ** 2 * q.p)
    stretch = jnp.maximum(q.stretch, jnp.sqrt(length / jnp.where(size > 0, size, 1.0)))
    q = q._replace(rho=q.rho - a * step, y=q.y - a * q.p, pull=q.pull - a * jtw, s=s, stretch=stretch, made=q.made + 1)
    squares, seen = q.squares[q.kind], q.seen[q.kind]
    squares = q.squares.at[q.kind].set(squares + (jv * jv - squares) / (seen + 1.0))
    q = q._replace(squares=squares, seen=q.seen.at[q.kind].add(1.0))
    scaled = q.C * s
    square = dot(s, scaled)
    new = q._replace(p=scaled + square / jnp.where(q.square > 0, q.square, 1.0) * q.p, square=square)
    return new, (norm(s, 2) <= _enough(q)) | (q.made >= min(2 * m + 20, MOST)) | ~(length > 0)


def _enough(q: Nearest) -> Array:
    eps = float(jnp.finfo(q.rho.dtype).eps)
    aim = norm(q.b, 2)
    return jnp.maximum(eps**TIGHT * jnp.where(aim > 0, aim, q.stretch * norm(q.rho, 2)), ROUNDED * eps * q.stretch * q.size)
