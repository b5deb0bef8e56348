"""Where should a nonlinear fit start? Everywhere at once: 16 NIST reference problems, each from 2,048 starts.

    python examples/nist_multistart.py [picture.png]

Each problem is one `jax.vmap` of `minimize(method="BFGS")`: 2,048 fits are one call, and a fit that fails says so in
its own `status` and harms no other. The starts are NIST's own two, half each, with every parameter multiplied by a
random factor between 0.5 and 1.5; the certified values serve for comparison only.

Two everyday remedies let plain BFGS fit models whose parameters span 1e-7 to 1e5 and whose sums of squares span 1e-8 to
1e4. Each parameter is searched as a multiple u of its start, and what is minimized is log(RSS): the minima are the same
(up to a factor and a constant it is the negative log-likelihood of normal noise of unknown size), but a start with an
RSS a billion times too large no longer dwarfs everything, and one `gtol` suits all problems.

The table gives the best RSS beside the certified one, the digits on which they agree and those of the worst parameter
(at most 11: as many are certified), how the lanes ended, how many of them reached the certified RSS (to within 1e-6),
and the seconds for compiling and for running (with the certificate's compilation, where lanes claim). The picture shows
data, best fit, and where the lanes ended.

A second table shows what the tool made for the purpose does with NIST's own two starts alone: `curve_fit`, which knows
that the objective is a sum of squares, needs neither remedy. For each start: the digits on which RSS, worst parameter and
worst standard deviation agree with the certified ones, the evaluations of the model, and how the fit ended.

For a quick look: JAXOPT_LITE_EXAMPLE_STARTS=64 JAXOPT_LITE_EXAMPLE_PROBLEMS=Misra1a,ENSO
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from jaxopt_lite import curve_fit, minimize

jax.config.update("jax_enable_x64", True)  # float32 holds 7 digits, NIST certifies 11

HERE = Path(__file__).parent
STARTS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_STARTS", "2048"))
CHOSEN = os.environ.get("JAXOPT_LITE_EXAMPLE_PROBLEMS", "")
ENDINGS = {0: "converged", 8: "precision", 1: "budget"}  # by status; 8: gtol is below what rounding lets anyone resolve
COLORS = {"converged": "#0072b2", "precision": "#56b4e9", "budget": "#e69f00", "other": "#d55e00"}


def model_of(problem: dict) -> Callable:
    """The model: (parameters b, data x) -> predicted y."""
    return eval(f"lambda b, x: {problem['model_expr']}", {"m": jnp})


def fit_from_all_starts(problem: dict, key: jax.Array) -> dict:
    """Fits one problem from all starts; b is (lanes, n), and every lane has an RSS, the RSS of its start, an ending."""
    x, y = jnp.asarray(problem["x"]), jnp.asarray(problem["y"])
    model = model_of(problem)
    rss = lambda b: jnp.sum((model(b, x) - y) ** 2)
    objective = lambda u, b_start: jnp.log(rss(u * b_start))

    def fit(b_start, maxiter):
        options = {"gtol": 1e-8, "maxiter": maxiter}
        return minimize(objective, jnp.ones_like(b_start), args=(b_start,), method="BFGS", options=options)

    b_start = jnp.repeat(jnp.asarray([problem["start1"], problem["start2"]]), STARTS // 2, axis=0)
    b_start *= jax.random.uniform(key, b_start.shape, minval=0.5, maxval=1.5)
    clock = [time.perf_counter()]
    for maxiter in (1, 600):  # the first call compiles; the second does where a lane claims: its judge
        result = jax.block_until_ready(jax.vmap(fit, in_axes=(0, None))(b_start, maxiter))
        clock.append(time.perf_counter())

    b, endings = b_start * result.x, np.array([ENDINGS.get(s, "other") for s in result.status.tolist()])
    before, after = (np.asarray(jax.vmap(rss)(at)) for at in (b_start, b))
    return {"b": b, "rss": after, "rss_start": before, "endings": endings, "seconds": np.diff(clock), "model": model}


def digits(value: jax.Array, certified: jax.Array) -> jax.Array:
    """The number of significant digits on which a value agrees with the certified one, at most 11."""
    return -jnp.log10(jnp.maximum(jnp.abs(value - certified) / jnp.abs(certified), 1e-11))


def row(problem: dict, fits: dict) -> str:
    """One line of the table."""
    best, certified = np.nanmin(fits["rss"]), problem["certified_rss"]
    # Like terms of a sum may swap places at no cost: of the lanes that share the best RSS, the nearest is compared.
    worst = digits(fits["b"], jnp.asarray(problem["certified"])).min(axis=1)
    agreed = digits(best, certified), worst[fits["rss"] <= best * (1 + 1e-10)].max()
    lanes = [np.sum(fits["endings"] == ending) for ending in COLORS] + [np.sum(fits["rss"] < certified * (1 + 1e-6))]
    return (
        f"{problem['name']:9} {problem['difficulty']:8} {problem['n_params']:2} {problem['n_obs']:4} {best:17.10e} "
        f"{certified:17.10e}  {agreed[0]:4.1f} {agreed[1]:4.1f}  "
        + " ".join(f"{count:9}" for count in lanes)
        + "  {:7.2f} {:6.2f}".format(*fits["seconds"])
    )


def curve_fit_row(problem: dict) -> str:
    """One line of the second table: `curve_fit` from NIST's two starts, with tolerances that ask for all digits."""
    model, x, y = model_of(problem), jnp.asarray(problem["x"]), jnp.asarray(problem["y"])
    asked = {"method": "lm", "ftol": 1e-15, "xtol": 1e-15, "gtol": 0, "max_nfev": 1000, "full_output": True}
    fit = jax.vmap(lambda start: curve_fit(lambda x, *b: model(b, x), x, y, start, **asked))
    popt, pcov, info, _, _ = fit(jnp.asarray([problem["start1"], problem["start2"]]))
    sd = jnp.sqrt(jnp.diagonal(pcov, axis1=1, axis2=2))
    agreed = (
        digits(2 * info["cost"], problem["certified_rss"]),
        digits(popt, jnp.asarray(problem["certified"])).min(axis=1),
        digits(sd, jnp.asarray(problem["certified_sd"])).min(axis=1),
    )
    endings = [ENDINGS.get(status, "other") for status in info["status"].tolist()]
    lines = zip(*agreed, info["nfev"], endings, strict=True)
    return f"{problem['name']:9}" + "".join("   {:4.1f} {:4.1f} {:4.1f} {:4} {:9}".format(*line) for line in lines).rstrip()


