"""Where and with what a run was made: everything that a reader needs to judge or repeat its figures."""

import datetime
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from benchmarks.contenders import compiler_options

PACKAGES = ("jaxopt_lite", "jax", "jaxlib", "numpy", "scipy", "optimistix", "equinox", "jaxopt", "optax")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _commit(given: str | None) -> str:
    """The commit of the checkout, marked when files differ; `given` where there is no checkout (a copied tree)."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return given or "unknown"
    return head + ("-dirty" if _git("status", "--porcelain", "--", "../jaxopt_lite", ".", ":!results") else "")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def describe(given_commit: str | None = None) -> dict[str, Any]:
    """The environment record of this process."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "commit": _commit(given_commit),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": _cpu_model(),
        "cores_of_machine": os.cpu_count(),
        "cores_allowed": cores,
        "load_at_start": os.getloadavg()[0],
        "backend": jax.default_backend(),
        "devices": [d.device_kind for d in jax.devices()],
        "x64": bool(jax.config.jax_enable_x64),
        "compiler_options": compiler_options(),
        "python": platform.python_version(),
        "versions": {p: _version(p) for p in PACKAGES},
    }
