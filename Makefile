# Rattil: everything a new machine needs. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
CODE := gateway asr_worker session_router shared rattil cli benchmarks deploy training tests

.PHONY: help install demo run test check lint types rules format samples settings manifests images clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv and install Rattil into it

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Rattil needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Install one and say which: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "This Python cannot make virtual environments: its ensurepip is missing." >&2; \
	  echo "On Debian or Ubuntu: sudo apt install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing Python packages into $(VENV): about 560 MB, once; some minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## start everything, recite two samples, check the feedback, stop
	$(BIN)/rattil demo

run: $(STAMP) ## start everything and stay up (HOST, PORT; 127.0.0.1:8000)
	$(BIN)/rattil up

test: $(DEV_STAMP) ## all tests (a real Redis and the real model included)
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile tests/unit tests/contract tests/integration
	$(BIN)/pytest --numprocesses auto --maxprocesses 2 --dist loadfile tests/e2e

check: lint types rules test ## lint, format, types, import rules, tests

lint: $(DEV_STAMP) ## ruff: lint and format
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)

types: $(DEV_STAMP) ## mypy, strict
	$(BIN)/mypy

rules: $(DEV_STAMP) ## import-linter: who may import whom
	$(BIN)/lint-imports

format: $(DEV_STAMP) ## format and sort imports
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

settings: $(STAMP) ## write docs/configuration.md, metrics.md, openapi.json and asyncapi.json from the code
	$(BIN)/python -m cli.settings_table
	$(BIN)/python -m cli.metrics_table
	$(BIN)/python -m cli.api_documents

manifests: $(STAMP) ## render the Helm chart with every values file, write deploy/k8s/base, validate all
	$(BIN)/python -m deploy.manifests

images: $(STAMP) ## build the container images (needs docker): pins the bases by digest first
	$(BIN)/python -m deploy.images pin
	$(BIN)/python -m deploy.images build

samples: $(STAMP) ## make the demo's recitations again (needs espeak-ng)
	$(BIN)/python -m training.samples

clean: ## remove .venv and everything generated
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
