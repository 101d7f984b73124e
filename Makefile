# The commands of this project. `make help` lists them.
# TORCH_INDEX: PyTorch's own index for CPU builds (see README.md); without it pip installs the build that it prefers, which
# is for CUDA on Linux and takes 5.6 GB. CONSTRAINTS: the pinned versions, for Python 3.11; empty for the newest.
TORCH_INDEX ?=
CONSTRAINTS ?= constraints.txt
LOCK   := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
MXNET  ?= .venv-mxnet
# The real MXNet needs an old NumPy, which no later Python has.
MXNET_PYTHON ?= $(shell command -v python3.11 || command -v python3.10 || echo $(PYTHON))
ORACLE := $(MXNET)/.ready
# What each engine must do alike: models made of compiled models, and unusual tensors.
DERIVED := $(addprefix tests/torch_adapter/, test_derived.py test_special_inputs.py)
# A part of the suite: the runtime, what a stranger gets, and a file of each adapter.
QUICK  := $(addprefix tests/, core test_release.py torch_adapter/test_trace.py tf_adapter/test_loading.py \
          mx_adapter/test_module.py)
# What is made in the unpacked source distribution: `make dist DIST_TEST=test` runs the whole suite there.
DIST_TEST ?= test-quick

.DEFAULT_GOAL := help

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 15

$(READY): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade $(LOCK) pip
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet $(LOCK) --no-deps --index-url $(TORCH_INDEX) torch)
	$(BIN)/python -m pip install --quiet $(LOCK) --editable '.[torch,tf,mx,engine,tools,progress,ray]' --group dev
	$(BIN)/python -m pip install --quiet $(LOCK) --no-deps tf_keras  # it asks for the larger TensorFlow
	@touch $(READY)

$(ORACLE): pyproject.toml constraints-mxnet.txt
	$(MXNET_PYTHON) -m venv $(MXNET)
	$(MXNET)/bin/python -m pip install --quiet --upgrade --constraint constraints-mxnet.txt pip
	$(MXNET)/bin/python -m pip install --quiet --constraint constraints-mxnet.txt --group mxnet
	@touch $(ORACLE)

setup: $(READY)  ## make .venv with the pinned dependencies

setup-mxnet: $(ORACLE)  ## make .venv-mxnet, in which the real MXNet 1.9.1 answers tests

demo: $(READY)  ## the four models of the AWS guide on 13 NeuronCores
	$(BIN)/python examples/torch_four_models.py

demo-cluster: $(READY)  ## four Ray nodes with 64 NeuronCores: a batch, a web request, a node that dies
	$(BIN)/python examples/ray_cluster.py

examples: $(READY)  ## run every example
	@set -e; for example in examples/[a-z]*.py; do echo "== $$example"; $(BIN)/python $$example; done

bench: $(READY) $(ORACLE)  ## measure every goal of docs/performance.md, about twenty-five minutes
	$(BIN)/python -m pip install --quiet $(LOCK) --group bench
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python benchmarks/plot.py

docs: $(READY)  ## build the documentation site into site/; every warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: $(READY)  ## show the documentation site on loopback while you write
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve --dev-addr 127.0.0.1:8000

check: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check core neuron_adapters tests examples benchmarks
	$(BIN)/mypy

test: check $(ORACLE)  ## ruff, mypy and the whole test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/ray $(ARGS)
	TORCH_TESTS_ENGINE=framework $(BIN)/python -m pytest -n 2 --quiet $(DERIVED)
	TORCH_TESTS_ENGINE=absent $(BIN)/python -m pytest -n 2 --quiet $(DERIVED)
	$(BIN)/python -m pytest --quiet -n 2 --dist worksteal tests/ray  # each process has a cluster

test-quick: check  ## ruff, mypy and a part of the test suite: the runtime and a file of each adapter
	$(BIN)/python -m pytest -n 2 --dist worksteal $(QUICK) $(ARGS)

test-engines: $(READY)  ## all tests of the PyTorch adapter where PyTorch computes, and where OpenVINO is absent
	TORCH_TESTS_ENGINE=framework $(BIN)/python -m pytest -n 2 --dist worksteal tests/torch_adapter $(ARGS)
	TORCH_TESTS_ENGINE=absent $(BIN)/python -m pytest -n 2 --dist worksteal tests/torch_adapter $(ARGS)

test-many-cpus: $(READY)  ## where models compute on emulated machines of 4 to 16 CPUs, about forty minutes; see CONTRIBUTING.md
	MANY_CPUS=1 $(BIN)/python -m pytest tests/many_cpus -o faulthandler_timeout=0 --timeout 3600 $(ARGS)

test-matrix: $(READY)  ## a core of the suite on Python 3.10 to 3.13, with the lowest and the newest versions of the extras
	$(BIN)/python -m pip install --quiet $(LOCK) --group release
	$(BIN)/python -m tests.matrix $(ARGS)

dist: $(READY)  ## build the wheel and the sdist, try each in a fresh environment, and make DIST_TEST in the unpacked sdist
	rm -rf dist
	$(BIN)/python -m pip install --quiet $(LOCK) --group release
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m tests.distributions $(DIST_TEST)

numerics: $(READY)  ## every operator on special values, compiled and not; writes the table of docs/numerics.md
	$(BIN)/python -m tests.numerics $(ARGS)
	$(BIN)/python -m tests.numerics.torch_fuzz 0 500
	$(BIN)/python -m tests.numerics.tf_table

clean:  ## remove what these commands made
	rm -rf $(VENV) $(MXNET) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist site

.PHONY: help setup setup-mxnet demo demo-cluster examples bench docs docs-serve check test test-quick test-engines test-many-cpus test-matrix dist numerics clean
