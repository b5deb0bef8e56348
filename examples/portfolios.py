"""Ten thousand investors and one market: `minimize` under a budget, position limits and a nonlinear cap on risk.

    python examples/portfolios.py [picture.png]

Every investor has the same eight assets to choose from, whose returns have means m and covariance C, and wants

    maximize m'w - cost |w - held|^2   subject to   sum(w) = 1,   0 <= w <= most,   sqrt(w'C w) <= cap

The third is curved: it says what one would say, that a portfolio may be this risky and no more. What differs from investor
to investor are the cap, the largest position that is allowed, what is held already, and what it costs to move away from it.
A hundred of them are free, for nothing costs them anything: they draw the efficient frontier. One `jax.vmap` of `minimize`
(SLSQP, the default where there are constraints) solves all of them.

Some caps are below the risk of the safest portfolio that the rules allow. These lanes end without success: most of them at
their budget, for the curved cap and the budget contradict one another slowly, and some as infeasible.

The multiplier of the cap is a price: what one more per cent of risk would bring. It is the slope of the efficient frontier,
and `jax.grad` of the optimal value with respect to the cap is the same number.

For a quick look: JAXOPT_LITE_EXAMPLE_INVESTORS=500; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
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

from jaxopt_lite import Bounds, OptimizeResult, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

INVESTORS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_INVESTORS", "10000"))
ASSETS, FACTORS, FREE = 8, 3, 100
ORANGE = "#e69f00"


class Market(NamedTuple):
    """What all investors share; per cent a year."""

    mean: Array  # (8,) of the returns
    factors: Array  # (8, 8) L with C = L L'


class Investor(NamedTuple):
    """One lane an investor."""

    cap: Array  # () the largest standard deviation of the return
    most: Array  # () the largest share of an asset
    held: Array  # (8,) shares that are held
    cost: Array  # () of moving away from there


def simulate(key: Array) -> tuple[Market, Investor]:
    """Assets that follow three factors, the riskier the better, and investors of all kinds."""
    for_factors, for_own, for_mean, for_cap, for_most, for_held, for_cost = jax.random.split(key, 7)
    size = jnp.linspace(2.0, 16.0, ASSETS)
    loads = 0.4 * size[:, None] * jax.random.normal(for_factors, (ASSETS, FACTORS))
    own = jnp.diag(size * jax.random.uniform(for_own, (ASSETS,), minval=0.5, maxval=1.0))
    risk = jnp.linalg.cholesky(loads @ loads.T + own @ own)
    mean = 1.0 + 0.5 * size + jax.random.normal(for_mean, (ASSETS,))
    cap = jax.random.uniform(for_cap, (INVESTORS,), minval=1.0, maxval=14.0)
    most = jax.random.uniform(for_most, (INVESTORS,), minval=0.25, maxval=1.0)
    held = jax.random.dirichlet(for_held, jnp.ones(ASSETS), (INVESTORS,))
    cost = 10.0 * jax.random.uniform(for_cost, (INVESTORS,)) ** 2
    free = jnp.arange(INVESTORS) >= INVESTORS - FREE
    cap = cap.at[-FREE:].set(jnp.linspace(1.0, 14.0, FREE))
    return Market(mean, risk), Investor(cap, jnp.where(free, 1.0, most), held, jnp.where(free, 0.0, cost))


def risk(w: Array, market: Market) -> Array:
    """Standard deviation of the portfolio's return."""
    return jnp.sqrt(jnp.sum((market.factors.T @ w) ** 2))


def choose(investor: Investor, market: Market) -> OptimizeResult:
    """The portfolio of one investor; shares of the whole, in the order of the assets."""
    moved = lambda w: investor.cost * jnp.sum((w - investor.held) ** 2)
    constraints = [
        {"type": "eq", "fun": lambda w: jnp.sum(w) - 1.0},
        {"type": "ineq", "fun": lambda w: investor.cap - risk(w, market)},
    ]
    start = jnp.full(ASSETS, 1.0 / ASSETS, market.mean.dtype)
    bounds = Bounds(jnp.zeros_like(start), jnp.broadcast_to(investor.most, start.shape))
    return minimize(lambda w: moved(w) - jnp.dot(market.mean, w), start, bounds=bounds, constraints=constraints)


def timed(investors: Investor, market: Market) -> OptimizeResult:
    """All results; prints how long they took and how they ended."""
    solve = jax.jit(jax.vmap(choose, in_axes=(0, None)))
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(investors, market))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    rate = f"{INVESTORS / second:,.0f} portfolios/s"
    print(f"{INVESTORS} portfolios in {res.x.dtype}: first call {first:.2f} s, second {second:.3f} s, {rate}")
    for sentence, count in Counter(res.message).items():
        print(f"{count:7} x {sentence}")
    return res


def draw(spread: np.ndarray, gain: np.ndarray, investors: Investor, price: np.ndarray, picture: Path) -> None:
    """Risk and return of every portfolio with the frontier, and the price of risk against the cap."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    free = np.asarray(investors.cost) == 0.0
    kept = dict(s=4, cmap="viridis_r", linewidths=0, rasterized=True)
    left.scatter(spread[~free], gain[~free], c=investors.cost[~free], **kept)
    left.plot(spread[free], gain[free], color=ORANGE, linewidth=2, label="nothing costs anything: the efficient frontier")
    left.set(title="Every portfolio", xlabel="standard deviation of the return, %", ylabel="expected return, %")
    left.legend(frameon=False, loc="lower right")
    binds = ~free & (price > 1e-3)
    points = right.scatter(investors.cap[binds], price[binds], c=investors.cost[binds], **kept)
    right.plot(investors.cap[free], price[free], color=ORANGE, linewidth=2)
    figure.colorbar(points, ax=right, label="cost of moving away from what is held")
    right.set(title="What one more % of risk would bring", xlabel="cap on the risk, %", ylabel="%", yscale="log")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    market, investors = simulate(jax.random.key(0))
    res = timed(investors, market)
    good = np.asarray(res.success)
    w, done = res.x[good], jax.tree.map(lambda v: v[good], investors)
    spread = np.asarray(jax.vmap(risk, in_axes=(0, None))(w, market))
    over = max(float(np.max(spread - done.cap)), float(jnp.max(jnp.abs(jnp.sum(w, axis=1) - 1.0))))
    inside = bool(jnp.all((w >= 0) & (w <= done.most[:, None])))
    print(f"largest violation of a cap or a budget: {over:.1e}; all shares are within their bounds: {inside}")
    price = np.abs(np.asarray(res.multipliers)[good, 1])
    print(f"the cap binds {np.mean(price > 1e-4):.0%} of the portfolios")

    some = jax.tree.map(lambda v: v[:4], done)
    slope = jax.vmap(jax.grad(lambda cap, i: -choose(i._replace(cap=cap), market).fun))(some.cap, some)
    print("price of risk by jax.grad:       ", np.round(np.asarray(slope), 5))
    print("and by the multiplier of the cap:", np.round(price[:4], 5))
    draw(spread, np.asarray(w @ market.mean), done, price, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "portfolios.png")
