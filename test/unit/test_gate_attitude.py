"""A fall is seen by the IMU though the rest of the sample is not believed; one bad orientation in it is no fall."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import LYING_ON_SIDE, MS, Driver
from gate_walk import IMU, ODOM, Frozen, Walk, not_followed

from mbrl_ros.safety.gate import Request
from mbrl_ros.safety.memory import tilt
from mbrl_ros.types import FOLLOWED, Action


def rolled(state, angle: float):
    wxyz = np.array([np.cos(angle / 2), np.sin(angle / 2), 0.0, 0.0])
    return replace(state, base=replace(state.base, orientation_wxyz=wxyz))


def mad_odom(state):
    return replace(state, base=replace(state.base, linear_velocity_body=np.array([20.0, 0.0, 0.0])))


def mad_joint(state):
    velocity = state.joint_velocity.copy()
    velocity[0] = 151.0
    return replace(state, joint_velocity=velocity)


def missing_joint(state):
    return replace(state, joint_position=state.joint_position[1:])


def no_number(state):
    return replace(state, base=replace(state.base, position=np.full(3, np.nan)))


def wandering(state):
    return replace(state, base=replace(state.base, position=state.base.position + state.stamp_ns // MS % 7))


SPOILT = [mad_odom, mad_joint, missing_joint, no_number, wandering, Frozen(*ODOM)]


def name(spoil):
    return getattr(spoil, "__name__", "frozen_odom")


@pytest.mark.parametrize("spoil", SPOILT, ids=name)
def test_a_fall_damps_at_once_whatever_other_sensor_goes_wrong_in_it(spoil):
    walk = Walk()
    begun = walk.ms
    walk.spoil = lambda state: rolled(spoil(state), (state.stamp_ns / MS - begun) / 1000 * 4.0)
    walk.go(600, until=lambda command: command.action == Action.DAMP)
    assert walk.why.startswith("tilt")
    assert walk.ms - begun <= 350, "0.93 rad at 4 rad/s, and a sample or two"


@pytest.mark.parametrize("spoil", SPOILT[:4], ids=name)
def test_a_fall_after_stance_was_reached_blind_damps_too(spoil):
    walk = Walk()
    walk.spoil = spoil
    assert walk.go(300, until=not_followed) and walk.why.startswith("state lost")
    walk.spoil = lambda state: rolled(spoil(state), 1.2)
    walk.go(20)
    assert walk.command.action == Action.DAMP and walk.why.startswith("tilt")


@pytest.mark.parametrize("spoil", SPOILT[:4], ids=name)
def test_one_bad_orientation_in_a_sample_that_is_ignored_anyway_changes_nothing(spoil):
    walk = Walk()
    for _ in range(5):
        walk.spoil = lambda state: rolled(spoil(state), 3.0)
        walk.go(10)
        walk.spoil = lambda state: state
        walk.go(10)
        assert walk.command.action in FOLLOWED
    walk.spoil = spoil
    walk.go(20)
    walk.spoil = lambda state: rolled(spoil(state), 3.0)
    walk.go(10)
    walk.spoil = spoil
    walk.go(20)
    assert walk.command.action in FOLLOWED


def test_the_same_bad_sample_heard_twice_is_still_one():
    walk = Walk()
    bad = []
    walk.spoil = lambda state: bad[0] if bad else bad.append(mad_odom(rolled(state, 3.0))) or bad[0]
    walk.go(40)
    assert walk.command.action in FOLLOWED and walk.counts == {"state_base_speed": 4}


def test_an_orientation_of_zeros_is_none():
    walk = Walk()
    walk.spoil = lambda state: mad_odom(rolled(state, 0.0))
    walk.go(20)
    walk.spoil = lambda state: replace(state, base=replace(state.base, orientation_wxyz=np.zeros(4)))
    walk.go(50)
    assert walk.counts == {"state_base_speed": 2, "state_orientation": 5}
    assert walk.driver.memory.attitude.heard.base.orientation_wxyz[0] == 1.0


def test_what_a_frozen_imu_says_is_no_attitude():
    walk = Walk()
    walk.spoil = Frozen(*IMU)
    walk.go(100)
    walk.spoil = lambda state, frozen=walk.spoil: mad_odom(frozen(state))
    walk.go(100)
    assert walk.driver.memory.attitude is None
    walk.go(300)
    assert walk.command.action == Action.DAMP and walk.why.startswith("state lost")


def test_a_robot_that_has_rolled_over_since_it_was_believed_is_not_made_to_stand_up():
    driver = Driver()
    driver.run(0, 100)
    driver.ask(Request.ESTOP, 100)
    for ms in (110, 120):
        driver.state(ms, orientation_wxyz=LYING_ON_SIDE, linear_velocity_body=np.full(3, np.nan))
    assert not driver.ask(Request.ESTOP_RESET, 121) and "tilt" in driver.message
    assert tilt(driver.memory, 180 * MS) and tilt(driver.memory, 181 * MS) is None, "too old, and so is the state"
