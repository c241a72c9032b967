# Two commands do it all on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes: compiled once, not in each

.PHONY: serve test check lint types types-mypy types-pyright types-capture unit compatibility setup setup-test clean

serve: setup            ## set up and serve offline on 127.0.0.1:8080
	$(BIN)/llm-simulator serve $(ARGS)

test: setup-test        ## set up everything and run the whole test suite with coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not wire" -n auto --dist loadfile $(ARGS)
	$(BIN)/coverage run -m pytest -q -m wire -n auto --dist loadgroup $(ARGS)
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --fail-under=90

check: lint types types-capture test  ## what CI runs

lint: setup-test        ## style and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-test       ## both type checkers, strict, side by side
	$(MAKE) -j2 types-mypy types-pyright

types-mypy: setup-test
	$(BIN)/mypy

types-pyright: setup-test
	$(BIN)/pyright

types-capture: setup-test  ## the HTTPS_PROXY door against mitmproxy's types, in the interpreter that has it (made once)
	python=$$($(BIN)/python tests/wire/door_rig.py) && $(BIN)/mypy --config-file= --strict --allow-untyped-calls \
	  --cache-dir .mypy_cache/capture --python-executable "$$python" proxy/forward.py

QUICK := $(addprefix --ignore=tests/,wire sdk fidelity conformance plugin) --ignore-glob='tests/recorder/test_calibration_*'
unit: setup-test        ## the quick part: no sockets, no SDKs, no recordings of others, no random examples, no fits
	$(BIN)/pytest -q -m "not wire and not shared and not hypothesis and not untraced" $(QUICK) -n auto $(ARGS)

compatibility: setup-test ## run every SDK against the server and write docs/compatibility.md
	PYTHONPATH=tests/wire $(BIN)/python tests/conformance/compatibility.py

image-steps:             ## the steps of deploy/Dockerfile without a container engine; PYTHON is the image's python
	$(PYTHON) deploy/try_steps.py $(PYTHON)

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
