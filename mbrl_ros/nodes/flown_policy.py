"""Policies as the planner flies them: the one that is asked for or lies beside the model, then those that come."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.learning.policies import for_robot, of_another_model
from mbrl_ros.nodes.flown import Flown, Version
from mbrl_ros.policies.card import PolicyRefused
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.fit import check_policy, wants_policy
from mbrl_ros.settings import POLICY_MODES, PlannerConfig


def flown_policy(
    config: PlannerConfig,
    agent: Agent,
    warn: Callable[[str], None],
    tell: Callable[[str], None],
    note: Callable[[str], None],
) -> Flown:
    """Decides which policy `agent` has, now or once somebody changes to a mode in which it decides.

    ConfigError where one is asked for and cannot be had.
    """

    def read(content: bytes) -> Version:
        policy = for_robot(content, agent.spec, config)
        return Version(policy, policy.card.version, identity=policy.hash)

    def fly(policy: OnnxPolicy | None, version: int) -> None:
        agent.set_policy(policy)

    return Flown("policy", read, fly, tell, note, _first(config, read, warn))


def _first(config: PlannerConfig, read: Callable[[bytes], Version], warn: Callable[[str], None]) -> Version | None:
    path = check_policy(config) if config.mode != "observe" else None
    if path is None:
        return None
    try:
        first = read(path.read_bytes())
    except PolicyRefused as refusal:
        if config.policy or wants_policy(config):
            raise
        warn(f"{path} is left alone: {refusal}")
        return None
    if odd := of_another_model(first.found.card, config):
        warn(odd)
    return first


def check_mode(now: str, new: str, has_policy: bool) -> None:
    """ConfigError where the planner cannot change from one to the other while it runs."""
    if now == new:
        return
    if "observe" in (now, new):
        raise ConfigError("mode observe is chosen at the start, since no guard runs beside it")
    if new in POLICY_MODES and not has_policy:
        raise ConfigError("there is no policy to fly: make one with `mbrl distill`, and start with planner.policy")
