"""What is opened of what comes: as long as its kind can be, and a message at all."""

from types import SimpleNamespace

import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, String
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.fields import Refused

JOINTS, POINTS = 64, 100
NAMES = [f"{i:02d}_of_the_joints_of_some_large_robot" for i in range(JOINTS)]
NUMBERS = [0.5] * JOINTS
LARGEST = {
    topics.PLAN: JointTrajectory(joint_names=NAMES, points=[JointTrajectoryPoint(positions=NUMBERS)] * POINTS),
    topics.JOINT_STATES: JointState(name=NAMES, position=NUMBERS, velocity=NUMBERS, effort=NUMBERS),
    topics.APPLIED: JointState(name=NAMES, position=NUMBERS),
    topics.COMMANDS: Float64MultiArray(data=NUMBERS),
}
LARGEST[topics.COMMANDS].layout.dim = [MultiArrayDimension(label=name, size=1, stride=1) for name in NAMES]
BOUND = [topic for topic in topics.TOPICS if topic.most_bytes]


@pytest.mark.parametrize("topic", LARGEST, ids=lambda topic: topic.name)
def test_messages_of_a_robot_of_64_joints_are_opened(topic):
    assert topics.opened(serialize_message(LARGEST[topic]), topic) == LARGEST[topic]


@pytest.mark.parametrize("topic", BOUND, ids=lambda topic: topic.name)
def test_what_is_longer_than_its_kind_can_be_is_refused_without_looking_into_it(topic, monkeypatch):
    monkeypatch.setattr(topics, "deserialize_message", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(Refused, match=str(topic.most_bytes)):
        topics.opened(bytes(topic.most_bytes + 1), topic)


@pytest.mark.parametrize("topic", topics.TOPICS, ids=lambda topic: topic.name)
def test_what_is_no_message_is_refused(topic):
    whole = serialize_message(topic.type())
    with pytest.raises(Refused, match=topic.type.__name__):
        topics.opened(whole[: len(whole) // 2], topic)


def test_callbacks_of_one_and_of_two_arguments_hear_what_was_opened():
    subscribed, heard, refused = [], [], []
    node = SimpleNamespace(create_subscription=lambda type, name, callback, qos, raw: subscribed.append(callback))
    for callback in (heard.append, lambda message, info: heard.append((message, info))):
        topics.subscription(node, topics.ROBOT_MODE, callback, refuse=refused.append)
    for take in subscribed:
        take(serialize_message(String(data="damp")), "info")
        take(b"", "info")
    assert heard == [String(data="damp"), (String(data="damp"), "info")] and len(refused) == 2


def test_all_that_the_guard_and_the_driver_hear_from_others_is_bounded():
    heard = {
        topics.PLAN,
        topics.JOINT_STATES,
        topics.IMU,
        topics.ODOM,
        topics.EVENTS,
        topics.COMMANDS,
        topics.ROBOT_MODE,
    }
    assert heard | {topics.APPLIED} == set(BOUND)
