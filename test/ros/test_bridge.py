"""The MuJoCo bridge as a process: what every driver owes its robot, and what a simulator adds."""

import signal
from xml.etree import ElementTree

import numpy as np
import pytest
import rclpy
import rclpy.subscription
from driven_bridge import DT, SPEC, Driven, drive, target
from std_msgs.msg import Float64MultiArray

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import publishers_of
from mbrl_ros.nodes.messages.fields import stamp_of
from mbrl_ros.nodes.messages.motion import mode_message
from mbrl_ros.nodes.messages.state import base_of
from mbrl_ros.nodes.messages.status import ERROR, values_of
from mbrl_ros.types import NS, RobotMode

CROUCH = np.tile([0.0, 1.1, -2.0], 4)
SAG = 0.12  # rad, by which the joints give way under the robot's weight
TOO_LONG = 100_000_000  # ns of robot time: twice as long as a robot may go uncommanded


def says_who():
    return "publisher_gid" in getattr(getattr(rclpy.subscription, "MessageInfo", None), "__annotations__", {})


@pytest.fixture
def driven(processes, probe):
    return Driven(processes, probe, "noise:=false")


@pytest.fixture
def lockstep(processes, probe):
    return Driven(processes, probe, "noise:=false", "lockstep:=true")


def test_state_comes_complete_at_the_robot_files_rate(driven):
    driven.for_robot_time(0.5)
    periods = np.diff([state.stamp_ns for state in driven.states])
    assert set(periods[-20:]) == {SPEC.sample_period_ns}
    assert driven.state.base is not None and driven.state.is_finite()


def test_robot_is_held_in_stance_until_position_mode_and_a_command(driven):
    driven.for_robot_time(0.3, target(CROUCH))
    assert driven.state.joint_position == pytest.approx(SPEC.stance, abs=SAG), "no mode has been told"
    driven.mode(RobotMode.POSITION)
    driven.for_robot_time(0.3)
    assert driven.state.joint_position == pytest.approx(SPEC.stance, abs=SAG), "no command since the mode"
    assert driven.events == []


@pytest.mark.skipif(not says_who(), reason="this rclpy does not say which publisher a message came from")
def test_while_the_guard_is_there_its_word_alone_sets_the_mode(driven, probe):
    """An estop is not undone by a stray word, nor a walk ended by one."""
    guard, evil = (rclpy.create_node(name, context=probe.context) for name in ("guard", "evil"))
    own, other = (topics.publisher(node, topics.ROBOT_MODE) for node in (guard, evil))
    told = lambda: values_of(driven.diagnostics[-1])["robot_mode"] if driven.diagnostics else ""  # noqa: E731
    refused = lambda: int(values_of(driven.diagnostics[-1])["refused_messages"]) if driven.diagnostics else 0  # noqa: E731
    probe.until_connected(own, other)
    probe.until(lambda: len(publishers_of(evil, "/robot_mode")) == 3, "all who may speak")
    own.publish(mode_message(RobotMode.DAMP))
    probe.until(lambda: told() == RobotMode.DAMP, "the guard's word")
    other.publish(mode_message(RobotMode.POSITION))
    probe.until(lambda: refused() == 1, "a refusal")
    assert told() == RobotMode.DAMP
    own.publish(mode_message(RobotMode.POSITION))
    probe.until(lambda: told() == RobotMode.POSITION, "the guard's word")
    guard.destroy_node()
    probe.until(lambda: len(publishers_of(evil, "/robot_mode")) == 2, "the guard to go")
    other.publish(mode_message(RobotMode.OFF))
    probe.until(lambda: told() == RobotMode.OFF, "where no guard is, whoever speaks is obeyed")
    evil.destroy_node()


def test_commands_are_followed(driven):
    drive(driven, CROUCH)
    assert driven.state.joint_position == pytest.approx(CROUCH, abs=SAG)
    assert driven.state.base.position[2] < 0.25


def test_joints_are_found_by_the_labels_of_a_command(driven):
    message = target(CROUCH)
    message.layout.dim.reverse()
    message.data.reverse()
    driven.mode(RobotMode.POSITION)
    driven.for_robot_time(0.5, message)
    assert driven.state.joint_position == pytest.approx(CROUCH, abs=SAG)


