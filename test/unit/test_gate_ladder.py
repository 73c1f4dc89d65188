"""What the gate does when plans or states stop, and what brings it back."""

import numpy as np
import pytest
from gate_driver import CARTPOLE, FADING, LYING_ON_SIDE, QUICK, Driver, plan

from mbrl_ros.safety.gate import Request
from mbrl_ros.safety.memory import RUNGS, standing
from mbrl_ros.types import Action, RobotMode

STANCE, SIT = QUICK.stance, QUICK.sit
AWAY = STANCE + 0.3


def lost_plans(driver: Driver, until_ms: float):
    """States go on from 120 ms; the last plan came at 100 ms."""
    return driver.run(120, until_ms)


def test_a_plan_is_followed_up_to_sixty_milliseconds_of_age():
    driver = Driver().following(AWAY)
    assert lost_plans(driver, 160).action == Action.FOLLOW
    assert driver.step(180).action == Action.HOLD


def test_lost_plans_blend_to_stance_in_300_ms():
    driver = Driver().following(AWAY)
    np.testing.assert_allclose(lost_plans(driver, 180).target, AWAY)  # the blend begins here
    np.testing.assert_allclose(driver.run(200, 340).target, STANCE + 0.3 * (1 - 160 / 300))
    np.testing.assert_allclose(driver.run(360, 480).target, STANCE)


def test_lost_plans_hold_stance_for_ten_seconds_then_sit_then_damp():
    driver = Driver().following(AWAY)
    lost_plans(driver, 180)
    assert driver.run(200, 180 + 300 + 9_980).action == Action.HOLD
    np.testing.assert_allclose(driver.step(180 + 10_300).target, STANCE)
    command = driver.run(180 + 10_320, 180 + 11_300)
    assert command.action == Action.SIT
    np.testing.assert_allclose(command.target, (STANCE + SIT) / 2)
    command = driver.run(180 + 11_320, 180 + 12_300)
    assert (command.action, command.mode) == (Action.DAMP, RobotMode.DAMP)


def test_a_planner_that_comes_late_is_followed_and_not_sat_down_on():
    driver = Driver()
    for ms in range(0, 15_000, 20):
        driver.step(ms)
    assert driver.run(15_000, 15_200, AWAY).action in (Action.FOLLOW, Action.CLIP)


def test_fresh_plans_are_followed_again_from_stance_with_a_fade_in():
    driver = Driver(FADING)
    driver.run(0, 2100, AWAY)
    driver.run(2120, 4080)
    driver.run(4100, 4140, AWAY)
    command = driver.run(4160, 5140, AWAY)
    assert command.action == Action.HOLD and command.plan_sequence >= 0
    np.testing.assert_allclose(command.target, (STANCE + AWAY) / 2)
    assert driver.run(5160, 6160, AWAY).action == Action.FOLLOW


def test_lost_plans_are_followed_again_once_three_in_a_row_have_come_in_time():
    driver = Driver().following(AWAY)
    lost_plans(driver, 480)
    assert [driver.step(ms, AWAY).action for ms in (500, 520)] == [Action.HOLD, Action.HOLD]
    assert driver.step(540, AWAY).action == Action.FOLLOW


def test_a_planner_that_is_just_too_slow_is_lost_once():
    driver = Driver().following(AWAY)
    for late in range(200, 1200, 100):
        driver.run(late - 80, late - 20)
        driver.step(late, AWAY)
    assert driver.told == ["mode"] * 3  # stance, follow, stance


def test_fresh_plans_are_not_followed_from_sit_or_damp_without_stand_up():
    driver = Driver().following(AWAY)
    lost_plans(driver, 10_600)
    assert driver.run(10_620, 12_000, AWAY).action == Action.SIT
    assert driver.run(12_020, 20_000, AWAY).action == Action.DAMP
    assert driver.ask(Request.STAND_UP, 20_000)
    assert driver.run(20_020, 22_100, AWAY).action == Action.FOLLOW


def test_sitting_low_is_no_fall():
    driver = Driver().following()
    assert driver.ask(Request.SIT_DOWN, 110)
    low = np.array([0.0, 0.0, 0.11])
    assert driver.run(120, 2000, STANCE, position=low).action == Action.SIT
    assert driver.run(2020, 2200, STANCE, position=low).action == Action.DAMP
    assert "fall" not in driver.told


