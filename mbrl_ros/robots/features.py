"""RobotState <-> the flat feature vector that models see, and what mirroring and turning do to it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import RobotState


class FeatureLayout:
    """Which feature stands where, in physical units.

    With a base: gravity 3, linear velocity 3, angular velocity 3 (all in the body frame), height 1. Position and
    heading are left out: the dynamics do not depend on them. A planar base is there to go somewhere: position 2, cosine
    and sine of the heading, linear velocity 2 in the body frame, yaw rate 1. Then the joint positions relative to
    stance (a continuous joint gives its cosine, then its sine), then the joint velocities.
    """

    def __init__(self, spec: RobotSpec):
        self.spec = spec
        self._offset = np.array([j.stance for j in spec.joints])
        names, kinds = [], []

        def block(kind: str, members: list[str]) -> slice:
            start = len(names)
            names.extend(members)
            kinds.extend([kind] * len(members))
            return slice(start, len(names))

        if spec.planar:
            self.position = block("position", ["x", "y"])
            self.heading = block("heading", ["cos heading", "sin heading"])
            self.linear_velocity = block("linear_velocity", ["vx", "vy"])
            self.angular_velocity = block("angular_velocity", ["wz"])
        elif spec.base is not None:
            self.gravity = block("gravity", ["gx", "gy", "gz"])
            self.linear_velocity = block("linear_velocity", ["vx", "vy", "vz"])
            self.angular_velocity = block("angular_velocity", ["wx", "wy", "wz"])
            self.height = block("height", ["height"])
        angles = [
            part for j in spec.joints for part in ([f"cos {j.name}", f"sin {j.name}"] if j.continuous else [j.name])
        ]
        self.joint_position = block("joint_position", angles)
        self.joint_velocity = block("joint_velocity", [f"d {j.name}" for j in spec.joints])
        self.names = tuple(names)
        self.kinds = tuple(kinds)
        self.size = len(names)

    @property
    def transition_sizes(self) -> tuple[int, int, int]:
        """Of state, action and next_state in a transition of this robot."""
        return self.size, len(self.spec.actuated), self.size

    @cached_property
    def scales(self) -> np.ndarray:
        """(S,) the size of one unit of each feature before any data."""
        return np.array([getattr(self.spec.feature_scales, k) for k in self.kinds], np.float32)

    @cached_property
    def indifferent(self) -> np.ndarray:
        """(S,) bool: what the dynamics do not depend on, though it changes: where a planar base is."""
        return np.array([kind == "position" for kind in self.kinds])

    @cached_property
    def noise(self) -> np.ndarray:
        """(S,) one sigma of the sensors."""
        return np.array([getattr(self.spec.noise, k) for k in self.kinds], np.float32)

    def encode(self, state: RobotState) -> np.ndarray:
        """(S,) float32"""
        parts = []
        if self.spec.planar:
            base, heading = state.base, state.base.heading
            parts += [base.position[:2], [np.cos(heading), np.sin(heading)], base.linear_velocity_body[:2]]
            parts.append(base.angular_velocity_body[2:])
        elif state.base is not None:
            base = state.base
            parts += [base.gravity_body, base.linear_velocity_body, base.angular_velocity_body, base.position[2:3]]
        if any(j.continuous for j in self.spec.joints):
            for joint, q in zip(self.spec.joints, state.joint_position, strict=True):
                parts.append([np.cos(q), np.sin(q)] if joint.continuous else [q - joint.stance])
        else:
            parts.append(state.joint_position - self._offset)
        parts.append(state.joint_velocity)
        return np.concatenate(parts).astype(np.float32)

    def velocity(self, state: np.ndarray) -> np.ndarray:
        """(3,) of a base's state: forward, to the left, turning; what commands are about."""
        v, w = self.linear_velocity.start, self.angular_velocity.stop - 1
        return state[[v, v + 1, w]].astype(np.float64)

    @cached_property
    def mirror(self) -> tuple[np.ndarray, np.ndarray]:
        """(permutation (S,), signs (S,)): the mirrored state is state[permutation] * signs.

        Left and right of the body change places; of a planar base, left and right of the world's x axis.
        """
        index = {name: i for i, name in enumerate(self.names)}
        permutation, signs = np.arange(self.size), np.ones(self.size, np.float32)
        for name in ("gy", "vy", "wx", "wz", *(("y", "sin heading") if self.spec.planar else ())):
            if name in index:
                signs[index[name]] = -1
        for joint in self.spec.joints:
            partner, sign = mirror_partner(joint)
            pairs = [(f"d {joint.name}", f"d {partner}", sign)]
            if joint.continuous:
                pairs += [(f"cos {joint.name}", f"cos {partner}", 1.0), (f"sin {joint.name}", f"sin {partner}", sign)]
            else:
                pairs.append((joint.name, partner, sign))
            for own, other, s in pairs:
                permutation[index[own]] = index[other]
                signs[index[own]] = s
        return permutation, signs


def turned(layout: FeatureLayout, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Sequences (..., T, S) of a planar base, each as if it had begun with another heading, any being as likely.

    Place and heading are of the world and turn; velocities are in the body frame, in which nothing changes.
    """
    angle = random.uniform(-np.pi, np.pi, (*states.shape[:-2], 1))
    cos, sin, found = np.cos(angle), np.sin(angle), states.copy()
    for block in (layout.position, layout.heading):
        x, y = np.moveaxis(states[..., block], -1, 0)
        found[..., block] = np.stack([cos * x - sin * y, sin * x + cos * y], -1)
    return found


def mirror_partner(joint) -> tuple[str, float]:
    """The joint on the other side and the sign of its angle there; itself where the file names none."""
    if joint.mirror is None:
        return joint.name, 1.0
    return joint.mirror.lstrip("-"), -1.0 if joint.mirror.startswith("-") else 1.0


def mirror_actions(spec: RobotSpec) -> tuple[np.ndarray, np.ndarray]:
    """(permutation (A,), signs (A,)) for targets relative to stance."""
    index = {j.name: i for i, j in enumerate(spec.actuated)}
    pairs = [mirror_partner(j) for j in spec.actuated]
    return np.array([index[name] for name, _ in pairs]), np.array([sign for _, sign in pairs], np.float32)


def is_symmetric(spec: RobotSpec) -> bool:
    """Whether the robot file says how to mirror every joint."""
    return all(j.mirror is not None for j in spec.joints)
