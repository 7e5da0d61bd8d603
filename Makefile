# One word a task. A fresh machine needs python3 (3.11 or newer), make and git.
PORT ?= 8400
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin

KILLS ?= 30

.PHONY: install install-test sandbox test check format bench chaos coverage clean

install: .venv/.installed
.venv/.installed: pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv sync --frozen --quiet --inexact
	touch $@

install-test: install tests/judges/node_modules/.installed publishers/typescript/node_modules/.installed
%/node_modules/.installed: %/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $* --silent && touch $@; \
	else echo "npm is not here: the tests that need $* will skip"; fi

sandbox: install
	$(BIN)/gateway sandbox --port $(PORT) --data .sandbox

test: install-test
	$(BIN)/pytest

format: install
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

check: install
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_layers.py
	$(BIN)/openapi-spec-validator openapi/gateway.yaml openapi/core.yaml
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck .ci/run
	$(BIN)/yamllint -d '{extends: relaxed, rules: {line-length: disable}}' deploy
	$(BIN)/gateway check --partial

bench: install
	$(BIN)/python -m bench

chaos: install
	$(BIN)/python -m bench.kill --kills $(KILLS)
	$(BIN)/python -m bench.chaos --kills $(KILLS)

coverage: install-test
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage report

clean:
	rm -rf .venv .sandbox tests/judges/node_modules publishers/typescript/node_modules
