"""Compile once: a plan is everything static about a call, and a program is what was compiled for it.

Equal plans find the same program, in a bounded table; numbers (x0, args, captured arrays, tolerances, budgets) are its
operands. All array work of a call, raveling included, happens inside the program: an operation outside of it would be
dispatched by itself, and under an eager `vmap` batched by itself, at some fifty microseconds each.

On a CPU, XLA's intra-op threads cost more on the small operations of a loop than they give (4x, measured), so the
package's own outermost jit turns them off. An inner jit may not set compiler options: inside a user's `jit` that is for
the user to do, with `jax.jit(f, compiler_options=jaxopt_lite.compiler_options())`.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from jaxopt_lite.core.apart import LARGE
from jaxopt_lite.core.batching import Schedule, batchable, check_placement, decidable
from jaxopt_lite.core.implicit import Derived, constant, tangents
from jaxopt_lite.core.jax_internals import axes_of, known_options, local, unbatched, under_jit, varying
from jaxopt_lite.core.layout import Layout
from jaxopt_lite.core.loop import Budget, Derive, Lane, Operands, Run, lane, result_of
from jaxopt_lite.core.once import Compiled, kept
from jaxopt_lite.core.oracle import SECOND, Oracle, Traced
from jaxopt_lite.core.protocol import Method, Need
from jaxopt_lite.core.status import NUMERICAL, PRECISION, decided, is_claim, is_success

LIKE_X = (
    "x",
    "jac",
    "grad",
    "active_mask",
    "lagrangian_grad",
    "bound_multipliers",
)  # fields that have the structure of x where they are vectors (n,)
PROGRAMS = 128  # programs kept, the least recently used goes first: each takes some 130 of a process's 65,530 memory maps


class Plan(NamedTuple):
    """Everything static about a call; hashable."""

    method: Method
    prepare: Callable[[dict[str, Any], Array], Any]  # (options, x0) -> the method's data record
    oracle: Oracle
    layout: Layout
    schedule: Schedule
    derived: Derived | None = None  # the fields that follow from the solution, with one more evaluation there


class Call(NamedTuple):
    """Everything traced about a call."""

    x0: list[Any]  # leaves
    options: dict[str, Any]  # numbers and arrays, None where the method's default holds
    maxiter: Any
    maxfev: Any  # None: not limited
    traced: Traced


def run(plan: Plan, call: Call) -> dict[str, Any]:
    """The fields of the result: `x` and `jac` in the structure of x0."""
    program, leaves = _program(plan), jax.tree.leaves(call)
    if not is_plain(leaves):
        axes = axes_of(call)
        return varying(program.differentiable(varying(call, axes)), axes)
    check_placement(leaves)
    fields = program.plain(call)
    if program.decide is None:
        return fields
    if _any_claim(fields["status"]):
        fields = program.decide(call, fields)
    return public(fields)


@kept()
def compiler_options() -> dict[str, Any]:
    """The compiler options that suit these programs on the default backend, for a `jax.jit` of your own.

    Returns
    -------
    dict
        To be given as ``jax.jit(f, compiler_options=jaxopt_lite.compiler_options())`` where `f` calls this package and is
        the outermost jit. On a CPU it turns off XLA's intra-op threads, which slow loops of small operations down by a
        factor of about four; elsewhere it is empty.

    Examples
    --------
    >>> import jax
    >>> from jaxopt_lite import compiler_options, minimize, rosen
    >>> solve = jax.jit(jax.vmap(lambda x0: minimize(rosen, x0).x), compiler_options=compiler_options())
    """
    return known_options(**_wanted_options())


def _wanted_options(size: int = 0) -> dict[str, Any]:
    """The compiler options that suit a program with so many equations of the user's, whether or not there are such."""
    if jax.default_backend() != "cpu":
        return {}
    return {"xla_cpu_multi_thread_eigen": False} | ({"xla_cpu_use_fusion_emitters": False} if size > LARGE else {})


