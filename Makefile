# Two commands: `make serve` and `make test`. Each makes what it needs, and is quick the second time.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Seconds that `make fuzz` takes.
SECONDS ?= 300

# Options of `make bench`, as in `make bench BENCH='--seconds 10'`.
BENCH ?=

.PHONY: serve test fuzz torture bench format clean

serve: $(INSTALLED)
	@$(BIN)/pserve development.ini

test: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/cfn-lint deploy/aws.yaml
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile

fuzz: $(INSTALLED)
	@$(BIN)/python -m tests.fuzz $(SECONDS)

bench: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,bench]'
	@$(BIN)/python -m benchmarks $(BENCH)

torture: $(INSTALLED)
	$(BIN)/pytest -m torture tests/torture -s

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv var build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "JobTracker needs Python 3.11 or later: make PYTHON=python3.x " + "$(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
