"""A pole to be balanced on a cart by a force: the environment on which mbrl-lib shows its PETS.

The same constants, integration, start, end and reward as there (its cartpole_continuous), so that returns and real
steps can be compared. With m the pole's mass, M that of both, l half the pole's length, F = 10 u:

    q = (F + m l th'^2 sin th) / M
    th'' = (g sin th - q cos th) / (l (4/3 - m cos^2 th / M)),   x'' = q - m l th'' cos th / M

A step is one of explicit Euler. It earns 1, until the pole leans by 12 degrees or the cart is 2.4 m away: at most 200.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends.environment import EnvironmentSpec, Outcome
from mbrl_ros.config import ConfigError

GRAVITY = 9.8  # m/s^2
CART, POLE = 1.0, 0.1  # kg
HALF_LENGTH = 0.5  # m, of the pole
FORCE = 10.0  # N, of an action of 1
DT = 0.02  # s
TRACK, LEAN = 2.4, math.radians(12)  # m, rad beyond which it is over
START = 0.05  # in each number of the state, at most
TRIAL_STEPS = 200

SPEC = EnvironmentSpec(
    name="own/balanced-cartpole",
    observation_names=("x", "d x", "lean", "d lean"),
    scales=np.array([1.0, 1.0, 0.2, 1.0]),
    bounds=np.array([[-1.0], [1.0]]),
    dt=DT,
    episode_steps=TRIAL_STEPS,
)


class BalancedCartpole:
    spec = SPEC

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)
        self._state = np.zeros(4)  # x, x', th, th'

    def reset(self) -> np.ndarray:
        self._state = self._rng.uniform(-START, START, 4)
        return self._state.copy()

    def step(self, action: np.ndarray) -> Outcome:
        self._state = self._state + DT * derivative(self._state, FORCE * float(action[0]))
        return Outcome(self._state.copy(), 1.0, has_fallen(self._state[0], self._state[2]), False)


class Balance:
    """What it earns and when it is over, as a task says it of states that a model imagines."""

    command_size = 0
    goal = "balanced"

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., 4) -> (...)"""
        return torch.where(torch.isfinite(state).all(-1), 1.0 - self.terminated(state).float(), torch.nan)

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool"""
        return has_fallen(state[..., 0], state[..., 2])

    def at_goal(self, state: Tensor) -> Tensor:
        return ~self.terminated(state)


def derivative(state: np.ndarray, force: float) -> np.ndarray:
    """(4,) of the state (4,) under a force in N."""
    _, speed, lean, turn = state
    both, moment = CART + POLE, POLE * HALF_LENGTH
    sine, cosine = math.sin(lean), math.cos(lean)
    pushed = (force + moment * turn**2 * sine) / both
    turning = (GRAVITY * sine - cosine * pushed) / (HALF_LENGTH * (4 / 3 - POLE * cosine**2 / both))
    return np.array([speed, pushed - moment * turning * cosine / both, turn, turning])


def has_fallen(x, lean):
    """Of numbers, or of tensors of them."""
    return (abs(x) > TRACK) | (abs(lean) > LEAN)


def own_task(name: str, task: str, seed: int) -> BalancedCartpole:
    if task != "balanced-cartpole":
        raise ConfigError(f"no environment {name!r}. Known: {SPEC.name}")
    return BalancedCartpole(seed)
