"""Small worlds whose truth is known: what models are measured on by `mbrl bench models`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

DT = 0.05  # s
NOISE = 0.05, 0.15  # sigma of the steps of `field`: everywhere for s0, and what it grows to, to the right, for s1


@dataclass(frozen=True)
class Recording:
    """What models learn from: runs of states (R, T + 1, S) and actions (R, T, A)."""

    states: Tensor
    actions: Tensor


def field(states: Tensor, actions: Tensor) -> Tensor:
    """A smooth world of two states and one action, without its noise: (..., 2), (..., 1) -> (..., 2)."""
    s0, s1 = states.unbind(-1)
    return torch.stack([s0 + 0.2 * s1, s1 + 0.3 * torch.sin(2 * s0) + 0.3 * actions[..., 0]], -1)


def field_noise(states: Tensor) -> Tensor:
    """(..., 2) sigma of a step from there: one feature is noisier, more so to the right."""
    quiet, loud = NOISE
    right = torch.sigmoid(2 * states[..., :1])
    return torch.cat([torch.full_like(right, quiet), quiet + (loud - quiet) * right], -1)


def field_steps(count: int, seed: int, noisy: bool = True, keep=lambda states: torch.ones(len(states), dtype=bool)):
    """`count` single steps from a square of +-2 where `keep` (B, 2) -> (B,) says so."""
    generator = torch.Generator().manual_seed(seed)
    states = torch.zeros(0, 2)
    while len(states) < count:
        drawn = 4 * torch.rand(2 * count, 2, generator=generator) - 2
        states = torch.cat([states, drawn[keep(drawn)]])[:count]
    actions = 2 * torch.rand(count, 1, generator=generator) - 1
    luck = torch.randn(count, 2, generator=generator) * field_noise(states)
    following = field(states, actions) + (luck if noisy else 0.0)
    return Recording(torch.stack([states, following], 1), actions[:, None])


def forked(count: int, seed: int) -> Recording:
    """One state that goes up or down by 1, however it is pushed: nobody can say which. Noise of 0.1 around either."""
    generator = torch.Generator().manual_seed(seed)
    states, actions = (
        2 * torch.rand(count, 1, generator=generator) - 1,
        2 * torch.rand(count, 1, generator=generator) - 1,
    )
    way = 2.0 * torch.randint(2, (count, 1), generator=generator) - 1
    following = fork(states, actions) + way + FORK_NOISE * torch.randn(count, 1, generator=generator)
    return Recording(torch.stack([states, following], 1), actions[:, None])


FORK_NOISE = 0.1


def fork(states: Tensor, actions: Tensor) -> Tensor:
    """(..., 1) halfway between the two states that may follow."""
    return states + 0.5 * actions


def pendulum(states: Tensor, actions: Tensor, substeps: int = 5) -> Tensor:
    """(..., 3) cosine and sine of the angle from upright, its speed; (..., 1) torque in +-1 -> (..., 3) after DT."""
    angle, speed = torch.atan2(states[..., 1], states[..., 0]), states[..., 2]
    for _ in range(substeps):
        speed = speed + DT / substeps * (10.0 * angle.sin() + 6.0 * actions[..., 0].clamp(-1, 1) - 0.1 * speed)
        angle = angle + DT / substeps * speed
    return torch.stack([angle.cos(), angle.sin(), speed], -1)


SCALES = torch.tensor([1.0, 1.0, 4.0])  # of the pendulum's features


def in_scales(off: Tensor) -> float:
    """Root mean square of errors (..., 3) of a pendulum, in scales."""
    return float((off / SCALES).square().mean().sqrt())


def swung(runs: int, steps: int, seed: int, noise: float = 0.0) -> Recording:
    """A pendulum from anywhere under random torque, held for a while; `noise`: sigma of what is measured, in scales."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(runs, generator=generator)
    state = torch.stack([angle.cos(), angle.sin(), 6 * torch.rand(runs, generator=generator) - 3], -1)
    held = 2 * torch.rand(runs, -(-steps // 5), 1, generator=generator) - 1
    actions, path = held.repeat_interleave(5, 1)[:, :steps], [state]
    for k in range(steps):
        path.append(pendulum(path[-1], actions[:, k]))
    states = torch.stack(path, 1)
    luck = SCALES * torch.randn(states.shape, generator=generator)
    return Recording(states + noise * luck, actions)


CAR = {"wheelbase": 0.28, "speed_kp": 2.2, "steer_kp": 9.5}  # other than the robot file says
CAR_FILE = "car"  # whose features, sensors and limits of rate it has


def driven(seconds: float, seed: int, noise: float = 1.0, understeer: float = 0.0) -> Recording:
    """A car of the constants above under wandering commands, in fine Euler steps of its own.

    `noise` times that of its sensors. `understeer` (s^2/m^2): it turns 1 + understeer v^2 times less than a bicycle,
    which is in nobody's law.
    """
    spec = load_robot(CAR_FILE)
    rng, steps, fine = np.random.default_rng(seed), round(seconds / DT), 50
    knots = rng.uniform([0.5, -0.35], [2.5, 0.35], (steps // 10 + 1, 2))
    actions, rates = np.repeat(knots, 10, 0)[:steps], [j.velocity for j in spec.joints]
    x = y = heading = speed = steer = yaw_rate = gain = turn = 0.0
    path, h = [], DT / fine
    for step in range(steps + 1):
        path.append((x, y, np.cos(heading), np.sin(heading), speed, 0.0, yaw_rate, speed, steer, gain, turn))
        told_speed, told_steer = actions[min(step, steps - 1)]
        for _ in range(fine):
            gain = np.clip(CAR["speed_kp"] * (told_speed - speed), -rates[0], rates[0])
            turn = np.clip(CAR["steer_kp"] * (told_steer - steer), -rates[1], rates[1])
            yaw_rate = speed / CAR["wheelbase"] * np.tan(steer) / (1 + understeer * speed**2)
            x, y = x + h * speed * np.cos(heading), y + h * speed * np.sin(heading)
            heading, speed, steer = heading + h * yaw_rate, speed + h * gain, steer + h * turn
    states = np.array(path) + noise * FeatureLayout(spec).noise * rng.standard_normal((steps + 1, len(path[0])))
    return Recording(torch.tensor(states[None], dtype=torch.float32), torch.tensor(actions[None], dtype=torch.float32))
