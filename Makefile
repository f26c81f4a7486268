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
.PHONY: help install demo test lint format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Another Python: make clean, then make PYTHON=python3.13 TARGET"

install: $(INSTALLED) ## create .venv with entropax and its tools, versions pinned

demo: $(INSTALLED) ## two figures of Usui et al. (2024) at the published size, into out/usui2024
	$(BIN)/entropax reproduce usui2024-fig4 usui2024-fig5 --out $(OUT)/usui2024

# Compiling takes most of the time and one core: tests are spread over all. One thread for the linear
# algebra of each, as several processes that each take all cores only wait for each other. XLA's older
# way to write loops compiles faster; the flag is one of the pinned jaxlib.
test: lint ## everything: lint, types, tests, README code and notebooks
	OPENBLAS_NUM_THREADS=1 XLA_FLAGS=--xla_cpu_use_fusion_emitters=false $(BIN)/python -m pytest -n auto --dist worksteal

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
