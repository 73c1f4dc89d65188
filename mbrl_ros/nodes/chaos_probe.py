"""What `mbrl chaos` has in the graph: it tells a timeline what it hears, has the robot walk, and asks of services.

It lives in the process of the command, which spins it. Times are those at which senders sent, so that a command that is
busy starting and stopping processes judges nobody late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import rclpy
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.signals import SignalHandlerOptions

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import JointOrder, Refused, stamp_of
from mbrl_ros.nodes.messages.learning import transition_of
from mbrl_ros.nodes.messages.motion import applied_of
from mbrl_ros.nodes.messages.state import base_of
from mbrl_ros.nodes.messages.status import event_of, values_of
from mbrl_ros.nodes.one_voice import Gid, gid_of, publishers_of
from mbrl_ros.nodes.spin import SteadyExecutor
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import NS, BaseState, Command, Event

DEPTH = 5000  # messages kept while the command is busy
COMMAND_EVERY_NS = NS // 10  # robot time between two velocity commands
SETTABLE = ("bridge", "planner")  # nodes whose parameters it sets
SERVICES = (topics.ESTOP, topics.ESTOP_RESET, topics.STAND_UP, topics.RESET_WORLD)


class Listener(Protocol):
    """Is told of everything with the wall time at which it was sent."""

    def on_state(self, stamp_ns: int) -> None: ...
    def on_truth(self, stamp_ns: int, base: BaseState) -> None: ...
    def on_command(self, wall_ns: int, target: np.ndarray, names: list[str]) -> None: ...
    def on_applied(self, wall_ns: int, command: Command) -> None: ...
    def on_mode(self, wall_ns: int, mode: str) -> None: ...
    def on_event(self, wall_ns: int, event: Event) -> None: ...
    def on_diagnostics(self, wall_ns: int, node: str, level: int, text: str, values: dict[str, str]) -> None: ...
    def on_model_status(self, wall_ns: int, level: int, text: str) -> None: ...
    def on_transition(self, start_ns: int, sequence: int) -> None: ...


class ChaosProbe:
    def __init__(self, spec: RobotSpec, listener: Listener):
        self.velocity: tuple[float, float, float] | None = None  # vx, vy, wz that the robot is to walk with
        self._spec, self._listener, self._order = spec, listener, JointOrder(spec.actuated_names)
        self._commanded_ns = 0
        self._foreign: dict[Gid | None, bool] = {}  # whether a publisher of commands is an intruder
        self._context = rclpy.Context()
        rclpy.init(args=[], context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("chaos", context=self._context)
        self._executor = SteadyExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._velocities = topics.publisher(self.node, topics.CMD_VEL)
        self._clients = {entry.name: topics.client(self.node, entry) for entry in SERVICES}
        self._parameters = {n: self.node.create_client(SetParameters, f"{n}/set_parameters") for n in SETTABLE}
        self._listen()

    def _listen(self) -> None:
        tell = self._listener
        self._hear(topics.JOINT_STATES, lambda m, at: tell.on_state(stamp_of(m.header.stamp)))
        self._hear(topics.commands(self._spec), self._told, whole_info=True)
        self._hear(topics.ROBOT_MODE, lambda m, at: tell.on_mode(at, m.data))
        self._hear(topics.APPLIED, lambda m, at: tell.on_applied(at, applied_of(m, self._spec, self._order)))
        self._hear(topics.EVENTS, lambda m, at: tell.on_event(at, event_of(m)))
        self._hear(topics.MODEL_STATUS, lambda m, at: tell.on_model_status(at, level_of(m), m.message))
        self._hear(topics.TRANSITION, self._sent)
        self._hear(topics.DIAGNOSTICS, self._diagnosed)
        self._hear(topics.PLAN, self._planned)
        self._hear(topics.GROUND_TRUTH, lambda m, at: tell.on_truth(*base_of(m)))

    def _hear(self, topic: topics.Topic, callback: Callable, whole_info: bool = False) -> None:
        """`callback(message, when it was sent)`, or with all that the middleware says of it."""

        def take(content: bytes, info) -> None:
            try:
                message = topics.opened(content, topic)
                callback(message, info if whole_info else info["source_timestamp"])
            except Refused as refusal:  # what is sent to do harm need not be readable
                self.node.get_logger().debug(f"{topic.name}: {refusal}")

        topics.subscription(self.node, topic, take, DEPTH, raw=True)

    def _told(self, message, info: dict) -> None:
        """What the stack sends; what an intruder does is its own."""
        if not self._is_foreign(gid_of(info)):
            labels = [dim.label for dim in message.layout.dim]
            self._listener.on_command(info["source_timestamp"], np.array(message.data), labels)

    def _is_foreign(self, gid: Gid | None) -> bool:
        if gid not in self._foreign:
            topic = self.node.resolve_topic_name(topics.commands(self._spec).name)
            publisher = publishers_of(self.node, topic).get(gid, "")
            self._foreign[gid] = publisher.rpartition("/")[2] == "intruder"
        return self._foreign[gid]

    def _sent(self, message, at_ns: int) -> None:
        transition = transition_of(message)
        self._listener.on_transition(transition.start_ns, transition.sequence)

    def _diagnosed(self, message, at_ns: int) -> None:
        for status in message.status:
            node = status.name.rpartition("/")[2]
            self._listener.on_diagnostics(at_ns, node, level_of(status), status.message, values_of(status))

    def _planned(self, message, at_ns: int) -> None:
        """Velocities are commanded in robot time, which plans keep."""
        stamp_ns = stamp_of(message.header.stamp)
        if self.velocity is not None and abs(stamp_ns - self._commanded_ns) >= COMMAND_EVERY_NS:
            self._commanded_ns = stamp_ns
            message = topics.CMD_VEL.type()
            message.linear.x, message.linear.y, message.angular.z = self.velocity
            self._velocities.publish(message)

    # What it asks

    def spin(self, seconds: float) -> None:
        """Serves what has come, after at most so long."""
        self._executor.spin_once(seconds)

    def missing(self) -> list[str]:
        """The services that are not there yet."""
        clients = {**self._clients, **self._parameters}
        return [name for name, client in clients.items() if not client.service_is_ready()]

    def ask(self, entry: topics.ServiceEntry):
        """A future of the answer."""
        return self._clients[entry.name].call_async(entry.type.Request())

    def set_parameter(self, node: str, name: str, value: str | int):
        """Likewise."""
        if isinstance(value, str):
            typed = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        else:
            typed = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=typed)])
        return self._parameters[node].call_async(request)

    def close(self) -> None:
        if not self._context.ok():
            return  # it has been
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)


def level_of(status) -> int:
    return status.level[0] if isinstance(status.level, bytes) else int(status.level)


def answered(future) -> tuple[bool, str]:
    """What a Trigger, or one set parameter, came to."""
    answer = future.result()
    result = answer.results[0] if hasattr(answer, "results") else answer
    accepted = getattr(result, "successful", None)
    return (result.success, result.message) if accepted is None else (accepted, result.reason)
