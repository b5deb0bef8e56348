"""How sure is a classifier of each patient? Ask 256 of them, each trained on a bootstrap sample, in one `jax.vmap`.

    python examples/ensemble.py [picture.png]

569 tumors, 30 measurements each (the Wisconsin breast cancer data set, which ships with scikit-learn), are malignant or
benign. A logistic regression gives each a probability of malignancy, as if the data that it was trained on were all there
is. How far the probability depends on which patients were at hand, the bootstrap (Efron 1979) says: draw 569 patients with
replacement, train, and repeat. Here a draw is a vector of counts that weigh the patients' losses,

    w, b = argmin  sum_i counts_i log(1 + exp(-s_i (x_i . w + b))) / 569 + |w|^2 / (2 569),   s_i = +1 or -1

so that all models share the one table of measurements, and 256 trainings by L-BFGS are one call whose lanes differ in
their counts alone. A loop over SciPy's L-BFGS-B on the first few, with the analytic gradient, is timed beside it.

A patient is in some 63 % of the draws; the others, which have never seen that patient, make an honest test (out of bag):
no data need be held back. Their mean probability is compared with a single model's by the mean cross entropy, and with what
became of the patients: of those who were told 80 %, four in five should be ill.

For a quick look: JAXOPT_LITE_EXAMPLE_MODELS=32; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from jax import Array
from matplotlib.figure import Figure
from sklearn.datasets import load_breast_cancer

from jaxopt_lite import OptimizeResult, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")
jax.config.update("jax_default_matmul_precision", "highest")  # GPUs round the factors of float32 products otherwise

MODELS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_MODELS", "256"))
IN_SCIPY = min(MODELS, 16)  # models of the loop
EDGES = 0.0, 0.1, 0.3, 0.7, 0.9, 1.0  # of the groups of patients: most are told nearly 0 or 1
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "0.5"


def load() -> tuple[np.ndarray, np.ndarray]:
    """Measurements (569, 30) in standard deviations from the mean, and +1 for malignant, -1 for benign (569,)."""
    data = load_breast_cancer()
    return (data.data - data.data.mean(axis=0)) / data.data.std(axis=0), np.where(data.target == 0, 1.0, -1.0)


def objective(p: Array, counts: Array, X: Array, sign: Array) -> Array:
    """The regularized loss of the weights and the intercept p (31,)."""
    losses = jax.nn.softplus(-sign * (X @ p[:-1] + p[-1]))
    return (jnp.dot(counts, losses) + 0.5 * jnp.dot(p[:-1], p[:-1])) / sign.shape[0]


def train(counts: Array, X: Array, sign: Array) -> OptimizeResult:
    """One model."""
    return minimize(objective, jnp.zeros(X.shape[1] + 1, X.dtype), args=(counts, X, sign), method="L-BFGS-B")


def train_in_scipy(counts: np.ndarray, X: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """The same model by SciPy."""

    def value_and_gradient(p: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (X @ p[:-1] + p[-1])
        pull = -sign * counts * scipy.special.expit(-margin) / len(sign)
        value = (counts @ np.logaddexp(0.0, -margin) + 0.5 * p[:-1] @ p[:-1]) / len(sign)
        return value, np.append(pull @ X + p[:-1] / len(sign), pull.sum())

    options = {"ftol": 0.0, "gtol": 1e-5}  # what ours are asked for
    x0 = np.zeros(X.shape[1] + 1)
    return scipy.optimize.minimize(value_and_gradient, x0, jac=True, method="L-BFGS-B", options=options).x


def said(p: np.ndarray, X: np.ndarray) -> np.ndarray:
    """The probabilities of malignancy (models, patients)."""
    return scipy.special.expit(p[:, :-1] @ X.T + p[:, -1:])


def cross_entropy(probability: np.ndarray, ill: np.ndarray) -> np.ndarray:
    """-log(probability of what was the case), at most 35: no probability is quite 0."""
    return -np.log(np.maximum(np.where(ill, probability, 1 - probability), np.exp(-35)))


def reliability(probability: np.ndarray, ill: np.ndarray) -> list[tuple[float, float, int]]:
    """For each group that is not empty: mean probability, share of the ill, number of patients."""
    group = np.digitize(probability, EDGES[1:-1])
    members = [group == k for k in range(len(EDGES) - 1)]
    return [(float(probability[m].mean()), float(ill[m].mean()), int(m.sum())) for m in members if m.any()]


def draw(mean: np.ndarray, low: np.ndarray, high: np.ndarray, ill: np.ndarray, groups: list, picture: Path) -> None:
    """Each patient's probability with its spread over the models, and whether the probabilities keep their word."""
    figure = Figure(figsize=(12.5, 5.0), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    order = np.argsort(mean)
    rank = np.arange(len(mean))
    for who, color, name in ((ill[order], ORANGE, "malignant"), (~ill[order], BLUE, "benign")):
        left.vlines(rank[who], low[order][who], high[order][who], color=color, linewidth=1, alpha=0.45)
        left.plot(rank[who], mean[order][who], ".", color=color, markersize=4, label=name)
    left.set(title=f"{len(mean)} patients, by models that have never seen them", xlabel="patients in order")
    left.set_ylabel("probability of malignancy: mean, and 80 % of the models")
    left.set(yscale="logit", ylim=(1e-5, 1 - 1e-5))
    ticks = [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
    left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    left.minorticks_off()
    left.legend(frameon=False, loc="upper left", markerscale=3)
    told, became, size = map(np.array, zip(*groups, strict=True))
    # Wilson's interval (1927), for near 0 and 1 the plain standard error vanishes
    center = (became + 0.5 / size) / (1 + 1 / size)
    half = np.sqrt(became * (1 - became) / size + 0.25 / size**2) / (1 + 1 / size)
    right.plot([0, 1], [0, 1], "--", color=GRAY, linewidth=1, label="kept to the letter")
    right.errorbar(told, center, half, fmt="none", ecolor=BLUE, capsize=3)
    right.plot(told, became, "o", color=BLUE, label="groups of patients, one standard error")
    for x, y, n in zip(told, became, size, strict=True):
        right.annotate(f"n={n}", (x, y), xytext=(8, -12), textcoords="offset points", fontsize=8, color=GRAY)
    right.set(title="Do the probabilities keep their word?", xlabel="mean probability that a group was told")
    right.set(ylabel="share that was malignant", xlim=(-0.04, 1.12), ylim=(-0.06, 1.06))
    right.legend(frameon=False, loc="lower right")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    X, sign = load()
    ill, patients = sign > 0, len(sign)
    draws = np.random.default_rng(0).multinomial(patients, np.full(patients, 1 / patients), MODELS)
    operands = jnp.asarray(draws, float), jnp.asarray(X, float), jnp.asarray(sign, float)
    clock = [time.perf_counter()]
    for _ in range(2):
        models = jax.block_until_ready(jax.vmap(train, in_axes=(0, None, None))(*operands))
        clock.append(time.perf_counter())
    in_scipy = np.stack([train_in_scipy(counts, X, sign) for counts in draws[:IN_SCIPY].astype(float)])
    clock.append(time.perf_counter())
    first, second, loop = np.diff(clock)
    each, theirs = second / MODELS, loop / IN_SCIPY
    print(
        f"{MODELS} models in {models.x.dtype}: first call {first:.2f} s, second {second:.3f} s, {each * 1e3:.2f} ms a model"
    )
    print(f"SciPy loop: {theirs * 1e3:.2f} ms a model, {theirs / each:.1f} times as long")
    print(f"{int(models.success.sum())} successes; evaluations: mean {models.nfev.mean():.1f}, most {models.nfev.max()}")
    p = np.asarray(models.x, np.float64)
    apart = np.abs(said(p[:IN_SCIPY], X) - said(in_scipy, X)).max()
    print(f"largest difference of a probability from that of SciPy's model: {apart:.1e}")

    unseen = np.where(draws == 0, said(p, X), np.nan)
    kept = np.isfinite(unseen).any(axis=0)  # with few models a patient may be in all draws
    mean, low, high = np.nanmean(unseen[:, kept], axis=0), *np.nanquantile(unseen[:, kept], [0.1, 0.9], axis=0)
    single = np.nanmean(np.where(draws == 0, cross_entropy(said(p, X), ill), np.nan)[:, kept])
    together = cross_entropy(mean, ill[kept]).mean()
    print(f"cross entropy out of bag: a single model {single:.4f}, all together {together:.4f}")
    wrong = (mean > 0.5) != ill[kept]
    print(f"{wrong.sum()} of {kept.sum()} patients are told wrong; spread of the models' probabilities (80 %):")
    spread = high - low
    print(f"mean {spread[~wrong].mean():.3f} where they are right, {spread[wrong].mean():.3f} where they are wrong")
    groups = reliability(mean, ill[kept])
    print("told   malignant  patients")
    for told, became, size in groups:
        print(f"{told:5.3f}  {became:9.3f}  {size:8}")
    draw(mean, low, high, ill[kept], groups, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output/ensemble.png")
