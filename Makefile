# Two commands do it all on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve test check lint types unit setup setup-test clean

serve: setup            ## set up and serve offline on 127.0.0.1:8080
	$(BIN)/llm-simulator serve $(ARGS)

test: setup-test        ## set up everything and run the whole test suite with coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not wire" -n auto $(ARGS)
	$(BIN)/coverage run -m pytest -q -m wire $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

check: lint types test  ## what CI runs

lint: setup-test        ## style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-test       ## both type checkers, strict
	$(BIN)/mypy
	$(BIN)/pyright

unit: setup-test        ## the quick part: no sockets, no recordings of others, seconds
	$(BIN)/pytest -q -m "not wire and not shared" -n auto $(ARGS)

setup: $(VENV)/.installed
setup-test: $(VENV)/.installed-test

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[test]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache
