"""The guard as a process of its own, on real topics."""

import subprocess
import sys
import time

import numpy as np
import pytest
from asking import ask
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from robot_stub import QUICK, SAMPLE, RobotStub, guarded_stub, prompt_robot

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.state import joint_state_message
from mbrl_ros.types import NS, Action, RobotMode


@pytest.fixture
def start(probe, processes, tmp_path):
    """Starts a guard with the given parameters; returns the stub around it."""
    spec, robot_file = prompt_robot(tmp_path)

    return lambda *parameters: guarded_stub(probe, processes, spec, robot_file, *parameters)


@pytest.fixture
def walking(start):
    """A guard that follows plans."""
    stub = start(*QUICK)
    stub.plan_target = stub.spec.stance + 0.1
    stub.applies("plans are followed", action=Action.FOLLOW)
    return stub


def test_the_guards_process_never_imports_torch():
    code = "import sys, mbrl_ros.nodes.guard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_stance_is_held_until_plans_come_and_then_they_are_followed(start):
    stub = start(*QUICK)
    stub.applies("stance", action=Action.HOLD, mode=RobotMode.POSITION, plan_sequence=-1)
    np.testing.assert_allclose(stub.commands[-1], stub.spec.stance)
    stub.plan_target = stub.spec.stance + 0.1
    stub.applies("plans are followed", action=Action.FOLLOW, model=7)
    stub.sample()
    np.testing.assert_allclose(stub.commands[-1], stub.plan_target)
    assert set(stub.modes) == {RobotMode.POSITION}
    stamps = [command.stamp_ns for command in stub.applied]
    late = [stub.now_ns - stamp for stamp in stamps[-3:]]
    assert all(abs(ns) < 60e6 for ns in late), late


def test_plans_that_stop_lead_to_stance_and_come_back(walking):
    walking.plan_target = None
    walking.applies("stance", action=Action.HOLD, plan_sequence=-1)
    walking.plan_target = walking.spec.stance - 0.1
    walking.applies("plans are followed again", action=Action.FOLLOW)


def test_state_that_stops_leads_to_damping_and_commands_go_on(walking):
    walking.sending = False
    walking.applies("damping", action=Action.DAMP, mode=RobotMode.DAMP)
    assert Action.HOLD in {command.action for command in walking.applied}
    sent = len(walking.applied)
    walking.until(lambda: len(walking.applied) > sent + 10, "more commands")
    assert walking.modes[-1] == RobotMode.DAMP


def spoiled_position(joints, imu, odom):
    joints.position[3] = np.nan


def spoiled_velocity(joints, imu, odom):
    joints.velocity[0] = np.inf


def spoiled_orientation(joints, imu, odom):
    imu.orientation.x = np.nan


def unset_orientation(joints, imu, odom):
    imu.orientation.w = 0.0


def spoiled_turn(joints, imu, odom):
    imu.angular_velocity.z = np.nan


def spoiled_height(joints, imu, odom):
    odom.pose.pose.position.z = np.nan


def spoiled_speed(joints, imu, odom):
    odom.twist.twist.linear.x = np.nan


def missing_joint(joints, imu, odom):
    joints.name, joints.position, joints.velocity = joints.name[1:], joints.position[1:], joints.velocity[1:]


SPOILED = (
    spoiled_position,
    spoiled_velocity,
    spoiled_orientation,
    unset_orientation,
    spoiled_turn,
    spoiled_height,
    spoiled_speed,
    missing_joint,
)


def test_a_state_message_that_is_not_finite_is_no_state(walking):
    for spoil in SPOILED:
        walking.spoil = spoil
        walking.applies(f"damping for {spoil.__name__}", action=Action.DAMP)
        assert all(np.isfinite(command.target).all() for command in walking.applied)
        walking.spoil = None
        walking.until(lambda: walking.call(topics.STAND_UP)[0], "fresh states")
        walking.applies("plans are followed again", action=Action.FOLLOW)


def test_a_plan_that_is_not_finite_is_refused_and_reported(walking):
    good = walking.plan_target
    walking.plan_target = np.where(np.arange(12) == 5, np.nan, good)
    walking.applies("stance", action=Action.HOLD, plan_sequence=-1)
    assert all(np.isfinite(command.target).all() for command in walking.applied)
    walking.until(lambda: any("plan_not_finite" in said for said in walking.diagnostics), "diagnostics")
    walking.plan_target = good
    walking.applies("plans are followed again", action=Action.FOLLOW)


def test_estop_latches_until_estop_reset(walking):
    assert walking.call(topics.ESTOP)[0]
    walking.applies("damping", action=Action.DAMP, mode=RobotMode.DAMP)
    accepted, message = walking.call(topics.STAND_UP)
    assert not accepted and "estop_reset" in message
    walking.send_event("reset")
    for _ in range(20):
        walking.sample()
    assert walking.applied[-1].action == Action.DAMP
    assert walking.call(topics.ESTOP_RESET)[0]
    walking.applies("plans are followed again", action=Action.FOLLOW)
    assert {"estop", "release", "mode"} <= set(walking.events)


def turn(stub, probe, transition):
    """Through the guard's lifecycle, as a person would."""
    client = probe.node.create_client(ChangeState, "guard/change_state")
    request = ChangeState.Request(transition=Transition(id=transition))
    assert ask(stub.until, client, request, "change_state").success


def test_an_estop_outlives_a_deactivation(walking, probe):
    assert walking.call(topics.ESTOP)[0]
    walking.applies("damping", action=Action.DAMP)
    turn(walking, probe, Transition.TRANSITION_DEACTIVATE)
    walking.applied.clear()
    turn(walking, probe, Transition.TRANSITION_ACTIVATE)
    estopped_until_reset(walking)


def test_an_estop_of_an_inactive_guard_holds_once_it_is_active(walking, probe):
    turn(walking, probe, Transition.TRANSITION_DEACTIVATE)
    walking.applied.clear()
    assert not walking.call(topics.STAND_UP)[0]
    accepted, message = walking.call(topics.ESTOP)
    assert accepted and "estop_reset" in message
    turn(walking, probe, Transition.TRANSITION_ACTIVATE)
    estopped_until_reset(walking)


def estopped_until_reset(stub):
    stub.applies("damping", action=Action.DAMP)
    accepted, message = stub.call(topics.STAND_UP)
    assert not accepted and "estop_reset" in message
    assert {command.action for command in stub.applied} == {Action.DAMP}
    assert stub.call(topics.ESTOP_RESET)[0]
    stub.applies("plans are followed again", action=Action.FOLLOW)


def test_a_guard_that_was_deactivated_waits_for_stand_up_once_it_is_active_again(walking, probe):
    for _ in range(2):  # the second time before its first command
        turn(walking, probe, Transition.TRANSITION_DEACTIVATE)
        walking.applied.clear()
        turn(walking, probe, Transition.TRANSITION_ACTIVATE)
    walking.applies("damping", action=Action.DAMP)
    for _ in range(20):
        walking.sample()
    assert {command.action for command in walking.applied} == {Action.DAMP}
    assert walking.call(topics.STAND_UP)[0]
    walking.applies("plans are followed again", action=Action.FOLLOW)


def test_a_flood_of_plans_that_hold_at_once_makes_the_guard_speak_no_more_often_than_it_may(walking, probe):
    good = walking.plan_target
    sent, begun = len(walking.applied), time.monotonic()
    due = begun
    while time.monotonic() < begun + 1.0:
        if time.monotonic() >= due:
            due += SAMPLE
            walking.now_ns += round(SAMPLE * NS)
            walking.send_state()
        walking.plan_target = good + (0.3 if walking.sequence % 2 else -0.3)
        walking.send_plan(first=0)
        probe.spin(0.001)
    seconds, commands = time.monotonic() - begun, len(walking.applied) - sent
    assert 150 * seconds < commands <= 350 * seconds, "100 samples a second, and plans as they come at max_rate"


