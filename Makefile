VENV ?= .venv
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps
WORKERS ?= 3
FILES ?= 10000
BLOCKS ?= 50000
DEMO := runs/demo

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types contract unit long kernels campaign mutations bench gallery lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED)  ## set up .venv from requirements.lock

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { \
		echo "Seawall needs Python 3.11 or newer, and found none; name one with: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Seawall needs Python 3.11 or newer, got $(PYTHON)"; exit 1; }
	@echo "Setting up $(VENV), once; this takes a minute or two"
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu install python3-venv"; exit 1; }
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)  ## run the Black Thursday scenario and write its report
	@rm -rf $(DEMO)
	@$(BIN)/seawall run black_thursday --seed 7 --out $(DEMO)
	@echo "Open $(CURDIR)/$(DEMO)/report.html"

test: lint types contract unit  ## everything that must pass before a change is merged

lint: $(INSTALLED)  ## ruff: rules and format
	@$(BIN)/ruff check --quiet --no-cache .
	@$(BIN)/ruff format --quiet --check .
	@echo "lint: ok"

types: $(INSTALLED)  ## mypy, strict
	@$(BIN)/mypy --no-error-summary
	@echo "types: ok"

contract: $(INSTALLED)  ## the layers: commands -> analysis -> sim -> agents -> protocol
	@report=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$report"; exit 1; }
	@echo "contract: ok"

unit: $(INSTALLED)  ## the tests
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal

long: $(INSTALLED)  ## the tests that the others leave out: statistics over many worlds
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal -m long

kernels: $(INSTALLED)  ## the kernel tests again, every array access checked
	@cache=$$(mktemp -d) && trap 'rm -rf "$$cache"' EXIT && \
		NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR="$$cache" $(BIN)/pytest -m kernel

campaign: $(INSTALLED)  ## random worlds of every preset, each law checked: make campaign BLOCKS=200000
	@$(BIN)/python tests/campaign.py --blocks $(BLOCKS) --workers $(WORKERS)

mutations: $(INSTALLED)  ## scenario files with faults in them: make mutations FILES=10000
	@$(BIN)/python tests/mutations.py --files $(FILES) --workers $(WORKERS)

bench: $(INSTALLED)  ## measure speed; never fails on a time
	@$(BIN)/pytest tests/bench --benchmark-quiet

gallery: $(INSTALLED)  ## draw the images of docs/gallery.md again
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/python docs/gallery.py "$$folder"

lock: pyproject.toml  ## pin the dependencies of pyproject.toml again (needs uv)
	@uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --extra dev \
		--python-version 3.11 pyproject.toml --output-file requirements.lock

clean:  ## remove .venv and all caches; runs stay
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find agents analysis commands protocol scenarios sim tests -name __pycache__ -prune -exec rm -rf {} +
