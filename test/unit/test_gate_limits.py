"""What the gate changes on the way to the robot, and which states it believes."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import CARTPOLE, GO1, LYING_ON_SIDE, QUICK, Driver, plan, standing

from mbrl_ros.safety import gate
from mbrl_ros.safety.gate import Request
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import Action, RobotMode

STANCE = QUICK.stance


def test_a_target_beyond_the_joint_limit_is_clipped_and_says_so():
    driver = Driver()
    beyond = STANCE.copy()
    beyond[0] = 1.2  # hip limit 0.863, at most 0.8 a step
    driver.step(0, STANCE)
    driver.step(20, beyond)
    command = driver.step(40, beyond)
    assert command.action == Action.CLIP and driver.decision.clipped
    assert command.target[0] == pytest.approx(STANCE[0] + 0.8)
    assert driver.step(60, beyond).target[0] == pytest.approx(0.863)
    np.testing.assert_array_equal(command.target[1:], STANCE[1:])


def test_rate_is_limited_from_step_to_step_however_often_commands_are_sent():
    driver = Driver()
    thigh = STANCE.copy()
    thigh[1] = 4.4  # from 0.9, 0.8 a step
    driver.step(0, thigh)
    reached = []
    for ms in range(20, 100, 10):
        driver.state(ms)
        if ms % 20 == 0:
            driver.give(plan(ms, ms, thigh))
        reached.append(driver.decide(ms).target[1])
    np.testing.assert_allclose(reached[::2], 0.9 + 0.8 * np.arange(1, 5))
    np.testing.assert_allclose(np.repeat(reached[::2], 2), reached)


def test_a_late_plan_in_mid_step_may_not_exceed_the_limit_of_that_step():
    driver = Driver()
    driver.run(0, 100, STANCE)
    driver.state(110)
    wild = STANCE.copy()
    wild[1] = 4.0
    driver.give(plan(100, 100, wild, first_ms=0), at_ms=112)
    assert driver.decide(112).target[1] == pytest.approx(0.9 + 0.8)
    driver.state(120)
    driver.decide(120)
    driver.state(130)
    assert driver.decide(130).target[1] == pytest.approx(0.9 + 1.6)


def test_float32_rounding_at_the_limit_is_no_clip():
    driver = Driver()
    edge = STANCE.copy()
    edge[0] = np.float32(0.863)
    driver.step(0, STANCE)
    driver.step(20, np.where(np.arange(12) == 0, 0.5, STANCE))
    driver.step(40, edge)
    assert driver.step(60, edge).action == Action.FOLLOW


def test_effort_is_limited():
    driver, most = Driver(CARTPOLE), CARTPOLE.actuated[0].effort
    driver.step(0, [50.0])
    command = driver.step(40, [-50.0])
    assert (command.action, command.target.tolist()) == (Action.CLIP, [most])
    assert driver.step(80, [0.0]).target.tolist() == [-most]


@pytest.mark.parametrize(
    "fallen", [{"orientation_wxyz": LYING_ON_SIDE}, {"position": np.array([0.0, 0.0, 0.15])}], ids=["tilt", "height"]
)
def test_a_fall_damps_at_once_until_stand_up(fallen):
    driver = Driver().following()
    driver.told.clear()
    command = driver.step(120, STANCE, **fallen)
    assert (command.action, command.mode, driver.told) == (Action.DAMP, RobotMode.DAMP, ["fall"])
    assert driver.run(140, 2000, STANCE).action == Action.DAMP, "upright again, but nobody asked"
    assert driver.ask(Request.STAND_UP, 2000)
    assert driver.step(2020, STANCE).action == Action.HOLD
    assert driver.run(2040, 4100, STANCE).action == Action.FOLLOW


def test_damping_targets_the_measured_posture():
    driver = Driver().following()
    command = driver.step(120, joints=STANCE - 0.1, orientation_wxyz=LYING_ON_SIDE)
    np.testing.assert_allclose(command.target, STANCE - 0.1)


BAD_BASES = {
    "position": np.array([0.0, np.nan, 0.285]),
    "orientation_wxyz": np.array([np.nan, 0.0, 0.0, 0.0]),
    "linear_velocity_body": np.array([np.inf, 0.0, 0.0]),
    "angular_velocity_body": np.array([0.0, 0.0, np.nan]),
}


@pytest.mark.parametrize("part", BAD_BASES)
def test_a_state_that_is_not_finite_is_counted_and_ignored(part):
    driver = Driver().following()
    driver.state(120, **{part: BAD_BASES[part]})
    assert driver.memory.counts == {"state_not_finite": 1}
    assert driver.memory.state.stamp_ns == 100_000_000


def test_other_states_that_cannot_be_believed():
    memory = Driver().memory
    good = standing(0)
    bad = {
        "state_not_finite": replace(good, joint_position=np.full(12, np.nan)),
        "state_shape": replace(good, joint_velocity=np.zeros(11)),
        "state_without_base": replace(good, base=None),
        "state_orientation": replace(good, base=replace(good.base, orientation_wxyz=np.zeros(4))),
    }
    for reason, state in bad.items():
        memory = gate.receive_state(memory, state, 0)
        assert memory.counts[reason] == 1
    assert memory.state is None


def test_a_stream_of_bad_states_is_a_lost_state():
    driver = Driver().following()
    for ms in range(120, 600, 20):
        command = driver.step(ms, STANCE, linear_velocity_body=np.full(3, np.nan))
    assert command.action == Action.DAMP


def test_a_repeated_stamp_does_not_make_the_state_younger():
    driver = Driver().following()
    driver.state(100, at_ms=150)
    driver.give(plan(100, 100, STANCE), at_ms=150)
    assert driver.decide(161).action == Action.HOLD


def test_a_clock_that_stands_still_is_a_lost_state_that_says_so():
    driver = Driver().following()
    for ms in range(120, 600, 10):
        driver.state(100, at_ms=ms)
        driver.give(plan(100, ms, STANCE, points=60), at_ms=ms)
        driver.memory, decision = gate.decide(driver.memory, gate.robot_time(driver.memory, ms * 10**6), ms * 10**6)
    assert decision.command.action == Action.DAMP
    assert driver.memory.rung.why == "state lost: robot time stands still"
    assert driver.run(620, 700, STANCE).action == Action.DAMP and driver.memory.unbelieved == ""


@pytest.mark.parametrize("jump_ms", [100, 5_000, 3_600_000, -100, -900])
def test_a_clock_that_jumps_is_followed_again_without_anybody_asking(jump_ms):
    driver = Driver()
    driver.run(0, 1000, STANCE + 0.1)
    driver.ahead_ms -= jump_ms  # of robot time, while the steady clock goes on
    begin = 1020 + jump_ms
    actions = [driver.step(ms, STANCE + 0.1).action for ms in range(begin, begin + 200, 20)]
    assert actions[-1] == Action.FOLLOW and set(actions) <= {Action.FOLLOW, Action.HOLD}
    driver.ahead_ms += jump_ms
    actions = [driver.step(ms, STANCE + 0.1).action for ms in range(1220, 1420, 20)]
    assert actions[-1] == Action.FOLLOW and set(actions) <= {Action.FOLLOW, Action.HOLD}


def test_samples_that_overtake_one_another_change_nothing():
    driver = Driver().following()
    for ms in range(120, 400, 20):
        driver.state(ms + 10, at_ms=ms)
        assert driver.step(ms, STANCE).action == Action.FOLLOW
    assert driver.memory.counts == {"state_late": 14}


def test_in_lockstep_no_sample_is_late_as_none_can_overtake_another():
    driver = Driver(config=GuardConfig(lockstep=True))
    driver.run(0, 100, STANCE)
    driver.state(60)
    assert driver.memory.counts == {"state_time_back": 1} and driver.memory.state.stamp_ns == 60_000_000


def test_robot_time_that_goes_back_begins_anew_without_the_old_plans():
    driver = Driver()
    driver.run(1000, 1200, STANCE + 0.1)
    driver.sequence = 0
    command = driver.step(0, STANCE + 0.2)
    assert (command.action, command.plan_sequence) == (Action.HOLD, -1)
    assert driver.memory.counts == {"state_time_back": 1}
    assert driver.step(20, STANCE + 0.2).action == Action.FOLLOW


def test_two_bridges_on_one_topic_are_counted_and_never_followed_for_long():
    driver = Driver().following()
    for k in range(20):
        driver.state(120 + 20 * k)
        driver.state(50_000 + 20 * k, at_ms=121 + 20 * k)
    assert driver.memory.counts["state_time_back"] == 19
    _, decision = gate.decide(driver.memory, driver.memory.state.stamp_ns, 501_000_000)
    assert decision.command.action == Action.HOLD


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_in_what_goes_out_is_finite_within_limits_and_no_faster_than_allowed(seed):
    random = np.random.default_rng(seed)
    driver, before = Driver(), None
    low, high = QUICK.target_limits
    for k in range(500):
        ms = 20 * k
        if random.random() < 0.9:
            joints = STANCE + 0.2 * random.standard_normal(12)
            joints[random.random(12) < 0.001] = np.nan
            driver.state(ms, joints=joints)
        for _ in range(random.integers(3)):
            wild = STANCE + random.choice([0.1, 1.0, 100.0]) * random.standard_normal((4, 12))
            wild[random.random((4, 12)) < 0.001] = random.choice([np.nan, np.inf])
            driver.give(plan(ms + random.choice([-400, -20, 0, 0, 0, 20]), k, wild), at_ms=ms)
        if random.random() < 0.01:
            driver.ask(Request(random.choice([r for r in Request if r not in (Request.PAUSE, Request.ESTOP)])), ms)
        command = driver.decide(ms)
        if command is None:
            continue
        assert np.isfinite(command.target).all()
        assert ((low <= command.target) & (command.target <= high)).all()
        rebased = command.action == Action.DAMP or before is None or not {"mode", "release"}.isdisjoint(driver.told)
        if not rebased and before.action != Action.DAMP:
            assert (np.abs(command.target - before.target) <= QUICK.target_step_limit + 1e-9).all()
        before = command
        driver.told.clear()
    assert driver.memory.counts


@pytest.mark.parametrize("stamps", [(-300, 0), (-300, 0, 20), (-300, 25), (0, 300, 0), (-300, -280, 400, 420)], ids=str)
def test_robot_time_made_to_jump_back_and_forth_moves_no_target_faster(stamps):
    driver = Driver().following()
    wild, targets = STANCE.copy(), []
    wild[1] = 4.4  # 0.8 a step
    for ms in range(100, 140):  # a message each millisecond, of a stranger or not
        stamp = ms + 1000 + stamps[ms % len(stamps)]
        driver.state(stamp, at_ms=ms)
        for k in range(3):  # three in a row are owed where plans were lost
            driver.give(plan(stamp, 1000 + 3 * ms + k, wild, first_ms=0), at_ms=ms)
        targets.append(gate_decides(driver, stamp, ms).target[1])
    assert targets[-1] > 0.9 + 0.7, "it is followed"
    moved = np.diff([0.9, *targets])
    assert moved[moved > 1e-3].sum() <= 3 * 0.8 + 1e-6, "one step in 20 ms, and the one begun"


@pytest.mark.parametrize("simulation", [True, False])
def test_robot_time_that_jumps_ahead_is_no_silence_and_moves_no_target_by_more_than_a_step(simulation):
    """Two robots of different postures in one graph: from one's time to the other's and back."""
    driver = Driver(GO1, simulation=simulation)
    driver.run(0, 500, GO1.stance)
    (low, high), random, told = GO1.target_limits, np.random.default_rng(0), []
    for k in range(200):
        ms, jump_ms = 500 + 5 * (k + 1), 5000 * (k % 2)
        posture = np.clip(GO1.posture + (0.8 if k % 2 else -0.8), low, high)
        driver.state(ms + jump_ms, at_ms=ms, joints=posture + 1e-3 * random.standard_normal(12))
        told.append(gate_decides(driver, ms + jump_ms, ms).target)
    path = np.abs(np.diff(told, axis=0))
    assert (path.sum(axis=0) <= (1000 / 20 + 1) * GO1.target_step_limit).all()
    for k in range(len(path) - 4):  # 20 ms: of two steps, each in part
        assert (path[k : k + 4].sum(axis=0) <= 2 * GO1.target_step_limit + 1e-9).all()
    assert "no command was sent for a while" not in driver.memory.rung.why


def test_one_jump_ahead_holds_stance_from_where_the_target_is():
    driver = Driver(GO1)
    driver.run(0, 500, GO1.stance)
    driver.state(5505, at_ms=505, joints=GO1.posture - 0.5)
    told = gate_decides(driver, 5505, 505)
    assert (np.abs(told.target - GO1.stance) <= GO1.target_step_limit).all()
    assert driver.memory.rung.why == "plans lost"


def test_a_silence_is_one_though_robot_time_stood_still():
    driver = Driver().following()
    sagged = STANCE - 0.2
    driver.state(120, at_ms=400, joints=sagged)
    np.testing.assert_allclose(gate_decides(driver, 120, 400).target, sagged)


def gate_decides(driver, stamp, ms):
    driver.memory, decision = gate.decide(driver.memory, round(stamp * 1e6), round(ms * 1e6))
    return decision.command
