"""Options of a method: a table of names with defaults, kinds and one line of documentation each.

Numbers are traced: a new tolerance does not recompile. Static ones are part of the program.
"""

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.warn import warn

STATIC = "static"
POSITIVE_OR_ZERO = "a number >= 0"
FRACTION = "a number between 0 and 1"
COUNT = "an integer >= 0"
STEP = "a number > 0, or one for each variable (n,)"
SIZE = "a size > 0, or one for each variable (n,)"
IGNORED = "anything"  # taken for SciPy's sake, of no effect: a warning says why
MATRIX = "a symmetric positive definite matrix (n, n)"


class Option(NamedTuple):
    """One option."""

    default: Any  # None: decided by the dtype or the size
    kind: str
    doc: str


COMMON = {
    "maxiter": Option(None, COUNT, "Most iterations. Default: the method's, see its page."),
    "maxfev": Option(None, COUNT, "Most evaluations of fun. Default: not limited."),
    "disp": Option(False, STATIC, "Print a summary when an eager call ends; nothing is printed from inside a loop."),
    "lanes": Option(None, STATIC, "Width of a batch under vmap: 0 for one lane a problem. Default: by size and backend."),
    "turns_per_refill": Option(None, STATIC, "Turns between refills of a batch. Default 8."),
}

DIFFERENCES = {
    "eps": Option(None, STEP, "Absolute step of '2-point', '3-point' and 'cs'."),
    "finite_diff_rel_step": Option(None, STEP, "Relative step of the same. Default: the scheme's own."),
}


def read(given: dict[str, Any] | None, known: dict[str, Option], method: str, n: int) -> dict[str, Any]:
    """The options of a call, checked: static ones as they are, concrete numbers as Python numbers, tracers as given."""
    known = COMMON | known
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"options is {given!r}; give a dict of option names and values.")
    given = dict(given or {})
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown option {name!r} for method {method!r}.{hint} Known options: {', '.join(known)}.")
    values = {}
    for name, option in known.items():
        value = given.get(name)
        value = option.default if value is None else value
        values[name] = value if value is None else _checked(value, name, option, n)
    return values


def traced(values: dict[str, Any], known: dict[str, Option]) -> dict[str, Any]:
    """Those that go into the program as numbers; the steps of differences go to the oracle."""
    return {name: values[name] for name, option in known.items() if option.kind not in (STATIC, STEP, IGNORED)}


def evaluations(values: dict[str, Any]) -> Any:
    """Most evaluations of fun that the options allow: `maxfev`, which some methods of SciPy call `maxfun`; None: any."""
    given = [values[name] for name in ("maxfev", "maxfun") if values.get(name) is not None]
    if len(given) > 1:
        raise ValueError("options maxfev and maxfun are the same; give one of them.")
    return given[0] if given else None


def _checked(value: Any, name: str, option: Option, n: int) -> Any:
    if option.kind == STATIC:
        if isinstance(value, Tracer):
            raise TypeError(f"option {name!r} is static: give a Python value, not a traced one.")
        counts = name in ("lanes", "turns_per_refill")
        if counts and (not isinstance(value, int) or isinstance(value, bool) or value < (name != "lanes")):
            raise ValueError(f"option {name!r} is {value!r}; give an integer >= {int(name != 'lanes')}.")
        return value
    if option.kind == MATRIX:
        return _matrix(value, name, n)
    if option.kind in (STEP, SIZE):
        return _sizes(value, name, option.kind, n)
    if option.kind == IGNORED:
        warn(f"option {name!r} is given. {option.doc}")
        return None
    return number(value, name, option.kind)


def number(value: Any, name: str, kind: str) -> Any:
    """A scalar of a kind: a Python number where concrete, so that equal calls look equal; a tracer as it is."""
    if isinstance(value, Tracer):
        if value.shape != ():
            raise ValueError(f"option {name!r} has shape {value.shape}; give {kind}.")
        return value
    if not isinstance(value, int | float | np.generic | np.ndarray | jax.Array) or isinstance(value, bool):
        raise TypeError(f"option {name!r} is {value!r}; give {kind}.")
    if np.shape(value) != () or np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(f"option {name!r} is {value!r}; give {kind}.")
    concrete = float(value)
    if kind == COUNT:
        if not concrete >= 0 or (np.isfinite(concrete) and concrete != int(concrete)):
            raise ValueError(f"option {name!r} is {value!r}; give {kind}.")
        return int(min(concrete, np.iinfo(np.int32).max))
    high = 1.0 if kind == FRACTION else np.inf
    if not 0 <= concrete <= high:
        raise ValueError(f"option {name!r} is {value!r}; give {kind}.")
    return concrete


def _matrix(value: Any, name: str, n: int) -> Any:
    value = value if isinstance(value, Tracer | jax.Array) else np.asarray(value)
    if jnp.shape(value) != (n, n):
        raise ValueError(f"option {name!r} has shape {jnp.shape(value)}; give {MATRIX} for n = {n}.")
    if isinstance(value, Tracer):
        return value
    concrete = np.asarray(value, float)
    if not np.allclose(concrete, concrete.T) or not np.all(np.linalg.eigvalsh(concrete) > 0):
        raise ValueError(f"option {name!r} is not positive definite and symmetric; give {MATRIX}.")
    return value


def _sizes(value: Any, name: str, kind: str, n: int) -> Any:
    value = value if isinstance(value, Tracer | jax.Array) else np.asarray(value, float)
    if jnp.shape(value) not in ((), (n,)):
        raise ValueError(f"option {name!r} has shape {jnp.shape(value)}; give {kind} for n = {n}.")
    if not isinstance(value, Tracer) and not np.all(np.asarray(value, float) > 0):
        raise ValueError(f"option {name!r} is {value!r}; give {kind}.")
    return value
