# make demo   sets up .venv and runs an example
# make test   sets up .venv, then lint, types and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup demo test lint types unit test-integration clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[hf,dev]'
	@touch $@

setup: $(READY)

demo: setup
	$(BIN)/rmeval run examples/scorer.py:Overlap -b pairs --data examples/pairs.jsonl

test: lint types unit

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/pytest --numprocesses 2 --ignore tests/integration

# Real models and clean environments; downloads about 100 MB once.
test-integration: setup
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt peft gguf build
	$(BIN)/pytest tests/integration

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
