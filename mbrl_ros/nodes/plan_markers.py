"""The plan as rviz shows it: where each member of the ensemble expects the base to go."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point
from visualization_msgs.msg import Marker, MarkerArray

from mbrl_ros.control.agent import Agent
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import time_message
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import RobotState


class PlanMarkers:
    """Shown while somebody subscribes."""

    def __init__(self, node, agent: Agent):
        self._to, self._agent = topics.publisher(node, topics.PLAN_MARKERS), agent

    def show(self, state: RobotState | None) -> None:
        """The newest plan, made in `state`."""
        if not self._to.get_subscription_count() or state is None or state.base is None:
            return
        trace = self._agent.trace()
        if trace is not None:
            layout = self._agent.layout
            self._to.publish(markers(trace.numpy(), layout, layout.spec.dt, state.stamp_ns))


def markers(trace: np.ndarray, layout: FeatureLayout, dt: float, stamp_ns: int) -> MarkerArray:
    """Predicted states (M, H, S) -> one line a member, in the body's frame of now."""
    lines = []
    for number, states in enumerate(trace):
        line = Marker(ns="plan", id=number, type=Marker.LINE_STRIP, action=Marker.ADD)
        line.header.frame_id = "base_link"
        line.header.stamp = time_message(stamp_ns)
        line.scale.x = 0.01
        line.color.r, line.color.g, line.color.b, line.color.a = 0.1, 0.7, 0.9, 0.8
        line.pose.orientation.w = 1.0
        line.points = [Point(x=float(x), y=float(y), z=0.0) for x, y in path(states, layout, dt)]
        lines.append(line)
    return MarkerArray(markers=lines)


def path(states: np.ndarray, layout: FeatureLayout, dt: float) -> np.ndarray:
    """(H, 2) positions, the predicted body velocities summed up along the predicted heading."""
    heading = np.cumsum(states[:, layout.angular_velocity.stop - 1]) * dt
    vx, vy = states[:, layout.linear_velocity.start], states[:, layout.linear_velocity.start + 1]
    step = np.stack([np.cos(heading) * vx - np.sin(heading) * vy, np.sin(heading) * vx + np.cos(heading) * vy], 1)
    return np.cumsum(step, 0) * dt
