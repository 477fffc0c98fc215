# Every target sets up what it needs; a set-up that is there already costs next to nothing.
# Needs: Python >= 3.11 (PYTHON=... to choose one) and make.

PYTHON ?= python3
CONFIG ?= configs/quickstart.toml
QUICK  ?= --quick
SIDE_BY_SIDE ?= -n logical --maxprocesses 8 --dist worksteal
# Where tests of these marks are; tests/conftest.py holds them to it.
WHOLE_RUNS = tests/end_to_end tests/studies
ALONE = tests/reproduction tests/bench
THREE_AT_A_TIME ?= -n 3 --dist worksteal
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Tests start hundreds of processes: none of them is to compile again what one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup train test test-exhaustive test-fast check format bench report reproduce clean

help:      ## show this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(READY)      ## make the virtual environment with pinned dependencies

$(READY): pyproject.toml constraints.txt scripts/bootstrap.py
	$(PYTHON) scripts/bootstrap.py $(VENV)
	touch $(READY)

train: $(READY)      ## train (CONFIG=configs/quickstart.toml)
	$(BIN)/mdl run $(CONFIG)

# Whole runs, of several processes each, go three at a time, as many of them wait by the clock; what measures
# goes by itself at the end.
test: $(READY)      ## run all tests, of the longest a part
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not whole_run and not alone and not exhaustive"
	$(BIN)/python -m pytest $(THREE_AT_A_TIME) -m "whole_run and not exhaustive" $(WHOLE_RUNS)
	$(BIN)/python -m pytest -m alone $(ALONE)

test-exhaustive: $(READY)      ## run what `make test` leaves out: every message and moment (long)
	$(BIN)/python -m pytest $(THREE_AT_A_TIME) -m exhaustive

test-fast: $(READY)      ## run the tests that start no processes
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not exhaustive"

check: $(READY)      ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)      ## put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)      ## measure schemes, exchanges, transport and the launcher on this machine
	$(BIN)/mdl bench schemes
	$(BIN)/mdl bench exchange
	for bench in benchmarks/bench_*.py; do $(BIN)/python -m benchmarks.$$(basename $$bench .py) || exit 1; done

report: $(READY)      ## draw all runs side by side (RUNS="runs/*")
	$(BIN)/mdl report $(or $(RUNS),$(dir $(wildcard runs/*/experiment.toml))) --out runs

reproduce: $(READY)      ## run the paper's figures again (QUICK= for the full study)
	$(BIN)/mdl reproduce all $(QUICK)

clean:      ## remove the environment and all caches; keeps runs/
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
