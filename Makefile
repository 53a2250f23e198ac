# `make help` lists the targets. Everything runs in .venv, which is made from pyproject.toml and constraints.txt.

SHELL := /bin/sh
PY := .venv/bin/python
INSTALL := $(PY) -m pip install -qq --disable-pip-version-check --no-input -c constraints.txt
PACKAGES := sliceworks.protocol sliceworks.operations sliceworks.master sliceworks.worker sliceworks.cli tools benchmarks tests
ARGS ?=
ROW ?=

# Settings of the caller's own Python must not reach into the environment.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

# An environment made in another folder points there: make it again.
ifneq ($(shell cat .venv/.folder 2>/dev/null),$(CURDIR))
$(shell rm -f .venv/.runtime)
endif

.DEFAULT_GOAL := help
.PHONY: help demo test lint check docs bench faults chaos recovery simulate mutants test-systemd test-network clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

demo: .venv/.runtime ## run the main job: find every function of the Python standard library
	@$(PY) -m tools.demo

test: .venv/.dev ## run the tests (ARGS="tests/cli -k run" for some)
	@$(PY) -m pytest $(ARGS)

lint: .venv/.dev ## format, lint, types, layers, sizes, generated pages: all but the tests
	@$(PY) -m ruff format --check --quiet . || { $(PY) -m ruff format --diff .; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy $(addprefix -p ,$(PACKAGES))
	@.venv/bin/lint-imports --no-logo
	@$(PY) -m tools.sizes
	@$(PY) -m tools.banned_calls
	@$(PY) -m tools.states --check
	@$(PY) -m tools.settings_reference --check
	@$(PY) -m tools.metrics_reference --check
	@$(PY) -m tools.cli_reference --check
	@$(PY) -m tools.api_reference --check

check: lint test ## everything that CI runs

docs: .venv/.dev ## write the pages that are made from the code
	@$(PY) -m sliceworks.operations.reference > docs/operations.md
	@$(PY) -m tools.states
	@$(PY) -m tools.settings_reference
	@$(PY) -m tools.metrics_reference
	@$(PY) -m tools.cli_reference
	@$(PY) -m tools.api_reference

bench: .venv/.dev ## measure every row of docs/benchmarks.md, or ROW="idle first" (FULL=1: the long way)
	@$(PY) -m benchmarks.bench $(ROW)

faults: .venv/.dev ## kill each kind of process in mid-run, and say what became of the slices
	@$(PY) -m benchmarks.faults

simulate: .venv/.dev ## play schedules of faults on virtual time (SEEDS=10000, or SEED=123 again)
	@$(PY) -m tools.simulate

mutants: .venv/.dev ## plant ten faults, and see the simulation find each
	@$(PY) -m tools.mutants

chaos: .venv/.runtime ## 200 kills at random, then verify
	@$(PY) -m sliceworks.cli chaos --seed 1 --kills 200 $(ARGS)

recovery: .venv/.dev ## time from a kill to work going on
	@$(PY) -m benchmarks.recovery

test-network: .venv/.dev ## break the link between two hosts (network namespaces) in five ways, and heal it (as root)
	@$(PY) -m tests.network.trial

test-systemd: .venv/.dev ## try the units under a real systemd, on three hosts inside this machine (as root)
	@$(PY) -m tests.systemd.trial $(ARGS) || [ $$? -eq 77 ]

clean: ## remove what make made
	rm -rf .venv dist demo-output bench-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.runtime: pyproject.toml constraints.txt
	@python=$$(tools/find_python.sh) || exit 1; \
	echo "making .venv with $$python"; \
	$(PY) -c 'import pip' 2>/dev/null && [ "$$(cat .venv/.folder 2>/dev/null)" = "$(CURDIR)" ] || $$python -m venv --clear .venv
	@$(INSTALL) hatchling
	@$(INSTALL) --no-build-isolation --editable .
	@printf '%s\n' "$(CURDIR)" > .venv/.folder
	@touch $@

.venv/.dev: .venv/.runtime
	@echo "adding the tools for development to .venv"
	@$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@
