"""Which plan the gate follows, and which it refuses."""

import numpy as np
import pytest
from gate_driver import CARTPOLE, FADING, MS, QUICK, Driver, plan

from mbrl_ros.types import Action, RobotMode

STANCE = QUICK.stance


def near(offset: float) -> np.ndarray:
    return STANCE + offset


def test_nothing_is_sent_before_the_first_state():
    driver = Driver()
    assert driver.decide(0) is None
    driver.give(plan(0, 0, near(0.1)))
    assert driver.memory.counts == {"plan_before_state": 1}


def test_stance_is_held_until_the_first_plan_however_long_it_takes():
    driver = Driver()
    command = driver.run(0, 30_000)
    assert (command.action, command.mode, command.plan_sequence) == (Action.HOLD, RobotMode.POSITION, -1)
    np.testing.assert_array_equal(command.target, STANCE)


def test_a_plan_of_delay_one_is_followed_from_the_next_step_on():
    driver = Driver()
    assert driver.step(0, near(0.1)).action == Action.HOLD
    command = driver.step(20, near(0.2))
    assert (command.action, command.plan_sequence, command.model) == (Action.FOLLOW, 0, 1)
    np.testing.assert_allclose(command.target, near(0.1))
    np.testing.assert_allclose(driver.step(40, near(0.3)).target, near(0.2))


def test_a_plan_of_delay_zero_is_followed_as_it_arrives():
    driver = Driver()
    driver.state(0)
    driver.give(plan(0, 0, near(0.1), first_ms=0))
    np.testing.assert_allclose(driver.decide(0).target, near(0.1))


def test_plans_of_delay_three_are_followed_three_steps_later():
    driver = Driver()
    for k in range(8):
        driver.state(20 * k)
        driver.give(plan(20 * k, k, near(0.01 * k), first_ms=60))
        command = driver.decide(20 * k)
        assert command.plan_sequence == (k - 3 if k >= 3 else -1)


def test_each_point_holds_over_its_step():
    driver = Driver()
    driver.state(0)
    driver.give(plan(0, 0, np.array([near(0.1), near(0.2), near(0.3)]), points=3, first_ms=20), at_ms=10)
    for ms, offset in ((20, 0.1), (29, 0.1), (39.9, 0.1), (40, 0.2), (59.9, 0.2), (60, 0.3)):
        driver.state(ms)
        np.testing.assert_allclose(driver.decide(ms + 0.001).target, near(offset))


def test_the_last_point_expires_after_its_step():
    driver = Driver(ahead_ms=0)
    driver.state(0)
    driver.give(plan(0, 0, near(0.1), points=1, first_ms=20))
    driver.state(30)
    assert driver.decide(39.9).action == Action.FOLLOW
    assert driver.decide(40).action == Action.HOLD


def test_the_plan_before_is_followed_while_the_newest_begins_later():
    driver = Driver()
    driver.state(0)
    driver.give(plan(0, 0, near(0.1)))
    driver.state(20)
    driver.give(plan(20, 1, near(0.2)))
    assert driver.decide(20).plan_sequence == 0
    driver.state(40)
    assert driver.decide(40).plan_sequence == 1


def test_a_sample_just_before_the_step_takes_the_steps_point_and_keeps_it():
    driver = Driver()
    driver.state(0)
    driver.give(plan(0, 0, np.array([near(0.1), near(0.2)]), points=2))
    driver.state(20)
    driver.decide(20)
    driver.state(39)  # step 2 by the half-sample rule
    np.testing.assert_allclose(driver.decide(39).target, near(0.2))
    np.testing.assert_allclose(driver.decide(39.5).target, near(0.2))


def test_plan_older_than_its_expiry_is_not_executed():
    driver = Driver()
    driver.state(200)
    driver.give(plan(100, 0, near(0.1)))  # covers 120 to 200 ms
    assert driver.memory.counts == {"plan_past": 1}
    assert driver.decide(200).action == Action.HOLD


