"""For all tests, and for the processes that they start."""

import os

import pytest

# Tensors here are tiny, and threads that wait for each other on a busy machine make a test of one second take a minute.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_make_scheduler(config, log):
    """Where several processes share the tests, each file is one's, and all that run in real time are the same one's."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "real time" if nodeid.startswith("test/ros/") else nodeid.split("::")[0]

    return ByFile(config, log)
