"""Which velocity to follow now: the newest command, bounded, for as long as it is fresh; and how to get there."""

from __future__ import annotations

import numpy as np

from mbrl_ros.types import NS


class VelocityCommand:
    """Commands are (vx, vy, yaw rate) in the body frame. Non-finite ones are refused and counted."""

    def __init__(self):
        self._value = np.zeros(3)
        self._received_ns: int | None = None
        self.refused = 0

    def receive(self, value: np.ndarray, now_ns: int) -> bool:
        """Whether it was taken."""
        if value.shape != (3,) or not np.isfinite(value).all():
            self.refused += 1
            return False
        self._value, self._received_ns = value.astype(float), now_ns
        return True

    def at(self, now_ns: int, timeout: float, speed_limit: float, yaw_rate_limit: float) -> np.ndarray:
        """(3,) direction kept where the speed is scaled down; zero where the newest is older than `timeout` seconds."""
        if self._received_ns is None or now_ns - self._received_ns > timeout * NS:
            return np.zeros(3)
        vx, vy, yaw_rate = self._value
        speed = float(np.hypot(vx, vy))
        scale = min(1.0, speed_limit / speed) if speed > 0 else 1.0
        return np.array([vx * scale, vy * scale, np.clip(yaw_rate, -yaw_rate_limit, yaw_rate_limit)])


def approached(now: np.ndarray, wanted: np.ndarray, speed: float, yaw_rate: float) -> np.ndarray:
    """(..., 3) from `now` towards `wanted`, on a straight line: by at most `speed` m/s and `yaw_rate` rad/s."""
    change = wanted - now
    length = np.hypot(change[..., :1], change[..., 1:2])
    planar = change[..., :2] * (speed / np.maximum(length, speed))
    return now + np.concatenate([planar, np.clip(change[..., 2:], -yaw_rate, yaw_rate)], -1)