def test_a_guard_whose_driver_misses_it_before_its_first_command_waits_for_stand_up(start):
    stub = start(*QUICK)
    stub.plan_target = stub.spec.stance

    def damped_until_it_speaks():
        stub.send_event("damp")
        return bool(stub.applied)

    stub.until(damped_until_it_speaks, "the first command")
    assert {command.action for command in stub.applied} == {Action.DAMP}
    assert stub.call(topics.STAND_UP)[0]
    stub.applies("plans are followed", action=Action.FOLLOW)


def test_sit_down_and_stand_up(walking):
    assert walking.call(topics.SIT_DOWN)[0]
    walking.applies("sitting, then damping", action=Action.DAMP)
    assert Action.SIT in {command.action for command in walking.applied}
    assert walking.call(topics.STAND_UP)[0]
    walking.applies("plans are followed again", action=Action.FOLLOW)


def lying(joints, imu, odom):
    imu.orientation.w, imu.orientation.x = np.sqrt(0.5), np.sqrt(0.5)


def test_a_fall_damps_until_the_simulation_is_reset(walking):
    walking.spoil = lying
    walking.applies("damping", action=Action.DAMP)
    walking.until(lambda: "fall" in set(walking.events), "the fall is told")
    walking.spoil = None
    walking.send_event("reset")
    walking.applies("plans are followed again", action=Action.FOLLOW)


def test_a_reset_event_releases_no_real_robot(start):
    stub = start("hardware:=true", *QUICK)
    stub.plan_target = stub.spec.stance
    stub.applies("plans are followed", action=Action.FOLLOW)
    stub.spoil = lying
    stub.applies("damping", action=Action.DAMP)
    stub.spoil = None
    stub.send_event("reset")
    for _ in range(20):
        stub.sample()
    assert stub.applied[-1].action == Action.DAMP


def test_a_paused_simulation_ages_nothing(walking, probe):
    walking.send_event("pause")
    walking.sending, walking.plan_target, target = False, None, walking.plan_target
    probe.spin(0.1)
    walking.applied.clear()
    probe.spin(1.0)  # robot time stands
    walking.send_event("resume")
    probe.spin(0.05)
    walking.sending, walking.plan_target = True, target
    walking.until(lambda: len(walking.applied) > 4, "commands")
    assert Action.DAMP not in {command.action for command in walking.applied}


def test_in_lockstep_each_plan_has_one_answer_and_a_repeat_the_same(start, probe):
    stub = start("lockstep:=true", *QUICK)
    stub.plan_target = stub.spec.stance

    def cycle():
        sent = len(stub.applied)
        stub.send_state()
        stub.sequence = stub.now_ns // stub.spec.dt_ns
        stub.send_plan()
        probe.spin(0.1)
        return stub.applied[sent:]

    for _ in range(100):
        if cycle():
            break
    for k in range(1, 6):
        stub.now_ns = k * stub.spec.dt_ns
        stub.plan_target = stub.spec.stance + 0.01 * k
        (answer,) = cycle()
        assert (answer.stamp_ns, answer.action, answer.plan_sequence) == (stub.now_ns, Action.FOLLOW, k - 1)
        np.testing.assert_allclose(answer.target, stub.spec.stance + 0.01 * (k - 1))
    again = cycle()
    assert again
    for repeated in again:
        np.testing.assert_array_equal(repeated.target, answer.target)
        assert (repeated.stamp_ns, repeated.action) == (answer.stamp_ns, answer.action)
    probe.spin(1.0)
    assert stub.applied[-1].action == Action.FOLLOW, "wall time ages nothing"


