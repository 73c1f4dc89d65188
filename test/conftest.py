"""For all tests, and for the processes that they start."""

import os

# Tensors here are tiny, and threads that wait for each other on a busy machine make a test of one second take a minute.
os.environ.setdefault("OMP_NUM_THREADS", "1")
