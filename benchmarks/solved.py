"""`python -m benchmarks.solved`: which problems of `tests/problems` each method solves, and what it claims of the others.

A line counts, for one method, set and dtype: the problems; those solved (the right value, recomputed in float64, whatever
is claimed, from values alone within their default tolerance; of one variable: claimed and right); those claimed; and of the
claims that are not solved, the ones that are true in another way (another minimum, a plateau, a tail: the gradient is within
gtol, or Newton's step in float64 within the rounding of the dtype) and the wrong ones. Below the table
are the names of what is claimed wrongly, and of what is not solved, so that two runs can be compared. Problems with the
same number of variables are one program, a switch, which is true branching outside of vmap: 112 programs instead of 900.
The sets `book` and `infeasible` have constraints (`constrained_library.py`); SciPy's methods have lines of their own there.
"""

import argparse
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import constrained_library
from benchmarks.library import ASKED_OF_VALUES, BY_VALUES, GTOL, near, ours, solved, together
from benchmarks.records import Line

DESCENT = ("BFGS", "CG", "Newton-CG", "L-BFGS-B", "TNC", "dogleg", "trust-ncg", "trust-krylov", "trust-exact")
BOXES = ("L-BFGS-B", "TNC")
BRACKETED = ("bisect", "brentq", "brenth", "ridder", "toms748", "chandrupatla", "newton", "halley")
OPEN = ("newton", "halley", "secant")
CONSTRAINED = ("SLSQP", "trust-constr", "COBYLA", *constrained_library.SCIPY)
WALKING, BOUNDED = ("brent", "golden"), "bounded"
MAXITER = 500  # of a root: bisection of the largest brackets takes more than the default


