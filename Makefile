# One command per need; `make help` lists them.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
CONFIG ?= tasks.yaml

VENV := .venv
BIN := $(VENV)/bin
TOOLS := .venv-tools
FUZZER := .venv-fuzz
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run test lint format lock sbom audit docs-assets chaos chaos-long fuzz bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Make the virtual environment, from hashed requirements

# A virtual environment counts only once its stamp is written, as the last step. Without one it is made anew;
# with an old one it is brought up to date.
$(STAMP): requirements/development.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "make: no $(PYTHON) here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Making $(VENV) …"
	@test -e $@ && rm $@ || $(PYTHON) -m venv --clear $(VENV)
	@# The lock is whole, so nothing is resolved: pip would look at newer releases of what is asked for with extras.
	@$(PIP) install --no-deps --require-hashes -r requirements/development.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $@

run: $(STAMP) ## Start the demo: Valkey, a worker and the gateway (HOST, PORT, CONFIG)
	@exec $(BIN)/python -m gateway dev --config "$(CONFIG)" --host "$(HOST)" --port "$(PORT)"

# Most tests wait for processes of their own, so that two cores bear more than two of them; the timed ones wait most of the time.
test: $(STAMP) ## Run the whole test suite: most of it on four processes, then what is held to a time on three
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not timed"
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m timed

lint: $(STAMP) ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code and fix what can be fixed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# What looks after the dependencies is none of them.
$(TOOLS)/.installed: requirements/tools.txt
	@$(PYTHON) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-deps --require-hashes -r $<
	@touch $@

lock: $(TOOLS)/.installed ## Lock the requirements again, with hashes
	$(COMPILE) requirements/runtime.in -o requirements/runtime.txt
	$(COMPILE) -c requirements/runtime.txt requirements/development.in -o requirements/development.txt
	$(COMPILE) -c requirements/development.txt requirements/fuzzing.in -o requirements/fuzzing.txt
	$(COMPILE) requirements/tools.in -o requirements/tools.txt

sbom: $(TOOLS)/.installed ## Write the bill of materials of the runtime, as CycloneDX, to dist/sbom.json
	@mkdir -p dist
	@$(TOOLS)/bin/cyclonedx-py requirements requirements/runtime.txt --output-reproducible --of JSON -o dist/sbom.json
	@echo dist/sbom.json

audit: $(TOOLS)/.installed ## Look up known vulnerabilities of what is locked, at PyPI
	$(TOOLS)/bin/pip-audit -r requirements/runtime.txt --disable-pip --require-hashes --strict --progress-spinner off

SWAGGER_UI := 5.35.0

docs-assets: ## Renew the files of the docs page from npm
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	npm pack --silent --pack-destination "$$folder" swagger-ui-dist@$(SWAGGER_UI) >/dev/null; \
	tar -xzf "$$folder"/*.tgz -C "$$folder"; \
	for name in swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE; do \
		cp "$$folder/package/$$name" gateway/web/assets/; done; \
	cp "$$folder/package/favicon-32x32.png" gateway/web/assets/favicon.png

# What the environment says counts; where it is silent, what stands here.
say = $(foreach each,$(1),$(firstword $(subst =, ,$(each)))="$${$(subst =,:-,$(each))}")

chaos: $(STAMP) ## Run the fault tests for some ten minutes; CHAOS_SEED draws other moments
	@$(call say,CHAOS_KILLS=20 CHAOS_LAUNCHES=4000 CHAOS_KILL_POINTS=5 CHAOS_REVOKES=50 CHAOS_BROKER_KILLS=3 CHAOS_ATTACKS=20 \
		CHAOS_WORKER_KILLS=12 CHAOS_WORKER_LAUNCHES=6500 CHAOS_RELOADS=50) \
		$(BIN)/python -m pytest tests/faults tests/end_to_end/test_reload.py -s

chaos-long: $(STAMP) ## The same for an hour and more
	@$(call say,CHAOS_KILLS=100 CHAOS_LAUNCHES=20000 CHAOS_KILL_POINTS=50 CHAOS_REVOKES=500 CHAOS_BROKER_KILLS=20 CHAOS_ATTACKS=200 \
		CHAOS_WORKER_KILLS=100 CHAOS_WORKER_LAUNCHES=50500 CHAOS_RELOADS=500) \
		$(BIN)/python -m pytest tests/faults tests/end_to_end/test_reload.py -s

FUZZ_TARGETS := yaml body cursor key query

# Beside what the tests need: a plugin of pytest and instrumented code have no place in their environment.
$(FUZZER)/.installed: requirements/development.txt requirements/fuzzing.txt
	@$(PYTHON) -m venv --clear $(FUZZER)
	@$(FUZZER)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-deps --require-hashes -r requirements/development.txt
	@$(FUZZER)/bin/python -m pip --disable-pip-version-check --no-input -qq install --no-deps --require-hashes -r requirements/fuzzing.txt
	@touch $@

fuzz: $(FUZZER)/.installed ## Attack the parsers with atheris, then real gateways with schemathesis (FUZZ_S, FUZZ_EXAMPLES)
	@mkdir -p dist/fuzz
	@set -e; for target in $(FUZZ_TARGETS); do echo "== $$target"; mkdir -p "dist/fuzz/$$target"; \
		$(FUZZER)/bin/python -m tests.fuzz.parsers $$target -max_total_time=$${FUZZ_S:-120} -timeout=5 -rss_limit_mb=2048 -verbosity=0 \
			-artifact_prefix=dist/fuzz/ "dist/fuzz/$$target" tests/data/valid tests/data/invalid; done
	@$(FUZZER)/bin/python -m tests.fuzz.api $${FUZZ_EXAMPLES:-40}

bench: $(STAMP) ## Run every benchmark
	@set -e; for file in $(sort $(filter-out benchmarks/_%,$(wildcard benchmarks/*.py))); do echo "== $$file"; $(BIN)/python "$$file"; done

clean: ## Remove the virtual environment and every cache
	rm -rf $(VENV) $(TOOLS) $(FUZZER) dist .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
