"""Calibrate a simulator that JAX cannot trace, for 64 targets at once: `stepper`, told a whole batch of values a call.

    python examples/host_simulator.py [picture.png]

The simulator is plain NumPy: an epidemic in a town of a million, day by day. Of those who are susceptible, infected and
recovered, S, I and R, a day takes

    infections  beta S I / N          where fewer than `alarm` are infected, and where there are more
                beta S alarm / N      because people keep apart
    recoveries  gamma I

so that its output has kinks in all parameters: no derivatives. Each of 64 districts reports its cases of 120 days, with
counting noise. Wanted are beta, gamma and alarm of each district, that is 64 minimizations of three variables,

    misfit  = mean over the days of (sqrt(cases simulated) - sqrt(cases reported))^2                 (1)

`stepper("Nelder-Mead")` is four pure functions, so `jax.vmap` makes 64 of it. In each round all districts ask for a point,
the simulator runs once for the whole batch, and all are told their values; who has ended is not changed any more. The loop
is the reader's own, and so is what it prints. SciPy takes one call of the simulator for each point of each district.

For a quick look: JAXOPT_LITE_EXAMPLE_TARGETS=8; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path

import jax
import numpy as np
import scipy.optimize
from matplotlib.figure import Figure

from jaxopt_lite import OptimizeResult, stepper

DTYPE = np.dtype(os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64"))
jax.config.update("jax_enable_x64", np.float64 == DTYPE)

TARGETS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_TARGETS", "64"))
IN_SCIPY = min(TARGETS, 4)  # districts of the loop over SciPy
DAYS, PEOPLE, SEEDS = 120, 1e6, 50.0
START = np.array([0.3, 0.1, 8.0])  # beta, gamma, and the logarithm of the alarm
NAMES = "beta", "gamma", "alarm"
EVERY = 25  # rounds between two lines of progress
BLUE, ORANGE, GRAY = "#0072b2", "#d55e00", "0.5"
calls = 0  # of the simulator


def simulate(p: np.ndarray) -> np.ndarray:
    """Daily cases (targets, DAYS) for parameters (targets, 3): NumPy alone."""
    global calls
    calls += 1
    beta, gamma, alarm = np.clip(p[:, 0], 0, 5), np.clip(p[:, 1], 0, 1), np.exp(np.minimum(p[:, 2], 30))
    susceptible, infected = np.full(len(p), PEOPLE - SEEDS), np.full(len(p), SEEDS)
    cases = np.empty((len(p), DAYS))
    for day in range(DAYS):
        cases[:, day] = np.minimum(beta * susceptible * np.minimum(infected, alarm) / PEOPLE, susceptible)
        susceptible, infected = susceptible - cases[:, day], infected + cases[:, day] - gamma * infected
    return cases


def misfit(p: np.ndarray, reported: np.ndarray) -> np.ndarray:
    """(1) of every target."""
    return np.mean((np.sqrt(simulate(p)) - np.sqrt(reported)) ** 2, axis=1)


def districts(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """True parameters and reported cases."""
    true = np.stack([rng.uniform(0.25, 0.5, TARGETS), rng.uniform(0.08, 0.15, TARGETS), rng.uniform(7.0, 9.5, TARGETS)], 1)
    return true, rng.poisson(simulate(true)).astype(float)


def calibrate(reported: np.ndarray) -> OptimizeResult:
    """All districts, a batch of points a call."""
    opt = stepper("Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-4})
    ask, tell, done = jax.jit(jax.vmap(opt.ask)), jax.jit(jax.vmap(opt.tell)), jax.jit(jax.vmap(opt.done))
    state = jax.vmap(opt.init)(np.tile(START, (len(reported), 1)).astype(DTYPE))
    rounds, began = 0, time.perf_counter()
    while not np.all(ended := np.asarray(done(state))):
        if rounds % EVERY == 0:
            print(
                f"round {rounds:4}: {ended.sum():3} of {len(reported)} districts done, {time.perf_counter() - began:.1f} s"
            )
        values = misfit(np.asarray(ask(state), float), reported)
        state = tell(state, values.astype(DTYPE))
        rounds += 1
    print(f"round {rounds:4}: all done, {time.perf_counter() - began:.1f} s")
    return jax.vmap(opt.result)(state)


def draw(true: np.ndarray, found: np.ndarray, reported: np.ndarray, picture: Path) -> None:
    """The cases of four districts with their fits, and the parameters that were found beside the true ones."""
    figure = Figure(figsize=(13.0, 6.0), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1.0))
    fits = simulate(found)
    for i, axes in enumerate(left.subplots(2, 2, sharex=True).ravel()[: len(true)]):
        axes.plot(reported[i], ".", color=GRAY, markersize=3, label="reported")
        axes.plot(fits[i], color=BLUE, linewidth=1.5, label="simulated")
        axes.set_title(f"district {i}: beta {found[i, 0]:.3f}, gamma {found[i, 1]:.3f}", fontsize=9)
        axes.set(xlabel="day" if i > 1 else "", ylabel="cases a day" if i % 2 == 0 else "")
    left.axes[0].legend(frameon=False, fontsize=8)
    for k, axes in enumerate(right.subplots(3, 1)):
        at = (lambda v: np.exp(v)) if k == 2 else (lambda v: v)
        axes.plot(at(true[:, k]), at(found[:, k]), "o", color=ORANGE, markersize=4, alpha=0.7)
        ends = [at(true[:, k]).min(), at(true[:, k]).max()]
        axes.plot(ends, ends, color=GRAY, linewidth=1, zorder=0)
        axes.set(xlabel=f"true {NAMES[k]}", ylabel="calibrated")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    """Calibrate, compare with SciPy and with the truth, and draw."""
    global calls
    true, reported = districts(np.random.default_rng(1))
    calls, began = 0, time.perf_counter()
    res = calibrate(reported)
    seconds, ours = time.perf_counter() - began, calls
    for sentence, count in Counter(res.message).items():
        print(f"{count:4} x {sentence}")
    points = np.asarray(res.nfev)
    print(f"{points.sum()} points in {ours} calls of the simulator, {seconds:.2f} s")
    print(f"that is {seconds / TARGETS * 1e3:.1f} ms a district")

    calls, began = 0, time.perf_counter()
    theirs = [
        scipy.optimize.minimize(lambda p, i=i: misfit(p[None], reported[i : i + 1])[0], START, method="Nelder-Mead")
        for i in range(IN_SCIPY)
    ]
    seconds = (time.perf_counter() - began) / IN_SCIPY
    print(f"SciPy's loop: {calls / IN_SCIPY:.0f} calls and {seconds * 1e3:.1f} ms a district")
    lower = np.asarray(res.fun)[:IN_SCIPY] - np.array([r.fun for r in theirs])
    print(f"misfit above SciPy's: {lower.max():.1e} at most")
    found = np.asarray(res.x, float)
    error = np.abs(found - true)
    print("median error:", ", ".join(f"{name} {e:.4f}" for name, e in zip(NAMES, np.median(error, axis=0), strict=True)))
    print(f"median misfit: {np.median(res.fun):.3f} (of the noise alone about 0.25)")
    draw(true, found, reported, picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples/output/host_simulator.png"))
