"""Which commands a robot practises."""

import numpy as np

from mbrl_ros.learner_settings import PracticeConfig
from mbrl_ros.learning.curriculum import GENTLE, HIGH, LOW, START, TrainingCommands

FIRST = 10.0
PRACTICE = PracticeConfig()
HOLD, RAMP = PRACTICE.hold, PRACTICE.ramp


def commands(teacher, begin, end):
    return np.array([teacher.at(t) for t in np.arange(begin, end, HOLD)])


def test_commands_are_slow_while_a_model_is_young_and_fill_the_whole_range_later():
    seeds = [TrainingCommands(3, seed, FIRST, PRACTICE) for seed in range(40)]
    young = np.concatenate([commands(s, 0.0, FIRST) for s in seeds])
    old = np.concatenate([commands(s, FIRST + RAMP, FIRST + RAMP + 40) for s in seeds])
    assert (young >= START * LOW).all() and (young <= START * HIGH).all()
    assert (old >= LOW).all() and (old <= HIGH).all()
    assert (old.max(0) > 0.95 * HIGH).all() and (old.min(0) < 0.95 * LOW).all()


def test_any_ten_commands_in_a_row_leave_no_large_hole():
    for seed in range(30):
        late = commands(TrainingCommands(3, seed, FIRST, PRACTICE), FIRST + RAMP, FIRST + RAMP + 60)
        for first in range(len(late) - 10):
            shares = np.sort((late[first : first + 10] - LOW) / (HIGH - LOW), 0)
            gaps = np.diff(np.vstack([np.zeros(3), shares, np.ones(3)]), axis=0)
            assert gaps.max() < 0.31  # of ten independent ones, most sets have a larger one


def test_a_command_is_held_and_another_seed_has_others():
    teacher = TrainingCommands(3, 0, FIRST, PRACTICE)
    np.testing.assert_array_equal(teacher.at(0.1), teacher.at(HOLD - 0.1))
    assert (teacher.at(0.1) != teacher.at(HOLD + 0.1)).all()
    assert (teacher.at(0.1) != TrainingCommands(3, 1, FIRST, PRACTICE).at(0.1)).all()


def test_after_a_fall_it_walks_slowly_for_a_while_and_then_goes_on_as_before():
    teacher, other = TrainingCommands(3, 0, FIRST, PRACTICE), TrainingCommands(3, 0, FIRST, PRACTICE)
    late = FIRST + RAMP
    teacher.fell(late)
    for seconds in (late, late + GENTLE - 0.1):
        np.testing.assert_allclose(teacher.at(seconds), START * other.at(seconds))
    np.testing.assert_array_equal(teacher.at(late + GENTLE), other.at(late + GENTLE))


def test_a_task_without_commands_has_none():
    assert TrainingCommands(0, 0, FIRST, PRACTICE).at(5.0).shape == (0,)


def test_how_long_and_how_soon_can_be_set():
    slow, quick = (
        TrainingCommands(3, 0, FIRST, PracticeConfig(hold, ramp)) for hold, ramp in ((3.0, 100.0), (0.5, 1.0))
    )
    np.testing.assert_array_equal(slow.at(0.1), slow.at(2.9))
    assert (quick.at(0.1) != quick.at(0.6)).all()
    late = [np.abs(commands(teacher, FIRST + 2, FIRST + 22)).max(0) for teacher in (slow, quick)]
    assert (late[0] < 0.7 * late[1]).all()