def test_robot_damps_by_itself_when_commands_stop_and_follows_the_next(driven):
    drive(driven)
    last = driven.state.stamp_ns
    driven.until_robot_time(last + TOO_LONG)
    driven.probe.until(lambda: driven.named("damp"), "the event")
    assert 50_000_000 <= driven.named("damp")[0].stamp_ns - last < TOO_LONG
    driven.for_robot_time(0.5, target(CROUCH))
    assert driven.state.joint_position == pytest.approx(CROUCH, abs=SAG)
    (damp,), (obey,) = driven.named("damp"), driven.named("obey")
    assert obey.stamp_ns > damp.stamp_ns


def test_damp_mode_lets_the_robot_sink(driven):
    drive(driven)
    height = driven.state.base.position[2]
    driven.mode(RobotMode.DAMP)
    driven.for_robot_time(0.5, target(SPEC.stance))
    assert driven.state.base.position[2] < height - 0.03
    assert driven.named("damp") == [], "commands came"
    driven.probe.until(lambda: driven.named("damp"), "the bridge to say that they stopped")


def test_commands_that_are_none_are_refused_and_the_robot_goes_on(driven):
    drive(driven)
    broken = target(SPEC.stance)
    broken.data[3] = float("nan")
    for message in (broken, Float64MultiArray(data=[0.0, 1.0])):
        driven.command(message)
        driven.probe.spin(0.02)  # the topic keeps one
    driven.probe.until(
        lambda: driven.diagnostics and values_of(driven.diagnostics[-1])["refused_messages"] == "2", "the count"
    )
    assert driven.process.poll() is None
    driven.for_robot_time(0.5, target(CROUCH))
    assert driven.state.joint_position == pytest.approx(CROUCH, abs=SAG)


def test_fallen_robot_is_announced_stood_up_and_held(driven):
    drive(driven)
    driven.mode(RobotMode.OFF)
    driven.probe.until(lambda: driven.named("reset"), "being stood up")
    fall, reset = driven.named("fall")[0].stamp_ns, driven.named("reset")[0].stamp_ns
    assert 2.0 <= (reset - fall) / NS < 2.2
    driven.for_robot_time(0.5)
    assert driven.state.base.position[2] == pytest.approx(SPEC.base.stance_height, abs=0.02)
    assert len(driven.named("fall")) == len(driven.named("reset")) == 1


def test_reset_world_leaves_a_gap_in_robot_time_which_never_goes_back(driven):
    drive(driven)
    assert driven.probe.call(topics.RESET_WORLD).success
    driven.for_robot_time(0.2)
    periods = np.diff([state.stamp_ns for state in driven.states])
    assert periods.min() > 0 and periods.max() > 1.5 * SPEC.dt_ns
    assert len(driven.named("reset")) == 1


def test_pause_stops_robot_time_and_is_announced(driven):
    driven.for_robot_time(0.1)
    driven.probe.call(topics.SET_PAUSE, data=True)
    driven.probe.spin(0.2)
    stamp = driven.state.stamp_ns
    driven.probe.spin(0.3)
    assert driven.state.stamp_ns == stamp
    driven.probe.call(topics.SET_PAUSE, data=False)
    driven.for_robot_time(0.1)
    assert [event.name for event in driven.events] == ["pause", "resume"]


def test_time_cannot_be_stepped_outside_lockstep(driven):
    answer = driven.probe.call(topics.STEP_SIMULATION)
    assert not answer.success and "lockstep" in answer.message


def test_truth_is_published_beside_noisy_odometry(processes, probe):
    driven = Driven(processes, probe)
    truth = probe.collect(topics.GROUND_TRUTH, base_of)
    probe.until(lambda: len(truth) > 50, "ground truth")
    truths = dict(truth)
    pairs = [(s.base, truths[s.stamp_ns]) for s in driven.states if s.stamp_ns in truths]
    errors = np.array([b.linear_velocity_body - t.linear_velocity_body for b, t in pairs])
    assert 0.5 < errors.std() / SPEC.noise.linear_velocity < 2.0
    assert all(np.linalg.norm(t.linear_velocity_body) < 0.01 for _, t in pairs), "it is held still"


