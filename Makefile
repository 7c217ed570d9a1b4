# What a developer needs; each target prepares what it stands on, and a second time does nothing.
PYTHON ?= python3.11
BIN := .venv/bin
CODE := policy models notifications documents services flows web deployments
# three processes: one of them waits for Prefect most of the time, whose tests stay together
# (tests/conftest.py)
PYTEST ?= -n 3 --dist loadgroup
VENDOR := web/static/vendor
# whose schema is printed: sqlite or postgresql
DB ?= sqlite

.DEFAULT_GOAL := help
.PHONY: help setup up test check lint types bench chaos schema lock sbom advisories format clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /make \1 \t/p' $(MAKEFILE_LIST)

setup: .venv/.ready $(VENDOR)/.ready  ## prepare the environment; starts nothing

.venv/.ready: requirements/dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	$(BIN)/python -m pip check
	touch $@

node_modules/.ready: package.json package-lock.json .npmrc
	npm ci --no-audit --no-fund
	touch $@

# pages are served from our own host only, and nobody else's minified file is committed
$(VENDOR)/.ready: node_modules/.ready
	mkdir -p $(VENDOR)
	cp node_modules/htmx.org/dist/htmx.min.js $(VENDOR)/
	touch $@

up: setup  ## start everything with the demo, print addresses and logins
	$(BIN)/fourduties up

test: check  ## every check and every test
	$(BIN)/pytest $(PYTEST)

check: lint types

lint: setup  ## style, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup  ## mypy, strict
	$(BIN)/mypy

bench: setup  ## measure: make bench BENCH=human_step
	@$(BIN)/python -m bench.$(BENCH)

chaos: setup  ## kill everything at random (SHORT=1: six minutes; RECORD=FILE goes on where it ended)
	@$(BIN)/python -m chaos $(if $(SHORT),--short) $(if $(RECORD),--record $(RECORD))

schema: setup  ## print the schema the models declare, to write a migration by (DB=sqlite or postgresql)
	@$(BIN)/python -m models.migrations.render $(DB)

lock: setup  ## resolve the versions of pyproject.toml anew
	$(BIN)/uv pip compile pyproject.toml --upgrade $(LOCK) --output-file requirements/product.txt
	$(BIN)/uv pip compile pyproject.toml --upgrade $(LOCK) --group dev \
		--constraint requirements/product.txt --output-file requirements/dev.txt

# names, versions and hashes; no address, no path
LOCK := --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate \
	--python-version 3.11

sbom: setup  ## what the product is made of (CycloneDX), into build/
	mkdir -p build
	$(BIN)/cyclonedx-py requirements requirements/product.txt --pyproject pyproject.toml \
		--mc-type application --output-reproducible --of JSON --output-file build/sbom-python.json
	npm sbom --package-lock-only --sbom-format cyclonedx >build/sbom-web.json

advisories: setup  ## known vulnerabilities of what is used: asks the public databases, so needs the net
	$(BIN)/pip-audit --requirement requirements/product.txt --require-hashes --disable-pip --strict
	npm audit

format: setup  ## write the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what was generated (not var/, where the demo's data is)
	rm -rf .venv node_modules $(VENDOR) .mypy_cache .ruff_cache .pytest_cache .hypothesis
