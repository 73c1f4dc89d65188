"""For all tests, and for the processes that they start."""

import os
from pathlib import Path

import pytest

REAL_TIME = Path(__file__).parent / "ros"  # never two of these at once

# Tensors here are tiny, and threads that wait for each other on a busy machine make a test of one second take a minute.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(config, items):
    """Where several processes share the tests, each file is one's, and all that run in real time are the same one's."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        group = "real time" if REAL_TIME in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
