"""A trot as an action map: strides, lift and a displacement of each foot become joint targets by inverse kinematics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.robots.spec import Leg, Legs, RobotSpec

GRAVITY = 9.81
CONTACT_LIFT = 0.02  # m: a foot lifted by this much carries nothing


class GaitMap:
    """Decisions (3 + 1 + 3 L): stride velocity x, y and yaw rate, lift, then x, y, z of each foot's displacement.

    A position servo lags: kp (target - q) - kv dq = torque. The map undoes both parts, the damping by leading the phase
    by kv/kp, the load by the static torque of a foot that carries its share of the weight.
    """

    def __init__(self, spec: RobotSpec):
        if spec.legs is None or spec.base is None or spec.interface != "position":
            raise ValueError(f"action map 'gait' needs legs and a position interface; {spec.name} has none")
        legs, gait = spec.legs, spec.legs.gait
        joints = {j.name: j for j in spec.joints}
        count = len(legs.each)
        self.size = 4 + 3 * count
        self.bounds = torch.tensor([[-1.0] * 3 + [0.0] + [-1.0] * 3 * count, [1.0] * self.size])
        self.noise = torch.tensor([0.3] * 3 + [0.3] + [0.35] * 3 * count)
        self.explore = torch.tensor([0.35] * 3 + [0.2] + [0.3] * 3 * count)
        self.rest = torch.zeros(self.size)  # random motion is around a trot on the spot
        self.rest[3] = gait.lift / gait.lift_range
        self._legs, self._gait = legs, gait
        self._stride = torch.tensor(gait.stride)
        self._residual = torch.tensor(gait.residual)
        self._offset = torch.tensor([leg.phase for leg in legs.each])
        first = joints[legs.each[0].joints[1]]
        self._lead = (first.kv / first.kp + spec.dt / 2) / gait.period
        self._hold = spec.dt / 2 / gait.period  # a target is held for dt: aim at its middle
        self._weight = spec.base.mass * GRAVITY
        self._stiffness = torch.tensor([[joints[name].kp for name in leg.joints] for leg in legs.each])  # (L, 3)
        self._side = torch.tensor([leg.side for leg in legs.each]) * legs.hip_offset
        self._foot = torch.tensor([nominal_foot(spec, leg) for leg in legs.each])  # (L, 3) from the hip
        hips = torch.tensor([leg.hip for leg in legs.each])
        self._arm = hips + self._foot[:, :2]  # (L, 2) from the body's centre
        order = {name: i for i, name in enumerate(spec.actuated_names)}
        self._order = torch.tensor([order[name] for leg in legs.each for name in leg.joints]).argsort()
        self._low, self._high = torch.tensor(spec.target_limits, dtype=torch.float32)

    def prior(self, command: Tensor) -> Tensor:
        """The command as stride, feet lifted only where there is somewhere to go."""
        stride = (command / self._stride).clamp(-1, 1)
        going = (command.abs().sum() / 0.1).clamp(max=1)
        lift = (self._gait.lift / self._gait.lift_range) * going
        return torch.cat([stride, lift[None], torch.zeros(self.size - 4)])

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        feet, carried = self._feet(decisions, phase)
        angles = self._inverse(feet) + self._load(feet, carried)
        targets = angles.flatten(-2)[..., self._order]
        return targets.clamp(self._low, self._high)

    def _feet(self, decisions: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """Foot positions from the hip (N, H, L, 3), and the share of the weight that each carries (N, H, L)."""
        duty, period = self._gait.duty, self._gait.period
        lead = (phase[:, None] + self._lead + self._offset) % 1.0  # (H, L)
        swing = ((lead - duty) / (1 - duty)).clamp(min=0)
        slope = -(1 - duty) / duty  # the foot leaves and meets the ground without a jump in velocity
        s2, s3 = swing**2, swing**3
        returning = 3 * s2 - 2 * s3 - 0.5 + slope * (2 * s3 - 3 * s2 + swing)
        along = torch.where(lead < duty, 0.5 - lead / duty, returning)  # +-0.5 of the stride
        rise = 16 * s2 * (1 - swing) ** 2
        stride = decisions[..., :3] * (self._stride * duty * period)
        yaw = stride[..., 2:3]
        lift = decisions[..., 3:4] * self._gait.lift_range
        residual = decisions[..., 4:].unflatten(-1, (-1, 3)) * self._residual
        feet = torch.stack(
            [
                along * (stride[..., 0:1] - yaw * self._arm[:, 1]),
                along * (stride[..., 1:2] + yaw * self._arm[:, 0]),
                rise * lift,
            ],
            -1,
        )
        now = (phase[:, None] + self._hold + self._offset) % 1.0
        off = (now >= duty).float() * (lift / CONTACT_LIFT).clamp(max=1)
        contact = 1.0 - off
        carried = contact / contact.sum(-1, keepdim=True)
        return feet + residual + self._foot, carried

    def _inverse(self, feet: Tensor) -> Tensor:
        """Foot positions from the hip (..., L, 3) -> hip, thigh and calf angles (..., L, 3)."""
        thigh, calf = self._legs.thigh, self._legs.calf
        x, y, z = feet.unbind(-1)
        down = -(y * y + z * z - self._side**2).clamp(min=1e-4).sqrt()
        hip = torch.atan2(z, y) - torch.atan2(down, self._side)
        hip = (hip + math.pi) % (2 * math.pi) - math.pi
        cosine = ((x * x + down * down - thigh**2 - calf**2) / (2 * thigh * calf)).clamp(-0.999, 0.999)
        knee = -torch.acos(cosine)
        lean = torch.atan2(-x, -down) - torch.atan2(calf * torch.sin(knee), thigh + calf * cosine)
        return torch.stack([hip, lean, knee], -1)

    def _load(self, feet: Tensor, carried: Tensor) -> Tensor:
        """By how much targets must lead (..., L, 3) so that the servos' springs hold the weight."""
        x, y, z = feet.unbind(-1)
        force = carried * self._weight
        down = (y * y + z * z - self._side**2).clamp(min=1e-4).sqrt()
        # The knee's arm is the calf's horizontal reach: the foot's x less the thigh's part of it.
        reach = self._legs.thigh**2 - self._legs.calf**2 + x * x + down * down
        length = (x * x + down * down).clamp(min=1e-4)
        along = reach / (2 * length)
        across = ((self._legs.thigh**2 / length) - along**2).clamp(min=0).sqrt()
        knee_x = along * x - across * down  # the knee lies behind the line from hip to foot
        torque = torch.stack([-force * y, force * x, force * (x - knee_x)], -1)
        return torque / self._stiffness


def nominal_foot(spec: RobotSpec, leg: Leg) -> tuple[float, float, float]:
    """Where the foot stands relative to its hip when the base is at stance height."""
    legs: Legs = spec.legs
    stance = {j.name: j.stance for j in spec.joints}
    _, lean, knee = (stance[name] for name in leg.joints)
    x = -legs.thigh * math.sin(lean) - legs.calf * math.sin(lean + knee)
    return x, leg.side * legs.hip_offset, -(spec.base.stance_height - legs.foot_radius)
