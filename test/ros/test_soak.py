"""`mbrl bench soak` as a person starts it, for a few seconds of robot time."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from up_run import ROOT

PATIENCE = 120.0  # s, generous: machines differ
PROCESSES = {"bridge", "guard", "learner", "planner", "judge"}
QUICK = ("learner.first_seconds=1.0", "learner.first_steps=20", "learner.steps=5", "planner.mppi.samples=100")


@pytest.fixture
def soak(domain, tmp_path):
    started = []

    def start(hours: float):
        command = [sys.executable, "-m", "mbrl_ros.cli", "bench", "soak", "cartpole_mpc", f"--hours={hours}"]
        command += ["--report", str(tmp_path / "soak.json"), "--set", *QUICK]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        with (tmp_path / "log").open("w") as log:
            started.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log))
        return started[-1], tmp_path

    yield start
    for process in started:
        process.kill()
        process.wait()
    print((tmp_path / "log").read_text())


def report_of(folder) -> dict:
    assert (folder / "soak.png").stat().st_size > 1000
    return json.loads((folder / "soak.json").read_text())


def test_a_short_run_is_whole(soak):
    process, folder = soak(hours=6 / 3600)
    assert process.wait(PATIENCE) == 0
    report = report_of(folder)
    summary, rows = report["summary"], report["rows"]
    assert summary["whole"] and summary["robot_seconds"] >= 6 and summary["steps"] > 0
    assert (summary["crashes"], summary["losses"]) == (0, 0) and summary["version"] > 0
    assert set(summary["processes"]) == PROCESSES == {row["process"] for row in rows}
    assert len({tuple(row) for row in rows}) == 1, "all keys in all rows"
    assert all(row["rss_mb"] > 10 for row in rows)
    assert [row["robot_seconds"] for row in rows] == sorted(row["robot_seconds"] for row in rows)


def test_ctrl_c_writes_what_there_is(soak):
    process, folder = soak(hours=10)
    wait_for(lambda: "min of robot time" in (folder / "log").read_text(), process)
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE)
    summary = report_of(folder)["summary"]
    assert not summary["whole"] and summary["crashes"] == 0


def test_a_process_that_dies_ends_it_and_is_named(soak):
    process, folder = soak(hours=10)
    wait_for(lambda: "min of robot time" in (folder / "log").read_text(), process)
    os.kill(child(process.pid, "mbrl_ros.nodes.guard"), signal.SIGKILL)
    assert process.wait(PATIENCE) == 1
    summary = report_of(folder)["summary"]
    assert (summary["crashes"], summary["died"]) == (1, ["guard"])
    assert "guard killed by SIGKILL" in (folder / "log").read_text()


def wait_for(condition, process) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)


def child(parent: int, module: str) -> int:
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True, check=True
    )
    (found,) = (line.split()[0] for line in listed.stdout.splitlines() if module in line)
    return int(found)
