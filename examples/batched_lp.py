"""What should 100,000 workshops make? One `jax.vmap` of `linprog` plans them all, and prices what each is short of.

    python examples/batched_lp.py [picture.png]

Every workshop makes the same twelve products from the same six resources (hours on three machines, two materials,
labor): A (6, 12) says how much of each resource a unit of a product takes. What differs are the prices that it can ask
today, what it has of each resource, and how much of each product its customers take at most:

    maximize prices'x   subject to   A x <= capacity,   0 <= x <= demand

A is shared, prices, capacities and demands are batched. A few workshops have signed contracts for more than they can make
(infeasible), and for a few a price came in as NaN: each lane says so by a status of its own.

The multipliers of the capacities, `res.ineqlin.marginals`, are shadow prices: what one more hour of a machine would earn.
They are the derivatives of the profit, and `jax.grad` gives the same. The second call is timed, the first compiles.

For a quick look: JAXOPT_LITE_EXAMPLE_PROGRAMS=500; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
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

from jaxopt_lite import OptimizeResult, linprog

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

PROGRAMS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_PROGRAMS", "100000"))
PRODUCTS, RESOURCES = 12, ("lathe", "mill", "press", "steel", "brass", "labor")
BLUE, SKY, ORANGE = "#0072b2", "#56b4e9", "#e69f00"


class Workshops(NamedTuple):
    """One lane a workshop."""

    prices: Array  # (programs, 12) what a unit sells for
    capacity: Array  # (programs, 6) of each resource
    least: Array  # (programs, 12) units under contract
    most: Array  # (programs, 12) units that customers take


def simulate(key: Array) -> tuple[Array, Workshops]:
    """What a unit takes of each resource (6, 12), and the workshops: some with impossible contracts, some with a NaN."""
    for_needs, for_prices, for_capacity, for_demand = jax.random.split(key, 4)
    needs = jax.random.uniform(for_needs, (len(RESOURCES), PRODUCTS), minval=0.2, maxval=2.0)
    prices = needs.sum(axis=0) * jax.random.uniform(for_prices, (PROGRAMS, PRODUCTS), minval=0.7, maxval=1.3)
    capacity = 20.0 * jax.random.uniform(for_capacity, (PROGRAMS, len(RESOURCES)), minval=0.5, maxval=1.5)
    most = 6.0 * jax.random.uniform(for_demand, (PROGRAMS, PRODUCTS), minval=0.5, maxval=1.5)
    lane = jnp.arange(PROGRAMS)[:, None]
    least = jnp.where(lane % 97 == 96, most, 0.0)
    return needs, Workshops(jnp.where(lane % 101 == 100, jnp.nan, prices), capacity, least, most)


def plan(needs: Array, shop: Workshops) -> OptimizeResult:
    """The best plan of one workshop."""
    bounds = jnp.stack([shop.least, shop.most], axis=-1)
    return linprog(-shop.prices, A_ub=needs, b_ub=shop.capacity, bounds=bounds)


def draw(shadow: np.ndarray, capacity: np.ndarray, picture: Path) -> None:
    """What one more unit of each resource is worth, and how that falls with what there is of it."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    short = [shadow[shadow[:, k] > 1e-6, k] for k in range(len(RESOURCES))]
    left.violinplot([s if len(s) > 1 else np.zeros(2) for s in short], showmedians=True, widths=0.85)
    share = [f"{name}\n{len(s) / len(shadow):.0%}" for name, s in zip(RESOURCES, short, strict=True)]
    left.set_xticks(range(1, len(RESOURCES) + 1), share)
    left.set(title="What one more unit of a resource earns, where it is short", ylabel="shadow price")
    left.set_xlabel("resource, and the share of workshops that are short of it")
    scarcest = int(np.argmax([len(s) for s in short]))
    order = np.argsort(capacity[:, scarcest])
    groups = np.array_split(order, 30)
    at = [capacity[g, scarcest].mean() for g in groups]
    low, middle, high = (np.array([np.quantile(shadow[g, scarcest], q) for g in groups]) for q in (0.1, 0.5, 0.9))
    right.fill_between(at, low, high, color=SKY, alpha=0.5, label="80 % of the workshops")
    right.plot(at, middle, color=BLUE, linewidth=2, label="median shadow price")
    right.set(title=f"Diminishing returns of {RESOURCES[scarcest]}", ylabel="shadow price", ylim=(0, None))
    right.set_xlabel(f"units of {RESOURCES[scarcest]} that a workshop has")
    right.legend(frameon=False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    needs, shops = simulate(jax.random.key(0))
    solve = jax.vmap(plan, in_axes=(None, 0))
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(needs, shops))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    rate = f"{PROGRAMS / second:,.0f} programs/s"
    print(f"{PROGRAMS} programs in {res.x.dtype}: first call {first:.2f} s, second {second:.3f} s, {rate}")
    good = np.asarray(res.success)
    for sentence, lanes in Counter(res.message).items():
        print(f"{lanes:7} x {sentence}")
    iterations, violation = np.asarray(res.nit)[good], np.max(np.asarray(res.maxcv)[good])
    print(f"iterations: mean {iterations.mean():.1f}, most {iterations.max()}; largest violation {violation:.1e}")

    shadow = -np.asarray(res.ineqlin.marginals)[good]
    capacity = np.asarray(shops.capacity)[good]
    print("resource  short in  mean shadow price")
    for name, s in zip(RESOURCES, shadow.T, strict=True):
        print(f"{name:9} {np.mean(s > 1e-6):7.1%}  {s.mean():8.4f}")
    one = jax.tree.map(lambda a: a[0], shops)
    earns = jax.grad(lambda capacity: -plan(needs, one._replace(capacity=capacity)).fun)(one.capacity)
    print("workshop 0, gradient of the profit:", np.round(earns, 4))
    print("workshop 0, shadow prices:         ", np.round(shadow[0], 4))
    draw(shadow, capacity, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output/batched_lp.png")
