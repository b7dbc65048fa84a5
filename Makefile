# Everything lives in .venv, made from uv.lock; nothing is installed elsewhere and no step needs root.
# `make repro` runs the pipeline, `make test` what CI runs; `make readme` puts new results into the README.

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# TensorFlow's GPU build where there is an NVIDIA GPU, else its CPU build.
DEVICE := $(if $(shell nvidia-smi --list-gpus 2>/dev/null),gpu,cpu)

# Tests and the program that they need; where it is missing, the other tests run. `.ci/run` installs it.
PROGRAMS := tests/test_browser.py:chromium tests/test_teams.py:sshd
MISSING := $(foreach pair,$(PROGRAMS),$(if $(shell PATH=$$PATH:/usr/sbin command -v $(lastword $(subst :, ,$(pair)))),,$(pair)))

.PHONY: repro test audit readme setup merge-driver clean

# How many models to train at a time. The models do not depend on each other, nor do the students, once there are their
# ensembles; each stage is run by itself, so that no two processes write one output, and the last `dvc repro` runs what is
# left.
JOBS := 1
SIDE_BY_SIDE = xargs -P $(JOBS) -I NAME dvc --wait-for-lock repro --single-item

repro: setup
ifneq ($(JOBS),1)
	dvc repro split duplicates
	dvc stage list --name-only | sed -n 's/^train@//p' | $(SIDE_BY_SIDE) train@NAME evaluate@NAME
	dvc stage list --name-only | sed -n 's/^ensemble@//p' | $(SIDE_BY_SIDE) ensemble@NAME evaluate_ensemble@NAME
	dvc stage list --name-only | sed -n 's/^distill@//p' | $(SIDE_BY_SIDE) distill@NAME evaluate_student@NAME
endif
	dvc repro

test: setup
	ruff check
	ruff format --check
	mypy
	lint-imports
	zizmor --offline --quiet .github/workflows
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --quiet --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
	$(if $(strip $(MISSING)),@echo "Left out because their program is missing: $(MISSING)")
	pytest $(foreach pair,$(MISSING),--ignore $(firstword $(subst :, ,$(pair))))

audit: setup
	python tools/audit_dependencies.py

readme: setup
	python tools/update_readme.py

setup: .venv/synced-$(DEVICE)

.venv/synced-$(DEVICE): pyproject.toml uv.lock
	command -v uv >/dev/null || python3 tools/install_uv.py
	uv sync --locked --inexact --compile-bytecode --group $(DEVICE) --group test --group lint
	touch $@

# Once in each clone: git merges dvc.lock by stage.
merge-driver:
	git config merge.dvc-lock.driver "'$$(command -v python)' tools/merge_lock.py %O %A %B"
	echo 'dvc.lock merge=dvc-lock' >>"$$(git rev-parse --git-path info/attributes)"

clean:
	rm -rf .venv dvclive
