"""The rules of the house that a machine can hold: layers, public names, docstrings, sizes, a quiet import."""

import ast
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jaxopt_lite
from jaxopt_lite import method

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "jaxopt_lite"
FILES = sorted(PACKAGE.rglob("*.py"))
FAMILIES = {
    *("line_search", "scalar", "trust_region", "bounded", "derivative_free"),
    *("constrained", "lsq", "roots", "linear"),
}
LEVEL = {"core": 0, "_needs": 1, "_families": 2, "api": 3, "scale": 4}
PUBLIC = {
    *(
        "Bounds",
        "LinearConstraint",
        "NonlinearConstraint",
        "OptimizeResult",
        "OptimizeWarning",
        "RootResults",
        "Status",
        "Stepper",
        "compiler_options",
        "curve_fit",
        "linprog",
        "least_squares",
        "minimize",
        "minimize_scalar",
        "rosen",
        "rosen_der",
    ),
    *("BFGS", "SR1"),
    *("quadprog", "root_scalar", "rosen_hess", "rosen_hess_prod", "show_options", "stepper"),
}
each_file = pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))


def imported(file: Path) -> list[str]:
    """Every module that a file imports, inside functions too, by its full name."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@each_file
def test_imports_point_downward(file):
    part = file.relative_to(PACKAGE).parts
    for name in imported(file):
        if not name.startswith("jaxopt_lite"):
            continue
        target = name.split(".")[1]
        if part in (("__init__.py",), ("method.py",)):  # what is public
            continue
        assert target in LEVEL, f"{file} imports {name}, of no known layer"
        assert LEVEL[target] <= LEVEL[part[0]], f"{file} imports {name}, which stands above it"


def folders(where: Path) -> set[str]:
    return {f.name for f in where.iterdir() if f.is_dir() and f.name != "__pycache__"}


def test_every_folder_has_a_layer():
    assert folders(PACKAGE) <= set(LEVEL)
    assert folders(PACKAGE / "_families") <= FAMILIES


def test_the_core_knows_no_algorithm_and_no_door():
    for file in (PACKAGE / "core").glob("*.py"):
        assert not [n for n in imported(file) if n.startswith("jaxopt_lite") and not n.startswith("jaxopt_lite.core")], file


def test_the_core_names_no_need():
    """A need is a record that a method brings; where the core would ask which one it is, it reads a field of the record."""
    needs = {name for name, value in vars(method).items() if isinstance(value, method.Need)}
    for file in (PACKAGE / "core").glob("*.py"):
        nodes = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Name | ast.Attribute)]
        used = {n.id if isinstance(n, ast.Name) else n.attr for n in nodes}
        assert not needs & used, file


API = PACKAGE / "api"
each_file_of_api = pytest.mark.parametrize("file", sorted(API.rglob("*.py")), ids=lambda f: str(f.relative_to(API)))


@each_file_of_api
def test_nothing_opens_a_door_from_inside(file):
    """What two doors share stands behind both of them: no door imports another, and nothing behind them imports one."""
    assert not [name for name in imported(file) if name.startswith("jaxopt_lite.api.doors")]


@pytest.mark.parametrize("room", ["methods", "oracles", "reading"])
def test_rooms_know_only_rooms(room):
    for file in (API / room).glob("*.py"):
        known = {name.split(".")[2] for name in imported(file) if name.startswith("jaxopt_lite.api.")}
        assert known <= {"methods", "oracles", "reading"}, file


def called(file: Path) -> set[str]:
    """The names of all that a file calls: f of f(x), and of a.f(x)."""
    calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return {f.id if isinstance(f, ast.Name) else f.attr for f in calls if isinstance(f, ast.Name | ast.Attribute)}


def test_only_pose_makes_plans_and_calls():
    assert [file for file in FILES if {"Plan", "Call"} & called(file)] == [API / "pose.py"]


def test_only_pose_reads_options():
    reading = {f"jaxopt_lite.core.options.{name}" for name in ("read", "of_program", "evaluations")}
    assert [file for file in FILES if reading & set(imported(file))] == [API / "pose.py"]


def test_public_names_are_the_frozen_list():
    assert set(jaxopt_lite.__all__) == PUBLIC
    assert jaxopt_lite.__all__ == sorted(jaxopt_lite.__all__, key=lambda name: (not name.isupper(), name))  # as ruff's
    for name in PUBLIC:
        assert hasattr(jaxopt_lite, name)


def test_nothing_else_is_public():
    submodules = {f.stem for f in PACKAGE.iterdir()}
    assert {n for n in vars(jaxopt_lite) if not n.startswith("_")} - submodules == PUBLIC


QUIET = """
import json, sys
import jax
from jax._src import xla_bridge
state = lambda: {k: repr(v) for k, v in sorted(jax.config.values.items())}
before = state()
import jaxopt_lite
started = xla_bridge.backends_are_initialized()
foreign = [m for m in ("scipy.optimize", "matplotlib", "pandas", "chex", "optax", "equinox") if m in sys.modules]
print(json.dumps([state() == before, started, foreign]))
"""


def test_importing_changes_no_configuration_and_starts_no_backend():
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    same, started, foreign = json.loads(done.stdout)
    assert same
    assert not started
    assert not foreign
    assert not done.stderr


JUDGES = ("core/certificate.py", "core/newton_step.py", "core/conjugate.py")
ALGEBRA = (
    "_families/constrained/ball.py",
    "_families/constrained/qp.py",
    "_families/linear/homogeneous.py",
    "_families/constrained/composite.py",
)  # inside of a turn, with a bound on its length: it evaluates nothing
LOOPS = ("core/loop.py", "core/batching.py", *JUDGES, *ALGEBRA)


@each_file
def test_loops_live_in_the_loop_and_the_batch(file):
    """And where a claim is decided, once a problem after the loop: Newton's steps from it, and their linear systems."""
    if file.relative_to(PACKAGE).as_posix() in LOOPS:
        return
    names = {n.attr if isinstance(n, ast.Attribute) else n.id for n in ast.walk(ast.parse(file.read_text()))
             if isinstance(n, ast.Attribute | ast.Name)}  # fmt: skip
    assert "while_loop" not in names


