"""Whether a run fits its robot: said before anything starts, and where the parts are built. No torch."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import LearnerConfig


def check_gait(spec: RobotSpec) -> None:
    if spec.legs is None or spec.base is None or spec.interface != "position":
        raise ConfigError(
            f"action map 'gait' needs legs and a position interface; {spec.name} has not both. Take --action-map joint"
        )


def check_walks(spec: RobotSpec) -> None:
    if spec.base is None:
        raise ConfigError(f"task 'quadruped' needs a robot with a base; {spec.name} has none")


def check_driven(spec: RobotSpec) -> None:
    if spec.base is None:
        raise ConfigError(f"--commands: {spec.name} has no base to drive")


def check_distilling(config: LearnerConfig) -> None:
    """How far it comes depends on how fast the machine is, and lockstep is there for runs that do not."""
    if config.lockstep and config.distill.live:
        raise ConfigError("learner.distill.live does not go with lockstep: leave one of them out")


def check_model(file: Path, spec: RobotSpec) -> None:
    """By the card in the file's header alone; whoever loads the weights looks at each of them."""
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
        card = json.loads(metadata.get("card", "{}"))
        robot, layout = card.get("robot"), card.get("layout")
    except (SafetensorError, OSError, AttributeError, ValueError) as error:
        raise ConfigError(f"{file} is not a model file: {error}. Make one with `mbrl train`") from error
    if layout != spec.layout_hash:
        raise ConfigError(
            f"{file} is a model of robot {robot!r} and does not fit {spec.name!r}: joints, gains, features or dt "
            "differ. Train one with `mbrl train`, or start with --model scratch"
        )