def test_sit_down_sits_while_plans_go_on():
    driver = Driver().following(AWAY)
    assert driver.ask(Request.SIT_DOWN, 100)
    command = driver.run(120, 1100, AWAY)
    assert command.action == Action.SIT
    np.testing.assert_allclose(command.target, (AWAY + SIT) / 2)


def test_standing_up_goes_slowly_from_the_measured_posture_and_may_be_low():
    driver = Driver().following()
    driver.ask(Request.SIT_DOWN, 100)
    low = {"position": np.array([0.0, 0.0, 0.11]), "joints": SIT + 0.05}
    driver.run(120, 3000, **low)
    assert driver.ask(Request.STAND_UP, 3000)
    command = driver.run(3020, 4000, STANCE, **low)
    np.testing.assert_allclose(command.target, np.clip(SIT + 0.05, *QUICK.target_limits) / 2 + STANCE / 2)
    assert command.action == Action.HOLD
    assert driver.run(4020, 5020, STANCE, **low).action == Action.DAMP, "it did not get up"


def test_lost_state_blends_to_stance_then_damps():
    driver = Driver().following(AWAY)
    # States stop at 100 ms, plans go on.
    driver.give(plan(100, 100, AWAY, points=60), at_ms=150)
    assert driver.decide(159).action == Action.FOLLOW
    for ms in range(161, 460, 10):
        driver.give(plan(100, 100 + ms, AWAY, points=60), at_ms=ms)
        command = driver.decide(ms)
        assert (command.action, command.mode) == (Action.HOLD, RobotMode.POSITION)
    np.testing.assert_allclose(command.target, STANCE + 0.3 * (1 - 290 / 300))
    assert driver.decide(460).mode == RobotMode.DAMP
    assert driver.run(500, 1000, AWAY).action == Action.DAMP, "released by stand_up alone"
    assert not driver.ask(Request.SIM_RESET, 1000) or driver.run(1020, 1100, AWAY).action == Action.DAMP
    assert driver.ask(Request.STAND_UP, 1100)
    assert driver.run(1120, 3200, AWAY).action == Action.FOLLOW


def test_a_state_that_comes_back_during_the_blend_is_followed_again():
    driver = Driver().following(AWAY)
    assert driver.decide(200).action == Action.HOLD
    driver.run(220, 240, AWAY)
    assert driver.step(260, AWAY).action == Action.FOLLOW


@pytest.mark.parametrize("ahead_ms", [0.0, 5e9], ids=["same clock", "steady clock far ahead"])
def test_ages_are_steady_time_since_receipt(ahead_ms):
    driver = Driver(ahead_ms=ahead_ms)
    driver.run(0, 100, AWAY)
    driver.run(120, 160)
    assert driver.step(180).action == Action.HOLD


def test_estop_latches_until_its_own_reset():
    driver = Driver().following(AWAY)
    assert driver.ask(Request.ESTOP, 110)
    command = driver.decide(110)
    assert (command.action, command.mode) == (Action.DAMP, RobotMode.DAMP)
    assert "estop" in driver.told
    assert driver.run(120, 200, AWAY).action == Action.DAMP
    assert not driver.ask(Request.STAND_UP, 200) and "estop_reset" in driver.message
    driver.ask(Request.SIM_RESET, 200)
    assert driver.run(220, 300, AWAY).action == Action.DAMP
    assert driver.ask(Request.ESTOP_RESET, 300)
    assert driver.step(320, AWAY).action == Action.HOLD
    assert "release" in driver.told
    assert driver.run(340, 2400, AWAY).action == Action.FOLLOW


def test_estop_acts_within_an_answered_time():
    driver = Driver().following(AWAY)
    driver.ask(Request.ESTOP, 100)
    assert driver.decide(100).mode == RobotMode.DAMP


def test_estop_before_the_first_state_holds():
    driver = Driver()
    driver.ask(Request.ESTOP, 0)
    assert not driver.ask(Request.ESTOP_RESET, 0)
    assert driver.run(20, 100, AWAY).action == Action.DAMP


@pytest.mark.parametrize(
    "unready",
    [
        {"orientation_wxyz": LYING_ON_SIDE},
        {"linear_velocity_body": np.array([0.5, 0.0, 0.0])},
        {"angular_velocity_body": np.array([0.0, 0.0, 1.0])},
    ],
    ids=["tilted", "moving", "turning"],
)
@pytest.mark.parametrize("release", [Request.ESTOP_RESET, Request.STAND_UP])
def test_release_needs_the_robot_upright_and_still(release, unready):
    driver = Driver().following()
    if release is Request.ESTOP_RESET:
        driver.ask(Request.ESTOP, 100)
    driver.step(120, orientation_wxyz=LYING_ON_SIDE)
    driver.step(140, **unready)
    assert not driver.ask(release, 140)
    assert driver.step(160).action == Action.DAMP
    assert driver.ask(release, 160)


