"""Which policy the planner flies in mode policy: the one that is asked for, or the one that lies beside the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.paths import model_file
from mbrl_ros.policies.card import NAME, PolicyRefused
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.settings import PlannerConfig


def policy_to_fly(config: PlannerConfig, agent: Agent, warn: Callable[[str], None]) -> OnnxPolicy | None:
    """Now, or once somebody changes to that mode; ConfigError where it is asked for and cannot be had."""
    if config.mode == "observe":
        return None
    wanted = bool(config.policy) or config.mode == "policy"
    model = model_file(config.model, "")
    path = Path(config.policy) if config.policy else model and model.with_name(NAME)
    if path is None or not path.is_file():
        if wanted:
            raise ConfigError(f"no policy at {path}: make one with `mbrl distill`, or choose another mode")
        return None
    try:
        return OnnxPolicy(path.read_bytes(), agent.layout, config.task, config.action_map, agent.task.command_size)
    except PolicyRefused as refusal:
        if wanted:
            raise
        warn(f"{path} is left alone: {refusal}")
        return None


def check_mode(now: str, new: str, has_policy: bool) -> None:
    """ConfigError where the planner cannot change from one to the other while it runs."""
    if now == new:
        return
    if "observe" in (now, new):
        raise ConfigError("mode observe is chosen at the start, since no guard runs beside it")
    if new == "policy" and not has_policy:
        raise ConfigError("there is no policy to fly: make one with `mbrl distill`, and start with planner.policy")
