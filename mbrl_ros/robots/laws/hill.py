"""A cart on a hill that rises to the right and, behind its edge, drops.

    m v' = u - drag v - m g sin(slope at x),   height(x) = rise s(x) - drop s(x - edge),   s(z) = w ln(1 + exp(z / w))

Its joints are x, which a force u drives, and the height, which nothing drives: what a robot learns of the hill, it
learns from where it has been. Before the edge the ground bends within `width` w: there is a crest, and a little behind
it the cart is too weak to come back.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.spec import GRAVITY, RobotSpec

exact = False
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
    rises, drops = (_softened(m, (x - begin) / width) for begin in (0.0, spec.constant("edge")))
    return width * (spec.constant("rise") * rises - spec.constant("drop") * drops)


def slope(m, spec: RobotSpec, x):
    """Its derivative."""
    width = spec.constant("width")
    rises, drops = (0.5 + 0.5 * m.tanh((x - begin) / width / 2) for begin in (0.0, spec.constant("edge")))
    return spec.constant("rise") * rises - spec.constant("drop") * drops


def crest(spec: RobotSpec) -> tuple[float, float]:
    """x and height of the highest place."""
    low, high = spec.joints[0].position
    x = np.linspace(low, high, 2000)
    ground = height(np, spec, x)
    return float(x[ground.argmax()]), float(ground.max())


def _softened(m, z):
    """ln(1 + exp(z)), without overflow."""
    return 0.5 * (z + m.abs(z)) + m.log1p(m.exp(-m.abs(z)))