def test_release_needs_a_fresh_state():
    driver = Driver().following()
    driver.ask(Request.ESTOP, 100)
    assert not driver.ask(Request.ESTOP_RESET, 200) and "too old" in driver.message


def test_estop_reset_without_estop_and_second_requests():
    driver = Driver().following()
    assert not driver.ask(Request.ESTOP_RESET, 100)
    assert driver.ask(Request.STAND_UP, 100) and driver.message == "already up"
    assert driver.ask(Request.SIT_DOWN, 100)
    assert driver.ask(Request.SIT_DOWN, 100) and driver.message == "already sitting down"
    driver.ask(Request.ESTOP, 100)
    assert not driver.ask(Request.SIT_DOWN, 100)


def test_a_reset_of_the_simulation_ends_a_fall_once_the_robot_stands():
    driver = Driver(FADING)
    driver.run(0, 2100, STANCE)
    driver.step(2120, STANCE, orientation_wxyz=LYING_ON_SIDE)
    driver.run(2140, 4100, orientation_wxyz=LYING_ON_SIDE)
    assert driver.ask(Request.SIM_RESET, 4100)
    assert driver.step(4120, STANCE, orientation_wxyz=LYING_ON_SIDE).action == Action.DAMP
    driver.told.clear()
    command = driver.step(4140, AWAY)
    assert command.mode == RobotMode.POSITION and "release" in driver.told
    np.testing.assert_allclose(driver.run(4160, 4290, AWAY).target, (STANCE + AWAY) / 2, atol=0.02)


def test_hardware_is_never_released_by_a_reset_event():
    driver = Driver(simulation=False).following()
    driver.step(120, orientation_wxyz=LYING_ON_SIDE)
    assert not driver.ask(Request.SIM_RESET, 120)
    assert driver.run(140, 1000, STANCE).action == Action.DAMP


def test_a_reset_in_mid_walk_drops_the_plans_and_blends_in_again():
    driver = Driver(FADING)
    driver.run(0, 2100, AWAY)
    driver.ask(Request.SIM_RESET, 2100)
    command = driver.step(2120, AWAY)
    np.testing.assert_allclose(command.target, STANCE)
    assert command.action == Action.HOLD
    assert driver.run(2140, 2400, AWAY).action == Action.HOLD
    assert driver.run(2420, 2520, AWAY).action == Action.FOLLOW


def test_plans_lost_after_a_reset_fade_in_slowly_again():
    driver = Driver(FADING)
    driver.run(0, 2100, AWAY)
    driver.ask(Request.SIM_RESET, 2100)
    driver.run(2120, 2600, AWAY)
    driver.run(2620, 3600, None)
    assert driver.run(3620, 5000, AWAY).action == Action.HOLD
    assert driver.run(5020, 6000, AWAY).action == Action.FOLLOW


def test_in_process_episodes_may_begin_at_zero_again():
    driver = Driver(FADING)
    for _ in range(3):
        driver.sequence = 0
        driver.run(0, 2100, AWAY)
        assert driver.decision.command.action == Action.FOLLOW
        driver.step(2120, AWAY, orientation_wxyz=LYING_ON_SIDE)
        assert driver.decision.command.action == Action.DAMP
        assert driver.ask(Request.SIM_RESET, 2120)


def test_a_guard_that_starts_under_a_collapsed_robot_waits_for_stand_up():
    driver = Driver()
    collapsed = {"joints": SIT, "position": np.array([0.0, 0.0, 0.11])}
    command = driver.run(0, 200, STANCE, **collapsed)
    assert (command.action, command.mode) == (Action.DAMP, RobotMode.DAMP)
    driver.ask(Request.SIM_RESET, 200)
    assert driver.run(220, 300, STANCE).action == Action.DAMP
    assert driver.ask(Request.STAND_UP, 300)
    assert driver.step(320, **collapsed).action == Action.HOLD


@pytest.mark.parametrize("heard_ms", [0, 40], ids=["before the first state", "a little later"])
def test_a_guard_that_comes_back_to_a_robot_left_damped_waits_for_stand_up(heard_ms):
    driver = Driver()
    if heard_ms:
        driver.run(0, heard_ms, STANCE)
    driver.ask(Request.LEFT_DAMPED, heard_ms)
    assert driver.run(heard_ms + 20, 200, STANCE).action == Action.DAMP
    driver.ask(Request.SIM_RESET, 200)
    assert driver.run(220, 300, STANCE).action == Action.DAMP
    assert driver.ask(Request.STAND_UP, 300)
    assert driver.run(320, 2400, STANCE).action == Action.FOLLOW


