"""A car as a bicycle: x' = v cos(heading), y' = v sin(heading), heading' = v / L tan(steer).

Its joints are the speed v and the angle of the front wheels, in this order. Each closes `kp` of the gap to its target a
second, and at most as fast as its `velocity` says.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.spec import RobotSpec

exact, smooth = False, True
UNKNOWN = {
    "wheelbase": (0.05, 5.0),  # m
    "speed_kp": (0.1, 50.0),  # 1/s
    "steer_kp": (0.1, 50.0),
}


def begun(spec: RobotSpec, random: np.random.Generator) -> np.ndarray:
    if not spec.planar or len(spec.actuated) != 2 or len(spec.joints) != 2 or spec.interface != "position":
        raise ConfigError(
            f"robot {spec.name}: law bicycle needs a planar base and two driven joints with a position interface, the "
            "speed and the steering angle"
        )
    return np.zeros(10)


def constants(spec: RobotSpec) -> dict[str, float]:
    """What the robot file says of what may be unknown."""
    return {"wheelbase": spec.constant("wheelbase"), "speed_kp": spec.joints[0].kp, "steer_kp": spec.joints[1].kp}


def after(m, spec: RobotSpec, motion, target, dt: float, found=None):
    known = found or constants(spec)
    wheelbase, (fastest, quickest) = known["wheelbase"], (j.velocity for j in spec.joints)
    x, y, heading, speed, steer = (motion[..., i] for i in (0, 1, 2, 6, 7))
    gain = m.clip(known["speed_kp"] * (target[..., 0] - speed), -fastest, fastest)
    turn = m.clip(known["steer_kp"] * (target[..., 1] - steer), -quickest, quickest)
    half = speed + gain * dt / 2  # of the way: the middle of a step stands for all of it
    middle = heading + half / wheelbase * m.tan(steer + turn * dt / 2) * dt / 2
    x, y = x + half * m.cos(middle) * dt, y + half * m.sin(middle) * dt
    speed, steer = speed + gain * dt, steer + turn * dt
    yaw_rate = speed / wheelbase * m.tan(steer)
    return m.stack([x, y, 2 * middle - heading, speed, 0 * speed, yaw_rate, speed, steer, gain, turn], -1)


def lost(spec: RobotSpec, motion: np.ndarray) -> bool:
    return False
