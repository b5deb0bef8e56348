"""Pendulums are swung up, a thousand plans at once: nonlinear model predictive control, one `jax.vmap` of `minimize`.

    python examples/mpc.py [picture.png]

A pendulum hangs from a motor that is too weak to lift it at once: it has to be swung. With theta the angle from the top and
u the torque,

    theta'' = (g / l) sin theta - damping theta' + u / (m l^2),        |u| <= 0.6 m g l

A plan is 20 torques, each held for 0.15 s. The states are what simulation makes of them (classical Runge-Kutta steps), so
that the torques are the only variables, within bounds, and the end of the plan is two equations:

    minimize  sum u^2   subject to   theta(3 s) = 0,   theta'(3 s) = 0,   |u| <= 0.6 m g l

The pendulums differ in where they start and in how long and heavy they are. Some cannot be at the top within three seconds.
Their lanes end without success. Theta counts turns: which way up is the shorter one depends on the start, and every one of
the 500 pendulums tries both, which makes 1,000 lanes.

The second call is timed, the first compiles. What a plan is worth is checked by NumPy: it is simulated with steps that are
ten times shorter, and the distance from the top at its end is printed.

For a quick look: JAXOPT_LITE_EXAMPLE_PENDULUMS=50; in single precision: JAXOPT_LITE_EXAMPLE_DTYPE=float32
"""

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from matplotlib import colormaps
from matplotlib.figure import Figure

from jaxopt_lite import Bounds, OptimizeResult, minimize

jax.config.update("jax_enable_x64", os.environ.get("JAXOPT_LITE_EXAMPLE_DTYPE", "float64") == "float64")

PENDULUMS = int(os.environ.get("JAXOPT_LITE_EXAMPLE_PENDULUMS", "500"))
STEPS, HOLD, INNER = 20, 0.15, 2  # torques, seconds each, Runge-Kutta steps in each
GRAVITY, DAMPING, WEAK = 9.81, 0.1, 0.6
BLUE, SKY, ORANGE, GRAY = "#0072b2", "#56b4e9", "#e69f00", "0.6"


class Pendulum(NamedTuple):
    """One lane a pendulum."""

    angle: Array  # () at the start, from the top
    speed: Array  # () at the start
    length: Array  # ()
    mass: Array  # ()


def simulate(key: Array) -> Pendulum:
    """Pendulums near the bottom, of all sizes."""
    for_angle, for_speed, for_length, for_mass = jax.random.split(key, 4)
    draw = lambda key, low, high: jax.random.uniform(key, (PENDULUMS,), minval=low, maxval=high)
    bottom = jnp.pi + draw(for_angle, -1.0, 1.0)
    return Pendulum(bottom, draw(for_speed, -1.0, 1.0), draw(for_length, 0.5, 1.2), draw(for_mass, 0.5, 2.0))


def slope(state: Any, torque: Any, p: Pendulum, xp: Any = jnp) -> Any:
    """Time derivatives of angle and speed."""
    angle, speed = state
    pull = GRAVITY / p.length * xp.sin(angle)
    return xp.stack([speed, pull - DAMPING * speed + torque / (p.mass * p.length**2)])


def runge_kutta(state: Any, torque: Any, p: Pendulum, dt: float, xp: Any = jnp) -> Any:
    """The state after dt."""
    a = slope(state, torque, p, xp)
    b = slope(state + 0.5 * dt * a, torque, p, xp)
    c = slope(state + 0.5 * dt * b, torque, p, xp)
    d = slope(state + dt * c, torque, p, xp)
    return state + dt / 6.0 * (a + 2.0 * b + 2.0 * c + d)


def path(share: Array, p: Pendulum) -> Array:
    """The states after each step of the simulation, (40, 2); `share` (20,) is of the largest torque."""

    def step(state: Array, torque: Array) -> tuple[Array, Array]:
        state = runge_kutta(state, torque, p, HOLD / INNER)
        return state, state

    return lax.scan(step, jnp.stack([p.angle, p.speed]), jnp.repeat(share * strongest(p), INNER))[1]


def strongest(p: Pendulum) -> Array:
    """The largest torque of the motor."""
    return WEAK * p.mass * GRAVITY * p.length