def test_a_guard_that_replaces_a_killed_one_waits_for_stand_up(walking, processes, tmp_path):
    walking.guard.kill()
    walking.guard.wait()
    walking.send_event("damp")  # as the driver does when commands stop
    for _ in range(20):
        walking.sample()
    walking.send_event("reset")
    walking.applied.clear()
    processes.start("guard", f"robot:={tmp_path}/go1_like.yaml", *QUICK)
    walking.applies("damping", action=Action.DAMP)
    for _ in range(20):
        walking.sample()
        assert walking.applied[-1].action == Action.DAMP
    assert walking.call(topics.STAND_UP)[0]
    walking.applies("plans are followed", action=Action.FOLLOW)


@pytest.fixture
def fading(probe, processes, tmp_path):
    """A guard that follows plans, and whose fade-in can be seen."""
    spec, robot_file = prompt_robot(tmp_path, fade_in=0.5)
    stub = RobotStub(probe, spec)
    processes.start("guard", f"robot:={robot_file}", "max_age:=5.0")
    stub.plan_target = stub.spec.stance + 0.1
    stub.applies("plans are followed", action=Action.FOLLOW)
    return stub


def damped_by_its_driver(stub, seconds):
    """What the guard did in 0.3 s after the driver had announced that it obeys again."""
    stub.send_event("damp")
    for _ in range(round(seconds / SAMPLE)):
        stub.sample()
    before = len(stub.applied)
    stub.send_event("obey")
    for _ in range(30):
        stub.sample()
    return stub.applied[before:]


def test_after_a_driver_damped_itself_for_long_plans_fade_in_from_the_measured_posture(fading):
    after = damped_by_its_driver(fading, 0.2)
    held = [command for command in after if command.action == Action.HOLD]
    assert len(held) > 10, [command.action for command in after]
    np.testing.assert_allclose(held[0].target, fading.spec.stance, atol=0.01)  # where its joints are
    fading.applies("plans are followed again", action=Action.FOLLOW)


def test_a_driver_that_damped_itself_briefly_goes_on_with_the_plan(fading):
    assert {command.action for command in damped_by_its_driver(fading, 0.04)} == {Action.FOLLOW}


def test_a_driver_that_obeys_again_without_having_damped_changes_nothing(fading):
    fading.send_event("obey")
    for _ in range(10):
        fading.sample()
    assert fading.applied[-1].action == Action.FOLLOW


def test_messages_that_make_no_sense_are_counted_and_do_no_harm(walking):
    def other_joints(plan):
        plan.joint_names[0] = "tail"

    def no_tags(plan):
        plan.header.frame_id = "map"

    def no_numbers(plan):
        plan.header.frame_id = "sequence=x model=y gait_origin_ns=z exploring=0"

    def no_points(plan):
        plan.points = []

    for spoil in (other_joints, no_tags, no_numbers, no_points):
        walking.spoil_plan = spoil
        walking.applies(f"stance for {spoil.__name__}", action=Action.HOLD, plan_sequence=-1)
        walking.spoil_plan = None
        walking.applies("plans are followed again", action=Action.FOLLOW)
    walking.send_event("reset", spoil=lambda event: event.values.clear())
    walking.until(lambda: int(walking.diagnostics[-1]["refused_plan_messages"]) >= 4, "the count")
    assert walking.applied[-1].action == Action.FOLLOW


def test_a_guard_that_finds_the_robot_lying_waits_for_stand_up(start):
    stub = start(*QUICK)
    stub.plan_target = stub.spec.stance

    def lying_down(joints, imu, odom):
        joints.position = joint_state_message(stub.standing(stub.spec.sit), stub.spec).position
        odom.pose.pose.position.z = 0.11

    stub.spoil = lying_down
    stub.applies("damping", action=Action.DAMP)
    stub.spoil = None
    assert stub.call(topics.STAND_UP)[0]
    stub.applies("plans are followed", action=Action.FOLLOW)
