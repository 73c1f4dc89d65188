"""Whole nodes, given messages as nobody of ours would send them: none ends, and the guard's commands stay safe.

The nodes are real and in this process, and messages reach them without the middleware: thousands in a few seconds.
"""

from inspect import signature

import fuzzed_messages as fuzzed
import numpy as np
import pytest
import rclpy
from fuzzing import damaged, tried
from graph import Graph
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from rclpy.signals import SignalHandlerOptions

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.bridge import Bridge
from mbrl_ros.nodes.commander import Commander
from mbrl_ros.nodes.guard import Guard
from mbrl_ros.nodes.learner import LearnerNode
from mbrl_ros.nodes.messages.motion import applied_of
from mbrl_ros.nodes.planner import Planner
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import load_robot

SPEC = load_robot("cartpole")
MODEL, POLICY = (
    (share() / "models" / "cartpole_mpc" / name).read_bytes() for name in ("model.safetensors", "policy.onnx")
)
HOSTILE = {
    topics.JOINT_STATES: fuzzed.joint_states(SPEC),
    topics.PLAN: fuzzed.plans(SPEC),
    topics.APPLIED: fuzzed.applied(SPEC),
    topics.commands(SPEC): fuzzed.commands(SPEC),
    topics.ROBOT_MODE: fuzzed.modes(),
    topics.EVENTS: fuzzed.events(),
    topics.MODEL_STATUS: fuzzed.statuses(),
    topics.DIAGNOSTICS: fuzzed.diagnostics(),
    topics.TRANSITION: fuzzed.transitions(SPEC),
    topics.CMD_VEL: fuzzed.velocity_commands(),
    topics.MODEL: fuzzed.byte_arrays(damaged(MODEL)),
    topics.POLICY: fuzzed.byte_arrays(damaged(POLICY)),
}
BY_NAME = {f"/{topic.name}": messages for topic, messages in HOSTILE.items()}
MOST_SAID = 100  # entries in what a node says about itself


class Together:
    """All nodes of a robot; what one of them publishes reaches the others when `settle` is called."""

    def __init__(self, folder):
        graph = Graph("cartpole_mpc", folder, settings=("planner.learning=false",))
        graph.close()
        self.folder, self._waiting, self.applied = folder, [], []
        parameters = graph.described["guard"].parameters
        rclpy.init(
            args=["--ros-args", "--params-file", str(parameters)], signal_handler_options=SignalHandlerOptions.NO
        )
        self.bridge, self.commander = Bridge(), Commander(SPEC, ((0.1, 0.0, 0.0),), 1.0, False)
        self.managed = [LearnerNode(), Planner(), Guard()]
        self.learner, self.planner, self.guard = self.managed
        for node in self.managed:
            node.trigger_configure()
            node.trigger_activate()
            assert node.active
        self.nodes = [self.bridge, self.commander, *self.managed]
        for node in self.nodes:
            for publisher in node.publishers:
                publisher.publish = lambda message, name=publisher.topic_name: self._waiting.append((name, message))

    def deliver(self, name, message):
        content = serialize_message(message)
        message = deserialize_message(content, type(message))
        for node in self.nodes:
            for subscription in list(node.subscriptions):
                if subscription.topic_name == name and subscription.msg_type is type(message):
                    told_by = ({},) if len(signature(subscription.callback).parameters) == 2 else ()
                    subscription.callback(content if subscription.raw else message, *told_by)

    def settle(self):
        self.bridge._step_dt()
        for _ in range(3):
            waiting, self._waiting = self._waiting, []
            self.applied += [message for name, message in waiting if name == "/applied"]
            for name, message in waiting:
                self.deliver(name, message)
            for node in (self.planner, self.guard, self.learner):
                work = getattr(node, "work", None)
                if work is not None:
                    work()
        self.guard._watch()
        for flown in (self.planner._flying.models, self.planner._flying.policies):
            flown.take(wait=True)
        for report in (self.guard._health, self.planner._health, self.learner._report_diagnostics):
            report()

    def close(self):
        for node in self.managed:
            node.trigger_deactivate()
            node.trigger_cleanup()
        for node in self.nodes:
            node.destroy_node()
        rclpy.shutdown()


@pytest.fixture(scope="module")
def together(domain, tmp_path_factory):
    together = Together(tmp_path_factory.mktemp("together"))
    yield together
    together.close()


def is_safe(message) -> None:
    """Of `applied`, which says what the guard sent."""
    command = applied_of(message, SPEC)
    low, high = SPEC.target_limits
    assert ((command.target >= low) & (command.target <= high)).all() and np.isfinite(command.target).all()


@tried()
@given(data=st.data())
def test_no_message_ends_a_node_or_makes_a_command_unsafe(together, data):
    for name in data.draw(st.lists(st.sampled_from(list(BY_NAME)), min_size=1, max_size=5)):
        together.deliver(name, data.draw(BY_NAME[name]))
    together.settle()
    while together.applied:
        is_safe(together.applied.pop())
    assert all(node.active for node in together.managed)
    for node in (together.guard, together.planner):
        assert len(node._health()[2]) < MOST_SAID, "what is refused fills the diagnostics"


def test_every_topic_that_a_node_of_ours_hears_is_fuzzed(together):
    heard = {s.topic_name for node in together.nodes for s in node.subscriptions}
    assert {name for name in heard if not name.startswith("/parameter_events")} <= set(BY_NAME)
