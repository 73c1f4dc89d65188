"""A policy on disk, for a run and its robot."""

from __future__ import annotations

from pathlib import Path

from mbrl_ros.config import ConfigError
from mbrl_ros.content import content_hash
from mbrl_ros.paths import model_file
from mbrl_ros.policies.card import PolicyCard
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import no_policy, policy_file
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.tasks import make_task


def load_policy(run: RunConfig, spec: RobotSpec) -> OnnxPolicy:
    """The run's own, else its model's neighbour. PolicyRefused where it does not fit."""
    planner = run.planner
    path = policy_file(planner, run.name)
    if path is None or not path.is_file():
        raise ConfigError(no_policy(planner, path, run.name))
    return for_robot(path.read_bytes(), spec, planner)


def for_robot(content: bytes, spec: RobotSpec, planner: PlannerConfig) -> OnnxPolicy:
    """PolicyRefused where the bytes are no policy for this robot, its task and its action map."""
    layout = FeatureLayout(spec)
    return OnnxPolicy(content, layout, planner.task, planner.action_map, make_task(planner.task, layout).command_size)


def with_policy(run: RunConfig, path: Path | None) -> RunConfig:
    """As --policy says, so that reports say it, too."""
    return run.with_setting("planner.policy", str(path), "--policy") if path else run


def of_another_model(card: PolicyCard, planner: PlannerConfig, run: str = "") -> str:
    """What is odd about plans that listen to this policy, in one line; empty: nothing.

    What it says a state is worth, it has found out in its own model.
    """
    if not planner.guided:
        return ""
    model = model_file(planner.model, run)
    hashed = content_hash(model.read_bytes()) if model else ""
    if hashed == card.model_hash:
        return ""
    other = f"{model} ({hashed})" if model else "planner.model scratch"
    return (
        f"policy {card.version} was distilled from model {card.model_version} ({card.model_hash}), and plans that "
        f"listen to it go through {other}: distil one from that with `mbrl distill {run or 'RUN'} --model DIR`"
    )


def in_report(policy: OnnxPolicy | None) -> dict[str, str | int] | None:
    """Which one it was."""
    if policy is None:
        return None
    card = policy.card
    return {
        "version": card.version,
        "hash": policy.hash,
        "model_version": card.model_version,
        "model_hash": card.model_hash,
    }
