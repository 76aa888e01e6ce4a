# `make demo` and `make test` do everything from a fresh clone; the environment is made once and kept in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
SETUP_FILES := pyproject.toml constraints.txt tools/setup.sh tools/lib.sh

# Without a display, windows open on a virtual one. A Mac always has its own.
ifeq ($(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname -s))),)
VIRTUAL_DISPLAY := LIBGL_ALWAYS_SOFTWARE=1 xvfb-run -a -s "-screen 0 1920x1080x24"
endif
# Tests run side by side where each process can open its windows on an Xvfb of its own.
SIDE_BY_SIDE = $(if $(shell command -v Xvfb),-n logical --maxprocesses 4 --dist loadfile)
ON_XVFB = $(if $(shell command -v Xvfb),LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb)

.PHONY: help setup display demo pictures tutorial test check docs wheel-test clean
help:
	@echo "make demo        set up, then open the sample in napari, predict it and overlay ink and edges"
	@echo "make pictures    take the pictures of the window that the documentation shows"
	@echo "make tutorial    follow the tutorial in the window, to see that each of its steps works"
	@echo "make test        set up, then run all tests, those in a real window included"
	@echo "make check       ruff, mypy and the import rules"
	@echo "make docs        build the documentation: open build/site/index.html"
	@echo "make wheel-test  build the wheel and try it in a clean environment"
	@echo "make setup       only make .venv, with napari-ink in it"

setup: $(STAMP)

$(STAMP): $(SETUP_FILES)
	@PYTHON="$(PYTHON)" bash tools/setup.sh $(VENV)
	@touch $@

display: setup
	@bash tools/display.sh $(VENV)

demo: display
	$(BIN)/napari-ink demo $(if $(VIRTUAL_DISPLAY),--headless demo-output)

pictures: display
	$(VIRTUAL_DISPLAY) $(BIN)/python tools/pictures.py
	$(VIRTUAL_DISPLAY) $(BIN)/python tools/tutorial.py

tutorial: display
	$(VIRTUAL_DISPLAY) $(BIN)/python tools/tutorial.py --out build/tutorial

test: display
	$(ON_XVFB) $(BIN)/python -m pytest $(SIDE_BY_SIDE)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/import_depth.py --most 14

docs: setup
	@bash tools/docs.sh $(VENV)

wheel-test:
	@PYTHON="$(PYTHON)" bash tools/wheel_test.sh

clean:
	rm -rf $(VENV) build dist demo-output
