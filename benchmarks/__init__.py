"""Benchmarks: jaxopt_lite beside its peers, in one process run, on the same problems, tolerance and x64 setting.

    taskset -c 1 python -m benchmarks                 all suites, float64, one core; results in benchmarks/results/
    python -m benchmarks rosenbrock --lanes 1000      one suite, smaller
    python -m benchmarks --float32                    float32, tolerance 1e-3
    python -m benchmarks --quick --out /tmp/bench     a minute, to see that everything runs
    benchmarks/gpu.sh                                 all suites in both precisions on a GPU

Needs jax, numpy and scipy; Optimistix, JAXopt, optax, qpax, PIQP and matplotlib where installed (a contender that cannot be
imported or fails is a row that says so; without matplotlib there is no plot).

| suite        | question |
|---|---|
| `rosenbrock` | time a problem for a batch of 10,000 uniform starts, n = 2, 4, 10, 30 |
| `stragglers` | conditioning 10^U(0,6) a lane: refilling against lockstep, and the share of useful lane-turns |
| `eager`      | the second eager call, eager vmap, a fresh lambda a call, and the import time |
| `compile`    | trace and compile time of the vmapped BFGS in fresh processes |
| `descent`    | CG, Newton-CG, L-BFGS-B, TNC: a batch at n = 4, compile times, a library of problems, n = 100,000 |
| `bounded`    | L-BFGS-B and TNC in a box: a batch at n = 4, and n = 100,000 |
| `trust_region` | dogleg, trust-ncg, trust-krylov, trust-exact: the same as `descent` |
| `spots`      | `curve_fit` on 100,000 Gaussian spots of 5 x 5 pixels, the rate at 10^6 and 10^7 (GPU), the memory |
| `constrained` | SLSQP and trust-constr on 10,000 projections onto a polygon, SLSQP on 10,000 sales of shares |
| `quadprog`   | 10,000 convex quadratic programs, 20 variables and 10 equations; a table of other sizes |

`python -m benchmarks.solved` prints which problems of the library each method solves, and what it claims of the others.

What is fair about it:

- Contenders run in interleaved rounds, each round on its own seeded batch that all of them share; medians and ratios
  are over rounds.
- Compile time (first call minus a steady one) is reported apart.
- Every traceable contender is one `jax.jit` at the outside with the same compiler options (`contenders.py` says how
  each is configured).
- Answers are checked by one measure, the gradient recomputed in float64 in numpy (`checks.py`, in a box the projected one;
  of spots the chi-square, `spots.py`): not by what a solver says of itself.
- Slow contenders run on the first lanes of the batch; the row says so. Such a figure favors lockstep peers: fewer
  lanes, fewer stragglers.
- Results carry the commit, the machine, the cores allowed, all versions, and every round's time.

A suite is a row of `suites/__init__.py`, a contender a row of `contenders.py` (of spots: of
`fitters.py`); nothing else is edited to add one.
"""
