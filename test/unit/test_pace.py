"""How many rollouts a plan can afford, on a clock of our own."""

import numpy as np
import pytest

from mbrl_ros.control.pace import LONGEST_PATIENCE, PATIENCE, REMEMBERED, RETURN, SIZES, Pace

STEP_MS, BUDGET = 20.0, 0.6
QUICK, SLOWER, TOO_LATE = 11.0, 15.0, 19.0


def pace(most=400, samples=None):
    """One that begins with all, or with so many because no more were quick."""
    one = Pace(most, STEP_MS, BUDGET)
    one.begin(lambda size: [QUICK if size <= (samples or most) else SLOWER] * 8)
    return one


def plans(one, count, ms=QUICK):
    for _ in range(count):
        one.took(ms)


def test_sizes_end_with_what_is_asked_for():
    assert pace(most=400).sizes == (50, 100, 150, 200, 300, 400)
    assert pace(most=250).sizes == (50, 100, 150, 200, 250)
    assert pace(most=20).sizes == (20,)


@pytest.mark.parametrize(("base", "slope", "chosen"), [(0, 0.001, 1600), (5, 0.01, 600), (5, 0.05, 100), (20, 0.1, 50)])
def test_begins_with_the_largest_size_that_can_be_quick(base, slope, chosen):
    one = pace(most=1600)
    one.begin(lambda samples: [base + slope * samples] * 8)
    assert one.samples == chosen


def test_a_machine_that_is_still_busy_with_starting_does_not_decide_the_beginning():
    one = pace(most=200)
    one.begin(lambda samples: [5.0] * 4 + [50.0] * 8)
    assert one.samples == 200


def test_a_late_plan_is_a_step_down_at_once():
    one = pace()
    assert one.took(TOO_LATE)
    assert (one.samples, one.shrunk, one.late) == (300, 1, 1)


def test_plans_that_never_come_in_time_end_at_the_smallest_size_and_stay():
    one = pace()
    plans(one, 10, 1000.0)
    assert one.samples == one.sizes[0]
    assert not one.took(1000.0)
    assert one.late == 11


def test_plans_in_time_but_not_quick_change_nothing():
    one = pace(samples=200)
    plans(one, 20 * PATIENCE, SLOWER)
    assert one.samples == 200


def test_a_run_of_quick_plans_is_a_step_up():
    one = pace(samples=100)
    plans(one, PATIENCE - 1)
    assert one.samples == 100
    assert one.took(QUICK)
    assert one.samples == 150


def test_some_slower_plans_in_the_run_make_it_longer():
    one = pace(samples=100)
    for _ in range(PATIENCE):
        plans(one, 19)
        one.took(SLOWER)
        if one.samples > 100:
            break
    assert one.samples == 150


def test_without_a_trial_at_the_start_nothing_is_known_to_work():
    """It begins with all; where that is too much, the way back is one step at a time."""
    one = Pace(400, STEP_MS, BUDGET)
    for _ in range(2 * PATIENCE):
        one.took(TOO_LATE if one.samples > 100 else QUICK)
    assert one.late < 8


def test_mostly_slower_plans_are_no_run():
    one = pace(samples=100)
    for _ in range(20 * PATIENCE):
        plans(one, 3)
        one.took(SLOWER)
    assert one.samples == 100


def test_a_step_up_that_was_too_much_is_tried_again_later_and_later():
    one, waits = pace(samples=100), []
    for _ in range(8):
        before = one.grown
        waits.append(0)
        while one.grown == before:
            one.took(QUICK)
            waits[-1] += 1
        one.took(TOO_LATE)
    assert waits[:4] == [PATIENCE, 2 * PATIENCE, 4 * PATIENCE, 8 * PATIENCE]
    assert max(waits) == LONGEST_PATIENCE


def test_after_a_long_good_time_a_late_plan_is_forgiven_soon_again():
    one = pace(samples=100)
    for _ in range(3):
        plans(one, 8 * PATIENCE)
        one.took(TOO_LATE)
    plans(one, 20 * PATIENCE)
    one.took(TOO_LATE)
    plans(one, RETURN)
    assert one.samples == one.sizes[-1]


@pytest.mark.parametrize(("most", "late"), [(200, 1), (200, 3), (1600, 3), (1600, 20)])
def test_after_a_moment_of_trouble_it_is_back_within_a_second(most, late):
    """However far down that has led; 40 plans are 0.8 s."""
    one = pace(most)
    plans(one, late, TOO_LATE)
    assert one.samples < most
    plans(one, RETURN)
    assert one.samples == most


def test_plans_that_are_slower_but_in_time_do_not_hold_up_the_return():
    one = pace(most=200)
    one.took(TOO_LATE)
    for _ in range(RETURN):
        plans(one, 1)
        plans(one, 1, SLOWER)
    assert one.samples == 200


def test_a_return_that_fails_is_tried_again_after_as_short_a_run():
    one = pace(most=200)
    one.took(TOO_LATE)
    for _ in range(4):
        plans(one, RETURN)
        assert one.samples == 200
        one.took(TOO_LATE)
        assert one.samples == 150


def test_trouble_that_stays_makes_it_forget_what_once_worked():
    """After that it tries more at longer and longer intervals, as on any machine that is as slow."""
    one = pace(most=200)
    for _ in range(REMEMBERED + 1):
        one.took(TOO_LATE if one.samples == 200 else QUICK)
    grown = one.grown
    for _ in range(20 * PATIENCE):
        one.took(TOO_LATE if one.samples == 200 else QUICK)
    assert one.grown - grown <= 5


def test_five_seconds_of_a_stolen_processor_are_over_a_second_after():
    """Plans as measured, at 50 Hz; for five seconds each in ten takes two steps."""
    rng, one = np.random.default_rng(0), pace(most=200)
    plans(one, 500)
    for _ in range(250):
        one.took(40.0 if rng.random() < 0.1 else 5.0 + 0.02 * one.samples)
    assert one.samples == one.sizes[0]
    plans(one, RETURN)
    assert one.samples == 200


def test_a_machine_on_which_full_planning_works_stays_near_it():
    """Plans of 200 rollouts as they were measured beside a learner: p50 9 ms, p95 14, p99 16, now and then late."""
    rng, one, sizes = np.random.default_rng(0), pace(most=200), []
    for _ in range(6000):
        ms = (5.0 + 0.02 * one.samples) * rng.lognormal(0.0, 0.22)
        one.took(ms + (15.0 if rng.random() < 0.001 else 0.0))
        sizes.append(one.samples)
    assert np.mean(sizes) > 180 and min(sizes) >= 100


def test_never_leaves_its_sizes():
    one = pace(most=1600)
    for k in range(20000):
        one.took(1.0 if k % 997 else 25.0)
        assert one.samples in one.sizes
    assert set(one.sizes) == set(SIZES)
