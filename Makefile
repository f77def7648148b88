PYTHON := .venv/bin/python

.PHONY: help install run test lint types imports wheel shape bench attack docs check
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The stamps date the environment, so that only a change of pyproject.toml installs again.
.venv/.run-stamp .venv/.dev-stamp: .venv/.%-stamp: pyproject.toml
	@scripts/venv $*

install: .venv/.run-stamp ## Install what authapp needs into .venv

run: .venv/.run-stamp ## Start authapp (make run ARGS="--port 9000")
# Without the trap, make would report Ctrl-C as an error.
	@trap 'exit 0' INT; $(PYTHON) app.py $(ARGS)

test: .venv/.dev-stamp ## Run the tests (make test ARGS="-k login")
	@scripts/chromium
	@scripts/curl
	$(PYTHON) -m pytest -n auto --dist loadfile $(ARGS)

lint: .venv/.dev-stamp ## Check style and formatting
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types: .venv/.dev-stamp ## Check types
	$(PYTHON) -m mypy

imports: .venv/.dev-stamp ## Check which module may import which
	.venv/bin/lint-imports --no-logo

wheel: .venv/.dev-stamp ## Build the wheel, install it elsewhere and start it
	rm -f dist/*.whl
	$(PYTHON) -m build --wheel --no-isolation --outdir dist
	$(PYTHON) scripts/wheel-check dist/*.whl

shape: .venv/.dev-stamp ## Measure functions, files, docstrings and comments
	$(PYTHON) scripts/shape

bench: .venv/.dev-stamp ## Measure the pages of many users, every kind of credential, the web server, one node and two
	$(PYTHON) benchmarks/users.py
	$(PYTHON) benchmarks/api.py
	$(PYTHON) -m benchmarks.server
	$(PYTHON) -m benchmarks.nodes

attack: .venv/.dev-stamp ## Attack an authapp on this machine with other people's tools (make attack ARGS=ffuf)
	@scripts/attack-tools
	$(PYTHON) -m attacks $(ARGS)

docs: .venv/.dev-stamp ## Write what the documentation repeats from the code
	$(PYTHON) scripts/docs

check: lint types imports test wheel shape ## All of the above
