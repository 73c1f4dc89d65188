"""`mbrl doctor`: is everything there that a run needs, and what to do where it is not."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mbrl_ros.authentic import ENVIRONMENT, read_key
from mbrl_ros.config import ConfigError
from mbrl_ros.up.discovery import environment

CORES_WANTED = 2  # one for control, one for the learner
CORES_USED = 1.4  # by all processes of a run that walks and learns: docs/benchmarks.md
DISK_WANTED_GB = 1.0
PROBE_PATIENCE = 15.0  # s
RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
with mujoco.Renderer(model, 16, 16) as renderer:
    renderer.update_scene(mujoco.MjData(model))
    renderer.render()
"""


@dataclass(frozen=True)
class Finding:
    verdict: str  # ok; warn: a run works without it; fail: a run needs it
    what: str
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def run(args: argparse.Namespace) -> int:
    """Exit status 1 where something fails."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    worst = 0
    for check in CHECKS:
        finding = check()
        worst |= finding.verdict == "fail"
        console.print(f"[{colours[finding.verdict]}]{finding.verdict:>4}[/]  ", end="")
        console.print(finding.what, markup=False)
        if finding.fix:
            console.print(f"      {finding.fix}", markup=False)
    return int(worst)


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.prefix == sys.base_prefix and not os.environ.get("ROS_DISTRO"):
        return Finding("warn", f"Python {version} at {sys.executable}, no virtual environment", "make run makes one")
    return Finding("ok", f"Python {version} at {sys.executable}")


def packages() -> Finding:
    absent = []
    for name in ("numpy", "torch", "mujoco", "yaml", "safetensors", "onnxruntime"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            absent.append(f"{name} ({error})")
    if absent:
        return Finding("fail", f"cannot import {', '.join(absent)}", "pip install . in this environment")
    import torch

    return Finding("ok", f"torch {torch.__version__} and what else the core needs")


def ros() -> Finding:
    found = subprocess.run(
        [sys.executable, "-c", "import rclpy; print(rclpy.__file__)"], capture_output=True, text=True
    )
    if found.returncode:
        reason = found.stderr.strip().splitlines()[-1] if found.stderr.strip() else "no reason given"
        return Finding("fail", f"no rclpy: {reason}", "source a ROS 2 setup.bash, or pip install 'mbrl_ros[ros]'")
    distribution = os.environ.get("ROS_DISTRO")
    return Finding("ok", f"rclpy of {f'ROS 2 {distribution}' if distribution else 'wheels'}: {found.stdout.strip()}")


def dds() -> Finding:
    """Two processes find each other and a message goes there and back."""
    graph = environment()
    command = [sys.executable, "-m", "mbrl_ros.nodes.probe"]
    with subprocess.Popen([*command, "echo"], env=graph, stderr=subprocess.PIPE, text=True) as echo:
        try:
            asked = subprocess.run([*command, "ask"], env=graph, capture_output=True, text=True, timeout=PROBE_PATIENCE)
            answer, failed = asked.stdout.strip() or asked.stderr.strip(), asked.returncode != 0
        except subprocess.TimeoutExpired:
            answer, failed = f"no answer within {PROBE_PATIENCE:g} s", True
        finally:
            echo.terminate()
    where = f"ROS_DOMAIN_ID {os.environ.get('ROS_DOMAIN_ID', '0')}"
    if failed:
        last = answer.splitlines()[-1] if answer else "no reason given"
        return Finding(
            "fail",
            f"DDS between two processes ({where}): {last}",
            "allow multicast or UDP on the loopback interface, and look at ROS_AUTOMATIC_DISCOVERY_RANGE, "
            "RMW_IMPLEMENTATION and ROS_STATIC_PEERS",
        )
    return Finding("ok", f"DDS between two processes ({where}): {answer}")


def in_c() -> Finding:
    """What rollouts and gaits run in."""
    try:
        from mbrl_ros.dynamics.native import why_not
        from mbrl_ros.robots import gait_native
    except ImportError as error:
        return Finding("warn", f"compiled parts: not looked for without {error.name}", f"pip install {error.name}")
    if reason := why_not("float32") or gait_native.why_not():
        return Finding("warn", "compiled parts: not all there, so plans take two to three times as long", reason)
    bf16 = why_not("bf16")
    return Finding("ok", f"compiled parts: all there; rollouts in {'float32' if bf16 else 'bf16'}")


def gpu() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("warn", "GPU: not looked for without torch", "pip install torch")
    if torch.cuda.is_available():
        return Finding("ok", f"GPU: {torch.cuda.get_device_name(0)}")
    if shutil.which("nvidia-smi"):
        return Finding(
            "warn", "GPU: there is a driver, but torch sees no GPU", "install a torch wheel built for this CUDA"
        )
    return Finding("warn", "GPU: none. Control runs on the processor", "nothing to mend: it keeps 50 Hz without one")


def rendering() -> Finding:
    environment = {**os.environ, "MUJOCO_GL": os.environ.get("MUJOCO_GL", "egl")}
    tried = subprocess.run([sys.executable, "-c", RENDER], env=environment, capture_output=True, text=True)
    backend = environment["MUJOCO_GL"]
    if tried.returncode:
        return Finding(
            "warn",
            f"rendering without a display ({backend}): not possible; only pictures and image tasks need it",
            "apt install libegl1 libgl1-mesa-dri, or MUJOCO_GL=osmesa with libosmesa6",
        )
    return Finding("ok", f"rendering without a display ({backend})")


def cores() -> Finding:
    usable, busy = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    what = f"{usable} processor cores, {busy:.1f} busy over the last minute"
    if usable < CORES_WANTED:
        return Finding("warn", what, "with one core run `mbrl up ... --no-learner`")
    if usable - busy < CORES_USED:
        return Finding("warn", what, "end what else runs, or expect late steps")
    return Finding("ok", what)


def realtime() -> Finding:
    """Whether `planner.realtime` and `guard.realtime` would be granted."""
    tried = subprocess.run([sys.executable, "-m", "mbrl_ros.control.realtime"], capture_output=True, text=True)
    refused = tried.stdout.splitlines()
    if tried.returncode and not refused:
        return Finding("warn", "real-time: cannot be tried", tried.stderr.strip().splitlines()[-1])
    if refused:
        what = ", ".join(line.removeprefix("realtime.").partition(";")[0] for line in refused)
        mends = " -- and ".join(line.partition("; ")[2] for line in refused)
        return Finding("warn", f"real-time: {what}. Only runs that ask for it need it", mends)
    return Finding("ok", "real-time: priority, cores and locked memory are granted where a run asks for them")


def who_may_speak() -> Finding:
    """The key that signs models and policies, and SROS2."""
    try:
        signed = "with a key" if read_key() else "without a key"
    except ConfigError as error:
        return Finding("fail", f"{ENVIRONMENT}: {error}")
    secured = os.environ.get("ROS_SECURITY_ENABLE", "").lower() == "true"
    return Finding("ok", f"models and policies {signed}, SROS2 {'on' if secured else 'off'} (docs/security.md)")


def disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    what = f"{free:.1f} GB free in {Path.cwd()}, where runs/ is written"
    if free < DISK_WANTED_GB:
        return Finding("warn", what, "make room, or start where there is some")
    return Finding("ok", what)


CHECKS: tuple[Callable[[], Finding], ...] = (
    python,
    packages,
    ros,
    dds,
    in_c,
    gpu,
    rendering,
    cores,
    realtime,
    who_may_speak,
    disk,
)
