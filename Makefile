# Each target does all of its own set-up, once. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTHON_OLDEST ?= python3.10
VENV_OLDEST := .venv-oldest
# make itself replaces it, so that bash's variable of this name has no part in it.
SECONDS ?= 300
LOGS ?= logs/$(shell date +%Y-%m-%d-%H.%M.%S)

# pytest's expression for the tests that take milliseconds; pyproject.toml describes the markers.
QUICK := not (engine or processes or slow or database or browser or full)
# They load no torch, so that none of their processes is forked from one that did.
RUNNER_TESTS := tests/benchmark_parsers tests/examples_utils

# Tests of the wrapper that start no server and measure nothing, so that they may run side by side.
SERVERLESS := $(addprefix tests_serial/tritonserver/,test_exit_codes.py test_serving_page.py)

.PHONY: help benchmark test-quick test test-full test-oldest test-serial lint check setup setup-triton bench bench-serving \
  bench-statistics bench-histories accuracy soak fuzz real-check report-image clean

## help: this list
help:
	@echo 'usage: make TARGET'
	@awk 'match($$0, /^## [a-z-]+: /) { printf "  %-17s %s\n", substr($$0, 4, RLENGTH - 5), substr($$0, RLENGTH + 1) }' \
	  $(firstword $(MAKEFILE_LIST))

## benchmark: seven configurations on real images, as a table and as result files
benchmark: setup
	$(BIN)/python -m examples_utils benchmark --python $(VENV) --spec benchmarks.yml --tag quick --log-dir $(LOGS)

## test-quick: the tests that take milliseconds each: no engine, process, database or browser; under a minute
test-quick: $(VENV)/.test
	$(BIN)/python -m pytest -n auto --hypothesis-profile quick -m '$(QUICK)' $(RUNNER_TESTS)
	$(BIN)/python -m pytest -n auto --hypothesis-profile quick -m '$(QUICK)' $(RUNNER_TESTS:%=--ignore=%)

## test: every test but the full matrices, of which it runs a cross-section
test: $(VENV)/.test images
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not full'

## test-full: every test that needs no more than this machine
test-full: $(VENV)/.test images
	$(BIN)/python -m pytest -n auto --dist worksteal

## test-oldest: the quick tests of the runner on Python 3.10, or on PYTHON_OLDEST
test-oldest: $(VENV_OLDEST)/.test
	$(VENV_OLDEST)/bin/python -m pytest -n auto --hypothesis-profile quick -m '$(QUICK)' $(RUNNER_TESTS)

## test-serial: a real Triton server with two small models; needs the machine to itself
test-serial: $(VENV)/.triton images
	$(BIN)/python -m pytest -n auto $(SERVERLESS)
	$(BIN)/python run_benchmark_with_triton_server.py --duration 1 --configurations mobilenet-v3-small,efficientnet-b0 \
	  $(SERVERLESS:%=--ignore=%) tests_serial/tritonserver/

## lint: style, types and spelling
lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell

## check: lint and test
check: lint test

## setup: the virtual environment and the images
setup: $(VENV)/.driver images

## setup-triton: also a Triton Inference Server with its Python backend, and a client for it
setup-triton: $(VENV)/.triton images

## bench: speed and memory as ratios; writes docs/performance.md
bench: $(VENV)/.test images
	$(BIN)/python -m bench

## bench-serving: the server against the driver, as ratios; writes its section of docs/performance.md
bench-serving: $(VENV)/.triton images
	$(BIN)/python -m bench serving

## bench-statistics: false alarms and power on simulated nights; writes docs/comparison-statistics.md
bench-statistics: $(VENV)/.test
	$(BIN)/python -m bench.statistics

## bench-histories: precision and recall of `history changes`, on generated series or on FILES
bench-histories: $(VENV)/.test
	$(BIN)/python -m bench.histories $(FILES)

## accuracy: compare the results of the engines; writes docs/accuracy.md
accuracy: $(VENV)/.test images
	$(BIN)/python -m bench.accuracy

## soak: 2,000 variants with failures, timeouts and kills mixed in
soak: $(VENV)/.test
	$(BIN)/python -m bench.soak

## fuzz: hostile specs, records, results and outputs for SECONDS (300); SEED=N repeats a run, REPLAY=FILE one case
fuzz: $(VENV)/.test
	$(BIN)/python -m bench.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(REPLAY),--replay $(REPLAY))

## real-check: nights of the suite's own quick entries, unchanged and with deliberate changes; takes hours
real-check: $(VENV)/.test images
	$(BIN)/python -m bench.real_check

## report-image: the report of simulated nights, as an image for the README; needs chromium
report-image: $(VENV)/.test
	$(BIN)/python -m bench.report_image

## clean: remove what setup created
clean:
	rm -rf $(VENV) $(VENV_OLDEST) data/images *.egg-info

## images: 20 images in data/images, or COUNT: photographs, and crops of them
.PHONY: images
images: $(VENV)/.driver
	@datasets/get_images.sh $(if $(COUNT),--count $(COUNT))

$(VENV)/.driver: pyproject.toml | $(VENV)/.created
	$(BIN)/pip install --quiet --editable '.[driver]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.driver
	$(BIN)/pip install --quiet --editable '.[driver,history,notebook,plot,test]'
	@touch $@

$(VENV_OLDEST)/.test: pyproject.toml
	$(PYTHON_OLDEST) -m venv $(VENV_OLDEST)
	$(VENV_OLDEST)/bin/pip install --quiet --editable '.[history,notebook,plot,test]'
	@touch $@

$(VENV)/.triton: pyproject.toml $(VENV)/.test
	$(BIN)/pip install --quiet --editable '.[driver,history,notebook,plot,test,triton]'
	$(BIN)/pip install --quiet --no-deps 'nvidia-pytriton>=0.7'
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
