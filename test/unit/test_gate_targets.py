"""How far a target may go, and what is said where it may not."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import CARTPOLE, GO1, QUICK, Driver, plan, standing

from mbrl_ros.config import ConfigError
from mbrl_ros.safety import targets
from mbrl_ros.safety.gate import Request
from mbrl_ros.safety.targets import ACCELERATION, POSITION, RATE, TORQUE
from mbrl_ros.types import Action

STANCE = QUICK.stance
GAIN = 0.2  # rad a step more than in the step before
HURRIED = replace(QUICK, joints=tuple(replace(j, acceleration=GAIN / QUICK.dt**2) for j in QUICK.joints))
STRONG = replace(QUICK, gate=replace(QUICK.gate, torque_margin=1.5))
MOST = 1.5 * np.array([j.effort for j in QUICK.joints])
KP, KV = QUICK.joints[0].kp, QUICK.joints[0].kv
EVERYTHING = replace(GO1, gate=replace(GO1.gate, fade_in=0.0, frozen_after=None, joint_jump=None))


def away(joint: int, by: float) -> np.ndarray:
    return np.where(np.arange(12) == joint, STANCE + by, STANCE)


def thigh_after(driver: Driver, begin_ms: int, target, steps: int) -> np.ndarray:
    """How far the target of FR_thigh_joint is from stance, step by step."""
    return np.array([driver.step(begin_ms + 20 * k, target).target[1] for k in range(steps)]) - STANCE[1]


def test_a_target_gains_speed_slowly_and_brakes_at_once():
    driver = Driver(HURRIED)
    driver.run(0, 100, STANCE)
    told = thigh_after(driver, 120, away(1, 2.5), 9)  # a plan begins a step later
    np.testing.assert_allclose(told, [0, 0.2, 0.6, 1.2, 2.0, 2.5, 2.5, 2.5, 2.5], atol=1e-9)
    counts = driver.memory.counts
    assert counts["limited_acceleration"] == 3 and counts["limited_rate"] == 4, "0.8 a step is the rate"


def test_from_the_measured_posture_speed_is_gained_from_rest():
    driver = Driver(HURRIED)
    driver.run(0, 100, STANCE)
    assert thigh_after(driver, 120, away(1, 2.5), 4)[-1] == pytest.approx(1.2), "0.6 in the last step"
    driver.ask(Request.DRIVER_DAMPED, 182)
    for ms in (185, 190):  # in the same step
        driver.state(ms)
        driver.give(plan(ms, 1000 + ms, away(1, 2.5), first_ms=0))
        told = driver.decide(ms).target
    assert told[1] - driver.memory.step.begin[1] <= GAIN + 1e-9


def test_turning_round_gains_speed_slowly_too():
    driver = Driver(HURRIED)
    driver.run(0, 100, STANCE)
    thigh_after(driver, 120, away(1, 0.6), 4)
    told = thigh_after(driver, 200, away(1, -0.6), 5)
    np.testing.assert_allclose(told, [0.6, 0.4, 0.0, -0.6, -0.6], atol=1e-9)


def test_speed_is_gained_from_step_to_step_however_often_commands_are_sent():
    driver = Driver(HURRIED)
    driver.run(0, 100, STANCE)
    told = []
    for ms in range(120, 200, 10):
        driver.state(ms)
        if ms % 20 == 0:
            driver.give(plan(ms, ms, away(1, 2.0), HURRIED))
        told.append(driver.decide(ms).target[1] - STANCE[1])
    np.testing.assert_allclose(told[::2], [0, 0.2, 0.6, 1.2], atol=1e-9)
    np.testing.assert_allclose(told, np.repeat(told[::2], 2), atol=1e-9)


def test_a_target_that_asks_for_too_much_torque_comes_nearer_to_the_measured_posture():
    driver = Driver(STRONG)
    driver.run(0, 100, STANCE)
    driver.step(120, away(1, 0.6))
    command = driver.step(140, away(1, 0.6))
    assert command.action == Action.SCALE and driver.decision.limited == (TORQUE,) and driver.decision.clipped
    assert KP * (command.target[1] - QUICK.posture[1]) == pytest.approx(MOST[1])
    np.testing.assert_array_equal(np.delete(command.target, 1), np.delete(STANCE, 1))
    assert driver.memory.counts == {"limited_torque": 1}


def test_a_joint_in_motion_brakes_by_itself_so_its_target_may_be_further():
    at = QUICK.posture.copy()
    state = replace(Driver(STRONG).following().memory.state, joint_velocity=np.full(12, 5.0))
    limits = targets.target_limits(STRONG)
    ahead, _ = targets.limited(limits, at + 0.7, targets.at_rest(at), state)
    behind, _ = targets.limited(limits, at - 0.7, targets.at_rest(at), state)
    inside = np.abs(at + 0.7) < 0.8  # the hips: no position limit between
    np.testing.assert_allclose((ahead - at)[inside], (MOST[inside] + KV * 5.0) / KP)
    np.testing.assert_allclose((at - behind)[inside], (MOST[inside] - KV * 5.0) / KP)


def test_the_torque_of_a_state_that_is_too_old_is_not_judged():
    driver = Driver(STRONG, ahead_ms=0.0)
    driver.run(0, 100, away(1, 0.4))
    limits = targets.target_limits(STRONG)
    wanted = away(1, 0.7)
    told, kinds = targets.limited(limits, wanted, targets.at_rest(STANCE), None)
    assert kinds == () and (told == wanted).all()
    bent = QUICK.posture - np.where(np.arange(12) == 2, 0.8, 0.0)
    driver.run(120, 200, STANCE, joints=bent)
    assert driver.decision.limited == (TORQUE,)
    for ms in range(210, 550, 10):  # no state: stance is blended to, whatever the joints were
        command = driver.decide(ms)
    assert command.action == Action.HOLD and command.target[2] > bent[2] + MOST[2] / KP + 0.01


def test_limits_hold_for_the_guards_own_targets_too():
    driver = Driver(STRONG)
    driver.run(0, 100, STANCE)
    lifted = {"joints": QUICK.posture + np.where(np.arange(12) == 2, 0.8, 0.0)}  # a calf that somebody bends
    command = driver.run(120, 600, **lifted)
    assert command.action == Action.HOLD
    assert KP * (lifted["joints"][2] - command.target[2]) == pytest.approx(MOST[2])


@pytest.mark.parametrize(
    "target, kinds",
    [
        (away(0, 0.05), ()),
        (away(0, 1.0), (POSITION, RATE, ACCELERATION)),
        (away(1, 1.0), (RATE, ACCELERATION)),
        (away(1, 0.7), (ACCELERATION,)),
        (away(1, 0.39), ()),
    ],
)
def test_each_limit_that_changed_a_target_is_named(target, kinds):
    limits = targets.target_limits(EVERYTHING)
    state = Driver(EVERYTHING).following().memory.state
    told, named = targets.limited(limits, target, targets.at_rest(STANCE), state)
    assert named == kinds
    assert (np.abs(told - target).max() > 1e-6) == bool(kinds)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_for_what_is_told_is_within_every_limit(seed):
    random = np.random.default_rng(seed)
    limits = targets.target_limits(EVERYTHING)
    driver, before, move = Driver(EVERYTHING), None, np.zeros(12)
    for k in range(400):
        joints = EVERYTHING.posture + 0.15 * random.standard_normal(12) * (k > 0)
        wild = STANCE + random.choice([0.1, 1.0, 100.0]) * random.standard_normal((4, 12))
        driver.state(20 * k, joints=joints)
        driver.give(plan(20 * k, k, wild, EVERYTHING))
        command = driver.decide(20 * k)
        assert ((limits.low <= command.target) & (command.target <= limits.high)).all()
        if before is not None:
            moved = command.target - before
            assert (np.abs(moved) <= limits.step + 1e-9).all()
            assert (moved <= np.maximum(move, 0) + limits.gain + 1e-9).all()
            assert (moved >= np.minimum(move, 0) - limits.gain - 1e-9).all()
            move = moved
        before = command.target
    assert all(driver.memory.counts["limited_" + kind] for kind in targets.KINDS)


@pytest.mark.parametrize("spec", [QUICK, EVERYTHING], ids=["rate", "every limit"])
def test_plans_that_change_their_mind_each_millisecond_move_a_target_by_one_step_in_a_step(spec):
    driver, told, path = Driver(spec), [], []
    driver.run(0, 100, spec.stance)
    for ms in range(101, 300):
        if ms % 10 == 0:
            driver.state(ms, joints=spec.posture + 1e-3 * np.sin(ms + np.arange(12)))
        driver.give(plan(ms, 1000 + ms, spec.stance + (3.0 if ms % 2 else -3.0), spec, first_ms=0))
        told.append(driver.decide(ms).target)
    moved = np.abs(np.diff(told, axis=0))
    assert (moved.max(axis=0) > 0.1).all(), "they are followed"
    step_begins = np.arange(moved.shape[0]) // 20
    for k in range(step_begins[-1]):
        path = moved[20 * k : 20 * k + 20].sum(axis=0)
        assert (path <= 2 * spec.target_step_limit + 1e-6).all(), "what 20 ms touch: two steps, each in part"
    assert (moved.sum(axis=0) <= (moved.shape[0] / 20 + 1) * spec.target_step_limit + 1e-6).all()
    assert driver.memory.counts["limited_rate"]


def test_to_and_fro_within_a_step_counts_twice():
    limits, step = targets.target_limits(QUICK), targets.at_rest(STANCE)
    told, kinds = targets.limited(limits, away(1, 0.5), step, None)
    assert kinds == ()
    step = targets.moved(step, told)
    told, kinds = targets.limited(limits, STANCE, step, None)
    assert kinds == (RATE,) and told[1] == pytest.approx(STANCE[1] + 0.2), "0.8 a step, 0.5 of it is gone"
    step = targets.moved(step, told)
    assert (targets.limited(limits, away(1, 0.5), step, None)[0] == told).all()
    assert targets.limited(limits, away(1, 0.5), targets.next_step(step), None)[1] == ()


@pytest.mark.parametrize("velocity", [40.0, -40.0, np.nan], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_position_is_the_last_word_whatever_the_other_limits_say(velocity, seed):
    random = np.random.default_rng(seed)
    limits = replace(targets.target_limits(EVERYTHING), step=np.full(12, velocity * QUICK.dt))
    state = Driver(EVERYTHING).following().memory.state
    for _ in range(50):
        begin, move, now, asked, off = (3.0 * random.standard_normal((5, 12))) * random.choice([0.1, 1.0, 10.0])
        step = targets.Step(begin, move, now, np.abs(move))
        told, _ = targets.limited(limits, asked, step, replace(state, joint_position=state.joint_position + off))
        assert not ((told < limits.low) | (told > limits.high)).any()


def test_effort_has_a_limit_of_its_own():
    limits = targets.target_limits(CARTPOLE)
    state = Driver(CARTPOLE).memory.state
    told, kinds = targets.limited(limits, np.array([99.0]), targets.at_rest(np.array([-10.0])), state)
    assert (told.tolist(), kinds) == ([10.0], (POSITION,))


CART = CARTPOLE.joints[0]
VELOCITY = replace(CARTPOLE, interface="velocity")
ENDLESS = replace(CARTPOLE, joints=(replace(CART, continuous=True), CARTPOLE.joints[1]))
UNKNOWN = replace(CARTPOLE, joints=(replace(CART, position=None), CARTPOLE.joints[1]))


@pytest.mark.parametrize(
    "spec, position, velocity, asked, told, kinds",
    [
        (CARTPOLE, 1.79, 2.0, 8.0, 8.0, ()),
        (CARTPOLE, 1.81, 2.0, 8.0, 0.0, (POSITION,)),
        (CARTPOLE, 1.81, 2.0, -8.0, -8.0, ()),
        (CARTPOLE, -1.81, 0.0, -8.0, 0.0, (POSITION,)),
        (CARTPOLE, -1.81, 0.0, 8.0, 8.0, ()),
        (CARTPOLE, 0.0, 10.1, 8.0, 0.0, (RATE,)),
        (CARTPOLE, 0.0, 10.1, -8.0, -8.0, ()),
        (CARTPOLE, 0.0, -10.1, -8.0, 0.0, (RATE,)),
        (CARTPOLE, 1.81, 10.1, 99.0, 0.0, (POSITION,)),
        (VELOCITY, 1.81, 2.0, 8.0, 0.0, (POSITION,)),
        (VELOCITY, 0.0, 10.1, 8.0, 8.0, ()),  # which slows it down
        (ENDLESS, 1.81, 2.0, 8.0, 8.0, ()),
        (UNKNOWN, 1.81, 2.0, 8.0, 8.0, ()),
        (UNKNOWN, 1.81, 10.1, 8.0, 0.0, (RATE,)),
    ],
)
def test_beyond_its_limits_nothing_drives_a_joint_further_out_nor_an_effort_a_fast_one_on(
    spec, position, velocity, asked, told, kinds
):
    state = replace(standing(0, spec), joint_position=np.array([position, 2.0]), joint_velocity=np.array([velocity, 0]))
    limits = targets.target_limits(spec)
    allowed, named = targets.limited(limits, np.array([asked]), targets.at_rest(np.zeros(1)), state)
    assert (allowed.tolist(), named) == ([told], kinds)
    unseen, _ = targets.limited(limits, np.array([asked]), targets.at_rest(np.zeros(1)), None)
    assert unseen.tolist() == [min(asked, CART.effort)], "a state that is too old says nothing"


def test_a_cart_beyond_its_rail_is_pushed_back_but_not_on_and_that_is_said():
    driver = Driver(CARTPOLE)
    driver.run(0, 200, [8.0], joints=np.array([1.7, 0.0]))
    out = {"joints": np.array([1.85, 0.0])}
    command = driver.step(240, [-8.0], **out)
    assert (command.action, command.target.tolist()) == (Action.CLIP, [0.0])
    assert driver.memory.counts == {"limited_position": 1}
    assert driver.step(280, [-8.0], **out).target.tolist() == [-8.0]
    assert driver.decision.command.action == Action.FOLLOW


def test_a_robot_file_without_the_new_keys_has_none_of_the_new_limits():
    limits = targets.target_limits(QUICK)
    assert limits.gain is None and limits.torque is None


@pytest.mark.parametrize("key", ["torque_margin", "frozen_after", "joint_jump"])
def test_a_limit_of_nothing_is_refused(key):
    with pytest.raises(ConfigError, match=f"gate.{key} 0 must be above 0"):
        replace(GO1.gate, **{key: 0.0})


def test_an_acceleration_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="FR_hip_joint: acceleration 0 must be above 0"):
        replace(GO1, joints=(replace(GO1.joints[0], acceleration=0.0), *GO1.joints[1:]))
