"""A bridge as a process, and a probe in place of the guard."""

import numpy as np

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.assembler import subscribe_state
from mbrl_ros.nodes.messages.motion import applied_message, command_message, mode_message
from mbrl_ros.nodes.messages.status import event_of
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, Action, Command, RobotMode

SPEC = load_robot("go1_like")
DT = SPEC.dt_ns


class Driven:
    """A bridge, and a probe in place of the guard."""

    def __init__(self, processes, probe, *parameters, spec=SPEC):
        self.probe, self.processes, self.spec = probe, processes, spec
        self.states = []
        subscribe_state(probe.node, self.spec, self.states.append)
        self.events = probe.collect(topics.EVENTS, event_of)
        self.diagnostics = probe.collect(topics.DIAGNOSTICS, lambda message: message.status[0])
        self._commands = probe.publisher(topics.commands(self.spec))
        self._modes = probe.publisher(topics.ROBOT_MODE)
        self._applied = probe.publisher(topics.APPLIED)
        self.process = processes.start("bridge", *parameters)
        probe.until(lambda: self.states, "the first state")
        told = [self._applied] if "lockstep:=true" in parameters else [self._commands, self._modes]
        probe.until_connected(*told)

    @property
    def state(self):
        return self.states[-1]

    def mode(self, mode):
        self._modes.publish(mode_message(mode))

    def command(self, message):
        self._commands.publish(message)

    def until_robot_time(self, stamp_ns, message=None):
        """Spins that long, and answers each state with a command."""
        while self.state.stamp_ns < stamp_ns:
            known = len(self.states)
            self.probe.until(lambda known=known: len(self.states) > known, "the next state")
            if message is not None:
                self.command(message)

    def for_robot_time(self, seconds, message=None):
        self.until_robot_time(self.state.stamp_ns + round(seconds * NS), message)

    def apply(self, stamp_ns, target, mode=RobotMode.POSITION):
        command = Command(stamp_ns, target, mode, Action.FOLLOW, 0, 1)
        self._applied.publish(applied_message(command, self.spec))

    def named(self, name):
        return [event for event in self.events if event.name == name]


def target(joints):
    return command_message(np.asarray(joints, float), SPEC)


def drive(driven, joints=SPEC.stance, seconds=0.5):
    driven.mode(RobotMode.POSITION)
    driven.for_robot_time(seconds, target(joints))
