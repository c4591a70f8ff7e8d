# Each target does its own set-up, in .venv; it is repeated only after pyproject.toml has changed.
# Needed: Python 3.11 or newer with venv, make, git. Name the Python with `make PYTHON=/path/to/python …`.

ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)
endif

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# As many as there are processors, but no more than servers and playbooks go well beside each other.
WORKERS ?= $(shell { nproc 2>/dev/null || echo 2; } | awk '{ print ($$1 < 2) ? 2 : ($$1 > 4) ? 4 : $$1 }')
PLUGINS := collections/ansible_collections/migrations/rehearsal/plugins
DOCS ?= $(CURDIR)/build

export PATH := $(BIN):$(PATH)
# What calls make may have its own Python environment active.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo test lint docs screenshots clean

help:
	@echo 'make demo   rehearse the sample application on two PostgreSQL servers made for it, and remove them'
	@echo 'make test   run all tests (PYTEST_ARGS="-k name" chooses)'
	@echo 'make lint   check style, types, licenses, changelog and playbooks'
	@echo 'make docs   build the documents and the reference of modules and roles as a site, in build/docs'
	@echo 'make screenshots  make the pictures of the documents anew, of the demonstration (needs chromium and chromedriver)'
	@echo 'make clean  remove .venv and caches'

demo: $(VENV)/.installed-demo
	@$(BIN)/rehearse demo $(DEMO_ARGS)

# By file: tests of one file share servers and whole runs. Not loadgroup, which pytest-xdist 3.8 does not carry out under pytest 9.2.
# The longest first (tests/conftest.py), then in the order of the tree, which begins with e2e: by their number the long ones would come last.
test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=25 $(PYTEST_ARGS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src $(patsubst %,$(PLUGINS)/%,module_utils plugin_utils modules action)
	$(BIN)/yamllint --strict .
	$(BIN)/reuse lint --quiet || $(BIN)/reuse lint
	$(BIN)/antsibull-changelog lint
	$(BIN)/ansible-lint --offline

# -W makes each warning an error, as --strict does. The references left out are those to Ansible's own manual, which is elsewhere; the collection's
# own are looked at by antsibull-docs lint-collection-docs.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir $(DOCS)/docs
	rm -rf $(DOCS)/reference && mkdir -p -m 0700 $(DOCS)/reference
	ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/collections $(BIN)/antsibull-docs collection --use-current --squash-hierarchy --fail-on-error \
		--dest-dir $(DOCS)/reference migrations.rehearsal
	$(BIN)/sphinx-build -q -W --keep-going -C -D extensions=sphinx_antsibull_ext -D html_theme=sphinx_ansible_theme \
		-D project=migrations.rehearsal -D suppress_warnings=ref.ref \
		$(DOCS)/reference $(DOCS)/docs/collection
	@echo 'The site is $(DOCS)/docs/index.html, the reference $(DOCS)/docs/collection/index.html'

screenshots: $(VENV)/.installed-test
	$(BIN)/python tests/browser/screenshots.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .ansible build dist

$(VENV)/.installed-demo: pyproject.toml $(VENV)/bin/python
	@echo 'Installing the command and the demonstration into $(VENV) …'
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(VENV)/bin/python
	@echo 'Installing the command, the demonstration and the test tools into $(VENV) …'
	@$(PIP) install --editable '.[test]'
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-docs: pyproject.toml $(VENV)/bin/python
	@echo 'Installing the command and what makes its documents into $(VENV) …'
	@$(PIP) install --editable '.[docs]'
	@touch $@

$(VENV)/bin/python:
	@if [ -z '$(PYTHON)' ]; then \
		echo 'No Python 3.11 or newer with venv found. Install one (Debian: apt-get install python3-venv), or name it: make PYTHON=/path/to/python' >&2; \
		exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"{sys.executable} is Python {sys.version.split()[0]}; 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
