# Run `make` for the list of recipes. Everything lives in .venv; `demo` alone makes a small .venv-demo if .venv is absent.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin
PIP := -m pip --disable-pip-version-check
# The demo uses .venv when it is there, else a venv of the core dependencies only (no torch, no numba).
DEMO_READY := $(if $(wildcard $(READY)),$(READY),.venv-demo/.ready)
DEMO_BIN := $(patsubst %/.ready,%/bin,$(DEMO_READY))

.DEFAULT_GOAL := help
.PHONY: help venv demo test check format format-check lint type imports wheel bench tables pages docs clean

help:  ## list the recipes
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

venv: $(READY)  ## .venv with everything, versions from constraints.txt

# torch first: the pinned version decides which build of it is taken.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install -q 'pip>=25.1'
	$(BIN)/python $(PIP) install -q -c constraints.txt torch==2.13.0
	$(BIN)/python $(PIP) install -q -c constraints.txt -e '.[all,cluster]' --group dev
	touch $@

.venv-demo/.ready: pyproject.toml constraints.txt
	test -x .venv-demo/bin/python || $(PYTHON) -m venv .venv-demo
	.venv-demo/bin/python $(PIP) install -q -c constraints.txt -e .
	touch $@

demo: $(DEMO_READY)  ## compare the allocators on metro-inference, write reports/metro-inference.{json,html}
	mkdir -p reports
	$(DEMO_BIN)/bwalloc compare metro-inference --json reports/metro-inference.json --report reports/metro-inference.html

test: $(READY)  ## the whole suite, slow and real-network tests included
	$(BIN)/python -m pytest -q -n 2 -m ""

check: format-check lint type imports wheel  ## format, lint, types, import contracts, wheel contents

format: $(READY)  ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

format-check: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

type: $(READY)
	$(BIN)/pyright

imports: $(READY)
	$(BIN)/lint-imports

wheel: $(READY)
	$(BIN)/python -m pytest -q tests/test_wheel.py

bench: $(READY)  ## measure again what benchmarks/results holds (minutes), and rewrite the tables
	$(BIN)/bwalloc bench env --section all $(if $(MOBILE_PYTHON),--mobile-python $(MOBILE_PYTHON)) --json benchmarks/results/env-speed.json
	$(BIN)/python benchmarks/plot_env_speed.py
	for name in tiny-edge geo-training enterprise-naas national-mixed random-edge; do \
	    $(BIN)/bwalloc bench env $$name --seconds 1 --json benchmarks/results/env-speed-$$name.json && \
	    $(BIN)/bwalloc compare $$name --json benchmarks/results/compare-$$name.json || exit 1; done
	for name in metro-inference geo-training enterprise-naas national-mixed random-edge; do own=$$(test -d agents/$$name && echo ,$$name); \
	    $(BIN)/bwalloc compare $$name --episodes 40 --no-bound --allocators constant,forecast,newsvendor,best-tier,stochastic-lp,generalist$$own \
	    --json benchmarks/results/gains-$$name.json || exit 1; done
	$(BIN)/python benchmarks/real_topologies.py --agent generalist --rules forecast stochastic-lp best-tier newsvendor max-min
	$(BIN)/bwalloc compare metro-inference --episodes 40 --json benchmarks/results/compare-metro-inference.json
	$(BIN)/bwalloc verify metro-inference --json benchmarks/results/verify-metro-inference.json
	$(BIN)/python benchmarks/tables.py
	$(BIN)/bwalloc bench decide --json benchmarks/results/decide.json

tables: $(READY)  ## write the tables of the READMEs from benchmarks/results
	$(BIN)/python benchmarks/tables.py

pages: $(READY)  ## write the page of every environment from its file
	for file in envs/*.toml; do name=$$(basename $$file .toml); \
	$(BIN)/bwalloc envs show $$name --markdown > docs/environments/$$name.md || exit 1; done

docs: $(READY)  ## build the documentation; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

clean:  ## remove venvs, builds, reports and caches
	rm -rf .venv .venv-demo dist build reports docs/_build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
