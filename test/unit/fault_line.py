"""A robot whose samples and commands go through a fault injector, and what arrives of them."""

import numpy as np

from mbrl_ros.backends.fault_injector import FaultInjector
from mbrl_ros.backends.faults import COMMANDS, IMU, JOINT_STATES, ODOM, parse
from mbrl_ros.backends.loopback import LoopbackBackend
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS

GO1, CARTPOLE = load_robot("go1_like"), load_robot("cartpole")
SAMPLE_NS = 10_000_000


class Line:
    """Samples and commands every 10 ms of robot time, through an injector that was asked for `text` at time 0."""

    def __init__(self, text, spec=GO1, seed=3):
        self.backend = LoopbackBackend(spec, seed)  # with noise: no two samples are alike
        self.injector = FaultInjector(spec, self.backend, seed)
        self.spec = spec
        self.sent = {topic: {} for topic in (*spec.state_topics, COMMANDS)}  # numbers by time
        self.heard = {topic: [] for topic in self.sent}  # (arrived, stamp, numbers)
        self.events = self.injector.set(parse(text, spec), 0)
        self._commanded = {}  # when each target was sent, by identity

    def run(self, seconds):
        end_ns = self.backend.stamp_ns + round(seconds * NS)
        step = round(SAMPLE_NS / self.backend.physics_dt / NS)
        while (now := self.backend.stamp_ns) < end_ns:
            state = self.backend.measure()
            for topic in self.spec.state_topics:
                self.sent[topic][now] = numbers(topic, state)
            self._hear(self.injector.sent(state))
            self.backend.set_target(self.spec.stance)
            target = np.linspace(1.0, 2.0, len(self.spec.actuated)) + now / NS
            self.sent[COMMANDS][now] = self._kept(target)
            self._hear(self.injector.commanded(target, now))
            for _ in range(step):
                self.backend.advance(1)
                self.events += self.injector.at(self.backend.stamp_ns)
                self._hear(self.injector.late(self.backend.stamp_ns))
        return self

    def _kept(self, target):
        self._commanded[id(target)] = (self.backend.stamp_ns, target)
        return target

    def _hear(self, arrived):
        now = self.backend.stamp_ns
        for topic, message in arrived:
            if topic == COMMANDS:
                stamp_ns = self._commanded.get(id(message), (now, None))[0]
                self.heard[topic].append((now, stamp_ns, message))
            else:
                self.heard[topic].append((now, message.stamp_ns, numbers(topic, message)))

    def stamps(self, topic):
        return [stamp_ns for _, stamp_ns, _ in self.heard[topic]]

    def lateness(self, topic):
        return np.array([arrived - stamp_ns for arrived, stamp_ns, _ in self.heard[topic]])

    def values(self, topic):
        """(n, ...) as heard, and as sent at the same time."""
        told = np.array([values for _, _, values in self.heard[topic]])
        return told, np.array([self.sent[topic][stamp_ns] for _, stamp_ns, _ in self.heard[topic]])


def numbers(topic, state):
    if topic == JOINT_STATES:
        return np.concatenate([state.joint_position, state.joint_velocity])
    base = state.base
    parts = {IMU: [base.orientation_wxyz], ODOM: [base.position, base.orientation_wxyz, base.linear_velocity_body]}
    return np.concatenate([*parts[topic], base.angular_velocity_body])
