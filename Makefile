# The words of this repository; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help run quick test check bench load chaos mutants lock clean

# `make run PYTHON=python3.12` chooses the Python that makes .venv.
export PYTHON UPGRADE

bin := .venv/bin
code := $(wildcard bot adapters plugins tests bench)
# Three workers on two cores: much of the time tests wait for servers, and a machine that is slow for a
# while would come close to the 25 minutes of `.ci/run`. A file stays in one: its server is started once.
pytest := $(bin)/python -m pytest -q -n 3 --dist loadfile

help: ## list these words
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/' | expand -t 14

run: ## start Parley (the first time makes .venv); ARGS="--config my.yaml" is passed on
	@tools/venv.sh run
	@exec $(bin)/parley serve $(ARGS)

quick: ## the fast tests, for every commit; ARGS="-k name" narrows them
	@tools/venv.sh dev
	$(pytest) -m "not slow" $(ARGS)

test: ## every test, PostgreSQL included
	@tools/venv.sh dev
	$(pytest) $(ARGS)

check: ## format, lint, types, who imports whom
	@tools/venv.sh dev
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy $(code)
	$(bin)/lint-imports --no-logo

bench: ## what is claimed about speed, measured on this machine
	@tools/venv.sh dev
	$(bin)/python -m bench $(ARGS)

load: ## what it holds, takes over and costs while idle; ARGS='--only "takeover" --write'
	@tools/venv.sh dev
	$(bin)/python -m bench.hold $(ARGS)

# What `make chaos` runs: rows by name (all), and for how long (each row once).
ROWS ?=
MINUTES ?= 0

chaos: ## servers killed, frozen, cut off: adds to docs/reliability.md; ROWS="zombies" MINUTES=10
	@tools/venv.sh dev
	$(bin)/python -m tests.faults $(ROWS) --minutes $(MINUTES) $(ARGS)

mutants: ## promises taken out of a copy, one by one: a test must notice; ARGS="fence --write"
	@tools/venv.sh dev
	$(bin)/python -m tests.mutants $(ARGS)

lock: ## write both lock files again; UPGRADE=1 looks for newer versions
	@tools/lock.sh

clean: ## remove .venv and caches, never data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(code) -name __pycache__ -type d -prune -exec rm -rf {} +
