"""The names that a function reads, found in its bytecode."""

import dis
import functools
from types import CodeType
from typing import NamedTuple

# packages whose contents count as constant
CONSTANT = frozenset(
    {"jax", "jaxlib", "jaxopt_lite", "numpy", "math", "cmath", "operator", "functools", "itertools", "typing"}
)


class Names(NamedTuple):
    """The names that a function reads, with those of the functions inside of it."""

    of_globals: tuple[str, ...]
    attributes: frozenset[str]
    records: frozenset[str]  # outer names that the function assigns, or only appends to
    imports: bool  # does it import a module that does not count as constant?


def names_read(code: CodeType) -> tuple[str, ...]:
    """The names that a function reads from its globals, with those of the functions inside of it."""
    return names_of(code).of_globals


@functools.lru_cache(maxsize=4096)
def names_of(code: CodeType) -> Names:
    """The names that a function of this code reads."""
    loads: list[str] = []
    attributes, written, appended, read = (set[str]() for _ in range(4))
    imports, todo = False, [code]
    while todo:
        inner = todo.pop()
        todo += [constant for constant in inner.co_consts if isinstance(constant, CodeType)]
        instructions = [i for i in dis.get_instructions(inner) if i.opname not in ("CACHE", "PRECALL", "PUSH_NULL")]
        for at, one in enumerate(instructions):
            if one.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"):
                after = instructions[at + 1] if at + 1 < len(instructions) else one
                (appended if after.argval == "append" and after.opname.startswith("LOAD_") else read).add(one.argval)
                if one.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    loads.append(one.argval)
            elif one.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
                attributes.add(one.argval)
            elif one.opname in ("STORE_DEREF", "STORE_GLOBAL") and one.argval not in inner.co_cellvars:
                written.add(one.argval)
            elif one.opname == "IMPORT_NAME":
                imports |= one.argval.split(".")[0] not in CONSTANT
    return Names(tuple(dict.fromkeys(loads)), frozenset(attributes), frozenset(written | (appended - read)), imports)
