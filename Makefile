# What a developer types; `make help` lists it. The set-up is made once, and again when its inputs change.

VENV ?= .venv
PYTHON ?= python3
SEED ?=
SEEDS ?= 1000
STATES ?= 200000
NUMBER ?=
ARGS ?=
JSON ?=

# The demo and the tests start hundreds of processes: what Python compiles is compiled once.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Tests wait for processes about a fifth of their time: one worker more than there are processors.
PYTEST := $(BIN)/python -m pytest --numprocesses $$(( $$(nproc) + 1 ))
LOCK_VENV := build/lock-venv
COMPILE := $(LOCK_VENV)/bin/uv --quiet pip compile --universal --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help demo demo-stop test long browser screenshots chromium lint bench simulate mutants crash dictionary lock \
	clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Play a street on this machine: make demo SEED=7 ARGS="--help"
	$(BIN)/python -m tools.demo $(if $(SEED),--seed $(SEED)) $(ARGS)

demo-stop: $(READY) ## End what `make demo` left running
	$(BIN)/python -m tools.demo.staying

test: $(READY) ## Run the tests: make test ARGS="-k proxy"
	$(PYTEST) --dist worksteal -m "not long and not browser" $(ARGS)

long: $(READY) ## Run the tests that take long: the simulated world, the whole demo and bench, memory dumps
	$(PYTEST) --dist worksteal -m long $(ARGS)

browser: $(READY) chromium ## Try the pages as their users would, in Debian's chromium
	$(PYTEST) --dist loadfile -m browser $(ARGS)

screenshots: $(READY) chromium ## Take a picture of every page: make screenshots ARGS="--looks zh-phone-light"
	$(BIN)/python -m tools.screenshots $(ARGS)

chromium:
	@command -v chromium >/dev/null && fc-list :lang=zh | grep -q . || { \
		apt-get update -qq && apt-get install -qq -y chromium fonts-noto-cjk >/dev/null || { \
		echo "Missing: chromium and Chinese fonts. On Debian: apt install chromium fonts-noto-cjk"; exit 1; }; }

lint: $(READY) ## Check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: $(READY) ## Play seeded worlds full of faults: make simulate SEEDS=20000
	$(BIN)/python -m tools.simulate --seeds $(SEEDS) $(ARGS)

mutants: $(READY) ## Show that the simulation finds every planted bug
	$(BIN)/python -m tools.simulate --mutants $(ARGS)

crash: $(READY) ## Cut the power of a real store anywhere, fail its disk: make crash STATES=5000; needs gcc
	$(BIN)/python -m tools.crash --states $(STATES) $(ARGS)

bench: $(READY) ## Measure exchanges and stores: make bench JSON=figures.json ARGS="--only push"
	$(BIN)/python -m tools.bench $(if $(JSON),--json $(JSON)) $(ARGS)

dictionary: $(READY) ## Train a dictionary for compression: make dictionary NUMBER=4
	$(BIN)/python -m tools.train_dictionary $(NUMBER)

lock: ## Write requirements/*.lock from pyproject.toml: make lock ARGS=--upgrade
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip --quiet --disable-pip-version-check install uv
	$(COMPILE) $(ARGS) pyproject.toml --output-file requirements/run.lock
	$(COMPILE) $(ARGS) pyproject.toml --extra dev --output-file requirements/dev.lock
	rm -rf $(LOCK_VENV)
	cd tools/frontend && npm install --package-lock-only
	$(PYTHON) -m tools.frontend.unaddressed

clean: ## Remove what the tools leave behind; the virtual environment stays
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(READY): requirements/dev.lock pyproject.toml tools/frontend/package-lock.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Missing: Python 3.11 or newer as '$(PYTHON)'."; \
		echo "On Debian 12 and later: apt install python3. Or name another: make PYTHON=python3.12 ..."; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "Missing: the venv module of '$(PYTHON)'. On Debian: apt install python3-venv"; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements/dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
