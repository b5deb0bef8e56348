"""`python -m tests.laws`: write `tests/laws/README.md`, which law holds over which rows, from the code."""

from tests.laws.table import PAGE, page

if __name__ == "__main__":
    PAGE.write_text(page())
