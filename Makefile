# make demo   sets up .venv and runs the reward model that comes with rmeval on a generated benchmark
# make test   sets up .venv, then runs lint, types and tests; with CI=1 also slow tests, and checks the minimum coverage
# make perf   measures speed and memory against other methods in about 30 minutes; adds tables to docs/performance.md
# make docs   builds the documentation site into site/
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
USABLE := $(VENV)/.usable
READY := $(VENV)/.ready

.PHONY: help setup demo test lint types unit test-integration perf docs clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(USABLE): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable '.[hf,plots]'
	@touch $@

$(READY): $(USABLE)
	$(INSTALL) --editable '.[hf,plots,dev]'
	@touch $@

setup: $(READY)

demo: $(USABLE)
	$(BIN)/rmeval demo

test: lint types unit

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python scripts/check_words.py

types: setup
	$(BIN)/mypy

# One thread per process: two processes with a thread per core each compete for the cores and take twice as long.
# Measuring coverage takes 40% more CPU time, and the slow tests as much again.
unit: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal --ignore tests/integration $(if $(CI),--cov --cov-report=,-m 'not slow')

# Real models, servers, clean environments, and attacks: takes about 45 minutes. What it downloads (about 1 GB) and builds
# (about 4 GB in ~/.cache/rmeval-tests) is kept for the next time.
test-integration: setup
	$(INSTALL) bitsandbytes trl gguf build playwright 'transformers[serving]' --editable '.[any-llm,docs]'
	command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	$(BIN)/pytest tests/integration

perf: setup
	$(BIN)/python -m perf.engine --out docs/performance.md
	$(BIN)/python -m perf.pairs --out docs/performance.md
	$(BIN)/python -m perf.transport --out docs/performance.md
	$(BIN)/python -m perf.judges --out docs/performance.md

docs: setup
	$(INSTALL) --editable '.[docs]'
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs site
	@echo "site/index.html"

clean:
	rm -rf $(VENV) dist site .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
