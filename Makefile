# Targets build what they need from hash-pinned locks: .demo-venv for the demo, .venv for the rest.
PYTHON ?= python3
# Most of what is installed is never imported: what is, is compiled then, and kept whatever the machine's default is.
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help setup environments demo test test-all test-long test-oldest test-hosts test-hosts-fast system-packages \
	check format generate lint types layers faults bench docs picture lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

setup: $(INSTALLED) ## make .venv with everything that the other targets need

$(INSTALLED): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) --require-hashes -r requirements/dev.txt
	$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

environments: $(INSTALLED) .venv-oldest/installed .hosts/installed ## make all that the gate needs, the coding hosts too

.demo-venv/installed: requirements/demo.txt pyproject.toml
	$(PYTHON) -m venv .demo-venv
	.demo-venv/bin/python $(PIP) --require-hashes -r requirements/demo.txt
	.demo-venv/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: .demo-venv/installed ## an agent mends a small repository, is killed in the middle, and goes on
	.demo-venv/bin/python examples/demo.py

# Three on two cores: a third of the time tests wait, for states, servers and other processes.
test: $(INSTALLED) ## run every test, PostgreSQL included; list what this machine cannot run
	$(BIN)/python -m pytest -m "not long" --numprocesses 3 --dist worksteal

test-all: export TELIC_TEST_REQUIRE_ALL = 1
test-all: test ## run every test, and fail if one is left out

system-packages: ## install what some tests need of the machine: PgBouncer, strace
	$(PYTHON) -m tests.support.needs

test-long: $(INSTALLED) ## run the tests that take minutes as well
	$(BIN)/python -m pytest --timeout 3600

# The newest results of each test are kept, so that a page can be drawn from runs of a part.
test-hosts: $(INSTALLED) .hosts/installed ## run real coding hosts (Claude Code, Codex, …) against a model server; needs Node.js and npm
	$(BIN)/python -m pytest tests/hosts --numprocesses 2 --dist worksteal
	$(BIN)/python -m tests.hosts.page

test-hosts-fast: $(INSTALLED) .hosts/installed ## those that the gate runs: some of each kind, and each host
	$(BIN)/python -m pytest tests/hosts -m fast --numprocesses 2 --dist worksteal

.hosts/installed: tests/hosts/package.json tests/hosts/package-lock.json tests/hosts/install.py | $(INSTALLED)
	$(BIN)/python tests/hosts/install.py
	@touch $@

format: $(INSTALLED) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet . || true

lint: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED)
	$(BIN)/mypy
	$(BIN)/pyright

layers: $(INSTALLED)
	$(BIN)/lint-imports

check: lint types layers test-all test-oldest ## the whole gate; fails if a test is left out

faults: $(INSTALLED) ## show that each planted fault turns the tests red
	$(BIN)/python tests/planted_faults.py

bench: $(INSTALLED) ## measure against limits and peers; writes docs/benchmarks.md and its plot
	$(PYTHON) -m venv .bench-venv
	.bench-venv/bin/python $(PIP) --require-hashes -r requirements/bench.txt
	.bench-venv/bin/python $(PIP) --no-deps --no-build-isolation --editable .
	.bench-venv/bin/python -m benchmarks

generate: $(INSTALLED) ## write the blocking modules from the async ones
	$(BIN)/python -m tools.generate_blocking

docs: $(INSTALLED) ## draw the pages that come from the code
	$(BIN)/python docs/generate.py

picture: $(INSTALLED) ## draw the dashboard's picture in a real browser
	$(BIN)/python -m docs.dashboard

# The oldest frameworks that the adapters allow, in one environment that has nothing else. Tests that need no framework,
# or a provider's client beside it, are left to the rest of the gate.
OLDEST := .venv-oldest/bin/python
OTHERS_TESTS := $(addprefix --ignore=tests/integrations/test_,money.py room.py session.py anthropic_streams.py)

.venv-oldest/installed: requirements/oldest.txt
	$(PYTHON) -m venv .venv-oldest
	$(OLDEST) $(PIP) --require-hashes -r requirements/oldest.txt
	$(OLDEST) $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

test-oldest: export TELIC_TEST_REQUIRE_ALL = 1
test-oldest: .venv-oldest/installed ## run the adapters' tests with the oldest frameworks that they allow
	$(OLDEST) -m pytest tests/integrations $(OTHERS_TESTS) --numprocesses 2 --dist worksteal

lock: ## pin the newest allowed versions, and the adapters' oldest, by hash
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --upgrade --resolution lowest-direct --extra openai-agents --extra pydantic-ai \
		--extra langchain --extra claude-agent --extra adk --extra pricing pyproject.toml requirements/build.in \
		requirements/oldest.in -o requirements/oldest.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --all-extras --group dev pyproject.toml requirements/build.in -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --all-extras --group dev --group bench pyproject.toml requirements/build.in -o requirements/bench.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --extra cli --constraint requirements/dev.txt pyproject.toml \
		requirements/build.in -o requirements/demo.txt

clean: ## remove what the other targets made
	rm -rf .venv .venv-oldest .demo-venv .bench-venv .build .hosts
