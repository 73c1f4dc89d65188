# Each target sets up what it needs in .venv first; that takes minutes once, and nothing from the second time on.

PYTHON ?= python3
RUN_ARGS ?=
TEST_ARGS ?=
TEST_JOBS ?= 2
BENCH_ARGS ?=

# With ROS 2 sourced (ROS_DISTRO is set) its rclpy and messages are used; else they come as wheels from PyPI.
ROS_FROM := $(or $(ROS_DISTRO),wheels)
READY := .venv/ready-$(ROS_FROM)-$(shell cat constraints.txt setup.py mbrl_ros/*/*.c mbrl_ros/*.h | cksum | cut -d ' ' -f 1)

# No plugins from elsewhere: those of a ROS installation are written for another pytest.
export PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench clean

help:
	@echo "make run     a simulated quadruped walks, with live status in the terminal; Ctrl-C ends it"
	@echo "             RUN_ARGS='--model scratch' shows it learning; RUN_ARGS=--headless prints plain lines"
	@echo "make test    every test                          TEST_ARGS='-k guard' picks some"
	@echo "             TEST_JOBS=1 one after the other; 2: those with real time in one process, the others beside"
	@echo "             what fails is tried once more, alone, and named"
	@echo "make check   style, layering and config files"
	@echo "make bench   measured comparisons                BENCH_ARGS=... goes to mbrl bench"
	@echo "make setup   only .venv, for what you start yourself: source .venv/bin/activate"
	@echo "make clean   removes .venv, caches and build output; keeps runs/"
	@echo
	@echo "PYTHON=python3.12 picks another interpreter for .venv. ROS_DISTRO set: that ROS 2 is used."

setup: $(READY)

run: $(READY)
	@echo "== starting the simulated robot and its controllers; Ctrl-C ends it"
	@.venv/bin/mbrl up quadruped_mpc --demo $(RUN_ARGS)

test: $(READY)
	@echo "== running the tests"
	@.venv/bin/python -m pytest -p xdist.plugin -n $(TEST_JOBS) --dist loadfile $(TEST_ARGS) || { [ $$? -eq 1 ] && \
		echo "== what failed, once more, one after the other: some share real time with whatever else runs here" && \
		.venv/bin/python -m pytest --last-failed --last-failed-no-failures none -rA $(TEST_ARGS); }

check: $(READY)
	@echo "== style"
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@echo "== layering, and every config file through the strict loader"
	@.venv/bin/python -m pytest -q test/unit/test_architecture.py test/unit/test_config.py

bench: $(READY)
	@echo "== running the comparisons"
	@.venv/bin/mbrl bench $(BENCH_ARGS)

clean:
	@echo "== removing .venv, caches and build output"
	@rm -rf .venv build install log *.egg-info .pytest_cache .ruff_cache mbrl_ros/*/_*.so
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifeq ($(ROS_FROM),wheels)
VENV_OPTIONS :=
EXTRAS := ros,test,bench
PINS := constraints.txt
else
VENV_OPTIONS := --system-site-packages
EXTRAS := test
PINS := .venv/pins.txt
endif

$(READY):
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name yours: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old; Python 3.11 or newer is needed. Name a newer one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
ifneq ($(ROS_FROM),wheels)
	@$(PYTHON) -c 'import rclpy' 2>/dev/null || \
		{ echo "ROS_DISTRO is $(ROS_DISTRO), but $(PYTHON) finds no rclpy. Source its setup.bash, or unset ROS_DISTRO to use wheels."; exit 1; }
	@echo "== ROS 2 $(ROS_DISTRO) is there: its rclpy and messages are used"
else
	@echo "== no ROS 2 is sourced: rclpy and the messages come as wheels"
endif
	@if ls .venv/ready-* >/dev/null 2>&1 && ! ls .venv/ready-$(ROS_FROM)-* >/dev/null 2>&1; then \
		echo "== .venv was made for another ROS: starting it afresh"; rm -rf .venv; fi
	@echo "== virtual environment in .venv, with the versions of constraints.txt (the first time downloads PyTorch: minutes)"
	@$(PYTHON) -m venv $(VENV_OPTIONS) .venv
	@touch .venv/COLCON_IGNORE
ifneq ($(ROS_FROM),wheels)
	@# The messages of that ROS were compiled against its own numpy: keep that one.
	@grep -v '^numpy==' constraints.txt > $(PINS)
	@$(PYTHON) -c 'import numpy; print("numpy==" + numpy.__version__)' >> $(PINS)
endif
	@.venv/bin/python -m pip install -q -c $(PINS) setuptools
	@.venv/bin/python -m pip install -q -c $(PINS) --no-build-isolation -e '.[$(EXTRAS)]'
	@ls mbrl_ros/dynamics/_rollout*.so mbrl_ros/robots/_gait*.so >/dev/null 2>&1 || \
		echo "== not everything in C is compiled, plans take two to three times as long. With gcc or clang: make clean setup"
	@rm -f .venv/ready-*
	@touch $@
	@echo "== ready"
