"""Joins the state topics of a robot into complete states."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu, JointState

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import JointOrder, Refused
from mbrl_ros.nodes.messages.state import base_of, imu_of, joints_of, odometry_of
from mbrl_ros.nodes.refusals import Refusals
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotState

JOIN_NS = 5_000_000  # topics of one sample may be this far apart where a driver cannot stamp them equally


class StateAssembler:
    """Joins the state topics of one robot into RobotStates.

    Give every message to `joint_states`, `imu` or `odom`; what comes back is a complete state or None. Messages of
    one sample carry the same stamp and are joined by it. Where a driver cannot stamp so, a sample that was not complete
    when the next one came shows it; from then on the nearest message within JOIN_NS is taken, until stamps agree again.
    """

    def __init__(self, spec: RobotSpec, report: Callable[[str], None] = lambda reason: None):
        """`report` is called once for each new reason to refuse a message; `refused` counts all, by reason."""
        self.refused = Refusals()
        self._report = report
        self._heard: dict[str, int | None] = dict.fromkeys(spec.state_topics)  # steady time of the last usable message
        self._order = JointOrder(spec.joint_names)
        self._odom_of = odometry_of if "imu/data" in spec.state_topics else base_of
        self._recent = {topic: deque(maxlen=8) for topic in spec.state_topics if topic != "joint_states"}
        self._equal = dict.fromkeys(self._recent, True)  # whether the topic's stamps agree with joint_states
        self._waiting: tuple | None = None

    def joint_states(self, message: JointState) -> RobotState | None:
        joints = self._taken("joint_states", joints_of, message, self._order)
        if joints is None:
            return None
        if self._waiting is not None:
            for topic in self._equal:
                if not any(sample[0] == self._waiting[0] for sample in self._recent[topic]):
                    self._equal[topic] = False
        self._waiting = joints
        return self._joined()

    def imu(self, message: Imu) -> RobotState | None:
        return self._added("imu/data", imu_of, message)

    def odom(self, message: Odometry) -> RobotState | None:
        return self._added("odom", self._odom_of, message)

    def silent(self, since_ns: int) -> list[str]:
        """The topics without a usable message for so many ns of steady time."""
        earliest = time.monotonic_ns() - since_ns
        return [topic for topic, heard_ns in self._heard.items() if heard_ns is None or heard_ns < earliest]

    def refuse(self, topic: str, refusal: Refused) -> None:
        """Counts a message that cannot be used."""
        reason = f"{topic}: {refusal}"
        if self.refused.note(reason):
            self._report(reason)

    def _added(self, topic: str, read: Callable, message) -> RobotState | None:
        if topic not in self._recent:
            return None
        sample = self._taken(topic, read, message)
        if sample is None:
            return None
        self._recent[topic].append(sample)
        return self._joined() if self._waiting is not None else None

    def _taken(self, topic: str, read: Callable, *arguments):
        try:
            sample = read(*arguments)
        except Refused as refusal:
            self.refuse(topic, refusal)
            return None
        self._heard[topic] = time.monotonic_ns()
        return sample

    def _joined(self) -> RobotState | None:
        stamp_ns, position, velocity = self._waiting
        chosen = {}
        for topic, samples in self._recent.items():
            if not samples:
                return None
            nearest = min(reversed(samples), key=lambda sample: abs(sample[0] - stamp_ns))
            apart = abs(nearest[0] - stamp_ns)
            if apart == 0:
                self._equal[topic] = True
            elif self._equal[topic] or apart > JOIN_NS:
                return None
            chosen[topic] = nearest
        self._waiting = None
        base = None
        if "imu/data" not in chosen and chosen:  # odom alone says all of a planar base
            _, base = chosen["odom"]
        elif chosen:
            _, orientation, angular_velocity = chosen["imu/data"]
            _, place, linear_velocity = chosen["odom"]
            base = BaseState(place, orientation, linear_velocity, angular_velocity)
        return RobotState(stamp_ns, position, velocity, base)


def subscribe_state(node, spec: RobotSpec, on_state: Callable[[RobotState], None], report=None) -> StateAssembler:
    """Subscribes `node` to the state topics that the robot file lists; `on_state` gets each complete state.

    Refused messages are logged as errors of the node, once for each reason, unless `report` is given.
    """
    assembler = StateAssembler(spec, report or (lambda reason: node.get_logger().error(f"state refused: {reason}")))
    takers = {topics.JOINT_STATES: assembler.joint_states, topics.IMU: assembler.imu, topics.ODOM: assembler.odom}
    for topic, take in takers.items():
        if topic.name in spec.state_topics:
            refuse = partial(assembler.refuse, topic.name)
            topics.subscription(node, topic, _passing(take, on_state), refuse=refuse)
    return assembler


def _passing(take: Callable, on_state: Callable[[RobotState], None]) -> Callable:
    def receive(message) -> None:
        state = take(message)
        if state is not None:
            on_state(state)

    return receive
