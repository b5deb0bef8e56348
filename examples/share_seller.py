"""Whom should the shares be sold to? A linear objective with one equation and bounds, feasible and not: `minimize`, SLSQP.

    python examples/share_seller.py [picture.png]

Fifteen shares are for sale. Ten buyers each name a price and bring some money: buyer i takes x_i shares, at most what the
money pays for, and shares can be divided. The seller wants

    maximize prices'x   subject to   sum(x) = 15,   0 <= x <= money / prices

`minimize` with constraints and no method named is SLSQP. The multiplier of the equation is what one more share would earn:
`jax.grad` of the optimal value, with respect to the number of shares, is the same number.

Then a thousand shares are for sale, which nobody can pay for: the result says that this is infeasible, at a finite point.
Last, one `jax.vmap` asks what every number of shares from 1 to 120 would earn. The buyers can pay for 105 of them.
"""

import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxopt_lite import Bounds, OptimizeResult, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

SHARES, TOO_MANY, BUYERS = 15.0, 1000.0, 10
BLUE, SKY, ORANGE = "#0072b2", "#56b4e9", "#e69f00"


def market() -> tuple[Array, Array]:
    """What the buyers offer for a share, and how many each can pay for."""
    random = np.random.RandomState(10)
    prices, money = random.random_sample(BUYERS), random.randint(1, 4, BUYERS)
    return jnp.asarray(prices), jnp.asarray(money / prices)


def sell(shares: Array | float, prices: Array, most: Array) -> OptimizeResult:
    """The best sale of so many shares; the objective is the negative of what it earns."""
    all_sold = {"type": "eq", "fun": lambda x: jnp.sum(x) - shares}
    x0 = jnp.full(BUYERS, 0.5, prices.dtype)
    return minimize(lambda x: -jnp.sum(prices * x), x0, bounds=Bounds(jnp.zeros(BUYERS), most), constraints=all_sold)


def tell(shares: float, res: OptimizeResult, most: Array) -> None:
    """Print how a sale ended."""
    print(f"{shares:.0f} shares: {res.message} (status {int(res.status)}), sold {jnp.sum(res.x):.6f}, earned {-res.fun:.9f}")
    print("  buyers take", np.round(np.asarray(res.x), 3), "at most", np.round(np.asarray(most), 3))


def draw(res: OptimizeResult, most: Array, shares: Array, earned: Array, worth: Array, good: Array, picture: Path) -> None:
    """Who buys how much, what any number of shares earns, and what one more would."""
    figure = Figure(figsize=(11.5, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    buyers = np.arange(1, BUYERS + 1)
    left.bar(buyers, most, color=SKY, alpha=0.5, label="can pay for")
    left.bar(buyers, res.x, width=0.5, color=BLUE, label="gets")
    left.set(xticks=buyers, xlabel="buyer", ylabel="shares", title=f"{SHARES:.0f} shares and their buyers")
    left.legend(frameon=False)
    price = right.twinx()
    price.plot(shares[good], worth[good], color=ORANGE, linewidth=2)
    price.set(ylim=(0, None))
    price.set_ylabel("one more share would earn", color=ORANGE)
    right.plot(shares[good], earned[good], color=BLUE, linewidth=2)
    right.axvspan(float(shares[~good][0]), float(shares[-1]), color="0.9")
    right.text(float(shares[~good].mean()), 8.0, "infeasible", rotation=90, ha="center", va="center")
    right.set(xlabel="shares for sale", title="What any number of shares is worth", ylim=(0, None))
    right.set_ylabel("the best sale earns", color=BLUE)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    prices, most = market()
    res = sell(SHARES, prices, most)
    tell(SHARES, res, most)
    slope = jax.grad(lambda shares: sell(shares, prices, most).fun)(SHARES)
    print(f"  one more share would earn {-slope:.6f} by jax.grad, {float(res.multipliers[0]):.6f} by the multiplier")
    tell(TOO_MANY, sell(TOO_MANY, prices, most), most)

    shares = jnp.arange(1.0, 121.0)
    many = jax.vmap(lambda n: sell(n, prices, most))(shares)
    good = np.asarray(many.success)
    print(f"{good.sum()} of the numbers from 1 to {len(shares)} can be sold: buyers can pay for {float(jnp.sum(most)):.3f}")
    draw(res, most, np.asarray(shares), -np.asarray(many.fun), np.asarray(many.multipliers[:, 0]), good, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "share_seller.png")
