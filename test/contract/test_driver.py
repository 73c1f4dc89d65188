"""What a driver owes its robot, kept by the simulated one over every backend."""

import numpy as np
import pytest

from mbrl_ros.backends.driver import SILENCE_NS, SimulatedDriver
from mbrl_ros.known import the
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, RobotMode

SPEC = load_robot("go1_like")
FOR_ANY_ROBOT = ("mujoco", "loopback")
ROBOTS = sorted(path.stem for path in (share() / "config" / "robots").glob("*.yaml"))
CROUCH = np.tile([0.0, 1.1, -2.0], 4)
SAG = 0.12  # rad, by which the joints give way under the robot's weight


class Robot:
    def __init__(self, backend, stand_up_after=2.0, spec=SPEC):
        self.backend = the("backend", backend).BACKEND(spec, 0, False)
        self.driver = SimulatedDriver(spec, self.backend, stand_up_after)
        self.events = []

    def run(self, seconds, target=None):
        for _ in range(round(seconds / self.backend.physics_dt)):
            if target is not None:
                self.events += self.driver.command(target)
            self.events += self.driver.advance(1)
            self.events += self.driver.watch_for_falls()

    @property
    def silences(self):
        """Their begins and ends. Without torque it may fall as well."""
        return [event for event in self.events if event.name in ("damp", "obey")]

    @property
    def joints(self):
        return self.backend.truth().joint_position


@pytest.fixture(params=FOR_ANY_ROBOT)
def robot(request):
    return Robot(request.param)


@pytest.fixture
def fallible():
    return Robot("mujoco")


def test_held_in_stance_until_a_command_in_position_mode(robot):
    robot.run(0.2, CROUCH)
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.2)
    assert robot.driver.held
    assert robot.joints == pytest.approx(SPEC.stance, abs=SAG)
    robot.run(0.5, CROUCH)
    assert not robot.driver.held
    assert robot.joints == pytest.approx(CROUCH, abs=SAG)
    assert robot.events == []


def test_damps_once_after_silence_and_follows_the_next_command(robot):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, SPEC.stance)
    step = round(robot.backend.physics_dt * NS)
    last = robot.driver.stamp_ns - step
    robot.run(0.3)
    (event,) = robot.events
    assert event.name == "damp"
    assert SILENCE_NS <= event.stamp_ns - last < SILENCE_NS + step
    assert robot.driver.silent
    damped_for = robot.driver.stamp_ns - event.stamp_ns
    robot.run(0.5, CROUCH)
    assert not robot.driver.silent
    assert robot.joints == pytest.approx(CROUCH, abs=SAG)
    damp, obey = robot.events
    assert obey.name == "obey" and obey.stamp_ns - damp.stamp_ns == damped_for
    assert f"{damped_for / 1e6:.0f} ms" in obey.message


@pytest.mark.parametrize("mode", [RobotMode.DAMP, RobotMode.OFF])
def test_told_to_damp_it_follows_no_commands_and_says_nothing_while_they_come(robot, mode):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, SPEC.stance)
    robot.driver.set_mode(mode)
    robot.run(0.3, CROUCH)
    assert robot.joints != pytest.approx(CROUCH, abs=SAG)
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, CROUCH)
    assert robot.silences == []


@pytest.mark.parametrize("mode", [RobotMode.DAMP, RobotMode.OFF])
def test_told_to_damp_it_still_says_that_commands_stopped_and_when_they_come_again(robot, mode):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, SPEC.stance)
    robot.driver.set_mode(mode)
    robot.run(0.1, SPEC.stance)
    silent_from = robot.driver.stamp_ns
    robot.run(0.3)
    (damp,) = robot.silences
    assert damp.name == "damp" and damp.stamp_ns - silent_from <= SILENCE_NS
    robot.run(0.1, SPEC.stance)
    assert [event.name for event in robot.silences] == ["damp", "obey"]


def test_held_and_told_to_damp_it_says_that_commands_stopped_and_is_held_on(robot):
    robot.driver.set_mode(RobotMode.DAMP)
    robot.run(0.2)
    assert robot.events == [], "none has come yet"
    robot.run(0.1, CROUCH)
    robot.run(0.2)
    assert [event.name for event in robot.events] == ["damp"]
    assert robot.driver.held and robot.joints == pytest.approx(SPEC.stance, abs=SAG)


def test_after_a_reset_silence_counts_from_the_next_command_on(robot):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, SPEC.stance)
    robot.driver.reset("asked for")
    robot.run(0.2)
    assert robot.events == []


def test_back_from_damping_no_old_target_is_followed(robot):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.3, CROUCH)
    robot.driver.set_mode(RobotMode.OFF)
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.02)
    assert robot.events == [], "the silence counts from the next command on"


def test_command_that_is_no_target_is_an_error_and_changes_nothing(robot):
    robot.driver.set_mode(RobotMode.POSITION)
    for wrong in (np.zeros(3), np.full(12, np.nan)):
        with pytest.raises(ValueError):
            robot.driver.command(wrong)
    assert robot.driver.held


def test_reset_holds_again_and_robot_time_goes_on(robot):
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.3, CROUCH)
    before = robot.driver.stamp_ns
    event = robot.driver.reset("asked for")
    assert event.name == "reset" and event.stamp_ns > before
    assert robot.driver.held
    assert robot.joints == pytest.approx(SPEC.stance, abs=SAG)


def test_fall_is_announced_once_and_the_robot_stood_up_after_its_time(fallible):
    fallible.driver.set_mode(RobotMode.POSITION)
    fallible.run(0.1, SPEC.stance)
    fallible.driver.set_mode(RobotMode.OFF)
    fallible.run(4.0, SPEC.stance)
    fall, reset = fallible.events
    assert (fall.name, reset.name) == ("fall", "reset")
    assert 2.0 <= (reset.stamp_ns - fall.stamp_ns) / NS < 2.1
    assert fallible.backend.truth().base.position[2] > SPEC.base.fall_height


def test_robot_that_nobody_stands_up_stays_lying():
    robot = Robot("mujoco", stand_up_after=0.0)
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1, SPEC.stance)
    robot.driver.set_mode(RobotMode.OFF)
    robot.run(5.0, SPEC.stance)
    assert [event.name for event in robot.events] == ["fall"]


@pytest.mark.parametrize("name", ROBOTS)
def test_every_robot_is_held_until_commanded_and_damped_in_silence_by_its_own_backend(name):
    spec = load_robot(name)
    robot = Robot(spec.backend, spec=spec)
    target = spec.stance + 0.5 * spec.action_scale
    robot.driver.set_mode(RobotMode.POSITION)
    robot.run(0.1)
    assert robot.driver.held and robot.events == []
    robot.run(0.2, target)
    assert not robot.driver.held and robot.events == []
    robot.run(0.2)
    assert [event.name for event in robot.silences] == ["damp"]
    robot.run(0.1, target)
    assert [event.name for event in robot.silences] == ["damp", "obey"]
    robot.driver.reset("asked for")
    assert robot.driver.held
