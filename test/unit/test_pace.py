"""How many rollouts a plan can afford, on a clock of our own."""

import pytest

from mbrl_ros.control.pace import COMFORT, SIZES, Budget, Pace

BUDGET = Budget(ms=10.0, patience=20)


def pace(most=400, samples=None):
    one = Pace(most, BUDGET)
    one.samples = samples or one.samples
    return one


def good(one, plans, ms=1.0):
    for _ in range(plans):
        one.took(ms)


def test_sizes_end_with_what_is_asked_for():
    assert pace(most=400).sizes == (50, 100, 150, 200, 300, 400)
    assert pace(most=250).sizes == (50, 100, 150, 200, 250)
    assert pace(most=20).sizes == (20,)


@pytest.mark.parametrize(("ms_a_hundred", "chosen"), [(0.1, 1600), (1.0, 600), (3.0, 200), (100.0, 50)])
def test_begins_with_the_largest_size_that_fits_with_room_to_spare(ms_a_hundred, chosen):
    one = pace(most=1600)
    one.begin(lambda samples: [ms_a_hundred * samples / 100] * 8)
    assert one.samples == chosen


def test_one_slow_plan_in_eight_does_not_decide_the_beginning():
    one = pace(most=200)
    one.begin(lambda samples: [1.0] * 7 + [50.0])
    assert one.full


def test_too_long_a_plan_shrinks_at_once_to_what_would_have_fitted():
    one = pace()
    assert one.took(20.0)
    assert one.samples == 150  # 20 ms * 150 / 400 = 7.5 ms
    assert (one.shrunk, one.overruns) == (1, 1)


def test_plans_that_never_fit_end_at_the_smallest_size_and_stay():
    one = pace()
    for _ in range(10):
        one.took(1000.0)
    assert one.samples == one.sizes[0]
    assert not one.took(1000.0)
    assert one.overruns == 11


def test_plans_within_the_budget_but_without_room_for_more_change_nothing():
    one = pace(samples=200)
    good(one, 1000, ms=COMFORT * BUDGET.ms)
    assert one.samples == 200


def test_grows_one_step_after_a_run_of_plans_that_leave_room():
    one = pace(samples=100)
    good(one, BUDGET.patience - 1)
    assert one.samples == 100
    assert one.took(1.0)
    assert one.samples == 150


def test_a_tight_plan_in_between_starts_the_run_anew():
    one = pace(samples=100)
    good(one, BUDGET.patience - 1)
    one.took(9.0)
    good(one, BUDGET.patience - 1)
    assert one.samples == 100


def test_a_step_up_that_was_too_much_is_tried_again_later_and_later():
    one, waits = pace(samples=100), []
    for _ in range(8):
        plans = 0
        while one.samples == 100:
            one.took(1.0)
            plans += 1
        waits.append(plans)
        one.took(11.0)
        assert one.samples == 100
    assert waits[:4] == [20, 40, 80, 160]
    assert max(waits) == 16 * BUDGET.patience


def test_after_a_long_good_time_an_overrun_is_forgiven_sooner_again():
    one = pace(samples=100)
    for _ in range(2):
        good(one, 40)
        one.took(12.0)
    one.samples = one.sizes[-1]
    good(one, 1000)
    one.took(12.0)
    before = one.samples
    good(one, BUDGET.patience)
    assert one.samples > before


def test_never_leaves_its_sizes():
    one = pace(most=1600)
    for k in range(5000):
        one.took(0.01 if k % 97 else 15.0)
        assert one.samples in one.sizes
    assert set(one.sizes) == set(SIZES)
