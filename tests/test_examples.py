"""Every example runs as its reader would run it: in a process of its own, to exit code 0 and a picture."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# What NIST asks of a fit in double precision (examples/data/nist_strd/README.md).
RSS_DIGITS, PARAMETER_DIGITS = 8, 6


def run_example(script: Path, picture: Path, **environment: str) -> str:
    """What the example prints when it is to draw into `picture`; its load is set by environment variables."""
    environment = {f"JAXOPT_LITE_EXAMPLE_{name.upper()}": value for name, value in environment.items()}
    done = subprocess.run(
        [sys.executable, str(script), str(picture)], env=os.environ | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(PNG_SIGNATURE)
    return done.stdout


def check_nist_table(table: str, starts: int, names: set[str]) -> None:
    """The table has the problems that are wanted, every lane has one ending, and the best fit is the certified one."""
    rows = [line.split() for line in table.splitlines() if len(line.split()) == 15 and line.split()[2].isdigit()]
    assert {row[0] for row in rows} == names
    for name, _, _, _, _, _, rss_digits, parameter_digits, *lanes, _, _ in rows:
        *ended, reached = map(int, lanes)
        assert sum(ended) == starts, name
        assert 1 <= reached <= starts, name
        assert float(rss_digits) >= RSS_DIGITS, name
        assert float(parameter_digits) >= PARAMETER_DIGITS, name


def test_nist_multistart_reaches_the_certified_values_of_easy_problems(tmp_path):
    script = next(script for script in EXAMPLES if script.stem == "nist_multistart")
    names = "DanWood,Chwirut2,Misra1a"
    table = run_example(script, tmp_path / "a new folder" / "fits.png", starts="64", problems=names)
    check_nist_table(table, 64, set(names.split(",")))


@pytest.mark.slow  # up to a minute each: NIST compiles 16 programs
@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.stem)
def test_every_example_runs(script, tmp_path):
    printed = run_example(script, tmp_path / "picture.png", starts="64")
    if script.stem == "nist_multistart":
        lower = {"Chwirut1", "Chwirut2", "DanWood", "Gauss1", "Gauss2", "Lanczos3", "Misra1a", "Misra1b"}
        average_and_higher = {"ENSO", "Hahn1", "Kirby2", "MGH17", "Misra1c", "BoxBOD", "MGH10", "Rat43"}
        check_nist_table(printed, 64, lower | average_and_higher)
