"""A book of experiments: for a row and a dtype all that the laws read, made by some ten programs.

A page is a batch of a few hundred lanes with all that the laws ask for: budgets, tolerances, shifts, scales, permutations,
poison, poor functions. Each program solves the whole page, or lanes of it, in its own way: refilled, in lockstep, in the
package's own width, one after the other, alone. Whoever adds a law adds lanes, if it needs any, and compiles nothing.
"""

import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from tests import tolerances
from tests.laws.case import Case, host
from tests.laws.counting import compilations
from tests.laws.objective import GOOD, NOWHERE, TOUGH, Knobs, universal

PLAIN, FEW, SOLO = 48, 8, 6  # lanes of a section, of a smaller one, and solved alone
TOUGH_LANES = 16  # of each kind
MOST_ITERATIONS, MOST_EVALUATIONS = 1000, 4000
TOUGH_EVALUATIONS = 400
CUT = 2  # iterations of a lane that is cut short
REFILLED = {"lanes": 8, "turns_per_refill": 3}
LOCKSTEP = {"lanes": 0}
USERS_FLAGS = os.environ.get("JAXOPT_LITE_FLAGS") == "users"  # XLA compiles four times as long: fewer programs
WEIGHTS = np.array([1.0, -2.0, 0.5, 3.0])


def take(tree: Any, index: Any) -> Any:
    """Some lanes of a batch."""
    return jax.tree.map(lambda a: np.asarray(a)[index], tree)