def test_an_estop_of_a_robot_left_damped_is_reset_by_estop_reset_alone():
    driver = Driver()
    driver.ask(Request.LEFT_DAMPED, 0)
    driver.ask(Request.ESTOP, 0)
    assert driver.run(20, 100, STANCE).action == Action.DAMP
    assert not driver.ask(Request.STAND_UP, 100) and driver.ask(Request.ESTOP_RESET, 100)
    assert driver.run(120, 2400, STANCE).action == Action.FOLLOW


def test_after_a_silence_of_its_own_the_guard_fades_in_from_the_measured_posture():
    driver = Driver(FADING)
    driver.run(0, 2100, AWAY)
    for ms in range(2120, 2320, 20):  # states and plans came, but the process was stopped
        driver.state(ms)
        driver.give(plan(ms, 1000 + ms, AWAY))
    sagged = STANCE - 0.2
    driver.state(2320, joints=sagged)
    command = driver.decide(2320)
    np.testing.assert_allclose(command.target, sagged)
    assert command.action == Action.HOLD


def test_a_driver_that_damped_itself_is_followed_from_the_measured_posture():
    driver = Driver(FADING)
    driver.run(0, 2100, AWAY)
    driver.state(2120, joints=STANCE - 0.2)
    assert driver.ask(Request.DRIVER_DAMPED, 2120)
    np.testing.assert_allclose(driver.decide(2120).target, STANCE - 0.2)


def test_an_effort_robot_blends_to_zero_then_switches_off():
    driver = Driver(CARTPOLE)
    driver.run(0, 120, [10.0])
    driver.step(160)
    np.testing.assert_allclose(driver.step(200).target, [10.0])  # 80 ms old: the blend begins
    np.testing.assert_allclose(driver.run(240, 320).target, [10.0 * (1 - 120 / 300)])
    np.testing.assert_allclose(driver.run(360, 520).target, [0.0])
    command = driver.run(560, 10_520)
    assert (command.mode, command.action) == (RobotMode.OFF, Action.DAMP)
    np.testing.assert_allclose(command.target, [0.0])
    assert not driver.ask(Request.SIT_DOWN, 10_520)
    assert driver.ask(Request.STAND_UP, 10_520)
    assert driver.run(10_560, 10_640, [10.0]).action == Action.FOLLOW


def test_every_change_of_mode_is_told_once():
    driver = Driver().following(AWAY)
    lost_plans(driver, 13_000)
    assert driver.told == ["mode"] * 5  # stance, follow, stance, sit, damp


def rungs(driver, *steps):
    """Which rung is stood on after each step: (ms, target or None)."""
    found = []
    for ms, target in steps:
        driver.step(ms, target)
        found.append(standing(driver.memory))
    return found


def test_the_rung_below_following_is_the_points_that_the_last_plan_still_has():
    driver = Driver().following(AWAY)
    assert rungs(driver, (120, None), (140, None), (160, None), (180, None)) == ["follow", "coast", "coast", "stance"]


def test_one_late_plan_is_coasted_over_and_the_next_one_followed_at_once():
    driver = Driver().following(AWAY)
    assert rungs(driver, (120, None), (140, AWAY), (160, AWAY)) == ["follow", "coast", "follow"]


def test_a_plan_that_holds_from_its_arrival_on_is_no_coasting():
    """With no delay the guard sends before the plan of the same state is there, and again once it is."""
    driver = Driver()
    for k in range(10):
        driver.state(20 * k)
        if k:
            driver.decide(20 * k)
        driver.give(plan(20 * k, k, AWAY, driver.spec, first_ms=0), at_ms=20 * k + 5)
        driver.decide(20 * k + 5)
        assert standing(driver.memory) in ("stance", "follow")
    assert standing(driver.memory) == "follow"


def test_all_the_way_down_every_rung_is_told():
    driver, seen = Driver().following(AWAY), []
    for ms in range(120, 13_000, 20):
        driver.step(ms)
        if standing(driver.memory) not in seen[-1:]:
            seen.append(standing(driver.memory))
    assert seen == ["follow", "coast", "stance", "sit", "damp"]
    assert set(seen) < set(RUNGS)
