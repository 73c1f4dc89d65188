"""A car as a bicycle: two wheels, the front one steers. All of it is known but five constants.

    x' = v cos(th)    y' = v sin(th)    th' = v / wheelbase tan(steer)
    v' = (speed_gain told_v - v) / speed_lag        steer' = (steer_gain told_steer - steer) / steer_lag

State: x, y, cos(th), sin(th), v, steer (m, rad, s). Action: what speed and steering angle are told. A robot file of a
car has more features and servos with limited rates: `step_of_car`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

SUBSTEPS = 4
RANGES = {
    "wheelbase": (0.05, 5.0),  # m
    "speed_gain": (0.3, 2.0),
    "steer_gain": (0.3, 2.0),
    "speed_lag": (0.01, 2.0),  # s
    "steer_lag": (0.01, 1.0),  # s
}


CAR_RANGES = {
    "wheelbase": (0.05, 5.0),  # m
    "speed_kp": (0.1, 50.0),  # 1/s, what the servo closes of a gap
    "steer_kp": (0.1, 50.0),
    "speed_rate": (0.5, 50.0),  # m/s^2, at most
    "steer_rate": (0.2, 20.0),  # rad/s, at most
}


def step(constants: Mapping[str, Tensor], states: Tensor, actions: Tensor, dt: float) -> Tensor:
    """States (..., 6) and actions (..., 2) -> the states after dt: exact in the lags, midpoints in between."""
    x, y, cos, sin, speed, steer = states.unbind(-1)
    h = dt / SUBSTEPS
    told = actions[..., 0] * constants["speed_gain"], actions[..., 1] * constants["steer_gain"]
    keep = [torch.exp(-h / constants[name]) for name in ("speed_lag", "steer_lag")]
    for _ in range(SUBSTEPS):
        speed_before, steer_before = speed, steer
        speed = told[0] + (speed - told[0]) * keep[0]
        steer = told[1] + (steer - told[1]) * keep[1]
        way = h * (speed + speed_before) / 2
        turn = way / constants["wheelbase"] * torch.tan(((steer + steer_before) / 2).clamp(-1.5, 1.5))
        x = x + way * _rotated(cos, sin, turn / 2)[0]
        y = y + way * _rotated(cos, sin, turn / 2)[1]
        cos, sin = _rotated(cos, sin, turn)
    return torch.stack([x, y, cos, sin, speed, steer], -1)


def step_of_car(constants: Mapping[str, Tensor], states: Tensor, actions: Tensor, dt: float) -> Tensor:
    """States (..., 11), targets (..., 2) -> (..., 11): x, y, cos, sin, vx, vy, yaw rate, then both joints, then
    how fast they change."""
    x, y, cos, sin = states[..., :4].unbind(-1)
    speed, steer, h = states[..., 7], states[..., 8], dt / SUBSTEPS
    for _ in range(SUBSTEPS):
        gain, turning = (
            (constants[f"{name}_kp"] * gap).clamp(-constants[f"{name}_rate"], constants[f"{name}_rate"])
            for name, gap in (("speed", actions[..., 0] - speed), ("steer", actions[..., 1] - steer))
        )
        way = h * (speed + h * gain / 2)
        turn = way / constants["wheelbase"] * torch.tan((steer + h * turning / 2).clamp(-1.5, 1.5))
        along = _rotated(cos, sin, turn / 2)
        x, y = x + way * along[0], y + way * along[1]
        cos, sin = _rotated(cos, sin, turn)
        speed, steer = speed + h * gain, steer + h * turning
    yaw_rate = speed / constants["wheelbase"] * torch.tan(steer.clamp(-1.5, 1.5))
    return torch.stack([x, y, cos, sin, speed, torch.zeros_like(speed), yaw_rate, speed, steer, gain, turning], -1)


def _rotated(cos: Tensor, sin: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    return cos * by.cos() - sin * by.sin(), sin * by.cos() + cos * by.sin()
