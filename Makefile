# make demo    the whole loop on a small world, to out/demo/report.html
# make test    the tests
# make check   format, lint, types, import contracts, spelling
# make slow    the tests that take long as well
# make mutants change the formulas one place at a time: every change must fail a test
# make clean   remove the environment and everything that runs wrote to out/

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-compile \
	--constraint requirements.lock

.PHONY: demo test slow check mutants venv clean

demo: $(VENV)/with-train
	$(BIN)/accord run --out out/demo

# One process for each core, one thread in each: threads of their own would fight for the cores.
test: $(VENV)/with-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not slow"

slow: $(VENV)/with-dev
	$(BIN)/python -m pytest -q

check: $(VENV)/with-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

mutants: $(VENV)/with-dev
	$(BIN)/python scripts/mutate.py

venv: $(VENV)/with-dev

$(VENV)/with-train: pyproject.toml requirements.lock | $(BIN)/pip
	@echo "installing Accord and what it trains with into $(VENV) (once, some minutes)"
	$(INSTALL) --editable '.[train]'
	@touch $@

$(VENV)/with-dev: pyproject.toml requirements.lock | $(BIN)/pip
	@echo "installing Accord and what its tests need into $(VENV) (once, some minutes)"
	$(INSTALL) --editable '.[train,web,dev]'
	@touch $@ $(VENV)/with-train

# Debian keeps ensurepip in a package of its own; without it, the system's pip installs one.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Accord needs Python 3.11 or newer; try: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check pip; }

clean:
	rm -rf $(VENV) out
