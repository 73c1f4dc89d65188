"""Every reader of messages, given anything: it reads what it can use, or says Refused, and nothing else comes out."""

import struct

import fuzzed_messages as fuzzed
import numpy as np
import pytest
from fuzzing import damaged, tried
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message

from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.data.transition_record import NotATransition, decoded
from mbrl_ros.nodes.assembler import StateAssembler
from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.nodes.messages.learning import bytes_message, bytes_of, transition_message, transition_of
from mbrl_ros.nodes.messages.motion import (
    applied_message,
    applied_of,
    command_message,
    mode_of,
    plan_message,
    plan_of,
    target_of,
    velocity_command_of,
)
from mbrl_ros.nodes.messages.state import base_of, joint_state_message
from mbrl_ros.nodes.messages.status import event_message, event_of, values_of
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

GO1, CARTPOLE = load_robot("go1_like"), load_robot("cartpole")
ROBOTS = pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda spec: spec.name)


def travelled(message):
    """As it comes out of the middleware."""
    return deserialize_message(serialize_message(message), type(message))


def read(reader, message, *arguments):
    """What was read; None where it was refused, with a sentence."""
    try:
        return reader(travelled(message), *arguments)
    except Refused as refusal:
        assert str(refusal)
        return None


def passed_on(message) -> None:
    """What was read can be told again, as whoever hears of it does."""
    assert serialize_message(message)


@ROBOTS
@tried()
@given(data=st.data())
def test_states(spec, data):
    assembler = StateAssembler(spec)
    kinds = {"joint_states": fuzzed.joint_states(spec), "imu": fuzzed.imu(), "odom": fuzzed.odometry()}
    for name in data.draw(st.lists(st.sampled_from(list(kinds)), min_size=1, max_size=6)):
        state = getattr(assembler, name)(travelled(data.draw(kinds[name])))
        if state is not None:
            assert state.is_finite() and len(state.joint_position) == len(spec.joints)
            passed_on(joint_state_message(state, spec))
    assert all(assembler.refused)


@tried()
@given(fuzzed.odometry())
def test_the_base_as_judges_read_it(message):
    found = read(base_of, message)
    assert found is None or np.isfinite(found[1].orientation_wxyz).all()


@ROBOTS
@tried()
@given(data=st.data())
def test_plans(spec, data):
    plan = read(plan_of, data.draw(fuzzed.plans(spec)), spec)
    if plan is not None:
        assert plan.targets.shape == (len(plan.offsets_ns), len(spec.actuated))
        passed_on(plan_message(plan, spec))


@ROBOTS
@tried()
@given(data=st.data())
def test_what_was_applied(spec, data):
    command = read(applied_of, data.draw(fuzzed.applied(spec)), spec)
    if command is not None:
        assert np.isfinite(command.target).all() and len(command.target) == len(spec.actuated)
        passed_on(applied_message(command, spec))


@ROBOTS
@tried()
@given(data=st.data())
def test_commands(spec, data):
    target = read(target_of, data.draw(fuzzed.commands(spec)), spec)
    if target is not None:
        assert np.isfinite(target).all() and len(target) == len(spec.actuated)
        passed_on(command_message(target, spec))


@ROBOTS
@tried()
@given(data=st.data())
def test_transitions(spec, data):
    t = read(transition_of, data.draw(fuzzed.transitions(spec)))
    layout = FeatureLayout(spec)
    if t is not None:
        passed_on(transition_message(t))
        if t.sizes == layout.transition_sizes:
            buffer = ReplayBuffer(10, layout.size, len(spec.actuated), spec.dt_ns)
            buffer.add(t)
            assert all(np.isfinite(column).all() for column in buffer.pieces(10).values())


@tried()
@given(data=st.data())
def test_serialised_transitions_that_are_damaged(data):
    """As they lie in a journal."""
    content = serialize_message(data.draw(fuzzed.transitions(CARTPOLE)))
    try:
        t = decoded(data.draw(damaged(content)))
    except NotATransition as refusal:
        assert str(refusal)
    else:
        assert all(np.isfinite(part).all() for part in (t.state, t.action, t.next_state, t.command))


@tried()
@given(length=st.integers(0, 2**32 - 1), count=st.integers(0, 70), rest=st.binary(max_size=100))
def test_serialised_transitions_whose_sizes_lie(length, count, rest):
    with pytest.raises(NotATransition):
        decoded(b"\0\1\0\0" + struct.pack("<II", count, length) + rest)


@tried()
@given(message=st.one_of(fuzzed.velocity_commands(), fuzzed.velocity_commands(stamped=True)))
def test_velocity_commands(message):
    command = read(velocity_command_of, message)
    assert command is None or (command.shape == (3,) and np.isfinite(command).all())


@tried()
@given(fuzzed.events())
def test_events(message):
    event = read(event_of, message)
    if event is not None:
        assert event.name == message.name
        passed_on(event_message(event))


@tried()
@given(fuzzed.statuses())
def test_diagnostics(message):
    assert read(values_of, message) is not None


@tried()
@given(fuzzed.modes())
def test_modes(message):
    read(mode_of, message)


@tried()
@given(st.binary(max_size=100))
def test_bytes(content):
    assert bytes_of(travelled(bytes_message(content))) == content
