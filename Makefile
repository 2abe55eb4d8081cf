# Every command of this repository; `make` alone lists them. They work in a fresh clone: what is missing is
# installed first. deploy/local does the work on the machine, .venv holds the tools that requirements.lock pins.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run stop test unit integration contract e2e fault campaign fuzz bench check fmt lock clean

help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@printf '\n%s\n' 'Variables: PYTHON=python3.11 chooses the interpreter, ARGS="-k name" goes to pytest and to bench, WORKERS=4 tests in as many processes.'

##@ Start
setup: ## Install what is missing: system packages, .venv, our packages
	@$(PYTHON) -m deploy.local setup

run: ## Start everything and send a first message
	@$(PYTHON) -m deploy.local run

stop: ## Stop what `make run` started; the data stays
	@$(PYTHON) -m deploy.local stop

##@ Test
test: setup ## Run all tests (but not bench and long campaigns)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not bench and not campaign" $(ARGS)

unit: setup ## Run the tests without I/O
	$(BIN)/pytest $(ARGS) tests/unit

integration: setup ## Run the tests on a real PostgreSQL and RabbitMQ
	$(BIN)/pytest $(ARGS) tests/integration

contract: setup ## Run the tests of schemas, signatures, layout and rules
	$(BIN)/pytest $(ARGS) tests/contract

e2e: setup ## Run the stories from a sent message to a verified webhook
	$(BIN)/pytest $(ARGS) tests/e2e

fault: setup ## Run the tests that kill services, broker and database
	$(BIN)/pytest -m "not campaign" $(ARGS) tests/fault

campaign: setup ## Look for properties and stories that fail, with many new ones (takes minutes)
	$(BIN)/pytest --hypothesis-profile=search --timeout=1200 $(ARGS) tests/unit
	$(BIN)/pytest -m campaign $(ARGS) tests/fault

fuzz: setup ## Look for requests that get an answer which no document foresees (takes minutes)
	$(BIN)/pytest --hypothesis-profile=search --timeout=1800 $(ARGS) tests/e2e/test_fuzz.py

bench: setup ## Measure throughput and latency on this machine
	$(BIN)/python -m tests.bench $(ARGS)

##@ Check
check: setup ## Check format, lint, types, imports, schemas and house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy services shared deploy tests
	$(BIN)/lint-imports
	$(BIN)/python -m chatsdk_contracts.schemas --check
	$(BIN)/python -m deploy.references --check
	$(BIN)/pytest --quiet --durations=0 --durations-min=5 tests/contract/test_house_rules.py tests/contract/test_layout.py tests/contract/test_module_map.py tests/contract/test_lock.py

fmt: setup ## Format, and repair what ruff can repair
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

##@ Maintain
lock: setup ## Compile requirements.lock anew (ARGS=--upgrade takes newer versions)
	$(BIN)/python deploy/lock_requirements.py $(ARGS)

clean: stop ## Stop, remove .venv and caches; the data in .local stays
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov
	find services shared deploy tests -name __pycache__ -type d -prune -exec rm -rf {} +
