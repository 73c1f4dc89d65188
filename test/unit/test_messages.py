"""Messages to records and back."""

from array import array
from dataclasses import replace

import numpy as np
import pytest
from geometry_msgs.msg import Twist, TwistStamped
from sensor_msgs.msg import JointState

from mbrl_ros.nodes.assembler import JOIN_NS, StateAssembler
from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.nodes.messages.learning import bytes_message, bytes_of, transition_message, transition_of
from mbrl_ros.nodes.messages.motion import (
    applied_message,
    applied_of,
    command_message,
    mode_message,
    mode_of,
    plan_message,
    plan_of,
    target_of,
    velocity_command_of,
)
from mbrl_ros.nodes.messages.state import base_of, imu_message, joint_state_message, odometry_message
from mbrl_ros.nodes.messages.status import ERROR, event_message, event_of, status_message, text_message, values_of
from mbrl_ros.nodes.refusals import MOST_REASONS, Refusals
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, Action, BaseState, Command, Event, Flag, Plan, RobotMode, RobotState, Transition

QUADRUPED, CARTPOLE = load_robot("go1_like"), load_robot("cartpole")
STAMP = 3 * NS + 20_000_001


def state(stamp_ns=STAMP):
    base = BaseState(
        np.array([1.0, -2.0, 0.3]),
        np.array([0.5, 0.5, -0.5, 0.5]),
        np.array([0.1, 0.2, 0.3]),
        np.array([4.0, 5.0, 6.0]),
    )
    return RobotState(stamp_ns, np.arange(12.0), -np.arange(12.0), base)


def messages(sample):
    return (
        joint_state_message(sample, QUADRUPED),
        imu_message(sample),
        odometry_message(sample),
    )


def assert_equal(one, other):
    assert type(one) is type(other)
    for name in vars(one):
        a, b = getattr(one, name), getattr(other, name)
        if isinstance(a, BaseState):
            assert_equal(a, b)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


def fed(assembler, *parts):
    """The states that come out of messages given in this order."""
    takers = {"JointState": assembler.joint_states, "Imu": assembler.imu, "Odometry": assembler.odom}
    states = [takers[type(message).__name__](message) for message in parts]
    return [s for s in states if s is not None]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_state_comes_back_whatever_topic_arrives_last(order):
    parts = messages(state())
    (joined,) = fed(StateAssembler(QUADRUPED), *(parts[i] for i in order))
    assert_equal(joined, state())


def test_joints_are_found_by_name_in_any_order_among_others():
    joints, imu, odom = messages(state())
    joints.name = ["wheel", *reversed(joints.name)]
    joints.position = [99.0, *reversed(joints.position)]
    joints.velocity = [99.0, *reversed(joints.velocity)]
    (joined,) = fed(StateAssembler(QUADRUPED), imu, odom, joints)
    assert_equal(joined, state())


def test_change_of_joint_order_between_messages_is_followed():
    assembler = StateAssembler(CARTPOLE)
    assembler.joint_states(JointState(name=["cart_joint", "pole_joint"], position=[1.0, 2.0], velocity=[3.0, 4.0]))
    turned = JointState(name=["pole_joint", "cart_joint"], position=[2.0, 1.0], velocity=[4.0, 3.0])
    assert assembler.joint_states(turned).joint_position.tolist() == [1.0, 2.0]


def test_missing_joint_is_refused_by_name_and_reported_once():
    reports = []
    assembler = StateAssembler(CARTPOLE, reports.append)
    lacking = JointState(name=["cart_joint"], position=[0.0], velocity=[0.0])
    assert fed(assembler, lacking, lacking) == []
    assert reports == ["joint_states: joint missing: pole_joint. Got: cart_joint"]
    assert assembler.refused.total() == 2


def test_joint_states_without_velocities_are_refused():
    assembler = StateAssembler(CARTPOLE)
    assert assembler.joint_states(JointState(name=["cart_joint", "pole_joint"], position=[0.0, 0.0])) is None
    assert list(assembler.refused) == ["joint_states: 2 joints with 0 values of velocity"]


@pytest.mark.parametrize("topic", range(3))
def test_state_that_is_not_finite_is_refused_and_named(topic):
    parts = messages(state())
    if topic == 0:
        parts[0].velocity[4] = float("nan")
    elif topic == 1:
        parts[1].angular_velocity.x = float("inf")
    else:
        parts[2].pose.pose.position.z = float("nan")
    assembler = StateAssembler(QUADRUPED)
    assert fed(assembler, *parts) == []
    named = ("velocity is not finite: FL_thigh_joint", "angular_velocity is not finite", "position is not finite")[
        topic
    ]
    assert list(assembler.refused)[0].endswith(named)