def operands_of(plan: Plan, call: Call) -> Operands:
    """What a lane works on; traced inside of the program."""
    x0 = plan.layout.ravel(call.x0)
    most = jnp.iinfo(jnp.int32).max
    evaluations = plan.oracle.evaluations(plan.layout.size)
    last = 0 if plan.derived is None else 1
    turns = most if call.maxfev is None else jnp.maximum(1, jnp.asarray(call.maxfev, jnp.int32) // evaluations - last)
    budget = Budget(jnp.asarray(call.maxiter, jnp.int32), jnp.asarray(turns, jnp.int32))
    data, traced = plan.prepare(call.options, x0), call.traced
    by_steps = plan.oracle.scheme is not None or plan.oracle.bends is not None
    if by_steps and getattr(data, "lower", None) is not None:  # no difference leaves the bounds
        traced = traced._replace(box=(data.lower, data.upper))
    return Operands(x0, data, budget, traced)


def present(layout: Layout, fields: dict[str, Array], evaluations: int, needs: Need) -> dict[str, Any]:
    """Raw fields as the user sees them; `evaluations` of fun were made a turn. What looks like x takes its structure."""
    fields = dict(fields)
    turns = fields.pop("turns")
    counts = ({"nfev": turns * evaluations} if evaluations else {}) | ({"njev": turns} if "jac" in fields else {})
    counts |= dict.fromkeys(needs.counts, turns)
    return counts | _like_x(layout, fields) | {"success": is_success(fields["status"])}


def _like_x(layout: Layout, fields: dict[str, Array]) -> dict[str, Any]:
    """The fields, x and the vectors that look like it in its structure."""
    alike = lambda name, value: name in LIKE_X and value.ndim == 1
    return {name: layout.unravel(value) if alike(name, value) else value for name, value in fields.items()}


def _shown(plan: Plan, fields: dict[str, Array]) -> dict[str, Any]:
    if plan.oracle.scheme is not None:  # its error is not rounding, so that rounding excuses nothing
        fields["status"] = jnp.where(fields["status"] == PRECISION, NUMERICAL, fields["status"])
    if plan.derived is not None:
        fields["turns"] = fields["turns"] + 1
    return present(plan.layout, fields, plan.oracle.evaluations(plan.layout.size), plan.method.needs)


def public(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields without those that only a certificate reads."""
    return {name: value for name, value in fields.items() if not name.startswith("_")}


def lane_of(plan: Plan, decides: bool = True) -> Lane:
    """The lane of a plan, with what follows from its solution; it `decides` claims, or leaves them in the status."""
    follow = plan.derived

    def derive(fields: dict[str, Array], operands: Operands) -> dict[str, Array]:
        assert follow is not None
        return public(fields) | follow(plan.oracle, fields, operands)

    decide = _certificate(plan) if decides else None
    return lane(plan.method, plan.oracle.evaluate, decide, None if follow is None else derive, told=plan.oracle.apart)


def _certificate(plan: Plan) -> Derive | None:
    """What decides the claims of a lane; None where nothing can be proved."""
    judge = plan.method.certificate
    return None if judge is None or plan.oracle.scheme is not None else functools.partial(judge, plan.oracle)


class Program(NamedTuple):
    """What is compiled for a plan."""

    plain: Callable[[Call], dict[str, Any]]  # of known numbers: claims stay in the status, if `decide` is there
    decide: Callable[[Call, dict[str, Any]], dict[str, Any]] | None  # (call, fields) -> fields, claims decided
    differentiable: Callable[[Call], dict[str, Any]]  # wherever it is called; decides in the same program


@kept(PROGRAMS)
def _program(plan: Plan) -> Program:
    """The programs of a plan.

    Few lanes claim what has to be proved, and a certificate takes half as long to compile as a method does. So of known
    numbers the host looks at the statuses, and the certificate is a program of its own, compiled when it is first needed.

    The derivative rule stands outside of the jit: reverse mode would otherwise carry the compiler options into a nested
    jit, where they are not allowed; and `custom_vmap` inside has no reverse mode of its own.
    """
    size = plan.oracle.size(plan.method.needs.order)
    options, of_certificate = (_wanted_options(s) for s in (size, plan.oracle.size(SECOND)))
    parted = _apart(plan)
    plan = parted if not options else plan  # no options, no other cure
    later = _certificate(plan) if plan.derived is None else None

    def solving(plan: Plan) -> Callable[[Call], dict[str, Any]]:
        solve = batchable(lane_of(plan), plan.schedule)

        def solve_call(call: Call) -> dict[str, Any]:
            fields = solve(operands_of(plan, call))
            return public(_shown(plan, fields | {"status": decided(fields["status"])}))

        return named(solve_call)

    def named(solve: Callable) -> Callable:
        solve.__name__ = f"jaxopt_lite_{plan.method.name.lower()}"
        return solve

    undecided = batchable(lane_of(plan, decides=False), plan.schedule)

    def solve_plain(call: Call) -> dict[str, Any]:
        fields = undecided(operands_of(plan, call))
        return _shown(plan, fields | ({} if later is None else {"_turns": fields["turns"]}))

    def decide_call(call: Call, fields: dict[str, Any]) -> dict[str, Any]:
        assert later is not None
        vectors = {name: plan.layout.ravel(jax.tree.leaves(fields[name])) for name in LIKE_X if name in fields}
        raw = {name: value for name, value in fields.items() if name not in ("nfev", "njev", "nhev", "success", "_turns")}
        made = decidable(later)((raw | vectors | {"turns": fields["_turns"]}, operands_of(plan, call)))
        return _shown(plan, made)

    def tangents_of(call: Call, d_call: Call, fields: dict[str, Any]) -> dict[str, Any]:
        operands, d_operands = jax.jvp(lambda c: operands_of(plan, c), (call,), (d_call,))
        at = fields | {"x": plan.layout.ravel(jax.tree.leaves(fields["x"]))}
        follow = plan.derived or plan.method.needs.follow
        moved = tangents(plan.oracle, plan.method.implicit, follow, at, operands, d_operands)
        return _like_x(plan.layout, moved)

    nested = jax.jit(solving(parted))
    outermost = Compiled(solving(plan), of_certificate if plan.method.certificate else options)
    plain = outermost if later is None else Compiled(named(solve_plain), options)
    tangents_of = local(jax.jit(tangents_of))

    def bare(call: Call) -> dict[str, Any]:
        check_placement(call)
        return local(nested)(call) if under_jit() or axes_of(call) else outermost(call)

    solution = jax.custom_jvp(bare)

    @solution.defjvp
    def _(primals: tuple[Call], d_primals: tuple[Call]) -> tuple[dict, dict]:
        fields = solution(*primals)
        read = [name for name in (*plan.method.solution, "status", "hess") if name in fields]
        moved = tangents_of(*primals, *d_primals, {name: fields[name] for name in read})
        return fields, {name: moved[name] if name in moved else constant(fields[name]) for name in fields}

    return Program(plain, None if later is None else Compiled(decide_call, of_certificate), solution)


def _apart(plan: Plan) -> Plan:
    """The plan, its function taken in parts if it is large."""
    order = plan.method.needs.order if plan.method.certificate is None else SECOND
    return plan._replace(oracle=plan.oracle._replace(apart=plan.oracle.size(order) > LARGE))


@kept(PROGRAMS)
def turn_by_turn(plan: Plan) -> tuple[Callable, ...]:
    """The same run, turn by turn from the host: begin, turn, point and fields, each compiled by itself.

    ``begin(call) -> (run, operands)``, ``turn(run, operands) -> run``, ``point(run, operands)``:
    what the method reports of its own point, x and fun among it, and ``fields(run, operands)`` as of `run`.
    """
    one = lane_of(plan)

    def begin(call: Call) -> tuple[Run, Operands]:
        operands = operands_of(plan, call)
        return one.begin(operands), operands

    def point(run: Run, operands: Operands) -> dict[str, Any]:
        shown = {"fun": run.best.at.fun} | plan.method.report(run.state, operands.data)
        shown |= plan.method.show(run.state, operands.data) if plan.method.show is not None else {}
        return shown | {"x": plan.layout.unravel(shown["x"])}

    def fields(run: Run, operands: Operands) -> dict[str, Any]:
        made = result_of(one, run, operands)
        return public(_shown(plan, made | {"status": decided(made["status"])}))

    options = _wanted_options(plan.oracle.size(SECOND))
    return tuple(Compiled(f, options) for f in (begin, one.turn, point, fields))


def is_plain(operands: Any) -> bool:
    """Are all operands known numbers, or batches of them? Then nobody differentiates, and the rule need not be set up.

    It would cost a quarter of a millisecond a call. Whatever is not recognized counts as differentiable.
    """
    return not under_jit() and not any(isinstance(unbatched(leaf), Tracer) for leaf in jax.tree.leaves(operands))


def is_alone(call: Call) -> bool:
    """Is this an eager call of one problem, which can be watched, and looked at when it has ended?"""
    return is_plain(call) and not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(call))


def _any_claim(status: Any) -> bool:
    """Does any lane of known statuses claim something?"""
    claims = is_claim(np.asarray(unbatched(status)))  # on the host: a comparison by JAX takes 40 us
    return bool(claims if claims.ndim == 0 else claims.any())