def test_metrics_say_how_fast_time_and_the_robot_go(driven):
    speed, slipped, vx = (
        driven.probe.collect(topics.metric(name), lambda message: message.data)
        for name in ("real_time_factor", "slipped_seconds", "true_vx")
    )
    driven.probe.until(lambda: len(speed) > 15 and len(slipped) > 15 and len(vx) > 15, "a second of metrics")
    assert 0.0 < speed[-1] < 1.5, "it slips on a busy machine, but never runs ahead"
    assert slipped == sorted(slipped) and slipped[0] >= 0.0
    assert abs(vx[-1]) < 0.01, "it is held still"
    driven.probe.call(topics.SET_PAUSE, data=True)
    driven.probe.until(lambda: speed[-1] == 0.0, "time to stand")


def test_clock_and_description_are_there_for_foreign_nodes(driven):
    clocks = driven.probe.collect(topics.CLOCK, lambda message: stamp_of(message.clock))
    descriptions = driven.probe.collect(topics.ROBOT_DESCRIPTION, lambda message: message.data)
    driven.probe.until(lambda: clocks and descriptions, "clock and description")
    names = {joint.get("name") for joint in ElementTree.fromstring(descriptions[0].encode()).iter("joint")}
    assert set(SPEC.joint_names) <= names
    assert clocks[-1] == pytest.approx(driven.state.stamp_ns, abs=NS)


def test_second_bridge_on_the_same_topics_is_reported_by_both(driven):
    driven.processes.start("bridge", "noise:=false")
    driven.probe.until(lambda: len(driven.named("error")) >= 2, "both to report")
    assert "another robot" in driven.named("error")[0].message
    driven.probe.until(
        lambda: driven.diagnostics[-1].level == ERROR and "another robot" in driven.diagnostics[-1].message,
        "the diagnostics",
    )


def test_bridge_restarted_after_a_kill_is_not_its_own_rival(driven):
    driven.process.send_signal(signal.SIGKILL)
    driven.process.wait()
    driven.processes.start("bridge", "noise:=false")
    driven.probe.spin(5.0)
    assert driven.named("error") == []


def test_lockstep_waits_for_applied_and_repeats_the_state_meanwhile(lockstep):
    lockstep.probe.until(lambda: len(lockstep.states) > 3, "the state again")
    assert {state.stamp_ns for state in lockstep.states} == {0}


def test_lockstep_steps_once_on_the_applied_of_its_state_and_ignores_others(lockstep):
    lockstep.apply(DT, CROUCH)
    lockstep.probe.spin(0.5)
    assert lockstep.state.stamp_ns == 0
    for k in range(25):
        lockstep.apply(k * DT, CROUCH)
        lockstep.apply(k * DT, CROUCH)
        lockstep.probe.until(lambda k=k: lockstep.state.stamp_ns == (k + 1) * DT, "the next state")
    lockstep.probe.spin(0.3)
    assert lockstep.state.stamp_ns == 25 * DT
    assert lockstep.state.joint_position == pytest.approx(CROUCH, abs=SAG)


def test_lockstep_can_be_stepped_by_hand(lockstep):
    assert lockstep.probe.call(topics.STEP_SIMULATION).success
    lockstep.probe.until(lambda: lockstep.state.stamp_ns == DT, "the next state")


def test_bridge_ends_with_status_0_on_both_signals(driven):
    driven.process.send_signal(signal.SIGINT)
    assert driven.process.wait(10) == 0
    other, states = driven.processes.start("bridge"), driven.probe.collect(topics.JOINT_STATES)
    driven.probe.until(lambda: states, "its first state")
    other.send_signal(signal.SIGTERM)
    assert other.wait(10) == 0


def test_mistyped_parameter_ends_the_bridge_with_a_hint(processes):
    process = processes.start("bridge", "nois:=false")
    assert process.wait(30) == 1
    assert "unknown key 'nois', did you mean 'noise'?" in process.log.read_text()