def main() -> None:
    """Print the table, and then the names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solved", description="What is solved of the library.")
    parser.add_argument("--methods", nargs="+", help="which methods (default: all)")
    parser.add_argument("--sets", nargs="+", help="which sets of problems (default: all)")
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # once, before anything is traced
    names = []
    print(f"{'method':14s} {'set':10s} {'dtype':8s} problems  solved claimed excused   wrong")
    for method, kind, dtype, lines in tables(given.methods, given.sets):
        wrong = [line.problem for line in lines if line.wrong]
        unsolved = [line.problem for line in lines if not line.solved]
        counts = [sum(column) for column in list(zip(*lines, strict=True))[1:]]
        numbers = "".join(f"{n:8d}" for n in (len(lines), *counts, len(wrong)))
        print(f"{method:14s} {kind:10s} {dtype:8s}{numbers}", flush=True)
        names += [f"{method}, {kind}, {dtype}: wrong {wrong or 'none'}, unsolved {unsolved or 'none'}"]
    print("", *names, sep="\n")


def tables(
    methods: Sequence[str] | None = None, sets: Sequence[str] | None = None
) -> Iterator[tuple[str, str, str, list[Line]]]:
    """(method, set, dtype, lines), of these methods and sets or of all."""
    for method, kind, dtype, run in _runs():
        if method in (methods or [method]) and kind in (sets or [kind]):
            yield method, kind, dtype, list(run(method, dtype))
            jax.clear_caches()  # programs take memory maps, of which a process may have 65,530


def _runs() -> Iterator[tuple[str, str, str, Callable[[str, str], Iterator[Line]]]]:
    """(method, set, dtype, what makes the lines)."""
    rows: list[tuple[tuple[str, ...], str, Callable[[str, str], Iterator[Line]]]] = [
        ((*DESCENT, *BY_VALUES), "smooth", functools.partial(_minima, ("MGH", "CLASSIC"))),
        ((*DESCENT, *BY_VALUES), "hard", functools.partial(_minima, ("HARD",))),
        (BOXES, "boxed", _boxed),
        ((*WALKING, BOUNDED), "scalar", _scalar),
        (BRACKETED, "bracket", _bracketed),
        (OPEN, "start", _open),
        (CONSTRAINED, "book", constrained_library.solved),
        (CONSTRAINED, "infeasible", constrained_library.infeasible),
    ]
    for methods, kind, run in rows:
        for method in methods:
            for dtype in ("float64",) if method in constrained_library.SCIPY else ("float64", "float32"):
                yield method, kind, dtype, run


def _solve(problem: Any, method: str, dtype: str, x0: Any, bounds: Any = None) -> tuple[np.ndarray, bool, bool]:
    """The point, whether success is claimed, and whether it is a minimum of some kind (inside of `bounds`)."""
    fun, same = together(problem.n)
    which = jnp.asarray(same.index(problem), jnp.int32)
    res = ours(fun, x0, method, dtype, (which,), bounds)
    x = np.asarray(res.x, np.float64)
    sides = (-np.inf, np.inf) if bounds is None else (bounds.lb, bounds.ub)
    low, high = (np.broadcast_to(np.asarray(side, np.float64), x.shape) for side in sides)
    g, H = map(np.asarray, _derivatives(problem.n)(x, which))
    asked = ASKED_OF_VALUES if method in BY_VALUES else 0.0
    return x, bool(res.success), _flat(g, H, x, float(res.fun), low, high, dtype, asked)


@functools.cache
def _derivatives(n: int) -> Callable[..., Any]:
    """(x, which) -> gradient and Hessian."""
    fun = together(n)[0]
    return jax.jit(lambda x, which: (jax.grad(fun)(x, which), jax.hessian(fun)(x, which)))


def _flat(
    g: np.ndarray, H: np.ndarray, x: np.ndarray, f: float, low: np.ndarray, high: np.ndarray, dtype: str, asked: float
) -> bool:
    """Is the projected gradient within gtol, or Newton's step to a minimum within 4 roundings of x, or worth one of f?

    Or, of a method from values, is that step within what was `asked` of x and of f?
    """
    if np.max(np.abs(np.clip(x - g, low, high) - x)) <= 1.1 * GTOL[dtype]:
        return True
    free = ~(((x <= low) & (g > 0)) | ((x >= high) & (g < 0)))
    H, g = H[np.ix_(free, free)], g[free]
    if not np.all(np.isfinite(H)) or not np.all(np.linalg.eigvalsh(H) > 1e-14 * np.max(np.abs(H), initial=0.0)):
        return False
    step, eps = np.linalg.solve(H, g), np.finfo(dtype).eps
    worth = 0.5 * np.dot(step, g)
    resolved = np.all(np.abs(step) <= 4 * eps * np.max(np.abs(x))) or worth <= eps * abs(f)
    return bool(resolved or (np.all(np.abs(step) <= asked) and worth <= asked))


def _minima(sets: tuple[str, ...], method: str, dtype: str) -> Iterator[Line]:
    from tests import problems

    for problem in (p for name in sets for p in getattr(problems, name)):
        x, claimed, flat = _solve(problem, method, dtype, problem.x0)
        right = solved(problem, x, dtype, ASKED_OF_VALUES if method in BY_VALUES else None)
        yield Line(problem.name, right, claimed, bool(claimed and not right and flat))


def _boxed(method: str, dtype: str) -> Iterator[Line]:
    from jaxopt_lite import Bounds
    from tests.problems.bounded_variants import BOXED

    for boxed in BOXED:
        bounds = Bounds(jnp.asarray(boxed.lower, dtype), jnp.asarray(boxed.upper, dtype))
        x, claimed, flat = _solve(boxed.problem, method, dtype, boxed.x0, bounds)
        value = float(boxed.problem.fun(jnp.asarray(x)))
        right = value <= boxed.reference or near(value, boxed.reference, dtype)
        yield Line(boxed.name, right, claimed, bool(claimed and not right and flat))


def _scalar(method: str, dtype: str) -> Iterator[Line]:
    """Right is a point beside which nothing is lower, as far as values in the dtype tell."""
    from jaxopt_lite import minimize_scalar
    from tests.problems import SCALAR

    fun = lambda x, which: jax.lax.switch(which, [p.fun for p in SCALAR], x)
    eps = float(np.finfo(dtype).eps)
    for i, problem in enumerate(SCALAR):
        ends = tuple(jnp.asarray(end, dtype) for end in problem.bounds)
        points = {"bounds" if method == BOUNDED else "bracket": ends}
        res = minimize_scalar(fun, args=(jnp.asarray(i, jnp.int32),), method=method, options=None, **points)
        x, claimed = float(res.x), bool(res.success)
        step = 8 * (eps**0.5 * abs(x) + (1e-5 if method == BOUNDED else eps**0.5 * 1e-3))
        low, high = problem.bounds if method == BOUNDED else (-np.inf, np.inf)
        at, *others = (float(problem.fun(jnp.asarray(y))) for y in (x, x - step, x + step) if low <= y <= high)
        right = np.isfinite(at) and not any(other < at - 100 * eps * abs(at) for other in others)
        yield Line(problem.name, bool(claimed and right), claimed, False)


def _roots(method: str, dtype: str, bracketed: bool, rows: Sequence[tuple[str, int, tuple[float, ...]]]) -> Iterator[Line]:
    """Each row: name, which function, and (n, a, first end or start, second end); all are lanes of one batch."""
    from jaxopt_lite import root_scalar
    from tests.problems import FAMILIES, ROOTS

    branches = [family.fun for family in FAMILIES] + [lambda x, n, a, f=p.fun: f(x) for p in ROOTS]
    fun = lambda x, which, n, a: jax.lax.switch(which, branches, x, n, a)

    def one(which: Any, n: Any, a: Any, low: Any, high: Any) -> Any:
        points: dict[str, Any] = {"bracket": (low, high)} if bracketed else {"x0": low}
        res = root_scalar(fun, (which, n, a), method=method, maxiter=MAXITER, **points)
        return res.root, res.converged

    which = np.array([row[1] for row in rows], np.int32)
    n, a, low, high = np.array([row[2] for row in rows]).T
    roots, claimed = map(np.asarray, jax.vmap(one)(which, *(v.astype(dtype) for v in (n, a, low, high))))
    f = jax.jit(jax.vmap(lambda x, *rest: fun(x.astype(rest[1].dtype), *rest)))
    value = lambda x, kind=np.float64: np.asarray(f(x, which, *(v.astype(dtype).astype(kind) for v in (n, a))), np.float64)
    eps, at = float(np.finfo(dtype).eps), value(roots)
    # A step is the m-th part of what is left of a root of multiplicity m, which is 19 at most; of a simple one: two steps.
    tags = [family.tags for family in FAMILIES] + [p.tags for p in ROOTS]
    times = np.array([40 if "multiple" in tags[k] else 4 for k in which])
    asked = times * ((2e-12 if bracketed else 1.48e-8) + 4 * eps * np.abs(roots.astype(float)))
    crossed = np.sign(value(roots - asked)) * np.sign(value(roots + asked)) <= 0
    near_by = [(roots * (1 + k * eps)).astype(dtype) for k in range(-2, 3)]
    noise = [np.abs(v - w) for x in near_by for v, w in ((value(x), at), (value(x, roots.dtype.type), value(x)))]
    top = np.maximum(np.abs(value(low.astype(dtype))), np.abs(value(high.astype(dtype))))
    right = (crossed | (np.abs(at) <= 4 * np.max(noise, 0))) & (np.abs(at) <= top)  # else a pole
    for row, good, claims in zip(rows, right, claimed, strict=True):
        yield Line(row[0], bool(claims and good), bool(claims), False)


def _bracketed(method: str, dtype: str) -> Iterator[Line]:
    from tests.problems import FAMILIES, ROOTS

    rows = [(f"{family.name} {i}", k, row) for k, family in enumerate(FAMILIES) for i, row in enumerate(family.table)]
    rows += [(p.name, len(FAMILIES) + k, (0.0, 0.0, *p.bracket)) for k, p in enumerate(ROOTS)]
    return _roots(method, dtype, True, rows)


def _open(method: str, dtype: str) -> Iterator[Line]:
    from tests.problems import FAMILIES, ROOTS

    return _roots(method, dtype, False, [(p.name, len(FAMILIES) + k, (0.0, 0.0, p.x0, p.x0)) for k, p in enumerate(ROOTS)])


if __name__ == "__main__":
    main()
