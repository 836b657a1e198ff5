# Everything runs in .venv, which each target makes for itself where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Each process begins in another part of the tests, so that tests that wait run beside tests that compute.
PYTEST := $(BIN)/pytest -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo check test coverage mutation format samples judges bench docs pictures clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "llx-mcp needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $(READY)

setup: $(READY) ## make .venv with the package and its development tools

demo: $(READY) ## show the main job on the embedded API: no account, no network
	$(BIN)/llx-mcp demo

check: $(READY) ## formatting, lint, types, security
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --severity-level medium llx_mcp

test: $(READY) ## run the tests on all processors
	$(PYTEST)

coverage: $(READY) ## run the tests and measure branch coverage; fails below 95 %
	$(PYTEST) --cov --cov-report=term

# Each package is changed, and tested by its own tests, in a copy of the last commit.
PACKAGES ?= result answers jobs query workers
mutation: $(READY) ## list changes to the code that its tests do not notice (hours; PACKAGES="query workers" for fewer)
	$(BIN)/python -m pip install --quiet --group mutation
	rm -rf .mutation && mkdir .mutation && git archive HEAD | tar -x -C .mutation
	cd .mutation && export PATH="$(abspath $(BIN)):$$PATH" PYTHONPATH="$$PWD" && for package in $(PACKAGES); do \
	  sed "s/PACKAGE/$$package/" cosmic-ray.toml > $$package.toml && \
	  cosmic-ray init $$package.toml $$package.sqlite && \
	  cr-filter-operators $$package.sqlite $$package.toml && \
	  cosmic-ray exec $$package.toml $$package.sqlite && \
	  cr-report --surviving-only --show-diff $$package.sqlite && \
	  cr-report $$package.sqlite | grep -o "TestOutcome.*" | sort | uniq -c | sed "s/^/$$package: /" || exit 1; \
	done

format: $(READY) ## format, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

samples: $(READY) ## draw the sample documents and jobs again
	$(BIN)/python -m samples

judges: $(READY) ## the conformance suite, inspector, mcpscore, npm client, schemathesis (needs Node and npm)
	$(BIN)/python -m judges

bench: $(READY) ## run the benchmarks
	$(BIN)/python -m pip install --quiet --group bench
	$(BIN)/python -m benchmarks

docs: $(READY) ## write the generated parts of the documentation again, and build it into site/
	$(BIN)/python -m pip install --quiet --group docs
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

pictures: $(READY) ## draw the pictures of the documentation again
	$(BIN)/python -m docs.draw

clean: ## remove what the other targets made
	rm -rf $(VENV) .judges .mutation dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
