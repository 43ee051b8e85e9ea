# make demo and make test are all a newcomer needs; each makes the environment in .venv first.
VERSIONS := 3.11 3.12 3.13
SUITS := import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(VERSIONS)".split())
# The first python that runs and has one of the versions; else python3, for the message.
PYTHON ?= $(or $(shell for name in $(VERSIONS:%=python%) python3; do \
    $$name -c '$(SUITS)' 2>/dev/null && command -v $$name && break; done),python3)
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo test test-all test-slurm lint format generate bench bench-gpu lock vggish-env clean

help:
	@echo "make demo      from made-up videos to a table of accuracies and a page, on $(CORES) cores"
	@echo "make test      the tests; make test-all adds the slow ones"
	@echo "make test-slurm  the Slurm profile on a real Slurm of this machine (root; Debian), 10 minutes"
	@echo "make lint      formatters and linters, without changes; make format fixes"
	@echo "make generate  schemas and config.yaml's defaults from the models in mafnet/*/config.py"
	@echo "make bench     each stage against the plain way, 8 minutes; BENCH=--quick checks it in one"
	@echo "make bench-gpu  extraction on a GPU; writes its table into docs/performance.md"
	@echo "make lock      pin the dependencies of pyproject.toml anew in requirements.lock"
	@echo "make vggish-env  TensorFlow in .venv-vggish, to convert its VGGish without conda"
	@echo "make clean     remove results and data of the demo (not the cache)"

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c '$(SUITS)' || \
	    { echo "mafnet needs Python $(subst $() , or ,$(VERSIONS)), but $(PYTHON) is $$($(PYTHON) --version 2>&1); install one of them, or give make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making the environment in .venv (once; 6 GB, a few minutes, most of it torch) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(INSTALLED)
	@echo "Done; ffmpeg: $$($(BIN)/python -c 'from mafnet.common.ffmpeg import ffmpeg_path; print(ffmpeg_path())')"

demo: $(INSTALLED)
	@echo "Running the demo on $(CORES) cores; a second run does only what is missing ..."
	@mkdir -p .snakemake && touch .snakemake/demo-began
	@$(BIN)/snakemake --cores $(CORES) results/demo/summary.html results/demo/studies/modalities.csv
	@# A table that was just made has been shown.
	@test results/demo/studies/modalities.csv -nt .snakemake/demo-began || \
	    $(BIN)/mafnet table results/demo/studies/modalities.csv
	@echo "The numbers in full: results/demo/metrics.json; to look at, in a browser:"
	@echo "  file://$(CURDIR)/results/demo/summary.html"

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow and not slurm"

test-all: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slurm"

# Slurm's daemons are started for these tests and stopped after them; without them they are skipped.
test-slurm: $(INSTALLED)
	@command -v slurmd munged >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	    { apt-get update -qq && apt-get install -yqq slurm-wlm munge; } >/dev/null
	$(BIN)/python -m pytest -m slurm tests/test_workflow_slurm.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

generate: $(INSTALLED)
	$(BIN)/python -m mafnet.plan.generate

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.bench $(BENCH)

bench-gpu: $(INSTALLED)
	$(BIN)/python -m benchmarks.gpu --write docs/performance.md

lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra workflow --extra openvino --extra dev --no-header \
	    --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock

# The extra `vggish` alone, without mafnet's own dependencies: torch is not needed there.
vggish-env: .venv-vggish/.installed

.venv-vggish/.installed: pyproject.toml
	@echo "Making the environment in .venv-vggish (once; 2 GB, a minute or two) ..."
	@$(PYTHON) -m venv .venv-vggish
	@$(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print("\n".join(project["optional-dependencies"]["vggish"]))' > .venv-vggish/requirements.txt
	@.venv-vggish/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-vggish/requirements.txt
	@touch $@

clean:
	rm -rf results/demo data/demo logs
