# Each target does all of its own set-up; a second time there is nothing left to do.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOGS ?= logs/$(shell date +%Y-%m-%d-%H.%M.%S)

.PHONY: benchmark test lint check setup bench bench-statistics accuracy soak real-check clean

## benchmark: seven configurations on real photographs, as a table and as result files
benchmark: setup
	$(BIN)/python -m examples_utils benchmark --spec benchmarks.yml --tag quick --log-dir $(LOGS)

## test: every test that needs no more than this machine
test: $(VENV)/.test images
	$(BIN)/python -m pytest -n auto

## lint: style and types
lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## check: lint and test
check: lint test

## setup: the virtual environment and the photographs
setup: $(VENV)/.driver images

## bench: speed and memory as ratios; writes docs/performance.md
bench: $(VENV)/.test images
	$(BIN)/python -m bench

## bench-statistics: false alarms and power on simulated nights; writes docs/comparison-statistics.md
bench-statistics: $(VENV)/.test
	$(BIN)/python -m bench.statistics

## accuracy: whether the engines compute the same; writes docs/accuracy.md
accuracy: $(VENV)/.test images
	$(BIN)/python -m bench.accuracy

## soak: 2,000 variants with failures, timeouts and kills mixed in
soak: $(VENV)/.test
	$(BIN)/python -m bench.soak

## real-check: nights of the suite's own quick entries, unchanged and with something slipped in; takes hours
real-check: $(VENV)/.test images
	$(BIN)/python -m bench.real_check

## clean: removes what setup made
clean:
	rm -rf $(VENV) data/images *.egg-info

.PHONY: images
images: $(VENV)/.driver
	@datasets/get_images.sh

$(VENV)/.driver: pyproject.toml | $(VENV)/.created
	$(BIN)/pip install --quiet --editable '.[driver]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.driver
	$(BIN)/pip install --quiet --editable '.[driver,history,notebook,plot,test]'
	@touch $@

$(VENV)/.lint: pyproject.toml $(VENV)/.test
	$(BIN)/pip install --quiet --editable '.[driver,history,lint,notebook,plot,test]'
	@touch $@

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "error: $(PYTHON) was not found; install Python 3.10 or newer: apt-get install python3 python3-venv" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "error: $$($(PYTHON) --version) is too old; Python 3.10 or newer is needed: make PYTHON=python3.11 …" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $(PYTHON) has no venv; install it: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
