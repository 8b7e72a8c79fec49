# `make help` lists what there is. Everything runs from .venv, which these rules make and keep current.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# Flask would read .env into the environment of every command, the tests' among them; our settings read it themselves.
export FLASK_SKIP_DOTENV := 1
export FLASK_APP := wsgi.py

.DEFAULT_GOAL := help
.PHONY: help run test lint format types migrate bench lock

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

.venv/app.installed: requirements.lock installer.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON= to one."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@./.install requirements.lock
	@touch $@

.venv/dev.installed: requirements-dev.lock .venv/app.installed
	@./.install requirements-dev.lock
	@touch $@

run: .venv/app.installed ## start the site, its worker, clock, queue and the sandbox Cal.com; Ctrl-C stops all
	@exec $(BIN)/python -m hds.up --end-with-parent

test: .venv/dev.installed lint types ## lint, types, and every test on both pairs of database and queue
	@$(BIN)/python -m tests.run

lint: .venv/dev.installed ## ruff, import-linter, djlint
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/djlint templates hds/sandbox/templates --lint --quiet

format: .venv/dev.installed ## rewrite the code in the one format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

types: .venv/dev.installed ## mypy, strict on hds/
	@$(BIN)/mypy

migrate: .venv/app.installed ## bring the database up to date
	@$(BIN)/flask db upgrade

bench: .venv/dev.installed ## rates as ratios to a floor measured in the same run, memory, start times
	@$(BIN)/python -m tests.bench

lock: .venv/dev.installed ## choose versions anew
	echo uv | $(BIN)/uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o installer.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -c requirements.lock -o requirements-dev.lock
