"""The contenders: each row turns a Task into one jitted batch solver `solve(X0, *params) -> {"x", "failed", ...}`.

Every traceable contender is `jax.vmap` of one solve under ONE `jax.jit` at the outside. On CPU each gets the compiler
option that jaxopt_lite sets on its own entries (XLA's intra-op threads cost more than they give on small operations),
so that nobody wins by it.

How the peers are configured:
- SciPy loop: a Python loop over `scipy.optimize.minimize(method=..., jac=analytic)` with numpy functions, gtol = tol and
  tests of f or of the step off. Newton-CG has no gtol: its test of the step gets tol (in float32 the 1e-3 ends it early,
  and none reaches 10 x tol), and the analytic product with the Hessian (as fast as the matrix at n = 4). Always float64.
- jax.scipy: `jax.scipy.optimize.minimize(method="BFGS")` with gtol = tol, infinity norm, its other defaults.
- JAXopt: `jaxopt.BFGS(tol=tol)` with its default zoom search; its test is the 2-norm of the gradient. Its `maxiter`
  stays at its default of 500: lanes whose line search fails spend the whole budget, and a larger one would only slow
  it.
- JAXopt LBFGSB: `jaxopt.LBFGSB(tol=tol)` with its defaults (zoom search, 10 pairs, maxiter 500).
- Optimistix: `optimistix.BFGS` with its default BacktrackingArmijo search and max_norm. It does not test the gradient
  but the last step: both |dx| <= atol + rtol |x| and |df| <= atol + rtol |f|. With rtol = atol = tol only 99 %, 86 %,
  47 % and 20 % of its lanes (n = 2, 4, 10, 30; float64) came within 10 x tol of a stationary point; with tol / 100
  all did, for 2 % more steps: that is used.
- Optimistix in chunks: the same under `jax.lax.map` over chunks of 250 lanes, which a user can write by hand. It
  keeps the working set in cache and confines a straggler to its chunk: the strongest form of that peer that we know
  on a CPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records import OURS, Task

Solve = Callable[..., dict[str, Any]]

# Optimistix's rtol = atol as a part of the wanted gradient tolerance (measured, see above)
STEP_PER_GRADIENT = 1e-2
EVALUATIONS = 4  # an iteration may take so many; a search rarely takes more than two
# Of 125, 250, 500 and 1,000 lanes, 250 was the best or within 7 % of it at n = 2, 4, 10 and 30
CHUNK = 250


def compiler_options() -> dict[str, Any]:
    """The options of every contender's outer jit on this backend."""
    return {"xla_cpu_multi_thread_eigen": False} if jax.default_backend() == "cpu" else {}


def outer_jit(solve: Callable[..., Any]) -> Callable[..., Any]:
    """The one `jax.jit` at the outside, the same for every contender."""
    options = compiler_options()
    return jax.jit(solve, compiler_options=options) if options else jax.jit(solve)


def _ours(task: Task, extra: dict[str, Any]) -> Solve:
    import jaxopt_lite

    options = {"gtol": task.tol, "maxiter": task.maxiter} | extra

    bounds = None if task.box is None else jaxopt_lite.Bounds(*task.box)

    def one(x0: jax.Array, *params: Any) -> dict[str, Any]:
        res = jaxopt_lite.minimize(task.fun, x0, args=params, method=task.method, bounds=bounds, options=options)
        return {"x": res.x, "failed": ~res.success, "turns": res.nfev}

    return outer_jit(jax.vmap(one))


def ours(task: Task) -> Solve:
    """`jax.vmap` of `jaxopt_lite.minimize`: the refilling batch."""
    chosen = {"lanes": task.width, "turns_per_refill": task.turns}
    return _ours(task, {k: v for k, v in chosen.items() if v is not None})


def ours_lockstep(task: Task) -> Solve:
    """The same method and loop with one lane a problem and no refilling."""
    return _ours(task, {"lanes": 0})


def scipy_options(method: str, tol: float, most: int) -> dict[str, Any]:
    """What asks SciPy's method for a gradient of `tol`, as far as it can be asked, within `most` iterations."""
    alone = {"gtol": tol, "maxiter": most}
    return {
        "Newton-CG": {"xtol": tol, "maxiter": most},
        "L-BFGS-B": alone | {"ftol": 0.0, "maxfun": EVALUATIONS * most},
        "TNC": {"gtol": tol, "ftol": 0.0, "xtol": 0.0, "maxfun": EVALUATIONS * most},  # its maxiter is maxfun
    }.get(method, alone)


