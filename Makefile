# make face PHOTO=portrait.jpg    one photo → portrait.blend and portrait_preview.png
# make test                       the tests
# make test-blender               the tests in Blender 4.2, 4.5 and 5.0
# make test-gui                   the tests in real windows, of blender on the PATH or in SEMBLANCE_BLENDER_ROOTS
# make extension                  dist/semblance-VERSION.zip, to install in Blender
# All make .venv on first use. Choose the torch wheel with TORCH_INDEX, for example
# TORCH_INDEX=https://download.pytorch.org/whl/cpu (small) or …/whl/cu130 (NVIDIA).

PYTHON ?= python3.11
TORCH_INDEX ?=
PHOTO ?=
ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH := $(shell grep '^torch==' requirements.txt)
# PyPI's Linux wheel of torch brings the CUDA libraries along.
SPACE_GB := $(if $(filter Darwin,$(shell uname))$(findstring cpu,$(TORCH_INDEX)),4,9)

stop = { printf '%s\n' "$(1)" >&2; exit 1; }

.PHONY: face test test-slow test-blender test-gui extension lint gallery clean

face: .venv/ready
	@$(BIN)/semblance face $(if $(PHOTO),"$(PHOTO)",--demo) $(ARGS)

test: .venv/ready-dev
	@$(BIN)/python -m pytest

test-slow: .venv/ready-dev
	@$(BIN)/python -m pytest -m slow

# 4.5 LTS is in .venv; the others get an environment each.
test-blender: .venv/ready-dev .venv-bpy4.2.23/ready .venv-bpy5.0.1/ready
	@SEMBLANCE_BPY42=$(CURDIR)/.venv-bpy4.2.23/bin/python SEMBLANCE_BPY50=$(CURDIR)/.venv-bpy5.0.1/bin/python \
		$(BIN)/python -m pytest -m blender

test-gui: .venv/ready-dev
	@$(BIN)/python -m pytest -m slow -x -rs tests/gui

extension: .venv/ready
	@$(BIN)/python tools/build_extension.py

lint: .venv/ready-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

gallery: .venv/ready-dev
	@$(BIN)/python benchmarks/gallery.py

clean:
	rm -rf .venv .venv-bpy*

.venv/ready: requirements.txt requirements-blender.txt pyproject.toml
	@command -v "$(PYTHON)" >/dev/null && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
		|| $(call stop,Python 3.11 is needed: install it or name it with PYTHON=/path/to/python3.11.)
	@test "$$(df -Pk . | awk 'NR == 2 { print $$4 }')" -gt $(SPACE_GB)000000 \
		|| $(call stop,Less than $(SPACE_GB) GB of disk space is free here: free some and run the command again.)
	@echo "Setting up .venv (once; a few minutes) ..." >&2
	@"$(PYTHON)" -m venv .venv || $(call stop,Python's venv module is missing: install it (Debian: python3.11-venv).)
	@$(PIP) install $(TORCH) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) \
		&& $(PIP) install --no-deps -r requirements.txt -r requirements-blender.txt -e . \
		|| $(call stop,The packages could not be installed (see above): check the network and run the command again.)
	@touch $@

.venv-bpy%/ready: .venv/ready
	@echo "Setting up $(@D) (once) ..." >&2
	@"$(PYTHON)" -m venv $(@D) && $(@D)/bin/python -m pip --disable-pip-version-check --quiet install bpy==$* "numpy<2" \
		|| $(call stop,Blender $* could not be installed (see above): check the network and run the command again.)
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	@$(PIP) install --no-deps -r requirements-dev.txt \
		|| $(call stop,The test tools could not be installed: check the network and run the command again.)
	@touch $@
