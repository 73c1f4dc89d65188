"""`mbrl up` as a person starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # s, generous: machines differ
UP = [sys.executable, "-m", "mbrl_ros.cli", "up", "quadruped_mpc", "--headless"]


class Run:
    """One `mbrl up` in a folder of its own; what it prints goes to a file."""

    def __init__(self, folder, *arguments):
        self.log = folder / "log.txt"
        found_from_anywhere = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*UP, *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": found_from_anywhere},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def until(self, words):
        deadline = time.monotonic() + PATIENCE
        while words not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def nodes(self):
        """Process ids of all that it started, by the parent they have."""
        tree = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z" and int(fields[1]) == self.process.pid:
                command = (stat.parent / "cmdline").read_text().split("\0")
                tree[command[2].rpartition(".")[2]] = int(stat.parent.name)
        return tree

    def end(self, number):
        """Exit status, and how long ending took."""
        began = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        return status, time.monotonic() - began
