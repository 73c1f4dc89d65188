"""A policy on disk, for a run and its robot."""

from __future__ import annotations

from pathlib import Path

from mbrl_ros.paths import model_file
from mbrl_ros.policies.card import NAME
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import PlannerConfig, RunConfig
from mbrl_ros.tasks import make_task


def policy_file(planner: PlannerConfig, run: str) -> Path | None:
    """Where the policy lies that is asked for, else the one beside the model, if there is one; None beside nothing."""
    if planner.policy:
        return Path(planner.policy)
    model = model_file(planner.model, run)
    return model.with_name(NAME) if model else None


def load_policy(run: RunConfig, spec: RobotSpec, path: Path | None = None) -> OnnxPolicy:
    """The file that is given, else the run's own, else its model's neighbour. PolicyRefused where it does not fit."""
    planner = run.planner
    path = path or policy_file(planner, run.name)
    if path is None or not path.is_file():
        raise FileNotFoundError(f"no policy at {path}: make one with `mbrl distill {run.name} --out DIR`")
    return for_robot(path.read_bytes(), spec, planner)


def for_robot(content: bytes, spec: RobotSpec, planner: PlannerConfig) -> OnnxPolicy:
    """PolicyRefused where the bytes are no policy for this robot, its task and its action map."""
    layout = FeatureLayout(spec)
    return OnnxPolicy(content, layout, planner.task, planner.action_map, make_task(planner.task, layout).command_size)
