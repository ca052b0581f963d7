# Two commands matter: `make demo` and `make test`. `make help` explains all of them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# The venv's programs first: ansible-playbook finds its own Python, molecule its ansible.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
# A playbook starts a hundred Pythons; without bytecode on disk each compiles boto3 anew.
unexport PYTHONDONTWRITEBYTECODE
ENV ?= local

PYTEST := python -m pytest
# The tests' second cloud, on which the parts are tested beside the site.
BESIDE := DRYDOCK_HOME='$(CURDIR)/.drydock/beside' DRYDOCK_PORT=4576 DRYDOCK_REGISTRY_PORT=4577

# What `make test` has no time for yet (CI ends at 90 minutes): run by test-solana, test-pipeline and,
# of the other runbooks, all drills but the first ones (those marked beside), by test-drills.
SOLANA_DRILLS := $(addprefix tests/site/drills/test_,solana_fleet.py solana_node_lagging.py rpc_overloaded.py)
PIPELINE_DRILLS := $(addprefix tests/site/drills/test_,consumer_lag.py dlq_redrive.py)

# Whole playbooks against stand-ins of AWX, AWS and terraform: minutes, so not with what takes seconds.
PLAYS := tests/unit/awx/test_awx_apply.py tests/unit/workflows/test_approved_plan.py

.PHONY: help setup demo up down clean test lint test-unit test-terraform apps-test test-roles test-platform test-runbooks test-frame test-site test-solana test-pipeline test-drills docs lock jobs job timers

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is needed (Debian packages, .venv, terraform); says what it installs
	@scripts/setup

demo: setup ## Everything up and the main job run on the embedded cloud, with a table at the end
	@python scripts/demo.py

up: setup ## Start the embedded cloud only
	@python -m drydock up

down: ## Remove every container, network, mount and process that the project made
	@if [ -x .venv/bin/python ]; then python -m drydock down; else echo 'Nothing was set up here.'; fi
	@if [ -d .drydock/beside ]; then $(BESIDE) python -m drydock down; fi

clean: down ## down, and also the images, caches and tools
	podman image ls --quiet --filter label=drydock.recipe | xargs --no-run-if-empty podman image rm --force
	rm -rf .drydock .venv

test: setup ## All layers: the site in one lane, all others in another beside it
	@python scripts/test_layers.py $(BESIDE)

lint: setup ## Layer 1 (a minute): ruff, yamllint, ansible-lint (production), zizmor, terraform fmt, jobs, checkov
	ruff check .
	ruff format --check .
	yamllint --strict .
	ansible-lint --offline --profile production
	zizmor --offline --quiet .github
	terraform fmt -check -recursive terraform
	python scripts/jobs.py check
	@test -x .drydock/venvs/checkov/bin/checkov || { \
	  python -m venv .drydock/venvs/checkov && uv pip install --quiet --require-hashes \
	    --python .drydock/venvs/checkov/bin/python --requirement requirements-checkov.txt; }
	.drydock/venvs/checkov/bin/checkov --config-file .checkov.yaml

test-unit: setup ## Layer 2 (seconds): Python without containers
	@# The embedded cloud mends moto for a whole process; other tests want it as it is.
	$(PYTEST) --numprocesses=2 tests/unit/drydock
	$(PYTEST) --numprocesses=2 tests/unit --ignore=tests/unit/drydock $(PLAYS:%=--ignore=%)

test-terraform: setup ## Layer 3: validate every stack, terraform test with a mocked provider
	python scripts/terraform_tests.py

apps-test: setup ## Layer 4: the workloads' own tests, on a real PostgreSQL and a real Valkey
	python scripts/app_tests.py

test-roles: setup ## Layer 5: every wrong input stops with a sentence; the Solana role on Debian 12 and 13 (molecule)
	$(PYTEST) --numprocesses=2 tests/roles $(PLAYS)
	python scripts/role_tests.py

test-platform: setup ## Layer 6: the embedded cloud, part by part
	$(PYTEST) tests/platform

test-runbooks: test-frame test-site ## Layer 7: the runbooks' frame; the main job; each runbook: broken for real, red, mended, green

test-frame: setup
	$(PYTEST) tests/frame

# One platform serves all of it: the main job first, the way back last.
SITE := test_main_job.py test_deploy_images.py test_broken_images.py test_blue_green.py \
  test_shop.py test_trace.py test_lake.py test_operations.py test_jobs.py test_sleep.py drills \
  test_rotation.py test_destroy.py
test-site: setup
	$(PYTEST) -m 'not beside' $(SITE:%=tests/site/%) $(SOLANA_DRILLS:%=--ignore=%) $(PIPELINE_DRILLS:%=--ignore=%)

test-solana: setup ## Beside make test (40 minutes): the fleet of Solana nodes configured and upgraded, and its runbooks' drills
	$(PYTEST) $(SOLANA_DRILLS)

test-pipeline: setup ## Beside make test (25 minutes): consumers that lag, letters that died, and their runbooks
	$(PYTEST) $(PIPELINE_DRILLS)

test-drills: setup ## Beside make test (40 minutes): the runbooks' drills that it has no time for
	$(PYTEST) -m beside tests/site/drills

docs: setup ## Write the runbooks' pages and index from their metadata
	python scripts/runbook_docs.py

jobs: setup ## The jobs, and the fields that each can be given
	@python scripts/jobs.py list

job: setup ## Run a job or workflow: make job NAME=drift ENV=local ARGS='field=value …'
	@python scripts/jobs.py run '$(NAME)' '$(ENV)' $(ARGS)

timers: setup ## Write systemd timers for the jobs' schedules: make timers ENV=dev
	@python scripts/jobs.py timers '$(ENV)'

lock: ## Pin again what requirements*.in name (uv, with hashes, no index address)
	for file in requirements requirements-uv requirements-checkov; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header $$file.in --output-file $$file.txt; done
