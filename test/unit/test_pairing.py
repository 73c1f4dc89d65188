"""Which samples are steps, and which steps become training data."""

import numpy as np
import pytest
from gate_driver import CARTPOLE, GO1, MS, standing

from mbrl_ros.data.pairing import Pairing
from mbrl_ros.data.steps import StepClock
from mbrl_ros.types import Action, Event

A, B = np.full(12, 0.1), np.full(12, 0.5)


def verdicts(*stamps_ms, dt_ms=20, period_ms=10):
    clock = StepClock(dt_ms * MS, period_ms * MS)
    return [clock.accept(round(ms * MS)) for ms in stamps_ms]


def test_every_second_sample_of_a_100_hz_robot_is_a_step_of_20_ms():
    assert verdicts(0, 10, 20, 30, 40) == ["restart", "between", "step", "between", "step"]


def test_a_step_is_the_first_sample_within_half_a_sample_period_of_its_time():
    assert verdicts(0, 14.9, 15.1, 30, 34) == ["restart", "between", "step", "between", "step"]


def test_one_lost_sample_is_a_late_step_and_two_begin_anew():
    assert verdicts(0, 10, 30, 50) == ["restart", "between", "step", "step"]
    assert verdicts(0, 10, 40) == ["restart", "between", "restart"]


def test_a_stamp_that_goes_back_begins_anew_and_a_repeat_is_nothing():
    assert verdicts(0, 20, 20, 0, 20) == ["restart", "step", "between", "restart", "step"]


def test_after_a_restart_the_next_sample_is_a_beginning():
    clock = StepClock(20 * MS, 10 * MS)
    clock.accept(0)
    clock.restart()
    assert clock.accept(10 * MS) == "restart"