@each_file
def test_every_module_opens_with_a_docstring(file):
    text = file.read_text()
    if file.name == "__init__.py" and not text.strip():
        return
    doc = ast.get_docstring(ast.parse(text))
    assert doc
    assert doc.split("\n")[0].rstrip().endswith((".", ":", ",")) or "\n" in doc


@each_file
def test_files_are_short(file):
    assert len(file.read_text().splitlines()) <= 300


@each_file
def test_every_function_is_typed(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name != "_":
            given = [a for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert node.returns is not None, f"{file}:{node.lineno} {node.name} has no return type"
            untyped = [a.arg for a in given if a.annotation is None]
            assert not untyped, f"{file}:{node.lineno} {node.name}: {untyped}"


FUNCTIONS = sorted(n for n in PUBLIC if not inspect.isclass(getattr(jaxopt_lite, n)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_functions_are_documented_as_in_numpy(name):
    function = getattr(jaxopt_lite, name)
    doc = inspect.getdoc(function)
    sections = re.findall(r"^([A-Z][A-Za-z ]+)\n-{3,}$", doc, flags=re.M)
    parameters = list(inspect.signature(function).parameters)
    assert doc.split("\n")[0].endswith(".")
    assert not parameters or "Parameters" in sections
    assert "Returns" in sections
    assert "Examples" in sections
    assert ">>> " in doc
    order = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]
    assert [s for s in order if s in sections] == [s for s in sections if s in order]
    if parameters:
        listed = doc[doc.index("Parameters\n") : doc.index("Returns\n")]
        named = {n.strip() for line in re.findall(r"^([\w, ]+?) : ", listed, flags=re.M) for n in line.split(",")}
        assert set(parameters) <= named


@pytest.mark.parametrize("name", sorted(PUBLIC - set(FUNCTIONS)))
def test_public_classes_document_their_attributes(name):
    doc = inspect.getdoc(getattr(jaxopt_lite, name))
    assert "Attributes\n----------" in doc


def test_runtime_needs_jax_and_numpy_and_nothing_else():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[A-Za-z0-9_-]+", d)[0] for d in project["dependencies"]}
    assert names == {"jax", "jaxlib", "numpy"}
    extras = {"_families/linear/host.py": {"highspy"}}  # an optional extra, imported where it is called
    for file in FILES:
        foreign = {name.split(".")[0] for name in imported(file)} - {"jaxopt_lite"} - set(sys.stdlib_module_names)
        assert foreign - extras.get(file.relative_to(PACKAGE).as_posix(), set()) <= names, file


def test_the_package_is_typed_for_others():
    assert (PACKAGE / "py.typed").exists()
