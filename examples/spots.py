"""Where are 100,000 molecules? One `jax.vmap` of `curve_fit` localizes them all, each with its own uncertainty.

    python examples/spots.py [picture.png]

Single-molecule microscopes see a molecule as a spot a few pixels wide, and find its position to a few hundredths of a
pixel by fitting a Gaussian of five parameters: height, center (x, y), width, background. The spots are those of the
published benchmark of Gpufit: 5 x 5 pixels, parameters within 10 % of (500, 2, 2, 1, 10), normal noise of 17.05, starts
within 10 % of the truth, and a fit ends when the next step promises to lower chi-square by less than 1e-4 of it.

The second call is timed, the first compiles. Then come the ways in which the fits ended, each fit by a status of its own,
and for each parameter, over all fits that succeeded: the mean error (bias) and its standard error, the spread of the
errors, the Cramer-Rao bound (the smallest spread that an unbiased estimator can have, from the Fisher information J'J /
noise^2 at the true parameters), and the standard deviations that the fits report themselves, from `pcov`; the last two
are root mean squares over the fits. The small bias of height, width and background is no fault of a solver: at this noise
a least-squares fit of a model that is not linear in its parameters has it.

For a quick look: JAXOPT_LITE_EXAMPLE_SPOTS=500; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
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

from jaxopt_lite import curve_fit

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

SPOTS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_SPOTS", "100000"))
NAMES = "height", "x", "y", "width", "background"
TYPICAL, NOISE, SIDE = (500.0, 2.0, 2.0, 1.0, 10.0), 17.05, 5
ROWS, COLUMNS, TILE = 5, 6, SIDE + 1  # the mosaic: so many spots, one pixel of white between them
BLUE, SKY, ORANGE = "#0072b2", "#56b4e9", "#e69f00"


def spot(pixels: tuple[Array, Array], height: Array, x: Array, y: Array, width: Array, background: Array) -> Array:
    """The image (5, 5) of a molecule at (x, y), without noise."""
    squared_distance = (pixels[0] - x) ** 2 + (pixels[1] - y) ** 2
    return height * jnp.exp(-squared_distance / (2 * width**2)) + background


def simulate(pixels: tuple[Array, Array], key: Array) -> tuple[Array, Array, Array]:
    """True parameters (spots, 5), images (spots, 5, 5), and where to start the fits (spots, 5)."""
    for_truth, for_start, for_noise = jax.random.split(key, 3)
    truth = jnp.array(TYPICAL) * jax.random.uniform(for_truth, (SPOTS, 5), minval=0.9, maxval=1.1)
    start = truth * jax.random.uniform(for_start, (SPOTS, 5), minval=0.9, maxval=1.1)
    images = jax.vmap(lambda p: spot(pixels, *p))(truth)
    return truth, images + NOISE * jax.random.normal(for_noise, images.shape), start


def smallest_spread(pixels: tuple[Array, Array], truth: Array) -> Array:
    """The Cramer-Rao bound (5,) of the standard deviation of each parameter, over all spots."""

    def variances(p: Array) -> Array:
        J = jax.jacobian(lambda p: spot(pixels, *p).ravel())(p)
        return jnp.diagonal(jnp.linalg.inv(J.T @ J / NOISE**2))

    return jnp.sqrt(jnp.mean(jax.vmap(variances)(truth), axis=0))  # variances average, standard deviations do not


def draw(images: Array, truth: np.ndarray, found: np.ndarray, in_sd: np.ndarray, picture: Path) -> None:
    """The first spots with their true and fitted positions; errors of position in units of their own deviation."""
    figure = Figure(figsize=(12.5, 5.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.12, 1])
    mosaic = np.full((ROWS * TILE - 1, COLUMNS * TILE - 1), np.nan)
    corners = [(TILE * (i // COLUMNS), TILE * (i % COLUMNS)) for i in range(min(SPOTS, ROWS * COLUMNS))]
    for image, (row, column) in zip(images, corners, strict=False):
        mosaic[row : row + SIDE, column : column + SIDE] = image
    shown = left.imshow(mosaic, cmap="gray")
    shift = np.array(corners)[:, ::-1]  # x is the column
    true, fitted = truth[: len(shift), 1:3] + shift, found[: len(shift), 1:3] + shift
    left.plot(*fitted.T, "o", color=ORANGE, fillstyle="none", markersize=9, markeredgewidth=1.8, label="fitted position")
    left.plot(*true.T, "+", color=BLUE, markersize=7, markeredgewidth=1.8, label="true position")
    left.set(title=f"{len(shift)} of {SPOTS:,} spots of {SIDE} x {SIDE} pixels", xticks=[], yticks=[])
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, frameon=False)
    left.spines[:].set_visible(False)
    figure.colorbar(shown, ax=left, label="signal in a pixel", shrink=0.8)
    bins = np.linspace(-5, 5, 81 if SPOTS > 5000 else 31)
    right.hist(in_sd[:, 0], bins, density=True, color=SKY, label="errors in x")
    right.hist(in_sd[:, 1], bins, density=True, histtype="step", linewidth=1.8, color=ORANGE, label="errors in y")
    at = np.linspace(-5, 5, 400)
    right.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), "k--", linewidth=1.2, label="unit normal density")
    right.set(
        xlim=(-5, 5), ylim=(0, 0.45 if SPOTS > 5000 else 0.6), title="Do the fits know how wrong they are?", ylabel="density"
    )
    right.set_xlabel("(fitted - true position) / standard deviation that the fit reports")
    right.legend(loc="upper right", frameon=False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    pixels = tuple(jnp.meshgrid(jnp.arange(float(SIDE)), jnp.arange(float(SIDE))))  # x along a row, y down a column
    truth, images, start = simulate(pixels, jax.random.key(0))

    def localize(image: Array, p0: Array) -> tuple:
        return curve_fit(spot, pixels, image, p0, sigma=NOISE, absolute_sigma=True, ftol=1e-4, full_output=True)

    clock = [time.perf_counter()]
    for _ in range(2):
        popt, pcov, info, message, _ = jax.block_until_ready(jax.vmap(localize)(images, start))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    print(f"{SPOTS} spots in {popt.dtype}: first call {first:.2f} s, second {second:.3f} s, {SPOTS / second:,.0f} fits/s")
    print(f"{np.mean(info['nfev']):.1f} evaluations a fit;", message)

    truth, found, success = np.asarray(truth), np.asarray(popt), np.asarray(info["success"])
    errors = (found - truth)[success]
    own = np.sqrt(np.diagonal(pcov, axis1=1, axis2=2))[success]
    spread, bound = errors.std(axis=0), smallest_spread(pixels, truth)
    columns = errors.mean(axis=0), spread / len(errors) ** 0.5, spread, bound, np.sqrt((own**2).mean(axis=0))
    print(f"{'parameter':10} {'bias':>9} {'+-':>8} {'spread':>9} {'bound':>9} {'own sd':>9}")
    for name, *numbers in zip(NAMES, *columns, strict=True):
        print("{:10} {:9.5f} {:8.5f} {:9.5f} {:9.5f} {:9.5f}".format(name, *numbers))
    draw(images, truth, found, (errors / own)[:, 1:3], picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output/spots.png")
