# Everything lives in .venv, made from uv.lock; nothing is installed elsewhere and no step needs root.
# `make repro` runs the pipeline, `make test` what CI runs; `make readme` puts new results into the README.

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# TensorFlow's GPU build where there is an NVIDIA GPU, else its CPU build.
DEVICE := $(if $(shell nvidia-smi --list-gpus 2>/dev/null),gpu,cpu)

# The report's page is tested in Chromium; where there is none, the other tests run. `.ci/run` installs it.
BROWSER := $(shell command -v chromium)

.PHONY: repro test audit readme setup clean

repro: setup
	dvc repro

test: setup
	ruff check
	ruff format --check
	mypy
	lint-imports
	zizmor --offline --quiet .github/workflows
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --quiet --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
	$(if $(BROWSER),,@echo "Chromium is not on PATH: leaving out tests/test_browser.py")
	pytest $(if $(BROWSER),,--ignore tests/test_browser.py)

audit: setup
	python tools/audit_dependencies.py

readme: setup
	python tools/update_readme.py

setup: .venv/synced-$(DEVICE)

.venv/synced-$(DEVICE): pyproject.toml uv.lock
	command -v uv >/dev/null || python3 tools/install_uv.py
	uv sync --locked --inexact --compile-bytecode --group $(DEVICE) --group test --group lint
	touch $@

clean:
	rm -rf .venv dvclive
