"""A trot as an action map: strides, lift and a displacement of each foot become joint targets by inverse kinematics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.robots import gait_native
from mbrl_ros.robots.fit import check_gait
from mbrl_ros.robots.parts import Leg, Legs
from mbrl_ros.robots.spec import GRAVITY, RobotSpec

CONTACT_LIFT = 0.02  # m: a foot lifted by this much carries nothing


class GaitMap:
    """Decisions (3 + 1 + 3 L): stride velocity x, y and yaw rate, lift, then x, y, z of each foot's displacement.

    A position servo lags: kp (target - q) - kv dq = torque. The map undoes both parts, the damping by leading the phase
    by kv/kp, the load by the static torque of a foot that carries its share of the weight.
    """

    stepwise = False

    def __init__(self, spec: RobotSpec):
        check_gait(spec)
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
        stance = gait.duty * gait.period
        self._unit = torch.tensor([v * stance for v in gait.stride] + [gait.lift_range] + [*gait.residual] * count)
        self._offset = torch.tensor([leg.phase for leg in legs.each])[:, None, None]
        first = joints[legs.each[0].joints[1]]
        self._lead = (first.kv / first.kp + spec.dt / 2) / gait.period
        self._hold = spec.dt / 2 / gait.period  # a target is held for dt: aim at its middle
        self._weight = spec.base.mass * GRAVITY
        stiffness = torch.tensor([[joints[name].kp for name in leg.joints] for leg in legs.each])
        self._compliance = 1 / stiffness[:, :, None, None]  # (L, 3, 1, 1) rad/Nm
        self._side = torch.tensor([leg.side * legs.hip_offset for leg in legs.each])[:, None, None]
        foot = torch.tensor([nominal_foot(spec, leg) for leg in legs.each])
        self._foot = foot.T[:, :, None, None]  # (3, L, 1, 1) from the hip
        hips = torch.tensor([leg.hip for leg in legs.each])
        self._arm = (hips + foot[:, :2]).T[:, :, None, None]  # (2, L, 1, 1) from the body's centre
        order = {name: i for i, name in enumerate(spec.actuated_names)}
        self._order = torch.tensor([order[name] for leg in legs.each for name in leg.joints]).argsort()
        self._low, self._high = torch.tensor(spec.target_limits, dtype=torch.float32)[:, :, None, None]
        here = self._unit.device.type == "cpu" and count <= gait_native.MOST_LEGS
        self._native = self._compiled() if here and not gait_native.why_not() else None

    def _compiled(self) -> gait_native.NativeGait:
        place = self._order.argsort().view(-1, 3).tolist()  # of each leg's joints among the targets
        low, high = self._low.flatten(), self._high.flatten()
        legs = [
            {
                "offset": self._offset[i].item(),
                "foot": self._foot[:, i, 0, 0].tolist(),
                "arm": self._arm[:, i, 0, 0].tolist(),
                "side": self._side[i].item(),
                "compliance": self._compliance[i, :, 0, 0].tolist(),
                "low": low[joints].tolist(),
                "high": high[joints].tolist(),
                "joint": joints,
            }
            for i, joints in enumerate(place)
        ]
        return gait_native.NativeGait(
            self._unit,
            legs,
            targets=len(self._order),
            duty=self._gait.duty,
            lead=self._lead,
            hold=self._hold,
            thigh=self._legs.thigh,
            calf=self._legs.calf,
            weight=self._weight,
            contact_lift=CONTACT_LIFT,
        )

    def prior(self, command: Tensor) -> Tensor:
        """The command as stride, feet lifted only where there is somewhere to go."""
        stride = (command / self._stride).clamp(-1, 1)
        going = (command.abs().sum() / 0.1).clamp(max=1)
        lift = (self._gait.lift / self._gait.lift_range) * going
        return torch.cat([stride, lift[None], torch.zeros(self.size - 4)])

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        if self._native is not None and decisions.dtype == torch.float32:
            return self._native.decode(decisions, phase)
        return self.decode_by_torch(decisions, phase)

    def decode_by_torch(self, decisions: Tensor, phase: Tensor) -> Tensor:
        """Works on (L, N, H): legs first, so that every operation runs over contiguous memory."""
        stride, lift, residual = self._parts(decisions)
        x, y, z, carried = self._feet(stride, lift, residual, phase)
        angles = self._joint_targets(x, y, z, carried * self._weight)
        targets = angles.flatten(0, 1).index_select(0, self._order)
        return torch.minimum(torch.maximum(targets, self._low), self._high).permute(1, 2, 0)

    def _parts(self, decisions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decisions (N, H, U) -> stride over one stance (3, N, H) m and rad, lift (N, H), residual (3, L, N, H) m."""
        units = (decisions * self._unit).permute(2, 0, 1).contiguous()
        return units[:3], units[3], units[4:].unflatten(0, (-1, 3)).transpose(0, 1)

    def _feet(self, stride, lift, residual, phase) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Foot positions from the hip x, y, z (L, N, H), and the share of the weight that each carries (L, N, H)."""
        duty = self._gait.duty
        lead = (phase + self._lead + self._offset) % 1.0  # (L, 1, H)
        swing = ((lead - duty) / (1 - duty)).clamp(min=0)
        slope = -(1 - duty) / duty  # the foot leaves and meets the ground without a jump in velocity
        s2, s3 = swing**2, swing**3
        returning = 3 * s2 - 2 * s3 - 0.5 + slope * (2 * s3 - 3 * s2 + swing)
        along = torch.where(lead < duty, 0.5 - lead / duty, returning)  # +-0.5 of the stride
        rise = 16 * s2 * (1 - swing) ** 2
        x = residual[0] + along * (stride[0] - stride[2] * self._arm[1]) + self._foot[0]
        y = residual[1] + along * (stride[1] + stride[2] * self._arm[0]) + self._foot[1]
        z = residual[2] + rise * lift + self._foot[2]
        swings = ((phase + self._hold + self._offset) % 1.0 >= duty).float()
        contact = 1.0 - swings * (lift / CONTACT_LIFT).clamp(max=1)
        return x, y, z, contact / contact.sum(0)

    def _joint_targets(self, x: Tensor, y: Tensor, z: Tensor, force: Tensor) -> Tensor:
        """Foot positions from the hip and the force each carries (L, N, H) -> targets of hip, thigh, calf (L, 3, N, H).

        Inverse kinematics; then each target leads by the torque that the force asks of its joint, over the servo's kp.
        """
        thigh, calf, side = self._legs.thigh, self._legs.calf, self._side
        up = (y * y + z * z - side**2).clamp(min=1e-4).sqrt()  # from the foot to the hip in the leg's plane
        hip = torch.atan2(z * side + y * up, y * side - z * up)
        length = x * x + up * up
        cosine = ((length - (thigh**2 + calf**2)) / (2 * thigh * calf)).clamp(-0.999, 0.999)
        sine = -(1 - cosine * cosine).sqrt()  # knees point backwards
        along, across = thigh + calf * cosine, calf * sine
        rise, run = -x * along - up * across, up * along - x * across
        lean = torch.atan2(rise, run)
        knee = torch.atan2(sine, cosine)
        knee_x = -thigh * rise / length
        angles = torch.stack([hip, lean, knee], 1)
        torque = torch.stack([-force * y, force * x, force * (x - knee_x)], 1)
        return angles + torque * self._compliance


def nominal_foot(spec: RobotSpec, leg: Leg) -> tuple[float, float, float]:
    """Where the foot stands relative to its hip when the base is at stance height."""
    legs: Legs = spec.legs
    stance = {j.name: j.stance for j in spec.joints}
    _, lean, knee = (stance[name] for name in leg.joints)
    x = -legs.thigh * math.sin(lean) - legs.calf * math.sin(lean + knee)
    return x, leg.side * legs.hip_offset, -(spec.base.stance_height - legs.foot_radius)
