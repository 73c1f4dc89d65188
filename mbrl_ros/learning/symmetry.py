"""What training makes of symmetries: half of each batch in the mirror, each window in a heading of its own."""

from __future__ import annotations

import numpy as np

from mbrl_ros.learner_settings import TrainConfig
from mbrl_ros.robots.features import FeatureLayout, is_symmetric, mirror_actions, turned


def as_seen(
    layout: FeatureLayout, train: TrainConfig, states: np.ndarray, actions: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """States (E, B, K + 1, S) and targets (E, B, K, A), mirrored and turned as the settings and the robot allow."""
    if train.mirror and is_symmetric(layout.spec):
        states, actions = mirrored_half(layout, states, actions)
    return turned(layout, states, generator) if train.turn else states, actions


def mirrored_half(layout: FeatureLayout, states: np.ndarray, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged in the second half of the batch; states (E, B, K + 1, S), targets (E, B, K, A)."""
    half = states.shape[1] // 2
    permutation, signs = layout.mirror
    states[:, half:] = states[:, half:][..., permutation] * signs
    permutation, signs = mirror_actions(layout.spec)
    stance = layout.spec.stance.astype(np.float32)
    actions[:, half:] = ((actions[:, half:] - stance)[..., permutation]) * signs + stance
    return states, actions
