"""A million orbits and a million option quotes: `root_scalar` under `jax.vmap`.

    python examples/kepler.py [picture.png]

Kepler's equation gives the eccentric anomaly E of a planet from its mean anomaly M, which is time, and its eccentricity e:

    E - e sin E = M                       e from 0 to 0.999

|E - M| <= e is a bracket, and Newton's method, kept in it, solves all orbits; E - e sin E is nearly a cubic for e near 1,
and M is often near 0 there. `jax.grad` gives dE/dM, with which a comet moves.

The implied volatility of an option is the sigma at which the formula of Black and Scholes gives its price. In units of the
forward price, with k the logarithm of the strike and s = sigma sqrt(T),

    call = N(-k/s + s/2) - exp(k) N(-k/s - s/2)           put = call - 1 + exp(k)

Of each pair the one out of the money is quoted. Some quotes in a hundred are stale, and below zero or above what any sigma
explains: their bracket holds no root, which the lane says by its status.

Errors are measured against Newton's iteration in NumPy's long double (80 bits on x86), from the answers of 20,000 lanes,
with the normal distribution summed as a series. The second call is timed, the first compiles.

For a quick look: JAXOPT_LITE_EXAMPLE_ORBITS=2000 JAXOPT_LITE_EXAMPLE_QUOTES=2000; JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtr
from matplotlib.figure import Figure

from jaxopt_lite import RootResults, compiler_options, root_scalar

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

ORBITS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_ORBITS", "1000000"))
QUOTES = int(os.environ.get("JAXOPT_LITE_EXAMPLE_QUOTES", "1000000"))
CHECKED = 20_000
BLUE, SKY, ORANGE = "#0072b2", "#56b4e9", "#e69f00"
Long = np.longdouble


def eccentric_anomaly(mean: Array, e: Array) -> RootResults:
    """E of one orbit; the bracket is a little wider than |E - M| <= e, so that its ends differ for e = 0 too."""
    reach = e + 1e-3
    return root_scalar(
        lambda E: E - e * jnp.sin(E) - mean, bracket=(mean - reach, mean + reach), xtol=1e-15, method="newton"
    )


def black(k: Array, s: Array) -> Array:
    """The price of the option out of the money, in units of the forward."""
    side = jnp.where(k >= 0, 1.0, -1.0)
    return side * (ndtr(side * (s / 2 - k / s)) - jnp.exp(k) * ndtr(side * (-s / 2 - k / s)))


def implied_volatility(price: Array, k: Array, T: Array) -> RootResults:
    """sigma of one quote, between 1 % and 500 % a year."""
    return root_scalar(lambda sigma: black(k, sigma * jnp.sqrt(T)) - price, bracket=(0.01, 5.0), xtol=1e-15, method="newton")


def smile(k: Array, T: Array) -> Array:
    """The volatility that the market has in mind: it falls with the strike, the more so the shorter the time."""
    steep = 1 / jnp.sqrt(T + 0.1)
    return 0.2 - 0.12 * steep * k + 0.25 * steep * jnp.sqrt(k * k + 0.01)


def market(key: Array) -> tuple[Array, Array, Array]:
    """Prices, logarithms of strikes and times to maturity of the quotes; one in a hundred is not to be believed."""
    for_k, for_time, for_stale = jax.random.split(key, 3)
    T = jnp.exp(jax.random.uniform(for_time, (QUOTES,), minval=jnp.log(0.05), maxval=jnp.log(2.0)))
    k = jnp.sqrt(T) * jax.random.uniform(for_k, (QUOTES,), minval=-0.6, maxval=0.6)
    price = black(k, smile(k, T) * jnp.sqrt(T))
    stale = jax.random.uniform(for_stale, (QUOTES,))
    return jnp.where(stale < 0.005, -price, jnp.where(stale > 0.995, 1.0 + jnp.exp(k), price)), k, T


def timed(solve: Callable, what: str, *problems: Array) -> RootResults:
    """The results of all lanes; prints their rate and how they ended."""
    solve = jax.jit(jax.vmap(solve), compiler_options=compiler_options())
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(*problems))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    lanes = len(problems[0])
    print(
        f"{lanes} {what} in {res.root.dtype}: first call {first:.2f} s, second {second:.3f} s, {lanes / second:,.0f} lanes/s"
    )
    for sentence, count in Counter(res.flag).items():
        print(f"{count:8} x {sentence}")
    calls = np.asarray(res.function_calls)[np.asarray(res.converged)]
    print(f"points evaluated: mean {calls.mean():.1f}, most {calls.max()}")
    return res


def normal(x: Any) -> Any:
    """N(x) in long double: 1/2 + the density times the sum of x^(2 i + 1) / (1 * 3 * 5 ... (2 i + 1))."""
    term = total = x.copy()
    for i in range(1, 140):
        term = term * x * x / (2 * i + 1)
        total = total + term
    return Long(0.5) + total * np.exp(-x * x / 2) / np.sqrt(2 * np.arccos(Long(-1)))


def true_anomalies(E: np.ndarray, mean: np.ndarray, e: np.ndarray) -> Any:
    """Newton's iteration in long double from E."""
    E, mean, e = E.astype(Long), mean.astype(Long), e.astype(Long)
    for _ in range(4):
        E = E - (E - e * np.sin(E) - mean) / (1 - e * np.cos(E))
    return E


