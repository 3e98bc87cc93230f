# `make help` lists what there is. Every target may be typed again after an interruption: it goes on.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SITE ?= lab
PYTHON ?= python3
UV_VERSION := $(shell sed -n 's/^uv==\([^ ]*\).*/\1/p' requirements.lock)
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
# A file's tests share what they have made, so a file is one process's.
UNIT = $(BIN)/pytest -m "not long" -n auto --maxprocesses 8 --dist loadfile tests/unit

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

# --- the environments -------------------------------------------------------------------------------------------
.PHONY: env lock
env: .venv/.complete .venv-lab/.complete ## both Python environments, from their locks

.venv/.complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; PYTHON=... names one")'
	@$(PYTHON) -m venv .venv || { apt-get update -q && apt-get install -y -q python3-venv && $(PYTHON) -m venv --clear .venv; }
	$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip sync -q --require-hashes requirements.lock
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv pip install -q --no-deps -e .
	@touch $@

.venv-lab/.complete: lab/requirements.lock lab/pyproject.toml .venv/.complete
	$(BIN)/uv venv -q --clear --python $(PYTHON) .venv-lab
	VIRTUAL_ENV=$(CURDIR)/.venv-lab $(BIN)/uv pip sync -q --compile-bytecode --require-hashes lab/requirements.lock
	VIRTUAL_ENV=$(CURDIR)/.venv-lab $(BIN)/uv pip install -q --no-deps -e ./lab
	ln -sf ../../.venv-lab/bin/lab .venv/bin/lab
	@touch $@

lock: .venv/.complete ## new locks from the declared dependencies
	$(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --prerelease=if-necessary-or-explicit --extra dev --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --python-version 3.11 lab/pyproject.toml -o lab/requirements.lock
	$(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --prerelease=if-necessary-or-explicit --python-version 3.11 -c requirements.lock images/analysis/requirements.in -o images/analysis/requirements.lock
	$(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --python-version 3.11 -c images/analysis/requirements.lock images/hub/requirements.in -o images/hub/requirements.lock
	cd images/hub && npm install --silent --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	@$(MAKE) -s env

# --- the whole chain on this machine ----------------------------------------------------------------------------
.PHONY: demo test test-unit terraform-test molecule test-long test-current lint down
demo: env ## embedded cloud, terraform apply, ansible-playbook, a real analysis on Dask, report
	@$(BIN)/lab demo

test: env lint ## everything tested, the same chain included
	@$(UNIT)
	@$(BIN)/pytest -m "not long" tests/lab

test-unit: env ## what needs no lab
	@$(UNIT)

terraform-test: env ## what a site may order and what is refused, without a cloud
	@$(BIN)/pytest -m "not long" tests/unit/test_terraform*.py tests/unit/test_tfsite*.py

molecule: env ## one role of a node on a guest of its own: make molecule ROLE=docker, after `make demo`
	@cd ansible/roles/$(ROLE) && OS_CLIENT_CONFIG_FILE=$(CURDIR)/.facility/lab/clouds.yaml OS_CLOUD=lab PATH=$(BIN):$$PATH molecule test

test-long: env ## what takes too long for `make test`
	@$(BIN)/pytest -m long

test-current: env ## profile `current` on a second facility: today's versions, the same tests
	@$(BIN)/pytest -m long tests/lab/test_profile_current.py

lint: env ## style and types
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check .
	@$(BIN)/pyright --level error bench | tail -n 1
	@$(BIN)/ansible-lint -q --offline
	@$(BIN)/yamllint --strict .

down: env ## take the lab off this machine
	@$(BIN)/lab down

# --- one site at a time: SITE=lab is the default ----------------------------------------------------------------
.PHONY: apply site validate destroy
apply: env ## terraform apply for SITE
	@terraform/tf $(SITE) init && terraform/tf $(SITE) apply

site: env ## ansible-playbook playbooks/site.yml for SITE
	@$(BIN)/ansible-playbook -i inventory/$(SITE)/openstack.yml playbooks/site.yml

validate: env ## are the nodes and cores there that SITE ordered?
	@$(BIN)/bench validate --site $(SITE)

destroy: env ## terraform destroy for SITE
	@terraform/tf $(SITE) destroy
