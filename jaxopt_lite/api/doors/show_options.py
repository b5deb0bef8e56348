"""`show_options`: the options of each method, from the tables of the doors."""

from jaxopt_lite.api import methods
from jaxopt_lite.core.options import COMMON

DOORS = {
    "minimize": methods.MINIMIZE,
    "minimize_scalar": methods.MINIMIZE_SCALAR,
    "root_scalar": methods.ROOT_SCALAR,
    "least_squares": methods.LEAST_SQUARES,
    "linprog": methods.LINPROG,
}


def show_options(solver: str | None = None, method: str | None = None, disp: bool = True) -> str | None:
    """The options of a solver's methods, with their defaults.

    Parameters
    ----------
    solver : str, optional
        'minimize', 'minimize_scalar', 'root_scalar', 'least_squares' or 'linprog'; default all.
    method : str, optional
        One method of this solver; default all.
    disp : bool
        Print the text (the default) instead of returning it.

    Returns
    -------
    str or None
        The text, if `disp` is False.

    Raises
    ------
    ValueError
        Unknown solver or method.

    Examples
    --------
    >>> from jaxopt_lite import show_options
    >>> print(show_options("minimize", "bfgs", disp=False).splitlines()[0])
    minimize(method='BFGS')
    """
    if solver is not None and solver not in DOORS:
        raise ValueError(f"unknown solver {solver!r}; known solvers: {', '.join(DOORS)}.")
    lines: list[str] = []
    for door in DOORS if solver is None else (solver,):
        rows = DOORS[door] if method is None else (methods.find(DOORS[door], method, door),)
        for row in rows:
            lines.append(f"{door}(method={row.name!r})")
            for name, option in (row.options | COMMON).items():
                default = "" if option.default is None else f" [{option.default}]"
                lines.append(f"    {name}{default}: {option.doc}")
    text = "\n".join(lines)
    if not disp:
        return text
    print(text)
    return None
