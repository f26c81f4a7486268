# Needs make and a python3 with venv; everything else goes into .venv. `make help` lists the targets.

PYTHON ?= python3
OUT ?= out

BIN := .venv/bin
INSTALLED := .venv/.installed
PYTHON_MIN := $(shell sed -n 's/^requires-python = ">=\([0-9.]*\)".*/\1/p' pyproject.toml)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# pyright is the pinned one: it does not ask whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: help install demo check test test-kernels validate lint format bench gpu docs hooks clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Another Python: make clean, then make PYTHON=python3.13 TARGET"

install: $(INSTALLED) ## create .venv with entropax and its tools, versions pinned

demo: $(INSTALLED) ## two figures of Usui et al. (2024) at the published size, into out/usui2024
	$(BIN)/entropax reproduce usui2024-fig4 usui2024-fig5 --out $(OUT)/usui2024

# Whole files go to the workers, longest first as tests/durations.json has them. What programs are
# compiled with, and the folder that keeps them, stand in tests/environment.py.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

check: lint ## lint, types and tests/unit: for every few minutes of work
	$(PYTEST) tests/unit

test: lint ## everything: lint, types, tests, README code, notebooks, benchmarks run small
	$(PYTEST)

test-kernels: $(INSTALLED) ## the numerically sharp tests under each kernel of OpenBLAS that this machine runs
	$(BIN)/python tests/kernels.py

validate: $(INSTALLED) ## numbers from the literature beside our own, at the published size
	$(BIN)/entropax validate

lint: $(INSTALLED) ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(INSTALLED) ## rewrite the code in the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED) ## time the benchmarks, rivals in the same run, and write benchmarks/README.md
	mkdir -p $(OUT)
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-json=$(OUT)/benchmarks.json
	$(BIN)/python -m benchmarks.report $(OUT)/benchmarks.json benchmarks/README.md

gpu: $(INSTALLED) ## the sharp tests and five tasks on a GPU beside the CPU; writes benchmarks/GPU.md
	JAX_PLATFORMS= $(BIN)/python -m pytest -q -m kernels tests/unit
	$(BIN)/python -m benchmarks.gpu benchmarks/GPU.md

docs: $(INSTALLED) ## write what docs/ takes from the source: tables of ledgers, the floors
	$(BIN)/python docs/from_source.py

hooks: $(INSTALLED) ## have git look at each commit: style, large files, the message
	$(BIN)/pre-commit install --hook-type pre-commit --hook-type commit-msg

clean: ## remove .venv, builds and caches; results in out/ stay
	rm -rf .venv build dist .benchmarks .hypothesis .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment left half-made by an interrupted call is made again; a working one is brought up to date.
$(INSTALLED): pyproject.toml constraints.txt
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || { \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(PYTHON_MIN)".split("."))))' || { \
			echo "entropax needs Python $(PYTHON_MIN) or newer; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1)" >&2; \
			echo "Name another one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
			exit 1; \
		}; \
		echo "Creating .venv and installing entropax: once, a minute or two."; \
		$(PYTHON) -m venv --clear .venv; \
	}
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
