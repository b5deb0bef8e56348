"""Plans and programs: equal calls share one, and the program runs under every transformation of JAX."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxopt_lite
from jaxopt_lite import compiler_options, minimize, minimize_scalar
from jaxopt_lite.api import methods
from jaxopt_lite.api.pose import pose_minimum
from jaxopt_lite.core import program
from jaxopt_lite.core.program import _program, is_plain, under_jit
from tests.core.tolerance import assert_close

BFGS = methods.find(methods.MINIMIZE, "BFGS", "minimize")


START = np.ones(2)


def planned(fun=None, x0=START, args=(), tol=None, **options):
    posed = pose_minimum(BFGS, fun or (lambda x: jnp.sum(x * x)), x0, args, options, tol)
    return posed.plan, posed.call


def bowl(center):
    return lambda x: jnp.sum((x - center) ** 2)


SAME = {
    "another start": {"x0": np.zeros(2)},
    "another tolerance": {"gtol": 1e-3},
    "tol": {"tol": 1e-3},
    "another budget": {"maxiter": 7},
    "display": {"disp": True},
    "other line search numbers": {"c1": 1e-3, "c2": 0.5},
    "another captured array": {"fun": bowl(jnp.zeros(2))},
}
OTHER = {
    "another code": {"fun": lambda x: jnp.sum(x**4)},
    "another size": {"x0": np.ones(3), "fun": lambda x: jnp.sum(x * x)},
    "another dtype": {"x0": np.ones(2, np.float32), "fun": lambda x: jnp.sum(x * x)},
    "another norm": {"norm": 2},
    "another width": {"lanes": 4},
    "another refill": {"turns_per_refill": 4},
}


@pytest.mark.parametrize("case", SAME, ids=str)
def test_what_is_traced_finds_the_same_program(case):
    one, _ = planned(bowl(jnp.ones(2)))
    other, _ = planned(**{"fun": bowl(jnp.ones(2)), **SAME[case]})
    assert one == other
    assert hash(one) == hash(other)
    assert _program(one) is _program(other)


@pytest.mark.parametrize("case", OTHER, ids=str)
def test_what_is_static_makes_another_program(case):
    one, _ = planned(bowl(jnp.ones(2)))
    other, _ = planned(**{"fun": bowl(jnp.ones(2)), **OTHER[case]})
    assert one != other
    assert _program(one) is not _program(other)


def test_where_a_call_is_traced():
    assert not under_jit()
    seen = {}
    note = lambda name: lambda x: (seen.update({name: under_jit()}), x * 2.0)[1]
    jax.jit(note("jit"))(1.0)
    jax.vmap(note("vmap"))(jnp.ones(2))
    jax.grad(note("grad"))(1.0)
    jax.vmap(jax.grad(note("vmap of grad")))(jnp.ones(2))
    jax.jit(jax.vmap(note("jit of vmap")))(jnp.ones(2))
    jax.vmap(jax.jit(note("vmap of jit")))(jnp.ones(2))
    jax.lax.scan(lambda c, x: (note("scan")(c), x), 1.0, jnp.ones(2))
    jax.make_jaxpr(note("make_jaxpr"))(1.0)
    inside = {name for name, under in seen.items() if under}
    assert inside == {"jit", "jit of vmap", "vmap of jit", "scan", "make_jaxpr"}
    assert set(seen) - inside == {"vmap", "grad", "vmap of grad"}


def test_only_numbers_and_batches_of_them_are_plain():
    seen = {}
    note = lambda name: (
        lambda x: (seen.update({name: is_plain(planned(args=(x,), fun=lambda p, x: jnp.sum(p * x))[1])}), x)[1]
    )
    note("eager")(1.0)
    jax.vmap(note("vmap"))(jnp.ones(2))
    jax.vmap(jax.vmap(note("vmap of vmap")))(jnp.ones((2, 2)))
    jax.jit(note("jit"))(1.0)
    jax.grad(note("grad"))(1.0)
    jax.vmap(jax.grad(note("vmap of grad")))(jnp.ones(2))
    jax.jvp(note("jvp"), (1.0,), (1.0,))
    assert {name for name, plain in seen.items() if plain} == {"eager", "vmap", "vmap of vmap"}
    assert len(seen) == 7


def test_compiler_options_suit_the_backend(monkeypatch):
    """On a CPU at least the threads are off; what else suits depends on the machine, and is known once."""
    assert compiler_options()["xla_cpu_multi_thread_eigen"] is False
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert inspect.unwrap(compiler_options)() == {}


def test_the_table_of_programs_is_bounded():
    assert _program.cache_info().maxsize == program.PROGRAMS


# The minimizer of (x - t)^2 + (x - t)^4 / 4 is t, by bounded Brent or by BFGS.
def well(x, t):
    return jnp.sum((x - t) ** 2 + 0.25 * (x - t) ** 4)


def scalar(t):
    return minimize_scalar(well, bounds=(-3.0, 5.0), args=(t,), options={"xatol": 1e-9}).x


def vector(t):
    return minimize(well, jnp.zeros(2), args=(t,), options={"gtol": 1e-9}).x.sum() / 2.0


T = jnp.array([0.5, 1.5])
TRANSFORMED = {
    "eager": (lambda f: f(0.5), 0.5),
    "jit": (lambda f: jax.jit(f)(0.5), 0.5),
    "jit with options": (lambda f: jax.jit(f, compiler_options=compiler_options())(0.5), 0.5),
    "vmap": (lambda f: jax.vmap(f)(T), T),
    "grad": (lambda f: jax.grad(f)(0.5), 1.0),
    "jacfwd": (lambda f: jax.jacfwd(f)(0.5), 1.0),
    "second derivative": (lambda f: jax.grad(jax.grad(lambda t: f(t) ** 2))(0.5), 2.0),
    "grad of vmap": (lambda f: jax.grad(lambda t: jnp.sum(jax.vmap(f)(t) ** 2))(T), 2.0 * T),
    "vmap of grad": (lambda f: jax.vmap(jax.grad(lambda t: f(t) ** 2))(T), 2.0 * T),
    "jit of grad": (lambda f: jax.jit(jax.grad(f))(0.5), 1.0),
    "grad of jit": (lambda f: jax.grad(jax.jit(f))(0.5), 1.0),
    "vmap of jit": (lambda f: jax.vmap(jax.jit(f))(T), T),
    "jit of vmap": (lambda f: jax.jit(jax.vmap(f))(T), T),
    "jit of vmap of grad": (lambda f: jax.jit(jax.vmap(jax.grad(lambda t: f(t) ** 2)))(T), 2.0 * T),
    "vmap of vmap": (lambda f: jax.vmap(jax.vmap(f))(jnp.stack([T, T])), jnp.stack([T, T])),
    "scan": (lambda f: jax.lax.scan(lambda c, t: (c + f(t), f(t)), 0.0, T)[1], T),
    "cond": (lambda f: jax.lax.cond(T[0] > 0, f, lambda t: t * 0.0, T[1]), T[1]),
    "checkpoint": (lambda f: jax.grad(jax.checkpoint(f))(0.5), 1.0),
}
SOLVERS = [(scalar, name) for name in TRANSFORMED] + [(vector, name) for name in ("vmap", "grad of vmap", "jit of grad")]


@pytest.mark.parametrize(("solve", "name"), SOLVERS, ids=lambda v: getattr(v, "__name__", v))
def test_every_transformation_works(solve, name):
    transform, wanted = TRANSFORMED[name]
    assert_close(transform(solve), wanted, np.float64, "x from values")


def test_an_option_may_be_traced_too():
    found = jax.vmap(lambda tol: minimize_scalar(well, bounds=(-3.0, 5.0), args=(0.5,), tol=tol).nfev)(
        jnp.array([1e-1, 1e-8])
    )
    assert found[0] < found[1]


def test_a_solution_inside_a_solution():
    """The outer problem's function is itself a minimum: min over s of (min over x of well(x, s)) + s^2."""

    @functools.partial(jax.jit)
    def outer(t):
        inner = lambda s: minimize_scalar(lambda x: well(x, s) + (x - t) ** 2, bounds=(-3.0, 5.0), options={"xatol": 1e-9})
        return minimize_scalar(lambda s: inner(s).fun + (s - t) ** 2, bounds=(-3.0, 5.0), options={"xatol": 1e-9}).x

    assert_close(outer(0.5), 0.5, np.float64, "x from values")


