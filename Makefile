# `make` lists the targets. They install the locked requirements into .venv first, if these changed.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# PasteDeploy interprets % and \ in the path of an ini file: this one is without the checkout's name.
HERE := $(if $(findstring %,$(CURDIR))$(findstring \,$(CURDIR)),/proc/self/cwd/)

# The ini file of `make migrate` and `make shell`.
INI ?= $(HERE)development.ini

# The URL of a database of a Citus coordinator: `make test` runs the functional tests on the cluster.
CITUS_URL ?=

# The revision of the last release's schema.
RELEASED = $(shell sed -n 's/^revision //p' migrations/previous_release)

# Seconds that `make fuzz` takes.
SECONDS ?= 300

# Options of `make bench`, as in `make bench BENCH='--seconds 10'` or `make bench BENCH=--growth`.
BENCH ?=

# Options of `make lock`. Without --upgrade, versions change only if setup.cfg requires it.
LOCK ?=

# Of the shell: the packages of .venv are used, and those of the checkout, where it is now.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH
# Each program of the tests would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

# Modules are run rather than the scripts of .venv/bin, which have the path where they were installed.
# This one runs a module that Ctrl-C ends at once, without a traceback, until it handles the signal.
# (_signal is what the module signal imports, after much else.)
RUN := exec $(BIN)/python -S -c 'import _signal; _signal.signal(_signal.SIGINT, _signal.SIG_DFL); \
	import runpy, site, sys; site.main(); del sys.argv[0]; \
	runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)'
PIP := $(RUN) pip --quiet --disable-pip-version-check
# With the extras, since pip looks for the newest version of one that is not pinned.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --custom-compile-command 'make lock' $(LOCK)

# In an environment of its own: its dependencies exclude those of development.
CHECKOV := .venv/checkov/.installed

.DEFAULT_GOAL := help
.PHONY: help serve test lint typecheck vocabulary squawk migrate shell fuzz torture bench format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

serve: $(INSTALLED) ## Serve on this machine, with PostgreSQL, Cognito, S3 and Turnstile
	@$(RUN) pyramid.scripts.pserve $(HERE)development.ini parent=$$PPID

test: $(if $(CITUS_URL),$(INSTALLED),lint typecheck) ## Run lint, typecheck and pytest, with coverage
	CITUS_URL='$(CITUS_URL)' $(BIN)/python -m pytest --numprocesses 4 --dist loadfile \
		$(if $(CITUS_URL),tests/functional,--cov --cov-report term-missing:skip-covered)

lint: $(INSTALLED) $(CHECKOV) vocabulary squawk ## Check style, imports, vocabulary, migrations and deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python $(BIN)/lint-imports
	$(BIN)/python $(BIN)/cfn-lint deploy/aws.yaml
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/python $(BIN)/kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))
	.venv/checkov/bin/python .venv/checkov/bin/checkov --config-file deploy/checkov.yaml
	@$(PIP) check

typecheck: $(INSTALLED) ## Check types with mypy
	$(BIN)/python -m mypy

# The exit status of grep is 1 without a match, and 2 for an error.
vocabulary:
	@grep -rnwF -f .vocabulary --include '*.py' jobtracker tests benchmarks; \
		test $$? -eq 1 || { echo 'Names that .vocabulary rules out'; exit 1; }

# Of the migrations since the last release: those of before are never edited.
squawk: $(INSTALLED)
	@mkdir -p build
	@$(RUN) alembic -c $(HERE)development.ini upgrade $(RELEASED):head --sql > build/migrations.sql
	$(BIN)/squawk build/migrations.sql

migrate: $(INSTALLED) ## Migrate the database of INI (development.ini) to the newest schema
	@$(RUN) alembic -c $(INI) upgrade head

shell: $(INSTALLED) ## Open a Python prompt with the resource tree of INI (development.ini)
	@$(RUN) pyramid.scripts.pshell $(INI)

fuzz: $(INSTALLED) ## Run Schemathesis against a server for SECONDS (300)
	@$(BIN)/python -m tests.fuzz $(SECONDS)

torture: $(INSTALLED) ## Run crashes, faults and load against running servers: an hour
	$(BIN)/python -m pytest -m torture tests/torture tests/browser -s

bench: $(INSTALLED) ## Run the benchmarks with the options BENCH: see benchmarks/README.md
	@$(PIP) install --require-hashes --requirement requirements/bench.txt
	@$(BIN)/python -m benchmarks $(BENCH)

format: $(INSTALLED) ## Format the code, and apply the fixes of ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## Lock the dependencies of setup.cfg (LOCK=--upgrade: newest versions)
	$(COMPILE) setup.cfg --extra dev --output-file requirements/dev.txt
	$(COMPILE) setup.cfg --extra redis --extra otel --constraint requirements/dev.txt \
		--output-file requirements/production.txt
	$(COMPILE) setup.cfg --extra bench --constraint requirements/dev.txt \
		--output-file requirements/bench.txt
	$(COMPILE) requirements/checkov.in --output-file requirements/checkov.txt

clean: ## Remove .venv, var/ and everything that was generated
	rm -rf .venv var build *.egg-info .coverage* .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache .hypothesis

$(INSTALLED): setup.cfg pyproject.toml requirements/dev.txt $(BIN)/python
	@exec $(PYTHON) -S requirements/install.py

# A link, to an interpreter that may be gone.
$(BIN)/python: ;

$(CHECKOV): requirements/checkov.txt | $(INSTALLED)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/checkov
	@$(BIN)/uv pip sync --quiet --python .venv/checkov --require-hashes requirements/checkov.txt
	@touch $@
