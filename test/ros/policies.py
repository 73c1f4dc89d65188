"""Policies as bytes, good and bad, for a planner to judge."""

from __future__ import annotations

from dataclasses import replace

import torch

from mbrl_ros.policies.artefact import to_bytes
from mbrl_ros.policies.card import PolicyCard, input_names, robot_part
from mbrl_ros.policies.network import Policy, new_policy, new_value
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

ROBOT = load_robot("go1_like")
LAYOUT = FeatureLayout(ROBOT)
MAP = make_action_map("gait", ROBOT)


def policy(version: int, change=lambda network: network, **card) -> bytes:
    """One that has learned nothing, and walks as the gait does by itself; `card`: what it says otherwise."""
    names = input_names(LAYOUT, 3)
    states = torch.randn(50, LAYOUT.size, generator=torch.Generator().manual_seed(0))
    network = change(new_policy(LAYOUT, states, 3, MAP.bounds, 0))
    about = {
        "task": "quadruped", "version": version, "model_version": 1, "model_hash": "0", "discount": 0.9, "seen": names,
        "lowest": [-10.0] * len(names), "highest": [10.0] * len(names),
        "golden_seen": [], "golden_prior": [], "golden_decisions": [], "golden_value": 0.0, **robot_part(ROBOT, "gait"),
    }  # fmt: skip
    example = network.mean, MAP.prior(torch.zeros(3))
    return to_bytes(network, new_value(network, 0), PolicyCard(**about | card), example)


def turning_left(network: Policy) -> Policy:
    """Another one: all its decisions are a little to one side."""
    return replace(network, biases=(*network.biases[:-1], network.biases[-1] + 0.1))


def clumsy(network: Policy) -> Policy:
    """Another one, with which no robot stays up for long."""
    return replace(network, biases=(*network.biases[:-1], network.biases[-1] + 5.0))


def treacherous(network: Policy) -> Policy:
    """Right where it is proven, and not finite anywhere else."""
    weights = (1e10 * network.weights[0], *network.weights[1:])
    return replace(network, std=torch.full_like(network.std, 1e-30), weights=weights)