def test_imu_without_orientation_is_refused():
    imu = messages(state())[1]
    imu.orientation.w = imu.orientation.x = imu.orientation.y = imu.orientation.z = 0.0
    assembler = StateAssembler(QUADRUPED)
    assembler.imu(imu)
    assert "no unit quaternion" in list(assembler.refused)[0]


def test_topics_of_different_samples_are_not_mixed():
    early, late = messages(state(STAMP)), messages(state(STAMP + JOIN_NS // 2))
    assert fed(StateAssembler(QUADRUPED), early[1], early[2], late[0]) == []


def test_samples_that_overtake_each_other_between_topics_are_joined_by_stamp():
    one, two = messages(state(STAMP)), messages(state(STAMP + 10_000_000))
    joined = fed(StateAssembler(QUADRUPED), one[1], two[1], one[2], one[0], two[0], two[2])
    assert [s.stamp_ns for s in joined] == [STAMP, STAMP + 10_000_000]


def test_driver_that_cannot_stamp_equally_is_joined_by_the_nearest_from_its_second_sample_on():
    assembler, joined = StateAssembler(QUADRUPED), []
    for k in range(4):
        stamp = STAMP + k * 10_000_000
        joints, imu, odom = state(stamp), state(stamp - 2_000_000), state(stamp - 1_000_000)
        joined += fed(assembler, messages(imu)[1], messages(odom)[2], messages(joints)[0])
    assert [s.stamp_ns for s in joined] == [STAMP + k * 10_000_000 for k in (1, 2, 3)]


def test_topic_further_away_than_the_limit_makes_no_state():
    assembler = StateAssembler(QUADRUPED)
    for k in range(4):
        stamp = STAMP + k * 20_000_000
        other = messages(state(stamp - JOIN_NS - 1))
        assert fed(assembler, other[1], other[2], messages(state(stamp))[0]) == []


def test_state_sent_again_with_its_stamp_is_a_state_again():
    assembler, parts = StateAssembler(QUADRUPED), messages(state())
    assert len(fed(assembler, *parts, *parts)) >= 2


def test_robot_with_joints_alone_needs_no_other_topic():
    sample = RobotState(STAMP, np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    assert_equal(StateAssembler(CARTPOLE).joint_states(joint_state_message(sample, CARTPOLE)), sample)


def test_truth_is_read_whole_from_one_odometry_message():
    stamp_ns, base = base_of(odometry_message(state()))
    assert stamp_ns == STAMP
    assert_equal(base, state().base)


def plan(spec):
    actuated = len(spec.actuated)
    targets = np.arange(3.0 * actuated).reshape(3, actuated)
    return Plan(STAMP, 12, 3, 5 * NS + 1, (20_000_000, 40_000_000, 1_060_000_000), targets, exploring=True)


@pytest.mark.parametrize("spec", [QUADRUPED, CARTPOLE, replace(CARTPOLE, interface="velocity")])
def test_plan_comes_back_with_all_that_travels_with_it(spec):
    assert_equal(plan_of(plan_message(plan(spec), spec), spec), plan(spec))


def test_plan_joints_are_found_by_name():
    message = plan_message(plan(QUADRUPED), QUADRUPED)
    message.joint_names = list(reversed(message.joint_names))
    for point in message.points:
        point.positions = list(reversed(point.positions))
    assert_equal(plan_of(message, QUADRUPED), plan(QUADRUPED))


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda m: m.points.clear(), "without points"),
        (lambda m: m.points.extend(100 * [m.points[0]]), "plan of 103 points; 100 are the most"),
        (lambda m: setattr(m.points[1], "positions", [0.0]), "another number of positions"),
        (lambda m: m.joint_names.remove("FL_hip_joint"), "joint missing: FL_hip_joint"),
        (lambda m: setattr(m.header, "frame_id", "base_link"), "lacks sequence"),
        (lambda m: setattr(m.header, "frame_id", m.header.frame_id.replace("sequence=12", "sequence=x")), "sequence"),
    ],
)
def test_malformed_plan_is_refused_with_the_reason(spoil, reason):
    message = plan_message(plan(QUADRUPED), QUADRUPED)
    spoil(message)
    with pytest.raises(Refused, match=reason):
        plan_of(message, QUADRUPED)


