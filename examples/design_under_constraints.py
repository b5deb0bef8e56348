"""Thousands of load cases and one kind of beam: trust-constr under nonlinear limits on stress, buckling and deflection.

    python examples/design_under_constraints.py [picture.png]

A welded beam carries a load at its free end. Its height h, width b, weld throat w and weld length l are chosen such that it
is cheapest, in the form of Ragsdell and Phillips (1976): the price of the weld and of the bar,

    minimize  1.10471 w^2 l + 0.04811 h b (14 + l)

under limits on the shear stress of the weld and the bending stress of the bar, on the deflection of its end and the load
at which it buckles, and on w <= b: five rows, four of them curved, and bounds. Load, length of the bar and the strengths
of steel and weld differ from case to case. One `jax.vmap` of `minimize` chooses all beams.

The multiplier of a limit is its price: what a beam would cost less if the limit were a little looser. The same number comes
from `jax.grad` of the cost with respect to the limit.

For a quick look: JAXOPT_LITE_EXAMPLE_CASES=200; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32

Source: K. M. Ragsdell, D. T. Phillips, Optimal design of a class of welded structures using geometric programming, J. Eng.
Industry 98 (1976) 1021.
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxopt_lite import Bounds, NonlinearConstraint, OptimizeResult, compiler_options, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

CASES = int(os.environ.get("JAXOPT_LITE_EXAMPLE_CASES", "5000"))
YOUNG, SHEAR = 30e6, 12e6  # moduli of steel, psi
LIMITS = ("shear of the weld", "bending", "deflection", "buckling", "weld in the bar")
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9")


class LoadCase(NamedTuple):
    """One lane a case."""

    load: Array  # () lb
    length: Array  # () of the bar, in
    shear: Array  # () largest shear stress of the weld, psi
    bending: Array  # () largest stress of the bar, psi
    deflection: Array  # () largest of the end, in


def draw_cases(key: Array) -> LoadCase:
    """Cases about that of the source: 6,000 lb at 14 in."""
    keys = jax.random.split(key, 5)
    about = lambda k, low, high: jax.random.uniform(k, (CASES,), minval=low, maxval=high)
    return LoadCase(
        about(keys[0], 2000.0, 8000.0),
        about(keys[1], 10.0, 18.0),
        about(keys[2], 10_000.0, 16_000.0),
        about(keys[3], 20_000.0, 35_000.0),
        about(keys[4], 0.004, 0.03),
    )


def cost(x: Array, case: LoadCase) -> Array:
    """The price of a beam x = (w, l, h, b), in dollars of 1976."""
    w, l, h, b = x
    return 1.10471 * w**2 * l + 0.04811 * h * b * (case.length + l)


def used(x: Array, case: LoadCase) -> Array:
    """What is used of each limit (5,), as a share: all are to be at most 1."""
    w, l, h, b = x
    force, reach = case.load, case.length
    direct = force / (2.0**0.5 * w * l)
    square = l**2 / 4.0 + ((h + w) / 2.0) ** 2
    moment = force * (reach + l / 2.0)
    polar = 2.0 * 2.0**0.5 * w * l * (l**2 / 12.0 + ((h + w) / 2.0) ** 2)
    turning = moment * jnp.sqrt(square) / polar
    shear = jnp.sqrt(direct**2 + direct * turning * l / jnp.sqrt(square) + turning**2)
    bending = 6.0 * force * reach / (b * h**2)
    deflection = 4.0 * force * reach**3 / (YOUNG * b * h**3)
    slender = 1.0 - h / (2.0 * reach) * (YOUNG / (4.0 * SHEAR)) ** 0.5
    buckling = 4.013 * YOUNG * h * b**3 / (6.0 * reach**2) * slender
    return jnp.stack([shear / case.shear, bending / case.bending, deflection / case.deflection, force / buckling, w / b])


def design(case: LoadCase) -> OptimizeResult:
    """The cheapest beam of one case."""
    rows = NonlinearConstraint(lambda x: used(x, case), -jnp.inf, 1.0)
    bounds = Bounds(jnp.array([0.1, 0.1, 0.1, 0.1]), jnp.array([5.0, 20.0, 20.0, 5.0]))
    start = jnp.array([1.0, 7.0, 8.0, 1.5])
    return minimize(lambda x: cost(x, case), start, method="trust-constr", bounds=bounds, constraints=rows)


def timed(cases: LoadCase) -> OptimizeResult:
    """All results; prints how long they took and how they ended."""
    solve = jax.jit(jax.vmap(design), compiler_options=compiler_options())
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(cases))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    print(f"{CASES} beams: first call {first:.2f} s, second {second:.3f} s, {CASES / second:,.0f} beams/s")
    print(f"evaluations of a beam: {np.mean(res.nfev):.1f} in the mean, {np.max(res.nfev)} at most")
    for sentence, count in Counter(res.message).items():
        print(f"{count:7} x {sentence}")
    return res


def draw(cases: LoadCase, price: np.ndarray, costs: np.ndarray, picture: Path) -> None:
    """What beams cost, by what limits them; and the price of the deflection."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    dearest = np.argmax(price, axis=1)
    for k, (name, color) in enumerate(zip(LIMITS, COLORS, strict=True)):
        mine = dearest == k
        if np.any(mine):
            left.scatter(cases.load[mine], costs[mine], s=5, color=color, linewidths=0, label=name, rasterized=True)
    left.set(title="What a beam costs, by its dearest limit", xlabel="load, lb", ylabel="dollars of 1976")
    left.legend(frameon=False, markerscale=3)
    binds = price[:, 2] > 1e-6
    points = right.scatter(cases.deflection, price[:, 2], c=cases.load, s=5, cmap="viridis_r", linewidths=0, rasterized=True)
    figure.colorbar(points, ax=right, label="load, lb")
    right.set(title=f"The price of stiffness: {np.mean(binds):.0%} of the beams pay it", xlabel="deflection allowed, in")
    right.set(ylabel="dollars for the last per cent, times 100")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    cases = draw_cases(jax.random.key(0))
    res = timed(cases)
    good = np.asarray(res.success)
    shares = np.asarray(jax.vmap(used)(res.x, cases))[good]
    print(f"largest use of a limit: {np.max(shares):.9f}")
    price = np.asarray(res.multipliers)[good]
    holding = ", ".join(f"{name} {np.mean(price[:, k] > 1e-6):.0%}" for k, name in enumerate(LIMITS))
    print(f"limits that hold: {holding}")

    done = jax.tree.map(lambda v: v[good], cases)
    some = jax.tree.map(lambda v: v[:4], done)
    slope = jax.vmap(jax.grad(lambda limit, case: design(case._replace(bending=limit)).fun))(some.bending, some)
    print("dollars a psi, by jax.grad:         ", np.array2string(np.asarray(slope), precision=4))
    by_hand = -price[:4, 1] / np.asarray(some.bending)  # the row is a share of the limit, and is at 1
    print("and by the multiplier of the bending:", np.array2string(by_hand, precision=4))
    draw(done, price, np.asarray(res.fun)[good], picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "design_under_constraints.png")
