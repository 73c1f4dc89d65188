"""What the guard makes of sensors, clocks and targets that cannot be right, on real topics."""

import numpy as np
import pytest
import rclpy
from rclpy.signals import SignalHandlerOptions
from robot_stub import QUICK, RobotStub, guarded_stub, prompt_robot

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.guard import Guard
from mbrl_ros.types import FOLLOWED, Action


@pytest.fixture
def start(probe, processes, tmp_path):
    """Starts a guard with the given parameters, which follows plans; returns the stub around it."""
    spec, robot_file = prompt_robot(tmp_path)

    def started(*parameters: str) -> RobotStub:
        stub = guarded_stub(probe, processes, spec, robot_file, *QUICK, *parameters)
        stub.plan_target = stub.spec.stance + 0.1
        stub.applies("plans are followed", action=Action.FOLLOW)
        return stub

    return started


@pytest.fixture
def walking(start):
    return start()


def swinging(stub, frozen=lambda joints, imu, odom: None):
    """The joints swing from now on, so that a sensor which repeats itself is one that is frozen."""
    begun = stub.now_ns

    def spoil(joints, imu, odom):
        turn = 2 * np.pi * 2.0
        since = (stub.now_ns - begun) * 1e-9
        joints.position = [p + 0.1 * np.sin(turn * since) for p in joints.position]
        joints.velocity = [0.1 * turn * np.cos(turn * since)] * len(joints.position)
        frozen(joints, imu, odom)

    return spoil


def frozen_imu(joints, imu, odom):
    imu.angular_velocity.x = imu.angular_velocity.y = imu.angular_velocity.z = 0.25


def racing_base(joints, imu, odom):
    odom.twist.twist.linear.x = 50.0


def test_a_frozen_imu_is_a_lost_state_that_is_named_and_comes_back(walking, probe):
    told = probe.collect(topics.EVENTS, lambda message: message.message)
    walking.spoil = swinging(walking)
    for _ in range(100):
        walking.sample()
    assert walking.applied[-1].action in FOLLOWED, "nothing is frozen"
    walking.spoil = swinging(walking, frozen_imu)
    walking.applies("damping", action=Action.DAMP)
    walking.until(lambda: walking.diagnostics[-1]["unbelieved"] == "imu frozen", "the reason")
    walking.until(lambda: "damp: state lost: imu frozen" in told, "the event")
    assert int(walking.diagnostics[-1]["state_imu_frozen"]) > 0
    walking.spoil = None
    walking.until(lambda: walking.call(topics.STAND_UP)[0], "a believed state")
    walking.applies("plans are followed again", action=Action.FOLLOW)


def test_in_lockstep_a_state_that_is_not_believed_has_its_answer_too(start):
    stub = start("lockstep:=true")
    for spoil in (swinging(stub, frozen_imu), racing_base):
        stub.spoil = spoil
        stub.applies("damping", action=Action.DAMP)
        stub.spoil = None
        stub.until(lambda: stub.call(topics.STAND_UP)[0], "a believed state")
        stub.applies("plans are followed again", action=Action.FOLLOW)


def near(one_ns: int, other_ns: int) -> bool:
    return abs(one_ns - other_ns) < 1_000_000_000


@pytest.mark.parametrize("sim_time", ["false", "true"])
def test_a_clock_that_stands_still_is_a_lost_state_and_one_that_jumps_is_not(start, sim_time):
    stub = start(f"use_sim_time:={sim_time}")  # and nobody publishes /clock
    for jump_ns in (10_000_000_000, -5_000_000_000):
        stub.now_ns += jump_ns
        stub.applied.clear()
        stub.until(lambda: any(near(command.stamp_ns, stub.now_ns) for command in stub.applied), "robot time")
        stub.applies("plans are followed again", action=Action.FOLLOW)
        assert Action.DAMP not in {command.action for command in stub.applied}
    stub.clock_runs = False
    stub.applies("damping", action=Action.DAMP)
    stub.until(lambda: stub.diagnostics[-1]["unbelieved"] == "robot time stands still", "the reason")
    stub.clock_runs = True
    stub.until(lambda: stub.call(topics.STAND_UP)[0], "fresh states")
    stub.applies("plans are followed again", action=Action.FOLLOW)


def test_a_target_that_asks_for_too_much_torque_is_scaled_and_counted(walking):
    walking.plan_target = walking.spec.stance + np.where(np.arange(12) == 1, 0.7, 0.0)
    walking.applies("scaling", action=Action.SCALE)
    walking.until(lambda: int(walking.diagnostics[-1]["limited_torque"]) > 0, "the count")
    assert walking.diagnostics[-1]["limited_position"] == "0"
    assert (np.abs(walking.commands[-1] - walking.spec.stance) < 0.7).all()


def test_estop_waits_for_no_topic(domain):
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    try:
        guard = Guard()
        guard.trigger_configure()
        assert [service.srv_name for service in guard.urgent] == ["estop"]
        guard.destroy_node()
    finally:
        rclpy.shutdown()
