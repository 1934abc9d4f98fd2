# Vision challenge suite. `make` lists what there is; every target sets up the virtual environment by itself.
PYTHON ?= python3
# mini: the bundled models on the bundled samples. base: the real models of configs/*.yaml. gpu: the strong ones of
# configs/gpu/*.yaml, for one card of 16 GB.
PROFILE ?= mini
# More settings for one task, such as: make caption PROFILE=base ARGS="--images test --sample-submission sample.csv"
ARGS ?=
# The photos that search-index reads, and what search looks for.
DATA ?= samples/search/images
QUERY ?= 강아지
export QUERY
# Containers often forbid Python to keep what it has compiled: torch and transformers would be compiled anew by each
# command and each test's process, which takes three times as long as to import them.
export PYTHONDONTWRITEBYTECODE =

BIN := .venv/bin
RUN := $(BIN)/python -m pipelines
CONFIGS := $(if $(filter mini gpu,$(PROFILE)),configs/$(PROFILE),configs)
BENCHMARKS := caption translation detect anomaly index
SOURCES := pipelines tests mini benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup submissions caption detect anomaly classify search-rank demo evaluate models-page test stress bench bench-growth bench-gpu check lint types format lock mini clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

setup: .venv/ready ## make the virtual environment with the locked packages

.venv/ready: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v <= (3, 13) else \
	"expected Python 3.10 to 3.13, found %d.%d; name another with make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	@touch $@

submissions: caption detect anomaly search-rank evaluate ## run every task, write submissions/*.csv, print their scores

caption: setup ## photos -> Korean captions: submissions/caption.csv
	$(RUN) caption --config $(CONFIGS)/caption.yaml $(ARGS)

detect: setup ## photos and prompts -> counts: submissions/detect.csv
	$(RUN) detect --config $(CONFIGS)/detect.yaml $(ARGS)

anomaly: setup ## normal and test photos -> anomaly scores: submissions/anomaly.csv
	$(RUN) anomaly --config $(CONFIGS)/anomaly.yaml $(ARGS)

classify: setup ## photos and names of classes -> a class each: submissions/classify.csv
	$(RUN) classify --config $(CONFIGS)/classify.yaml $(ARGS)

search-rank: setup ## photos and queries -> the photos found for each: submissions/search.csv
	$(RUN) search rank --config $(CONFIGS)/search.yaml $(ARGS)

search-index: setup ## a folder of photos -> an album: make search-index PROFILE=base DATA=~/Photos
	$(RUN) search index --config $(CONFIGS)/search.yaml $(ARGS) $(DATA)

search-enrich: setup ## caption an album's photos and count objects in them: make search-enrich PROFILE=base
	$(RUN) enrich --config $(CONFIGS)/search.yaml $(ARGS)

search: setup ## find photos of an album: make search PROFILE=base QUERY="바닷가의 강아지"
	@$(RUN) search query --config $(CONFIGS)/search.yaml $(ARGS) -- "$$QUERY"

demo: setup ## the pages in the browser: captions, counts, heatmaps, photo search, runs
	PROFILE=$(PROFILE) $(BIN)/python -m pipelines.demo $(ARGS)

evaluate: setup ## score submissions/*.csv against the samples' truth
	$(RUN) evaluate --config $(CONFIGS)/evaluate.yaml

models-page: setup ## write docs/models.md of pipelines/core/networks/catalogue.yaml
	$(RUN) models --markdown > docs/models.md.new && mv docs/models.md.new docs/models.md

test: setup ## run the tests, a file at a time on each core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

stress: setup ## kill 300 runs at random, hold what comes out to undisturbed runs, write the figures (10 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.stress --kills 300 --seed 1 --write

bench: setup ## time each task against its peers on this CPU, write docs/benchmarks.md (takes minutes)
	for task in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$task --write || exit 1; done
	$(BIN)/python -m benchmarks.tables --write

bench-growth: setup ## time each task for n, 2n and 4n photos, write docs/benchmarks.md (takes minutes)
	$(BIN)/python -m benchmarks.growth --write
	$(BIN)/python -m benchmarks.tables --write

bench-gpu: bench bench-growth ## the same scripts on an NVIDIA GPU, which they use where there is one

check: lint types test ## what has to be green: format, lint, types, tests

lint: setup
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

format: setup ## put the code into the project's format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: setup ## pin the newest versions of what pyproject.toml names into requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.10 --group dev --upgrade --no-annotate --no-emit-index-url \
	  --custom-compile-command "make lock" --quiet pyproject.toml --output-file requirements.lock

mini: setup ## draw the samples, train the bundled models again and measure them (hours on 2 cores)
	$(BIN)/python -m mini.draw_samples
	$(BIN)/python -m mini.draw_textures
	$(BIN)/python -m mini.train_backbone
	$(BIN)/python -m mini.train_translator
	$(BIN)/python -m mini.train_detector
	$(BIN)/python -m mini.train_captioner
	$(BIN)/python -m mini.train_clip
	$(BIN)/python -m mini.evaluate --seed 12345 --write

clean: ## remove the virtual environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache
