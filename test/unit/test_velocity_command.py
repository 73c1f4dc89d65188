"""The newest velocity command, for as long as it counts."""

import numpy as np
import pytest

from mbrl_ros.control.velocity_command import VelocityCommand
from mbrl_ros.types import NS


def commanded(value, age=0.0, timeout=0.5, speed_limit=1.0, yaw_rate_limit=1.0):
    command = VelocityCommand()
    assert command.receive(np.array(value), 10 * NS)
    return command.at(10 * NS + round(age * NS), timeout, speed_limit, yaw_rate_limit)


def test_before_anybody_commanded_it_is_zero():
    assert not VelocityCommand().at(0, 0.5, 1.0, 1.0).any()


def test_a_fresh_command_within_limits_is_passed_on():
    np.testing.assert_array_equal(commanded([0.3, -0.2, 0.5]), [0.3, -0.2, 0.5])


def test_a_command_counts_until_its_timeout_and_is_zero_after():
    assert commanded([0.3, 0.0, 0.0], age=0.5)[0] == 0.3
    assert not commanded([0.3, 0.2, 0.5], age=0.501).any()


@pytest.mark.parametrize("size", [2.0, 1e6, 1e150])
def test_too_fast_is_scaled_down_in_the_same_direction(size):
    found = commanded([0.6 * size, -0.8 * size, 0.0])
    np.testing.assert_allclose(found, [0.6, -0.8, 0.0], rtol=1e-9)


def test_turning_is_limited_either_way_without_slowing_the_rest():
    np.testing.assert_array_equal(commanded([0.3, 0.0, 1e9]), [0.3, 0.0, 1.0])
    np.testing.assert_array_equal(commanded([0.3, 0.0, -1e9]), [0.3, 0.0, -1.0])


def test_a_speed_limit_of_zero_stands():
    assert not commanded([0.5, 0.1, 0.0], speed_limit=0.0).any()


@pytest.mark.parametrize("bad", [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf], [0.1, 0.2], []])
def test_what_is_no_velocity_is_refused_and_counted_and_the_one_before_stays(bad):
    command = VelocityCommand()
    command.receive(np.array([0.3, 0.0, 0.0]), 0)
    assert not command.receive(np.array(bad), NS // 4)
    assert command.refused == 1
    assert command.at(NS // 4, 0.5, 1.0, 1.0)[0] == 0.3
    assert not command.at(NS * 3 // 4, 0.5, 1.0, 1.0).any()  # and is not made fresh


def test_a_sender_that_reuses_its_array_changes_nothing():
    command, value = VelocityCommand(), np.array([0.3, 0.0, 0.0])
    command.receive(value, 0)
    value[:] = 9.0
    assert command.at(0, 0.5, 1.0, 1.0)[0] == 0.3