def test_two_jitted_solvers_of_one_function_are_called_in_turn():
    """Constants of the function that two outer jits share once confused jax's dispatch (0.10.2: too few arguments)."""
    starts = np.random.default_rng(3).uniform(-2.0, 2.0, (6, 2))
    solvers = [
        jax.jit(jax.vmap(lambda x, lanes=lanes: jaxopt_lite.minimize(jaxopt_lite.rosen, x, options={"lanes": lanes}).x))
        for lanes in (0, 3)
    ]
    for shift in (0.0, 0.1, 0.2):
        for solve in solvers:
            np.testing.assert_allclose(solve(starts + shift), 1.0, atol=1e-3)


@pytest.mark.parametrize("name", ["arctan", "exp", "log", "sin", "tanh", "cbrt", "log1p", "arcsinh"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiler_options_change_no_value(name, dtype):
    """`xla_cpu_prefer_vector_width=512` compiled arctan of 25 or more numbers wrongly, by 0.5."""
    fun = getattr(jnp, name)
    for size in (25, 64, 100):
        z = np.linspace(0.05, 0.95, size).astype(dtype)
        got = jax.jit(fun, compiler_options=compiler_options())(z)
        np.testing.assert_allclose(got, getattr(np, name)(z), rtol=64 * np.finfo(dtype).eps)


def test_callbacks_of_two_functions_are_two():
    """Equal code with two empty lists: what each callback writes must reach its own."""

    def counted():
        ran = []

        def fun(x):
            jax.debug.callback(lambda x: ran.append(x), x)
            return jnp.sum((x - 1.0) ** 2)

        return fun, ran

    for _ in range(2):
        fun, ran = counted()
        res = minimize(fun, np.zeros(2))
        jax.effects_barrier()
        assert len(ran) == res.nfev
