"""What `mbrl doctor` says where something is missing: a verdict and a mend, never a traceback."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from mbrl_ros.dynamics import native
from mbrl_ros.up import doctor

ROOT = Path(__file__).resolve().parents[2]


def test_a_renderer_that_cannot_start_is_a_warning_with_its_mend(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    finding = doctor.rendering()
    assert finding.verdict == "warn"
    assert finding.fix


def test_a_part_that_is_not_compiled_is_told_with_its_mend(monkeypatch):
    monkeypatch.setattr(native, "why_not", lambda precision: "no compiled rollout.c; `make clean setup` makes it")
    finding = doctor.in_c()
    assert finding.verdict == "warn" and "make clean setup" in finding.fix


def test_a_missing_gpu_fails_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.gpu().verdict == "warn"


@pytest.mark.parametrize(("inside", "sourced", "verdict"), [(1, 0, "ok"), (0, 1, "ok"), (0, 0, "warn")])
def test_a_python_of_its_own_is_wanted_or_a_sourced_ros(monkeypatch, inside, sourced, verdict):
    monkeypatch.setattr(sys, "prefix", "/somewhere" if inside else sys.base_prefix)
    monkeypatch.setenv("ROS_DISTRO", "jazzy" if sourced else "")
    finding = doctor.python()
    assert (finding.verdict, bool(finding.fix)) == (verdict, verdict == "warn")


@pytest.mark.parametrize(
    ("usable", "busy", "verdict", "mend"),
    [(2, 0.1, "ok", ""), (2, 0.5, "ok", ""), (2, 0.9, "warn", "end what else runs"), (1, 0.0, "warn", "--no-learner")],
)
def test_two_idle_cores_are_enough(monkeypatch, usable, busy, verdict, mend):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(usable)))
    monkeypatch.setattr(os, "getloadavg", lambda: (busy, 0.0, 0.0))
    finding = doctor.cores()
    assert finding.verdict == verdict and mend in finding.fix


def answers(monkeypatch, status, printed):
    answer = subprocess.CompletedProcess([], status, stdout=printed, stderr="")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *words, **more: answer)


def test_real_time_that_is_granted_is_fine(monkeypatch):
    answers(monkeypatch, 0, "")
    assert doctor.realtime().verdict == "ok"


def test_real_time_that_is_refused_is_a_warning_with_each_mend(monkeypatch):
    answers(
        monkeypatch,
        1,
        "realtime.lock_memory True is not in force: only 8 MB may be locked; put `a`\n"
        "realtime.priority 50 is not in force: Operation not permitted; put `b`\n",
    )
    finding = doctor.realtime()
    assert finding.verdict == "warn" and "only 8 MB" in finding.what and "priority 50" in finding.what
    assert finding.fix == "put `a` -- and put `b`"


@pytest.mark.parametrize(("free_gb", "verdict"), [(2.0, "ok"), (0.5, "warn")])
def test_a_full_disk_is_a_warning(monkeypatch, free_gb, verdict):
    usage = namedtuple("usage", "total used free")(0, 0, free_gb * 1e9)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    assert doctor.disk().verdict == verdict


def test_a_package_that_cannot_be_imported_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    finding = doctor.packages()
    assert finding.verdict == "fail" and "safetensors" in finding.what and "torch" not in finding.what
    assert "pip install" in finding.fix


@pytest.fixture
def broken_rclpy(tmp_path, monkeypatch):
    """What every process started from here on finds."""
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").write_text("raise ImportError('librcl.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(ROOT))))


@pytest.mark.parametrize(("check", "mend"), [(doctor.ros, "setup.bash"), (doctor.dds, "loopback")])
def test_a_ros_that_does_not_start_fails_with_its_reason(broken_rclpy, check, mend):
    finding = check()
    assert finding.verdict == "fail" and "librcl.so: no such file" in finding.what and mend in finding.fix
