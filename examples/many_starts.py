"""A landscape with many valleys: thousands of starts in one `jax.vmap`, and the best end of each problem.

    python examples/many_starts.py [picture.png]

Where is a sound source? Eight microphones hear a tone of one wavelength. What each measures is the phase of the tone, which
is known up to whole turns, so that the misfit of a place z = (x, y),

    misfit(z) = 1 - |mean over the microphones of exp(i (2 pi d_k(z) / wavelength - phase_k))|               (1)

with d_k the distance to microphone k, has a valley wherever the phases nearly agree: hundreds of them in a room of 4 x 3
meters. One is deepest. Each of PROBLEMS sources is sought from STARTS random places by Nelder-Mead, all in one call, of
which every lane ends in a valley near its start; the lowest end of each problem is its answer. How many starts are enough?
The share of the starts that end in the deepest valley says it: with a share s, n starts miss with a chance of (1 - s)^n.

For a quick look: JAXOPT_LITE_EXAMPLE_STARTS=64; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxopt_lite import OptimizeResult, compiler_options, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

STARTS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_STARTS", "512"))
PROBLEMS = 16
ROOM = np.array([4.0, 3.0])
WAVELENGTH, NOISE = 0.34, 0.1  # meters (1 kHz), radians
EDGE = 0.05  # meters of the first simplex: well inside of a valley
SAME = 0.02  # meters: ends as near as that are one valley
ORANGE, BLUE = "#d55e00", "#0072b2"


def phases(z: Array, microphones: Array) -> Array:
    """What the microphones (8, 2) hear of a source at z (2,), in radians."""
    return 2 * jnp.pi / WAVELENGTH * jnp.sqrt(jnp.sum((microphones - z[None]) ** 2, axis=1))


def misfit(z: Array, heard: Array, microphones: Array) -> Array:
    """(1)."""
    apart = phases(z, microphones) - heard
    return 1 - jnp.sqrt(jnp.mean(jnp.cos(apart)) ** 2 + jnp.mean(jnp.sin(apart)) ** 2)


def seek(start: Array, heard: Array, microphones: Array) -> OptimizeResult:
    """One start of one problem; the first simplex is traced too."""
    simplex = start[None] + EDGE * jnp.array([[0, 0], [1, 0], [0, 1]], start.dtype)
    options = {"initial_simplex": simplex, "xatol": 1e-5, "fatol": 1e-6}
    return minimize(misfit, start, (heard, microphones), method="Nelder-Mead", bounds=BOUNDS, options=options)


BOUNDS = [(0.0, ROOM[0]), (0.0, ROOM[1])]


def draw(
    landscape: np.ndarray, ends: np.ndarray, best: np.ndarray, true: np.ndarray, share: np.ndarray, picture: Path
) -> None:
    """The landscape of the first source with the ends of its starts, and the chance to miss by the number of starts."""
    figure = Figure(figsize=(12.5, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.45, 1.0))
    shown = left.imshow(landscape, origin="lower", extent=(0, ROOM[0], 0, ROOM[1]), cmap="Greys_r", vmin=0, vmax=1)
    left.plot(*ends.T, "o", color=BLUE, markersize=2.5, alpha=0.6, label="ends of the starts")
    left.plot(*best, "*", color=ORANGE, markersize=15, label="lowest end")
    left.plot(*true, "+", color="black", markersize=12, markeredgewidth=2, label="source")
    left.set(xlabel="x, m", ylabel="y, m", xlim=(0, ROOM[0]), ylim=(0, ROOM[1]))
    left.legend(loc="upper right", fontsize=8)
    figure.colorbar(shown, ax=left, label="misfit", shrink=0.8)
    count = np.geomspace(1, 1000, 100)
    for s in share:
        right.loglog(count, np.maximum((1 - s) ** count, 1e-12), color=BLUE, linewidth=1, alpha=0.6)
    right.set(xlabel="starts", ylabel="chance to miss the deepest valley", ylim=(1e-4, 1.1), xlim=(1, 1000))
    right.grid(color="0.9")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    """Seek all sources from all starts, take the best of each, and draw."""
    rng = np.random.default_rng(3)
    dtype = jnp.zeros(0).dtype
    microphones = jnp.asarray(rng.uniform(0, 1, (8, 2)) * ROOM, dtype)
    true = rng.uniform(0.15, 0.85, (PROBLEMS, 2)) * ROOM
    heard = jax.vmap(phases, (0, None))(jnp.asarray(true, dtype), microphones)
    heard = heard + jnp.asarray(NOISE * rng.normal(size=heard.shape), dtype)
    starts = jnp.asarray(rng.uniform(0.02, 0.98, (STARTS, 2)) * ROOM, dtype)

    each = jax.vmap(jax.vmap(seek, (0, None, None)), (None, 0, None))  # problems, and their starts
    solve = jax.jit(each, compiler_options=compiler_options())
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(starts, heard, microphones))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    lanes = PROBLEMS * STARTS
    print(f"{PROBLEMS} sources from {STARTS} starts each, {lanes / second:,.0f} lanes/s")
    print(f"first call {first:.2f} s, second {second:.3f} s")
    print(
        f"{np.mean(res.success):.1%} of the lanes are at the bottom of a valley; evaluations: mean {np.mean(res.nfev):.0f}"
    )

    x, fun = np.asarray(res.x, float), np.where(res.success, res.fun, np.inf)
    lowest = np.argmin(fun, axis=1)
    best = x[np.arange(PROBLEMS), lowest]
    share = np.mean(np.linalg.norm(x - best[:, None], axis=2) < SAME, axis=1)
    valleys = [len(np.unique(np.round(x[i][np.isfinite(fun[i])] / SAME), axis=0)) for i in range(PROBLEMS)]
    error = np.linalg.norm(best - true, axis=1)
    print(f"valleys found: {min(valleys)} to {max(valleys)} a source")
    print(f"{share.min():.1%} to {share.max():.1%} of the starts end in the deepest")
    print(f"sources found within 2 cm: {np.sum(error < 0.02)} of {PROBLEMS}; median error {1e3 * np.median(error):.1f} mm")

    grid = np.stack(np.meshgrid(np.linspace(0, ROOM[0], 400), np.linspace(0, ROOM[1], 300)), -1).reshape(-1, 2)
    landscape = jax.jit(jax.vmap(misfit, (0, None, None)))(jnp.asarray(grid, dtype), heard[0], microphones)
    draw(np.asarray(landscape).reshape(300, 400), x[0], best[0], true[0], share, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples/output/many_starts.png"))
