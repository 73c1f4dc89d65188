"""Ages do not grow while the simulation is paused."""

import numpy as np

from mbrl_ros.control.running_time import RunningTime
from mbrl_ros.control.velocity_command import VelocityCommand
from mbrl_ros.types import NS

TIMEOUT = 0.5


def test_it_goes_as_steady_time_does_but_for_pauses():
    time = RunningTime()
    assert time.at(5 * NS) == 5 * NS
    time.pause(6 * NS)
    assert time.at(6 * NS) == time.at(9 * NS) == 6 * NS
    time.resume(10 * NS)
    assert time.at(10 * NS) == 6 * NS
    assert time.at(11 * NS) == 7 * NS
    time.pause(12 * NS)
    time.resume(15 * NS)
    assert time.at(15 * NS) == 8 * NS


def test_a_pause_told_twice_counts_from_the_first_and_a_resume_alone_is_nothing():
    time = RunningTime()
    time.resume(1 * NS)
    time.pause(2 * NS)
    time.pause(3 * NS)
    time.resume(4 * NS)
    time.resume(9 * NS)
    assert time.at(10 * NS) == 8 * NS


def in_force(given, asked, pause=(2 * NS, 12 * NS)) -> bool:
    """Whether a command received at one steady time is followed at another, with a pause of 10 s."""
    time, command, value = RunningTime(), VelocityCommand(), np.array([0.3, 0.0, 0.0])
    steps = [(given, lambda: command.receive(value, time.at(given)))]
    steps += [(pause[0], lambda: time.pause(pause[0])), (pause[1], lambda: time.resume(pause[1]))]
    for _, act in sorted(steps, key=lambda step: step[0]):
        act()
    return bool(command.at(time.at(asked), TIMEOUT, 1.0, 1.0).any())


def test_a_command_fresh_at_the_pause_is_in_force_after_it_for_what_was_left():
    assert in_force(given=round(1.8 * NS), asked=round(12.2 * NS))
    assert not in_force(given=round(1.8 * NS), asked=round(12.4 * NS))


def test_a_command_old_at_the_pause_is_old_after_it():
    assert not in_force(given=round(1.4 * NS), asked=12 * NS)


def test_a_command_given_in_the_pause_is_fresh_when_it_ends():
    assert in_force(given=5 * NS, asked=round(12.4 * NS))
    assert not in_force(given=5 * NS, asked=round(12.6 * NS))