class Fed:
    """A pairing fed in milliseconds; collects the steps."""

    def __init__(self, spec=GO1, **settings):
        self.pairing, self.steps, self.spec = Pairing(spec, **settings), [], spec

    def state(self, *stamps_ms, **base):
        for ms in stamps_ms:
            self.steps += self.pairing.state(standing(ms, self.spec, **base))

    def applied(self, ms, target=A, action=Action.FOLLOW, model=3):
        self.steps += self.pairing.applied(round(ms * MS), target, action, model)

    def event(self, name, ms):
        self.steps += self.pairing.event(Event(name, round(ms * MS), ""))

    def cycle(self, begin_ms, end_ms, target=A, action=Action.FOLLOW):
        """Lockstep: at each step a state, then what is applied over it."""
        for ms in range(begin_ms, end_ms + 1, 20):
            self.state(ms)
            self.applied(ms, target, action)

    @property
    def begins(self):
        return [step.state.stamp_ns // MS for step in self.steps]


def test_in_lockstep_each_step_is_complete_when_the_next_target_is_applied():
    fed = Fed()
    fed.state(0)
    fed.applied(0, A)
    fed.state(20)
    assert fed.begins == []
    fed.applied(20, B)
    (step,) = fed.steps
    assert (step.state.stamp_ns, step.next.stamp_ns, step.model) == (0, 20 * MS, 3)
    np.testing.assert_array_equal(step.target, A)
    assert not step.clipped and not step.held


def test_the_target_is_the_time_weighted_mean_over_the_step():
    fed = Fed()
    fed.state(0)
    fed.applied(0, A)
    fed.state(10, 20)
    fed.applied(20, A)
    fed.applied(25, B)  # A for 5 ms, B for 15 ms
    fed.state(30, 40)
    fed.applied(40, A)
    np.testing.assert_allclose(fed.steps[1].target, 0.25 * A + 0.75 * B)


def test_a_target_applied_before_the_step_counts_until_the_first_one_within():
    fed = Fed()
    fed.state(0)
    fed.applied(1, A)
    fed.state(20)
    fed.applied(22, B)  # A for 2 ms, B for 18 ms
    fed.state(40)
    fed.applied(41, B)
    np.testing.assert_allclose(fed.steps[1].target, 0.1 * A + 0.9 * B)


def test_the_drivers_delay_moves_targets_to_when_they_take_effect():
    fed = Fed(delay_ns=5 * MS)
    fed.state(0)
    fed.applied(0, A)
    fed.state(20)
    fed.applied(20, B)
    fed.state(40)
    fed.applied(40, B)
    np.testing.assert_allclose(fed.steps[1].target, 0.25 * A + 0.75 * B)


def test_applied_that_arrives_after_the_next_state_still_counts():
    fed = Fed()
    fed.state(0)
    fed.applied(0, A)
    fed.state(20)
    fed.applied(15, B)
    fed.applied(20, B)
    np.testing.assert_allclose(fed.steps[0].target, 0.75 * A + 0.25 * B)


@pytest.mark.parametrize(
    "action, clipped, held",
    [
        (Action.FOLLOW, False, False),
        (Action.CLIP, True, False),
        (Action.SCALE, True, False),
        (Action.HOLD, False, True),
        (Action.SIT, False, True),
    ],
)
def test_clipped_and_held_targets_are_data_and_flagged(action, clipped, held):
    fed = Fed()
    fed.cycle(0, 40, action=action)
    assert [(s.clipped, s.held) for s in fed.steps] == [(clipped, held)] * 2


def test_a_damped_step_is_no_data():
    fed = Fed()
    fed.cycle(0, 40)
    fed.cycle(60, 100, action=Action.DAMP)
    fed.cycle(120, 160)
    assert fed.begins == [0, 20, 40, 120, 140]


@pytest.mark.parametrize("name", ["reset", "estop"])
def test_no_step_reaches_across_a_reset_or_an_estop(name):
    fed = Fed()
    fed.cycle(0, 40)
    fed.event(name, 50)
    fed.cycle(60, 100)
    assert fed.begins == [0, 20, 60, 80]


def test_a_reset_that_is_heard_of_late_still_breaks_its_step():
    fed = Fed()
    fed.cycle(0, 40)
    fed.state(60)
    fed.event("reset", 50)
    fed.applied(60)
    fed.cycle(80, 120)
    assert fed.begins == [0, 20, 80, 100]


def test_the_step_that_ends_in_a_fall_is_kept_and_a_reset_completes_it():
    fed = Fed()
    fed.cycle(0, 20)
    fed.state(40)
    fed.event("fall", 40)
    fed.event("reset", 40)
    assert fed.begins == [0, 20]


def test_a_gap_begins_anew():
    fed = Fed()
    fed.cycle(0, 40)
    fed.cycle(100, 140)
    assert fed.begins == [0, 20, 100, 120]


def test_a_step_made_long_by_a_lost_sample_is_no_data():
    fed = Fed()
    for ms in (0, 10, 20, 30, 50, 60, 70):  # 40 is lost
        fed.state(ms)
        fed.applied(ms)
    assert fed.begins == [0, 50]
    assert fed.pairing.dropped == 1


def test_a_step_in_which_nothing_was_applied_is_no_data():
    fed = Fed()
    fed.cycle(0, 20)
    fed.state(40, 60, 80)
    assert fed.begins == [0, 20]


def test_a_state_that_is_not_finite_is_no_data():
    fed = Fed()
    fed.cycle(0, 20)
    fed.state(40, linear_velocity_body=np.full(3, np.nan))
    fed.applied(40)
    fed.cycle(60, 100)
    assert fed.begins == [0, 60, 80]


def test_robot_time_that_goes_back_breaks_the_pair_and_forgets_the_old_targets():
    fed = Fed()
    fed.cycle(1000, 1040)
    fed.cycle(0, 40, target=B)
    assert fed.begins == [1000, 1020, 0, 20]
    np.testing.assert_array_equal(fed.steps[2].target, B)


def test_steps_of_a_robot_without_a_base():
    fed = Fed(CARTPOLE)
    for ms in (0, 40, 80):
        fed.state(ms)
        fed.applied(ms, np.array([ms / 10.0]))
    assert [s.target.tolist() for s in fed.steps] == [[0.0], [4.0]]


@pytest.mark.parametrize("ahead_ms", [150, 5000, 2_000_000_000])
def test_one_that_was_applied_in_the_future_is_counted_and_changes_nothing(ahead_ms):
    fed = Fed()
    fed.cycle(0, 100)
    fed.applied(100 + ahead_ms, B)
    fed.cycle(120, 200)
    assert fed.begins == list(range(0, 200, 20))
    assert fed.pairing.ahead == 1
    assert all((step.target == A).all() for step in fed.steps)


def test_one_that_was_applied_before_any_state_says_nothing_of_the_first_step():
    fed = Fed()
    fed.applied(5000, B)
    fed.cycle(0, 60)
    assert fed.begins == [0, 20, 40]


def test_after_a_clock_that_was_ahead_what_is_still_told_by_it_stops_nothing():
    """Whoever told it learns of the end of it a little later, or a little earlier."""
    fed = Fed()
    fed.cycle(0, 100)
    fed.cycle(5120, 5200)  # 5 s ahead
    fed.state(220)
    fed.applied(5220, B)
    fed.applied(220)
    fed.cycle(240, 300)
    assert fed.begins == [*range(0, 100, 20), *range(5120, 5200, 20), *range(220, 300, 20)]
    assert fed.pairing.ahead == 1
    fed.applied(320)
    fed.cycle(5320, 5400)
    fed.applied(420)  # before the state that goes back
    fed.cycle(420, 500)
    assert fed.begins[-4:] == [420, 440, 460, 480]