def true_volatilities(sigma: np.ndarray, price: np.ndarray, k: np.ndarray, T: np.ndarray) -> tuple[Any, Any]:
    """The same for sigma; and the derivative of the price there (vega)."""
    sigma, price, k, root_T = sigma.astype(Long), price.astype(Long), k.astype(Long), np.sqrt(T.astype(Long))
    for _ in range(4):
        s = sigma * root_T
        up, down = s / 2 - k / s, -s / 2 - k / s
        call = normal(up) - np.exp(k) * normal(down)
        vega = root_T * np.exp(-up * up / 2) / np.sqrt(2 * np.arccos(Long(-1)))
        sigma = sigma - (call - np.where(k >= 0, 0, 1 - np.exp(k)) - price) / vega
    return sigma, vega


def draw(orbits: tuple, quotes: tuple, picture: Path) -> None:
    """The errors of the orbits against their eccentricity, the smile that was found, and the errors of the volatilities."""
    (e, error, attainable), (sigma, k, T, vol_error, vol_attainable) = orbits, quotes
    figure = Figure(figsize=(13.5, 4.4), layout="constrained")
    left, center, right = figure.subplots(1, 3)
    floor = np.finfo(sigma.dtype).eps / 64
    for axis, at, found, best, name in (
        (left, 1 - e, error, attainable, "1 - eccentricity"),
        (right, sigma, vol_error, vol_attainable, "implied volatility"),
    ):
        axis.scatter(at, np.maximum(found, floor), s=2, color=SKY, alpha=0.35, linewidths=0, rasterized=True, label="a lane")
        order = np.array_split(np.argsort(at), 40)
        x = [np.median(at[g]) for g in order]
        axis.plot(x, [np.quantile(found[g], 0.99) for g in order], color=BLUE, linewidth=2, label="99 % are below")
        axis.plot(x, [np.median(best[g]) for g in order], color=ORANGE, linewidth=2, label="rounding of the equation")
        axis.set(yscale="log", xlabel=name, ylabel="error", ylim=(floor / 100, None))
        axis.legend(frameon=False, markerscale=6, loc="lower left")
    left.set(title="Kepler's equation", xscale="log")
    left.invert_xaxis()
    right.set_title("Implied volatility")
    points = center.scatter(k / np.sqrt(T), sigma, c=T, s=3, cmap="viridis", linewidths=0, rasterized=True)
    figure.colorbar(points, ax=center, label="years to maturity")
    center.set(title="The smile, quote by quote", xlabel="log strike / sqrt(years)", ylabel="implied volatility")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    for_orbits, for_quotes = jax.random.split(jax.random.key(0))
    for_mean, for_e = jax.random.split(for_orbits)
    mean = jax.random.uniform(for_mean, (ORBITS,), minval=0.0, maxval=2 * jnp.pi)
    e = 1 - jnp.exp(jax.random.uniform(for_e, (ORBITS,), minval=jnp.log(1e-3), maxval=0.0))
    res = timed(eccentric_anomaly, "orbits", mean, e)
    eps = float(jnp.finfo(mean.dtype).eps)
    E, mean_, e_ = (np.asarray(a)[:CHECKED] for a in (res.root, mean, e))
    true = true_anomalies(E, mean_, e_)
    error = np.abs(E - true).astype(float)
    slope = (1 - e_ * np.cos(true)).astype(float)
    attainable = eps * (np.abs(E) + mean_) / slope
    print(
        f"error of E: median {np.median(error):.1e}, largest {error.max():.1e}; of rounding {np.max(error / attainable):.2f}"
    )
    speed = jax.grad(lambda mean: eccentric_anomaly(mean, e[0]).root)(mean[0])
    print(f"orbit 0: dE/dM {speed:.6f}, and 1 / (1 - e cos E) {1 / slope[0]:.6f}")

    price, k, T = market(for_quotes)
    res = timed(implied_volatility, "quotes", price, k, T)
    good = np.flatnonzero(np.asarray(res.converged))[:CHECKED]
    sigma, price_, k_, T_ = (np.asarray(a)[good] for a in (res.root, price, k, T))
    true, vega = true_volatilities(sigma, price_, k_, T_)
    vol_error = np.abs(sigma - true).astype(float)
    vol_attainable = eps * np.asarray((np.exp(np.minimum(k_, 0)) + sigma * vega) / vega, float)
    share = np.max(vol_error / vol_attainable)
    print(f"error of sigma: median {np.median(vol_error):.1e}, largest {vol_error.max():.1e}; of rounding {share:.2f}")
    draw((e_, error, attainable), (sigma, k_, T_, vol_error, vol_attainable), picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "kepler.png")
