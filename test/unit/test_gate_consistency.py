"""Sensors that contradict one another: what is told, what follows, and that a healthy robot is never accused."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import CARTPOLE, MS, Driver, plan
from gate_walk import IMU, PARTS, WATCHED, Frozen, Walk, not_followed, stuck, walking

from mbrl_ros.backends.driver import SimulatedDriver
from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.safety import consistency, gate
from mbrl_ros.safety.gate import Request
from mbrl_ros.types import FOLLOWED, Action, RobotMode

STANCE = WATCHED.stance


@pytest.mark.parametrize("what", PARTS)
def test_a_sensor_that_freezes_in_a_walk_is_a_lost_state_within_100_ms(what):
    walk = Walk()
    walk.spoil, began = Frozen(*PARTS[what]), walk.ms
    assert walk.go(1000, until=not_followed) - began <= 100
    assert walk.command.mode == RobotMode.POSITION
    assert f"mode stance: state lost: {what}" in walk.spoken
    walk.go(400)
    assert walk.command.action == Action.DAMP
    assert walk.spoken[-1] == f"mode damp: state lost: {what}"
    assert set(walk.counts) == {"state_" + what.replace(" ", "_")}
    assert not walk.driver.ask(Request.STAND_UP, walk.ms) and what in walk.driver.message


@pytest.mark.parametrize("what", PARTS)
def test_a_sensor_that_was_frozen_for_a_moment_is_believed_again_and_plans_are_followed(what):
    walk = Walk()
    walk.spoil = Frozen(*PARTS[what])
    walk.go(150)
    assert not_followed(walk.command)
    walk.spoil = lambda state: state
    walk.go(150)
    assert walk.command.action == Action.FOLLOW and walk.driver.memory.unbelieved == ""


@pytest.mark.parametrize("what", PARTS)
def test_a_frozen_sensor_that_is_right_for_a_moment_stays_frozen(what):
    walk = Walk()
    walk.spoil = Frozen(*PARTS[what])
    walk.go(200)
    for _ in range(50):  # a whole period: the robot comes to be as it was when the sensor froze
        walk.go(10)
        assert walk.driver.memory.unbelieved == what


def test_robot_time_goes_on_evenly_while_a_sensor_is_frozen():
    walk = Walk()
    walk.spoil = Frozen(*IMU)
    for _ in range(20):
        walk.go(10)
        assert gate.robot_time(walk.driver.memory, (walk.ms - 10) * MS) == (walk.ms - 10) * MS


@pytest.mark.parametrize("joint", [1, 2, 10])
def test_one_joint_that_does_not_follow_its_targets_is_named_and_stance_is_held(joint):
    walk = Walk()
    walk.spoil = stuck(joint, walk.ms)
    assert walk.go(2000, until=not_followed)
    name = WATCHED.joint_names[joint]
    assert walk.why == f"{name} stuck or frozen" and walk.counts == {"joint_frozen": 1}
    walk.go(10_000)
    assert walk.command.action == Action.HOLD, "the state is still believed, so stance is safer than no legs at all"
    walk.go(2600)
    assert walk.command.action == Action.DAMP and f"mode sit: {name} stuck or frozen" in walk.spoken


def test_a_joint_that_moves_again_is_believed_again():
    walk = Walk()
    walk.spoil = Frozen("joint_position", "joint_velocity")
    frozen = walk.spoil

    def thigh_alone(state):
        position, velocity = state.joint_position.copy(), state.joint_velocity.copy()
        position[1], velocity[1] = frozen(state).joint_position[1], frozen(state).joint_velocity[1]
        return replace(state, joint_position=position, joint_velocity=velocity)

    walk.spoil = thigh_alone
    assert walk.go(2000, until=not_followed)
    walk.spoil = lambda state: state
    walk.go(400)
    assert walk.command.action == Action.FOLLOW and walk.driver.memory.doubt == ""


def displaced(**by):
    def spoil(state):
        if "joint" in by:
            position = state.joint_position.copy()
            position[by["joint"]] += 0.5
            return replace(state, joint_position=position)
        return replace(
            state, base=replace(state.base, position=state.base.position + np.array([0.0, 0.0, by["height"]]))
        )

    return spoil


@pytest.mark.parametrize("period", [10, 20])
@pytest.mark.parametrize("glitch", [{"joint": 4}, {"height": -0.2}, {"height": 0.3}], ids=str)
def test_a_single_sample_that_jumps_is_ignored_and_a_lasting_jump_is_believed_in_the_end(glitch, period):
    walk = Walk(period)
    walk.spoil = displaced(**glitch)
    walk.go(period)
    walk.spoil = lambda state: state
    walk.go(200)
    kind = "state_joint_jump" if "joint" in glitch else "state_odom_jump"
    assert (walk.command.action, walk.counts) == (Action.FOLLOW, {kind: 1}), "not for one sample"
    walk.spoil = displaced(**glitch)
    assert walk.go(300, until=not_followed)
    assert walk.why.startswith("state lost: ") and "jumped by" in walk.why
    walk.go(400)
    if glitch.get("height", 0) < 0:
        assert walk.why.startswith("height"), "believed, and low"
    else:
        assert walk.command.action in FOLLOWED


def test_a_place_that_never_comes_to_rest_is_a_lost_state():
    walk = Walk()
    walk.spoil = lambda state: displaced(height=1.0 + state.stamp_ns // (10 * MS) % 3)(state)
    walk.go(600)
    assert walk.command.action == Action.DAMP and "odom jumped" in walk.why


IMPOSSIBLE = {
    "state_joint_range": lambda s: replace(s, joint_position=s.joint_position + 3.0),
    "state_joint_speed": lambda s: replace(s, joint_velocity=s.joint_velocity - 200.0),
    "state_base_speed": lambda s: replace(s, base=replace(s.base, linear_velocity_body=np.array([0.0, 20.0, 0.0]))),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_what_no_robot_can_do_is_counted_and_ignored(kind):
    walk = Walk()
    believed, walk.spoil = walk.driver.memory.state, IMPOSSIBLE[kind]
    walk.go(50)
    assert walk.counts == {kind: 5} and walk.driver.memory.state is believed
    walk.go(500)
    assert walk.command.action == Action.DAMP and walk.why.startswith("state lost: ")


def test_a_robot_file_that_asks_for_nothing_is_asked_nothing():
    spec = replace(WATCHED, gate=replace(CARTPOLE.gate, frozen_after=None, joint_speed=None, joint_jump=None))
    driver = Driver(replace(spec, gate=replace(spec.gate, beyond_limits=None)))
    for ms in range(0, 500, 10):
        wild = {key: change(walking(ms)) for key, change in IMPOSSIBLE.items()}
        state = list(wild.values())[ms // 10 % 3]
        driver.memory = gate.receive_state(driver.memory, Frozen(*IMU)(state), ms * MS)
    assert driver.memory.counts == {}


def test_nothing_is_compared_across_a_gap_in_robot_time():
    limits = consistency.bounds(WATCHED)
    moving = replace(walking(0), joint_velocity=np.full(12, 3.0))
    track = consistency.begun(limits, moving, None)
    for ms in (10, 20, 30, 40):  # not long enough to be sure
        track, *said = consistency.followed(limits, track, replace(moving, stamp_ns=ms * MS), None)
        assert said == [None, None]
    track, *said = consistency.followed(limits, track, replace(moving, stamp_ns=140 * MS), None)
    assert said == [None, None], "the encoders"
    elsewhere = replace(moving, stamp_ns=240 * MS, joint_position=moving.joint_position + 1.0)
    track, *said = consistency.followed(limits, track, elsewhere, None)
    assert said == [None, None], "the IMU, and where the joints are"


def test_a_robot_that_repeats_itself_to_the_last_bit_is_believed_while_it_stands_and_when_it_is_damped():
    driver = Driver(WATCHED)
    driver.run(0, 3000)
    assert driver.ask(Request.ESTOP, 3000)
    driver.run(3020, 6000)
    assert driver.memory.counts == {}


@pytest.mark.parametrize("what", PARTS)
def test_a_frozen_sensor_stays_frozen_across_a_gap(what):
    walk = Walk()
    walk.spoil = Frozen(*PARTS[what])
    walk.go(200)
    walk.ms += 100
    walk.go(10)
    assert walk.driver.memory.unbelieved == what


# A healthy robot, as it comes from the simulation


class Run:
    """A simulated robot behind its driver, and the gate, sample by sample; `target(ms)` is what plans say."""

    def __init__(self, spec, noise: bool, sample_ms: int):
        self.spec, self.sample_ms = spec, sample_ms
        backend = MujocoBackend(spec, seed=1, noise=noise)
        self.backend, self.robot = backend, SimulatedDriver(spec, backend, stand_up_after=0.0)
        self.driver = Driver(spec)
        self.steady_ms = 0.0
        self.every = round(sample_ms / 1000 / backend.physics_dt)

    def go(self, seconds: float, target=None, commanded: bool = True):
        for _ in range(round(seconds * 1000 / self.sample_ms)):
            self.robot.advance(self.every)
            self.steady_ms += self.sample_ms
            state, now = self.backend.measure(), round(self.steady_ms * MS)
            driver = self.driver
            driver.memory = gate.receive_state(driver.memory, state, now)
            assert (driver.memory.unbelieved, driver.memory.doubt) == ("", "")
            if target is not None and state.stamp_ns % self.spec.dt_ns == 0:
                driver.memory = gate.receive_plan(
                    driver.memory, plan(state.stamp_ns / MS, driver.sequence, target(state.stamp_ns), self.spec), now
                )
                driver.sequence += 1
            driver.memory, decision = gate.decide(driver.memory, state.stamp_ns, now)
            if commanded:
                self.robot.set_mode(decision.command.mode)
                self.robot.command(decision.command.target)
        return self

    def healthy(self) -> bool:
        return not any(k.startswith(("state", "joint")) for k in self.driver.memory.counts)


def trot(ns: int) -> np.ndarray:
    """Not a gait, but the joints move as in one."""
    return STANCE + 0.15 * np.sin(2 * np.pi * ns / 0.44e9 + np.pi * (np.arange(12) // 3 % 3 % 2))


def still(ns: int) -> np.ndarray:
    return STANCE


@pytest.mark.parametrize("sample_ms", [10, 20])
@pytest.mark.parametrize("noise", [True, False])
def test_a_healthy_robot_is_never_accused(noise, sample_ms):
    run = Run(WATCHED, noise, sample_ms)
    run.go(2.0, commanded=False)  # held in stance, while the guard already speaks
    run.go(2.0, trot, commanded=False)  # and while plans already move
    run.go(2.0, still).go(2.0, trot).go(1.0, still)
    run.driver.ask(Request.PAUSE, run.steady_ms)
    run.steady_ms += 5000
    run.driver.ask(Request.RESUME, run.steady_ms)
    run.go(1.0, trot)
    run.robot.reset("reset_world")
    run.driver.ask(Request.SIM_RESET, run.steady_ms)
    run.go(1.0, commanded=False).go(1.0, trot)
    run.robot.advance(run.every * 7)  # samples that were lost
    run.go(1.0, trot)
    run.driver.ask(Request.SIT_DOWN, run.steady_ms)
    run.go(4.0, still)  # sits, damps
    run.driver.ask(Request.STAND_UP, run.steady_ms)
    run.go(3.0, still).go(1.0, trot)
    assert run.healthy(), run.driver.memory.counts


@pytest.mark.parametrize("noise", [True, False])
def test_a_healthy_robot_that_falls_and_lies_there_is_never_accused(noise):
    run = Run(WATCHED, noise, 10).go(1.0, trot)
    for k in range(6):
        run.backend.push(np.array([3.0 * (-1) ** k, 2.0, 1.5]))
        run.go(1.0, trot)
    run.robot.reset("stood up")
    run.driver.ask(Request.SIM_RESET, run.steady_ms)
    run.go(1.0, trot)
    run.driver.ask(Request.ESTOP, run.steady_ms)
    run.go(5.0, trot)
    assert run.healthy(), run.driver.memory.counts


@pytest.mark.parametrize("noise", [True, False])
@pytest.mark.parametrize("sample_ms", [10, 40])
def test_a_healthy_cartpole_is_never_accused(noise, sample_ms):
    run = Run(CARTPOLE, noise, sample_ms)
    run.go(2.0, commanded=False).go(4.0, lambda ns: np.array([0.0]))
    run.go(8.0, lambda ns: np.array([10.0 * np.sign(np.sin(ns / 3e8))]))  # from one end of the rail to the other
    assert run.healthy(), run.driver.memory.counts
