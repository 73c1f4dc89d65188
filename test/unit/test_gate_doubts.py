"""What rests is not accused for long, and what is frozen is found though it froze at rest or over a lossy link."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import MS, Driver, plan, standing
from gate_walk import ENCODERS, IMU, ODOM, PARTS, WATCHED, Frozen, Walk, not_followed, stuck, walking

from mbrl_ros.safety import consistency, gate
from mbrl_ros.safety.ladder import Stage
from mbrl_ros.types import FOLLOWED, Action

STANCE = WATCHED.stance


@pytest.mark.parametrize("what, parts", [*PARTS.items(), ("encoders frozen", ("joint_position",))], ids=str)
def test_a_sensor_that_froze_at_rest_leads_to_stance_first_and_then_to_damping(what, parts):
    driver, frozen, stages = Driver(WATCHED), Frozen(*parts), []
    for ms in range(0, 5000, 10):
        walks = max(0, ms - 3000)
        state = replace(walking(walks) if walks else standing(0, WATCHED), stamp_ns=ms * MS)
        if not walks and "joint_position" not in parts:  # alive, but at rest
            state = replace(state, joint_position=state.joint_position + 1e-4 * np.sin(ms + np.arange(12)))
        elif not walks:
            state = replace(state, base=replace(state.base, angular_velocity_body=np.full(3, 1e-3 * np.sin(ms))))
        driver.memory = gate.receive_state(driver.memory, frozen(state), ms * MS)
        if ms % 20 == 0:
            driver.give(plan(ms, ms // 20, walking(walks + 20).joint_position if walks else STANCE, WATCHED))
        driver.decide(ms)
        stages.append(driver.memory.rung.stage)
    assert driver.memory.rung.why == f"state lost: {what}"
    damped = stages.index(Stage.DAMP)
    assert stages[damped - 25 : damped] == [Stage.STANCE] * 25, "while it blends to stance"
    assert Stage.STANCE not in stages[2:300]


class Rest:
    """A robot that stands on the ticks of its encoders, its other sensors alive, while plans come."""

    def __init__(self, noisy_joints: bool = False):
        self.driver, self.noisy_joints = Driver(WATCHED), noisy_joints
        self.turning = 0.0
        self.ms, self.spoken, self.random = 0, [], np.random.default_rng(1)
        self.go(500)

    def go(self, ms: int, by=0.0):
        """`by`: what is added to the plans' targets."""
        for now in range(self.ms, self.ms + ms, 10):
            noise = self.random.normal(0, 1e-4, 12) if self.noisy_joints else np.zeros(12)
            noise[0] = 0.0
            self.driver.state(
                now,
                joints=WATCHED.posture + noise,
                position=np.array([0, 0, 0.285]) + self.random.normal(0, 1e-3, 3),
                angular_velocity_body=np.array([0.0, 0.0, self.turning]) + self.random.normal(0, 0.02, 3),
            )
            if now % 20 == 0:
                self.driver.give(plan(now, self.driver.sequence, STANCE + by, WATCHED))
                self.driver.sequence += 1
            self.command = self.driver.decide(now)
            self.spoken += [event.message for event in self.driver.decision.events]
        self.ms += ms
        return self


ONE = np.eye(12)[0] * 0.06  # rad, held by friction


@pytest.mark.parametrize("noisy_joints", [True, False])
def test_a_joint_that_friction_held_is_believed_a_second_after_its_target_is_back(noisy_joints):
    rest = Rest(noisy_joints=noisy_joints).go(120, ONE)
    why = f"{WATCHED.joint_names[0]} stuck or frozen"
    assert (rest.driver.memory.doubt, rest.command.action) == (why, Action.HOLD)
    rest.go(900)
    assert rest.driver.memory.doubt == why
    rest.go(300)
    assert rest.driver.memory.doubt == "" and rest.command.action == Action.FOLLOW
    assert rest.go(15_000).command.action == Action.FOLLOW
    assert rest.driver.memory.counts == {"joint_frozen": 1}


def test_a_joint_that_is_left_behind_again_without_having_moved_is_in_doubt_for_good():
    rest = Rest().go(120, ONE).go(2000).go(120, ONE).go(9000)
    assert rest.driver.memory.doubt and rest.command.action == Action.HOLD
    assert rest.go(3500).command.action == Action.DAMP


def test_a_joint_stuck_in_its_stance_is_tried_once_more():
    walk = Walk()
    walk.go(70)
    walk.spoil = stuck(1, walk.ms)
    assert walk.go(2000, until=not_followed)
    walk.go(3000)
    assert walk.counts == {"joint_frozen": 2} and walk.command.action == Action.HOLD
    walk.go(11_000)
    assert walk.command.action == Action.DAMP and walk.counts["joint_frozen"] == 2
    assert f"mode sit: {WATCHED.joint_names[1]} stuck or frozen" in walk.spoken


def test_a_joint_whose_own_velocity_says_that_it_moved_is_not_believed_until_it_does():
    walk = Walk()
    walk.go(70)  # where the joint comes by its stance
    held = stuck(1, walk.ms)
    walk.spoil = lambda state: replace(held(state), joint_velocity=held(state).joint_velocity + 3.0 * np.eye(12)[1])
    assert walk.go(2000, until=not_followed)
    walk.spoil = held
    walk.go(8000)
    assert walk.counts == {"joint_frozen": 1} and walk.driver.memory.doubt


def test_what_a_joint_did_while_samples_were_lost_is_nothing_to_accuse_it_of():
    limits = consistency.bounds(WATCHED)
    swings = replace(standing(0, WATCHED), joint_velocity=np.full(12, 5.0))
    _, *said = consistency.followed(
        limits, consistency.begun(limits, swings, None), replace(swings, stamp_ns=60 * MS), None
    )
    assert said == [None, None], "there and back on the same tick"


def test_a_robot_that_stands_stiff_and_is_turned_by_hand_is_believed():
    rest = Rest()
    rest.turning = 2.0
    rest.go(3000)
    assert rest.command.action == Action.FOLLOW and rest.driver.memory.counts == {}


def test_several_joints_that_are_left_behind_while_none_moves_are_frozen_encoders():
    rest = Rest().go(300, 0.06)
    assert rest.driver.memory.unbelieved == "encoders frozen" and rest.command.action == Action.HOLD
    assert rest.go(400).command.action == Action.DAMP


@pytest.mark.parametrize("what, parts", [("imu frozen", IMU), ("odom frozen", ODOM), ("encoders frozen", ENCODERS)])
@pytest.mark.parametrize("period, nth", [(20, 2), (20, 3), (20, 4), (10, 2), (10, 3)])
def test_a_frozen_sensor_is_found_over_a_link_that_loses_samples(what, parts, period, nth):
    driver, frozen = Driver(WATCHED), Frozen(*parts)
    for i, ms in enumerate(range(0, 1500, period)):
        state = frozen(walking(ms)) if ms > 1000 else walking(ms)
        if i % nth or not i:
            driver.memory = gate.receive_state(driver.memory, state, ms * MS)
        if ms % 20 == 0:
            driver.give(plan(ms, ms // 20, walking(ms + 20).joint_position, WATCHED))
        command = driver.decide(ms)
        if ms == 1000:
            assert command.action in FOLLOWED and driver.memory.counts == {}
        if ms == 1200:
            assert not_followed(command) and driver.memory.unbelieved == what
    assert command.action == Action.DAMP