def test_command_labels_say_which_joint_a_number_is_for():
    target = np.arange(12.0)
    message = command_message(target, QUADRUPED)
    np.testing.assert_array_equal(target_of(message, QUADRUPED), target)
    message.layout.dim.reverse()
    message.data = array("d", reversed(message.data))
    np.testing.assert_array_equal(target_of(message, QUADRUPED), target)


def test_command_without_labels_is_in_the_order_of_the_robot_file():
    message = command_message(np.arange(12.0), QUADRUPED)
    message.layout.dim = []
    np.testing.assert_array_equal(target_of(message, QUADRUPED), np.arange(12.0))


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda m: m.data.pop(), "11 numbers for 12 joints"),
        (lambda m: m.data.__setitem__(1, float("nan")), "not finite: FR_thigh_joint"),
        (lambda m: setattr(m.layout.dim[0], "label", "knee"), "labels knee, FR_thigh_joint"),
    ],
)
def test_malformed_command_is_refused_with_the_reason(spoil, reason):
    message = command_message(np.arange(12.0), QUADRUPED)
    spoil(message)
    with pytest.raises(Refused, match=reason):
        target_of(message, QUADRUPED)


@pytest.mark.parametrize("spec", [QUADRUPED, CARTPOLE])
def test_applied_comes_back_whole(spec):
    command = Command(STAMP, np.arange(float(len(spec.actuated))), RobotMode.POSITION, Action.CLIP, -1, 7)
    assert_equal(applied_of(applied_message(command, spec), spec), command)


def test_unknown_mode_is_refused_with_the_known_ones():
    assert mode_of(mode_message(RobotMode.OFF)) is RobotMode.OFF
    with pytest.raises(Refused, match="'limp' is none of position, damp, off"):
        mode_of(text_message("limp"))


def transition():
    return Transition(
        state=np.arange(3.0),
        action=np.arange(2.0),
        next_state=-np.arange(3.0),
        command=np.zeros(0),
        phase=0.25,
        reward=-1.5,
        terminal=True,
        flags=Flag.CLIPPED | Flag.EXPLORED,
        sequence=41,
        stamp_ns=STAMP,
        start_ns=1_700_000_000 * NS + 123_456_789,
        model=9,
    )


def test_transition_comes_back_to_the_nanosecond():
    assert_equal(transition_of(transition_message(transition())), transition())


def test_transition_layout_names_every_part():
    labels = [dim.label for dim in transition_message(transition()).layout.dim]
    assert labels[:4] == ["state", "action", "next_state", "command"]
    assert labels[4:12] == "phase reward terminal flags sequence seconds nanoseconds model".split()


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda m: m.data.pop(), "layout names"),
        (lambda m: setattr(m.layout.dim[4], "label", "phase_angle"), "without phase"),
        (lambda m: m.data.__setitem__(1, float("nan")), "state is not finite"),
    ],
)
def test_malformed_transition_is_refused_with_the_reason(spoil, reason):
    message = transition_message(transition())
    spoil(message)
    with pytest.raises(Refused, match=reason):
        transition_of(message)


def test_event_comes_back_and_a_fall_is_an_error():
    event = Event("fall", STAMP, "the robot has fallen")
    message = event_message(event)
    assert event_of(message) == event
    assert message.level == ERROR


def test_velocity_command_is_read_with_and_without_stamp():
    twist = Twist()
    twist.linear.x, twist.linear.y, twist.angular.z = 0.5, -0.1, 0.3
    for message in (twist, TwistStamped(twist=twist)):
        assert velocity_command_of(message).tolist() == [0.5, -0.1, 0.3]


def test_velocity_command_that_is_not_finite_is_refused():
    twist = Twist()
    twist.angular.z = float("nan")
    with pytest.raises(Refused, match="angular.z"):
        velocity_command_of(twist)


def test_bytes_come_back():
    content = bytes(range(256)) * 100
    assert bytes_of(bytes_message(content)) == content


def test_values_of_a_status_are_texts_that_read_as_numbers():
    values = values_of(status_message("planner", "fine", {"rate": 49.98, "late_steps": 3, "mode": "mppi"}))
    assert float(values["rate"]) == pytest.approx(49.98)
    assert values["late_steps"] == "3" and values["mode"] == "mppi"


def test_refusals_are_counted_by_reason_and_grow_not_without_end():
    refusals = Refusals()
    assert refusals.note("a joint is missing") and not refusals.note("a joint is missing")
    news = [refusals.note(f"joint {n} " + 1000 * "x") for n in range(100)]
    assert sum(news) == MOST_REASONS and refusals.total() == 102 and refusals["a joint is missing"] == 2
    assert len(refusals) == MOST_REASONS + 1 and max(map(len, refusals)) < 250
