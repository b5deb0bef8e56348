"""One large problem, the extended Rosenbrock function of 100,000 variables, by L-BFGS: ours beside its peers.

- ours: `minimize(method="L-BFGS-B")` under one `jax.jit`.
- SciPy: its L-BFGS-B calls the jitted value and gradient and gets them as NumPy arrays; every other step is its own C.
  In a run in float32 it is given float32 values, which its search takes for exact.
- Optimistix: `LBFGS(rtol, atol)` with the tolerance of the step that `contenders.py` explains.
- optax: `lbfgs()` with `value_and_grad_from_state`, in a `lax.while_loop` that tests the gradient.
- JAXopt: `LBFGSB`, in the box only.

All keep 10 pairs. In the box x[0], x[4], x[8], ... are at most 1/2 and the rest is free: a quarter of the variables is held.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.checks import SLACK, Box, projected
from benchmarks.contenders import STEP_PER_GRADIENT, outer_jit, scipy_options
from benchmarks.problems import extended, extended_gradient, extended_start
from benchmarks.race import compile_seconds
from benchmarks.records import OURS, Row, Settings
from benchmarks.timing import Timing, interleave, paired_ratio

N, N_QUICK = 100_000, 1_000
MAXITER = 5_000  # stops nobody: the largest count seen is about 500
Call = Callable[[Any], dict[str, Any]]  # x0 (n,) -> {"x", "failed", "turns"}


def box_of(n: int) -> Box:
    """The bounds of the bounded case."""
    upper = np.full(n, np.inf)
    upper[::4] = 0.5
    return np.full(n, -np.inf), upper


def race_large(suite: str, settings: Settings, box: bool) -> list[Row]:
    """All contenders on the same start in each round."""
    n = N_QUICK if settings.quick else N
    bounds = box_of(n) if box else None
    makers = {OURS: _ours, "SciPy L-BFGS-B": _scipy}
    makers |= {"JAXopt LBFGSB": _jaxopt} if box else {"Optimistix LBFGS": _optimistix, "optax lbfgs": _optax}
    starts = [extended_start(n, settings.dtype, r) for r in range(settings.repeats)]

    def runner(make: Callable[[float, Box | None], Call]) -> Callable[[], Callable[[int], Any]]:
        def build() -> Callable[[int], Any]:
            solve, here = make(settings.tol, bounds), [jax.block_until_ready(jnp.asarray(x0)) for x0 in starts]
            return lambda r: solve(here[r])

        return build

    timings = interleave({name: runner(make) for name, make in makers.items()}, settings.repeats, settings.budget_s)
    case = f"n={n:,}" + (", bounds" if box else "")
    return [_row(suite, case, name, timing, timings[OURS], settings.tol, bounds) for name, timing in timings.items()]


def _row(suite: str, case: str, name: str, timing: Timing, ours: Timing, tol: float, box: Box | None) -> Row:
    if timing.error:
        return Row(suite, case, name, unit="ms", note=timing.error)
    points = [np.asarray(out["x"], np.float64) for out in timing.outputs]
    norms = np.array([np.abs(projected(x, extended_gradient(x), box)).max() for x in points])
    failed = np.array([bool(out["failed"]) for out in timing.outputs])
    turns = np.array([int(out["turns"]) for out in timing.outputs])
    return Row(
        suite,
        case,
        name,
        value=timing.median_s * 1e3,
        unit="ms",
        ratio=paired_ratio(timing, ours),
        lanes=1,
        compile_s=compile_seconds(name, timing),
        reached=float(np.mean(norms <= SLACK * tol)),
        failed=int(failed.sum()),
        wrong=int(np.sum(~failed & ~(norms <= SLACK * tol))),
        extra={
            "checked": len(norms),
            "worst_gradient": float(norms.max()),
            "rounds_ms": [s * 1e3 for s in timing.rounds_s],
            "turns_mean": float(turns.mean()),
            "turns_max": int(turns.max()),
        },
    )


def _ours(tol: float, box: Box | None) -> Call:
    import jaxopt_lite

    bounds = None if box is None else jaxopt_lite.Bounds(*box)
    options = {"gtol": tol, "maxiter": MAXITER}

    def solve(x0: jax.Array) -> dict[str, Any]:
        res = jaxopt_lite.minimize(extended, x0, method="L-BFGS-B", bounds=bounds, options=options)
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return outer_jit(solve)


def _scipy(tol: float, box: Box | None) -> Call:
    from scipy.optimize import Bounds, minimize

    both = outer_jit(jax.value_and_grad(extended))
    bounds = None if box is None else Bounds(*box)

    def solve(x0: jax.Array) -> dict[str, Any]:
        def fun(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, grad = both(jnp.asarray(x, x0.dtype))
            return float(value), np.asarray(grad, np.float64)

        options = scipy_options("L-BFGS-B", tol, MAXITER)
        res = minimize(fun, np.asarray(x0, np.float64), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return {"x": res.x, "failed": not res.success, "turns": res.nfev}

    return solve


def _optimistix(tol: float, box: Box | None) -> Call:
    import optimistix

    step = STEP_PER_GRADIENT * tol
    solver = optimistix.LBFGS(rtol=step, atol=step)

    def solve(x0: jax.Array) -> dict[str, Any]:
        sol = optimistix.minimise(lambda x, _: extended(x), solver, x0, max_steps=MAXITER, throw=False)
        return {"x": sol.value, "failed": sol.result != optimistix.RESULTS.successful, "turns": sol.stats["num_steps"]}

    return outer_jit(solve)


def _optax(tol: float, box: Box | None) -> Call:
    import optax

    optimizer = optax.lbfgs()
    both = optax.value_and_grad_from_state(extended)

    def solve(x0: jax.Array) -> dict[str, Any]:
        def step(carry: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            x, state, steps = carry
            value, grad = both(x, state=state)
            change, state = optimizer.update(grad, state, x, value=value, grad=grad, value_fn=extended)
            return optax.apply_updates(x, change), state, steps + 1

        def far(state: Any) -> jax.Array:
            return jnp.max(jnp.abs(optax.tree.get(state, "grad"))) > tol

        go_on = lambda carry: (carry[2] == 0) | ((carry[2] < MAXITER) & far(carry[1]))
        x, state, steps = jax.lax.while_loop(go_on, step, (x0, optimizer.init(x0), 0))
        return {"x": x, "failed": far(state), "turns": steps}

    return outer_jit(solve)


def _jaxopt(tol: float, box: Box | None) -> Call:
    import jaxopt

    assert box is not None
    solver = jaxopt.LBFGSB(fun=extended, tol=tol, maxiter=MAXITER)

    def solve(x0: jax.Array) -> dict[str, Any]:
        res = solver.run(x0, tuple(jnp.asarray(side, x0.dtype) for side in box))
        return {"x": res.params, "failed": ~(res.state.error <= tol), "turns": res.state.iter_num}

    return outer_jit(solve)
