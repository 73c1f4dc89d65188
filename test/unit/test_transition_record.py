"""The bytes of a transition, read without ROS."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest
from learning_driver import GO1, transition
from rclpy.serialization import serialize_message
from std_msgs.msg import Float64MultiArray

from mbrl_ros.data.transition_record import NotATransition, decoded, parts_of, transition_of
from mbrl_ros.nodes.messages.learning import transition_message
from mbrl_ros.types import Flag, Transition

WALKING = replace(
    transition(70_000, spec=GO1, stamp_ns=3_000_000_007, start_ns=1_790_000_000_123_456_789),
    command=np.array([0.4, 0.0, -1.0]), phase=0.25, reward=-3.5, terminal=True, flags=Flag.HELD | Flag.ANEW, model=12,
)  # fmt: skip


@pytest.mark.parametrize("sent", [WALKING, transition(3)], ids=["walking", "cart without a command"])
def test_what_the_middleware_serialises_is_read_back_exactly(sent):
    found = decoded(serialize_message(transition_message(sent)))
    for f in fields(Transition):
        np.testing.assert_array_equal(getattr(found, f.name), getattr(sent, f.name), f.name)


def test_other_messages_and_none_are_refused():
    for content in (b"", b"words", serialize_message(Float64MultiArray(data=[1.0, 2.0])), bytes(1000)):
        with pytest.raises(NotATransition):
            decoded(content)


def test_numbers_that_are_not_finite_are_refused():
    spoilt = replace(WALKING, reward=float("nan"))
    with pytest.raises(NotATransition, match="reward is not finite"):
        decoded(serialize_message(transition_message(spoilt)))


def test_damaged_bytes_are_refused_or_are_another_transition_and_nothing_else_happens():
    content, generator = serialize_message(transition_message(WALKING)), random.Random(0)
    refused = 0
    for _ in range(1000):
        damaged = bytearray(content[: generator.randrange(len(content))] if generator.random() < 0.3 else content)
        for _ in range(generator.randrange(1, 5)):
            if damaged:
                damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            assert isinstance(decoded(bytes(damaged)), Transition)
        except NotATransition:
            refused += 1
    assert refused > 300


@pytest.mark.parametrize(
    "part, value",
    [("seconds", -1), ("seconds", 2**40), ("nanoseconds", 1e9), ("sequence", -1), ("sequence", 2**32),
     ("start_seconds", -1), ("start_seconds", 2**40), ("start_nanoseconds", -1), ("flags", -1), ("model", 2**54)],
)  # fmt: skip
def test_numbers_beyond_any_count_are_refused_by_name(part, value):
    parts = parts_of(WALKING)
    parts[part][:] = value
    with pytest.raises(NotATransition, match=f"whose {part} is beyond"):
        transition_of(parts)
