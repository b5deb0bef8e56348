"""trust-ncg: conjugate gradients on the model until they leave the radius (Steihaug 1983; Toint 1981).

From z = 0, r = g, d = -g / |g|, one product with the Hessian for each step

    a = -r.d / d'H d,   z+ = z + a d,   r+ = r + a H d,   d+ = -r+ - (r+.r+ / r.d) d, made a unit vector      (1)

The length of z grows from step to step. The solve ends where |r| <= eta |g|; where z+ would leave the radius; and where
d'H d <= 0. In the last two cases z goes along d to the boundary (Nocedal & Wright 2006, algorithm 7.2). The model's value
follows from the residual, m(z) = (g + r).z / 2.

*One product a turn.* The first direction is the gradient of the trial point, which is not known before the trial. So a trial
asks for the product along whatever its gradient will be (`SLOPE_PRODUCT`), and an accepted trial is the first step (1) too.

*After a rejection* the same Hessian serves a smaller radius. Steihaug's path is not kept, but two of its points are, with
their products: its first, p_C, where the model is least along steepest descent, and its last, z. The next step is the point
at the new radius on the way 0 -> p_C -> z, or p_C where that is lower. This takes no product, and promises no less than p_C.

*A small gradient* is no minimum yet. Conjugate gradients on H z = -u with a fixed unit vector u look for negative curvature:
as long as n products at the start of the run, LOOKS later, where the descent itself has seen curvature. What they find is
followed to the boundary, downhill.

Source: T. Steihaug, SIAM J. Numer. Anal. 20 (1983) 626; Ph. L. Toint, in Sparse Matrices and their Uses (1981) 57.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxopt_lite._families.trust_region import radius
from jaxopt_lite._families.trust_region.radius import Place, Proposal, Subproblem, on_the_way
from jaxopt_lite._needs.values import SLOPE_PRODUCT, direction
from jaxopt_lite.core.dense import dot, norm, somewhere
from jaxopt_lite.core.once import kept
from jaxopt_lite.core.options import COUNT, Option
from jaxopt_lite.core.protocol import Answer, Method

FORCING = 0.1  # eta; as for Newton-CG, where smaller ones took as many evaluations
MOST = 20  # times n: the most products for one step, where the option says nothing
LOOKS, LOOKS_AT_START = 2, 20  # most products that look for negative curvature, and of the first point
OPTIONS = radius.OPTIONS | {
    "subproblem_maxiter": Option(None, COUNT, "Most products of the Hessian for one step. Default 20 n."),
}


class Steihaug(NamedTuple):
    """The solve (1); its iterate z is the step of the composer."""

    r: Array  # (n,) H z + g; of a look H z + u
    d: Array  # (n,) unit vector, the next product is along it; 0 before a trial: along the gradient there
    Hu: Array  # (n,) H g / |g| at x
    products: Array  # () int32: products of this solve
    trying: Array  # () bool: the solve has ended, and the next turn tries z
    looks: Array  # () int32: products that may still look for negative curvature; 0 in a solve


def _init(x0: Array, data: Any) -> Steihaug:
    flat, none = jnp.zeros_like(x0), jnp.zeros((), jnp.int32)
    return Steihaug(flat, flat, flat, none, jnp.ones((), bool), none)


def _advance(s: Steihaug, z: Array, at: Place, answer: Answer, data: Any) -> tuple[Steihaug, Proposal]:
    g, n, eps = at.grad, z.shape[0], float(jnp.finfo(z.dtype).eps)
    new, looking = at.accepted, s.looks > 0
    u = direction(jnp.zeros_like(g), g)
    length = norm(g, 2)
    Hu = jnp.where(new, answer.hvp, s.Hu)
    bend = dot(u, Hu)
    far = jnp.where(bend > 0, jnp.minimum(length / jnp.where(bend > 0, bend, 1.0), at.radius), at.radius)

    # one step (1); the first one of a solve is along -g, whose product is known
    start = lambda first, old: jnp.where(new, first, old)
    d, Hd = start(-u, s.d), start(-Hu, answer.hvp)
    z0, r0 = start(0.0, z), start(g, s.r)
    fall, size, curvature = -dot(r0, d), norm(Hd, 2), dot(d, Hd)
    curved = curvature > eps * size
    a = fall / jnp.where(curved, curvature, 1.0)
    reach = on_the_way(z0, d, at.radius)
    leaves = ~curved | (a >= reach)
    a = jnp.where(leaves & ~(looking & curved), reach, a)
    z1, r1 = z0 + a * d, r0 + a * Hd
    left = dot(r1, r1)
    d1 = -r1 + jnp.where(fall > 0, left / jnp.where(fall > 0, fall, 1.0), 0.0) * d
    d1 = d1 / jnp.maximum(norm(d1, 2), jnp.finfo(z.dtype).tiny)
    most = MOST * n if data.limit is None else data.limit
    products = jnp.where(new, 1, s.products + 1)
    ended = leaves | (left <= (FORCING * length) ** 2) | (products >= most)

    # a rejected step becomes shorter
    cauchy, Hcauchy = -far * u, -far * Hu
    way, Hway = z - cauchy, s.r - g - Hcauchy
    share = jnp.minimum(on_the_way(cauchy, way, at.radius), 1.0)
    cut, r_cut = cauchy + share * way, g + Hcauchy + share * Hway
    gain = lambda z, r: -0.5 * dot(g + r, z)
    lower = gain(cut, r_cut) > gain(cauchy, g + Hcauchy)
    cut, r_cut = jnp.where(lower, cut, cauchy), jnp.where(lower, r_cut, g + Hcauchy)

    # a look: the step is along the first direction of negative curvature
    least = -eps * n * size
    found = looking & ~at.rejected & (curvature < least)
    begins = new & at.flat & ~(bend < -eps * n * norm(Hu, 2))
    looks = jnp.where(begins, jnp.where(at.fresh, min(n, LOOKS_AT_START), min(n, LOOKS)), s.looks - 1)
    looks = jnp.where(begins | (looking & ~found & ~at.rejected), looks, 0)
    along = jnp.where(dot(g, d) > 0, -reach, reach)
    over = looking & ~found & ~at.rejected & ((looks <= 0) | (left <= eps * dot(s.r, s.r)))
    still = begins | (looking & ~found & ~over & ~at.rejected)

    pick = lambda cut, look, solve: jnp.where(at.rejected, cut, jnp.where(found, look, solve))
    first = somewhere(n, z.dtype)
    p = pick(cut, along * d, jnp.where(looking | begins, 0.0, z1))
    r = jnp.where(begins, first, pick(r_cut, g + along * Hd, r1))
    trying = at.rejected | found | over | (ended & ~still)
    d1 = jnp.where(begins, -first, d1)
    state = Steihaug(r, jnp.where(trying, 0.0, d1), Hu, products.astype(jnp.int32), trying, looks.astype(jnp.int32))
    promised = jnp.where(found, -along * dot(g, d) - 0.5 * along * along * curvature, gain(p, r))
    return state, Proposal(p, promised, over)


STEIHAUG = Subproblem(
    SLOPE_PRODUCT,
    _init,
    trying=lambda s: s.trying,
    vector=lambda s: s.d,
    advance=_advance,
    report=lambda s: {},
)


@kept()
def trust_ncg() -> Method:
    """The method, always the same object."""
    return radius.trust_region("trust-ncg", STEIHAUG)


def build(options: dict[str, Any]) -> Method:
    """The method from its options; raises ValueError where radii are out of order."""
    radius.check(options)
    return trust_ncg()