def swing_up(p: Pendulum, top: Array) -> OptimizeResult:
    """The plan that ends at rest at the angle `top`, which is a whole number of turns; in shares of the largest torque."""

    def at_rest(share: Array) -> Array:
        return path(share, p)[-1] - jnp.stack([top, jnp.zeros_like(top)])

    rock = 0.5 * jnp.sin(jnp.arange(STEPS) * HOLD * jnp.sqrt(GRAVITY / p.length))  # near the natural frequency
    start = jnp.where(top > 0.5, -rock, rock).astype(p.angle.dtype)
    constraints = {"type": "eq", "fun": at_rest}
    return minimize(lambda share: jnp.sum(share**2), start, bounds=Bounds(-1.0, 1.0), constraints=constraints)


def both_ways(p: Pendulum) -> OptimizeResult:
    """Results of both ways up, (2, ...)."""
    return jax.vmap(swing_up, in_axes=(None, 0))(p, jnp.array([0.0, 2.0 * jnp.pi], p.angle.dtype))


def timed(pendulums: Pendulum) -> OptimizeResult:
    """All results, (pendulums, 2, ...); prints how long they took and how the lanes ended."""
    solve = jax.jit(jax.vmap(both_ways))
    clock = [time.perf_counter()]
    for _ in range(2):
        res = jax.block_until_ready(solve(pendulums))
        clock.append(time.perf_counter())
    first, second = np.diff(clock)
    rate = f"{2 * PENDULUMS / second:,.0f} plans/s"
    print(f"{2 * PENDULUMS} plans in {res.x.dtype}: first call {first:.2f} s, second {second:.3f} s, {rate}")
    for sentence, count in Counter(np.ravel(res.message)).items():
        print(f"{count:6} x {sentence}")
    return res


def check(share: np.ndarray, pendulums: Pendulum) -> np.ndarray:
    """Distance from the top at rest, of plans that NumPy simulates with shorter steps."""
    p = Pendulum(*(np.asarray(v, float) for v in pendulums))
    state = np.stack([p.angle, p.speed])
    for u in (share * np.asarray(strongest(p))[:, None]).T:
        for _ in range(10 * INNER):
            state = runge_kutta(state, u, p, HOLD / INNER / 10, np)
    turn = 2 * np.pi
    return np.hypot((state[0] + turn / 2) % turn - turn / 2, state[1])


def draw(share: np.ndarray, states: np.ndarray, effort: np.ndarray, picture: Path) -> None:
    """Paths in phase space, and some plans."""
    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    colors = colormaps["viridis"](effort / effort.max())
    for angles, color in zip(states[:200], colors, strict=False):
        left.plot(angles[:, 0] / np.pi, angles[:, 1], color=color, linewidth=0.6, alpha=0.6)
    left.plot([0, 2], [0, 0], "o", color=ORANGE, label="the top, at rest")
    left.set(title="200 pendulums on their way up", xlabel="angle from the top, half turns", ylabel="speed, rad/s")
    left.legend(frameon=False)
    edges = np.arange(STEPS + 1) * HOLD
    for rank, color in zip((0.1, 0.5, 0.9), (SKY, BLUE, ORANGE), strict=True):
        lane = np.argsort(effort)[int(rank * (len(effort) - 1))]
        right.stairs(share[lane], edges, color=color, linewidth=2, label=f"effort {effort[lane]:.2f}")
    for limit in (-1, 1):
        right.axhline(limit, color=GRAY, linestyle=":", linewidth=1)
    right.set(title="Three plans", xlabel="seconds", ylabel="torque, of the largest", ylim=(-1.35, 1.1))
    right.legend(frameon=False, ncols=3, loc="lower center")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(picture: Path) -> None:
    pendulums = simulate(jax.random.key(0))
    res = timed(pendulums)
    effort = np.where(np.asarray(res.success), np.asarray(res.fun), np.inf)
    way, up = np.argmin(effort, axis=1), np.isfinite(effort).any(axis=1)
    lanes = np.flatnonzero(up)
    share = np.asarray(res.x)[lanes, way[lanes]]
    chosen = jax.tree.map(lambda v: v[lanes], pendulums)
    print(f"{len(lanes)} of {PENDULUMS} pendulums get up; {np.mean(way[lanes]):.0%} of them by a whole turn")
    largest = np.max(np.abs(share), axis=1)
    print(f"{np.mean(largest >= 1.0):.0%} need all of the torque at some time; the largest share is {largest.max()}")
    missed = check(share, chosen)
    print(f"distance from the top with ten times shorter steps: median {np.median(missed):.1e}, largest {missed.max():.1e}")
    states = np.asarray(jax.vmap(path)(jnp.asarray(share), chosen))
    start = np.stack([chosen.angle, chosen.speed], -1)[:, None]
    draw(share, np.concatenate([start, states], axis=1), effort[lanes, way[lanes]], picture)
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output" / "mpc.png")
