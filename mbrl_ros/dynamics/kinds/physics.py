"""A robot's own law of motion with unknown constants, fitted by gradient through K steps of it.

s' = law(constants, s, a),   constants = low + (high - low) sigmoid(theta)

The law is that of the robot file (robots/laws/), the one definition that also moves the robot in simulation; what the
file says of the constants is not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.sizes import Sizes
from mbrl_ros.dynamics.training import SMOOTH_L1
from mbrl_ros.known import the
from mbrl_ros.paths import share
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot

RATE = 0.2  # of fitting: three numbers have to travel, not thousands of weights


@dataclass(frozen=True)
class Config:
    """Physics with constants to be found. One member: it has no doubt."""


@dataclass(frozen=True)
class Physics:
    law: AnalyticModel
    ranges: dict[str, tuple[float, float]]  # of each unknown constant
    theta: Tensor  # (P,)
    normaliser: Normaliser  # only the loss asks for it
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)

    members = networks = 1

    @property
    def parameters(self) -> list[Tensor]:
        return [self.theta]

    @property
    def constants(self) -> dict[str, Tensor]:
        share = torch.sigmoid(self.theta)
        return {name: low + (high - low) * share[i] for i, (name, (low, high)) in enumerate(self.ranges.items())}

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S)."""
        return self.law.rollout(states, actions, self.constants)

    differentiable_rollout = rollout


def check(spec: RobotSpec) -> None:
    """ConfigError where the robot's law of motion has nothing to be found, or where it has none."""
    if not _has_unknowns(spec):
        names = sorted(path.stem for path in (share() / "config" / "robots").glob("*.yaml"))
        others = ", ".join(name for name in names if _has_unknowns(load_robot(name)))
        raise ConfigError(
            f"physics needs a robot whose file names a law of motion with unknown constants: {others or 'none has'}; "
            f"{spec.name} has none"
        )


def _has_unknowns(spec: RobotSpec) -> bool:
    return bool(spec.law) and hasattr(the("law", spec.law), "UNKNOWN")


def new(config: Config, layout: FeatureLayout, seed: int) -> Physics:
    """Every constant in the geometric middle of its range; there is nothing random about it."""
    if not isinstance(layout, FeatureLayout):
        given = getattr(getattr(layout, "spec", None), "name", layout)  # of an environment; else sizes
        raise ConfigError(f"a model of physics needs the layout of a robot, which names a law of motion; got {given}")
    spec = layout.spec
    check(spec)
    ranges = the("law", spec.law).UNKNOWN
    middle = [((low * high) ** 0.5 - low) / (high - low) for low, high in ranges.values()]
    sizes, theta = Sizes.of(layout), torch.logit(torch.tensor(middle))
    return Physics(AnalyticModel(spec), ranges, theta, sizes.normaliser, sizes.action_offset, sizes.action_scale)


def loss(model, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (E, B, K + 1, S) and actions (E, B, K, A) -> mean smooth-L1 in standard deviations of a step."""
    errors = (model.rollout(states[:, :, 0], actions) - states[:, :, 1:]) / model.normaliser.step_std
    return SMOOTH_L1(errors, torch.zeros(()).expand_as(errors))
