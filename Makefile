# `make demo` and `make test` each set up all they need on a fresh machine.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench docs install clean

install: $(STAMP)

# The package's build makes the studio's page, too; a change of its sources makes it again.
PAGE := hatch_build.py $(shell find web -type f -not -path '*/node_modules/*')

$(STAMP): pyproject.toml constraints.txt $(PAGE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: $(STAMP)
	$(BIN)/histoscribe demo --out demo

# One thread for each numerical library: on shared cores two threads of ONNX Runtime or BLAS run slower than one.
test: $(STAMP)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/histoscribe papers check
	$(BIN)/python docs/check_sources.py
	$(BIN)/python docs/generate.py --check
	$(BIN)/python docs/results.py --check
	$(BIN)/python docs/board.py --check
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build/html

docs: $(STAMP)
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/results.py
	$(BIN)/python docs/board.py
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build/html

# Long measurements with real or generated data; each script says what it needs and prints n, seed and split.
bench: $(STAMP)
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean:
	rm -rf $(VENV) demo docs/_build web/node_modules src/histoscribe/studio/static
