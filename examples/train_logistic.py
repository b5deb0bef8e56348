"""How strongly should a classifier be regularized? Its training is a function, and `jax.grad` of that function tells.

    python examples/train_logistic.py [picture.png]

Handwritten digits (8 x 8 pixels, the data set that ships with scikit-learn) are told apart by multinomial logistic
regression: logits X W + b, with W (64, 10) and b (9), for a number added to all ten logits changes nothing. Training is
`minimize(..., method="L-BFGS-B")` over the dict of both,

    W, b = argmin  mean cross entropy on the training images + lambda |W|^2 / 2

and is run three times over:

1. 33 values of lambda as one `jax.vmap`: the curves of the picture.
2. Tuning: an outer `minimize` over log lambda alone lowers the loss on the validation images. Its gradient goes through
   the training by the implicit function theorem: one linear system with the Hessian (649, 649) at the solution, by
   conjugate gradients on products with it, whatever number of steps the training took. A central difference confirms it.
3. Once more at the lambda that was found, beside scikit-learn's LogisticRegression, which minimizes the same function.

What has to be small for a gradient through a solution is the error of the solution: the training is run to 1e-9 in double
precision. For a quick look: JAXOPT_LITE_EXAMPLE_IMAGES=150 (training images); JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from jaxopt_lite import OptimizeResult, minimize

DOUBLE = os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64"
jax.config.update("jax_enable_x64", DOUBLE)
jax.config.update("jax_default_matmul_precision", "highest")  # GPUs round the factors of float32 products otherwise

TRAINING = int(os.environ.get("JAXOPT_LITE_EXAMPLE_IMAGES", "600"))
VALIDATION, PIXELS, CLASSES = 600, 64, 10
START, GRID = -2.0, (-16.0, 0.0, 33)  # of log lambda: where the tuning begins; the curve's ends and points
GTOL = 1e-9 if DOUBLE else None  # of the training; None is the dtype's default
OUTER_GTOL = 1e-5 if DOUBLE else 1e-3  # of the tuning: what the error of the training leaves of its gradient
STEP = 1e-3 if DOUBLE else 0.1  # of the central difference
BLUE, ORANGE, GRAY = "#0072b2", "#e69f00", "0.45"

Weights = dict[str, Array]  # W (64, 10), b (9,)


class Images(NamedTuple):
    """Some of the images."""

    X: Array  # (images, 64) brightness of the pixels, 0 to 1
    y: Array  # (images,) the digit


def load() -> tuple[Images, Images, Images]:
    """Training, validation and test images: a seeded shuffle of all 1,797."""
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    parts = np.split(order, [TRAINING, TRAINING + VALIDATION])
    images = [Images(jnp.asarray(digits.data[p] / 16.0, float), jnp.asarray(digits.target[p])) for p in parts]
    return images[0], images[1], images[2]


def logits(w: Weights, X: Array) -> Array:
    """(images, 10); the last class has no b."""
    return X @ w["W"] + jnp.append(w["b"], 0.0)


def cross_entropy(w: Weights, images: Images) -> Array:
    """The mean of -log(probability of the true class)."""
    z = logits(w, images.X)
    true = jnp.take_along_axis(z, images.y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - true)


def accuracy(w: Weights, images: Images) -> float:
    """The share of images that are read right."""
    return float(np.mean(np.argmax(logits(w, images.X), axis=1) == np.asarray(images.y)))


def objective(w: Weights, log_lambda: Array, images: Images) -> Array:
    """What training minimizes."""
    return cross_entropy(w, images) + 0.5 * jnp.exp(log_lambda) * jnp.sum(w["W"] ** 2)


def train(log_lambda: Array | float, images: Images) -> OptimizeResult:
    """The weights for one lambda."""
    zero = {"W": jnp.zeros((PIXELS, CLASSES)), "b": jnp.zeros(CLASSES - 1)}
    return minimize(objective, zero, args=(log_lambda, images), method="L-BFGS-B", options={"gtol": GTOL})


def seconds(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of the second of two calls, and its seconds; the first compiles."""
    jax.block_until_ready(call())
    clock = time.perf_counter()
    result = jax.block_until_ready(call())
    return result, time.perf_counter() - clock


