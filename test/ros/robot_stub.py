"""A robot and a planner, played by the probe of a test: what stands around the guard."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from asking import ask
from conftest import PATIENCE

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.motion import applied_of, mode_of, plan_message, target_of
from mbrl_ros.nodes.messages.state import imu_message, joint_state_message, odometry_message
from mbrl_ros.nodes.messages.status import event_message, values_of
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.types import BaseState, Event, Plan, RobotState

SAMPLE = 0.01  # s
QUICK = ("blend:=0.1", "sit_time:=0.1", "max_age:=0.4")  # ages that a busy machine does not reach


def prompt_robot(folder: Path, fade_in: float = 0.0) -> tuple[RobotSpec, Path]:
    """The quadruped, but plans are followed without a fade-in, or a short one (s); and the file that says so."""
    content = yaml.safe_load((share() / "config/robots/go1_like.yaml").read_text())
    content["gate"]["fade_in"] = fade_in
    path = folder / "go1_like.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_robot(str(path)), path


def trembling(state: RobotState) -> RobotState:
    """Too little to matter, and never twice the same: no sensor of it is frozen."""
    tremor = 1e-7 * math.sin(state.stamp_ns * 1e-8)
    base = replace(
        state.base,
        position=state.base.position + tremor,
        angular_velocity_body=state.base.angular_velocity_body + tremor,
    )
    return replace(state, joint_position=state.joint_position + tremor, base=base)


class RobotStub:
    """Publishes a robot that stands still but for a tremor, as sensors have it, and plans for it; remembers what the
    guard says.
    """

    def __init__(self, probe, spec: RobotSpec):
        self.spec, self._probe = spec, probe
        self.now_ns, self.sequence = 0, 0
        self.clock_runs = True
        self.plan_target: np.ndarray | None = None  # what plans say; none are sent while there is none
        self.sending = True
        self.spoil = None  # changes the messages (joint_states, imu, odom) of every sample
        self.spoil_plan = None  # changes every plan's message
        wanted = (topics.JOINT_STATES, topics.IMU, topics.ODOM, topics.PLAN, topics.EVENTS)
        self._to = {topic.name: probe.publisher(topic) for topic in wanted}
        self.commands = probe.collect(topics.commands(spec), lambda message: target_of(message, spec))
        self.applied = probe.collect(topics.APPLIED, lambda message: applied_of(message, spec))
        self.modes = probe.collect(topics.ROBOT_MODE, mode_of)
        self.events = probe.collect(topics.EVENTS, lambda message: message.name)
        self.diagnostics = probe.collect(topics.DIAGNOSTICS, lambda message: values_of(message.status[0]))
        self._clients = {}

    def standing(self, joints: np.ndarray | None = None) -> RobotState:
        joints = self.spec.stance if joints is None else joints
        base = BaseState(np.array([0.0, 0.0, 0.285]), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.zeros(3))
        return RobotState(self.now_ns, joints, np.zeros(len(joints)), base)

    def send_state(self) -> None:
        state = trembling(self.standing())
        sample = [
            joint_state_message(state, self.spec),
            imu_message(state),
            odometry_message(state),
        ]
        if self.spoil:
            self.spoil(*sample)
        for topic, message in zip((topics.JOINT_STATES, topics.IMU, topics.ODOM), sample, strict=True):
            self._to[topic.name].publish(message)

    def send_plan(self, first: int = 1) -> None:
        """Its first point holds `first` steps from now."""
        dt = self.spec.dt_ns
        target = np.tile(self.plan_target, (4, 1))
        plan = Plan(self.now_ns, self.sequence, 7, 0, tuple((first + i) * dt for i in range(4)), target)
        message = plan_message(plan, self.spec)
        if self.spoil_plan:
            self.spoil_plan(message)
        self._to["plan"].publish(message)
        self.sequence += 1

    def send_event(self, name: str, spoil=lambda message: None) -> None:
        message = event_message(Event(name, self.now_ns, ""))
        spoil(message)
        self._to["events"].publish(message)

    def sample(self) -> None:
        """One period of robot time: a state, every other time a plan, and what comes back."""
        self.now_ns += round(SAMPLE * 1e9) * self.clock_runs
        if self.sending:
            self.send_state()
        if self.plan_target is not None and self.now_ns % self.spec.dt_ns == 0:
            self.send_plan()
        self._probe.spin(SAMPLE)

    def until(self, happened, what: str) -> None:
        """Robot time goes on until `happened()`."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            last = self.applied[-1] if self.applied else None
            assert time.monotonic() < deadline, f"waited for {what}; last applied: {last}"
            self.sample()

    def applies(self, what: str, **expected) -> None:
        """Goes on until the newest applied record has the expected parts."""

        def matches():
            return bool(self.applied) and all(getattr(self.applied[-1], k) == v for k, v in expected.items())

        self.until(matches, what)

    def call(self, entry: topics.ServiceEntry) -> tuple[bool, str]:
        if entry.name not in self._clients:
            self._clients[entry.name] = topics.client(self._probe.node, entry)
        answer = ask(self.until, self._clients[entry.name], entry.type.Request(), entry.name)
        return answer.success, answer.message


def guarded_stub(probe, processes, spec: RobotSpec, robot_file: Path, *parameters: str) -> RobotStub:
    """With a guard of those parameters for it."""
    stub = RobotStub(probe, spec)
    stub.guard = processes.start("guard", f"robot:={robot_file}", *parameters)
    return stub
