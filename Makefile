# `make` alone lists the targets.
# The Python that the functions are deployed on (claimsmith_cdk/hosting.py).
DEPLOYED := 3.13
# Programs of a name that a version manager (pyenv, asdf, mise, uv) keeps in its folder.
managed = $(wildcard $(addsuffix /*/bin/$(1),$(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions $(HOME)/.asdf/installs/python \
	$(HOME)/.local/share/mise/installs/python $(HOME)/.local/share/uv/python))
# The first of several names that is a program which runs: a Python, 3.11 or newer.
python = $(firstword $(foreach p,$(1),$(shell for p in $(p) $(call managed,$(p)); do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)))
version = $(if $(1),$(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))
ifneq ($(PYTHON),)
$(if $(call python,$(PYTHON)),,$(error PYTHON=$(PYTHON) is no Python 3.11 or newer))
endif
# Everything is made in .venv; with PYTHON=... of another version than it has, in .venv-3.13 or the like, beside it.
SUFFIX := $(addprefix -,$(if $(PYTHON),$(if $(wildcard .venv/bin/python),$(filter-out \
	$(call version,.venv/bin/python),$(call version,$(call python,$(PYTHON)))))))
VENV := .venv$(SUFFIX)
BIN := $(VENV)/bin
EMULATOR := .local/emulator$(SUFFIX)
FOUND = $(call python,$(or $(PYTHON),python3 python3.13 python3.12 python3.11))
PIP := $(BIN)/uv pip
COMPILE := $(PIP) compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header
# CDK works on Node 20; its banner about Node 20's end of life would bury everything else.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# Tests start many processes; without bytecode each of them would compile what it imports, the CDK for three seconds.
unexport PYTHONDONTWRITEBYTECODE
FUNCTIONS := $(patsubst %.in,%.txt,$(wildcard lambdas/*/requirements.in))

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

install: $(VENV)/installed $(EMULATOR)/installed node_modules/installed  ## install everything into this folder

demo: install  ## deploy to an AWS on this machine, sign in, look at the tokens
	@$(BIN)/python -m demo

demo-stop:  ## stop what `make demo` started
	@if [ -x $(BIN)/python ]; then $(BIN)/python -m demo stop; else echo "Nothing was started."; fi

smoke: install  ## try in a real AWS account what cannot be known offline, and take it away again (ARGUMENTS=...)
	@$(BIN)/python -m smoke $(ARGUMENTS)

check: install  ## check style and types and run the unit tests, but not the slow ones: for the desk
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet --numprocesses 2 --hypothesis-profile again -m "not slow" tests/unit

test: install  ## run every test, the end-to-end tests too; with PYTHON=python3.13 on that Python
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-deployed: install  ## run the tests of what is deployed on the functions' own Python, where it is here
	@own=$(call version,$(BIN)/python); other=$(call python,python$(DEPLOYED)); \
	if [ "$$own" = $(DEPLOYED) ]; then echo "Tests ran on $$own, which is the deployed runtime."; \
	elif [ -z "$$other" ]; then echo "No Python $(DEPLOYED) here: tests ran on $$own, not on the deployed runtime."; \
	else $(MAKE) --no-print-directory PYTHON="$$other" .venv-$(DEPLOYED)/installed && \
		.venv-$(DEPLOYED)/bin/python -m pytest --numprocesses 2 --hypothesis-profile again \
			tests/unit tests/property tests/integration tests/infra/test_assets.py && echo "Tests ran on $$own and $(DEPLOYED)."; fi

test-busy: install  ## run every test beside two processes that keep two processors busy
	@trap 'kill $$one $$two' EXIT; trap 'exit 1' INT TERM; \
	timeout 7200 $(BIN)/python -c 'while True: pass' & one=$$!; timeout 7200 $(BIN)/python -c 'while True: pass' & two=$$!; \
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

bench: install  ## run the benchmarks, and write docs/reference/performance.md and docs/explanation/scale.md
	$(BIN)/python -m tests.bench

soak: install  ## let everything happen at once and check each answer (MINUTES=10)
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),10)

lint: install  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: install  ## build the documentation site in docs/_build; a broken link is an error
	$(BIN)/python -m sphinx -W --keep-going --quiet --builder html docs docs/_build
	@echo "The site begins at docs/_build/index.html."

recording: install  ## record the demonstration again for the README; after make demo
	$(BIN)/python -m demo record docs/demo.svg

recording-admin: install  ## record the commands of an admin again for the README
	$(BIN)/python -m demo record-admin docs/admin.svg

release: install .local/release/installed  ## make a release: version, changelog, wheel, bill of materials (VERSION=1.2.3)
	@$(BIN)/python scripts/release.py "$(VERSION)"

wheels: install  ## build the wheels of both packages into dist, the functions' assets in one of them
	@$(BIN)/python scripts/wheels.py

fmt: install  ## repair style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

synth: install  ## write the CloudFormation templates to cdk.out
	node_modules/.bin/cdk synth --quiet

lock: install  ## choose the newest versions again and pin them
	$(COMPILE) --upgrade pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	$(COMPILE) --upgrade requirements/build.in --output-file requirements/build.txt
	$(COMPILE) --upgrade requirements/ministack.in --output-file requirements/ministack.txt
	$(COMPILE) --upgrade requirements/release.in --output-file requirements/release.txt
	$(COMPILE) --upgrade -c requirements/dev.txt requirements/bench.in --output-file requirements/bench.txt
	for lock in $(FUNCTIONS); do \
		$(COMPILE) --upgrade -c requirements/dev.txt "$${lock%.txt}.in" --output-file "$$lock" || exit 1; done

$(BIN)/uv: requirements/dev.txt
	@[ -n "$(FOUND)" ] || { echo "Python 3.11 or newer is needed: install it, or say where it is with PYTHON=..."; exit 1; }
	"$(FOUND)" -m venv $(VENV)
	awk '/^[a-z]/ {uv = /^uv==/} uv' requirements/dev.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	touch $@

$(VENV)/installed: $(BIN)/uv requirements/dev.txt requirements/build.txt pyproject.toml claimsmith-cdk/pyproject.toml
	$(PIP) sync --python $(BIN)/python --require-hashes requirements/dev.txt
	$(PIP) install --python $(BIN)/python --no-deps --build-constraints requirements/build.txt --editable . --editable claimsmith-cdk
	touch $@

$(EMULATOR)/installed: $(BIN)/uv requirements/ministack.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(EMULATOR)
	$(PIP) sync --python $(EMULATOR)/bin/python --require-hashes requirements/ministack.txt
	touch $@

.local/release/installed: $(BIN)/uv requirements/release.txt
	$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .local/release
	$(PIP) sync --python .local/release/bin/python --require-hashes requirements/release.txt
	touch $@

node_modules/installed: package.json package-lock.json
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		|| { echo "Node 20 or newer is needed, for the CDK command line: install it, with npm."; exit 1; }
	npm ci --no-audit --no-fund --loglevel=error
	touch $@

.PHONY: check docs recording recording-admin release wheels help install demo demo-stop smoke test test-deployed test-busy bench soak \
	lint fmt synth lock
.DELETE_ON_ERROR:
