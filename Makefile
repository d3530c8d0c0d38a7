# Everything a developer runs. `make up` and `make test` need Python 3.11+, git and make alone.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
    $(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin

# A stamp is named by the checksum of what it stands for, so that a second run does nothing and a
# changed lock, a moved checkout or an interrupted install is noticed.
checksum = $(firstword $(shell $(1) | cksum))
VENV := .venv/.made-$(call checksum,echo $(CURDIR))
RUNTIME := .venv/.runtime-$(call checksum,cat requirements/runtime.lock requirements/weights.lock pyproject.toml backend_client/pyproject.toml)
DEV := .venv/.dev-$(call checksum,cat requirements/dev.lock requirements/weights.lock pyproject.toml backend_client/pyproject.toml)

INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps

.PHONY: help up test fast cover lint format docs docs-serve dist lock clean

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \t\2/p' Makefile

up: $(RUNTIME) ## install, start everything, print one URL (ARGS="--no-portal" and the like)
	@exec $(BIN)/farebox up $(ARGS)

test: $(DEV) ## install what the tests need too, and run them all (ARGS="tests/pricing" and the like)
	@$(BIN)/python -m tests.support.chromium
	@$(if $(ARGS),$(PYTEST) $(ARGS),$(WHOLE))

fast: $(DEV) ## run the tests that need no engine and no browser
	@$(PYTEST) -m fast --hypothesis-profile quick $(ARGS)

cover: $(DEV) ## run the tests as `make test` does, and say what none of them reaches
	@$(BIN)/python -m tests.support.chromium
	@$(PYTEST) --cov --cov-report=term $(ARGS)

# The whole is spread over the cores. What ARGS names is run in one process, which starts sooner.
SPREAD := $(if $(ARGS),,--numprocesses auto --maxprocesses 8 --dist loadfile)
# Tests start Farebox many times over: without bytecode on disk, each start would compile it anew
PYTEST = exec env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest $(SPREAD)
# The whole once, and a few that failed once more, by themselves
WHOLE = exec env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m tests.support.whole $(SPREAD)

lint: $(DEV) ## check style, types and the rules between rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@$(BIN)/zizmor --offline --no-progress --quiet .github

format: $(DEV) ## format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(DEV) ## build the site of docs/ into site/, and refuse a broken link
	@$(BIN)/zensical build --clean --strict

docs-serve: $(DEV) ## show the site of docs/ while you write it
	@exec $(BIN)/zensical serve $(ARGS)

dist: $(DEV) ## build both distributions into dist/
	@rm -rf dist
	@cd backend_client && ../$(BIN)/hatchling build -d ../dist
	@$(BIN)/hatchling build -d dist

lock: $(DEV) ## write the lock files anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(COMPILE) pyproject.toml --all-extras --group build -o requirements/runtime.lock
	@$(COMPILE) pyproject.toml --all-extras --group dev -c requirements/runtime.lock -o requirements/dev.lock
	@$(COMPILE) --no-deps requirements/weights.in -o requirements/weights.lock

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-emit-package farebox-client --no-header $(ARGS)

clean: ## remove what was installed and built, but no data
	rm -rf .venv .web .cache site dist

$(VENV):
	@test -n "$(PYTHON)" || { echo "Farebox needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "Making .venv"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

# The locks are complete, so pip has nothing to resolve; every file is checked against its hash.
$(RUNTIME): $(VENV)
	@echo "Installing Farebox (the first time takes a few minutes)"
	@rm -f .venv/.runtime-* .venv/.dev-*
	@$(INSTALL) --require-hashes -r requirements/runtime.lock -r requirements/weights.lock
	@$(INSTALL) --no-build-isolation --editable backend_client --editable .
	@touch $@

$(DEV): $(VENV)
	@echo "Installing Farebox and what its tests need (the first time takes a few minutes)"
	@rm -f .venv/.runtime-* .venv/.dev-*
	@$(INSTALL) --require-hashes -r requirements/dev.lock -r requirements/weights.lock
	@$(INSTALL) --no-build-isolation --editable backend_client --editable .
	@touch $@ $(RUNTIME)
