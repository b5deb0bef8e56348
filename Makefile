# Every target sets up what it needs: a fresh machine with Python (>= 3.11) and pip is enough.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-slow lint format bench gate docs clean

demo: $(VENV)/.stamp-test                ## the main job: 16 NIST problems, each from 2,048 starts in one vmap, and by curve_fit
	$(BIN)/python examples/nist_multistart.py

test: $(VENV)/.stamp-test                ## all tests but the slow ones, and the laws once more with the flags that users get
	$(BIN)/python -m pytest -n 2
	JAXOPT_LITE_FLAGS=users $(BIN)/python -m pytest -n 2 tests/laws/test_laws.py tests/core/test_certificate.py tests/problems/test_problems.py -k "float32 or valley or watson_12"

test-slow: $(VENV)/.stamp-test           ## the slow ones (minutes each)
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(VENV)/.stamp-dev                 ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.stamp-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.stamp-bench              ## every suite beside its peers, on one core; results in benchmarks/results/
	taskset -c 0 $(BIN)/python -m benchmarks

gate: $(VENV)/.stamp-bench               ## is any figure worse than at the commit before? tens of minutes; exits 1 on a loss
	$(BIN)/python -m benchmarks gate

docs: $(VENV)/.stamp-docs                ## the pages of docs/ as a site in site/
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build dist site *.egg-info examples/output

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.stamp-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .[$(subst bench,benchmarks,$*)]
	touch $@
