# `make` alone says what there is.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell $(p) -c \
	'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(p))))
BIN := .venv/bin
PIP := $(BIN)/uv pip
COMPILE := $(PIP) compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
# CDK works on Node 20; its banner about Node 20's end of life would bury everything else.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
FUNCTIONS := $(patsubst %.in,%.txt,$(wildcard lambdas/*/requirements.in))

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

install: .venv/installed .local/emulator/installed node_modules/installed  ## install everything into this folder

demo: install  ## deploy to an AWS on this machine, sign in, look at the tokens
	@$(BIN)/python -m demo

demo-stop:  ## stop what `make demo` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m demo stop; else echo "Nothing was started."; fi

test: install  ## run every test, the end-to-end tests too
	$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

bench: install  ## run the benchmarks
	for bench in tests/bench/*.py; do $(BIN)/python "$$bench" || exit 1; done

lint: install  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fmt: install  ## repair style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

synth: install  ## write the CloudFormation templates to cdk.out
	node_modules/.bin/cdk synth --quiet

lock: install  ## choose the newest versions again and pin them
	$(COMPILE) --upgrade pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	$(COMPILE) --upgrade requirements/build.in --output-file requirements/build.txt
	$(COMPILE) --upgrade requirements/ministack.in --output-file requirements/ministack.txt
	for lock in $(FUNCTIONS); do \
		$(COMPILE) --upgrade -c requirements/dev.txt "$${lock%.txt}.in" --output-file "$$lock" || exit 1; done

$(BIN)/uv: requirements/dev.txt
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed: install it, or say where it is with PYTHON=..."; exit 1; }
	"$(PYTHON)" -m venv .venv
	awk '/^[a-z]/ {uv = /^uv==/} uv' requirements/dev.txt > .venv/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	touch $@

.venv/installed: $(BIN)/uv requirements/dev.txt requirements/build.txt pyproject.toml
	$(PIP) sync --python $(BIN)/python --require-hashes requirements/dev.txt
	$(PIP) install --python $(BIN)/python --no-deps --build-constraints requirements/build.txt --editable .
	touch $@

.local/emulator/installed: $(BIN)/uv requirements/ministack.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .local/emulator
	$(PIP) sync --python .local/emulator/bin/python --require-hashes requirements/ministack.txt
	touch $@

node_modules/installed: package.json package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo "Node 20 or newer is needed, for the CDK command line: install it, with npm."; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: help install demo demo-stop test bench lint fmt synth lock
.DELETE_ON_ERROR:
