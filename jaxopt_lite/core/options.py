"""Options: each has a default, a check and a line of documentation.

A check is a function that reads a value or says what is wrong with it, and knows where what it has read goes: into the
program as a number, into the code (a new value makes a new program), to the oracle (steps of finite differences), or
nowhere. A method that takes an option of a new kind brings its own `Check`.
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxopt_lite.core.warn import warn

PROGRAM, CODE, ORACLE, NOWHERE = "program", "code", "oracle", "nowhere"  # where an option goes


class Check(NamedTuple):
    """How the value of an option is read."""

    wanted: str  # what is to be given, in words
    read: Callable[[Any, str, str, int], Any]  # (value, name of the option, `wanted`, n) -> what is kept of it; or raises
    goes: str = PROGRAM

    def __call__(self, value: Any, name: str, n: int = 1) -> Any:
        """The value as it is kept; raises TypeError or ValueError with the name and what is wanted."""
        return self.read(value, name, self.wanted, n)


class Option(NamedTuple):
    """One option."""

    default: Any  # None: decided by the dtype or the size
    check: Check
    doc: str


def _scalar(value: Any, name: str, wanted: str) -> float | None:
    """A known number as a Python float, so that equal calls look equal; None for a tracer."""
    if type(value) in (int, float):  # nearly always
        return float(value)
    if isinstance(value, Tracer):
        if value.shape != ():
            raise ValueError(f"option {name!r} has shape {value.shape}; give {wanted}.")
        return None
    if not isinstance(value, int | float | np.generic | np.ndarray | jax.Array) or isinstance(value, bool):
        raise TypeError(f"option {name!r} is {value!r}; give {wanted}.")
    if np.shape(value) != () or np.asarray(value).dtype.kind not in "iuf":
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return float(value)


def _number(highest: float) -> Callable[[Any, str, str, int], Any]:
    """Reads a number from 0 to the highest one."""

    def read(value: Any, name: str, wanted: str, n: int) -> Any:
        number = _scalar(value, name, wanted)
        if number is not None and not 0 <= number <= highest:
            raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
        return value if number is None else number

    return read


def _positive(value: Any, name: str, wanted: str, n: int) -> Any:
    number = _scalar(value, name, wanted)
    if number is not None and not number > 0:
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return value if number is None else number


def _count(value: Any, name: str, wanted: str, n: int) -> Any:
    number = _scalar(value, name, wanted)
    if number is None:
        return value
    if not number >= 0 or (np.isfinite(number) and number != int(number)):
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return int(min(number, np.iinfo(np.int32).max))


def _matrix(value: Any, name: str, wanted: str, n: int) -> Any:
    value = value if isinstance(value, Tracer | jax.Array) else np.asarray(value)
    if jnp.shape(value) != (n, n):
        raise ValueError(f"option {name!r} has shape {jnp.shape(value)}; give {wanted} for n = {n}.")
    if isinstance(value, Tracer):
        return value
    known = np.asarray(value, float)
    if not np.allclose(known, known.T) or not np.all(np.linalg.eigvalsh(known) > 0):
        raise ValueError(f"option {name!r} is not positive definite and symmetric; give {wanted}.")
    return value


def _sizes(value: Any, name: str, wanted: str, n: int) -> Any:
    value = value if isinstance(value, Tracer | jax.Array) else np.asarray(value, float)
    if jnp.shape(value) not in ((), (n,)):
        raise ValueError(f"option {name!r} has shape {jnp.shape(value)}; give {wanted} for n = {n}.")
    if not isinstance(value, Tracer) and not np.all(np.asarray(value, float) > 0):
        raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
    return value


def _static(value: Any, name: str, wanted: str, n: int) -> Any:
    if isinstance(value, Tracer):
        raise TypeError(f"option {name!r} is static: give a Python value, not a traced one.")
    return value


def _integer_from(least: int) -> Callable[[Any, str, str, int], Any]:
    """Reads a static integer that is not less than `least`."""

    def read(value: Any, name: str, wanted: str, n: int) -> Any:
        _static(value, name, wanted, n)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"option {name!r} is {value!r}; give {wanted}.")
        return value

    return read


def _as_given(value: Any, name: str, wanted: str, n: int) -> Any:
    return value


POSITIVE_OR_ZERO = Check("a number >= 0", _number(np.inf))
POSITIVE = Check("a number > 0", _positive)
FRACTION = Check("a number between 0 and 1", _number(1.0))
COUNT = Check("an integer >= 0", _count)
MATRIX = Check("a symmetric positive definite matrix (n, n)", _matrix)
SIZE = Check("a size > 0, or one for each variable (n,)", _sizes)
STEP = Check("a number > 0, or one for each variable (n,)", _sizes, ORACLE)
STATIC = Check("a Python value", _static, CODE)
IGNORED = Check("anything", _as_given, NOWHERE)  # taken for SciPy's sake, of no effect: a warning says why
_WIDTH = Check("an integer >= 0", _integer_from(0), CODE)
_TURNS = Check("an integer >= 1", _integer_from(1), CODE)

COMMON = {
    "maxiter": Option(None, COUNT, "Most iterations. Default: the method's, see its page."),
    "maxfev": Option(None, COUNT, "Most evaluations of fun. Default: not limited."),
    "disp": Option(False, STATIC, "Print a summary when an eager call ends; nothing is printed from inside a loop."),
    "lanes": Option(None, _WIDTH, "Width of a batch under vmap: 0 for one lane a problem. Default: by size and backend."),
    "turns_per_refill": Option(None, _TURNS, "Turns between refills of a batch. Default 8."),
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
        if value is not None and option.check.goes == NOWHERE:
            warn(f"option {name!r} is given. {option.doc}")
            value = None
        values[name] = None if value is None else option.check(value, name, n)
    return values


def of_program(values: dict[str, Any], known: dict[str, Option]) -> dict[str, Any]:
    """Those that go into the program as numbers."""
    return {name: values[name] for name, option in known.items() if option.check.goes == PROGRAM}


def evaluations(values: dict[str, Any]) -> Any:
    """Most evaluations of fun that the options allow: `maxfev`, which some methods of SciPy call `maxfun`; None: any."""
    given = [values[name] for name in ("maxfev", "maxfun") if values.get(name) is not None]
    if len(given) > 1:
        raise ValueError("options maxfev and maxfun are the same; give one of them.")
    return given[0] if given else None
