"""Who stands beside a robot's own processes: one that judges it, one that drives it."""

from __future__ import annotations

from mbrl_ros.runs import RunConfig
from mbrl_ros.stack import Process, beside


def judge(neighbour: Process, run: RunConfig, *more: str) -> Process:
    """`more`: further arguments of nodes/judge.py."""
    planner = run.planner
    arguments = ["--robot", planner.robot, "--delay", planner.delay, "--command-timeout", planner.command_timeout]
    return beside(neighbour, "judge", *map(str, arguments), *_stamped(run), *more)


def commander(neighbour: Process, run: RunConfig, commands: str, hold: float) -> Process:
    """`commands`: the schedule; each is held for `hold` s."""
    arguments = [f"--commands={commands}", "--hold", str(hold), "--robot", run.planner.robot]
    return beside(neighbour, "commander", *arguments, *_stamped(run))


def _stamped(run: RunConfig) -> list[str]:
    return ["--stamped-command"] if run.planner.stamped_command else []