def draw(problem: dict, fits: dict, above, below) -> None:
    """Draws data and best fit above, and below how far from the certified RSS the lanes began and ended."""
    x = np.linspace(min(problem["x"]), max(problem["x"]), 500)
    above.plot(problem["x"], problem["y"], "o", color="0.6", markersize=3.5, markeredgewidth=0)
    above.plot(x, fits["model"](fits["b"][np.nanargmin(fits["rss"])], x), color="black", linewidth=1)
    above.set_title(f"{problem['name']} ({problem['n_params']} parameters)", fontsize=10)
    far = lambda rss: np.nan_to_num(np.log10(rss / problem["certified_rss"]), nan=12, posinf=12).clip(max=12)
    bins = np.linspace(-0.5, 39.5, 41) * far(fits["rss_start"]).max() / 39  # the first is centered on the certified RSS
    ended = [far(fits["rss"])[fits["endings"] == ending] for ending in COLORS]
    below.hist(ended, bins, stacked=True, color=list(COLORS.values()))
    below.hist(far(fits["rss_start"]), bins, histtype="step", color="0.5")
    below.set(yscale="log", ylim=(0.7, 2 * STARTS))


def main(picture: Path) -> None:
    problems = json.loads((HERE / "data/nist_strd/nist_strd.json").read_text())
    problems = [problem for problem in problems if problem["name"] in CHOSEN.split(",") or not CHOSEN]
    figure = Figure(figsize=(14, 13), layout="constrained")
    axes = figure.subplots(8, 4, height_ratios=[3, 1] * 4)
    counted = " ".join(f"{heading:>9}" for heading in [*COLORS, "reached"])
    print(f"{STARTS} starts each; digits agreed in the RSS and in the worst parameter; lanes by ending; seconds")
    print(f"problem   level     n    m          best RSS     certified RSS   RSS par.  {counted}  compile    run")
    second_table = []
    for i, problem in enumerate(problems):
        fits = fit_from_all_starts(problem, jax.random.key(i))
        print(row(problem, fits), flush=True)
        second_table.append(curve_fit_row(problem))
        draw(problem, fits, *axes[2 * (i // 4) : 2 * (i // 4) + 2, i % 4])
    print("\ncurve_fit from NIST's start 1 and start 2: digits agreed in RSS, parameters and standard deviations")
    print("problem  " + "    RSS par.   sd nfev ending   " * 2, *second_table, sep="\n")
    handles = [Patch(color=color, label=ending) for ending, color in COLORS.items()]
    figure.legend(handles=[*handles, Patch(ec="0.5", fc="white", label="starts")], loc="outside lower center", ncols=5)
    figure.suptitle(f"Data and best of {STARTS} fits; below, log10(RSS / certified RSS) of all fits and starts")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "output/nist_multistart.png")
