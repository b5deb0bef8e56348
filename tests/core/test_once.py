"""Threads that arrive together: one object, one compilation, right answers."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxopt_lite import least_squares, minimize, root_scalar, rosen
from jaxopt_lite.core import once
from jaxopt_lite.core.once import Compiled, kept, signature
from tests.laws.counting import compilations

THREADS = 8
STARTS = [np.full(4, 0.3 * k) for k in range(THREADS)]


@pytest.fixture(autouse=True)
def _warm():
    """What JAX compiles for itself in a new process is compiled."""
    minimize(lambda x: rosen(x) + jnp.sum((x - 1.0) ** 2), STARTS[0], method="CG")


def together(call):
    """What `call(k)` gives in each of the threads, which begin at once."""
    gate, out = threading.Barrier(THREADS), [None] * THREADS

    def work(k):
        gate.wait()
        out[k] = call(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return out


def test_eight_threads_compile_minimize_once():
    own = lambda x: rosen(x) + 0.125 * jnp.sum((x - 1.0) ** 2)
    with compilations() as count:
        found = together(lambda k: minimize(own, STARTS[k]))
        assert count() == 1
    for start, res in zip(STARTS, found, strict=True):
        alone = minimize(own, start)
        np.testing.assert_array_equal(res.x, alone.x)
        assert res.nfev == alone.nfev


def test_eight_threads_with_functions_of_the_same_code_compile_once():
    """Each with a new lambda: the table of closed functions gives all of them the same one."""
    with compilations() as count:
        found = together(lambda k: minimize(lambda x: rosen(x) + 0.5 * k, STARTS[k], method="L-BFGS-B"))
        assert count() == 1
    np.testing.assert_allclose([res.fun for res in found], 0.5 * np.arange(THREADS), atol=1e-8)


def test_eight_threads_at_other_doors():
    with compilations() as count:
        roots = together(lambda k: root_scalar(lambda x: x**3 - 1.0 - k, bracket=(0.0, 3.0)).root)
        fits = together(
            lambda k: least_squares(lambda x: jnp.stack([x[0] - k, x[1] * x[0] - 2.0]), np.ones(2), "2-point").nfev
        )
        assert count() == 2
    np.testing.assert_allclose(roots, np.cbrt(1.0 + np.arange(THREADS)))
    assert len(fits) == THREADS


def test_equal_arguments_give_the_same_object_in_all_threads():
    make = kept()(lambda name: object())
    assert len(set(map(id, together(lambda k: make("one"))))) == 1
    assert make.cache_info().maxsize == once.KEPT


def test_a_program_called_within_itself_does_not_wait_for_itself():
    inner = []
    program = Compiled(lambda x: x + 1.0, {})

    def outer():
        with program._gate:
            inner.append(program(1.0))

    thread = threading.Thread(target=outer)
    thread.start()
    thread.join(60.0)
    assert inner == [2.0]


def test_who_waits_too_long_compiles_for_himself(monkeypatch):
    monkeypatch.setattr(once, "PATIENCE", 0.01)
    program, made = Compiled(lambda x: x * 2.0, {}), []
    with program._gate:
        thread = threading.Thread(target=lambda: made.append(program(3.0)))
        thread.start()
        thread.join(60.0)
    assert made == [6.0]


def test_signatures_kept_are_bounded(monkeypatch):
    monkeypatch.setattr(once, "SIGNATURES", 3)
    program = Compiled(lambda x: x, {})

    def call():
        for n in range(5):
            program._gate.acquire(blocking=True)
            program._gate.release()
            together(lambda k, n=n: program(np.zeros(n)))

    call()
    assert len(program._compiled) <= 3


def test_a_signature_tells_shapes_dtypes_and_structures_apart():
    known = [np.zeros(2), np.zeros(3), np.zeros(2, np.float32), 1.0, 1, None, (np.zeros(2),), {"a": np.zeros(2)}]
    assert len({signature(a) for a in known}) == len(known)
    assert signature(np.zeros(2)) == signature(np.ones(2))
    seen = []
    jax.vmap(lambda x: seen.append(signature(x)) or x)(jnp.zeros((5, 2)))
    jax.vmap(lambda x: seen.append(signature(x)) or x)(jnp.zeros((6, 2)))
    assert seen[0] != seen[1]
