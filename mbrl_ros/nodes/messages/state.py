"""What a robot's sensors say: joint_states, imu/data, odom and the clock <-> RobotState and BaseState."""

from __future__ import annotations

import numpy as np
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Imu, JointState

from mbrl_ros.nodes.messages.fields import JointOrder, Refused, check_finite, doubles, stamp_of, time_message
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotState


def joints_of(message: JointState, order: JointOrder) -> tuple[int, np.ndarray, np.ndarray]:
    """Stamp, position (J,) and velocity (J,)."""
    indices = order.of(message.name)
    values = []
    for field in ("position", "velocity"):
        numbers = np.array(getattr(message, field))
        if len(numbers) != len(message.name):
            raise Refused(f"{len(message.name)} joints with {len(numbers)} values of {field}")
        values.append(numbers[indices])
        check_finite(values[-1], field, message.name, indices)
    return stamp_of(message.header.stamp), *values


def imu_of(message: Imu) -> tuple[int, np.ndarray, np.ndarray]:
    """Stamp, orientation_wxyz (4,) and angular velocity in the body frame (3,)."""
    q, w = message.orientation, message.angular_velocity
    orientation = np.array([q.w, q.x, q.y, q.z])
    angular_velocity = np.array([w.x, w.y, w.z])
    check_finite(orientation, "orientation")
    check_finite(angular_velocity, "angular_velocity")
    norm = np.sqrt(orientation @ orientation)
    if not 0.9 < norm < 1.1:
        raise Refused("orientation is no unit quaternion; the IMU or its driver must estimate orientation")
    return stamp_of(message.header.stamp), orientation / norm, angular_velocity


def odometry_of(message: Odometry) -> tuple[int, np.ndarray, np.ndarray]:
    """Stamp, position in the world (3,) and linear velocity in the body frame (3,)."""
    p, v = message.pose.pose.position, message.twist.twist.linear
    position, velocity = np.array([p.x, p.y, p.z]), np.array([v.x, v.y, v.z])
    check_finite(position, "position")
    check_finite(velocity, "twist.linear")
    return stamp_of(message.header.stamp), position, velocity


def base_of(message: Odometry) -> tuple[int, BaseState]:
    """Everything an odometry message says of the base, as judges read ground_truth/odom."""
    q, w = message.pose.pose.orientation, message.twist.twist.angular
    stamp_ns, position, velocity = odometry_of(message)
    orientation, angular_velocity = np.array([q.w, q.x, q.y, q.z]), np.array([w.x, w.y, w.z])
    check_finite(orientation, "orientation")
    check_finite(angular_velocity, "twist.angular")
    return stamp_ns, BaseState(position, orientation, velocity, angular_velocity)


def joint_state_message(state: RobotState, spec: RobotSpec) -> JointState:
    message = JointState(name=list(spec.joint_names))
    message.header.stamp = time_message(state.stamp_ns)
    message.position = doubles(state.joint_position)
    message.velocity = doubles(state.joint_velocity)
    return message


def imu_message(state: RobotState) -> Imu:
    message = Imu()
    message.header.stamp = time_message(state.stamp_ns)
    message.header.frame_id = "base_link"
    _set_quaternion(message.orientation, state.base.orientation_wxyz)
    _set_vector(message.angular_velocity, state.base.angular_velocity_body)
    message.linear_acceleration_covariance[0] = -1.0  # the convention for: not measured
    return message


def odometry_message(state: RobotState) -> Odometry:
    message = Odometry(child_frame_id="base_link")
    message.header.stamp = time_message(state.stamp_ns)
    message.header.frame_id = "odom"
    _set_vector(message.pose.pose.position, state.base.position)
    _set_quaternion(message.pose.pose.orientation, state.base.orientation_wxyz)
    _set_vector(message.twist.twist.linear, state.base.linear_velocity_body)
    _set_vector(message.twist.twist.angular, state.base.angular_velocity_body)
    return message


def clock_message(stamp_ns: int) -> Clock:
    return Clock(clock=time_message(stamp_ns))


def _set_vector(message, vector: np.ndarray) -> None:
    message.x, message.y, message.z = vector.tolist()


def _set_quaternion(message, wxyz: np.ndarray) -> None:
    message.w, message.x, message.y, message.z = wxyz.tolist()
