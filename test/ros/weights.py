"""Models as bytes, good and bad, for a planner to judge."""

from __future__ import annotations

from dataclasses import replace

from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card, to_bytes
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning.models import load_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot


def shipped():
    """The quadruped's model and its card."""
    return load_model("pretrained", "quadruped_mpc", FeatureLayout(load_robot("go1_like")))


def numbered(version: int, change=lambda model: None) -> bytes:
    """The shipped model under another number, its tensors changed in place."""
    model, card = shipped()
    change(model)
    return to_bytes(model, replace(card, version=version))


def exploding(model) -> None:
    model.weights[-1].mul_(1e30)


def scaled(factor: float):
    """Weights that are finite, of the right shapes, and wrong."""

    def change(model) -> None:
        for weight in model.weights:
            weight.mul_(factor)

    return change


def not_finite(model) -> None:
    model.weights[0][0, 0, 0] = float("nan")


def untrained(spec: RobotSpec, version: int) -> bytes:
    model = new_ensemble(EnsembleConfig(), FeatureLayout(spec), 0)
    return to_bytes(model, Card(spec.name, spec.layout_hash, version, 1.0, 0.1, 0.9))
