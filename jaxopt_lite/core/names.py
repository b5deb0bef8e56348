"""What a function reads by name, from its bytecode."""

import dis
import functools
from types import CodeType
from typing import NamedTuple

# packages whose contents nobody changes
CONSTANT = frozenset(
    {"jax", "jaxlib", "jaxopt_lite", "numpy", "math", "cmath", "operator", "functools", "itertools", "typing"}
)


class Names(NamedTuple):
    """What a function reads by name, the functions inside of it too."""

    of_globals: tuple[str, ...]
    attributes: frozenset[str]
    records: frozenset[str]  # outer names that it assigns, or only appends to
    imports: bool  # of a module whose contents are not known to be constant


def names_read(code: CodeType) -> tuple[str, ...]:
    """Names that a function reads from its globals, those of the functions inside of it too."""
    return names_of(code).of_globals


@functools.lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """What a function of this code reads by name."""
    loads: list[str] = []
    attributes, written, appended, read = (set[str]() for _ in range(4))
    imports, todo = False, [code]
    while todo:
        inner = todo.pop()
        todo += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]
        steps = [i for i in dis.get_instructions(inner) if i.opname not in ("CACHE", "PRECALL", "PUSH_NULL")]
        for at, step in enumerate(steps):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
                after = steps[at + 1] if at + 1 < len(steps) else step
                (appended if after.argval == "append" and after.opname.startswith("LOAD_") else read).add(step.argval)
                if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    loads.append(step.argval)
            elif step.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                attributes.add(step.argval)
            elif step.opname in ("STORE_DEREF", "STORE_GLOBAL") and step.argval not in inner.co_cellvars:
                written.add(step.argval)
            elif step.opname == "IMPORT_NAME":
                imports |= step.argval.split(".")[0] not in CONSTANT
    return Names(tuple(dict.fromkeys(loads)), frozenset(attributes), frozenset(written | (appended - read)), imports)
