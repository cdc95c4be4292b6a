# Needs Python 3.11+, git and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
TESTS ?=
LOCKS := requirements/runtime.lock requirements/build.lock

.PHONY: up install dev assets test test-fast check format bench lock clean help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

up: $(VENV)/.installed ## Start Flagstone; ARGS="--port 8080 --data DIR" are handed on
	@$(BIN)/flagstone up $(ARGS)

install: $(VENV)/.installed ## Install what running needs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Flagstone needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say PYTHON=python3.12, or whichever you have.")'
	@echo "Creating the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(LOCKS) pyproject.toml hatch_build.py $(wildcard frontend/package-lock.json frontend/build.mjs frontend/icons.json) $(wildcard frontend/src/* frontend/src/*/*) | $(BIN)/python
	@echo "Installing Flagstone (first time: about a minute)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q --require-hashes -r requirements/runtime.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q --require-hashes -r requirements/build.lock
	@echo "Building the pages' assets and the command"
	@$(BIN)/python hatch_build.py
	@$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $@

dev: $(VENV)/.dev ## Install what developing and testing need

$(VENV)/.dev: requirements/dev.lock $(VENV)/.installed
	@echo "Installing the tools for development"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q --require-hashes -r requirements/dev.lock
	@touch $@

assets: $(VENV)/.installed ## Build the pages' assets again
	@$(BIN)/python hatch_build.py

test: $(VENV)/.dev ## The whole suite, as CI runs it
	@$(BIN)/python tests/browser/find_chromium.py
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(TESTS)

test-fast: $(VENV)/.dev ## SQLite only, without browser and slow tests
	@FLAGSTONE_TEST_BACKENDS=sqlite $(BIN)/python -m pytest -n 4 -m "not browser and not slow" $(TESTS)

check: $(VENV)/.dev ## Format, lint, types, imports
	@$(BIN)/ruff format --check src tests conftest.py
	@$(BIN)/ruff check src tests conftest.py
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.dev ## Format and mend what can be mended
	@$(BIN)/ruff check --fix -q src tests conftest.py || true
	@$(BIN)/ruff format src tests conftest.py

bench: $(VENV)/.dev ## Measure; prints a table and writes bench-results/
	@$(BIN)/python -m bench $(ARGS)

lock: $(BIN)/python ## Write the lock files anew (needs uv)
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements/runtime.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header requirements/build.in -o requirements/build.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml requirements/build.in -c requirements/runtime.lock -o requirements/dev.lock

clean: ## Remove what was built (the data folder stays)
	@rm -rf $(VENV) src/flagstone/toolkit/web/static frontend/node_modules
