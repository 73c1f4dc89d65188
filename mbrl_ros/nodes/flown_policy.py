"""Policies as the planner flies them: the one that is asked for or lies beside the model, then those that come."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.learning.policies import policy_file
from mbrl_ros.nodes.flown import Flown
from mbrl_ros.policies.card import PolicyRefused
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.settings import POLICY_MODES, PlannerConfig


def flown_policy(
    config: PlannerConfig, agent: Agent, warn: Callable[[str], None], tell: Callable[[str], None]
) -> Flown:
    """Decides which policy `agent` has, now or once somebody changes to a mode in which it decides.

    ConfigError where one is asked for and cannot be had.
    """

    def read(content: bytes) -> tuple[OnnxPolicy, int]:
        policy = OnnxPolicy(content, agent.layout, config.task, config.action_map, agent.task.command_size)
        return policy, policy.card.version

    def fly(policy: OnnxPolicy | None, version: int) -> None:
        agent.set_policy(policy)

    return Flown("policy", read, fly, tell, _first(config, read, warn))


def _first(config: PlannerConfig, read, warn: Callable[[str], None]) -> tuple[OnnxPolicy, int] | None:
    if config.mode == "observe":
        return None
    wanted = bool(config.policy) or config.needs_policy
    path = policy_file(config, "")
    if path is None or not path.is_file():
        if wanted:
            raise ConfigError(f"no policy at {path}: make one with `mbrl distill`, or choose another mode")
        return None
    try:
        return read(path.read_bytes())
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
    if new in POLICY_MODES and not has_policy:
        raise ConfigError("there is no policy to fly: make one with `mbrl distill`, and start with planner.policy")
