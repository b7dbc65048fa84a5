# Everything lives in .venv, made from uv.lock; nothing is installed elsewhere and no step needs root.

ifeq ($(OS),Windows_NT)
$(error Windows: run make in WSL, the Windows Subsystem for Linux; native Windows is not supported)
endif

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport PYTHONDONTWRITEBYTECODE   # each process would compile TensorFlow again, for ten seconds

# TensorFlow's GPU build where there is an NVIDIA GPU, else its CPU build.
DEVICE := $(if $(shell nvidia-smi --list-gpus 2>/dev/null),gpu,cpu)
SYNC := uv sync --locked --inexact --group $(DEVICE)

# How many models `make repro` trains at a time: more than one from 16 cores on, since small networks do not fill them.
# Each model has a `dvc repro --single-item` of its own, so that no stage runs twice; the last `dvc repro` runs the rest.
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
JOBS ?= $(if $(filter gpu,$(DEVICE)),1,$(shell echo $$(($(CORES) < 16 ? 1 : $(CORES) / 8))))

# Tests and the program that they need; where it is missing, the other tests run. `.ci/run` installs it.
PROGRAMS := tests/test_browser.py:chromium tests/test_try_page.py:chromium tests/test_teams.py:sshd
MISSING := $(foreach pair,$(PROGRAMS),$(if $(shell PATH=$$PATH:/usr/sbin command -v $(lastword $(subst :, ,$(pair)))),,$(pair)))

.PHONY: setup quickstart repro setup-test test test-all test-fast audit readme accept-comments merge-driver clean

setup: .venv/synced-$(DEVICE)

# The published model that trains fastest.
quickstart: setup
	dvc repro evaluate@mlp
	python -m tools.show_result mlp

repro: setup
	@python -m tools.show_plan
ifneq ($(JOBS),1)
	dvc repro split duplicates
	@echo "Training $(JOBS) models at a time"
	set -o pipefail; dvc stage list --name-only | sed -n 's/^train@//p' | \
	    xargs -P $(JOBS) -I NAME dvc --wait-for-lock repro --single-item train@NAME evaluate@NAME 2>&1 | cat
endif
	dvc repro
	@python -m tools.show_result
	@echo "The report of all models: $(CURDIR)/reports/index.html"

setup-test: .venv/synced-test-$(DEVICE)

test test-all: setup-test
	ruff check
	ruff format --check
	mypy
	lint-imports
	zizmor --offline --quiet .github/workflows
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --quiet --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
	$(if $(strip $(MISSING)),@echo "Left out because their program is missing: $(MISSING)")
	pytest $(if $(filter test,$@),-m "not long") $(foreach pair,$(MISSING),--ignore $(firstword $(subst :, ,$(pair))))

# Without what runs DVC, trains, opens a browser or is slow otherwise; tests/conftest.py has the list.
test-fast: setup-test
	pytest -m "not slow"

# The two environments that uv.lock allows: with TensorFlow's CPU build and with its GPU build.
audit: setup-test
	for left_out in cpu gpu; do uv export --quiet --locked --all-groups --no-group $$left_out || exit 1; done >.venv/locked.txt
	pip-audit --disable-pip --require-hashes --vulnerability-service osv --requirement .venv/locked.txt

readme: setup
	python -m tools.update_readme

# After an edit of comments, docstrings or formatting only: keeps the results, or says what really changed.
accept-comments: setup
	python -m tools.accept_comments

# Once in each clone: git merges dvc.lock by stage.
merge-driver:
	python -c 'import ruamel.yaml'   # otherwise the driver would fail in each merge
	git config merge.dvc-lock.driver "'$$(command -v python)' tools/merge_lock.py %O %A %B %P"
	line='dvc.lock merge=dvc-lock' file=$$(git rev-parse --git-path info/attributes); \
	    grep --quiet --line-regexp --no-messages "$$line" "$$file" || echo "$$line" >>"$$file"

clean:
	rm -rf .venv dvclive

.venv/synced-$(DEVICE): pyproject.toml uv.lock
	command -v uv >/dev/null || python3 tools/install_uv.py
	$(SYNC)
	touch $@

.venv/synced-test-$(DEVICE): .venv/synced-$(DEVICE)
	$(SYNC) --group test --group lint
	touch $@
