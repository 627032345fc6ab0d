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
AS_ROOT := $(if $(filter-out 0,$(shell id -u)),sudo --non-interactive)

.PHONY: help setup demo test lint types unit test-integration bubblewrap chromium latex perf docs clean
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
unit: setup $(if $(CI),bubblewrap)
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist worksteal --ignore tests/integration $(if $(CI),--cov --cov-report=,-m 'not slow')

# Real models, servers, clean environments, and attacks: takes about 45 minutes. Most tests wait for a server, so that two
# processes save half the time; Ray's replicas need both cores. What it downloads (about 1 GB) and builds (about 4 GB in
# ~/.cache/rmeval-tests) is kept for the next time.
test-integration: setup bubblewrap chromium latex
	$(INSTALL) axe-playwright-python bitsandbytes trl gguf build playwright 'transformers[serving]' --editable '.[any-llm,docs]'
	$(BIN)/pytest tests/integration --numprocesses 2 --dist loadfile --ignore tests/integration/test_ray.py
	$(BIN)/pytest tests/integration/test_ray.py

# For the sandbox of generated code. Where it cannot be installed, its tests are skipped and state it.
bubblewrap:
	@command -v bwrap >/dev/null || { command -v apt-get >/dev/null && $(AS_ROOT) apt-get install --yes --quiet bubblewrap; } || true
	@$(if $(CI),bwrap --unshare-all --ro-bind / / true 2>/dev/null || $(AS_ROOT) sysctl -q kernel.apparmor_restrict_unprivileged_userns=0 || )true

# For the pages. Where it cannot be installed, the tests in a browser are skipped and state it.
chromium:
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes --quiet chromium; } || true

# For the LaTeX of reports. Where it cannot be installed, its test is skipped and states it.
latex:
	@command -v pdflatex >/dev/null || { command -v apt-get >/dev/null && $(AS_ROOT) apt-get update --quiet && $(AS_ROOT) apt-get install --yes --quiet --no-install-recommends texlive-latex-recommended lmodern; } || true

perf: setup
	$(BIN)/python -m perf.engine --out docs/performance.md
	$(BIN)/python -m perf.pairs --out docs/performance.md
	$(BIN)/python -m perf.transport --out docs/performance.md
	$(BIN)/python -m perf.judges --out docs/performance.md
	$(BIN)/python -m perf.sandbox --out docs/performance.md

docs: setup
	$(INSTALL) --editable '.[docs]'
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs site
	@echo "site/index.html"

clean:
	rm -rf $(VENV) dist site .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
