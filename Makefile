# Every target works in .venv, which it makes and fills from requirements/*.txt, hashes checked.
# `make demo` and `make test` are all that a fresh machine needs: Python 3.11 or newer, a JDK 21 or newer, and make.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
.DEFAULT_GOAL := help
# The tests start osform a thousand times: its modules are compiled once, whatever the shell asks for.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Say what the targets do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
	  "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12")'
	@echo "making .venv"
	@$(PYTHON) -m venv .venv || { echo "no venv module: install your system'\''s python3-venv package"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

# The packages of the demo are a part of those of the tests, at the same versions, so either may come first.
.venv/demo: .venv/bin/uv requirements/demo.txt pyproject.toml
	@echo "installing the packages of requirements/demo.txt (torch among them: about 5 GB on disk, some minutes at first)"
	@$(UV) --require-hashes -r requirements/demo.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/bin/uv requirements/dev.txt pyproject.toml
	@echo "installing the packages of requirements/dev.txt (torch among them: about 5 GB on disk, some minutes at first)"
	@$(UV) --require-hashes -r requirements/dev.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@ .venv/demo

# What the local cluster needs is looked for before gigabytes are downloaded.
.PHONY: demo-check
demo-check: .venv/bin/uv
	@$(BIN)/python examples/demo.py --check

.PHONY: demo
demo: demo-check .venv/demo ## From nothing to semantic search on a local OpenSearch
	@$(BIN)/python examples/demo.py

.PHONY: demo-clean
demo-clean: .venv/demo ## Take away what the demo made: the local cluster, its data, its files
	@$(BIN)/osform cluster down --purge
	@rm -rf .demo

.PHONY: test
test: .venv/dev ## All tests, those on a real cluster among them and beside the others
	@$(BIN)/pytest -n 2 --dist loadgroup -m "not soak"

.PHONY: test-fast
test-fast: .venv/dev ## The tests that need neither a cluster nor torch
	@$(BIN)/pytest -m "not live and not export and not soak"

# The reconciler's live tests, and those for a secured cluster alone.
LONG := --timeout 7200 -o faulthandler_timeout=0
SECURED := $(addprefix tests/live/test_,$(addsuffix .py,apply every_kind every_field upkeep plan_file locking killed_apply \
  registration replacing import secured rights secrets))
.PHONY: soak
soak: .venv/dev ## The long sweeps, and every live test on OpenSearch 2.19.6
	@$(BIN)/pytest -m soak $(LONG) -o log_cli=true -o log_cli_level=INFO -o log_format="%(message)s" --durations=40
	@OSFORM_TEST_VERSION=2.19.6 $(BIN)/pytest -m live $(LONG) tests/live
	@OSFORM_TEST_SECURE=1 $(BIN)/pytest -m live $(LONG) $(SECURED)

.PHONY: lint
lint: .venv/dev ## Formatting, lint, types, layers, locks
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/supply.py audit

.PHONY: bench
bench: .venv/dev ## Measure against peers, as ratios
	@$(BIN)/python -m bench

LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"
.PHONY: lock
lock: .venv/bin/uv ## Write requirements/*.txt anew, from pyproject.toml and requirements/*.in
	@$(LOCK) --all-extras pyproject.toml requirements/dev.in -o requirements/dev.txt
	@$(LOCK) $(addprefix --extra ,export caption parquet zstd local examples) pyproject.toml requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	@$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	@$(LOCK) requirements/uv.in -c requirements/dev.txt -o requirements/uv.txt
	@$(LOCK) requirements/peers.in -o requirements/peers.txt