def beside_scikit_learn(ours: OptimizeResult, took: float, log_lambda: float, images: Images) -> None:
    """Prints both values of the same function; scikit-learn multiplies it by C = 1 / (images lambda)."""
    clock = time.perf_counter()
    C = 1 / (len(images.y) * np.exp(log_lambda))
    peer = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(np.asarray(images.X), np.asarray(images.y))
    theirs = time.perf_counter() - clock
    b = peer.intercept_ - peer.intercept_[-1]
    w = {"W": jnp.asarray(peer.coef_.T, float), "b": jnp.asarray(b[:-1], float)}
    values = float(ours.fun), float(objective(w, jnp.asarray(log_lambda, float), images))
    print(f"objective: ours {values[0]:.9f}, scikit-learn's {values[1]:.9f}, difference {values[0] - values[1]:.1e}")
    print(f"seconds: ours {took:.3f}, scikit-learn's {theirs:.3f}")


def draw(curve: dict[str, np.ndarray], path: np.ndarray, losses: np.ndarray, W: np.ndarray, picture: Path) -> None:
    """The losses against lambda with the way of the tuning, and the weights that it found as images."""
    figure = Figure(figsize=(12.5, 5.0), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
    axis = left.subplots()
    axis.loglog(curve["lambda"], curve["training"], color=GRAY, linestyle="--", label="training images")
    axis.loglog(curve["lambda"], curve["validation"], color=BLUE, linewidth=2, label="validation images")
    axis.plot(np.exp(path), losses, "o", color=ORANGE, markersize=8, label="tuning by gradient, steps 0, 1, ...")
    for step, at in enumerate(zip(np.exp(path[:4]), losses[:4], strict=True)):  # those after them lie over one another
        axis.annotate(str(step), at, xytext=(-3, 10), textcoords="offset points", color=ORANGE)
    axis.plot(
        np.exp(path[-1]), losses[-1], "*", color="black", markersize=13, label=f"found: lambda = {np.exp(path[-1]):.2e}"
    )
    axis.set(xlabel="strength of the regularization, lambda", ylabel="mean cross entropy", ylim=(losses[-1] / 5, 4))
    axis.set_title("Loss of classifiers trained with lambda")
    axis.legend(frameon=False, loc="upper left")
    axis.spines[["top", "right"]].set_visible(False)
    size = np.abs(W).max()
    tiles = right.subplots(3, 4)
    for digit, tile in enumerate(tiles.flat[:CLASSES]):
        shown = tile.imshow(W[:, digit].reshape(8, 8), cmap="RdBu_r", vmin=-size, vmax=size)
        tile.set(title=str(digit), xticks=[], yticks=[])
    for tile in tiles.flat[CLASSES:]:
        tile.set_visible(False)
    right.colorbar(shown, ax=tiles, label="weight of the pixel", shrink=0.8)
    right.suptitle("What speaks for a digit (red) and against it (blue)")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    training, validation, test = load()
    print(f"{len(training.y)} training, {len(validation.y)} validation, {len(test.y)} test images")

    grid = jnp.linspace(*GRID)
    trained, took = seconds(lambda: jax.vmap(train, in_axes=(0, None))(grid, training))
    print(f"{len(grid)} values of lambda in one vmap: {took:.2f} s, {int(trained.success.sum())} successes")
    losses = jax.vmap(cross_entropy, in_axes=(0, None))
    curve = {"lambda": np.exp(grid), "training": losses(trained.x, training), "validation": losses(trained.x, validation)}

    validation_loss = lambda log_lambda: cross_entropy(train(log_lambda, training).x, validation)
    (_, slope), both = seconds(lambda: jax.value_and_grad(validation_loss)(START))
    _, alone = seconds(lambda: validation_loss(START))
    difference = (validation_loss(START + STEP) - validation_loss(START - STEP)) / (2 * STEP)
    print(f"d loss / d log lambda at {START}: {slope:.6f}, by differences {difference:.6f}")
    print(f"seconds: loss {alone:.3f}, with its gradient {both:.3f}")

    clock = time.perf_counter()
    tuned = minimize(validation_loss, START, method="BFGS", options={"gtol": OUTER_GTOL, "return_all": True})
    path = np.array(tuned.allvecs)
    print(f"tuned: lambda {np.exp(tuned.x):.3e}, validation loss {tuned.fun:.6f} in {tuned.nfev} trainings and gradients,")
    print(f"{time.perf_counter() - clock:.2f} s with compilation. {tuned.message}")

    best = float(tuned.x)
    final, took = seconds(lambda: train(best, training))
    for name, images in (("training", training), ("validation", validation), ("test", test)):
        print(f"accuracy on {name} images: {accuracy(final.x, images):.4f}")
    beside_scikit_learn(final, took, best, training)
    draw(curve, path, np.array([validation_loss(at) for at in path]), np.asarray(final.x["W"]), picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output/train_logistic.png")