def scipy_loop(task: Task) -> Solve:
    """A Python loop over SciPy's method with analytic derivatives."""
    from scipy.optimize import Bounds, minimize

    options = scipy_options(task.method, task.tol, task.maxiter)
    product = task.host_product if task.method in ("Newton-CG", "trust-ncg", "trust-krylov") else None
    hessian = task.host_hessian if task.method in ("dogleg", "trust-exact") else None
    bounds = None if task.box is None else Bounds(*task.box)

    def solve(X0: Any, *params: Any) -> dict[str, Any]:
        params = [np.asarray(p, np.float64) for p in params]
        each = [
            minimize(
                task.host,
                x0,
                args=tuple(p[i] for p in params),
                jac=task.host_gradient,
                hess=hessian,
                hessp=product,
                method=task.method,
                bounds=bounds,
                options=options,
            )
            for i, x0 in enumerate(np.asarray(X0, np.float64))
        ]
        return {"x": np.stack([r.x for r in each]), "failed": np.array([not r.success for r in each])}

    return solve


def jax_scipy(task: Task) -> Solve:
    """`jax.vmap` of JAX's own `jax.scipy.optimize.minimize`."""
    from jax.scipy.optimize import minimize

    options = {"gtol": task.tol, "maxiter": task.maxiter}

    def one(x0: jax.Array, *params: Any) -> dict[str, Any]:
        res = minimize(task.fun, x0, args=params, method="BFGS", options=options)
        return {"x": res.x, "failed": ~jnp.asarray(res.success)}

    return outer_jit(jax.vmap(one))


def jaxopt_bfgs(task: Task) -> Solve:
    """`jax.vmap` of `jaxopt.BFGS(...).run`."""
    import jaxopt

    solver = jaxopt.BFGS(fun=task.fun, tol=task.tol)

    def one(x0: jax.Array, *params: Any) -> dict[str, Any]:
        res = solver.run(x0, *params)
        return {"x": res.params, "failed": ~(res.state.error <= task.tol)}

    return outer_jit(jax.vmap(one))


def jaxopt_lbfgsb(task: Task) -> Solve:
    """`jax.vmap` of `jaxopt.LBFGSB(...).run`."""
    import jaxopt

    solver = jaxopt.LBFGSB(fun=task.fun, tol=task.tol)

    def one(x0: jax.Array, *params: Any) -> dict[str, Any]:
        box = tuple(jnp.asarray(side, x0.dtype) for side in task.box or (-jnp.inf, jnp.inf))
        res = solver.run(x0, box, *params)
        return {"x": res.params, "failed": ~(res.state.error <= task.tol), "turns": res.state.iter_num}

    return outer_jit(jax.vmap(one))


def _optimistix_one(task: Task) -> Solve:
    import optimistix

    step = STEP_PER_GRADIENT * task.tol
    solver = optimistix.BFGS(rtol=step, atol=step)
    fun = lambda x, params: task.fun(x, *params)

    def one(x0: jax.Array, *params: Any) -> dict[str, Any]:
        sol = optimistix.minimise(fun, solver, x0, args=params, max_steps=task.maxiter, throw=False)
        failed = sol.result != optimistix.RESULTS.successful
        return {"x": sol.value, "failed": failed, "turns": sol.stats["num_steps"]}

    return one


def optimistix_vmap(task: Task) -> Solve:
    """`jax.vmap` of `optimistix.minimise` with its BFGS."""
    return outer_jit(jax.vmap(_optimistix_one(task)))


def optimistix_chunks(task: Task) -> Solve:
    """The same in chunks of CHUNK lanes, one after the other; copies of the last problem fill up the last."""
    batch = jax.vmap(_optimistix_one(task))

    def solve(*arrays: jax.Array) -> dict[str, Any]:
        lanes = arrays[0].shape[0]
        index = jnp.minimum(jnp.arange(-(-lanes // CHUNK) * CHUNK), lanes - 1).reshape(-1, CHUNK)
        out = jax.lax.map(lambda i: batch(*(a[i] for a in arrays)), index)
        return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:lanes], out)

    return outer_jit(solve)


@dataclass(frozen=True)
class Contender:
    """A row of the table: its name in the results and its builder."""

    name: str
    build: Callable[[Task], Solve]
    cpu_only: bool = False  # makes sense on a CPU only


CONTENDERS = {
    c.name: c
    for c in (
        Contender(OURS, ours),
        Contender(f"{OURS} lockstep", ours_lockstep),
        Contender("SciPy loop", scipy_loop),
        Contender("jax.scipy vmap", jax_scipy),
        Contender("JAXopt vmap", jaxopt_bfgs),
        Contender("JAXopt LBFGSB vmap", jaxopt_lbfgsb),
        Contender("Optimistix vmap", optimistix_vmap),
        Contender("Optimistix chunks", optimistix_chunks, cpu_only=True),
    )
}
