"""A running robot with somebody in its graph who says anything on its topics: nobody dies, every command is safe."""

import fuzzed_messages as fuzzed
import numpy as np
import pytest
from fuzzing import damaged, tried
from graph import Graph
from hypothesis import given
from hypothesis import strategies as st

from mbrl_ros.nodes import topics
from mbrl_ros.paths import share

SETTINGS = ("planner.mppi.samples=100", "learner.first_seconds=2.0", "learner.first_steps=50")
MODEL, POLICY = (share() / "models" / "cartpole_mpc" / name for name in ("model.safetensors", "policy.onnx"))
MESSAGES_AT_ONCE = 20


@pytest.fixture(scope="module")
def graph(domain, tmp_path_factory):
    graph = Graph("cartpole_mpc", tmp_path_factory.mktemp("run"), settings=SETTINGS)
    for topic in (topics.PLAN, topics.TRANSITION):  # the probe reads them as one who trusts them
        graph.probe.node.destroy_subscription(graph.probe._hearing[topic.name])
    graph.start()
    graph.until(lambda: len(graph.applied) > 20, "commands")
    yield graph
    graph.close()


@pytest.fixture(scope="module")
def stranger(graph):
    """What is said, and on what."""
    messages = {
        topics.JOINT_STATES: fuzzed.joint_states(graph.spec),
        topics.PLAN: fuzzed.plans(graph.spec),
        topics.TRANSITION: fuzzed.transitions(graph.spec),
        topics.EVENTS: fuzzed.events(),
        topics.MODEL_STATUS: fuzzed.statuses(),
        topics.DIAGNOSTICS: fuzzed.diagnostics(),
        topics.CMD_VEL: fuzzed.velocity_commands(),
        topics.ROBOT_MODE: fuzzed.modes(),
        topics.MODEL: fuzzed.byte_arrays(damaged(MODEL.read_bytes())),
        topics.POLICY: fuzzed.byte_arrays(damaged(POLICY.read_bytes())),
    }
    return [(graph.probe.publisher(topic), strategy) for topic, strategy in messages.items()]


@tried(0.3)
@given(data=st.data())
def test_a_stranger_ends_nobody_and_no_command_is_unsafe(graph, stranger, data):
    for k in data.draw(st.lists(st.integers(0, len(stranger) - 1), min_size=1, max_size=MESSAGES_AT_ONCE)):
        publisher, messages = stranger[k]
        publisher.publish(data.draw(messages))
    graph.probe.spin(0.02)
    graph.all_alive()
    low, high = graph.spec.target_limits
    while graph.applied:
        target = graph.applied.pop().target
        assert np.isfinite(target).all() and ((target >= low) & (target <= high)).all()


def test_afterwards_it_still_commands_and_says_how_it_is(graph):
    """Whatever it was made to believe: what it tells the robot goes on."""
    graph.applied.clear()
    graph.until(lambda: len(graph.applied) > 20, "commands")
    for node in ("guard", "planner", "learner", "bridge"):
        assert graph.said_anew(node)