def stacked(results: list[Any]) -> Any:
    """Solo results as a batch."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *results)


class Page(NamedTuple):
    """The lanes, and where each section is."""

    knobs: Knobs
    at: dict[str, np.ndarray]  # section -> its lanes
    twin: np.ndarray  # (lanes,): the plain lane that a lane varies

    def of(self, section: str, res: Any) -> Any:
        """The lanes of a section."""
        return take(res, self.at[section])


class Book:
    """A row in a dtype."""

    def __init__(self, case: Case, dtype: Any) -> None:
        self.case, self.dtype = case, np.dtype(dtype)
        self.traces: list[Any] = []
        traces, objective = self.traces, universal(case.model)

        def fun(x: Any, k: Knobs) -> Any:
            traces.append(0)
            return objective(x, k)

        self.fun, self.rough_fun = fun, universal(case.model, tough=True)
        self.tol = float(case.asked(dtype))

    def run(self, k: Knobs, **options: Any) -> Any:
        """One lane, in whatever JAX makes of it."""
        return self.case.run(self.case, self.fun, k, options)

    # --- the page -----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def page(self) -> Page:
        """All lanes."""
        plain = self._plain()
        few, order = np.arange(FEW), np.random.default_rng(2).permutation(PLAIN)
        sections: dict[str, tuple[Knobs, np.ndarray]] = {"plain": (plain, np.arange(PLAIN))}

        def put(name: str, lanes: np.ndarray, **changed: Any) -> None:
            """A section like these plain lanes, with some fields changed."""
            k = take(plain, lanes)
            kind = lambda name: getattr(k, name).dtype
            new = {f: np.broadcast_to(np.asarray(v, kind(f)), getattr(k, f).shape) for f, v in changed.items()}
            sections[name] = (k._replace(**new), lanes)

        put("reordered", order)
        for name, shift in (("moved", 1.0), ("moved far", -3.25)):
            put(name, few, shift=shift, start=plain.start[few] + self.dtype.type(shift))
        extreme = 2.0**40 if self.dtype == np.float64 else 2.0**30
        for name, scale in (("larger", 2.0**10), ("smaller", 2.0**-10), ("huge", extreme), ("tiny", 1 / extreme)):
            put(name, few, scale=scale, tol=plain.tol[few] * (scale if self.case.scales_tol else 1.0))
        if self.case.lift:
            for name, offset in (("lifted", 1.0), ("lowered", -100.0)):
                put(name, few, offset=offset)
        if self.case.shape:
            back = np.arange(self.case.shape[0])[::-1]
            start = plain.start[few][:, ::-1] if self.case.evaluates else plain.start[few]
            put("permuted", few, order=np.tile(back, (FEW, 1)), start=start)
        if self.case.mixes:
            put("sheared", few, mix=0.25)
        two = np.repeat([0, 1], 12)
        if self.case.evaluates:
            put("evaluations", two, maxfev=np.tile(np.arange(1, 13), 2))
        put("iterations", two[:18], maxiter=np.tile(np.arange(9), 2))
        loose = {f"tolerance {i}": self.tol * f for i, f in enumerate((1e4, 1e2, 1.0)) if self.tol * f < 1}
        for name, tol in loose.items():
            put(name, few, tol=tol)
        if self.dtype == np.float64:
            tight = tolerances.tightest(self.dtype)
            step, _ = tolerances.central_difference(self.dtype, self.case.known)
            for i in range(2):
                for sign in (1, -1):
                    theta = plain.theta[:4] + sign * step * np.eye(2)[i]
                    put(f"theta {i} {sign:+d}", few[:4], tol=tight, theta=theta)
        for kind in self.case.poison:
            put(f"poison {kind}", few[:3], kind=kind)
        if self.case.bad_start_status is not None:
            put("no start", few[:3], start=np.nan)
        put("cut", few[:3], maxiter=1)
        ends = np.cumsum([len(lanes) for _, lanes in sections.values()])
        at = {name: np.arange(end - len(own[1]), end) for (name, own), end in zip(sections.items(), ends, strict=True)}
        knobs = jax.tree.map(lambda *parts: np.concatenate(parts), *(k for k, _ in sections.values()))
        twin = np.concatenate([lanes for _, lanes in sections.values()])
        # the plain lanes stay in front; all others are mixed, so that bad ones have healthy neighbors
        mixed = np.concatenate([np.arange(PLAIN), PLAIN + np.random.default_rng(4).permutation(len(twin) - PLAIN)])
        place = np.argsort(mixed)
        return Page(take(knobs, mixed), {name: place[own] for name, own in at.items()}, twin[mixed])

    def _plain(self, seed: int = 1) -> Knobs:
        rng, case = np.random.default_rng(seed), self.case
        same = lambda v, dtype=self.dtype: np.full(PLAIN, v, dtype)
        start, theta = case.starts(rng, PLAIN).astype(self.dtype), case.thetas(rng, PLAIN).astype(self.dtype)
        order = np.tile(np.arange(case.shape[0] if case.shape else 1, dtype=np.int32), (PLAIN, 1))
        count = lambda v: same(v, np.int32)
        zero = same(0.0)
        budgets = count(MOST_ITERATIONS), count(MOST_EVALUATIONS)
        return Knobs(start, theta, zero, same(1.0), zero, zero, order, count(GOOD), same(self.tol), *budgets)

    @property
    def bad(self) -> np.ndarray:
        """The lanes that are not to be solved."""
        names = [n for n in self.page.at if n.startswith(("poison", "cut", "no start"))]
        return np.concatenate([self.page.at[n] for n in names])

    # --- the programs -------------------------------------------------------------------------------------------------

    @functools.cached_property
    def _refilled(self) -> Callable[[Knobs], Any]:
        return jax.jit(jax.vmap(lambda k: self.run(k, **REFILLED)))

    @functools.cached_property
    def refilled(self) -> Any:
        """The page on eight lanes."""
        return host(self._refilled(self.page.knobs))

    @functools.cached_property
    def clean_page(self) -> Knobs:
        """The page, but nothing is poisoned or cut."""
        plain = take(self.page.knobs, self.page.twin)
        mend = np.isin(np.arange(len(self.page.twin)), self.bad)
        choose = lambda own, healthy: np.where(mend.reshape(-1, *[1] * (own.ndim - 1)), healthy, own)
        return jax.tree.map(choose, self.page.knobs, plain)

    @functools.cached_property
    def clean(self) -> Any:
        """The clean page on eight lanes."""
        return host(self._refilled(self.clean_page))

    @functools.cached_property
    def _lockstep(self) -> Callable[[Knobs], Any]:
        return jax.jit(jax.vmap(lambda k: self.run(k, **LOCKSTEP)))

    @functools.cached_property
    def lockstep(self) -> Any:
        """A lane each."""
        return host(self._lockstep(self.page.knobs))

    @functools.cached_property
    def clean_lockstep(self) -> Any:
        """The same program on the clean page."""
        return host(self._lockstep(self.clean_page))

    @functools.cached_property
    def wide(self) -> Any:
        """An eager vmap, at the package's own width."""
        return host(jax.vmap(self.run)(self.page.knobs))

    @property
    def batches(self) -> tuple[Any, ...]:
        """The page, in all ways of a batch; under the users' flags in one."""
        return (self.refilled,) if USERS_FLAGS else (self.refilled, self.lockstep, self.wide)

    @functools.cached_property
    def loop(self) -> Any:
        """One after the other, each a single lane, by the program under the user's jit."""
        lanes = range(len(self.page.twin))
        return stacked([host(self._jitted(take(self.page.knobs, i))) for i in lanes])

    @functools.cached_property
    def alone(self) -> tuple[list[Any], int, tuple[int, int]]:
        """Eager calls of some plain lanes."""
        return self._one_by_one(self.run)

    @functools.cached_property
    def jitted(self) -> tuple[list[Any], int, tuple[int, int]]:
        """Plain lanes under the user's jit."""
        return self._one_by_one(self._jitted)

    def _one_by_one(self, run: Callable[[Knobs], Any]) -> tuple[list[Any], int, tuple[int, int]]:
        """The first plain lanes; traces from the second on; compilations from the second on, and for as many others."""
        found, each = [host(run(take(self.page.knobs, 0)))], []
        traced = len(self.traces)
        for lanes in (range(1, SOLO), range(SOLO, 2 * SOLO)):
            with compilations() as compiled:
                found += [host(run(take(self.page.knobs, i))) for i in lanes]
            each.append(compiled())
        return found[:SOLO], len(self.traces) - traced, (each[0], each[1])

    @functools.cached_property
    def _jitted(self) -> Callable[[Knobs], Any]:
        return jax.jit(self.run)

    @functools.cached_property
    def poisoned_alone(self) -> dict[str, Any]:
        """One lane of each kind that is not to be solved, alone under jit."""
        names = [n for n in self.page.at if n.startswith(("poison", "cut", "no start"))]
        return {n: host(self._jitted(take(self.page.knobs, self.page.at[n][0]))) for n in names}

    @functools.cached_property
    def nested(self) -> Any:
        """(5, 3): starts at the inner level alone, parameters at the outer one alone, all else shared."""
        k = take(self.page.knobs, np.arange(5))
        shared = take(k, 0)
        each = lambda start, theta: self.run(shared._replace(start=start, theta=theta), **REFILLED)
        inner = jax.vmap(each, (0, None))
        return host(jax.jit(jax.vmap(inner, (None, 0)))(k.start[:3], k.theta))

    @functools.cached_property
    def flat(self) -> Any:
        """The lanes of `nested` by the program of the page."""
        k = take(self.page.knobs, np.arange(5))
        i, j = np.divmod(np.arange(15), 3)
        own = take(k, np.zeros(15, int))._replace(start=k.start[j], theta=k.theta[i])
        own = jax.tree.map(lambda a, page: np.concatenate([a, page[15:]]), own, self.page.knobs)
        return take(host(self._refilled(own)), np.arange(15))

    @functools.cached_property
    def tough_page(self) -> Page:
        """Lanes of every tough kind, among them as many healthy ones."""
        lanes = np.tile(np.arange(TOUGH_LANES), 2 * len(TOUGH))
        kinds = np.repeat(np.stack([TOUGH, np.full(len(TOUGH), GOOD)], -1).ravel(), TOUGH_LANES)
        mixed = np.random.default_rng(3).permutation(len(lanes))
        lanes, kinds = lanes[mixed], kinds[mixed].astype(np.int32)
        k = take(self.page.knobs, lanes)
        k = k._replace(kind=kinds, maxfev=np.full(len(lanes), TOUGH_EVALUATIONS, np.int32))
        return Page(k, {str(kind): np.flatnonzero(kinds == kind) for kind in (GOOD, *TOUGH)}, lanes)

    @functools.cached_property
    def _rough(self) -> Callable[[Knobs], Any]:
        return jax.jit(jax.vmap(lambda k: self.case.run(self.case, self.rough_fun, k, REFILLED)))

    @functools.cached_property
    def rough(self) -> Any:
        """The tough page, on eight lanes."""
        return host(self._rough(self.tough_page.knobs))

    @functools.cached_property
    def smooth(self) -> Any:
        """The same program on the same lanes, none of them tough."""
        k = self.tough_page.knobs
        return host(self._rough(k._replace(kind=np.full_like(k.kind, GOOD))))

    @functools.cached_property
    def derivative_lanes(self) -> Knobs:
        """Four plain ones with a tight tolerance, one that is cut and one without a function."""
        k = take(self.page.knobs, np.array([0, 1, 2, 3, 4, 5]))
        tol = np.full(6, tolerances.tightest(self.dtype), self.dtype)
        maxiter = np.where(np.arange(6) == 4, CUT, MOST_ITERATIONS).astype(np.int32)
        return k._replace(tol=tol, maxiter=maxiter, kind=np.where(np.arange(6) == 5, NOWHERE, GOOD).astype(np.int32))

    def lifted(self, theta: Any) -> Any:
        """What is added to fun, so that it has a derivative where the least value is 0 for all parameters."""
        return self.case.lift * 0.1 * jnp.sum(theta**3)

    @functools.cached_property
    def derivatives(self) -> dict[str, Any]:
        """Of x and of the value with respect to theta in every mode; second ones in float64. A lane each.

        One solve serves all modes: it is linearized, and the linear map is applied (forward) and transposed (reverse), which
        is what `jax.jacfwd` and `jax.jacrev` do one by one (`test_derivatives.py`).
        """

        def one(k: Knobs) -> dict[str, Any]:
            def both(theta: Any, start: Any, tol: Any) -> dict[str, Any]:
                res = self.run(k._replace(theta=theta, start=start, tol=tol, offset=self.lifted(theta)))
                return {"x": res.x, "value": self.case.value(res)}

            def total(first: Any, x: Any) -> Any:
                """The gradient of sum(weights sin x) + value, from first derivatives."""
                weights = jnp.asarray(WEIGHTS[: max(1, k.order.size)], x.dtype)
                outer = weights * jnp.cos(jnp.atleast_1d(x))
                return jnp.sum(outer[:, None] * first["x"].reshape(outer.size, -1), 0) + first["value"]

            def first(theta: Any) -> tuple[Any, Any]:
                inputs = theta, k.start, k.tol
                found, tangent = jax.linearize(both, *inputs)
                forward = _columns(lambda e: tangent(e, jnp.zeros_like(k.start), jnp.zeros_like(k.tol)), theta)
                reverse = _rows(jax.linear_transpose(tangent, *inputs), found)
                totals = total(forward, found["x"]), total(reverse[0], found["x"])
                return totals, {"forward": forward, "reverse": {name: [r[name] for r in reverse] for name in found}}

            if self.dtype != np.float64:
                return first(k.theta)[1]
            (of_forward, _), tangent, made = jax.linearize(first, k.theta, has_aux=True)
            backward = _rows(jax.linear_transpose(lambda d: tangent(d)[0], k.theta), of_forward)[0]
            return made | {"hessian": _columns(lambda d: tangent(d)[1], k.theta), "backward": backward}

        return host(jax.jit(jax.vmap(one))(self.derivative_lanes))


def _columns(tangent: Callable[[Any], Any], x: Any) -> Any:
    """The derivative that a linear map of x (n,) is, with an axis of n behind."""
    return jax.vmap(tangent, out_axes=-1)(jnp.eye(x.size, dtype=x.dtype))


def _rows(pullback: Callable[[Any], Any], found: Any) -> tuple[Any, ...]:
    """The derivatives of what was found, an array or a dict of them, with respect to each input of a linear map."""
    leaves, structure = jax.tree.flatten(found)
    flat, unravel = jax.flatten_util.ravel_pytree(found)
    each = jax.vmap(lambda e: pullback(unravel(e)))(jnp.eye(flat.size, dtype=flat.dtype))
    ends = np.cumsum([leaf.size for leaf in leaves])
    part = lambda d, end, leaf: d[end - leaf.size : end].reshape(leaf.shape + d.shape[1:])
    split = lambda d: jax.tree.unflatten(structure, [part(d, e, leaf) for e, leaf in zip(ends, leaves, strict=True)])
    return tuple(split(d) for d in each)


@functools.lru_cache(maxsize=2)
def book(case: Case, dtype: Any) -> Book:
    """The book of a row, made once: the tests of one follow each other."""
    return Book(case, dtype)
