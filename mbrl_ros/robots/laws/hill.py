"""A cart on a hill that rises to the right and, behind its edge, drops.

    m v' = u - drag v - m g sin(slope at x),   height(x) = rise x - drop w ln(1 + exp((x - edge) / w))

Its joints are x, which a force u drives, and the height, which nothing drives: what a robot learns of the hill, it
learns from where it has been. Before the edge the ground bends within `width` w: there is a crest, and a little behind
it the cart is too weak to come back.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.spec import GRAVITY, RobotSpec

exact, smooth = False, True
START_SPREAD = 0.1  # m, how far from the start it may begin


def begun(spec: RobotSpec, random: np.random.Generator) -> np.ndarray:
    if spec.base is not None or spec.interface != "effort" or [j.actuated for j in spec.joints] != [True, False]:
        raise ConfigError(
            f"robot {spec.name}: law hill needs two joints, x with an effort interface and the height, not driven"
        )
    x = np.array(spec.constant("start") + random.uniform(-START_SPREAD, START_SPREAD))
    return np.stack([x, height(np, spec, x), 0.0 * x, 0.0 * x])


def after(m, spec: RobotSpec, motion, target, dt: float):
    x, v = motion[..., 0], motion[..., 2]
    steep = slope(m, spec, x)
    push = (target[..., 0] - spec.constant("drag") * v) / spec.constant("mass")
    v = v + (push - GRAVITY * steep / (1 + steep**2) ** 0.5) * dt
    low, high = spec.joints[0].position
    free = x + v * dt
    x = m.clip(free, low, high)  # a wall
    v = v * (x == free)
    return m.stack([x, height(m, spec, x), v, slope(m, spec, x) * v], -1)


def lost(spec: RobotSpec, motion: np.ndarray) -> bool:
    return bool(motion[1] < spec.constant("fallen_below"))


def height(m, spec: RobotSpec, x):
    """m, of the ground at x."""
    width = spec.constant("width")
    z = (x - spec.constant("edge")) / width
    softened = 0.5 * (z + m.abs(z)) + m.log1p(m.exp(-m.abs(z)))  # ln(1 + exp(z)), without overflow
    return spec.constant("rise") * x - spec.constant("drop") * width * softened


def slope(m, spec: RobotSpec, x):
    """Its derivative."""
    z = (x - spec.constant("edge")) / spec.constant("width")
    return spec.constant("rise") - spec.constant("drop") * (0.5 + 0.5 * m.tanh(z / 2))


def crest(spec: RobotSpec) -> tuple[float, float]:
    """x and height of the highest place."""
    low, high = spec.joints[0].position
    x = np.linspace(low, high, 2000)
    ground = height(np, spec, x)
    return float(x[ground.argmax()]), float(ground.max())
