# make repro   the pipeline on synthetic people
# make test    the tests
# make verify  the published numbers again, from the published weights and your archives; no training
# make figures reports/cpu again, from published errors: a minute, no training
# make lint    linters, types, imports between packages, of Python and JavaScript; and the audit, where its database can be reached
# make audit   the pinned dependencies among known vulnerabilities; needs network
# make wheel   a wheel with the published networks, for predictions without the rest
# make web     a page that runs the published networks in a browser, in dist/web/
# make docs    the site of docs/ and reports/, in site/
# All make the environment first, once; TORCH=cpu|cuda|auto says which build of torch it takes.

.DELETE_ON_ERROR:
SHELL := /bin/bash
PYTHON ?= python3.11
TORCH ?= auto
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv
UV_VERSION := 0.13.9
export PATH := $(CURDIR)/$(BIN):$(PATH)
# As src/deeppose/__init__.py sets it, which comes too late where tests and benchmarks load torch first.
export GOMP_SPINCOUNT ?= 10000
.PHONY: env repro verify figures test lint audit wheel web docs bench bench-demo bench-export bench-scale bench-gpu bench-web web-picture check-determinism check-kill fuzz lock clean

env: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11, or say PYTHON=python3 if that is 3.11 to 3.13" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) pip install --python $(BIN)/python --compile-bytecode --requirements requirements.lock \
		$$($(BIN)/python scripts/torch_build.py $(TORCH))
	$(UV) pip install --python $(BIN)/python --no-deps --editable .
	-@python scripts/published.py weights
	touch $@

repro: env
	@python scripts/mend_lock.py
	dvc repro

# What the published weights give on the archives that are here, number by number beside what was published.
verify: env
	@python scripts/verify.py

# The tables and figures of `cpu` again, from published errors; nothing is trained.
figures: env
	python scripts/published.py figures

test: env
	pytest -n 2 --dist loadgroup

lint: env
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	@if ! command -v npm >/dev/null; then echo "the page's linter skipped: npm is not installed"; \
	elif why="$$($(MAKE) --no-print-directory web/node_modules/.package-lock.json 2>&1)"; \
	then npm --prefix web run --silent lint; \
	else echo "the page's linter skipped, npm can't get it: $$(grep -im 1 error <<< "$$why")"; fi
	@if why="$$(python -c 'import requests; requests.get("$(VULNERABILITIES)", timeout=5).raise_for_status()' 2>&1)"; \
	then $(MAKE) --no-print-directory audit; \
	else echo "audit skipped, no vulnerability database: $$(tail -n 1 <<< "$$why")"; fi

# Biome and TypeScript, as pinned.
web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# What pip-audit asks of each dependency, here of one.
VULNERABILITIES := https://pypi.org/pypi/pip/24.0/json

# A wheel that predicts by itself, with the published networks in it, in dist/.
wheel: env
	python scripts/wheel.py

# The cascade as a page for any file server; takes npm. `deeppose demo` opens it.
web: env
	deeppose export --web dist/web

# The page's picture in the README, docs/web.png.
web-picture: web
	python scripts/web_picture.py

audit: env
	$(UV) tool run pip-audit --requirement requirements.lock --disable-pip --no-deps

# The site, from docs/ and reports/; a warning, such as a broken link, is an error.
docs: env
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

# Training and prediction on the CPU here, beside what it can do; less than a quarter of an hour.
bench: env
	python scripts/bench.py

# The demo, and `dvc repro` with nothing to do.
bench-demo: env
	python scripts/bench_demo.py

# The paper's network on the GPU here, the hours that `paper` would take, and to how many machines it scales.
bench-gpu: env
	python scripts/bench_gpu.py
	python scripts/communication.py

# Exported networks beside ours.
bench-export: env
	python scripts/bench_export.py

# How soon the page in a browser shows a pose.
bench-web: web
	python scripts/bench_web.py

# Time and memory of each stage from a thousand examples to a million.
bench-scale: env
	python scripts/bench_scale.py

# Two runs, the second with other workers and other kernels of NumPy's BLAS, must end with the same hashes.
check-determinism: env
	python scripts/check_determinism.py

# Kills at random moments must change nothing.
check-kill: env
	python scripts/check_kill.py

# A thousand inputs that nobody should give: damaged archives, params, predictions, photos, weights.
fuzz: env
	python scripts/fuzz.py

# The versions of everything but torch, whose build depends on the machine; torch itself pins its CUDA parts.
TORCH_PACKAGES := torch torchvision triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas \
	nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile \
	nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 \
	nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
lock:
	$(UV) pip compile pyproject.toml --extra dev --python-version 3.11 --universal --no-emit-index-url \
		--no-header --generate-hashes $(addprefix --no-emit-package ,$(TORCH_PACKAGES)) \
		--output-file requirements.lock

clean:
	rm -rf $(VENV)
