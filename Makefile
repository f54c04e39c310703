# make demo    the whole idea on real input, from nothing            make test    all tests that need no cluster
# make lint    ruff and mypy                                          make bench   the budgets, as ratios
# make questions    docs/questions.md and docs/data.md again, from what the commands say now
# make test-cluster    real Slurm, MPI, modules, containers and Snakemake: installs them, on Debian, as root
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(abspath $(VENV))/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SOURCES := pyproject.toml CMakeLists.txt hpcprov/capture/allowlist.txt hpcprov/capture/secrets.txt $(wildcard hpcprov/launcher/*.* hpcprov/launcher/*/*.*)
TERRAIN = $(shell $(BIN)/python -c 'import os, importlib.util as u; print(os.path.join(os.path.dirname(u.find_spec("matplotlib").origin), "mpl-data/sample_data/jacksboro_fault_dem.npz"))')

# Not the tests that limit memory, fail system calls or count descriptors: a sanitizer needs its own of each.
SANITIZED := $(patsubst %,tests/launcher/test_%.py,capture events exec_options faults_store log mpi redact signals status streams terminal)

# hpcprov as users have it, not editable: a wheel's files in a virtual environment that runs these tests as well.
CLUSTER := $(abspath $(VENV))-cluster

# Test files run in so many processes at once; `make test JOBS=0` in one, as a debugger needs it. In their own order:
# xdist's puts those of few tests last, and one of few long ones then keeps everybody waiting.
JOBS   ?= 2
PYTEST  = -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.PHONY: questions demo test test-slow test-launcher test-cluster packages lint bench clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python $(SOURCES)
	@echo "installing hpcprov and the demo's packages into $(VENV) ..."
	@$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/bin/python $(SOURCES)
	@echo "installing hpcprov and the packages for the tests into $(VENV) ..."
	@$(PIP) -e '.[test,demo]'
	@touch $(VENV)/.demo $@

$(VENV)/.bench: $(VENV)/.test
	@echo "installing the packages for the benchmarks into $(VENV) ..."
	@$(PIP) -e '.[bench,test,demo]'
	@touch $@

$(CLUSTER)/.installed: pyproject.toml CMakeLists.txt $(shell git ls-files hpcprov workflows)
	@echo "installing hpcprov's wheel and the packages for the tests of clusters into $(CLUSTER) ..."
	@test -x $(CLUSTER)/bin/python || $(PYTHON) -m venv $(CLUSTER)
	@$(CLUSTER)/bin/python -m pip --disable-pip-version-check install --quiet '.[test,workflows]'
	@touch $@

packages: $(VENV)/.test $(CLUSTER)/.installed

demo: $(VENV)/.demo
	@BIN='$(BIN)' TERRAIN='$(TERRAIN)' sh workflows/flood/demo.sh

questions: $(VENV)/.test
	PATH="$(BIN):$$PATH" $(BIN)/python -m workflows.flood.questions '$(TERRAIN)' > docs/questions.new && mv docs/questions.new docs/questions.md
	PATH="$(BIN):$$PATH" $(BIN)/python -m workflows.transactions.page '$(TERRAIN)' > docs/data.new && mv docs/data.new docs/data.md

test: $(VENV)/.test
	$(BIN)/python $(PYTEST) -m 'not slow and not cluster'

test-slow: $(VENV)/.test
	$(BIN)/python $(PYTEST) -m 'slow and not cluster'

# The launcher with warnings as errors, and its tests once more under the address and undefined-behaviour sanitizers.
test-launcher: $(VENV)/.test
	$(BIN)/cmake -S . -B build/werror -DHPCPROV_WERROR=ON && $(BIN)/cmake --build build/werror
	$(BIN)/cmake -S . -B build/sanitize -DHPCPROV_WERROR=ON -DHPCPROV_SANITIZE=ON -DHPCPROV_PYTHON_PATH=$(BIN)/python && $(BIN)/cmake --build build/sanitize
	HPCPROV_LAUNCHER=$(CURDIR)/build/sanitize/hpcprov/launcher/hpcprov $(BIN)/python $(PYTEST) -m 'not slow and not cluster' -k 'not core' $(SANITIZED)

# Skips what is missing, unless HPCPROV_REQUIRE names it; installs all of it as root. Each process has a Slurm of its own.
test-cluster: $(CLUSTER)/.installed
	@if [ "$$(id -u)" = 0 ]; then tests/cluster/bed/install.sh; else echo "not root: nothing is installed, and Slurm's tests are skipped"; fi
	HPCPROV_CLUSTER_VENV=$(CLUSTER) $(CLUSTER)/bin/python $(PYTEST) -m cluster tests/cluster

lint: $(VENV)/.test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/bench_launcher.py
	$(BIN)/python benchmarks/bench_observe.py
	$(BIN)/python benchmarks/bench_merge.py
	$(BIN)/python benchmarks/bench_signature.py
	$(BIN)/python benchmarks/bench_statistics.py
	$(BIN)/python benchmarks/bench_catalog.py
	$(BIN)/python benchmarks/bench_report.py
	$(BIN)/python benchmarks/bench_tracking.py
	$(BIN)/python benchmarks/bench_diff.py
	$(BIN)/python benchmarks/bench_tables.py

clean:
	rm -rf $(VENV) $(CLUSTER) build dist workflows/*/out
