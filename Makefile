# Every target sets up .venv by itself. What a reader may set:
#   PYTHON       interpreter that creates .venv (3.11 or newer)
#   PIP_FLAGS    extra options of pip install, such as an index of CPU builds of torch (README.md, "Install")
#   TEST_WORKERS processes that pytest uses
#   GPU_PACKAGES what make test-gpu installs besides, such as 'tensorrt==10.13.*' pycuda onnxruntime-gpu
PYTHON ?= python3
PIP_FLAGS ?=
TEST_WORKERS ?= 2
GPU_PACKAGES ?=

VENV := .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
BENCHMARKS := $(filter-out __init__,$(basename $(notdir $(wildcard benchmarks/*.py))))
# A test process that crashes ends the run: were it replaced, pytest-xdist could wait for its tests forever.
PARALLEL := -n $(TEST_WORKERS) --dist loadfile --max-worker-restart 0

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-gpu check format bench clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(DEMO)  ## Profile this CPU, train a predictor, search over HTTP; everything lands in demo/
	$(BIN)/hyctas quickstart --out demo

test: $(DEV)  ## Run all tests that this machine can run
	$(PYTEST) $(PARALLEL) -m "not gpu"

test-fast: $(DEV)  ## Run the tests without the slow ones
	$(PYTEST) $(PARALLEL) -m "not gpu and not slow"

test-gpu: $(DEV)  ## Test on an NVIDIA GPU; writes gpu-evidence.json and .md (docs/gpu.md)
	@$(BIN)/python -m tests.gpu.presence
	$(BIN)/python -m pip install -qq $(PIP_FLAGS) --editable ".[dev,tensorrt]" $(GPU_PACKAGES)
	HYCTAS_GPU_EVIDENCE=gpu-evidence $(PYTEST) -m gpu tests/gpu

check: $(DEV)  ## Lint, formatting, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)  ## Fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)  ## Run the benchmarks; each prints ratios measured side by side
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# A stamp is older than pyproject.toml when the dependencies may have changed. The development environment holds
# everything of the demo's, so it also counts as that.
$(DEMO): pyproject.toml
	@$(MAKE) --no-print-directory venv
	$(BIN)/python -m pip install -qq $(PIP_FLAGS) --editable ".[demo]"
	@touch $@

$(DEV): pyproject.toml
	@$(MAKE) --no-print-directory venv
	$(BIN)/python -m pip install -qq $(PIP_FLAGS) --editable ".[dev]"
	@touch $(DEMO) $@

.PHONY: venv
venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "hyctas needs Python 3.11 or newer; $(PYTHON) is not. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) \
	  || { echo "cannot create $(VENV); on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
