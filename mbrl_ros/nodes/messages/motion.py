"""What a robot is to do, is told and was told: cmd_vel, plan, commands, robot_mode and applied <-> Plan and Command."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mbrl_ros.nodes.messages.fields import (
    JointOrder,
    Refused,
    check_finite,
    doubles,
    member_of,
    stamp_of,
    tags_of,
    tags_text,
    time_message,
    whole_number,
)
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.safety.plans import MOST_POINTS
from mbrl_ros.types import NS, Action, Command, Plan, RobotMode

POINT_FIELD = {"position": "positions", "velocity": "velocities", "effort": "effort"}  # of a trajectory point


def velocity_command_of(message) -> np.ndarray:
    """(3,) vx, vy, wz in the body frame, of a Twist or TwistStamped."""
    twist = getattr(message, "twist", message)
    command = np.array([twist.linear.x, twist.linear.y, twist.angular.z])
    check_finite(command, "velocity command", ["linear.x", "linear.y", "angular.z"])
    return command


def plan_message(plan: Plan, spec: RobotSpec) -> JointTrajectory:
    message = JointTrajectory(joint_names=list(spec.actuated_names))
    message.header.stamp = time_message(plan.stamp_ns)
    tags = PlanTags(plan.sequence, plan.model, plan.gait_origin_ns, int(plan.exploring))
    message.header.frame_id = tags_text(**tags._asdict())
    field = POINT_FIELD[spec.interface]
    for offset_ns, target in zip(plan.offsets_ns, plan.targets, strict=True):
        point = JointTrajectoryPoint(time_from_start=Duration(sec=offset_ns // NS, nanosec=offset_ns % NS))
        setattr(point, field, doubles(target))
        message.points.append(point)
    return message


def plan_of(message: JointTrajectory, spec: RobotSpec, order: JointOrder | None = None) -> Plan:
    """What a plan says; whether that may be followed, the gate knows (safety/plans.py).

    `order`, a JointOrder of the actuated joints, saves the lookup of names where many plans are read.
    """
    order = order or JointOrder(spec.actuated_names)
    indices = order.of(message.joint_names)
    field = POINT_FIELD[spec.interface]
    if not message.points:
        raise Refused("plan without points")
    if len(message.points) > MOST_POINTS:
        raise Refused(f"plan of {len(message.points)} points; {MOST_POINTS} are the most that is read")
    rows = [np.array(getattr(point, field)) for point in message.points]
    if any(len(row) != len(message.joint_names) for row in rows):
        raise Refused(f"plan for {len(message.joint_names)} joints has a point with another number of {field}")
    offsets = tuple(p.time_from_start.sec * NS + p.time_from_start.nanosec for p in message.points)
    targets = np.stack(rows)[:, indices]
    return Plan(stamp_of(message.header.stamp), offsets_ns=offsets, targets=targets, **plan_tags_of(message)._asdict())


class PlanTags(NamedTuple):
    """What a plan's frame_id says."""

    sequence: int
    model: int
    gait_origin_ns: int
    exploring: bool


def plan_tags_of(message: JointTrajectory) -> PlanTags:
    tags = tags_of(message.header.frame_id, *PlanTags._fields)
    return PlanTags(*(whole_number(tags[key], key) for key in PlanTags._fields[:3]), tags["exploring"] == "1")


def command_message(target: np.ndarray, spec: RobotSpec) -> Float64MultiArray:
    message = Float64MultiArray(data=doubles(target))
    message.layout.dim = [MultiArrayDimension(label=name, size=1, stride=1) for name in spec.actuated_names]
    return message


def target_of(message: Float64MultiArray, spec: RobotSpec) -> np.ndarray:
    """(A,) the target in our order. Labels name the joints; without labels, the order is the robot file's."""
    names = spec.actuated_names
    target = np.array(message.data)
    if len(target) != len(names):
        raise Refused(f"command of {len(target)} numbers for {len(names)} joints: {', '.join(names)}")
    labels = [dim.label for dim in message.layout.dim]
    if labels:
        if sorted(labels) != sorted(names):
            raise Refused(f"command labels {', '.join(labels)} are not the joints {', '.join(names)}")
        target = target[[labels.index(name) for name in names]]
    check_finite(target, "command", names)
    return target


def applied_message(command: Command, spec: RobotSpec) -> JointState:
    message = JointState(name=list(spec.actuated_names))
    message.header.stamp = time_message(command.stamp_ns)
    message.header.frame_id = tags_text(
        plan=command.plan_sequence, model=command.model, action=command.action, mode=command.mode
    )
    setattr(message, spec.interface, doubles(command.target))
    return message


def applied_of(message: JointState, spec: RobotSpec, order: JointOrder | None = None) -> Command:
    order = order or JointOrder(spec.actuated_names)
    indices = order.of(message.name)
    target = np.array(getattr(message, spec.interface))
    if len(target) != len(message.name):
        raise Refused(f"applied names {len(message.name)} joints with {len(target)} values of {spec.interface}")
    target = target[indices]
    check_finite(target, "applied", spec.actuated_names)
    tags = tags_of(message.header.frame_id, "plan", "model", "action", "mode")
    return Command(
        stamp_ns=stamp_of(message.header.stamp),
        target=target,
        mode=member_of(RobotMode, tags["mode"]),
        action=member_of(Action, tags["action"]),
        plan_sequence=whole_number(tags["plan"], "plan"),
        model=whole_number(tags["model"], "model"),
    )


def mode_message(mode: RobotMode) -> String:
    return String(data=mode.value)


def mode_of(message: String) -> RobotMode:
    return member_of(RobotMode, message.data)
