"""`mbrl chaos` as a person starts it: few faults, but real processes. No figure is judged here: machines differ."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0  # s, generous
COUNTS = ("falls", "outside_limits", "non_finite", "transitions_lost")
KEYS = {"fault", "seed", "detected_ms", "action", "safe_ms", "recovered", *COUNTS}


@pytest.fixture
def chaos(tmp_path):
    started = []

    def start(*arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        environment["TMPDIR"] = str(tmp_path)
        command = [sys.executable, "-m", "mbrl_ros.cli", "chaos", "quadruped_mpc", *arguments]
        with (tmp_path / "printed.txt").open("w") as printed:
            started.append(
                subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=printed, stderr=subprocess.STDOUT)
            )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    print((tmp_path / "printed.txt").read_text())


def children(process):
    """Process ids of all that it has started."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[0] != "Z" and int(fields[1]) == process.pid:
            found.add(int(stat.parent.name))
    return found


def test_rows_of_a_fault_in_lockstep_and_one_of_the_machine(chaos, tmp_path):
    process = chaos("--faults", "odom_jumps,planner_hangs", "--seeds", "1", "--report", "report.json")
    status = process.wait(PATIENCE)
    report = json.loads((tmp_path / "report.json").read_text())
    jumped, hung = report["rows"]
    assert (jumped["fault"], hung["fault"]) == ("odom jumps", "planner hangs")
    for row in report["rows"]:
        assert KEYS <= set(row) and all(type(row[count]) is int for count in COUNTS)
        assert row["recovered"] and row["non_finite"] == 0 and row["outside_limits"] == 0
    assert (jumped["clock"], hung["clock"]) == ("lockstep", "real")
    assert jumped["falls"] == 0 and jumped["broken"] == []
    assert "hold" in hung["action"] and hung["detected_ms"] > 0 and hung["safe_ms"] > 0
    assert status == any(row["broken"] for row in report["rows"])
    assert not list(tmp_path.glob("mbrl_chaos_*")), "what the learner kept is gone with its graph"


def test_broken_off_it_reports_and_leaves_nothing_behind(chaos, tmp_path):
    process = chaos("--faults", "odom_jumps", "--report", "report.json")
    deadline = time.monotonic() + PATIENCE
    started = set()
    while "yes" not in (tmp_path / "printed.txt").read_text() or len(started) < 4:  # between two rows there are fewer
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
        started = children(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    report = json.loads((tmp_path / "report.json").read_text())
    assert 1 <= len(report["rows"]) < 3
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.glob("mbrl_chaos_*"))


def test_fault_that_is_none_is_status_2(chaos, tmp_path):
    assert chaos("--faults", "planner_hang").wait(PATIENCE) == 2
    assert "did you mean 'planner hangs'" in (tmp_path / "printed.txt").read_text()
