"""A planner process in lockstep, and a robot that stands still around it, played by the probe: no wall time counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from asking import ask
from graph import Graph
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_message
from mbrl_ros.nodes.messages.motion import applied_message
from mbrl_ros.nodes.messages.state import imu_message, joint_state_message, odometry_message
from mbrl_ros.types import NS, Action, BaseState, Command, RobotMode, RobotState

SAYS_NOTHING = 0.5  # s of wall time in which a planner that had something to say would have said it


class PlannerAlone:
    """The quadruped's planner. What it says is in `graph`."""

    def __init__(self, folder: Path, *settings: str, **options):
        options = {"model": "pretrained", "learner": False, "lockstep": True, **options}
        self.graph = Graph("quadruped_mpc", folder, settings=settings, **options)
        self.spec, self.probe = self.graph.spec, self.graph.probe
        self.now_ns = 0
        self.joints = self.spec.stance + np.linspace(-0.05, 0.05, len(self.spec.joints))  # each another
        parts = (topics.JOINT_STATES, topics.IMU, topics.ODOM)
        self._state_to = [self.probe.publisher(topic) for topic in parts]
        self._applied_to = self.probe.publisher(topics.APPLIED)
        self.model_to = self.probe.publisher(topics.MODEL)
        self.policy_to = self.probe.publisher(topics.POLICY)
        self.cmd_vel_to = self.probe.publisher(topics.CMD_VEL)
        self.graph.start("planner")

    def state(self) -> RobotState:
        base = BaseState(np.array([0.0, 0.0, 0.285]), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.zeros(3))
        return RobotState(self.now_ns, self.joints, np.zeros(len(self.joints)), base)

    def send_state(self, spoil=lambda joints, imu, odom: None) -> None:
        state = self.state()
        sample = [
            joint_state_message(state, self.spec),
            imu_message(state),
            odometry_message(state),
        ]
        spoil(*sample)
        for publisher, message in zip(self._state_to, sample, strict=True):
            publisher.publish(message)

    def send_applied(self, target: np.ndarray) -> None:
        command = Command(self.now_ns, target, RobotMode.POSITION, Action.FOLLOW, 0, 0)
        self._applied_to.publish(applied_message(command, self.spec))

    def step(self, spoil=lambda joints, imu, odom: None):
        """One step of robot time: state, plan, applied. Returns the plan."""
        self.probe.until_connected(*self._state_to, self._applied_to, *self._others())
        self.now_ns += self.spec.dt_ns
        plans = self.graph.plans

        def planned():
            if plans and plans[-1].stamp_ns == self.now_ns:
                return True
            self.send_state(spoil)  # again and again, as the bridge does
            self.probe.spin(0.05)
            return False

        self.graph.until(planned, f"the plan of robot time {self.now_ns / NS:.2f} s")
        self.send_applied(plans[-1].targets[0])
        return plans[-1]

    def steps(self, count: int) -> list:
        return [self.step() for _ in range(count)]

    def step_without_plan(self, spoil) -> None:
        """One step of robot time whose state is spoilt."""
        self.now_ns += self.spec.dt_ns
        self.send_state(spoil)
        self.probe.spin(SAYS_NOTHING)
        self.graph.all_alive()
        # an answer to a state that `step` has sent twice may still come
        assert all(plan.stamp_ns < self.now_ns for plan in self.graph.plans)

    def _others(self) -> tuple:
        return self.model_to, self.policy_to, self.cmd_vel_to

    def offer(self, content: bytes, to=None) -> None:
        """A model, or a policy `to` where those go, and a step after which it has been taken over or refused."""
        known = len(self.graph.model_status)
        (to or self.model_to).publish(bytes_message(content))
        self.probe.until(lambda: self.step() and len(self.graph.model_status) > known, "a word about it")

    def set_mode(self, mode: str):
        return self._set("mode", ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=mode))

    def set_samples(self, samples: int):
        return self._set("mppi.samples", ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=samples))

    def _set(self, name: str, value: ParameterValue):
        client = self.probe.node.create_client(SetParameters, "planner/set_parameters")
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        return ask(self.probe.until, client, request, "set_parameters").results[0]

    def change_state(self, number: int) -> bool:
        client = self.probe.node.create_client(ChangeState, "planner/change_state")
        request = ChangeState.Request(transition=Transition(id=number))
        return ask(self.probe.until, client, request, "change_state").success

    def says(self) -> str:
        return self.graph.model_status[-1].message

    def close(self) -> None:
        self.graph.close()
