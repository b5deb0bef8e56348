"""Several devices: a `shard_map` of a `vmap`, and batches that are sharded. In a process of its own, with four of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("BFGS", "TNC", "root", "fit", "program")
ROOT = Path(__file__).parents[2]
SCRIPT = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxopt_lite import least_squares, linprog, minimize, root_scalar

jax.config.update("jax_enable_x64", True)
A = np.linspace(0.5, 2.0, 8)
bowl = lambda a: lambda x: jnp.sum((x - a) ** 2 + 0.1 * (x - a) ** 4)
residual = lambda a: lambda x: jnp.stack([x[0] - a, x[1] - a, x[0] * x[1] - a * a])
SOLVERS = {
    "BFGS": lambda a: minimize(bowl(a), jnp.zeros(2)).x[0],
    "TNC": lambda a: minimize(bowl(a), jnp.zeros(2), method="TNC", bounds=[(0, 3)] * 2).x[0],
    "root": lambda a: root_scalar(lambda x: x**2 - a**2, bracket=(0.0, 3.0)).root,
    "fit": lambda a: least_squares(residual(a), jnp.ones(2)).x[0],
    "program": lambda a: linprog(jnp.array([1.0, 2.0]), A_ub=jnp.array([[-1.0, -1.0]]), b_ub=-a[None]).x[0],
}
found = {}
for kind in (AxisType.Auto, AxisType.Explicit):
    mesh = jax.make_mesh((4,), ("i",), axis_types=(kind,))
    a = jax.device_put(A, NamedSharding(mesh, P("i")))
    for name, solve in SOLVERS.items():
        over = lambda f, specs, out: jax.shard_map(f, mesh=mesh, in_specs=specs, out_specs=out)
        each = jax.jit(over(jax.vmap(solve), P("i"), P("i")))(a)
        right = bool(np.allclose(each, A, atol=1e-4)) and each.sharding.spec == P("i")
        total = lambda a, c: jax.lax.psum(jnp.sum(jax.vmap(lambda a: solve(a * c) ** 2)(a)), "i")
        slopes = jax.jit(jax.grad(over(total, (P("i"), P()), P()), (0, 1)))(a, jnp.ones(()))
        right_slopes = bool(np.allclose(slopes[0], 2 * A, atol=1e-3) and np.allclose(slopes[1], 2 * A @ A, atol=1e-3))
        found[f"{kind.name} {name}"] = [right, right_slopes]
    for name, solve in SOLVERS.items():
        for how, run in (("under jit", jax.jit(jax.vmap(solve))), ("eagerly", jax.vmap(solve))):
            try:
                found[f"{kind.name} {name} {how}"] = bool(np.allclose(run(a), A, atol=1e-4))
            except ValueError as error:
                found[f"{kind.name} {name} {how}"] = str(error)
    eager = jax.shard_map(jax.vmap(SOLVERS["BFGS"]), mesh=mesh, in_specs=P("i"), out_specs=P("i"))(a)
    found[f"{kind.name} eager"] = bool(np.allclose(eager, A, atol=1e-4))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    environment = os.environ | {"XLA_FLAGS": f"{flags} --xla_cpu_use_fusion_emitters=false", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("mesh", ["Auto", "Explicit"])
@pytest.mark.parametrize("name", NAMES)
def test_shard_map_of_a_vmap_solves_and_differentiates(found, mesh, name):
    """With `check_vma`, its default; the derivative by a shared parameter is summed over the devices."""
    assert found[f"{mesh} {name}"] == [True, True]


@pytest.mark.parametrize("mesh", ["Auto", "Explicit"])
def test_shard_map_works_eagerly(found, mesh):
    assert found[f"{mesh} eager"]


@pytest.mark.parametrize("how", ["under jit", "eagerly"])
@pytest.mark.parametrize("name", NAMES)
def test_a_sharded_batch_solves_or_says_what_to_call(found, name, how):
    assert found[f"Auto {name} {how}"] is True
    assert "call jax.shard_map of the jax.vmap" in found[f"Explicit {name} {how}"]
