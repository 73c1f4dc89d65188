"""`mbrl up` as a person starts it: real processes, real topics."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from up_run import PATIENCE

PROMPT = 3.0  # s that ending may take
QUIET = ["--set", "guard.max_age=5.0"]  # an age that a busy machine does not reach while processes start
STANDING = ["--mode", "stand", "--model", "scratch", "--no-learner", *QUIET]


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_text()]


def held_segments():
    return {path.name for path in Path("/dev/shm").glob("fastdds_*")}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ending_it_leaves_nothing_behind(up, number):
    before = held_segments()
    run = up(*STANDING)
    run.until("guard follow")
    started = run.nodes()
    assert {"bridge", "guard", "planner", "judge"} <= set(started)
    status, took = run.end(number)
    assert status == 0 and took < PROMPT
    assert not alive(started.values())
    assert not {name for name in held_segments() - before if _belongs_to_nobody(name)}


def test_its_children_die_with_it_when_it_is_killed(up):
    run = up(*STANDING)
    run.until("guard follow")
    started = run.nodes()
    run.end(signal.SIGKILL)
    deadline = time.monotonic() + PROMPT
    while alive(started.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(started.values())


def test_killed_guard_stays_dead_and_a_person_is_told(up, tmp_path):
    run = up(*STANDING)
    run.until("guard follow")
    os.kill(run.nodes()["guard"], signal.SIGKILL)
    run.until("The robot damps. Once you know why, start it by hand")
    assert "mbrl_ros.nodes.guard" in run.log.read_text()
    time.sleep(2.0)
    assert "guard" not in run.nodes()
    assert run.end(signal.SIGINT)[0] == 1
    (parameters,) = (tmp_path / "runs" / "quadruped_mpc").glob("*/parameters.yaml")
    assert str(parameters) in run.log.read_text(), "what is to be started by hand finds its parameters"


def test_wrong_model_is_one_line_and_nothing_starts(up):
    run = up("--model", "/etc/passwd", "--duration", "1")
    assert run.process.wait(PATIENCE) == 2
    said = run.log.read_text()
    assert said.count("\n") == 1 and "/etc/passwd is not a model file" in said


def test_report_says_how_the_run_went(up, tmp_path):
    named = ("--namespace", "robot1", "--seed", "5")
    run = up(*STANDING, "--duration", "8", "--report", "report.json", "--bare-hops", *named)
    assert run.process.wait(PATIENCE + 8) == 0, run.log.read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["schema"] == 1 and report["seeds"] == [5]
    assert report["config"]["planner"]["mode"] == "stand"
    assert report["summary"]["falls"] == 0 and report["summary"]["velocity_error"] < 0.05
    assert report["commands"][0]["command"] == [0.0, 0.0, 0.0]
    assert report["control"]["steps"] > 100
    assert {"bridge", "guard", "planner", "judge", "up"} <= set(report["processes"])
    assert all(process["rss_mb"] > 1 for process in report["processes"].values())
    assert report["bare_loop"]["steps"] > 100 and report["deaths"] == []
    response = report["response_ms"]["sent"]
    assert 0.0 < response["bare_hop_once"]["p50"] < response["bare_hop_twice"]["p50"] < response["command"]["p50"]


def _belongs_to_nobody(segment):
    from mbrl_ros.up.shared_memory import _is_free

    lock = Path("/dev/shm") / f"{segment}_el"
    return lock.exists() and _is_free(lock)
