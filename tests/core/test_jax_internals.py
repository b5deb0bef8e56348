"""Each thing of JAX's that is not promised, taken away: calls may get slower, and none may fail."""

import ast
import contextlib
from pathlib import Path

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import pytest

import jaxopt_lite
from jaxopt_lite import minimize, rosen
from jaxopt_lite.core import jax_internals, program
from jaxopt_lite.core.once import Compiled

PACKAGE = Path(jaxopt_lite.__file__).parent
FILES = sorted(f for f in PACKAGE.rglob("*.py") if f.name != "jax_internals.py")
INTERNAL = ("jax._src", "jax.extend", "jax.interpreters", "jaxlib")


@jax.custom_jvp
def square(x):
    return x * x


@square.defjvp
def _(primals, tangents):
    return square(primals[0]), 2.0 * primals[0] * tangents[0]


def solves(scale):
    """A problem of its own, so that it is traced and compiled, by itself, in a batch, under jit and differentiated."""

    def solve(a):
        return minimize(lambda x: scale * jnp.sum(square(x - a)) + jnp.sum((x - a) ** 4), jnp.zeros(2)).x

    np.testing.assert_allclose(solve(0.5), 0.5, atol=1e-4)
    np.testing.assert_allclose(jax.vmap(solve)(jnp.array([0.5, 1.0]))[:, 0], [0.5, 1.0], atol=1e-4)
    np.testing.assert_allclose(jax.jit(solve)(0.25), 0.25, atol=1e-4)
    np.testing.assert_allclose(jax.grad(lambda a: solve(a).sum())(0.5), 2.0, rtol=1e-6)


NAMES = {"wrapped functions": "WRAPPED", "tracers of a vmap": "BATCHED", "debug records": "DEBUG", "stores": "BOOKKEEPING"}


@pytest.mark.parametrize("kind", NAMES)
def test_a_renamed_class_costs_no_function(kind, monkeypatch):
    monkeypatch.setattr(jax_internals, NAMES[kind], "Renamed")
    solves(2.0 + list(NAMES).index(kind))


def test_without_the_question_whether_a_jit_is_on(monkeypatch):
    monkeypatch.delattr(jax.extend.core, "unsafe_am_i_under_a_jit_DO_NOT_USE")
    assert not jax_internals.under_jit()
    solves(7.0)


def test_a_jaxpr_that_cannot_be_rewritten_keeps_its_numbers(monkeypatch):
    class Sealed:
        eqns = (object(),)

    sealed = Sealed()
    assert jax_internals.without_floats(sealed) == (sealed, [])


def test_a_context_that_is_gone_is_none(monkeypatch):
    monkeypatch.setattr(jax_internals, "CHECK", "renamed")
    assert isinstance(jax_internals.alone(), contextlib.nullcontext)
    solves(9.0)


def test_a_compiler_option_that_is_gone_is_left_out(monkeypatch):
    """Eager calls, and `compiler_options()` for the user's own jit."""
    gone = {"xla_cpu_of_no_version": False, "xla_cpu_multi_thread_eigen": False}
    assert jax_internals.known_options(**gone) == {"xla_cpu_multi_thread_eigen": False}
    monkeypatch.setattr(program, "_wanted_options", lambda size=0: gone)
    solves(11.0)
    call = Compiled(lambda x: x + 1.0, gone)
    assert call(1.0) == 2.0
    assert call._options == {"xla_cpu_multi_thread_eigen": False}


def test_an_error_of_the_program_is_not_taken_for_a_missing_option():
    def wrong(x):
        raise ZeroDivisionError("the user's")

    with pytest.raises(ZeroDivisionError, match="the user's"):
        Compiled(wrong, {"xla_cpu_multi_thread_eigen": False})(1.0)


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(PACKAGE).as_posix())
def test_what_jax_does_not_promise_is_asked_in_one_file(file):
    tree = ast.parse(file.read_text())
    modules = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    modules += [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert not [m for m in modules if m.startswith(INTERNAL)]
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert not [t for t in texts if t in ("WrappedFun", "BatchTracer", "DebugInfo", "jax._src.linear_util")]


def test_the_rosenbrock_function_is_small():
    """Nothing of what large functions need touches it."""
    assert jax_internals.size(jax.make_jaxpr(rosen)(np.ones(4)).jaxpr) < 100