@pytest.mark.parametrize(
    "reason, bad",
    [
        ("plan_not_finite", plan(100, 5, np.where(np.arange(12) == 3, np.nan, STANCE))),
        ("plan_not_finite", plan(100, 5, np.where(np.arange(12) == 3, np.inf, STANCE))),
        ("plan_shape", plan(100, 5, [0.0], CARTPOLE)),
        ("plan_shape", plan(100, 5, STANCE, offsets_ns=())),
        ("plan_shape", plan(100, 5, STANCE, offsets_ns=(20 * MS,))),
        ("plan_offsets", plan(100, 5, STANCE, offsets_ns=(20 * MS, 20 * MS, 40 * MS, 60 * MS))),
        ("plan_offsets", plan(100, 5, STANCE, offsets_ns=(20 * MS, 40 * MS, 59 * MS, 79 * MS))),
        ("plan_shape", plan(100, 5, STANCE, points=101)),
        ("plan_offsets", plan(100, 5, STANCE, first_ms=-20)),
        ("plan_offsets", plan(100, 5, STANCE, first_ms=400)),
        ("plan_past", plan(0, 5, STANCE)),
        ("plan_future", plan(2000, 5, STANCE)),
        ("plan_order", plan(60, 5, STANCE)),
        ("plan_sequence", plan(100, 2, STANCE)),
        ("plan_sequence", plan(100, 4, STANCE)),
    ],
)
def test_a_bad_plan_is_refused_by_name_and_the_good_one_goes_on(reason, bad):
    driver = Driver()
    driver.run(0, 80, near(0.1))  # plans 0 to 4
    driver.state(100)
    driver.give(bad, at_ms=100)
    assert driver.memory.counts == {reason: 1}
    command = driver.decide(100)
    assert (command.action, command.plan_sequence) == (Action.FOLLOW, 4)


def test_points_a_rounding_nearer_than_a_step_are_followed_and_so_are_as_many_as_may_be():
    driver = Driver()
    driver.state(0)
    offsets = tuple(i * 20 * MS - i % 2 for i in range(100))
    driver.give(plan(0, 0, near(0.1), points=100, offsets_ns=offsets))
    assert driver.decide(0).action == Action.FOLLOW and driver.memory.counts == {}


def test_the_same_plan_again_is_no_fault():
    driver = Driver().following()
    again = plan(100, driver.sequence - 1, STANCE)
    driver.give(again)
    assert driver.memory.counts == {}


def test_a_restarted_planner_counts_from_zero_and_is_followed():
    driver = Driver()
    driver.run(0, 1000, near(0.1))
    driver.sequence = 0
    driver.step(1020, near(0.2))
    command = driver.step(1040, near(0.2))
    assert (command.action, command.plan_sequence) == (Action.FOLLOW, 0)
    assert driver.memory.counts == {}


def test_a_restarted_planner_whose_first_plans_were_lost_is_followed():
    driver = Driver()
    driver.run(0, 1000, near(0.1))
    driver.run(1020, 1200)
    driver.sequence = 3
    driver.run(1220, 1260, near(0.2))
    assert driver.step(1280, near(0.2)).plan_sequence == 5
    assert driver.memory.counts == {}


def test_the_same_robot_time_gets_the_same_answer_and_moves_no_timer():
    once, often = Driver(FADING), Driver(FADING)
    for k in range(40):
        a = once.step(20 * k, near(0.01 * k))
        for _ in range(3):
            b = often.step(20 * k, near(0.01 * k))
            often.sequence -= 1
        often.sequence += 1
        np.testing.assert_array_equal(a.target, b.target)
        assert (a.action, a.plan_sequence, a.stamp_ns) == (b.action, b.plan_sequence, b.stamp_ns)
    assert once.told == often.told


def test_a_robot_time_that_comes_again_later_follows_no_plan_that_is_too_old_by_then():
    driver = Driver().following()
    driver.decide(101)
    driver.state(101, at_ms=162)
    driver.ahead_ms = 61
    assert driver.decide(101).plan_sequence == -1


def test_plans_are_faded_in_over_two_seconds():
    driver = Driver(FADING)
    driver.step(0, near(0.2))
    for begin_ms, end_ms, share in ((20, 20, 0.0), (40, 520, 0.25), (540, 1020, 0.5), (1040, 2000, 0.99)):
        command = driver.run(begin_ms, end_ms, near(0.2))
        np.testing.assert_allclose(command.target, near(0.2 * share), atol=1e-9)
        assert command.action == Action.HOLD and command.plan_sequence >= 0
    assert driver.run(2020, 2040, near(0.2)).action == Action.FOLLOW


def test_a_normal_walk_is_not_clipped():
    driver = Driver()
    for k in range(500):
        wave = 0.3 * np.sin(2 * np.pi * (k * 0.02 / 0.44) + np.arange(12))
        driver.step(20 * k, STANCE + wave)
        assert not driver.decision.clipped
    assert driver.memory.counts == {}


def test_an_effort_robot_follows_at_once_and_rests_at_zero():
    driver = Driver(CARTPOLE)
    assert driver.step(0, [5.0]).target.tolist() == [0.0]
    command = driver.step(40, [6.0])
    assert (command.action, command.target.tolist()) == (Action.FOLLOW, [5.0])
